/* test_hints.c: how long a provider asks to wait: durations, HTTP dates, headers in their order of trust, sentences and error bodies. */
#include "turn_kit.h"

#include "connector/hints.h"

#define NOON ((int64_t)1795089600000) /* 2026-11-19 12:00:00 UTC */

static void durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{ "2m59.56s", 179560 },
		{ "7.66s", 7660 },
		{ "120ms", 120 },
		{ "1h0m3s", 3603000 },
		{ "47.174066935s", 47175 },
		{ "6m0s", 360000 },
		{ "1500us", 2 },
		{ "10\xC2\xB5s", 1 },
		{ "1ns", 1 },
		{ "0s", 0 },
		{ " 1s ", 1000 },
		{ "24h", 86400000 },
	};
	static const char *const bad[] = { "", " ", "5", "s", "1x", "1s2", "-1s", "1 s", "1.s", ".5s", "1e3s", "99999999h" };
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		if (!duration_parse(str_from(good[i].text), &ms) || ms != good[i].ms)
			fail_msg("'%s': expected %lld ms, got %lld", good[i].text, (long long)good[i].ms, (long long)ms);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (duration_parse(str_from(bad[i]), &ms))
			fail_msg("'%s' is no duration", bad[i]);
}

static void http_dates(void **state)
{
	static const char *const same[] = { "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
		                            "Sun Nov  6 08:49:37 1994" };
	static const char *const bad[] = { "",
		                           "soon",
		                           "Sun, 06 Foo 1994 08:49:37 GMT",
		                           "Sun, 06 Nov 1994 24:49:37 GMT",
		                           "Sun, 06 Nov 1994 08:49 GMT",
		                           "Sun, 06 Nov 1994 08:49:37 CET",
		                           "Sun, 00 Nov 1994 08:49:37 GMT",
		                           "Sun, 06 Nov 1950 08:49:37 GMT" };
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		assert_true(http_date_parse(str_from(same[i]), &ms));
		assert_int_equal(ms, 784111777000);
	}
	assert_true(http_date_parse(STR("Thu, 29 Feb 2024 23:59:60 GMT"), &ms));
	assert_int_equal(ms, 1709251200000);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (http_date_parse(str_from(bad[i]), &ms))
			fail_msg("'%s' is no HTTP date", bad[i]);
}

/* Headers as "Name: value" lines. */
static int64_t from(const char *lines)
{
	struct pair headers[8];
	struct str rest = str_from(lines);
	size_t n = 0;

	while (rest.ptr && n < ARRAY_SIZE(headers)) {
		struct str value = str_split(&rest, '\n'), name = str_split(&value, ':');

		headers[n++] = (struct pair){ name, value };
	}
	return hint_from_headers(headers, n, NOON);
}

static void headers_in_order(void **state)
{
	(void)state;
	assert_int_equal(from("retry-after-ms: 50\nRetry-After: 9"), 50);
	assert_int_equal(from("Retry-After: 9\nx-ratelimit-reset-tokens: 4.77s"), 9000);
	assert_int_equal(from("RETRY-AFTER: 0.1"), 100);
	assert_int_equal(from("retry-after: 30s"), 30000);
	assert_int_equal(from("retry-after: Thu, 19 Nov 2026 12:00:05 GMT"), 5000);
	assert_int_equal(from("x-ratelimit-reset-requests: 2m59.56s\nx-ratelimit-reset-tokens: 4.77s"), 179560);
	assert_int_equal(from("x-ratelimit-remaining-requests: 14000\nx-ratelimit-reset-requests: 2m59.56s\n"
	                      "x-ratelimit-remaining-tokens: 0\nx-ratelimit-reset-tokens: 4.77s"),
	                 4770);
	assert_int_equal(from("x-ratelimit-reset-tokens: 3"), 3000);
}

static void no_hint(void **state)
{
	static const char *const lines[] = { "x: 1",
		                             "retry-after: 0",
		                             "retry-after: -5",
		                             "retry-after: soon",
		                             "retry-after: nan",
		                             "retry-after: 1e300",
		                             "retry-after-ms: 0",
		                             "retry-after: Mon, 01 Jan 2024 00:00:00 GMT",
		                             "x-ratelimit-remaining-tokens: 5\nx-ratelimit-reset-tokens: 4s" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (from(lines[i]) != HINT_NONE)
			fail_msg("'%s' must give no hint", lines[i]);
	assert_int_equal(from("retry-after-ms: soon\nretry-after: 2"), 2000);
}

static void should_retry(void **state)
{
	static const struct pair yes = { { "X-Should-Retry", 14 }, { "true", 4 } },
	                         no = { { "x-should-retry", 14 }, { "false", 5 } },
	                         odd = { { "x-should-retry", 14 }, { "TRUE", 4 } };

	(void)state;
	assert_int_equal(hint_should_retry(&yes, 1), 1);
	assert_int_equal(hint_should_retry(&no, 1), 0);
	assert_int_equal(hint_should_retry(&odd, 1), -1);
	assert_int_equal(hint_should_retry(NULL, 0), -1);
}

static void sentences(void **state)
{
	(void)state;
	assert_int_equal(hint_from_text(STR("Limit 6000. Please try again in 4.77s. Need more?")), 4770);
	assert_int_equal(hint_from_text(STR("Please TRY AGAIN IN 6m0s.")), 360000);
	assert_int_equal(hint_from_text(STR("Please retry after 20 seconds.")), 20000);
	assert_int_equal(hint_from_text(STR("Please retry in 47.17s.")), 47170);
	assert_int_equal(hint_from_text(STR("try again in a while")), HINT_NONE);
	assert_int_equal(hint_from_text(STR("try again in 5")), HINT_NONE);
	assert_int_equal(hint_from_text(STR("try again in 0s")), HINT_NONE);
	assert_int_equal(hint_from_text(STR_NULL), HINT_NONE);
}

static void bodies(void **state)
{
	static const char google[] = "[{\"error\":{\"message\":\"quota\",\"details\":[{\"@type\":\"x\"},{\"retryDelay\":\"47s\"},"
	                             "{\"violations\":[{\"quotaId\":\"GenerateRequestsPerDayPerProject\"}]}]}}]";
	struct json body;
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_int_equal(json_parse(&a, str_from(google), NULL, &body, NULL, NULL), 0);
	assert_int_equal(hint_from_body(&body, STR("try again in 1s")), 47000);
	assert_true(hint_is_daily(&body, STR("quota")));
	assert_int_equal(json_parse(&a, STR("{\"error\":{\"retry_after\":1.5}}"), NULL, &body, NULL, NULL), 0);
	assert_int_equal(hint_from_body(&body, STR("")), 1500);
	assert_false(hint_is_daily(&body, STR("on tokens per minute (TPM)")));
	assert_true(hint_is_daily(NULL, STR("Rate limit reached on tokens per day (TPD): Limit 100000")));
	assert_int_equal(hint_from_body(NULL, STR("try again in 2s")), 2000);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations), cmocka_unit_test(http_dates),   cmocka_unit_test(headers_in_order),
		cmocka_unit_test(no_hint),   cmocka_unit_test(should_retry), cmocka_unit_test(sentences),
		cmocka_unit_test(bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
