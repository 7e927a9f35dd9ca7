/*
 * runner_api.c: a custom runner of a request: struct ff_runner_type and its friends on one side, the call executor on the other.
 *
 * The struct comes from other people's code, built at another time: it is judged before a function of it is called, and what it says afterwards (an
 * answer with both texts, an outcome that does not exist) is the turn's bad_reply. What the runner reads is the call's own copy, in the call's memory.
 *
 * open is called as the last step of a request, so that a runner that refuses its arguments is found before the first turn; from then on the executor
 * owns the state and closes it.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "connector/header_list.h"
#include "engine/call_executor.h"
#include "lib/internal.h"
#include "lib/request.h"
#include "lib/setting.h"
#include "net/wakeup.h"

#define NAME_MAX_BYTES 120
#define FLAGS_KNOWN    FF_RUNNER_ORDERED
#define RETRIES_MOST   1000
#define HINT_MOST_MS   (INT64_C(1) << 52)

/* A runner at work; the executor's `user`. */
struct host {
	struct ff_runner_type type; /* what this version knows of it */
	void *state;
	struct wakeup *wakeup;
	struct executor *executor;
};

/* ---- does it fit ---- */

static bool is_name(const char *name)
{
	size_t len = strnlen(name, NAME_MAX_BYTES + 1);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 127)
			return false;
	return len && len <= NAME_MAX_BYTES && utf8_is_valid(str_of(name, len));
}

static int check_abi(const struct ff_runner_type *type, struct error *err)
{
	if (type->size < offsetof(struct ff_runner_type, abi) + sizeof(type->abi))
		return error_set(err, FF_EUSAGE, "",
		                 "It is not a runner of fairforge: its size is %zu, and must be sizeof(struct ff_runner_type).",
		                 type->size);
	if (type->abi != FF_RUNNER_ABI)
		return error_set(
		        err, FF_EUSAGE, "",
		        "It speaks version %u of the runner interface, and this fairforge speaks version %u: build it with "
		        "the header of this version.",
		        type->abi, FF_RUNNER_ABI);
	if (type->size < sizeof(*type))
		return error_set(
		        err, FF_EUSAGE, "",
		        "Its struct ff_runner_type has %zu bytes, and version %u of it has %zu: size must be sizeof(struct "
		        "ff_runner_type).",
		        type->size, FF_RUNNER_ABI, sizeof(*type));
	return 0;
}

static int check_type(const struct ff_runner_type *type, struct error *err)
{
	int r = check_abi(type, err);

	if (r)
		return r;
	if (!type->name || !is_name(type->name))
		return error_set(err, FF_EUSAGE, "",
		                 "It has no name: a text of 1 to %d bytes without control characters is needed.", NAME_MAX_BYTES);
	if (type->flags & ~FLAGS_KNOWN)
		return error_set(err, FF_EUSAGE, "", "%s has flags (%#x) that this fairforge does not know.", type->name,
		                 type->flags & ~FLAGS_KNOWN);
	if (!type->run_batch && !type->run_dataset)
		return error_set(err, FF_EUSAGE, "", "%s has neither run_batch nor run_dataset: nothing could answer a turn.",
		                 type->name);
	if (type->default_max_retries < 0 || type->default_max_retries > RETRIES_MOST)
		return error_set(err, FF_EUSAGE, "", "%s asks for %d extra attempts a turn: there can be 0 to %d.", type->name,
		                 type->default_max_retries, RETRIES_MOST);
	return 0;
}

int ff_runner_check(const struct ff_runner_type *type, struct ff_error *err)
{
	struct error problem = { 0 };

	if (!type)
		error_set(&problem, FF_EINVAL, "", "ff_runner_check needs a runner.");
	else
		(void)check_type(type, &problem);
	return problem.code ? lib_error_export(&problem, err) : 0;
}

/* ---- what the runner reads ---- */

/* Copies into a call's memory; the first failure sticks. */
struct copier {
	struct arena *memory;
	struct buf scratch;
	bool nomem;
};

static struct ff_text copy_text(struct copier *c, struct str text)
{
	char *copy = arena_memdup(c->memory, text.ptr ? text.ptr : "", text.len);

	c->nomem |= !copy;
	return (struct ff_text){ copy, text.len };
}

/* A string, or null. */
static struct ff_text copy_nullable(struct copier *c, const struct json *v)
{
	return v->type == JSON_STRING ? copy_text(c, v->text) : (struct ff_text){ NULL, 0 };
}

static struct ff_text copy_json(struct copier *c, const struct json *v)
{
	struct json_writer w;

	if (v->type == JSON_NULL)
		return (struct ff_text){ "null", 4 };
	if (v->type == JSON_OBJECT && v->count == 0)
		return (struct ff_text){ "{}", 2 };
	buf_clear(&c->scratch);
	json_writer_init(&w, &c->scratch, 0);
	json_value(&w, v);
	c->nomem |= buf_failed(&c->scratch) != 0;
	return copy_text(c, buf_str(&c->scratch));
}

/* What every batch of a call shares. */
static void fill_shared(struct copier *c, const struct call_request *request, struct ff_batch *b)
{
	const struct dataset *d = request->dataset;

	*b = (struct ff_batch){
		.size = sizeof(*b),
		.session = d->index,
		.count = d->batch_count,
		.timeout_ms = request->timeout_ms,
		.session_id = copy_text(c, d->session_id),
		.assistant_id = copy_text(c, d->assistant_id),
		.language = copy_nullable(c, &d->language),
		.context = copy_text(c, d->context),
	};
}

static void fill_batch(struct copier *c, const struct call_item *item, const struct batch *from, struct ff_batch *b)
{
	b->index = item->batch;
	b->attempt = item->attempt;
	b->qa_id = copy_text(c, from->qa_id);
	b->query = copy_text(c, from->query);
	b->assistant = copy_text(c, from->assistant);
	b->ground_truth_assistant = copy_text(c, from->ground_truth_assistant);
	b->prompt = copy_text(c, item->prompt);
	b->observation = copy_json(c, &from->observation);
	b->logprobs = copy_json(c, &from->logprobs);
	b->agentic = copy_json(c, &from->agentic);
	b->ground_truth_agentic = copy_json(c, &from->ground_truth_agentic);
	b->weight = copy_json(c, &from->weight);
}

/* The batches of a call, in its memory. NULL: out of memory. */
static struct ff_batch *make_batches(const struct call_request *request)
{
	struct ff_batch *batches = arena_calloc(request->memory, request->item_count, sizeof(*batches)), shared;
	struct copier c = { .memory = request->memory };

	if (!batches)
		return NULL;
	buf_init(&c.scratch, (size_t)1 << 30);
	fill_shared(&c, request, &shared);
	for (size_t i = 0; i < request->item_count && !c.nomem; i++) {
		batches[i] = shared;
		fill_batch(&c, &request->items[i], &request->dataset->batches[request->items[i].batch], &batches[i]);
	}
	buf_release(&c.scratch);
	return c.nomem ? NULL : batches;
}

/* ---- what the runner says ---- */

static enum outcome default_outcome(const struct ff_answer *a)
{
	if (a->error)
		return OUTCOME_HTTP_5XX;
	return a->answer_len || *a->answer ? OUTCOME_OK : OUTCOME_EMPTY;
}

/* What a runner may say by itself: never that a turn was cancelled or not run. */
static bool find_outcome(const char *word, bool success, enum outcome *ret)
{
	for (int o = 0; o < OUTCOME_COUNT; o++) {
		bool allowed = o != OUTCOME_CANCELLED && o != OUTCOME_NOT_RUN && outcome_is_success((enum outcome)o) == success;

		if (allowed && !strcmp(word, outcome_word((enum outcome)o))) {
			*ret = (enum outcome)o;
			return true;
		}
	}
	return false;
}

static bool retried_by_default(enum outcome o)
{
	return o == OUTCOME_RATE_LIMITED || o == OUTCOME_TIMEOUT || o == OUTCOME_TRANSPORT || o == OUTCOME_HTTP_5XX;
}

static bool is_retryable(const struct ff_answer *a, enum outcome o)
{
	return a->retryable == FF_RETRY_DEFAULT ? retried_by_default(o) : a->retryable == FF_RETRY_YES;
}

static int64_t tokens(const struct ff_answer *a, int64_t count)
{
	return a->has_usage && count >= 0 ? count : -1;
}

static struct str text_of(const char *text, size_t len)
{
	return text && len ? str_of(text, len) : str_from(text);
}

/* A sentence about an answer that cannot be one; NULL: it can. */
static const char *wrong_shape(const struct ff_answer *a, enum outcome *ret_outcome)
{
	if (a->size < sizeof(a->size) || a->size % _Alignof(struct ff_answer))
		return "The runner's answer has a size that no version of it had: set it to sizeof(struct ff_answer).";
	if (a->answer && a->error)
		return "The runner's answer has both an answer and an error.";
	if (!a->answer && !a->error)
		return "The runner's answer has neither an answer nor an error.";
	if (a->error && !*a->error)
		return "The runner's answer has an empty error.";
	*ret_outcome = default_outcome(a);
	if (a->outcome && !find_outcome(a->outcome, a->answer != NULL, ret_outcome))
		return a->answer ? "The runner's answer has an outcome that an answer cannot have."
		                 : "The runner's answer has an outcome that an error cannot have.";
	if (a->http_status && (a->http_status < 100 || a->http_status > 999))
		return "The runner's answer has an http_status that is none.";
	if (!(a->elapsed_ms >= 0 && a->elapsed_ms < 1e15))
		return "The runner's answer has an elapsed_ms that is no time.";
	return NULL;
}

static void translate(const struct ff_answer *a, struct call_answer *ret)
{
	enum outcome outcome = OUTCOME_BAD_REPLY;
	const char *wrong = wrong_shape(a, &outcome);

	*ret = (struct call_answer){
		.outcome = OUTCOME_BAD_REPLY, .error = str_from(wrong), .usage = USAGE_UNKNOWN, .hint_ms = -1
	};
	if (wrong)
		return;
	*ret = (struct call_answer){
		.outcome = outcome,
		.retryable = is_retryable(a, outcome),
		.answer = text_of(a->answer, a->answer_len),
		.error = str_from(a->error),
		.finish_reason = str_from(a->finish_reason),
		.model = str_from(a->model),
		.request_id = str_from(a->request_id),
		.changes = text_of(a->batch_json, a->batch_json_len),
		.usage = { tokens(a, a->input_tokens), tokens(a, a->output_tokens), tokens(a, a->total_tokens) },
		.http_status = a->http_status,
		.hint_ms = a->retry_after_ms > 0 ? MIN(a->retry_after_ms, HINT_MOST_MS) : -1,
		.elapsed_ms = a->elapsed_ms,
	};
}

/* ff_completion.complete: any thread, any time. */
static void complete(uint64_t id, const struct ff_answer *answer)
{
	struct ff_answer known = { 0 };
	struct call_answer translated;

	if (!answer) {
		call_complete(id, NULL);
		return;
	}
	/* An older struct is shorter, but none ends inside of a member: half a pointer leads nowhere. */
	memcpy(&known, answer, answer->size % _Alignof(struct ff_answer) ? sizeof(known.size) : MIN(answer->size, sizeof(known)));
	translate(&known, &translated);
	call_complete(id, &translated);
}

/* ---- the executor's operations ---- */

static int run_dataset(struct host *h, const struct call_request *request, const struct ff_batch *batches)
{
	const struct ff_batch **list = arena_calloc(request->memory, request->item_count, sizeof(struct ff_batch *));
	struct ff_completion *completions = arena_calloc(request->memory, request->item_count, sizeof(*completions));
	struct ff_dataset *d = ARENA_NEW(request->memory, struct ff_dataset);

	if (!list || !completions || !d)
		return FF_ENOMEM;
	for (size_t i = 0; i < request->item_count; i++) {
		list[i] = &batches[i];
		completions[i] = (struct ff_completion){ request->items[i].id, complete };
	}
	*d = (struct ff_dataset){
		.size = sizeof(*d),
		.session = batches[0].session,
		.session_id = batches[0].session_id,
		.assistant_id = batches[0].assistant_id,
		.language = batches[0].language,
		.context = batches[0].context,
		.batches = list,
		.completions = completions,
		.batch_count = request->item_count,
		.timeout_ms = request->timeout_ms,
	};
	h->type.run_dataset(h->state, d, (struct ff_completion){ request->id, complete });
	return 0;
}

static int host_run(void *user, const struct call_request *request)
{
	struct host *h = user;
	struct ff_batch *batches = make_batches(request);

	if (!batches)
		return FF_ENOMEM;
	if (h->type.run_dataset)
		return run_dataset(h, request, batches);
	h->type.run_batch(h->state, batches, (struct ff_completion){ request->id, complete });
	return 0;
}

static void host_cancel(void *user, uint64_t id)
{
	struct host *h = user;

	if (h->type.cancel)
		h->type.cancel(h->state, id);
}

static void host_close(void *user)
{
	struct host *h = user;

	if (h->type.close)
		h->type.close(h->state);
}

static void host_release(void *user)
{
	struct host *h = user;

	wakeup_free(h->wakeup);
	mem_free(h);
}

static void host_wake(void *user)
{
	wakeup_ask(((struct host *)user)->wakeup);
}

static void host_woken(void *user)
{
	call_executor_process(((struct host *)user)->executor);
}

static uint64_t now_us(void *user)
{
	return loop_now_us(((struct ff_engine *)user)->loop);
}

static int make_executor(struct host *h, const struct request *req)
{
	struct ff_engine *engine = req->engine;
	static const struct call_ops ops = { host_run, host_cancel, host_close, host_release };
	struct call_executor_config config = {
		.ops = &ops,
		.user = h,
		.name = h->type.name,
		.ordered = (h->type.flags & FF_RUNNER_ORDERED) != 0,
		.datasets = h->type.run_dataset != NULL,
		.max_concurrency = h->type.max_concurrency,
		.default_max_retries = h->type.default_max_retries,
		.runner = &llm_runner,
		.timers = loop_timers(engine->loop),
		.scrubber = request_scrubber(req),
		.logger = &engine->logger,
		.now_us = now_us,
		.clock_user = engine,
		.wake = host_wake,
	};

	return call_executor_new(&config, &h->executor);
}

/* ---- the steps of a request ---- */

static int check_company(struct request *req)
{
	const struct ff_run_options *o = &req->ro;

	if (!o->runner && o->runner_arg_count)
		return request_fail(req, STEP_FLAGS, FF_EUSAGE, "", "", "There are arguments for a runner, and no runner.");
	if (o->runner && (o->connector || o->model || o->param_count || o->worker))
		return request_fail(
		        req, STEP_FLAGS, FF_EUSAGE, "", "",
		        "A runner takes the place of a connector: it excludes a worker, a connector, a model and params.");
	return 0;
}

/* A NUL ends a text in C: it would cut the value. */
static int check_text(struct str value, const char *name, struct problems *problems)
{
	if (!memchr(value.ptr ? value.ptr : "", 0, value.len))
		return 0;
	problem_error(problems, "", "The runner's argument %s contains a NUL character.", name);
	return FF_EUSAGE;
}

static int resolve_arg(struct request *req, const struct ff_setting *from, struct ff_setting *to, struct problems *problems)
{
	struct str value;
	bool secret = false;
	int r = setting_text(req->engine, &req->arena, from, "runner argument", problems, &value, &secret);

	if (!r)
		r = check_text(value, from->name, problems);
	if (r)
		return r;
	if ((secret || header_looks_secret(str_from(from->name))) && request_guard(req, value))
		return FF_ENOMEM;
	to->name = from->name;
	to->value = arena_memdup(&req->arena, value.ptr ? value.ptr : "", value.len);
	return to->value ? 0 : FF_ENOMEM;
}

static int resolve_args(struct request *req)
{
	size_t count = req->ro.runner_arg_count;
	struct ff_setting *args = arena_calloc(&req->arena, count, sizeof(*args));
	struct problems problems;
	int r = args ? 0 : FF_ENOMEM, taken;

	problems_init(&problems);
	for (size_t i = 0; i < count && r != FF_ENOMEM; i++)
		r = resolve_arg(req, &req->ro.runner_args[i], &args[i], &problems);
	taken = r == FF_ENOMEM ? r : request_take(req, STEP_RUNNER, "", &problems, FF_EUSAGE);
	problems_release(&problems);
	req->ro.runner_args = args;
	return taken;
}

int request_check_runner(struct request *req)
{
	struct error err = { 0 };
	int r = check_company(req);

	if (r || !req->ro.runner)
		return r;
	r = check_type(req->ro.runner, &err);
	if (r)
		return request_fail(req, STEP_RUNNER, r, "", "", "%s", err.text);
	r = resolve_args(req);
	req->runner_ready = r == 0;
	return r;
}

/* The runner's own words about why it does not start. */
static int refused(struct request *req, struct ff_error *err)
{
	err->text[sizeof(err->text) - 1] = '\0';
	return request_fail(req, STEP_RUNNER, FF_EUSAGE, "", "", "%s: %s", req->ro.runner->name,
	                    err->text[0] ? err->text : "It does not start, and does not say why.");
}

static int open_state(struct request *req, struct host *h)
{
	uint32_t most = h->type.max_concurrency, asked = req->options.concurrency;
	struct ff_runner_args args = {
		.size = sizeof(args),
		.args = req->ro.runner_args,
		.arg_count = req->ro.runner_arg_count,
		.concurrency = most && most < asked ? most : asked,
		.user = req->ro.runner_user,
	};
	struct ff_error err = { 0 };

	if (h->type.open)
		return h->type.open(&args, &h->state, &err) ? refused(req, &err) : 0;
	if (args.arg_count)
		return request_fail(req, STEP_RUNNER, FF_EUSAGE, "", "", "%s: It takes no arguments, and %s was given.",
		                    h->type.name, args.args[0].name);
	h->state = args.user;
	return 0;
}

/* The executor first, so that nothing can fail once the runner is open. */
static int start_runner(struct request *req, struct host *h)
{
	struct error err = { 0 };
	int r = wakeup_new(req->engine->loop, host_woken, h, &h->wakeup, &err);

	if (r)
		return r == FF_ENOMEM ? r : request_fail(req, STEP_RUNNER, r, "", "", "%s", err.text);
	if (make_executor(h, req))
		return FF_ENOMEM;
	return open_state(req, h);
}

static int make_names(struct request *req, const struct ff_runner_type *type)
{
	uint32_t most = type->max_concurrency, asked = req->options.concurrency;

	req->runner_name = arena_printf(&req->arena, "%s", type->name);
	req->target_name = arena_printf(&req->arena, "the runner %s", type->name);
	req->greeting = arena_printf(&req->arena, "Turns are answered by the runner %s, up to %u %sat once.", type->name,
	                             most && most < asked ? most : asked, type->run_dataset ? "sessions " : "");
	return req->runner_name && req->target_name && req->greeting ? 0 : FF_ENOMEM;
}

int request_start_runner(struct request *req)
{
	struct host *h;
	int r;

	if (!req->runner_ready)
		return 0;
	h = NEW(struct host);
	if (!h)
		return FF_ENOMEM;
	memcpy(&h->type, req->ro.runner, sizeof(h->type));
	r = start_runner(req, h);
	if (r == 0) {
		req->executor = h->executor;
		return make_names(req, &h->type);
	}
	h->type.close = NULL; /* it was never open */
	if (h->executor)
		h->executor->ops->free(h->executor);
	else
		host_release(h);
	return r;
}
