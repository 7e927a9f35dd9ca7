/*
 * executor.h: what performs an attempt of a turn: HTTP (connector + transport), a worker process, a C function.
 * Retry, pacing, deadlines and sinks sit above it and see attempts, never HTTP.
 */
#ifndef FF_ENGINE_EXECUTOR_H
#define FF_ENGINE_EXECUTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "model/dataset.h"
#include "model/options.h"
#include "model/outcome.h"
#include "model/result.h"

struct message;

/* How an attempt ended. Text lives in the attempt's arena. */
struct attempt_result {
	enum outcome outcome;
	bool retryable;    /* the class's rules allow another attempt */
	bool unreachable;  /* no HTTP reply came (exit 69 when it holds for every turn) */
	struct str answer; /* success */
	struct str error;  /* failure: the sentence, scrubbed */
	struct str finish_reason, model, request_id;
	struct usage usage;
	int http_status;
	int64_t hint_ms; /* the provider's wait; -1: none */
	bool daily_quota;
	bool setup_error; /* the set-up is wrong for every turn: as the first result of a run, the error is the answer of the whole run */
	bool resent, key_in_answer;
	uint64_t sent_us, connected_us, first_byte_us, first_content_us, last_byte_us; /* monotonic */
	const struct batch *replacement;                                               /* NULL: the input's batch with the answer */
};

/* One attempt; embedded in the conversation, which outlives it. */
struct attempt {
	const struct dataset *dataset;
	size_t batch;
	void *session;                  /* the executor's own state of the session, by session_new; NULL */
	const struct message *messages; /* the runner's prompt */
	size_t message_count;
	unsigned index; /* from 0 */
	bool fresh_connect;
	uint64_t deadline_us;            /* of the turn or the run, whichever is first; CLOCK_NEVER */
	struct arena *arena;             /* for results; reset by the engine before the next attempt */
	struct attempt_result result;    /* filled before done */
	void (*done)(struct attempt *a); /* from the loop, exactly once, never inside start or cancel */
	void *executor_state;            /* the executor's; NULL when not running */
};

struct executor {
	const struct executor_ops *ops;
	bool ordered;      /* turns of a session must run in order */
	bool finish_first; /* ordered: it works on a session as a whole, so one that has begun goes before one that has not */
	uint32_t max_concurrency; /* 0: no limit of its own */
	const char *label;        /* "OpenAI", "Worker echo": the first word of sentences about it; alive as long as the executor */
	const char *target_origin; /* "https://api.groq.com:443": slots and pauses are shared by origin + key */
	uint64_t target_key_hash;
	int32_t default_max_retries;
	double backoff_first_s, backoff_cap_s;
};

struct executor_ops {
	/* Starts a->index. Lack of memory and the like end as a->result through done too: it cannot fail visibly. */
	void (*start)(struct executor *e, struct attempt *a);
	/* Ends it soon; done follows with OUTCOME_CANCELLED unless it was finished already. */
	void (*cancel)(struct executor *e, struct attempt *a);
	int (*session_new)(struct executor *e, const struct dataset *d, void **ret_session); /* may be NULL */
	void (*session_free)(struct executor *e, void *session);
	void (*free)(struct executor *e);
};

#endif
