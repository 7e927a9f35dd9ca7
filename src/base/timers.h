/*
 * timers.h: everything that waits, on one deadline heap. Pure: `now` is an argument, so the simulator drives it with a fake clock.
 *
 * The loop (net/loop.h) arms one libuv timer for the deadline that timers_run returns. A timer is embedded in its owner; arming moves it,
 * firing disarms it first, so that `fire` may arm it again or free its owner. Deadlines that are pushed forward often (silence between
 * bytes) should be re-armed lazily: note the time, and look at it in fire.
 */
#ifndef FF_BASE_TIMERS_H
#define FF_BASE_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"

#define CLOCK_NEVER UINT64_MAX /* a deadline that does not come */

struct timer {
	struct heap_node node;
	void (*fire)(struct timer *t, uint64_t now_us);
};

struct timers {
	struct heap heap;
	size_t reserved; /* timers that may be armed at once, by timers_reserve */
	bool running;    /* inside timers_run, which must not be called again from a fire function */
	uint64_t now_us; /* of the running pass: an earlier deadline armed meanwhile becomes this moment */
};

void timers_init(struct timers *t);
void timers_release(struct timers *t);
/* Announces one more timer (so that arming it can never fail). 0 or FF_ENOMEM. Pair with timers_unreserve. */
int timers_reserve(struct timers *t, size_t count) WARN_UNUSED;
void timers_unreserve(struct timers *t, size_t count);
void timer_init(struct timer *timer, void (*fire)(struct timer *, uint64_t now_us));
void timer_arm(struct timers *t, struct timer *timer, uint64_t deadline_us); /* CLOCK_NEVER disarms */
void timer_disarm(struct timers *t, struct timer *timer);
/* Fires what is due, at most what was due when it was called, and returns the next deadline or CLOCK_NEVER. */
uint64_t timers_run(struct timers *t, uint64_t now_us);
uint64_t timers_next(const struct timers *t);

#endif
