/* test_mock_rate.c: windows and buckets as arithmetic, durations, headers, and the bodies of refusals. Nobody waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "front/mock/rate.h"

#define SECOND ((uint64_t)1000000)
#define MINUTE (60 * SECOND)
#define START  (1000 * SECOND)

static void test_no_limit(void **state)
{
	struct rate r;

	(void)state;
	rate_init(&r, RATE_WINDOW, MINUTE, 0, 0);
	assert_false(rate_active(&r));
	for (int i = 0; i < 1000; i++)
		assert_true(rate_take(&r, UINT32_MAX, START).admitted);
}

static void test_window(void **state)
{
	struct rate r;
	struct rate_verdict v;

	(void)state;
	rate_init(&r, RATE_WINDOW, MINUTE, 3, 0);
	for (int i = 0; i < 3; i++)
		assert_true(rate_take(&r, 10, START + (uint64_t)i * SECOND).admitted);
	v = rate_take(&r, 10, START + 10 * SECOND);
	assert_false(v.admitted);
	assert_false(v.by_tokens);
	assert_int_equal(v.wait_us, 50 * SECOND); /* the window began with the first request */
	assert_int_equal(v.limit, 3);
	assert_int_equal(v.used, 3);
	assert_int_equal(v.requested, 1);
	assert_int_equal(rate_remaining(&r.requests, START + 59 * SECOND), 0);
	assert_int_equal(rate_reset_us(&r.requests, START + 59 * SECOND), SECOND);
	assert_false(rate_take(&r, 10, START + MINUTE - 1).admitted);
	assert_true(rate_take(&r, 10, START + MINUTE).admitted);
	assert_int_equal(rate_remaining(&r.requests, START + MINUTE), 2);
	assert_int_equal(r.refused, 2);
}

static void test_bucket(void **state)
{
	struct rate r;
	uint64_t admitted = 0;

	(void)state;
	rate_init(&r, RATE_BUCKET, MINUTE, 60, 0);
	for (int i = 0; i < 60; i++)
		assert_true(rate_take(&r, 1, START).admitted);
	assert_int_equal(rate_take(&r, 1, START).wait_us, SECOND);
	assert_int_equal(rate_reset_us(&r.requests, START), MINUTE);
	assert_false(rate_take(&r, 1, START + SECOND - 1000).admitted);
	assert_true(rate_take(&r, 1, START + SECOND).admitted);
	for (uint64_t t = START + SECOND; t < START + SECOND + 10 * MINUTE; t += SECOND / 10)
		admitted += rate_take(&r, 1, t).admitted;
	assert_in_range(admitted, 599, 600); /* exactly what drains */
	assert_int_equal(rate_remaining(&r.requests, START + 30 * MINUTE), 60);
	assert_int_equal(rate_reset_us(&r.requests, START + 30 * MINUTE), 0);
}

/* A request is charged on both limits or on neither. */
static void test_tokens_refuse(void **state)
{
	struct rate r;
	struct rate_verdict v;

	(void)state;
	rate_init(&r, RATE_WINDOW, MINUTE, 100, 1000);
	assert_true(rate_take(&r, 900, START).admitted);
	v = rate_take(&r, 200, START);
	assert_false(v.admitted);
	assert_true(v.by_tokens);
	assert_int_equal(v.used, 900);
	assert_int_equal(v.requested, 200);
	assert_int_equal(rate_remaining(&r.requests, START), 99);
	assert_int_equal(rate_remaining(&r.tokens, START), 100);
	assert_true(rate_take(&r, 100, START).admitted);
	assert_int_equal(rate_take(&r, 1001, START).wait_us, RATE_NEVER);
}

static void check_duration(uint64_t us, const char *expected)
{
	char text[40];

	rate_duration(us, text);
	assert_string_equal(text, expected);
}

static void test_durations(void **state)
{
	(void)state;
	check_duration(0, "0s");
	check_duration(1, "1ms");
	check_duration(120000, "120ms");
	check_duration(SECOND, "1s");
	check_duration(7660000, "7.66s");
	check_duration(7600000, "7.6s");
	check_duration(7006000, "7.006s");
	check_duration(179560000, "2m59.56s");
	check_duration(360 * SECOND, "6m0s");
	check_duration(3600 * SECOND, "1h0m0s");
	check_duration(90061 * SECOND, "25h1m1s");
}

static const char *header(const struct mock_reply *r, const char *name)
{
	for (size_t i = 0; i < r->header_count; i++) {
		if (str_eq_nocase(str_from(r->headers[i].name), str_from(name)))
			return r->headers[i].value;
	}
	return "(absent)";
}

static void test_headers(void **state)
{
	struct rate r;
	struct mock_reply reply;

	(void)state;
	mock_reply_init(&reply);
	rate_init(&r, RATE_WINDOW, MINUTE, 60, 18000);
	assert_true(rate_take(&r, 3000, START).admitted);
	rate_headers(&r, PROTO_OPENAI, START + 500000, &reply);
	assert_string_equal(header(&reply, "x-ratelimit-limit-requests"), "60");
	assert_string_equal(header(&reply, "x-ratelimit-remaining-requests"), "59");
	assert_string_equal(header(&reply, "x-ratelimit-reset-requests"), "59.5s");
	assert_string_equal(header(&reply, "x-ratelimit-remaining-tokens"), "15000");
	mock_reply_clear(&reply);
	rate_headers(&r, PROTO_GROQ, START, &reply);
	assert_string_equal(header(&reply, "x-ratelimit-limit-requests"), "86460"); /* a day's, which 60 a minute cannot pass */
	assert_string_equal(header(&reply, "x-ratelimit-limit-tokens"), "18000");
	mock_reply_clear(&reply);
	rate_headers(&r, PROTO_GEMINI, START, &reply);
	rate_headers(&r, PROTO_OLLAMA, START, &reply);
	assert_int_equal(reply.header_count, 0);
	rate_init(&r, RATE_WINDOW, MINUTE, 0, 5);
	rate_headers(&r, PROTO_OPENAI, START, &reply);
	assert_string_equal(header(&reply, "x-ratelimit-limit-requests"), "(absent)");
	assert_string_equal(header(&reply, "x-ratelimit-reset-tokens"), "0s");
	mock_reply_release(&reply);
}

static void check_refusal(enum proto proto, bool by_tokens, uint64_t wait_us, unsigned status, const char *part)
{
	struct rate r;
	struct mock_reply reply;
	struct rate_verdict v = { .by_tokens = by_tokens, .wait_us = wait_us, .limit = 60, .used = 60, .requested = 1 };

	rate_init(&r, RATE_WINDOW, MINUTE, 60, 0);
	mock_reply_init(&reply);
	rate_refusal(&r, &v, proto, STR("m-1"), START, &reply);
	assert_int_equal(mock_reply_failed(&reply), 0);
	assert_int_equal(reply.status, status);
	if (!strstr(reply.body.ptr, part))
		fail_msg("expected %s in %s", part, reply.body.ptr);
	if (wait_us != RATE_NEVER && proto != PROTO_GEMINI)
		assert_string_equal(header(&reply, "retry-after"), "5");
	else
		assert_string_equal(header(&reply, "retry-after"), "(absent)");
	assert_string_equal(header(&reply, "retry-after-ms"), proto == PROTO_OPENAI && wait_us != RATE_NEVER ? "4770" : "(absent)");
	mock_reply_release(&reply);
}

static void test_refusals(void **state)
{
	(void)state;
	check_refusal(PROTO_OPENAI, false, 4770000, 429,
	              "on requests per min (RPM): Limit 60, Used 60, Requested 1. Please try again in 4.77s.");
	check_refusal(PROTO_OPENAI, true, 4770000, 429, "\"type\":\"tokens\",\"param\":null,\"code\":\"rate_limit_exceeded\"");
	check_refusal(PROTO_GROQ, true, 4770000, 429,
	              "`m-1` in organization `org_fairforge_mock` service tier `on_demand` on tokens per minute (TPM)");
	check_refusal(PROTO_GROQ, true, RATE_NEVER, 413, "Request too large for model `m-1`");
	check_refusal(PROTO_GEMINI, false, 4770000, 429, "\"retryDelay\":\"4.770s\"");
	check_refusal(PROTO_GEMINI, false, 5000000, 429, "\"retryDelay\":\"5s\"");
	check_refusal(PROTO_GEMINI, false, 4770000, 429, "\"status\":\"RESOURCE_EXHAUSTED\"");
	check_refusal(PROTO_OLLAMA, false, 4770000, 429, "{\"error\":\"Rate limit reached");
	check_refusal(PROTO_ALQUIMIA, false, 4770000, 429, "{\"detail\":\"Rate limit reached");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_limit),      cmocka_unit_test(test_window),    cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_tokens_refuse), cmocka_unit_test(test_durations), cmocka_unit_test(test_headers),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
