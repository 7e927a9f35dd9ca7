/*
 * scheduler.h: which turn of a run starts next. Holds the sessions that have a turn which may start; a heap, so that adding and taking are
 * O(log sessions).
 *
 *   order longest_first  of ordered sessions, the one with the most turns left; equal ones as they became ready. A short session cannot starve: it keeps
 *                        its place in the run's window (run.h), which then fills with sessions as short
 *   order input          in input order
 * finish_first: of ordered sessions, one that has begun goes before every one that has not.
 * The turns of an unordered dataset are sessions of length one: equal, and so in input order.
 */
#ifndef FF_ENGINE_SCHEDULER_H
#define FF_ENGINE_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/macros.h"

struct dataset;
struct run;
struct conversation;

/* An open dataset. */
struct session {
	struct list link;      /* the run's open sessions */
	struct heap_node node; /* in the scheduler while a turn may start */
	struct run *run;
	struct dataset *dataset; /* owned */
	size_t batch_count, index;
	size_t bytes;                      /* of the dataset's arena */
	size_t next;                       /* first turn that no conversation has taken */
	struct conversation *conversation; /* ordered: the one that walks through the turns; NULL before the first */
	void *executor_session;
	bool executor_session_made;
	/* For the summary. */
	size_t recorded, successes, failures;
	double execution_ms;
	uint64_t opened_us, first_sent_us, last_end_us;
};

struct scheduler {
	struct heap heap;
	bool ordered;
	bool longest_first;
	bool finish_first; /* set after scheduler_init */
	size_t startable;  /* turns that could start if there were slots */
	size_t sessions;   /* that scheduler_open counted */
};

void scheduler_init(struct scheduler *s, bool ordered, bool longest_first);
void scheduler_release(struct scheduler *s);
/* Makes room for one more session, so that nothing later can fail. 0 or FF_ENOMEM. */
int scheduler_reserve(struct scheduler *s) WARN_UNUSED;
/* A dataset was opened: its first turn (ordered), or all its turns, may start. It has at least one. */
void scheduler_open(struct scheduler *s, struct session *session);
/* Ordered: the turn before was recorded, session->next may start. */
void scheduler_next_turn(struct scheduler *s, struct session *session);
/* The session whose turn starts next. NULL: none. */
struct session *scheduler_first(const struct scheduler *s);
/* Takes the next turn of a session that has one which may start; session->next moves on. */
size_t scheduler_take(struct scheduler *s, struct session *session);
/* Every turn of the session was taken and recorded. */
void scheduler_close(struct scheduler *s, struct session *session);

#endif
