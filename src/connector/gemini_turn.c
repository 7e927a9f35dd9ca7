/*
 * gemini_turn.c: one attempt of ChatGoogleGenerativeAI: the request's body, and its reply, one GenerateContentResponse or a stream of them.
 *
 * The answer is the text of the first candidate's parts, joined; thoughts, images, code and function calls are not part of it. When the reply is not
 * streamed, line feeds at the end of each part are dropped, as by the reference; with params.streaming they stay; with the option `stream`, which
 * must not change an answer, those at the end of the whole are dropped.
 *
 * An event of a stream is parsed in a scratch arena that the next event reuses. The first one that is wrong decides the verdict; the rest is not read.
 */
#include "connector/gemini.h"

#include "connector/quote.h"
#include "connector/reply.h"
#include "connector/sse.h"

#define QUOTED_MAX 200 /* bytes of a broken event that a sentence repeats */

struct connector_turn {
	const struct gemini *g;
	const struct turn_input *in;
	struct arena *arena;
	struct reply reply;
	struct sse events;
	struct arena scratch; /* of the event being read */
	struct gather answer;
	struct str finish_reason, model, response_id, block_reason;
	struct usage usage;
	bool any_response; /* something that is a GenerateContentResponse came */
	bool function_call;
	bool content; /* answer text came in this feed */
	bool failed;  /* `failure` holds the verdict */
	struct verdict failure;
};

struct connector_turn *gemini_begin(const struct connector *c, struct connector_session *s, const struct turn_input *in,
                                    struct arena *arena)
{
	struct connector_turn *t = ARENA_NEW(arena, struct connector_turn);

	(void)s;
	if (!t)
		return NULL;
	t->g = (const struct gemini *)(const void *)c;
	t->in = in;
	t->arena = arena;
	arena_init(&t->scratch);
	reply_init(&t->reply, c->class, arena, in->now_wall_ms);
	return t;
}

void gemini_end(struct connector_turn *t)
{
	if (t)
		arena_release(&t->scratch);
}

/* ---- request ---- */

static const struct str CONTENTS = { "{\"contents\":[", 13 }, PART = { "{\"text\":", 8 };
static const struct str OPEN = { "{\"parts\":[", 10 }, CLOSE = { "],\"role\":", 9 };
static const struct str SYSTEM = { ",\"systemInstruction\":{\"parts\":[", 31 }, SYSTEM_END = { "],\"role\":\"user\"}", 16 };

static bool is_system(const struct message *m)
{
	return str_eq(m->role, STR("system"));
}

/* Empty messages are not sent: the API refuses them. */
static bool is_sent(const struct message *m)
{
	return m->content.len && !is_system(m);
}

static struct str wire_role(const struct message *m)
{
	return str_eq(m->role, STR("assistant")) ? STR("model") : STR("user");
}

static size_t part_length(const struct message *m)
{
	return PART.len + quote_length(m->content) + 1;
}

static char *part_write(char *out, const struct message *m)
{
	out = quote_raw(out, PART);
	out = quote_write(out, m->content);
	*out++ = '}';
	return out;
}

static size_t body_length(const struct turn_input *in, size_t *ret_sent, size_t *ret_system)
{
	size_t len = CONTENTS.len + 1, sent = 0, system = 0;

	for (size_t i = 0; i < in->message_count; i++) {
		const struct message *m = &in->messages[i];

		if (is_sent(m)) {
			len += (sent++ ? 1 : 0) + OPEN.len + part_length(m) + CLOSE.len + quote_length(wire_role(m)) + 1;
		} else if (is_system(m) && m->content.len) {
			len += (system++ ? 1 : SYSTEM.len + SYSTEM_END.len) + part_length(m);
		}
	}
	*ret_sent = sent;
	*ret_system = system;
	return len;
}

static char *write_contents(char *out, const struct turn_input *in)
{
	bool first = true;

	out = quote_raw(out, CONTENTS);
	for (size_t i = 0; i < in->message_count; i++) {
		const struct message *m = &in->messages[i];

		if (!is_sent(m))
			continue;
		if (!first)
			*out++ = ',';
		first = false;
		out = quote_raw(out, OPEN);
		out = part_write(out, m);
		out = quote_raw(out, CLOSE);
		out = quote_write(out, wire_role(m));
		*out++ = '}';
	}
	*out++ = ']';
	return out;
}

static char *write_system(char *out, const struct turn_input *in)
{
	bool first = true;

	out = quote_raw(out, SYSTEM);
	for (size_t i = 0; i < in->message_count; i++) {
		if (!is_system(&in->messages[i]) || !in->messages[i].content.len)
			continue;
		if (!first)
			*out++ = ',';
		first = false;
		out = part_write(out, &in->messages[i]);
	}
	return quote_raw(out, SYSTEM_END);
}

int gemini_encode(struct connector_turn *t, struct exchange *ret, struct error *err)
{
	size_t sent, system, len = body_length(t->in, &sent, &system) + t->g->suffix.len;
	char *body, *out;

	if (!sent)
		return error_set(err, FF_EDATA, "", "Gemini: contents are required, but the prompt is empty.");
	body = arena_alloc(t->arena, len);
	if (!body)
		return FF_ENOMEM;
	out = write_contents(body, t->in);
	if (system)
		out = write_system(out, t->in);
	quote_raw(out, t->g->suffix);
	*ret = (struct exchange){ .method = STR("POST"),
		                  .url = t->g->url,
		                  .headers = t->g->headers,
		                  .header_count = t->g->header_count,
		                  .body = str_of(body, len) };
	return 0;
}

/* ---- reply: one GenerateContentResponse ---- */

static void fail_bad(struct connector_turn *t, const char *what, struct str text)
{
	struct str shown = provider_excerpt(t->arena, text, QUOTED_MAX);

	if (shown.len)
		reply_bad_verdict(&t->reply, &t->failure, "%s: %.*s", what, STR_ARG(shown));
	else
		reply_bad_verdict(&t->reply, &t->failure, "%s", what);
	t->failed = true;
}

static int keep_text(struct connector_turn *t, const struct json *object, struct str key, struct str *ret)
{
	const struct json *v = json_get(object, key);

	if (!v || v->type != JSON_STRING || str_eq(v->text, *ret))
		return 0;
	return arena_str(t->arena, v->text, ret);
}

static bool is_absent(const struct json *v)
{
	return !v || v->type == JSON_NULL;
}

static int take_part(struct connector_turn *t, const struct json *part)
{
	const struct json *text = json_get_lit(part, "text");
	struct str s;

	if (part->type != JSON_OBJECT || (!is_absent(text) && text->type != JSON_STRING)) {
		fail_bad(t, "a part of the reply is no text", STR_NULL);
		return 0;
	}
	t->function_call |= !is_absent(json_get_lit(part, "functionCall"));
	if (is_absent(text) || json_truthy(json_get_lit(part, "thought")))
		return 0;
	s = text->text;
	while (!t->g->base.streaming && s.len && s.ptr[s.len - 1] == '\n')
		s.len--;
	t->content |= s.len > 0;
	return gather_append(&t->answer, s.ptr, s.len);
}

static int take_candidate(struct connector_turn *t, const struct json *candidate)
{
	const struct json *content = json_get_lit(candidate, "content"), *parts;
	int r = keep_text(t, candidate, STR("finishReason"), &t->finish_reason);

	if (candidate->type != JSON_OBJECT || (!is_absent(content) && content->type != JSON_OBJECT)) {
		fail_bad(t, "a candidate of the reply is no object", STR_NULL);
		return 0;
	}
	parts = content ? json_get_lit(content, "parts") : NULL;
	if (r || is_absent(parts))
		return r;
	if (parts->type != JSON_ARRAY) {
		fail_bad(t, "the parts of the reply are no list", STR_NULL);
		return 0;
	}
	for (uint32_t i = 0; !r && !t->failed && i < parts->count; i++)
		r = take_part(t, &parts->items[i]);
	return r;
}

static int64_t sum(int64_t a, int64_t b)
{
	if (a < 0)
		return b;
	return b < 0 ? a : a + b;
}

/* Counts are cumulative in a stream: the last ones stand. Thinking is output, tool results are input. */
static void take_usage(struct connector_turn *t, const struct json *usage)
{
	if (is_absent(usage))
		return;
	t->usage.input_tokens =
	        sum(usage_count(usage, STR("promptTokenCount")), usage_count(usage, STR("toolUsePromptTokenCount")));
	t->usage.output_tokens =
	        sum(usage_count(usage, STR("candidatesTokenCount")), usage_count(usage, STR("thoughtsTokenCount")));
	t->usage.total_tokens = usage_count(usage, STR("totalTokenCount"));
}

/* An object that is none of the API's replies ({}, {"detail": …}) is an error, not an empty answer. Empty lists may be left out by the API. */
static bool is_response(const struct json *v)
{
	return !is_absent(json_get_lit(v, "candidates")) || !is_absent(json_get_lit(v, "promptFeedback")) ||
	       !is_absent(json_get_lit(v, "usageMetadata")) || !is_absent(json_get_lit(v, "modelVersion"));
}

static int take_response(struct connector_turn *t, const struct json *v)
{
	const struct json *error = json_get_lit(v, "error"), *candidates = json_get_lit(v, "candidates");
	const struct json *feedback = json_get_lit(v, "promptFeedback");
	int r;

	if (json_truthy(error)) {
		reply_error_verdict(&t->reply, v, &t->failure);
		t->failed = true;
		return 0;
	}
	if (v->type != JSON_OBJECT || !is_response(v) || (!is_absent(candidates) && candidates->type != JSON_ARRAY)) {
		fail_bad(t, "the reply has no candidates", STR_NULL);
		return 0;
	}
	t->any_response = true;
	take_usage(t, json_get_lit(v, "usageMetadata"));
	r = keep_text(t, v, STR("modelVersion"), &t->model);
	if (!r)
		r = keep_text(t, v, STR("responseId"), &t->response_id);
	if (!r && !is_absent(feedback))
		r = keep_text(t, feedback, STR("blockReason"), &t->block_reason);
	if (r || is_absent(candidates) || !candidates->count)
		return r;
	return take_candidate(t, &candidates->items[0]);
}

/* ---- reply: stream ---- */

static int on_event(void *user, struct str type, struct str data)
{
	struct connector_turn *t = user;
	struct json v;
	int r;

	(void)type;
	if (t->failed || str_eq(str_trim(data), STR("[DONE]")))
		return 0;
	arena_reset(&t->scratch);
	r = json_parse(&t->scratch, data, NULL, &v, NULL, NULL);
	if (r == FF_ENOMEM)
		return r;
	if (!r)
		return take_response(t, &v);
	fail_bad(t, "an event of the stream is not JSON", data);
	return 0;
}

/* A gateway that does not stream answers in JSON: one response, or a list of them as the API sends them without alt=sse. */
static bool reads_events(const struct connector_turn *t)
{
	return t->g->base.streaming && reply_is_success(&t->reply) && !str_contains_nocase(t->reply.content_type, STR("json"));
}

void gemini_head(struct connector_turn *t, int status, const struct pair *headers, size_t header_count)
{
	reply_head(&t->reply, status, headers, header_count);
	sse_init(&t->events, t->arena, on_event, t);
	gather_init(&t->answer, t->arena, REPLY_MAX_BYTES);
	t->finish_reason = t->model = t->response_id = t->block_reason = STR_NULL;
	t->usage = USAGE_UNKNOWN;
	t->any_response = t->function_call = t->failed = false;
}

int gemini_feed(struct connector_turn *t, const char *data, size_t len, bool *ret_content)
{
	int r;

	if (!reads_events(t))
		return reply_feed(&t->reply, data, len);
	t->content = false;
	r = t->failed ? 0 : sse_feed(&t->events, data, len);
	*ret_content |= t->content;
	return r;
}

/* ---- verdict ---- */

static enum outcome answer_outcome(const struct connector_turn *t)
{
	static const char *const filtered[] = { "SAFETY",
		                                "RECITATION",
		                                "LANGUAGE",
		                                "BLOCKLIST",
		                                "PROHIBITED_CONTENT",
		                                "SPII",
		                                "IMAGE_SAFETY",
		                                "IMAGE_PROHIBITED_CONTENT",
		                                "IMAGE_RECITATION" };

	if (t->block_reason.len)
		return OUTCOME_FILTERED;
	for (size_t i = 0; i < ARRAY_SIZE(filtered); i++)
		if (str_eq(t->finish_reason, str_from(filtered[i])))
			return OUTCOME_FILTERED;
	if (str_eq(t->finish_reason, STR("MAX_TOKENS")))
		return OUTCOME_TRUNCATED;
	if (t->answer.len)
		return OUTCOME_OK;
	return t->function_call ? OUTCOME_TOOL_ONLY : OUTCOME_EMPTY;
}

static int read_body(struct connector_turn *t)
{
	struct json v;
	int r = reply_json(&t->reply, &v, NULL);

	if (r == FF_ENOMEM)
		return r;
	if (!r && v.type == JSON_ARRAY && t->g->base.streaming) {
		for (uint32_t i = 0; !r && !t->failed && i < v.count; i++)
			r = take_response(t, &v.items[i]);
		return r;
	}
	if (!r)
		return take_response(t, &v);
	fail_bad(t, t->reply.body.len ? "the reply is not JSON" : "the reply is empty", STR_NULL);
	return 0;
}

static void say_answer(struct connector_turn *t, struct verdict *ret)
{
	struct str answer = gather_str(&t->answer);

	while (t->g->base.streaming && !t->g->keep_newlines && answer.len && answer.ptr[answer.len - 1] == '\n')
		answer.len--;
	verdict_init(ret, &t->reply);
	ret->kind = VERDICT_DONE;
	ret->outcome = answer_outcome(t);
	ret->answer = answer;
}

void gemini_finish(struct connector_turn *t, struct verdict *ret)
{
	int r;

	if (!reply_is_success(&t->reply)) {
		reply_http_verdict(&t->reply, ret);
		return;
	}
	r = t->reply.nomem ? FF_ENOMEM : t->failed ? 0 : reads_events(t) ? sse_end(&t->events) : read_body(t);
	if (r == FF_ENOMEM) {
		verdict_nomem(&t->reply, ret);
		return;
	}
	if (r && !t->failed)
		fail_bad(t, "the reply is too large", STR_NULL);
	if (!t->failed && !t->any_response)
		fail_bad(t, "the stream is empty", STR_NULL);
	if (t->failed)
		*ret = t->failure;
	else
		say_answer(t, ret);
	ret->finish_reason = t->block_reason.len && !t->finish_reason.len ? t->block_reason : t->finish_reason;
	ret->model = t->model;
	ret->usage = t->usage;
	if (!ret->request_id.len)
		ret->request_id = t->response_id;
}
