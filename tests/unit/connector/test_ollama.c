/* test_ollama.c: ChatOllama: parameters, addresses, headers, bodies, replies. */
#include "turn_kit.h"

#include "connector/ollama.h"

#define P "/connector/params"

static void configured(struct kit *k, const char *params, const struct kit_env *env)
{
	if (kit_configure(k, &ollama_class, params, env, false, false) != 0)
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

static void expect_body(const char *params, const char *want)
{
	struct kit k;

	configured(&k, params, NULL);
	kit_expect_str(k.exchange.body, want);
	kit_release(&k);
}

#define HEAD "{\"model\":\"m\",\"stream\":true,\"options\":"
#define TAIL "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"tools\":[]"

static void bodies(void **state)
{
	(void)state;
	expect_body("{\"model\":\"m\"}", HEAD "{}," TAIL "}");
	expect_body("{\"model\":\"m\",\"temperature\":1,\"num_ctx\":\"2048\",\"seed\":7.0,\"stop\":[],\"mirostat\":true}",
	            HEAD "{\"mirostat\":1,\"num_ctx\":2048,\"temperature\":1.0,\"seed\":7,\"stop\":[]}," TAIL "}");
	expect_body("{\"model\":\"m\",\"format\":\"json\",\"keep_alive\":300,\"reasoning\":0}",
	            HEAD "{},\"format\":\"json\",\"keep_alive\":300.0," TAIL ",\"think\":false}");
	expect_body("{\"model\":\"m\",\"format\":{\"type\":\"object\",\"n\":1e5},\"keep_alive\":\"5m\",\"reasoning\":\"low\"}",
	            HEAD "{},\"format\":{\"type\":\"object\",\"n\":1e5},\"keep_alive\":\"5m\"," TAIL ",\"think\":\"low\"}");
	expect_body("{\"model\":\"m\",\"keep_alive\":-1,\"format\":\"\"}", HEAD "{},\"format\":\"\",\"keep_alive\":-1.0," TAIL "}");
	expect_body("{\"model\":\"m\",\"top_logprobs\":3}", HEAD "{}," TAIL ",\"logprobs\":true,\"top_logprobs\":3}");
	expect_body("{\"model\":\"m\",\"logprobs\":false,\"temperature\":null}", HEAD "{}," TAIL ",\"logprobs\":false}");
}

static void messages(void **state)
{
	const struct message talk[] = { { STR("system"), STR("be \"brief\"") },
		                        { STR("user"), STR("a\nb\xF0\x9F\x98\x80") },
		                        { STR("assistant"), STR("") },
		                        { STR("user"), STR("") } };
	struct kit k;

	(void)state;
	configured(&k, "{\"model\":\"m\"}", NULL);
	assert_int_equal(kit_ask(&k, talk, 4), 0);
	kit_expect_str(k.exchange.body, HEAD "{},\"messages\":[{\"role\":\"system\",\"content\":\"be "
	                                     "\\\"brief\\\"\"},{\"role\":\"user\",\"content\":\"a\\nb\xF0\x9F\x98\x80\"},"
	                                     "{\"role\":\"assistant\"},{\"role\":\"user\"}],\"tools\":[]}");
	kit_release(&k);
}

static void addresses(void **state)
{
	static const struct kit_env host[] = { { "OLLAMA_HOST", "gpu:1" }, { 0 } }, bare[] = { { "OLLAMA_HOST", "gpu" }, { 0 } };
	static const struct kit_env port[] = { { "OLLAMA_HOST", ":9999" }, { 0 } },
	                            https[] = { { "OLLAMA_HOST", "https://h/p/" }, { 0 } };
	static const struct kit_env empty[] = { { "OLLAMA_HOST", "" }, { 0 } };

	(void)state;
	expect_url("{\"model\":\"m\"}", NULL, "http://127.0.0.1:11434/api/chat");
	expect_url("{\"model\":\"m\"}", empty, "http://127.0.0.1:11434/api/chat");
	expect_url("{\"model\":\"m\"}", host, "http://gpu:1/api/chat");
	expect_url("{\"model\":\"m\"}", bare, "http://gpu:11434/api/chat");
	expect_url("{\"model\":\"m\"}", port, "http://127.0.0.1:9999/api/chat");
	expect_url("{\"model\":\"m\"}", https, "https://h/p/api/chat");
	expect_url("{\"model\":\"m\",\"base_url\":\"http://h\"}", host, "http://h/api/chat");
	expect_url("{\"model\":\"m\",\"base_url\":\"\"}", host, "http://gpu:1/api/chat");
	expect_url("{\"model\":\"m\",\"base_url\":null}", host, "http://gpu:1/api/chat");
	expect_url("{\"model\":\"m\",\"base_url\":\"localhost:1234/\"}", NULL, "http://localhost:1234/api/chat");
	expect_url("{\"model\":\"m\",\"base_url\":\"http://h:8/p/?x=1\"}", NULL, "http://h:8/p/api/chat");
	expect_url("{\"model\":\"m\",\"base_url\":\"http://h/api\"}", NULL, "http://h/api/chat");
	expect_url("{\"model\":\"m\",\"base_url\":\"http://h/api/chat/\"}", NULL, "http://h/api/chat");
	expect_url("{\"model\":\"m\",\"base_url\":\"http://[::1]:5/x\"}", NULL, "http://[::1]:5/x/api/chat");
	expect_url("{\"model\":\"m\",\"base_url\":\"http://h\",\"client_kwargs\":{\"params\":{\"a\":\"b c\"}}}", NULL,
	           "http://h/api/chat?a=b%20c");
}

static void where_an_address_came_from(void **state)
{
	static const struct kit_env host[] = { { "OLLAMA_HOST", "http://u:p@gpu:1" }, { 0 } };
	struct kit k;

	(void)state;
	configured(&k, "{\"model\":\"m\"}", NULL);
	assert_true(k.c->base_is_default);
	assert_false(k.c->base_from_env);
	kit_release(&k);
	configured(&k, "{\"model\":\"m\"}", host);
	assert_true(k.c->base_from_env);
	assert_int_equal(kit_header(&k, "authorization").len, 0);
	assert_true(kit_has_problem(&k, PROBLEM_WARNING, P, "OLLAMA_HOST"));
	kit_expect_str(k.c->base_url, "http://gpu:1");
	kit_release(&k);
}

static void headers(void **state)
{
	static const struct kit_env key[] = { { "OLLAMA_API_KEY", "key-from-env" }, { 0 } };
	struct kit k;

	(void)state;
	configured(&k,
	           "{\"model\":\"m\",\"client_kwargs\":{\"headers\":{\"User-Agent\":\"me\",\"X-A\":\"1\",\"Content-Type\":\"t\"}}}",
	           key);
	kit_expect_str(kit_header(&k, "authorization"), "Bearer key-from-env");
	kit_expect_str(kit_header(&k, "x-a"), "1");
	kit_expect_str(kit_header(&k, "content-type"), "application/json");
	kit_expect_piece(kit_header(&k, "user-agent"), "fairforge/");
	assert_true(kit_is_secret(&k, "key-from-env"));
	assert_true(k.c->env_secrets);
	assert_int_equal(k.c->key_source, KEY_FROM_ENV);
	kit_release(&k);
	configured(&k, "{\"model\":\"m\",\"client_kwargs\":{\"headers\":{\"Authorization\":\"Bearer mine-12345\"}}}", key);
	kit_expect_str(kit_header(&k, "authorization"), "Bearer mine-12345");
	assert_false(k.c->env_secrets);
	assert_true(kit_is_secret(&k, "mine-12345"));
	kit_release(&k);
	configured(&k, "{\"model\":\"m\",\"base_url\":\"http://u:p%40ss@h/x\"}", key);
	kit_expect_str(kit_header(&k, "authorization"), "Basic dTpwQHNz");
	kit_expect_str(k.exchange.url, "http://h/x/api/chat");
	assert_true(kit_is_secret(&k, "dTpwQHNz"));
	assert_true(kit_is_secret(&k, "p%40ss"));
	assert_true(kit_is_secret(&k, "p@ss"));
	kit_release(&k);
	configured(&k,
	           "{\"model\":\"m\",\"client_kwargs\":{\"headers\":{\"X-A\":\"1\"},\"timeout\":5},"
	           "\"async_client_kwargs\":{\"headers\":{\"X-B\":\"2\"},\"cookies\":{\"c\":\"d\"}}}",
	           NULL);
	assert_int_equal(kit_header(&k, "x-a").len, 0);
	kit_expect_str(kit_header(&k, "x-b"), "2");
	kit_expect_str(kit_header(&k, "cookie"), "c=d");
	assert_true(k.c->timeout_set);
	assert_int_equal(k.c->timeout_ms, 5000);
	kit_release(&k);
}

static void refused(void **state)
{
	const struct connector_class *c = &ollama_class;

	(void)state;
	kit_expect_refused(c, "{}", P, "model");
	kit_expect_refused(c, "{\"model\":\"\"}", P "/model", "model");
	kit_expect_refused(c, "{\"model\":null}", P "/model", "model");
	kit_expect_refused(c, "{\"model\":\"m\",\"num_ctx\":1.5}", P "/num_ctx", "num_ctx");
	kit_expect_refused(c, "{\"model\":\"m\",\"stop\":\"x\"}", P "/stop", "stop");
	kit_expect_refused(c, "{\"model\":\"m\",\"format\":\"xml\"}", P "/format", "format");
	kit_expect_refused(c, "{\"model\":\"m\",\"format\":[]}", P "/format", "format");
	kit_expect_refused(c, "{\"model\":\"m\",\"keep_alive\":1.5}", P "/keep_alive", "keep_alive");
	kit_expect_refused(c, "{\"model\":\"m\",\"keep_alive\":{}}", P "/keep_alive", "keep_alive");
	kit_expect_refused(c, "{\"model\":\"m\",\"reasoning\":2}", P "/reasoning", "reasoning");
	kit_expect_refused(c, "{\"model\":\"m\",\"top_logprobs\":0}", P "/top_logprobs", "positive");
	kit_expect_refused(c, "{\"model\":\"m\",\"top_logprobs\":1,\"logprobs\":false}", P "/top_logprobs", "logprobs");
	kit_expect_refused(c, "{\"model\":\"m\",\"base_url\":\"ftp://h\"}", P "/base_url", "http://");
	kit_expect_refused(c, "{\"model\":\"m\",\"base_url\":\"http://h:x\"}", P "/base_url", "port");
	kit_expect_refused(c, "{\"model\":\"m\",\"client_kwargs\":{\"bogus\":1}}", P "/client_kwargs/bogus", "bogus");
	kit_expect_refused(c, "{\"model\":\"m\",\"async_client_kwargs\":{\"bogus\":1}}", P "/async_client_kwargs/bogus", "bogus");
	kit_expect_refused(c, "{\"model\":\"m\",\"sync_client_kwargs\":{\"bogus\":1}}", P "/sync_client_kwargs/bogus", "bogus");
	kit_expect_refused(c, "{\"model\":\"m\",\"client_kwargs\":{\"headers\":{\"a\":\"b\\n\"}}}", P "/client_kwargs/headers/a",
	                   "line break");
	kit_expect_refused(c, "{\"model\":\"m\",\"cache\":true}", P "/cache", "cache");
}

static void all_mistakes_at_once_and_unknown_names_as_warnings(void **state)
{
	struct kit k;

	(void)state;
	assert_int_equal(kit_configure(&k, &ollama_class,
	                               "{\"model\":\"\",\"seed\":\"x\",\"base_url\":\"ftp://h\",\"max_tokens\":5}", NULL, false,
	                               false),
	                 FF_EUSAGE);
	assert_int_equal(k.problems.errors, 3);
	assert_true(kit_has_problem(&k, PROBLEM_WARNING, P "/max_tokens", "max_tokens"));
	kit_release(&k);
}

static void strangers(void **state)
{
	struct kit k;

	(void)state;
	assert_int_equal(
	        kit_configure(&k, &ollama_class, "{\"model\":\"m\",\"client_kwargs\":{\"verify\":false}}", NULL, true, false),
	        FF_EUSAGE);
	assert_true(kit_has_problem(&k, PROBLEM_ERROR, P "/client_kwargs/verify", "operator"));
	kit_release(&k);
}

/* ---- replies ---- */

#define LINE(content) "{\"model\":\"served\",\"message\":{\"role\":\"assistant\",\"content\":\"" content "\"},\"done\":false}\n"
#define DONE(reason)                                                                                     \
	"{\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"" reason \
	"\",\"prompt_eval_count\":7,\"eval_count\":3}\n"

static void reply(struct kit *k, const char *body, size_t step)
{
	assert_int_equal(kit_ask_text(k, "Hi"), 0);
	kit_reply(k, 200, "application/x-ndjson", NULL, str_from(body), step);
}

static void expect_answer(const char *body, enum outcome outcome, const char *answer)
{
	struct kit k;

	configured(&k, "{\"model\":\"m\"}", NULL);
	for (size_t step = 0; step < 12; step++) {
		reply(&k, body, step);
		if (k.verdict.kind != VERDICT_DONE || k.verdict.outcome != outcome)
			fail_msg("expected %s, got %s (%.*s) for %s", outcome_word(outcome), outcome_word(k.verdict.outcome),
			         STR_ARG(k.verdict.error), body);
		kit_expect_str(k.verdict.answer, answer);
		assert_int_equal(k.content, *answer != '\0');
	}
	kit_release(&k);
}

static void expect_bad(const char *body, const char *piece)
{
	struct kit k;

	configured(&k, "{\"model\":\"m\"}", NULL);
	for (size_t step = 0; step < 12; step++) {
		reply(&k, body, step);
		assert_int_equal(k.verdict.kind, VERDICT_FATAL);
		assert_int_equal(k.verdict.outcome, OUTCOME_BAD_REPLY);
		kit_expect_piece(k.verdict.error, "Ollama: ");
		kit_expect_piece(k.verdict.error, piece);
	}
	kit_release(&k);
}

static void answers(void **state)
{
	(void)state;
	expect_answer(LINE("a") LINE("b\\u00e9") DONE("stop"), OUTCOME_OK, "ab\xC3\xA9");
	expect_answer(LINE("a") DONE("stop") LINE("b"), OUTCOME_OK, "ab");
	expect_answer("\n" LINE("a") "\r\n \n" LINE("b"), OUTCOME_OK, "ab");
	expect_answer(LINE("a") DONE("length"), OUTCOME_TRUNCATED, "a");
	expect_answer(DONE("stop"), OUTCOME_EMPTY, "");
	expect_answer(DONE("unload"), OUTCOME_EMPTY, "");
	expect_answer(DONE("load") LINE("x"), OUTCOME_OK, "x");
	expect_answer("{\"message\":{\"role\":\"assistant\",\"thinking\":\"hm\"}}\n" LINE("x"), OUTCOME_OK, "x");
	expect_answer("{\"message\":{\"role\":\"assistant\",\"tool_calls\":[{\"function\":{}}]},\"done\":true}", OUTCOME_TOOL_ONLY,
	              "");
	expect_answer(LINE("a\xE2\x80\xA8\xC2\x85"
	                   "b"),
	              OUTCOME_OK,
	              "a\xE2\x80\xA8\xC2\x85"
	              "b");
}

static void bad_replies(void **state)
{
	(void)state;
	expect_bad("", "no data");
	expect_bad("\n \n", "no data");
	expect_bad(DONE("load"), "no data");
	expect_bad(LINE("a") "{bad\n" LINE("b"), "not JSON");
	expect_bad("[]\n", "no object");
	expect_bad("{}\n", "no message");
	expect_bad("{\"message\":null}", "no message");
	expect_bad("{\"message\":{\"content\":\"x\"}}", "no role");
	expect_bad("{\"message\":{\"role\":\"assistant\",\"content\":null}}", "no text");
	expect_bad("{\"message\":{\"role\":\"assistant\",\"content\":5}}", "no text");
	expect_bad("{\"message\":{\"role\":\"assistant\",\"tool_calls\":5}}", "tool calls");
	expect_bad(LINE("a") "{\"error\":\"runner stopped\"}\n" LINE("b"), "runner stopped");
	expect_bad("{\"error\":{\"message\":\"deep\"}}", "deep");
}

static void facts_of_a_reply(void **state)
{
	struct kit k;

	(void)state;
	configured(&k, "{\"model\":\"m\"}", NULL);
	reply(&k, LINE("a") DONE("stop"), 3);
	kit_expect_str(k.verdict.model, "served");
	kit_expect_str(k.verdict.finish_reason, "stop");
	assert_int_equal(k.verdict.usage.input_tokens, 7);
	assert_int_equal(k.verdict.usage.output_tokens, 3);
	assert_int_equal(k.verdict.usage.total_tokens, 10);
	reply(&k, LINE("a"), 0);
	assert_int_equal(k.verdict.usage.input_tokens, -1);
	assert_int_equal(k.verdict.usage.total_tokens, -1);
	kit_expect_str(k.verdict.finish_reason, "");
	kit_release(&k);
}

static void statuses(void **state)
{
	static const struct {
		int status;
		enum verdict_kind kind;
		enum outcome outcome;
	} rows[] = { { 400, VERDICT_FATAL, OUTCOME_HTTP_4XX },
		     { 404, VERDICT_FATAL, OUTCOME_HTTP_4XX },
		     { 429, VERDICT_RETRY, OUTCOME_RATE_LIMITED },
		     { 500, VERDICT_RETRY, OUTCOME_HTTP_5XX },
		     { 302, VERDICT_FATAL, OUTCOME_HTTP_4XX } };
	struct kit k;

	(void)state;
	configured(&k, "{\"model\":\"m\"}", NULL);
	assert_int_equal(k.c->max_retries, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(kit_ask_text(&k, "Hi"), 0);
		kit_reply(&k, rows[i].status, "application/json", "7", STR("{\"error\":\"model 'x' not found\"}"), 5);
		assert_int_equal(k.verdict.kind, rows[i].kind);
		assert_int_equal(k.verdict.outcome, rows[i].outcome);
		assert_int_equal(k.verdict.hint_ms, rows[i].kind == VERDICT_RETRY ? 7000 : -1);
		if (rows[i].status != 302)
			kit_expect_piece(k.verdict.error, "model 'x' not found");
	}
	kit_release(&k);
}

/* ---- validate_model_on_init ---- */

static void the_model_is_asked_for_once(void **state)
{
	struct kit k;

	(void)state;
	assert_int_equal(
	        kit_configure(&k, &ollama_class, "{\"model\":\"llama\",\"validate_model_on_init\":true}", NULL, false, false), 0);
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	kit_expect_str(k.exchange.method, "GET");
	kit_expect_str(k.exchange.url, "http://127.0.0.1:11434/api/tags");
	assert_int_equal(k.exchange.body.len, 0);
	kit_reply(&k, 200, "application/json", NULL, STR("{\"models\":[{\"model\":\"llama2\"},{\"model\":\"llama:latest\"}]}"), 4);
	assert_int_equal(k.verdict.kind, VERDICT_ANOTHER);
	assert_int_equal(k.class->encode(k.turn, &k.exchange, &k.err), 0);
	kit_expect_str(k.exchange.method, "POST");
	kit_reply(&k, 200, "application/x-ndjson", NULL, STR(LINE("a")), 4);
	assert_int_equal(k.verdict.kind, VERDICT_DONE);
	kit_expect_str(k.verdict.answer, "a");
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	kit_expect_str(k.exchange.method, "POST");
	kit_release(&k);
}

static void a_missing_model_fails_every_turn_but_is_asked_for_once(void **state)
{
	struct kit k;

	(void)state;
	assert_int_equal(
	        kit_configure(&k, &ollama_class, "{\"model\":\"llama\",\"validate_model_on_init\":true}", NULL, false, false), 0);
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	kit_reply(&k, 200, "application/json", NULL, STR("{\"models\":[{\"model\":\"llama2\"},{\"x\":1},5]}"), 0);
	assert_int_equal(k.verdict.kind, VERDICT_FATAL);
	assert_true(k.verdict.setup_error);
	kit_expect_piece(k.verdict.error, "'llama' is not on the server");
	assert_int_equal(kit_ask_text(&k, "Hi"), FF_EDATA);
	kit_expect_piece(str_from(k.err.text), "'llama' is not on the server");
	kit_release(&k);
}

static void a_check_that_fails_is_tried_again(void **state)
{
	static const char *const bodies_of_200[] = { "", "<html>", "{}", "[]", "{\"models\":5}" };
	struct kit k;

	(void)state;
	assert_int_equal(
	        kit_configure(&k, &ollama_class, "{\"model\":\"llama\",\"validate_model_on_init\":\"yes\"}", NULL, false, false),
	        0);
	for (size_t i = 0; i < ARRAY_SIZE(bodies_of_200); i++) {
		assert_int_equal(kit_ask_text(&k, "Hi"), 0);
		kit_expect_str(k.exchange.method, "GET");
		kit_reply(&k, 200, "application/json", NULL, str_from(bodies_of_200[i]), 0);
		assert_int_equal(k.verdict.kind, VERDICT_FATAL);
		assert_int_equal(k.verdict.outcome, OUTCOME_BAD_REPLY);
		assert_true(k.verdict.setup_error);
	}
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	kit_reply(&k, 503, "application/json", NULL, STR("{\"error\":\"no\"}"), 0);
	assert_int_equal(k.verdict.kind, VERDICT_FATAL);
	assert_int_equal(k.verdict.outcome, OUTCOME_HTTP_5XX);
	assert_true(k.verdict.setup_error);
	kit_release(&k);
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	kit_fault_loop(&ollama_class,
	               "{\"model\":\"m\",\"keep_alive\":5,\"stop\":[\"a\"],\"base_url\":\"http://u:p@h\",\"zzz\":1,"
	               "\"client_kwargs\":{\"headers\":{\"a\":\"b\"},\"params\":{\"q\":1},\"cookies\":{\"c\":\"d\"}},"
	               "\"async_client_kwargs\":{\"timeout\":3}}",
	               "application/x-ndjson", LINE("a") LINE("b\\u00e9") DONE("stop"));
	kit_fault_loop(&ollama_class, "{\"model\":\"m\"}", "application/x-ndjson", LINE("a") DONE("stop"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies),
		cmocka_unit_test(messages),
		cmocka_unit_test(addresses),
		cmocka_unit_test(where_an_address_came_from),
		cmocka_unit_test(headers),
		cmocka_unit_test(refused),
		cmocka_unit_test(all_mistakes_at_once_and_unknown_names_as_warnings),
		cmocka_unit_test(strangers),
		cmocka_unit_test(answers),
		cmocka_unit_test(bad_replies),
		cmocka_unit_test(facts_of_a_reply),
		cmocka_unit_test(statuses),
		cmocka_unit_test(the_model_is_asked_for_once),
		cmocka_unit_test(a_missing_model_fails_every_turn_but_is_asked_for_once),
		cmocka_unit_test(a_check_that_fails_is_tried_again),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests_name("ollama", tests, NULL, NULL);
}
