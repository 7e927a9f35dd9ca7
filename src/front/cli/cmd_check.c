/*
 * cmd_check.c: `fairforge check`: every problem of a request at once, without sending anything.
 *
 * The report is what was asked for, so it goes to standard output: a line a problem and a closing line, or one JSON object with --json.
 */
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "front/cli/cli.h"
#include "front/cli/events_json.h"
#include "front/cli/interrupt.h"
#include "front/cli/request_args.h"
#include "front/common/terminal.h"
#include "front/common/quoted.h"

#define REPORT_MAX_BYTES ((size_t)256 << 20)

const struct flag check_flags[] = {
	REQUEST_FLAGS_WHAT,
	REQUEST_FLAGS_HOW,
	{ "quiet", 0, NULL, NULL, request_flag_quiet },
	{ "json", 0, NULL, "errors only; one JSON object instead of lines", request_flag_json },
	REQUEST_FLAGS_HELP,
};
const size_t check_flag_count = ARRAY_SIZE(check_flags);

struct listing {
	const struct request_args *args;
	struct buf out;
	size_t count;
};

static void append_safe(struct buf *out, const char *text)
{
	char *safe = ff_escape(text, strlen(text));

	buf_append_str(out, str_from(safe ? safe : "out of memory"));
	ff_free(safe);
}

/* "payload.json: /datasets/0/context: error: Field required." */
static void list_text(struct listing *l, const struct ff_problem *p)
{
	const char *const places[] = { p->file, p->pointer };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		if (!*places[i])
			continue;
		append_safe(&l->out, places[i]);
		buf_append_str(&l->out, STR(": "));
	}
	buf_append_str(&l->out, p->severity == FF_PROBLEM_ERROR ? STR("error: ") : STR("warning: "));
	append_safe(&l->out, p->text);
	buf_append_char(&l->out, '\n');
}

static void list_json(struct listing *l, const struct ff_problem *p)
{
	buf_printf(&l->out, "%s\n  {\"severity\": \"%s\", \"file\": ", l->count ? "," : "",
	           p->severity == FF_PROBLEM_ERROR ? "error" : "warning");
	quoted_append(&l->out, str_from(p->file));
	buf_append_str(&l->out, STR(", \"pointer\": "));
	quoted_append(&l->out, str_from(p->pointer));
	buf_append_str(&l->out, STR(", \"text\": "));
	quoted_append(&l->out, str_from(p->text));
	buf_append_char(&l->out, '}');
}

static void on_problem(void *user, const struct ff_problem *p)
{
	struct listing *l = user;

	if (l->args->report.quiet && p->severity != FF_PROBLEM_ERROR)
		return;
	if (l->args->report.json)
		list_json(l, p);
	else
		list_text(l, p);
	l->count++;
}

static void close_text(struct listing *l, const struct ff_check_result *r)
{
	buf_printf(&l->out, "%zu %s, %zu %s", r->datasets, r->datasets == 1 ? "dataset" : "datasets", r->batches,
	           r->batches == 1 ? "batch" : "batches");
	if (*r->connector)
		buf_printf(&l->out, "; %s", r->connector);
	if (*r->model) {
		buf_append_str(&l->out, STR(", model "));
		append_safe(&l->out, r->model);
	}
	if (*r->origin) {
		buf_append_str(&l->out, STR(", at "));
		append_safe(&l->out, r->origin);
	}
	buf_printf(&l->out, "; %zu %s, %zu %s\n", r->errors, r->errors == 1 ? "error" : "errors", r->warnings,
	           r->warnings == 1 ? "warning" : "warnings");
}

static void close_json(struct listing *l, const struct ff_check_result *r)
{
	buf_printf(&l->out, "%s], \"datasets\": %zu, \"batches\": %zu, \"connector\": ", l->count ? "\n" : "", r->datasets,
	           r->batches);
	quoted_append(&l->out, str_from(r->connector));
	buf_append_str(&l->out, STR(", \"model\": "));
	quoted_append(&l->out, str_from(r->model));
	buf_append_str(&l->out, STR(", \"origin\": "));
	quoted_append(&l->out, str_from(r->origin));
	buf_printf(&l->out, ", \"errors\": %zu, \"warnings\": %zu, \"ok\": %s}\n", r->errors, r->warnings,
	           r->errors ? "false" : "true");
}

static int check(struct listing *l, struct ff_engine *engine)
{
	struct ff_check_result result = { 0 };
	struct ff_run_options ro;
	int code, stdout_fd = l->args->plugin ? terminal_take_stdout() : STDOUT_FILENO;

	request_args_run_options(l->args, &ro);
	buf_init(&l->out, REPORT_MAX_BYTES);
	if (l->args->report.json)
		buf_append_str(&l->out, STR("{\"problems\": ["));
	code = ff_check(engine, &ro, on_problem, l, &result);
	terminal_return_stdout(stdout_fd);
	if (l->args->report.json)
		close_json(l, &result);
	else if (!l->args->report.quiet)
		close_text(l, &result);
	fwrite(l->out.ptr ? l->out.ptr : "", 1, l->out.len, stdout);
	if (buf_failed(&l->out))
		code = code ? code : FF_R_NOMEM;
	buf_release(&l->out);
	return ff_code_exit_status(code);
}

static int check_request(struct request_args *a)
{
	struct listing l = { .args = a };
	struct ff_engine_options eo;
	struct ff_engine *engine;
	struct ff_error err = { 0 };
	int status = request_args_open(a), number = 0;

	if (status)
		return status;
	request_args_engine_options(a, &eo);
	if ((a->worker || a->python.command) && interrupt_open() == 0) {
		eo.interrupted_fn = interrupt_came;
		eo.interrupted_user = &number;
	}
	if (ff_engine_new(&eo, &engine, &err)) {
		report_at(&a->report, FF_LOG_ERROR, err.where, err.text);
		return ff_code_exit_status(err.code);
	}
	status = check(&l, engine);
	ff_engine_free(engine);
	return number ? 128 + number : status;
}

int cmd_check(struct cli *cli, int argc, char **argv)
{
	struct request_args a;
	int status;

	request_args_init(&a);
	status = request_args_parse(&a, argv[0], argc, argv);
	status = status ? status - 1 : check_request(&a);
	request_args_release(&a);
	return cli_finish_stdout(cli, status);
}
