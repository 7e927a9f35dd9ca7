/*
 * custom_runner.c: the MyCustomRunner of the Runners document in C: a class with an api_key and an endpoint that answers batch after batch.
 *
 *     cc custom_runner.c $(pkg-config --cflags --libs fairforge) -o custom_runner
 *     ./custom_runner tests.jsonl          (datasets: JSON or JSONL; the response document goes to standard output)
 *
 * What the Python class does by itself comes with the engine: counting, timing, "[ERROR] ..." for what fails, the summaries. call_my_api is where
 * your system goes.
 */
#include <fairforge/fairforge.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* class MyCustomRunner(BaseRunner) */
struct my_custom_runner {
	char *api_key, *endpoint;
};

static char *copy(const char *text)
{
	char *room = malloc(strlen(text) + 1);

	return room ? memcpy(room, text, strlen(text) + 1) : NULL;
}

static void my_close(void *state)
{
	struct my_custom_runner *self = state;

	free(self->api_key);
	free(self->endpoint);
	free(self);
}

/* def __init__(self, api_key: str, endpoint: str) */
static int my_open(const struct ff_runner_args *args, void **ret_state, struct ff_error *err)
{
	const char *api_key = ff_runner_arg(args, "api_key"), *endpoint = ff_runner_arg(args, "endpoint");
	struct my_custom_runner *self;

	if (!api_key || !endpoint) {
		(void)snprintf(err->text, sizeof(err->text), "The argument %s is missing.", api_key ? "endpoint" : "api_key");
		return -1;
	}
	self = calloc(1, sizeof(*self));
	if (!self)
		return -1;
	self->api_key = copy(api_key);
	self->endpoint = copy(endpoint);
	if (!self->api_key || !self->endpoint) {
		my_close(self);
		return -1;
	}
	*ret_state = self;
	return 0;
}

/* async def _call_my_api(self, query, session_id): 0 with the answer in text, else a sentence in it. */
static int call_my_api(const struct my_custom_runner *self, const char *query, const char *session_id, char *text, size_t size)
{
	if (!*query) {
		(void)snprintf(text, size, "The query is empty.");
		return -1;
	}
	(void)snprintf(text, size, "%s answers \"%s\" of %s", self->endpoint, query, session_id);
	return 0;
}

/* async def run_batch(self, batch, session_id, **kwargs) */
static void my_run_batch(void *state, const struct ff_batch *batch, struct ff_completion done)
{
	char text[4096];

	if (call_my_api(state, batch->query.ptr, batch->session_id.ptr, text, sizeof(text)))
		ff_complete_error(done, text);
	else
		ff_complete_text(done, text);
}

static const struct ff_runner_type my_custom_runner_type = {
	.size = sizeof(my_custom_runner_type),
	.abi = FF_RUNNER_ABI,
	.flags = FF_RUNNER_ORDERED, /* for batch in dataset.conversation: one after the other */
	.name = "MyCustomRunner",
	.open = my_open,
	.run_batch = my_run_batch,
	.close = my_close,
};

/* ---- the program ---- */

static int write_stdout(void *user, const char *data, size_t len)
{
	(void)user;
	return fwrite(data, 1, len, stdout) == len ? 0 : -1;
}

static int run(struct ff_engine *engine, struct ff_input *input)
{
	const struct ff_setting args[] = { { "api_key", "env:MY_API_KEY" }, { "endpoint", "https://api.example.com" } };
	struct ff_output output = { 0 };
	struct ff_run_options options = FF_INIT(struct ff_run_options);
	struct ff_error err = { 0 };
	struct ff_run *handle;
	int status;

	output.indent = 2;
	output.write_fn = write_stdout;
	options.inputs = input;
	options.input_count = 1;
	options.outputs = &output;
	options.output_count = 1;
	options.runner = &my_custom_runner_type;
	options.runner_args = args;
	options.runner_arg_count = sizeof(args) / sizeof(args[0]);
	if (ff_run_start(engine, &options, &handle, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return ff_code_exit_status(err.code);
	}
	while (!ff_run_done(handle))
		ff_engine_wait(engine, -1);
	status = ff_run_exit_status(handle);
	ff_run_free(handle);
	return status;
}

int main(int argc, char **argv)
{
	struct ff_engine_options options = FF_INIT(struct ff_engine_options);
	struct ff_input input = { 0 };
	struct ff_engine *engine;
	struct ff_error err = { 0 };
	int status;

	if (argc != 2) {
		fprintf(stderr, "usage: MY_API_KEY=... custom_runner DATASETS\n");
		return 64;
	}
	input.name = argv[1];
	input.as_datasets = 1;
	input.fd = open(argv[1], O_RDONLY);
	if (input.fd < 0) {
		perror(argv[1]);
		return 65;
	}
	if (ff_engine_new(&options, &engine, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return ff_code_exit_status(err.code);
	}
	status = run(engine, &input);
	ff_engine_free(engine);
	close(input.fd);
	return status;
}
