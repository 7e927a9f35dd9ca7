/*
 * conversation.h: an ordered chain of turns with one current turn. A session whose turns depend on each other is one conversation; a dataset of
 * independent turns is split into conversations of one turn each, made when a slot is free for them.
 *
 * The state machine stands in conversation.c. Completions (an attempt's, a record's, a timer's) only store and mark the conversation ready;
 * every transition happens inside engine_step.
 */
#ifndef FF_ENGINE_CONVERSATION_H
#define FF_ENGINE_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/list.h"
#include "base/timers.h"
#include "engine/executor.h"
#include "engine/retry.h"
#include "sink/sink.h"

struct run;
struct session;

#define CONVERSATION_STATES(X)                                                                         \
	X(CONVERSATION_IDLE, "idle", "in the run's pool: it has no turn")                              \
	X(CONVERSATION_QUEUED, "queued", "its turn wants a slot of the target")                        \
	X(CONVERSATION_CALLING, "calling", "an attempt is with the executor; it holds a slot")         \
	X(CONVERSATION_BACKING_OFF, "backing off", "its turn waits before another attempt")            \
	X(CONVERSATION_RECORDING, "recording", "its turn has its result; no sink has it for sure yet") \
	X(CONVERSATION_FINISHED, "finished", "every turn of the chain counts")

enum conversation_state {
#define X(name, word, text) name,
	CONVERSATION_STATES(X)
#undef X
};

/* Why a turn is ended from outside. */
enum interrupt {
	INTERRUPT_NONE,
	INTERRUPT_TURN_TIMEOUT, /* turn_timeout_ms passed */
	INTERRUPT_DEADLINE,     /* the run's deadline passed */
	INTERRUPT_CANCEL,       /* the run was cancelled */
	INTERRUPT_STOP          /* the run ends for another reason: no more attempts, what the last one said stands */
};

struct conversation {
	struct list link;       /* in one list at most: the run's pool, its retries, its unkept results */
	struct list live_link;  /* the run's conversations that have a turn */
	struct list ready_link; /* the engine's ready list */
	struct list due_link;   /* the run's turns with a deadline, earliest first */
	struct run *run;
	struct session *session;
	enum conversation_state state;
	size_t end; /* one past the last turn of the chain; the current one is attempt.batch */

	/* What completions leave behind. */
	bool attempt_done, record_done, wait_over;
	int record_code;

	/* The current turn. */
	unsigned attempts_sent;
	bool replied; /* an HTTP reply came to some attempt */
	enum interrupt interrupt;
	uint64_t deadline_us;   /* of the turn; CLOCK_NEVER */
	uint64_t ready_us;      /* its own wait was over: what it waits from here on is for others */
	uint64_t call_us;       /* the last attempt was started */
	uint64_t first_call_us; /* the first one was; 0: none */
	struct timer timer;     /* armed while BACKING_OFF */
	struct attempt attempt;
	struct arena arena; /* of the attempt and of the record's text */
	struct record record;
};

/* NULL: out of memory. */
struct conversation *conversation_new(struct run *r);
void conversation_free(struct conversation *c);

/* IDLE → QUEUED with turn `turn` of the session; the chain ends before `end`. */
void conversation_begin(struct conversation *c, struct session *session, size_t turn, size_t end);
/* QUEUED → CALLING: a slot is there. (→ RECORDING when memory is short.) */
void conversation_start(struct conversation *c, uint64_t now_us);
/* QUEUED → RECORDING: the turn, never sent, is not run. */
void conversation_skip(struct conversation *c, uint64_t now_us, struct str sentence);
/* Ends the turn from outside: a call is cancelled, a wait is over at once. Nothing for a turn that has its result or was never sent. */
void conversation_interrupt(struct conversation *c, enum interrupt why, uint64_t now_us);
/* Does what a completion made possible. */
void conversation_process(struct conversation *c, uint64_t now_us);

/* A turn that was sent and now waits: backing off, or queued for another attempt. */
static inline bool conversation_waits_to_retry(const struct conversation *c)
{
	return c->state == CONVERSATION_BACKING_OFF || (c->state == CONVERSATION_QUEUED && c->first_call_us != 0);
}

#endif
