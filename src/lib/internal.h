/*
 * internal.h: what the files of lib/ share. lib/ is the only place that sees connectors, executors and sinks together.
 *
 *   error_api.c    codes, exit statuses, version, ff_free
 *   json_api.c     the public JSON reader, quoting and escaping
 *   tables_api.c   connectors, params, options and outcomes as tables
 *   engine_api.c   struct ff_engine: loop, transport, engine, scrubber, logger
 *   setting.c      name=value as the user typed it → JSON values; env:NAME and file:PATH
 *   connector_json.c  the connector object of a request: payload, flags and environment in one
 *   request.c      inputs, options and connector → a request that can run, or everything that is wrong with it
 *   share.c        one account for requests that ask for the same at the same time
 *   stranger.c     what a stranger's connector may ask for: size, retries, timeouts
 *   target.c       where requests go: origin rules, notices, descriptor limit
 *   worker_setup.c  a worker instead of a connector: command, environment, hello
 *   runner_api.c   a runner in C instead of a connector: ff_runner_type and its friends
 *   variables.c    FAIRFORGE_* variables, many at once
 *   words.c        a command split into words
 *   output.c       one output of a run: a sink that knows whether its document is whole
 *   run_api.c      struct ff_run: a request on the engine, its events and its end
 *   account.c      connector, address and secrets of a request, shared by those who ask for the same
 *   check_api.c    a request that is only looked at
 */
#ifndef FF_LIB_INTERNAL_H
#define FF_LIB_INTERNAL_H

#include <stdbool.h>

#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/map.h"
#include "base/secret.h"
#include "engine/engine.h"
#include "fairforge/fairforge.h"
#include "net/child.h"
#include "net/http.h"
#include "net/loop.h"

struct ff_engine {
	enum ff_role role;
	bool allow_http;
	const char *(*getenv_fn)(void *user, const char *name);
	void *getenv_user;
	void (*log_fn)(void *user, enum ff_log_level level, const char *message);
	void *log_user;
	int (*interrupted_fn)(void *user); /* NULL: never */
	void *interrupted_user;
	struct logger logger;
	struct scrubber scrubber;
	struct loop *loop;
	struct http_transport *transport;
	struct engine *engine;
	struct child_keeper *keeper; /* of worker processes; NULL before the first */
	struct deferred wake;        /* does nothing: an iteration is what engine_step needs */
	struct list runs;            /* struct ff_run.link */
	struct map accounts;         /* struct account by what it follows from: those that runs may share */
	char *cafile;                /* NULL: the system's */
	char **allowed_origins;      /* normalised, NULL-terminated; NULL: none */
	bool processing;             /* inside the loop: callbacks may not process again */
	uint32_t concurrency_fits;   /* the most that the process's limit of descriptors was found to allow */
};

/* The environment as the embedder gives it; NULL when unset. */
const char *lib_getenv(const struct ff_engine *engine, const char *name);
/* The same with the engine as `user`, for connector_setup. */
const char *lib_getenv_user(void *engine, const char *name);
#define VARIABLE_NAME_MAX 64u
/* "idle_timeout_ms" → "FAIRFORGE_IDLE_TIMEOUT_MS" */
void lib_variable_name(const char *key, char out[VARIABLE_NAME_MAX]);
/* Their values, NULL where unset: one walk through the environment for all. */
void lib_getenv_keys(const struct ff_engine *engine, const char *const keys[], size_t count, const char *values[]);
bool lib_origin_allowed(const struct ff_engine *engine, const char *origin);

/* Copies an error to the caller's; both may be NULL. Returns its code. */
int lib_error_export(const struct error *err, struct ff_error *ret);

#endif
