/* test_lambda_invocation.c: the headers of an event, and the variable that tells AWS's libraries its trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "front/lambda/invocation.h"
#include "front/lambda/trace.h"

#define ID    "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
#define TRACE "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"

static struct pair pair(const char *name, const char *value)
{
	return (struct pair){ str_from(name), str_from(value) };
}

static void test_the_headers_of_an_event(void **state)
{
	const struct pair headers[] = { pair("content-type", "application/json"), pair("LAMBDA-RUNTIME-AWS-REQUEST-ID", " " ID " "),
		                        pair("lambda-runtime-deadline-ms", "9007199254740993"),
		                        pair("Lambda-Runtime-Trace-Id", TRACE), pair("Lambda-Runtime-Client-Context", "") };
	struct invocation inv;
	struct error err = { 0 };

	(void)state;
	assert_int_equal(invocation_read(headers, ARRAY_SIZE(headers), &inv, &err), 0);
	assert_string_equal(inv.id, ID);
	assert_true(inv.deadline_ms == INT64_C(9007199254740993));
	assert_string_equal(inv.trace, TRACE);
}

static void test_what_may_be_missing_or_odd(void **state)
{
	char *long_trace = calloc(1, INVOCATION_TRACE_MAX + 2);
	static const char *const odd[] = { "", "soon", "-1", "1.5", " ", "0x10", "99999999999999999999999" };
	struct invocation inv;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		const struct pair headers[] = { pair("Lambda-Runtime-Aws-Request-Id", ID),
			                        pair("Lambda-Runtime-Deadline-Ms", odd[i]) };

		assert_int_equal(invocation_read(headers, 2, &inv, NULL), 0);
		assert_true(inv.deadline_ms == 0);
		assert_string_equal(inv.trace, "");
	}
	memset(long_trace, 'x', INVOCATION_TRACE_MAX + 1);
	{
		const struct pair headers[] = { pair("Lambda-Runtime-Aws-Request-Id", ""),
			                        pair("Lambda-Runtime-Aws-Request-Id", ID),
			                        pair("Lambda-Runtime-Deadline-Ms", "18446744073709551615"),
			                        pair("Lambda-Runtime-Trace-Id", long_trace) };

		assert_int_equal(invocation_read(headers, ARRAY_SIZE(headers), &inv, NULL), 0);
		assert_true(inv.deadline_ms == INT64_MAX);
		assert_string_equal(inv.trace, "");
	}
	free(long_trace);
}

static void test_ids_that_cannot_be_answered(void **state)
{
	char longest[INVOCATION_ID_MAX + 2];
	static const char *const bad[] = { "", " ", ".", "..", "a/b", "a?b", "a#b", "a b", "a%2e", "\xc3\xa9", "a\tb", "a\"b" };
	struct invocation inv;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct pair header = pair("Lambda-Runtime-Aws-Request-Id", bad[i]);

		if (invocation_read(&header, 1, &inv, &err) != FF_EDATA)
			fail_msg("the request id \"%s\" should be refused", bad[i]);
		assert_non_null(strstr(err.text, "request id"));
	}
	assert_int_equal(invocation_read(NULL, 0, &inv, &err), FF_EDATA);
	memset(longest, 'a', sizeof(longest));
	longest[INVOCATION_ID_MAX + 1] = '\0';
	assert_int_equal(invocation_read(&(struct pair){ STR("Lambda-Runtime-Aws-Request-Id"), str_from(longest) }, 1, &inv, &err),
	                 FF_EDATA);
	longest[INVOCATION_ID_MAX] = '\0';
	assert_int_equal(invocation_read(&(struct pair){ STR("Lambda-Runtime-Aws-Request-Id"), str_from(longest) }, 1, &inv, &err),
	                 0);
	assert_string_equal(inv.id, longest);
}

static void test_the_trace_is_a_variable_of_the_process(void **state)
{
	char *long_trace = calloc(1, INVOCATION_TRACE_MAX + 1);

	(void)state;
	unsetenv("_X_AMZN_TRACE_ID");
	trace_set(TRACE);
	assert_null(getenv("_X_AMZN_TRACE_ID"));
	trace_open();
	assert_string_equal(getenv("_X_AMZN_TRACE_ID"), "");
	trace_set(TRACE);
	assert_string_equal(getenv("_X_AMZN_TRACE_ID"), TRACE);
	memset(long_trace, 'x', INVOCATION_TRACE_MAX);
	trace_set(long_trace);
	assert_string_equal(getenv("_X_AMZN_TRACE_ID"), long_trace);
	trace_set("");
	assert_string_equal(getenv("_X_AMZN_TRACE_ID"), "");
	free(long_trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_headers_of_an_event),
		cmocka_unit_test(test_what_may_be_missing_or_odd),
		cmocka_unit_test(test_ids_that_cannot_be_answered),
		cmocka_unit_test(test_the_trace_is_a_variable_of_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
