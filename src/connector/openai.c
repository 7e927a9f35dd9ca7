/*
 * openai.c: ChatOpenAI: its parameters, and what they become in a chat completions request. The Responses API's differences are in
 * openai_responses.c; replies in chat.c.
 *
 * Order of the configuration: fields and model_kwargs → which API → temperature rules → body → headers → query and URL → extra_body over it all.
 * LANGSMITH_GATEWAY, which redirects base URL and key of the newest class, is ignored: a request goes where its payload or its operator says.
 */
#include "connector/openai.h"

#include "connector/setup.h"

/* A row whose wire begins with "body " is copied into the body under that name by sdk_body_from_rows. */
#define BODY(name) "body " name
#define NOT_SENT   "not sent"
#define ROW(name, type, def, wire)                                                 \
	{                                                                          \
		name, NULL, NULL, type, true, false, NULL, def, wire, PARAM_ANYONE \
	}

static const struct param_row rows[OPENAI_ROW_COUNT] = {
	[OPENAI_MODEL] = { "model_name", "model", NULL, PARAM_STRING, false, false, NULL, "gpt-3.5-turbo", BODY("model"),
	                   PARAM_ANYONE },
	[OPENAI_TEMPERATURE] = ROW("temperature", PARAM_FLOAT, "none (o1: 1.0)", BODY("temperature")),
	[OPENAI_MAX_TOKENS] = { "max_tokens", "max_completion_tokens", NULL, PARAM_INT, true, false, NULL, "none",
	                        BODY("max_completion_tokens"), PARAM_ANYONE },
	[OPENAI_STOP] = { "stop", "stop_sequences", NULL, PARAM_STRING_OR_LIST, true, false, NULL, "none", BODY("stop"),
	                  PARAM_ANYONE },
	[OPENAI_N] = ROW("n", PARAM_INT, "none", BODY("n")),
	[OPENAI_TOP_P] = ROW("top_p", PARAM_FLOAT, "none", BODY("top_p")),
	[OPENAI_PRESENCE_PENALTY] = ROW("presence_penalty", PARAM_FLOAT, "none", BODY("presence_penalty")),
	[OPENAI_FREQUENCY_PENALTY] = ROW("frequency_penalty", PARAM_FLOAT, "none", BODY("frequency_penalty")),
	[OPENAI_SEED] = ROW("seed", PARAM_INT, "none", BODY("seed")),
	[OPENAI_LOGPROBS] = ROW("logprobs", PARAM_BOOL, "none", BODY("logprobs")),
	[OPENAI_TOP_LOGPROBS] = ROW("top_logprobs", PARAM_INT, "none", BODY("top_logprobs")),
	[OPENAI_LOGIT_BIAS] = ROW("logit_bias", PARAM_INT_MAP, "none", BODY("logit_bias")),
	[OPENAI_STREAMING] = { "streaming", NULL, NULL, PARAM_BOOL, false, false, NULL, "false", BODY("stream"), PARAM_ANYONE },
	[OPENAI_STREAM_USAGE] =
	        ROW("stream_usage", PARAM_BOOL, "true for api.openai.com", "stream_options.include_usage when streaming"),
	[OPENAI_STREAM_CHUNK_TIMEOUT] = ROW("stream_chunk_timeout", PARAM_FLOAT, "none", "longest silence inside a stream"),
	[OPENAI_REASONING_EFFORT] = ROW("reasoning_effort", PARAM_STRING, "none", BODY("reasoning_effort")),
	[OPENAI_REASONING] = ROW("reasoning", PARAM_OBJECT, "none", BODY("reasoning")),
	[OPENAI_VERBOSITY] = ROW("verbosity", PARAM_STRING, "none", BODY("verbosity")),
	[OPENAI_SERVICE_TIER] = ROW("service_tier", PARAM_STRING, "none", BODY("service_tier")),
	[OPENAI_STORE] = ROW("store", PARAM_BOOL, "none", BODY("store")),
	[OPENAI_TRUNCATION] = ROW("truncation", PARAM_STRING, "none", BODY("truncation")),
	[OPENAI_INCLUDE] = ROW("include", PARAM_STRING_LIST, "none", BODY("include")),
	[OPENAI_CONTEXT_MANAGEMENT] = ROW("context_management", PARAM_LIST, "none", BODY("context_management")),
	[OPENAI_PROMPT_CACHE_OPTIONS] = ROW("prompt_cache_options", PARAM_OBJECT, "none", BODY("prompt_cache_options")),
	[OPENAI_USE_RESPONSES_API] =
	        ROW("use_responses_api", PARAM_BOOL, "by model and parameters", "path: /responses or /chat/completions"),
	[OPENAI_USE_PREVIOUS_RESPONSE_ID] = { "use_previous_response_id", NULL, NULL, PARAM_BOOL, false, false, NULL, "false",
	                                      "path: true chooses /responses", PARAM_ANYONE },
	[OPENAI_API_KEY] = { "openai_api_key", "api_key", NULL, PARAM_SECRET, true, false, NULL, "LLM_API_KEY, OPENAI_API_KEY",
	                     "header Authorization", PARAM_ANYONE },
	[OPENAI_API_BASE] = { "openai_api_base", "base_url", NULL, PARAM_STRING, true, false, NULL,
	                      "OPENAI_API_BASE, OPENAI_BASE_URL, https://api.openai.com/v1", "URL", PARAM_ANYONE },
	[OPENAI_ORGANIZATION] = { "openai_organization", "organization", NULL, PARAM_STRING, true, false, NULL,
	                          "OPENAI_ORG_ID, OPENAI_ORGANIZATION", "header OpenAI-Organization", PARAM_ANYONE },
	[OPENAI_PROXY] = { "openai_proxy", NULL, NULL, PARAM_STRING, true, false, NULL, "OPENAI_PROXY", "proxy", PARAM_OPERATOR },
	[OPENAI_TIMEOUT] = { "request_timeout", "timeout", NULL, PARAM_TIMEOUT, true, false, NULL, "none",
	                     "longest silence of the server", PARAM_ANYONE },
	[OPENAI_MAX_RETRIES] = ROW("max_retries", PARAM_INT, "2", "extra attempts"),
	[OPENAI_DEFAULT_HEADERS] = ROW("default_headers", PARAM_STRING_MAP, "none", "headers"),
	[OPENAI_DEFAULT_QUERY] = ROW("default_query", PARAM_OBJECT, "none", "query"),
	[OPENAI_EXTRA_BODY] = ROW("extra_body", PARAM_OBJECT, "none", "members of the body, over all others"),
	[OPENAI_MODEL_KWARGS] = { "model_kwargs", NULL, NULL, PARAM_OBJECT, false, false, NULL, "{}", "members of the body",
	                          PARAM_ANYONE },
	[OPENAI_DISABLED_PARAMS] = ROW("disabled_params", PARAM_OBJECT, "none", NOT_SENT),
	[OPENAI_INCLUDE_RESPONSE_HEADERS] = { "include_response_headers", NULL, NULL, PARAM_BOOL, false, false, NULL, "false",
	                                      NOT_SENT, PARAM_ANYONE },
	[OPENAI_TIKTOKEN_MODEL_NAME] = ROW("tiktoken_model_name", PARAM_STRING, "none", NOT_SENT),
	[OPENAI_HTTP_SOCKET_OPTIONS] = ROW("http_socket_options", PARAM_LIST, "none", NOT_SENT),
	[OPENAI_HTTP_CLIENT] = ROW("http_client", PARAM_ANY, "none", "refused"),
	[OPENAI_HTTP_ASYNC_CLIENT] = ROW("http_async_client", PARAM_ANY, "none", "refused"),
	[OPENAI_CLIENT] = ROW("client", PARAM_ANY, "none", "refused"),
	[OPENAI_ASYNC_CLIENT] = ROW("async_client", PARAM_ANY, "none", "refused"),
	[OPENAI_ROOT_CLIENT] = ROW("root_client", PARAM_ANY, "none", "refused"),
	[OPENAI_ROOT_ASYNC_CLIENT] = ROW("root_async_client", PARAM_ANY, "none", "refused"),
	LANGCHAIN_ROWS,
};

/* Names that the SDK's chat.completions.create takes beside the class's fields. */
static const char *const chat_extras[] = {
	"audio",
	"function_call",
	"functions",
	"messages",
	"modalities",
	"moderation",
	"parallel_tool_calls",
	"prediction",
	"prompt_cache_key",
	"prompt_cache_retention",
	"response_format",
	"safety_identifier",
	"stream_options",
	"tool_choice",
	"tools",
	"user",
	"web_search_options",
	NULL,
};

/* Names that responses.create takes, and those that the class turns into them. */
static const char *const responses_extras[] = {
	"background",
	"conversation",
	"instructions",
	"max_output_tokens",
	"max_tool_calls",
	"moderation",
	"parallel_tool_calls",
	"previous_response_id",
	"prompt",
	"prompt_cache_key",
	"prompt_cache_retention",
	"response_format",
	"safety_identifier",
	"stream_options",
	"text",
	"tool_choice",
	"tools",
	"user",
	NULL,
};

static const char *const own_paths[] = { "/chat/completions", "/responses", NULL };

static const struct param_value *value_of(const struct sdk_setup *s, enum openai_row row)
{
	return &s->values[row];
}

static struct str text_of(const struct sdk_setup *s, enum openai_row row)
{
	const struct param_value *v = &s->values[row];

	return v->given && v->value.type == JSON_STRING ? v->value.text : STR_NULL;
}

static bool is_true(const struct sdk_setup *s, enum openai_row row)
{
	return s->values[row].given && s->values[row].value.type == JSON_TRUE;
}

/* ---- model and temperature ---- */

static struct str read_model(struct sdk_setup *s)
{
	const struct param_value *v = value_of(s, OPENAI_MODEL);
	struct str model = v->raw ? text_of(s, OPENAI_MODEL) : STR("gpt-3.5-turbo");

	if (v->given && !model.len)
		sdk_error(s, "model", "model must not be empty.");
	if (arena_str(s->arena, model, &s->c->base.model) != 0)
		s->nomem = true;
	sdk_body_set(s, STR("model"), sdk_text(s->c->base.model));
	s->c->developer_role = model.len >= 2 && model.ptr[0] == 'o' && model.ptr[1] >= '0' && model.ptr[1] <= '9';
	return model;
}

static bool starts_with_nocase(struct str s, struct str prefix)
{
	return str_eq_nocase(str_sub(s, 0, prefix.len), prefix);
}

bool openai_is_gpt5(struct str model)
{
	return starts_with_nocase(model, STR("gpt-5")) && !str_contains_nocase(model, STR("chat"));
}

static bool does_not_reason(const struct sdk_setup *s)
{
	const struct param_value *reasoning = value_of(s, OPENAI_REASONING);
	const struct json *effort = reasoning->given ? json_get_lit(&reasoning->value, "effort") : NULL;

	return str_eq(text_of(s, OPENAI_REASONING_EFFORT), STR("none")) ||
	       (effort && effort->type == JSON_STRING && str_eq(effort->text, STR("none")));
}

/* o1 gets 1.0 when nothing is said; gpt-5 takes no other than 1. */
static void apply_temperature_rules(struct sdk_setup *s, struct str model)
{
	const struct param_value *v = value_of(s, OPENAI_TEMPERATURE);

	if (!v->raw && starts_with_nocase(model, STR("o1")))
		sdk_body_set(s, STR("temperature"), (struct json){ .type = JSON_NUMBER, .text = STR("1.0") });
	if (!v->given || !openai_is_gpt5(model) || does_not_reason(s) || json_to_double(&v->value) == 1.0)
		return;
	sdk_body_drop(s, STR("temperature"));
	sdk_warning(s, "temperature", "temperature is not sent, because %.*s takes no other than 1.", STR_ARG(model));
}

/* ---- body ---- */

static bool wants_stream(const struct sdk_setup *s)
{
	const struct param_value *v = value_of(s, OPENAI_STREAMING);

	return !s->disable_streaming && (v->given ? v->value.type == JSON_TRUE : s->setup->stream);
}

static void check_n(struct sdk_setup *s)
{
	const struct param_value *v = value_of(s, OPENAI_N);

	if (!v->given)
		return;
	if (json_to_double(&v->value) < 1)
		sdk_error(s, "n", "n must be at least 1.");
	else if (json_to_double(&v->value) > 1 && wants_stream(s))
		sdk_error(s, "n", "n must be 1 when streaming.");
}

/* An empty stop list is not sent. */
static void apply_stop(struct sdk_setup *s)
{
	const struct param_value *v = value_of(s, OPENAI_STOP);

	if (v->given && !json_truthy(&v->value))
		sdk_body_drop(s, STR("stop"));
}

/* Usage is asked for by stream_options, by stream_usage, or by default where the provider itself is asked. */
static bool wants_usage(const struct sdk_setup *s)
{
	static const char *const elsewhere[] = { "OPENAI_API_BASE", "OPENAI_BASE_URL", "OPENAI_PROXY" };
	const struct json *options = json_get_lit(&s->extras, "stream_options");
	const struct json *include = options ? json_get_lit(options, "include_usage") : NULL;

	if (include && json_is_bool(include))
		return include->type == JSON_TRUE;
	if (value_of(s, OPENAI_STREAM_USAGE)->given)
		return is_true(s, OPENAI_STREAM_USAGE);
	if (value_of(s, OPENAI_API_BASE)->given || value_of(s, OPENAI_PROXY)->given)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++)
		if (setup_env(s->setup, elsewhere[i]).len)
			return false;
	return true;
}

static void apply_stream_usage(struct sdk_setup *s)
{
	static const struct json_member member = { { "include_usage", 13 }, { .type = JSON_TRUE } };
	struct json_member *copy;

	if (!wants_stream(s) || !wants_usage(s))
		return;
	copy = arena_alloc(s->arena, sizeof *copy);
	if (!copy) {
		s->nomem = true;
		return;
	}
	*copy = member;
	sdk_body_set(s, STR("stream_options"), (struct json){ .type = JSON_OBJECT, .count = 1, .members = copy });
}

/* parse() takes only strict function tools. */
static void check_tools(struct sdk_setup *s)
{
	const struct json *tools = sdk_body_get(s, STR("tools"));

	for (uint32_t i = 0; tools && tools->type == JSON_ARRAY && i < tools->count; i++) {
		const struct json *function = json_get_lit(&tools->items[i], "function");
		const struct json *strict = function ? json_get_lit(function, "strict") : NULL;

		if (!strict || strict->type != JSON_TRUE)
			sdk_error(s, "tools",
			          "tools must be functions with strict: true when a response_format is given, but tool %u is not.",
			          i);
	}
}

static void apply_response_format(struct sdk_setup *s)
{
	s->c->parse_format = sdk_body_get(s, STR("response_format")) != NULL;
	if (s->c->parse_format)
		check_tools(s);
}

/* Types of extras that both APIs need to be right. */
static void check_extras(struct sdk_setup *s)
{
	const struct json *format = sdk_body_get(s, STR("response_format")), *tools = sdk_body_get(s, STR("tools"));

	if (format && format->type != JSON_OBJECT)
		sdk_error(s, "response_format", "response_format must be an object, but it is a JSON %s.",
		          json_type_name(format->type));
	if (tools && tools->type != JSON_ARRAY)
		sdk_error(s, "tools", "tools must be a list, but it is a JSON %s.", json_type_name(tools->type));
}

/* Fields that choose the Responses API, where use_responses_api: false forbids it. */
static void refuse_responses_only(struct sdk_setup *s)
{
	static const enum openai_row fields[] = { OPENAI_REASONING, OPENAI_INCLUDE, OPENAI_TRUNCATION, OPENAI_CONTEXT_MANAGEMENT };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (value_of(s, fields[i])->given)
			sdk_error(s, rows[fields[i]].name,
			          "%s is no parameter of chat completions, which use_responses_api: false chooses.",
			          rows[fields[i]].name);
}

/* The class drops messages given as a parameter: each turn has its own. */
static void drop_messages(struct sdk_setup *s)
{
	if (!sdk_body_get(s, STR("messages")))
		return;
	sdk_body_drop(s, STR("messages"));
	sdk_warning(s, "messages", "messages is ignored: every turn sends its own query.");
}

static void build_body(struct sdk_setup *s)
{
	struct str model = read_model(s);
	bool responses = openai_wants_responses(s, model);

	s->c->wire = responses ? &sdk_wire_responses : &sdk_wire_chat;
	sdk_body_from_rows(s);
	sdk_body_set(s, STR("model"), sdk_text(s->c->base.model));
	s->c->base.streaming = wants_stream(s);
	sdk_body_set(s, STR("stream"), sdk_bool(s->c->base.streaming));
	check_n(s);
	apply_stop(s);
	apply_temperature_rules(s, model);
	sdk_body_from_extras(s, responses ? responses_extras : chat_extras);
	check_extras(s);
	if (responses) {
		openai_responses_body(s, model);
	} else {
		refuse_responses_only(s);
		drop_messages(s);
		apply_stream_usage(s);
		apply_response_format(s);
	}
	if (value_of(s, OPENAI_EXTRA_BODY)->given)
		sdk_body_merge(s, &value_of(s, OPENAI_EXTRA_BODY)->value);
}

/* ---- headers and URL ---- */

/* A header whose value comes from a parameter or the environment. */
static void set_header(struct sdk_setup *s, const char *header, struct str value, const char *source, bool from_env)
{
	const char *wrong = value.len ? header_problem(str_from(header), value, false) : NULL;

	if (!value.len)
		return;
	if (wrong) {
		sdk_error(s, source, "%s cannot be sent as a header: %s.", source, wrong);
		return;
	}
	header_list_set(&s->headers, str_from(header), value);
	header_list_secret(&s->headers, value);
	s->c->base.env_secrets |= from_env;
}

static void set_organization(struct sdk_setup *s, bool environment)
{
	static const char *const variables[] = { "OPENAI_ORG_ID", "OPENAI_ORGANIZATION" };
	struct str value = text_of(s, OPENAI_ORGANIZATION);

	if (value.len) {
		set_header(s, "OpenAI-Organization", value, "organization", false);
		return;
	}
	for (size_t i = 0; environment && i < ARRAY_SIZE(variables) && !value.len; i++) {
		value = setup_env(s->setup, variables[i]);
		set_header(s, "OpenAI-Organization", value, variables[i], true);
	}
}

/* OPENAI_CUSTOM_HEADERS: a header a line, "Name: value". */
static void set_custom_headers(struct sdk_setup *s)
{
	struct str rest = setup_env(s->setup, "OPENAI_CUSTOM_HEADERS");

	while (rest.ptr) {
		struct str value = str_split(&rest, '\n'), name = str_split(&value, ':');
		char *copy;

		if (!value.ptr)
			continue;
		name = str_trim(name);
		copy = arena_memdup(s->arena, name.ptr, name.len);
		s->nomem |= !copy;
		set_header(s, copy ? copy : "", str_trim(value), "OPENAI_CUSTOM_HEADERS", true);
	}
}

/* base_url; an empty one skips OPENAI_API_BASE but not OPENAI_BASE_URL. */
static struct sdk_base choose_base(const struct sdk_setup *s)
{
	struct sdk_base base = { .fallback = "https://api.openai.com/v1", .own_paths = own_paths, .lists = SDK_LISTS_BRACKETS };

	base.name = "base_url";
	base.url = text_of(s, OPENAI_API_BASE);
	if (base.url.len)
		return base;
	base.from_env = true;
	base.name = "OPENAI_API_BASE";
	base.url = value_of(s, OPENAI_API_BASE)->given ? STR_NULL : setup_env(s->setup, base.name);
	if (!base.url.len) {
		base.name = "OPENAI_BASE_URL";
		base.url = setup_env(s->setup, base.name);
	}
	if (!base.url.len)
		base = (struct sdk_base){
			.name = "base_url", .fallback = base.fallback, .own_paths = own_paths, .lists = base.lists
		};
	return base;
}

/* A stranger's own key, not at the operator's address: what the environment adds to requests belongs to the operator's account and stays here. */
static bool is_strangers_account(const struct sdk_setup *s, const struct sdk_base *base)
{
	return s->setup->stranger && s->c->base.key_source == KEY_FROM_PARAMS && !base->from_env;
}

static void build_headers(struct sdk_setup *s, const struct sdk_base *base)
{
	bool environment = !is_strangers_account(s, base);

	sdk_common_headers(s);
	set_organization(s, environment);
	if (environment) {
		set_header(s, "OpenAI-Project", setup_env(s->setup, "OPENAI_PROJECT_ID"), "OPENAI_PROJECT_ID", true);
		set_custom_headers(s);
	}
	sdk_user_headers(s, value_of(s, OPENAI_DEFAULT_HEADERS));
}

static void build_url(struct sdk_setup *s, const struct sdk_base *base)
{
	sdk_user_query(s, value_of(s, OPENAI_DEFAULT_QUERY));
	sdk_set_url(s, base);
}

/* ---- the rest ---- */

static bool is_proxy_url(struct str text)
{
	static const char *const schemes[] = { "http://", "https://", "socks5://", "socks5h://" };

	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] <= ' ' || (unsigned char)text.ptr[i] == 0x7F)
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (text.len > strlen(schemes[i]) && starts_with_nocase(text, str_from(schemes[i])))
			return true;
	return false;
}

static void set_proxy(struct sdk_setup *s)
{
	struct str proxy = text_of(s, OPENAI_PROXY);

	if (!value_of(s, OPENAI_PROXY)->given)
		proxy = setup_env(s->setup, "OPENAI_PROXY");
	if (proxy.len && !is_proxy_url(proxy))
		sdk_error(s, "openai_proxy", "%s is no proxy: it must be a URL that begins with http://, https:// or socks5://.",
		          value_of(s, OPENAI_PROXY)->given ? "openai_proxy" : "OPENAI_PROXY");
	header_list_url_secrets(&s->headers, proxy);
	if (arena_str(s->arena, proxy, &s->c->base.proxy) != 0)
		s->nomem = true;
}

static void refuse_clients(struct sdk_setup *s)
{
	static const enum openai_row clients[] = { OPENAI_HTTP_CLIENT,  OPENAI_HTTP_ASYNC_CLIENT, OPENAI_CLIENT,
		                                   OPENAI_ASYNC_CLIENT, OPENAI_ROOT_CLIENT,       OPENAI_ROOT_ASYNC_CLIENT };

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		sdk_refuse_object(s, clients[i], clients[i] <= OPENAI_HTTP_ASYNC_CLIENT || clients[i] == OPENAI_ASYNC_CLIENT);
	if (value_of(s, OPENAI_HTTP_SOCKET_OPTIONS)->given)
		sdk_warning(s, "http_socket_options", "http_socket_options has no effect here.");
}

static void set_stream_silence(struct sdk_setup *s)
{
	const struct connector *c = &s->c->base;
	const struct param_value *v = value_of(s, OPENAI_STREAM_CHUNK_TIMEOUT);
	struct str env = setup_env(s->setup, "LANGCHAIN_OPENAI_STREAM_CHUNK_TIMEOUT_S");
	double seconds = 0;
	uint64_t ms;

	if (v->given)
		seconds = json_to_double(&v->value);
	else if (!v->raw && env.len && !str_to_double(str_trim(env), &seconds))
		sdk_warning(s, "stream_chunk_timeout",
		            "LANGCHAIN_OPENAI_STREAM_CHUNK_TIMEOUT_S is ignored, because it is no number.");
	ms = setup_ms(seconds);
	if (c->streaming && ms > 0 && (!c->timeout_set || ms < c->timeout_ms))
		s->c->base.silence_ms = ms;
}

static const struct sdk_key_source key_source = {
	.param = "api_key",
	.env = "OPENAI_API_KEY",
	.missing = SETUP_FAILED "Missing credentials. Pass api_key, or set the LLM_API_KEY or OPENAI_API_KEY environment variable.",
};

static int configure(const struct connector_class *class, const struct connector_setup *setup, struct problems *problems,
                     struct connector **ret)
{
	static const struct sdk_rows fold = { OPENAI_MODEL_KWARGS, OPENAI_LC_NAME, true };
	struct sdk_setup s;
	struct sdk_base base;
	int r = sdk_begin(&s, class, setup, problems);

	if (r != 0)
		return r;
	sdk_read(&s, &fold);
	if (!s.nomem) {
		sdk_read_key(&s, value_of(&s, OPENAI_API_KEY), &key_source);
		s.failed |= !setup_max_retries(&s.c->base, value_of(&s, OPENAI_MAX_RETRIES), setup->pointer, problems);
		setup_timeout(&s.c->base, value_of(&s, OPENAI_TIMEOUT));
		refuse_clients(&s);
		set_proxy(&s);
		build_body(&s);
		base = choose_base(&s);
		build_headers(&s, &base);
		build_url(&s, &base);
		sdk_render(&s);
		set_stream_silence(&s);
	}
	return sdk_end(&s, ret);
}

static const char *const class_paths[] = { "langchain_openai.chat_models.ChatOpenAI", "langchain_openai.ChatOpenAI",
	                                   "langchain_openai.chat_models.base.ChatOpenAI", NULL };

const struct connector_class openai_class = {
	.name = "ChatOpenAI",
	.short_name = "openai",
	.label = "OpenAI",
	.class_paths = class_paths,
	.summary = "OpenAI and every server that speaks its chat completions or Responses API",
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
