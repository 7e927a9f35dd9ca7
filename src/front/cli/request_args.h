/*
 * request_args.h: the flags that say what to run, shared by `run` and `check`: they become struct ff_run_options.
 */
#ifndef FF_FRONT_CLI_REQUEST_ARGS_H
#define FF_FRONT_CLI_REQUEST_ARGS_H

#include <stdbool.h>

#include "base/arena.h"
#include "fairforge/fairforge.h"
#include "front/cli/python_adapter.h"
#include "front/cli/report.h"
#include "front/common/flags.h"

struct text_list { /* in the arena */
	const char **items;
	size_t count, room;
};

struct setting_list {
	struct ff_setting *items;
	size_t count, room;
};

struct request_args {
	struct arena arena;
	struct report report;
	const char *payload; /* operand; NULL */
	struct text_list datasets, outputs;
	const char *connector, *model;
	const char *worker;
	uint64_t workers;
	const char *plugin;                  /* path; NULL */
	const struct ff_runner_type *runner; /* of the plugin, by request_args_open */
	struct python_adapter python;
	struct setting_list params, options, worker_env, runner_args;
	const char *cafile;
	bool allow_http, progress, help, version;
	enum ff_log_level log_level;
	uint64_t max_input_bytes, max_depth;
	struct ff_input *inputs; /* opened by request_args_open */
	size_t input_count;
};

/* Rows of flag tables; `state` is a struct request_args. In the order of --help. */
#define REQUEST_FLAGS_WHAT                                                                                                  \
	{ "dataset", 0, "FILE", "datasets: JSON, an array or JSONL; may be repeated", request_flag_dataset },               \
	        { "connector", 0, "NAME", "groq, openai, gemini, ollama, alquimia, http or a class path",                   \
		  request_flag_connector },                                                                                 \
	        { "worker", 0, "COMMAND", "a program that answers, instead of a connector", request_flag_worker },          \
	        { "workers", 0, "N", NULL, request_flag_workers },                                                          \
	        { "worker-env", 0, "NAME[=V]", "so many processes; a variable they get; again", request_flag_worker_env },  \
	        { "python-runner", 0, "M:CLASS", "a BaseRunner class, instead of a connector", request_flag_python },       \
	        { "python-llm", 0, "PATH", "a LangChain class, instead of a connector", request_flag_python },              \
	        { "python", 0, "FILE", NULL, request_flag_python },                                                         \
	        { "batches", 0, "HOW", "its interpreter; its batches: each, whole or parallel", request_flag_python },      \
	        { "plugin", 0, "FILE", "a runner in a shared library, instead of a connector", request_flag_plugin },       \
	        { "runner-arg", 0, "K=V", "an argument of the runner; K=env:NAME, K=file:PATH", request_flag_runner_arg },  \
	        { "model", 0, "M", "the model", request_flag_model },                                                       \
	        { "param", 0, "K=V", "a connector parameter; K=env:NAME, K=file:PATH", request_flag_param },                \
	        { "option", 0, "K=V", "an option of the run: see fairforge help options", request_flag_option },            \
	        { "concurrency", 0, "N", "turns in flight at most", request_flag_option_number },                           \
	        { "no-adaptive", 0, NULL, "always that many, instead of what the target bears", request_flag_no_adaptive }, \
	        { "timeout", 0, "S", NULL, request_flag_duration },                                                         \
	        { "deadline", 0, "S", "seconds for a turn with its retries; for the run", request_flag_duration },          \
	        { "max-retries", 0, "N", "extra attempts a turn", request_flag_option_number },                             \
	{                                                                                                                   \
		"stream", 0, NULL, "ask the provider to stream", request_flag_stream                                        \
	}
#define REQUEST_FLAGS_HOW                                                                        \
	{ "cacert", 0, "FILE", "CA bundle (PEM)", request_flag_cafile },                         \
	        { "allow-http", 0, NULL, "plain http to any host", request_flag_allow_http },    \
	        { "max-input-bytes", 0, "N", NULL, request_flag_max_input_bytes },               \
	        { "max-depth", 0, "N", "caps on an input (64M, 128)", request_flag_max_depth },  \
	{                                                                                        \
		"log-level", 0, "LEVEL", "error, warning, info or debug", request_flag_log_level \
	}
#define REQUEST_FLAGS_HELP                                                         \
	{ "help", 0, NULL, NULL, request_flag_help },                              \
	{                                                                          \
		"version", 0, NULL, "this help; the version", request_flag_version \
	}

typedef int request_flag(void *state, const struct flag *flag, const char *value, struct buf *why);
request_flag request_flag_dataset, request_flag_output, request_flag_connector, request_flag_model, request_flag_param,
        request_flag_option, request_flag_option_number, request_flag_no_adaptive, request_flag_duration, request_flag_stream,
        request_flag_accept, request_flag_cafile, request_flag_allow_http, request_flag_max_input_bytes, request_flag_max_depth,
        request_flag_log_level, request_flag_progress, request_flag_quiet, request_flag_json, request_flag_help,
        request_flag_version, request_flag_worker, request_flag_workers, request_flag_worker_env, request_flag_plugin,
        request_flag_runner_arg, request_flag_python;

void request_args_init(struct request_args *a);
/* Closes the inputs. */
void request_args_release(struct request_args *a);
/* Parses argv by the command's table. 0; or the exit status + 1 when the command is over (help, version, wrong use). */
int request_args_parse(struct request_args *a, const char *command, int argc, char **argv) WARN_UNUSED;
/* Opens the payload or the datasets. 0, or an exit status, having said why. */
int request_args_open(struct request_args *a) WARN_UNUSED;
void request_args_engine_options(const struct request_args *a, struct ff_engine_options *ret);
void request_args_run_options(const struct request_args *a, struct ff_run_options *ret);

#endif
