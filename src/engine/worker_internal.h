/*
 * worker_internal.h: what the files of the worker executor share.
 *
 *   worker_executor.c  the executor's operations, results on their way to the engine, life
 *   worker_pool.c      which worker gets a job; starting, replacing and retiring workers
 *   worker_process.c   one worker: its lines, its standard error, its end
 *   worker_session.c   sessions that stay with a process, and datasets that are given as a whole
 *   worker_line.c, worker_reply.c   the protocol as bytes
 *
 * A job is what a worker is given at once: a turn, or a dataset with several. A call is a turn inside a job. A job is in one list: the executor's
 * queue, the queue of the worker that has its session, that worker's jobs, or its abandoned ones (nobody waits any more, but the worker still
 * works on it). Jobs and abandoned ones take the worker's slots.
 */
#ifndef FF_ENGINE_WORKER_INTERNAL_H
#define FF_ENGINE_WORKER_INTERNAL_H

#include "base/list.h"
#include "base/id_map.h"
#include "engine/worker_executor.h"
#include "engine/worker_line.h"

#define WORKER_UNSENT_MOST  ((size_t)1 << 20) /* bytes in front of a worker: nothing more is given to it */
#define WORKER_CANCEL_US    UINT64_C(5000000) /* a cancelled job must end in this time */
#define WORKER_BACKOFF_US   UINT64_C(100000)  /* before the second fruitless start; doubles */
#define WORKER_BACKOFF_MOST UINT64_C(5000000)
#define WORKER_STARTS_MOST  5               /* fruitless starts of every worker, until turns that wait fail */
#define WORKER_LOG_BURST    100u            /* lines of standard error logged at once, */
#define WORKER_LOG_EVERY_US UINT64_C(50000) /* then one in this time */
#define WORKER_SPARE_JOBS   256u
#define WORKER_LAST_WORDS   300u /* bytes of the last line of standard error that a sentence quotes */

struct worker;
struct worker_job;
struct worker_session;
struct worker_executor;

struct worker_call {
	uint64_t id; /* in the worker's map until its job ends */
	struct worker_job *job;
	size_t batch;
	struct attempt *attempt; /* unit turn: who waits; NULL: nobody */
	bool open;               /* no reply yet */
};

struct worker_job {
	struct list link;
	struct worker *worker;          /* NULL: in a queue */
	struct worker_session *session; /* NULL: none is kept, or it is gone */
	const struct dataset *dataset;
	uint64_t id;                /* of the dataset message */
	uint64_t sent_us, reply_us; /* given to the worker; last reply to one of its calls */
	uint64_t deadline_us;       /* of the attempt that asked for it */
	uint64_t give_up_us;        /* abandoned: the worker is replaced then */
	bool abandoned;
	size_t count, open;
	struct worker_call calls[];
};

enum worker_batch_state {
	BATCH_TO_DO,    /* in no job */
	BATCH_GIVEN,    /* in the session's job */
	BATCH_KEPT,     /* its result came before the engine asked */
	BATCH_DELIVERED /* the engine has it */
};

struct worker_batch {
	enum worker_batch_state state;
	struct attempt *waiting;
	struct attempt_result kept;
};

struct worker_session {
	struct worker_executor *x;
	const struct dataset *dataset;
	uint64_t home;                /* serial of the process that has it; 0: none yet */
	bool answered;                /* something was: the process remembers it */
	struct worker_job *job;       /* unit dataset: the open one; NULL */
	struct worker_batch *batches; /* unit dataset */
	struct arena arena;           /* text of kept results */
};

enum worker_state {
	WORKER_DOWN,     /* no process */
	WORKER_STARTING, /* no welcome yet */
	WORKER_READY,
	WORKER_RETIRED /* gets nothing more: it goes when its jobs are done */
};

struct worker {
	struct list link; /* retired or dead */
	struct worker_executor *x;
	unsigned index, starts;
	uint64_t serial; /* of its process, never used twice */
	enum worker_state state;
	struct child *child;
	struct timer timer;  /* DOWN: start; STARTING: no welcome; else the first abandoned job */
	struct buf line;     /* the beginning of a line */
	struct id_map calls; /* id → struct worker_call */
	uint64_t next_id;
	struct list jobs, abandoned, queue;
	uint32_t busy;          /* jobs and abandoned */
	uint32_t sessions;      /* that have their home here */
	bool answered;          /* since its start */
	unsigned fruitless;     /* processes in a row that answered nothing */
	unsigned failed_starts; /* of them, in a row, that did not welcome */
	uint64_t restart_us;    /* not before */
	char last_words[WORKER_LAST_WORDS + 1];
	uint64_t log_from_us; /* when the log allows the next line, less the burst */
	uint64_t unlogged;
	bool label_has_name; /* `label` was made when the name was known */
	char label[WORKER_NAME_MAX_BYTES + 24];
};

struct worker_executor {
	struct executor base;
	struct worker_executor_config config;
	struct worker_capabilities capabilities;
	bool welcomed; /* by the first: the capabilities are known */
	bool started;  /* every one has welcomed: from here on one that fails is replaced */
	uint32_t concurrency;
	uint64_t last_serial;
	char name[WORKER_NAME_MAX_BYTES + 1];
	char origin[WORKER_NAME_MAX_BYTES + 16]; /* base.target_origin */
	struct worker **workers;                 /* config.workers of them */
	struct list retired, dead;
	unsigned retired_count;
	struct list queue;      /* jobs without a worker, in order */
	struct list spare_jobs; /* of one call each, for the next turns: at most WORKER_SPARE_JOBS */
	unsigned spare_job_count;
	struct deferred ended;                    /* hands finished attempts to the engine */
	struct attempt *first_ended, *last_ended; /* chain through executor_state */
	struct buf scratch;                       /* a line on its way to a worker */
	struct arena arena;                       /* of the line being read */
	struct error start_error;                 /* before the first welcome: what went wrong */
};

static inline struct worker_executor *worker_executor_of(struct executor *e)
{
	return CONTAINER_OF(e, struct worker_executor, base);
}

static inline uint64_t worker_now_us(const struct worker_executor *x)
{
	return x->config.now_us(x->config.clock_user);
}

/* ---- worker_executor.c ---- */

/* The attempt has its result: `done` follows from the loop. */
void worker_attempt_ended(struct worker_executor *x, struct attempt *a);
/* With a sentence of ours, copied to the attempt's arena and scrubbed. */
void worker_attempt_failed(struct worker_executor *x, struct attempt *a, const struct attempt_result *result);
/* "Worker 1 (name)". */
const char *worker_label(struct worker *w);
/* The text in the arena, scrubbed; a static sentence when memory is short. */
struct str worker_text(struct worker_executor *x, struct arena *arena, struct str text);

/* A job of `count` calls in no list. NULL: out of memory. */
struct worker_job *worker_job_new(struct worker_executor *x, const struct dataset *d, size_t count);
/* Out of its list and its worker's map and slots. */
void worker_job_free(struct worker_executor *x, struct worker_job *job);
/* Every call without a reply gets the result; its error is any text. */
void worker_job_fail(struct worker_executor *x, struct worker_job *job, const struct attempt_result *result);
/* Nobody waits for it any more, but its worker works on it: it is cancelled, or its worker retires. */
void worker_job_abandon(struct worker_executor *x, struct worker_job *job);

/* ---- worker_pool.c ---- */

int worker_pool_new(struct worker_executor *x, struct error *err) WARN_UNUSED;
void worker_pool_free(struct worker_executor *x);
/* A job to be given to a worker, now or later. */
void worker_pool_add(struct worker_executor *x, struct worker_job *job);
/* Gives out what can be given, and starts workers that are needed. */
void worker_pool_dispatch(struct worker_executor *x);
/* NULL: that process is gone, or leaves. */
struct worker *worker_pool_home(struct worker_executor *x, uint64_t serial);
/* It gets nothing more; another process takes its place when it is needed. */
void worker_pool_retire(struct worker *w);
/* The worker has no process any more (worker_process_down calls it). */
void worker_pool_gone(struct worker *w, bool welcomed);

/* ---- worker_process.c ---- */

struct worker *worker_new(struct worker_executor *x, unsigned index);
void worker_free(struct worker *w); /* its process gets the bye */
/* DOWN → STARTING. 0, or why not. */
int worker_process_start(struct worker *w, struct error *err) WARN_UNUSED;
/* Its process is done for: its calls end with `outcome` and "Worker N (name): it <clause>.". */
void worker_process_down(struct worker *w, enum outcome outcome, const char *clause);
/* Sends x->scratch. 0 or FF_ENOMEM. */
int worker_process_send(struct worker *w) WARN_UNUSED;
/* Arms the timer for what the state waits for. */
void worker_process_arm(struct worker *w);

/* ---- worker_session.c ---- */

int worker_session_new(struct executor *e, const struct dataset *d, void **ret_session);
void worker_session_free(struct executor *e, void *session);
/* Unit dataset: a turn of the session starts, or is cancelled. */
void worker_session_start(struct worker_session *s, struct attempt *a);
void worker_session_cancel(struct worker_session *s, struct attempt *a);
/* A reply to a call. */
void worker_session_reply(struct worker_session *s, struct worker_call *call, const struct json *reply, struct worker *w);
/* A call ends without a reply. The error is any text. */
void worker_session_fail(struct worker_session *s, struct worker_call *call, const struct attempt_result *result);
/* Its job is over: what it did not finish may need another one. */
void worker_session_job_over(struct worker_session *s);
/* The job's session may not go on: the process that had it is gone. True when the job was failed and freed. */
bool worker_session_is_lost(struct worker_executor *x, struct worker_job *job);
/* Stamps of a reply that comes now. */
void worker_stamp(struct worker_job *job, struct attempt_result *r, double elapsed_ms, uint64_t now_us);

#endif
