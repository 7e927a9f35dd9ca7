/* test_retry.c: the retry decision as a table, and the waits as arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/retry.h"

static struct attempt_result result(enum outcome outcome, bool retryable, int64_t hint_ms)
{
	return (struct attempt_result){ .outcome = outcome, .retryable = retryable, .hint_ms = hint_ms };
}

static void test_table(void **state)
{
	static const struct {
		enum outcome outcome;
		bool retryable;
		int64_t hint_ms;
		bool daily;
		unsigned attempt;
		int32_t max_retries;
		enum retry_action action;
		uint64_t wait_us; /* of hints */
		bool pause;
	} rows[] = {
		/* an answer is an answer, whatever else the reply says */
		{ OUTCOME_OK, false, -1, false, 0, 2, RETRY_GIVE_UP, 0, false },
		{ OUTCOME_OK, true, 5000, false, 0, 2, RETRY_GIVE_UP, 0, false },
		{ OUTCOME_EMPTY, false, -1, true, 0, 2, RETRY_GIVE_UP, 0, false },
		{ OUTCOME_REFUSED, true, 999999, false, 0, 2, RETRY_GIVE_UP, 0, false },
		/* the class's rules said no */
		{ OUTCOME_HTTP_4XX, false, -1, false, 0, 2, RETRY_GIVE_UP, 0, false },
		{ OUTCOME_BAD_REPLY, false, -1, false, 0, 2, RETRY_GIVE_UP, 0, false },
		{ OUTCOME_TIMEOUT, false, -1, false, 0, 2, RETRY_GIVE_UP, 0, false },
		/* attempts: two retries are three requests; zero means zero */
		{ OUTCOME_HTTP_5XX, true, -1, false, 0, 0, RETRY_GIVE_UP, 0, false },
		{ OUTCOME_HTTP_5XX, true, -1, false, 2, 2, RETRY_GIVE_UP, 0, false },
		{ OUTCOME_HTTP_5XX, true, -1, false, 3, 2, RETRY_GIVE_UP, 0, false },
		{ OUTCOME_HTTP_5XX, true, -1, false, 0, -1, RETRY_GIVE_UP, 0, false },
		/* hints: exact, and they pause the target even when this turn gives up */
		{ OUTCOME_RATE_LIMITED, true, 4770, false, 0, 2, RETRY_WAIT, 4770000, true },
		{ OUTCOME_RATE_LIMITED, true, 1, false, 1, 2, RETRY_WAIT, 1000, true },
		{ OUTCOME_HTTP_5XX, true, 3000, false, 0, 2, RETRY_WAIT, 3000000, true },
		{ OUTCOME_RATE_LIMITED, true, 4770, false, 2, 2, RETRY_GIVE_UP, 4770000, true },
		{ OUTCOME_RATE_LIMITED, true, 120000, false, 0, 2, RETRY_WAIT, 120000000, true },
		/* quotas end the run, with or without attempts left */
		{ OUTCOME_RATE_LIMITED, true, 120001, false, 0, 2, RETRY_END_RUN, 120001000, false },
		{ OUTCOME_RATE_LIMITED, true, 120001, false, 2, 2, RETRY_END_RUN, 120001000, false },
		{ OUTCOME_RATE_LIMITED, true, -1, true, 0, 2, RETRY_END_RUN, 0, false },
		{ OUTCOME_RATE_LIMITED, false, 1000, true, 0, 0, RETRY_END_RUN, 1000000, false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct attempt_result r = result(rows[i].outcome, rows[i].retryable, rows[i].hint_ms);
		r.daily_quota = rows[i].daily;
		struct retry_decision d = retry_decide(&r, rows[i].attempt, rows[i].max_retries, 0.5, 8, 0.5);
		if (d.action != rows[i].action || d.pause_target != rows[i].pause || d.wait_us != rows[i].wait_us)
			fail_msg("row %zu: action %d, wait %llu us, pause %d", i, (int)d.action, (unsigned long long)d.wait_us,
			         (int)d.pause_target);
		assert_non_null(d.reason);
	}
}

static uint64_t backoff(unsigned attempt, double first_s, double cap_s, double unit, int64_t hint_ms)
{
	struct attempt_result r = result(OUTCOME_HTTP_5XX, true, hint_ms);
	struct retry_decision d = retry_decide(&r, attempt, 1000, first_s, cap_s, unit);
	assert_int_equal(d.action, RETRY_WAIT);
	assert_false(d.pause_target);
	return d.wait_us;
}

static void test_backoff(void **state)
{
	(void)state;
	static const uint64_t full[] = { 500000, 1000000, 2000000, 4000000, 8000000, 8000000 };
	for (unsigned k = 0; k < ARRAY_SIZE(full); k++) {
		assert_int_equal(backoff(k, 0.5, 8, 0, -1), full[k]);
		assert_int_equal(backoff(k, 0.5, 8, 1, -1), full[k] / 4 * 3); /* the jitter takes a quarter at most */
		uint64_t between = backoff(k, 0.5, 8, 0.3, -1);
		assert_true(between > full[k] / 4 * 3 && between < full[k]);
	}
	assert_int_equal(backoff(0, 0.5, 8, 0, 0), 500000); /* a hint of nothing is no hint */
	assert_int_equal(backoff(900, 0.5, 8, 0, -1), 8000000);
	assert_int_equal(backoff(3, 1, 60, 0, -1), 8000000);
	assert_int_equal(backoff(10, 1, 60, 0, -1), 60000000);
	assert_int_equal(backoff(5, 0, 8, 0, -1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_backoff),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
