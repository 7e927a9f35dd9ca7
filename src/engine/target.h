/*
 * target.h: one origin + key with its own limits: slots, the adaptive limit, the pause. Belongs to the engine, shared by all its runs.
 *
 * A slot is held by a turn from the start of an attempt to its end; a turn that waits before another attempt holds none. How many there are:
 *   max       the largest concurrency of the runs that use the target; no run passes its own
 *   limiter   within max, for runs whose option says adaptive
 *   pause     nobody starts before paused_until_us: a provider said how long to wait
 * Nothing here reads a clock.
 */
#ifndef FF_ENGINE_TARGET_H
#define FF_ENGINE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/timers.h"
#include "model/outcome.h"

struct run;
struct engine;

/* ---- the adaptive limit: arithmetic, no references ---- */

#define LIMITER_START      4                 /* turns in flight to begin with */
#define LIMITER_COOLING_US UINT64_C(5000000) /* after a cut: one episode; successes teach nothing, more 429s do not cut again */

struct limiter {
	uint32_t max;              /* never above */
	uint32_t now;              /* turns in flight allowed, 1..max */
	bool slow_start;           /* no 429 so far: doubles a round; afterwards one more a round */
	uint32_t successes;        /* of this round, while the limit was what held us */
	uint64_t cut_us;           /* last cut; 0: none. What was sent before it belongs to its episode */
	uint64_t cooling_until_us; /* end of the episode */
};

void limiter_init(struct limiter *l, uint32_t max);
void limiter_set_max(struct limiter *l, uint32_t max);
/* A turn succeeded. held: turns were waiting and the limit was what held them. */
void limiter_success(struct limiter *l, bool held, uint64_t now_us);
/* A 429 to an attempt that was sent at sent_us. True when it cut the limit. */
bool limiter_refused(struct limiter *l, uint64_t sent_us, uint64_t now_us);

/* ---- target ---- */

struct target {
	struct list link;       /* the engine's targets, most recently used last */
	struct list dirty_link; /* the engine's dirty targets: a turn may be able to start */
	struct engine *engine;
	char *origin;
	uint64_t key_hash;
	struct list runs; /* run.target_link, in round-robin order */
	size_t run_count;
	size_t ordered_runs;         /* of them, whose turns have to keep an order */
	uint32_t max;                /* largest concurrency of its runs */
	uint32_t in_flight;          /* slots taken */
	uint32_t adaptive_in_flight; /* of them, by runs that keep to the limiter */
	struct limiter limiter;
	bool held; /* the limiter stopped a turn since the last look */
	uint64_t paused_until_us;
	struct timer pause_timer;
};

/* Finds or makes the target of origin + key. NULL: out of memory. */
struct target *target_get(struct engine *e, const char *origin, uint64_t key_hash);
void target_free(struct target *t);
void target_attach(struct target *t, struct run *r);
/* Idle targets are kept for a while: what they learnt, and a pause, outlives a run. */
void target_detach(struct target *t, struct run *r);

/* Nobody starts before until_us. A shorter pause does not end a longer one. */
void target_pause(struct target *t, uint64_t until_us);
static inline bool target_is_paused(const struct target *t, uint64_t now_us)
{
	return t->paused_until_us > now_us;
}
/* A slot is free for this run (which must also keep to its own concurrency). Notes when the limiter is what said no. */
bool target_has_slot(struct target *t, const struct run *r);
void target_take_slot(struct target *t, struct run *r);
void target_return_slot(struct target *t, struct run *r, enum outcome outcome, uint64_t sent_us, uint64_t now_us);
/* Starts what may start, the run with the fewest turns in flight first, in turn when they are equal. At most `most`; returns how many. */
size_t target_dispatch(struct target *t, size_t most, uint64_t now_us);

#endif
