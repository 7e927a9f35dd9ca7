/*
 * timers.c: the deadline heap with something to do.
 *
 * timers_run fires in order of deadline. A timer that is armed by a fire function for a moment already past is given the moment of the running pass,
 * which sorts it behind everything that was due before; the pass ends where the first such timer comes up. So a timer that re-arms itself at once
 * can neither hold the loop nor starve the others.
 */
#include "base/timers.h"

#include <assert.h>

#include "base/clock.h"
#include "base/error.h"

void timers_init(struct timers *t)
{
	*t = (struct timers){ .reserved = 0 };
	heap_init(&t->heap);
}

void timers_release(struct timers *t)
{
	assert(!t->running);
	heap_release(&t->heap);
	t->reserved = 0;
}

int timers_reserve(struct timers *t, size_t count)
{
	int code = count > SIZE_MAX - t->reserved ? FF_ENOMEM : heap_reserve(&t->heap, t->reserved + count);

	if (!code)
		t->reserved += count;
	return code;
}

void timers_unreserve(struct timers *t, size_t count)
{
	assert(count <= t->reserved);
	t->reserved -= count;
}

void timer_init(struct timer *timer, void (*fire)(struct timer *, uint64_t now_us))
{
	*timer = (struct timer){ .fire = fire };
}

void timer_arm(struct timers *t, struct timer *timer, uint64_t deadline_us)
{
	if (deadline_us == CLOCK_NEVER) {
		timer_disarm(t, timer);
		return;
	}
	if (t->running && deadline_us < t->now_us)
		deadline_us = t->now_us;
	heap_arm(&t->heap, &timer->node, deadline_us);
}

void timer_disarm(struct timers *t, struct timer *timer)
{
	heap_disarm(&t->heap, &timer->node);
}

uint64_t timers_run(struct timers *t, uint64_t now_us)
{
	uint64_t first_new = t->heap.next_sequence;
	struct heap_node *node;

	assert(!t->running);
	t->running = true;
	t->now_us = now_us;
	while ((node = heap_first(&t->heap)) && node->deadline_us <= now_us && node->sequence < first_new) {
		struct timer *timer = CONTAINER_OF(node, struct timer, node);

		heap_disarm(&t->heap, node);
		timer->fire(timer, now_us); /* may free the timer */
	}
	t->running = false;
	return timers_next(t);
}

uint64_t timers_next(const struct timers *t)
{
	const struct heap_node *first = heap_first(&t->heap);

	return first ? first->deadline_us : CLOCK_NEVER;
}
