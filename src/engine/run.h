/*
 * run.h: what a run is inside the engine. Private to src/engine.
 *
 * A run reads its source as a stream. Open datasets are bounded: where sessions are ordered it reads on while fewer than `window` turns are waiting for
 * their record and their text takes less than RUN_WINDOW_BYTES, or while there is less to start than there may be slots; where any turn may start
 * at any time, only a little more than starts at once is read. So memory is flat however long the input.
 * Turns that were started and are not recorded are bounded too (`started_most`): a target that fails all the time must not let the
 * whole input pile up in back-off.
 */
#ifndef FF_ENGINE_RUN_H
#define FF_ENGINE_RUN_H

#include "base/list.h"
#include "base/rand.h"
#include "engine/conversation.h"
#include "engine/engine.h"
#include "engine/scheduler.h"
#include "engine/target.h"

#define RUN_WINDOW_MIN    1024        /* turns; at least four times the concurrency */
#define RUN_WINDOW_BYTES  (32u << 20) /* of open datasets, as long as there is enough to start */
#define RUN_REFUSED_FIRST 20          /* so many turns refused from the start end the run */

struct engine {
	struct engine_config config;
	struct rand rand;
	struct list runs;      /* run.link */
	struct list attention; /* run.attention_link: something about the run may have to be done */
	struct list ready;     /* conversation.ready_link */
	struct list targets;   /* target.link */
	struct list dirty;     /* target.dirty_link */
	size_t idle_targets;
	size_t sinks_asked; /* runs whose sink gives no credit although no record is open */
	bool yield;         /* a slice of work is over: the loop looks at its sockets before it goes on */
	bool woken;         /* config.wake was called since the last step began */
};

struct run {
	struct list link, attention_link, target_link;
	struct engine *engine;
	struct target *target;
	struct run_config config; /* options points to `options` */
	struct options options;
	uint32_t concurrency; /* of the options and the executor */
	int32_t max_retries;
	size_t window, started_most;
	uint64_t deadline_us;

	/* Input. */
	struct scheduler scheduler;
	struct list sessions; /* open ones */
	size_t session_count, unrecorded, bytes;
	uint64_t read;              /* turns of all datasets read so far */
	struct list spare_sessions; /* at least one before a dataset is read, so that none is lost to lack of memory */
	size_t spare_session_count;
	struct problems problems;
	bool source_read; /* to its end, or given up */

	/* Turns. */
	struct list pool;    /* conversations without a turn */
	struct list live;    /* conversations with one */
	struct list retries; /* QUEUED for another attempt */
	struct list results; /* RECORDING, not given to the sink yet: `result_count` */
	size_t result_count;
	struct list due;     /* turns by their deadline; it is the same time after each start, so the list is sorted by itself */
	size_t started;      /* sent at least once and not recorded */
	size_t records_open; /* with the sink */
	uint32_t in_flight;

	/* The end. */
	struct timer timer; /* deadline, grace, first turn's deadline: whichever is first */
	bool stopping;      /* nothing starts any more */
	bool ended;
	bool curtailed; /* a turn was not run or cut off because of it */
	enum run_end end;
	uint64_t grace_until_us; /* in-flight turns are cancelled then; CLOCK_NEVER */
	bool cancel_asked, deadline_passed;
	bool any_record; /* the sink got one */
	bool is_void;    /* results go nowhere: the set-up is wrong */
	bool sink_asked; /* no credit and no record open: the sink is asked again */
	int64_t retry_after_ms;
	uint64_t finished, finished_refused; /* turns that were sent, for the stop after refusals */
	bool refused_from_start;
	bool vague_error; /* `error` only knows a code: a sentence may replace it */
	struct error error;
	struct run_counts counts;
};

/* ---- engine.c ---- */

void engine_wake(struct engine *e);
void engine_mark_ready(struct engine *e, struct conversation *c);
void engine_mark_run(struct engine *e, struct run *r);
void engine_mark_target(struct engine *e, struct target *t);

/* ---- window.c: the datasets that are open ---- */

/* Reads on as far as the window allows and a slice of work lasts. A failure of the source stops the run. True: there is more to read at once. */
bool window_fill(struct run *r, uint64_t now_us);
/* There is less to start at once than there should be, and more to read. */
bool window_wants_more(const struct run *r);
/* A record of the session is in; closes it when that was the last. */
void window_count_record(struct run *r, struct session *session, const struct turn_result *result, uint64_t now_us);
void window_release(struct run *r);

/* ---- run.c, called by the engine ---- */

/* Everything that is to be done for the run itself. False: the run ended (and may be gone). */
bool run_step(struct run *r, uint64_t now_us);
/* A turn could start if there were a slot. */
bool run_wants_slot(const struct run *r);
/* Starts the next turn; a slot is free. False: memory is short, try when a conversation is free again. */
bool run_start_turn(struct run *r, uint64_t now_us);

/* ---- run.c, called by the conversation ---- */

/* The turn waits for its next attempt's slot. */
void run_queue_retry(struct run *r, struct conversation *c);
/* The turn has its result. */
void run_take_result(struct run *r, struct conversation *c);
/* The sink has it (code 0) or could not keep it. */
void run_recorded(struct run *r, struct conversation *c, int code, uint64_t now_us);
/* The conversation has no turn any more. */
void run_put_back(struct run *r, struct conversation *c);
/* Stops starting turns. The first reason counts. */
void run_stop(struct run *r, enum run_end end, uint64_t now_us);
void run_fail(struct run *r, int code, const char *sentence, uint64_t now_us);
/* A turn says that the set-up is wrong for every turn. Nothing, when a record was given to the sink already. */
void run_void(struct run *r, struct str sentence, uint64_t now_us);
/* The run's end cut a turn off: at the latest now the deadline (or a cancel) has stopped it. */
void run_curtail(struct run *r, uint64_t now_us);
/* A turn got a deadline. */
void run_watch_deadline(struct run *r, struct conversation *c);
/* An attempt ended. */
void run_count_attempt(struct run *r, const struct conversation *c);

#endif
