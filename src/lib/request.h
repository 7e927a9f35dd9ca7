/*
 * request.h: what ff_run_options ask for, read and judged: inputs, options, connector, target. Sends nothing.
 *
 * The order of the steps is the reference's: the document, datasets present, all datasets valid, then options, connector or config, and where
 * requests would go. request_build stops at the first step that finds an error (a run) or goes through all of them (a check). Everything found
 * is a finding; the error of a step becomes the answer's text.
 */
#ifndef FF_LIB_REQUEST_H
#define FF_LIB_REQUEST_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/problem.h"
#include "connector/connector.h"
#include "fairforge/fairforge.h"
#include "lib/account.h"
#include "model/options.h"
#include "model/payload.h"

/* Step, how the answer begins when it fails. One finding with an empty prefix is the whole answer. */
#define REQUEST_STEPS(X)                                    \
	X(STEP_FLAGS, "Wrong use")                          \
	X(STEP_OPEN, "")                                    \
	X(STEP_PRESENT, "")                                 \
	X(STEP_DATASETS, "The datasets are not valid")      \
	X(STEP_OPTIONS, "The options are not valid")        \
	X(STEP_CONNECTOR, "Failed to create LLM connector") \
	X(STEP_CONFIG, "")                                  \
	X(STEP_TARGET, "")                                  \
	X(STEP_WORKER, "")                                  \
	X(STEP_RUNNER, "Failed to create runner")

enum request_step {
#define X(name, prefix) name,
	REQUEST_STEPS(X)
#undef X
	        STEP_COUNT
};

struct finding { /* in the request's arena */
	struct ff_problem problem;
	enum request_step step;
	struct finding *next;
};

struct request_input {
	const char *name;
	struct payload *payload; /* NULL: datasets */
	struct dataset_source *source;
	struct json_notes notes;
};

struct request {
	struct ff_engine *engine;
	struct ff_run_options ro; /* pointers into it are valid during request_build only, texts of inputs until the end */
	struct arena arena;
	struct request_input *inputs;
	size_t input_count;
	struct payload *payload;       /* of one of the inputs; NULL */
	struct dataset_source *source; /* all inputs joined and rewound; NULL once the engine has it */
	size_t datasets, batches;
	struct options options;
	bool operators_own;          /* the connector is the operator's, not the payload's */
	bool secret_flags;           /* a secret came by ff_run_options.params */
	const char *params_at;       /* where the connector's parameters stand: "/connector/params", or "/config" */
	struct connector *connector; /* NULL once the executor has it */
	/* A worker instead of a connector (worker_setup.c). */
	bool worker_ready;              /* the flags are good: it may be started */
	const char *const *worker_argv; /* NULL-terminated, in the arena */
	const char **worker_envp;
	struct str worker_args; /* a JSON object */
	uint64_t welcome_timeout_ms;
	struct executor *executor; /* with the first welcome; NULL once the run has it, or without a worker */
	const char *worker_name;   /* what it calls itself, once it has */
	const char *greeting;      /* for the start of a run: who answers; NULL */
	const char *target_name;   /* what answers, for sentences, when it is no origin; NULL */
	bool runner_ready;         /* runner_api.c: it fits, its arguments are resolved: it may be opened */
	const char *runner_name;   /* of a custom runner */
	struct account *account;   /* NULL only when there was no memory for it */
	size_t said_before;        /* errors and warnings, before the connector was looked at */
	struct finding *first, *last;
	size_t errors, warnings; /* found, also those that were not kept */
	int code;                /* of the first error; 0 */
	enum request_step failed;
};

/* The request must stay where it is until request_release. `everything`: go on after an error. 0, or the code of the first error. */
int request_build(struct request *req, struct ff_engine *engine, const struct ff_run_options *options, bool everything) WARN_UNUSED;
void request_release(struct request *req);
/* The first error of the step that failed; NULL when there is none (lack of memory). */
const struct ff_problem *request_first_error(const struct request *req);
/* The text of the answer: every error of the step that failed. 0 or FF_ENOMEM. */
int request_answer(const struct request *req, struct buf *out) WARN_UNUSED;

/* ---- for the steps, each in its own file ---- */

/* Takes the problems over as findings of a step, scrubbed. Returns `code` when there was an error among them, 0, or FF_ENOMEM. */
int request_take(struct request *req, enum request_step step, const char *file, struct problems *problems, int code) WARN_UNUSED;
/* One finding with a sentence. Returns code, or FF_ENOMEM. */
int request_fail(struct request *req, enum request_step step, int code, const char *file, const char *pointer, const char *format,
                 ...) PRINTF_LIKE(6, 7) WARN_UNUSED;
/* "/config/base_url": where a parameter stands, in the request's arena; "" when memory is short. */
const char *request_param_at(struct request *req, const char *name);
/* Lets both scrubbers know a secret as long as the request lives. 0 or FF_ENOMEM. */
int request_guard(struct request *req, struct str secret) WARN_UNUSED;

/* inputs.c: opens every input, validates every dataset, joins and rewinds the sources. */
int request_open_inputs(struct request *req) WARN_UNUSED;
int request_check_datasets(struct request *req) WARN_UNUSED;
int request_join_inputs(struct request *req) WARN_UNUSED;
/* run_options.c: defaults, environment, payload, flags; a stranger only lowers. */
int request_check_flags(struct request *req) WARN_UNUSED;
int request_read_options(struct request *req) WARN_UNUSED;
/*
 * connector_json.c: the connector object of the request, a config as one of AlquimiaRunner; sets params_at and operators_own. *ret_found false: there
 * is none.
 */
int request_connector_base(struct request *req, struct json *ret, bool *ret_found) WARN_UNUSED;
int request_connector_json(struct request *req, const struct json *base, struct json *ret) WARN_UNUSED;
/*
 * share.c: takes the account, with its connector, that another request has now, or makes *object the account's own; offers the own one to others. 0 or
 * FF_ENOMEM.
 */
int request_find_account(struct request *req, struct json *object) WARN_UNUSED;
int request_offer_account(struct request *req) WARN_UNUSED;
/* What this request and its run say is scrubbed of its own secrets, not of other people's. NULL: there are none. */
const struct scrubber *request_scrubber(const struct request *req);
/* worker_setup.c: flags and environment of a worker; a payload that names code; the start, until the first welcome. */
int request_check_worker(struct request *req) WARN_UNUSED;
int request_refuse_code(struct request *req) WARN_UNUSED;
int request_start_worker(struct request *req) WARN_UNUSED;
/* runner_api.c: a custom runner instead of a connector: does it fit, its arguments; its open. */
int request_check_runner(struct request *req) WARN_UNUSED;
int request_start_runner(struct request *req) WARN_UNUSED;
/* stranger.c: what a stranger's connector may ask for: its size before it is looked at; its retries and timeouts afterwards. 0, FF_EUSAGE, FF_ENOMEM. */
int request_limit_size(struct request *req, const struct json *connector) WARN_UNUSED;
void request_limit_connector(struct request *req, struct problems *problems);
/* target.c: origin rules, descriptor limit, the notice. */
int request_check_target(struct request *req) WARN_UNUSED;

#endif
