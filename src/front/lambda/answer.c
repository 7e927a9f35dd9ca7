/*
 * answer.c: how answers leave: as an envelope, as plain JSON or as a function error, to the platform or to the store. See task.h.
 *
 * The limit of RUNTIME_MAX_BYTES counts what is posted; an envelope quotes its body, so only writing it tells its size. Hence: write under a cap, and when
 * the cap is met, give the document to the store and post where it is; without a store, post why there is none. Those are small and cannot meet it.
 * The answer to a distributed map has a smaller cap where there is a store: Step Functions would fail the whole child for a large one.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "front/lambda/task.h"

#define SENTENCE_MAX  ((size_t)16 << 10)
#define MAP_MAX_BYTES ((size_t)250000) /* Step Functions takes 256 KiB a state, its own words about the call included */

/* Takes what posting said: an invocation that is over is no reason to end. */
static int posted(struct task *t, int r, const struct error *err, size_t bytes)
{
	t->answer_bytes = bytes;
	t->delivered = r == RUNTIME_ACCEPTED;
	if (t->delivered)
		return 0;
	log_sentence(t->in->log, FF_LOG_ERROR, "answer", t->invocation->id, err->text);
	return r == RUNTIME_OVER ? 0 : r;
}

static int post(struct task *t, const struct buf *out)
{
	struct error err = { 0 };

	return posted(t, runtime_respond(t->in->runtime, buf_str(out), &err), &err, out->len);
}

int answer_function_error(struct task *t, const char *type, struct str sentence)
{
	struct error err = { 0 };

	t->status = 0;
	t->error_type = type;
	return posted(t, runtime_fail(t->in->runtime, type, sentence, &err), &err, sentence.len);
}

static struct event_headers headers_of(const struct task *t)
{
	return (struct event_headers){ .cors_origin = t->in->config->cors_origin };
}

static int out_of_memory(struct task *t)
{
	return answer_function_error(t, "Function.OutOfMemory",
	                             STR("Out of memory: give the function more memory, or send fewer datasets in one request."));
}

/* Posts what was written, or ends the event because it could not be. */
static int post_written(struct task *t, int status, int written, const struct buf *out)
{
	t->status = status;
	return written || buf_failed(out) ? out_of_memory(t) : post(t, out);
}

int answer_preflight(struct task *t)
{
	struct event_headers headers = headers_of(t);
	struct buf out;
	int r;

	buf_init(&out, RUNTIME_MAX_BYTES);
	r = post_written(t, 204, event_write_preflight(&t->event, &headers, &out), &out);
	buf_release(&out);
	return r;
}

int answer_method(struct task *t)
{
	struct event_headers headers = headers_of(t);
	struct buf out;
	int r;

	headers.allow = "POST, OPTIONS";
	buf_init(&out, RUNTIME_MAX_BYTES);
	r = event_write_http(&t->event, 405, STR("{\"error\": \"Send the payload with POST.\"}"), &headers, &out);
	r = post_written(t, 405, r, &out);
	buf_release(&out);
	return r;
}

/* ---- documents ---- */

void answer_sentence(struct str json, struct buf *out)
{
	struct ff_json_doc *doc;
	struct str text;

	if (ff_json_parse(json.ptr ? json.ptr : "", json.len, 0, 0, &doc, NULL))
		return;
	text.ptr = ff_json_text(ff_json_get(ff_json_root(doc), "error"), &text.len);
	if (text.ptr)
		buf_append(out, text.ptr, utf8_cut(text, MIN(text.len, SENTENCE_MAX - 1)));
	ff_json_free(doc);
}

/* Nobody reads an HTTP status off a plain answer: what is not 2xx is a function error, by which invokers retry, catch and alarm. */
static int answer_plain_error(struct task *t, int status, struct str json)
{
	const char *type = status == 400   ? "Function.BadPayload"
	                   : status == 413 ? "Function.PayloadTooLarge"
	                                   : "Function.InternalError";
	struct buf sentence;
	int r;

	buf_init(&sentence, SENTENCE_MAX);
	answer_sentence(json, &sentence);
	r = answer_function_error(t, type, sentence.len ? buf_str(&sentence) : STR("Out of memory."));
	buf_release(&sentence);
	return r;
}

static size_t cap_of(const struct task *t)
{
	return t->event.kind == EVENT_MAP && t->in->store ? MAP_MAX_BYTES : RUNTIME_MAX_BYTES;
}

/* Writes the answer under its cap: 0, FF_ETOOBIG, FF_ENOMEM. */
static int write_document(const struct task *t, int status, struct str json, struct buf *out)
{
	struct event_headers headers = headers_of(t);
	int r;

	buf_init(out, cap_of(t));
	if (event_is_http(&t->event))
		r = event_write_http(&t->event, status, json, &headers, out);
	else
		r = buf_append_str(out, json);
	return buf_failed(out) ? buf_failed(out) : r;
}

static int answer_small(struct task *t, int status, struct str json)
{
	struct buf out;
	int r;

	if (status >= 300 && !event_is_http(&t->event))
		return answer_plain_error(t, status, json);
	r = post_written(t, status, write_document(t, status, json, &out), &out);
	buf_release(&out);
	return r;
}

int answer_problem(struct task *t, int status, const char *sentence)
{
	struct buf json;
	int r;

	buf_init(&json, SENTENCE_MAX);
	r = door_error_body(&json, str_from(sentence)) ? out_of_memory(t) : answer_small(t, status, buf_str(&json));
	buf_release(&json);
	return r;
}

int answer_stored(struct task *t, int status)
{
	struct str id = str_from(t->invocation->id);
	struct buf uri, json;
	char *quoted;
	int r;

	buf_init(&uri, SENTENCE_MAX);
	buf_init(&json, 2 * SENTENCE_MAX);
	quoted = store_uri(t->in->store, id, &uri) ? NULL : ff_json_quote(uri.ptr, uri.len);
	if (quoted)
		buf_printf(&json, "{\"success\": true, \"id\": \"%s\", \"result\": %s}", t->invocation->id, quoted);
	r = !quoted || buf_failed(&json) ? out_of_memory(t) : answer_small(t, status, buf_str(&json));
	ff_free(quoted);
	buf_release(&uri);
	buf_release(&json);
	return r;
}

static int answer_too_large(struct task *t, struct str json)
{
	if (!t->in->store)
		return answer_problem(
		        t, 413,
		        "The answer is larger than the 6 MiB that Lambda hands over: send fewer datasets in one request. (The "
		        "operator can have large answers stored: FAIRFORGE_RESULT_URI.)");
	if (!answer_store(t, str_from(t->invocation->id), json))
		return answer_problem(t, 500, "The answer is too large to be handed over, and it could not be stored.");
	return answer_stored(t, 200);
}

int answer_document(struct task *t, int status, struct str json)
{
	struct buf out;
	int r;

	if (status >= 300)
		return answer_small(t, status, json);
	r = write_document(t, status, json, &out);
	if (r != FF_ETOOBIG) {
		r = post_written(t, status, r, &out);
		buf_release(&out);
		return r;
	}
	buf_release(&out);
	return answer_too_large(t, json);
}

int answer_messages(struct task *t, const bool *failed)
{
	struct buf out;
	int r;

	buf_init(&out, RUNTIME_MAX_BYTES);
	r = post_written(t, 200, event_write_sqs(&t->event, failed, &out), &out);
	buf_release(&out);
	return r;
}

/* ---- the store ---- */

bool answer_store(struct task *t, struct str id, struct str json)
{
	uint64_t left_ms = budget_put_ms(&t->budget, clock_monotonic_us());
	struct error err = { 0 };
	int r = left_ms ? store_put(t->in->store, id, json, left_ms, &err)
	                : error_set(&err, FF_ELIMIT, "", "A result could not be stored: no time was left.");

	if (r) {
		log_sentence(t->in->log, FF_LOG_ERROR, "store", t->invocation->id, err.text);
		return false;
	}
	t->stored++;
	return true;
}
