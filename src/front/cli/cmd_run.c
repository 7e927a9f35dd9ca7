/*
 * cmd_run.c: `fairforge run`: a payload or datasets in, the response out.
 *
 * What can be known before money is spent is checked first: flags, inputs, whether the outputs can be written. Then the run lives in a poll loop of
 * three descriptors' worth of waiting: the engine's, the signals', and the clock for the progress bar. Output files take their place at the end.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/secret.h"
#include "front/cli/cli.h"
#include "front/cli/interrupt.h"
#include "front/cli/request_args.h"
#include "front/cli/run_watch.h"
#include "front/common/output_file.h"
#include "front/common/terminal.h"
#include "net/spin.h"

#define GRACE_MS    5000 /* for turns in flight, after the first signal */
#define FILE_INDENT 2

const struct flag run_flags[] = {
	REQUEST_FLAGS_WHAT,
	{ "output", 'o', "FILE", ".json the response, .jsonl a dataset a line; again", request_flag_output },
	{ "no-journal", 0, NULL, "keep no journal", request_flag_accept },
	REQUEST_FLAGS_HOW,
	{ "progress", 0, NULL, NULL, request_flag_progress },
	{ "quiet", 0, NULL, "the bar also without a terminal; errors only", request_flag_quiet },
	{ "json", 0, NULL, "events as JSON Lines on standard error", request_flag_json },
	REQUEST_FLAGS_HELP,
};
const size_t run_flag_count = ARRAY_SIZE(run_flags);

/* One output: a file or standard output. */
struct destination {
	struct output_file file;
	bool complete; /* the whole document was given */
	bool shown;    /* a terminal: what moves its cursor or reorders its text is escaped */
	char part[4];  /* the beginning of a character whose rest comes with the next piece */
	size_t part_len;
};

struct run_command {
	struct request_args args;
	struct run_watch watch;
	struct destination *destinations;
	struct ff_output *outputs;
	size_t output_count;
	struct ff_engine *engine;
	struct ff_run *run;
	int stdout_fd; /* for the document; a plugin's prints do not get there */
	int signal;    /* the first one; 0 */
};

/* Bytes at the end that begin a UTF-8 character without ending it. */
static size_t begun_character(const char *text, size_t len)
{
	for (size_t back = 1; back < 4 && back <= len; back++) {
		unsigned char c = (unsigned char)text[len - back];
		size_t whole = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;

		if ((c & 0xC0) != 0x80)
			return c >= 0xC0 && whole > back ? back : 0;
	}
	return 0;
}

/* Other people's answers stand in the document: on a terminal it says the same with escapes. */
static int write_shown(struct destination *d, const char *data, size_t len)
{
	struct buf text, out;
	size_t part;
	int r = -1;

	buf_init(&text, SIZE_MAX / 2);
	buf_init(&out, SIZE_MAX / 2);
	buf_append(&text, d->part, d->part_len);
	buf_append(&text, data, len);
	part = text.ptr ? begun_character(text.ptr, text.len) : 0;
	if (buf_failed(&text) || escape_append_json(&out, str_of(text.ptr, text.len - part)))
		errno = d->file.error_number = ENOMEM;
	else
		r = output_file_write(&d->file, out.ptr, out.len);
	d->part_len = part;
	memcpy(d->part, text.ptr ? text.ptr + text.len - part : "", part);
	buf_release(&text);
	buf_release(&out);
	return r;
}

static int write_output(void *user, const char *data, size_t len)
{
	struct destination *d = user;

	if (d->shown)
		return write_shown(d, data, len);
	return output_file_write(&d->file, data, len);
}

static void output_done(void *user, int complete)
{
	struct destination *d = user;

	d->complete = complete != 0;
}

static int say_unwritable(const struct report *report, const struct output_file *f)
{
	report_text(report, FF_LOG_ERROR, "%s cannot be written: %s.", f->name, strerror(f->error_number));
	return ff_code_exit_status(FF_R_OUTPUT);
}

/* ---- outputs ---- */

static int open_stdout(struct run_command *rc, const struct cli *cli)
{
	struct destination *d = &rc->destinations[0];

	if (rc->args.plugin && !cli->stdout_closed)
		rc->stdout_fd = terminal_take_stdout();
	output_file_from_fd(&d->file, "standard output", rc->stdout_fd);
	d->shown = isatty(rc->stdout_fd);
	rc->outputs[0] = (struct ff_output){ .format = FF_OUTPUT_RESPONSE, .indent = d->shown ? FILE_INDENT : 0 };
	rc->output_count = 1;
	if (!cli->stdout_closed)
		return 0;
	d->file.error_number = EBADF;
	return say_unwritable(&rc->args.report, &d->file);
}

static int open_files(struct run_command *rc)
{
	for (; rc->output_count < rc->args.outputs.count; rc->output_count++) {
		struct destination *d = &rc->destinations[rc->output_count];
		const char *path = rc->args.outputs.items[rc->output_count];
		bool lines = str_ends_with(str_from(path), STR(".jsonl"));

		rc->outputs[rc->output_count] =
		        (struct ff_output){ .format = lines ? FF_OUTPUT_JSONL : FF_OUTPUT_RESPONSE, .indent = FILE_INDENT };
		if (output_file_open(&d->file, path)) {
			rc->output_count++;
			return say_unwritable(&rc->args.report, &d->file);
		}
		if (d->file.aside)
			interrupt_remove_file(d->file.aside);
	}
	return 0;
}

static int open_outputs(struct run_command *rc, const struct cli *cli)
{
	size_t room = rc->args.outputs.count + 1;
	int r;

	rc->destinations = mem_calloc(room, sizeof(*rc->destinations));
	rc->outputs = mem_calloc(room, sizeof(*rc->outputs));
	if (!rc->destinations || !rc->outputs) {
		report_at(&rc->args.report, FF_LOG_ERROR, "", ff_code_text(FF_R_NOMEM));
		return ff_code_exit_status(FF_R_NOMEM);
	}
	r = rc->args.outputs.count ? open_files(rc) : open_stdout(rc, cli);
	for (size_t i = 0; i < rc->output_count; i++) {
		rc->outputs[i].write_fn = write_output;
		rc->outputs[i].done_fn = output_done;
		rc->outputs[i].user = &rc->destinations[i];
	}
	return r;
}

/* Puts complete documents in their place. 0, or the status of output that cannot be written, having said which. */
static int commit_outputs(struct run_command *rc)
{
	int worst = 0;

	interrupt_forget_files();
	for (size_t i = 0; i < rc->output_count; i++) {
		struct destination *d = &rc->destinations[i];

		if (d->complete && output_file_commit(&d->file) == 0)
			continue;
		if (d->file.error_number)
			worst = say_unwritable(&rc->args.report, &d->file);
		else if (d->file.owned)
			report_text(&rc->args.report, FF_LOG_ERROR, "%s was left as it was: its document is not whole.",
			            d->file.name);
	}
	return worst;
}

/* ---- the run ---- */

static int engine_failed(struct run_command *rc, const struct ff_error *err)
{
	report_at(&rc->args.report, FF_LOG_ERROR, err->where, err->text);
	return ff_code_exit_status(err->code);
}

/* An answer that says why nothing ran is on the outputs already; the sentence on standard error is for people. */
static int start_failed(struct run_command *rc, const struct ff_error *err)
{
	int unwritable;

	if (rc->signal) { /* as before there were workers: files stay what they were */
		report_at(&rc->args.report, FF_LOG_WARNING, "", err->text);
		return 128 + rc->signal;
	}
	unwritable = commit_outputs(rc);
	if (!unwritable || err->code != FF_R_OUTPUT)
		report_at(&rc->args.report, FF_LOG_ERROR, "", err->text);
	return unwritable ? unwritable : ff_code_exit_status(err->code);
}

static void take_signals(struct run_command *rc)
{
	int number;

	while ((number = interrupt_take())) {
		if (rc->signal) {
			report_at(&rc->args.report, FF_LOG_WARNING, "", "Stopping now.");
			ff_run_cancel(rc->run, 0);
			continue;
		}
		rc->signal = number;
		report_text(&rc->args.report, FF_LOG_WARNING,
		            "Interrupted: nothing new starts, turns in flight have %d s to finish; once more stops now.",
		            GRACE_MS / 1000);
		ff_run_cancel(rc->run, GRACE_MS);
	}
}

static int sooner(int a, int b)
{
	return a < 0 ? b : b < 0 ? a : MIN(a, b);
}

static void drive(struct run_command *rc)
{
	struct spin spin = { 0 };

	while (!ff_run_done(rc->run)) {
		struct pollfd fds[] = {
			{ .fd = ff_engine_fd(rc->engine), .events = POLLIN },
			{ .fd = interrupt_fd(), .events = POLLIN },
		};

		(void)spin_poll(&spin, fds, ARRAY_SIZE(fds),
		                sooner(ff_engine_timeout_ms(rc->engine), run_watch_timeout_ms(&rc->watch)));
		if (fds[1].revents)
			take_signals(rc);
		ff_engine_process(rc->engine);
		run_watch_tick(&rc->watch, rc->run);
	}
}

static int conclude(struct run_command *rc)
{
	const struct ff_error *err = ff_run_error(rc->run);
	int status = ff_run_exit_status(rc->run), unwritable;

	if (err->code == FF_R_CANCELED && rc->signal)
		status = 128 + rc->signal;
	progress_clear(&rc->watch.progress);
	unwritable = commit_outputs(rc);
	status = unwritable ? unwritable : status;
	run_watch_close(&rc->watch, rc->run, status, unwritable != 0);
	return status;
}

static int execute(struct run_command *rc)
{
	struct ff_engine_options eo;
	struct ff_run_options ro;
	struct ff_error err = { 0 };

	request_args_engine_options(&rc->args, &eo);
	eo.interrupted_fn = interrupt_came;
	eo.interrupted_user = &rc->signal;
	if (ff_engine_new(&eo, &rc->engine, &err))
		return engine_failed(rc, &err);
	request_args_run_options(&rc->args, &ro);
	ro.outputs = rc->outputs;
	ro.output_count = rc->output_count;
	ro.on_event = run_watch_event;
	ro.user = &rc->watch;
	if (ff_run_start(rc->engine, &ro, &rc->run, &err))
		return start_failed(rc, &err);
	interrupt_defer();
	drive(rc);
	return conclude(rc);
}

static void release(struct run_command *rc)
{
	ff_run_free(rc->run);
	ff_engine_free(rc->engine);
	for (size_t i = 0; i < rc->output_count; i++)
		output_file_release(&rc->destinations[i].file);
	mem_free(rc->destinations);
	mem_free(rc->outputs);
	if (rc->stdout_fd != STDOUT_FILENO) /* and standard output stays taken: a thread that the plugin lost may still print */
		close(rc->stdout_fd);
	interrupt_close();
	request_args_release(&rc->args);
}

static int run_request(struct run_command *rc, struct cli *cli)
{
	int status = request_args_open(&rc->args);

	if (status)
		return status;
	if (interrupt_open()) {
		report_text(&rc->args.report, FF_LOG_ERROR, "Signals cannot be watched: %s.", strerror(errno));
		return ff_code_exit_status(FF_R_INTERNAL);
	}
	status = open_outputs(rc, cli);
	if (status)
		return status;
	run_watch_init(&rc->watch, &rc->args.report, rc->args.progress);
	status = execute(rc);
	run_watch_release(&rc->watch);
	return status;
}

int cmd_run(struct cli *cli, int argc, char **argv)
{
	struct run_command rc = { .stdout_fd = STDOUT_FILENO };
	int status;

	request_args_init(&rc.args);
	status = request_args_parse(&rc.args, argv[0], argc, argv);
	status = status ? cli_finish_stdout(cli, status - 1) : run_request(&rc, cli);
	release(&rc);
	return status;
}
