/*
 * engine.c: the step that drives all runs, and what it has to look at.
 *
 * Three lists say where something may have to be done, so that a step costs what happened and not what exists:
 *   ready       conversations with a completion (an attempt, a record, a wait)
 *   attention   runs: results to hand out, input to read, a deadline, a cancel, the end
 *   dirty       targets on which a turn may be able to start
 * Whoever puts something there from outside a step also calls config.wake. A step goes round until all three are empty or its share of work is
 * done; then it asks to be called again at once, so that the loop can look at its sockets in between.
 */
#include <assert.h>

#include "base/alloc.h"
#include "engine/run.h"

#define STEP_MOST 1024 /* transitions a step: a few milliseconds */
/* Turns that a step starts: what each then asks of the transport takes tens of microseconds, and all of that comes before the sockets' turn. */
#define STARTS_MOST 32
#define ASK_SINK_US 100000 /* how soon a sink without credits and without records is asked again */

int engine_new(const struct engine_config *config, struct engine **ret)
{
	assert(config->timers && config->wake);
	struct engine *e = NEW(struct engine);
	if (!e)
		return FF_ENOMEM;
	e->config = *config;
	rand_init(&e->rand, config->seed);
	list_init(&e->runs);
	list_init(&e->attention);
	list_init(&e->ready);
	list_init(&e->targets);
	list_init(&e->dirty);
	*ret = e;
	return 0;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	assert(list_empty(&e->runs));
	while (!list_empty(&e->targets))
		target_free(LIST_ENTRY(e->targets.next, struct target, link));
	mem_free(e);
}

/* ---- what has to be looked at ---- */

void engine_wake(struct engine *e)
{
	if (e->woken)
		return;
	e->woken = true;
	e->config.wake(e->config.wake_user);
}

static void mark(struct engine *e, struct list *where, struct list *node)
{
	if (node->next == node)
		list_push_back(where, node);
	engine_wake(e);
}

void engine_mark_ready(struct engine *e, struct conversation *c)
{
	mark(e, &e->ready, &c->ready_link);
}

void engine_mark_run(struct engine *e, struct run *r)
{
	if (!r->ended)
		mark(e, &e->attention, &r->attention_link);
}

void engine_mark_target(struct engine *e, struct target *t)
{
	mark(e, &e->dirty, &t->dirty_link);
}

/* ---- the step ---- */

static size_t process_ready(struct engine *e, size_t most, uint64_t now_us)
{
	size_t count = 0;
	struct list *node;
	while (count < most && (node = list_pop_front(&e->ready)) != NULL) {
		conversation_process(LIST_ENTRY(node, struct conversation, ready_link), now_us);
		count++;
	}
	return count;
}

/* Runs that are marked while this goes on are for the next round. */
static size_t process_runs(struct engine *e, uint64_t now_us)
{
	size_t count = 0;
	struct list round;
	list_init(&round);
	while (!list_empty(&e->attention))
		list_push_back(&round, list_pop_front(&e->attention));
	struct list *node;
	while ((node = list_pop_front(&round)) != NULL) {
		run_step(LIST_ENTRY(node, struct run, attention_link), now_us);
		count++;
	}
	return count;
}

/* What was started leaves when the step is over, and reading on, which a start asks for, can wait until then: the peers work meanwhile. */
static size_t process_targets(struct engine *e, size_t most, uint64_t now_us)
{
	size_t count = 0;
	struct list *node;
	while (count < most && (node = list_pop_front(&e->dirty)) != NULL) {
		struct target *t = LIST_ENTRY(node, struct target, dirty_link);
		size_t started = target_dispatch(t, most - count, now_us);
		count += started + 1;
		e->yield |= started > 0;
		if (count >= most)
			engine_mark_target(e, t);
	}
	return count;
}

static bool keeps_order(struct engine *e)
{
	LIST_FOR_EACH (it, next, &e->dirty)
		if (LIST_ENTRY(it, struct target, dirty_link)->ordered_runs > 0)
			return true;
	return false;
}

/*
 * Where no order has to be kept the next turns start before the results are handed out, which then wait for the next step: writing them takes longer than
 * all the rest, and the peers work meanwhile. So up to STARTS_MOST turns more have left, and are recorded, when a record turns out to be one that the sink
 * cannot keep. With a run that keeps an order in sight all runs take their turn in the round (go_round): what another one started early would be out of that
 * run's slots. Targets stay dirty, and each was at the front once before one is again.
 */
static bool start_early(struct engine *e, uint64_t now_us)
{
	size_t started = 0;
	struct list *last = e->dirty.prev, *node = NULL;
	if (keeps_order(e))
		return false;
	while (started < STARTS_MOST && node != last && (node = list_pop_front(&e->dirty)) != NULL) {
		struct target *t = LIST_ENTRY(node, struct target, dirty_link);
		started += target_dispatch(t, STARTS_MOST - started, now_us);
		engine_mark_target(e, t);
	}
	e->yield |= started > 0;
	return started > 0;
}

static bool has_completions(const struct engine *e)
{
	return !list_empty(&e->ready) || !list_empty(&e->attention);
}

static bool has_work(const struct engine *e)
{
	return has_completions(e) || !list_empty(&e->dirty);
}

static uint64_t next_step(const struct engine *e, uint64_t now_us)
{
	if (has_work(e))
		return now_us;
	return e->sinks_asked ? now_us + ASK_SINK_US : CLOCK_NEVER;
}

static void ask_sinks_again(struct engine *e)
{
	if (e->sinks_asked == 0)
		return;
	LIST_FOR_EACH (it, next, &e->runs) {
		struct run *r = LIST_ENTRY(it, struct run, link);
		if (r->sink_asked && sink_credits(r->config.sink) > 0) {
			engine_mark_run(e, r);
			engine_mark_target(e, r->target);
		}
	}
}

/* Goes round until nothing is left to do, or a share of it is done. */
static void go_round(struct engine *e, size_t count, uint64_t now_us)
{
	do {
		/* Slots last: a record that is kept at once lets the next turn of its session compete for the slot that became free. */
		do {
			count += process_runs(e, now_us);
			count += process_ready(e, STEP_MOST - MIN(count, (size_t)STEP_MOST), now_us);
		} while (has_completions(e) && count < STEP_MOST && !e->yield);
		count += process_targets(e, STARTS_MOST, now_us);
	} while (has_work(e) && count < STEP_MOST && !e->yield);
}

uint64_t engine_step(struct engine *e, uint64_t now_us)
{
	size_t count = 0;
	e->woken = true; /* what is marked from here on is seen by this step */
	e->yield = false;
	ask_sinks_again(e);
	process_runs(e, now_us); /* deadlines first: what came with them was cut off by them */
	count += process_ready(e, STEP_MOST, now_us);
	if (!start_early(e, now_us))
		go_round(e, count, now_us);
	e->woken = false;
	return next_step(e, now_us);
}
