/* test_lambda_config.c: what the operator says by environment: defaults, values, mistakes, names that mean nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "front/lambda/config.h"

/* An environment of one variable. */
static const char *one(void *user, const char *name)
{
	const char *const *pair = user;

	return pair && !strcmp(pair[0], name) ? pair[1] : NULL;
}

static int read_one(const char *name, const char *value, struct config *c, struct error *err)
{
	const char *pair[] = { name, value };

	return config_read(one, (void *)pair, c, err);
}

static void test_defaults(void **state)
{
	struct config c;

	(void)state;
	assert_int_equal(config_read(one, NULL, &c, NULL), 0);
	assert_string_equal(c.cors_origin, "*");
	assert_true(c.margin_ms == 0 && !c.discard_results && c.one_at_a_time && c.memory_bytes == 0);
	assert_int_equal(c.log_level, FF_LOG_INFO);
}

static void test_values(void **state)
{
	struct config c;

	(void)state;
	assert_int_equal(read_one("FAIRFORGE_CORS_ORIGIN", "https://a.example:8443", &c, NULL), 0);
	assert_string_equal(c.cors_origin, "https://a.example:8443");
	assert_int_equal(read_one("FAIRFORGE_CORS_ORIGIN", "http://[::1]:443", &c, NULL), 0);
	assert_string_equal(c.cors_origin, "http://[::1]:443");
	assert_int_equal(read_one("FAIRFORGE_CORS_ORIGIN", "none", &c, NULL), 0);
	assert_null(c.cors_origin);
	assert_int_equal(read_one("FAIRFORGE_CORS_ORIGIN", "", &c, NULL), 0);
	assert_string_equal(c.cors_origin, "*");
	assert_int_equal(read_one("FAIRFORGE_DEADLINE_MARGIN_MS", "2500", &c, NULL), 0);
	assert_true(c.margin_ms == 2500);
	assert_int_equal(read_one("FAIRFORGE_DISCARD_RESULTS", "True", &c, NULL), 0);
	assert_true(c.discard_results);
	assert_int_equal(read_one("FAIRFORGE_DISCARD_RESULTS", "0", &c, NULL), 0);
	assert_false(c.discard_results);
	assert_int_equal(read_one("FAIRFORGE_LOG_LEVEL", "DEBUG", &c, NULL), 0);
	assert_int_equal(c.log_level, FF_LOG_DEBUG);
	assert_int_equal(read_one("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512", &c, NULL), 0);
	assert_true(c.memory_bytes == (size_t)512 << 20);
	assert_int_equal(read_one("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "much", &c, NULL), 0);
	assert_true(c.memory_bytes == 0);
	assert_int_equal(read_one("AWS_LAMBDA_MAX_CONCURRENCY", "8", &c, NULL), 0);
	assert_false(c.one_at_a_time);
}

static void test_mistakes(void **state)
{
	static const char *const rows[][2] = {
		{ "FAIRFORGE_CORS_ORIGIN", "a.example" },   { "FAIRFORGE_CORS_ORIGIN", "https://a/b" },
		{ "FAIRFORGE_CORS_ORIGIN", "https://" },    { "FAIRFORGE_CORS_ORIGIN", "https://a\r\nX: y" },
		{ "FAIRFORGE_CORS_ORIGIN", "https://a,b" }, { "FAIRFORGE_CORS_ORIGIN", "ftp://a" },
		{ "FAIRFORGE_CORS_ORIGIN", "https://A.b" }, { "FAIRFORGE_CORS_ORIGIN", "https://a:443" },
		{ "FAIRFORGE_CORS_ORIGIN", "HTTPS://a" },   { "FAIRFORGE_CORS_ORIGIN", "http://a:80" },
		{ "FAIRFORGE_DEADLINE_MARGIN_MS", "0" },    { "FAIRFORGE_DEADLINE_MARGIN_MS", "49" },
		{ "FAIRFORGE_DEADLINE_MARGIN_MS", "1s" },   { "FAIRFORGE_DEADLINE_MARGIN_MS", "840001" },
		{ "FAIRFORGE_DISCARD_RESULTS", "perhaps" }, { "FAIRFORGE_LOG_LEVEL", "loud" },
	};
	struct config c;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		error_clear(&err);
		if (read_one(rows[i][0], rows[i][1], &c, &err) != FF_EUSAGE)
			fail_msg("%s=%s should be refused", rows[i][0], rows[i][1]);
		assert_string_equal(err.where, rows[i][0]);
		assert_ptr_equal(strstr(err.text, rows[i][0]), err.text);
		assert_true(err.text[strlen(err.text) - 1] == '.');
	}
}

/* ---- names that mean nothing ---- */

struct told {
	char text[400];
};

static void tell(void *user, const char *name, const char *meant)
{
	struct told *t = user;
	size_t len = strlen(t->text);

	snprintf(t->text + len, sizeof(t->text) - len, "%s>%s ", name, meant ? meant : "-");
}

static void test_unknown_names(void **state)
{
	char known[] = "FAIRFORGE_IDLE_TIMEOUT_MS=5", own[] = "FAIRFORGE_RESULT_URI=s3://b/p", other[] = "HOME=/x",
	     bare[] = "FAIRFORGE_LOG_LEVEL";
	char typed[] = "FAIRFORGE_LOG_LEVL=info", odd[] = "FAIRFORGE_FAVOURITE_COLOUR_OF_ALL=blue", nothing[] = "";
	char *environment[] = { known, other, own, typed, bare, odd, nothing, NULL };
	struct told told = { "" };

	(void)state;
	config_unknown(environment, tell, &told);
	assert_string_equal(told.text, "FAIRFORGE_LOG_LEVL>FAIRFORGE_LOG_LEVEL FAIRFORGE_FAVOURITE_COLOUR_OF_ALL>- ");
}

int main(void)
{
	struct rlimit files = { 1024, 1024 };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_unknown_names),
	};

	if (setrlimit(RLIMIT_NOFILE, &files)) /* as many as a function has */
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
