/*
 * scheduler.c: see scheduler.h for the orders. No clock, no run, no target: only sessions and a heap.
 *
 * The heap's key is an unsigned number, small first: the input index for input order; for longest first the number of turns left, counted down
 * from the top. Equal keys come out in the order in which they went in.
 */
#include "engine/scheduler.h"

#include <assert.h>

#include "base/error.h"

#define KEY_TOP (UINT64_MAX - 1) /* UINT64_MAX is CLOCK_NEVER */

void scheduler_init(struct scheduler *s, bool ordered, bool longest_first)
{
	*s = (struct scheduler){ .ordered = ordered, .longest_first = longest_first };
	heap_init(&s->heap);
}

void scheduler_release(struct scheduler *s)
{
	heap_release(&s->heap);
}

int scheduler_reserve(struct scheduler *s)
{
	return heap_reserve(&s->heap, s->sessions + 1);
}

static uint64_t session_key(const struct scheduler *s, const struct session *session)
{
	if (s->finish_first && session->next > 0)
		return session->index;
	if (!s->ordered || !s->longest_first)
		return session->index + (s->finish_first ? UINT64_MAX / 2 : 0);
	return KEY_TOP - (session->batch_count - session->next);
}

void scheduler_open(struct scheduler *s, struct session *session)
{
	assert(session->batch_count > 0);
	s->sessions++;
	s->startable += s->ordered ? 1 : session->batch_count;
	heap_arm(&s->heap, &session->node, session_key(s, session));
}

void scheduler_next_turn(struct scheduler *s, struct session *session)
{
	assert(s->ordered && session->next < session->batch_count && !heap_node_armed(&session->node));
	s->startable++;
	heap_arm(&s->heap, &session->node, session_key(s, session));
}

struct session *scheduler_first(const struct scheduler *s)
{
	struct heap_node *first = heap_first(&s->heap);
	return first ? CONTAINER_OF(first, struct session, node) : NULL;
}

size_t scheduler_take(struct scheduler *s, struct session *session)
{
	assert(heap_node_armed(&session->node));
	size_t turn = session->next++;
	s->startable--;
	if (s->ordered || session->next == session->batch_count)
		heap_disarm(&s->heap, &session->node);
	return turn;
}

void scheduler_close(struct scheduler *s, struct session *session)
{
	assert(!heap_node_armed(&session->node));
	s->sessions--;
}
