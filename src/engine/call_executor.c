/*
 * call_executor.c: turns that are answered by a function of this process. What it is not: it never tries again (retry.c), holds no slot (target.c), and
 * knows no public struct (lib/runner_api.c).
 *
 *   start ─> a call with its tickets ─run─> the runner … call_complete (any thread) ─inbox, wake─> call_executor_process ─> a->done
 *
 * `done` never comes inside start or cancel, also when the runner completes inside run: the completion waits in the inbox until the loop takes it. What
 * cannot be started, is cancelled or was answered early ends from the timers, in a chain through executor_state (odd there: next | 1), because there
 * may be no memory for anything else.
 *
 * A call outlives its turn while the runner has not completed it: the runner may read its batch until then. What it has not completed when it
 * was closed is never freed (call_table.c): a thread that the runner lost may still read it, and a leak is better than a crash.
 */
#include "engine/call_executor.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/timers.h"
#include "connector/connector.h"
#include "engine/call_internal.h"

/* ---- attempts that end without a completion ---- */

static bool is_ended(const struct attempt *a)
{
	return ((uintptr_t)a->executor_state & 1) != 0;
}

static void hand_over(struct timer *timer, uint64_t now_us)
{
	struct call_executor *x = CONTAINER_OF(timer, struct call_executor, timer);
	struct attempt *a = x->first_ended;
	(void)now_us;
	x->first_ended = x->last_ended = NULL;
	while (a) {
		struct attempt *next = (struct attempt *)((uintptr_t)a->executor_state & ~(uintptr_t)1);
		a->executor_state = NULL;
		a->done(a);
		a = next;
	}
}

void call_end_attempt(struct call_executor *x, struct attempt *a)
{
	a->executor_state = (void *)(uintptr_t)1;
	if (x->first_ended)
		x->last_ended->executor_state = (void *)((uintptr_t)a | 1);
	else
		x->first_ended = a;
	x->last_ended = a;
	timer_arm(x->config.timers, &x->timer, call_now_us(x));
}

void call_end_unsent(struct call_executor *x, struct attempt *a)
{
	a->result.outcome = OUTCOME_NOT_RUN;
	a->result.error = STR("not sent: out of memory; lower the concurrency or give the process more memory.");
	call_end_attempt(x, a);
}

/* ---- calls ---- */

struct call *call_new(struct call_executor *x, size_t batch_count, bool dataset)
{
	size_t tickets = batch_count + dataset;
	struct call *c = mem_calloc(1, sizeof *c + tickets * sizeof c->tickets[0]);
	if (!c)
		return NULL;
	c->x = x;
	c->batch_count = batch_count;
	c->open = c->ticket_count = tickets;
	arena_init(&c->memory);
	for (size_t i = 0; i < tickets; i++) {
		c->tickets[i].call = c;
		c->tickets[i].batch = SIZE_MAX;
		list_init(&c->tickets[i].link);
	}
	list_push_back(&x->calls, &c->link);
	return c;
}

void call_free(struct call *c)
{
	for (size_t i = 0; i < c->ticket_count; i++)
		mem_free(c->tickets[i].reply);
	list_remove(&c->link);
	arena_release(&c->memory);
	mem_free(c);
}

void call_return(struct call *c)
{
	assert(c->open > 0);
	if (--c->open == 0)
		call_free(c);
}

static uint64_t time_left_ms(const struct call *c, const struct attempt *a)
{
	if (a->deadline_us == CLOCK_NEVER)
		return 0;
	return a->deadline_us > c->start_us ? (a->deadline_us - c->start_us + 999) / 1000 : 1;
}

/* What the runner is asked, in the call's memory. NULL: out of memory. */
static struct call_item *make_items(struct call *c, const struct attempt *a)
{
	struct call_item *items = arena_calloc(&c->memory, c->batch_count, sizeof *items);
	for (size_t i = 0; items && i < c->batch_count; i++) {
		const struct message *messages;
		size_t count;
		items[i] = (struct call_item){ .id = c->tickets[i].id,
			                       .batch = c->tickets[i].batch,
			                       .attempt = i == 0 ? a->index : 0 };
		if (c->x->config.runner->prompt(a->dataset, items[i].batch, &c->memory, &messages, &count) != 0)
			return NULL;
		items[i].prompt = count ? messages[count - 1].content : STR_NULL;
	}
	return items;
}

static int run_issued(struct call *c, const struct attempt *a)
{
	struct call_item *items = make_items(c, a);
	if (!items)
		return FF_ENOMEM;
	c->start_us = call_now_us(c->x);
	struct call_request request = {
		.id = c->tickets[c->ticket_count - 1].id,
		.dataset = a->dataset,
		.items = items,
		.item_count = c->batch_count,
		.timeout_ms = time_left_ms(c, a),
		.memory = &c->memory,
	};
	return c->x->config.ops->run(c->x->config.user, &request);
}

int call_run(struct call *c, const struct attempt *a)
{
	int rc = call_table_issue(c);
	if (rc == 0) {
		rc = run_issued(c, a);
		for (size_t i = 0; rc != 0 && i < c->ticket_count; i++)
			(void)call_table_retire(&c->tickets[i]);
	}
	if (rc != 0)
		call_free(c);
	return rc;
}

/* ---- operations ---- */

static void start(struct executor *e, struct attempt *a)
{
	struct call_executor *x = call_executor_of(e);
	if (x->config.datasets) {
		call_session_start(a->session, a);
		return;
	}
	struct call *c = call_new(x, 1, false);
	if (!c) {
		call_end_unsent(x, a);
		return;
	}
	c->tickets[0].batch = a->batch;
	c->tickets[0].attempt = a;
	a->executor_state = &c->tickets[0];
	if (call_run(c, a) != 0)
		call_end_unsent(x, a);
}

static void cancel(struct executor *e, struct attempt *a)
{
	struct call_executor *x = call_executor_of(e);
	if (is_ended(a))
		return;
	if (x->config.datasets) {
		call_session_cancel(a->session, a);
		return;
	}
	struct call_ticket *t = a->executor_state;
	if (!call_table_is_held(t)) /* it came back: its result follows */
		return;
	t->attempt = NULL;
	a->result.outcome = OUTCOME_CANCELLED;
	call_end_attempt(x, a);
	x->config.ops->cancel(x->config.user, t->id);
}

static void take_turn(struct call_ticket *t, uint64_t now_us)
{
	struct attempt *a = t->attempt;
	struct call *c = t->call;
	if (a) {
		call_reply_read(t, &a->dataset->batches[a->batch], a->arena, &a->result);
		call_reply_stamp(c, t, now_us, &a->result);
		a->executor_state = NULL;
		a->done(a);
	} else {
		log_info(c->x->config.logger, "%s: a turn was answered when nobody waited for it any more.", c->x->name);
	}
	call_return(c);
}

void call_executor_process(struct executor *e)
{
	struct call_executor *x = call_executor_of(e);
	struct list back;
	uint64_t ignored = call_table_collect(x, &back), now_us = call_now_us(x);
	for (struct list *node; (node = list_pop_front(&back));) {
		struct call_ticket *t = LIST_ENTRY(node, struct call_ticket, link);
		if (x->config.datasets)
			call_session_take(t, now_us);
		else
			take_turn(t, now_us);
	}
	if (ignored)
		log_warning(x->config.logger, "%s: %llu %s ignored: a completion was called a second time, or its call had ended.",
		            x->name, (unsigned long long)ignored, ignored == 1 ? "completion was" : "completions were");
}

/* ---- life ---- */

static void free_executor(struct call_executor *x)
{
	timer_disarm(x->config.timers, &x->timer);
	timers_unreserve(x->config.timers, 1);
	mem_free(x->name);
	mem_free(x);
}

static void say_uncompleted(const struct call_executor *x)
{
	size_t count = 0;
	LIST_FOR_EACH (it, next, &x->calls)
		count++;
	if (count)
		log_warning(x->config.logger, "%s: %zu %s never completed.", x->name, count,
		            count == 1 ? "call was" : "calls were");
}

static void call_executor_free(struct executor *e)
{
	struct call_executor *x = call_executor_of(e);
	assert(!x->first_ended);
	x->config.ops->close(x->config.user);
	call_executor_process(e); /* what close completed */
	say_uncompleted(x);
	call_table_unregister(x);
	x->config.ops->release(x->config.user);
	free_executor(x);
}

static const struct executor_ops ops = {
	.start = start,
	.cancel = cancel,
	.session_new = call_session_new,
	.session_free = call_session_free,
	.free = call_executor_free,
};

static void fill_base(struct call_executor *x)
{
	const struct call_executor_config *config = &x->config;
	x->base = (struct executor){
		.ops = &ops,
		.ordered = config->ordered || config->datasets,
		.max_concurrency = config->max_concurrency,
		.label = x->name,
		.target_origin = x->name,
		.target_key_hash = x->number, /* its own: nothing is shared with another run */
		.default_max_retries = config->default_max_retries,
		.backoff_first_s = 0.5,
		.backoff_cap_s = 8,
	};
}

int call_executor_new(const struct call_executor_config *config, struct executor **ret)
{
	struct call_executor *x = NEW(struct call_executor);
	if (!x || timers_reserve(config->timers, 1) != 0) {
		mem_free(x);
		return FF_ENOMEM;
	}
	x->config = *config;
	timer_init(&x->timer, hand_over);
	list_init(&x->calls);
	list_init(&x->inbox);
	list_init(&x->registry);
	map_init(&x->tickets);
	x->name = mem_strdup(config->name);
	if (!x->name) {
		free_executor(x);
		return FF_ENOMEM;
	}
	call_table_register(x);
	fill_base(x);
	*ret = &x->base;
	return 0;
}
