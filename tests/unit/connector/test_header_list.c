/* test_header_list.c: replacement, legality and what the scrubber must know. */
#include "turn_kit.h"

#include "connector/header_list.h"

static bool has_secret(const struct header_list *l, const char *text)
{
	for (size_t i = 0; i < l->secret_count; i++)
		if (str_eq(l->secrets[i], str_from(text)))
			return true;
	return false;
}

static void the_last_one_of_a_name_counts(void **state)
{
	struct header_list l;
	struct arena a;
	char name[16];

	(void)state;
	arena_init(&a);
	header_list_init(&l, &a);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "x-%d", i % 20);
		header_list_set(&l, str_from(name), i < 20 ? STR("old") : STR("new"));
	}
	header_list_set(&l, STR("X-5"), STR("upper"));
	assert_int_equal(l.count, 20);
	kit_expect_str(l.items[5].name, "X-5");
	kit_expect_str(l.items[5].value, "upper");
	kit_expect_str(l.items[19].value, "new");
	assert_false(l.nomem);
	arena_release(&a);
}

static void illegal_headers(void **state)
{
	static const char *const names[] = {
		"",   "a b",     "a:b",    "a\n",  "\xC3\xA9", "Content-Length", "transfer-encoding", "CONNECTION",
		"te", "Upgrade", "expect", "a\"b", "(a)"
	};
	static const char *const values[] = { "a\nb", "a\rb", "\x01", "a\x7f" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!header_problem(str_from(names[i]), STR("v"), false))
			fail_msg("the header name '%s' must be refused", names[i]);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		assert_non_null(header_problem(STR("x"), str_from(values[i]), false));
	assert_non_null(header_problem(STR("x"), str_of("a\0b", 3), false));
	assert_null(header_problem(STR("x"), STR("a\tb \xC3\xA9"), false));
	assert_null(header_problem(STR("!#$%&'*+-.^_`|~09azAZ"), STR(""), false));
	assert_null(header_problem(STR("Host"), STR("h"), false));
	assert_non_null(header_problem(STR("hOST"), STR("h"), true));
}

static void keys(void **state)
{
	(void)state;
	assert_null(key_problem(STR("")));
	assert_null(key_problem(STR("sk-abc DEF~\xC3\xA9")));
	assert_non_null(key_problem(STR("a\n")));
	assert_non_null(key_problem(STR("a\r")));
	assert_non_null(key_problem(STR("a\tb")));
	assert_non_null(key_problem(STR(" a")));
	assert_non_null(key_problem(STR("a ")));
	assert_non_null(key_problem(str_of("a\0", 2)));
}

static void given_headers(void **state)
{
	static const char text[] = "{\"X-A\":\"1\",\"Authorization\":\"Bearer "
	                           "tok-12345\",\"X-Null\":null,\"x-api-key\":\"k-999\",\"Bad\\n\":\"v\",\"n\":5}";
	struct header_list l;
	struct problems problems;
	struct arena a;
	struct json v;

	(void)state;
	arena_init(&a);
	problems_init(&problems);
	assert_int_equal(json_parse(&a, str_from(text), NULL, &v, NULL, NULL), 0);
	header_list_init(&l, &a);
	assert_int_equal(header_list_set_given(&l, &v, "/p/headers", false, &problems), 2);
	assert_int_equal(problems.errors, 2);
	assert_string_equal(problems.last->pointer, "/p/headers/n");
	assert_int_equal(l.count, 3);
	assert_true(has_secret(&l, "Bearer tok-12345"));
	assert_true(has_secret(&l, "tok-12345"));
	assert_true(has_secret(&l, "k-999"));
	assert_false(has_secret(&l, "1"));
	problems_release(&problems);
	arena_release(&a);
}

static void userinfo_of_urls(void **state)
{
	struct header_list l;
	struct arena a;

	(void)state;
	arena_init(&a);
	header_list_init(&l, &a);
	header_list_url_secrets(&l, STR("http://proxy:3128/a@b"));
	header_list_url_secrets(&l, STR(""));
	assert_int_equal(l.secret_count, 0);
	header_list_url_secrets(&l, STR("socks5://me:p%2Fw@x@proxy:1"));
	assert_true(has_secret(&l, "me:p%2Fw@x"));
	assert_true(has_secret(&l, "p%2Fw@x"));
	assert_true(has_secret(&l, "p/w@x"));
	assert_int_equal(l.count, 0);
	header_list_set_userinfo(&l, STR("u:p"));
	kit_expect_str(l.items[0].value, "Basic dTpw");
	assert_true(has_secret(&l, "dTpw"));
	header_list_set_userinfo(&l, STR(""));
	assert_int_equal(l.count, 1);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_one_of_a_name_counts),
		cmocka_unit_test(illegal_headers),
		cmocka_unit_test(keys),
		cmocka_unit_test(given_headers),
		cmocka_unit_test(userinfo_of_urls),
	};

	return cmocka_run_group_tests_name("header_list", tests, NULL, NULL);
}
