/*
 * embed.c: a run inside a foreign poll loop.
 *
 * The program owns the loop: it waits for standard input (a line "stop" or its end cancels the run), and for fairforge's descriptor. fairforge
 * never blocks it, prints nothing and handles no signal: everything arrives as events, from ff_engine_process.
 *
 *     cc embed.c $(pkg-config --cflags --libs fairforge) -o embed
 *     ./embed payload.json            (e.g. one whose base_url is that of a running `fairforge mock`)
 */
#include <fairforge/fairforge.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GRACE_MS 2000

static void on_event(void *user, const struct ff_event *event)
{
	char *answer, *session;

	(void)user;
	switch (event->type) {
	case FF_EVENT_WARNING: fprintf(stderr, "warning: %s: %s\n", event->pointer, event->text); break;
	case FF_EVENT_START:
		if (event->text)
			fprintf(stderr, "%s\n", event->text);
		break;
	case FF_EVENT_TURN:
		/* Text of other people: made safe for a terminal before it is printed. */
		session = ff_escape(event->turn->session_id, strlen(event->turn->session_id));
		answer = ff_escape(event->turn->answer, event->turn->answer_len);
		printf("%s: %s in %.0f ms: %s\n", session ? session : "?", event->turn->outcome, event->turn->execution_ms,
		       answer ? answer : "?");
		ff_free(session);
		ff_free(answer);
		break;
	case FF_EVENT_END:
		if (event->text)
			fprintf(stderr, "%s\n", event->text);
		break;
	}
}

/* A line on standard input: "stop", or the end of it. */
static int asked_to_stop(void)
{
	char line[64];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);

	if (n <= 0)
		return 1;
	line[n] = '\0';
	return strncmp(line, "stop", 4) == 0;
}

static int drive(struct ff_engine *engine, struct ff_run *run)
{
	struct pollfd fds[2] = { { ff_engine_fd(engine), POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };

	ff_engine_process(engine); /* once after the start: what was begun outside is not in the descriptor yet */
	while (!ff_run_done(run)) {
		if (poll(fds, 2, ff_engine_timeout_ms(engine)) < 0 && errno != EINTR)
			return -1;
		if (fds[1].revents && asked_to_stop()) {
			fds[1].fd = -1; /* poll passes it over */
			ff_run_cancel(run, GRACE_MS);
		}
		ff_engine_process(engine);
	}
	return ff_run_exit_status(run);
}

static int run_file(struct ff_engine *engine, const char *path)
{
	struct ff_input input = { 0 };
	struct ff_run_options options = FF_INIT(struct ff_run_options);
	struct ff_error err = { 0 };
	struct ff_run *run;
	int status;

	input.name = path;
	input.fd = open(path, O_RDONLY);
	if (input.fd < 0) {
		perror(path);
		return 65;
	}
	options.inputs = &input;
	options.input_count = 1;
	options.on_event = on_event;
	status = ff_run_start(engine, &options, &run, &err);
	if (status) {
		fprintf(stderr, "%s\n", err.text);
		close(input.fd);
		return ff_code_exit_status(status);
	}
	status = drive(engine, run);
	ff_run_free(run);
	close(input.fd);
	return status;
}

int main(int argc, char **argv)
{
	struct ff_engine_options options = FF_INIT(struct ff_engine_options);
	struct ff_engine *engine;
	struct ff_error err = { 0 };
	int status;

	if (argc != 2) {
		fprintf(stderr, "usage: embed PAYLOAD\n");
		return 64;
	}
	if (ff_engine_new(&options, &engine, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return ff_code_exit_status(err.code);
	}
	status = run_file(engine, argv[1]);
	ff_engine_free(engine);
	return status;
}
