/*
 * request_args.c: the flags that say what to run. What a value means is the library's business (options and parameters go there as text); here is
 * only what the library cannot know: files, durations as people write them, contradictions.
 */
#include "front/cli/request_args.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front/cli/cli.h"
#include "front/cli/plugin.h"
#include "front/common/args.h"

#define WORKERS_MOST 256 /* the library's cap */

void request_args_init(struct request_args *a)
{
	*a = (struct request_args){ .log_level = FF_LOG_WARNING };
	arena_init(&a->arena);
	report_init(&a->report);
}

void request_args_release(struct request_args *a)
{
	for (size_t i = 0; i < a->input_count; i++)
		if (a->inputs[i].fd > STDIN_FILENO)
			close(a->inputs[i].fd);
	arena_release(&a->arena);
}

/* ---- lists in the arena ---- */

static int out_of_memory(struct buf *why)
{
	buf_append_str(why, STR("needs more memory than there is"));
	return -1;
}

/* Room for one more item of `size` bytes in a list of `count`; NULL: out of memory. */
static void *grow(struct arena *arena, void *items, size_t size, size_t count, size_t *room)
{
	void *more;

	if (count < *room)
		return items;
	more = arena_calloc(arena, *room ? 2 * *room : 8, size);
	if (!more)
		return NULL;
	if (count)
		memcpy(more, items, count * size);
	*room = *room ? 2 * *room : 8;
	return more;
}

static int add_text(struct request_args *a, struct text_list *list, const char *text, struct buf *why)
{
	const char **items = grow(&a->arena, list->items, sizeof(*items), list->count, &list->room);

	if (!items)
		return out_of_memory(why);
	list->items = items;
	items[list->count++] = text;
	return 0;
}

static int add_setting(struct request_args *a, struct setting_list *list, const char *name, const char *value, struct buf *why)
{
	struct ff_setting *items = grow(&a->arena, list->items, sizeof(*items), list->count, &list->room);

	if (!items || !name || !value)
		return out_of_memory(why);
	list->items = items;
	items[list->count++] = (struct ff_setting){ name, value };
	return 0;
}

/* ---- setters ---- */

int request_flag_dataset(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct request_args *a = state;

	(void)flag;
	return add_text(a, &a->datasets, value, why);
}

int request_flag_output(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct request_args *a = state;

	(void)flag;
	if (!str_ends_with(str_from(value), STR(".json")) && !str_ends_with(str_from(value), STR(".jsonl"))) {
		buf_printf(why, "must name a file that ends in .json or .jsonl, not \"%s\"", value);
		return -1;
	}
	for (size_t i = 0; i < a->outputs.count; i++)
		if (!strcmp(a->outputs.items[i], value)) {
			buf_printf(why, "names %s twice", value);
			return -1;
		}
	return add_text(a, &a->outputs, value, why);
}

int request_flag_connector(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	const char *near;
	size_t index;

	(void)flag;
	((struct request_args *)state)->connector = value;
	if (ff_connector_find(value, &index) == 0)
		return 0;
	near = cli_nearest_connector(value);
	buf_printf(why, "names no connector: \"%s\"", value);
	if (near)
		buf_printf(why, "; did you mean %s", near);
	else
		buf_append_str(why, STR(" ('fairforge connectors' lists them)"));
	return -1;
}

int request_flag_model(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag, (void)why;
	((struct request_args *)state)->model = value;
	return 0;
}

int request_flag_worker(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag, (void)why;
	((struct request_args *)state)->worker = value;
	return 0;
}

int request_flag_workers(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag;
	if (arg_u64(value, 1, WORKERS_MOST, &((struct request_args *)state)->workers))
		return 0;
	buf_printf(why, "must be a number from 1 to %d, not \"%s\"", WORKERS_MOST, value);
	return -1;
}

/* NAME is copied from our environment, by the library; NAME=VALUE is set. */
int request_flag_worker_env(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct request_args *a = state;
	struct setting_list *list = &a->worker_env;
	const char *equals = strchr(value, '=');
	const char *name = arena_memdup(&a->arena, value, equals ? (size_t)(equals - value) : strlen(value));
	int r;

	(void)flag;
	if (!*value || equals == value) {
		buf_append_str(why, STR("must be NAME or NAME=VALUE"));
		return -1;
	}
	r = add_setting(a, list, name, equals ? equals + 1 : "", why);
	if (!r && !equals)
		list->items[list->count - 1].value = NULL;
	return r;
}

/* "name=value" */
static int add_pair(struct request_args *a, struct setting_list *list, const char *value, struct buf *why)
{
	const char *equals = strchr(value, '=');

	if (!equals || equals == value) {
		buf_append_str(why, STR("must be NAME=VALUE"));
		return -1;
	}
	return add_setting(a, list, arena_memdup(&a->arena, value, (size_t)(equals - value)), equals + 1, why);
}

int request_flag_param(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct request_args *a = state;

	(void)flag;
	return add_pair(a, &a->params, value, why);
}

int request_flag_option(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct request_args *a = state;

	(void)flag;
	return add_pair(a, &a->options, value, why);
}

int request_flag_plugin(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct request_args *a = state;

	(void)flag;
	if (a->plugin) {
		buf_append_str(why, STR("can be given once only"));
		return -1;
	}
	a->plugin = value;
	return 0;
}

/* The four flags of python_adapter.h. */
int request_flag_python(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct python_adapter *p = &((struct request_args *)state)->python;
	const struct {
		const char *name, **place;
	} places[] = {
		{ "python-runner", &p->runner }, { "python-llm", &p->llm }, { "python", &p->python }, { "batches", &p->batches }
	};

	if (!strcmp(flag->name, "batches") && !python_adapter_knows_batches(value)) {
		buf_printf(why, "must be each, whole or parallel, not \"%s\"", value);
		return -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (!strcmp(flag->name, places[i].name))
			*places[i].place = value;
	return 0;
}

int request_flag_runner_arg(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct request_args *a = state;

	(void)flag;
	return add_pair(a, &a->runner_args, value, why);
}

/* A flag that is an option of the same name: a whole number, whose range is the library's to judge. */
int request_flag_option_number(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct request_args *a = state;
	char *name = arena_memdup(&a->arena, flag->name, strlen(flag->name));
	uint64_t number;

	if (!arg_u64(value, 0, UINT64_MAX, &number)) {
		buf_printf(why, "must be a whole number, not \"%s\"", value);
		return -1;
	}
	for (char *p = name; p && *p; p++)
		*p = *p == '-' ? '_' : *p;
	return add_setting(a, &a->options, name, value, why);
}

int request_flag_no_adaptive(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct request_args *a = state;

	(void)flag, (void)value;
	return add_setting(a, &a->options, "concurrency", "{\"adaptive\": false}", why);
}

int request_flag_duration(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct request_args *a = state;
	uint64_t ms;

	if (!arg_duration_ms(value, &ms)) {
		buf_printf(why, "must be seconds, like 30 or 1.5, or have a unit (500ms, 2m, 1h), not \"%s\"", value);
		return -1;
	}
	return add_setting(a, &a->options, strcmp(flag->name, "deadline") ? "turn_timeout_ms" : "deadline_ms",
	                   arena_printf(&a->arena, "%llu", (unsigned long long)ms), why);
}

int request_flag_stream(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	struct request_args *a = state;

	(void)flag, (void)value;
	return add_setting(a, &a->options, "stream", "true", why);
}

/* A flag for what is so already: this version keeps no journal. */
int request_flag_accept(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)state, (void)flag, (void)value, (void)why;
	return 0;
}

int request_flag_cafile(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag, (void)why;
	((struct request_args *)state)->cafile = value;
	return 0;
}

int request_flag_allow_http(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag, (void)value, (void)why;
	((struct request_args *)state)->allow_http = true;
	return 0;
}

int request_flag_max_input_bytes(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag;
	if (arg_bytes(value, &((struct request_args *)state)->max_input_bytes))
		return 0;
	buf_printf(why, "must be a number of bytes, like 1000000 or 64M, not \"%s\"", value);
	return -1;
}

int request_flag_max_depth(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag;
	if (arg_u64(value, 1, 4096, &((struct request_args *)state)->max_depth))
		return 0;
	buf_printf(why, "must be a number from 1 to 4096, not \"%s\"", value);
	return -1;
}

int request_flag_log_level(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	static const char *const words[] = { "error", "warning", "info", "debug" };

	(void)flag;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i], value)) {
			((struct request_args *)state)->log_level = (enum ff_log_level)i;
			return 0;
		}
	buf_printf(why, "must be error, warning, info or debug, not \"%s\"", value);
	return -1;
}

int request_flag_progress(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag, (void)value, (void)why;
	((struct request_args *)state)->progress = true;
	return 0;
}

int request_flag_quiet(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag, (void)value, (void)why;
	((struct request_args *)state)->report.quiet = true;
	return 0;
}

int request_flag_json(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag, (void)value, (void)why;
	((struct request_args *)state)->report.json = true;
	return 0;
}

int request_flag_help(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag, (void)value, (void)why;
	((struct request_args *)state)->help = true;
	return 0;
}

int request_flag_version(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag, (void)value, (void)why;
	((struct request_args *)state)->version = true;
	return 0;
}

/* ---- the command line as a whole ---- */

static const char *python_contradiction(const struct request_args *a)
{
	const struct python_adapter *p = &a->python;

	if ((p->runner || p->llm) && (a->connector || a->worker || a->plugin))
		return "A Python class takes the place of a connector: it excludes --connector, --worker and --plugin.";
	if (p->runner && (a->model || a->params.count))
		return "A --python-runner gets its arguments by --runner-arg: it excludes --model and --param.";
	if (p->llm && a->runner_args.count)
		return "A --python-llm gets its parameters by --param: it excludes --runner-arg.";
	return python_adapter_contradiction(p);
}

/* About what answers: a connector, a worker, a plugin or a Python class. */
static const char *answerer_contradiction(const struct request_args *a)
{
	bool connector = a->connector || a->model || a->params.count, python = a->python.runner || a->python.llm;

	if (a->worker && connector)
		return "--worker takes the place of a connector: it excludes --connector, --model and --param.";
	if (a->plugin && (connector || a->worker))
		return "--plugin takes the place of a connector: it excludes --connector, --model, --param and --worker.";
	if (!a->plugin && !python && a->runner_args.count)
		return "--runner-arg needs a --plugin or a --python-runner.";
	if (!a->worker && !python && (a->workers || a->worker_env.count))
		return "--workers and --worker-env need a --worker or a Python class.";
	return python_contradiction(a);
}

/* What is contradictory or missing, as a sentence; NULL: nothing. */
static const char *contradiction(const struct request_args *a, int operands)
{
	if (operands > 1)
		return "There can be one payload only; datasets are named with --dataset.";
	if (operands && a->datasets.count)
		return "A payload and --dataset exclude each other: the payload has its own datasets.";
	if (!operands && !a->datasets.count)
		return "Name a payload, - for standard input, or --dataset FILE.";
	if (a->report.quiet && a->progress)
		return "--quiet and --progress exclude each other.";
	return answerer_contradiction(a);
}

int request_args_parse(struct request_args *a, const char *command, int argc, char **argv)
{
	const struct command *c = command_find(command);
	const char *problem = NULL;
	struct buf why;
	int first = argc, r;

	buf_init(&why, (size_t)64 << 10);
	r = flags_parse(c->flags, *c->flag_count, a, argc, argv, &first, &why);
	if (r == 0 && a->help) {
		command_print_help(stdout, c);
		r = 1;
	} else if (r == 0 && a->version) {
		cli_print_version();
		r = 1;
	} else {
		problem = r ? (why.ptr ? why.ptr : "Out of memory.") : contradiction(a, argc - first);
		a->payload = !r && first < argc ? argv[first] : NULL;
		r = problem ? cli_wrong_use(command, problem) + 1 : 0;
	}
	buf_release(&why);
	return r;
}

/* ---- inputs ---- */

static bool is_stdin(const char *path)
{
	return !strcmp(path, "-");
}

static int open_input(struct request_args *a, const char *path, bool as_datasets, struct ff_input *ret)
{
	struct stat status;

	*ret = (struct ff_input){ .name = is_stdin(path) ? "standard input" : path,
		                  .fd = STDIN_FILENO,
		                  .as_datasets = as_datasets };
	if (is_stdin(path))
		return 0;
	ret->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ret->fd >= 0 && fstat(ret->fd, &status) == 0 && S_ISDIR(status.st_mode)) {
		close(ret->fd);
		ret->fd = -1;
		errno = EISDIR;
	}
	if (ret->fd >= 0)
		return 0;
	report_text(&a->report, FF_LOG_ERROR, "%s cannot be read: %s.", path, strerror(errno));
	return ff_code_exit_status(FF_R_IO);
}

static int load_plugin(struct request_args *a)
{
	struct buf why;
	int r;

	if (!a->plugin)
		return 0;
	buf_init(&why, (size_t)64 << 10);
	plugin_guard_exit(a->plugin, &a->report);
	r = plugin_load(a->plugin, &a->runner, &why);
	if (r)
		report_at(&a->report, FF_LOG_ERROR, "", why.ptr ? why.ptr : ff_code_text(FF_R_NOMEM));
	buf_release(&why);
	return r ? cli_usage_status() : 0;
}

static int open_inputs(struct request_args *a)
{
	size_t count = a->payload ? 1 : a->datasets.count, from_stdin = 0;

	a->inputs = arena_calloc(&a->arena, count, sizeof(*a->inputs));
	if (!a->inputs) {
		report_at(&a->report, FF_LOG_ERROR, "", ff_code_text(FF_R_NOMEM));
		return ff_code_exit_status(FF_R_NOMEM);
	}
	for (; a->input_count < count; a->input_count++) {
		const char *path = a->payload ? a->payload : a->datasets.items[a->input_count];
		int r;

		if (is_stdin(path) && from_stdin++) {
			report_at(&a->report, FF_LOG_ERROR, "", "Standard input can be read once only.");
			return cli_usage_status();
		}
		r = open_input(a, path, !a->payload, &a->inputs[a->input_count]);
		if (r)
			return r;
	}
	return 0;
}

/* The document's rule for a model's key: without one in the parameters it is LLM_API_KEY, when that is set. */
static int add_llm_key(struct request_args *a)
{
	const char *key = getenv("LLM_API_KEY");
	struct buf why;
	int r;

	for (size_t i = 0; i < a->params.count; i++)
		if (!strcmp(a->params.items[i].name, "api_key") && *a->params.items[i].value)
			return 0;
	if (!key || !*key)
		return 0;
	buf_init(&why, 256);
	r = add_setting(a, &a->params, "api_key", "env:LLM_API_KEY", &why);
	buf_release(&why);
	return r;
}

/* A Python class becomes a worker, with its arguments in the hello. 0, or an exit status, having said why. */
static int prepare_python(struct request_args *a)
{
	struct buf why;
	int r;

	if (!a->python.runner && !a->python.llm)
		return 0;
	buf_init(&why, (size_t)64 << 10);
	r = python_adapter_prepare(&a->python, &a->arena, &why);
	if (!r && a->python.llm)
		r = add_llm_key(a);
	if (!r && a->model)
		r = add_setting(a, &a->params, "model", a->model, &why);
	if (r)
		report_at(&a->report, FF_LOG_ERROR, "", why.ptr ? why.ptr : ff_code_text(FF_R_NOMEM));
	buf_release(&why);
	return r ? ff_code_exit_status(FF_R_INTERNAL) : 0;
}

int request_args_open(struct request_args *a)
{
	int status = load_plugin(a);

	if (!status)
		status = prepare_python(a);
	return status ? status : open_inputs(a);
}

void request_args_engine_options(const struct request_args *a, struct ff_engine_options *ret)
{
	*ret = (struct ff_engine_options){
		.size = sizeof(*ret),
		.role = FF_ROLE_OPERATOR,
		.cafile = a->cafile,
		.allow_http = a->allow_http,
		.log_level = a->log_level,
		.log_fn = report_log,
		.log_user = (void *)&a->report,
		.proxy_from_env = 1,
	};
}

/* The adapter is a worker like any other, with arguments; they are a runner's or a model's by now. */
static void python_run_options(const struct request_args *a, struct ff_run_options *ret)
{
	const struct setting_list *args = a->python.runner ? &a->runner_args : &a->params;

	ret->worker = a->python.command;
	ret->worker_label = a->python.runner ? a->python.runner : a->python.llm;
	ret->worker_args = args->items;
	ret->worker_arg_count = args->count;
	ret->runner_args = NULL;
	ret->runner_arg_count = 0;
	ret->model = NULL;
	ret->params = NULL;
	ret->param_count = 0;
}

void request_args_run_options(const struct request_args *a, struct ff_run_options *ret)
{
	*ret = (struct ff_run_options){
		.size = sizeof(*ret),
		.inputs = a->inputs,
		.input_count = a->input_count,
		.connector = a->connector,
		.model = a->model,
		.runner = a->runner,
		.runner_args = a->runner_args.items,
		.runner_arg_count = a->runner_args.count,
		.worker = a->worker,
		.workers = (unsigned)a->workers,
		.worker_env = a->worker_env.items,
		.worker_env_count = a->worker_env.count,
		.params = a->params.items,
		.param_count = a->params.count,
		.options = a->options.items,
		.option_count = a->options.count,
		.max_input_bytes = a->max_input_bytes,
		.max_depth = (unsigned)a->max_depth,
	};
	if (a->python.command)
		python_run_options(a, ret);
}
