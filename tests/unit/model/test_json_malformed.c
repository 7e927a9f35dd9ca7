/*
 * test_json_malformed.c: every malformed form of JSON: what is said, at which line and column, and the pointer of the value it is in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/json.h"

struct form {
	struct str text;
	size_t line, column;
	const char *pointer;
	const char *what;
};

#define FORM(text, line, column, pointer, what)                           \
	{                                                                 \
		{ (text), sizeof(text) - 1 }, line, column, pointer, what \
	}

static const struct form forms[] = {
	/* nothing */
	FORM("", 1, 1, "", "the text is empty"),
	FORM(" \r\n\t ", 2, 3, "", "the text is empty"),
	FORM("\xEF\xBB\xBF", 1, 1, "", "the text is empty"),
	/* no value */
	FORM("x", 1, 1, "", "expected a value"),
	FORM("\xEF\xBB\xBFx", 1, 1, "", "expected a value"),
	FORM("[\xEF\xBB\xBF]", 1, 2, "/0", "expected a value"),
	FORM("\xC2\xA0", 1, 1, "", "expected a value"),
	FORM("\0", 1, 1, "", "expected a value"),
	FORM("}", 1, 1, "", "expected a value"),
	FORM("]", 1, 1, "", "expected a value"),
	FORM(",", 1, 1, "", "expected a value"),
	FORM(":", 1, 1, "", "expected a value"),
	FORM("\\", 1, 1, "", "expected a value"),
	FORM("\v1", 1, 1, "", "expected a value"),
	FORM("\f1", 1, 1, "", "expected a value"),
	FORM("'a'", 1, 1, "", "strings stand in double quotes, not in single quotes"),
	FORM("// c\n1", 1, 1, "", "comments are not JSON"),
	FORM("/* c */ 1", 1, 1, "", "comments are not JSON"),
	FORM("# c\n1", 1, 1, "", "comments are not JSON"),
	/* literals */
	FORM("t", 1, 2, "", "expected true"),
	FORM("tru", 1, 4, "", "expected true"),
	FORM("trUe", 1, 3, "", "expected true"),
	FORM("fals", 1, 5, "", "expected false"),
	FORM("falsy", 1, 5, "", "expected false"),
	FORM("n", 1, 2, "", "expected null"),
	FORM("nan", 1, 2, "", "expected null"),
	FORM("nul\n", 1, 4, "", "expected null"),
	FORM("True", 1, 1, "", "true, false and null are written in small letters"),
	FORM("FALSE", 1, 1, "", "true, false and null are written in small letters"),
	FORM("None", 1, 1, "", "NaN, Infinity and None are not JSON"),
	FORM("NaN", 1, 1, "", "NaN, Infinity and None are not JSON"),
	FORM("[1, Infinity]", 1, 5, "/1", "NaN, Infinity and None are not JSON"),
	FORM("-Infinity", 1, 2, "", "expected a digit after '-'"),
	/* numbers */
	FORM("-", 1, 2, "", "expected a digit after '-'"),
	FORM("--1", 1, 2, "", "expected a digit after '-'"),
	FORM("- 1", 1, 2, "", "expected a digit after '-'"),
	FORM("-a", 1, 2, "", "expected a digit after '-'"),
	FORM("-.5", 1, 2, "", "expected a digit after '-'"),
	FORM("+1", 1, 1, "", "a number must not begin with '+'"),
	FORM(".5", 1, 1, "", "a number must begin with a digit"),
	FORM("01", 1, 2, "", "a number must not begin with 0 and another digit"),
	FORM("-00", 1, 3, "", "a number must not begin with 0 and another digit"),
	FORM("1.", 1, 3, "", "expected a digit after the decimal point"),
	FORM("1.e5", 1, 3, "", "expected a digit after the decimal point"),
	FORM("[0., 1]", 1, 4, "/0", "expected a digit after the decimal point"),
	FORM("1e", 1, 3, "", "expected a digit in the exponent"),
	FORM("1E+", 1, 4, "", "expected a digit in the exponent"),
	FORM("1e-x", 1, 4, "", "expected a digit in the exponent"),
	FORM("1e.5", 1, 3, "", "expected a digit in the exponent"),
	FORM("0x10", 1, 2, "", "there is text after the end of the document"),
	FORM("1_000", 1, 2, "", "there is text after the end of the document"),
	FORM("1.5.2", 1, 4, "", "there is text after the end of the document"),
	/* strings */
	FORM("\"", 1, 2, "", "the text ends inside a string"),
	FORM("\"abc", 1, 5, "", "the text ends inside a string"),
	FORM("\"abc\\", 1, 6, "", "the text ends inside a string"),
	FORM("\"abc\\\"", 1, 7, "", "the text ends inside a string"),
	FORM("\"a\nb\"", 1, 3, "", "a control character in a string must be escaped"),
	FORM("\"\t\"", 1, 2, "", "a control character in a string must be escaped"),
	FORM("\"\0\"", 1, 2, "", "a control character in a string must be escaped"),
	FORM("\"0123456789\x1f\"", 1, 12, "", "a control character in a string must be escaped"),
	FORM("\"\\x41\"", 1, 3, "", "a backslash in a string must be followed by one of \" \\ / b f n r t u"),
	FORM("\"\\'\"", 1, 3, "", "a backslash in a string must be followed by one of \" \\ / b f n r t u"),
	FORM("\"\\U0041\"", 1, 3, "", "a backslash in a string must be followed by one of \" \\ / b f n r t u"),
	FORM("\"\\\n\"", 1, 3, "", "a backslash in a string must be followed by one of \" \\ / b f n r t u"),
	FORM("\"\\u\"", 1, 4, "", "\\u must be followed by four hexadecimal digits"),
	FORM("\"\\u12", 1, 6, "", "\\u must be followed by four hexadecimal digits"),
	FORM("\"\\u12g4\"", 1, 6, "", "\\u must be followed by four hexadecimal digits"),
	FORM("\"\\u+123\"", 1, 4, "", "\\u must be followed by four hexadecimal digits"),
	FORM("\"\\u 123\"", 1, 4, "", "\\u must be followed by four hexadecimal digits"),
	FORM("\"\\ud83d\\u12\"", 1, 12, "", "\\u must be followed by four hexadecimal digits"),
	/* UTF-8 in strings: continuation alone, overlong, surrogate, too large, cut, wrong continuation */
	FORM("\"a\x80\"", 1, 3, "", "the text is not valid UTF-8"),
	FORM("\"\xC0\x80\"", 1, 2, "", "the text is not valid UTF-8"),
	FORM("\"\xC1\xBF\"", 1, 2, "", "the text is not valid UTF-8"),
	FORM("\"\xE0\x80\x80\"", 1, 2, "", "the text is not valid UTF-8"),
	FORM("\"\xE0\x9F\xBF\"", 1, 2, "", "the text is not valid UTF-8"),
	FORM("\"\xED\xA0\x80\"", 1, 2, "", "the text is not valid UTF-8"),
	FORM("\"\xED\xBF\xBF\"", 1, 2, "", "the text is not valid UTF-8"),
	FORM("\"\xF0\x80\x80\x80\"", 1, 2, "", "the text is not valid UTF-8"),
	FORM("\"\xF4\x90\x80\x80\"", 1, 2, "", "the text is not valid UTF-8"),
	FORM("\"\xF5\x80\x80\x80\"", 1, 2, "", "the text is not valid UTF-8"),
	FORM("\"\xFF\"", 1, 2, "", "the text is not valid UTF-8"),
	FORM("\"\xC3\"", 1, 2, "", "the text is not valid UTF-8"),
	FORM("\"\xE2\x82\"", 1, 2, "", "the text is not valid UTF-8"),
	FORM("\"\xE2\x82", 1, 2, "", "the text is not valid UTF-8"),
	FORM("\"\xF0\x9F\x98\"", 1, 2, "", "the text is not valid UTF-8"),
	FORM("\"\xE2\x28\xA1\"", 1, 2, "", "the text is not valid UTF-8"),
	FORM("\"\xC3\xA9\xE4\xBD\xA0\xF0\x9F\x98\x80\x80\"", 1, 5, "", "the text is not valid UTF-8"),
	FORM("{\"\xFF\": 1}", 1, 3, "", "the text is not valid UTF-8"),
	/* arrays */
	FORM("[", 1, 2, "/0", "the text ends where a value is expected"),
	FORM("[1", 1, 3, "", "the text ends inside an array"),
	FORM("[1,", 1, 4, "/1", "the text ends where a value is expected"),
	FORM("[1,]", 1, 4, "/1", "expected a value after ','"),
	FORM("[,]", 1, 2, "/0", "expected a value"),
	FORM("[,1]", 1, 2, "/0", "expected a value"),
	FORM("[1,,2]", 1, 4, "/1", "expected a value"),
	FORM("[1 2]", 1, 4, "", "expected ',' or ']' after an array element"),
	FORM("[1:2]", 1, 3, "", "expected ',' or ']' after an array element"),
	FORM("[1}", 1, 3, "", "expected ',' or ']' after an array element"),
	FORM("[[1]", 1, 5, "", "the text ends inside an array"),
	FORM("[[], [[], x]]", 1, 11, "/1/1", "expected a value"),
	/* objects */
	FORM("{", 1, 2, "", "the text ends inside an object"),
	FORM("{\n", 2, 1, "", "the text ends inside an object"),
	FORM("{,}", 1, 2, "", "expected a name in double quotes or '}'"),
	FORM("{]", 1, 2, "", "expected a name in double quotes or '}'"),
	FORM("{a: 1}", 1, 2, "", "expected a name in double quotes or '}'"),
	FORM("{'a': 1}", 1, 2, "", "expected a name in double quotes or '}'"),
	FORM("{1: 1}", 1, 2, "", "expected a name in double quotes or '}'"),
	FORM("{\"a", 1, 4, "", "the text ends inside a string"),
	FORM("{\"a\"", 1, 5, "/a", "the text ends after the name of an object member"),
	FORM("{\"a\" 1}", 1, 6, "/a", "expected ':' after the name of an object member"),
	FORM("{\"a\"}", 1, 5, "/a", "expected ':' after the name of an object member"),
	FORM("{\"a\", 1}", 1, 5, "/a", "expected ':' after the name of an object member"),
	FORM("{\"a\"=1}", 1, 5, "/a", "expected ':' after the name of an object member"),
	FORM("{\"a\":", 1, 6, "/a", "the text ends where a value is expected"),
	FORM("{\"a\":}", 1, 6, "/a", "expected a value"),
	FORM("{\"a\"::1}", 1, 6, "/a", "expected a value"),
	FORM("{\"a\":1", 1, 7, "", "the text ends inside an object"),
	FORM("{\"a\":1,", 1, 8, "", "the text ends inside an object"),
	FORM("{\"a\":1,}", 1, 8, "", "expected a name in double quotes after ','"),
	FORM("{\"a\":1,,}", 1, 8, "", "expected a name in double quotes after ','"),
	FORM("{\"a\":1 \"b\":2}", 1, 8, "", "expected ',' or '}' after an object member"),
	FORM("{\"a\":1]", 1, 7, "", "expected ',' or '}' after an object member"),
	FORM("{\"a\":1;\"b\":2}", 1, 7, "", "expected ',' or '}' after an object member"),
	/* after the end */
	FORM("1 2", 1, 3, "", "there is text after the end of the document"),
	FORM("{}{}", 1, 3, "", "there is text after the end of the document"),
	FORM("[]\n]", 2, 1, "", "there is text after the end of the document"),
	FORM("truex", 1, 5, "", "there is text after the end of the document"),
	FORM("\"a\"\"b\"", 1, 4, "", "there is text after the end of the document"),
	FORM("1\0", 1, 2, "", "there is text after the end of the document"),
	FORM("{} // c", 1, 4, "", "there is text after the end of the document"),
	/* places */
	FORM("{\n  \"a\": [1,\r\n    {\"b/c~d\": tru}\n  ]\n}", 3, 18, "/a/1/b~1c~0d", "expected true"),
	FORM("[\"\xC3\xA9\xE4\xBD\xA0\xF0\x9F\x98\x80\", x]", 1, 9, "/1", "expected a value"),
	FORM("[\n\"\xF0\x9F\x98\x80\",\n \"\xF0\x9F\x98\x80\" x]", 3, 6, "", "expected ',' or ']' after an array element"),
	FORM("{\"a\": {\"b\": 1}, \"c\": [0, 1, {\"d\": [x]}]}", 1, 36, "/c/2/d/0", "expected a value"),
	FORM("{\"\\u0061\\u0000\": x}", 1, 18, "/a\\u0000", "expected a value"),
	FORM("{\"\": {\"\": x}}", 1, 11, "//", "expected a value"),
	FORM("[{}, {\"a\": 1 x}]", 1, 14, "/1", "expected ',' or '}' after an object member"),
};

/* A copy of exactly the text, so that the sanitizer sees a read beyond its end. */
static int parse(struct arena *a, struct str text, struct json *value, struct json_error *err)
{
	char *copy = test_malloc(text.len ? text.len : 1);
	int code;
	memcpy(copy, text.ptr, text.len);
	code = json_parse(a, str_of(copy, text.len), NULL, value, NULL, err);
	test_free(copy);
	return code;
}

static void every_form_is_refused_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		const struct form *f = &forms[i];
		struct arena arena = ARENA_INIT;
		struct json value = { .type = JSON_NULL };
		struct json_error err;
		int code = parse(&arena, f->text, &value, &err);
		if (code != FF_EDATA)
			fail_msg("%.*s: expected FF_EDATA, got %d", STR_ARG(f->text), code);
		if (err.code != FF_EDATA || strcmp(err.what, f->what) != 0)
			fail_msg("%.*s: expected \"%s\", got \"%s\"", STR_ARG(f->text), f->what, err.what);
		if (err.line != f->line || err.column != f->column)
			fail_msg("%.*s: expected line %zu, column %zu, got %zu, %zu", STR_ARG(f->text), f->line, f->column,
			         err.line, err.column);
		if (strcmp(err.pointer, f->pointer) != 0)
			fail_msg("%.*s: expected the pointer \"%s\", got \"%s\"", STR_ARG(f->text), f->pointer, err.pointer);
		arena_release(&arena);
	}
}

/* Every start of a document that is not a document itself is refused, with an offset inside it. */
static void every_start_of_a_document_is_refused(void **state)
{
	static const char text[] = " {\"a\": [1, -2.5e+3, \"x\\u00e9\\ud83d\\ude00\\n\xE4\xBD\xA0\", true, false, null, {}, []], "
	                           "\"b\": {\"c\": \"d\"}}";
	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		struct arena arena = ARENA_INIT;
		struct json value = { .type = JSON_NULL };
		struct json_error err;
		assert_int_equal(parse(&arena, str_of(text, len), &value, &err), FF_EDATA);
		assert_true(err.offset <= len);
		arena_release(&arena);
	}
}

static void nesting_beyond_the_cap_names_it(void **state)
{
	char text[400], sentence[256];
	struct arena arena = ARENA_INIT;
	struct json value;
	struct json_error err;
	(void)state;
	memset(text, '[', 200);
	memset(text + 200, ']', 200);
	assert_int_equal(json_parse(&arena, str_of(text + 72, 256), NULL, &value, NULL, &err), 0);
	assert_int_equal(json_parse(&arena, str_of(text + 71, 258), NULL, &value, NULL, &err), FF_ETOOBIG);
	assert_int_equal(err.limit, 128);
	assert_int_equal(err.column, 129);
	json_error_format(&err, sentence, sizeof(sentence));
	assert_non_null(strstr(sentence, "max-depth"));
	assert_non_null(strstr(sentence, "128"));
	assert_int_equal(json_parse(&arena, str_of(text + 199, 2), &(struct json_limits){ 0, 1 }, &value, NULL, &err), 0);
	assert_int_equal(json_parse(&arena, str_of(text + 198, 4), &(struct json_limits){ 0, 1 }, &value, NULL, &err), FF_ETOOBIG);
	assert_string_equal(err.pointer, "/0");
	assert_int_equal(json_parse(&arena, str_of(text, 400), &(struct json_limits){ 0, 200 }, &value, NULL, &err), 0);
	arena_release(&arena);
}

static void depth_bombs_end_at_the_limit_of_the_reader(void **state)
{
	size_t len = 1000000;
	char *text = test_malloc(len);
	struct arena arena = ARENA_INIT;
	struct json value;
	struct json_error err;
	(void)state;
	memset(text, '[', len);
	assert_int_equal(json_parse(&arena, str_of(text, len), NULL, &value, NULL, &err), FF_ETOOBIG);
	assert_int_equal(json_parse(&arena, str_of(text, len), &(struct json_limits){ 0, UINT32_MAX }, &value, NULL, &err),
	                 FF_ETOOBIG);
	assert_int_equal(err.limit, JSON_DEPTH_LIMIT);
	for (size_t i = 0; i + 5 <= len; i += 5)
		memcpy(text + i, "{\"a\":", 5);
	assert_int_equal(json_parse(&arena, str_of(text, len), NULL, &value, NULL, &err), FF_ETOOBIG);
	assert_int_equal(err.offset, 5 * 128);
	arena_release(&arena);
	test_free(text);
}

static void a_text_beyond_the_cap_names_it(void **state)
{
	char sentence[256];
	struct arena arena = ARENA_INIT;
	struct json value;
	struct json_error err;
	(void)state;
	assert_int_equal(json_parse(&arena, STR("[1]"), &(struct json_limits){ 3, 0 }, &value, NULL, &err), 0);
	assert_int_equal(json_parse(&arena, STR("[1] "), &(struct json_limits){ 3, 0 }, &value, NULL, &err), FF_ETOOBIG);
	json_error_format(&err, sentence, sizeof(sentence));
	assert_string_equal(sentence, "the text is larger than the cap max-input-bytes allows (3)");
	assert_int_equal(json_parse_copy(&arena, STR("[1] "), &(struct json_limits){ 3, 0 }, &value, NULL, &err), FF_ETOOBIG);
	arena_release(&arena);
}

static void a_long_pointer_keeps_its_end(void **state)
{
	struct buf text;
	struct arena arena = ARENA_INIT;
	struct json value;
	struct json_error err;
	(void)state;
	buf_init(&text, 1 << 20);
	for (int i = 0; i < 100; i++)
		(void)buf_printf(&text, "{\"\xC3\xA9\xE4\xBD\xA0/key%d\": ", i);
	(void)buf_append_str(&text, STR("[0, 1, nope]"));
	assert_int_equal(json_parse(&arena, buf_str(&text), NULL, &value, NULL, &err), FF_EDATA);
	assert_true(str_starts_with(str_from(err.pointer), STR("...")));
	assert_true(str_ends_with(str_from(err.pointer), STR("~1key98/\xC3\xA9\xE4\xBD\xA0~1key99/2")));
	assert_true(strlen(err.pointer) > 240);
	assert_true(utf8_is_valid(str_from(err.pointer)));
	arena_release(&arena);
	buf_release(&text);
}

/* A key of ten megabytes: its end, whole characters. */
static void a_huge_key_in_a_pointer_is_cut_between_characters(void **state)
{
	for (size_t shift = 0; shift < 4; shift++) {
		struct buf text;
		struct arena arena = ARENA_INIT;
		struct json value;
		struct json_error err;
		buf_init(&text, 1 << 20);
		(void)buf_append_str(&text, STR("{\""));
		for (int i = 0; i < 1000; i++)
			(void)buf_append_str(&text, STR("\xF0\x9F\x98\x80"));
		(void)buf_append(&text, "abcd", shift);
		(void)buf_append_str(&text, STR("\": x}"));
		assert_int_equal(json_parse(&arena, buf_str(&text), NULL, &value, NULL, &err), FF_EDATA);
		assert_true(str_starts_with(str_from(err.pointer), STR("...\xF0")));
		assert_true(utf8_is_valid(str_from(err.pointer)));
		arena_release(&arena);
		buf_release(&text);
	}
	(void)state;
}

static void the_sentence_has_line_column_and_pointer(void **state)
{
	char sentence[256], small[12];
	struct arena arena = ARENA_INIT;
	struct json value;
	struct json_error err;
	(void)state;
	assert_int_equal(json_parse(&arena, STR("{\"a\":\n [x]}"), NULL, &value, NULL, &err), FF_EDATA);
	json_error_format(&err, sentence, sizeof(sentence));
	assert_string_equal(sentence, "line 2, column 3 (at /a/0): expected a value");
	assert_int_equal(json_parse(&arena, STR("x"), NULL, &value, NULL, &err), FF_EDATA);
	json_error_format(&err, sentence, sizeof(sentence));
	assert_string_equal(sentence, "line 1, column 1: expected a value");
	json_error_format(&err, small, sizeof(small));
	assert_string_equal(small, "line 1, col");
	assert_int_equal(json_parse(&arena, STR("x"), NULL, &value, NULL, NULL), FF_EDATA);
	arena_release(&arena);
}

static void a_cut_sentence_ends_between_characters(void **state)
{
	struct json_error err = {
		.code = FF_EDATA, .line = 1, .column = 1, .pointer = "/\xF0\x9F\x98\x80\xF0\x9F\x98\x80", .what = "x"
	};
	char out[64];
	(void)state;
	for (size_t size = 1; size < sizeof(out); size++) {
		json_error_format(&err, out, size);
		assert_true(strlen(out) < size);
		assert_true(utf8_is_valid(str_from(out)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_refused_with_its_place),
		cmocka_unit_test(every_start_of_a_document_is_refused),
		cmocka_unit_test(nesting_beyond_the_cap_names_it),
		cmocka_unit_test(depth_bombs_end_at_the_limit_of_the_reader),
		cmocka_unit_test(a_text_beyond_the_cap_names_it),
		cmocka_unit_test(a_long_pointer_keeps_its_end),
		cmocka_unit_test(a_huge_key_in_a_pointer_is_cut_between_characters),
		cmocka_unit_test(the_sentence_has_line_column_and_pointer),
		cmocka_unit_test(a_cut_sentence_ends_between_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
