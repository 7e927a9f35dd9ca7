/*
 * invoke.c: one invocation: its event decoded, its payload run, its answer posted. See invoke.h.
 *
 * Order of an asynchronous run: started, 202 posted (or what is wrong with the request), run to its end, stored (also what was wrong), and only then the
 * next event is asked for: from then on the platform may freeze the process.
 */
#include "front/lambda/invoke.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "front/lambda/task.h"

#define ANSWER_LEAST_BYTES ((size_t)1 << 20)

/* ---- a run ---- */

static void count_turn(void *user, const struct ff_event *event)
{
	struct task *t = user;
	struct ff_outcome_info info;

	if (event->type != FF_EVENT_TURN)
		return;
	for (size_t i = 0; i < TASK_OUTCOMES && !ff_outcome_at(i, &info); i++)
		t->outcomes[i] += !strcmp(info.word, event->turn->outcome);
}

/* Without a store nothing larger than the platform takes is of use; with one, what memory allows. */
static size_t answer_limit(const struct task *t, size_t runs)
{
	size_t memory = t->in->config->memory_bytes, most = DOOR_MAX_ANSWER_BYTES;

	if (!t->in->store)
		return RUNTIME_MAX_BYTES;
	if (memory)
		most = MIN(most, MAX(memory / 8 / runs, ANSWER_LEAST_BYTES));
	return most;
}

int task_door(struct task *t, struct str payload, size_t runs, struct door_run **ret)
{
	struct door_request request = {
		.engine = t->in->engine,
		.body = payload,
		.name = "payload",
		.limits.max_answer_bytes = answer_limit(t, runs),
		.on_event = count_turn,
		.user = t,
	};

	return door_new(&request, ret);
}

void task_set_budget(struct task *t, bool gateway, size_t puts)
{
	struct budget_terms terms = {
		.now_us = clock_monotonic_us(),
		.now_wall_ms = clock_wall_ms(),
		.deadline_ms = t->invocation->deadline_ms,
		.gateway = gateway,
		.margin_ms = t->in->config->margin_ms,
		.puts = puts,
	};

	budget_set(&t->budget, &terms);
}

void task_start(const struct task *t, struct door_run *d)
{
	door_start(d, budget_run_ms(&t->budget, clock_monotonic_us()));
}

static void drive(struct task *t, const struct door_run *d)
{
	while (!door_done(d))
		ff_engine_wait(t->in->engine, -1);
}

/* ---- the kinds ---- */

static int run_and_answer(struct task *t, struct door_run *d)
{
	task_set_budget(t, event_is_gateway(&t->event), 0);
	task_start(t, d);
	drive(t, d);
	return answer_document(t, door_status(d), door_body(d));
}

static int run_later(struct task *t, struct door_run *d)
{
	bool refused;
	int r;

	if (!t->in->store)
		return answer_problem(
		        t, 400,
		        "The result of an asynchronous run must be stored, and this function has no place for it: leave "
		        "\"async\" out, or have the operator set FAIRFORGE_RESULT_URI.");
	task_set_budget(t, false, 1);
	task_start(t, d);
	/* A payload that cannot be run is answered at once, in case its sender listens; one that a queue or a schedule sent has nobody who does. */
	refused = door_done(d);
	r = refused ? answer_document(t, door_status(d), door_body(d)) : answer_stored(t, 202);
	if (r || (!refused && t->status != 202) || !t->delivered) /* nobody would know where the result is */
		return r;
	drive(t, d);
	answer_store(t, str_from(t->invocation->id), door_body(d));
	return 0;
}

/* EventBridge: a failure is told by failing, so that the event is tried again and then kept (dead-letter queue). */
static int answer_nobody(struct task *t, const struct door_run *d, bool kept)
{
	struct ff_counts counts;

	door_counts(d, &counts);
	if (!kept)
		return answer_function_error(t, "Function.ResultNotStored", STR("The result could not be stored."));
	if (door_complete(d))
		return t->in->store ? answer_stored(t, 200) : answer_document(t, 200, STR("{\"success\": true}"));
	if (counts.batches)
		return answer_function_error(t, "Function.Incomplete",
		                             STR("Not every turn was run: the deadline or a quota came before."));
	return answer_document(t, door_status(d) == 200 ? 400 : door_status(d), door_body(d));
}

static int run_for_nobody(struct task *t, struct door_run *d)
{
	if (!t->in->store && !t->in->config->discard_results)
		return answer_function_error(
		        t, "Function.ResultUriMissing",
		        STR("Nobody reads the answer to an EventBridge event, so it was not run: set "
		            "FAIRFORGE_RESULT_URI=s3://bucket/prefix to have results stored, or FAIRFORGE_DISCARD_RESULTS=1 "
		            "when nobody needs them."));
	task_set_budget(t, false, t->in->store ? 1 : 0);
	task_start(t, d);
	drive(t, d);
	return answer_nobody(t, d, !t->in->store || answer_store(t, str_from(t->invocation->id), door_body(d)));
}

static int run_payload(struct task *t)
{
	const struct event_item *item = &t->event.items[0];
	struct door_run *d = NULL;
	int r;

	if (!item->body.ptr)
		return answer_problem(t, 400, item->problem);
	if (task_door(t, item->body, 1, &d))
		return answer_problem(t, 500, "Out of memory.");
	if (event_has_no_reader(&t->event))
		r = run_for_nobody(t, d);
	else if (door_is_async(d))
		r = run_later(t, d);
	else
		r = run_and_answer(t, d);
	door_free(d);
	return r;
}

/* ---- HTTP methods ---- */

static bool has_body(const struct event *e)
{
	struct str body = str_trim(e->items[0].body);

	return e->items[0].problem || (body.len && !str_eq(body, STR("{}")));
}

static int answer_http(struct task *t)
{
	struct str method = t->event.method;
	bool reads = str_eq_nocase(method, STR("GET")) || str_eq_nocase(method, STR("HEAD"));

	if (str_eq_nocase(method, STR("OPTIONS")))
		return answer_preflight(t);
	if (reads && str_ends_with(t->event.path, STR("/healthz")))
		return answer_document(t, 200, STR("{\"status\": \"ok\"}"));
	if (method.len && !str_eq_nocase(method, STR("POST")) && !has_body(&t->event))
		return answer_method(t);
	return run_payload(t);
}

/* ---- one invocation ---- */

static int answer_undecoded(struct task *t, int code, const struct error *err)
{
	const char *type = code == FF_EDATA     ? "Function.BadPayload"
	                   : code == FF_ETOOBIG ? "Function.PayloadTooLarge"
	                                        : "Function.OutOfMemory";

	return answer_function_error(t, type, str_from(err->text));
}

static int work(struct task *t)
{
	struct error err = { 0 };
	int r = event_decode(t->invocation->body, &t->event, &err);

	if (r)
		return answer_undecoded(t, r, &err);
	t->decoded = true;
	if (t->event.kind == EVENT_SQS)
		return messages_run(t);
	return event_is_http(&t->event) ? answer_http(t) : run_payload(t);
}

static void log_outcomes(const struct task *t, struct log_line *line)
{
	struct ff_outcome_info info;

	for (size_t i = 0; i < TASK_OUTCOMES && !ff_outcome_at(i, &info); i++)
		if (t->outcomes[i])
			log_line_number(line, info.word, (int64_t)t->outcomes[i]);
}

static void log_invocation(const struct task *t)
{
	struct log_line line;

	log_line_open(&line, t->in->log, t->error_type || t->status >= 500 || !t->delivered ? FF_LOG_ERROR : FF_LOG_INFO,
	              "invocation");
	log_line_text(&line, "requestId", str_from(t->invocation->id));
	log_line_text(&line, "kind", t->decoded ? str_from(event_kind_name(t->event.kind)) : STR("unknown"));
	log_line_text(&line, "errorType", str_from(t->error_type));
	if (t->status)
		log_line_number(&line, "status", t->status);
	if (!t->delivered)
		log_line_text(&line, "delivery", STR("refused"));
	if (t->decoded && t->event.kind == EVENT_SQS) {
		log_line_number(&line, "messages", (int64_t)t->event.item_count);
		log_line_number(&line, "failedMessages", (int64_t)t->failed_messages);
	}
	log_outcomes(t, &line);
	if (t->stored)
		log_line_number(&line, "stored", (int64_t)t->stored);
	log_line_number(&line, "eventBytes", (int64_t)t->invocation->body.len);
	log_line_number(&line, "answerBytes", (int64_t)t->answer_bytes);
	log_line_number(&line, "ms", (int64_t)((clock_monotonic_us() - t->started_us) / 1000));
	log_line_close(&line);
}

int invoke(const struct invoker *in, const struct invocation *invocation)
{
	struct task t = { .in = in, .invocation = invocation, .started_us = clock_monotonic_us() };
	int r = work(&t);

	log_invocation(&t);
	if (t.decoded)
		event_release(&t.event);
	return r;
}
