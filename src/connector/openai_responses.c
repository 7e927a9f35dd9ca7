/*
 * openai_responses.c: the Responses API: when ChatOpenAI uses it, how the chat completions body becomes its own, and how its replies and events are
 * read. Text parts of all output messages become one string; reasoning, tool calls and refusals are no text.
 *
 * Every parameter that chat completions know and Responses do not is a problem, because the API would refuse each turn; only `stop` is dropped, as
 * the class does.
 */
#include "connector/openai.h"

/* ---- which API ---- */

/* Models that the class only asks through Responses. */
static bool model_prefers_responses(struct str model)
{
	static const char *const prefixes[] = { "gpt-5-pro", "gpt-5.2-pro", "gpt-5.4-pro", "gpt-5.5-pro" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (str_starts_with(model, str_from(prefixes[i])))
			return true;
	return str_contains(model, STR("codex"));
}

static bool has_builtin_tool(const struct json *tools)
{
	for (uint32_t i = 0; tools && tools->type == JSON_ARRAY && i < tools->count; i++) {
		const struct json *type = json_get_lit(&tools->items[i], "type");

		if (type && type->type == JSON_STRING && !str_eq(type->text, STR("function")))
			return true;
	}
	return false;
}

bool openai_wants_responses(const struct sdk_setup *s, struct str model)
{
	static const enum openai_row fields[] = { OPENAI_REASONING, OPENAI_INCLUDE, OPENAI_TRUNCATION, OPENAI_CONTEXT_MANAGEMENT };
	const struct param_value *use = &s->values[OPENAI_USE_RESPONSES_API];
	const struct param_value *previous = &s->values[OPENAI_USE_PREVIOUS_RESPONSE_ID];
	const struct param_value *version = &s->values[OPENAI_LC_OUTPUT_VERSION];

	if (use->given)
		return use->value.type == JSON_TRUE;
	if (version->given && str_eq(version->value.text, STR("responses/v1")))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (s->values[fields[i]].given)
			return true;
	if ((previous->given && previous->value.type == JSON_TRUE) || model_prefers_responses(model))
		return true;
	return json_get_lit(&s->extras, "text") || json_get_lit(&s->extras, "previous_response_id") ||
	       has_builtin_tool(json_get_lit(&s->extras, "tools"));
}

/* ---- the body ---- */

/* A copy of the object (NULL: {}) with one more member; one of the same name is replaced. */
static struct json with_member(struct sdk_setup *s, const struct json *object, struct str key, struct json value)
{
	struct json out = { .type = JSON_OBJECT };
	uint32_t n = object && object->type == JSON_OBJECT ? object->count : 0, at;

	out.members = arena_calloc(s->arena, (size_t)n + 1, sizeof *out.members);
	if (!out.members) {
		s->nomem = true;
		return out;
	}
	if (n)
		memcpy(out.members, object->members, n * sizeof *out.members);
	for (at = 0; at < n; at++)
		if (str_eq(out.members[at].key, key))
			break;
	out.members[at] = (struct json_member){ key, value };
	out.count = MAX(n, at + 1);
	return out;
}

/* {"type": T, "function": {…}} → {"type": T, …}: Responses have no inner object. */
static struct json lifted(struct sdk_setup *s, const struct json *v, struct str inner_name)
{
	const struct json *inner = json_get(v, inner_name);
	struct json out = { .type = JSON_OBJECT };

	if (!inner || inner->type != JSON_OBJECT)
		return *v;
	for (uint32_t i = 0; i < v->count; i++)
		if (!str_eq(v->members[i].key, inner_name))
			out = with_member(s, &out, v->members[i].key, v->members[i].value);
	for (uint32_t i = 0; i < inner->count; i++)
		out = with_member(s, &out, inner->members[i].key, inner->members[i].value);
	return out;
}

static bool is_type(const struct json *v, struct str word)
{
	const struct json *type = json_get_lit(v, "type");

	return type && type->type == JSON_STRING && str_eq(type->text, word);
}

static void convert_tools(struct sdk_setup *s)
{
	const struct json *tools = sdk_body_get(s, STR("tools")), *choice = sdk_body_get(s, STR("tool_choice"));
	struct json *items;

	if (choice && is_type(choice, STR("function")))
		sdk_body_set(s, STR("tool_choice"), lifted(s, choice, STR("function")));
	if (!tools || tools->type != JSON_ARRAY || !tools->count)
		return;
	items = arena_calloc(s->arena, tools->count, sizeof *items);
	if (!items) {
		s->nomem = true;
		return;
	}
	for (uint32_t i = 0; i < tools->count; i++)
		items[i] =
		        is_type(&tools->items[i], STR("function")) ? lifted(s, &tools->items[i], STR("function")) : tools->items[i];
	sdk_body_set(s, STR("tools"), (struct json){ .type = JSON_ARRAY, .count = tools->count, .items = items });
}

static void set_text_member(struct sdk_setup *s, struct str key, struct json value)
{
	sdk_body_set(s, STR("text"), with_member(s, sdk_body_get(s, STR("text")), key, value));
}

/* response_format → text.format, verbosity → text.verbosity */
static void convert_text(struct sdk_setup *s)
{
	const struct json *format = sdk_body_get(s, STR("response_format")), *verbosity = sdk_body_get(s, STR("verbosity"));

	if (json_truthy(format)) {
		struct json lift = lifted(s, format, STR("json_schema"));

		if (!json_get_lit(&lift, "type") && json_get_lit(&lift, "schema"))
			lift = with_member(s, &lift, STR("type"), sdk_text(STR("json_schema")));
		set_text_member(s, STR("format"), lift);
	}
	if (verbosity)
		set_text_member(s, STR("verbosity"), *verbosity);
	sdk_body_drop(s, STR("response_format"));
	sdk_body_drop(s, STR("verbosity"));
}

static void convert_reasoning(struct sdk_setup *s, struct str model)
{
	const struct json *effort = sdk_body_get(s, STR("reasoning_effort")), *reasoning = sdk_body_get(s, STR("reasoning"));

	if (effort && reasoning) {
		sdk_error(s, "reasoning_effort",
		          "reasoning_effort and reasoning exclude each other: put the effort into reasoning.");
	} else if (effort) {
		sdk_body_set(s, STR("reasoning"), with_member(s, NULL, STR("effort"), *effort));
		sdk_body_drop(s, STR("reasoning_effort"));
	}
	reasoning = sdk_body_get(s, STR("reasoning"));
	effort = reasoning ? json_get_lit(reasoning, "effort") : NULL;
	if (openai_is_gpt5(model) && !(effort && effort->type == JSON_STRING && str_eq(effort->text, STR("none"))))
		sdk_body_drop(s, STR("temperature"));
}

static void refuse_chat_only(struct sdk_setup *s)
{
	static const char *const names[] = { "n", "presence_penalty", "frequency_penalty", "seed", "logprobs", "logit_bias" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (sdk_body_get(s, str_from(names[i])))
			sdk_error(s, names[i],
			          "%s is no parameter of the Responses API, which these parameters or the model choose.", names[i]);
}

void openai_responses_body(struct sdk_setup *s, struct str model)
{
	const struct json *max_tokens = sdk_body_get(s, STR("max_completion_tokens"));

	if (max_tokens) {
		sdk_body_set(s, STR("max_output_tokens"), *max_tokens);
		sdk_body_drop(s, STR("max_completion_tokens"));
	}
	if (sdk_body_get(s, STR("stop"))) {
		sdk_body_drop(s, STR("stop"));
		sdk_warning(s, "stop", "stop is not sent, because the Responses API has no such parameter.");
	}
	convert_reasoning(s, model);
	convert_tools(s);
	convert_text(s);
	refuse_chat_only(s);
}

/* ---- replies ---- */

static bool is_text(const struct json *v)
{
	return v && v->type == JSON_STRING && v->text.len;
}

static void add_piece(struct connector_turn *t, struct str piece, size_t *pieces)
{
	struct answer *a = &t->answer;

	if (!piece.len)
		return;
	if (++*pieces == 1) { /* nearly always the only one: no copy */
		a->text = piece;
		return;
	}
	if (*pieces == 2)
		sdk_add_text(t, a->text);
	sdk_add_text(t, piece);
	a->text = gather_str(&a->stream_text);
}

static void read_message(struct connector_turn *t, const struct json *item, size_t *pieces)
{
	const struct json *content = json_get_lit(item, "content");
	struct str text;
	bool nomem = false;

	if (!content_text(t->arena, content, &text, &nomem)) {
		sdk_fail_bad(t, "the content of an output message is neither text nor a list of parts");
		return;
	}
	if (nomem)
		sdk_fail_nomem(t);
	add_piece(t, text, pieces);
	for (uint32_t i = 0; content && content->type == JSON_ARRAY && i < content->count; i++)
		t->answer.refused |= is_type(&content->items[i], STR("refusal"));
}

static bool is_call(const struct json *item)
{
	const struct json *type = json_get_lit(item, "type");

	return type && type->type == JSON_STRING && str_ends_with(type->text, STR("_call"));
}

/* The items of a response's output, in order. */
static void read_output(struct connector_turn *t, const struct json *output)
{
	size_t pieces = 0;

	for (uint32_t i = 0; i < output->count && !t->answer.failed; i++) {
		const struct json *item = &output->items[i];

		if (is_type(item, STR("message")))
			read_message(t, item, &pieces);
		t->answer.tools |= is_call(item);
	}
}

static void read_usage(struct answer *a, const struct json *usage)
{
	if (!usage || usage->type != JSON_OBJECT)
		return;
	a->usage.input_tokens = usage_count(usage, STR("input_tokens"));
	a->usage.output_tokens = usage_count(usage, STR("output_tokens"));
	a->usage.total_tokens = usage_count(usage, STR("total_tokens"));
}

/* What stands beside the output: model, usage, and why it ended. The reason of an incomplete response, else its status. */
static void read_state(struct connector_turn *t, const struct json *response)
{
	const struct json *details = json_get_lit(response, "incomplete_details");
	const struct json *reason = details ? json_get_lit(details, "reason") : NULL;
	struct answer *a = &t->answer;

	sdk_keep(t, json_get_lit(response, "model"), &a->model);
	sdk_keep(t, is_text(reason) ? reason : json_get_lit(response, "status"), &a->finish_reason);
	read_usage(a, json_get_lit(response, "usage"));
	a->filtered |= is_text(reason) && str_eq(reason->text, STR("content_filter"));
	a->truncated |= is_text(reason) && str_eq(reason->text, STR("max_output_tokens"));
}

static void read_reply(struct connector_turn *t, const struct json *reply)
{
	const struct json *error = json_get_lit(reply, "error"), *output = json_get_lit(reply, "output");
	const struct json *status = json_get_lit(reply, "status");

	if (reply->type != JSON_OBJECT) {
		sdk_fail_bad(t, "the reply is a JSON %s instead of an object", json_type_name(reply->type));
		return;
	}
	if (json_truthy(error)) {
		sdk_fail_error(t, error);
		return;
	}
	read_state(t, reply);
	if (is_text(status) && (str_eq(status->text, STR("failed")) || str_eq(status->text, STR("cancelled"))))
		sdk_fail_bad(t, "the response has the status %.*s", STR_ARG(status->text));
	else if (!output || output->type != JSON_ARRAY)
		sdk_fail_bad(t, "the reply has no output (%s)", output ? json_type_name(output->type) : "missing");
	else
		read_output(t, output);
}

/* ---- events ---- */

/* The closing event carries the whole response: its state, and the text where no delta came. */
static void read_closing(struct connector_turn *t, const struct json *response)
{
	struct answer *a = &t->answer;
	size_t before = a->stream_text.len;
	const struct json *output;

	if (!response || response->type != JSON_OBJECT) {
		sdk_fail_bad(t, "the closing event of the stream has no response");
		return;
	}
	a->begun = true;
	if (before == 0) {
		read_reply(t, response);
		if (!a->failed && a->text.len && a->stream_text.len == 0)
			sdk_add_text(t, a->text);
	} else {
		output = json_get_lit(response, "error");
		if (json_truthy(output))
			sdk_fail_error(t, output);
		read_state(t, response);
	}
	a->done = true;
}

static void read_error_event(struct connector_turn *t, const struct json *event)
{
	const struct json *error = json_get_lit(event, "error");

	sdk_fail_error(t, json_truthy(error) ? error : event);
}

static void read_delta(struct connector_turn *t, const struct json *event)
{
	const struct json *delta = json_get_lit(event, "delta");

	t->answer.begun = true;
	if (delta && delta->type == JSON_STRING)
		sdk_add_text(t, delta->text);
	else
		sdk_fail_bad(t, "a text delta of the stream has no text");
}

static void read_event(struct connector_turn *t, struct str type, const struct json *event)
{
	const struct json *named = json_get_lit(event, "type"), *response = json_get_lit(event, "response");
	const struct json *item = json_get_lit(event, "item");

	if (is_text(named))
		type = named->text;
	if (event->type != JSON_OBJECT)
		sdk_fail_bad(t, "an event of the stream is a JSON %s instead of an object", json_type_name(event->type));
	else if (str_eq(type, STR("error")) || json_truthy(json_get_lit(event, "error")))
		read_error_event(t, event);
	else if (str_eq(type, STR("response.output_text.delta")))
		read_delta(t, event);
	else if (str_starts_with(type, STR("response.refusal.")))
		t->answer.begun = t->answer.refused = true;
	else if (str_eq(type, STR("response.completed")) || str_eq(type, STR("response.incomplete")) ||
	         str_eq(type, STR("response.failed")))
		read_closing(t, response);
	else if (item && str_eq(type, STR("response.output_item.done")))
		t->answer.tools |= is_call(item);
	else if (response)
		sdk_keep(t, json_get_lit(response, "model"), &t->answer.model);
}

const struct sdk_wire sdk_wire_responses = {
	.messages_key = "input",
	.message_end = ",\"type\":\"message\"}",
	.path = "/responses",
	.read_reply = read_reply,
	.read_event = read_event,
};
