/* test_target.c: what runs share and how slots are used: fairness, the adaptive limit, pauses, the order of sessions, and which waits are a turn's own. */
#include "sim.h"

#include <math.h>
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

static struct fake_reply in_10_ms(struct fake_executor *x, const struct attempt *a)
{
	(void)x;
	(void)a;
	return FAKE_OK(10 * MS);
}

static struct fake_reply in_1_s(struct fake_executor *x, const struct attempt *a)
{
	(void)x;
	(void)a;
	return FAKE_OK(S);
}

struct setup {
	const char *origin;
	size_t datasets;
	size_t (*turns)(size_t);
	struct fake_reply (*reply)(struct fake_executor *, const struct attempt *);
	uint32_t concurrency;
	bool adaptive, ordered;
	enum run_order order;
	int32_t max_retries;
	void (*check)(struct fake_sink *, const struct turn_result *);
};

static void start(struct sim *s, struct sim_run *r, const struct setup *u)
{
	struct options options;
	sim_options(&options, u->concurrency, u->adaptive);
	options.order = u->order;
	options.max_retries = u->max_retries;
	struct fake_source_plan plan = { .datasets = u->datasets, .turns = u->turns, .fail_at = SIZE_MAX };
	struct fake_sink *k = fake_sink_new(s, u->datasets, u->turns, SIZE_MAX, 0);
	k->check = u->check;
	sim_start(s, r, &options, fake_source_new(&plan),
	          fake_executor_new(s, u->origin, u->concurrency, u->ordered, u->datasets, u->reply), k);
	assert_int_equal(r->start_code, 0);
}

static const struct setup usual = {
	.origin = "https://a:443", .datasets = 4000, .turns = one_turn, .reply = in_10_ms, .concurrency = 16, .max_retries = -1
};

/* ---- sharing ---- */

static void test_two_runs_share_one_target(void **state)
{
	(void)state;
	struct sim sim;
	struct sim_run runs[2];
	struct setup fast = usual, slow = usual;
	slow.reply = in_1_s;
	fast.datasets = 20000;
	assert_true(sim_init(&sim, 1));
	start(&sim, &runs[0], &slow);
	start(&sim, &runs[1], &fast);
	sim_run_until(&sim, sim.now_us + 3 * S);
	/* half the slots each, although the slow turns hold theirs a hundred times as long */
	assert_int_equal(runs[0].executor->in_flight, 8);
	assert_int_equal(runs[1].executor->in_flight, 8);
	sim_run_until(&sim, sim.now_us + 7 * S);
	assert_in_range(run_counts(runs[0].run)->done, 70, 90);
	run_cancel(runs[0].run, sim.now_us, 0);
	run_cancel(runs[1].run, sim.now_us, 0);
	sim_run_to_end(&sim, runs, 2);
	run_free(runs[0].run);
	run_free(runs[1].run);
	sim_release(&sim);
}

static void late_run(bool ordered)
{
	struct sim sim;
	struct sim_run runs[2];
	struct setup late = usual;
	late.datasets = 50;
	late.ordered = ordered;
	assert_true(sim_init(&sim, 1));
	start(&sim, &runs[0], &usual);
	sim_run_until(&sim, sim.now_us + 100 * MS);
	start(&sim, &runs[1], &late);
	uint64_t from = sim.now_us;
	sim_run_to_end(&sim, &runs[1], 1);
	assert_in_range(runs[1].ended_us - from, 70 * MS, 90 * MS); /* 50 turns in 8 slots: 7 rounds of 10 ms */
	assert_false(runs[0].ended);
	sim_run_to_end(&sim, runs, 2);
	run_free(runs[0].run);
	run_free(runs[1].run);
	sim_release(&sim);
}

static void test_a_late_run_is_not_starved(void **state)
{
	(void)state;
	late_run(false);
	late_run(true);
}

/* As the loop does it: a step each time, and each takes its time. */
static void run_passes(struct sim *s, uint64_t us, uint64_t pass_us)
{
	for (uint64_t until_us = s->now_us + us; s->now_us < until_us; s->now_us += pass_us) {
		timers_run(&s->timers, s->now_us);
		engine_step(s->engine, s->now_us);
	}
}

static struct fake_reply within_2_ms(struct fake_executor *x, const struct attempt *a)
{
	(void)a;
	return FAKE_OK(1 + (uint64_t)(rand_unit(&x->sim->rand) * 2000));
}

static void other_target(bool ordered)
{
	struct sim sim;
	struct sim_run runs[2];
	struct setup busy = usual, other = usual;
	busy.datasets = 10000;
	busy.concurrency = 1000;
	busy.reply = within_2_ms;
	other.origin = "https://b:443";
	other.datasets = 500;
	other.ordered = ordered;
	assert_true(sim_init(&sim, 1));
	start(&sim, &runs[0], &busy);
	run_passes(&sim, 10 * MS, 300);
	start(&sim, &runs[1], &other);
	run_passes(&sim, 50 * MS, 300);
	assert_false(runs[0].ended);
	assert_in_range(runs[1].executor->started, 64, 80); /* 16 slots, 10 ms each */
	sim_run_to_end(&sim, runs, 2);
	run_free(runs[0].run);
	run_free(runs[1].run);
	sim_release(&sim);
}

/* A run that could start turns in every step leaves the other targets theirs. */
static void test_a_busy_target_leaves_others_their_turn(void **state)
{
	(void)state;
	other_target(false);
	other_target(true);
}

static void test_other_targets_and_keys_are_apart(void **state)
{
	(void)state;
	struct sim sim;
	struct sim_run runs[2];
	struct setup a = usual, b = usual;
	b.origin = "https://b:443";
	assert_true(sim_init(&sim, 1));
	start(&sim, &runs[0], &a);
	start(&sim, &runs[1], &b);
	sim_run_until(&sim, sim.now_us + 100 * MS);
	assert_int_equal(runs[0].executor->in_flight, 16);
	assert_int_equal(runs[1].executor->in_flight, 16);
	sim_run_to_end(&sim, runs, 2);
	run_free(runs[0].run);
	run_free(runs[1].run);
	sim_release(&sim);
}

static void test_many_runs_one_after_the_other(void **state)
{
	(void)state;
	struct sim sim;
	assert_true(sim_init(&sim, 1));
	for (int i = 0; i < 300; i++) { /* more targets than are kept */
		struct sim_run run;
		char origin[32];
		snprintf(origin, sizeof origin, "https://h%d:443", i);
		struct setup u = usual;
		u.origin = origin;
		u.datasets = 3;
		start(&sim, &run, &u);
		sim_run_to_end(&sim, &run, 1);
		fake_sink_check_complete(run.sink);
		run_free(run.run);
		assert_true(sim.timers.reserved <= 65);
	}
	sim_release(&sim);
}

/* ---- the adaptive limit ---- */

static void test_slow_start_doubles(void **state)
{
	(void)state;
	struct sim sim;
	struct sim_run run;
	struct setup u = usual;
	u.adaptive = true;
	u.concurrency = 50;
	u.reply = in_1_s;
	assert_true(sim_init(&sim, 1));
	start(&sim, &run, &u);
	static const uint32_t expected[] = { 4, 8, 16, 32, 50, 50 };
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		sim_run_until(&sim, 1000000 + i * S + 500 * MS);
		assert_int_equal(run.executor->in_flight, expected[i]);
		assert_int_equal(run_concurrency_now(run.run), expected[i]);
	}
	run_cancel(run.run, sim.now_us, 0);
	sim_run_to_end(&sim, &run, 1);
	run_free(run.run);
	sim_release(&sim);
}

static void test_no_growth_without_demand(void **state)
{
	(void)state;
	struct sim sim;
	struct sim_run run;
	struct setup u = usual;
	u.adaptive = true;
	u.datasets = 3; /* fewer sessions than the limit at the start */
	u.ordered = true;
	u.turns = one_turn;
	assert_true(sim_init(&sim, 1));
	start(&sim, &run, &u);
	sim_run_to_end(&sim, &run, 1);
	assert_int_equal(run_concurrency_now(run.run), 4);
	run_free(run.run);
	sim_release(&sim);
}

/* A target that takes 10 at a time and refuses the rest at once. */
static struct fake_reply takes_ten(struct fake_executor *x, const struct attempt *a)
{
	(void)a;
	if (x->in_flight > 10)
		return (struct fake_reply){ MS, OUTCOME_RATE_LIMITED, 429, true, false, false, -1 };
	return FAKE_OK(100 * MS);
}

/* Slots are free all the time, but a step starts only so many turns: that is no reason to allow more. */
static void test_no_growth_when_starting_is_what_holds(void **state)
{
	(void)state;
	struct sim sim;
	struct sim_run run;
	struct setup u = usual;
	u.adaptive = true;
	u.concurrency = 5000;
	u.datasets = 40000;
	u.reply = within_2_ms;
	assert_true(sim_init(&sim, 1));
	start(&sim, &run, &u);
	run_passes(&sim, 200 * MS, 300);
	assert_false(run.ended);
	assert_in_range(run_concurrency_now(run.run), 1, 2 * run.executor->most_in_flight);
	run_cancel(run.run, sim.now_us, 0);
	sim_run_to_end(&sim, &run, 1);
	run_free(run.run);
	sim_release(&sim);
}

static void test_adapts_to_a_target_that_takes_ten(void **state)
{
	(void)state;
	struct sim sim;
	struct sim_run run;
	struct setup u = usual;
	u.adaptive = true;
	u.concurrency = 64;
	u.reply = takes_ten;
	u.max_retries = 20;
	assert_true(sim_init(&sim, 1));
	start(&sim, &run, &u);
	sim_run_until(&sim, sim.now_us + 400 * MS);
	assert_int_equal(run_concurrency_now(run.run), 8); /* 4, 8, 16, and one cut although six were refused */
	sim_run_to_end(&sim, &run, 1);
	assert_int_equal(run_counts(run.run)->outcomes[OUTCOME_OK], 4000);
	assert_true(run_counts(run.run)->retries < 60);
	assert_in_range(run.ended_us, 40 * S, 80 * S); /* 40 s would be ten at a time all along, 80 s five */
	run_free(run.run);
	sim_release(&sim);
}

/* ---- pauses ---- */

static uint64_t refused_until;

static struct fake_reply refuses_for_30_s(struct fake_executor *x, const struct attempt *a)
{
	(void)a;
	uint64_t at = x->sim->now_us;
	if (at > 2 * S && at < refused_until)
		return (struct fake_reply){
			MS, OUTCOME_RATE_LIMITED, 429, true, false, false, (int64_t)(refused_until - at) / 1000 + 1
		};
	return FAKE_OK(100 * MS);
}

static void test_a_hint_pauses_the_target_of_both_runs(void **state)
{
	(void)state;
	struct sim sim;
	struct sim_run runs[2];
	struct setup u = usual;
	u.reply = refuses_for_30_s;
	u.datasets = 400;
	refused_until = 32 * S;
	assert_true(sim_init(&sim, 1));
	start(&sim, &runs[0], &u);
	start(&sim, &runs[1], &u);
	sim_run_until(&sim, 2500 * MS);
	uint64_t attempts = runs[0].executor->started + runs[1].executor->started;
	assert_int_equal(runs[0].executor->in_flight + runs[1].executor->in_flight, 0);
	sim_run_until(&sim, 31 * S);
	assert_int_equal(runs[0].executor->started + runs[1].executor->started, attempts); /* nobody tried again in between */
	sim_run_to_end(&sim, runs, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(run_counts(runs[i].run)->outcomes[OUTCOME_OK], 400);
		assert_true(run_counts(runs[i].run)->retries <= 16);
		run_free(runs[i].run);
	}
	sim_release(&sim);
}

static void test_a_pause_outlives_its_run(void **state)
{
	(void)state;
	struct sim sim;
	struct sim_run run;
	struct setup u = usual;
	u.reply = refuses_for_30_s;
	u.datasets = 1;
	u.max_retries = 0;
	refused_until = 32 * S;
	assert_true(sim_init(&sim, 1));
	sim.now_us = 3 * S;
	start(&sim, &run, &u);
	sim_run_to_end(&sim, &run, 1);
	assert_int_equal(run_counts(run.run)->outcomes[OUTCOME_RATE_LIMITED], 1); /* max_retries 0 means 0 */
	run_free(run.run);
	start(&sim, &run, &u);
	sim_run_to_end(&sim, &run, 1);
	assert_int_equal(run_counts(run.run)->outcomes[OUTCOME_OK], 1);
	assert_int_equal(run_counts(run.run)->attempts, 1);
	assert_true(run.executor->last_start_us >= 32 * S);
	run_free(run.run);
	sim_release(&sim);
}

/* ---- times ---- */

/* Dataset 0 is refused with a hint of 10 s after 1 s; dataset 1 fails with 503 after 1 s and would try again half a second later. */
static struct fake_reply one_refused_one_failed(struct fake_executor *x, const struct attempt *a)
{
	(void)x;
	if (a->index > 0 || a->dataset->index > 1)
		return FAKE_OK(S);
	if (a->dataset->index == 0)
		return (struct fake_reply){ S, OUTCOME_RATE_LIMITED, 429, true, false, false, 10000 };
	return (struct fake_reply){ S, OUTCOME_HTTP_5XX, 503, true, false, false, -1 };
}

static struct turn_result seen[4];

static void remember(struct fake_sink *k, const struct turn_result *r)
{
	(void)k;
	seen[r->dataset->index] = *r;
}

static void test_waits_of_others_are_not_in_the_time(void **state)
{
	(void)state;
	struct sim sim;
	struct sim_run run;
	struct setup u = usual;
	u.reply = one_refused_one_failed;
	u.datasets = 4;
	u.concurrency = 2;
	u.check = remember;
	assert_true(sim_init(&sim, 1));
	start(&sim, &run, &u);
	sim_run_to_end(&sim, &run, 1);
	/* refused: 1 s, its own hint of 10 s, 1 s */
	assert_true(fabs(seen[0].execution_ms - 12000) < 0.001);
	assert_int_equal(seen[0].stamps.other_waits_us, 0);
	/* failed: 1 s, its own back-off of 0.375 to 0.5 s, 1 s; the rest of the target's pause is the other's */
	assert_true(seen[1].execution_ms >= 2375 && seen[1].execution_ms <= 2500);
	assert_true(seen[1].stamps.other_waits_us >= 9500000);
	assert_true(seen[1].service_ms == 1000);
	assert_int_equal(seen[1].attempts, 2);
	/* never refused: the pause is in the queue time only */
	assert_true(seen[2].execution_ms == 1000);
	assert_int_equal(seen[2].stamps.planned, 1000000);
	assert_int_equal(seen[2].stamps.queued, 1000000);
	assert_true(seen[2].stamps.first_sent >= 12 * S);
	run_free(run.run);
	sim_release(&sim);
}

/* ---- order ---- */

static size_t order_seen[16], order_count;

static struct fake_reply note_order(struct fake_executor *x, const struct attempt *a)
{
	(void)x;
	if (order_count < 16)
		order_seen[order_count++] = a->dataset->index * 10 + a->batch;
	return FAKE_OK(MS);
}

static size_t one_three_two(size_t dataset)
{
	static const size_t turns[] = { 1, 3, 2 };
	return turns[dataset];
}

static void check_order_of(enum run_order order, bool ordered, const size_t *expected)
{
	struct sim sim;
	struct sim_run run;
	struct setup u = usual;
	u.reply = note_order;
	u.datasets = 3;
	u.turns = one_three_two;
	u.concurrency = 1;
	u.order = order;
	u.ordered = ordered;
	order_count = 0;
	assert_true(sim_init(&sim, 1));
	start(&sim, &run, &u);
	sim_run_to_end(&sim, &run, 1);
	assert_int_equal(order_count, 6);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(order_seen[i], expected[i]);
	run_free(run.run);
	sim_release(&sim);
}

static void test_orders(void **state)
{
	(void)state;
	static const size_t input[] = { 0, 10, 11, 12, 20, 21 };
	static const size_t longest[] = { 10, 20, 11, 0, 21, 12 }; /* 3 left; 2 and 2; then one each, as they became ready */
	check_order_of(ORDER_INPUT, true, input);
	check_order_of(ORDER_LONGEST_FIRST, true, longest);
	check_order_of(ORDER_LONGEST_FIRST, false, input); /* independent turns are all equally long */
	check_order_of(ORDER_INPUT, false, input);
}

/* ---- makespan ---- */

static size_t uneven(size_t dataset)
{
	return dataset % 50 == 49 ? 40 : 1 + (dataset * 7919) % 9; /* a few long sessions, at the end of each fifty */
}

static void test_makespan_is_near_the_bound(void **state)
{
	(void)state;
	for (uint32_t concurrency = 4; concurrency <= 64; concurrency *= 4) {
		struct sim sim;
		struct sim_run run;
		struct setup u = usual;
		u.reply = in_1_s;
		u.datasets = 150; /* about 850 turns: all of them are known at once (the window is 1024) */
		u.turns = uneven;
		u.concurrency = concurrency;
		u.ordered = true;
		size_t total = 0, longest = 0;
		for (size_t i = 0; i < u.datasets; i++) {
			total += uneven(i);
			longest = MAX(longest, uneven(i));
		}
		assert_true(sim_init(&sim, 1));
		start(&sim, &run, &u);
		uint64_t from = sim.now_us;
		sim_run_to_end(&sim, &run, 1);
		size_t bound = MAX(longest, (total + concurrency - 1) / concurrency);
		uint64_t seconds = (run.ended_us - from) / S;
		if ((double)seconds > 1.02 * (double)bound)
			fail_msg("%u at a time took %llu s, the lower bound is %zu s", concurrency, (unsigned long long)seconds,
			         bound);
		run_free(run.run);
		sim_release(&sim);
	}
}

/* An early short session among an endless input of longer ones must not starve: what follows it could not be written. */
static size_t short_then_long(size_t dataset)
{
	return dataset == 0 ? 1 : 2;
}

static size_t ended_before_first;

static void count_before_first(struct fake_sink *k, const struct turn_result *r)
{
	if (r->dataset->index == 0)
		ended_before_first = k->ended;
}

static void test_early_sessions_do_not_starve(void **state)
{
	(void)state;
	struct sim sim;
	struct sim_run run;
	struct setup u = usual;
	u.datasets = 20000;
	u.turns = short_then_long;
	u.ordered = true;
	u.check = count_before_first;
	ended_before_first = SIZE_MAX;
	assert_true(sim_init(&sim, 1));
	start(&sim, &run, &u);
	sim_run_to_end(&sim, &run, 1);
	fake_sink_check_complete(run.sink);
	assert_true(ended_before_first <= 1100);
	run_free(run.run);
	sim_release(&sim);
}

/* One session that is longer than the window must not keep the others from being read. */
static size_t first_is_huge(size_t dataset)
{
	return dataset == 0 ? 3000 : 2;
}

static void test_a_huge_session_does_not_block_the_window(void **state)
{
	(void)state;
	struct sim sim;
	struct sim_run run;
	struct setup u = usual;
	u.datasets = 1500;
	u.turns = first_is_huge;
	u.ordered = true;
	u.concurrency = 4;
	fake_source_reset();
	assert_true(sim_init(&sim, 1));
	start(&sim, &run, &u);
	uint64_t from = sim.now_us;
	sim_run_to_end(&sim, &run, 1);
	fake_sink_check_complete(run.sink);
	assert_int_equal(run.executor->most_in_flight, 4);
	assert_int_equal(run.ended_us - from, 3000 * 10 * MS); /* the others fit beside it */
	assert_true(fake_source_most_open() < 64);
	run_free(run.run);
	sim_release(&sim);
}

/* Results are written while the next turns are under way, unless the order of turns has to be kept: then a result comes before the turn behind it. */
static const struct fake_executor *watched;
static size_t written_with_idle_slots;

static void count_idle_slots(struct fake_sink *k, const struct turn_result *r)
{
	(void)r;
	if (watched->started < k->total && watched->in_flight < watched->most_allowed)
		written_with_idle_slots++;
}

static void test_turns_start_before_results_are_written(void **state)
{
	(void)state;
	for (int ordered = 0; ordered <= 1; ordered++) {
		struct sim sim;
		struct sim_run run;
		struct setup u = usual;
		u.datasets = 640;
		u.ordered = ordered;
		u.check = count_idle_slots;
		written_with_idle_slots = 0;
		assert_true(sim_init(&sim, 1));
		start(&sim, &run, &u);
		watched = run.executor;
		sim_run_to_end(&sim, &run, 1);
		fake_sink_check_complete(run.sink);
		assert_int_equal(run.sink->records, 640);
		if (ordered)
			assert_true(written_with_idle_slots > 0);
		else
			assert_int_equal(written_with_idle_slots, 0);
		run_free(run.run);
		sim_release(&sim);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_runs_share_one_target),
		cmocka_unit_test(test_a_late_run_is_not_starved),
		cmocka_unit_test(test_a_busy_target_leaves_others_their_turn),
		cmocka_unit_test(test_other_targets_and_keys_are_apart),
		cmocka_unit_test(test_many_runs_one_after_the_other),
		cmocka_unit_test(test_slow_start_doubles),
		cmocka_unit_test(test_no_growth_without_demand),
		cmocka_unit_test(test_no_growth_when_starting_is_what_holds),
		cmocka_unit_test(test_adapts_to_a_target_that_takes_ten),
		cmocka_unit_test(test_a_hint_pauses_the_target_of_both_runs),
		cmocka_unit_test(test_a_pause_outlives_its_run),
		cmocka_unit_test(test_waits_of_others_are_not_in_the_time),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_makespan_is_near_the_bound),
		cmocka_unit_test(test_early_sessions_do_not_starve),
		cmocka_unit_test(test_turns_start_before_results_are_written),
		cmocka_unit_test(test_a_huge_session_does_not_block_the_window),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
