/*
 * run.c: a run from start to end: starting its turns, counting them, and the ways in which it stops.
 *
 *   running ──source read, every turn recorded──────────────────────> ended
 *      └─stop (deadline, quota, refused, cancel, failure)─> stopping ─> ended
 *
 * A run that is stopping starts nothing; what waits for another attempt is settled, what is in flight finishes (until the grace or the deadline
 * is over), and every other turn, those not read yet included, is recorded as not_run, so that the response is complete. The first
 * reason to stop is the one that is told.
 *
 * Cost: records of turns that are not run go out in slices, so that a million of them do not hold the loop.
 */
#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"
#include "engine/run.h"

#define WINDOW_PER_SLOT 4   /* turns read ahead, and turns started, per slot */
#define SKIP_SLICE      256 /* not_run records prepared in one go */

static const struct {
	enum interrupt waiting; /* what becomes of turns that wait for another attempt */
	struct str sentence;    /* of the turns that are not run */
} stops[] = {
	[RUN_FINISHED] = { INTERRUPT_NONE, STR("not run") },
	[RUN_DEADLINE] = { INTERRUPT_DEADLINE, STR("not run: deadline") },
	[RUN_QUOTA] = { INTERRUPT_STOP, STR("not run: the provider's quota is spent") },
	[RUN_REFUSED] = { INTERRUPT_STOP, STR("not run: the target refused the first 20 turns (401, 403 or 404)") },
	[RUN_CANCELLED] = { INTERRUPT_CANCEL, STR("not run: cancelled") },
	[RUN_FAILED] = { INTERRUPT_STOP, STR("not run: the run failed") },
};

/* ---- life ---- */

static void timer_fired(struct timer *timer, uint64_t now_us)
{
	struct run *r = CONTAINER_OF(timer, struct run, timer);
	(void)now_us;
	engine_mark_run(r->engine, r);
}

static void free_parts(const struct run_config *config)
{
	dataset_source_free(config->source);
	if (config->executor)
		config->executor->ops->free(config->executor);
	if (config->sink)
		config->sink->ops->free(config->sink);
}

static void init_lists(struct run *r)
{
	struct list *const lists[] = { &r->link,           &r->attention_link, &r->target_link, &r->sessions, &r->pool,
		                       &r->spare_sessions, &r->live,           &r->retries,     &r->results,  &r->due };
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		list_init(lists[i]);
}

static uint32_t bounded_concurrency(const struct run_config *config)
{
	uint32_t most = config->executor->max_concurrency;
	return most && most < config->options->concurrency ? most : config->options->concurrency;
}

static void init_run(struct run *r, struct engine *e, const struct run_config *config)
{
	r->engine = e;
	r->config = *config;
	r->options = *config->options;
	r->config.options = &r->options;
	r->concurrency = bounded_concurrency(config);
	r->max_retries = r->options.max_retries >= 0 ? r->options.max_retries : config->executor->default_max_retries;
	r->window = MAX((size_t)r->concurrency * WINDOW_PER_SLOT, (size_t)RUN_WINDOW_MIN);
	r->started_most = (size_t)r->concurrency * WINDOW_PER_SLOT;
	r->deadline_us = r->options.deadline_ms ? config->started_us + r->options.deadline_ms * 1000 : CLOCK_NEVER;
	r->grace_until_us = CLOCK_NEVER;
	r->retry_after_ms = -1;
	r->counts.batches = config->total_batches;
	r->counts.input_tokens = r->counts.output_tokens = -1;
	init_lists(r);
	scheduler_init(&r->scheduler, config->executor->ordered || config->runner->ordered,
	               r->options.order == ORDER_LONGEST_FIRST);
	r->scheduler.finish_first = config->executor->finish_first;
	problems_init(&r->problems);
	timer_init(&r->timer, timer_fired);
}

/* The run without its parts: source, executor and sink stay. */
static void free_run(struct run *r)
{
	while (!list_empty(&r->pool))
		conversation_free(LIST_ENTRY(list_pop_front(&r->pool), struct conversation, link));
	if (r->target)
		target_detach(r->target, r);
	timer_disarm(r->engine->config.timers, &r->timer);
	timers_unreserve(r->engine->config.timers, 1);
	window_release(r);
	scheduler_release(&r->scheduler);
	problems_release(&r->problems);
	list_remove(&r->link);
	list_remove(&r->attention_link);
	mem_free(r);
}

/* One conversation and the target, so that what comes later can go on whatever happens. */
static int reserve_parts(struct run *r)
{
	const struct executor *x = r->config.executor;
	struct conversation *c = conversation_new(r);
	if (!c)
		return FF_ENOMEM;
	list_push_back(&r->pool, &c->link);
	struct target *target = target_get(r->engine, x->target_origin, x->target_key_hash);
	if (!target)
		return FF_ENOMEM;
	target_attach(target, r);
	r->target = target;
	return 0;
}

static struct run *new_run(struct engine *e, const struct run_config *config)
{
	struct run *r = NEW(struct run);
	if (!r || timers_reserve(e->config.timers, 1) != 0) {
		mem_free(r);
		return NULL;
	}
	init_run(r, e, config);
	if (reserve_parts(r) != 0) {
		free_run(r);
		return NULL;
	}
	return r;
}

/* NULL: *ret_code says why. */
static struct run *build_run(struct engine *e, const struct run_config *config, int *ret_code, struct error *err)
{
	if (bounded_concurrency(config) == 0) {
		*ret_code = error_set(err, FF_EUSAGE, "/options/concurrency", "The concurrency must be at least 1.");
		return NULL;
	}
	struct run *r = new_run(e, config);
	*ret_code = !r ? error_nomem(err) : config->sink->ops->begin ? config->sink->ops->begin(config->sink, err) : 0;
	if (r && *ret_code != 0) {
		free_run(r);
		return NULL;
	}
	return r;
}

int engine_start_run(struct engine *e, const struct run_config *config, struct run **ret, struct error *err)
{
	assert(config->options && config->source && config->executor && config->runner && config->sink && config->on_end);
	int rc;
	struct run *r = build_run(e, config, &rc, err);
	if (!r) {
		free_parts(config);
		return rc;
	}
	list_push_back(&e->runs, &r->link);
	engine_mark_run(e, r);
	*ret = r;
	return 0;
}

void run_free(struct run *r)
{
	if (!r)
		return;
	assert(r->ended);
	free_parts(&r->config);
	free_run(r);
}

/* ---- starting turns ---- */

static bool has_credit(const struct run *r)
{
	return r->records_open + r->result_count < sink_credits(r->config.sink);
}

bool run_wants_slot(const struct run *r)
{
	if (r->stopping || r->ended || r->refused_from_start || !has_credit(r))
		return false;
	return !list_empty(&r->retries) || (r->scheduler.startable > 0 && r->started < r->started_most);
}

/* An idle conversation, or NULL: memory is short. */
static struct conversation *take_conversation(struct run *r)
{
	struct list *idle = list_pop_front(&r->pool);
	return idle ? LIST_ENTRY(idle, struct conversation, link) : conversation_new(r);
}

/* A chain that waits for its next turn and so needs no new conversation. */
static struct conversation *waiting_chain(struct run *r)
{
	LIST_FOR_EACH (it, next, &r->live) {
		struct conversation *c = LIST_ENTRY(it, struct conversation, live_link);
		if (c->state == CONVERSATION_QUEUED && c->first_call_us == 0)
			return c;
	}
	return NULL;
}

/*
 * The conversation of the turn that starts next, QUEUED. NULL: memory is short and every conversation is busy; one that is done marks the
 * target, so the turn is not forgotten.
 */
static struct conversation *take_turn(struct run *r)
{
	struct session *session = scheduler_first(&r->scheduler);
	struct conversation *c = session->conversation;
	bool begins = !c;
	if (begins)
		c = take_conversation(r);
	if (!c) {
		c = waiting_chain(r);
		if (!c)
			return NULL;
		begins = false;
		session = c->session;
	}
	size_t turn = scheduler_take(&r->scheduler, session);
	r->counts.queued--;
	if (window_wants_more(r))
		engine_mark_run(r->engine, r);
	if (r->scheduler.ordered)
		session->conversation = c;
	if (begins)
		conversation_begin(c, session, turn, r->scheduler.ordered ? session->batch_count : turn + 1);
	return c;
}

bool run_start_turn(struct run *r, uint64_t now_us)
{
	struct list *retry = list_pop_front(&r->retries);
	if (retry) {
		r->counts.waiting_retry--;
		conversation_start(LIST_ENTRY(retry, struct conversation, link), now_us);
		return true;
	}
	struct conversation *c = take_turn(r);
	if (!c)
		return false;
	conversation_start(c, now_us);
	return true;
}

void run_queue_retry(struct run *r, struct conversation *c)
{
	list_push_back(&r->retries, &c->link);
	engine_mark_target(r->engine, r->target);
}

/* Only ever moves the timer forward in time when it has fired: one that comes too early finds nothing to do. */
static void arm_timer(struct run *r)
{
	uint64_t next = r->deadline_passed ? r->grace_until_us : MIN(r->deadline_us, r->grace_until_us);
	if (!list_empty(&r->due))
		next = MIN(next, LIST_ENTRY(r->due.next, struct conversation, due_link)->deadline_us);
	if (!heap_node_armed(&r->timer.node) || next < r->timer.node.deadline_us)
		timer_arm(r->engine->config.timers, &r->timer, next);
}

/* All turns of a run have the same time, so the one that starts last ends last, and behind the first one the timer needs no look until it fires. */
void run_watch_deadline(struct run *r, struct conversation *c)
{
	list_push_back(&r->due, &c->due_link);
	if (r->due.next == &c->due_link)
		arm_timer(r);
}

/* ---- results ---- */

void run_count_attempt(struct run *r, const struct conversation *c)
{
	r->counts.attempts++;
	r->counts.retries += c->attempts_sent > 1;
	r->counts.resent += c->attempt.result.resent;
}

static bool status_refuses(const struct turn_result *result)
{
	int status = result->http_status;
	return result->outcome == OUTCOME_HTTP_4XX && (status == 401 || status == 403 || status == 404);
}

void run_take_result(struct run *r, struct conversation *c)
{
	list_push_back(&r->results, &c->link);
	r->result_count++;
	engine_mark_run(r->engine, r);
	if (c->attempts_sent == 0 || c->record.result.outcome == OUTCOME_CANCELLED)
		return;
	r->finished++;
	r->finished_refused += status_refuses(&c->record.result);
	if (r->finished == RUN_REFUSED_FIRST && r->finished_refused == RUN_REFUSED_FIRST)
		r->refused_from_start = true;
}

/* As many as the sink has credits for. A void run's go nowhere. */
static void hand_out_results(struct run *r)
{
	struct sink *sink = r->config.sink;
	while (!list_empty(&r->results) && (r->is_void || r->records_open < sink_credits(sink))) {
		struct conversation *c = LIST_ENTRY(list_pop_front(&r->results), struct conversation, link);
		r->result_count--;
		r->records_open++;
		if (r->is_void) {
			c->record.done(&c->record, 0);
			continue;
		}
		r->any_record = true;
		sink->ops->record(sink, &c->record);
	}
}

static void add_tokens(int64_t *sum, int64_t tokens)
{
	if (tokens >= 0)
		*sum = MAX(*sum, 0) + tokens;
}

static void count_turn(struct run *r, const struct conversation *c)
{
	const struct turn_result *result = &c->record.result;
	struct run_counts *n = &r->counts;
	n->outcomes[result->outcome]++;
	n->done++;
	n->unreachable += c->attempts_sent > 0 && !c->replied && result->outcome != OUTCOME_CANCELLED;
	n->refused += status_refuses(result);
	add_tokens(&n->input_tokens, result->usage.input_tokens);
	add_tokens(&n->output_tokens, result->usage.output_tokens);
	if (r->config.on_turn)
		r->config.on_turn(r->config.user, result);
}

void run_recorded(struct run *r, struct conversation *c, int code, uint64_t now_us)
{
	struct session *session = c->session;
	if (c->first_call_us)
		r->started--;
	if (code != 0)
		run_fail(r, code, NULL, now_us);
	else if (!r->is_void)
		count_turn(r, c);
	engine_mark_run(r->engine, r);
	engine_mark_target(r->engine, r->target);
	window_count_record(r, session, &c->record.result, now_us);
}

void run_put_back(struct run *r, struct conversation *c)
{
	list_push_front(&r->pool, &c->link);
}

/* ---- stopping ---- */

static void interrupt_live(struct run *r, enum interrupt why, bool calling, uint64_t now_us)
{
	LIST_FOR_EACH (it, next, &r->live) {
		struct conversation *c = LIST_ENTRY(it, struct conversation, live_link);
		if (calling || c->state != CONVERSATION_CALLING)
			conversation_interrupt(c, why, now_us);
	}
}

void run_stop(struct run *r, enum run_end end, uint64_t now_us)
{
	if (r->stopping)
		return;
	r->stopping = true;
	r->end = end;
	log_info(r->engine->config.logger, "%.*s", STR_ARG(stops[end].sentence));
	interrupt_live(r, stops[end].waiting, false, now_us);
	engine_mark_run(r->engine, r);
}

void run_fail(struct run *r, int code, const char *sentence, uint64_t now_us)
{
	if (r->error.code == 0 || (r->vague_error && sentence)) {
		r->vague_error = sentence == NULL;
		if (sentence)
			error_set(&r->error, code, "", "%s", sentence);
		else
			error_set(&r->error, code, "", "The run cannot go on: %s.", error_code_text(code));
	}
	if (r->stopping)
		r->end = RUN_FAILED;
	else
		run_stop(r, RUN_FAILED, now_us);
}

void run_void(struct run *r, struct str sentence, uint64_t now_us)
{
	char text[sizeof r->error.text];
	if (r->any_record || r->stopping)
		return;
	snprintf(text, sizeof text, "%.*s", STR_ARG(sentence));
	r->is_void = true;
	r->source_read = true;
	run_fail(r, FF_EUSAGE, text, now_us);
	interrupt_live(r, INTERRUPT_CANCEL, true, now_us);
}

void run_curtail(struct run *r, uint64_t now_us)
{
	r->curtailed = true;
	if (now_us >= r->deadline_us)
		run_stop(r, RUN_DEADLINE, now_us);
}

void run_cancel(struct run *r, uint64_t now_us, uint64_t grace_us)
{
	if (r->ended)
		return;
	uint64_t until = now_us + grace_us;
	r->grace_until_us = r->cancel_asked ? now_us : MIN(until, r->grace_until_us);
	r->cancel_asked = true;
	engine_mark_run(r->engine, r);
}

static void expire_turns(struct run *r, uint64_t now_us)
{
	while (!list_empty(&r->due)) {
		struct conversation *c = LIST_ENTRY(r->due.next, struct conversation, due_link);
		if (c->deadline_us > now_us)
			return;
		list_remove(&c->due_link);
		conversation_interrupt(c, INTERRUPT_TURN_TIMEOUT, now_us);
	}
}

static void keep_deadlines(struct run *r, uint64_t now_us)
{
	if (now_us >= r->deadline_us && !r->deadline_passed) {
		r->deadline_passed = true;
		run_stop(r, RUN_DEADLINE, now_us);
		interrupt_live(r, INTERRUPT_DEADLINE, true, now_us);
	}
	if (r->cancel_asked)
		run_stop(r, RUN_CANCELLED, now_us);
	if (now_us >= r->grace_until_us) {
		r->grace_until_us = CLOCK_NEVER;
		interrupt_live(r, INTERRUPT_CANCEL, true, now_us);
	}
	if (r->refused_from_start)
		run_stop(r, RUN_REFUSED, now_us);
	expire_turns(r, now_us);
}

/* Records what was never sent as not_run. True: there is more to do at once. */
static bool skip_turns(struct run *r, uint64_t now_us)
{
	for (size_t i = 0; i < SKIP_SLICE && r->scheduler.startable > 0; i++) {
		if (!r->is_void && !has_credit(r))
			return false;
		struct conversation *c = take_turn(r);
		if (!c)
			return false;
		r->curtailed = true;
		conversation_skip(c, now_us, stops[r->end].sentence);
		hand_out_results(r);
	}
	return r->scheduler.startable > 0;
}

/* ---- the end ---- */

static bool is_complete(const struct run *r)
{
	return r->source_read && r->session_count == 0 && list_empty(&r->live);
}

static void set_sink_asked(struct run *r, bool asked)
{
	r->engine->sinks_asked += asked;
	r->engine->sinks_asked -= r->sink_asked;
	r->sink_asked = asked;
}

static void end_run(struct run *r, uint64_t now_us)
{
	struct sink *sink = r->config.sink;
	struct error err = { 0 };
	if (!r->is_void && sink->ops->end && sink->ops->end(sink, &err) != 0)
		run_fail(r, err.code ? err.code : FF_EOUTPUT, err.text[0] ? err.text : NULL, now_us);
	if ((r->end == RUN_DEADLINE || r->end == RUN_CANCELLED) && !r->curtailed)
		r->end = RUN_FINISHED; /* it came too late to change anything */
	r->ended = true;
	set_sink_asked(r, false);
	timer_disarm(r->engine->config.timers, &r->timer);
	list_remove(&r->attention_link);
	r->config.on_end(r->config.user, r);
}

/* Credits may come back without a record's done (a disk with room again): while nothing else can wake the run, the sink is asked again. */
static void ask_sink_again(struct run *r)
{
	bool blocked = r->records_open == 0 && !r->is_void && sink_credits(r->config.sink) == 0;
	set_sink_asked(r, blocked && (!list_empty(&r->results) || r->scheduler.startable > 0 || !list_empty(&r->retries)));
}

bool run_step(struct run *r, uint64_t now_us)
{
	keep_deadlines(r, now_us);
	bool more = window_fill(r, now_us);
	hand_out_results(r);
	if (r->stopping)
		more |= skip_turns(r, now_us);
	else if (r->scheduler.startable > 0)
		engine_mark_target(r->engine, r->target);
	if (is_complete(r)) {
		end_run(r, now_us);
		return false;
	}
	arm_timer(r);
	ask_sink_again(r);
	if (more) {
		engine_mark_run(r->engine, r);
		r->engine->yield = true;
	}
	return true;
}

/* ---- what others may know ---- */

const struct run_counts *run_counts(const struct run *r)
{
	struct run_counts *n = &((struct run *)r)->counts;
	n->in_flight = r->in_flight;
	return n;
}

enum run_end run_end_state(const struct run *r)
{
	return r->end;
}

const struct error *run_error(const struct run *r)
{
	return &r->error;
}

bool run_is_void(const struct run *r)
{
	return r->is_void;
}

int64_t run_retry_after_ms(const struct run *r)
{
	return r->retry_after_ms;
}

uint32_t run_concurrency_now(const struct run *r)
{
	return r->options.adaptive ? MIN(r->concurrency, r->target->limiter.now) : r->concurrency;
}
