/*
 * heap.h: the deadline heap: an intrusive binary heap ordered by (deadline, sequence), so that equal deadlines fire in the order in
 * which they were armed. Insert, remove and re-arm are O(log n). The heap owns an array of pointers, not the nodes.
 */
#ifndef FF_BASE_HEAP_H
#define FF_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct heap_node {
	uint64_t deadline_us; /* CLOCK_MONOTONIC microseconds */
	uint64_t sequence;    /* tie-break, set by heap_arm */
	size_t index;         /* position + 1; 0 when not in a heap */
};

struct heap {
	struct heap_node **nodes;
	size_t count, room;
	uint64_t next_sequence;
};

void heap_init(struct heap *h);
void heap_release(struct heap *h);
/* Makes room for `count` nodes in total, so that heap_arm cannot fail up to that many. 0 or FF_ENOMEM. */
int heap_reserve(struct heap *h, size_t count) WARN_UNUSED;
/* Inserts the node, or moves it when it is already in. Room must have been reserved (asserted). */
void heap_arm(struct heap *h, struct heap_node *node, uint64_t deadline_us);
void heap_disarm(struct heap *h, struct heap_node *node); /* nothing when it is not in */
struct heap_node *heap_first(const struct heap *h);       /* NULL when empty */
/* Takes out and returns the first node whose deadline is <= now, or NULL. */
struct heap_node *heap_pop_due(struct heap *h, uint64_t now_us);
static inline bool heap_node_armed(const struct heap_node *node)
{
	return node->index != 0;
}

#endif
