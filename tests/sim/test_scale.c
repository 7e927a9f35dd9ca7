/* test_scale.c: ten thousand conversations with random latencies, failures, hints and timeouts; every rule of the seams is checked by the fakes (sim.c). */
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"

static size_t one_turn(size_t dataset)
{
	(void)dataset;
	return 1;
}

static size_t uneven_turns(size_t dataset)
{
	return dataset % 7 == 3 ? 0 : dataset % 5 + 1;
}

/* Mostly answers; now and then everything that can go wrong. */
static struct fake_reply mixed_reply(struct fake_executor *x, const struct attempt *a)
{
	struct rand *r = &x->sim->rand;
	uint64_t latency = 1000 + rand_u32(r) % 200000;
	uint32_t dice = rand_u32(r) % 1000;
	(void)a;
	if (dice < 900)
		return FAKE_OK(latency);
	if (dice < 930)
		return (struct fake_reply){ latency, OUTCOME_HTTP_5XX, 503, true, false, false, -1 };
	if (dice < 950)
		return (struct fake_reply){ latency, OUTCOME_TRANSPORT, 0, true, false, false, -1 };
	if (dice < 960)
		return (struct fake_reply){ latency, OUTCOME_RATE_LIMITED, 429, true, false, false, -1 };
	if (dice < 965)
		return (struct fake_reply){ latency, OUTCOME_RATE_LIMITED, 429, true, false, false, 1 + rand_u32(r) % 3000 };
	if (dice < 980)
		return (struct fake_reply){ latency, OUTCOME_HTTP_4XX, 400, false, false, false, -1 };
	if (dice < 990)
		return (struct fake_reply){ latency, OUTCOME_BAD_REPLY, 200, false, false, false, -1 };
	return FAKE_OK(3600ull * 1000000); /* never answers: the turn's timeout ends it */
}

static struct fake_reply instant_reply(struct fake_executor *x, const struct attempt *a)
{
	(void)x;
	(void)a;
	return FAKE_OK(1000);
}

struct world {
	struct sim sim;
	struct sim_run run;
	uint64_t hash;
};

static struct world *hashing;

static void hash_record(struct fake_sink *k, const struct turn_result *r)
{
	(void)k;
	hashing->hash = sim_hash(hashing->hash, r->dataset->index);
	hashing->hash = sim_hash(hashing->hash, r->batch);
	hashing->hash = sim_hash(hashing->hash, r->outcome);
	hashing->hash = sim_hash(hashing->hash, r->attempts);
	hashing->hash = sim_hash(hashing->hash, (uint64_t)(r->execution_ms * 1000));
	hashing->hash = sim_hash(hashing->hash, r->stamps.last_byte);
}

struct scenario {
	size_t datasets;
	size_t (*turns)(size_t);
	struct fake_reply (*reply)(struct fake_executor *, const struct attempt *);
	bool ordered, adaptive;
	enum run_order order;
	uint32_t concurrency;
	size_t credits;
	uint64_t sink_delay_us, seed;
	size_t bytes;
};

static void play(struct world *w, const struct scenario *sc)
{
	*w = (struct world){ .hash = 0xcbf29ce484222325u };
	hashing = w;
	fake_source_reset();
	assert_true(sim_init(&w->sim, sc->seed));
	struct options options;
	sim_options(&options, sc->concurrency, sc->adaptive);
	options.turn_timeout_ms = 60000;
	options.order = sc->order;
	struct fake_source_plan plan = { .datasets = sc->datasets, .turns = sc->turns, .fail_at = SIZE_MAX, .bytes = sc->bytes };
	struct fake_executor *x =
	        fake_executor_new(&w->sim, "https://fake:443", sc->concurrency, sc->ordered, sc->datasets, sc->reply);
	struct fake_sink *k = fake_sink_new(&w->sim, sc->datasets, sc->turns, sc->credits, sc->sink_delay_us);
	k->check = hash_record;
	sim_start(&w->sim, &w->run, &options, fake_source_new(&plan), x, k);
	assert_int_equal(w->run.start_code, 0);
	sim_run_to_end(&w->sim, &w->run, 1);
}

static void check_and_close(struct world *w, const struct scenario *sc)
{
	const struct run_counts *n = run_counts(w->run.run);
	fake_sink_check_complete(w->run.sink);
	assert_int_equal(run_end_state(w->run.run), RUN_FINISHED);
	assert_int_equal(n->done, w->run.sink->total);
	assert_int_equal(n->batches, w->run.sink->total);
	assert_int_equal(n->datasets, sc->datasets);
	assert_int_equal(w->run.turns_seen, n->done);
	assert_int_equal(n->in_flight, 0);
	assert_int_equal(n->queued, 0);
	assert_int_equal(n->waiting_retry, 0);
	assert_int_equal(n->attempts, w->run.executor->started);
	assert_int_equal(n->attempts, n->done + n->retries);
	assert_int_equal(n->outcomes[OUTCOME_NOT_RUN], 0);
	assert_int_equal(fake_source_open(), 0);
	run_free(w->run.run);
	sim_release(&w->sim);
}

static const struct scenario big = {
	.datasets = 10000,
	.turns = one_turn,
	.reply = mixed_reply,
	.concurrency = 64,
	.credits = SIZE_MAX,
	.seed = 42,
};

static void test_ten_thousand(void **state)
{
	(void)state;
	struct world w;
	play(&w, &big);
	assert_true(run_counts(w.run.run)->outcomes[OUTCOME_OK] > 9000);
	assert_true(run_counts(w.run.run)->outcomes[OUTCOME_TIMEOUT] > 0);
	assert_int_equal(w.run.executor->most_in_flight, 64);
	check_and_close(&w, &big);
}

static void test_same_seed_same_run(void **state)
{
	(void)state;
	struct world a, b, c;
	struct scenario other = big;
	other.seed = 43;
	play(&a, &big);
	check_and_close(&a, &big);
	play(&b, &big);
	check_and_close(&b, &big);
	play(&c, &other);
	check_and_close(&c, &other);
	assert_int_equal(a.hash, b.hash);
	assert_int_equal(a.run.ended_us, b.run.ended_us);
	assert_true(a.hash != c.hash);
}

static void test_ordered_sessions(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct scenario sc = big;
		sc.ordered = true;
		sc.turns = uneven_turns;
		sc.datasets = 3500;
		sc.seed = seed;
		sc.order = seed % 2 ? ORDER_INPUT : ORDER_LONGEST_FIRST;
		sc.adaptive = seed > 2;
		struct world w;
		play(&w, &sc);
		check_and_close(&w, &sc);
	}
}

static void test_late_done_and_few_credits(void **state)
{
	(void)state;
	static const size_t credits[] = { 1, 2, 7, 64, 1000 };
	for (size_t i = 0; i < sizeof credits / sizeof *credits; i++) {
		struct scenario sc = big;
		sc.datasets = 1500;
		sc.turns = uneven_turns;
		sc.ordered = i % 2;
		sc.credits = credits[i];
		sc.sink_delay_us = 20000;
		sc.seed = 100 + i;
		struct world w;
		play(&w, &sc);
		assert_true(w.run.sink->most_open <= credits[i]);
		check_and_close(&w, &sc);
	}
}

static void test_concurrency_of_one(void **state)
{
	(void)state;
	struct scenario sc = big;
	sc.datasets = 300;
	sc.turns = uneven_turns;
	sc.concurrency = 1;
	sc.adaptive = true;
	struct world w;
	play(&w, &sc);
	assert_int_equal(w.run.executor->most_in_flight, 1);
	check_and_close(&w, &sc);
}

static void test_open_datasets_are_bounded(void **state)
{
	(void)state;
	struct scenario sc = big;
	sc.datasets = 60000;
	sc.reply = instant_reply;
	struct world w;
	play(&w, &sc);
	/* the window is 1024 turns; one more slice may be under way */
	assert_in_range(fake_source_most_open(), 64, 1024);
	check_and_close(&w, &sc);
}

static void test_large_datasets_are_bounded_by_bytes(void **state)
{
	(void)state;
	struct scenario sc = big;
	sc.datasets = 300;
	sc.concurrency = 4;
	sc.reply = instant_reply;
	sc.bytes = 2 << 20;
	struct world w;
	play(&w, &sc);
	/* 32 MiB of open datasets, and always enough to start */
	assert_in_range(fake_source_most_open(), 8, 17);
	check_and_close(&w, &sc);
}

/* A target that always fails must not let the whole input pile up in back-off. */
static struct fake_reply always_503(struct fake_executor *x, const struct attempt *a)
{
	(void)x;
	(void)a;
	return (struct fake_reply){ 1000, OUTCOME_HTTP_5XX, 503, true, false, false, -1 };
}

static void test_failing_target_does_not_pile_up(void **state)
{
	(void)state;
	struct scenario sc = big;
	sc.datasets = 5000;
	sc.reply = always_503;
	struct world w;
	play(&w, &sc);
	assert_int_equal(run_counts(w.run.run)->outcomes[OUTCOME_HTTP_5XX], 5000);
	assert_int_equal(run_counts(w.run.run)->attempts, 15000);
	assert_in_range(fake_source_most_open(), 64, 1024 + 64);
	check_and_close(&w, &sc);
}

static size_t no_turns(size_t dataset)
{
	(void)dataset;
	return 0;
}

static void test_empty_datasets(void **state)
{
	(void)state;
	struct scenario sc = big;
	sc.turns = no_turns;
	sc.datasets = 2000;
	struct world w;
	play(&w, &sc);
	assert_int_equal(w.run.sink->ended, 2000);
	check_and_close(&w, &sc);
	sc.datasets = 0;
	play(&w, &sc);
	check_and_close(&w, &sc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ten_thousand),
		cmocka_unit_test(test_same_seed_same_run),
		cmocka_unit_test(test_ordered_sessions),
		cmocka_unit_test(test_late_done_and_few_credits),
		cmocka_unit_test(test_concurrency_of_one),
		cmocka_unit_test(test_open_datasets_are_bounded),
		cmocka_unit_test(test_large_datasets_are_bounded_by_bytes),
		cmocka_unit_test(test_failing_target_does_not_pile_up),
		cmocka_unit_test(test_empty_datasets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
