/* test_result.c: the table of outcomes and the times of a turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "model/result.h"

static void outcomes_have_their_words(void **state)
{
	static const char *const words[] = { "ok",        "empty",        "truncated", "refused",   "filtered",
		                             "tool_only", "rate_limited", "timeout",   "transport", "http_4xx",
		                             "http_5xx",  "bad_reply",    "cancelled", "not_run" };
	(void)state;
	assert_int_equal(OUTCOME_COUNT, ARRAY_SIZE(words));
	for (int i = 0; i < OUTCOME_COUNT; i++) {
		assert_string_equal(outcome_word((enum outcome)i), words[i]);
		assert_true(outcome_text((enum outcome)i)[0] != '\0');
		assert_int_equal(outcome_is_success((enum outcome)i), i <= OUTCOME_TOOL_ONLY);
	}
	assert_string_equal(outcome_word(OUTCOME_COUNT), "unknown");
	assert_false(outcome_is_success(OUTCOME_COUNT));
}

static struct turn_result timed(struct stamps stamps)
{
	struct turn_result r = { .stamps = stamps };
	turn_result_times(&r);
	return r;
}

static void times_of_one_attempt(void **state)
{
	struct turn_result r = timed((struct stamps){ .planned = 1,
	                                              .queued = 2,
	                                              .first_sent = 1000,
	                                              .sent = 1000,
	                                              .connected = 1200,
	                                              .first_byte = 3000,
	                                              .first_content = 3100,
	                                              .last_byte = 4500 });
	(void)state;
	assert_true(r.execution_ms == 3.5);
	assert_true(r.service_ms == 3.5);
}

static void own_waits_count_and_others_do_not(void **state)
{
	struct turn_result r =
	        timed((struct stamps){ .first_sent = 1000, .sent = 51000, .last_byte = 61000, .other_waits_us = 20000 });
	(void)state;
	assert_true(r.execution_ms == 40.0);
	assert_true(r.service_ms == 10.0);
}

static void a_turn_without_a_last_byte_ends_with_what_is_known(void **state)
{
	struct turn_result r = timed((struct stamps){ .first_sent = 1000, .sent = 1000, .connected = 3000 });
	(void)state;
	assert_true(r.execution_ms == 2.0);
	r = timed((struct stamps){ .first_sent = 1000, .sent = 9000 });
	assert_true(r.execution_ms == 8.0);
	assert_true(r.service_ms == 0.0);
}

static void times_are_never_negative(void **state)
{
	struct turn_result r = timed((struct stamps){ .planned = 5, .queued = 6 });
	(void)state;
	assert_true(r.execution_ms == 0.0);
	assert_true(r.service_ms == 0.0);
	r = timed((struct stamps){ .first_sent = 1000, .sent = 1000, .last_byte = 2000, .other_waits_us = 5000 });
	assert_true(r.execution_ms == 0.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outcomes_have_their_words),
		cmocka_unit_test(times_of_one_attempt),
		cmocka_unit_test(own_waits_count_and_others_do_not),
		cmocka_unit_test(a_turn_without_a_last_byte_ends_with_what_is_known),
		cmocka_unit_test(times_are_never_negative),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
