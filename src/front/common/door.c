/*
 * door.c: one request of a door from its text to its answer. See door.h.
 *
 * States: read (a text that may be wrong: then it is done at once) → running → done. The answer is collected in memory up to its cap; an answer that is
 * an error of ours replaces what was collected. Where the text could say `async`, or the run could take it for JSON lines, it is parsed here first; else the
 * run's own reading is enough, and only when that fails it is asked here whether the text was JSON at all.
 */
#include "front/common/door.h"

#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

#define ERROR_BODY_MAX 8192u
#define ANSWER_USUAL   (size_t)768 /* to one batch */

struct door_run {
	struct door_request request;
	struct ff_run *run; /* NULL: refused before it began */
	struct buf answer;
	int status;
	bool unread; /* not parsed here yet */
	bool async, done, complete;
	bool crowded; /* may_grow said no */
};

int door_error_body(struct buf *out, struct str sentence)
{
	char *quoted = ff_json_quote(sentence.ptr, sentence.len);

	if (!quoted)
		return FF_ENOMEM;
	buf_printf(out, "{\"error\": %s}", quoted);
	ff_free(quoted);
	return buf_failed(out) ? FF_ENOMEM : 0;
}

/* The answer is an error: what was collected is dropped. Without memory for it, door_body says so. */
static void fail(struct door_run *d, int status, struct str sentence)
{
	buf_release(&d->answer);
	buf_init(&d->answer, ERROR_BODY_MAX);
	d->status = status;
	d->done = true;
	if (door_error_body(&d->answer, sentence)) {
		buf_release(&d->answer);
		d->status = 500;
	}
}

static void set_defaults(struct door_limits *l)
{
	l->max_body_bytes = l->max_body_bytes ? l->max_body_bytes : DOOR_MAX_BODY_BYTES;
	l->max_answer_bytes = l->max_answer_bytes ? l->max_answer_bytes : DOOR_MAX_ANSWER_BYTES;
	l->max_datasets = l->max_datasets ? l->max_datasets : DOOR_MAX_DATASETS;
	l->max_batches = l->max_batches ? l->max_batches : DOOR_MAX_BATCHES;
	l->max_depth = l->max_depth ? l->max_depth : DOOR_MAX_DEPTH;
}

/* Parses the body: what is no JSON is answered at once. */
static void read_body(struct door_run *d)
{
	const struct door_limits *l = &d->request.limits;
	struct ff_json_doc *doc;
	struct ff_error err;
	const struct ff_json *root;
	int r;

	d->unread = false;
	r = ff_json_parse(d->request.body.ptr, d->request.body.len, l->max_body_bytes, l->max_depth, &doc, &err);
	if (r) {
		if (r == FF_R_NOMEM)
			fail(d, 500, STR("Out of memory."));
		else if (r == FF_R_TOOBIG)
			fail(d, 413, str_from(err.text));
		else
			fail(d, 400, STR("Invalid JSON body"));
		return;
	}
	root = ff_json_root(doc);
	d->async = ff_json_type(ff_json_get(root, "async")) == FF_JSON_TRUE;
	if (ff_json_type(root) == FF_JSON_NULL)
		d->request.body = STR("{}");
	ff_json_free(doc);
}

/* True where the run reads the same out of it as read_body: one object that cannot have a member `async`, not even in escapes. */
static bool may_stay_unread(struct str body)
{
	return body.ptr[0] == '{' && !str_contains(body, STR("\n")) && !str_contains(body, STR("async")) &&
	       !str_contains(body, STR("\\u"));
}

static void look_at_body(struct door_run *d)
{
	struct str body = str_trim(d->request.body);

	if (!body.len)
		d->request.body = STR("{}");
	else if (may_stay_unread(body))
		d->unread = true;
	else
		read_body(d);
}

int door_new(const struct door_request *request, struct door_run **ret)
{
	struct door_run *d = NEW(struct door_run);

	if (!d)
		return FF_ENOMEM;
	d->request = *request;
	d->request.name = request->name ? request->name : "request";
	set_defaults(&d->request.limits);
	buf_init(&d->answer, d->request.limits.max_answer_bytes);
	look_at_body(d);
	*ret = d;
	return 0;
}

bool door_is_async(const struct door_run *d)
{
	return d->async;
}

static int collect(void *user, const char *data, size_t len)
{
	struct door_run *d = user;

	d->crowded = d->crowded || (d->request.may_grow && !d->request.may_grow(d->request.user, len));
	if (!d->crowded && !buf_append(&d->answer, data, len))
		return 0;
	errno = buf_failed(&d->answer) == FF_ETOOBIG ? EFBIG : ENOMEM;
	return -1;
}

static bool is_our_failure(int code)
{
	return code == FF_R_NOMEM || code == FF_R_INTERNAL || code == FF_R_IO || code == FF_R_INVAL;
}

static void fail_too_big(struct door_run *d)
{
	char sentence[200];

	snprintf(sentence, sizeof(sentence),
	         "The answer is larger than the %zu bytes that can be handed over: send fewer datasets in one request.",
	         d->request.limits.max_answer_bytes);
	fail(d, 413, str_from(sentence));
}

/* The run has ended, or never began because of `err`: what its answer is. */
static void conclude(struct door_run *d, const struct ff_error *err)
{
	int wrong = buf_failed(&d->answer);
	struct ff_counts counts;

	d->done = true;
	if (d->crowded) {
		fail(d, 503,
		     STR("The answers of all runs together are as large as may be held: try again later, or send fewer datasets."));
	} else if (wrong == FF_ETOOBIG) {
		fail_too_big(d);
	} else if (wrong) {
		fail(d, 500, STR("Out of memory."));
	} else if (err->code == FF_R_TOOBIG) {
		fail(d, 413, str_from(err->text));
	} else if (err->code && (is_our_failure(err->code) || !d->answer.len)) {
		fail(d, 500, str_from(err->text));
	} else {
		door_counts(d, &counts);
		d->status = 200;
		/* Turns that were on their way when a deadline or a cancel came have an outcome, too: only the run's own end tells. */
		d->complete = d->run && counts.done == counts.batches && !counts.not_run && err->code != FF_R_LIMIT &&
		              err->code != FF_R_CANCELED;
	}
}

static void on_event(void *user, const struct ff_event *event)
{
	struct door_run *d = user;

	if (d->request.on_event)
		d->request.on_event(d->request.user, event);
	if (event->type == FF_EVENT_END)
		conclude(d, ff_run_error(d->run));
}

void door_start(struct door_run *d, uint64_t deadline_ms)
{
	struct ff_input input = { .name = d->request.name, .text = d->request.body.ptr, .text_len = d->request.body.len, .fd = -1 };
	struct ff_output output = { .format = FF_OUTPUT_RESPONSE, .write_fn = collect, .user = d };
	struct ff_run_options options = FF_INIT(struct ff_run_options);
	struct ff_error err = { 0 };

	if (d->done)
		return;
	(void)!buf_reserve(&d->answer, MIN(ANSWER_USUAL, d->request.limits.max_answer_bytes)); /* one allocation, not several */
	options.inputs = &input;
	options.input_count = 1;
	options.outputs = &output;
	options.output_count = 1;
	options.time_ms = deadline_ms;
	options.max_input_bytes = d->request.limits.max_body_bytes;
	options.max_depth = d->request.limits.max_depth;
	options.max_datasets = d->request.limits.max_datasets;
	options.max_batches = d->request.limits.max_batches;
	options.on_event = on_event;
	options.user = d;
	if (!ff_run_start(d->request.engine, &options, &d->run, &err))
		return;
	if (d->unread)
		read_body(d);
	if (!d->done)
		conclude(d, &err);
}

void door_cancel(struct door_run *d, uint64_t grace_ms)
{
	if (d->run && !d->done)
		ff_run_cancel(d->run, grace_ms);
}

bool door_done(const struct door_run *d)
{
	return d->done;
}

int door_status(const struct door_run *d)
{
	return d->status;
}

struct str door_body(const struct door_run *d)
{
	return d->done && !d->answer.len ? STR("{\"error\": \"Out of memory.\"}") : buf_str(&d->answer);
}

bool door_complete(const struct door_run *d)
{
	return d->complete;
}

void door_counts(const struct door_run *d, struct ff_counts *ret)
{
	*ret = (struct ff_counts){ .input_tokens = -1, .output_tokens = -1 };
	if (d->run)
		ff_run_counts(d->run, ret);
}

void door_free(struct door_run *d)
{
	if (!d)
		return;
	ff_run_free(d->run);
	buf_release(&d->answer);
	mem_free(d);
}
