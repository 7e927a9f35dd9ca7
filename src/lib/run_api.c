/*
 * run_api.c: struct ff_run from start to free.
 *
 * ff_run_start builds bottom-up: outputs, request, executor, sink, the engine's run. What is wrong with the request is written to the outputs as
 * the answer; whatever was built is taken down by run_destroy, which takes half-built runs.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "engine/http_executor.h"
#include "lib/output.h"
#include "lib/run.h"

#define TURN_TEXT_MAX_BYTES ((size_t)16 << 20) /* ids of one turn */
#define ANSWER_MAX_BYTES    ((size_t)8 << 20)
/* Many strangers' replies are in memory at a time, and nobody knows who answers. */
#define STRANGER_REPLY_MAX_BYTES ((uint64_t)8 << 20)

static void run_destroy(struct ff_run *run)
{
	deferred_cancel(&run->hello);
	list_remove(&run->link);
	run_free(run->run);
	request_release(&run->request);
	buf_release(&run->text);
	mem_free(run->outputs);
	mem_free(run);
}

static void hello_called(struct deferred *d)
{
	struct ff_run *run = CONTAINER_OF(d, struct ff_run, hello);

	run_greet(run);
}

static void on_turn(void *user, const struct turn_result *r)
{
	run_deliver_turn(user, r);
}

/* Writes the answer of a failed request to every output. An output that cannot be written is what counts then. */
static int answer_failure(struct ff_run *run, struct str text, int code, struct error *err)
{
	struct error problem = { 0 };
	int worst = 0;

	for (size_t i = 0; i < run->output_count; i++) {
		int r = output_write_failure(run->outputs[i], text, worst ? NULL : &problem);

		worst = worst ? worst : r;
	}
	if (worst != FF_EOUTPUT)
		return code;
	return error_set(err, FF_EOUTPUT, "", "%s What it would have said: %.*s", problem.text, (int)MIN(text.len, (size_t)600),
	                 text.ptr);
}

static void on_end(void *user, struct run *engine_run)
{
	struct ff_run *run = user;

	run->run = engine_run;
	run_conclude(run);
	if (run_is_void(engine_run))
		(void)answer_failure(run, str_from(run->error.text), run->error.code, NULL);
	run->done = true;
	run_deliver_end(run);
	if (run->free_asked && !run->in_callback)
		run_destroy(run);
}

static uint64_t now_us(void *user)
{
	return loop_now_us(((struct ff_engine *)user)->loop);
}

static int64_t wall_ms(void *user)
{
	(void)user;
	return clock_wall_ms();
}

/* Only while they are ours: what could not be started. */
static void close_outputs(struct ff_run *run)
{
	for (size_t i = 0; i < run->output_count; i++)
		sink_free(run->outputs[i]);
	run->output_count = 0;
}

static int open_outputs(struct ff_run *run, const struct ff_run_options *options)
{
	run->outputs = mem_calloc(options->output_count + 1, sizeof(struct sink *));
	if (!run->outputs)
		return FF_ENOMEM;
	for (; run->output_count < options->output_count; run->output_count++, run->outputs_opened++)
		if (output_new(&options->outputs[run->output_count], &run->outputs[run->output_count]))
			return FF_ENOMEM;
	return 0;
}

/* What was not even opened hears that nothing comes. */
static void tell_unopened(const struct ff_run_options *options, size_t opened)
{
	for (size_t i = opened; i < options->output_count; i++)
		if (options->outputs[i].done_fn)
			options->outputs[i].done_fn(options->outputs[i].user, 0);
}

/* The request's errors as err and as the answer on the outputs. */
static int refuse(struct ff_run *run, int code, struct error *err)
{
	const struct ff_problem *first = request_first_error(&run->request);
	struct buf text;
	int r;

	buf_init(&text, ANSWER_MAX_BYTES);
	r = request_answer(&run->request, &text);
	if (r) {
		buf_release(&text);
		return error_nomem(err);
	}
	error_set(err, code, !first ? "" : *first->pointer ? first->pointer : first->file, "%s", text.ptr);
	r = answer_failure(run, buf_str(&text), code, err);
	buf_release(&text);
	return r;
}

static int make_executor(struct ff_run *run, struct executor **ret, struct error *err)
{
	struct ff_engine *engine = run->engine;
	struct http_executor_config config = {
		.transport = engine->transport,
		.connector = run->request.connector,
		.url = &run->request.account->target,
		.options = &run->request.options,
		.timers = loop_timers(engine->loop),
		.scrubber = request_scrubber(&run->request),
		.max_reply_bytes = engine->role == FF_ROLE_STRANGER ? STRANGER_REPLY_MAX_BYTES : 0,
		.logger = &engine->logger,
		.now_us = now_us,
		.wall_ms = wall_ms,
		.clock_user = engine,
	};
	int r;

	if (run->request.executor) {
		*ret = run->request.executor;
		run->request.executor = NULL;
		return 0;
	}
	r = http_executor_new(&config, ret, err);

	if (r == 0)
		run->request.connector = NULL;
	return r;
}

/* One sink over all outputs, which it takes over in any case. */
static int make_sink(struct ff_run *run, struct sink **ret, struct error *err)
{
	int r;

	for (size_t i = 0; i < run->output_count; i++)
		output_expect(run->outputs[i], run->request.datasets);
	r = sink_tee_new(run->outputs, run->output_count, ret);
	if (!r)
		return 0;
	run->output_count = 0;
	return error_nomem(err);
}

static const struct runner *runner_of(const struct connector *c)
{
	static const struct runner *const runners[] = {
		[CONNECTOR_LLM_RUNNER] = &llm_runner,
		[CONNECTOR_ALQUIMIA_RUNNER] = &alquimia_runner,
	};

	return c ? runners[c->class->runner] : &llm_runner;
}

static int start(struct ff_run *run, struct error *err)
{
	const struct runner *runner = runner_of(run->request.connector);
	struct executor *executor;
	struct run_config config;
	struct sink *sink;
	int r = make_executor(run, &executor, err);

	if (r)
		return r;
	if ((r = make_sink(run, &sink, err))) {
		executor->ops->free(executor);
		return r;
	}
	config = (struct run_config){
		.options = &run->request.options,
		.source = run->request.source,
		.executor = executor,
		.runner = runner,
		.sink = sink,
		.started_us = clock_monotonic_us(),
		.total_batches = run->request.batches,
		.on_turn = on_turn,
		.on_end = on_end,
		.user = run,
	};
	run->request.source = NULL;
	r = engine_start_run(run->engine->engine, &config, &run->run, err);
	if (r)
		run->output_count = 0; /* freed with the sink */
	return r;
}

static int build(struct ff_run *run, const struct ff_run_options *options, struct error *err)
{
	int r = open_outputs(run, options);

	if (r)
		return error_nomem(err);
	r = request_build(&run->request, run->engine, options, false);
	if (r)
		return refuse(run, r, err);
	r = start(run, err);
	return r ? answer_failure(run, str_from(err->text), r, err) : 0;
}

static struct ff_run *run_alloc(struct ff_engine *engine, const struct ff_run_options *options)
{
	struct ff_run *run = NEW(struct ff_run);

	if (!run)
		return NULL;
	run->engine = engine;
	run->on_event = options->on_event;
	run->user = options->user;
	buf_init(&run->text, TURN_TEXT_MAX_BYTES);
	deferred_init(&run->hello, hello_called);
	list_init(&run->link);
	return run;
}

int ff_run_start(struct ff_engine *engine, const struct ff_run_options *options, struct ff_run **ret, struct ff_error *err)
{
	struct ff_run_options o = { 0 };
	struct error problem = { 0 };
	struct ff_run *run;

	if (!engine || !options || !ret || options->size < sizeof(size_t)) {
		error_set(&problem, FF_EINVAL, "",
		          "ff_run_start needs an engine, options with their size (FF_INIT) and a place for the run.");
		return lib_error_export(&problem, err);
	}
	memcpy(&o, options, MIN(options->size, sizeof(o)));
	run = run_alloc(engine, &o);
	if (!run) {
		tell_unopened(&o, 0);
		error_nomem(&problem);
		return lib_error_export(&problem, err);
	}
	if (build(run, &o, &problem)) {
		close_outputs(run);
		tell_unopened(&o, run->outputs_opened);
		scrub_text(request_scrubber(&run->request), problem.text, sizeof(problem.text));
		run_destroy(run);
		return lib_error_export(&problem, err);
	}
	list_push_back(&engine->runs, &run->link);
	loop_defer(engine->loop, &run->hello);
	*ret = run;
	return 0;
}

void ff_run_cancel(struct ff_run *run, uint64_t grace_ms)
{
	if (run->done)
		return;
	run_cancel(run->run, clock_monotonic_us(), grace_ms * 1000);
	loop_defer(run->engine->loop, &run->engine->wake);
}

int ff_run_done(const struct ff_run *run)
{
	return run->done;
}

void ff_run_lag(const struct ff_run *run, struct ff_lag *ret)
{
	ff_engine_lag(run->engine, ret);
}

void ff_run_counts(const struct ff_run *run, struct ff_counts *ret)
{
	const struct run_counts *c = run_counts(run->run);
	uint64_t succeeded = 0;

	for (int o = 0; o < OUTCOME_COUNT; o++)
		succeeded += outcome_is_success((enum outcome)o) ? c->outcomes[o] : 0;
	*ret = (struct ff_counts){
		.datasets = run->request.datasets,
		.batches = run->request.batches,
		.done = c->done,
		.ok = c->outcomes[OUTCOME_OK],
		.succeeded = succeeded,
		.failed = c->done - succeeded - c->outcomes[OUTCOME_NOT_RUN],
		.not_run = c->outcomes[OUTCOME_NOT_RUN],
		.in_flight = c->in_flight,
		.queued = c->queued,
		.waiting_retry = c->waiting_retry,
		.attempts = c->attempts,
		.retries = c->retries,
		.resent = c->resent,
		.concurrency_now = run_concurrency_now(run->run),
		.input_tokens = c->input_tokens,
		.output_tokens = c->output_tokens,
	};
}

const struct ff_error *ff_run_error(const struct ff_run *run)
{
	return &run->public_error;
}

int ff_run_exit_status(const struct ff_run *run)
{
	return run->exit_status;
}

void ff_run_free(struct ff_run *run)
{
	struct ff_engine *engine;

	if (!run)
		return;
	engine = run->engine;
	run->muted = true;
	if (!run->done)
		ff_run_cancel(run, 0);
	if (run->in_callback || (!run->done && engine->processing)) {
		run->free_asked = true;
		return;
	}
	run->free_asked = false; /* it ends here, even when an event asked before */
	while (!run->done)
		ff_engine_wait(engine, -1);
	run_destroy(run);
}

void lib_runs_free(struct ff_engine *engine)
{
	LIST_FOR_EACH (it, next, &engine->runs)
		LIST_ENTRY(it, struct ff_run, link)->muted = true;
	while (!list_empty(&engine->runs))
		ff_run_free(LIST_ENTRY(engine->runs.next, struct ff_run, link));
}
