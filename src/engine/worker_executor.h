/*
 * worker_executor.h: the executor whose turns are answered by processes that speak the worker protocol (docs/worker-protocol.md).
 *
 * worker_executor_new starts the processes; worker_executor_wait is called until all have welcomed us (or one will not); then the executor's fields say
 * what the workers can do, and it may be given to a run. Freeing it says goodbye to the processes; the keeper sees to it that they end.
 */
#ifndef FF_ENGINE_WORKER_EXECUTOR_H
#define FF_ENGINE_WORKER_EXECUTOR_H

#include "base/log.h"
#include "base/secret.h"
#include "engine/engine.h"
#include "engine/executor.h"
#include "net/child.h"

#define WORKERS_MOST              256u
#define WORKER_WELCOME_TIMEOUT_MS 60000u

/* Everything but options is borrowed and outlives the executor. */
struct worker_executor_config {
	const char *const *argv, *const *envp;
	const char *command; /* as it was typed, for messages */
	unsigned workers;    /* 1..WORKERS_MOST */
	struct str args;     /* of the hello: a JSON object; empty: {} */
	uint64_t welcome_timeout_ms;
	const struct options *options; /* read in _new only */
	const struct runner *runner;   /* its prompt */
	struct loop *loop;
	struct child_keeper *keeper;
	const struct scrubber *scrubber; /* may be NULL */
	const struct logger *logger;     /* may be NULL */
	uint64_t (*now_us)(void *user);
	void *clock_user;
};

/* 0; FF_EUSAGE: a process cannot be started, err says why; FF_ENOMEM. */
int worker_executor_new(const struct worker_executor_config *config, struct executor **ret, struct error *err) WARN_UNUSED;
/* Blocks until something happens, at most timeout_ms. 0 with *ret_ready; FF_EUSAGE: a worker did not start as it should; FF_ENOMEM. */
int worker_executor_wait(struct executor *e, int timeout_ms, bool *ret_ready, struct error *err) WARN_UNUSED;
/* What the workers call themselves; "" when they do not. After the welcome. */
const char *worker_executor_name(const struct executor *e);
/* No welcome came in time: fills err and returns FF_EUSAGE. Only before worker_executor_wait said that it is ready. */
int worker_executor_give_up(struct executor *e, struct error *err);

#endif
