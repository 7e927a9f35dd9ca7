/* test_log.c: levels, the escaping of other people's text, and that no key and no control character leaves through a log line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"

struct seen {
	unsigned count;
	enum log_level level;
	char message[30000];
};

static void keep(void *user, enum log_level level, const char *message)
{
	struct seen *seen = user;

	seen->count++;
	seen->level = level;
	snprintf(seen->message, sizeof seen->message, "%s", message);
}

static void test_levels(void **state)
{
	struct seen seen = { 0 };
	struct logger l = { LOG_INFO, keep, &seen, NULL };
	struct logger silent = { LOG_DEBUG, NULL, NULL, NULL };

	(void)state;
	log_debug(&l, "too fine");
	assert_int_equal(seen.count, 0);
	log_info(&l, "turn %d", 3);
	assert_string_equal(seen.message, "turn 3");
	log_error(&l, "bad");
	assert_int_equal(seen.level, LOG_ERROR);
	assert_int_equal(seen.count, 2);
	log_error(&silent, "nobody hears it");
	log_error(NULL, "nobody hears it");
	assert_string_equal(log_level_name(LOG_WARNING), "warning");
	assert_string_equal(log_level_name(LOG_DEBUG), "debug");
	assert_string_equal(log_level_name((enum log_level)99), "unknown");
}

static void test_scrubbed_and_escaped(void **state)
{
	struct seen seen = { 0 };
	struct scrubber s;
	struct logger l = { LOG_DEBUG, keep, &seen, &s };

	(void)state;
	scrubber_init(&s);
	assert_int_equal(scrubber_add(&s, STR("sk-planted-0123")), 0);
	log_warning(&l, "reply: %s", "\x1b[2Jkey sk-planted-0123\n\xC3\xA9");
	assert_string_equal(seen.message, "reply: \\x1b[2Jkey [REDACTED]\\x0a\xC3\xA9");
	mem_fault_arm(1, true);
	log_warning(&l, "reply: %s", "\x1b[2Jkey sk-planted-0123\n");
	mem_fault_arm(0, false);
	assert_string_equal(seen.message, "reply: ?[2Jkey [REDACTED]?"); /* no memory: still said, still harmless */
	scrubber_release(&s);
}

static void test_long_message(void **state)
{
	static char longer[9000];
	struct seen seen = { 0 };
	struct logger l = { LOG_DEBUG, keep, &seen, NULL };

	(void)state;
	memset(longer, 0x1b, sizeof longer - 1);
	log_info(&l, "%s", longer);
	assert_int_equal(strlen(seen.message), 4 * 2048);
	for (size_t i = 0; i + 2 < sizeof longer; i += 2)
		memcpy(longer + i, "\xC3\xA9", 2);
	log_info(&l, "x%s", longer);
	assert_true(utf8_is_valid(str_from(seen.message)));
	assert_int_equal(strlen(seen.message), 2047);
}

struct row {
	struct str in;
	bool keep_newlines;
	const char *expected;
};

static void test_escape(void **state)
{
	static const struct row rows[] = {
		{ { "", 0 }, false, "" },
		{ { "plain \\ \xE6\x97\xA5\xF0\x9F\x98\x80", 15 }, false, "plain \\ \xE6\x97\xA5\xF0\x9F\x98\x80" },
		{ { "\0\x01\x1f\x7f", 4 }, false, "\\x00\\x01\\x1f\\x7f" },
		{ { "\x1b]0;title\x07", 10 }, false, "\\x1b]0;title\\x07" },
		{ { "a\nb\tc\r", 6 }, true, "a\nb\tc\\x0d" },
		{ { "a\nb\tc\r", 6 }, false, "a\\x0ab\\x09c\\x0d" },
		{ { "\xC2\x80\xC2\x9B\xC2\x9F\xC2\xA0", 8 }, true, "\\u{0080}\\u{009B}\\u{009F}\xC2\xA0" },
		{ { "\xE2\x80\xA8\xE2\x80\xA9", 6 }, true, "\\u{2028}\\u{2029}" },
		{ { "\xE2\x80\xAE"
		    "evil\xE2\x81\xA6\xE2\x81\xA9\xD8\x9C\xE2\x80\x8F",
		    18 },
		  false,
		  "\\u{202E}evil\\u{2066}\\u{2069}\\u{061C}\\u{200F}" },
		{ { "\xF3\xA0\x81\x81", 4 }, false, "\\u{E0041}" },
		{ { "\xE2\x80\x8D", 3 }, false, "\xE2\x80\x8D" }, /* the joiner of emoji and Indic scripts passes */
		{ { "\x9b\xC3(\xFF\xED\xA0\x80", 7 }, true, "\\x9b\\xc3(\\xff\\xed\\xa0\\x80" },
		{ { "cut \xF0\x9F\x98", 7 }, true, "cut \\xf0\\x9f\\x98" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf out;

		buf_init(&out, 1000);
		assert_int_equal(escape_append(&out, rows[i].in, rows[i].keep_newlines), 0);
		if (strcmp(out.ptr, rows[i].expected) != 0)
			fail_msg("row %zu gave \"%s\"; expected \"%s\"", i, out.ptr, rows[i].expected);
		buf_release(&out);
	}
}

static void test_escape_json(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "" },
		{ "{\n  \"a\": \"b\\u001b\"\n}", "{\n  \"a\": \"b\\u001b\"\n}" },
		{ "\"\xc2\x9b"
		  "2J\x7f\xe2\x80\xae\"",
		  "\"\\u009b2J\\u007f\\u202e\"" },
		{ "\xf3\xa0\x80\x81", "\\udb40\\udc01" },
		{ "gr\xc3\xbc\xc3\x9f \xf0\x9f\x99\x8f", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x99\x8f" },
		{ "\xff\xc2", "\xff\xc2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf out;

		buf_init(&out, 1000);
		assert_int_equal(escape_append_json(&out, str_from(rows[i].in)), 0);
		if (!str_eq(buf_str(&out), str_from(rows[i].out)))
			fail_msg("row %zu: expected %s, got %.*s", i, rows[i].out, (int)out.len, out.ptr);
		buf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels), cmocka_unit_test(test_scrubbed_and_escaped), cmocka_unit_test(test_long_message),
		cmocka_unit_test(test_escape), cmocka_unit_test(test_escape_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
