/* test_json_util.c: members, pointers, truth, numbers and equality of values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>

#include <cmocka.h>

#include "model/json.h"

static struct arena arena;

static struct json value_of(const char *text)
{
	struct json v = { .type = JSON_NULL };
	if (json_parse(&arena, str_from(text), NULL, &v, NULL, NULL))
		fail_msg("%s is not JSON", text);
	return v;
}

static int release(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static void members_by_key(void **state)
{
	struct json v = value_of("{\"a\": 1, \"\": 2, \"a\\u0000b\": 3}"), array = value_of("[1]");
	(void)state;
	assert_true(str_eq(json_get_lit(&v, "a")->text, STR("1")));
	assert_true(str_eq(json_get_lit(&v, "")->text, STR("2")));
	assert_true(str_eq(json_get(&v, str_of("a\0b", 3))->text, STR("3")));
	assert_null(json_get_lit(&v, "b"));
	assert_null(json_get_lit(&array, "a"));
	assert_null(json_get_lit(NULL, "a"));
}

static void truth_is_pythons(void **state)
{
	static const char *const truthy[] = { "true", "1", "-1", "0.1", "1e-300", "1e400", "\" \"", "\"0\"", "[0]", "{\"\":0}" };
	static const char *const falsy[] = { "null", "false",    "0",      "-0",   "0.0", "-0.0",
		                             "0e5",  "0.000e-7", "1e-400", "\"\"", "[]",  "{}" };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(truthy); i++) {
		struct json v = value_of(truthy[i]);
		if (!json_truthy(&v))
			fail_msg("%s should be true", truthy[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(falsy); i++) {
		struct json v = value_of(falsy[i]);
		if (json_truthy(&v))
			fail_msg("%s should be false", falsy[i]);
	}
	assert_false(json_truthy(NULL));
}

static void numbers_as_integers(void **state)
{
	static const struct {
		const char *text;
		bool fits;
		int64_t value;
	} cases[] = {
		{ "0", true, 0 },
		{ "-0", true, 0 },
		{ "-0.0e-5", true, 0 },
		{ "0e99999999999999999999", true, 0 },
		{ "1", true, 1 },
		{ "-17", true, -17 },
		{ "1.0", true, 1 },
		{ "1e3", true, 1000 },
		{ "1.5e1", true, 15 },
		{ "1500e-2", true, 15 },
		{ "120.00", true, 120 },
		{ "0.001e3", true, 1 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "9223372036854775808", false, 0 },
		{ "-9223372036854775809", false, 0 },
		{ "18446744073709551616", false, 0 },
		{ "1e18", true, 1000000000000000000 },
		{ "9.2e18", true, 9200000000000000000 },
		{ "1e19", false, 0 },
		{ "10000000000000000000", false, 0 },
		{ "1.5", false, 0 },
		{ "1e-1", false, 0 },
		{ "0.5", false, 0 },
		{ "1e400", false, 0 },
		{ "1e99999999999999999999999", false, 0 },
		{ "1e-99999999999999999999999", false, 0 },
		{ "1.00000000000000000000000000000000000000", true, 1 },
		{ "1.00000000000000000000000000000000000001", false, 0 },
		{ "100000000000000000000e-20", true, 1 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct json v = value_of(cases[i].text);
		int64_t value = 42;
		bool fits = json_to_i64(&v, &value);
		if (fits != cases[i].fits || (fits && value != cases[i].value))
			fail_msg("%s: got %d, %lld", cases[i].text, fits, (long long)value);
		if (!fits)
			assert_int_equal(value, 42);
	}
}

static void numbers_as_doubles(void **state)
{
	struct json v = value_of("[0.1, 1e400, -1e400, 1e-400, 18446744073709551616, -0.0]");
	(void)state;
	assert_true(json_to_double(&v.items[0]) == 0.1);
	assert_true(json_to_double(&v.items[1]) == HUGE_VAL);
	assert_true(json_to_double(&v.items[2]) == -HUGE_VAL);
	assert_true(json_to_double(&v.items[3]) == 0);
	assert_true(json_to_double(&v.items[4]) == 18446744073709551616.0);
	assert_true(signbit(json_to_double(&v.items[5])));
}

static void equality_is_by_value(void **state)
{
	static const char *const equal[][2] = {
		{ "1", "1.0" },
		{ "1", "1.000e0" },
		{ "100", "1e2" },
		{ "0.1", "1e-1" },
		{ "0.10", "0.1" },
		{ "1.5e3", "1500" },
		{ "0", "-0.0" },
		{ "0", "0e7" },
		{ "-12.50", "-125e-1" },
		{ "\"\\u00e9\"", "\"\xC3\xA9\"" },
		{ "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1.0}" },
		{ "[1,[2]]", "[1.0,[2.0]]" },
		{ "{}", "{}" },
		{ "null", "null" },
		{ "true", "true" },
		{ "{\"a\":1,\"b\":2,\"c\":3}", "{\"c\":3,\"a\":1,\"b\":2}" },
		{ "123456789012345678901234567890", "12345678901234567890123456789e1" },
	};
	static const char *const different[][2] = {
		{ "1", "2" },
		{ "1", "-1" },
		{ "1", "10" },
		{ "0.1", "0.01" },
		{ "18446744073709551616", "18446744073709551617" },
		{ "1", "true" },
		{ "0", "false" },
		{ "null", "false" },
		{ "\"1\"", "1" },
		{ "[]", "{}" },
		{ "[1]", "[1,1]" },
		{ "{\"a\":1}", "{\"b\":1}" },
		{ "{\"a\":1}", "{\"a\":2}" },
		{ "{\"a\":1}", "{\"a\":1,\"b\":1}" },
		{ "{\"a\":1,\"b\":1}", "{\"a\":1}" },
		{ "\"a\"", "\"a\\u0000\"" },
		{ "12", "123" },
		{ "true", "false" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(equal); i++) {
		struct json a = value_of(equal[i][0]), b = value_of(equal[i][1]);
		if (!json_equal(&a, &b) || !json_equal(&b, &a))
			fail_msg("%s should equal %s", equal[i][0], equal[i][1]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(different); i++) {
		struct json a = value_of(different[i][0]), b = value_of(different[i][1]);
		if (json_equal(&a, &b) || json_equal(&b, &a))
			fail_msg("%s should not equal %s", different[i][0], different[i][1]);
	}
}

static void type_names(void **state)
{
	(void)state;
	assert_string_equal(json_type_name(JSON_NULL), "null");
	assert_string_equal(json_type_name(JSON_TRUE), "boolean");
	assert_string_equal(json_type_name(JSON_FALSE), "boolean");
	assert_string_equal(json_type_name(JSON_NUMBER), "number");
	assert_string_equal(json_type_name(JSON_STRING), "string");
	assert_string_equal(json_type_name(JSON_ARRAY), "array");
	assert_string_equal(json_type_name(JSON_OBJECT), "object");
}

/* The examples of RFC 6901, and what must not be found. */
static void pointers_are_resolved(void **state)
{
	struct json v = value_of("{\"foo\": [\"bar\", \"baz\"], \"\": 0, \"a/b\": 1, \"c%d\": 2, \"e^f\": 3, \"g|h\": 4, "
	                         "\"i\\\\j\": 5, \"k\\\"l\": 6, \" \": 7, \"m~n\": 8}");
	static const char *const found[][2] = { { "/foo/0", "bar" }, { "/foo/1", "baz" }, { "/", "0" },    { "/a~1b", "1" },
		                                { "/c%d", "2" },     { "/e^f", "3" },     { "/g|h", "4" }, { "/i\\j", "5" },
		                                { "/k\"l", "6" },    { "/ ", "7" },       { "/m~0n", "8" } };
	static const char *const missing[] = {
		"foo",      "/bar", "/foo/2", "/foo/-", "/foo/01", "/foo/+1", "/foo/",
		"/foo/0/x", "/a/b", "/m~n",   "/m~2n",  "/m~",     "//",      "/foo/99999999999999999999"
	};
	(void)state;
	assert_ptr_equal(json_at(&v, STR("")), &v);
	assert_int_equal(json_at(&v, STR("/foo"))->type, JSON_ARRAY);
	for (size_t i = 0; i < ARRAY_SIZE(found); i++) {
		const struct json *at = json_at(&v, str_from(found[i][0]));
		if (!at || !str_eq(at->text, str_from(found[i][1])))
			fail_msg("%s should be %s", found[i][0], found[i][1]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
		if (json_at(&v, str_from(missing[i])))
			fail_msg("%s should not be found", missing[i]);
}

static void pointers_are_written(void **state)
{
	char out[64] = "";
	(void)state;
	json_pointer_push(out, sizeof(out), STR("a/b~c"));
	json_pointer_push_index(out, sizeof(out), 12);
	json_pointer_push(out, sizeof(out), STR(""));
	json_pointer_push(out, sizeof(out), str_of("x\0y", 3));
	assert_string_equal(out, "/a~1b~0c/12//x\\u0000y");
}

static void long_pointers_are_cut_between_characters(void **state)
{
	(void)state;
	for (size_t size = 1; size < 40; size++) {
		char out[40] = "";
		json_pointer_push(out, size, STR("~/\xF0\x9F\x98\x80~\xC3\xA9/\xE4\xBD\xA0"));
		json_pointer_push_index(out, size, 7);
		assert_true(strlen(out) < size);
		assert_true(utf8_is_valid(str_from(out)));
		if (size > 30)
			assert_string_equal(out, "/~0~1\xF0\x9F\x98\x80~0\xC3\xA9~1\xE4\xBD\xA0/7");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(members_by_key, release),
		cmocka_unit_test_teardown(truth_is_pythons, release),
		cmocka_unit_test_teardown(numbers_as_integers, release),
		cmocka_unit_test_teardown(numbers_as_doubles, release),
		cmocka_unit_test_teardown(equality_is_by_value, release),
		cmocka_unit_test_teardown(type_names, release),
		cmocka_unit_test_teardown(pointers_are_resolved, release),
		cmocka_unit_test_teardown(pointers_are_written, release),
		cmocka_unit_test_teardown(long_pointers_are_cut_between_characters, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
