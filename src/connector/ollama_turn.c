/*
 * ollama_turn.c: one attempt of ChatOllama: POST /api/chat, and its reply, a stream of JSON lines.
 *
 * Stages of an attempt:
 *   CHECK  GET /api/tags, only with validate_model_on_init and until one attempt found the model; → CHAT (ANOTHER) or FATAL
 *   CHAT   POST /api/chat
 * A line is parsed in a scratch arena that the next line reuses; only the answer's text is kept. The first line that is wrong decides the verdict,
 * and what follows it is not read. The answer is every line's message.content joined, also of lines behind `done`; thinking is not part of it.
 * A stream that ends well without a `done` record is accepted, as by the reference: the transport notices a cut.
 */
#include "connector/ollama.h"

#include "connector/ndjson.h"
#include "connector/quote.h"
#include "connector/reply.h"

#define QUOTED_MAX 200 /* bytes of a broken line that a sentence repeats */

struct connector_turn {
	const struct ollama *o;
	const struct turn_input *in;
	struct arena *arena;
	enum { STAGE_CHECK, STAGE_CHAT } stage;
	struct reply reply;
	struct ndjson lines;
	struct arena scratch; /* of the line being read */
	struct gather answer;
	struct str finish_reason, model;
	struct usage usage;
	bool any_record; /* a record came that counts as an answer */
	bool tool_calls;
	bool failed; /* `failure` holds the verdict */
	struct verdict failure;
};

struct connector_turn *ollama_begin(const struct connector *c, struct connector_session *s, const struct turn_input *in,
                                    struct arena *arena)
{
	struct connector_turn *t = ARENA_NEW(arena, struct connector_turn);

	(void)s;
	if (!t)
		return NULL;
	t->o = (const struct ollama *)(const void *)c;
	t->in = in;
	t->arena = arena;
	t->stage = t->o->check && t->o->check->state == OLLAMA_UNCHECKED ? STAGE_CHECK : STAGE_CHAT;
	arena_init(&t->scratch);
	reply_init(&t->reply, c->class, arena, in->now_wall_ms);
	return t;
}

void ollama_end(struct connector_turn *t)
{
	if (t)
		arena_release(&t->scratch);
}

/* ---- request ---- */

static const struct str ROLE = { "{\"role\":", 8 }, CONTENT = { ",\"content\":", 11 };

/* An empty message has no content member, as the reference's client leaves it out. */
static size_t message_length(const struct message *m)
{
	return ROLE.len + quote_length(m->role) + (m->content.len ? CONTENT.len + quote_length(m->content) : 0) + 1;
}

static char *message_write(char *out, const struct message *m)
{
	out = quote_raw(out, ROLE);
	out = quote_write(out, m->role);
	if (m->content.len) {
		out = quote_raw(out, CONTENT);
		out = quote_write(out, m->content);
	}
	*out++ = '}';
	return out;
}

static int encode_chat(struct connector_turn *t, struct exchange *ret)
{
	size_t len = t->o->prefix.len + 2 + t->o->suffix.len;
	char *body, *out;

	for (size_t i = 0; i < t->in->message_count; i++)
		len += message_length(&t->in->messages[i]) + (i ? 1 : 0);
	body = out = arena_alloc(t->arena, len);
	if (!body)
		return FF_ENOMEM;
	out = quote_raw(out, t->o->prefix);
	*out++ = '[';
	for (size_t i = 0; i < t->in->message_count; i++) {
		if (i)
			*out++ = ',';
		out = message_write(out, &t->in->messages[i]);
	}
	*out++ = ']';
	quote_raw(out, t->o->suffix);
	*ret = (struct exchange){ .method = STR("POST"),
		                  .url = t->o->chat_url,
		                  .headers = t->o->headers,
		                  .header_count = t->o->header_count,
		                  .body = str_of(body, len) };
	return 0;
}

int ollama_encode(struct connector_turn *t, struct exchange *ret, struct error *err)
{
	const struct ollama *o = t->o;

	if (o->check && o->check->state == OLLAMA_ABSENT)
		return error_set(err, FF_EDATA, "", "%.*s", STR_ARG(o->check->sentence));
	if (t->stage == STAGE_CHAT)
		return encode_chat(t, ret);
	*ret = (struct exchange){
		.method = STR("GET"), .url = o->tags_url, .headers = o->headers, .header_count = o->header_count
	};
	return 0;
}

/* ---- reply: records ---- */

static void fail_bad(struct connector_turn *t, const char *what, struct str line)
{
	struct str shown = provider_excerpt(t->arena, line, QUOTED_MAX);

	if (shown.len)
		reply_bad_verdict(&t->reply, &t->failure, "%s: %.*s", what, STR_ARG(shown));
	else
		reply_bad_verdict(&t->reply, &t->failure, "%s", what);
	t->failed = true;
}

static void fail_nomem(struct connector_turn *t)
{
	verdict_nomem(&t->reply, &t->failure);
	t->failed = true;
}

static bool keep_text(struct connector_turn *t, const struct json *record, struct str key, struct str *ret)
{
	const struct json *v = json_get(record, key);

	if (!v || v->type != JSON_STRING || str_eq(v->text, *ret))
		return true;
	return arena_str(t->arena, v->text, ret) == 0;
}

static bool is_blank(struct str s)
{
	return str_trim(s).len == 0;
}

/* What the done record says: why it ended, and the tokens. */
static bool take_done(struct connector_turn *t, const struct json *record)
{
	t->usage.input_tokens = usage_count(record, STR("prompt_eval_count"));
	t->usage.output_tokens = usage_count(record, STR("eval_count"));
	if (t->usage.input_tokens >= 0 && t->usage.output_tokens >= 0)
		t->usage.total_tokens = t->usage.input_tokens + t->usage.output_tokens;
	return keep_text(t, record, STR("done_reason"), &t->finish_reason);
}

/* A record that only says that the model was loaded, without text, is no answer. */
static bool is_load_notice(const struct json *record, struct str content)
{
	const struct json *reason = json_get_lit(record, "done_reason");

	return reason && reason->type == JSON_STRING && str_eq(reason->text, STR("load")) && is_blank(content);
}

/* The message of a record, or NULL with the failure set. */
static const struct json *record_message(struct connector_turn *t, const struct json *record, struct str line,
                                         struct str *ret_content)
{
	const struct json *message = json_get_lit(record, "message"), *content, *role;

	if (!message || message->type != JSON_OBJECT) {
		fail_bad(t, "a line of the reply has no message", line);
		return NULL;
	}
	role = json_get_lit(message, "role");
	if (!role || role->type != JSON_STRING) {
		fail_bad(t, "a message of the reply has no role", line);
		return NULL;
	}
	content = json_get_lit(message, "content");
	if (content && content->type != JSON_STRING) {
		fail_bad(t, "the content of a message is no text", line);
		return NULL;
	}
	*ret_content = content ? content->text : STR_NULL;
	return message;
}

static int take_record(struct connector_turn *t, const struct json *record, struct str line, bool *ret_content)
{
	const struct json *error = json_get_lit(record, "error"), *done = json_get_lit(record, "done"), *message, *calls;
	struct str content;
	bool is_done = done && done->type == JSON_TRUE;

	if (json_truthy(error)) {
		reply_error_verdict(&t->reply, error, &t->failure);
		t->failed = true;
		return 0;
	}
	message = record_message(t, record, line, &content);
	if (!message || (is_done && is_load_notice(record, content)))
		return 0;
	t->any_record = true;
	calls = json_get_lit(message, "tool_calls");
	if (calls && calls->type != JSON_NULL && calls->type != JSON_ARRAY) {
		fail_bad(t, "the tool calls of a message are no list", line);
		return 0;
	}
	t->tool_calls |= calls && calls->count > 0;
	*ret_content |= content.len > 0;
	if (!keep_text(t, record, STR("model"), &t->model) || (is_done && !take_done(t, record)))
		return FF_ENOMEM;
	return gather_append(&t->answer, content.ptr, content.len);
}

static int take_line(struct connector_turn *t, struct str line, bool *ret_content)
{
	struct json record;
	struct json_error why;
	int r;

	arena_reset(&t->scratch);
	r = json_parse(&t->scratch, line, NULL, &record, NULL, &why);
	if (r == FF_ENOMEM)
		return r;
	if (r)
		fail_bad(t, "a line of the reply is not JSON", line);
	else if (record.type != JSON_OBJECT)
		fail_bad(t, "a line of the reply is no object", line);
	else
		return take_record(t, &record, line, ret_content);
	return 0;
}

/* ---- reply ---- */

void ollama_head(struct connector_turn *t, int status, const struct pair *headers, size_t header_count)
{
	reply_head(&t->reply, status, headers, header_count);
	ndjson_init(&t->lines, t->arena, NDJSON_MAX_LINE_BYTES);
	gather_init(&t->answer, t->arena, REPLY_MAX_BYTES);
	t->finish_reason = t->model = STR_NULL;
	t->usage = USAGE_UNKNOWN;
	t->any_record = t->tool_calls = t->failed = false;
}

static bool reads_lines(const struct connector_turn *t)
{
	return t->stage == STAGE_CHAT && reply_is_success(&t->reply);
}

int ollama_feed(struct connector_turn *t, const char *data, size_t len, bool *ret_content)
{
	struct str input = { data, len }, line;
	int r = 0;

	if (!reads_lines(t))
		return reply_feed(&t->reply, data, len);
	while (!t->failed && (r = ndjson_next(&t->lines, &input, &line)) > 0) {
		r = take_line(t, line, ret_content);
		if (r)
			return r;
	}
	return t->failed ? 0 : r;
}

static enum outcome answer_outcome(const struct connector_turn *t)
{
	if (str_eq(t->finish_reason, STR("length")))
		return OUTCOME_TRUNCATED;
	if (t->answer.len)
		return OUTCOME_OK;
	return t->tool_calls ? OUTCOME_TOOL_ONLY : OUTCOME_EMPTY;
}

static void finish_chat(struct connector_turn *t, struct verdict *ret)
{
	struct str line;
	bool content = false;

	if (!t->failed && ndjson_last(&t->lines, &line) && take_line(t, line, &content))
		fail_nomem(t);
	if (!t->failed && !t->any_record)
		fail_bad(t, "no data came in the stream", STR_NULL);
	if (t->failed) {
		*ret = t->failure;
	} else {
		verdict_init(ret, &t->reply);
		ret->kind = VERDICT_DONE;
		ret->outcome = answer_outcome(t);
		ret->answer = gather_str(&t->answer);
	}
	ret->finish_reason = t->finish_reason;
	ret->model = t->model;
	ret->usage = t->usage;
}

/* ---- validate_model_on_init ---- */

/* "llama3.2" is there as "llama3.2" or with any tag ("llama3.2:latest"). */
static bool lists_model(const struct json *models, struct str wanted)
{
	for (uint32_t i = 0; i < models->count; i++) {
		const struct json *name = json_get_lit(&models->items[i], "model");

		if (!name || name->type != JSON_STRING || !str_starts_with(name->text, wanted))
			continue;
		if (name->text.len == wanted.len || name->text.ptr[wanted.len] == ':')
			return true;
	}
	return false;
}

/* Every turn would fail for the same reason: the sentence is kept for the others, which are not sent. */
static void model_absent(struct connector_turn *t, struct verdict *ret)
{
	struct ollama_check *check = t->o->check;
	struct str model = t->o->base.model, shown = str_sub(model, 0, utf8_cut(model, QUOTED_MAX));
	char *text = arena_printf(
	        t->o->check_arena,
	        "Ollama: the model '%.*s' is not on the server (validate_model_on_init): pull it with `ollama pull %.*s`.",
	        STR_ARG(shown), STR_ARG(shown));

	if (!text) {
		verdict_nomem(&t->reply, ret);
		return;
	}
	check->state = OLLAMA_ABSENT;
	check->sentence = str_from(text);
	verdict_init(ret, &t->reply);
	ret->outcome = OUTCOME_NOT_RUN;
	ret->error = check->sentence;
}

static void finish_check(struct connector_turn *t, struct verdict *ret)
{
	const struct json *models;
	struct json body;
	int r = reply_json(&t->reply, &body, NULL);

	models = r ? NULL : json_get_lit(&body, "models");
	if (r == FF_ENOMEM) {
		verdict_nomem(&t->reply, ret);
	} else if (!models || models->type != JSON_ARRAY) {
		reply_bad_verdict(&t->reply, ret, "the list of models (validate_model_on_init) has no models");
	} else if (!lists_model(models, t->o->base.model)) {
		model_absent(t, ret);
	} else {
		t->o->check->state = OLLAMA_PRESENT;
		t->stage = STAGE_CHAT;
		verdict_init(ret, &t->reply);
		ret->kind = VERDICT_ANOTHER;
	}
}

/* What goes wrong with the check would go wrong for every turn: it ends the run, and is not tried again, as in the reference. */
static void finish_stage_check(struct connector_turn *t, struct verdict *ret)
{
	if (!reply_is_success(&t->reply))
		reply_http_verdict(&t->reply, ret);
	else
		finish_check(t, ret);
	ret->setup_error = ret->kind != VERDICT_ANOTHER;
	if (ret->setup_error)
		ret->kind = VERDICT_FATAL;
}

void ollama_finish(struct connector_turn *t, struct verdict *ret)
{
	if (t->reply.nomem)
		verdict_nomem(&t->reply, ret);
	else if (t->stage == STAGE_CHECK)
		finish_stage_check(t, ret);
	else if (!reply_is_success(&t->reply))
		reply_http_verdict(&t->reply, ret);
	else
		finish_chat(t, ret);
}
