/* test_chat.c: chat completions as they come back: whole replies and streams, however their bytes are cut, and what each outcome is. */
#include "turn_kit.h"

#include "connector/groq.h"
#include "connector/openai.h"

#define PLAIN    "{\"api_key\":\"sk-12345678\",\"model\":\"m\"}"
#define STREAMED "{\"api_key\":\"sk-12345678\",\"model\":\"m\",\"streaming\":true}"
#define FORMAT   "{\"api_key\":\"sk-12345678\",\"model\":\"m\",\"response_format\":{\"type\":\"json_object\"}}"

/* One turn of `class` with `params` answered by `body` in pieces of `step`. */
static void turn(struct kit *k, const struct connector_class *class, const char *params, const char *body, size_t step)
{
	assert_int_equal(kit_configure(k, class, params, NULL, false, false), 0);
	assert_int_equal(kit_ask_text(k, "Hi"), 0);
	kit_reply(k, 200, k->c->streaming ? "text/event-stream" : "application/json", NULL, str_from(body), step);
}

static void expect_answer(const struct connector_class *class, const char *params, const char *body, enum outcome outcome,
                          const char *answer)
{
	static const size_t steps[] = { 0, 1, 3, 17 };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct kit k;

		turn(&k, class, params, body, steps[i]);
		if (k.verdict.kind != VERDICT_DONE)
			fail_msg("%s: expected an answer, got: %.*s", body, STR_ARG(k.verdict.error));
		if (k.verdict.outcome != outcome)
			fail_msg("%s: expected %s, got %s", body, outcome_word(outcome), outcome_word(k.verdict.outcome));
		kit_expect_str(k.verdict.answer, answer);
		kit_release(&k);
	}
}

static void expect_error(const struct connector_class *class, const char *params, const char *body, const char *piece)
{
	static const size_t steps[] = { 0, 1, 5 };

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct kit k;

		turn(&k, class, params, body, steps[i]);
		if (k.verdict.kind != VERDICT_FATAL)
			fail_msg("%s: expected an error, got the answer '%.*s'", body, STR_ARG(k.verdict.answer));
		assert_int_equal(k.verdict.outcome, OUTCOME_BAD_REPLY);
		kit_expect_piece(k.verdict.error, piece);
		kit_release(&k);
	}
}

/* A reply whose first choice has these members. */
#define CHOICE(members)  "{\"choices\":[{" members "}]}"
#define MESSAGE(members) CHOICE("\"message\":{" members "}")
#define CONTENT(c)       MESSAGE("\"role\":\"assistant\",\"content\":" c)
#define ENDED(c, reason) CHOICE("\"message\":{\"content\":" c "},\"finish_reason\":\"" reason "\"")
#define EVENT(text)      "data: " text "\n\n"
#define DELTA(members)   EVENT("{\"choices\":[{\"delta\":{" members "}}]}")
#define TEXT(t)          DELTA("\"content\":\"" t "\"")
#define FINISH(reason)   EVENT("{\"choices\":[{\"delta\":{},\"finish_reason\":\"" reason "\"}]}")
#define DONE             EVENT("[DONE]")

static void answers(void **state)
{
	(void)state;
	expect_answer(&openai_class, PLAIN, CONTENT("\"2+2 is 4.\""), OUTCOME_OK, "2+2 is 4.");
	expect_answer(&openai_class, PLAIN, CONTENT("\" \\n\""), OUTCOME_OK, " \n");
	expect_answer(&openai_class, PLAIN, "\xEF\xBB\xBF" CONTENT("\"bom\""), OUTCOME_OK, "bom");
	expect_answer(&openai_class, PLAIN, MESSAGE("\"content\":\"no role\""), OUTCOME_OK, "no role");
	expect_answer(&openai_class, PLAIN, MESSAGE("\"role\":5,\"content\":\"odd role\""), OUTCOME_OK, "odd role");
	expect_answer(&openai_class, PLAIN, CONTENT("[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]"),
	              OUTCOME_OK, "ab");
	expect_answer(&openai_class, PLAIN, MESSAGE("\"content\":\"one\",\"content\":\"two\""), OUTCOME_OK, "two");
	expect_answer(&openai_class, PLAIN, MESSAGE("\"content\":\"x\",\"reasoning\":\"r\",\"reasoning_content\":\"r\""),
	              OUTCOME_OK, "x");
	expect_answer(&groq_class, PLAIN,
	              "{\"choices\":[{\"index\":1,\"message\":{\"content\":\"first\"}},{\"index\":0,\"message\":{\"content\":"
	              "\"second\"}}]}",
	              OUTCOME_OK, "first");
	expect_answer(&groq_class, PLAIN, "{\"error\":{\"message\":\"x\"},\"choices\":[{\"message\":{\"content\":\"still\"}}]}",
	              OUTCOME_OK, "still");
	expect_answer(&openai_class, PLAIN, CHOICE("\"message\":{\"content\":\"x\"},\"logprobs\":{\"v\":NaN}"), OUTCOME_OK, "x");
}

static void outcomes(void **state)
{
	(void)state;
	expect_answer(&openai_class, PLAIN, CONTENT("\"\""), OUTCOME_EMPTY, "");
	expect_answer(&openai_class, PLAIN, CONTENT("null"), OUTCOME_EMPTY, "");
	expect_answer(&openai_class, PLAIN, MESSAGE("\"role\":\"assistant\""), OUTCOME_EMPTY, "");
	expect_answer(&openai_class, PLAIN, ENDED("\"cut\"", "length"), OUTCOME_TRUNCATED, "cut");
	expect_answer(&openai_class, PLAIN, ENDED("\"\"", "length"), OUTCOME_TRUNCATED, "");
	expect_answer(&openai_class, PLAIN, ENDED("\"part\"", "content_filter"), OUTCOME_FILTERED, "part");
	expect_answer(&openai_class, PLAIN, MESSAGE("\"content\":null,\"refusal\":\"I cannot\""), OUTCOME_REFUSED, "");
	expect_answer(&openai_class, PLAIN, MESSAGE("\"content\":\"x\",\"refusal\":null"), OUTCOME_OK, "x");
	expect_answer(&groq_class, PLAIN,
	              MESSAGE("\"content\":null,\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{bad\"}}]"),
	              OUTCOME_TOOL_ONLY, "");
	expect_answer(&groq_class, PLAIN, MESSAGE("\"content\":\"calling\",\"tool_calls\":[{}]"), OUTCOME_OK, "calling");
	expect_answer(&groq_class, PLAIN, MESSAGE("\"function_call\":{\"name\":\"f\"}"), OUTCOME_TOOL_ONLY, "");
}

static void replies_without_the_promised_structure(void **state)
{
	(void)state;
	expect_error(&openai_class, PLAIN, "", "the reply is empty");
	expect_error(&openai_class, PLAIN, "null", "the reply is a JSON null instead of an object");
	expect_error(&openai_class, PLAIN, "[]", "the reply is a JSON array instead of an object");
	expect_error(&openai_class, PLAIN, "{}", "the reply has no choices (missing)");
	expect_error(&openai_class, PLAIN, "{\"choices\":null}", "the reply has no choices (null)");
	expect_error(&openai_class, PLAIN, "{\"choices\":[]}", "the reply has no choices (an empty list)");
	expect_error(&openai_class, PLAIN, "{\"choices\":[null]}", "the first choice has no message");
	expect_error(&openai_class, PLAIN, "{\"choices\":[{}]}", "the first choice has no message");
	expect_error(&openai_class, PLAIN, CONTENT("false"), "neither text nor a list of parts (boolean)");
	expect_error(&openai_class, PLAIN, CONTENT("5"), "neither text nor a list of parts (number)");
	expect_error(&openai_class, PLAIN, "not json", "the reply is not JSON: line 1");
	expect_error(&openai_class, PLAIN, CONTENT("\"x\"") "x", "the reply is not JSON");
	expect_error(&openai_class, PLAIN, "<html><h1>gateway</h1></html>", "an HTML page: gateway");
	expect_error(&openai_class, PLAIN, CONTENT("\"\xFF\""), "the reply is not JSON");
	expect_error(&openai_class, PLAIN, "{\"error\":{\"message\":\"boom\"},\"choices\":[{\"message\":{\"content\":\"x\"}}]}",
	             "the reply reports an error (200, boom)");
	expect_error(&groq_class, PLAIN, "{\"error\":\"boom\"}", "the reply reports an error (200, boom)");
}

static void a_wanted_format_that_was_cut(void **state)
{
	(void)state;
	expect_answer(&openai_class, FORMAT, ENDED("\"{}\"", "stop"), OUTCOME_OK, "{}");
	expect_error(&openai_class, FORMAT, ENDED("\"{\"", "length"), "cut at the length limit");
	expect_error(&openai_class, FORMAT, ENDED("\"\"", "content_filter"), "rejected by the content filter");
	expect_error(&openai_class, FORMAT, "{\"choices\":[{\"message\":{\"content\":\"{}\"}},{\"finish_reason\":\"length\"}]}",
	             "length limit");
	expect_answer(&openai_class, FORMAT, MESSAGE("\"content\":null,\"refusal\":\"no\""), OUTCOME_REFUSED, "");
	expect_answer(&groq_class, FORMAT, ENDED("\"{\"", "length"), OUTCOME_TRUNCATED, "{");
}

static void facts_beside_the_answer(void **state)
{
	static const char body[] =
	        "{\"model\":\"served\",\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}],"
	        "\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":2,\"total_tokens\":13}}";
	struct kit k;

	(void)state;
	turn(&k, &openai_class, PLAIN, body, 0);
	kit_expect_str(k.verdict.model, "served");
	kit_expect_str(k.verdict.finish_reason, "stop");
	assert_int_equal(k.verdict.usage.input_tokens, 11);
	assert_int_equal(k.verdict.usage.output_tokens, 2);
	assert_int_equal(k.verdict.usage.total_tokens, 13);
	assert_int_equal(k.verdict.hint_ms, -1);
	kit_release(&k);
	turn(&k, &openai_class, PLAIN, CONTENT("\"x\""), 0);
	assert_int_equal(k.verdict.usage.total_tokens, -1);
	kit_release(&k);
}

static void streams(void **state)
{
	(void)state;
	expect_answer(&openai_class, STREAMED,
	              DELTA("\"role\":\"assistant\",\"content\":\"\"") TEXT("2+2 ") TEXT("is 4.") FINISH("stop") DONE, OUTCOME_OK,
	              "2+2 is 4.");
	expect_answer(&groq_class, STREAMED, TEXT("x") EVENT("{\"choices\":[{\"delta\":null}]}") TEXT("y"), OUTCOME_OK, "xy");
	expect_answer(&groq_class, STREAMED,
	              ": ping\n\nevent: message\nid: 1\n" TEXT("a") "event: ping\ndata: {}\n\ndata:\n\n" TEXT("b") DONE, OUTCOME_OK,
	              "ab");
	expect_answer(&openai_class, STREAMED, TEXT("a") DONE TEXT("z"), OUTCOME_OK, "a");
	expect_answer(&openai_class, STREAMED, TEXT("a") "data: [DONE]", OUTCOME_OK, "a");
	expect_answer(&openai_class, STREAMED, TEXT("\xC3\xA9\xF0\x9F\x98\x80\xE2\x80\xA8") DONE, OUTCOME_OK,
	              "\xC3\xA9\xF0\x9F\x98\x80\xE2\x80\xA8");
	expect_answer(&openai_class, STREAMED, DELTA("\"content\":[{\"type\":\"text\",\"text\":\"a\"}]") DONE, OUTCOME_OK, "a");
	expect_answer(&openai_class, STREAMED, FINISH("stop") DONE, OUTCOME_EMPTY, "");
	expect_answer(&openai_class, STREAMED, TEXT("a") FINISH("length") DONE, OUTCOME_TRUNCATED, "a");
	expect_answer(&openai_class, STREAMED, TEXT("a") FINISH("content_filter"), OUTCOME_FILTERED, "a");
	expect_answer(&openai_class, STREAMED, DELTA("\"refusal\":\"no\"") FINISH("stop"), OUTCOME_REFUSED, "");
	expect_answer(&openai_class, STREAMED, DELTA("\"content\":null,\"tool_calls\":[{\"id\":\"c\"}]") FINISH("tool_calls") DONE,
	              OUTCOME_TOOL_ONLY, "");
}

static void broken_streams(void **state)
{
	(void)state;
	expect_error(&openai_class, STREAMED, "", "the stream is empty");
	expect_error(&openai_class, STREAMED, DONE, "the stream ended without an answer");
	expect_error(&openai_class, STREAMED, EVENT("{\"choices\":[],\"usage\":{}}") DONE, "the stream ended without an answer");
	expect_error(&openai_class, STREAMED, TEXT("a") EVENT("{bad") TEXT("b"),
	             "an event of the stream is not JSON: line 1, column 2");
	expect_error(&openai_class, STREAMED, TEXT("a") EVENT("{bad"), "{bad");
	expect_error(&openai_class, STREAMED, TEXT("a") EVENT("[]"), "an event of the stream is a JSON array");
	expect_error(&openai_class, STREAMED, EVENT("{\"choices\":[null]}"), "a choice of the stream is a JSON null");
	expect_error(&openai_class, STREAMED, EVENT("{\"choices\":[{\"delta\":\"x\"}]}"), "a delta of the stream is a JSON string");
	expect_error(&openai_class, STREAMED, DELTA("\"content\":5"), "the content of a delta is neither text");
	expect_error(&openai_class, STREAMED, TEXT("a") EVENT("{\"error\":{\"message\":\"stream exploded\"}}") TEXT("b"),
	             "(200, stream exploded)");
	expect_error(&groq_class, STREAMED, TEXT("a") "event: error\ndata: {\"message\":\"boom\"}\n\n", "(200, boom)");
	expect_error(&groq_class, STREAMED, CONTENT("\"x\""), "the reply is plain JSON instead of the stream");
	expect_error(&groq_class, STREAMED, "{\"error\":{\"message\":\"plain boom\"}}", "(200, plain boom)");
	expect_error(&groq_class, STREAMED, "<html>x</html>", "an HTML page");
}

static void facts_beside_a_stream(void **state)
{
	struct kit k;

	(void)state;
	turn(&k, &openai_class, STREAMED,
	     EVENT("{\"model\":\"served\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}") FINISH("stop")
	             EVENT("{\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":2,\"total_tokens\":13}}") DONE,
	     2);
	kit_expect_str(k.verdict.model, "served");
	kit_expect_str(k.verdict.finish_reason, "stop");
	assert_int_equal(k.verdict.usage.total_tokens, 13);
	assert_true(k.content);
	kit_release(&k);
	turn(&k, &groq_class, STREAMED, TEXT("a") EVENT("{\"choices\":[],\"x_groq\":{\"usage\":{\"prompt_tokens\":7}}}"), 0);
	assert_int_equal(k.verdict.usage.input_tokens, 7);
	assert_int_equal(k.verdict.usage.output_tokens, -1);
	kit_release(&k);
	turn(&k, &openai_class, STREAMED, FINISH("stop"), 0);
	assert_false(k.content);
	kit_release(&k);
}

static void a_stream_that_was_not_asked_for_is_read(void **state)
{
	struct kit k;

	(void)state;
	assert_int_equal(kit_configure(&k, &openai_class, PLAIN, NULL, false, false), 0);
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	kit_reply(&k, 200, "text/event-stream; charset=utf-8", NULL, STR(TEXT("a") DONE), 0);
	assert_int_equal(k.verdict.kind, VERDICT_DONE);
	kit_expect_str(k.verdict.answer, "a");
	kit_release(&k);
}

static void statuses(void **state)
{
	static const int success[] = { 200, 201, 206, 226 };
	struct kit k;

	(void)state;
	assert_int_equal(kit_configure(&k, &openai_class, STREAMED, NULL, false, false), 0);
	for (size_t i = 0; i < ARRAY_SIZE(success); i++) {
		assert_int_equal(kit_ask_text(&k, "Hi"), 0);
		kit_reply(&k, success[i], "text/event-stream", NULL, STR(TEXT("a") DONE), 0);
		assert_int_equal(k.verdict.kind, VERDICT_DONE);
	}
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	kit_reply(&k, 401, "application/json", NULL, STR("{\"error\":{\"message\":\"Invalid API Key\"}}"), 4);
	assert_int_equal(k.verdict.kind, VERDICT_FATAL);
	kit_expect_str(k.verdict.error, "OpenAI: the key was refused (401, Invalid API Key).");
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	kit_reply(&k, 429, "application/json", "2", STR("{}"), 0);
	assert_int_equal(k.verdict.kind, VERDICT_RETRY);
	assert_int_equal(k.verdict.hint_ms, 2000);
	kit_release(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(outcomes),
		cmocka_unit_test(replies_without_the_promised_structure),
		cmocka_unit_test(a_wanted_format_that_was_cut),
		cmocka_unit_test(facts_beside_the_answer),
		cmocka_unit_test(streams),
		cmocka_unit_test(broken_streams),
		cmocka_unit_test(facts_beside_a_stream),
		cmocka_unit_test(a_stream_that_was_not_asked_for_is_read),
		cmocka_unit_test(statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
