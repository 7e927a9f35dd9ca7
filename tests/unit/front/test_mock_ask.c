/* test_mock_ask.c: the last user message in the bodies of all protocols, and what wrong bodies are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "front/mock/ask.h"

static int read_ask(struct ask *a, const char *path, const char *body, struct ask_problem *problem)
{
	struct route route = route_find(STR("POST"), str_from(path), false);

	ask_init(a);
	return ask_read(a, &route, str_from(body), problem);
}

static void check(const char *path, const char *body, const char *model, const char *text, bool stream)
{
	struct ask a;
	struct ask_problem problem;

	if (read_ask(&a, path, body, &problem))
		fail_msg("%s: expected it to be read: %s", body, problem.error.text);
	assert_string_equal(a.model.ptr ? a.model.ptr : "", model);
	assert_string_equal(a.text.ptr ? a.text.ptr : "", text);
	assert_true(a.stream == stream);
	assert_true(a.prompt_tokens > 0 || a.load);
	ask_release(&a);
}

static void test_messages(void **state)
{
	const char *chat = "/v1/chat/completions", *gemini = "/v1beta/models/gem%20ini:generateContent";

	(void)state;
	check(chat, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", "m", "hi", false);
	check(chat,
	      "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\","
	      "\"content\":\"one\"},"
	      "{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"two\"},{\"role\":\"assistant\","
	      "\"content\":null}]}",
	      "m", "two", true);
	check(chat,
	      "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image_"
	      "url\"},{\"text\":\"b\"},"
	      "\"c\"]}]}",
	      "m", "abc", false);
	check(chat, "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"only\"}]}", "m", "only", false);
	check("/openai/v1/chat/completions", "{\"model\":\"m\",\"stop\":null,\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}",
	      "m", "", false);
	check("/v1/responses", "{\"model\":\"m\",\"input\":\"text\",\"instructions\":\"i\"}", "m", "text", false);
	check("/v1/responses",
	      "{\"model\":\"m\",\"stream\":true,\"input\":[{\"role\":\"user\",\"type\":\"message\",\"content\":[{\"type\":\"input_"
	      "text\",\"text\":\"x\"}]}]}",
	      "m", "x", true);
	check(gemini,
	      "{\"contents\":[{\"parts\":[{\"text\":\"a\"},{\"inlineData\":{}},{\"text\":\"b\"}],\"role\":\"user\"}],"
	      "\"systemInstruction\":{\"parts\":[]}}",
	      "gem ini", "ab", false);
	check(gemini, "{\"contents\":[{\"parts\":[{\"text\":\"a\"}]},{\"parts\":[{\"text\":\"m\"}],\"role\":\"model\"}]}",
	      "gem ini", "a", false);
	check("/v1/models/m:streamGenerateContent", "{\"contents\":[{\"parts\":[{\"text\":\"a\"}]}]}", "m", "a", true);
	check("/api/chat", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", "m", "hi", true);
	check("/api/chat", "{\"model\":\"m\",\"stream\":false,\"messages\":[{\"role\":\"user\"}]}", "m", "", false);
	check("/api/chat", "{\"model\":\"m\"}", "m", "", true);
	check("/event/infer/c/a", "{\"query\":\"q\",\"session_id\":\"s\",\"extra_data\":{}}", "", "q", false);
}

static void test_details(void **state)
{
	struct ask a;
	struct ask_problem problem;

	(void)state;
	assert_int_equal(read_ask(&a, "/v1/chat/completions",
	                          "{\"model\":\"m\",\"n\":3,\"stream_options\":{\"include_usage\":true},\"messages\":[{\"role\":"
	                          "\"user\",\"content\":\"12345\"},"
	                          "{\"role\":\"user\",\"content\":\"1234\"}]}",
	                          &problem),
	                 0);
	assert_int_equal(a.choices, 3);
	assert_true(a.usage_chunk);
	assert_int_equal(a.prompt_tokens, 2 + 2 + 1 + 2);
	ask_release(&a);
	assert_int_equal(read_ask(&a, "/v1/event/infer/c/a", "{\"query\":\"q\",\"session_id\":\"s\\u00e9\"}", &problem), 0);
	assert_string_equal(a.session.ptr, "sé");
	ask_release(&a);
	assert_int_equal(read_ask(&a, "/v1beta/models/m:generateContent",
	                          "{\"contents\":[{\"parts\":[{\"text\":\"a\"}]}],\"generationConfig\":{\"candidateCount\":2}}",
	                          &problem),
	                 0);
	assert_int_equal(a.choices, 2);
	ask_release(&a);
}

static void check_wrong(const char *path, const char *body, const char *param, const char *part)
{
	struct ask a;
	struct ask_problem problem;

	assert_int_equal(read_ask(&a, path, body, &problem), FF_EDATA);
	assert_int_equal(problem.status, 400);
	assert_string_equal(problem.param ? problem.param : "", param);
	if (!strstr(problem.error.text, part))
		fail_msg("%s: got \"%s\", expected \"%s\" in it", body, problem.error.text, part);
	ask_release(&a);
}

static void test_mistakes(void **state)
{
	const char *chat = "/v1/chat/completions";

	(void)state;
	check_wrong(chat, "", "", "could not parse");
	check_wrong(chat, "{\"model\":\"m\",}", "", "could not parse");
	check_wrong(chat, "{\"model\":NaN}", "", "could not parse");
	check_wrong(chat, "[]", "", "must be an object");
	check_wrong(chat, "{\"messages\":[]}", "model", "model parameter");
	check_wrong(chat, "{\"model\":7,\"messages\":[]}", "model", "model parameter");
	check_wrong(chat, "{\"model\":\"m\"}", "messages", "Missing required parameter");
	check_wrong(chat, "{\"model\":\"m\",\"messages\":[]}", "messages", "empty array");
	check_wrong(chat, "{\"model\":\"m\",\"messages\":\"x\"}", "messages", "expected an array");
	check_wrong(chat, "{\"model\":\"m\",\"messages\":[1]}", "messages", "messages[0]");
	check_wrong(chat, "{\"model\":\"m\",\"n\":0,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", "n", "from 1 to 16");
	check_wrong("/v1/responses", "{\"model\":\"m\"}", "input", "Missing");
	check_wrong("/v1beta/models/m:generateContent", "{}", "contents", "Missing");
	check_wrong("/api/chat", "{\"messages\":[]}", "model", "model is required");
	check_wrong("/event/infer/c/a", "{\"query\":1}", "query", "must be a string");
	check_wrong("/event/infer/c/a", "{\"query\":\"q\",\"session_id\":1}", "session_id", "must be a string");
}

static void test_depth_bomb(void **state)
{
	static char body[4096];

	(void)state;
	memset(body, '[', sizeof(body) - 1);
	check_wrong("/v1/chat/completions", body, "", "could not parse");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_details),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_depth_bomb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
