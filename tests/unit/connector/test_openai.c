/* test_openai.c: what ChatOpenAI's parameters become in a request, and which are mistakes. Replies: test_chat.c, test_responses.c. */
#include "turn_kit.h"

#include "connector/openai.h"

#define KEY "\"api_key\":\"sk-12345678\""

static void configure(struct kit *k, const char *params, const struct kit_env *env)
{
	int r = kit_configure(k, &openai_class, params, env, false, false);

	if (r != 0)
		for (const struct problem *p = k->problems.first; p; p = p->next)
			print_message("%s: %s\n", p->pointer, p->text);
	if (r != 0)
		fail_msg("params %s must be accepted", params);
}

/* The request's body for params (KEY is added) must be `body`. */
static void expect_body(const char *params, const char *body)
{
	char text[1024];
	struct kit k;

	snprintf(text, sizeof text, "{" KEY "%s%s}", *params ? "," : "", params);
	configure(&k, text, NULL);
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	kit_expect_str(k.exchange.body, body);
	kit_release(&k);
}

#define TAIL "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}"

static void bodies(void **state)
{
	(void)state;
	expect_body("", "{\"model\":\"gpt-3.5-turbo\",\"stream\":false," TAIL);
	expect_body("\"model\":\"m\",\"temperature\":1,\"max_tokens\":5",
	            "{\"model\":\"m\",\"temperature\":1.0,\"max_completion_tokens\":5,\"stream\":false," TAIL);
	expect_body("\"model\":\"m\",\"stop\":[],\"n\":null,\"seed\":18446744073709551616",
	            "{\"model\":\"m\",\"seed\":18446744073709551616,\"stream\":false," TAIL);
	expect_body("\"model\":\"m\",\"stop_sequences\":\"X\",\"logit_bias\":{\"7\":3.0}",
	            "{\"model\":\"m\",\"stop\":\"X\",\"logit_bias\":{\"7\":3},\"stream\":false," TAIL);
	expect_body("\"model\":\"m\",\"user\":\"\xC3\xBC\",\"parallel_tool_calls\":null",
	            "{\"model\":\"m\",\"stream\":false,\"user\":\"\xC3\xBC\",\"parallel_tool_calls\":null," TAIL);
	expect_body("\"model\":\"m\",\"model_kwargs\":{\"user\":\"u\",\"top_p\":0.5}",
	            "{\"model\":\"m\",\"top_p\":0.5,\"stream\":false,\"user\":\"u\"," TAIL);
	expect_body("\"model\":\"m\",\"extra_body\":{\"model\":\"z\",\"k\":[1,null]}",
	            "{\"model\":\"z\",\"stream\":false,\"k\":[1,null]," TAIL);
	expect_body("\"model\":\"m\",\"extra_body\":{\"messages\":[]}", "{\"model\":\"m\",\"stream\":false,\"messages\":[]}");
	expect_body("\"model\":\"m\",\"metadata\":{\"a\":1},\"tags\":[],\"name\":\"n\",\"include_response_headers\":true",
	            "{\"model\":\"m\",\"stream\":false," TAIL);
}

static void temperatures(void **state)
{
	(void)state;
	expect_body("\"model\":\"o1-mini\"", "{\"model\":\"o1-mini\",\"stream\":false,\"temperature\":1.0," TAIL);
	expect_body("\"model\":\"o1\",\"temperature\":null", "{\"model\":\"o1\",\"stream\":false," TAIL);
	expect_body("\"model\":\"GPT-5\",\"temperature\":0.3", "{\"model\":\"GPT-5\",\"stream\":false," TAIL);
	expect_body("\"model\":\"gpt-5\",\"temperature\":\"1\"", "{\"model\":\"gpt-5\",\"temperature\":1.0,\"stream\":false," TAIL);
	expect_body("\"model\":\"gpt-5-chat\",\"temperature\":0.3",
	            "{\"model\":\"gpt-5-chat\",\"temperature\":0.3,\"stream\":false," TAIL);
	expect_body("\"model\":\"gpt-5.1\",\"temperature\":0.3,\"reasoning_effort\":\"none\"",
	            "{\"model\":\"gpt-5.1\",\"temperature\":0.3,\"reasoning_effort\":\"none\",\"stream\":false," TAIL);
}

static void streaming(void **state)
{
	static const struct kit_env base[] = { { "OPENAI_BASE_URL", "http://h/v1" }, { NULL, NULL } };
	struct kit k;

	(void)state;
	expect_body("\"model\":\"m\",\"streaming\":true",
	            "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}," TAIL);
	expect_body("\"model\":\"m\",\"streaming\":\"yes\",\"stream_usage\":false", "{\"model\":\"m\",\"stream\":true," TAIL);
	expect_body("\"model\":\"m\",\"streaming\":true,\"base_url\":\"http://h\"", "{\"model\":\"m\",\"stream\":true," TAIL);
	expect_body("\"model\":\"m\",\"streaming\":true,\"disable_streaming\":true", "{\"model\":\"m\",\"stream\":false," TAIL);
	configure(&k, "{" KEY ",\"model\":\"m\",\"streaming\":true}", base);
	assert_true(k.c->streaming);
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	kit_expect_str(k.exchange.body, "{\"model\":\"m\",\"stream\":true," TAIL);
	kit_release(&k);
	assert_int_equal(kit_configure(&k, &openai_class, "{" KEY "}", NULL, false, true), 0);
	assert_true(k.c->streaming); /* the run's option */
	kit_release(&k);
	assert_int_equal(kit_configure(&k, &openai_class, "{" KEY ",\"streaming\":false}", NULL, false, true), 0);
	assert_false(k.c->streaming); /* what the payload says counts */
	kit_release(&k);
}

static void messages_and_attempts(void **state)
{
	static const struct message talk[] = { { { "system", 6 }, { "S", 1 } },
		                               { { "user", 4 }, { "a\"\n\xF0\x9F\x98\x80", 7 } },
		                               { { "assistant", 9 }, { "b", 1 } } };
	struct kit k;

	(void)state;
	configure(&k, "{" KEY ",\"model\":\"o3\"}", NULL);
	assert_int_equal(kit_ask(&k, talk, 3), 0);
	kit_expect_str(k.exchange.body,
	               "{\"model\":\"o3\",\"stream\":false,\"messages\":[{\"role\":\"developer\",\"content\":\"S\"},"
	               "{\"role\":\"user\",\"content\":\"a\\\"\\n\xF0\x9F\x98\x80\"},{\"role\":\"assistant\",\"content\":\"b\"}]}");
	kit_expect_str(kit_header(&k, "x-stainless-retry-count"), "0");
	k.input.attempt = 12;
	assert_int_equal(openai_class.encode(k.turn, &k.exchange, &k.err), 0);
	kit_expect_str(kit_header(&k, "x-stainless-retry-count"), "12");
	kit_expect_str(kit_header(&k, "authorization"), "Bearer sk-12345678");
	kit_release(&k);
}

static void expect_url(const char *params, const struct kit_env *env, const char *url)
{
	char text[1024];
	struct kit k;

	snprintf(text, sizeof text, "{" KEY "%s%s}", *params ? "," : "", params);
	configure(&k, text, env);
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	kit_expect_str(k.exchange.url, url);
	kit_release(&k);
}

static void urls(void **state)
{
	static const struct kit_env both[] = { { "OPENAI_API_BASE", "http://a/v1" },
		                               { "OPENAI_BASE_URL", "http://b/v1" },
		                               { NULL, NULL } };

	(void)state;
	expect_url("", NULL, "https://api.openai.com/v1/chat/completions");
	expect_url("", both, "http://a/v1/chat/completions");
	expect_url("\"base_url\":\"\"", both, "http://b/v1/chat/completions");
	expect_url("\"base_url\":\"HTTP://h:81/v1//\"", both, "http://h:81/v1/chat/completions");
	expect_url("\"base_url\":\"http://h/v1/chat/completions\"", NULL, "http://h/v1/chat/completions");
	expect_url("\"base_url\":\"http://h/v1/responses/\"", NULL, "http://h/v1/chat/completions");
	expect_url("\"base_url\":\"http://h/v1?api-version=1#f\",\"default_query\":{\"a b\":\"c&d\"}", NULL,
	           "http://h/v1/chat/completions?api-version=1&a%20b=c%26d");
	expect_url("\"base_url\":\"http://h/\xC3\xBC%20\"", NULL, "http://h/%C3%BC%20/chat/completions");
	expect_url("\"base_url\":\"http://"
	           "h\",\"default_query\":{\"l\":[\"x\",null,true],\"d\":{\"k\":{\"z\":1.50}},\"n\":null,\"e\":\"\"}",
	           NULL, "http://h/chat/completions?l%5B%5D=x&l%5B%5D=true&d%5Bk%5D%5Bz%5D=1.5&e=");
	expect_url("\"base_url\":\"http://h\",\"default_query\":{\"a\":1,\"b\":2},\"extra_query\":{\"a\":3}", NULL,
	           "http://h/chat/completions?a=3&b=2");
}

static void origins(void **state)
{
	static const struct kit_env env[] = { { "OPENAI_API_BASE", "http://a/v1" }, { NULL, NULL } };
	struct kit k;

	(void)state;
	configure(&k, "{" KEY "}", NULL);
	assert_true(k.c->base_is_default && !k.c->base_from_env);
	kit_release(&k);
	configure(&k, "{" KEY ",\"base_url\":\"https://API.openai.com:443/v1\"}", NULL);
	assert_true(k.c->base_is_default);
	kit_release(&k);
	configure(&k, "{" KEY ",\"base_url\":\"http://api.openai.com/v1\"}", NULL);
	assert_false(k.c->base_is_default);
	kit_release(&k);
	configure(&k, "{" KEY "}", env);
	assert_true(k.c->base_from_env && !k.c->base_is_default);
	kit_expect_str(k.c->base_url, "http://a/v1");
	kit_release(&k);
}

static void headers(void **state)
{
	static const struct kit_env env[] = { { "OPENAI_ORG_ID", "org-env-1" },
		                              { "OPENAI_PROJECT_ID", "proj-1" },
		                              { "OPENAI_CUSTOM_HEADERS", "X-A: one\nbroken\nX-B: two: 2" },
		                              { NULL, NULL } };
	struct kit k;

	(void)state;
	configure(&k, "{" KEY ",\"default_headers\":{\"x-a\":\"mine\",\"User-Agent\":\"me\"},\"extra_headers\":{\"X-C\":\"3\"}}",
	          env);
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	kit_expect_str(kit_header(&k, "OpenAI-Organization"), "org-env-1");
	kit_expect_str(kit_header(&k, "OpenAI-Project"), "proj-1");
	kit_expect_str(kit_header(&k, "X-A"), "mine");
	kit_expect_str(kit_header(&k, "X-B"), "two: 2");
	kit_expect_str(kit_header(&k, "X-C"), "3");
	kit_expect_str(kit_header(&k, "user-agent"), "me");
	kit_expect_str(kit_header(&k, "content-type"), "application/json");
	assert_true(k.c->env_secrets);
	assert_true(kit_is_secret(&k, "sk-12345678") && kit_is_secret(&k, "org-env-1") && kit_is_secret(&k, "two: 2"));
	kit_release(&k);
	configure(&k, "{" KEY ",\"base_url\":\"http://user:p%40ss@h/v1\",\"default_headers\":{\"Authorization\":\"Token x\"}}",
	          NULL);
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	kit_expect_str(kit_header(&k, "Authorization"), "Basic dXNlcjpwQHNz");
	kit_expect_str(k.exchange.url, "http://h/v1/chat/completions");
	assert_true(kit_is_secret(&k, "p@ss"));
	assert_false(k.c->env_secrets);
	kit_release(&k);
}

static void keys(void **state)
{
	static const struct kit_env env[] = { { "LLM_API_KEY", "llm-key-1" }, { "OPENAI_API_KEY", "own-key-1" }, { NULL, NULL } };
	static const struct kit_env own[] = { { "LLM_API_KEY", "" }, { "OPENAI_API_KEY", "own-key-1" }, { NULL, NULL } };
	struct kit k;

	(void)state;
	configure(&k, "{\"openai_api_key\":\"field-key\"}", env);
	kit_expect_str(k.c->key, "llm-key-1");
	assert_int_equal(k.c->key_source, KEY_FROM_ENV);
	assert_true(k.c->env_secrets);
	kit_release(&k);
	configure(&k, "{\"api_key\":\"\"}", own);
	kit_expect_str(k.c->key, "own-key-1");
	kit_release(&k);
	configure(&k, "{" KEY "}", env);
	assert_int_equal(k.c->key_source, KEY_FROM_PARAMS);
	assert_false(k.c->env_secrets);
	kit_release(&k);
	kit_expect_refused(&openai_class, "{}", "/connector/params/api_key",
	                   "Failed to create LLM connector: Missing credentials.");
	kit_expect_refused(&openai_class, "{\"api_key\":\"a\\r\\nb\"}", "/connector/params/api_key",
	                   "api_key cannot be sent as a key: it has a line break.");
	kit_expect_refused(&openai_class, "{\"api_key\":\" a\"}", "/connector/params/api_key", "blank");
	kit_expect_refused(&openai_class, "{\"api_key\":\"k\xC3\xA9y\"}", "/connector/params/api_key", "not ASCII");
	kit_expect_refused(&openai_class, "{\"api_key\":5}", "/connector/params/api_key", "api_key must be a string");
}

static void mistakes(void **state)
{
	static const struct {
		const char *params, *at, *piece;
	} table[] = {
		{ "\"model\":\"\"", "/model", "model must not be empty." },
		{ "\"model\":5", "/model", "model must be a string" },
		{ "\"foo\":1", "/foo", "foo is no parameter of ChatOpenAI." },
		{ "\"temprature\":1", "/temprature", "did you mean temperature?" },
		{ "\"stream\":true", "/stream", "did you mean streaming?" },
		{ "\"model_kwargs\":{\"bogus\":1}", "/model_kwargs/bogus", "bogus is no parameter of ChatOpenAI." },
		{ "\"model_kwargs\":[]", "/model_kwargs", "model_kwargs must be an object" },
		{ "\"user\":\"a\",\"model_kwargs\":{\"user\":\"b\"}", "/model_kwargs", "user is given twice" },
		{ "\"n\":0", "/n", "n must be at least 1." },
		{ "\"n\":2,\"streaming\":true", "/n", "n must be 1 when streaming." },
		{ "\"max_retries\":-1", "/max_retries", "max_retries must be from 0 to 1000, but it is -1." },
		{ "\"base_url\":\"ftp://h\"", "/base_url",
		  "base_url is no URL to send requests to: it begins with neither http:// nor https://." },
		{ "\"base_url\":\"h/v1\"", "/base_url", "it begins with neither" },
		{ "\"base_url\":\"http://h/a\\nb\"", "/base_url", "base_url is no URL" },
		{ "\"default_headers\":{\"X\":\"a\\nb\"}", "/default_headers/X", "line break" },
		{ "\"extra_headers\":{\"Content-Length\":\"5\"}", "/extra_headers/Content-Length", "belongs to the transport" },
		{ "\"extra_headers\":[]", "/extra_headers", "extra_headers must be an object of strings" },
		{ "\"extra_query\":5", "/extra_query", "extra_query must be an object" },
		{ "\"http_client\":\"x\"", "/http_client", "Python object" },
		{ "\"openai_proxy\":\"low\"", "/openai_proxy", "openai_proxy is no proxy" },
		{ "\"response_format\":\"json\"", "/response_format", "response_format must be an object" },
		{ "\"tools\":5", "/tools", "tools must be a list" },
		{ "\"response_format\":{},\"tools\":[{\"function\":{}}]", "/tools", "strict" },
		{ "\"reasoning\":{},\"use_responses_api\":false", "/reasoning", "no parameter of chat completions" },
		{ "\"cache\":true", "/cache", "cache" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		char params[512], pointer[128];

		snprintf(params, sizeof params, "{" KEY ",%s}", table[i].params);
		snprintf(pointer, sizeof pointer, "/connector/params%s", table[i].at);
		kit_expect_refused(&openai_class, params, pointer, table[i].piece);
	}
}

static void several_mistakes_are_told_at_once(void **state)
{
	struct kit k;

	(void)state;
	assert_int_equal(kit_configure(&k, &openai_class, "{\"temperature\":\"hot\",\"foo\":1,\"n\":0}", NULL, false, false),
	                 FF_EUSAGE);
	assert_int_equal(k.problems.errors, 4); /* and the key */
	kit_release(&k);
}

static void strangers_name_no_proxy(void **state)
{
	struct kit k;

	(void)state;
	assert_int_equal(kit_configure(&k, &openai_class, "{" KEY ",\"openai_proxy\":\"http://p:1\"}", NULL, true, false),
	                 FF_EUSAGE);
	assert_true(kit_has_problem(&k, PROBLEM_ERROR, "/connector/params/openai_proxy", "operator"));
	kit_release(&k);
	assert_int_equal(kit_configure(&k, &openai_class, "{" KEY ",\"default_headers\":{\"Host\":\"x\"}}", NULL, true, false),
	                 FF_EUSAGE);
	kit_release(&k);
	configure(&k, "{" KEY ",\"openai_proxy\":\"http://u:secretpass@p:1\"}", NULL);
	kit_expect_str(k.c->proxy, "http://u:secretpass@p:1");
	assert_true(kit_is_secret(&k, "secretpass"));
	kit_release(&k);
}

static void limits(void **state)
{
	static const struct kit_env env[] = { { "LANGCHAIN_OPENAI_STREAM_CHUNK_TIMEOUT_S", "7" }, { NULL, NULL } };
	struct kit k;

	(void)state;
	configure(&k, "{" KEY "}", env);
	assert_int_equal(k.c->max_retries, 2);
	assert_false(k.c->timeout_set);
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	assert_int_equal(k.exchange.idle_timeout_ms, 0);
	kit_release(&k);
	configure(&k, "{" KEY ",\"timeout\":\"0.8\",\"max_retries\":\"0\"}", NULL);
	assert_true(k.c->timeout_set);
	assert_int_equal(k.c->timeout_ms, 800);
	assert_int_equal(k.c->max_retries, 0);
	kit_release(&k);
	configure(&k, "{" KEY ",\"streaming\":true}", env);
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	assert_int_equal(k.exchange.idle_timeout_ms, 7000);
	kit_release(&k);
	configure(&k, "{" KEY ",\"streaming\":true,\"timeout\":3,\"stream_chunk_timeout\":5}", env);
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	assert_int_equal(k.exchange.idle_timeout_ms, 0);
	kit_release(&k);
}

static void allocations_may_fail(void **state)
{
	(void)state;
	kit_fault_loop(
	        &openai_class,
	        "{" KEY
	        ",\"model_kwargs\":{\"user\":\"u\",\"top_p\":1},\"base_url\":\"http://u:p@h/v1?x=1\",\"logit_bias\":{\"1\":-2},"
	        "\"stop\":[\"a\"],\"default_query\":{\"a\":{\"b\":[1]}},\"default_headers\":{\"X-Token\":\"t "
	        "t\"},\"extra_body\":{\"k\":1}}",
	        "application/json",
	        "{\"model\":\"m\",\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\","
	        "\"text\":\"b\"}]}}]}");
	kit_fault_loop(&openai_class, "{" KEY ",\"streaming\":true}", "text/event-stream",
	               "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: "
	               "{\"choices\":[{\"delta\":{\"content\":\"b\"},"
	               "\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies),
		cmocka_unit_test(temperatures),
		cmocka_unit_test(streaming),
		cmocka_unit_test(messages_and_attempts),
		cmocka_unit_test(urls),
		cmocka_unit_test(origins),
		cmocka_unit_test(headers),
		cmocka_unit_test(keys),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(several_mistakes_are_told_at_once),
		cmocka_unit_test(strangers_name_no_proxy),
		cmocka_unit_test(limits),
		cmocka_unit_test(allocations_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
