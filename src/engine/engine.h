/*
 * engine.h: targets, scheduling, retries and deadlines; many runs live in one engine. Knows no HTTP, no vendor, no screen.
 *
 * One thread owns all engine state. Nothing here reads a clock: engine_step(now) drives everything that waits. The loop calls it once an
 * iteration; the simulator calls it with a fake clock. Completions only store their result and mark a conversation runnable; every transition
 * happens in engine_step.
 *
 *   source → run (scheduler) → conversation (state machine) → target (slots, pause) → executor → conversation → sink
 */
#ifndef FF_ENGINE_ENGINE_H
#define FF_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/timers.h"
#include "engine/executor.h"
#include "model/options.h"
#include "model/payload.h"
#include "sink/sink.h"

struct engine;
struct run;

struct engine_config {
	struct timers *timers;           /* required; outlives the engine */
	uint64_t seed;                   /* jitter */
	const struct logger *logger;     /* may be NULL */
	const struct scrubber *scrubber; /* may be NULL */
	void (*wake)(void *user);        /* asks the loop to call engine_step soon; required */
	void *wake_user;
};

int engine_new(const struct engine_config *config, struct engine **ret) WARN_UNUSED;
void engine_free(struct engine *e); /* no run may be left; NULL is fine */
/* Does everything that can be done at `now`; returns when it must be called again (CLOCK_NEVER: when something happens). */
uint64_t engine_step(struct engine *e, uint64_t now_us);

/* How a dataset is executed: prompt, and what the summary times. */
struct runner {
	bool ordered;           /* turns of a session one after the other */
	bool summary_wall_time; /* total_execution_time_ms is the dataset's wall time (Alquimia) instead of the sum of its turns */
	/* Fills messages for a batch, in the attempt's arena. 0 or FF_ENOMEM. */
	int (*prompt)(const struct dataset *d, size_t batch, struct arena *a, const struct message **ret_messages,
	              size_t *ret_count);
	/*
	 * May be NULL. The turn has its result, whoever it came from: *ret_replacement may be set to a changed batch (its `assistant` included) that is
	 * recorded in place of the input's. Memory in `a`, which lives until the record is kept. 0 or FF_ENOMEM: the input's batch stays as it is.
	 */
	int (*settle)(const struct turn_result *r, struct arena *a, const struct batch **ret_replacement);
};
extern const struct runner alquimia_runner; /* the bare query, in order; a failure is noted in the batch's observation */
extern const struct runner llm_runner;      /* "Context:\n{context}\n\nQuestion: {query}", or the bare query */

enum run_end {
	RUN_FINISHED, /* every turn was executed */
	RUN_DEADLINE, /* the run's deadline: the rest is not_run */
	RUN_QUOTA,    /* a hint longer than 120 s, or a daily quota: resumable; retry_at_wall_ms says when */
	RUN_REFUSED,  /* the first 20 turns ended with 401, 403 or 404: dispatch stopped */
	RUN_CANCELLED,
	RUN_FAILED /* a sink or the source failed: `error` says */
};

struct run_counts {
	uint64_t datasets, batches; /* known so far; the totals once the source was read */
	uint64_t outcomes[OUTCOME_COUNT];
	uint64_t done; /* sum of outcomes */
	uint64_t in_flight, queued, waiting_retry;
	uint64_t attempts, retries, resent;
	uint64_t unreachable;                /* turns that ended without any HTTP reply */
	uint64_t refused;                    /* turns that ended with 401, 403 or 404 */
	int64_t input_tokens, output_tokens; /* sums of what was measured; -1: nothing was */
};

struct run_config {
	const struct options *options; /* copied */
	struct dataset_source *source; /* validated and rewound; taken over */
	struct executor *executor;     /* taken over */
	const struct runner *runner;
	struct sink *sink;      /* taken over */
	uint64_t started_us;    /* for the run's deadline */
	uint64_t total_batches; /* from the validation pass; 0: unknown */
	/* From engine_step, after a turn counts. May be NULL. */
	void (*on_turn)(void *user, const struct turn_result *r);
	/* From engine_step, once; the run may be freed in it. Required. */
	void (*on_end)(void *user, struct run *run);
	void *user;
};

/* Takes source, executor and sink over in any case. 0, FF_ENOMEM, FF_EUSAGE, or what the sink's begin said. */
int engine_start_run(struct engine *e, const struct run_config *config, struct run **ret, struct error *err) WARN_UNUSED;
/*
 * Soft: stop starting, let in-flight turns finish until `grace_us`; hard (grace_us 0): cancel what is in flight. The rest is not_run. A second
 * call is hard in any case.
 */
void run_cancel(struct run *r, uint64_t now_us, uint64_t grace_us);
const struct run_counts *run_counts(const struct run *r);
enum run_end run_end_state(const struct run *r); /* after on_end */
const struct error *run_error(const struct run *r);
/* The set-up is wrong for every turn (attempt_result.setup_error): the sink got nothing but begin, and run_error has the answer of the whole run. */
bool run_is_void(const struct run *r);
int64_t run_retry_after_ms(const struct run *r);   /* RUN_QUOTA: how long the provider said to wait */
uint32_t run_concurrency_now(const struct run *r); /* the adaptive limit */
void run_free(struct run *r);                      /* after on_end; NULL is fine */

#endif
