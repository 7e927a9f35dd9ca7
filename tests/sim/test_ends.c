/* test_ends.c: how runs end before their input does: deadlines, cancels, refusals, quotas, failing sources and sinks. In each case every turn has one
 * record. */
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define MS 1000ull
#define S  1000000ull

static size_t one_turn(size_t dataset)
{
	(void)dataset;
	return 1;
}

static size_t three_turns(size_t dataset)
{
	(void)dataset;
	return 3;
}

struct world {
	struct sim sim;
	struct sim_run run;
};

struct scenario {
	size_t datasets, fail_at;
	size_t (*turns)(size_t);
	struct fake_reply (*reply)(struct fake_executor *, const struct attempt *);
	bool ordered, deaf;
	uint32_t concurrency;
	uint64_t turn_timeout_ms, deadline_ms, sink_delay_us;
};

static void begin(struct world *w, const struct scenario *sc, uint64_t seed)
{
	struct options options;
	assert_true(sim_init(&w->sim, seed));
	fake_source_reset();
	sim_options(&options, sc->concurrency, false);
	options.turn_timeout_ms = sc->turn_timeout_ms;
	options.deadline_ms = sc->deadline_ms;
	struct fake_source_plan plan = { .datasets = sc->datasets,
		                         .turns = sc->turns,
		                         .fail_at = sc->fail_at ? sc->fail_at : SIZE_MAX };
	struct fake_executor *x =
	        fake_executor_new(&w->sim, "https://fake:443", sc->concurrency, sc->ordered, sc->datasets, sc->reply);
	x->deaf = sc->deaf;
	struct fake_sink *k = fake_sink_new(&w->sim, sc->datasets, sc->turns, 100, sc->sink_delay_us);
	sim_start(&w->sim, &w->run, &options, fake_source_new(&plan), x, k);
	assert_int_equal(w->run.start_code, 0);
}

static void close_world(struct world *w)
{
	run_free(w->run.run);
	sim_release(&w->sim);
}

static const struct run_counts *counts(const struct world *w)
{
	return run_counts(w->run.run);
}

static void check_end(const struct world *w, enum run_end end)
{
	assert_true(w->run.ended);
	assert_int_equal(run_end_state(w->run.run), end);
	fake_sink_check_complete(w->run.sink);
	assert_int_equal(counts(w)->done, w->run.sink->total);
	assert_int_equal(counts(w)->queued, 0);
	assert_int_equal(counts(w)->waiting_retry, 0);
}

static struct fake_reply in_100_ms(struct fake_executor *x, const struct attempt *a)
{
	(void)x;
	(void)a;
	return FAKE_OK(100 * MS);
}

static struct fake_reply never(struct fake_executor *x, const struct attempt *a)
{
	(void)x;
	(void)a;
	return FAKE_OK(100000 * S);
}

static struct fake_reply fails_503(struct fake_executor *x, const struct attempt *a)
{
	(void)x;
	(void)a;
	return (struct fake_reply){ 10 * MS, OUTCOME_HTTP_5XX, 503, true, false, false, -1 };
}

/* ---- deadline of the run ---- */

static void test_deadline_leaves_the_rest(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 5000, .turns = one_turn, .reply = in_100_ms, .concurrency = 4, .deadline_ms = 1050 };
	begin(&w, &sc, 1);
	uint64_t start = w.sim.now_us;
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_DEADLINE);
	assert_int_equal(w.run.ended_us - start, 1050 * MS); /* not a moment later: the fakes obey at once */
	assert_int_equal(counts(&w)->outcomes[OUTCOME_OK], 40);
	assert_int_equal(counts(&w)->outcomes[OUTCOME_TIMEOUT], 4);
	assert_int_equal(counts(&w)->outcomes[OUTCOME_NOT_RUN], 5000 - 44);
	assert_string_equal(w.run.sink->failure, "not run: deadline");
	close_world(&w);
}

static void test_deadline_cuts_calls_off(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = {
		.datasets = 3, .turns = three_turns, .reply = never, .ordered = true, .concurrency = 4, .deadline_ms = 2000
	};
	begin(&w, &sc, 1);
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_DEADLINE);
	assert_int_equal(counts(&w)->outcomes[OUTCOME_TIMEOUT], 3);
	assert_int_equal(counts(&w)->outcomes[OUTCOME_NOT_RUN], 6);
	assert_int_equal(w.run.executor->cancelled, 3);
	close_world(&w);
}

static void test_deadline_while_backing_off(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 8, .turns = one_turn, .reply = fails_503, .concurrency = 4, .deadline_ms = 700 };
	begin(&w, &sc, 3);
	sim_run_to_end(&w.sim, &w.run, 1);
	assert_true(w.run.ended_us - 1000000 <= 700 * MS);
	fake_sink_check_complete(w.run.sink);
	/* a second wait would end behind the deadline: the turns gave up with what they had */
	assert_int_equal(counts(&w)->outcomes[OUTCOME_HTTP_5XX], 8);
	assert_int_equal(run_end_state(w.run.run), RUN_FINISHED);
	close_world(&w);
}

static void test_deadline_that_comes_too_late_changes_nothing(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = {
		.datasets = 4, .turns = one_turn, .reply = in_100_ms, .concurrency = 4, .deadline_ms = 100, .sink_delay_us = 50000
	};
	begin(&w, &sc, 1);
	sim_run_to_end(&w.sim, &w.run, 1);
	/* answers and deadline come at the same moment; whatever was answered stands */
	assert_int_equal(counts(&w)->outcomes[OUTCOME_OK] + counts(&w)->outcomes[OUTCOME_TIMEOUT], 4);
	assert_int_equal(run_end_state(w.run.run), counts(&w)->outcomes[OUTCOME_TIMEOUT] ? RUN_DEADLINE : RUN_FINISHED);
	close_world(&w);
}

static void test_started_long_ago(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 2000, .turns = one_turn, .reply = in_100_ms, .concurrency = 4, .deadline_ms = 500 };
	begin(&w, &sc, 1);
	w.sim.now_us += 10 * S; /* the first step comes after the deadline */
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_DEADLINE);
	assert_int_equal(counts(&w)->outcomes[OUTCOME_NOT_RUN], 2000);
	assert_int_equal(w.run.executor->started, 0);
	close_world(&w);
}

/* ---- timeout of a turn ---- */

/* Two at a time. */
static void six_turns_time_out(size_t datasets, size_t (*turns)(size_t), uint64_t deadline_ms)
{
	struct world w;
	struct scenario sc = { .datasets = datasets,
		               .turns = turns,
		               .reply = never,
		               .concurrency = 2,
		               .turn_timeout_ms = 1500,
		               .deadline_ms = deadline_ms };
	begin(&w, &sc, 1);
	uint64_t start = w.sim.now_us;
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_FINISHED);
	assert_int_equal(counts(&w)->outcomes[OUTCOME_TIMEOUT], 6);
	assert_int_equal(w.run.ended_us - start, 4500 * MS);
	assert_string_equal(w.run.sink->failure, "Fake: the turn's timeout of 1.5 s passed before the answer was complete.");
	assert_true(w.run.sink->longest_ms == 1500.0);
	close_world(&w);
}

static void test_turn_timeout(void **state)
{
	(void)state;
	six_turns_time_out(6, one_turn, 0);
	six_turns_time_out(2, three_turns, 0);
	/* the run's own, later time is nothing that a turn waits for */
	six_turns_time_out(6, one_turn, 60000);
	six_turns_time_out(2, three_turns, 60000);
}

static void test_turn_timeout_counts_all_attempts(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 1, .turns = one_turn, .reply = fails_503, .concurrency = 1, .turn_timeout_ms = 600 };
	begin(&w, &sc, 1);
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_FINISHED);
	assert_int_equal(counts(&w)->attempts, 2); /* the wait before a third would pass the timeout */
	assert_int_equal(counts(&w)->outcomes[OUTCOME_HTTP_5XX], 1);
	close_world(&w);
}

static void test_deaf_executor(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = {
		.datasets = 2, .turns = one_turn, .reply = never, .concurrency = 2, .turn_timeout_ms = 1000, .deaf = true
	};
	begin(&w, &sc, 1);
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_FINISHED); /* the answers that came in spite of the cancel count */
	assert_int_equal(counts(&w)->outcomes[OUTCOME_OK], 2);
	close_world(&w);
}

/* ---- cancel ---- */

static void test_soft_cancel_keeps_what_is_in_flight(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 1000, .turns = three_turns, .reply = in_100_ms, .ordered = true, .concurrency = 8 };
	begin(&w, &sc, 1);
	uint64_t start = w.sim.now_us;
	sim_run_until(&w.sim, start + 250 * MS);
	run_cancel(w.run.run, w.sim.now_us, 5 * S);
	assert_true(w.sim.woken);
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_CANCELLED);
	assert_int_equal(w.run.ended_us - start, 300 * MS); /* with the last turn in flight, not with the grace */
	assert_int_equal(counts(&w)->outcomes[OUTCOME_OK], 24);
	assert_int_equal(counts(&w)->outcomes[OUTCOME_CANCELLED], 0);
	assert_int_equal(counts(&w)->outcomes[OUTCOME_NOT_RUN], 3000 - 24);
	assert_int_equal(w.run.executor->cancelled, 0);
	close_world(&w);
}

static void test_grace_ends(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 10, .turns = one_turn, .reply = never, .concurrency = 8 };
	begin(&w, &sc, 1);
	uint64_t start = w.sim.now_us;
	sim_run_until(&w.sim, start + 250 * MS);
	run_cancel(w.run.run, w.sim.now_us, 5 * S);
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_CANCELLED);
	assert_int_equal(w.run.ended_us - start, 5250 * MS);
	assert_int_equal(counts(&w)->outcomes[OUTCOME_CANCELLED], 8);
	assert_int_equal(counts(&w)->outcomes[OUTCOME_NOT_RUN], 2);
	close_world(&w);
}

static void test_second_cancel_is_hard(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 10, .turns = one_turn, .reply = never, .concurrency = 8 };
	begin(&w, &sc, 1);
	uint64_t start = w.sim.now_us;
	sim_run_until(&w.sim, start + 250 * MS);
	run_cancel(w.run.run, w.sim.now_us, 60 * S);
	sim_run_until(&w.sim, start + 300 * MS);
	assert_false(w.run.ended);
	run_cancel(w.run.run, w.sim.now_us, 60 * S);
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_CANCELLED);
	assert_int_equal(w.run.ended_us - start, 300 * MS);
	run_cancel(w.run.run, w.sim.now_us, 0); /* after the end: nothing */
	close_world(&w);
}

static void test_cancel_while_backing_off(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 1, .turns = one_turn, .reply = fails_503, .concurrency = 8 };
	begin(&w, &sc, 1);
	sim_run_until(&w.sim, w.sim.now_us + 100 * MS);
	assert_int_equal(counts(&w)->waiting_retry, 1);
	run_cancel(w.run.run, w.sim.now_us, 60 * S);
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_CANCELLED);
	assert_int_equal(counts(&w)->outcomes[OUTCOME_CANCELLED], 1);
	assert_string_equal(w.run.sink->failure,
	                    "Fake: the run was cancelled before another attempt; the last one said: Fake: it failed.");
	close_world(&w);
}

/* At random moments, both ways, with an executor that obeys late and a sink that is slow. */
static void test_cancel_at_random_moments(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct world w;
		struct scenario sc = { .datasets = 120,
			               .turns = three_turns,
			               .reply = seed % 3 ? in_100_ms : fails_503,
			               .ordered = seed % 2,
			               .deaf = seed % 5 == 0,
			               .concurrency = 8,
			               .turn_timeout_ms = 1000,
			               .sink_delay_us = seed % 4 ? 30000 : 0 };
		begin(&w, &sc, seed);
		sim_run_until(&w.sim, w.sim.now_us + rand_u32(&w.sim.rand) % 1500000);
		run_cancel(w.run.run, w.sim.now_us, seed % 2 ? 0 : rand_u32(&w.sim.rand) % 200000);
		if (seed % 7 == 0) {
			sim_run_until(&w.sim, w.sim.now_us + 20 * MS);
			run_cancel(w.run.run, w.sim.now_us, 0);
		}
		sim_run_to_end(&w.sim, &w.run, 1);
		fake_sink_check_complete(w.run.sink);
		assert_int_equal(counts(&w)->done, 360);
		close_world(&w);
	}
}

/* ---- refusals ---- */

static struct fake_reply refuses(struct fake_executor *x, const struct attempt *a)
{
	static const int statuses[] = { 401, 403, 404 };
	(void)x;
	return (struct fake_reply){ 10 * MS, OUTCOME_HTTP_4XX, statuses[a->dataset->index % 3], false, false, false, -1 };
}

static struct fake_reply refuses_but_one(struct fake_executor *x, const struct attempt *a)
{
	return a->dataset->index == 19 ? FAKE_OK(10 * MS) : refuses(x, a);
}

static void test_refused(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 5000, .turns = one_turn, .reply = refuses, .concurrency = 3 };
	begin(&w, &sc, 1);
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_REFUSED);
	/* 20 refused, and those that were in flight then: three started together, so the 20th and 21st came at the same moment */
	assert_int_equal(counts(&w)->refused, 21);
	assert_int_equal(counts(&w)->outcomes[OUTCOME_NOT_RUN], 5000 - 21);
	assert_string_equal(w.run.sink->failure, "not run: the target refused the first 20 turns (401, 403 or 404)");
	close_world(&w);
}

static void test_nineteen_refusals_do_not_stop(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 19, .turns = one_turn, .reply = refuses, .concurrency = 3 };
	begin(&w, &sc, 1);
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_FINISHED);
	assert_int_equal(counts(&w)->refused, 19);
	close_world(&w);
}

static void test_one_answer_among_refusals_goes_on(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 300, .turns = one_turn, .reply = refuses_but_one, .concurrency = 1 };
	begin(&w, &sc, 1);
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_FINISHED);
	assert_int_equal(counts(&w)->refused, 299);
	close_world(&w);
}

/* ---- quota ---- */

static struct fake_reply long_hint_from_the_fifth(struct fake_executor *x, const struct attempt *a)
{
	(void)a;
	if (x->started < 5)
		return FAKE_OK(10 * MS);
	return (struct fake_reply){ 10 * MS, OUTCOME_RATE_LIMITED, 429, true, false, false, 3600000 };
}

static struct fake_reply daily_quota(struct fake_executor *x, const struct attempt *a)
{
	(void)x;
	(void)a;
	return (struct fake_reply){ 10 * MS, OUTCOME_RATE_LIMITED, 429, false, true, false, -1 };
}

static void test_long_hint_ends_the_run(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 2000, .turns = one_turn, .reply = long_hint_from_the_fifth, .concurrency = 1 };
	begin(&w, &sc, 1);
	uint64_t start = w.sim.now_us;
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_QUOTA);
	assert_int_equal(w.run.ended_us - start, 50 * MS);
	assert_int_equal(counts(&w)->outcomes[OUTCOME_OK], 4);
	assert_int_equal(counts(&w)->outcomes[OUTCOME_RATE_LIMITED], 1);
	assert_int_equal(counts(&w)->outcomes[OUTCOME_NOT_RUN], 1995);
	assert_int_equal(run_retry_after_ms(w.run.run), 3600000);
	assert_string_equal(w.run.sink->failure, "not run: the provider's quota is spent");
	close_world(&w);
}

static void test_daily_quota_ends_the_run(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 100, .turns = one_turn, .reply = daily_quota, .concurrency = 4 };
	begin(&w, &sc, 1);
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_QUOTA);
	assert_int_equal(counts(&w)->outcomes[OUTCOME_RATE_LIMITED], 4);
	assert_int_equal(run_retry_after_ms(w.run.run), -1);
	close_world(&w);
}

/* ---- a set-up that is wrong for every turn ---- */

static struct fake_reply wrong_set_up(struct fake_executor *x, const struct attempt *a)
{
	(void)a;
	return (struct fake_reply){
		.latency_us = x->started * 10 * MS, .outcome = OUTCOME_HTTP_4XX, .status = 404, .setup_error = true, .hint_ms = -1
	};
}

static struct fake_reply wrong_set_up_after_an_answer(struct fake_executor *x, const struct attempt *a)
{
	return x->started == 1 ? FAKE_OK(MS) : wrong_set_up(x, a);
}

static void test_wrong_set_up_is_one_answer(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 3000, .turns = three_turns, .reply = wrong_set_up, .concurrency = 4, .ordered = true };
	begin(&w, &sc, 1);
	sim_run_to_end(&w.sim, &w.run, 1);
	assert_true(run_is_void(w.run.run));
	assert_int_equal(run_end_state(w.run.run), RUN_FAILED);
	assert_int_equal(run_error(w.run.run)->code, FF_EUSAGE);
	assert_string_equal(run_error(w.run.run)->text, "Fake: it failed.");
	assert_int_equal(w.run.executor->started, 4);
	assert_int_equal(w.run.executor->cancelled, 3);
	assert_int_equal(w.run.sink->records + w.run.sink->ended + w.run.turns_seen + counts(&w)->done, 0);
	assert_false(w.run.sink->finished);
	close_world(&w);
}

static void test_wrong_set_up_after_an_answer_is_a_failed_turn(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 15, .turns = one_turn, .reply = wrong_set_up_after_an_answer, .concurrency = 4 };
	begin(&w, &sc, 1);
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_FINISHED);
	assert_false(run_is_void(w.run.run));
	assert_int_equal(counts(&w)->outcomes[OUTCOME_HTTP_4XX], 14);
	close_world(&w);
}

/* ---- failing source and sink ---- */

static void test_source_fails(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 4000, .fail_at = 1500, .turns = one_turn, .reply = in_100_ms, .concurrency = 8 };
	begin(&w, &sc, 1);
	sim_run_to_end(&w.sim, &w.run, 1);
	assert_int_equal(run_end_state(w.run.run), RUN_FAILED);
	assert_int_equal(run_error(w.run.run)->code, FF_EIO);
	assert_string_equal(run_error(w.run.run)->text, "The file cannot be read: the disk is gone.");
	assert_int_equal(counts(&w)->done, 1500); /* what was read has its records */
	assert_int_equal(w.run.sink->ended, 1500);
	assert_true(w.run.sink->finished);
	close_world(&w);
}

static void test_record_cannot_be_kept(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		struct world w;
		struct scenario sc = {
			.datasets = 400, .turns = one_turn, .reply = in_100_ms, .concurrency = 8, .sink_delay_us = late ? 5000 : 0
		};
		begin(&w, &sc, 1);
		w.run.sink->fail_at = 20;
		sim_run_to_end(&w.sim, &w.run, 1);
		assert_int_equal(run_end_state(w.run.run), RUN_FAILED);
		assert_int_equal(run_error(w.run.run)->code, FF_EOUTPUT);
		fake_sink_check_complete(w.run.sink);        /* the other sinks of a tee get the rest */
		assert_int_equal(counts(&w)->done, 400 - 1); /* a turn counts when its record is in */
		assert_int_equal(w.run.turns_seen, 400 - 1);
		assert_true(w.run.executor->started < 60);
		close_world(&w);
	}
}

static void test_dataset_end_and_end_fail(void **state)
{
	(void)state;
	for (int at_end = 0; at_end < 2; at_end++) {
		struct world w;
		struct scenario sc = {
			.datasets = 40, .turns = three_turns, .reply = in_100_ms, .ordered = true, .concurrency = 8
		};
		begin(&w, &sc, 1);
		w.run.sink->fail_end = at_end;
		w.run.sink->fail_dataset_end = !at_end;
		sim_run_to_end(&w.sim, &w.run, 1);
		fake_sink_check_complete(w.run.sink);
		assert_int_equal(run_end_state(w.run.run), RUN_FAILED);
		assert_int_equal(run_error(w.run.run)->code, FF_EOUTPUT);
		assert_string_equal(run_error(w.run.run)->text, at_end ? "The output cannot be closed." : "The disk is full.");
		close_world(&w);
	}
}

static void test_sink_cannot_begin(void **state)
{
	(void)state;
	struct sim sim;
	struct sim_run run;
	struct options options;
	assert_true(sim_init(&sim, 1));
	sim_options(&options, 4, true);
	struct fake_source_plan plan = { .datasets = 3, .turns = one_turn, .fail_at = SIZE_MAX };
	struct fake_sink *k = fake_sink_new(&sim, 3, one_turn, 10, 0);
	k->fail_begin = true;
	sim_start(&sim, &run, &options, fake_source_new(&plan), fake_executor_new(&sim, "https://fake:443", 4, false, 3, in_100_ms),
	          k);
	assert_int_equal(run.start_code, FF_EOUTPUT);
	sim_settle(&sim);
	sim_release(&sim); /* nothing is left: the sanitizer's leak check looks at the rest */
}

/* A sink takes its credits away and gives them back without a record being done: the engine must ask again. */
static void test_credits_come_back_silently(void **state)
{
	(void)state;
	struct world w;
	struct scenario sc = { .datasets = 100, .turns = one_turn, .reply = in_100_ms, .concurrency = 4 };
	begin(&w, &sc, 1);
	sim_run_until(&w.sim, w.sim.now_us + 450 * MS);
	w.run.sink->base.credits = 0;
	sim_run_until(&w.sim, w.sim.now_us + 10 * S);
	assert_int_equal(w.run.executor->in_flight, 0);
	assert_int_equal(w.run.executor->started, 20);
	assert_int_equal(counts(&w)->done, 16);
	assert_true(sim_settle(&w.sim) <= w.sim.now_us + 100 * MS); /* nothing else would wake it */
	w.run.sink->base.credits = 10;
	sim_run_to_end(&w.sim, &w.run, 1);
	check_end(&w, RUN_FINISHED);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadline_leaves_the_rest),
		cmocka_unit_test(test_deadline_cuts_calls_off),
		cmocka_unit_test(test_deadline_while_backing_off),
		cmocka_unit_test(test_deadline_that_comes_too_late_changes_nothing),
		cmocka_unit_test(test_started_long_ago),
		cmocka_unit_test(test_turn_timeout),
		cmocka_unit_test(test_turn_timeout_counts_all_attempts),
		cmocka_unit_test(test_deaf_executor),
		cmocka_unit_test(test_soft_cancel_keeps_what_is_in_flight),
		cmocka_unit_test(test_grace_ends),
		cmocka_unit_test(test_second_cancel_is_hard),
		cmocka_unit_test(test_cancel_while_backing_off),
		cmocka_unit_test(test_cancel_at_random_moments),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nineteen_refusals_do_not_stop),
		cmocka_unit_test(test_one_answer_among_refusals_goes_on),
		cmocka_unit_test(test_long_hint_ends_the_run),
		cmocka_unit_test(test_daily_quota_ends_the_run),
		cmocka_unit_test(test_wrong_set_up_is_one_answer),
		cmocka_unit_test(test_wrong_set_up_after_an_answer_is_a_failed_turn),
		cmocka_unit_test(test_source_fails),
		cmocka_unit_test(test_record_cannot_be_kept),
		cmocka_unit_test(test_dataset_end_and_end_fail),
		cmocka_unit_test(test_sink_cannot_begin),
		cmocka_unit_test(test_credits_come_back_silently),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
