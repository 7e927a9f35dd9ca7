/* test_groq.c: what ChatGroq's parameters become in a request, and which are mistakes. Replies: test_chat.c. */
#include "turn_kit.h"

#include "connector/groq.h"

#define KEY "\"api_key\":\"gsk-12345678\",\"model\":\"m\""

static void ask(struct kit *k, const char *params, const struct kit_env *env)
{
	char text[1024];

	snprintf(text, sizeof text, "{" KEY "%s%s}", *params ? "," : "", params);
	if (kit_configure(k, &groq_class, text, env, false, false) != 0)
		fail_msg("params %s must be accepted, but: %s", text, k->problems.first->text);
	assert_int_equal(kit_ask_text(k, "Hi"), 0);
}

static void expect_body(const char *params, const char *body)
{
	struct kit k;

	ask(&k, params, NULL);
	kit_expect_str(k.exchange.body, body);
	kit_release(&k);
}

#define TAIL "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}"

static void bodies(void **state)
{
	(void)state;
	expect_body("", "{\"model\":\"m\",\"n\":1,\"reasoning_effort\":null,\"reasoning_format\":null,\"service_tier\":\"on_"
	                "demand\",\"stop\":null,"
	                "\"stream\":false,\"temperature\":0.7," TAIL);
	expect_body("\"temperature\":0,\"max_tokens\":true,\"stop\":[],\"service_tier\":\"flex\",\"reasoning_format\":\"raw\"",
	            "{\"model\":\"m\",\"n\":1,\"reasoning_effort\":null,\"reasoning_format\":\"raw\",\"service_tier\":\"flex\","
	            "\"stop\":[],"
	            "\"stream\":false,\"temperature\":1e-08,\"max_tokens\":1," TAIL);
	expect_body("\"temperature\":1e-9,\"n\":\"2\",\"reasoning_effort\":\"none\",\"seed\":null,\"model_kwargs\":{\"top_p\":1}",
	            "{\"model\":\"m\",\"n\":2,\"reasoning_effort\":\"none\",\"reasoning_format\":null,\"service_tier\":\"on_"
	            "demand\",\"stop\":null,"
	            "\"stream\":false,\"temperature\":1e-09,\"top_p\":1,\"seed\":null," TAIL);
	expect_body("\"streaming\":true,\"disable_streaming\":true,\"metadata\":{\"a\":1},\"extra_body\":{\"stop\":\"x\",\"k\":1}",
	            "{\"model\":\"m\",\"n\":1,\"reasoning_effort\":null,\"reasoning_format\":null,\"service_tier\":\"on_demand\","
	            "\"stop\":\"x\","
	            "\"stream\":true,\"temperature\":0.7,\"k\":1," TAIL);
}

static void urls(void **state)
{
	static const struct kit_env both[] = { { "GROQ_API_BASE", "http://a" }, { "GROQ_BASE_URL", "http://b" }, { NULL, NULL } };
	static const struct {
		const char *params;
		const struct kit_env *env;
		const char *url;
	} table[] = {
		{ "", NULL, "https://api.groq.com/openai/v1/chat/completions" },
		{ "", both, "http://a/openai/v1/chat/completions" },
		{ "", both + 1, "http://b/openai/v1/chat/completions" },
		{ "\"base_url\":\"http://h/proxy/llm/\"", both, "http://h/proxy/llm/openai/v1/chat/completions" },
		{ "\"base_url\":\"http://h/openai/v1\"", NULL, "http://h/openai/v1/chat/completions" },
		{ "\"groq_api_base\":\"http://h/x/openai/v1/chat/completions\"", NULL, "http://h/x/openai/v1/chat/completions" },
		{ "\"base_url\":\"http://h/openai\"", NULL, "http://h/openai/openai/v1/chat/completions" },
		{ "\"base_url\":\"http://h\",\"default_query\":{\"l\":[\"x\",null,\"y\",[1]],\"e\":\"\",\"m\":[]}", NULL,
		  "http://h/openai/v1/chat/completions?l=x%2Cy%2C%5B1%5D&m=" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct kit k;

		ask(&k, table[i].params, table[i].env);
		kit_expect_str(k.exchange.url, table[i].url);
		kit_release(&k);
	}
}

static void keys_and_headers(void **state)
{
	static const struct kit_env env[] = { { "GROQ_API_KEY", "env-key-1" }, { NULL, NULL } };
	struct kit k;

	(void)state;
	ask(&k, "\"default_headers\":{\"Authorization\":\"Token abc\"}", NULL);
	kit_expect_str(kit_header(&k, "authorization"), "Token abc");
	kit_expect_str(kit_header(&k, "accept"), "application/json");
	kit_release(&k);
	assert_int_equal(kit_configure(&k, &groq_class, "{\"model\":\"m\",\"api_key\":null}", env, false, false), 0);
	kit_expect_str(k.c->key, "env-key-1");
	kit_release(&k);
	kit_expect_refused(&groq_class, "{\"model\":\"m\",\"api_key\":\"\"}", "/connector/params/api_key",
	                   "Failed to create LLM connector: The api_key client option must be set either by passing api_key to the "
	                   "client or by "
	                   "setting the GROQ_API_KEY environment variable");
}

static void mistakes(void **state)
{
	static const struct {
		const char *params, *at, *piece;
	} table[] = {
		{ "\"temperature\":null", "/temperature", "temperature must be a number, but it is null." },
		{ "\"service_tier\":null", "/service_tier", "service_tier must be 'on_demand', 'flex' or 'auto', but it is null." },
		{ "\"model_kwargs\":null", "/model_kwargs", "model_kwargs must be an object, but it is null." },
		{ "\"model_kwargs\":{\"temperature\":1}", "/model_kwargs", "temperature must be given as a parameter of its own" },
		{ "\"model_kwargs\":{\"bogus\":1}", "/model_kwargs/bogus", "bogus is no parameter of ChatGroq." },
		{ "\"stream_options\":{}", "/stream_options", "stream_options is no parameter of ChatGroq." },
		{ "\"messages\":[]", "/messages", "messages is no parameter of ChatGroq." },
		{ "\"n\":2,\"streaming\":true", "/n", "n must be 1 when streaming." },
		{ "\"base_url\":\"\"", "/base_url", "base_url is no URL to send requests to: it names no host." },
		{ "\"http_client\":\"\"", "/http_client", "Python object" },
		{ "\"async_client\":1", "/async_client", "Python object" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char params[512], pointer[128];

		snprintf(params, sizeof params, "{" KEY ",%s}", table[i].params);
		snprintf(pointer, sizeof pointer, "/connector/params%s", table[i].at);
		kit_expect_refused(&groq_class, params, pointer, table[i].piece);
	}
	kit_expect_refused(&groq_class, "{\"api_key\":\"gsk-12345678\"}", "/connector/params", "model is required.");
	kit_expect_refused(&groq_class, "{\"api_key\":\"gsk-12345678\",\"model\":\"\"}", "/connector/params/model",
	                   "must not be empty");
}

static void what_has_no_effect_is_said(void **state)
{
	struct kit k;

	(void)state;
	ask(&k, "\"groq_proxy\":\"http://p\",\"client\":5,\"async_client\":\"\"", NULL);
	assert_true(kit_has_problem(&k, PROBLEM_WARNING, "/connector/params/groq_proxy", "no effect"));
	assert_true(kit_has_problem(&k, PROBLEM_WARNING, "/connector/params/client", "no effect"));
	assert_true(kit_has_problem(&k, PROBLEM_WARNING, "/connector/params/async_client", "no effect"));
	kit_expect_str(k.c->proxy, "");
	kit_release(&k);
}

static void allocations_may_fail(void **state)
{
	(void)state;
	kit_fault_loop(&groq_class,
	               "{" KEY
	               ",\"default_query\":{\"l\":[1,[2]]},\"extra_headers\":{\"X\":\"1\"},\"model_kwargs\":{\"user\":\"u\"}}",
	               "application/json", "{\"choices\":[{\"message\":{\"content\":\"a\"}}]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies),
		cmocka_unit_test(urls),
		cmocka_unit_test(keys_and_headers),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(what_has_no_effect_is_said),
		cmocka_unit_test(allocations_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
