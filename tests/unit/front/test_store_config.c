/* test_store_config.c: where results go, from the environment: places, names of objects, and every sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/alloc.h"
#include "front/lambda/store_config.h"

#define ROWS 12u

struct env {
	const char *rows[ROWS][2];
};

static const char *look_up(void *user, const char *name)
{
	const struct env *e = user;

	for (size_t i = 0; i < ROWS && e->rows[i][0]; i++)
		if (strcmp(e->rows[i][0], name) == 0)
			return e->rows[i][1];
	return NULL;
}

#define KEY                                              \
	{ "AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE" }, \
	{                                                \
		"AWS_SECRET_ACCESS_KEY", "secret"        \
	}

static void assert_str(struct str got, const char *expected)
{
	if (!str_eq(got, str_from(expected)))
		fail_msg("expected \"%s\", got \"%.*s\"", expected, STR_ARG(got));
}

static void test_places(void **state)
{
	static const struct {
		struct env env;
		const char *base_url, *host, *root, *prefix;
	} rows[] = {
		{ { { KEY, { "FAIRFORGE_RESULT_URI", "s3://my-bucket/runs/today" }, { "AWS_REGION", "eu-west-1" } } },
		  "https://my-bucket.s3.eu-west-1.amazonaws.com",
		  "my-bucket.s3.eu-west-1.amazonaws.com",
		  "/",
		  "runs/today/" },
		{ { { KEY, { "FAIRFORGE_RESULT_URI", "s3://my-bucket" }, { "AWS_DEFAULT_REGION", "eu-west-1" } } },
		  "https://my-bucket.s3.eu-west-1.amazonaws.com",
		  "my-bucket.s3.eu-west-1.amazonaws.com",
		  "/",
		  "" },
		{ { { KEY,
		      { "FAIRFORGE_RESULT_URI", " s3://my-bucket/ " },
		      { "AWS_REGION", "us-east-1" },
		      { "AWS_DEFAULT_REGION", "x" } } },
		  "https://my-bucket.s3.us-east-1.amazonaws.com",
		  "my-bucket.s3.us-east-1.amazonaws.com",
		  "/",
		  "" },
		{ { { KEY, { "FAIRFORGE_RESULT_URI", "s3://runs.example/p/" }, { "AWS_REGION", "eu-west-1" } } },
		  "https://s3.eu-west-1.amazonaws.com",
		  "s3.eu-west-1.amazonaws.com",
		  "/runs.example/",
		  "p/" },
		{ { { KEY, { "FAIRFORGE_RESULT_URI", "s3://abc/p=1,x y" }, { "AWS_REGION", "cn-north-1" } } },
		  "https://abc.s3.cn-north-1.amazonaws.com.cn",
		  "abc.s3.cn-north-1.amazonaws.com.cn",
		  "/",
		  "p=1,x y/" },
		{ { { KEY,
		      { "FAIRFORGE_RESULT_URI", "s3://abc" },
		      { "AWS_REGION", "r" },
		      { "AWS_ENDPOINT_URL", "http://127.0.0.1:5000/" } } },
		  "http://127.0.0.1:5000",
		  "127.0.0.1:5000",
		  "/abc/",
		  "" },
		{ { { KEY,
		      { "FAIRFORGE_RESULT_URI", "s3://abc" },
		      { "AWS_REGION", "r" },
		      { "AWS_ENDPOINT_URL_S3", "https://S3.Example:443" },
		      { "AWS_ENDPOINT_URL", "http://127.0.0.1" } } },
		  "https://s3.example",
		  "s3.example",
		  "/abc/",
		  "" },
		{ { { KEY,
		      { "FAIRFORGE_RESULT_URI", "s3://abc" },
		      { "AWS_REGION", "r" },
		      { "AWS_ENDPOINT_URL", "http://[::1]:80" } } },
		  "http://[::1]",
		  "[::1]",
		  "/abc/",
		  "" },
		{ { { KEY,
		      { "FAIRFORGE_RESULT_URI", "s3://abc" },
		      { "AWS_REGION", "r" },
		      { "AWS_ENDPOINT_URL", "http://store.example:9000" },
		      { "FAIRFORGE_ALLOW_HTTP", "1" } } },
		  "http://store.example:9000",
		  "store.example:9000",
		  "/abc/",
		  "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct arena arena = ARENA_INIT;
		struct error err = { 0 };
		struct store_config c;
		bool found;

		if (store_config_read(look_up, (void *)(uintptr_t)&rows[i].env, &arena, &c, &found, &err))
			fail_msg("row %zu: %s", i, err.text);
		assert_true(found);
		assert_str(c.base_url, rows[i].base_url);
		assert_str(c.host, rows[i].host);
		assert_str(c.root, rows[i].root);
		assert_str(c.prefix, rows[i].prefix);
		assert_int_equal(c.session_token.len, 0);
		arena_release(&arena);
	}
}

static void test_sentences(void **state)
{
#define REGION                            \
	{                                 \
		"AWS_REGION", "eu-west-1" \
	}
#define URI(text)                                            \
	{                                                    \
		{                                            \
			KEY, REGION,                         \
			{                                    \
				"FAIRFORGE_RESULT_URI", text \
			}                                    \
		}                                            \
	}
	static char long_prefix[800] = "s3://abc/";
	static const struct {
		struct env env;
		const char *where, *words;
	} rows[] = {
		{ URI("https://abc/x"), "FAIRFORGE_RESULT_URI", "does not begin with s3://" },
		{ URI("s3:/abc"), "FAIRFORGE_RESULT_URI", "does not begin with s3://" },
		{ URI("s3://"), "FAIRFORGE_RESULT_URI", "3 to 63" },
		{ URI("s3://ab"), "FAIRFORGE_RESULT_URI", "3 to 63" },
		{ URI("s3://Abc"), "FAIRFORGE_RESULT_URI", "lower-case" },
		{ URI("s3://a..b"), "FAIRFORGE_RESULT_URI", "3 to 63" },
		{ URI("s3://-abc"), "FAIRFORGE_RESULT_URI", "3 to 63" },
		{ URI("s3://abc."), "FAIRFORGE_RESULT_URI", "3 to 63" },
		{ URI("s3://user@abc/x"), "FAIRFORGE_RESULT_URI", "3 to 63" },
		{ URI("s3://abc/a//b"), "FAIRFORGE_RESULT_URI", "empty part" },
		{ URI("s3://abc//"), "FAIRFORGE_RESULT_URI", "empty part" },
		{ URI("s3://abc/../b"), "FAIRFORGE_RESULT_URI", "part that is . or .." },
		{ URI("s3://abc/a/."), "FAIRFORGE_RESULT_URI", "part that is . or .." },
		{ URI("s3://abc/a\nb"), "FAIRFORGE_RESULT_URI", "control character" },
		{ URI("s3://abc/\xff"), "FAIRFORGE_RESULT_URI", "not UTF-8" },
		{ URI(long_prefix), "FAIRFORGE_RESULT_URI", "too long" },
		{ { { KEY, { "FAIRFORGE_RESULT_URI", "s3://abc" } } }, "AWS_REGION", "AWS_REGION is not" },
		{ { { KEY, { "AWS_REGION", "evil.example/" }, { "FAIRFORGE_RESULT_URI", "s3://abc" } } },
		  "AWS_REGION",
		  "not the name of a region" },
		{ { { { "AWS_SECRET_ACCESS_KEY", "s" }, REGION, { "FAIRFORGE_RESULT_URI", "s3://abc" } } },
		  "AWS_ACCESS_KEY_ID",
		  "is not" },
		{ { { { "AWS_ACCESS_KEY_ID", "A" }, REGION, { "FAIRFORGE_RESULT_URI", "s3://abc" } } },
		  "AWS_SECRET_ACCESS_KEY",
		  "is not" },
		{ { { KEY, REGION, { "AWS_SESSION_TOKEN", "a\nb" }, { "FAIRFORGE_RESULT_URI", "s3://abc" } } },
		  "AWS_SESSION_TOKEN",
		  "a character" },
#define ENDPOINT(text) { { KEY, REGION, { "FAIRFORGE_RESULT_URI", "s3://abc" }, { "AWS_ENDPOINT_URL", text } } }
		{ ENDPOINT("s3.example"), "AWS_ENDPOINT_URL_S3", "https://host:port" },
		{ ENDPOINT("ftp://s3.example"), "AWS_ENDPOINT_URL_S3", "https://host:port" },
		{ ENDPOINT("https://s3.example/path"), "AWS_ENDPOINT_URL_S3", "without a path" },
		{ ENDPOINT("https://s3.example?x"), "AWS_ENDPOINT_URL_S3", "without a path" },
		{ ENDPOINT("https://user:pass@s3.example"), "AWS_ENDPOINT_URL_S3", "https://host:port" },
		{ ENDPOINT("http://s3.example"), "AWS_ENDPOINT_URL_S3", "FAIRFORGE_ALLOW_HTTP=1" },
	};

	(void)state;
	memset(long_prefix + 9, 'p', sizeof(long_prefix) - 10);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct arena arena = ARENA_INIT;
		struct error err = { 0 };
		struct store_config c;
		bool found;
		int r = store_config_read(look_up, (void *)(uintptr_t)&rows[i].env, &arena, &c, &found, &err);

		if (r != FF_EUSAGE || found || strcmp(err.where, rows[i].where) != 0 || !strstr(err.text, rows[i].words))
			fail_msg("row %zu: expected %s and \"%s\", got %d, %s and \"%s\"", i, rows[i].where, rows[i].words, r,
			         err.where, err.text);
		assert_null(strstr(err.text, "pass@"));
		arena_release(&arena);
	}
}

static void test_none(void **state)
{
	static const struct env unset = { { { "AWS_REGION", "r" } } }, empty = { { { "FAIRFORGE_RESULT_URI", " " } } };
	struct store *s = (struct store *)(uintptr_t)1;
	struct error err = { 0 };

	(void)state;
	assert_int_equal(store_new(look_up, (void *)(uintptr_t)&unset, NULL, &s, &err), 0);
	assert_null(s);
	assert_int_equal(store_new(look_up, (void *)(uintptr_t)&empty, NULL, &s, &err), 0);
	assert_null(s);
	store_free(NULL);
}

static const struct env good = {
	{ KEY, { "FAIRFORGE_RESULT_URI", "s3://abc/p" }, { "AWS_REGION", "r" }, { "AWS_SESSION_TOKEN", "t" } }
};

static void test_uri(void **state)
{
	static const struct {
		const char *id, *uri;
	} rows[] = {
		{ "8476a536-e9f4-11e8-9739-2dfe598c3fcd", "s3://abc/p/8476a536-e9f4-11e8-9739-2dfe598c3fcd.json" },
		{ "../../x", "s3://abc/p/....x.json" },
		{ "", "s3://abc/p/unnamed.json" },
		{ "a b\n?#%\xc3\xa9", "s3://abc/p/ab.json" },
	};
	char long_id[1000];
	struct error err = { 0 };
	struct store *s;
	struct buf out;

	(void)state;
	assert_int_equal(store_new(look_up, (void *)(uintptr_t)&good, NULL, &s, &err), 0);
	buf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		buf_clear(&out);
		assert_int_equal(store_uri(s, str_from(rows[i].id), &out), 0);
		assert_str(buf_str(&out), rows[i].uri);
	}
	memset(long_id, 'x', sizeof(long_id));
	buf_clear(&out);
	assert_int_equal(store_uri(s, str_of(long_id, sizeof(long_id)), &out), 0);
	assert_int_equal(out.len, strlen("s3://abc/p/") + 200 + strlen(".json"));
	buf_release(&out);
	store_free(s);
}

static void test_out_of_memory(void **state)
{
	uint64_t hits = 1;

	(void)state;
	for (uint64_t n = 1; hits; n++) {
		struct error err = { 0 };
		struct store *s = NULL;
		int r;

		mem_fault_arm(n, false);
		r = store_new(look_up, (void *)(uintptr_t)&good, NULL, &s, &err);
		hits = mem_fault_hits();
		mem_fault_arm(0, false);
		assert_int_equal(r, hits ? FF_ENOMEM : 0);
		store_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places), cmocka_unit_test(test_sentences),     cmocka_unit_test(test_none),
		cmocka_unit_test(test_uri),    cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
