/*
 * call_executor.h: the executor whose turns are answered by a function of this process (the public struct ff_runner_type, which lib translates).
 *
 * The function is called in the loop's thread and completes its call by an id, from any thread, at any time. An id is never used twice in a process,
 * so a completion that comes twice, too late, or after the executor has gone finds nothing and is ignored; there is no pointer that could dangle.
 *
 * Unit turn: a call is a turn. Unit dataset: a call is a whole dataset with a completion for each batch; the engine asks for its turns in order
 * (so max_concurrency counts datasets), and results that come early are kept until it does.
 */
#ifndef FF_ENGINE_CALL_EXECUTOR_H
#define FF_ENGINE_CALL_EXECUTOR_H

#include "base/log.h"
#include "base/secret.h"
#include "engine/engine.h"
#include "engine/executor.h"

/* One batch of a call. */
struct call_item {
	uint64_t id; /* completes it */
	size_t batch;
	unsigned attempt;
	struct str prompt;
};

/* What is to be run. Texts are the engine's: whoever needs them longer copies them into `memory`. */
struct call_request {
	uint64_t id; /* unit dataset: completes the dataset; unit turn: items[0].id */
	const struct dataset *dataset;
	const struct call_item *items;
	size_t item_count;
	uint64_t timeout_ms;  /* 0: no limit */
	struct arena *memory; /* lives until the runner has completed the call */
};

struct call_ops {
	/* 0, or FF_ENOMEM: nothing was called. May complete before it returns. */
	int (*run)(void *user, const struct call_request *request);
	void (*cancel)(void *user, uint64_t id);
	void (*close)(void *user);   /* the runner's end: after it no thread uses a call any more */
	void (*release)(void *user); /* nobody completes or wakes any more */
};

/* How a batch ended, as the runner says. Texts are copied. */
struct call_answer {
	enum outcome outcome;
	bool retryable;
	struct str answer, error; /* by the outcome; error: any text */
	struct str finish_reason, model, request_id;
	struct str changes; /* JSON object: fields of the batch; empty: none */
	struct usage usage;
	int http_status;
	int64_t hint_ms;   /* -1: none */
	double elapsed_ms; /* 0: from the call to the completion */
};

struct call_executor_config {
	const struct call_ops *ops;
	void *user;
	const char *name; /* of the runner; copied */
	bool ordered, datasets;
	uint32_t max_concurrency;
	int32_t default_max_retries;
	const struct runner *runner;     /* its prompt */
	struct timers *timers;           /* outlives the executor, as do the next ones */
	const struct scrubber *scrubber; /* may be NULL */
	const struct logger *logger;     /* may be NULL */
	uint64_t (*now_us)(void *user);
	void *clock_user;
	/* Sees to it that call_executor_process is called from the loop soon. Any thread; must not block. */
	void (*wake)(void *user);
};

/* On success `user` is the executor's, whose free closes and releases it. 0 or FF_ENOMEM. */
int call_executor_new(const struct call_executor_config *config, struct executor **ret) WARN_UNUSED;
/* Takes the completions that have come. From the loop, never inside an operation of the executor. */
void call_executor_process(struct executor *e);
/*
 * The runner completes a batch, or (NULL, or a failure) ends a dataset. Any thread. A batch that is completed with NULL has failed.
 */
void call_complete(uint64_t id, const struct call_answer *answer);

#endif
