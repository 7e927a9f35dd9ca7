/* test_json_write.c: the writer: form, escapes, repair of ill-formed bytes, doubles as Python prints them, sticky failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../base/fault_loop.h"
#include "model/json.h"

static void assert_buf(const struct buf *b, const char *expected)
{
	if (buf_failed(b) || !str_eq(buf_str(b), str_from(expected)))
		fail_msg("expected %s, got %.*s", expected, (int)b->len, b->ptr ? b->ptr : "");
}

static void write_sample(struct json_writer *w)
{
	json_begin_object(w);
	json_key_lit(w, "empty");
	json_begin_array(w);
	json_end_array(w);
	json_key_lit(w, "none");
	json_begin_object(w);
	json_end_object(w);
	json_key_lit(w, "list");
	json_begin_array(w);
	json_int(w, INT64_MIN);
	json_int(w, 0);
	json_double(w, 1);
	json_bool(w, true);
	json_bool(w, false);
	json_null(w);
	json_number_text(w, STR("0.10"));
	json_begin_object(w);
	json_key_lit(w, "a\n");
	json_string(w, STR("\xC3\xA9"));
	json_end_object(w);
	json_end_array(w);
	json_end_object(w);
}

static void compact_and_indented_forms(void **state)
{
	struct buf b;
	struct json_writer w;
	(void)state;
	buf_init(&b, 10000);
	json_writer_init(&w, &b, 0);
	write_sample(&w);
	assert_buf(&b,
	           "{\"empty\":[],\"none\":{},\"list\":[-9223372036854775808,0,1.0,true,false,null,0.10,{\"a\\n\":\"\xC3\xA9\"}]}");
	buf_clear(&b);
	json_writer_init(&w, &b, 2);
	write_sample(&w);
	assert_buf(&b, "{\n  \"empty\": [],\n  \"none\": {},\n  \"list\": [\n    -9223372036854775808,\n    0,\n    1.0,\n    "
	               "true,\n    false,\n    "
	               "null,\n    0.10,\n    {\n      \"a\\n\": \"\xC3\xA9\"\n    }\n  ]\n}");
	buf_release(&b);
}

/* Names joined with their punctuation, and texts of every length around those that are copied in one piece: the same as name and value one by one. */
static void joined_names_write_what_keys_and_values_do(void **state)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	(void)state;
	for (unsigned indent = 0; indent <= 2; indent += 2) {
		for (size_t len = 0; len < sizeof(letters); len++) {
			const struct str text = str_of(letters, len);
			const struct json number = { .type = JSON_NUMBER, .text = STR("0.10") };
			struct buf joined, apart;
			struct json_writer w;
			buf_init(&joined, 1000);
			buf_init(&apart, 1000);
			json_writer_init(&w, &joined, indent);
			json_begin_object(&w);
			json_member_text(&w, JSON_NAME("t"), text);
			json_member_value(&w, JSON_NAME("a_name_of_some_more_bytes"), &number);
			json_member_array(&w, JSON_NAME("list"));
			json_string(&w, text);
			json_end_array(&w);
			json_member_text(&w, JSON_NAME("last_of_them"), text);
			json_end_object(&w);
			json_writer_init(&w, &apart, indent);
			json_begin_object(&w);
			json_key_lit(&w, "t");
			json_string(&w, text);
			json_key_lit(&w, "a_name_of_some_more_bytes");
			json_value(&w, &number);
			json_key_lit(&w, "list");
			json_begin_array(&w);
			json_string(&w, text);
			json_end_array(&w);
			json_key_lit(&w, "last_of_them");
			json_string(&w, text);
			json_end_object(&w);
			assert_false(buf_failed(&joined));
			assert_true(str_contains(buf_str(&joined), text));
			buf_append_char(&apart, '\0');
			assert_buf(&joined, apart.ptr);
			buf_release(&joined);
			buf_release(&apart);
		}
	}
}

static void what_was_read_is_written_as_it_was(void **state)
{
	static const char *const texts[] = { ("{\"z\":1,\"a\":[1.50,-0.0,1E+22,12345678901234567890,null,true,"
		                              "\"\xC3\xBC\xE2\x80\xA8\\u0000\\\"\"],\"m\":{\"n\":{\"o\":[]}}}"),
		                             "[]", "\"\"", "-0", "[[[[{}]]]]" };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct arena arena = ARENA_INIT;
		struct json v;
		struct json_writer w;
		struct buf b;
		buf_init(&b, 10000);
		assert_int_equal(json_parse(&arena, str_from(texts[i]), NULL, &v, NULL, NULL), 0);
		json_writer_init(&w, &b, 0);
		json_value(&w, &v);
		assert_buf(&b, texts[i]);
		buf_release(&b);
		arena_release(&arena);
	}
}

static void every_byte_that_must_be_escaped_is(void **state)
{
	static const char expected[] =
	        "\"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u000f\\u0010\\u0011\\u001"
	        "2\\u0013"
	        "\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f \\\"\\\\/\x7f\"";
	char text[38];
	struct buf b;
	(void)state;
	for (int i = 0; i < 0x20; i++)
		text[i] = (char)i;
	memcpy(text + 32, " \"\\/\x7f", 5);
	buf_init(&b, 1000);
	json_append_quoted(&b, str_of(text, 37));
	assert_buf(&b, expected);
	buf_clear(&b);
	json_append_quoted(&b, STR_NULL);
	assert_buf(&b, "\"\"");
	buf_release(&b);
}

/* Texts of every length around the words that the scanner sees at once, with one odd byte at every place. */
static void an_odd_byte_is_escaped_wherever_it_stands(void **state)
{
	static const struct {
		char byte;
		const char *written;
	} odd[] = { { '"', "\\\"" }, { '\\', "\\\\" }, { '\n', "\\n" }, { '\x1f', "\\u001f" }, { '\xFF', "\xEF\xBF\xBD" } };
	(void)state;
	for (size_t n = 0; n < 50 * 50 * ARRAY_SIZE(odd); n++) {
		size_t len = n % 50, at = n / 50 % 50, kind = n / 2500;
		char *text, expected[128];
		struct buf b;
		if (at >= len)
			continue;
		text = malloc(len); /* exactly: a look behind it is seen */
		assert_non_null(text);
		memset(text, 'x', len);
		text[at] = odd[kind].byte;
		(void)snprintf(expected, sizeof(expected), "\"%.*s%s%.*s\"", (int)at,
		               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", odd[kind].written, (int)(len - at - 1),
		               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
		buf_init(&b, 1000);
		json_append_quoted(&b, str_of(text, len));
		assert_buf(&b, expected);
		buf_release(&b);
		free(text);
	}
}

#define U "\xEF\xBF\xBD"

static void ill_formed_bytes_become_replacement_characters(void **state)
{
	static const struct {
		const char *text, *expected; /* as Python's bytes.decode("utf-8", "replace") */
	} cases[] = {
		{ "a\x80z", "\"a" U "z\"" },
		{ "\xC3", "\"" U "\"" },
		{ "\xC3(", "\"" U "(\"" },
		{ "\xC0\x80", "\"" U U "\"" },
		{ "\xE2\x82", "\"" U "\"" },
		{ "\xE2\x82z", "\"" U "z\"" },
		{ "\xE0\x80\x80", "\"" U U U "\"" },
		{ "\xED\xA0\x80", "\"" U U U "\"" },
		{ "\xF0\x9F\x98", "\"" U "\"" },
		{ "\xF0\x9F\x98\"", "\"" U "\\\"\"" },
		{ "\xF0\x80\x80\x80", "\"" U U U U "\"" },
		{ "\xF4\x90\x80\x80", "\"" U U U U "\"" },
		{ "\xF5\x80", "\"" U U "\"" },
		{ "\xFF\xFE", "\"" U U "\"" },
		{ "\xE4\xBD\xA0\xE4\xBD\n", "\"\xE4\xBD\xA0" U "\\n\"" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct buf b;
		buf_init(&b, 1000);
		json_append_quoted(&b, str_from(cases[i].text));
		assert_buf(&b, cases[i].expected);
		assert_true(utf8_is_valid(buf_str(&b)));
		buf_release(&b);
	}
}

static void doubles_are_printed_as_python_does(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{ 0.0, "0.0" },
		{ -0.0, "-0.0" },
		{ 1, "1.0" },
		{ -1, "-1.0" },
		{ 10, "10.0" },
		{ 0.1, "0.1" },
		{ 0.7, "0.7" },
		{ 1e-4, "0.0001" },
		{ 1.5e-4, "0.00015" },
		{ 1e-5, "1e-05" },
		{ 1e-8, "1e-08" },
		{ 1.5e-8, "1.5e-08" },
		{ 1e15, "1000000000000000.0" },
		{ 1e16, "1e+16" },
		{ 123456789012345680.0, "1.2345678901234568e+17" },
		{ 9007199254740993.0, "9007199254740992.0" },
		{ 1e22, "1e+22" },
		{ 1e23, "1e+23" },
		{ 1e100, "1e+100" },
		{ 1.0 / 3, "0.3333333333333333" },
		{ 2.0 / 3, "0.6666666666666666" },
		{ 0.1 + 0.2, "0.30000000000000004" },
		{ 1234.5, "1234.5" },
		{ 100, "100.0" },
		{ 5e-324, "5e-324" },
		{ 2.2250738585072014e-308, "2.2250738585072014e-308" },
		{ 2.225073858507201e-308, "2.225073858507201e-308" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" },
		{ 18446744073709551616.0, "1.8446744073709552e+19" },
		{ 0x1p+896, "5.282945311356653e+269" },
		{ 0x1p+976, "6.386688990511104e+293" },
		{ 4.35, "4.35" },
		{ 999999999999999.9, "999999999999999.9" },
		{ 9999999999999998.0, "9999999999999998.0" },
		{ -1.25e-7, "-1.25e-07" },
		{ 0.001, "0.001" },
		{ 0.0015, "0.0015" },
		{ 0.04, "0.04" },
		{ 12.305, "12.305" },
		{ -12.35, "-12.35" },
		{ 99999999999.999, "99999999999.999" },
		{ 99999999999.9994, "99999999999.9994" },
		{ 100000000000.001, "100000000000.001" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[32];
		size_t len = json_format_double(cases[i].value, text);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(len, strlen(text));
	}
}

static void what_is_not_finite_is_null(void **state)
{
	char text[32];
	(void)state;
	assert_int_equal(json_format_double(NAN, text), 4);
	assert_string_equal(text, "null");
	assert_int_equal(json_format_double(-HUGE_VAL, text), 4);
	assert_string_equal(text, "null");
}

/* Random bit patterns read back as they were, in at most 17 digits. */
static void doubles_read_back(void **state)
{
	uint64_t bits = 0x9E3779B97F4A7C15u;
	(void)state;
	for (int i = 0; i < 20000; i++) {
		char text[32];
		double value, back;
		size_t len;
		bits ^= bits << 13;
		bits ^= bits >> 7;
		bits ^= bits << 17;
		memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value))
			continue;
		len = json_format_double(value, text);
		assert_true(len <= 24);
		if (!str_to_double(str_of(text, len), &back) || memcmp(&back, &value, sizeof(value)) != 0)
			fail_msg("%a was written as %s, which reads back as %a", value, text, back);
	}
}

/* Milliseconds in thousandths, which have a way of their own: as printf rounds them, without zeros at the end. */
static void thousandths_are_written_as_they_are(void **state)
{
	(void)state;
	for (uint64_t i = 1; i < UINT64_C(99999999999999); i += 1 + i / 37) {
		char text[32], expected[40];
		size_t len = (size_t)snprintf(expected, sizeof(expected), "%.3f", (double)i / 1000);

		while (expected[len - 1] == '0' && expected[len - 2] != '.')
			expected[--len] = '\0';
		assert_int_equal(json_format_double((double)i / 1000, text), len);
		assert_string_equal(text, expected);
	}
}

static void a_full_buf_fails_once_and_for_all(void **state)
{
	struct json_writer w;
	struct buf b;
	(void)state;
	for (size_t cap = 0; cap < 60; cap++) {
		buf_init(&b, cap);
		json_writer_init(&w, &b, 0);
		write_sample(&w);
		assert_int_equal(buf_failed(&b), FF_ETOOBIG);
		assert_true(b.len <= cap);
		buf_release(&b);
	}
}

static void deep_values_are_written(void **state)
{
	char text[2 * JSON_DEPTH_LIMIT];
	struct arena arena = ARENA_INIT;
	struct json v;
	struct json_writer w;
	struct buf b;
	(void)state;
	memset(text, '[', JSON_DEPTH_LIMIT);
	memset(text + JSON_DEPTH_LIMIT, ']', JSON_DEPTH_LIMIT);
	buf_init(&b, 64 << 20);
	assert_int_equal(
	        json_parse(&arena, str_of(text, sizeof(text)), &(struct json_limits){ 0, JSON_DEPTH_LIMIT }, &v, NULL, NULL), 0);
	json_writer_init(&w, &b, 0);
	json_value(&w, &v);
	assert_true(str_eq(buf_str(&b), str_of(text, sizeof(text))));
	assert_true(json_equal(&v, &v));
	buf_clear(&b);
	json_writer_init(&w, &b, 1);
	json_value(&w, &v);
	assert_int_equal(buf_failed(&b), 0);
	buf_release(&b);
	arena_release(&arena);
}

static int write_everything(void)
{
	struct json_writer w;
	struct buf b;
	int code;
	buf_init(&b, 1 << 20);
	json_writer_init(&w, &b, 4);
	write_sample(&w);
	code = buf_failed(&b);
	buf_release(&b);
	return code;
}

static void memory_that_runs_out_is_sticky(void **state)
{
	(void)state;
	assert_true(fault_loop(write_everything) >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compact_and_indented_forms),
		cmocka_unit_test(joined_names_write_what_keys_and_values_do),
		cmocka_unit_test(what_was_read_is_written_as_it_was),
		cmocka_unit_test(every_byte_that_must_be_escaped_is),
		cmocka_unit_test(an_odd_byte_is_escaped_wherever_it_stands),
		cmocka_unit_test(ill_formed_bytes_become_replacement_characters),
		cmocka_unit_test(doubles_are_printed_as_python_does),
		cmocka_unit_test(what_is_not_finite_is_null),
		cmocka_unit_test(doubles_read_back),
		cmocka_unit_test(thousandths_are_written_as_they_are),
		cmocka_unit_test(a_full_buf_fails_once_and_for_all),
		cmocka_unit_test(deep_values_are_written),
		cmocka_unit_test(memory_that_runs_out_is_sticky),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
