/*
 * scheduler.c: see scheduler.h for the orders. No clock, no run, no target: only sessions and a heap.
 *
 * The heap's key is an unsigned number, small first: an input index for input order and for old sessions; for longest first the number of
 * turns left, counted down from the top, so that every old session is before every other.
 */
#include "engine/scheduler.h"

#include <assert.h>

#include "base/error.h"

#define KEY_TOP (UINT64_MAX - 1) /* UINT64_MAX is CLOCK_NEVER */

void scheduler_init(struct scheduler *s, bool ordered, bool longest_first)
{
	*s = (struct scheduler){ .ordered = ordered, .longest_first = longest_first };
	heap_init(&s->heap);
	list_init(&s->ages);
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
	if (!s->ordered || !s->longest_first || session->old)
		return session->index + (s->finish_first ? UINT64_MAX / 2 : 0);
	return KEY_TOP - (session->batch_count - session->next);
}

/* Sessions that the newest has left far behind go first from now on. Each is looked at once: O(1) a session. */
static void age_sessions(struct scheduler *s, size_t newest_index)
{
	while (!list_empty(&s->ages)) {
		struct session *oldest = LIST_ENTRY(s->ages.next, struct session, age_link);
		if (newest_index - oldest->index < SCHEDULER_AGE)
			return;
		list_remove(&oldest->age_link);
		oldest->old = true;
		if (heap_node_armed(&oldest->node))
			heap_arm(&s->heap, &oldest->node, session_key(s, oldest));
	}
}

void scheduler_open(struct scheduler *s, struct session *session)
{
	assert(session->batch_count > 0);
	s->sessions++;
	list_push_back(&s->ages, &session->age_link);
	age_sessions(s, session->index);
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
	list_remove(&session->age_link);
	s->sessions--;
}
