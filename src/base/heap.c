/*
 * heap.c: binary heap of pointers. Invariant: nodes[i] is not later than its children, and nodes[i]->index == i + 1, which is what makes moving and
 * removing an arbitrary node O(log n).
 */
#include "base/heap.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"

#define NODE_BYTES sizeof(struct heap_node *) /* NOLINT(bugprone-sizeof-expression): the array is one of pointers */

void heap_init(struct heap *h)
{
	*h = (struct heap){ 0 };
}

void heap_release(struct heap *h)
{
	for (size_t i = 0; i < h->count; i++)
		h->nodes[i]->index = 0;
	mem_free(h->nodes);
	heap_init(h);
}

int heap_reserve(struct heap *h, size_t count)
{
	struct heap_node **nodes;
	size_t room = MAX(2 * h->room, (size_t)16);

	if (count <= h->room)
		return 0;
	room = MAX(room, count);
	if (room > SIZE_MAX / NODE_BYTES)
		return FF_ENOMEM;
	nodes = mem_realloc(h->nodes, room * NODE_BYTES);
	if (!nodes)
		return FF_ENOMEM;
	h->nodes = nodes;
	h->room = room;
	return 0;
}

static bool earlier(const struct heap_node *a, const struct heap_node *b)
{
	return a->deadline_us != b->deadline_us ? a->deadline_us < b->deadline_us : a->sequence < b->sequence;
}

static void place(struct heap *h, size_t i, struct heap_node *node)
{
	h->nodes[i] = node;
	node->index = i + 1;
}

/* Finds the place of `node` from the hole at i, upwards then downwards, and puts it there. */
static void settle(struct heap *h, size_t i, struct heap_node *node)
{
	while (i > 0 && earlier(node, h->nodes[(i - 1) / 2])) {
		place(h, i, h->nodes[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= h->count)
			break;
		if (child + 1 < h->count && earlier(h->nodes[child + 1], h->nodes[child]))
			child++;
		if (!earlier(h->nodes[child], node))
			break;
		place(h, i, h->nodes[child]);
		i = child;
	}
	place(h, i, node);
}

void heap_arm(struct heap *h, struct heap_node *node, uint64_t deadline_us)
{
	size_t hole = node->index ? node->index - 1 : h->count;

	assert(hole < h->room);
	node->deadline_us = deadline_us;
	node->sequence = h->next_sequence++;
	if (!node->index)
		h->count++;
	settle(h, hole, node);
}

void heap_disarm(struct heap *h, struct heap_node *node)
{
	size_t hole = node->index - 1;
	struct heap_node *last;

	if (!node->index)
		return;
	assert(hole < h->count && h->nodes[hole] == node);
	node->index = 0;
	last = h->nodes[--h->count];
	if (last != node)
		settle(h, hole, last);
}

struct heap_node *heap_first(const struct heap *h)
{
	return h->count ? h->nodes[0] : NULL;
}

struct heap_node *heap_pop_due(struct heap *h, uint64_t now_us)
{
	struct heap_node *first = heap_first(h);

	if (!first || first->deadline_us > now_us)
		return NULL;
	heap_disarm(h, first);
	return first;
}
