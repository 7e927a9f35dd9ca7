/*
 * test_conversation.c: the state machine by hand: one session, an executor and a sink that do nothing until the test says so; after every step the
 * state is looked at. What thousands of conversations do together is simulated in tests/sim.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "engine/run.h"

#define S 1000000ull

struct world {
	struct timers timers;
	struct engine *engine;
	struct executor executor;
	struct sink sink;
	struct options options;
	struct run *run;
	struct attempt *attempt; /* with the executor */
	struct record *record;   /* with the sink */
	int starts, cancels, frees, wakes, ended, turns;
	struct turn_result last;
	char answer[256];
	uint64_t now_us;
};

static struct world *world_of_executor(struct executor *e)
{
	return CONTAINER_OF(e, struct world, executor);
}

static void start(struct executor *e, struct attempt *a)
{
	struct world *w = world_of_executor(e);
	assert_null(w->attempt);
	w->attempt = a;
	w->starts++;
}

static void cancel(struct executor *e, struct attempt *a)
{
	assert_ptr_equal(world_of_executor(e)->attempt, a);
	world_of_executor(e)->cancels++;
}

static void executor_free(struct executor *e)
{
	world_of_executor(e)->frees++;
}

static const struct executor_ops executor_ops = { .start = start, .cancel = cancel, .free = executor_free };

static void record(struct sink *s, struct record *r)
{
	struct world *w = CONTAINER_OF(s, struct world, sink);
	assert_null(w->record);
	w->record = r;
	w->last = r->result;
	assert_true(r->result.answer.len < sizeof w->answer);
	memcpy(w->answer, r->result.answer.ptr, r->result.answer.len);
	w->answer[r->result.answer.len] = '\0';
}

static void sink_release(struct sink *s)
{
	CONTAINER_OF(s, struct world, sink)->frees++;
}

static const struct sink_ops sink_ops = { .record = record, .free = sink_release };

static void on_turn(void *user, const struct turn_result *r)
{
	(void)r;
	((struct world *)user)->turns++;
}

static void on_end(void *user, struct run *run)
{
	(void)run;
	((struct world *)user)->ended++;
}

static void wake(void *user)
{
	((struct world *)user)->wakes++;
}

static const char two_turns[] = "{\"session_id\":\"s1\",\"assistant_id\":\"a\",\"context\":\"\",\"conversation\":["
                                "{\"qa_id\":\"q1\",\"query\":\"One?\",\"assistant\":\"\",\"ground_truth_assistant\":\"1\"},"
                                "{\"qa_id\":\"q2\",\"query\":\"Two?\",\"assistant\":\"\",\"ground_truth_assistant\":\"2\"}]}";

static struct dataset_source *open_source(void)
{
	struct payload *payload = NULL;
	struct dataset_source *source = NULL;
	struct json_notes notes;
	struct json_limits limits = { .max_bytes = 1 << 20, .max_depth = 128 };
	struct error err = { 0 };
	json_notes_init(&notes);
	int rc = input_open_text(str_from(two_turns), "test", true, &limits, &payload, &source, &notes, &err);
	if (rc != 0)
		fail_msg("%s", err.text);
	assert_null(payload);
	return source;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	w->now_us = S;
	timers_init(&w->timers);
	struct engine_config config = { .timers = &w->timers, .wake = wake, .wake_user = w };
	assert_int_equal(engine_new(&config, &w->engine), 0);
	w->executor = (struct executor){ .ops = &executor_ops,
		                         .ordered = true,
		                         .label = "Fake",
		                         .target_origin = "https://x:443",
		                         .default_max_retries = 1,
		                         .backoff_first_s = 1,
		                         .backoff_cap_s = 8 };
	w->sink = (struct sink){ .ops = &sink_ops, .credits = 1 };
	options_init(&w->options);
	struct run_config run = { .options = &w->options,
		                  .source = open_source(),
		                  .executor = &w->executor,
		                  .runner = &llm_runner,
		                  .sink = &w->sink,
		                  .started_us = w->now_us,
		                  .on_turn = on_turn,
		                  .on_end = on_end,
		                  .user = w };
	assert_int_equal(engine_start_run(w->engine, &run, &w->run, NULL), 0);
	assert_int_equal(w->wakes, 1);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	assert_int_equal(w->ended, 1);
	run_free(w->run);
	assert_int_equal(w->frees, 2);
	engine_free(w->engine);
	timers_release(&w->timers);
	free(w);
	return 0;
}

static uint64_t step(struct world *w)
{
	timers_run(&w->timers, w->now_us);
	return engine_step(w->engine, w->now_us);
}

static void expect_state(const struct world *w, enum conversation_state state, size_t turn)
{
	assert_false(list_empty(&w->run->live));
	const struct conversation *c = LIST_ENTRY(w->run->live.next, struct conversation, live_link);
	assert_int_equal(c->state, state);
	assert_int_equal(c->attempt.batch, turn);
}

static void end_attempt(struct world *w, enum outcome outcome, bool retryable, int64_t hint_ms)
{
	struct attempt *a = w->attempt;
	assert_non_null(a);
	w->attempt = NULL;
	a->result.outcome = outcome;
	a->result.retryable = retryable;
	a->result.hint_ms = hint_ms;
	a->result.http_status = outcome_is_success(outcome) ? 200 : outcome == OUTCOME_CANCELLED ? 0 : 503;
	a->result.answer = STR("an answer");
	a->result.error = STR("X: it failed.");
	a->done(a);
}

static void keep_record(struct world *w)
{
	struct record *r = w->record;
	assert_non_null(r);
	w->record = NULL;
	r->done(r, 0);
}

/* The rest of the session, whatever was tested before. */
static void finish(struct world *w)
{
	while (!w->ended) {
		step(w);
		if (w->attempt)
			end_attempt(w, OUTCOME_OK, false, -1);
		step(w);
		if (w->record)
			keep_record(w);
		if (!w->attempt && !w->record && timers_next(&w->timers) != UINT64_MAX && timers_next(&w->timers) > w->now_us)
			w->now_us = timers_next(&w->timers);
	}
}

static void test_through_all_turns(void **state)
{
	struct world *w = *state;
	assert_int_equal(step(w), UINT64_MAX);
	expect_state(w, CONVERSATION_CALLING, 0);
	assert_int_equal(w->starts, 1);
	assert_int_equal(run_counts(w->run)->in_flight, 1);
	assert_int_equal(run_counts(w->run)->queued, 1);
	w->wakes = 0;
	end_attempt(w, OUTCOME_OK, false, -1);
	assert_int_equal(w->wakes, 1);
	expect_state(w, CONVERSATION_CALLING, 0); /* done only stores and marks */
	step(w);
	expect_state(w, CONVERSATION_RECORDING, 0);
	assert_string_equal(w->answer, "an answer");
	assert_int_equal(w->last.attempts, 1);
	assert_int_equal(run_counts(w->run)->done, 0); /* a turn counts when its record is in */
	assert_int_equal(w->turns, 0);
	step(w);
	expect_state(w, CONVERSATION_RECORDING, 0);
	assert_int_equal(w->starts, 1);
	keep_record(w);
	expect_state(w, CONVERSATION_RECORDING, 0);
	step(w);
	assert_int_equal(run_counts(w->run)->done, 1);
	assert_int_equal(w->turns, 1);
	expect_state(w, CONVERSATION_CALLING, 1);
	end_attempt(w, OUTCOME_EMPTY, false, -1);
	step(w);
	expect_state(w, CONVERSATION_RECORDING, 1);
	assert_int_equal(w->ended, 0);
	keep_record(w);
	step(w);
	assert_true(list_empty(&w->run->live));
	assert_int_equal(w->ended, 1);
	assert_int_equal(w->turns, 2);
}

static void test_backing_off(void **state)
{
	struct world *w = *state;
	step(w);
	end_attempt(w, OUTCOME_HTTP_5XX, true, -1);
	step(w);
	expect_state(w, CONVERSATION_BACKING_OFF, 0);
	assert_int_equal(run_counts(w->run)->in_flight, 0); /* it holds no slot */
	assert_int_equal(run_counts(w->run)->waiting_retry, 1);
	uint64_t due = timers_next(&w->timers);
	assert_in_range(due - w->now_us, 750000, 1000000);
	w->now_us = due - 1;
	step(w);
	expect_state(w, CONVERSATION_BACKING_OFF, 0);
	w->now_us = due;
	step(w);
	expect_state(w, CONVERSATION_CALLING, 0);
	assert_int_equal(w->attempt->index, 1);
	assert_true(w->attempt->fresh_connect);
	end_attempt(w, OUTCOME_HTTP_5XX, true, -1); /* max_retries is 1 */
	step(w);
	expect_state(w, CONVERSATION_RECORDING, 0);
	assert_int_equal(w->last.outcome, OUTCOME_HTTP_5XX);
	assert_int_equal(w->last.attempts, 2);
	assert_string_equal(w->answer, "X: it failed.");
	keep_record(w);
	finish(w);
}

static void test_hint_queues_behind_the_pause(void **state)
{
	struct world *w = *state;
	step(w);
	end_attempt(w, OUTCOME_RATE_LIMITED, true, 3000);
	step(w);
	expect_state(w, CONVERSATION_QUEUED, 0);
	assert_int_equal(run_counts(w->run)->waiting_retry, 1);
	w->now_us += 3 * S - 1;
	step(w);
	expect_state(w, CONVERSATION_QUEUED, 0);
	w->now_us++;
	step(w);
	expect_state(w, CONVERSATION_CALLING, 0);
	assert_int_equal(w->last.stamps.other_waits_us, 0);
	finish(w);
}

static void test_cancel_while_calling(void **state)
{
	struct world *w = *state;
	step(w);
	run_cancel(w->run, w->now_us, 0);
	step(w);
	assert_int_equal(w->cancels, 1);
	expect_state(w, CONVERSATION_CALLING, 0); /* until the executor says so */
	end_attempt(w, OUTCOME_CANCELLED, false, -1);
	step(w);
	expect_state(w, CONVERSATION_RECORDING, 0);
	assert_int_equal(w->last.outcome, OUTCOME_CANCELLED);
	assert_string_equal(w->answer, "Fake: the run was cancelled before the answer was complete.");
	keep_record(w);
	step(w);
	expect_state(w, CONVERSATION_RECORDING, 1); /* the second turn, not run */
	assert_int_equal(w->last.outcome, OUTCOME_NOT_RUN);
	assert_int_equal(w->last.attempts, 0);
	assert_string_equal(w->answer, "not run: cancelled");
	assert_int_equal(w->starts, 1);
	finish(w);
}

static void test_answer_that_beats_the_cancel(void **state)
{
	struct world *w = *state;
	step(w);
	run_cancel(w->run, w->now_us, 0);
	end_attempt(w, OUTCOME_OK, false, -1); /* before the step that would have cancelled it */
	step(w);
	assert_int_equal(w->cancels, 0);
	expect_state(w, CONVERSATION_RECORDING, 0);
	assert_int_equal(w->last.outcome, OUTCOME_OK);
	finish(w);
	assert_int_equal(run_end_state(w->run), RUN_CANCELLED); /* the second turn was not run */
}

static void test_not_run_after_an_attempt_is_no_not_run(void **state)
{
	struct world *w = *state;
	step(w);
	end_attempt(w, OUTCOME_TRANSPORT, true, -1);
	step(w);
	w->now_us = timers_next(&w->timers);
	step(w);
	end_attempt(w, OUTCOME_NOT_RUN, false, -1); /* say, no memory for the second request */
	step(w);
	assert_int_equal(w->last.outcome, OUTCOME_TRANSPORT);
	assert_int_equal(w->last.attempts, 1);
	keep_record(w);
	finish(w);
}

static void test_not_run_from_the_executor(void **state)
{
	struct world *w = *state;
	step(w);
	end_attempt(w, OUTCOME_NOT_RUN, false, -1);
	step(w);
	assert_int_equal(w->last.outcome, OUTCOME_NOT_RUN);
	assert_int_equal(w->last.attempts, 0);
	assert_true(w->last.execution_ms == 0);
	keep_record(w);
	step(w);
	expect_state(w, CONVERSATION_CALLING, 1); /* the session goes on */
	finish(w);
	assert_int_equal(run_end_state(w->run), RUN_FINISHED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_through_all_turns),
		TEST(test_backing_off),
		TEST(test_hint_queues_behind_the_pause),
		TEST(test_cancel_while_calling),
		TEST(test_answer_that_beats_the_cancel),
		TEST(test_not_run_after_an_attempt_is_no_not_run),
		TEST(test_not_run_from_the_executor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
