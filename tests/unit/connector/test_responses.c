/* test_responses.c: when ChatOpenAI uses the Responses API, what its request looks like there, and how its replies and events are read. */
#include "turn_kit.h"

#include "connector/openai.h"

#define KEY  "\"api_key\":\"sk-12345678\""
#define USE  KEY ",\"model\":\"m\",\"use_responses_api\":true"
#define TAIL "\"input\":[{\"role\":\"user\",\"content\":\"Hi\",\"type\":\"message\"}]}"

static void ask(struct kit *k, const char *params)
{
	char text[1024];

	snprintf(text, sizeof text, "{%s}", params);
	if (kit_configure(k, &openai_class, text, NULL, false, false) != 0)
		fail_msg("params {%s} must be accepted, but: %s", params, k->problems.first->text);
	assert_int_equal(kit_ask_text(k, "Hi"), 0);
}

static void which_api(void **state)
{
	static const char *const responses[] = {
		USE,
		KEY ",\"model\":\"gpt-5-codex\"",
		KEY ",\"model\":\"gpt-5.2-pro-2026\"",
		KEY ",\"reasoning\":{\"effort\":\"low\"}",
		KEY ",\"include\":[]",
		KEY ",\"truncation\":\"auto\"",
		KEY ",\"context_management\":[]",
		KEY ",\"use_previous_response_id\":true",
		KEY ",\"output_version\":\"responses/v1\"",
		KEY ",\"previous_response_id\":\"r\"",
		KEY ",\"text\":{}",
		KEY ",\"tools\":[{\"type\":\"web_search\"}]",
	};
	static const char *const chat[] = { KEY ",\"model\":\"gpt-5-pro\",\"use_responses_api\":false", KEY ",\"model\":\"gpt-5\"",
		                            KEY ",\"tools\":[{\"type\":\"function\",\"function\":{}}]",
		                            KEY ",\"output_version\":\"v1\"" };
	struct kit k;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(responses); i++) {
		ask(&k, responses[i]);
		kit_expect_str(k.exchange.url, "https://api.openai.com/v1/responses");
		kit_release(&k);
	}
	for (size_t i = 0; i < ARRAY_SIZE(chat); i++) {
		ask(&k, chat[i]);
		kit_expect_str(k.exchange.url, "https://api.openai.com/v1/chat/completions");
		kit_release(&k);
	}
}

static void expect_body(const char *params, const char *body)
{
	struct kit k;

	ask(&k, params);
	kit_expect_str(k.exchange.body, body);
	kit_release(&k);
}

static void bodies(void **state)
{
	(void)state;
	expect_body(USE ",\"max_tokens\":9,\"temperature\":0.2,\"stop\":[\"x\"]",
	            "{\"model\":\"m\",\"temperature\":0.2,\"stream\":false,\"max_output_tokens\":9," TAIL);
	expect_body(USE ",\"reasoning_effort\":\"low\"",
	            "{\"model\":\"m\",\"stream\":false,\"reasoning\":{\"effort\":\"low\"}," TAIL);
	expect_body(KEY ",\"model\":\"gpt-5\",\"use_responses_api\":true,\"temperature\":1",
	            "{\"model\":\"gpt-5\",\"stream\":false," TAIL);
	expect_body(KEY ",\"model\":\"gpt-5\",\"temperature\":0.5,\"reasoning\":{\"effort\":\"none\"}",
	            "{\"model\":\"gpt-5\",\"temperature\":0.5,\"reasoning\":{\"effort\":\"none\"},\"stream\":false," TAIL);
	expect_body(USE ",\"verbosity\":\"low\",\"response_format\":{\"type\":\"json_object\"},\"text\":{\"a\":1}",
	            "{\"model\":\"m\",\"stream\":false,\"text\":{\"a\":1,\"format\":{\"type\":\"json_object\"},\"verbosity\":"
	            "\"low\"}," TAIL);
	expect_body(USE ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"strict\":true}}",
	            "{\"model\":\"m\",\"stream\":false,\"text\":{\"format\":{\"type\":\"json_schema\",\"name\":\"n\",\"strict\":"
	            "true}}," TAIL);
	expect_body(USE
	            ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"},\"strict\":true},{\"type\":\"web_search\"}],"
	            "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}",
	            "{\"model\":\"m\",\"stream\":false,\"tools\":[{\"type\":\"function\",\"strict\":true,\"name\":\"f\"},{\"type\":"
	            "\"web_search\"}],"
	            "\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"}," TAIL);
	expect_body(USE ",\"streaming\":true,\"instructions\":\"x\"",
	            "{\"model\":\"m\",\"stream\":true,\"instructions\":\"x\"," TAIL);
	expect_body(USE ",\"extra_body\":{\"input\":\"z\"}", "{\"model\":\"m\",\"stream\":false,\"input\":\"z\"}");
}

static void mistakes(void **state)
{
	(void)state;
	kit_expect_refused(&openai_class, "{" USE ",\"seed\":1}", "/connector/params/seed",
	                   "seed is no parameter of the Responses API");
	kit_expect_refused(&openai_class, "{" USE ",\"n\":1}", "/connector/params/n", "no parameter of the Responses API");
	kit_expect_refused(&openai_class, "{" USE ",\"audio\":{}}", "/connector/params/audio",
	                   "audio is no parameter of ChatOpenAI.");
	kit_expect_refused(&openai_class, "{" USE ",\"reasoning\":{},\"reasoning_effort\":\"low\"}",
	                   "/connector/params/reasoning_effort", "exclude each other");
	kit_expect_refused(&openai_class, "{" KEY ",\"instructions\":\"x\"}", "/connector/params/instructions",
	                   "no parameter of ChatOpenAI");
}

static void reply(struct kit *k, const char *params, const char *body, size_t step)
{
	ask(k, params);
	kit_reply(k, 200, k->c->streaming ? "text/event-stream" : "application/json", NULL, str_from(body), step);
}

static void expect_answer(const char *params, const char *body, enum outcome outcome, const char *answer)
{
	static const size_t steps[] = { 0, 1, 7 };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct kit k;

		reply(&k, params, body, steps[i]);
		if (k.verdict.kind != VERDICT_DONE)
			fail_msg("%s: expected an answer, got: %.*s", body, STR_ARG(k.verdict.error));
		if (k.verdict.outcome != outcome)
			fail_msg("%s: expected %s, got %s", body, outcome_word(outcome), outcome_word(k.verdict.outcome));
		kit_expect_str(k.verdict.answer, answer);
		kit_release(&k);
	}
}

static void expect_error(const char *params, const char *body, const char *piece)
{
	struct kit k;

	reply(&k, params, body, 0);
	if (k.verdict.kind != VERDICT_FATAL)
		fail_msg("%s: expected an error, got the answer '%.*s'", body, STR_ARG(k.verdict.answer));
	kit_expect_piece(k.verdict.error, piece);
	kit_release(&k);
}

#define OUTPUT(items) "{\"status\":\"completed\",\"error\":null,\"output\":[" items "]}"
#define TEXT_PART(t)  "{\"type\":\"output_text\",\"text\":\"" t "\",\"annotations\":[]}"
#define ITEM(parts)   "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[" parts "]}"
#define THOUGHT       "{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"s\"}]}"
#define CALL          "{\"type\":\"function_call\",\"name\":\"f\",\"arguments\":\"{}\"}"

static void replies(void **state)
{
	(void)state;
	expect_answer(USE, OUTPUT(THOUGHT "," ITEM(TEXT_PART("2+2 is 4."))), OUTCOME_OK, "2+2 is 4.");
	expect_answer(USE, OUTPUT(ITEM(TEXT_PART("a") "," TEXT_PART("b")) "," ITEM(TEXT_PART("c"))), OUTCOME_OK, "abc");
	expect_answer(USE, OUTPUT(""), OUTCOME_EMPTY, "");
	expect_answer(USE, OUTPUT(CALL), OUTCOME_TOOL_ONLY, "");
	expect_answer(USE, OUTPUT(ITEM("{\"type\":\"refusal\",\"refusal\":\"no\"}")), OUTCOME_REFUSED, "");
	expect_answer(USE,
	              "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"output\":[" ITEM(
	                      TEXT_PART("cut")) "]}",
	              OUTCOME_TRUNCATED, "cut");
	expect_answer(USE, "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"content_filter\"},\"output\":[]}",
	              OUTCOME_FILTERED, "");
	expect_error(USE, "{\"error\":{\"code\":\"server_error\",\"message\":\"boom\"},\"output\":[]}", "(200, boom)");
	expect_error(USE, "{\"output\":null}", "the reply has no output (null)");
	expect_error(USE, "{\"status\":\"failed\",\"output\":[]}", "the response has the status failed");
	expect_error(USE, "[]", "a JSON array instead of an object");
	expect_error(USE, OUTPUT("{\"type\":\"message\",\"content\":5}"), "neither text nor a list of parts");
}

#define STREAM            USE ",\"streaming\":true"
#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define DELTA(t)          EVENT("response.output_text.delta", ",\"delta\":\"" t "\"")
#define CREATED           EVENT("response.created", ",\"response\":{\"model\":\"served\",\"error\":null}")
#define COMPLETED(t)                                                                                                      \
	EVENT("response.completed",                                                                                       \
	      ",\"response\":{\"status\":\"completed\",\"error\":null,\"usage\":{\"input_tokens\":1,\"output_tokens\":2," \
	      "\"total_tokens\":3},\"output\":[" ITEM(TEXT_PART(t)) "]}")

static void streams(void **state)
{
	(void)state;
	expect_answer(STREAM, CREATED DELTA("2+2 ") DELTA("is 4.") COMPLETED("2+2 is 4."), OUTCOME_OK, "2+2 is 4.");
	expect_answer(STREAM, CREATED DELTA("a"), OUTCOME_OK, "a");
	expect_answer(STREAM, CREATED COMPLETED("only at the end"), OUTCOME_OK, "only at the end");
	expect_answer(STREAM,
	              DELTA("a") EVENT("response.incomplete",
	                               ",\"response\":{\"incomplete_details\":{\"reason\":\"max_output_tokens\"}}"),
	              OUTCOME_TRUNCATED, "a");
	expect_answer(STREAM,
	              EVENT("response.refusal.delta", ",\"delta\":\"no\"")
	                      EVENT("response.completed", ",\"response\":{\"output\":[]}"),
	              OUTCOME_REFUSED, "");
	expect_answer(STREAM,
	              EVENT("response.output_item.done", ",\"item\":" CALL)
	                      EVENT("response.completed", ",\"response\":{\"output\":[]}"),
	              OUTCOME_TOOL_ONLY, "");
	expect_error(STREAM, CREATED, "the stream ended without an answer");
	expect_error(STREAM, DELTA("a") EVENT("error", ",\"code\":\"x\",\"message\":\"boom\""), "(200, boom)");
	expect_error(STREAM, DELTA("a") EVENT("response.failed", ",\"response\":{\"error\":{\"message\":\"late boom\"}}"),
	             "(200, late boom)");
	expect_error(STREAM, EVENT("response.output_text.delta", ",\"delta\":5"), "a text delta of the stream has no text");
	expect_error(STREAM, EVENT("response.completed", ""), "the closing event of the stream has no response");
}

static void facts_beside_a_stream(void **state)
{
	struct kit k;

	(void)state;
	reply(&k, STREAM, CREATED DELTA("a") COMPLETED("a"), 3);
	kit_expect_str(k.verdict.model, "served");
	kit_expect_str(k.verdict.finish_reason, "completed");
	assert_int_equal(k.verdict.usage.input_tokens, 1);
	assert_int_equal(k.verdict.usage.output_tokens, 2);
	assert_true(k.content);
	kit_release(&k);
}

static void allocations_may_fail(void **state)
{
	(void)state;
	kit_fault_loop(&openai_class,
	               "{" USE ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"verbosity\":\"low\","
	               "\"reasoning_effort\":\"low\"}",
	               "application/json", OUTPUT(ITEM(TEXT_PART("a") "," TEXT_PART("b")) "," ITEM(TEXT_PART("c"))));
	kit_fault_loop(&openai_class, "{" STREAM "}", "text/event-stream", CREATED DELTA("a") DELTA("b") COMPLETED("ab"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(which_api),
		cmocka_unit_test(bodies),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(replies),
		cmocka_unit_test(streams),
		cmocka_unit_test(facts_beside_a_stream),
		cmocka_unit_test(allocations_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
