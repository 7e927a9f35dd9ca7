/* test_base_url.c: a base_url taken apart, and what is refused because two parsers could read it differently. */
#include "turn_kit.h"

#include "connector/base_url.h"

static void expect_parts(const char *text, const char *scheme, const char *userinfo, const char *host, const char *port,
                         const char *path, const char *query)
{
	struct base_url u;
	const char *wrong = base_url_parse(str_from(text), &u);

	if (wrong)
		fail_msg("'%s' must parse, but: %s", text, wrong);
	kit_expect_str(u.scheme, scheme);
	kit_expect_str(u.userinfo, userinfo ? userinfo : "");
	assert_int_equal(u.has_userinfo, userinfo != NULL);
	kit_expect_str(u.host, host);
	kit_expect_str(u.port, port);
	kit_expect_str(u.path, path);
	kit_expect_str(u.query, query);
}

static void parts(void **state)
{
	(void)state;
	expect_parts("http://h", "http", NULL, "h", "", "", "");
	expect_parts("HTTPS://Api.Example:8443/v1/", "HTTPS", NULL, "Api.Example", "8443", "/v1", "");
	expect_parts("http://u:p@h:1/a//", "http", "u:p", "h", "1", "/a", "");
	expect_parts("http://u:p@x@h/", "http", "u:p@x", "h", "", "", "");
	expect_parts("http://@h/", "http", "", "h", "", "", "");
	expect_parts("http://h/a/b?x=1&y=/2#frag", "http", NULL, "h", "", "/a/b", "x=1&y=/2");
	expect_parts("http://h?x=1", "http", NULL, "h", "", "", "x=1");
	expect_parts("http://h#f?g", "http", NULL, "h", "", "", "");
	expect_parts("http://[::1]:11434/p", "http", NULL, "[::1]", "11434", "/p", "");
	expect_parts("http://[fe80::1]", "http", NULL, "[fe80::1]", "", "", "");
	expect_parts("localhost:11434", "", NULL, "localhost", "11434", "", "");
	expect_parts("myhost/x", "", NULL, "myhost", "", "/x", "");
	expect_parts(":9999", "", NULL, "", "9999", "", "");
	expect_parts("h/x://y", "", NULL, "h", "", "/x://y", "");
	expect_parts("http://b\xC3\xBC"
	             "cher.example/",
	             "http", NULL,
	             "b\xC3\xBC"
	             "cher.example",
	             "", "", "");
}

static void refused(void **state)
{
	static const char *const bad[] = { "",
		                           "http://",
		                           "http:///p",
		                           "ftp://h",
		                           "file:///etc/passwd",
		                           "http://h:0",
		                           "http://h:65536",
		                           "http://h:x",
		                           "http://h:1:2x",
		                           "http://a b/",
		                           "http://h/a b",
		                           "http://h\n",
		                           "http://h\\@evil",
		                           "http://h/\x7f",
		                           "http://[::1",
		                           "http://[:]x:1",
		                           "http://h\"",
		                           "http://a,b",
		                           "javascript:alert(1)",
		                           "//h/p",
		                           "http://h<",
		                           "http://[::1 ]/" };
	struct base_url u;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!base_url_parse(str_from(bad[i]), &u))
			fail_msg("'%s' must be refused", bad[i]);
	assert_non_null(base_url_parse(str_of("http://h\0x", 10), &u));
}

static void suffixes(void **state)
{
	struct base_url u;

	(void)state;
	assert_null(base_url_parse(STR("http://h/a/v1beta/"), &u));
	base_url_drop_suffix(&u, STR("/v1beta"));
	kit_expect_str(u.path, "/a");
	base_url_drop_suffix(&u, STR("/v1beta"));
	kit_expect_str(u.path, "/a");
	assert_null(base_url_parse(STR("http://h/xv1beta"), &u));
	base_url_drop_suffix(&u, STR("/v1beta"));
	kit_expect_str(u.path, "/xv1beta");
	base_url_drop_suffix(&u, STR(""));
	kit_expect_str(u.path, "/xv1beta");
}

static void basic_auth(void **state)
{
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_string_equal(base_url_basic_auth(&a, STR("u:p")), "Basic dTpw");
	assert_string_equal(base_url_basic_auth(&a, STR("u")), "Basic dTo=");
	assert_string_equal(base_url_basic_auth(&a, STR("u%40:p%3a")), "Basic dUA6cDo=");
	assert_string_equal(base_url_basic_auth(&a, STR("Aladdin:open sesame")), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
	assert_string_equal(base_url_basic_auth(&a, STR("a:b:c%zz%4")), "Basic YTpiOmMlenolNA==");
	arena_release(&a);
}

static void encoding(void **state)
{
	char out[64];
	size_t len = percent_encode(out, str_of("a b/\xC3\xA9?\0~", 9), "/");

	(void)state;
	kit_expect_str(str_of(out, len), "a%20b/%C3%A9%3F%00~");
	assert_int_equal(percent_encode(NULL, str_of("a b/\xC3\xA9?\0~", 9), "/"), len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts),      cmocka_unit_test(refused),  cmocka_unit_test(suffixes),
		cmocka_unit_test(basic_auth), cmocka_unit_test(encoding),
	};

	return cmocka_run_group_tests_name("base_url", tests, NULL, NULL);
}
