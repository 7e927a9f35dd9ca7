/*
 * worker_setup.c: the worker of a request: its command, its environment, its arguments, and the hello.
 *
 * Code is named by the operator alone: in the options of a run, which the command line fills. A payload or an environment variable that tries to is
 * refused, not ignored, so that nobody believes that it counted.
 *
 * The welcome is waited for here, before the run: what is wrong with a worker is found before the first turn and is the answer of the request. This is
 * the one place where starting a run blocks.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "engine/worker_executor.h"
#include "lib/internal.h"
#include "lib/request.h"
#include "lib/setting.h"
#include "lib/words.h"

#define ARGS_MAX_BYTES    ((size_t)8 << 20)
#define CONNECT_USUAL_MS  10000 /* connect_timeout_ms, when nobody set it */
#define NOTICE_COMMAND    200   /* bytes of the command that messages show */
#define OTHER_DESCRIPTORS 24
#define ASK_EVERY_US      UINT64_C(100000) /* whether somebody interrupted us */

/* ---- who may name code ---- */

static const char *const operators_own[] = { "worker",     "workers", "worker_env", "plugin",    "python_runner",
	                                     "python_llm", "python",  "batches",    "runner_arg" };

static int refuse_environment(struct request *req)
{
	const char *values[ARRAY_SIZE(operators_own)];
	char variable[VARIABLE_NAME_MAX];
	int r = 0;

	lib_getenv_keys(req->engine, operators_own, ARRAY_SIZE(operators_own), values);
	for (size_t i = 0; i < ARRAY_SIZE(operators_own) && !r; i++) {
		if (!values[i])
			continue;
		lib_variable_name(operators_own[i], variable);
		r = request_fail(req, STEP_FLAGS, FF_EUSAGE, "", variable,
		                 "Code is named on the command line only: the variable %s is refused.", variable);
	}
	return r;
}

int request_refuse_code(struct request *req)
{
	const struct json *root = req->payload ? &req->payload->root : NULL;
	int r = 0;

	for (size_t i = 0; root && i < ARRAY_SIZE(operators_own) && !r; i++) {
		char pointer[64] = "";

		if (!json_get(root, str_from(operators_own[i])))
			continue;
		json_pointer_push(pointer, sizeof(pointer), str_from(operators_own[i]));
		r = request_fail(req, STEP_FLAGS, FF_EUSAGE, req->inputs[0].name, pointer,
		                 "Code is named on the command line only: the payload's member \"%s\" is refused.",
		                 operators_own[i]);
	}
	return r;
}

/* ---- flags ---- */

static int check_company(struct request *req)
{
	const struct ff_run_options *o = &req->ro;

	if (!o->worker && (o->workers || o->worker_env_count || o->worker_arg_count))
		return request_fail(req, STEP_FLAGS, FF_EUSAGE, "", "",
		                    "There is no worker: name one with --worker, or leave --workers and --worker-env out.");
	if (o->worker && (o->connector || o->model || o->param_count))
		return request_fail(req, STEP_FLAGS, FF_EUSAGE, "", "",
		                    "A worker takes the place of a connector: --worker excludes --connector, --model and --param.");
	if (o->workers > WORKERS_MOST)
		return request_fail(req, STEP_FLAGS, FF_EUSAGE, "", "", "There can be 1 to %u workers, not %u.", WORKERS_MOST,
		                    o->workers);
	return 0;
}

static int split_command(struct request *req)
{
	struct error err = { 0 };
	int r = words_split(&req->arena, req->ro.worker, &req->worker_argv, &err);

	if (r == FF_EUSAGE)
		return request_fail(req, STEP_FLAGS, r, "", "", "The worker's command %s.", err.text);
	return r;
}

/* What looks like the name of a secret: its value is masked in logs. */
static bool names_secret(const char *name)
{
	static const struct str parts[] = { STR("key"), STR("token"), STR("secret"), STR("passw"), STR("credential"), STR("auth") };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (str_contains_nocase(str_from(name), parts[i]))
			return true;
	return false;
}

static int add_variable(struct request *req, const char *name, const char *value)
{
	size_t len = strlen(name);
	const char **list = req->worker_envp;
	size_t at = 0;
	char *text = arena_printf(&req->arena, "%s=%s", name, value);

	if (!text || (names_secret(name) && *value && request_guard(req, str_from(value))))
		return FF_ENOMEM;
	while (list[at] && (strncmp(list[at], name, len) != 0 || list[at][len] != '='))
		at++;
	list[at] = text;
	return 0;
}

static int add_listed(struct request *req, const struct ff_setting *s)
{
	const char *value = s->value ? s->value : lib_getenv(req->engine, s->name);

	if (!*s->name || strchr(s->name, '='))
		return request_fail(req, STEP_FLAGS, FF_EUSAGE, "", "", "--worker-env needs NAME or NAME=VALUE.");
	if (!value)
		return request_fail(req, STEP_FLAGS, FF_EUSAGE, "", "",
		                    "The environment variable %s, which --worker-env names, is not set.", s->name);
	return add_variable(req, s->name, value);
}

static int build_environment(struct request *req)
{
	static const char *const passed[] = { "PATH",        "HOME",         "LANG",           "TZ",
		                              "TMPDIR",      "VIRTUAL_ENV",  "PYTHONPATH",     "LC_ALL",
		                              "LC_CTYPE",    "LC_NUMERIC",   "LC_TIME",        "LC_COLLATE",
		                              "LC_MONETARY", "LC_MESSAGES",  "LC_PAPER",       "LC_NAME",
		                              "LC_ADDRESS",  "LC_TELEPHONE", "LC_MEASUREMENT", "LC_IDENTIFICATION" };
	int r = 0;

	req->worker_envp = arena_calloc(&req->arena, ARRAY_SIZE(passed) + req->ro.worker_env_count + 1, sizeof(char *));
	if (!req->worker_envp)
		return FF_ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(passed) && !r; i++) {
		const char *value = lib_getenv(req->engine, passed[i]);

		r = value ? add_variable(req, passed[i], value) : 0;
	}
	for (size_t i = 0; i < req->ro.worker_env_count && !r; i++)
		r = add_listed(req, &req->ro.worker_env[i]);
	return r;
}

static int write_arg(struct request *req, const struct ff_setting *s, struct json_writer *w, struct problems *problems)
{
	struct json value;
	bool secret = false;
	int r = setting_param(req->engine, &req->arena, s, "argument", NULL, problems, &value, &secret);

	if (r)
		return r == FF_ENOMEM ? r : 0; /* told as a problem */
	if ((secret || names_secret(s->name)) && (value.type == JSON_STRING || value.type == JSON_NUMBER) && value.text.len &&
	    request_guard(req, value.text))
		return FF_ENOMEM;
	json_key(w, str_from(s->name));
	json_value(w, &value);
	return 0;
}

/* The object `args` of the hello. */
static int build_args(struct request *req)
{
	struct problems problems;
	struct json_writer w;
	struct buf text;
	int r = 0;

	problems_init(&problems);
	buf_init(&text, ARGS_MAX_BYTES);
	json_writer_init(&w, &text, 0);
	json_begin_object(&w);
	for (size_t i = 0; i < req->ro.worker_arg_count && !r; i++)
		r = write_arg(req, &req->ro.worker_args[i], &w, &problems);
	json_end_object(&w);
	if (!r && (buf_failed(&text) || arena_str(&req->arena, buf_str(&text), &req->worker_args)))
		r = FF_ENOMEM;
	if (text.ptr)
		explicit_bzero(text.ptr, text.room);
	buf_release(&text);
	if (!r)
		r = request_take(req, STEP_FLAGS, "", &problems, FF_EUSAGE);
	problems_release(&problems);
	return r;
}

int request_check_worker(struct request *req)
{
	int r = refuse_environment(req);

	if (!r)
		r = check_company(req);
	if (r || !req->ro.worker)
		return r;
	r = split_command(req);
	if (!r)
		r = build_environment(req);
	if (!r)
		r = build_args(req);
	req->worker_ready = r == 0;
	return r;
}

/* ---- the hello ---- */

static uint64_t now_us(void *user)
{
	return loop_now_us(((struct ff_engine *)user)->loop);
}

/* "python3 my_system.py", cut, or what the caller calls it. */
static const char *shown_command(struct request *req)
{
	struct str command = str_from(req->ro.worker_label ? req->ro.worker_label : req->ro.worker);
	size_t len = utf8_cut(command, NOTICE_COMMAND);

	return arena_printf(&req->arena, "%.*s%s", (int)len, command.ptr, len < command.len ? "..." : "");
}

static unsigned worker_count(const struct request *req)
{
	return req->ro.workers ? req->ro.workers : 1;
}

static int start_workers(struct request *req, struct error *err)
{
	struct ff_engine *engine = req->engine;
	uint64_t connect_ms = req->options.connect_timeout_ms;
	struct worker_executor_config config = {
		.argv = req->worker_argv,
		.envp = req->worker_envp,
		.command = shown_command(req),
		.workers = worker_count(req),
		.args = req->worker_args,
		.welcome_timeout_ms = connect_ms && connect_ms != CONNECT_USUAL_MS ? connect_ms : WORKER_WELCOME_TIMEOUT_MS,
		.options = &req->options,
		.runner = &llm_runner,
		.loop = engine->loop,
		.keeper = engine->keeper,
		.scrubber = request_scrubber(req),
		.logger = &engine->logger,
		.now_us = now_us,
		.clock_user = engine,
	};

	req->welcome_timeout_ms = config.welcome_timeout_ms;
	return config.command ? worker_executor_new(&config, &req->executor, err) : error_nomem(err);
}

/* The first question is also where the caller begins to keep signals: before there is a process that one could leave behind. */
static int check_interrupt(const struct ff_engine *engine, struct error *err)
{
	if (engine->interrupted_fn && engine->interrupted_fn(engine->interrupted_user))
		return error_set(err, FF_ECANCELED, "", "Interrupted while the worker was starting.");
	return 0;
}

/* A signal ends a waiting, but not one that begins after it: so they are short where signals count. */
static int patience_ms(const struct ff_engine *engine, uint64_t left_us)
{
	if (engine->interrupted_fn)
		left_us = MIN(left_us, ASK_EVERY_US);
	return (int)((left_us + 999) / 1000);
}

static int wait_for_welcome(struct request *req, struct error *err)
{
	const struct ff_engine *engine = req->engine;
	uint64_t until_us = clock_monotonic_us() + req->welcome_timeout_ms * 1000;
	bool is_ready = false;
	int r = 0;

	while (!is_ready && !r) {
		uint64_t time_us = clock_monotonic_us();

		if (time_us >= until_us)
			return worker_executor_give_up(req->executor, err);
		r = check_interrupt(engine, err);
		if (!r)
			r = worker_executor_wait(req->executor, patience_ms(engine, until_us - time_us), &is_ready, err);
	}
	return r;
}

static int make_greeting(struct request *req)
{
	const char *name = worker_executor_name(req->executor), *command = shown_command(req);
	unsigned count = worker_count(req);
	char times[32] = "";

	if (count > 1)
		(void)snprintf(times, sizeof(times), "%u workers", count);
	if (!command)
		return FF_ENOMEM;
	req->target_name = arena_printf(&req->arena, "the worker '%s'", command);
	req->greeting = arena_printf(&req->arena, "Turns are answered by %s '%s'%s%s%s, up to %u at once.",
	                             count > 1 ? times : "the worker", command, *name ? " (" : "", name, *name ? ")" : "",
	                             MIN(req->executor->max_concurrency, req->options.concurrency));
	req->worker_name = arena_printf(&req->arena, "%s", name);
	return req->greeting && req->target_name && req->worker_name ? 0 : FF_ENOMEM;
}

int request_start_worker(struct request *req)
{
	struct error err = { 0 };
	int r = 0;

	if (!req->worker_ready)
		return 0;
	if (!req->engine->keeper && child_keeper_new(req->engine->loop, &req->engine->keeper))
		return FF_ENOMEM;
	r = check_interrupt(req->engine, &err);
	if (!r)
		r = start_workers(req, &err);
	if (!r)
		r = wait_for_welcome(req, &err);
	if (!r)
		return make_greeting(req);
	return r == FF_ENOMEM ? r : request_fail(req, STEP_WORKER, r == FF_ECANCELED ? r : FF_EUSAGE, "", "", "%s", err.text);
}
