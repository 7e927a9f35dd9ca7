/* test_mock_text.c: tokens, deltas, the default answer, JSON literals, and the gzip format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "front/mock/gzip.h"
#include "front/mock/text.h"

static void test_tokens(void **state)
{
	(void)state;
	assert_int_equal(text_tokens(STR_NULL), 0);
	assert_int_equal(text_tokens(STR("a")), 1);
	assert_int_equal(text_tokens(STR("abcd")), 1);
	assert_int_equal(text_tokens(STR("abcde")), 2);
	assert_int_equal(text_tokens(STR("漢字漢字")), 1); /* characters count, not bytes */
	assert_int_equal(text_tokens(STR("🤖🤖🤖🤖🤖")), 2);
}

/* The pieces are in order, whole characters, and together the text. */
static void check_deltas(struct str text, size_t least)
{
	size_t ends[DELTAS_MAX], count = text_deltas(text, ends), from = 0;

	assert_in_range(count, least, DELTAS_MAX);
	for (size_t i = 0; i < count; i++) {
		assert_true(ends[i] > from || text.len == 0);
		assert_true(utf8_is_valid(str_sub(text, from, ends[i])));
		from = ends[i];
	}
	assert_int_equal(from, text.len);
}

static void test_deltas(void **state)
{
	char text[5000];

	(void)state;
	check_deltas(STR_NULL, 1);
	check_deltas(STR("4"), 1);
	check_deltas(STR("é"), 1);
	check_deltas(STR("42"), 2);
	check_deltas(STR("é漢"), 2);
	check_deltas(STR("🤖🤖"), 2);
	check_deltas(STR("two words"), 2);
	check_deltas(STR("   "), 2);
	check_deltas(STR("漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字"), 2);
	for (size_t len = 2; len < sizeof(text); len += 7) {
		memset(text, 'x', len);
		for (size_t i = 0; i < len; i += 1 + len / 9)
			text[i] = ' ';
		check_deltas(str_of(text, len), 2);
	}
}

static void test_default_answer(void **state)
{
	struct buf a, b;
	static const char *const messages[] = {
		"", "x", "Hello?", "Grüße 漢字 🤖", "one\ntwo\n", "\xff\xfe ill-formed \xc3", "\n\n"
	};

	(void)state;
	buf_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		buf_clear(&a);
		buf_clear(&b);
		text_default_answer(str_from(messages[i]), &a);
		text_default_answer(str_from(messages[i]), &b);
		assert_string_equal(a.ptr, b.ptr);
		assert_true(a.len > 20);
	}
	text_default_answer(STR("Hello!"), &b);
	assert_string_not_equal(a.ptr, b.ptr);
	buf_release(&a);
	buf_release(&b);
}

static void test_default_answer_quotes_the_beginning(void **state)
{
	char message[1000];
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 20);
	text_default_answer(STR("Context:\nlong\n\nQuestion: Wie heißt du?"), &out);
	assert_non_null(strstr(out.ptr, "“Question: Wie heißt du?”"));
	for (size_t i = 0; i + 3 <= sizeof(message); i += 3)
		memcpy(message + i, "漢", 3);
	buf_clear(&out);
	text_default_answer(str_of(message, 999), &out);
	assert_true(utf8_is_valid(buf_str(&out))); /* cut between characters */
	assert_non_null(strstr(out.ptr, "…”"));
	assert_true(out.len < 600);
	buf_release(&out);
}

static void check_json(struct str text, const char *expected)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	text_put_json(&out, text);
	assert_int_equal(buf_failed(&out), 0);
	assert_string_equal(out.ptr, expected);
	buf_release(&out);
}

static void test_json(void **state)
{
	(void)state;
	check_json(STR_NULL, "\"\"");
	check_json(STR("a\"b\\c\n"), "\"a\\\"b\\\\c\\n\"");
	check_json(STR("x\u2028y\u2029z\xc2\x85"
	               "w"),
	           "\"x\\u2028y\\u2029z\\u0085w\"");
	check_json(STR("\u2028"), "\"\\u2028\"");
	check_json(STR("Â\u00a0â\u2027"), "\"Â\u00a0â\u2027\""); /* neighbours of the separators stay */
	check_json(STR("漢🤖"), "\"漢🤖\"");
}

static void test_json_value(void **state)
{
	static const char text[] = "{ \"a\" : [ 1.50, -0, 1E5, true, false, null, \"x\\u2028\" ], \"b\":{},\"c\":[] }";
	struct ff_json_doc *doc;
	struct buf out;

	(void)state;
	assert_int_equal(ff_json_parse(text, sizeof(text) - 1, 0, 0, &doc, NULL), 0);
	buf_init(&out, 1 << 20);
	text_put_value(&out, ff_json_root(doc));
	assert_string_equal(out.ptr, "{\"a\":[1.50,-0,1E5,true,false,null,\"x\\u2028\"],\"b\":{},\"c\":[]}");
	buf_release(&out);
	ff_json_free(doc);
}

static void test_gzip(void **state)
{
	/* What gzip(1) reads back as "123456789", whose CRC-32 is the check value of the standard. */
	static const unsigned char expected[] = { 0x1f, 0x8b, 8,   0,   0,    0,    0,    0,    0,    255,  0,   4,   0,   0xfb,
		                                  0xff, '1',  '2', '3', '4',  0,    5,    0,    0xfa, 0xff, '5', '6', '7', '8',
		                                  '9',  1,    0,   0,   0xff, 0xff, 0x26, 0x39, 0xf4, 0xcb, 9,   0,   0,   0 };
	struct gzip z;
	struct buf out;
	char big[70000];

	(void)state;
	buf_init(&out, 1 << 20);
	gzip_begin(&z, &out);
	gzip_add(&z, STR("1234"));
	gzip_add(&z, STR_NULL);
	gzip_add(&z, STR("56789"));
	gzip_end(&z);
	assert_int_equal(out.len, sizeof(expected));
	assert_memory_equal(out.ptr, expected, sizeof(expected));
	buf_clear(&out);
	memset(big, 'x', sizeof(big));
	gzip_begin(&z, &out);
	gzip_add(&z, str_of(big, sizeof(big)));
	gzip_end(&z);
	assert_int_equal(out.len, 10 + 5 + 65535 + 5 + (70000 - 65535) + 5 + 8); /* two blocks: one holds at most 65,535 bytes */
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens),         cmocka_unit_test(test_deltas),
		cmocka_unit_test(test_default_answer), cmocka_unit_test(test_default_answer_quotes_the_beginning),
		cmocka_unit_test(test_json),           cmocka_unit_test(test_json_value),
		cmocka_unit_test(test_gzip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
