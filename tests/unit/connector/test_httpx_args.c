/* test_httpx_args.c: what the keyword arguments of Python's HTTP client become. */
#include "turn_kit.h"

#include "connector/httpx_args.h"

struct read {
	struct arena arena;
	struct problems problems;
	struct json object;
	struct httpx_args args;
	int result;
};

static void read_args(struct read *r, const char *text, bool stranger, bool strict)
{
	*r = (struct read){ 0 };
	arena_init(&r->arena);
	problems_init(&r->problems);
	assert_int_equal(json_parse(&r->arena, str_from(text), NULL, &r->object, NULL, NULL), 0);
	r->result = httpx_args_read(&r->arena, &r->object, "/p/client_kwargs", stranger, strict, &r->problems, &r->args);
}

static void drop(struct read *r)
{
	problems_release(&r->problems);
	arena_release(&r->arena);
}

static void expect_error(const char *text, bool stranger, const char *pointer)
{
	struct read r;

	read_args(&r, text, stranger, true);
	if (r.result != FF_EUSAGE || !r.problems.first || strcmp(r.problems.first->pointer, pointer) != 0)
		fail_msg("%s must be refused at %s, not at %s", text, pointer,
		         r.problems.first ? r.problems.first->pointer : "all");
	drop(&r);
}

static void nothing_given(void **state)
{
	struct problems problems;
	struct httpx_args args;
	struct arena a;

	(void)state;
	arena_init(&a);
	problems_init(&problems);
	assert_int_equal(httpx_args_read(&a, NULL, "/p", true, true, &problems, &args), 0);
	assert_false(args.timeout_given);
	assert_false(args.insecure);
	assert_int_equal(args.headers.type, JSON_NULL);
	assert_int_equal(problems.errors + problems.warnings, 0);
	problems_release(&problems);
	arena_release(&a);
}

static void what_counts(void **state)
{
	struct read r;

	(void)state;
	read_args(&r,
	          "{\"headers\":{\"a\":\"b\"},\"timeout\":\"2.5\",\"verify\":false,\"proxy\":\"http://"
	          "p:3128\",\"cookies\":{\"a\":\"1\",\"b\":\"2\"},"
	          "\"params\":{\"q\":\"a "
	          "b&c\",\"l\":[1,true,null,1.5],\"e\":null},\"follow_redirects\":false,\"http1\":true,\"default_encoding\":\"x\"}",
	          false, true);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.args.headers.count, 1);
	assert_true(r.args.timeout_given);
	assert_true(r.args.timeout_s > 2.49 && r.args.timeout_s < 2.51);
	assert_true(r.args.insecure);
	kit_expect_str(r.args.proxy, "http://p:3128");
	kit_expect_str(r.args.cookies, "a=1; b=2");
	kit_expect_str(r.args.query, "q=a%20b%26c&l=1&l=true&l=&l=1.5&e=");
	assert_int_equal(r.problems.warnings, 0);
	drop(&r);
	read_args(&r, "{\"verify\":\"/etc/ca.pem\",\"params\":\"a=1&b=%20c d\",\"timeout\":0}", false, true);
	kit_expect_str(r.args.cafile, "/etc/ca.pem");
	assert_false(r.args.insecure);
	kit_expect_str(r.args.query, "a=1&b=%20c%20d");
	assert_true(r.args.timeout_given);
	assert_true(r.args.timeout_s < 0.0001);
	drop(&r);
	read_args(&r, "{\"verify\":1,\"timeout\":null,\"headers\":null,\"cert\":null,\"mounts\":null}", false, true);
	assert_int_equal(r.result, 0);
	assert_false(r.args.insecure);
	assert_false(r.args.timeout_given);
	drop(&r);
}

static void what_has_no_effect_is_said(void **state)
{
	struct read r;

	(void)state;
	read_args(&r, "{\"follow_redirects\":true,\"trust_env\":false,\"http2\":true,\"http1\":false,\"max_redirects\":3}", false,
	          true);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.problems.warnings, 4);
	drop(&r);
	read_args(&r, "{\"bogus\":1}", false, false);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.problems.warnings, 1);
	assert_non_null(strstr(r.problems.first->text, "bogus"));
	drop(&r);
}

static void what_is_refused(void **state)
{
	(void)state;
	expect_error("{\"bogus\":1}", false, "/p/client_kwargs/bogus");
	expect_error("{\"auth\":[\"u\",\"p\"]}", false, "/p/client_kwargs/auth");
	expect_error("{\"cert\":\"/x\"}", false, "/p/client_kwargs/cert");
	expect_error("{\"limits\":5}", false, "/p/client_kwargs/limits");
	expect_error("{\"transport\":{}}", false, "/p/client_kwargs/transport");
	expect_error("{\"base_url\":\"x\"}", false, "/p/client_kwargs/base_url");
	expect_error("{\"timeout\":[5]}", false, "/p/client_kwargs/timeout");
	expect_error("{\"timeout\":-1}", false, "/p/client_kwargs/timeout");
	expect_error("{\"headers\":[]}", false, "/p/client_kwargs/headers");
	expect_error("{\"verify\":\"\"}", false, "/p/client_kwargs/verify");
	expect_error("{\"verify\":[]}", false, "/p/client_kwargs/verify");
	expect_error("{\"proxy\":\"p:3128\"}", false, "/p/client_kwargs/proxy");
	expect_error("{\"proxy\":\"http://a b\"}", false, "/p/client_kwargs/proxy");
	expect_error("{\"params\":5}", false, "/p/client_kwargs/params");
	expect_error("{\"params\":{\"a\":{}}}", false, "/p/client_kwargs/params");
	expect_error("{\"params\":{\"a\":[[]]}}", false, "/p/client_kwargs/params");
	expect_error("{\"cookies\":{\"a\":\"b;c\"}}", false, "/p/client_kwargs/cookies");
}

static void strangers_name_no_file_proxy_or_tls_setting(void **state)
{
	(void)state;
	expect_error("{\"verify\":false}", true, "/p/client_kwargs/verify");
	expect_error("{\"verify\":\"/etc/passwd\"}", true, "/p/client_kwargs/verify");
	expect_error("{\"proxy\":\"http://p:1\"}", true, "/p/client_kwargs/proxy");
	expect_error("{\"cert\":\"/x\"}", true, "/p/client_kwargs/cert");
	expect_error("{\"trust_env\":false}", true, "/p/client_kwargs/trust_env");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_given),
		cmocka_unit_test(what_counts),
		cmocka_unit_test(what_has_no_effect_is_said),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(strangers_name_no_file_proxy_or_tls_setting),
	};

	return cmocka_run_group_tests_name("httpx_args", tests, NULL, NULL);
}
