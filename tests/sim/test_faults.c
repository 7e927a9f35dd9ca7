/*
 * test_faults.c: every allocation of a whole run fails in turn: allocation 1, 2, 3, … until a run meets no fault; once alone, and once with all that follow.
 * After each: the run has ended, with a documented error or complete, every turn that was read has one record, and nothing leaks.
 */
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"

static size_t some_turns(size_t dataset)
{
	return dataset % 4;
}

static struct fake_reply now_and_then_fails(struct fake_executor *x, const struct attempt *a)
{
	(void)x;
	if (a->index == 0 && a->dataset->index % 3 == 0)
		return (struct fake_reply){ 2000, OUTCOME_HTTP_5XX, 503, true, false, false, a->batch ? 5 : -1 };
	return FAKE_OK(1000 + a->dataset->index * 10);
}

#define DATASETS 24

/* Whether memory could fail before the run began: then there is an error and nothing else. */
static bool play(uint64_t countdown, bool forever, bool ordered)
{
	struct sim sim;
	struct sim_run run;
	struct options options;
	sim_options(&options, 3, false);
	struct fake_source_plan plan = {
		.datasets = DATASETS, .turns = some_turns, .fail_at = SIZE_MAX, .context = "Seven is odd."
	};
	fake_source_reset();
	assert_true(sim_init(&sim, 7));
	struct dataset_source *source = fake_source_new(&plan);
	struct fake_executor *x = fake_executor_new(&sim, "https://fake:443", 3, ordered, DATASETS, now_and_then_fails);
	struct fake_sink *k = fake_sink_new(&sim, DATASETS, some_turns, 2, 500);
	mem_fault_arm(countdown, forever);
	sim_start(&sim, &run, &options, source, x, k);
	if (run.start_code == 0)
		sim_run_to_end(&sim, &run, 1);
	bool met = mem_fault_hits() > 0;
	mem_fault_arm(0, false);
	if (run.start_code != 0) {
		assert_int_equal(run.start_code, FF_ENOMEM);
	} else {
		const struct run_counts *n = run_counts(run.run);
		enum run_end end = run_end_state(run.run);
		assert_int_equal(n->done, run.sink->records);
		assert_int_equal(n->queued + n->in_flight + n->waiting_retry, 0);
		assert_int_equal(fake_source_open(), 0); /* all that was read was recorded and ended */
		if (end == RUN_FAILED)
			assert_int_equal(run_error(run.run)->code, FF_ENOMEM);
		else
			fake_sink_check_complete(run.sink);
		if (!met)
			assert_int_equal(n->outcomes[OUTCOME_OK], n->done);
		run_free(run.run);
	}
	sim_release(&sim);
	return met;
}

static void fail_each(bool forever, bool ordered)
{
	uint64_t n = 1;
	while (play(n, forever, ordered))
		n++;
	assert_true(n > 50); /* a run allocates: the hook is in place */
}

static void test_one_allocation_fails(void **state)
{
	(void)state;
	fail_each(false, false);
	fail_each(false, true);
}

static void test_all_allocations_fail_from_one_on(void **state)
{
	(void)state;
	fail_each(true, false);
	fail_each(true, true);
}

static void test_engine_itself(void **state)
{
	(void)state;
	struct sim sim;
	mem_fault_arm(1, false);
	assert_false(sim_init(&sim, 1));
	assert_true(mem_fault_hits() > 0);
	mem_fault_arm(0, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_allocation_fails),
		cmocka_unit_test(test_all_allocations_fail_from_one_on),
		cmocka_unit_test(test_engine_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
