/*
 * target.c: slots, the adaptive limit, the pause, and which run gets the next slot.
 *
 * The limiter is the slow start of TCP with one difference: a wait that the provider asks for is the target's pause, never the limiter's, so
 * that a long hint cannot blind it. 5xx says nothing about how many turns a target can take, and is not shown to it.
 */
#include "engine/target.h"

#include <assert.h>

#include "base/alloc.h"
#include "engine/run.h"

#define IDLE_TARGETS_KEPT 64

/* ---- the adaptive limit ---- */

void limiter_init(struct limiter *l, uint32_t max)
{
	*l = (struct limiter){ .max = max, .now = MIN(max, (uint32_t)LIMITER_START), .slow_start = true };
}

void limiter_set_max(struct limiter *l, uint32_t max)
{
	assert(max > 0);
	l->max = max;
	l->now = MIN(l->now, max);
}

static void limiter_grow(struct limiter *l)
{
	uint32_t grown = l->slow_start ? (l->now > l->max / 2 ? l->max : l->now * 2) : l->now + 1;
	l->now = MIN(grown, l->max);
	l->successes = 0;
}

void limiter_success(struct limiter *l, bool held, uint64_t now_us)
{
	if (now_us < l->cooling_until_us || !held || l->now == l->max)
		return;
	if (++l->successes >= l->now)
		limiter_grow(l);
}

bool limiter_refused(struct limiter *l, uint64_t sent_us, uint64_t now_us)
{
	if (l->cut_us && (now_us < l->cooling_until_us || sent_us <= l->cut_us))
		return false;
	l->now = MAX(l->now / 2, 1u);
	l->slow_start = false;
	l->successes = 0;
	l->cut_us = now_us;
	l->cooling_until_us = now_us + LIMITER_COOLING_US;
	return true;
}

/* ---- life ---- */

static void pause_over(struct timer *timer, uint64_t now_us)
{
	struct target *t = CONTAINER_OF(timer, struct target, pause_timer);
	(void)now_us;
	engine_mark_target(t->engine, t);
	engine_wake(t->engine);
}

static struct target *target_new(struct engine *e, const char *origin, uint64_t key_hash)
{
	struct target *t = NEW(struct target);
	if (!t)
		return NULL;
	t->origin = mem_strdup(origin);
	if (!t->origin || timers_reserve(e->config.timers, 1) != 0) {
		mem_free(t->origin);
		mem_free(t);
		return NULL;
	}
	t->engine = e;
	t->key_hash = key_hash;
	list_init(&t->runs);
	list_init(&t->dirty_link);
	limiter_init(&t->limiter, LIMITER_START);
	timer_init(&t->pause_timer, pause_over);
	list_push_back(&e->targets, &t->link);
	e->idle_targets++; /* until a run is attached */
	return t;
}

struct target *target_get(struct engine *e, const char *origin, uint64_t key_hash)
{
	LIST_FOR_EACH (it, next, &e->targets) {
		struct target *t = LIST_ENTRY(it, struct target, link);
		if (t->key_hash == key_hash && strcmp(t->origin, origin) == 0)
			return t;
	}
	return target_new(e, origin, key_hash);
}

void target_free(struct target *t)
{
	assert(t->run_count == 0 && t->in_flight == 0);
	t->engine->idle_targets--;
	timer_disarm(t->engine->config.timers, &t->pause_timer);
	timers_unreserve(t->engine->config.timers, 1);
	list_remove(&t->link);
	list_remove(&t->dirty_link);
	mem_free(t->origin);
	mem_free(t);
}

static void set_max(struct target *t, uint32_t max)
{
	t->max = max;
	if (max)
		limiter_set_max(&t->limiter, max);
}

/* A run has left: the others' maximum is at most what it was, and often the first one's. */
static void recompute_max(struct target *t)
{
	uint32_t max = 0;
	for (struct list *it = t->runs.next; it != &t->runs && max < t->max; it = it->next)
		max = MAX(max, LIST_ENTRY(it, struct run, target_link)->concurrency);
	set_max(t, max);
}

void target_attach(struct target *t, struct run *r)
{
	bool first_ever = t->max == 0 && t->run_count == 0, alone = t->run_count++ == 0;
	if (alone)
		t->engine->idle_targets--;
	t->ordered_runs += r->scheduler.ordered;
	list_push_back(&t->runs, &r->target_link);
	if (first_ever)
		limiter_init(&t->limiter, r->concurrency);
	set_max(t, alone ? r->concurrency : MAX(t->max, r->concurrency));
}

static void drop_oldest_idle(struct engine *e)
{
	LIST_FOR_EACH (it, next, &e->targets) {
		struct target *t = LIST_ENTRY(it, struct target, link);
		if (t->run_count == 0) {
			target_free(t);
			return;
		}
	}
}

void target_detach(struct target *t, struct run *r)
{
	struct engine *e = t->engine;
	list_remove(&r->target_link);
	t->ordered_runs -= r->scheduler.ordered;
	if (--t->run_count > 0) {
		recompute_max(t);
		return;
	}
	list_remove(&t->link);
	list_push_back(&e->targets, &t->link);
	if (++e->idle_targets > IDLE_TARGETS_KEPT)
		drop_oldest_idle(e);
}

/* ---- slots ---- */

void target_pause(struct target *t, uint64_t until_us)
{
	if (until_us <= t->paused_until_us)
		return;
	t->paused_until_us = until_us;
	timer_arm(t->engine->config.timers, &t->pause_timer, until_us);
}

bool target_has_slot(struct target *t, const struct run *r)
{
	if (t->in_flight >= t->max || r->in_flight >= r->concurrency)
		return false;
	if (!r->options.adaptive || t->adaptive_in_flight < t->limiter.now)
		return true;
	t->held = true;
	return false;
}

void target_take_slot(struct target *t, struct run *r)
{
	t->in_flight++;
	t->adaptive_in_flight += r->options.adaptive;
	r->in_flight++;
}

void target_return_slot(struct target *t, struct run *r, enum outcome outcome, uint64_t sent_us, uint64_t now_us)
{
	assert(t->in_flight > 0 && r->in_flight > 0);
	if (outcome == OUTCOME_RATE_LIMITED) {
		if (limiter_refused(&t->limiter, sent_us, now_us))
			log_info(t->engine->config.logger, "%s answered 429: %u turns in flight from now on", t->origin,
			         t->limiter.now);
	} else if (outcome_is_success(outcome)) {
		limiter_success(&t->limiter, t->held, now_us);
	}
	t->in_flight--;
	t->adaptive_in_flight -= r->options.adaptive;
	r->in_flight--;
	engine_mark_target(t->engine, t);
}

/* The run that gets the next slot: fewest turns in flight; the list's order decides between equals. */
static struct run *next_run(struct target *t)
{
	struct run *best = NULL;
	LIST_FOR_EACH (it, next, &t->runs) {
		struct run *r = LIST_ENTRY(it, struct run, target_link);
		if (best && r->in_flight >= best->in_flight)
			continue;
		if (run_wants_slot(r) && target_has_slot(t, r))
			best = r;
	}
	return best;
}

size_t target_dispatch(struct target *t, size_t most, uint64_t now_us)
{
	size_t started = 0;
	if (target_is_paused(t, now_us))
		return 0;
	t->held = false;
	while (started < most) {
		struct run *r = next_run(t);
		if (!r || !run_start_turn(r, now_us))
			break;
		list_remove(&r->target_link);
		list_push_back(&t->runs, &r->target_link);
		started++;
	}
	return started;
}
