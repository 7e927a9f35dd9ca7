/* test_str.c: views, numbers in text, UTF-8. Numbers are compared bit by bit with strtod. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rand.h"
#include "base/str.h"

static void test_compare(void **state)
{
	(void)state;
	assert_true(str_eq(STR(""), STR_NULL));
	assert_true(str_eq(STR("a\0b"), STR("a\0b")));
	assert_false(str_eq(STR("a\0b"), STR("a\0c")));
	assert_true(str_eq_nocase(STR("Content-Type"), STR("content-tYPE")));
	assert_false(str_eq_nocase(STR("["), STR("{"))); /* differ by the case bit, but are no letters */
	assert_false(str_eq_nocase(STR("\xC3\x84"), STR("\xC3\xA4")));
	assert_true(str_cmp(STR("a"), STR("ab")) < 0);
	assert_true(str_cmp(STR("b"), STR("ab")) > 0);
	assert_int_equal(str_cmp(STR("ab"), STR("ab")), 0);
	assert_true(str_cmp(STR("\x7F"), STR("\x80")) < 0);
	assert_int_equal(str_cmp(STR_NULL, STR("")), 0);
	assert_true(str_starts_with(STR("data: x"), STR("data:")));
	assert_true(str_starts_with(STR_NULL, STR("")));
	assert_false(str_starts_with(STR("da"), STR("data:")));
	assert_true(str_ends_with(STR("out.json"), STR(".json")));
	assert_false(str_ends_with(STR("json"), STR(".json")));
	assert_true(str_ends_with(STR_NULL, STR_NULL));
}

static void test_find(void **state)
{
	(void)state;
	assert_int_equal(str_find(STR("abcabc"), STR("bc"), 0), 1);
	assert_int_equal(str_find(STR("abcabc"), STR("bc"), 2), 4);
	assert_true(str_find(STR("abcabc"), STR("bc"), 5) == SIZE_MAX);
	assert_true(str_find(STR("abc"), STR("x"), 9) == SIZE_MAX);
	assert_int_equal(str_find(STR("abc"), STR(""), 3), 3);
	assert_int_equal(str_find(STR_NULL, STR_NULL, 0), 0);
	assert_true(str_contains(STR("a\0b"), STR("\0b")));
	assert_false(str_contains(STR("ab"), STR("abc")));
	assert_true(str_contains_nocase(STR("Rate LIMIT reached"), STR("rate limit")));
	assert_true(str_contains_nocase(STR(""), STR("")));
	assert_false(str_contains_nocase(STR("limi"), STR("limit")));
}

static void test_parts(void **state)
{
	struct str rest = STR("a,,b"), empty = STR(""), trailing = STR("x,");

	(void)state;
	assert_true(str_eq(str_trim(STR(" \t\r\n\v\f x y \n")), STR("x y")));
	assert_int_equal(str_trim(STR("  ")).len, 0);
	assert_int_equal(str_trim(STR_NULL).len, 0);
	assert_true(str_eq(utf8_trim(STR(" \x1C\xC2\xA0\xE3\x80\x80x\xC2\xA0y\xC2\x85\xE2\x80\xA8\n")), STR("x\xC2\xA0y")));
	assert_true(str_eq(utf8_trim(STR("\xE2\x80\xA8\xC2\xA0 ")), STR("")));
	assert_true(str_eq(utf8_trim(STR("\xA0 x \x80")), STR("\xA0 x \x80"))); /* ill-formed bytes are no blanks */
	assert_int_equal(utf8_trim(STR_NULL).len, 0);
	assert_true(str_eq(str_sub(STR("hello"), 1, 3), STR("el")));
	assert_true(str_eq(str_sub(STR("hello"), 3, 99), STR("lo")));
	assert_int_equal(str_sub(STR("hello"), 9, 3).len, 0);
	assert_int_equal(str_sub(STR_NULL, 0, 1).len, 0);

	assert_true(str_eq(str_split(&rest, ','), STR("a")));
	assert_true(str_eq(str_split(&rest, ','), STR("")));
	assert_true(str_eq(str_split(&rest, ','), STR("b")));
	assert_null(rest.ptr);
	assert_true(str_eq(str_split(&empty, ','), STR("")));
	assert_null(empty.ptr);
	assert_true(str_eq(str_split(&trailing, ','), STR("x")));
	assert_non_null(trailing.ptr); /* the empty part behind the last separator is still to come */
	assert_true(str_eq(str_split(&trailing, ','), STR("")));
	assert_null(trailing.ptr);
}

static void test_u64(void **state)
{
	static const char *const bad[] = {
		"", "-1", "+1", " 1", "1 ", "1.0", "0x10", "18446744073709551616", "99999999999999999999999"
	};
	uint64_t value = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (str_to_u64(str_from(bad[i]), &value))
			fail_msg("\"%s\" was read as %ju; expected a refusal", bad[i], (uintmax_t)value);
	assert_int_equal(value, 7); /* written on success only */
	assert_true(str_to_u64(STR("0"), &value) && value == 0);
	assert_true(str_to_u64(STR("0012"), &value) && value == 12);
	assert_true(str_to_u64(STR("18446744073709551615"), &value) && value == UINT64_MAX);
	for (uint64_t each = UINT64_MAX; each; each /= 7) {
		char digits[U64_DIGITS], expected[24];

		assert_int_equal(u64_digits(each, digits), snprintf(expected, sizeof(expected), "%llu", (unsigned long long)each));
		assert_memory_equal(digits, expected, strlen(expected));
	}
	assert_int_equal(u64_digits(0, (char[U64_DIGITS]){ 0 }), 1);
}

static void same_as_strtod(const char *text)
{
	double expected = strtod(text, NULL), value = 0;

	if (!str_to_double(str_from(text), &value))
		fail_msg("\"%.60s\" was refused; expected %a", text, expected);
	if (memcmp(&value, &expected, sizeof value) != 0)
		fail_msg("\"%.60s\" was read as %a; expected %a", text, value, expected);
}

static void test_bools(void **state)
{
	static const char *const yes[] = { "1", "true", "TRUE", "Yes", "on" }, *const no[] = { "0", "False", "no", "OFF" };
	static const char *const neither[] = { "", "2", "01", " 1", "y", "truely", "none" };
	bool value = false;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(str_to_bool(str_from(yes[i]), &value) && value);
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_true(str_to_bool(str_from(no[i]), &value) && !value);
	for (size_t i = 0; i < ARRAY_SIZE(neither); i++) {
		value = true;
		assert_false(str_to_bool(str_from(neither[i]), &value));
		assert_true(value);
	}
}

static void test_double(void **state)
{
	static const char *const good[] = { "0",
		                            "-0",
		                            "+1",
		                            "0.1",
		                            "0.7",
		                            "1E5",
		                            "1e+22",
		                            "1e23",
		                            "1e-22",
		                            "1e-23",
		                            "123456789012345678",
		                            "9007199254740993",
		                            "9007199254740992",
		                            "18446744073709551616",
		                            ".5",
		                            "5.",
		                            "00012.50",
		                            "0.000000000000000000000000000001",
		                            "1.7976931348623157e308",
		                            "2.2250738585072011e-308",
		                            "2.2250738585072014e-308",
		                            "4.9e-324",
		                            "1e-400",
		                            "0e999999999999",
		                            "179769313486231580793728971405301e276",
		                            "100000000000000000000000e-23",
		                            "2.4703282292062327208e-324" };
	static const char *const bad[] = { "",
		                           "-",
		                           ".",
		                           "e5",
		                           "1e",
		                           "1e+",
		                           "1e5x",
		                           " 1",
		                           "1 ",
		                           "0x10",
		                           "inf",
		                           "nan",
		                           "--1",
		                           "1.2.3",
		                           "1,5",
		                           "1e400",
		                           "-1e400",
		                           "1e5.5",
		                           "1_000",
		                           "1e999999999999",
		                           "9e99999999999999999999" };
	double value = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		same_as_strtod(good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (str_to_double(str_from(bad[i]), &value))
			fail_msg("\"%s\" was read as %a; expected a refusal", bad[i], value);
	assert_false(str_to_double(STR("1\0"), &value));
	assert_true(value == 7);
}

static void test_double_random(void **state)
{
	struct rand r;
	char text[64];

	(void)state;
	rand_init(&r, 20);
	for (int i = 0; i < 20000; i++) {
		uint64_t mantissa = ((uint64_t)rand_u32(&r) << 32 | rand_u32(&r)) >> (rand_u32(&r) % 64);
		int exponent = (int)(rand_u32(&r) % 60) - 30;

		snprintf(text, sizeof text, "%s%jue%d", rand_u32(&r) & 1 ? "-" : "", (uintmax_t)mantissa, exponent);
		same_as_strtod(text);
		snprintf(text, sizeof text, "%ju.%08ue%d", (uintmax_t)(mantissa & 0xFFFFF), rand_u32(&r) % 100000000,
		         exponent * 10);
		same_as_strtod(text);
	}
}

/* Halfway points and digits far beyond what a double can hold: the rounding must see the last one. */
static void test_double_long(void **state)
{
	char text[2200];
	size_t len;

	(void)state;
	memset(text, '0', sizeof text);
	memcpy(text, "9007199254740993.", 17); /* halfway between two doubles: to even, unless anything follows */
	text[2000] = '\0';
	same_as_strtod(text);
	text[1999] = '1';
	same_as_strtod(text);
	text[17] = '\0';
	len = (size_t)snprintf(text, sizeof text, "%s", "1.");
	memset(text + len, '9', 1500);
	text[len + 1500] = '\0';
	same_as_strtod(text);
	memset(text, '7', 2000);
	memcpy(text + 1990, "e-1950", 7);
	same_as_strtod(text);
	memset(text, '0', 2000);
	memcpy(text, "0.", 2);
	memcpy(text + 330, "5e300", 6);
	same_as_strtod(text);
}

static void test_double_ignores_locale(void **state)
{
	double value = 0;

	(void)state;
	/* Where a locale with a decimal comma is installed, it must not matter. */
	if (!setlocale(LC_ALL, "de_DE.UTF-8"))
		setlocale(LC_ALL, "C.UTF-8");
	assert_true(str_to_double(STR("1.5"), &value) && value == 1.5);
	assert_true(str_to_double(STR("3.0000000000000000000000000004"), &value) && value == 3.0);
	assert_false(str_to_double(STR("1,5"), &value));
	setlocale(LC_ALL, "C");
}

/* Every code point goes there and back, and nothing else is accepted: counted over all one, two and three byte strings. */
static void test_utf8_whole_range(void **state)
{
	size_t accepted = 0;
	char s[4];

	(void)state;
	for (uint32_t c = 0; c <= 0x10FFFF; c++) {
		size_t n = utf8_encode(c, s);
		uint32_t expected = c >= 0xD800 && c <= 0xDFFF ? 0xFFFD : c;

		if (utf8_sequence_length(s, n) != n || utf8_decode(s, n) != expected)
			fail_msg("U+%04X does not survive encoding and decoding", (unsigned)c);
		if (n > 1 && utf8_sequence_length(s, n - 1) != 0)
			fail_msg("U+%04X without its last byte was accepted", (unsigned)c);
	}
	assert_int_equal(utf8_encode(0x110000, s), 3);
	assert_int_equal(utf8_decode(s, 3), 0xFFFD);
	for (unsigned a = 0x80; a < 0x100; a++)
		for (unsigned b = 0; b < 0x100; b++)
			for (unsigned c = 0; c < 0x100; c++) {
				s[0] = (char)a, s[1] = (char)b, s[2] = (char)c;
				accepted += utf8_sequence_length(s, 3) == 3;
			}
	assert_int_equal(accepted, 0x10000 - 0x800 - 0x800); /* U+0800..U+FFFF without the surrogates */
}

static void test_utf8_ill_formed(void **state)
{
	static const char *const bad[] = { "\x80",
		                           "\xBF",
		                           "\xC0\x80",
		                           "\xC1\xBF",
		                           "\xC3",
		                           "\xC3(",
		                           "\xE0\x80\x80",
		                           "\xE0\x9F\xBF",
		                           "\xED\xA0\x80",
		                           "\xED\xBF\xBF",
		                           "\xE2\x82",
		                           "\xE2(\xA1",
		                           "\xF0\x80\x80\x80",
		                           "\xF0\x8F\xBF\xBF",
		                           "\xF4\x90\x80\x80",
		                           "\xF5\x80\x80\x80",
		                           "\xF8\x88\x80\x80\x80",
		                           "\xFE",
		                           "\xFF",
		                           "12345678\xF0\x9F\x98" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (utf8_is_valid(str_from(bad[i])))
			fail_msg("ill-formed text number %zu was accepted", i);
	assert_true(utf8_is_valid(STR("")));
	assert_true(utf8_is_valid(STR_NULL));
	assert_true(utf8_is_valid(STR("plain ASCII over eight bytes, then \xC3\xA9 and \xF0\x9F\x98\x80 and \0 too")));
	assert_int_equal(utf8_sequence_length("", 0), 0);
}

static void test_utf8_cut(void **state)
{
	struct str s = STR("a\xC3\xA9\xF0\x9F\x98\x80z"); /* a é (smile) z: 1 + 2 + 4 + 1 */
	static const size_t expected[] = { 0, 1, 1, 3, 3, 3, 3, 7, 8, 8 };

	(void)state;
	for (size_t max = 0; max < ARRAY_SIZE(expected); max++)
		if (utf8_cut(s, max) != expected[max])
			fail_msg("cut at %zu gave %zu; expected %zu", max, utf8_cut(s, max), expected[max]);
	assert_int_equal(utf8_cut(STR("\x80\x80\x80\x80\x80"), 3), 3); /* not UTF-8: cut anywhere */
	assert_int_equal(utf8_cut(STR("ab\xFF\xFF"), 3), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bools),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_double),
		cmocka_unit_test(test_double_random),
		cmocka_unit_test(test_double_long),
		cmocka_unit_test(test_double_ignores_locale),
		cmocka_unit_test(test_utf8_whole_range),
		cmocka_unit_test(test_utf8_ill_formed),
		cmocka_unit_test(test_utf8_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
