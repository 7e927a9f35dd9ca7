/*
 * gemini_params.c: the table of ChatGoogleGenerativeAI's parameters, what is wrong with their values, and the part of the request body that they
 * become. Not: where the request goes (gemini.c).
 *
 * Names that nobody knows are not sent, as by the reference, but said to be. What the reference finds only when a turn is executed (a schema without
 * its MIME type, an unknown member of thinking_config) is an error here, before anything is sent.
 */
#include <stdarg.h>
#include <stdio.h>

#include "connector/gemini.h"
#include "connector/setup.h"

#define RENDER_MAX_BYTES ((size_t)64 << 20)
#define NAME_SHOWN_MAX   64

#define ROW(name, alias, type, nullable, default_text, wire)                                     \
	{                                                                                        \
		name, alias, NULL, type, nullable, false, NULL, default_text, wire, PARAM_ANYONE \
	}

const struct param_row gemini_rows[G_COUNT] = {
	[G_MODEL] = { "model", NULL, NULL, PARAM_STRING, false, true, NULL, "required", "URL", PARAM_ANYONE },
	[G_TEMPERATURE] = ROW("temperature", NULL, PARAM_FLOAT, true, "0.7 (gemini-3: none)", "body generationConfig.temperature"),
	[G_TOP_P] = ROW("top_p", NULL, PARAM_FLOAT, true, "none", "body generationConfig.topP"),
	[G_TOP_K] = ROW("top_k", NULL, PARAM_INT, true, "none", "body generationConfig.topK"),
	[G_MAX_TOKENS] = ROW("max_output_tokens", "max_tokens", PARAM_INT, true, "none", "body generationConfig.maxOutputTokens"),
	[G_N] = ROW("n", "candidate_count", PARAM_INT, false, "1", "body generationConfig.candidateCount; the first answer counts"),
	[G_STOP] = ROW("stop", "stop_sequences", PARAM_STRING_LIST, true, "none", "body generationConfig.stopSequences"),
	[G_PRESENCE] = ROW("presence_penalty", NULL, PARAM_FLOAT, true, "none", "body generationConfig.presencePenalty"),
	[G_FREQUENCY] = ROW("frequency_penalty", NULL, PARAM_FLOAT, true, "none", "body generationConfig.frequencyPenalty"),
	[G_SEED] = ROW("seed", NULL, PARAM_INT, true, "none", "body generationConfig.seed"),
	[G_MIME] = ROW("response_mime_type", NULL, PARAM_STRING, true, "none", "body generationConfig.responseMimeType"),
	[G_SCHEMA] = ROW("response_schema", NULL, PARAM_OBJECT, true, "none", "body generationConfig.responseJsonSchema"),
	[G_MODALITIES] =
	        ROW("response_modalities", NULL, PARAM_STRING_LIST, true, "none", "body generationConfig.responseModalities"),
	[G_THINKING_BUDGET] = ROW("thinking_budget", NULL, PARAM_INT, true, "none", "body generationConfig.thinkingConfig"),
	[G_INCLUDE_THOUGHTS] = ROW("include_thoughts", NULL, PARAM_BOOL, true, "none", "body generationConfig.thinkingConfig"),
	[G_EFFORT] = { "reasoning_effort", "thinking_level", NULL, PARAM_LITERAL, true, false, "minimal|low|medium|high", "none",
	               "body generationConfig.thinkingConfig; wins over thinking_budget", PARAM_ANYONE },
	[G_THINKING_CONFIG] = ROW("thinking_config", NULL, PARAM_OBJECT, true, "none", "body generationConfig.thinkingConfig"),
	[G_IMAGE_CONFIG] = ROW("image_config", NULL, PARAM_OBJECT, true, "none", "body generationConfig.imageConfig"),
	[G_SAFETY] = ROW("safety_settings", NULL, PARAM_STRING_MAP, true, "none", "body safetySettings"),
	[G_LABELS] = ROW("labels", NULL, PARAM_STRING_MAP, true, "none", "body labels"),
	[G_CACHED_CONTENT] = ROW("cached_content", NULL, PARAM_STRING, true, "none", "body cachedContent"),
	[G_MEDIA_RESOLUTION] = ROW("media_resolution", NULL, PARAM_STRING, true, "none", "not sent"),
	[G_KEY] = { "google_api_key", "api_key", NULL, PARAM_SECRET, true, false, NULL, "from the environment",
	            "header x-goog-api-key; else LLM_API_KEY, GOOGLE_API_KEY, GEMINI_API_KEY", PARAM_ANYONE },
	[G_BASE_URL] = ROW("base_url", NULL, PARAM_ANY, true, "the provider's", "URL; else GOOGLE_GEMINI_BASE_URL"),
	[G_CLIENT_OPTIONS] = ROW("client_options", NULL, PARAM_ANY, true, "none", "URL: {\"api_endpoint\": ...} is base_url"),
	[G_API_VERSION] = ROW("api_version", NULL, PARAM_STRING, true, "v1beta", "URL"),
	[G_HEADERS] = ROW("additional_headers", NULL, PARAM_STRING_MAP, true, "none", "headers"),
	[G_CLIENT_ARGS] = ROW("client_args", NULL, PARAM_OBJECT, true, "none", "headers, timeout, verify, proxy, params, cookies"),
	[G_TIMEOUT] =
	        ROW("timeout", "request_timeout", PARAM_TIMEOUT, true, "none", "idle timeout; header X-Server-Timeout; 0 is none"),
	[G_RETRIES] = ROW("max_retries", "retries", PARAM_INT, false, "6", "attempts, the first one counted; 0 is 1"),
	[G_STREAMING] = ROW("streaming", NULL, PARAM_BOOL, true, "none", "URL: streamGenerateContent"),
	[G_MODEL_KWARGS] = ROW("model_kwargs", NULL, PARAM_OBJECT, false, "{}", "parameters in it move up; the rest is not sent"),
	[G_CONVERT_SYSTEM] = ROW("convert_system_message_to_human", NULL, PARAM_BOOL, false, "false", "not sent"),
	[G_CLIENT] = ROW("client", NULL, PARAM_ANY, true, "none", "refused"),
	[G_METADATA_INPUT] = ROW("default_metadata", "default_metadata_input", PARAM_LIST, true, "none", "not sent"),
	[G_CREDENTIALS] = ROW("credentials", NULL, PARAM_ANY, true, "none", "refused: Vertex AI"),
	[G_VERTEXAI] = ROW("vertexai", NULL, PARAM_BOOL, true, "none", "true is refused: Vertex AI"),
	[G_PROJECT] = ROW("project", NULL, PARAM_STRING, true, "none", "refused unless vertexai is false: Vertex AI"),
	[G_LOCATION] = ROW("location", NULL, PARAM_STRING, true, "none", "not sent: Vertex AI"),
	[G_NAME] = LANGCHAIN_ROWS,
};

void gemini_wrong(struct gemini_setup *s, const char *name, const char *format, ...)
{
	char at[SETUP_POINTER_MAX], text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	setup_pointer(s->in->pointer, name, at);
	problem_error(s->problems, at, "%s", text);
	s->failed = true;
}

static void warn(struct gemini_setup *s, const char *name, const char *sentence)
{
	char at[SETUP_POINTER_MAX];

	setup_pointer(s->in->pointer, name, at);
	problem_warning(s->problems, at, "%s", sentence);
}

/* ---- model_kwargs ---- */

static bool is_row_name(struct str key)
{
	for (int i = 0; i < G_COUNT; i++)
		if (str_eq(key, str_from(gemini_rows[i].name)) ||
		    (gemini_rows[i].alias && str_eq(key, str_from(gemini_rows[i].alias))))
			return true;
	return false;
}

static void warn_not_sent(struct gemini_setup *s, const char *inside, struct str key)
{
	struct str shown = str_sub(key, 0, utf8_cut(key, NAME_SHOWN_MAX));
	char at[SETUP_POINTER_MAX];

	if (inside)
		setup_pointer(s->in->pointer, inside, at);
	else
		snprintf(at, sizeof at, "%s", s->in->pointer);
	json_pointer_push(at, sizeof at, key);
	problem_warning(s->problems, at, "ChatGoogleGenerativeAI has no parameter '%.*s': it is not sent.", STR_ARG(shown));
}

/* Parameters inside model_kwargs move up; a name in both places is an error, as in the reference. */
static int move_kwargs_up(struct gemini_setup *s, struct json *params)
{
	const struct json *kwargs = json_get_lit(params, "model_kwargs");
	struct json_member *members;
	uint32_t n = params->count;

	if (!kwargs || kwargs->type != JSON_OBJECT || !kwargs->count)
		return 0;
	members = arena_calloc(&s->g->base.arena, (size_t)params->count + kwargs->count, sizeof *members);
	if (!members)
		return FF_ENOMEM;
	for (uint32_t i = 0; i < params->count; i++)
		members[i] = params->members[i];
	for (uint32_t i = 0; i < kwargs->count; i++) {
		const struct json_member *m = &kwargs->members[i];

		if (json_get(params, m->key))
			gemini_wrong(s, "model_kwargs", "Found %.*s supplied twice: in params and in model_kwargs.",
			             (int)utf8_cut(m->key, NAME_SHOWN_MAX), m->key.ptr);
		else if (is_row_name(m->key))
			members[n++] = *m;
		else
			warn_not_sent(s, "model_kwargs", m->key);
	}
	params->members = members;
	params->count = n;
	return 0;
}

/* ---- ranges ---- */

static void check_range(struct gemini_setup *s, int row, double low, double high)
{
	double x = s->values[row].given ? json_to_double(&s->values[row].value) : low;

	if (x < low || x > high)
		gemini_wrong(s, gemini_rows[row].name, "%s must be in the range [%.1f, %.1f].", gemini_rows[row].name, low, high);
}

static void check_schema(struct gemini_setup *s)
{
	const struct param_value *mime = &s->values[G_MIME];

	if (!s->values[G_SCHEMA].given || !s->values[G_SCHEMA].value.count)
		return;
	if (!mime->given || !str_eq(mime->value.text, STR("application/json")))
		gemini_wrong(s, "response_schema", "response_schema needs response_mime_type \"application/json\".");
}

/* 1: the environment selects Vertex AI, 0: it selects the Gemini API, -1: it does not say. *ret_name: the variable. */
static int vertex_by_environment(const struct gemini_setup *s, const char **ret_name)
{
	static const char *const names[] = { "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE" };
	int said = -1;

	for (size_t i = 0; i < ARRAY_SIZE(names) && said != 1; i++) {
		struct str value = setup_env(s->in, names[i]);

		*ret_name = names[i];
		if (str_eq_nocase(value, STR("true")) || str_eq(value, STR("1")) || str_eq_nocase(value, STR("yes")))
			said = 1;
		else if (str_eq_nocase(value, STR("false")) || str_eq(value, STR("0")) || str_eq_nocase(value, STR("no")))
			said = 0;
	}
	return said;
}

static void check_vertex(struct gemini_setup *s)
{
	static const char instead[] =
	        "Vertex AI is not supported: use a Gemini API key (api_key, GOOGLE_API_KEY) without it, or ChatOpenAI "
	        "with Vertex AI's OpenAI-compatible endpoint as base_url.";
	const struct param_value *flag = &s->values[G_VERTEXAI];
	const char *variable = "";
	int said = vertex_by_environment(s, &variable);

	if (flag->given && flag->value.type == JSON_TRUE)
		gemini_wrong(s, "vertexai", "%s", instead);
	else if (!flag->given && said == 1)
		gemini_wrong(s, "vertexai", "%s is set, but %s", variable, instead);
	if (s->values[G_CREDENTIALS].given && json_truthy(&s->values[G_CREDENTIALS].value))
		gemini_wrong(s, "credentials", "credentials are for Vertex AI. %s", instead);
	if (s->values[G_PROJECT].given && !flag->given && said < 0)
		gemini_wrong(s, "project", "project selects Vertex AI. %s", instead);
	else if (s->values[G_PROJECT].given)
		warn(s, "project", "project is for Vertex AI: it is not sent.");
	if (s->values[G_LOCATION].given)
		warn(s, "location", "location is for Vertex AI: it is not sent.");
}

static void check_values(struct gemini_setup *s)
{
	const struct param_value *top_k = &s->values[G_TOP_K];

	check_range(s, G_TEMPERATURE, 0, 2);
	check_range(s, G_TOP_P, 0, 1);
	check_range(s, G_FREQUENCY, -2, 2);
	check_range(s, G_PRESENCE, -2, 2);
	if (top_k->given && json_to_double(&top_k->value) <= 0)
		gemini_wrong(s, "top_k", "top_k must be positive.");
	check_schema(s);
	check_vertex(s);
	if (s->values[G_CLIENT].given)
		gemini_wrong(s, "client", "client cannot be given as JSON: remove it.");
}

int gemini_read_params(struct gemini_setup *s, bool *ret_key_from_env)
{
	const struct json_member *unknown;
	size_t unknown_count;
	struct json params;
	int r = setup_params(&s->g->base.arena, s->in, &params, ret_key_from_env);

	if (r || (r = move_kwargs_up(s, &params)))
		return r;
	r = params_read(&s->g->base.arena, gemini_rows, G_COUNT, &params, s->in->pointer, s->in->stranger, s->values, &unknown,
	                &unknown_count, s->problems);
	if (r == FF_ENOMEM)
		return r;
	s->failed |= r != 0;
	for (size_t i = 0; i < unknown_count; i++)
		warn_not_sent(s, NULL, unknown[i].key);
	s->failed |= langchain_params_check(&s->values[G_NAME], s->in->pointer, s->problems, &s->disable_streaming) != 0;
	check_values(s);
	return 0;
}

/* ---- the model's name ---- */

/* The name without resource path and regional prefix ("us.gemini-…"). Case is the caller's business. */
static struct str bare_model(struct str model)
{
	size_t dot;

	for (size_t i = model.len; i > 0; i--) {
		if (model.ptr[i - 1] == '/') {
			model = str_sub(model, i, model.len);
			break;
		}
	}
	dot = str_find(model, STR("."), 0);
	if (dot != SIZE_MAX && dot >= 2) {
		struct str rest = str_sub(model, dot + 1, model.len);

		for (size_t i = 0; i < dot; i++)
			if ((model.ptr[i] | 0x20) < 'a' || (model.ptr[i] | 0x20) > 'z')
				return model;
		if (str_eq_nocase(str_sub(rest, 0, 7), STR("gemini-")) || str_eq_nocase(str_sub(rest, 0, 6), STR("gemma-")))
			return rest;
	}
	return model;
}

/* "gemini-3…", "my-gemini-12…": any such number of 3 or more. */
static bool is_gemini_3_or_later(struct str model)
{
	model = bare_model(model);
	for (size_t i = 0; i + 7 < model.len; i++) {
		size_t end = i + 7;
		bool big = false;

		if (!str_eq_nocase(str_sub(model, i, i + 7), STR("gemini-")))
			continue;
		while (end < model.len && model.ptr[end] == '0')
			end++;
		for (size_t first = end; end < model.len && model.ptr[end] >= '0' && model.ptr[end] <= '9'; end++)
			big |= model.ptr[first] >= '3' || end > first;
		if (big)
			return true;
	}
	return false;
}

/* Models that sample in their own way and refuse temperature, top_k and top_p. */
static bool has_fixed_sampling(struct str model)
{
	model = bare_model(model);
	if (model.len > 4 && model.ptr[model.len - 4] == '-' &&
	    str_to_u64(str_sub(model, model.len - 3, model.len), &(uint64_t){ 0 }))
		model.len -= 4;
	return str_eq_nocase(model, STR("gemini-3.5-flash-lite")) || str_eq_nocase(model, STR("gemini-3.6-flash"));
}

static bool speaks(struct str model)
{
	return str_ends_with(model, STR("-tts")) || str_contains(model, STR("-tts-"));
}

/* ---- body ---- */

/* Names of the API's enums in any case become theirs; others pass on as they are. */
static struct str enum_name(struct str given)
{
	static const char *const names[] = { "HARM_CATEGORY_UNSPECIFIED",
		                             "HARM_CATEGORY_HARASSMENT",
		                             "HARM_CATEGORY_HATE_SPEECH",
		                             "HARM_CATEGORY_SEXUALLY_EXPLICIT",
		                             "HARM_CATEGORY_DANGEROUS_CONTENT",
		                             "HARM_CATEGORY_CIVIC_INTEGRITY",
		                             "HARM_CATEGORY_JAILBREAK",
		                             "HARM_CATEGORY_IMAGE_HATE",
		                             "HARM_CATEGORY_IMAGE_HARASSMENT",
		                             "HARM_CATEGORY_IMAGE_DANGEROUS_CONTENT",
		                             "HARM_CATEGORY_IMAGE_SEXUALLY_EXPLICIT",
		                             "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
		                             "BLOCK_LOW_AND_ABOVE",
		                             "BLOCK_MEDIUM_AND_ABOVE",
		                             "BLOCK_ONLY_HIGH",
		                             "BLOCK_NONE",
		                             "OFF",
		                             "MODALITY_UNSPECIFIED",
		                             "TEXT",
		                             "IMAGE",
		                             "AUDIO",
		                             "VIDEO",
		                             "THINKING_LEVEL_UNSPECIFIED",
		                             "MINIMAL",
		                             "LOW",
		                             "MEDIUM",
		                             "HIGH" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq_nocase(given, str_from(names[i])))
			return str_from(names[i]);
	return given;
}

static void write_member(struct json_writer *w, const char *key, const struct param_value *v)
{
	if (!v->given)
		return;
	json_key(w, str_from(key));
	json_value(w, &v->value);
}

static void write_sampling(struct gemini_setup *s, struct json_writer *w)
{
	const struct param_value *temperature = &s->values[G_TEMPERATURE];
	struct str model = s->g->base.model;

	if (has_fixed_sampling(model)) {
		if (temperature->given || s->values[G_TOP_P].given || s->values[G_TOP_K].given)
			warn(s, "model", "This model has fixed sampling: temperature, top_p and top_k are not sent.");
		return;
	}
	write_member(w, "temperature", temperature);
	if (!temperature->raw && !is_gemini_3_or_later(model)) {
		json_key_lit(w, "temperature");
		json_double(w, 0.7);
	}
	write_member(w, "topP", &s->values[G_TOP_P]);
	if (s->values[G_TOP_K].given) {
		json_key_lit(w, "topK");
		json_double(w, json_to_double(&s->values[G_TOP_K].value));
	}
}

static void write_modalities(struct gemini_setup *s, struct json_writer *w)
{
	const struct param_value *v = &s->values[G_MODALITIES];
	bool given = v->given && v->value.count;

	if (given || speaks(s->g->base.model)) {
		json_key_lit(w, "responseModalities");
		json_begin_array(w);
		for (uint32_t i = 0; given && i < v->value.count; i++)
			json_string(w, enum_name(v->value.items[i].text));
		if (!given)
			json_string(w, STR("AUDIO"));
		json_end_array(w);
	}
	if (speaks(s->g->base.model)) {
		json_key_lit(w, "speechConfig");
		json_begin_object(w);
		json_key_lit(w, "voice_config");
		json_begin_object(w);
		json_key_lit(w, "prebuilt_voice_config");
		json_begin_object(w);
		json_key_lit(w, "voice_name");
		json_string(w, STR("Kore"));
		json_end_object(w);
		json_end_object(w);
		json_end_object(w);
	}
}

/* Reads an object of its own small table; unknown members are errors. */
static void read_members(struct gemini_setup *s, int row, const struct param_row *rows, size_t count, struct param_value *values)
{
	const struct json_member *unknown;
	size_t unknown_count;
	char at[SETUP_POINTER_MAX];
	const struct json *object = s->values[row].given ? &s->values[row].value : NULL;
	int r;

	setup_pointer(s->in->pointer, gemini_rows[row].name, at);
	r = params_read(&s->g->base.arena, rows, count, object, at, s->in->stranger, values, &unknown, &unknown_count, s->problems);
	s->nomem |= r == FF_ENOMEM;
	s->failed |= r != 0;
	for (size_t i = 0; r != FF_ENOMEM && i < unknown_count; i++)
		gemini_wrong(s, gemini_rows[row].name, "%s has no member '%.*s'.", gemini_rows[row].name,
		             (int)utf8_cut(unknown[i].key, NAME_SHOWN_MAX), unknown[i].key.ptr);
}

/* The flat parameters win over the members of thinking_config, and a level over a budget. The members leave in snake case, as from the reference. */
static void write_thinking(struct gemini_setup *s, struct json_writer *w)
{
	enum { T_THOUGHTS, T_BUDGET, T_LEVEL, T_COUNT };
	static const struct param_row rows[T_COUNT] = {
		[T_THOUGHTS] = ROW("include_thoughts", "includeThoughts", PARAM_BOOL, true, "none", ""),
		[T_BUDGET] = ROW("thinking_budget", "thinkingBudget", PARAM_INT, true, "none", ""),
		[T_LEVEL] = ROW("thinking_level", "thinkingLevel", PARAM_STRING, true, "none", ""),
	};
	static const int flat[T_COUNT] = { G_INCLUDE_THOUGHTS, G_THINKING_BUDGET, G_EFFORT };
	struct param_value v[T_COUNT];
	bool any = s->values[G_THINKING_CONFIG].given;

	read_members(s, G_THINKING_CONFIG, rows, T_COUNT, v);
	for (int i = 0; i < T_COUNT; i++) {
		any |= s->values[flat[i]].given;
		if (s->values[flat[i]].given)
			v[i] = s->values[flat[i]];
	}
	if (!any)
		return;
	if (v[T_LEVEL].given && v[T_BUDGET].given) {
		warn(s, "thinking_budget", "thinking_budget is not sent, because a thinking level is given.");
		v[T_BUDGET].given = false;
	}
	if (v[T_LEVEL].given)
		v[T_LEVEL].value.text = enum_name(v[T_LEVEL].value.text);
	json_key_lit(w, "thinkingConfig");
	json_begin_object(w);
	for (int i = 0; i < T_COUNT; i++)
		write_member(w, rows[i].name, &v[i]);
	json_end_object(w);
}

static void write_image(struct gemini_setup *s, struct json_writer *w)
{
	enum { I_ASPECT, I_SIZE, I_PEOPLE, I_PROMINENT, I_MIME, I_QUALITY, I_OUTPUT, I_COUNT };
	static const struct param_row rows[I_COUNT] = {
		[I_ASPECT] = ROW("aspect_ratio", "aspectRatio", PARAM_STRING, true, "none", ""),
		[I_SIZE] = ROW("image_size", "imageSize", PARAM_STRING, true, "none", ""),
		[I_PEOPLE] = ROW("person_generation", "personGeneration", PARAM_ANY, true, "none", ""),
		[I_PROMINENT] = ROW("prominent_people", "prominentPeople", PARAM_ANY, true, "none", ""),
		[I_MIME] = ROW("output_mime_type", "outputMimeType", PARAM_ANY, true, "none", ""),
		[I_QUALITY] = ROW("output_compression_quality", "outputCompressionQuality", PARAM_ANY, true, "none", ""),
		[I_OUTPUT] = ROW("image_output_options", "imageOutputOptions", PARAM_ANY, true, "none", ""),
	};
	struct param_value v[I_COUNT];

	if (!s->values[G_IMAGE_CONFIG].given)
		return;
	read_members(s, G_IMAGE_CONFIG, rows, I_COUNT, v);
	for (int i = I_PEOPLE; i < I_COUNT; i++)
		if (v[i].given)
			gemini_wrong(s, "image_config", "%s of image_config is for Vertex AI, which is not supported.",
			             rows[i].name);
	json_key_lit(w, "imageConfig");
	json_begin_object(w);
	write_member(w, rows[I_ASPECT].alias, &v[I_ASPECT]);
	write_member(w, rows[I_SIZE].alias, &v[I_SIZE]);
	json_end_object(w);
}

static void write_generation_config(struct gemini_setup *s, struct json_writer *w)
{
	json_key_lit(w, "generationConfig");
	json_begin_object(w);
	write_sampling(s, w);
	json_key_lit(w, "candidateCount");
	if (s->values[G_N].given)
		json_value(w, &s->values[G_N].value);
	else
		json_int(w, 1);
	write_member(w, "maxOutputTokens", &s->values[G_MAX_TOKENS]);
	write_member(w, "stopSequences", &s->values[G_STOP]);
	write_member(w, "presencePenalty", &s->values[G_PRESENCE]);
	write_member(w, "frequencyPenalty", &s->values[G_FREQUENCY]);
	write_member(w, "seed", &s->values[G_SEED]);
	write_member(w, "responseMimeType", &s->values[G_MIME]);
	if (s->values[G_SCHEMA].given && s->values[G_SCHEMA].value.count)
		write_member(w, "responseJsonSchema", &s->values[G_SCHEMA]);
	write_modalities(s, w);
	write_thinking(s, w);
	write_image(s, w);
	json_end_object(w);
}

static void write_safety(struct gemini_setup *s, struct json_writer *w)
{
	const struct param_value *v = &s->values[G_SAFETY];

	json_key_lit(w, "safetySettings");
	json_begin_array(w);
	for (uint32_t i = 0; v->given && i < v->value.count; i++) {
		json_begin_object(w);
		json_key_lit(w, "category");
		json_string(w, enum_name(v->value.members[i].key));
		json_key_lit(w, "threshold");
		json_string(w, enum_name(v->value.members[i].value.text));
		json_end_object(w);
	}
	json_end_array(w);
}

static void write_cached_content(struct gemini_setup *s, struct json_writer *w)
{
	struct str name = s->values[G_CACHED_CONTENT].value.text;
	const char *path;

	if (!s->values[G_CACHED_CONTENT].given)
		return;
	path = arena_printf(&s->g->base.arena, "%s%.*s", str_starts_with(name, STR("cachedContents/")) ? "" : "cachedContents/",
	                    STR_ARG(name));
	s->nomem |= !path;
	json_key_lit(w, "cachedContent");
	json_string(w, str_from(path));
}

/* The suffix is written as an object of its own; its opening brace becomes the comma behind the messages. */
void gemini_render_body(struct gemini_setup *s)
{
	struct buf b CLEANUP(buf_release);
	struct json_writer w;

	buf_init(&b, RENDER_MAX_BYTES);
	json_writer_init(&w, &b, 0);
	json_begin_object(&w);
	write_safety(s, &w);
	write_member(&w, "labels", &s->values[G_LABELS]);
	write_cached_content(s, &w);
	write_generation_config(s, &w);
	json_end_object(&w);
	if (buf_failed(&b)) {
		s->nomem = true;
		return;
	}
	b.ptr[0] = ',';
	s->nomem |= arena_str(&s->g->base.arena, buf_str(&b), &s->g->suffix) != 0;
}
