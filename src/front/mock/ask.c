/*
 * ask.c: finds the last user message in the bodies of five protocols, and says what is missing as the providers do.
 *
 * The places differ (messages, input, contents, query), the shapes are alike: a list of messages with a role and a content that is a text or a
 * list of parts. One reader serves them all, with a row of names a protocol. Nothing else of the body is looked at: a simulator that refuses what
 * it does not know would refuse tomorrow's clients.
 */
#include "front/mock/ask.h"

#include <stdio.h>

#include "fairforge/fairforge.h"
#include "front/mock/text.h"

#define BODY_MAX ((size_t)64 << 20)
#define DEPTH    512

/* What a list of messages looks like on the wire. */
struct shape {
	const char *list, *content; /* members of the body and of a message */
};
static const struct shape chat_shape = { "messages", "content" };
static const struct shape responses_shape = { "input", "content" };
static const struct shape gemini_shape = { "contents", "parts" };

void ask_init(struct ask *a)
{
	*a = (struct ask){ .choices = 1 };
	buf_init(&a->model, BODY_MAX);
	buf_init(&a->text, BODY_MAX);
	buf_init(&a->session, BODY_MAX);
}

void ask_release(struct ask *a)
{
	buf_release(&a->model);
	buf_release(&a->text);
	buf_release(&a->session);
}

static int refuse(struct ask_problem *p, const char *param, const char *code, const char *format, ...) PRINTF_LIKE(4, 5);

static int refuse(struct ask_problem *p, const char *param, const char *code, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	p->status = 400;
	p->param = param;
	p->code = code;
	return error_set(&p->error, FF_EDATA, "", "%s", text);
}

static bool is_true(const struct ff_json *v)
{
	return v && ff_json_type(v) == FF_JSON_TRUE;
}

static bool is_string(const struct ff_json *v)
{
	return v && ff_json_type(v) == FF_JSON_STRING;
}

static bool is_array(const struct ff_json *v)
{
	return v && ff_json_type(v) == FF_JSON_ARRAY;
}

/* Appends the text of a content: a string, a part, or a list of either. Parts that are no text (images, calls) add nothing. */
static void content_text(const struct ff_json *content, struct buf *out)
{
	if (!content)
		return;
	if (is_string(content))
		buf_append_str(out, text_of_json(content));
	else if (ff_json_type(content) == FF_JSON_OBJECT)
		buf_append_str(out, text_of_json(ff_json_get(content, "text")));
	for (size_t i = 0; is_array(content) && i < ff_json_count(content); i++) {
		const struct ff_json *part = ff_json_item(content, i);
		if (is_string(part))
			buf_append_str(out, text_of_json(part));
		else
			buf_append_str(out, text_of_json(ff_json_get(part, "text")));
	}
}

/* Only Gemini may leave the role out, and means the user then. */
static bool is_user(const struct ff_json *message)
{
	const struct ff_json *role = ff_json_get(message, "role");

	return !role || str_eq(text_of_json(role), STR("user"));
}

/* Reads the messages into a->text (the last user's, else the last) and a->prompt_tokens (a message costs two more than its text). */
static int read_list(struct ask *a, const struct ff_json *list, const struct shape *shape)
{
	const struct ff_json *last = NULL;
	struct buf text;
	size_t count = ff_json_count(list);
	int code;

	buf_init(&text, BODY_MAX);
	for (size_t i = 0; i < count; i++) {
		const struct ff_json *message = ff_json_item(list, i);
		buf_clear(&text);
		content_text(ff_json_get(message, shape->content), &text);
		a->prompt_tokens += text_tokens(buf_str(&text)) + 2;
		if (is_user(message) || (!last && i + 1 == count))
			last = message;
	}
	if (last)
		content_text(ff_json_get(last, shape->content), &a->text);
	code = buf_failed(&text);
	buf_release(&text);
	return code;
}

/* The messages of the body: a list, or for `text_allowed` one text. */
static int read_messages(struct ask *a, const struct ff_json *root, const struct shape *shape, bool text_allowed,
                         struct ask_problem *p)
{
	const struct ff_json *list = ff_json_get(root, shape->list);

	if (!list || ff_json_type(list) == FF_JSON_NULL)
		return refuse(p, shape->list, "missing_required_parameter", "Missing required parameter: '%s'.", shape->list);
	if (text_allowed && is_string(list)) {
		content_text(list, &a->text);
		a->prompt_tokens = text_tokens(buf_str(&a->text)) + 2;
		return 0;
	}
	if (!is_array(list))
		return refuse(p, shape->list, "invalid_type", "Invalid type for '%s': expected an array of objects.", shape->list);
	if (!ff_json_count(list))
		return refuse(p, shape->list, "empty_array", "Invalid '%s': empty array. Expected an array with minimum length 1.",
		              shape->list);
	for (size_t i = 0; i < ff_json_count(list); i++) {
		if (ff_json_type(ff_json_item(list, i)) != FF_JSON_OBJECT)
			return refuse(p, shape->list, "invalid_type", "Invalid type for '%s[%zu]': expected an object.",
			              shape->list, i);
	}
	return read_list(a, list, shape);
}

static int read_model(struct ask *a, const struct ff_json *root, struct ask_problem *p)
{
	struct str model = text_of_json(ff_json_get(root, "model"));

	if (!model.len)
		return refuse(p, "model", NULL,
		              a->proto == PROTO_OLLAMA ? "model is required" : "you must provide a model parameter");
	return buf_append_str(&a->model, model);
}

/* A whole number of answers from 1 to ASK_MAX_CHOICES; absent and null are 1. */
static int read_choices(struct ask *a, const struct ff_json *n, const char *name, struct ask_problem *p)
{
	uint64_t value;
	size_t len = 0;
	const char *text;

	if (!n || ff_json_type(n) == FF_JSON_NULL)
		return 0;
	text = ff_json_type(n) == FF_JSON_NUMBER ? ff_json_text(n, &len) : NULL;
	if (!text || !str_to_u64(str_of(text, len), &value) || value < 1 || value > ASK_MAX_CHOICES)
		return refuse(p, name, "invalid_value", "Invalid '%s': expected a whole number from 1 to %u.", name,
		              ASK_MAX_CHOICES);
	a->choices = (unsigned)value;
	return 0;
}

static int read_chat(struct ask *a, const struct ff_json *root, struct ask_problem *p)
{
	const struct ff_json *options = ff_json_get(root, "stream_options");
	int code = read_model(a, root, p);

	a->stream = is_true(ff_json_get(root, "stream"));
	a->usage_chunk = options && is_true(ff_json_get(options, "include_usage"));
	code = code ? code : read_messages(a, root, &chat_shape, false, p);
	return code ? code : read_choices(a, ff_json_get(root, "n"), "n", p);
}

static int read_responses(struct ask *a, const struct ff_json *root, struct ask_problem *p)
{
	int code = read_model(a, root, p);

	a->stream = is_true(ff_json_get(root, "stream"));
	code = code ? code : read_messages(a, root, &responses_shape, true, p);
	if (!code)
		a->prompt_tokens += text_tokens(text_of_json(ff_json_get(root, "instructions")));
	return code;
}

static int read_gemini(struct ask *a, const struct route *route, const struct ff_json *root, struct ask_problem *p)
{
	const struct ff_json *config = ff_json_get(root, "generationConfig"), *system = ff_json_get(root, "systemInstruction");
	struct buf text;
	int code;

	route_decode(route->id, &a->model);
	a->stream = a->endpoint == EP_GENERATE_SSE;
	if (!config)
		config = ff_json_get(root, "generation_config");
	code = read_messages(a, root, &gemini_shape, false, p);
	if (!code && system) {
		buf_init(&text, BODY_MAX);
		content_text(ff_json_get(system, "parts"), &text);
		a->prompt_tokens += text_tokens(buf_str(&text)) + 2;
		code = buf_failed(&text);
		buf_release(&text);
	}
	return code || !config ? code : read_choices(a, ff_json_get(config, "candidateCount"), "candidateCount", p);
}

/* Ollama streams unless it is told not to; without messages it only loads the model. */
static int read_ollama(struct ask *a, const struct ff_json *root, struct ask_problem *p)
{
	const struct ff_json *stream = ff_json_get(root, "stream"), *list = ff_json_get(root, "messages");
	int code = read_model(a, root, p);

	a->stream = !stream || ff_json_type(stream) != FF_JSON_FALSE;
	a->load = !list || ff_json_type(list) == FF_JSON_NULL || (is_array(list) && !ff_json_count(list));
	return code || a->load ? code : read_messages(a, root, &chat_shape, false, p);
}

static int read_infer(struct ask *a, const struct ff_json *root, struct ask_problem *p)
{
	const struct ff_json *query = ff_json_get(root, "query"), *session = ff_json_get(root, "session_id");

	if (!is_string(query))
		return refuse(p, "query", NULL, "The member 'query' must be a string.");
	if (session && !is_string(session) && ff_json_type(session) != FF_JSON_NULL)
		return refuse(p, "session_id", NULL, "The member 'session_id' must be a string.");
	a->prompt_tokens = text_tokens(text_of_json(query)) + 2;
	buf_append_str(&a->text, text_of_json(query));
	return buf_append_str(&a->session, text_of_json(session));
}

static int read_root(struct ask *a, const struct route *route, const struct ff_json *root, struct ask_problem *p)
{
	if (ff_json_type(root) != FF_JSON_OBJECT)
		return refuse(p, NULL, NULL, "The JSON body must be an object.");
	switch (a->endpoint) {
	case EP_CHAT: return read_chat(a, root, p);
	case EP_RESPONSES: return read_responses(a, root, p);
	case EP_OLLAMA_CHAT: return read_ollama(a, root, p);
	case EP_SHOW: return read_model(a, root, p);
	case EP_INFER: return read_infer(a, root, p);
	default: return read_gemini(a, route, root, p);
	}
}

int ask_read(struct ask *a, const struct route *route, struct str body, struct ask_problem *ret_problem)
{
	struct ff_json_doc *doc = NULL;
	struct ff_error why;
	int code;

	*ret_problem = (struct ask_problem){ .status = 400 };
	a->proto = route->proto;
	a->endpoint = route->endpoint;
	code = ff_json_parse(body.ptr ? body.ptr : "", body.len, BODY_MAX, DEPTH, &doc, &why);
	if (code == FF_ENOMEM)
		return code;
	if (code)
		return refuse(ret_problem, NULL, NULL, "We could not parse the JSON body of your request: %s", why.text);
	code = read_root(a, route, ff_json_root(doc), ret_problem);
	ff_json_free(doc);
	if (!code && (buf_failed(&a->model) || buf_failed(&a->text) || buf_failed(&a->session)))
		code = FF_ENOMEM;
	return code;
}
