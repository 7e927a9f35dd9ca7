/* test_gemini_turn.c: ChatGoogleGenerativeAI: replies, whole and streamed, and what becomes of them. */
#include "turn_kit.h"

#include "connector/gemini.h"

#define M "{\"model\":\"gemini-2.5-flash\",\"api_key\":\"key-12345678\""

enum mode { WHOLE, STREAMED /* params.streaming */, MEASURED /* option stream */ };

static void configured(struct kit *k, enum mode mode)
{
	assert_int_equal(
	        kit_configure(k, &gemini_class, mode == STREAMED ? M ",\"streaming\":true}" : M "}", NULL, false, mode == MEASURED),
	        0);
}

static void reply(struct kit *k, const char *type, const char *body, size_t step)
{
	assert_int_equal(kit_ask_text(k, "Hi"), 0);
	kit_reply(k, 200, type, NULL, str_from(body), step);
}

static const char *type_of(enum mode mode)
{
	return mode == WHOLE ? "application/json" : "text/event-stream";
}

static void expect_answer(enum mode mode, const char *body, enum outcome outcome, const char *answer)
{
	struct kit k;

	configured(&k, mode);
	for (size_t step = 0; step < 12; step++) {
		reply(&k, type_of(mode), body, step);
		if (k.verdict.kind != VERDICT_DONE || k.verdict.outcome != outcome)
			fail_msg("expected %s, got %s (%.*s) for %s", outcome_word(outcome), outcome_word(k.verdict.outcome),
			         STR_ARG(k.verdict.error), body);
		kit_expect_str(k.verdict.answer, answer);
	}
	kit_release(&k);
}

static void expect_bad(enum mode mode, const char *body, const char *piece)
{
	struct kit k;

	configured(&k, mode);
	for (size_t step = 0; step < 12; step++) {
		reply(&k, type_of(mode), body, step);
		assert_int_equal(k.verdict.kind, VERDICT_FATAL);
		assert_int_equal(k.verdict.outcome, OUTCOME_BAD_REPLY);
		kit_expect_piece(k.verdict.error, "Gemini: ");
		kit_expect_piece(k.verdict.error, piece);
	}
	kit_release(&k);
}

#define PARTS(parts, reason) "{\"candidates\":[{\"content\":{\"parts\":" parts "},\"finishReason\":\"" reason "\"}]}"
#define TEXT(text, reason)   PARTS("[{\"text\":\"" text "\"}]", reason)

static void answers(void **state)
{
	(void)state;
	expect_answer(WHOLE, TEXT("a\\u00e9", "STOP"), OUTCOME_OK, "a\xC3\xA9");
	expect_answer(WHOLE, TEXT("a\\n\\n", "STOP"), OUTCOME_OK, "a");
	expect_answer(WHOLE, TEXT("a \\n \\n", "STOP"), OUTCOME_OK, "a \n ");
	expect_answer(WHOLE, TEXT("a\\r\\n", "STOP"), OUTCOME_OK, "a\r");
	expect_answer(WHOLE, TEXT("\\n", "STOP"), OUTCOME_EMPTY, "");
	expect_answer(WHOLE, PARTS("[{\"text\":\"a\\n\"},{\"text\":\"\"},{\"text\":\"b\\n\"}]", "STOP"), OUTCOME_OK, "ab");
	expect_answer(WHOLE, PARTS("[{\"text\":\"t\",\"thought\":true},{\"text\":\"a\",\"thoughtSignature\":\"x\"}]", "STOP"),
	              OUTCOME_OK, "a");
	expect_answer(WHOLE, PARTS("[{\"inlineData\":{\"mimeType\":\"image/png\",\"data\":\"AA==\"}}]", "STOP"), OUTCOME_EMPTY, "");
	expect_answer(WHOLE, PARTS("[{\"text\":null}]", "STOP"), OUTCOME_EMPTY, "");
	expect_answer(WHOLE, PARTS("[{\"functionCall\":{\"name\":\"f\"}}]", "STOP"), OUTCOME_TOOL_ONLY, "");
	expect_answer(WHOLE, PARTS("null", "STOP"), OUTCOME_EMPTY, "");
	expect_answer(WHOLE, TEXT("cut", "MAX_TOKENS"), OUTCOME_TRUNCATED, "cut");
	expect_answer(WHOLE, "{\"candidates\":[{\"finishReason\":\"SAFETY\"}]}", OUTCOME_FILTERED, "");
	expect_answer(WHOLE, TEXT("half", "PROHIBITED_CONTENT"), OUTCOME_FILTERED, "half");
	expect_answer(WHOLE, "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}", OUTCOME_FILTERED, "");
	expect_answer(WHOLE, "{\"candidates\":[]}", OUTCOME_EMPTY, "");
	expect_answer(WHOLE, "{\"usageMetadata\":{\"promptTokenCount\":1}}", OUTCOME_EMPTY, "");
	expect_answer(
	        WHOLE,
	        "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"one\"}]}},{\"content\":{\"parts\":[{\"text\":\"two\"}]}}]}",
	        OUTCOME_OK, "one");
}

static void bad_replies(void **state)
{
	(void)state;
	expect_bad(WHOLE, "", "empty");
	expect_bad(WHOLE, "null", "no candidates");
	expect_bad(WHOLE, "{}", "no candidates");
	expect_bad(WHOLE, "[]", "no candidates");
	expect_bad(WHOLE, "{\"candidates\":{}}", "no candidates");
	expect_bad(WHOLE, "{\"candidates\":[5]}", "no object");
	expect_bad(WHOLE, "{\"candidates\":[{\"content\":\"x\"}]}", "no object");
	expect_bad(WHOLE, PARTS("{}", "STOP"), "no list");
	expect_bad(WHOLE, PARTS("[\"x\"]", "STOP"), "no text");
	expect_bad(WHOLE, PARTS("[{\"text\":5}]", "STOP"), "no text");
	expect_bad(WHOLE, TEXT("a", "STOP") "x", "not JSON");
	expect_bad(WHOLE, "<html><title>Gateway</title></html>", "Gateway");
	expect_bad(WHOLE, "{\"error\":{\"code\":500,\"message\":\"boom\"}}", "boom");
}

#define EVENT(json) "data: " json "\r\n\r\n"

static void streams(void **state)
{
	(void)state;
	expect_answer(STREAMED, EVENT(TEXT("a\\n", "")) EVENT(TEXT("b\\n\\n", "STOP")), OUTCOME_OK, "a\nb\n\n");
	expect_answer(MEASURED, EVENT(TEXT("a\\n", "")) EVENT(TEXT("b\\n\\n", "STOP")), OUTCOME_OK, "a\nb");
	expect_answer(STREAMED, "data:" TEXT("a", "STOP") "\n\n: ping\n\ndata: [DONE]\n\n", OUTCOME_OK, "a");
	expect_answer(STREAMED, EVENT(PARTS("[{\"text\":\"hm\",\"thought\":true}]", "")) EVENT(TEXT("x", "STOP")), OUTCOME_OK, "x");
	expect_answer(STREAMED, EVENT("{\"promptFeedback\":{\"blockReason\":\"OTHER\"}}"), OUTCOME_FILTERED, "");
	expect_answer(STREAMED, EVENT(TEXT("a", "")) EVENT("{\"candidates\":[{\"finishReason\":\"MAX_TOKENS\"}]}"),
	              OUTCOME_TRUNCATED, "a");
	expect_answer(STREAMED, EVENT(PARTS("[{\"functionCall\":{}}]", "STOP")), OUTCOME_TOOL_ONLY, "");
	expect_bad(STREAMED, "", "empty");
	expect_bad(STREAMED, ": only a comment\n\n", "empty");
	expect_bad(STREAMED, EVENT(TEXT("a", "STOP")) EVENT("{bad") EVENT(TEXT("b", "STOP")), "{bad");
	expect_bad(STREAMED, EVENT(TEXT("a", "")) EVENT("{\"error\":{\"code\":503,\"message\":\"gone\"}}"), "gone");
	expect_bad(STREAMED, EVENT("{}"), "no candidates");
}

static void a_gateway_that_does_not_stream(void **state)
{
	struct kit k;

	(void)state;
	configured(&k, STREAMED);
	reply(&k, "application/json; charset=UTF-8", TEXT("a\\n", "STOP"), 3);
	kit_expect_str(k.verdict.answer, "a\n");
	reply(&k, "application/json", "[" TEXT("a", "") "," TEXT("b", "STOP") "]", 3);
	kit_expect_str(k.verdict.answer, "ab");
	reply(&k, "application/json", "[]", 0);
	assert_int_equal(k.verdict.outcome, OUTCOME_BAD_REPLY);
	kit_release(&k);
}

static void content_is_reported_as_it_comes(void **state)
{
	struct kit k;

	(void)state;
	configured(&k, STREAMED);
	reply(&k, "text/event-stream", EVENT(PARTS("[{\"text\":\"hm\",\"thought\":true}]", "STOP")), 4);
	assert_false(k.content);
	reply(&k, "text/event-stream", EVENT(TEXT("x", "STOP")), 4);
	assert_true(k.content);
	kit_release(&k);
}

static void facts_of_a_reply(void **state)
{
	static const char body[] = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]},\"finishReason\":\"STOP\"}],"
	                           "\"modelVersion\":\"served\","
	                           "\"responseId\":\"rid\",\"usageMetadata\":{\"promptTokenCount\":5,\"toolUsePromptTokenCount\":1,"
	                           "\"candidatesTokenCount\":2,\"thoughtsTokenCount\":3,\"totalTokenCount\":11}}";
	struct kit k;

	(void)state;
	configured(&k, WHOLE);
	reply(&k, "application/json", body, 7);
	kit_expect_str(k.verdict.model, "served");
	kit_expect_str(k.verdict.finish_reason, "STOP");
	kit_expect_str(k.verdict.request_id, "rid");
	assert_int_equal(k.verdict.usage.input_tokens, 6);
	assert_int_equal(k.verdict.usage.output_tokens, 5);
	assert_int_equal(k.verdict.usage.total_tokens, 11);
	reply(&k, "application/json", TEXT("x", "STOP"), 0);
	assert_int_equal(k.verdict.usage.input_tokens, -1);
	assert_int_equal(k.verdict.usage.output_tokens, -1);
	reply(&k, "application/json", "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}", 0);
	kit_expect_str(k.verdict.finish_reason, "SAFETY");
	kit_release(&k);
}

static void statuses(void **state)
{
	static const struct {
		int status;
		enum verdict_kind kind;
		enum outcome outcome;
	} rows[] = { { 400, VERDICT_FATAL, OUTCOME_HTTP_4XX },     { 404, VERDICT_FATAL, OUTCOME_HTTP_4XX },
		     { 408, VERDICT_RETRY, OUTCOME_HTTP_4XX },     { 409, VERDICT_FATAL, OUTCOME_HTTP_4XX },
		     { 429, VERDICT_RETRY, OUTCOME_RATE_LIMITED }, { 500, VERDICT_RETRY, OUTCOME_HTTP_5XX },
		     { 501, VERDICT_FATAL, OUTCOME_HTTP_5XX },     { 504, VERDICT_RETRY, OUTCOME_HTTP_5XX },
		     { 307, VERDICT_FATAL, OUTCOME_HTTP_4XX } };
	struct kit k;

	(void)state;
	configured(&k, STREAMED);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(kit_ask_text(&k, "Hi"), 0);
		kit_reply(&k, rows[i].status, "application/json", NULL,
		          STR("[{\"error\":{\"code\":1,\"message\":\"Wrapped oops\"}}]"), 5);
		assert_int_equal(k.verdict.kind, rows[i].kind);
		assert_int_equal(k.verdict.outcome, rows[i].outcome);
		if (rows[i].status != 307)
			kit_expect_piece(k.verdict.error, "Wrapped oops");
	}
	kit_release(&k);
}

static void hints(void **state)
{
	static const char body[] = "{\"error\":{\"code\":429,\"message\":\"You exceeded your current "
	                           "quota\",\"status\":\"RESOURCE_EXHAUSTED\",\"details\":["
	                           "{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"47.1s\"}]}}";
	struct kit k;

	(void)state;
	configured(&k, WHOLE);
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	kit_reply(&k, 429, "application/json", NULL, str_from(body), 0);
	assert_int_equal(k.verdict.kind, VERDICT_RETRY);
	assert_int_equal(k.verdict.hint_ms, 47100);
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	kit_reply(&k, 503, "application/json", "3", STR("{}"), 0);
	assert_int_equal(k.verdict.hint_ms, 3000);
	assert_int_equal(kit_ask_text(&k, "Hi"), 0);
	kit_reply(&k, 429, "application/json", "0", STR("{}"), 0);
	assert_int_equal(k.verdict.hint_ms, -1);
	kit_release(&k);
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	kit_fault_loop(
	        &gemini_class,
	        M ",\"streaming\":true,\"base_url\":\"http://u:p@h/v1beta?x=1\",\"top_k\":3,\"cached_content\":\"c\",\"timeout\":2,"
	          "\"safety_settings\":{\"a\":\"b\"},\"thinking_config\":{\"thinking_budget\":1},\"image_config\":{\"image_size\":"
	          "\"1K\"},"
	          "\"model_kwargs\":{\"seed\":1,\"foo\":2},\"additional_headers\":{\"Authorization\":\"Bearer x\"},"
	          "\"client_args\":{\"cookies\":{\"a\":\"b\"},\"params\":{\"c\":\"d\"}}}",
	        "text/event-stream", EVENT(TEXT("a", "")) EVENT(TEXT("b\\u00e9", "STOP")));
	kit_fault_loop(&gemini_class, M "}", "application/json", TEXT("a\\u00e9", "STOP"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(bad_replies),
		cmocka_unit_test(streams),
		cmocka_unit_test(a_gateway_that_does_not_stream),
		cmocka_unit_test(content_is_reported_as_it_comes),
		cmocka_unit_test(facts_of_a_reply),
		cmocka_unit_test(statuses),
		cmocka_unit_test(hints),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests_name("gemini_turn", tests, NULL, NULL);
}
