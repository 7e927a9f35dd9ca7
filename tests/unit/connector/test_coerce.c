/* test_coerce.c: what becomes an integer, a number or a boolean, and why the rest does not (a table of pydantic's lax mode). */
#include "turn_kit.h"

#include "connector/coerce.h"

typedef enum coerce_result (*coercion)(struct arena *, const struct json *, struct json *);

static enum coerce_result to_bool(struct arena *a, const struct json *v, struct json *ret)
{
	(void)a;
	return coerce_bool(v, ret);
}

static void expect(coercion coerce, const char *input, enum coerce_result want, const char *text)
{
	struct json v, out = { .type = JSON_NULL };
	enum coerce_result got;
	struct arena a;

	arena_init(&a);
	assert_int_equal(json_parse(&a, str_from(input), NULL, &v, NULL, NULL), 0);
	got = coerce(&a, &v, &out);
	if (got != want)
		fail_msg("%s: expected result %d, got %d", input, (int)want, (int)got);
	if (want == COERCE_OK && out.type == JSON_NUMBER)
		kit_expect_str(out.text, text);
	else if (want == COERCE_OK)
		kit_expect_str(out.type == JSON_TRUE ? STR("true") : STR("false"), text);
	arena_release(&a);
}

static void integers(void **state)
{
	(void)state;
	expect(coerce_int, "7", COERCE_OK, "7");
	expect(coerce_int, "-7", COERCE_OK, "-7");
	expect(coerce_int, "-0", COERCE_OK, "0");
	expect(coerce_int, "18446744073709551616", COERCE_OK, "18446744073709551616");
	expect(coerce_int, "10.0", COERCE_OK, "10");
	expect(coerce_int, "1e3", COERCE_OK, "1000");
	expect(coerce_int, "true", COERCE_OK, "1");
	expect(coerce_int, "false", COERCE_OK, "0");
	expect(coerce_int, "\"10\"", COERCE_OK, "10");
	expect(coerce_int, "\" 10.00 \"", COERCE_OK, "10");
	expect(coerce_int, "\"+007\"", COERCE_OK, "7");
	expect(coerce_int, "\"-007\"", COERCE_OK, "-7");
	expect(coerce_int, "\"1_000\"", COERCE_OK, "1000");
	expect(coerce_int, "10.5", COERCE_FRACTION, NULL);
	expect(coerce_int, "1e400", COERCE_RANGE, NULL);
	expect(coerce_int, "1e30", COERCE_RANGE, NULL);
	expect(coerce_int, "null", COERCE_TYPE, NULL);
	expect(coerce_int, "[]", COERCE_TYPE, NULL);
}

static void integer_texts_refused(void **state)
{
	static const char *const bad[] = { "\"\"",    "\" \"",  "\"x\"",  "\"10.5\"", "\"10.\"", "\".0\"", "\"1e3\"",
		                           "\"0x5\"", "\"_1\"", "\"1_\"", "\"1__0\"", "\"--1\"", "\"+\"",  "\"1 0\"" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect(coerce_int, bad[i], COERCE_PARSE, NULL);
}

static void numbers(void **state)
{
	(void)state;
	expect(coerce_float, "1", COERCE_OK, "1.0");
	expect(coerce_float, "0", COERCE_OK, "0.0");
	expect(coerce_float, "0.7", COERCE_OK, "0.7");
	expect(coerce_float, "1e-9", COERCE_OK, "1e-09");
	expect(coerce_float, "1e22", COERCE_OK, "1e+22");
	expect(coerce_float, "true", COERCE_OK, "1.0");
	expect(coerce_float, "\" 0.50 \"", COERCE_OK, "0.5");
	expect(coerce_float, "\"+.5\"", COERCE_OK, "0.5");
	expect(coerce_float, "\"5.\"", COERCE_OK, "5.0");
	expect(coerce_float, "\"1_0.5\"", COERCE_OK, "10.5");
	expect(coerce_float, "\"nan\"", COERCE_RANGE, NULL);
	expect(coerce_float, "\"-Infinity\"", COERCE_RANGE, NULL);
	expect(coerce_float, "1e400", COERCE_RANGE, NULL);
	expect(coerce_float, "\"1e400\"", COERCE_RANGE, NULL);
	expect(coerce_float, "\"hot\"", COERCE_PARSE, NULL);
	expect(coerce_float, "\"0x10\"", COERCE_PARSE, NULL);
	expect(coerce_float, "\"1e\"", COERCE_PARSE, NULL);
	expect(coerce_float, "\".\"", COERCE_PARSE, NULL);
	expect(coerce_float, "\"\"", COERCE_PARSE, NULL);
	expect(coerce_float, "null", COERCE_TYPE, NULL);
}

static void booleans(void **state)
{
	static const char *const yes[] = { "true", "1", "1.0", "\"true\"", "\"YES\"", "\"on\"", "\"T\"", "\"y\"", "\"1\"" };
	static const char *const no[] = { "false", "0", "0.0", "\"False\"", "\"no\"", "\"OFF\"", "\"f\"", "\"n\"", "\"0\"" };
	static const char *const bad[] = { "2", "0.5", "\"maybe\"", "\"\"", "\" true\"", "\"2\"" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		expect(to_bool, yes[i], COERCE_OK, "true");
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		expect(to_bool, no[i], COERCE_OK, "false");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect(to_bool, bad[i], COERCE_PARSE, NULL);
	expect(to_bool, "null", COERCE_TYPE, NULL);
	expect(to_bool, "{}", COERCE_TYPE, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers),
		cmocka_unit_test(integer_texts_refused),
		cmocka_unit_test(numbers),
		cmocka_unit_test(booleans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
