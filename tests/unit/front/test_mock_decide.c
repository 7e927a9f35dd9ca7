/* test_mock_decide.c: requests through the whole simulator, without a socket: keys, numbers, faults, limits, streams, latency, every protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../base/fault_loop.h"
#include "front/mock/decide.h"

#define START 1000000000u
#define WALL  1795359687123

struct kit {
	struct mock mock;
	struct mock_reply reply;
	struct decision decision;
};

static void kit_open(struct kit *k)
{
	mock_init(&k->mock, 42);
	mock_reply_init(&k->reply);
}

static void kit_close(struct kit *k)
{
	mock_reply_release(&k->reply);
	mock_release(&k->mock);
}

static int send_at(struct kit *k, struct incoming in, uint64_t now_us)
{
	mock_reply_clear(&k->reply);
	return mock_decide(&k->mock, &in, now_us, WALL, &k->reply, &k->decision);
}

static unsigned send(struct kit *k, const char *method, const char *path, const char *body)
{
	struct incoming in = { .method = str_from(method), .path = str_from(path), .body = str_from(body) };

	assert_int_equal(send_at(k, in, START), 0);
	return k->reply.status;
}

static void expect(const struct kit *k, const char *part)
{
	if (!k->reply.body.ptr || !strstr(k->reply.body.ptr, part))
		fail_msg("expected %s in %s", part, k->reply.body.ptr ? k->reply.body.ptr : "an empty body");
}

static const char *header(const struct kit *k, const char *name)
{
	for (size_t i = 0; i < k->reply.header_count; i++) {
		if (str_eq_nocase(str_from(k->reply.headers[i].name), str_from(name)))
			return k->reply.headers[i].value;
	}
	return "(absent)";
}

static const char chat[] = "/v1/chat/completions";
static const char hello[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}";
static const char hello_stream[] = "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}";
static const char hello_gemini[] = "{\"contents\":[{\"parts\":[{\"text\":\"hello\"}]}]}";
static const char hello_event[] = "{\"query\":\"hello\",\"session_id\":\"s-9\"}";

static void test_answers(void **state)
{
	static const struct {
		const char *path, *body, *part;
	} all[] = {
		{ chat, hello, "\"object\":\"chat.completion\"" },
		{ "/chat/completions", hello, "\"usage\":{\"prompt_tokens\":4," },
		{ "/v1/responses", "{\"model\":\"m\",\"input\":\"hello\"}", "\"object\":\"response\"" },
		{ "/openai/v1/chat/completions", hello, "\"x_groq\":{\"id\":\"req_" },
		{ "/v1beta/models/m:generateContent", hello_gemini, "\"finishReason\":\"STOP\"" },
		{ "/api/chat", hello, "\"done\":true,\"done_reason\":\"stop\"" },
		{ "/event/infer/c/a", hello_event, "{\"stream_id\":\"st-" },
	};
	struct kit k;

	(void)state;
	kit_open(&k);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_int_equal(send(&k, "POST", all[i].path, all[i].body), 200);
		expect(&k, all[i].part);
		assert_int_equal(k.decision.delay_us, 0);
		assert_null(k.decision.fault);
	}
	assert_int_equal(k.mock.requests, ARRAY_SIZE(all));
	kit_close(&k);
}

static void test_streams_have_pieces(void **state)
{
	static const struct {
		const char *path, *body, *last;
	} all[] = {
		{ chat, hello_stream, "data: [DONE]\n\n" },
		{ "/openai/v1/chat/completions", hello_stream, "data: [DONE]\n\n" },
		{ "/v1/responses", "{\"model\":\"m\",\"stream\":true,\"input\":\"hello\"}", "}}\n\n" },
		{ "/v1beta/models/m:streamGenerateContent", hello_gemini, "}]\n" },
		{ "/api/chat", hello, "}\n" },
	};
	struct kit k;

	(void)state;
	kit_open(&k);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_int_equal(send(&k, "POST", all[i].path, all[i].body), 200);
		assert_true(k.reply.streamed);
		assert_true(k.reply.piece_count >= 3);
		assert_int_equal(k.reply.ends[k.reply.piece_count - 1], k.reply.body.len);
		assert_true(str_ends_with(buf_str(&k.reply.body), str_from(all[i].last)));
	}
	kit_close(&k);
}

static void test_alquimia(void **state)
{
	struct kit k;
	char path[64];

	(void)state;
	kit_open(&k);
	assert_int_equal(send(&k, "GET", "/event/stream/st-0000002a00000001", ""), 404);
	expect(&k, "{\"detail\":\"Stream not found");
	assert_int_equal(send(&k, "POST", "/v1/event/infer/c/a", hello_event), 200);
	snprintf(path, sizeof(path), "/v1/event/stream/%.19s", strstr(k.reply.body.ptr, "st-"));
	for (int i = 0; i < 2; i++) { /* a stream may be asked for again */
		assert_int_equal(send(&k, "GET", path, ""), 200);
		assert_true(k.reply.streamed);
		expect(&k, "\"type\":\"message\",\"response\":{\"data\":{\"content\":\"This is simulated answer");
	}
	assert_int_equal(send(&k, "GET", "/event/stream/st-000000000000000g", ""), 404);
	assert_int_equal(send(&k, "GET", "/event/stream/x", ""), 404);
	kit_close(&k);
}

/* AlquimiaRunner asks for responses only, and fails at an event that is none. */
static void test_alquimia_responses_only(void **state)
{
	static const struct {
		const char *asked;
		bool pings;
	} all[] = { { "", true }, { "false", true }, { "true", false } };
	struct kit k;
	char path[64];

	(void)state;
	kit_open(&k);
	assert_int_equal(send(&k, "POST", "/event/infer/c/a", hello_event), 200);
	snprintf(path, sizeof(path), "/event/stream/%.19s", strstr(k.reply.body.ptr, "st-"));
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct incoming in = { .method = STR("GET"),
			               .path = str_from(path),
			               .query_response_only = str_from(all[i].asked) };
		assert_int_equal(send_at(&k, in, START), 0);
		expect(&k, ": open\n\n");
		expect(&k, "\"type\":\"message\",\"response\"");
		assert_int_equal(strstr(k.reply.body.ptr, "\"ping\"") != NULL, all[i].pings);
	}
	kit_close(&k);
}

static void test_old_streams_are_forgotten(void **state)
{
	struct kit k;
	char path[64];

	(void)state;
	kit_open(&k);
	assert_int_equal(send(&k, "POST", "/event/infer/c/a", hello_event), 200);
	snprintf(path, sizeof(path), "/event/stream/%.19s", strstr(k.reply.body.ptr, "st-"));
	k.mock.requests += MOCK_STREAMS - 1;
	assert_int_equal(send(&k, "POST", "/event/infer/c/a", hello_event), 200);
	assert_int_equal(send(&k, "GET", path, ""), 404);
	kit_close(&k);
}

static void test_keys(void **state)
{
	static const struct {
		const char *path, *body, *part;
	} all[] = {
		{ chat, hello, "\"code\":\"invalid_api_key\"" },
		{ "/openai/v1/chat/completions", hello, "\"message\":\"Invalid API Key\"" },
		{ "/v1beta/models/m:generateContent", hello_gemini, "\"status\":\"UNAUTHENTICATED\"" },
		{ "/api/chat", hello, "{\"error\":\"unauthorized\"}" },
		{ "/event/infer/c/a", hello_event, "{\"detail\":\"Invalid API key\"}" },
	};
	struct kit k;

	(void)state;
	kit_open(&k);
	k.mock.require_key = STR("sk-right");
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct incoming in = { .method = STR("POST"), .path = str_from(all[i].path), .body = str_from(all[i].body) };
		static const char *const wrong[] = { "", "Bearer", "Bearer ", "Bearer sk-wrong", "Basic sk-right", "sk-right" };
		for (size_t j = 0; j < ARRAY_SIZE(wrong); j++) {
			in.authorization = str_from(wrong[j]);
			assert_int_equal(send_at(&k, in, START), 0);
			assert_int_equal(k.reply.status, 401);
			expect(&k, all[i].part);
			assert_null(strstr(k.reply.body.ptr, "sk-"));
		}
		in.authorization = STR("bearer sk-right");
		assert_int_equal(send_at(&k, in, START), 0);
		assert_int_equal(k.reply.status, 200);
	}
	kit_close(&k);
}

static void test_keys_of_gemini(void **state)
{
	struct incoming in = { .method = STR("POST"), .path = STR("/v1/models/m:generateContent"), .body = str_from(hello_gemini) };
	struct kit k;

	(void)state;
	kit_open(&k);
	k.mock.require_key = STR("right");
	in.goog_api_key = STR("right");
	assert_int_equal(send_at(&k, in, START), 0);
	assert_int_equal(k.reply.status, 200);
	in.goog_api_key = STR("wrong");
	assert_int_equal(send_at(&k, in, START), 0);
	assert_int_equal(k.reply.status, 401);
	in.goog_api_key = STR_NULL;
	in.query_key = STR("right");
	assert_int_equal(send_at(&k, in, START), 0);
	assert_int_equal(k.reply.status, 200);
	in.path = str_from(chat); /* a key in the query is Gemini's habit alone */
	in.body = str_from(hello);
	assert_int_equal(send_at(&k, in, START), 0);
	assert_int_equal(k.reply.status, 401);
	kit_close(&k);
}

static void test_wrong_requests(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k);
	assert_int_equal(send(&k, "POST", "/v1/nope\"x", hello), 404);
	expect(&k, "{\"error\":{\"message\":\"Invalid URL: POST /v1/nope\\\"x.\"");
	assert_int_equal(send(&k, "GET", "/openai/nope", ""), 404);
	expect(&k, "\"code\":\"unknown_url\"");
	assert_int_equal(send(&k, "GET", "/v1beta/nope", ""), 404);
	expect(&k, "\"status\":\"NOT_FOUND\"");
	assert_int_equal(send(&k, "GET", chat, ""), 405);
	assert_string_equal(header(&k, "allow"), "POST");
	assert_int_equal(send(&k, "POST", chat, "{"), 400);
	expect(&k, "could not parse the JSON body");
	assert_int_equal(send(&k, "POST", "/v1beta/models/m:generateContent", "{"), 400);
	expect(&k, "\"status\":\"INVALID_ARGUMENT\"");
	assert_int_equal(send(&k, "POST", "/api/chat", "{}"), 400);
	expect(&k, "{\"error\":\"model is required\"}");
	assert_int_equal(
	        send_at(&k, (struct incoming){ .method = STR("POST"), .path = str_from(chat), .body_too_big = true }, START), 0);
	assert_int_equal(k.reply.status, 413);
	kit_close(&k);
}

static void test_catalogue(void **state)
{
	static const struct {
		const char *path, *part;
	} all[] = {
		{ "/v1/models", "{\"object\":\"list\",\"data\":[{\"id\":\"gpt-4o-mini\"" },
		{ "/v1/models/a%20b", "\"id\":\"a b\"" },
		{ "/openai/v1/models", "llama-3.1-8b-instant" },
		{ "/v1beta/models", "\"name\":\"models/gemini-2.5-flash\"" },
		{ "/v1beta/models/x", "\"name\":\"models/x\"" },
		{ "/api/tags", "\"name\":\"llama3.2:latest\",\"model\":\"llama3.2:latest\",\"modified_at\":\"2026-11-22T" },
		{ "/api/version", "{\"version\":\"" },
		{ "/", "Ollama is running" },
	};
	struct kit k;

	(void)state;
	kit_open(&k);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_int_equal(send(&k, "GET", all[i].path, ""), 200);
		expect(&k, all[i].part);
	}
	assert_int_equal(k.mock.requests, 0); /* only requests for answers are numbered */
	assert_int_equal(send(&k, "POST", "/api/show", "{\"model\":\"m\"}"), 200);
	expect(&k, "\"capabilities\":[\"completion\"");
	assert_int_equal(send(&k, "POST", "/api/show", "{}"), 400);
	kit_close(&k);
}

static void load_script(struct kit *k, const char *text)
{
	struct problems problems;

	problems_init(&problems);
	assert_int_equal(script_parse(&k->mock.script, str_from(text), &problems), 0);
	problems_release(&problems);
}

static void test_faults(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k);
	load_script(
	        &k,
	        "[{\"request\":1,\"status\":503,\"headers\":{\"Retry-After\":\"2\"}},{\"request\":2,\"status\":400,\"body\":"
	        "\"plain\"},"
	        "{\"request\":3,\"bad_json\":true},{\"request\":4,\"gzip\":true},{\"request\":5,\"status\":201,\"body\":{\"a\":1}},"
	        "{\"request\":6,\"delay_ms\":250},{\"request\":7,\"reset\":true},{\"request\":8,\"status\":204},{\"match\":\"s-9\","
	        "\"status\":500}]");
	assert_int_equal(send(&k, "POST", chat, hello_stream), 503);
	assert_false(k.reply.streamed);
	assert_string_equal(header(&k, "retry-after"), "2");
	expect(&k, "{\"error\":{\"message\":\"Simulated fault: status 503.\"");
	assert_int_equal(send(&k, "POST", chat, hello), 400);
	assert_string_equal(k.reply.body.ptr, "plain");
	assert_string_equal(header(&k, "content-type"), "text/plain; charset=utf-8");
	assert_int_equal(send(&k, "POST", chat, hello), 200);
	assert_true(str_ends_with(buf_str(&k.reply.body), STR("\"default\" \n"))); /* where the last brace was */
	assert_int_equal(send(&k, "POST", chat, hello_stream), 200);
	assert_string_equal(header(&k, "content-encoding"), "gzip");
	assert_int_equal(k.reply.ends[k.reply.piece_count - 1], k.reply.body.len);
	assert_int_equal(send(&k, "POST", chat, hello), 201);
	assert_string_equal(k.reply.body.ptr, "{\"a\":1}");
	assert_int_equal(send(&k, "POST", chat, hello), 200);
	assert_int_equal(k.decision.delay_us, 250000);
	send(&k, "POST", chat, hello);
	assert_int_equal(k.decision.fault->end, FAULT_RESET);
	assert_int_equal(send(&k, "POST", chat, hello), 204);
	assert_int_equal(k.reply.body.len, 0);
	assert_int_equal(send(&k, "POST", chat, hello), 200);
	assert_null(k.decision.fault);
	assert_int_equal(send(&k, "POST", "/event/infer/c/a", hello_event), 500); /* matched by its session */
	kit_close(&k);
}

static void test_limits(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k);
	load_script(&k, "[{\"request\":1,\"status\":500},{\"request\":2,\"reset\":true}]");
	rate_init(&k.mock.rate, RATE_WINDOW, 60000000, 2, 0);
	send(&k, "POST", chat, hello); /* faults without an answer cost nothing */
	send(&k, "POST", chat, hello);
	assert_int_equal(send(&k, "POST", chat, hello), 200);
	assert_string_equal(header(&k, "x-ratelimit-remaining-requests"), "1");
	assert_int_equal(send(&k, "POST", "/api/chat", hello), 200);
	assert_string_equal(header(&k, "x-ratelimit-remaining-requests"), "(absent)");
	assert_int_equal(send(&k, "POST", chat, hello), 429);
	assert_string_equal(header(&k, "x-ratelimit-remaining-requests"), "0");
	assert_string_equal(header(&k, "retry-after"), "60");
	expect(&k, "Please try again in 1m0s.");
	assert_int_equal(send_at(&k, (struct incoming){ .method = STR("POST"), .path = str_from(chat), .body = str_from(hello) },
	                         START + 60000000),
	                 0);
	assert_int_equal(k.reply.status, 200);
	kit_close(&k);
}

static void test_latency(void **state)
{
	struct kit k;
	bool above = false, below = false;

	(void)state;
	kit_open(&k);
	k.mock.latency_us = 100000;
	k.mock.jitter_us = 20000;
	for (int i = 0; i < 200; i++) {
		send(&k, "POST", chat, hello);
		assert_in_range(k.decision.delay_us, 80000, 120000);
		above |= k.decision.delay_us > 110000;
		below |= k.decision.delay_us < 90000;
	}
	assert_true(above && below);
	send(&k, "POST", "/event/infer/c/a", hello_event);
	assert_int_equal(k.decision.delay_us, 0); /* only the stream waits */
	kit_close(&k);
}

static void test_prepared_answers(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k);
	assert_int_equal(answers_add(&k.mock.answers,
	                             STR("{\"session_id\":\"s-9\",\"conversation\":[{\"query\":\"hello\",\"ground_truth_"
	                                 "assistant\":\"¡Hola! 🤖\"}]}"),
	                             NULL),
	                 0);
	assert_int_equal(send(&k, "POST", chat, hello), 200);
	expect(&k, "\"content\":\"¡Hola! 🤖\"");
	assert_int_equal(send(&k, "POST", "/v1beta/models/m:streamGenerateContent", hello_gemini), 200);
	expect(&k, "{\"text\":\"¡Hola!");
	kit_close(&k);
}

static int one_of_each(void)
{
	static const struct {
		const char *path, *body;
	} all[] = {
		{ chat, hello },
		{ chat, hello_stream },
		{ "/v1beta/models/m:generateContent", hello_gemini },
		{ "/api/chat", hello },
		{ "/event/infer/c/a", hello_event },
		{ "/nope", "" },
	};
	struct kit k;
	int code = 0;

	kit_open(&k);
	for (size_t i = 0; code == 0 && i < ARRAY_SIZE(all); i++)
		code = send_at(
		        &k,
		        (struct incoming){ .method = STR("POST"), .path = str_from(all[i].path), .body = str_from(all[i].body) },
		        START);
	kit_close(&k);
	return code;
}

static void test_memory_is_short(void **state)
{
	(void)state;
	assert_true(fault_loop(one_of_each) > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_streams_have_pieces),
		cmocka_unit_test(test_alquimia),
		cmocka_unit_test(test_alquimia_responses_only),
		cmocka_unit_test(test_old_streams_are_forgotten),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_keys_of_gemini),
		cmocka_unit_test(test_wrong_requests),
		cmocka_unit_test(test_catalogue),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_latency),
		cmocka_unit_test(test_prepared_answers),
		cmocka_unit_test(test_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
