/* test_progress.c: the bar's text, its arithmetic, columns of other people's text, and JSON events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "front/cli/events_json.h"
#include "front/cli/progress.h"
#include "front/common/terminal.h"

#define SECOND UINT64_C(1000000)

static void expect_text(struct progress *p, uint64_t now_us, unsigned columns, const char *wanted)
{
	struct buf out;

	buf_init(&out, 4096);
	progress_format(p, now_us, columns, &out);
	assert_non_null(out.ptr);
	assert_string_equal(out.ptr, wanted);
	assert_true(terminal_columns(buf_str(&out)) < columns);
	buf_release(&out);
}

static void test_bar(void **state)
{
	struct progress p;

	(void)state;
	progress_start(&p, PROGRESS_BAR, false, NULL, SECOND);
	p.counts = (struct ff_counts){ .batches = 20, .done = 10, .succeeded = 8, .failed = 2, .in_flight = 4 };
	expect_text(&p, 6 * SECOND, 100,
	            "[##############..............] 10/20 done, 8 ok, 2 failed, 4 in flight, 2.0/s, ETA 5.0 s");
	expect_text(&p, 6 * SECOND, 60, "10/20 done, 8 ok, 2 failed, 4 in flight, 2.0/s, ETA 5.0 s");
	expect_text(&p, 6 * SECOND, 30, "10/20 done, 8 ok, 2 failed, 4");
	expect_text(&p, SECOND, 60, "[########.........] 10/20 done, 8 ok, 2 failed, 4 in flight");
	p.counts = (struct ff_counts){ .batches = 20, .done = 18, .succeeded = 8, .failed = 2, .not_run = 8, .in_flight = 2 };
	expect_text(&p, 6 * SECOND, 90,
	            "[#########.........] 10/20 done, 8 ok, 2 failed, 2 in flight, 8 not run, 2.0/s, ETA 1.0 s");
	p.counts = (struct ff_counts){ .batches = 2, .done = 2, .succeeded = 2 };
	expect_text(&p, 3 * SECOND, 80, "[############################] 2/2 done, 2 ok, 0 failed, 0 in flight, 1.0/s");
	p.counts = (struct ff_counts){ .batches = 0 };
	expect_text(&p, SECOND, 60, "[###################] 0/0 done, 0 ok, 0 failed, 0 in flight");
}

static void test_rate_follows_the_last_seconds(void **state)
{
	struct progress p;
	struct ff_counts counts = { .batches = 10000 };

	(void)state;
	progress_start(&p, PROGRESS_NONE, false, NULL, SECOND);
	p.style = PROGRESS_JSON; /* samples, and a line too early to be due */
	for (uint64_t s = 1; s <= 4; s++) {
		counts.done = 50 * s;
		progress_tick(&p, &counts, s * SECOND + SECOND / 2 * (s > 1));
	}
	assert_true(progress_rate(&p, 5 * SECOND) > 49 && progress_rate(&p, 5 * SECOND) < 51);
	assert_true(progress_rate(&p, SECOND) == 0);
}

static void test_when_it_wants_to_be_called(void **state)
{
	struct progress p;

	(void)state;
	progress_start(&p, PROGRESS_NONE, false, NULL, SECOND);
	assert_int_equal(progress_timeout_ms(&p, SECOND), -1);
	progress_start(&p, PROGRESS_LINES, false, NULL, SECOND);
	p.counts.batches = 3;
	assert_int_equal(progress_timeout_ms(&p, SECOND), 5000);
	assert_int_equal(progress_timeout_ms(&p, 9 * SECOND), 0);
	p.counts.done = 3;
	assert_int_equal(progress_timeout_ms(&p, 9 * SECOND), -1);
}

static void expect_duration(double seconds, const char *wanted)
{
	char text[48];

	progress_format_duration(seconds, text, sizeof(text));
	assert_string_equal(text, wanted);
}

static void test_durations(void **state)
{
	(void)state;
	expect_duration(0.04, "0.0 s");
	expect_duration(9.96, "10.0 s");
	expect_duration(12.2, "13 s");
	expect_duration(59.5, "1 min 0 s");
	expect_duration(200, "3 min 20 s");
	expect_duration(7500, "2 h 5 min");
}

static void test_columns(void **state)
{
	(void)state;
	assert_int_equal(terminal_columns(STR("abc")), 3);
	assert_int_equal(terminal_columns(STR("\xe4\xbd\xa0\xe5\xa5\xbd")), 4);
	assert_int_equal(terminal_columns(STR("e\xcc\x81")), 1);
	assert_int_equal(terminal_columns(STR("\xf0\x9f\x98\x8a")), 2);
	assert_int_equal(terminal_fit(STR("a\xe4\xbd\xa0z"), 2), 1);
	assert_int_equal(terminal_fit(STR("a\xe4\xbd\xa0z"), 3), 4);
	assert_int_equal(terminal_fit(STR("ab"), 9), 2);
}

static void test_events_are_exact_and_harmless(void **state)
{
	struct ff_json_doc *doc;
	struct buf out;
	size_t len;

	(void)state;
	buf_init(&out, 4096);
	event_begin(&out, "turn");
	event_text(&out, "text", STR("a\x1b[2J \xe2\x80\xae \xc2\x9b \x7f \xe2\x80\xa8 \xf0\x9f\x98\x8a"));
	event_int_or_null(&out, "tokens", -1);
	event_ms(&out, "ms", 1.5);
	event_ms(&out, "none", -1);
	event_bool(&out, "ok", true);
	event_end(&out);
	assert_string_equal(out.ptr,
	                    "{\"event\":\"turn\",\"text\":\"a\\u001b[2J \\u202e \\u009b \\u007f \\u2028 \xf0\x9f\x98\x8a\","
	                    "\"tokens\":null,\"ms\":1.500,\"none\":null,\"ok\":true}");
	assert_int_equal(ff_json_parse(out.ptr, out.len, 0, 0, &doc, NULL), 0);
	assert_memory_equal(ff_json_text(ff_json_get(ff_json_root(doc), "text"), &len), "a\x1b[2J \xe2\x80\xae \xc2\x9b", 12);
	ff_json_free(doc);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bar),
		cmocka_unit_test(test_rate_follows_the_last_seconds),
		cmocka_unit_test(test_when_it_wants_to_be_called),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_events_are_exact_and_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
