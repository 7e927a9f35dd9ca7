/*
 * call_internal.h: what the files of the call executor share.
 *
 *   call_executor.c  operations, finished attempts on their way to the engine, life
 *   call_table.c     ids: what other threads touch, behind one lock
 *   call_session.c   unit dataset: results that come early, datasets that are cut short
 *   call_reply.c     an answer as the result of an attempt
 *
 * A ticket is what the runner holds an id for: a batch, or (the last one of a dataset's call) the dataset's end. A call has its tickets and the memory of
 * what the runner reads, and lives until all its tickets have come back, also when nobody waits for them any more.
 */
#ifndef FF_ENGINE_CALL_INTERNAL_H
#define FF_ENGINE_CALL_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "engine/call_executor.h"

struct call;
struct call_executor;
struct call_session;

/* An answer on its way to the loop: one block, the texts behind the struct. */
struct call_reply {
	struct call_answer answer;
	char text[];
};

struct call_ticket {
	struct list link; /* the executor's inbox */
	uint64_t id;
	struct call *call;
	size_t batch;             /* SIZE_MAX: the dataset's end */
	struct attempt *attempt;  /* unit turn: who waits; NULL: nobody */
	bool wanted;              /* unit dataset: the session still takes its answer */
	bool held;                /* in the table: the runner has it. Under the lock */
	struct call_reply *reply; /* once it came back. NULL: completed with NULL, or: */
	bool lost;                /* there was no memory for the answer */
};

struct call {
	struct list link; /* the executor's calls */
	struct call_executor *x;
	struct call_session *session; /* unit dataset; NULL: the session has gone */
	struct arena memory;
	uint64_t start_us, last_us; /* started; last answer */
	size_t open;                /* tickets that have not come back */
	size_t batch_count;         /* tickets for batches; unit dataset: one more follows */
	size_t ticket_count;
	bool cancelled;
	struct call_ticket tickets[];
};

struct call_batch {
	struct call_ticket *ticket; /* the runner works on it; NULL: not */
	struct attempt *waiting;    /* the engine asked for it */
	bool kept;                  /* `result` is there and the engine has not asked for it yet */
	struct attempt_result result;
};

struct call_session {
	struct call_executor *x;
	const struct dataset *dataset;
	struct arena arena;          /* text of kept results */
	struct call_batch batches[]; /* of the dataset */
};

struct call_executor {
	struct executor base;
	struct call_executor_config config;
	char *name;
	struct list calls;
	struct timer timer;                       /* hands ended attempts to the engine */
	struct attempt *first_ended, *last_ended; /* chain through executor_state, which is odd then */

	/* Under the table's lock. */
	struct list registry; /* the process's executors */
	uint64_t number;      /* upper part of its ids; 0: not registered */
	uint64_t sequence;    /* lower part of the last one */
	struct map tickets;   /* held ones by id */
	struct list inbox;    /* tickets that came back */
	uint64_t ignored;     /* completions that nobody waited for, since the last look */
	bool woken;
};

static inline struct call_executor *call_executor_of(struct executor *e)
{
	return CONTAINER_OF(e, struct call_executor, base);
}

static inline uint64_t call_now_us(const struct call_executor *x)
{
	return x->config.now_us(x->config.clock_user);
}

/* ---- call_table.c ---- */

void call_table_register(struct call_executor *x);
/* No completion reaches it any more. Calls that the runner never completed are kept for ever: its threads might still read them. */
void call_table_unregister(struct call_executor *x);
/* Gives every ticket of the call an id, which works from now on. 0 or FF_ENOMEM: none has one. */
int call_table_issue(struct call *c) WARN_UNUSED;
/* The ticket's id works no longer. False: it has come back meanwhile and is in the inbox. */
bool call_table_retire(struct call_ticket *t);
bool call_table_is_held(const struct call_ticket *t);
/* Tickets that came back, and how many completions were ignored, since the last call. */
uint64_t call_table_collect(struct call_executor *x, struct list *ret_tickets);

/* ---- call_executor.c ---- */

/* NULL: out of memory. */
struct call *call_new(struct call_executor *x, size_t batch_count, bool dataset);
void call_free(struct call *c);
/* Lets the runner work on it; its tickets know their batches, the first is the attempt's. Answers come later. 0, or FF_ENOMEM: the call is gone. */
int call_run(struct call *c, const struct attempt *a) WARN_UNUSED;
/* A ticket came back: the call goes with the last one. */
void call_return(struct call *c);
/* The attempt has its result: `done` follows from the loop. */
void call_end_attempt(struct call_executor *x, struct attempt *a);
/* It was never sent, for lack of memory. */
void call_end_unsent(struct call_executor *x, struct attempt *a);

/* ---- call_reply.c ---- */

/* What the ticket's reply means for a batch (NULL: for a dataset as a whole); texts in `arena`. */
void call_reply_read(const struct call_ticket *t, const struct batch *input, struct arena *arena, struct attempt_result *ret);
bool call_reply_failed(const struct call_ticket *t);
/* A failure in our words: "NAME: clause." */
void call_reply_fail(const struct call_executor *x, enum outcome outcome, const char *clause, struct arena *arena,
                     struct attempt_result *ret);
/* From when to when: what the runner says, else from the call's start (ordered: from the answer before) to now. */
void call_reply_stamp(struct call *c, const struct call_ticket *t, uint64_t now_us, struct attempt_result *ret);

/* ---- call_session.c ---- */

int call_session_new(struct executor *e, const struct dataset *d, void **ret_session);
void call_session_free(struct executor *e, void *session);
void call_session_start(struct call_session *s, struct attempt *a);
void call_session_cancel(struct call_session *s, struct attempt *a);
/* A ticket of a dataset's call came back. */
void call_session_take(struct call_ticket *t, uint64_t now_us);

#endif
