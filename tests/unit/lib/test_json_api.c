/* test_json_api.c: the public JSON reader, quoting and escaping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "fairforge/fairforge.h"

static struct ff_json_doc *parse(const char *text)
{
	struct ff_json_doc *doc = NULL;
	struct ff_error err = { 0 };

	if (ff_json_parse(text, strlen(text), 0, 0, &doc, &err))
		fail_msg("%s should be JSON: %s", text, err.text);
	return doc;
}

static void test_values_come_back_as_they_stand(void **state)
{
	struct ff_json_doc *doc = parse("{\"b\": [0.10, 18446744073709551616, true, null], \"a\": \"x\\u0000y\"}");
	const struct ff_json *root = ff_json_root(doc), *list = ff_json_get(root, "b"), *text = ff_json_get(root, "a");
	size_t len;

	(void)state;
	assert_int_equal(ff_json_type(root), FF_JSON_OBJECT);
	assert_int_equal(ff_json_count(root), 2);
	assert_memory_equal(ff_json_key(root, 0, &len), "b", 1);
	assert_int_equal(len, 1);
	assert_int_equal(ff_json_count(list), 4);
	assert_memory_equal(ff_json_text(ff_json_item(list, 0), &len), "0.10", 4);
	assert_memory_equal(ff_json_text(ff_json_item(list, 1), &len), "18446744073709551616", 20);
	assert_true(ff_json_double(ff_json_item(list, 0)) == 0.10);
	assert_int_equal(ff_json_type(ff_json_item(list, 2)), FF_JSON_TRUE);
	assert_int_equal(ff_json_type(ff_json_item(list, 3)), FF_JSON_NULL);
	assert_memory_equal(ff_json_text(text, &len), "x\0y", 3);
	assert_int_equal(len, 3);
	assert_ptr_equal(ff_json_item(root, 1), text);
	ff_json_free(doc);
}

static void test_what_is_not_there_is_null(void **state)
{
	struct ff_json_doc *doc = parse("[1]");
	const struct ff_json *root = ff_json_root(doc);
	size_t len = 7;

	(void)state;
	assert_null(ff_json_get(root, "a"));
	assert_null(ff_json_get(NULL, "a"));
	assert_null(ff_json_item(root, 1));
	assert_null(ff_json_key(root, 0, &len));
	assert_null(ff_json_text(root, &len));
	assert_int_equal(ff_json_count(ff_json_item(root, 0)), 0);
	assert_true(ff_json_double(root) == 0);
	assert_int_equal(len, 7);
	ff_json_free(doc);
	ff_json_free(NULL);
}

static void test_problems_are_told_with_line_and_column(void **state)
{
	struct ff_json_doc *doc = NULL;
	struct ff_error err = { 0 };

	(void)state;
	assert_int_equal(ff_json_parse("{\"a\":\n tru}", 11, 0, 0, &doc, &err), FF_R_DATA);
	assert_null(doc);
	assert_non_null(strstr(err.text, "line 2"));
	assert_int_equal(ff_json_parse("[[[1]]]", 7, 0, 2, &doc, &err), FF_R_TOOBIG);
	assert_int_equal(ff_json_parse("[1, 2]", 6, 4, 0, &doc, &err), FF_R_TOOBIG);
	assert_int_equal(ff_json_parse(NULL, 1, 0, 0, &doc, &err), FF_R_INVAL);
	assert_int_equal(ff_json_parse("", 0, 0, 0, &doc, NULL), FF_R_DATA);
	assert_null(doc);
}

static void expect(char *got, const char *wanted)
{
	assert_non_null(got);
	assert_string_equal(got, wanted);
	ff_free(got);
}

static void test_quote_and_escape(void **state)
{
	(void)state;
	expect(ff_json_quote("a\"\\\n\x01 \xc3\xa4", 8), "\"a\\\"\\\\\\n\\u0001 \xc3\xa4\"");
	expect(ff_json_quote("", 0), "\"\"");
	expect(ff_json_quote(NULL, 0), "\"\"");
	expect(ff_json_quote("\xff", 1), "\"\xef\xbf\xbd\"");
	expect(ff_escape("plain \xc3\xa4", 8), "plain \xc3\xa4");
	expect(ff_escape("", 0), "");
	expect(ff_escape("\033[2J", 4), "\\x1b[2J");
	expect(ff_escape("a\nb", 3), "a\\x0ab");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_come_back_as_they_stand),
		cmocka_unit_test(test_what_is_not_there_is_null),
		cmocka_unit_test(test_problems_are_told_with_line_and_column),
		cmocka_unit_test(test_quote_and_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
