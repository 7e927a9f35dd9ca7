/*
 * alquimia_turn.c: one attempt at an Alquimia agent: a question, then the stream in which the answer comes.
 *
 * Stages of an attempt:
 *   INFER   POST event/infer/{channel}/{agent}; its reply names a stream; → STREAM (ANOTHER) or FATAL
 *   STREAM  GET event/stream/{stream}
 * Each data line of the stream is read by itself, in a scratch arena that the next line reuses; only the last content is kept, because an event carries
 * the whole answer so far. As the client does, it passes over what is not JSON, and further events that carry no response (pings). What is an
 * event and not as promised decides the verdict, and what follows is not read. Memory: the longest line, the longest content.
 *
 * batch.agentic is extra data of the question, but for the names that the client's infer has for itself: three override what is sent else, the others
 * cannot be given twice (clashes[]).
 */
#include "connector/alquimia.h"

#include "base/buf.h"
#include "connector/base_url.h"
#include "connector/coerce.h"
#include "connector/reply.h"
#include "connector/sse.h"

#define BODY_MAX_BYTES     ((size_t)64 << 20)
#define STREAM_ID_MAX      4096 /* bytes: a longer one is none */
#define INFER_SILENCE_MS   60000
#define STREAM_SILENCE_MS  300000
#define UNREAD_SHOWN_BYTES 512 /* of a stream without a data line: what came instead */

struct connector_turn {
	const struct alquimia *q;
	const struct turn_input *in;
	struct arena *arena;
	enum { STAGE_INFER, STAGE_STREAM } stage;
	struct reply reply;
	struct str stream_url;
	struct sse events;
	struct arena scratch; /* of the line being read */
	struct gather answer;
	bool any_line; /* a data line came */
	bool no_text;  /* the last content is neither text nor nothing */
	bool new_text; /* since feed was called */
	bool failed;   /* `failure` holds the verdict */
	struct verdict failure;
};

struct connector_turn *alquimia_begin(const struct connector *c, struct connector_session *s, const struct turn_input *in,
                                      struct arena *arena)
{
	struct connector_turn *t = ARENA_NEW(arena, struct connector_turn);

	(void)s;
	if (!t)
		return NULL;
	t->q = (const struct alquimia *)(const void *)c;
	t->in = in;
	t->arena = arena;
	arena_init(&t->scratch);
	reply_init(&t->reply, c->class, arena, in->now_wall_ms);
	return t;
}

void alquimia_end(struct connector_turn *t)
{
	if (t)
		arena_release(&t->scratch);
}

/* ---- the question: agentic ---- */

/* Names of the client's infer that the runner gives itself. */
static const char *const clashes[] = { "query", "date", "channel", "session_id", "assistant_id", "self" };

enum { CHAT_HISTORY, AGENTSPACE, ATTACHMENTS, OVERRIDE_COUNT };
static const char *const overrides[] = {
	[CHAT_HISTORY] = "chat_history", [AGENTSPACE] = "agentspace", [ATTACHMENTS] = "attachments"
};

static bool is_override(struct str key)
{
	for (size_t i = 0; i < OVERRIDE_COUNT; i++)
		if (str_eq(key, str_from(overrides[i])))
			return true;
	return false;
}

static const struct json * override(const struct connector_turn *t, int which)
{
	return json_get(&t->in->batch->agentic, str_from(overrides[which]));
}

/* What is an empty list to the client. It wants objects of a class of its own in it, which no dataset can hold. */
static bool is_empty_list(const struct json *v)
{
	return (v->type == JSON_ARRAY || v->type == JSON_STRING || v->type == JSON_OBJECT) && !json_truthy(v);
}

static int check_agentic(const struct connector_turn *t, struct error *err)
{
	const struct json *attachments = override(t, ATTACHMENTS);

	for (size_t i = 0; i < ARRAY_SIZE(clashes); i++)
		if (json_get(&t->in->batch->agentic, str_from(clashes[i])))
			return error_set(err, FF_EDATA, "",
			                 "Alquimia: agentic.%s clashes with what the runner sends under that name: rename it.",
			                 clashes[i]);
	if (attachments && !is_empty_list(attachments))
		return error_set(
		        err, FF_EDATA, "",
		        "Alquimia: agentic.attachments must be an empty list: the client takes no attachments from a dataset.");
	return 0;
}

/* ---- the question: URL ---- */

/* A value as the client's HTTP library writes it into a query. False: it has no such form. */
static bool query_text(struct connector_turn *t, const struct json *v, struct str *ret, bool *ret_nomem)
{
	struct json text;
	enum coerce_result r;

	*ret = v->type == JSON_TRUE ? STR("true") : v->type == JSON_FALSE ? STR("false") : STR("");
	if (v->type == JSON_NULL || json_is_bool(v))
		return true;
	r = coerce_text(t->arena, v, &text);
	*ret_nomem |= r == COERCE_NOMEM;
	if (r == COERCE_OK)
		*ret = text.text;
	return r == COERCE_OK || r == COERCE_NOMEM;
}

/* "?name=text" or "&name=text" */
static int put_pair(struct connector_turn *t, struct gather *url, const char *name, struct str text)
{
	size_t len = percent_encode(NULL, text, "");
	char *encoded = arena_alloc(t->arena, len + 1);
	int r;

	if (!encoded)
		return FF_ENOMEM;
	percent_encode(encoded, text, "");
	r = gather_append(url, str_contains(gather_str(url), STR("?")) ? "&" : "?", 1);
	if (r == 0)
		r = gather_append(url, name, strlen(name));
	if (r == 0)
		r = gather_append(url, "=", 1);
	return r ? r : gather_append(url, encoded, len);
}

/* The override, each item of a list by itself, or the default. */
static int put_override(struct connector_turn *t, struct gather *url, int which, const char *fallback, struct error *err)
{
	const struct json *v = override(t, which);
	const struct json *items = v && v->type == JSON_ARRAY ? v->items : v;
	uint32_t count = v && v->type == JSON_ARRAY ? v->count : 1;
	struct str text;
	bool nomem = false;
	int r = 0;

	if (!v)
		return put_pair(t, url, overrides[which], str_from(fallback));
	for (uint32_t i = 0; i < count && r == 0; i++) {
		if (!query_text(t, &items[i], &text, &nomem))
			return error_set(err, FF_EDATA, "", "Alquimia: agentic.%s must be a text or a number, but it is a JSON %s.",
			                 overrides[which], json_type_name(items[i].type));
		r = nomem ? FF_ENOMEM : put_pair(t, url, overrides[which], text);
	}
	return r;
}

static int write_infer_url(struct connector_turn *t, struct str *ret, struct error *err)
{
	struct gather url;
	int r;

	gather_init(&url, t->arena, BODY_MAX_BYTES);
	r = gather_append(&url, t->q->infer_url.ptr, t->q->infer_url.len);
	if (r == 0 && !override(t, CHAT_HISTORY) && !override(t, AGENTSPACE)) {
		r = gather_append(&url, t->q->default_query.ptr, t->q->default_query.len);
	} else if (r == 0) {
		r = put_override(t, &url, CHAT_HISTORY, ALQUIMIA_CHAT_HISTORY, err);
		if (r == 0)
			r = put_override(t, &url, AGENTSPACE, ALQUIMIA_AGENTSPACE, err);
	}
	*ret = gather_str(&url);
	return r;
}

/* ---- the question: body ---- */

static void write_extra_data(const struct connector_turn *t, struct json_writer *w)
{
	const struct json *agentic = &t->in->batch->agentic;

	json_begin_object(w);
	json_key_lit(w, "date");
	json_string(w, str_from(t->in->date));
	for (uint32_t i = 0; agentic->type == JSON_OBJECT && i < agentic->count; i++) {
		if (is_override(agentic->members[i].key))
			continue;
		json_key(w, agentic->members[i].key);
		json_value(w, &agentic->members[i].value);
	}
	json_end_object(w);
}

static int write_body(struct connector_turn *t, struct str *ret, struct error *err)
{
	struct buf b CLEANUP(buf_release);
	struct json_writer w;

	buf_init(&b, BODY_MAX_BYTES);
	json_writer_init(&w, &b, 0);
	json_begin_object(&w);
	json_key_lit(&w, "query");
	json_string(&w, t->in->messages[t->in->message_count - 1].content);
	json_key_lit(&w, "session_id");
	json_string(&w, t->in->dataset->session_id);
	json_key_lit(&w, "extra_data");
	write_extra_data(t, &w);
	json_key_lit(&w, "attachments");
	json_begin_array(&w);
	json_end_array(&w);
	json_end_object(&w);
	if (buf_failed(&b) == FF_ETOOBIG)
		return error_set(err, FF_EDATA, "", "Alquimia: query and agentic are larger than %zu MiB.", BODY_MAX_BYTES >> 20);
	return buf_failed(&b) ? FF_ENOMEM : arena_str(t->arena, buf_str(&b), ret);
}

static int encode_infer(struct connector_turn *t, struct exchange *ret, struct error *err)
{
	struct exchange e = { .method = STR("POST"),
		              .headers = t->q->infer_headers,
		              .header_count = t->q->infer_header_count,
		              .idle_timeout_ms = INFER_SILENCE_MS };
	int r = check_agentic(t, err);

	if (r == 0)
		r = write_infer_url(t, &e.url, err);
	if (r == 0)
		r = write_body(t, &e.body, err);
	if (r == 0)
		*ret = e;
	return r;
}

int alquimia_encode(struct connector_turn *t, struct exchange *ret, struct error *err)
{
	if (t->stage == STAGE_INFER)
		return encode_infer(t, ret, err);
	*ret = (struct exchange){ .method = STR("GET"),
		                  .url = t->stream_url,
		                  .headers = t->q->stream_headers,
		                  .header_count = t->q->stream_header_count,
		                  .once = true, /* a stream may be readable once only: a second reader would miss its beginning */
		                  .idle_timeout_ms = STREAM_SILENCE_MS };
	return 0;
}

/* ---- events ---- */

#define STOP 1 /* what on_event returns when the verdict is known */

static int fail_bad(struct connector_turn *t, const char *what)
{
	t->reply.body.len = 0;
	reply_bad_verdict(&t->reply, &t->failure, "%s", what);
	t->failed = true;
	return STOP;
}

static int take_content(struct connector_turn *t, const struct json *content)
{
	struct str text;
	bool nomem = false;

	t->answer.len = 0;
	t->no_text = false;
	if (!content_text(&t->scratch, content, &text, &nomem)) {
		t->no_text = json_truthy(content);
		return 0;
	}
	t->new_text |= text.len > 0;
	return nomem ? FF_ENOMEM : gather_append(&t->answer, text.ptr, text.len);
}

static int take_object(struct connector_turn *t, const struct json *event)
{
	const struct json *response = json_get_lit(event, "response"), *error = json_get_lit(event, "error");
	const struct json *data = response ? json_get_lit(response, "data") : NULL;
	const struct json *content = data ? json_get_lit(data, "content") : NULL;

	if (!response && !json_truthy(error))
		return 0;
	if (!response) {
		reply_error_verdict(&t->reply, error, &t->failure);
		t->failed = true;
		return STOP;
	}
	return content ? take_content(t, content) : fail_bad(t, "an event of the stream has a response without data.content");
}

/* Bytes that are no UTF-8 become U+FFFD, as the client reads them. STR_NULL: out of memory. */
static struct str repaired(struct arena *a, struct str line)
{
	char *out = arena_alloc(a, line.len * 3 + 1);
	size_t len = 0;

	if (!out)
		return STR_NULL;
	for (size_t i = 0; i < line.len;) {
		size_t n = utf8_sequence_length(line.ptr + i, line.len - i);

		memcpy(out + len, n ? line.ptr + i : "\xEF\xBF\xBD", n ? n : 3);
		len += n ? n : 3;
		i += n ? n : 1;
	}
	return str_of(out, len);
}

/* As the client does: blanks of any kind around the JSON do no harm. What nearly always comes needs neither. */
static int parse_line(struct connector_turn *t, struct str line, struct json *ret)
{
	int r;

	arena_reset(&t->scratch);
	r = reply_parse(&t->scratch, line, ret, NULL);
	if (r != FF_EDATA)
		return r;
	if (!utf8_is_valid(line))
		line = repaired(&t->scratch, line);
	return line.ptr ? reply_parse(&t->scratch, utf8_trim(line), ret, NULL) : FF_ENOMEM;
}

static int on_data(void *user, struct str type, struct str line)
{
	struct connector_turn *t = user;
	struct json event;
	int r = parse_line(t, line, &event);

	(void)type;
	t->any_line = true;
	if (r == FF_ENOMEM)
		return r;
	if (r == FF_ETOOBIG)
		return fail_bad(t, "an event of the stream is nested too deeply");
	if (r)
		return 0;
	return event.type == JSON_OBJECT ? take_object(t, &event) : fail_bad(t, "an event of the stream is no object");
}

/* ---- reply ---- */

void alquimia_head(struct connector_turn *t, int status, const struct pair *headers, size_t header_count)
{
	reply_head(&t->reply, status, headers, header_count);
	sse_init(&t->events, t->arena, on_data, t);
	t->events.each_line = true;
	gather_init(&t->answer, t->arena, REPLY_MAX_BYTES);
	t->any_line = t->no_text = t->failed = false;
}

static bool reads_events(const struct connector_turn *t)
{
	return t->stage == STAGE_STREAM && reply_is_success(&t->reply);
}

/* What a stream without a data line says, for the sentence. */
static int keep_unread(struct connector_turn *t, const char *data, size_t len)
{
	size_t room = UNREAD_SHOWN_BYTES - MIN(t->reply.body.len, (size_t)UNREAD_SHOWN_BYTES);

	return t->any_line ? 0 : gather_append(&t->reply.body, data, MIN(len, room));
}

int alquimia_feed(struct connector_turn *t, const char *data, size_t len, bool *ret_content)
{
	int r;

	if (!reads_events(t))
		return reply_feed(&t->reply, data, len);
	if (t->failed)
		return 0;
	t->new_text = false;
	r = keep_unread(t, data, len);
	if (r == 0)
		r = sse_feed(&t->events, data, len);
	*ret_content |= t->new_text;
	return r == STOP ? 0 : r;
}

/* ---- finish ---- */

/* What the reply says instead of a stream's id. */
static void no_stream_id(struct connector_turn *t, const struct json *body, struct verdict *ret)
{
	struct str said = body->type == JSON_OBJECT && body->count ? provider_message(t->arena, STR_NULL, body) : STR_NULL;

	said.len = utf8_cut(said, 200);
	if (said.len)
		reply_bad_verdict(&t->reply, ret, "No stream_id returned from agent: %.*s", STR_ARG(said));
	else
		reply_bad_verdict(&t->reply, ret, "No stream_id returned from agent");
}

static void open_stream(struct connector_turn *t, struct str id, struct verdict *ret)
{
	const char *piece = alquimia_path_piece(t->arena, id), *url = NULL;

	if (piece)
		url = arena_printf(t->arena, "%.*s%s?response_only=true", STR_ARG(t->q->stream_prefix), piece);
	if (!url) {
		verdict_nomem(&t->reply, ret);
		return;
	}
	t->stream_url = str_from(url);
	t->stage = STAGE_STREAM;
	verdict_init(ret, &t->reply);
	ret->kind = VERDICT_ANOTHER;
}

/* Empty: there is none, or what Python calls false. 0; FF_EDATA: neither a text nor a number; FF_ENOMEM. */
static int read_stream_id(struct connector_turn *t, const struct json *body, struct str *ret)
{
	const struct json *given = json_get_lit(body, "stream_id");
	struct json id;
	enum coerce_result r;

	*ret = STR_NULL;
	if (!json_truthy(given))
		return 0;
	r = coerce_text(t->arena, given, &id);
	if (r != COERCE_OK)
		return r == COERCE_NOMEM ? FF_ENOMEM : FF_EDATA;
	*ret = id.text;
	return 0;
}

static void finish_infer(struct connector_turn *t, struct verdict *ret)
{
	struct str id = STR_NULL;
	struct json body;
	int r = reply_json(&t->reply, &body, NULL);
	bool is_object = r == 0 && body.type == JSON_OBJECT;

	if (is_object)
		r = read_stream_id(t, &body, &id);
	if (r == FF_ENOMEM)
		verdict_nomem(&t->reply, ret);
	else if (!is_object)
		reply_bad_verdict(&t->reply, ret, "the reply that should name a stream is no JSON object");
	else if (r || id.len > STREAM_ID_MAX)
		reply_bad_verdict(&t->reply, ret, "the stream_id is %s", r ? "neither a text nor a number" : "too long to be one");
	else if (id.len)
		open_stream(t, id, ret);
	else
		no_stream_id(t, &body, ret);
}

static void finish_stream(struct connector_turn *t, struct verdict *ret)
{
	int r = t->failed ? 0 : sse_end(&t->events);

	if (t->any_line)
		t->reply.body.len = 0;
	if (r == FF_ENOMEM) {
		verdict_nomem(&t->reply, ret);
	} else if (t->failed) {
		*ret = t->failure;
	} else if (r == FF_ETOOBIG) {
		reply_bad_verdict(&t->reply, ret, "the answer is larger than the cap on replies");
	} else if (t->no_text) {
		reply_bad_verdict(&t->reply, ret, "the content of the last event is no text");
	} else if (!t->answer.len) {
		reply_bad_verdict(&t->reply, ret, "Empty response from agent");
	} else {
		verdict_init(ret, &t->reply);
		ret->kind = VERDICT_DONE;
		ret->outcome = OUTCOME_OK;
		ret->answer = gather_str(&t->answer);
	}
}

void alquimia_finish(struct connector_turn *t, struct verdict *ret)
{
	if (t->reply.nomem)
		verdict_nomem(&t->reply, ret);
	else if (!reply_is_success(&t->reply))
		reply_http_verdict(&t->reply, ret);
	else if (t->stage == STAGE_INFER)
		finish_infer(t, ret);
	else
		finish_stream(t, ret);
}
