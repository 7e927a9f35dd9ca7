/*
 * test_call_executor.c: attempts answered by a function that completes them when and from where it likes: `done` exactly once and never from inside start
 * or cancel, completions that nobody waits for ignored, nothing freed while the runner may read it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/timers.h"
#include "engine/call_executor.h"

#define KEY     "sk-planted-0123456789abcdef"
#define BATCHES 4

/* ---- one world a test ---- */

struct asked {
	uint64_t id, items[BATCHES];
	size_t batches[BATCHES], count;
	unsigned attempt;
	uint64_t timeout_ms;
	char *memory; /* in the call's memory: reads fine as long as the call lives */
	char prompt[64];
};

struct world {
	struct timers timers;
	struct scrubber scrubber;
	struct logger logger;
	char log[4096];
	struct executor *executor;
	struct dataset dataset;
	struct batch batches[BATCHES];
	void *session;
	struct attempt attempts[BATCHES];
	struct arena arenas[BATCHES];
	int dones[BATCHES];
	bool inside; /* an operation of the executor is running */
	uint64_t now_us;
	struct asked asked[16];
	size_t runs, cancels, closes, releases, wakes;
	uint64_t cancelled_id;
	void (*on_run)(struct world *w, const struct asked *asked);
	void (*on_cancel)(struct world *w, uint64_t id);
	int run_code;
};

static int ops_run(void *user, const struct call_request *r)
{
	struct world *w = user;
	struct asked *a = &w->asked[w->runs++];
	if (w->run_code)
		return w->run_code;
	a->id = r->id;
	a->count = r->item_count;
	a->timeout_ms = r->timeout_ms;
	a->attempt = r->items[0].attempt;
	a->memory = arena_alloc(r->memory, 100);
	if (!a->memory)
		return FF_ENOMEM;
	memset(a->memory, 'x', 100);
	for (size_t i = 0; i < r->item_count; i++) {
		a->items[i] = r->items[i].id;
		a->batches[i] = r->items[i].batch;
	}
	assert_true(r->items[0].prompt.len < sizeof a->prompt);
	if (r->items[0].prompt.len)
		memcpy(a->prompt, r->items[0].prompt.ptr, r->items[0].prompt.len);
	if (w->on_run)
		w->on_run(w, a);
	return 0;
}

static void ops_cancel(void *user, uint64_t id)
{
	struct world *w = user;
	w->cancels++;
	w->cancelled_id = id;
	if (w->on_cancel)
		w->on_cancel(w, id);
}

static void ops_close(void *user)
{
	((struct world *)user)->closes++;
}

static void ops_release(void *user)
{
	struct world *w = user;
	assert_int_equal(w->closes, 1);
	w->releases++;
}

static const struct call_ops ops = { ops_run, ops_cancel, ops_close, ops_release };

static void wake(void *user)
{
	__atomic_add_fetch(&((struct world *)user)->wakes, 1, __ATOMIC_RELAXED);
}

static uint64_t now_us(void *user)
{
	return ((struct world *)user)->now_us;
}

static void attempt_done(struct attempt *a)
{
	struct world *w = (struct world *)(void *)((char *)(a - a->batch) - offsetof(struct world, attempts));
	assert_false(w->inside);
	assert_null(a->executor_state);
	w->dones[a->batch]++;
	assert_int_equal(w->dones[a->batch], 1);
}

static void write_log(void *user, enum log_level level, const char *message)
{
	struct world *w = user;
	(void)level;
	size_t len = strlen(w->log);
	(void)snprintf(w->log + len, sizeof w->log - len, "%s\n", message);
}

static struct call_executor_config config_of(struct world *w, bool datasets)
{
	return (struct call_executor_config){ .ops = &ops,
		                              .user = w,
		                              .name = "echo",
		                              .datasets = datasets,
		                              .max_concurrency = 3,
		                              .default_max_retries = 2,
		                              .runner = &llm_runner,
		                              .timers = &w->timers,
		                              .scrubber = &w->scrubber,
		                              .logger = &w->logger,
		                              .now_us = now_us,
		                              .clock_user = w,
		                              .wake = wake };
}

static struct world *world_new(bool datasets)
{
	struct world *w = calloc(1, sizeof *w);
	timers_init(&w->timers);
	scrubber_init(&w->scrubber);
	assert_int_equal(scrubber_add(&w->scrubber, STR(KEY)), 0);
	w->logger = (struct logger){ .level = LOG_DEBUG, .write = write_log, .user = w, .scrubber = &w->scrubber };
	w->now_us = 1000000;
	w->dataset = (struct dataset){ .batches = w->batches, .batch_count = BATCHES };
	for (size_t i = 0; i < BATCHES; i++) {
		w->batches[i].query = STR("ping");
		w->batches[i].assistant = STR("");
	}
	struct call_executor_config config = config_of(w, datasets);
	assert_int_equal(call_executor_new(&config, &w->executor), 0);
	assert_int_equal(w->executor->ops->session_new(w->executor, &w->dataset, &w->session), 0);
	return w;
}

static int setup_turns(void **state)
{
	*state = world_new(false);
	return 0;
}

static int setup_datasets(void **state)
{
	*state = world_new(true);
	return 0;
}

static void close_world(struct world *w)
{
	if (!w->executor)
		return;
	w->executor->ops->session_free(w->executor, w->session);
	w->executor->ops->free(w->executor);
	w->executor = NULL;
	assert_int_equal(w->closes, 1);
	assert_int_equal(w->releases, 1);
}

static int teardown(void **state)
{
	struct world *w = *state;
	close_world(w);
	for (size_t i = 0; i < BATCHES; i++)
		arena_release(&w->arenas[i]);
	timers_release(&w->timers);
	scrubber_release(&w->scrubber);
	free(w);
	return 0;
}

static void start(struct world *w, size_t batch, unsigned index)
{
	struct attempt *a = &w->attempts[batch];
	arena_reset(&w->arenas[batch]);
	*a = (struct attempt){ .dataset = &w->dataset,
		               .batch = batch,
		               .session = w->session,
		               .index = index,
		               .deadline_us = w->now_us + 5000000,
		               .arena = &w->arenas[batch],
		               .result = { .usage = USAGE_UNKNOWN, .hint_ms = -1 },
		               .done = attempt_done };
	w->dones[batch] = 0;
	w->inside = true;
	w->executor->ops->start(w->executor, a);
	w->inside = false;
}

static void cancel(struct world *w, size_t batch)
{
	w->inside = true;
	w->executor->ops->cancel(w->executor, &w->attempts[batch]);
	w->inside = false;
}

/* What the loop does after a wake-up. */
static void settle(struct world *w)
{
	call_executor_process(w->executor);
	timers_run(&w->timers, w->now_us);
	timers_run(&w->timers, w->now_us);
}

static void answer(uint64_t id, const char *text)
{
	struct call_answer a = { .outcome = OUTCOME_OK, .answer = str_from(text), .usage = USAGE_UNKNOWN, .hint_ms = -1 };
	call_complete(id, &a);
}

static void fail_call(uint64_t id, const char *sentence, bool retryable)
{
	struct call_answer a = { .outcome = OUTCOME_HTTP_5XX,
		                 .error = str_from(sentence),
		                 .retryable = retryable,
		                 .usage = USAGE_UNKNOWN,
		                 .hint_ms = -1 };
	call_complete(id, &a);
}

static const struct attempt_result *result_of(struct world *w, size_t batch)
{
	assert_int_equal(w->dones[batch], 1);
	return &w->attempts[batch].result;
}

static void assert_answer(struct world *w, size_t batch, const char *text)
{
	const struct attempt_result *r = result_of(w, batch);
	assert_int_equal(r->outcome, OUTCOME_OK);
	assert_true(str_eq(r->answer, str_from(text)));
}

static void assert_failure(struct world *w, size_t batch, enum outcome outcome, const char *part)
{
	const struct attempt_result *r = result_of(w, batch);
	if (r->outcome != outcome)
		fail_msg("batch %zu: expected %s, got %s: %.*s", batch, outcome_word(outcome), outcome_word(r->outcome),
		         STR_ARG(r->error));
	if (!str_contains(r->error, str_from(part)))
		fail_msg("batch %zu: \"%.*s\" does not say \"%s\"", batch, STR_ARG(r->error), part);
}

static void assert_logged(const struct world *w, const char *part)
{
	if (!strstr(w->log, part))
		fail_msg("the log does not say \"%s\": %s", part, w->log);
}

/* ---- unit turn ---- */

static void answer_inside(struct world *w, const struct asked *asked)
{
	(void)w;
	answer(asked->id, "pong");
}

static void test_completed_inside_run(void **state)
{
	struct world *w = *state;
	w->on_run = answer_inside;
	start(w, 0, 0);
	assert_int_equal(w->dones[0], 0);
	assert_int_equal(w->wakes, 1);
	settle(w);
	assert_answer(w, 0, "pong");
	assert_string_equal(w->asked[0].prompt, "ping");
	assert_int_equal(w->asked[0].timeout_ms, 5000);
	assert_int_equal(w->asked[0].count, 1);
}

static void test_executor_says_what_the_runner_can_do(void **state)
{
	struct world *w = *state;
	assert_int_equal(w->executor->max_concurrency, 3);
	assert_int_equal(w->executor->default_max_retries, 2);
	assert_false(w->executor->ordered);
	assert_string_equal(w->executor->target_origin, "echo");
}

static void test_completed_later_in_any_order(void **state)
{
	struct world *w = *state;
	start(w, 0, 0);
	start(w, 1, 0);
	w->now_us += 250000;
	answer(w->asked[1].id, "second");
	settle(w);
	assert_int_equal(w->dones[0], 0);
	assert_answer(w, 1, "second");
	assert_int_equal(result_of(w, 1)->last_byte_us - result_of(w, 1)->sent_us, 250000);
	answer(w->asked[0].id, "first");
	settle(w);
	assert_answer(w, 0, "first");
	assert_true(w->asked[0].id != w->asked[1].id);
}

static void test_completed_twice(void **state)
{
	struct world *w = *state;
	start(w, 0, 0);
	answer(w->asked[0].id, "one");
	answer(w->asked[0].id, "two");
	settle(w);
	assert_answer(w, 0, "one");
	answer(w->asked[0].id, "three");
	settle(w);
	assert_answer(w, 0, "one");
	assert_logged(w, "1 completion was ignored");
}

static void test_ids_that_nobody_gave(void **state)
{
	struct world *w = *state;
	start(w, 0, 0);
	answer(0, "x");
	answer(UINT64_MAX, "x");
	answer(w->asked[0].id + 1, "x");
	fail_call(w->asked[0].id - 1, "x", false);
	settle(w);
	assert_int_equal(w->dones[0], 0);
	answer(w->asked[0].id, "right");
	settle(w);
	assert_answer(w, 0, "right");
}

static void test_cancelled_and_answered_late(void **state)
{
	struct world *w = *state;
	start(w, 0, 0);
	cancel(w, 0);
	assert_int_equal(w->dones[0], 0);
	assert_int_equal(w->cancels, 1);
	assert_int_equal(w->cancelled_id, w->asked[0].id);
	settle(w);
	assert_int_equal(result_of(w, 0)->outcome, OUTCOME_CANCELLED);
	assert_int_equal(w->asked[0].memory[99], 'x'); /* the runner may still read its batch */
	answer(w->asked[0].id, "late");
	settle(w);
	assert_int_equal(result_of(w, 0)->outcome, OUTCOME_CANCELLED);
	assert_logged(w, "nobody waited");
}

static void answer_in_cancel(struct world *w, uint64_t id)
{
	(void)w;
	answer(id, "stopped");
}

static void test_cancel_answers_by_completing(void **state)
{
	struct world *w = *state;
	w->on_cancel = answer_in_cancel;
	start(w, 0, 0);
	cancel(w, 0);
	settle(w);
	assert_int_equal(result_of(w, 0)->outcome, OUTCOME_CANCELLED);
}

/* What came before the cancel counts. */
static void test_cancelled_when_the_answer_is_there(void **state)
{
	struct world *w = *state;
	start(w, 0, 0);
	answer(w->asked[0].id, "in time");
	cancel(w, 0);
	assert_int_equal(w->cancels, 0);
	settle(w);
	assert_answer(w, 0, "in time");
}

static void test_cancelled_while_it_could_not_be_sent(void **state)
{
	struct world *w = *state;
	w->run_code = FF_ENOMEM;
	start(w, 0, 0);
	start(w, 1, 0);
	cancel(w, 0);
	settle(w);
	assert_failure(w, 0, OUTCOME_NOT_RUN, "out of memory");
	assert_failure(w, 1, OUTCOME_NOT_RUN, "out of memory");
	assert_int_equal(w->cancels, 0);
}

/* Never completed: kept for ever (reachable, so no leak), and completing it after the executor has gone touches nothing. */
static void test_never_completed(void **state)
{
	struct world *w = *state;
	start(w, 0, 0);
	cancel(w, 0);
	settle(w);
	close_world(w);
	assert_logged(w, "1 call was never completed");
	assert_int_equal(w->asked[0].memory[99], 'x');
	answer(w->asked[0].id, "much too late");
	call_complete(w->asked[0].id, NULL);
}

static void test_completed_with_nothing(void **state)
{
	struct world *w = *state;
	start(w, 0, 0);
	call_complete(w->asked[0].id, NULL);
	settle(w);
	assert_failure(w, 0, OUTCOME_BAD_REPLY, "without an answer");
}

static void test_failure_keeps_what_it_says(void **state)
{
	struct world *w = *state;
	struct call_answer a = { .outcome = OUTCOME_RATE_LIMITED,
		                 .retryable = true,
		                 .error = STR("Busy with " KEY "."),
		                 .hint_ms = 1500,
		                 .http_status = 429,
		                 .usage = { 1, 2, 3 },
		                 .model = STR("m " KEY) };
	start(w, 0, 0);
	call_complete(w->asked[0].id, &a);
	settle(w);
	assert_failure(w, 0, OUTCOME_RATE_LIMITED, "Busy with [REDACTED].");
	const struct attempt_result *r = result_of(w, 0);
	assert_true(r->retryable);
	assert_int_equal(r->hint_ms, 1500);
	assert_int_equal(r->http_status, 429);
	assert_int_equal(r->usage.total_tokens, 3);
	assert_true(str_eq(r->model, STR("m [REDACTED]")));
	assert_false(r->unreachable);
}

static void test_answer_with_a_key_is_unaltered_and_flagged(void **state)
{
	struct world *w = *state;
	start(w, 0, 0);
	answer(w->asked[0].id, "the key is " KEY);
	settle(w);
	assert_answer(w, 0, "the key is " KEY);
	assert_true(result_of(w, 0)->key_in_answer);
}

static void complete_changed(struct world *w, enum outcome outcome, const char *changes)
{
	struct call_answer a = { .outcome = outcome,
		                 .answer = STR("pong"),
		                 .error = STR("It broke."),
		                 .usage = USAGE_UNKNOWN,
		                 .hint_ms = -1,
		                 .changes = str_from(changes) };
	start(w, 0, 0);
	call_complete(w->asked[w->runs - 1].id, &a);
	settle(w);
}

static void test_changed_batch(void **state)
{
	struct world *w = *state;
	complete_changed(w, OUTCOME_OK, "{\"observation\": \"cached\", \"unknown\": 1}");
	const struct batch *b = result_of(w, 0)->replacement;
	assert_non_null(b);
	assert_true(str_eq(b->observation.text, STR("cached")));
	assert_true(str_eq(b->assistant, STR("pong")));
	assert_true(str_eq(b->query, STR("ping")));
	complete_changed(w, OUTCOME_OK, "{\"assistant\": \"mine\"}");
	assert_true(str_eq(result_of(w, 0)->replacement->assistant, STR("mine")));
	complete_changed(w, OUTCOME_HTTP_5XX, "{\"agentic\": {\"steps\": 3}}");
	assert_true(str_eq(result_of(w, 0)->replacement->assistant, STR("[ERROR] It broke.")));
}

static void test_changed_batch_of_the_wrong_shape(void **state)
{
	struct world *w = *state;
	complete_changed(w, OUTCOME_OK, "{");
	assert_failure(w, 0, OUTCOME_BAD_REPLY, "is not JSON");
	complete_changed(w, OUTCOME_OK, "[]");
	assert_failure(w, 0, OUTCOME_BAD_REPLY, "no object");
	complete_changed(w, OUTCOME_OK, "{\"query\": 1}");
	assert_failure(w, 0, OUTCOME_BAD_REPLY, "not valid at /query");
	assert_null(result_of(w, 0)->replacement);
}

static void test_elapsed_by_the_runners_clock(void **state)
{
	struct world *w = *state;
	struct call_answer a = { .outcome = OUTCOME_OK, .usage = USAGE_UNKNOWN, .hint_ms = -1, .elapsed_ms = 40 };
	start(w, 0, 0);
	w->now_us += 100000;
	call_complete(w->asked[0].id, &a);
	settle(w);
	assert_int_equal(result_of(w, 0)->last_byte_us - result_of(w, 0)->sent_us, 40000);
	a.elapsed_ms = 1e9; /* longer than there was time */
	start(w, 1, 0);
	w->now_us += 100000;
	call_complete(w->asked[1].id, &a);
	settle(w);
	assert_int_equal(result_of(w, 1)->last_byte_us - result_of(w, 1)->sent_us, 100000);
}

/* ---- threads ---- */

struct hammer {
	uint64_t id;
	size_t times;
};

static void *hammer(void *user)
{
	struct hammer *h = user;
	for (size_t i = 0; i < h->times; i++)
		answer(h->id, "from a thread");
	return NULL;
}

/* Several threads complete the same call many times while the loop takes completions, cancels and goes away. */
static void test_many_threads_one_call(void **state)
{
	struct world *w = *state;
	pthread_t threads[4];
	start(w, 0, 0);
	start(w, 1, 0);
	struct hammer h[4] = {
		{ w->asked[0].id, 2000 }, { w->asked[0].id, 2000 }, { w->asked[1].id, 2000 }, { w->asked[1].id, 2000 }
	};
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, &h[i]), 0);
	cancel(w, 1);
	while (!w->dones[0] || !w->dones[1])
		settle(w);
	close_world(w);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_answer(w, 0, "from a thread");
}

/* ---- unit dataset ---- */

static void test_dataset_is_one_call(void **state)
{
	struct world *w = *state;
	assert_true(w->executor->ordered);
	start(w, 0, 0);
	assert_int_equal(w->runs, 1);
	assert_int_equal(w->asked[0].count, BATCHES);
	answer(w->asked[0].items[0], "a0");
	settle(w);
	assert_answer(w, 0, "a0");
	start(w, 1, 0);
	assert_int_equal(w->runs, 1);
	answer(w->asked[0].items[1], "a1");
	settle(w);
	assert_answer(w, 1, "a1");
}

static void test_dataset_answers_come_early(void **state)
{
	struct world *w = *state;
	start(w, 0, 0);
	for (size_t i = BATCHES; i-- > 0;)
		answer(w->asked[0].items[i], i % 2 ? "odd" : "even");
	call_complete(w->asked[0].id, NULL);
	settle(w);
	assert_answer(w, 0, "even");
	for (size_t i = 1; i < BATCHES; i++) {
		start(w, i, 0);
		assert_int_equal(w->dones[i], 0);
		settle(w);
		assert_answer(w, i, i % 2 ? "odd" : "even");
	}
	assert_int_equal(w->runs, 1);
}

static void test_dataset_ends_without_some_answers(void **state)
{
	struct world *w = *state;
	start(w, 0, 0);
	answer(w->asked[0].items[1], "a1");
	call_complete(w->asked[0].id, NULL);
	settle(w);
	answer(w->asked[0].items[2], "too late");
	settle(w);
	assert_failure(w, 0, OUTCOME_BAD_REPLY, "ended the dataset without an answer");
	start(w, 1, 0);
	start(w, 2, 0);
	settle(w);
	assert_answer(w, 1, "a1");
	assert_failure(w, 2, OUTCOME_BAD_REPLY, "ended the dataset");
	assert_int_equal(w->runs, 1);
}

/* It fails as a whole, is tried again with what is missing, and what was answered is not asked twice. */
static void test_dataset_is_tried_again(void **state)
{
	struct world *w = *state;
	start(w, 0, 0);
	answer(w->asked[0].items[0], "a0");
	answer(w->asked[0].items[2], "a2");
	fail_call(w->asked[0].id, "Overloaded.", true);
	settle(w);
	assert_answer(w, 0, "a0");
	start(w, 1, 0);
	settle(w);
	assert_failure(w, 1, OUTCOME_HTTP_5XX, "Overloaded.");
	assert_true(result_of(w, 1)->retryable);
	start(w, 1, 1);
	assert_int_equal(w->runs, 2);
	assert_int_equal(w->asked[1].count, 2);
	assert_int_equal(w->asked[1].batches[0], 1);
	assert_int_equal(w->asked[1].batches[1], 3);
	assert_int_equal(w->asked[1].attempt, 1);
	answer(w->asked[1].items[0], "a1");
	answer(w->asked[1].items[1], "a3");
	call_complete(w->asked[1].id, NULL);
	settle(w);
	assert_answer(w, 1, "a1");
	start(w, 2, 0);
	start(w, 3, 0);
	settle(w);
	assert_answer(w, 2, "a2");
	assert_answer(w, 3, "a3");
	assert_int_equal(w->runs, 2);
}

/* One batch is tried again while the runner still works on the others. */
static void test_batch_is_tried_again_beside_its_dataset(void **state)
{
	struct world *w = *state;
	start(w, 0, 0);
	fail_call(w->asked[0].items[0], "Hiccup.", true);
	settle(w);
	start(w, 0, 1);
	assert_int_equal(w->runs, 2);
	assert_int_equal(w->asked[1].count, 1);
	answer(w->asked[1].items[0], "a0");
	answer(w->asked[0].items[1], "a1");
	settle(w);
	assert_answer(w, 0, "a0");
	start(w, 1, 0);
	settle(w);
	assert_answer(w, 1, "a1");
}

static void test_dataset_is_stopped_by_a_turn(void **state)
{
	struct world *w = *state;
	start(w, 0, 0);
	answer(w->asked[0].items[3], "a3");
	cancel(w, 0);
	assert_int_equal(w->cancels, 1);
	assert_int_equal(w->cancelled_id, w->asked[0].id);
	settle(w);
	assert_int_equal(result_of(w, 0)->outcome, OUTCOME_CANCELLED);
	answer(w->asked[0].items[1], "nobody waits");
	for (size_t i = 1; i < BATCHES; i++) {
		start(w, i, 0);
		settle(w);
	}
	assert_failure(w, 1, OUTCOME_TIMEOUT, "stopped at an earlier turn");
	assert_failure(w, 2, OUTCOME_TIMEOUT, "stopped at an earlier turn");
	assert_answer(w, 3, "a3");
	assert_int_equal(w->runs, 1);
}

/* The run ends before every turn was asked for: the runner hears it once. */
static void test_session_ends_while_the_runner_works(void **state)
{
	struct world *w = *state;
	start(w, 0, 0);
	answer(w->asked[0].items[0], "a0");
	settle(w);
	w->executor->ops->session_free(w->executor, w->session);
	w->session = NULL;
	assert_int_equal(w->cancels, 1);
	answer(w->asked[0].items[1], "late");
	call_complete(w->asked[0].id, NULL);
	settle(w);
	assert_logged(w, "nobody waited");
}

static void test_dataset_cannot_be_sent(void **state)
{
	struct world *w = *state;
	w->run_code = FF_ENOMEM;
	start(w, 0, 0);
	settle(w);
	assert_failure(w, 0, OUTCOME_NOT_RUN, "out of memory");
	w->run_code = 0;
	start(w, 1, 0);
	assert_int_equal(w->asked[1].count, BATCHES - 1);
	answer(w->asked[1].items[0], "a1");
	settle(w);
	assert_answer(w, 1, "a1");
}

/* ---- faults ---- */

static void one_of_everything(bool datasets)
{
	struct world *w = calloc(1, sizeof *w);
	timers_init(&w->timers);
	w->now_us = 1;
	w->dataset = (struct dataset){ .batches = w->batches, .batch_count = 2 };
	w->on_run = answer_inside;
	struct call_executor_config config = config_of(w, datasets);
	if (call_executor_new(&config, &w->executor) == 0) {
		int rc = w->executor->ops->session_new(w->executor, &w->dataset, &w->session);
		for (size_t i = 0; i < 2 && rc == 0; i++) {
			start(w, i, 0);
			settle(w);
			assert_int_equal(w->dones[i], 1);
		}
		close_world(w);
	}
	for (size_t i = 0; i < 2; i++)
		arena_release(&w->arenas[i]);
	timers_release(&w->timers);
	free(w);
}

static void test_every_allocation_fails(void **state)
{
	(void)state;
	for (int datasets = 0; datasets < 2; datasets++) {
		uint64_t hits = 1;
		for (uint64_t n = 1; hits; n++) {
			mem_fault_arm(n, n % 2 == 0);
			one_of_everything(datasets != 0);
			hits = mem_fault_hits();
			mem_fault_arm(0, false);
			assert_true(n < 1000);
		}
	}
}

#define TURN(test)    cmocka_unit_test_setup_teardown(test, setup_turns, teardown)
#define DATASET(test) cmocka_unit_test_setup_teardown(test, setup_datasets, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TURN(test_completed_inside_run),
		TURN(test_executor_says_what_the_runner_can_do),
		TURN(test_completed_later_in_any_order),
		TURN(test_completed_twice),
		TURN(test_ids_that_nobody_gave),
		TURN(test_cancelled_and_answered_late),
		TURN(test_cancel_answers_by_completing),
		TURN(test_cancelled_when_the_answer_is_there),
		TURN(test_cancelled_while_it_could_not_be_sent),
		TURN(test_never_completed),
		TURN(test_completed_with_nothing),
		TURN(test_failure_keeps_what_it_says),
		TURN(test_answer_with_a_key_is_unaltered_and_flagged),
		TURN(test_changed_batch),
		TURN(test_changed_batch_of_the_wrong_shape),
		TURN(test_elapsed_by_the_runners_clock),
		TURN(test_many_threads_one_call),
		DATASET(test_dataset_is_one_call),
		DATASET(test_dataset_answers_come_early),
		DATASET(test_dataset_ends_without_some_answers),
		DATASET(test_dataset_is_tried_again),
		DATASET(test_batch_is_tried_again_beside_its_dataset),
		DATASET(test_dataset_is_stopped_by_a_turn),
		DATASET(test_session_ends_while_the_runner_works),
		DATASET(test_dataset_cannot_be_sent),
		cmocka_unit_test(test_every_allocation_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
