/* test_http.c: the names of failures and the rules for headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/http.h"

static void test_failure_names(void **state)
{
	(void)state;
	assert_string_equal(http_failure_name(HTTP_COMPLETE), "complete");
	assert_string_equal(http_failure_name(HTTP_FAILED_RESOLVE), "resolve");
	assert_string_equal(http_failure_name(HTTP_FAILED_TOO_BIG), "too_big");
	assert_string_equal(http_failure_name(HTTP_TIMED_OUT_IDLE), "timed_out_idle");
	assert_string_equal(http_failure_name(HTTP_CANCELLED), "cancelled");
	assert_string_equal(http_failure_name(HTTP_FAILED_LOCAL), "local");
	assert_string_equal(http_failure_name((enum http_failure)99), "unknown");
	for (int i = HTTP_COMPLETE; i <= HTTP_FAILED_LOCAL; i++)
		if (!http_failure_name((enum http_failure)i))
			fail_msg("failure %d has no name", i);
}

static void expect(const char *name, const char *value, bool stranger, const char *problem)
{
	const char *found = http_header_problem(str_from(name), str_from(value), stranger);

	if (problem ? !found || !strstr(found, problem) : found != NULL)
		fail_msg("%s: %s: expected %s, found %s", name, value, problem ? problem : "no problem", found ? found : "none");
}

static void test_header_rules(void **state)
{
	static const char *const framing[] = { "Content-Length", "transfer-encoding", "Connection", "TE", "Upgrade", "EXPECT" };

	(void)state;
	expect("Authorization", "Bearer x", false, NULL);
	expect("x-a!#$%&'*+-.^_`|~9", "", true, NULL);
	expect("X", "caf\xc3\xa9 \t value", true, NULL);
	expect("", "x", false, "empty name");
	expect("a b", "x", false, "character in its name");
	expect("a:", "x", false, "character in its name");
	expect("a\r\nb", "x", false, "character in its name");
	expect("caf\xc3\xa9", "x", false, "character in its name");
	expect("X", "a\r\nEvil: 1", false, "line break");
	expect("X", "a\n", false, "line break");
	expect("X", "a\rb", false, "line break");
	for (size_t i = 0; i < ARRAY_SIZE(framing); i++)
		expect(framing[i], "x", false, "frames the message");
	expect("Host", "x", false, NULL);
	expect("hOST", "x", true, "may not be set here");
	assert_non_null(http_header_problem(str_of("X", 1), str_of("a\0b", 3), false));
	assert_non_null(http_header_problem(str_of("X\0", 2), STR_NULL, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failure_names),
		cmocka_unit_test(test_header_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
