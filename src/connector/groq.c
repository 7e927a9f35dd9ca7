/*
 * groq.c: ChatGroq: its parameters, and the defaults that it always sends (n, stop, temperature, service_tier and the reasoning fields, null when unset).
 * Replies are chat completions (chat.c).
 *
 * The class appends /openai/v1/chat/completions to base_url; a base that already ends in the API's own path is not doubled here.
 */
#include "connector/groq.h"

#include "connector/langchain_params.h"
#include "connector/sdk.h"
#include "connector/setup.h"

enum {
	ROW_MODEL,
	ROW_TEMPERATURE,
	ROW_MAX_TOKENS,
	ROW_STOP,
	ROW_N,
	ROW_STREAMING,
	ROW_REASONING_FORMAT,
	ROW_REASONING_EFFORT,
	ROW_SERVICE_TIER,
	ROW_API_KEY,
	ROW_API_BASE,
	ROW_PROXY,
	ROW_TIMEOUT,
	ROW_MAX_RETRIES,
	ROW_DEFAULT_HEADERS,
	ROW_DEFAULT_QUERY,
	ROW_MODEL_KWARGS,
	ROW_HTTP_CLIENT,
	ROW_HTTP_ASYNC_CLIENT,
	ROW_CLIENT,
	ROW_ASYNC_CLIENT,
	LANGCHAIN_FIELDS(ROW_LC),
	ROW_COUNT
};

/* A row whose wire begins with "body " is copied into the body under that name by sdk_body_from_rows. */
#define ROW(name, alias, type, nullable, def, wire)                                     \
	{                                                                               \
		name, alias, NULL, type, nullable, false, NULL, def, wire, PARAM_ANYONE \
	}

static const struct param_row rows[ROW_COUNT] = {
	[ROW_MODEL] = { "model_name", "model", NULL, PARAM_STRING, false, true, NULL, "required", "body model", PARAM_ANYONE },
	[ROW_TEMPERATURE] = ROW("temperature", NULL, PARAM_FLOAT, false, "0.7", "body temperature"),
	[ROW_MAX_TOKENS] = ROW("max_tokens", NULL, PARAM_INT, true, "none", "body max_tokens"),
	[ROW_STOP] = ROW("stop", "stop_sequences", PARAM_STRING_OR_LIST, true, "null", "body stop"),
	[ROW_N] = ROW("n", NULL, PARAM_INT, false, "1", "body n"),
	[ROW_STREAMING] = ROW("streaming", NULL, PARAM_BOOL, false, "false", "body stream"),
	[ROW_REASONING_FORMAT] = { "reasoning_format", NULL, NULL, PARAM_LITERAL, true, false, "parsed|raw|hidden", "null",
	                           "body reasoning_format", PARAM_ANYONE },
	[ROW_REASONING_EFFORT] = ROW("reasoning_effort", NULL, PARAM_STRING, true, "null", "body reasoning_effort"),
	[ROW_SERVICE_TIER] = { "service_tier", NULL, NULL, PARAM_LITERAL, false, false, "on_demand|flex|auto", "on_demand",
	                       "body service_tier", PARAM_ANYONE },
	[ROW_API_KEY] = ROW("groq_api_key", "api_key", PARAM_SECRET, true, "LLM_API_KEY, GROQ_API_KEY", "header Authorization"),
	[ROW_API_BASE] =
	        ROW("groq_api_base", "base_url", PARAM_STRING, true, "GROQ_API_BASE, GROQ_BASE_URL, https://api.groq.com", "URL"),
	[ROW_PROXY] = ROW("groq_proxy", NULL, PARAM_STRING, true, "none", "not sent"),
	[ROW_TIMEOUT] = ROW("request_timeout", "timeout", PARAM_TIMEOUT, true, "none", "longest silence of the server"),
	[ROW_MAX_RETRIES] = ROW("max_retries", NULL, PARAM_INT, false, "2", "extra attempts"),
	[ROW_DEFAULT_HEADERS] = ROW("default_headers", NULL, PARAM_STRING_MAP, true, "none", "headers"),
	[ROW_DEFAULT_QUERY] = ROW("default_query", NULL, PARAM_OBJECT, true, "none", "query"),
	[ROW_MODEL_KWARGS] = ROW("model_kwargs", NULL, PARAM_OBJECT, false, "{}", "members of the body"),
	[ROW_HTTP_CLIENT] = ROW("http_client", NULL, PARAM_ANY, true, "none", "refused"),
	[ROW_HTTP_ASYNC_CLIENT] = ROW("http_async_client", NULL, PARAM_ANY, true, "none", "refused"),
	[ROW_CLIENT] = ROW("client", NULL, PARAM_ANY, true, "none", "refused"),
	[ROW_ASYNC_CLIENT] = ROW("async_client", NULL, PARAM_ANY, true, "none", "refused"),
	LANGCHAIN_ROWS,
};

/* Names that the SDK's chat.completions.create takes beside the class's fields. */
static const char *const extras[] = {
	"citation_options",
	"compound_custom",
	"disable_tool_validation",
	"documents",
	"exclude_domains",
	"frequency_penalty",
	"function_call",
	"functions",
	"include_domains",
	"include_reasoning",
	"logit_bias",
	"logprobs",
	"max_completion_tokens",
	"parallel_tool_calls",
	"presence_penalty",
	"response_format",
	"search_settings",
	"seed",
	"store",
	"tool_choice",
	"tools",
	"top_logprobs",
	"top_p",
	"user",
	NULL,
};

static const char *const own_paths[] = { "/openai/v1/chat/completions", "/openai/v1", NULL };

static struct str text_of(const struct sdk_setup *s, size_t row)
{
	const struct param_value *v = &s->values[row];

	return v->given && v->value.type == JSON_STRING ? v->value.text : STR_NULL;
}

static bool wants_stream(const struct sdk_setup *s)
{
	const struct param_value *v = &s->values[ROW_STREAMING];

	return v->given ? v->value.type == JSON_TRUE : s->setup->stream;
}

static void read_model(struct sdk_setup *s)
{
	struct str model = text_of(s, ROW_MODEL);

	if (s->values[ROW_MODEL].given && !model.len)
		sdk_error(s, "model", "model must not be empty.");
	if (arena_str(s->arena, model, &s->c->base.model) != 0)
		s->nomem = true;
}

static struct json number(const char *text)
{
	return (struct json){ .type = JSON_NUMBER, .text = str_from(text) };
}

/* What the class sends whether or not it was asked to. */
static void set_defaults(struct sdk_setup *s)
{
	static const struct json null = { .type = JSON_NULL };

	sdk_body_set(s, STR("model"), sdk_text(s->c->base.model));
	sdk_body_set(s, STR("n"), number("1"));
	sdk_body_set(s, STR("reasoning_effort"), null);
	sdk_body_set(s, STR("reasoning_format"), null);
	sdk_body_set(s, STR("service_tier"), sdk_text(STR("on_demand")));
	sdk_body_set(s, STR("stop"), null);
	sdk_body_set(s, STR("stream"), sdk_bool(false));
	sdk_body_set(s, STR("temperature"), number("0.7"));
}

static void check_n(struct sdk_setup *s)
{
	const struct param_value *v = &s->values[ROW_N];

	if (!v->given)
		return;
	if (json_to_double(&v->value) < 1)
		sdk_error(s, "n", "n must be at least 1.");
	else if (json_to_double(&v->value) > 1 && wants_stream(s))
		sdk_error(s, "n", "n must be 1 when streaming.");
}

static void build_body(struct sdk_setup *s)
{
	const struct param_value *temperature = &s->values[ROW_TEMPERATURE];

	read_model(s);
	set_defaults(s);
	sdk_body_from_rows(s);
	s->c->base.streaming = wants_stream(s);
	sdk_body_set(s, STR("stream"), sdk_bool(s->c->base.streaming));
	if (temperature->given && json_to_double(&temperature->value) == 0.0)
		sdk_body_set(s, STR("temperature"), number("1e-08"));
	check_n(s);
	sdk_body_from_extras(s, extras);
	sdk_body_merge(s, json_get_lit(&s->extras, "extra_body"));
}

static void build_url(struct sdk_setup *s)
{
	static const char *const variables[] = { "GROQ_API_BASE", "GROQ_BASE_URL" };
	struct sdk_base base = {
		.name = "base_url", .fallback = "https://api.groq.com", .own_paths = own_paths, .lists = SDK_LISTS_COMMA
	};

	if (s->values[ROW_API_BASE].given)
		base.url = s->values[ROW_API_BASE].value.text.len ? text_of(s, ROW_API_BASE) : STR("");
	for (size_t i = 0; i < ARRAY_SIZE(variables) && !base.url.ptr; i++) {
		base.url = setup_env(s->setup, variables[i]);
		if (base.url.ptr) {
			base.name = variables[i];
			base.from_env = true;
		}
	}
	sdk_user_query(s, &s->values[ROW_DEFAULT_QUERY]);
	sdk_set_url(s, &base);
}

static void refuse_clients(struct sdk_setup *s)
{
	for (size_t i = ROW_HTTP_CLIENT; i <= ROW_HTTP_ASYNC_CLIENT; i++)
		if (s->values[i].given)
			sdk_error(s, rows[i].name, "%s is a Python object and cannot be given as JSON: remove it.", rows[i].name);
	sdk_refuse_object(s, ROW_CLIENT, false);
	sdk_refuse_object(s, ROW_ASYNC_CLIENT, true);
	if (s->values[ROW_PROXY].given)
		sdk_warning(s, "groq_proxy", "groq_proxy has no effect in ChatGroq.");
}

static const struct sdk_key_source key_source = {
	.param = "api_key",
	.env = "GROQ_API_KEY",
	.missing = SETUP_FAILED
	"The api_key client option must be set either by passing api_key to the client or by setting the GROQ_API_KEY "
	"environment variable",
};

static int configure(const struct connector_class *class, const struct connector_setup *setup, struct problems *problems,
                     struct connector **ret)
{
	static const struct sdk_rows fold = { ROW_MODEL_KWARGS, ROW_LC_NAME, false };
	struct sdk_setup s;
	int r = sdk_begin(&s, class, setup, problems);

	if (r != 0)
		return r;
	s.c->wire = &sdk_wire_groq;
	sdk_read(&s, &fold);
	if (!s.nomem) {
		sdk_read_key(&s, &s.values[ROW_API_KEY], &key_source);
		s.failed |= !setup_max_retries(&s.c->base, &s.values[ROW_MAX_RETRIES], setup->pointer, problems);
		setup_timeout(&s.c->base, &s.values[ROW_TIMEOUT]);
		refuse_clients(&s);
		build_body(&s);
		sdk_common_headers(&s);
		sdk_user_headers(&s, &s.values[ROW_DEFAULT_HEADERS]);
		build_url(&s);
		sdk_render(&s);
	}
	return sdk_end(&s, ret);
}

static const char *const class_paths[] = { "langchain_groq.chat_models.ChatGroq", "langchain_groq.ChatGroq", NULL };

const struct connector_class groq_class = {
	.name = "ChatGroq",
	.short_name = "groq",
	.label = "Groq",
	.class_paths = class_paths,
	.summary = "Groq's chat completions",
	.params = rows,
	.param_count = ARRAY_SIZE(rows),
	.retry = SDK_RETRY_RULES,
	.configure = configure,
	.begin = sdk_turn_begin,
	.encode = sdk_turn_encode,
	.head = sdk_turn_head,
	.feed = sdk_turn_feed,
	.finish = sdk_turn_finish,
	.end = sdk_turn_end,
};
