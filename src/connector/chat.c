/*
 * chat.c: the chat completions wire, as OpenAI, Groq and the many servers that speak like them answer it: whole replies and streamed chunks.
 *
 * Generous where the reference's failure was an accident (a missing role, a null delta), strict where a guess would be a wrong answer: a reply without
 * the promised structure is an error, never an empty answer. The first element of `choices` counts, whatever its index.
 */
#include "connector/sdk.h"

static bool is_text(const struct json *v)
{
	return v && v->type == JSON_STRING && v->text.len;
}

static bool is_word(const struct json *v, struct str word)
{
	return v && v->type == JSON_STRING && str_eq(v->text, word);
}

static const char *name_of(const struct json *v)
{
	return v ? json_type_name(v->type) : "missing";
}

static void read_usage(struct answer *a, const struct json *usage)
{
	if (!usage || usage->type != JSON_OBJECT)
		return;
	a->usage.input_tokens = usage_count(usage, STR("prompt_tokens"));
	a->usage.output_tokens = usage_count(usage, STR("completion_tokens"));
	a->usage.total_tokens = usage_count(usage, STR("total_tokens"));
}

static void read_finish(struct answer *a, const struct json *reason)
{
	a->truncated |= is_word(reason, STR("length"));
	a->filtered |= is_word(reason, STR("content_filter"));
}

/* Signs beside the text, in a message or a delta. */
static void read_signs(struct answer *a, const struct json *message)
{
	const struct json *tools = json_get_lit(message, "tool_calls");
	const struct json *call = json_get_lit(message, "function_call");

	a->refused |= is_text(json_get_lit(message, "refusal"));
	a->tools |= (tools && tools->type == JSON_ARRAY && tools->count) || (call && call->type == JSON_OBJECT);
}

/* ---- whole replies ---- */

static void read_choice(struct connector_turn *t, const struct json *choice)
{
	const struct json *message = json_get_lit(choice, "message"), *content;
	const struct json *reason = json_get_lit(choice, "finish_reason");
	bool nomem = false;

	if (!message || message->type != JSON_OBJECT) {
		sdk_fail_bad(t, "the first choice has no message");
		return;
	}
	content = json_get_lit(message, "content");
	if (!content_text(t->arena, content, &t->answer.text, &nomem))
		sdk_fail_bad(t, "the content of the answer is neither text nor a list of parts (%s)", name_of(content));
	if (nomem)
		sdk_fail_nomem(t);
	if (is_text(reason))
		t->answer.finish_reason = reason->text;
	read_finish(&t->answer, reason);
	read_signs(&t->answer, message);
}

static void read_reply(struct connector_turn *t, const struct json *reply)
{
	const struct json *error = json_get_lit(reply, "error"), *choices = json_get_lit(reply, "choices");
	const struct json *model = json_get_lit(reply, "model");

	if (reply->type != JSON_OBJECT) {
		sdk_fail_bad(t, "the reply is a JSON %s instead of an object", json_type_name(reply->type));
		return;
	}
	if (json_truthy(error) && !(t->c->wire->choices_win && json_truthy(choices))) {
		sdk_fail_error(t, error);
		return;
	}
	if (!choices || choices->type != JSON_ARRAY || !choices->count) {
		sdk_fail_bad(t, "the reply has no choices (%s)",
		             choices && choices->type == JSON_ARRAY ? "an empty list" : name_of(choices));
		return;
	}
	if (is_text(model))
		t->answer.model = model->text;
	read_usage(&t->answer, json_get_lit(reply, "usage"));
	read_choice(t, &choices->items[0]);
	if (t->c->parse_format) /* parse() looks at every choice */
		for (uint32_t i = 1; i < choices->count; i++)
			read_finish(&t->answer, json_get_lit(&choices->items[i], "finish_reason"));
}

/* ---- streamed chunks ---- */

static void read_delta(struct connector_turn *t, const struct json *delta)
{
	const struct json *content;
	struct str text;
	bool nomem = false;

	if (!delta || delta->type == JSON_NULL)
		return;
	if (delta->type != JSON_OBJECT) {
		sdk_fail_bad(t, "a delta of the stream is a JSON %s instead of an object", json_type_name(delta->type));
		return;
	}
	content = json_get_lit(delta, "content");
	if (!content_text(&t->scratch, content, &text, &nomem))
		sdk_fail_bad(t, "the content of a delta is neither text nor a list of parts (%s)", name_of(content));
	else if (nomem)
		sdk_fail_nomem(t);
	else
		sdk_add_text(t, text);
	read_signs(&t->answer, delta);
}

/* The error that an event reports: its error member, or the whole event when its type says so. */
static const struct json *error_of(struct str type, const struct json *event)
{
	const struct json *error = json_get_lit(event, "error");

	if (json_truthy(error))
		return error;
	return str_eq(type, STR("error")) ? event : NULL;
}

static void read_event(struct connector_turn *t, struct str type, const struct json *event)
{
	const struct json *error = error_of(type, event), *choices = json_get_lit(event, "choices");
	const struct json *x_groq = json_get_lit(event, "x_groq"), *choice, *reason;

	if (event->type != JSON_OBJECT) {
		sdk_fail_bad(t, "an event of the stream is a JSON %s instead of an object", json_type_name(event->type));
		return;
	}
	if (error) {
		sdk_fail_error(t, error);
		return;
	}
	sdk_keep(t, json_get_lit(event, "model"), &t->answer.model);
	read_usage(&t->answer, json_get_lit(event, "usage"));
	read_usage(&t->answer, x_groq ? json_get_lit(x_groq, "usage") : NULL);
	if (!choices || choices->type != JSON_ARRAY || !choices->count)
		return;
	t->answer.begun = true;
	choice = &choices->items[0];
	if (choice->type != JSON_OBJECT) {
		sdk_fail_bad(t, "a choice of the stream is a JSON %s instead of an object", json_type_name(choice->type));
		return;
	}
	reason = json_get_lit(choice, "finish_reason");
	read_delta(t, json_get_lit(choice, "delta"));
	sdk_keep(t, reason, &t->answer.finish_reason);
	read_finish(&t->answer, reason);
}

const struct sdk_wire sdk_wire_chat = {
	.messages_key = "messages",
	.message_end = "}",
	.path = "/chat/completions",
	.read_reply = read_reply,
	.read_event = read_event,
};

/* The same, behind a base URL without the version, and an error beside choices does not count. */
const struct sdk_wire sdk_wire_groq = {
	.messages_key = "messages",
	.message_end = "}",
	.path = "/openai/v1/chat/completions",
	.choices_win = true,
	.read_reply = read_reply,
	.read_event = read_event,
};
