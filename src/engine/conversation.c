/*
 * conversation.c: the state machine of a conversation. What it is not: it neither chooses who is next (scheduler, target) nor knows how an attempt
 * is made (executor) or where results go (sink).
 *
 *   IDLE ──begin──> QUEUED ──start──> CALLING ──answered, given up──> RECORDING ──kept──> QUEUED (next turn of the chain)
 *                   ^    │             │    │                         ^        └──────> FINISHED ──> IDLE
 *                   │    └─skip────────│────│─────────────────────────┤
 *                   │                  │    └─hint: the target pauses─│─> QUEUED
 *                   └── BACKING_OFF <──┘                              │
 *                            └──────────────────interrupted───────────┘
 *
 * The sections below follow a turn through its states. Completions store their result and mark the conversation ready; conversation_process is
 * called from engine_step alone. A conversation that is marked although its state has moved on finds its flag down and does nothing.
 *
 * The text of a result lives in the conversation's arena until the sink has the record; each attempt begins with an empty arena.
 */
#include "engine/conversation.h"

#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"
#include "engine/run.h"

#define NOTABLE_PAUSE_US 2000000 /* a shorter pause of the target is not worth a line */

static const char *const state_words[] = {
#define X(name, word, text) [name] = (word),
	CONVERSATION_STATES(X)
#undef X
};

static void start_attempt(struct conversation *c);
static void settle(struct conversation *c, uint64_t now_us, enum outcome outcome, struct str text);
static void settle_as_answered(struct conversation *c, uint64_t now_us);
static void settle_interrupted(struct conversation *c, uint64_t now_us);

/* ---- the only writer of the state, and its invariants ---- */

static void set_state(struct conversation *c, enum conversation_state state)
{
	const struct logger *logger = c->run->engine->config.logger;
	if (logger && logger->level >= LOG_DEBUG)
		log_debug(logger, "dataset %zu turn %zu: %s -> %s", c->session ? c->session->index : 0, c->attempt.batch,
		          state_words[c->state], state_words[state]);
	c->state = state;
}

static bool in_list(const struct list *node)
{
	return node->next != node;
}

static void check(const struct conversation *c)
{
	bool has_turn = c->state != CONVERSATION_IDLE && c->state != CONVERSATION_FINISHED;
	(void)has_turn;
	assert(has_turn == (c->session != NULL));
	assert(has_turn == in_list(&c->live_link));
	assert(!has_turn || (c->attempt.batch < c->end && c->end <= c->session->batch_count));
	assert(heap_node_armed(&c->timer.node) == (c->state == CONVERSATION_BACKING_OFF && !c->wait_over));
	assert((c->attempt.executor_state == NULL) || c->state == CONVERSATION_CALLING);
	assert(in_list(&c->due_link) == false || (c->first_call_us != 0 && c->state != CONVERSATION_RECORDING));
	assert(c->record_done == false || c->state == CONVERSATION_RECORDING);
}

/* ---- completions: store, mark ---- */

static void attempt_done(struct attempt *a)
{
	struct conversation *c = CONTAINER_OF(a, struct conversation, attempt);
	assert(c->state == CONVERSATION_CALLING && !c->attempt_done);
	c->attempt.executor_state = NULL;
	c->attempt_done = true;
	engine_mark_ready(c->run->engine, c);
}

static void record_done(struct record *record, int code)
{
	struct conversation *c = CONTAINER_OF(record, struct conversation, record);
	assert(c->state == CONVERSATION_RECORDING && !c->record_done);
	c->record_done = true;
	c->record_code = code;
	c->run->records_open--;
	engine_mark_ready(c->run->engine, c);
}

static void wait_over(struct timer *timer, uint64_t now_us)
{
	struct conversation *c = CONTAINER_OF(timer, struct conversation, timer);
	(void)now_us;
	c->wait_over = true;
	engine_mark_ready(c->run->engine, c);
}

/* ---- life ---- */

struct conversation *conversation_new(struct run *r)
{
	struct conversation *c = NEW(struct conversation);
	if (!c || timers_reserve(r->engine->config.timers, 1) != 0) {
		mem_free(c);
		return NULL;
	}
	c->run = r;
	list_init(&c->link);
	list_init(&c->live_link);
	list_init(&c->ready_link);
	list_init(&c->due_link);
	timer_init(&c->timer, wait_over);
	arena_init(&c->arena);
	c->attempt.arena = &c->arena;
	c->attempt.done = attempt_done;
	c->record.done = record_done;
	return c;
}

void conversation_free(struct conversation *c)
{
	if (!c)
		return;
	assert(c->state == CONVERSATION_IDLE);
	timers_unreserve(c->run->engine->config.timers, 1);
	list_remove(&c->link);
	arena_release(&c->arena);
	mem_free(c);
}

/* ---- IDLE → QUEUED ---- */

static void begin_turn(struct conversation *c, size_t turn, uint64_t queued_us)
{
	const struct session *session = c->session;
	c->attempt.batch = turn;
	c->attempt.index = 0;
	c->attempts_sent = 0;
	c->replied = false;
	c->interrupt = INTERRUPT_NONE;
	c->deadline_us = CLOCK_NEVER;
	c->ready_us = c->call_us = c->first_call_us = 0;
	c->record.result = (struct turn_result){
		.dataset = session->dataset,
		.batch = turn,
		.usage = USAGE_UNKNOWN,
		.stamps = { .planned = session->opened_us, .queued = queued_us },
	};
	set_state(c, CONVERSATION_QUEUED);
}

void conversation_begin(struct conversation *c, struct session *session, size_t turn, size_t end)
{
	assert(c->state == CONVERSATION_IDLE);
	c->session = session;
	c->end = end;
	c->attempt.dataset = session->dataset;
	list_push_back(&c->run->live, &c->live_link);
	begin_turn(c, turn, session->opened_us);
	check(c);
}

/* ---- QUEUED → CALLING, or → RECORDING without being sent ---- */

static int make_session(struct conversation *c)
{
	struct session *session = c->session;
	struct executor *executor = c->run->config.executor;
	if (!session->executor_session_made && executor->ops->session_new) {
		int rc = executor->ops->session_new(executor, session->dataset, &session->executor_session);
		if (rc != 0)
			return rc;
	}
	session->executor_session_made = true;
	c->attempt.session = session->executor_session;
	return 0;
}

/* What an attempt needs, in an empty arena. */
static int prepare(struct conversation *c)
{
	arena_reset(&c->arena);
	int rc = make_session(c);
	if (rc != 0)
		return rc;
	return c->run->config.runner->prompt(c->session->dataset, c->attempt.batch, &c->arena, &c->attempt.messages,
	                                     &c->attempt.message_count);
}

/* The first start of a turn sets its deadline; a later one tells how long it waited for others. */
static void note_start(struct conversation *c, uint64_t now_us)
{
	struct run *r = c->run;
	c->call_us = now_us;
	if (c->first_call_us) {
		if (now_us > c->ready_us)
			c->record.result.stamps.other_waits_us += now_us - c->ready_us;
		return;
	}
	c->first_call_us = now_us;
	r->started++;
	if (r->options.turn_timeout_ms) {
		c->deadline_us = now_us + r->options.turn_timeout_ms * 1000;
		run_watch_deadline(r, c);
	}
}

void conversation_start(struct conversation *c, uint64_t now_us)
{
	assert(c->state == CONVERSATION_QUEUED);
	note_start(c, now_us);
	if (prepare(c) != 0) {
		settle(c, now_us, c->attempts_sent ? OUTCOME_TRANSPORT : OUTCOME_NOT_RUN,
		       STR("not sent: out of memory; lower the concurrency or give the process more memory."));
		check(c);
		return;
	}
	start_attempt(c);
	check(c);
}

static void start_attempt(struct conversation *c)
{
	struct run *r = c->run;
	c->attempt_done = false;
	c->attempt.fresh_connect = c->attempt.index > 0;
	c->attempt.deadline_us = MIN(c->deadline_us, r->deadline_us);
	c->attempt.result = (struct attempt_result){ .usage = USAGE_UNKNOWN, .hint_ms = -1 };
	target_take_slot(r->target, r);
	set_state(c, CONVERSATION_CALLING);
	r->config.executor->ops->start(r->config.executor, &c->attempt);
}

void conversation_skip(struct conversation *c, uint64_t now_us, struct str sentence)
{
	assert(c->state == CONVERSATION_QUEUED && c->first_call_us == 0);
	arena_reset(&c->arena);
	settle(c, now_us, OUTCOME_NOT_RUN, sentence);
	check(c);
}

/* ---- CALLING → BACKING_OFF, QUEUED or RECORDING ---- */

static void keep_stamps(struct conversation *c)
{
	const struct attempt_result *a = &c->attempt.result;
	struct stamps *s = &c->record.result.stamps;
	s->sent = a->sent_us ? a->sent_us : c->call_us;
	if (!s->first_sent)
		s->first_sent = s->sent;
	s->connected = a->connected_us;
	s->first_byte = a->first_byte_us;
	s->first_content = a->first_content_us;
	s->last_byte = a->last_byte_us;
}

/* What counts whether or not it is the last attempt. */
static void keep_attempt(struct conversation *c)
{
	struct attempt_result *a = &c->attempt.result;
	if (a->outcome == OUTCOME_NOT_RUN) {
		if (c->attempts_sent) /* an earlier attempt was: the turn did run */
			a->outcome = OUTCOME_TRANSPORT;
		return;
	}
	keep_stamps(c);
	c->attempts_sent++;
	c->replied |= !a->unreachable;
	c->record.result.resent |= a->resent;
	c->record.result.attempts = c->attempts_sent;
	run_count_attempt(c->run, c);
}

static struct retry_decision decide(struct conversation *c)
{
	struct run *r = c->run;
	const struct executor *x = r->config.executor;
	double unit = rand_unit(&r->engine->rand);
	return retry_decide(&c->attempt.result, c->attempt.index, r->max_retries, x->backoff_first_s, x->backoff_cap_s, unit);
}

/* Waits for the next attempt: behind the target's pause, or by itself. */
static void wait_for_retry(struct conversation *c, const struct retry_decision *d, uint64_t now_us)
{
	c->ready_us = now_us + d->wait_us;
	c->attempt.index++;
	c->run->counts.waiting_retry++;
	if (d->pause_target || d->wait_us == 0) {
		set_state(c, CONVERSATION_QUEUED);
		run_queue_retry(c->run, c);
		return;
	}
	c->wait_over = false;
	timer_arm(c->run->engine->config.timers, &c->timer, c->ready_us);
	set_state(c, CONVERSATION_BACKING_OFF);
}

/* A user who sees nothing happen is told why, once a pause. */
static void note_pause(const struct conversation *c, uint64_t now_us, uint64_t wait_us)
{
	const struct target *t = c->run->target;

	if (wait_us >= NOTABLE_PAUSE_US && !target_is_paused(t, now_us))
		log_warning(c->run->engine->config.logger, "%s asks to wait %.1f s; no turn starts there before.", t->origin,
		            (double)wait_us / 1e6);
}

static void give_up_or_retry(struct conversation *c, uint64_t now_us)
{
	struct run *r = c->run;
	struct retry_decision d = decide(c);
	log_debug(r->engine->config.logger, "dataset %zu turn %zu, attempt %u: %s: %s", c->session->index, c->attempt.batch,
	          c->attempt.index, outcome_word(c->attempt.result.outcome), d.reason);
	if (d.pause_target) {
		note_pause(c, now_us, d.wait_us);
		target_pause(r->target, now_us + d.wait_us);
	}
	bool in_time = now_us + d.wait_us < c->attempt.deadline_us;
	if (d.action == RETRY_WAIT && in_time && !r->stopping) {
		wait_for_retry(c, &d, now_us);
		return;
	}
	int64_t hint_ms = c->attempt.result.hint_ms;
	settle_as_answered(c, now_us);
	if (d.action == RETRY_END_RUN && !r->stopping) {
		r->retry_after_ms = hint_ms;
		run_stop(r, RUN_QUOTA, now_us);
	}
}

/* Whether the run's own end, and not the target, ended the attempt. */
static bool was_curtailed(const struct conversation *c, uint64_t now_us)
{
	enum outcome outcome = c->attempt.result.outcome;
	if (outcome == OUTCOME_CANCELLED)
		return c->interrupt == INTERRUPT_DEADLINE || c->interrupt == INTERRUPT_CANCEL;
	return outcome == OUTCOME_TIMEOUT && (now_us >= c->run->deadline_us || c->interrupt == INTERRUPT_DEADLINE);
}

static void on_calling(struct conversation *c, uint64_t now_us)
{
	if (!c->attempt_done)
		return;
	struct run *r = c->run;
	enum outcome outcome = c->attempt.result.outcome;
	c->attempt_done = false;
	target_return_slot(r->target, r, outcome, c->call_us, now_us);
	keep_attempt(c);
	bool curtailed = was_curtailed(c, now_us);
	if (curtailed)
		run_curtail(r, now_us);
	if (curtailed && c->interrupt == INTERRUPT_NONE)
		c->interrupt = INTERRUPT_DEADLINE; /* the executor knew the deadline, too, and was first */
	if (outcome_is_success(outcome) || outcome == OUTCOME_NOT_RUN)
		settle_as_answered(c, now_us);
	else if (c->interrupt != INTERRUPT_NONE && (curtailed || outcome == OUTCOME_CANCELLED))
		settle_interrupted(c, now_us);
	else
		give_up_or_retry(c, now_us);
	if (c->attempt.result.setup_error)
		run_void(r, c->attempt.result.error, now_us);
}

/* ---- BACKING_OFF → QUEUED ---- */

static void on_backing_off(struct conversation *c)
{
	if (!c->wait_over)
		return;
	set_state(c, CONVERSATION_QUEUED);
	run_queue_retry(c->run, c);
}

/* ---- any of them → RECORDING ---- */

static void set_times(struct conversation *c, uint64_t now_us)
{
	struct turn_result *r = &c->record.result;
	if (!r->stamps.first_sent)
		return;
	struct stamps kept = r->stamps;
	if (!kept.last_byte) /* it ended without a whole reply: now */
		r->stamps.last_byte = now_us;
	turn_result_times(r);
	r->stamps = kept;
}

/* A runner that has no memory for its changes leaves the batch as it is: outcome and answer count. */
static void let_runner_settle(struct conversation *c)
{
	struct turn_result *result = &c->record.result;
	const struct runner *runner = c->run->config.runner;
	if (!runner->settle || result->replacement)
		return;
	if (runner->settle(result, &c->arena, &result->replacement) != 0)
		log_warning(c->run->engine->config.logger, "dataset %zu turn %zu: out of memory for the runner's notes",
		            c->session->index, c->attempt.batch);
}

static void settle(struct conversation *c, uint64_t now_us, enum outcome outcome, struct str text)
{
	struct session *session = c->session;
	struct turn_result *result = &c->record.result;
	result->outcome = outcome;
	result->answer = text;
	let_runner_settle(c);
	set_times(c, now_us);
	list_remove(&c->due_link);
	if (c->first_call_us) {
		if (!session->first_sent_us)
			session->first_sent_us = c->first_call_us;
		session->last_end_us = now_us;
	}
	c->record_done = false;
	set_state(c, CONVERSATION_RECORDING);
	run_take_result(c->run, c);
}

/* With what the last attempt said, good or bad. */
static void settle_as_answered(struct conversation *c, uint64_t now_us)
{
	const struct attempt_result *a = &c->attempt.result;
	struct turn_result *result = &c->record.result;
	bool success = outcome_is_success(a->outcome);
	result->finish_reason = a->finish_reason;
	result->model = a->model;
	result->request_id = a->request_id;
	result->usage = a->usage;
	result->http_status = a->http_status;
	result->key_in_answer = a->key_in_answer;
	result->replacement = a->replacement;
	settle(c, now_us, a->outcome, success ? a->answer : a->error);
}

static const char *interrupt_clause(const struct conversation *c, char *buffer, size_t size)
{
	switch (c->interrupt) {
	case INTERRUPT_TURN_TIMEOUT:
		snprintf(buffer, size, "the turn's timeout of %.10g s passed", (double)c->run->options.turn_timeout_ms / 1000);
		return buffer;
	case INTERRUPT_DEADLINE: return "the run's deadline passed";
	case INTERRUPT_CANCEL: return "the run was cancelled";
	case INTERRUPT_STOP:
	case INTERRUPT_NONE: break;
	}
	return "the run was stopped";
}

static struct str interrupt_sentence(struct conversation *c, bool calling)
{
	char clause[80];
	const char *what = interrupt_clause(c, clause, sizeof clause);
	const char *label = c->run->config.executor->label;
	char *text;
	if (calling)
		text = arena_printf(&c->arena, "%s: %s before the answer was complete.", label, what);
	else
		text = arena_printf(&c->arena, "%s: %s before another attempt; the last one said: %.*s", label, what,
		                    STR_ARG(c->attempt.result.error));
	return text ? str_from(text) : STR("The turn was ended before its answer was complete.");
}

static void settle_interrupted(struct conversation *c, uint64_t now_us)
{
	bool calling = c->state == CONVERSATION_CALLING;
	bool cancelled = c->interrupt == INTERRUPT_CANCEL || c->interrupt == INTERRUPT_STOP;
	if (c->interrupt == INTERRUPT_STOP && !calling) {
		settle_as_answered(c, now_us);
		return;
	}
	c->record.result.http_status = calling ? 0 : c->attempt.result.http_status;
	if (c->interrupt != INTERRUPT_TURN_TIMEOUT)
		c->run->curtailed = true;
	settle(c, now_us, cancelled ? OUTCOME_CANCELLED : OUTCOME_TIMEOUT, interrupt_sentence(c, calling));
}

static void stop_waiting(struct conversation *c)
{
	struct run *r = c->run;
	timer_disarm(r->engine->config.timers, &c->timer);
	c->wait_over = false;
	list_remove(&c->link);
	r->counts.waiting_retry--;
}

void conversation_interrupt(struct conversation *c, enum interrupt why, uint64_t now_us)
{
	if (c->state == CONVERSATION_CALLING) {
		if (c->interrupt != INTERRUPT_NONE)
			return;
		c->interrupt = why;
		if (!c->attempt_done)
			c->run->config.executor->ops->cancel(c->run->config.executor, &c->attempt);
		return;
	}
	if (!conversation_waits_to_retry(c))
		return;
	c->interrupt = why;
	stop_waiting(c);
	settle_interrupted(c, now_us);
	check(c);
}

/* ---- RECORDING → QUEUED (the next turn of the chain) or FINISHED ---- */

static void on_recording(struct conversation *c, uint64_t now_us)
{
	if (!c->record_done)
		return;
	struct run *r = c->run;
	struct session *session = c->session;
	size_t next = c->attempt.batch + 1;
	c->record_done = false;
	if (next < c->end) {
		run_recorded(r, c, c->record_code, now_us);
		begin_turn(c, next, now_us);
		scheduler_next_turn(&r->scheduler, session);
		return;
	}
	set_state(c, CONVERSATION_FINISHED);
	run_recorded(r, c, c->record_code, now_us);
}

/* ---- FINISHED → IDLE ---- */

static void on_finished(struct conversation *c)
{
	list_remove(&c->live_link);
	list_remove(&c->ready_link);
	c->session = NULL;
	c->attempt.dataset = NULL;
	c->attempt.session = NULL;
	set_state(c, CONVERSATION_IDLE);
	run_put_back(c->run, c);
}

void conversation_process(struct conversation *c, uint64_t now_us)
{
	switch (c->state) {
	case CONVERSATION_IDLE:
	case CONVERSATION_QUEUED: break;
	case CONVERSATION_CALLING: on_calling(c, now_us); break;
	case CONVERSATION_BACKING_OFF: on_backing_off(c); break;
	case CONVERSATION_RECORDING: on_recording(c, now_us); break;
	case CONVERSATION_FINISHED: break;
	}
	if (c->state == CONVERSATION_FINISHED)
		on_finished(c);
	check(c);
}
