/*
 * request.c: the steps of a request in order, its findings, and the text of its answer.
 *
 * Findings live in the request's arena and are scrubbed when they are taken, so that no sentence can carry a key that the request named. At most
 * PROBLEMS_KEPT findings a step are kept; the counts tell of all.
 */
#include "lib/request.h"

#include <stdarg.h>

#include "base/alloc.h"
#include "lib/internal.h"

#define ANSWER_MAX_BYTES ((size_t)4 << 20)

static const char *const step_prefixes[] = {
#define X(name, prefix) [name] = (prefix),
	REQUEST_STEPS(X)
#undef X
};

static const char *scrubbed(struct request *req, const char *text)
{
	struct buf out;
	const char *copy = NULL;

	buf_init(&out, ANSWER_MAX_BYTES);
	if (scrub_append(request_scrubber(req), &out, str_from(text)) == 0)
		copy = arena_memdup(&req->arena, out.ptr ? out.ptr : "", out.len);
	buf_release(&out);
	return copy;
}

/* The answer begins with the step's words: a sentence that begins with them as well (the reference's) would say them twice. */
static const char *without_prefix(enum request_step step, const char *text)
{
	size_t len = strlen(step_prefixes[step]);

	return len && !strncmp(text, step_prefixes[step], len) && !strncmp(text + len, ": ", 2) ? text + len + 2 : text;
}

static int add_finding(struct request *req, enum request_step step, const char *file, const struct problem *p)
{
	struct finding *f = ARENA_NEW(&req->arena, struct finding);

	if (!f)
		return FF_ENOMEM;
	f->step = step;
	f->problem.severity = p->severity == PROBLEM_ERROR ? FF_PROBLEM_ERROR : FF_PROBLEM_WARNING;
	f->problem.file = file ? file : "";
	f->problem.pointer = scrubbed(req, p->pointer ? p->pointer : "");
	f->problem.text = scrubbed(req, without_prefix(step, p->text));
	if (!f->problem.pointer || !f->problem.text)
		return FF_ENOMEM;
	if (req->last)
		req->last->next = f;
	else
		req->first = f;
	req->last = f;
	return 0;
}

int request_take(struct request *req, enum request_step step, const char *file, struct problems *problems, int code)
{
	if (problems->nomem)
		return FF_ENOMEM;
	for (const struct problem *p = problems->first; p; p = p->next)
		if (add_finding(req, step, file, p))
			return FF_ENOMEM;
	req->errors += problems->errors;
	req->warnings += problems->warnings;
	if (problems->errors && !req->code) {
		req->code = code;
		req->failed = step;
	}
	return problems->errors ? code : 0;
}

int request_fail(struct request *req, enum request_step step, int code, const char *file, const char *pointer, const char *format,
                 ...)
{
	struct problems problems;
	struct buf text;
	va_list args;
	int r;

	problems_init(&problems);
	buf_init(&text, ANSWER_MAX_BYTES);
	va_start(args, format);
	r = buf_vprintf(&text, format, args);
	va_end(args);
	if (r == 0) {
		problem_error(&problems, pointer, "%s", text.ptr);
		r = request_take(req, step, file, &problems, code);
	}
	buf_release(&text);
	problems_release(&problems);
	return r;
}

const char *request_param_at(struct request *req, const char *name)
{
	const char *at = arena_printf(&req->arena, "%s/%s", req->params_at, name);

	return at ? at : "";
}

int request_guard(struct request *req, struct str secret)
{
	return account_guard(req->account, secret);
}

const struct scrubber *request_scrubber(const struct request *req)
{
	return req->account ? &req->account->scrubber : NULL;
}

static int guard_connector(struct request *req)
{
	for (size_t i = 0; i < req->connector->secret_count; i++)
		if (request_guard(req, req->connector->secrets[i]))
			return FF_ENOMEM;
	return 0;
}

static void warn_short_key(struct request *req, struct problems *problems)
{
	const struct connector *c = req->connector;

	if (c->key.len && c->key.len < SECRET_MIN_BYTES)
		problem_warning(problems, c->key_source == KEY_FROM_ENV ? "" : request_param_at(req, "api_key"),
		                "The key is shorter than %d characters: it is not masked in messages.", SECRET_MIN_BYTES);
}

static int configure(struct request *req, const struct json *object, struct problems *problems)
{
	struct connector_setup setup = {
		.pointer = req->params_at,
		.env = lib_getenv_user,
		.env_user = req->engine,
		.stranger = req->engine->role == FF_ROLE_STRANGER && !req->operators_own,
		.stream = req->options.stream,
	};
	int r = connector_create(object, &setup, problems, &req->connector);

	if (r)
		return r;
	if (guard_connector(req))
		return FF_ENOMEM;
	warn_short_key(req, problems);
	if (setup.stranger)
		request_limit_connector(req, problems);
	return 0;
}

/* AlquimiaRunner is a config, however it was written down: the answer is the reference's sentence alone. */
static enum request_step connector_step(const struct json *object)
{
	const struct json *path = object->type == JSON_OBJECT ? json_get_lit(object, "class_path") : NULL;
	const struct connector_class *class = path && path->type == JSON_STRING ? connector_class_find(path->text) : NULL;

	return class && class->runner == CONNECTOR_ALQUIMIA_RUNNER ? STEP_CONFIG : STEP_CONNECTOR;
}

static int no_connector(struct request *req)
{
	if (req->code && !req->payload) /* an unread input may hold the connector */
		return 0;
	return request_fail(req, STEP_CONFIG, FF_EUSAGE, "", "",
	                    "No connector was given: name one with --connector, in the payload or in FAIRFORGE_CONNECTOR.");
}

static int build_connector(struct request *req)
{
	struct problems problems;
	struct json base, object;
	bool found = false;
	int r, taken;

	if (req->ro.worker || req->ro.runner)
		return 0;
	req->said_before = req->errors + req->warnings;
	if ((r = request_connector_base(req, &base, &found)))
		return r;
	if (!found)
		return no_connector(req);
	if ((r = request_find_account(req, &base)) || req->connector)
		return r;
	if ((r = request_connector_json(req, &base, &object)))
		return r;
	problems_init(&problems);
	r = configure(req, &object, &problems);
	taken = r == FF_ENOMEM ? r : request_take(req, connector_step(&object), "", &problems, FF_EUSAGE);
	problems_release(&problems);
	return r ? r : taken;
}

static int check_target(struct request *req)
{
	int r = req->connector ? request_check_target(req) : 0;

	return req->connector && !r ? request_offer_account(req) : r;
}

int request_build(struct request *req, struct ff_engine *engine, const struct ff_run_options *options, bool everything)
{
	static int (*const steps[])(struct request *) = {
		request_check_flags, request_check_worker,   request_check_runner, request_open_inputs,
		request_refuse_code, request_check_datasets, request_read_options, build_connector,
		check_target,        request_join_inputs,    request_start_worker, request_start_runner,
	};

	*req = (struct request){ .engine = engine, .ro = *options };
	arena_init(&req->arena);
	options_init(&req->options);
	req->account = account_new(engine);
	if (!req->account)
		return req->code = FF_ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int r = steps[i](req);

		if (r == FF_ENOMEM)
			return req->code = r;
		if (r && !everything)
			return r;
	}
	return req->code;
}

void request_release(struct request *req)
{
	dataset_source_free(req->source);
	if (req->executor)
		req->executor->ops->free(req->executor);
	for (size_t i = 0; i < req->input_count; i++) {
		dataset_source_free(req->inputs[i].source);
		payload_free(req->inputs[i].payload);
	}
	connector_free(req->connector);
	account_release(req->account);
	arena_release(&req->arena);
	*req = (struct request){ 0 };
}

static bool is_answer_part(const struct request *req, const struct finding *f)
{
	return f->step == req->failed && f->problem.severity == FF_PROBLEM_ERROR;
}

/* The errors of the step that failed, and the first of them. */
static size_t count_answer_parts(const struct request *req, const struct finding **ret_first)
{
	size_t count = 0;

	*ret_first = NULL;
	for (const struct finding *f = req->first; f; f = f->next) {
		if (!is_answer_part(req, f))
			continue;
		if (!count++)
			*ret_first = f;
	}
	return count;
}

const struct ff_problem *request_first_error(const struct request *req)
{
	const struct finding *first;

	return count_answer_parts(req, &first) ? &first->problem : NULL;
}

/* "pointer: sentence", with the file where there are several. */
static void append_finding(const struct request *req, struct buf *out, const struct ff_problem *p)
{
	if (req->input_count > 1 && *p->file)
		buf_printf(out, "%s: ", p->file);
	if (*p->pointer)
		buf_printf(out, "%s: ", p->pointer);
	buf_append_str(out, str_from(p->text));
}

int request_answer(const struct request *req, struct buf *out)
{
	const char *prefix = step_prefixes[req->failed];
	const struct finding *first;
	size_t count = count_answer_parts(req, &first);

	if (req->code == FF_ENOMEM || !first)
		return buf_append_str(out, STR("Out of memory."));
	if (count == 1 && req->failed == STEP_OPEN) { /* of several documents it must be said which one */
		append_finding(req, out, &first->problem);
		return buf_failed(out);
	}
	if (req->failed == STEP_CONFIG ||
	    (count == 1 && (!*prefix || !strcmp(first->problem.text, "connector.class_path is required"))))
		return buf_append_str(out, str_from(first->problem.text));
	if (count > 1 && *prefix)
		buf_printf(out, "%s (%zu problems):", prefix, count);
	else if (count > 1)
		buf_printf(out, "%zu problems:", count);
	else
		buf_printf(out, "%s:", prefix);
	for (const struct finding *f = first; f; f = f->next) {
		if (!is_answer_part(req, f))
			continue;
		buf_append_char(out, count > 1 ? '\n' : ' ');
		append_finding(req, out, &f->problem);
	}
	return buf_failed(out);
}
