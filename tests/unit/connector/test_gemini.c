/* test_gemini.c: ChatGoogleGenerativeAI: parameters, addresses, headers and bodies. Replies: test_gemini_turn.c. */
#include "turn_kit.h"

#include "connector/gemini.h"

#define P   "/connector/params"
#define KEY "\"api_key\":\"key-12345678\""
#define M   "{\"model\":\"gemini-2.5-flash\"," KEY

static void configured(struct kit *k, const char *params, const struct kit_env *env)
{
	if (kit_configure(k, &gemini_class, params, env, false, false) != 0)
		fail_msg("params %s must be accepted, but: %s", params, k->problems.first ? k->problems.first->text : "?");
	assert_int_equal(kit_ask_text(k, "Hi"), 0);
}

static void expect_url(const char *params, const struct kit_env *env, const char *want)
{
	struct kit k;

	configured(&k, params, env);
	kit_expect_str(k.exchange.method, "POST");
	kit_expect_str(k.exchange.url, want);
	kit_release(&k);
}

#define CONTENTS "{\"contents\":[{\"parts\":[{\"text\":\"Hi\"}],\"role\":\"user\"}],"

static void expect_body(const char *params, const char *want)
{
	struct kit k;
	char whole[2048];

	configured(&k, params, NULL);
	snprintf(whole, sizeof whole, CONTENTS "%s", want);
	kit_expect_str(k.exchange.body, whole);
	kit_release(&k);
}

/* The body with no safety settings and generationConfig {temperature 0.7, candidateCount 1, more}. */
static void expect_config(const char *params, const char *more)
{
	char want[1024];

	snprintf(want, sizeof want, "\"safetySettings\":[],\"generationConfig\":{\"temperature\":0.7,\"candidateCount\":1%s}}",
	         more);
	expect_body(params, want);
}

static void bodies(void **state)
{
	(void)state;
	expect_config(M "}", "");
	expect_body(M ",\"temperature\":1,\"top_p\":\"0.5\",\"top_k\":40,\"n\":2}",
	            "\"safetySettings\":[],\"generationConfig\":{\"temperature\":1.0,\"topP\":0.5,\"topK\":40.0,\"candidateCount\":"
	            "2}}");
	expect_body(M ",\"temperature\":null}", "\"safetySettings\":[],\"generationConfig\":{\"candidateCount\":1}}");
	expect_config(
	        M ",\"max_tokens\":\"64\",\"stop\":[\"A\"],\"presence_penalty\":-1,\"frequency_penalty\":0.5,\"seed\":3.0}",
	        ",\"maxOutputTokens\":64,\"stopSequences\":[\"A\"],\"presencePenalty\":-1.0,\"frequencyPenalty\":0.5,\"seed\":3");
	expect_config(M ",\"response_mime_type\":\"application/json\",\"response_schema\":{\"type\":\"object\",\"x\":1e2}}",
	              ",\"responseMimeType\":\"application/json\",\"responseJsonSchema\":{\"type\":\"object\",\"x\":1e2}");
	expect_config(M ",\"response_schema\":{}}", "");
	expect_config(M ",\"response_modalities\":[\"text\",\"SMELL\"]}", ",\"responseModalities\":[\"TEXT\",\"SMELL\"]");
	expect_config(M ",\"response_modalities\":[]}", "");
	expect_config(M ",\"image_config\":{\"aspect_ratio\":\"1:1\",\"imageSize\":\"2K\"}}",
	              ",\"imageConfig\":{\"aspectRatio\":\"1:1\",\"imageSize\":\"2K\"}");
	expect_config(M ",\"media_resolution\":\"low\",\"tags\":[\"t\"],\"verbose\":true}", "");
	expect_body(M ",\"safety_settings\":{\"harm_category_hate_speech\":\"block_none\",\"NEW\":\"Odd\"},\"labels\":{\"a\":\"b\"}"
	              ",\"cached_content\":\"c\"}",
	            "\"safetySettings\":[{\"category\":\"HARM_CATEGORY_HATE_SPEECH\",\"threshold\":\"BLOCK_NONE\"},{\"category\":"
	            "\"NEW\",\"threshold\":\"Odd\"}],"
	            "\"labels\":{\"a\":\"b\"},\"cachedContent\":\"cachedContents/"
	            "c\",\"generationConfig\":{\"temperature\":0.7,\"candidateCount\":1}}");
	expect_body(M ",\"cached_content\":\"cachedContents/c\"}",
	            "\"safetySettings\":[],\"cachedContent\":\"cachedContents/"
	            "c\",\"generationConfig\":{\"temperature\":0.7,\"candidateCount\":1}}");
}

static void thinking(void **state)
{
	(void)state;
	expect_config(M ",\"thinking_budget\":-1}", ",\"thinkingConfig\":{\"thinking_budget\":-1}");
	expect_config(M ",\"thinking_budget\":9,\"include_thoughts\":\"yes\"}",
	              ",\"thinkingConfig\":{\"include_thoughts\":true,\"thinking_budget\":9}");
	expect_config(M ",\"thinking_level\":\"low\",\"thinking_budget\":9}", ",\"thinkingConfig\":{\"thinking_level\":\"LOW\"}");
	expect_config(M ",\"reasoning_effort\":\"high\"}", ",\"thinkingConfig\":{\"thinking_level\":\"HIGH\"}");
	expect_config(M ",\"thinking_config\":{\"thinkingBudget\":\"7\"},\"include_thoughts\":false}",
	              ",\"thinkingConfig\":{\"include_thoughts\":false,\"thinking_budget\":7}");
	expect_config(M ",\"thinking_config\":{}}", ",\"thinkingConfig\":{}");
	expect_config(M ",\"thinking_config\":{\"thinking_level\":\"minimal\"},\"reasoning_effort\":\"medium\"}",
	              ",\"thinkingConfig\":{\"thinking_level\":\"MEDIUM\"}");
}

static void model_families(void **state)
{
	static const char none[] = "\"safetySettings\":[],\"generationConfig\":{\"candidateCount\":1}}";

	(void)state;
	expect_body("{\"model\":\"gemini-3-pro\"," KEY "}", none);
	expect_body("{\"model\":\"models/gemini-10\"," KEY "}", none);
	expect_body("{\"model\":\"us.gemini-3-x\"," KEY "}", none);
	expect_body("{\"model\":\"tunedModels/my-GEMINI-03\"," KEY "}", none);
	expect_config("{\"model\":\"gemini-2.0\"," KEY "}", "");
	expect_config("{\"model\":\"gemma-3-27b-it\"," KEY "}", "");
	expect_config("{\"model\":\"gemini-\"," KEY "}", "");
	expect_body("{\"model\":\"gemini-3-pro\",\"temperature\":0.2," KEY "}",
	            "\"safetySettings\":[],\"generationConfig\":{\"temperature\":0.2,\"candidateCount\":1}}");
	expect_body("{\"model\":\"gemini-3.6-flash\",\"temperature\":0.2,\"top_p\":1,\"top_k\":2," KEY "}", none);
	expect_body("{\"model\":\"gemini-3.5-flash-lite-001\",\"top_p\":1," KEY "}", none);
	expect_config("{\"model\":\"gemini-2.5-flash-tts\"," KEY "}",
	              ",\"responseModalities\":[\"AUDIO\"],\"speechConfig\":{\"voice_config\":{\"prebuilt_voice_config\":{\"voice_"
	              "name\":\"Kore\"}}}");
}

static void model_kwargs(void **state)
{
	struct kit k;

	(void)state;
	expect_config(M ",\"model_kwargs\":{\"max_tokens\":5,\"foo\":1}}", ",\"maxOutputTokens\":5");
	kit_expect_refused(&gemini_class, M ",\"model_kwargs\":{\"temperature\":1},\"temperature\":1}", P "/model_kwargs", "twice");
	kit_expect_refused(&gemini_class, M ",\"model_kwargs\":[]}", P "/model_kwargs", "model_kwargs");
	configured(&k, M ",\"model_kwargs\":{\"foo\":1},\"bar\":2}", NULL);
	assert_true(kit_has_problem(&k, PROBLEM_WARNING, P "/model_kwargs/foo", "foo"));
	assert_true(kit_has_problem(&k, PROBLEM_WARNING, P "/bar", "bar"));
	kit_release(&k);
}

#define G "https://generativelanguage.googleapis.com"

static void addresses(void **state)
{
	static const struct kit_env env[] = { { "GOOGLE_GEMINI_BASE_URL", "https://env/e" }, { 0 } };

	(void)state;
	expect_url(M "}", NULL, G "/v1beta/models/gemini-2.5-flash:generateContent");
	expect_url(M "}", env, "https://env/e/v1beta/models/gemini-2.5-flash:generateContent");
	expect_url(M ",\"base_url\":\"http://h/\"}", env, "http://h/v1beta/models/gemini-2.5-flash:generateContent");
	expect_url(M ",\"base_url\":\"http://h/pre/fix\"}", NULL,
	           "http://h/pre/fix/v1beta/models/gemini-2.5-flash:generateContent");
	expect_url(M ",\"base_url\":\"http://h/v1beta/\"}", NULL, "http://h/v1beta/models/gemini-2.5-flash:generateContent");
	expect_url(M ",\"base_url\":\"http://h/v1beta/models\"}", NULL, "http://h/v1beta/models/gemini-2.5-flash:generateContent");
	expect_url(M ",\"base_url\":\"http://h/v1\"}", NULL, "http://h/v1/v1beta/models/gemini-2.5-flash:generateContent");
	expect_url(M ",\"base_url\":\"http://h/v1\",\"api_version\":\"v1\"}", NULL,
	           "http://h/v1/models/gemini-2.5-flash:generateContent");
	expect_url(M ",\"base_url\":\"http://h\",\"api_version\":\"\"}", NULL, "http://h/models/gemini-2.5-flash:generateContent");
	expect_url(M ",\"client_options\":{\"api_endpoint\":\"http://o:1\"}}", env,
	           "http://o:1/v1beta/models/gemini-2.5-flash:generateContent");
	expect_url(M ",\"client_options\":\"http://o:1\",\"base_url\":\"http://b\"}", NULL,
	           "http://b/v1beta/models/gemini-2.5-flash:generateContent");
	expect_url(M ",\"base_url\":\"http://h/p?a=1\",\"streaming\":true}", NULL,
	           "http://h/p/v1beta/models/gemini-2.5-flash:streamGenerateContent?a=1&alt=sse");
	expect_url(M ",\"base_url\":\"http://h\",\"client_args\":{\"params\":{\"b\":2}}}", NULL,
	           "http://h/v1beta/models/gemini-2.5-flash:generateContent?b=2");
	expect_url(M ",\"streaming\":true}", NULL, G "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
	expect_url(M ",\"streaming\":true,\"disable_streaming\":true}", NULL, G "/v1beta/models/gemini-2.5-flash:generateContent");
}

static void model_names_in_the_url(void **state)
{
	(void)state;
	expect_url("{\"model\":\"models/x\"," KEY "}", NULL, G "/v1beta/models/x:generateContent");
	expect_url("{\"model\":\"tunedModels/x\"," KEY "}", NULL, G "/v1beta/tunedModels/x:generateContent");
	expect_url("{\"model\":\"my model\"," KEY "}", NULL, G "/v1beta/models/my%20model:generateContent");
	expect_url("{\"model\":\"a/b:c%2F\"," KEY "}", NULL, G "/v1beta/models/a/b:c%2F:generateContent");
	expect_url("{\"model\":\"a#b\\\\\"," KEY "}", NULL, G "/v1beta/models/a%23b%5C:generateContent");
}

static void keys(void **state)
{
	static const struct kit_env all[] = {
		{ "LLM_API_KEY", "llm-key-1" }, { "GOOGLE_API_KEY", "google-key" }, { "GEMINI_API_KEY", "gemini-key" }, { 0 }
	};
	static const struct {
		const char *params;
		const struct kit_env *env;
		const char *want;
		enum key_source source;
	} rows[] = {
		{ M "}", all, "key-12345678", KEY_FROM_PARAMS },
		{ "{\"model\":\"m\"}", all, "llm-key-1", KEY_FROM_ENV },
		{ "{\"model\":\"m\",\"api_key\":\"\"}", all, "llm-key-1", KEY_FROM_ENV },
		{ "{\"model\":\"m\",\"google_api_key\":\"mine\"}", all, "llm-key-1", KEY_FROM_ENV },
		{ "{\"model\":\"m\",\"google_api_key\":\"mine\"}", all + 1, "mine", KEY_FROM_PARAMS },
		{ "{\"model\":\"m\"}", all + 1, "google-key", KEY_FROM_ENV },
		{ "{\"model\":\"m\",\"api_key\":null}", all + 2, "gemini-key", KEY_FROM_ENV },
		{ "{\"model\":\"m\",\"api_key\":\"\"}", all + 2, "gemini-key", KEY_FROM_ENV },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kit k;

		configured(&k, rows[i].params, rows[i].env);
		kit_expect_str(kit_header(&k, "x-goog-api-key"), rows[i].want);
		kit_expect_str(k.c->key, rows[i].want);
		assert_int_equal(k.c->key_source, rows[i].source);
		assert_int_equal(k.c->env_secrets, rows[i].source == KEY_FROM_ENV);
		assert_true(kit_is_secret(&k, rows[i].want));
		kit_release(&k);
	}
	kit_expect_refused(&gemini_class, "{\"model\":\"m\"}", P "/api_key", "key is required");
	kit_expect_refused(&gemini_class, "{\"model\":\"m\",\"api_key\":\"a\\nb\"}", P "/api_key", "line break");
	kit_expect_refused(&gemini_class, "{\"model\":\"m\",\"api_key\":5}", P "/api_key", "string");
	kit_expect_refused(&gemini_class, "{\"model\":\"m\",\"api_key\":\"auth_tokens/x\"}", P "/api_key", "ephemeral");
}

static void headers(void **state)
{
	struct kit k;

	(void)state;
	configured(&k, M ",\"timeout\":\"1.2\"}", NULL);
	kit_expect_str(kit_header(&k, "content-type"), "application/json");
	kit_expect_piece(kit_header(&k, "user-agent"), "fairforge/");
	kit_expect_str(kit_header(&k, "x-server-timeout"), "2");
	assert_int_equal(kit_header(&k, "authorization").len, 0);
	assert_true(k.c->timeout_set);
	assert_int_equal(k.c->timeout_ms, 1200);
	kit_release(&k);
	configured(
	        &k,
	        M
	        ",\"timeout\":0,\"additional_headers\":{\"User-Agent\":\"me\",\"X-Goog-Api-Key\":\"other-key-99\",\"X-A\":\"1\"}}",
	        NULL);
	kit_expect_str(kit_header(&k, "user-agent"), "me");
	kit_expect_str(kit_header(&k, "x-goog-api-key"), "other-key-99");
	kit_expect_str(kit_header(&k, "x-a"), "1");
	assert_int_equal(kit_header(&k, "x-server-timeout").len, 0);
	assert_false(k.c->timeout_set);
	assert_true(kit_is_secret(&k, "other-key-99"));
	kit_release(&k);
	configured(&k,
	           M ",\"base_url\":\"http://u:p@h\",\"client_args\":{\"headers\":{\"X-B\":\"2\"},\"verify\":false,\"timeout\":3}}",
	           NULL);
	kit_expect_str(kit_header(&k, "authorization"), "Basic dTpw");
	kit_expect_str(kit_header(&k, "x-b"), "2");
	assert_true(k.c->insecure_tls);
	assert_int_equal(k.c->timeout_ms, 3000);
	kit_release(&k);
}

static void max_retries_counts_attempts(void **state)
{
	static const struct {
		const char *params;
		int extra;
	} rows[] = { { M "}", 5 },
		     { M ",\"max_retries\":0}", 0 },
		     { M ",\"max_retries\":1}", 0 },
		     { M ",\"max_retries\":-1}", 0 },
		     { M ",\"retries\":\"3\",\"max_retries\":9}", 2 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kit k;

		configured(&k, rows[i].params, NULL);
		assert_int_equal(k.c->max_retries, rows[i].extra);
		kit_release(&k);
	}
	kit_expect_refused(&gemini_class, M ",\"max_retries\":1e30}", P "/max_retries", "max_retries");
	kit_expect_refused(&gemini_class, M ",\"max_retries\":5000}", P "/max_retries", "max_retries");
}

static void refused(void **state)
{
	static const struct {
		const char *params, *pointer, *piece;
	} rows[] = {
		{ "{" KEY "}", P, "model" },
		{ "{\"model\":\"\"," KEY "}", P "/model", "model" },
		{ "{\"model\":5," KEY "}", P "/model", "model" },
		{ "{\"model\":\"../x\"," KEY "}", P "/model", "model" },
		{ "{\"model\":\"a?b\"," KEY "}", P "/model", "model" },
		{ M ",\"n\":null}", P "/n", "n must" },
		{ M ",\"stop\":\"A\"}", P "/stop", "stop" },
		{ M ",\"temperature\":2.1}", P "/temperature", "[0.0, 2.0]" },
		{ M ",\"top_p\":1.5}", P "/top_p", "[0.0, 1.0]" },
		{ M ",\"top_k\":0}", P "/top_k", "positive" },
		{ M ",\"frequency_penalty\":-3}", P "/frequency_penalty", "[-2.0, 2.0]" },
		{ M ",\"thinking_level\":\"huge\"}", P "/thinking_level", "thinking_level" },
		{ M ",\"thinking_config\":{\"foo\":1}}", P "/thinking_config", "foo" },
		{ M ",\"thinking_config\":{\"thinking_budget\":\"x\"}}", P "/thinking_config/thinking_budget", "integer" },
		{ M ",\"image_config\":{\"foo\":1}}", P "/image_config", "foo" },
		{ M ",\"image_config\":{\"person_generation\":\"x\"}}", P "/image_config", "Vertex" },
		{ M ",\"response_schema\":{\"type\":\"object\"}}", P "/response_schema", "response_mime_type" },
		{ M ",\"safety_settings\":{\"a\":1}}", P "/safety_settings/a", "safety_settings" },
		{ M ",\"labels\":{\"a\":1}}", P "/labels/a", "labels" },
		{ M ",\"base_url\":5}", P "/base_url", "base_url" },
		{ M ",\"base_url\":\"host:1\"}", P "/base_url", "http://" },
		{ M ",\"base_url\":\"http://h:99999\"}", P "/base_url", "port" },
		{ M ",\"client_options\":{}}", P "/client_options", "api_endpoint" },
		{ M ",\"client_options\":{\"api_endpoint\":\"http://h\",\"x\":1}}", P "/client_options", "api_endpoint" },
		{ M ",\"api_version\":\"v1?x\"}", P "/api_version", "api_version" },
		{ M ",\"api_version\":\"../v1\"}", P "/api_version", "api_version" },
		{ M ",\"additional_headers\":{\"a\":\"b\\r\\nc: d\"}}", P "/additional_headers/a", "line break" },
		{ M ",\"timeout\":[1]}", P "/timeout", "timeout" },
		{ M ",\"vertexai\":true}", P "/vertexai", "Vertex AI is not supported" },
		{ M ",\"credentials\":{\"a\":1}}", P "/credentials", "Vertex AI" },
		{ M ",\"project\":\"p\"}", P "/project", "Vertex AI" },
		{ M ",\"client\":5}", P "/client", "client" },
		{ M ",\"rate_limiter\":5}", P "/rate_limiter", "rate_limiter" },
		{ M ",\"disable_streaming\":\"x\"}", P "/disable_streaming", "disable_streaming" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		kit_expect_refused(&gemini_class, rows[i].params, rows[i].pointer, rows[i].piece);
}

static void vertex_by_environment(void **state)
{
	static const struct kit_env on[] = { { "GOOGLE_GENAI_USE_VERTEXAI", "TRUE" }, { 0 } },
	                            off[] = { { "GOOGLE_GENAI_USE_VERTEXAI", "0" }, { 0 } };
	static const struct kit_env newer[] = { { "GOOGLE_GENAI_USE_ENTERPRISE", "1" }, { 0 } };
	struct kit k;

	(void)state;
	assert_int_equal(kit_configure(&k, &gemini_class, M "}", on, false, false), FF_EUSAGE);
	assert_true(kit_has_problem(&k, PROBLEM_ERROR, P "/vertexai", "GOOGLE_GENAI_USE_VERTEXAI"));
	kit_release(&k);
	assert_int_equal(kit_configure(&k, &gemini_class, M "}", newer, false, false), FF_EUSAGE);
	kit_release(&k);
	configured(&k, M ",\"vertexai\":false,\"project\":\"p\",\"location\":\"l\"}", on);
	assert_int_equal(k.problems.warnings, 2);
	kit_release(&k);
	configured(&k, M ",\"project\":\"p\"}", off);
	kit_release(&k);
}

static void messages(void **state)
{
	const struct message talk[] = { { STR("system"), STR("S1") },   { STR("user"), STR("Q\n\"1\"") },
		                        { STR("assistant"), STR("A") }, { STR("user"), STR("") },
		                        { STR("system"), STR("S2") },   { STR("user"), STR("Q2") } };
	struct kit k;

	(void)state;
	configured(&k, M "}", NULL);
	assert_int_equal(kit_ask(&k, talk, 6), 0);
	kit_expect_str(k.exchange.body, "{\"contents\":[{\"parts\":[{\"text\":\"Q\\n\\\"1\\\"\"}],\"role\":\"user\"},{\"parts\":[{"
	                                "\"text\":\"A\"}],\"role\":\"model\"},"
	                                "{\"parts\":[{\"text\":\"Q2\"}],\"role\":\"user\"}],\"systemInstruction\":{\"parts\":[{"
	                                "\"text\":\"S1\"},{\"text\":\"S2\"}],\"role\":\"user\"},"
	                                "\"safetySettings\":[],\"generationConfig\":{\"temperature\":0.7,\"candidateCount\":1}}");
	assert_int_equal(kit_ask_text(&k, ""), FF_EDATA);
	kit_expect_piece(str_from(k.err.text), "contents are required");
	kit_release(&k);
}

static void strangers_set_no_tls_and_no_proxy(void **state)
{
	struct kit k;

	(void)state;
	assert_int_equal(kit_configure(&k, &gemini_class,
	                               M ",\"client_args\":{\"proxy\":\"http://p:1\"},\"additional_headers\":{\"Host\":\"x\"}}",
	                               NULL, true, false),
	                 FF_EUSAGE);
	assert_true(kit_has_problem(&k, PROBLEM_ERROR, P "/client_args/proxy", "operator"));
	assert_true(kit_has_problem(&k, PROBLEM_ERROR, P "/additional_headers/Host", "operator"));
	kit_release(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies),
		cmocka_unit_test(thinking),
		cmocka_unit_test(model_families),
		cmocka_unit_test(model_kwargs),
		cmocka_unit_test(addresses),
		cmocka_unit_test(model_names_in_the_url),
		cmocka_unit_test(keys),
		cmocka_unit_test(headers),
		cmocka_unit_test(max_retries_counts_attempts),
		cmocka_unit_test(refused),
		cmocka_unit_test(vertex_by_environment),
		cmocka_unit_test(messages),
		cmocka_unit_test(strangers_set_no_tls_and_no_proxy),
	};

	return cmocka_run_group_tests_name("gemini", tests, NULL, NULL);
}
