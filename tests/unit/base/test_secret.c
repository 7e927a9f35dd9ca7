/* test_secret.c: no live key survives in our own text, in whatever form it comes; ordinary text survives unchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/rand.h"
#include "base/secret.h"
#include "fault_loop.h"

#define KEY    "sk-planted-0123456789"
#define ODD    "p\"w/d%x+\\y z\xC3\xA9\xF0\x9F\x98\x80" /* every character that some encoder escapes */
#define MASKED "[REDACTED]"

struct row {
	const char *in;
	const char *expected;
};

static void check_rows(const struct scrubber *s, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char text[512];
		struct buf out;

		buf_init(&out, 4096);
		assert_int_equal(scrub_append(s, &out, str_from(rows[i].in)), 0);
		if (strcmp(out.ptr, rows[i].expected) != 0)
			fail_msg("appending \"%s\" gave \"%s\"; expected \"%s\"", rows[i].in, out.ptr, rows[i].expected);
		buf_release(&out);
		snprintf(text, sizeof text, "%s", rows[i].in);
		scrub_text(s, text, sizeof text);
		if (strcmp(text, rows[i].expected) != 0)
			fail_msg("in place, \"%s\" became \"%s\"; expected \"%s\"", rows[i].in, text, rows[i].expected);
	}
}

static void test_plain(void **state)
{
	static const struct row rows[] = {
		{ "", "" },
		{ "nothing here", "nothing here" },
		{ KEY, MASKED },
		{ "Incorrect API key: " KEY ".", "Incorrect API key: " MASKED "." },
		{ KEY KEY, MASKED MASKED },
		{ KEY " and " KEY, MASKED " and " MASKED },
		{ "sk-planted-012345678", "sk-planted-012345678" }, /* one byte short: another text */
		{ "sk-sk-planted-" KEY, "sk-sk-planted-" MASKED },
		{ "100% of \\ is fine", "100% of \\ is fine" },
		{ "broken escapes % %4 %zz \\ \\u12 \\", "broken escapes % %4 %zz \\ \\u12 \\" },
	};
	struct scrubber s;

	(void)state;
	scrubber_init(&s);
	assert_int_equal(scrubber_add(&s, STR(KEY)), 0);
	check_rows(&s, rows, ARRAY_SIZE(rows));
	scrubber_release(&s);
}

static void test_escaped_forms(void **state)
{
	static const struct row rows[] = {
		{ ODD, MASKED },
		/* JSON: minimal, with \/, all non-ASCII as \u in either case, everything as \u, JSON within JSON */
		{ "\"p\\\"w/d%x+\\\\y z\xC3\xA9\xF0\x9F\x98\x80\"", "\"" MASKED "\"" },
		{ "\"p\\\"w\\/d%x+\\\\y z\\u00e9\\ud83d\\ude00\"", "\"" MASKED "\"" },
		{ "p\\\"w\\/d%x\\u002B\\\\y z\\u00E9\\uD83D\\uDE00", MASKED },
		{ "\\u0070\\u0022\\u0077\\u002f\\u0064\\u0025\\u0078\\u002b\\u005c\\u0079\\u0020\\u007a\\u00e9\\ud83d\\ude00",
		  MASKED },
		{ "p\\\\\\\"w/d%x+\\\\y z\xC3\xA9\xF0\x9F\x98\x80", MASKED },
		/* percent: as RFC 3986, in lower case, as a form, all of it */
		{ "?key=p%22w%2Fd%25x%2B%5Cy%20z%C3%A9%F0%9F%98%80&x=1", "?key=" MASKED "&x=1" },
		{ "p%22w%2fd%25x%2b%5cy%20z%c3%a9%f0%9f%98%80", MASKED },
		{ "p%22w/d%25x%2B%5Cy+z%C3%A9%F0%9F%98%80", MASKED },
		{ "%70%22%77%2F%64%25%78%2B%5C%79%20%7A%C3%A9%F0%9F%98%80", MASKED },
	};
	struct scrubber s;

	(void)state;
	scrubber_init(&s);
	assert_int_equal(scrubber_add(&s, STR(ODD)), 0);
	check_rows(&s, rows, ARRAY_SIZE(rows));
	scrubber_release(&s);
}

/* An ordinary key over-escaped by a careful encoder. */
static void test_overescaped_ordinary_key(void **state)
{
	static const struct row rows[] = {
		{ "\\u0073k-planted-0123456789!", MASKED "!" },
		{ "%73k%2Dplanted%2d0123456789", MASKED },
		{ "sk\\u002dplanted\\u002D0123456789", MASKED },
	};
	struct scrubber s;

	(void)state;
	scrubber_init(&s);
	assert_int_equal(scrubber_add(&s, STR(KEY)), 0);
	check_rows(&s, rows, ARRAY_SIZE(rows));
	scrubber_release(&s);
}

static void test_several_keys(void **state)
{
	static const struct row rows[] = {
		{ "abcdefgh-longer abcdefgh", MASKED " " MASKED }, /* the longer of two that begin alike goes whole */
		{ "abcdefgh-long", MASKED "-long" },
		{ "12345678 and zzzzzzzz", MASKED " and " MASKED },
	};
	struct scrubber s;

	(void)state;
	scrubber_init(&s);
	assert_int_equal(scrubber_add(&s, STR("abcdefgh")), 0);
	assert_int_equal(scrubber_add(&s, STR("zzzzzzzz")), 0);
	assert_int_equal(scrubber_add(&s, STR("abcdefgh-longer")), 0);
	assert_int_equal(scrubber_add(&s, STR("12345678")), 0);
	assert_int_equal(s.count, 4);
	check_rows(&s, rows, ARRAY_SIZE(rows));
	scrubber_release(&s);
}

static void test_references(void **state)
{
	struct scrubber s;
	char text[64] = KEY;

	(void)state;
	scrubber_init(&s);
	assert_int_equal(scrubber_add(&s, STR(KEY)), 0);
	assert_int_equal(scrubber_add(&s, STR(KEY)), 0);
	assert_int_equal(s.count, 1);
	scrubber_remove(&s, STR(KEY));
	scrubber_remove(&s, STR("never-added-key"));
	scrub_text(&s, text, sizeof text);
	assert_string_equal(text, MASKED);
	scrubber_remove(&s, STR(KEY));
	assert_int_equal(s.count, 0);
	memcpy(text, KEY, sizeof KEY);
	scrub_text(&s, text, sizeof text);
	assert_string_equal(text, KEY);
	scrubber_remove(&s, STR(KEY));
	scrubber_release(&s);
}

static void test_short_keys_are_ignored(void **state)
{
	struct scrubber s;
	char text[] = "ollama and EMPTY and 1234567";

	(void)state;
	scrubber_init(&s);
	assert_int_equal(scrubber_add(&s, STR("ollama")), 0);
	assert_int_equal(scrubber_add(&s, STR("EMPTY")), 0);
	assert_int_equal(scrubber_add(&s, STR("1234567")), 0);
	assert_int_equal(scrubber_add(&s, STR_NULL), 0);
	assert_int_equal(s.count, 0);
	scrub_text(&s, text, sizeof text);
	assert_string_equal(text, "ollama and EMPTY and 1234567");
	scrubber_remove(&s, STR("ollama"));
	scrub_text(NULL, text, sizeof text);
	assert_false(scrub_finds(NULL, STR(KEY)));
	scrubber_release(&s);
}

/* A mask that is longer than the key pushes text out at the end, at a character boundary. */
static void test_in_place_cut(void **state)
{
	struct scrubber s;
	char text[16];

	(void)state;
	scrubber_init(&s);
	assert_int_equal(scrubber_add(&s, STR("12345678")), 0);
	memcpy(text, "12345678abcd\xC3\xA9z", 16);
	scrub_text(&s, text, sizeof text);
	assert_string_equal(text, MASKED "abcd"); /* 14 bytes; the two-byte letter would end at 16 */
	memcpy(text, "abcdefg12345678", 16);
	scrub_text(&s, text, sizeof text);
	assert_string_equal(text, "abcdefg[REDACTE");
	text[0] = 'x';
	scrub_text(&s, text, 0); /* no room for anything */
	assert_int_equal(text[0], 'x');
	scrubber_release(&s);
}

/* Escapes anywhere around a key of which only one byte is escaped, the first, the last, or one between. */
static void test_one_escape_anywhere(void **state)
{
	struct scrubber s;

	(void)state;
	scrubber_init(&s);
	assert_int_equal(scrubber_add(&s, STR(KEY)), 0);
	assert_int_equal(scrubber_add(&s, STR("another-key")), 0);
	for (size_t which = 0; which < sizeof KEY - 1; which++) {
		for (size_t noise = 0; noise < 2 * sizeof KEY; noise++) {
			char text[256], expected[256], filler[64];

			memset(filler, 's', sizeof filler); /* each could be a beginning */
			filler[noise] = '\0';
			snprintf(text, sizeof text, "%%%s%.*s%%%02X%s%s\\%s%s", filler, (int)which, KEY, (unsigned)KEY[which],
			         &KEY[which + 1], filler, filler, noise % 3 ? "" : "%");
			snprintf(expected, sizeof expected, "%%%s" MASKED "%s\\%s%s", filler, filler, filler, noise % 3 ? "" : "%");
			assert_true(scrub_finds(&s, str_from(text)));
			scrub_text(&s, text, sizeof text);
			if (strcmp(text, expected) != 0)
				fail_msg("byte %zu escaped: became \"%s\"; expected \"%s\"", which, text, expected);
		}
	}
	scrubber_release(&s);
}

/* A mask that shortens the text must not hide that its end was cut. */
static void test_masked_and_cut(void **state)
{
	struct scrubber s;
	char text[128];

	(void)state;
	scrubber_init(&s);
	assert_int_equal(scrubber_add(&s, STR(KEY)), 0);
	memset(text, '.', sizeof text - 1); /* a full buffer: a whole key at its start, a cut one at its end */
	memcpy(text, KEY, sizeof KEY - 1);
	memcpy(text + sizeof text - 1 - 18, KEY, 18);
	text[sizeof text - 1] = '\0';
	scrub_text(&s, text, sizeof text);
	if (strstr(text, "planted"))
		fail_msg("a part of the key is left: %s", text);
	scrubber_release(&s);
}

/* A sentence that was cut to its buffer may end in the middle of a key. */
static void test_key_cut_at_the_end(void **state)
{
	static const char *const forms[] = { KEY, "%73k%2Dplanted%2d0123456789", "sk\\u002dplanted\\u002D0123456789" };
	struct scrubber s;

	(void)state;
	scrubber_init(&s);
	assert_int_equal(scrubber_add(&s, STR(KEY)), 0);
	for (size_t f = 0; f < ARRAY_SIZE(forms); f++) {
		for (size_t lead = 0; lead < 60; lead++) {
			struct error err;
			char filler[1100];

			memset(filler, '.', sizeof filler);
			filler[sizeof err.text - 1 - lead] = '\0';
			error_set(&err, FF_EREFUSED, "", "%s%s", filler, forms[f]);
			scrub_text(&s, err.text, sizeof err.text);
			if (strstr(err.text, "planted"))
				fail_msg("with %zu bytes of room for form %zu a part of the key is left: ...%s", lead, f,
				         err.text + strlen(err.text) - MIN(strlen(err.text), (size_t)40));
		}
	}
	scrubber_release(&s);
}

static void test_finds(void **state)
{
	struct scrubber s;

	(void)state;
	scrubber_init(&s);
	assert_int_equal(scrubber_add(&s, STR(KEY)), 0);
	assert_int_equal(scrubber_add(&s, STR("shortkey-1")), 0);
	assert_true(scrub_finds(&s, STR("The key is " KEY ".")));
	assert_true(scrub_finds(&s, STR("{\\\"k\\\": \\\"sk\\u002dplanted-0123456789\\\"}")));
	assert_false(scrub_finds(&s, STR("a shortkey-1 is not flagged")));
	assert_false(scrub_finds(&s, STR("line\\nline, 100%")));
	assert_false(scrub_finds(&s, STR("")));
	assert_false(scrub_finds(&s, STR_NULL));
	scrubber_release(&s);
}

/* Encodes each byte of the key in a random way that fits, puts it into random text, and expects exactly the mask in its place. */
static void test_random_dress(void **state)
{
	struct scrubber s;
	struct rand r;

	(void)state;
	rand_init(&r, 11);
	scrubber_init(&s);
	assert_int_equal(scrubber_add(&s, STR(KEY)), 0);
	for (int round = 0; round < 5000; round++) {
		struct buf in, out;
		bool json = rand_u32(&r) & 1;

		buf_init(&in, 4096);
		buf_init(&out, 4096);
		buf_append_str(&in, STR("<a\\n%20"));
		for (size_t i = 0; i < sizeof KEY - 1; i++) {
			uint32_t how = rand_u32(&r) % 3;

			if (how == 0 && json)
				buf_printf(&in, how & 1 ? "\\u%04x" : "\\u%04X", (unsigned)KEY[i]);
			else if (how == 0)
				buf_printf(&in, rand_u32(&r) & 1 ? "%%%02x" : "%%%02X", (unsigned)KEY[i]);
			else
				buf_append_char(&in, KEY[i]);
		}
		buf_append_str(&in, STR("s%"));
		assert_int_equal(scrub_append(&s, &out, buf_str(&in)), 0);
		if (strcmp(out.ptr, "<a\\n%20" MASKED "s%") != 0)
			fail_msg("\"%s\" became \"%s\"", in.ptr, out.ptr);
		buf_release(&in);
		buf_release(&out);
	}
	scrubber_release(&s);
}

static int complete_use(void)
{
	struct scrubber s;
	struct buf out;
	int code = 0;

	scrubber_init(&s);
	buf_init(&out, 4096);
	for (unsigned i = 0; i < 10; i++) {
		char key[24];

		snprintf(key, sizeof key, "planted-key-%u", i);
		if (scrubber_add(&s, str_from(key)) || scrubber_add(&s, str_from(key)))
			code = FF_ENOMEM;
	}
	if (scrub_append(&s, &out,
	                 STR("planted-key-3 %70lanted-key-4, a longer text to make it grow, and planted-key-5 at the end")))
		code = FF_ENOMEM;
	if (escape_append(&out, STR("\x1b[31m and more \xE2\x80\xAE text"), false))
		code = FF_ENOMEM;
	if (!code && strstr(out.ptr, "lanted"))
		fail_msg("a key is left: %s", out.ptr);
	scrubber_remove(&s, STR("planted-key-3"));
	scrubber_release(&s);
	buf_release(&out);
	return code;
}

/* What others write is looked through in time that grows with its length: these took minutes. */
static void test_hostile_texts(void **state)
{
	static const char *const pieces[] = { "\\", "%", "%73", "\\u0073", "+", "\\\\s" };
	const size_t size = (size_t)1 << 20;
	char *text = malloc(size + 1);
	struct scrubber s;

	(void)state;
	assert_non_null(text);
	scrubber_init(&s);
	assert_int_equal(scrubber_add(&s, STR("sk-test-abcdef0123456789")), 0);
	assert_int_equal(scrubber_add(&s, STR("\\ begins with one")), 0);
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct buf out;

		for (size_t at = 0; at < size; at++)
			text[at] = pieces[i][at % strlen(pieces[i])];
		buf_init(&out, size * 2);
		assert_int_equal(scrub_append(&s, &out, str_of(text, size)), 0);
		assert_int_equal(out.len, size);
		assert_false(scrub_finds(&s, str_of(text, size)));
		buf_release(&out);
	}
	scrubber_release(&s);
	free(text);
}

/* Where a text says that it was cut, what is left of a key before it is masked, in any dress; shorter beginnings are not, nor dots of other people's. */
static void test_cut_inside(void **state)
{
	static const struct row rows[] = {
		{ "(Incorrect key: sk-test-abc...)", "(Incorrect key: [REDACTED]...)" },
		{ "(Incorrect key: sk-tes...)", "(Incorrect key: sk-tes...)" },
		{ "\\u0073k-test-...", "[REDACTED]..." },
		{ "sk%2Dtest%2Dab%6...", "[REDACTED]..." },
		{ "c2stdGVzdC1h...", "[REDACTED]..." },
		{ "wait ... sk-test-a...; sk-test-ab....; more", "wait ... [REDACTED]...; [REDACTED]....; more" },
		{ "...", "..." },
		{ "sk-test-abcdef0123456789... and sk-test-ab", "[REDACTED]... and sk-test-ab" },
	};
	struct scrubber s;

	(void)state;
	scrubber_init(&s);
	assert_int_equal(scrubber_add(&s, STR("sk-test-abcdef0123456789")), 0);
	check_rows(&s, rows, ARRAY_SIZE(rows));
	scrubber_release(&s);
}

static void to_base64(const char *text, size_t len, const char *last_two, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	for (size_t i = 0; i < len; i += 3) {
		unsigned group = 0;

		for (size_t k = 0; k < 3; k++)
			group = group << 8 | (i + k < len ? (unsigned char)text[i + k] : 0u);
		for (size_t k = 0; k < 4; k++) {
			unsigned digit = group >> (18 - 6 * k) & 63;

			*out++ = i + k > len ? '=' : digit < 62 ? digits[digit] : last_two[digit - 62];
		}
	}
	*out = '\0';
}

/* A key inside of text of any length before and after, in both alphabets: at most one character of it at each end is left. */
static void test_base64(void **state)
{
	static const char *const keys[] = { KEY, "12345678", "\xff\xfe?>~~~ key?>?>", ODD };
	struct scrubber s;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		scrubber_init(&s);
		assert_int_equal(scrubber_add(&s, str_from(keys[k])), 0);
		for (size_t before = 0; before < 7; before++) {
			for (size_t after = 0; after < 14; after++) {
				const char *last_two = after % 2 ? "+/" : "-_";
				char plain[128], text[256];
				int len = snprintf(plain, sizeof plain, "%.*s%s%.*s", (int)before, "abcdefg", keys[k],
				                   (int)(after / 2), "hijklmn");

				to_base64(plain, (size_t)len, last_two, text);
				scrub_text(&s, text, sizeof text);
				if (!strstr(text, SECRET_MASK) ||
				    strlen(text) > (before + 2) / 3 * 4 + strlen(SECRET_MASK) + (after / 2 + 4) / 3 * 4 + 1)
					fail_msg("'%s' in Base64 should be masked, it is '%s'", plain, text);
			}
		}
		scrubber_remove(&s, str_from(keys[k]));
		assert_null(s.list);
		scrubber_release(&s);
	}
}

/* The Base64 of one key is another key: both live and die on their own. */
static void test_a_form_that_is_a_key_too(void **state)
{
	static const char basic[] = "c2stdGVzdC1hYmM="; /* sk-test-abc */
	char text[64] = "c2stdGVzdC1hYmM=";
	struct scrubber s;

	(void)state;
	scrubber_init(&s);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(scrubber_add(&s, STR("c2stdGVzdC1hYm")), 0);
		assert_int_equal(scrubber_add(&s, STR("sk-test-abc")), 0);
	}
	for (int i = 0; i < 2; i++)
		scrubber_remove(&s, STR("sk-test-abc"));
	scrub_text(&s, text, sizeof text);
	assert_string_equal(text, SECRET_MASK "M=");
	for (int i = 0; i < 2; i++)
		scrubber_remove(&s, STR("c2stdGVzdC1hYm"));
	assert_null(s.list);
	memcpy(text, basic, sizeof basic);
	scrub_text(&s, text, sizeof text);
	assert_string_equal(text, basic);
	scrubber_release(&s);
}

/* A key that holds all shorter ones of its family: only the longest live one may be what is masked. */
static struct str family_key(char *out, unsigned family, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		out[i] = (char)('a' + (family * 7 + i * i) % 26);
	out[0] = (char)('A' + family);
	return str_of(out, len);
}

/* Adds and removes at random, beside plain counters: what is live is masked whole, also where it holds another live key; what is not stays. */
static void test_many_keys_come_and_go(void **state)
{
	enum { FAMILIES = 6, LENGTHS = 24, SHORTEST = 8 };
	unsigned live[FAMILIES][LENGTHS] = { { 0 } };
	size_t count = 0;
	struct scrubber s;
	struct rand r;
	char key[64];

	(void)state;
	rand_init(&r, 5);
	scrubber_init(&s);
	for (unsigned step = 0; step < 20000; step++) {
		unsigned family = rand_u32(&r) % FAMILIES, length = rand_u32(&r) % LENGTHS;
		bool add = rand_u32(&r) % 8 < (step / 2500 % 2 ? 3u : 5u); /* the set grows, then shrinks, often to nothing */
		struct str one = family_key(key, family, SHORTEST + length), whole;
		unsigned *references = &live[family][length], longest = LENGTHS;
		char text[64];

		if (add) {
			assert_int_equal(scrubber_add(&s, one), 0);
			count += !(*references)++;
		} else {
			scrubber_remove(&s, one);
			count -= *references && !--*references;
		}
		assert_int_equal(s.count, count);
		whole = family_key(key, family, SHORTEST + LENGTHS - 1);
		memcpy(text, whole.ptr, whole.len);
		text[whole.len] = '\0';
		scrub_text(&s, text, sizeof(text));
		while (longest && !live[family][longest - 1])
			longest--;
		if (!longest)
			assert_true(str_eq(str_from(text), whole));
		else if (strncmp(text, MASKED, strlen(MASKED)) != 0 || strlen(text) != strlen(MASKED) + LENGTHS - longest)
			fail_msg("step %u: with a key of %u bytes live, %.*s became %s", step, SHORTEST + longest - 1,
			         STR_ARG(whole), text);
	}
	scrubber_release(&s);
}

static void test_faults(void **state)
{
	(void)state;
	assert_true(fault_loop(complete_use) >= 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_escaped_forms),
		cmocka_unit_test(test_overescaped_ordinary_key),
		cmocka_unit_test(test_several_keys),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_short_keys_are_ignored),
		cmocka_unit_test(test_in_place_cut),
		cmocka_unit_test(test_one_escape_anywhere),
		cmocka_unit_test(test_masked_and_cut),
		cmocka_unit_test(test_key_cut_at_the_end),
		cmocka_unit_test(test_finds),
		cmocka_unit_test(test_random_dress),
		cmocka_unit_test(test_hostile_texts),
		cmocka_unit_test(test_cut_inside),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_a_form_that_is_a_key_too),
		cmocka_unit_test(test_many_keys_come_and_go),
		cmocka_unit_test(test_faults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
