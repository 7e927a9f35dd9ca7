/*
 * sdk_turn.c: the life of an attempt of ChatOpenAI and ChatGroq, whatever the wire: begin → encode → head → feed… → finish → end. Not: what
 * messages and replies look like (sdk_wire), nor what is worth another attempt (reply.c by the class's table).
 *
 * States: a plain reply is gathered and parsed once in finish. A stream's events are parsed as they come, each in the scratch arena, which is reset
 * behind it; the answer's text grows in the attempt's arena. Once `failed` or `done` is set, the rest of a stream is drained unread.
 *
 * Hot path: encode measures, allocates once and copies; what does not change between turns was rendered by sdk_render.
 */
#include "connector/sdk.h"

#include <stdarg.h>
#include <stdio.h>

#include "connector/hints.h"
#include "connector/quote.h"

#define PLAIN_ANSWER_MAX ((size_t)64 << 10) /* bytes kept of a stream that has no event, to tell what it was instead */
#define EVENT_SHOWN      200                /* bytes of a broken event that the sentence quotes */

struct connector_turn *sdk_turn_begin(const struct connector *c, struct connector_session *s UNUSED, const struct turn_input *in,
                                      struct arena *arena)
{
	struct connector_turn *t = ARENA_NEW(arena, struct connector_turn);

	if (!t)
		return NULL;
	t->c = (const struct sdk_connector *)c;
	t->in = in;
	t->arena = arena;
	arena_init(&t->scratch);
	reply_init(&t->reply, c->class, arena, in->now_wall_ms);
	return t;
}

void sdk_turn_end(struct connector_turn *t)
{
	if (t)
		arena_release(&t->scratch);
}

/* ---- encode ---- */

static struct str role_of(const struct connector_turn *t, const struct message *m)
{
	return t->c->developer_role && str_eq(m->role, STR("system")) ? STR("developer") : m->role;
}

#define ROLE_START    STR("{\"role\":")
#define CONTENT_START STR(",\"content\":")
#define BODY_END      STR("]}")

static size_t body_length(const struct connector_turn *t, struct str message_end)
{
	size_t n = t->c->body_start.len + BODY_END.len;

	for (size_t i = 0; i < t->in->message_count; i++) {
		const struct message *m = &t->in->messages[i];

		n += ROLE_START.len + quote_length(role_of(t, m)) + CONTENT_START.len + quote_length(m->content) + message_end.len +
		     1;
	}
	return n;
}

static int encode_body(const struct connector_turn *t, struct str *ret)
{
	struct str message_end = str_from(t->c->wire->message_end);
	char *body, *p;

	if (t->c->static_body) {
		*ret = t->c->body_start;
		return 0;
	}
	body = arena_alloc(t->arena, body_length(t, message_end));
	if (!body)
		return FF_ENOMEM;
	p = quote_raw(body, t->c->body_start);
	for (size_t i = 0; i < t->in->message_count; i++) {
		const struct message *m = &t->in->messages[i];

		if (i > 0)
			*p++ = ',';
		p = quote_raw(p, ROLE_START);
		p = quote_write(p, role_of(t, m));
		p = quote_raw(p, CONTENT_START);
		p = quote_write(p, m->content);
		p = quote_raw(p, message_end);
	}
	p = quote_raw(p, BODY_END);
	*ret = str_of(body, (size_t)(p - body));
	return 0;
}

/* Later attempts say which they are; the first one sends the connector's own array. */
static int encode_headers(const struct connector_turn *t, struct exchange *ret)
{
	size_t n = t->c->header_count;
	struct pair *headers;
	char *count;

	ret->headers = t->c->headers;
	ret->header_count = n;
	if (t->in->attempt == 0)
		return 0;
	headers = arena_alloc(t->arena, n * sizeof *headers);
	count = arena_printf(t->arena, "%u", t->in->attempt);
	if (!headers || !count)
		return FF_ENOMEM;
	memcpy(headers, t->c->headers, n * sizeof *headers);
	headers[n - 1].value = str_from(count);
	ret->headers = headers;
	return 0;
}

int sdk_turn_encode(struct connector_turn *t, struct exchange *ret, struct error *err)
{
	struct exchange e = { .method = STR("POST"), .url = t->c->url, .idle_timeout_ms = t->c->base.silence_ms };

	if (encode_body(t, &e.body) != 0 || encode_headers(t, &e) != 0)
		return error_nomem(err);
	*ret = e;
	return 0;
}

/* ---- failures and pieces, for the wires ---- */

static void fail_with(struct connector_turn *t, const struct verdict *v)
{
	t->answer.failed = true;
	t->answer.failure = *v;
}

void sdk_fail_bad(struct connector_turn *t, const char *what_format, ...)
{
	struct verdict v;
	char what[512];
	va_list args;

	va_start(args, what_format);
	vsnprintf(what, sizeof what, what_format, args);
	va_end(args);
	reply_bad_verdict(&t->reply, &v, "%s", what);
	fail_with(t, &v);
}

void sdk_fail_error(struct connector_turn *t, const struct json *error)
{
	struct verdict v;

	reply_error_verdict(&t->reply, error, &v);
	fail_with(t, &v);
}

void sdk_fail_nomem(struct connector_turn *t)
{
	struct verdict v;

	verdict_nomem(&t->reply, &v);
	fail_with(t, &v);
}

void sdk_keep(struct connector_turn *t, const struct json *v, struct str *kept)
{
	if (!v || v->type != JSON_STRING || !v->text.len || str_eq(v->text, *kept))
		return;
	if (arena_str(t->arena, v->text, kept) != 0)
		sdk_fail_nomem(t);
}

void sdk_add_text(struct connector_turn *t, struct str text)
{
	int r = gather_append(&t->answer.stream_text, text.ptr, text.len);

	if (r == FF_ETOOBIG)
		sdk_fail_bad(t, "the answer is longer than %zu bytes", (size_t)REPLY_MAX_BYTES);
	else if (r != 0)
		sdk_fail_nomem(t);
	t->answer.new_content |= text.len > 0;
}

/* ---- head, feed ---- */

static int on_event(void *user, struct str type, struct str data)
{
	struct connector_turn *t = user;
	struct json_error err;
	struct json event;
	int r;

	if (t->answer.failed || t->answer.done)
		return 0;
	t->answer.seen = true;
	t->reply.body.len = 0;
	if (str_starts_with(data, STR("[DONE]"))) {
		t->answer.done = true;
		return 0;
	}
	r = reply_parse(&t->scratch, data, &event, &err);
	if (r == 0) {
		t->c->wire->read_event(t, type, &event);
	} else if (r == FF_ENOMEM) {
		sdk_fail_nomem(t);
	} else {
		char where[200];

		json_error_format(&err, where, sizeof where);
		if (reply_feed(&t->reply, data.ptr, MIN(data.len, (size_t)EVENT_SHOWN)) == 0)
			sdk_fail_bad(t, "an event of the stream is not JSON: %s", where);
		else
			sdk_fail_nomem(t);
	}
	arena_reset(&t->scratch);
	return 0;
}

void sdk_turn_head(struct connector_turn *t, int status, const struct pair *headers, size_t header_count)
{
	reply_head(&t->reply, status, headers, header_count);
	t->answer = (struct answer){ .usage = USAGE_UNKNOWN };
	gather_init(&t->answer.stream_text, t->arena, REPLY_MAX_BYTES);
	sse_init(&t->sse, t->arena, on_event, t);
}

/* A server may stream although it was not asked to, or because extra_body asked it. */
static bool reads_stream(const struct connector_turn *t)
{
	return reply_is_success(&t->reply) &&
	       (t->c->base.streaming || str_eq_nocase(str_sub(t->reply.content_type, 0, 17), STR("text/event-stream")));
}

int sdk_turn_feed(struct connector_turn *t, const char *data, size_t len, bool *ret_content)
{
	int r;

	if (!reads_stream(t))
		return reply_feed(&t->reply, data, len);
	if (!t->answer.seen && t->reply.body.len < PLAIN_ANSWER_MAX) {
		r = reply_feed(&t->reply, data, MIN(len, PLAIN_ANSWER_MAX - t->reply.body.len));
		if (r != 0)
			return r;
	}
	if (t->answer.failed || t->answer.done)
		return 0;
	r = sse_feed(&t->sse, data, len);
	if (t->answer.new_content)
		*ret_content = true;
	t->answer.new_content = false;
	return r;
}

/* ---- finish ---- */

static enum outcome outcome_of(const struct answer *a, bool has_text)
{
	if (a->filtered)
		return OUTCOME_FILTERED;
	if (a->refused)
		return OUTCOME_REFUSED;
	if (a->truncated)
		return OUTCOME_TRUNCATED;
	if (!has_text)
		return a->tools ? OUTCOME_TOOL_ONLY : OUTCOME_EMPTY;
	return OUTCOME_OK;
}

static void finish_parsed_format(struct connector_turn *t)
{
	if (!t->c->parse_format || t->answer.failed)
		return;
	if (t->answer.truncated)
		sdk_fail_bad(t, "the answer in the wanted response_format was cut at the length limit");
	else if (t->answer.filtered)
		sdk_fail_bad(t, "the answer in the wanted response_format was rejected by the content filter");
}

static void conclude(struct connector_turn *t, struct verdict *ret)
{
	const struct answer *a = &t->answer;

	finish_parsed_format(t);
	verdict_init(ret, &t->reply);
	if (a->failed) {
		*ret = a->failure;
	} else {
		ret->kind = VERDICT_DONE;
		ret->answer = a->text.len ? a->text : STR("");
		ret->outcome = outcome_of(a, a->text.len > 0);
	}
	ret->finish_reason = a->finish_reason;
	ret->model = a->model;
	ret->usage = a->usage;
}

/* No event came: what did come is told instead. */
static void fail_without_events(struct connector_turn *t)
{
	struct json body;
	const struct json *error;

	if (t->answer.seen) {
		sdk_fail_bad(t, "the stream ended without an answer");
	} else if (!t->reply.body.len) {
		sdk_fail_bad(t, "the stream is empty");
	} else if (reply_json(&t->reply, &body, NULL) == 0) {
		error = json_get_lit(&body, "error");
		if (json_truthy(error))
			sdk_fail_error(t, error);
		else
			sdk_fail_bad(t, "the reply is plain JSON instead of the stream that was asked for");
	} else {
		sdk_fail_bad(t, "the reply is not the stream that was asked for");
	}
}

static void finish_stream(struct connector_turn *t)
{
	struct answer *a = &t->answer;

	if (!a->failed && !a->done && sse_end(&t->sse) != 0)
		sdk_fail_nomem(t);
	if (!a->failed && !a->begun)
		fail_without_events(t);
	a->text = gather_str(&a->stream_text);
}

static void finish_plain(struct connector_turn *t)
{
	struct json_error err;
	struct json reply;
	char where[200];
	int r;

	if (!t->reply.body.len) {
		sdk_fail_bad(t, "the reply is empty");
		return;
	}
	r = reply_json(&t->reply, &reply, &err);
	if (r == 0) {
		t->c->wire->read_reply(t, &reply);
	} else if (r == FF_ENOMEM) {
		sdk_fail_nomem(t);
	} else {
		json_error_format(&err, where, sizeof where);
		sdk_fail_bad(t, "the reply is not JSON: %s", where);
	}
}

void sdk_turn_finish(struct connector_turn *t, struct verdict *ret)
{
	if (t->reply.nomem) {
		verdict_nomem(&t->reply, ret);
		return;
	}
	if (!reply_is_success(&t->reply)) {
		reply_http_verdict(&t->reply, ret);
		return;
	}
	if (reads_stream(t))
		finish_stream(t);
	else
		finish_plain(t);
	conclude(t, ret);
}
