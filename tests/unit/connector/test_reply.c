/* test_reply.c: gathering, the sentence inside any error body, parts of content, Python's NaN, and the verdicts of refusals. */
#include "turn_kit.h"

#include "connector/hints.h"
#include "base/secret.h"
#include "connector/reply.h"

static const int retried[] = { 408, 429, 599, 0 };
static const struct connector_class acme = { .label = "Acme",
	                                     .retry = { .statuses = retried, .should_retry_header = true, .hints = true } };

static void gathering(void **state)
{
	struct gather g;
	struct arena a;

	(void)state;
	arena_init(&a);
	gather_init(&g, &a, 10);
	assert_int_equal(gather_append(&g, NULL, 0), 0);
	assert_int_equal(gather_append(&g, "abcdef", 6), 0);
	assert_int_equal(gather_append(&g, "ghijk", 5), FF_ETOOBIG);
	kit_expect_str(gather_str(&g), "abcdef");
	assert_int_equal(gather_append(&g, "ghij", 4), 0);
	gather_consume(&g, 7);
	kit_expect_str(gather_str(&g), "hij");
	gather_consume(&g, 3);
	assert_int_equal(g.len, 0);
	assert_int_equal(gather_reserve(&g, 11), FF_ETOOBIG);
	arena_release(&a);
}

static void expect_message(const char *body, const char *want)
{
	struct json parsed;
	struct arena a;
	bool is_json;

	arena_init(&a);
	is_json = json_parse(&a, str_from(body), NULL, &parsed, NULL, NULL) == 0;
	kit_expect_str(provider_message(&a, str_from(body), is_json ? &parsed : NULL), want);
	arena_release(&a);
}

static void messages(void **state)
{
	(void)state;
	expect_message("{\"error\":{\"message\":\"Invalid API Key\",\"code\":\"x\"}}", "Invalid API Key");
	expect_message("{\"error\":\"flat oops\"}", "flat oops");
	expect_message("{\"error\":\"invalid_request\",\"message\":\"why\"}", "invalid_request: why");
	expect_message("{\"message\":\"m\"}", "m");
	expect_message("{\"detail\":\"Not authenticated\"}", "Not authenticated");
	expect_message("{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\"},{\"msg\":\"second\"}]}",
	               "field required; second");
	expect_message("{\"errors\":[\"one\",{\"message\":\"two\"}]}", "one; two");
	expect_message("[{\"error\":{\"message\":\"wrapped\"}}]", "wrapped");
	expect_message("{\"error\":{\"message\":\"Provider returned error\",\"metadata\":{\"raw\":\"the upstream's text\"}}}",
	               "Provider returned error: the upstream's text");
	expect_message("\"plain\"", "plain");
	expect_message("{\"error\":{\"code\":5}}", "{\"error\":{\"code\":5}}");
	expect_message("5", "5");
	expect_message("{}", "");
	expect_message("[]", "");
	expect_message("null", "");
	expect_message("", "");
	expect_message("  bad\r\n\tgateway \x01 ", "bad gateway");
	expect_message("\xFFx", "\xEF\xBF\xBDx");
	expect_message("{\"a\":{\"b\":{\"error\":{\"message\":\"too far inside\"}}}}",
	               "{\"a\":{\"b\":{\"error\":{\"message\":\"too far inside\"}}}}");
}

static void html_is_read_as_text(void **state)
{
	(void)state;
	expect_message("<html><body><h1>403 Forbidden</h1></body></html>", "403 Forbidden");
	expect_message(
	        "<!DOCTYPE html>\n<html><head><title>502</title><style>p{color:red}</style><SCRIPT>if (a < b) x();</SCRIPT></head>"
	        "<body><p>Bad\n gateway</body>",
	        "502 Bad gateway");
	expect_message("<html", "");
	expect_message("<p>no page</p>", "<p>no page</p>");
}

static void long_messages_are_cut_between_characters(void **state)
{
	static char body[5001];
	struct str out;
	struct arena a;

	(void)state;
	for (size_t i = 0; i + 3 < sizeof body; i += 3)
		memcpy(body + i, "\xE4\xBD\xA0", 3);
	arena_init(&a);
	out = provider_message(&a, str_of(body, 4998), NULL);
	assert_int_equal(out.len, 1998 + strlen(SECRET_CUT));
	assert_true(str_ends_with(out, STR(SECRET_CUT)));
	assert_true(utf8_is_valid(out));
	assert_int_equal(provider_message(&a, str_of(body, 1998), NULL).len, 1998); /* whole: no mark */
	out = provider_excerpt(&a, str_of(body, 30), 10);
	assert_int_equal(out.len, 9 + strlen(SECRET_CUT));
	assert_int_equal(provider_excerpt(&a, str_of(body, 30), 30).len, 30);
	arena_release(&a);
}

static void expect_content(const char *text, const char *want)
{
	struct str got = STR("untouched");
	struct json v;
	struct arena a;
	bool nomem = false, good;

	arena_init(&a);
	assert_int_equal(json_parse(&a, str_from(text), NULL, &v, NULL, NULL), 0);
	good = content_text(&a, &v, &got, &nomem);
	assert_false(nomem);
	assert_int_equal(good, want != NULL);
	kit_expect_str(got, want ? want : "untouched");
	arena_release(&a);
}

static void contents(void **state)
{
	(void)state;
	expect_content("\"text\"", "text");
	expect_content("null", "");
	expect_content("[]", "");
	expect_content("[{\"type\":\"text\",\"text\":\"a\"},\"b\",{\"text\":\"c\"},{\"type\":\"output_text\",\"text\":\"d\"}]",
	               "abcd");
	expect_content("[{\"type\":\"thinking\",\"thinking\":\"t\"},{\"type\":\"image_url\",\"image_url\":{}},{\"type\":\"text\","
	               "\"text\":\"a\"}]",
	               "a");
	expect_content("[{\"type\":\"text\",\"text\":null},{\"type\":\"text\"}]", "");
	expect_content("[{\"type\":\"text\",\"text\":5}]", NULL);
	expect_content("[5]", NULL);
	expect_content("5", NULL);
	expect_content("false", NULL);
	expect_content("{}", NULL);
}

static void pythons_nan_is_tolerated(void **state)
{
	static const char text[] = "{\"a\":NaN,\"b\":[-Infinity,Infinity],\"c\":\"NaN \\\" Infinity\",\"d\":1}";
	struct arena a;
	struct json v;

	(void)state;
	arena_init(&a);
	assert_int_equal(reply_parse(&a, str_from(text), &v, NULL), 0);
	assert_int_equal(json_get_lit(&v, "a")->type, JSON_OBJECT);
	kit_expect_str(json_get_lit(&v, "c")->text, "NaN \" Infinity");
	assert_int_equal(reply_parse(&a, STR("{\"a\":NaN"), &v, NULL), FF_EDATA);
	assert_int_equal(reply_parse(&a, STR("{\"a\":Nan}"), &v, NULL), FF_EDATA);
	assert_int_equal(reply_parse(&a, STR("\"NaN"), &v, NULL), FF_EDATA);
	arena_release(&a);
}

static void verdict_of(struct arena *a, int status, const struct pair *headers, size_t count, const char *body, struct verdict *ret)
{
	struct reply r;

	reply_init(&r, &acme, a, 0);
	reply_head(&r, status, headers, count);
	assert_int_equal(reply_feed(&r, body, strlen(body)), 0);
	reply_http_verdict(&r, ret);
}

static void expect_verdict(int status, const char *body, enum verdict_kind kind, enum outcome outcome, const char *sentence)
{
	struct verdict v;
	struct arena a;

	arena_init(&a);
	verdict_of(&a, status, NULL, 0, body, &v);
	assert_int_equal(v.kind, kind);
	assert_int_equal(v.outcome, outcome);
	kit_expect_str(v.error, sentence);
	assert_int_equal(v.usage.input_tokens, -1);
	arena_release(&a);
}

static void refusals(void **state)
{
	(void)state;
	expect_verdict(401, "{\"error\":{\"message\":\"Invalid API Key\"}}", VERDICT_FATAL, OUTCOME_HTTP_4XX,
	               "Acme: the key was refused (401, Invalid API Key).");
	expect_verdict(429, "{\"error\":{\"message\":\"slow\"}}", VERDICT_RETRY, OUTCOME_RATE_LIMITED,
	               "Acme: the rate limit was reached (429, slow).");
	expect_verdict(408, "", VERDICT_RETRY, OUTCOME_HTTP_4XX,
	               "Acme: the provider timed out while it waited for the request (408).");
	expect_verdict(409, "", VERDICT_FATAL, OUTCOME_HTTP_4XX, "Acme: the request conflicts with another one (409).");
	expect_verdict(500, "oops\n", VERDICT_RETRY, OUTCOME_HTTP_5XX, "Acme: the provider failed (500, oops).");
	expect_verdict(520, "", VERDICT_RETRY, OUTCOME_HTTP_5XX, "Acme: the provider failed (520).");
	expect_verdict(418, "", VERDICT_FATAL, OUTCOME_HTTP_4XX, "Acme: the request was refused (418).");
	expect_verdict(304, "", VERDICT_FATAL, OUTCOME_HTTP_4XX, "Acme: the reply is a redirect without a Location (304).");
}

static void a_redirect_names_its_location(void **state)
{
	static const struct pair location = { { "location", 8 }, { "http://else.where/x", 19 } };
	struct verdict v;
	struct arena a;

	(void)state;
	arena_init(&a);
	verdict_of(&a, 307, &location, 1, "", &v);
	assert_int_equal(v.kind, VERDICT_FATAL);
	assert_int_equal(v.outcome, OUTCOME_HTTP_4XX);
	kit_expect_str(v.error, "Acme: the reply redirects to http://else.where/x, and redirects are not followed (307).");
	arena_release(&a);
}

static void hints_and_overrides(void **state)
{
	static const struct pair after = { { "Retry-After", 11 }, { "3", 1 } },
	                         never = { { "x-should-retry", 14 }, { "false", 5 } },
	                         always = { { "x-should-retry", 14 }, { "true", 4 } },
	                         id = { { "X-Request-Id", 12 }, { "req-1", 5 } };
	struct verdict v;
	struct arena a;

	(void)state;
	arena_init(&a);
	verdict_of(&a, 429, &after, 1, "{\"error\":{\"message\":\"try again in 9s\"}}", &v);
	assert_int_equal(v.hint_ms, 3000);
	verdict_of(&a, 429, &id, 1, "{\"error\":{\"message\":\"on requests per day (RPD). Please try again in 9s\"}}", &v);
	assert_int_equal(v.hint_ms, 9000);
	assert_true(v.daily_quota);
	kit_expect_str(v.request_id, "req-1");
	verdict_of(&a, 500, &never, 1, "", &v);
	assert_int_equal(v.kind, VERDICT_FATAL);
	verdict_of(&a, 400, &always, 1, "", &v);
	assert_int_equal(v.kind, VERDICT_RETRY);
	assert_false(v.daily_quota);
	verdict_of(&a, 401, &after, 1, "", &v);
	assert_int_equal(v.hint_ms, HINT_NONE);
	arena_release(&a);
}

static void bad_replies(void **state)
{
	struct verdict v;
	struct reply r;
	struct arena a;

	(void)state;
	arena_init(&a);
	reply_init(&r, &acme, &a, 0);
	reply_head(&r, 200, NULL, 0);
	assert_int_equal(reply_feed(&r, "<html>gateway</html>", 20), 0);
	reply_bad_verdict(&r, &v, "the reply is not JSON: %s", "line 1");
	kit_expect_str(v.error, "Acme: the reply is not JSON: line 1 (200, an HTML page: gateway).");
	assert_int_equal(v.kind, VERDICT_FATAL);
	assert_int_equal(v.outcome, OUTCOME_BAD_REPLY);
	reply_head(&r, 200, NULL, 0); /* starts over */
	assert_int_equal(reply_feed(&r, "{}", 2), 0);
	reply_bad_verdict(&r, &v, "the reply has no choices");
	kit_expect_str(v.error, "Acme: the reply has no choices (200).");
	arena_release(&a);
}

static void the_content_length_is_only_trusted_so_far(void **state)
{
	static const struct pair headers[] = { { { "Content-Length", 14 }, { "99999999999999999999", 20 } },
		                               { { "content-length", 14 }, { "68000000", 8 } } };
	struct reply r;
	struct arena a;

	(void)state;
	arena_init(&a);
	reply_init(&r, &acme, &a, 0);
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		reply_head(&r, 200, &headers[i], 1);
		assert_int_equal(r.body.room, 0);
	}
	arena_release(&a);
}

static void counts(void **state)
{
	struct json v;
	struct arena a;

	(void)state;
	arena_init(&a);
	assert_int_equal(
	        json_parse(&a, STR("{\"a\":5,\"b\":5.0,\"c\":-1,\"d\":\"5\",\"e\":1.5,\"f\":1e300}"), NULL, &v, NULL, NULL), 0);
	assert_int_equal(usage_count(&v, STR("a")), 5);
	assert_int_equal(usage_count(&v, STR("b")), 5);
	assert_int_equal(usage_count(&v, STR("c")), -1);
	assert_int_equal(usage_count(&v, STR("d")), -1);
	assert_int_equal(usage_count(&v, STR("e")), -1);
	assert_int_equal(usage_count(&v, STR("f")), -1);
	assert_int_equal(usage_count(NULL, STR("a")), -1);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gathering),
		cmocka_unit_test(messages),
		cmocka_unit_test(html_is_read_as_text),
		cmocka_unit_test(long_messages_are_cut_between_characters),
		cmocka_unit_test(contents),
		cmocka_unit_test(pythons_nan_is_tolerated),
		cmocka_unit_test(refusals),
		cmocka_unit_test(a_redirect_names_its_location),
		cmocka_unit_test(hints_and_overrides),
		cmocka_unit_test(bad_replies),
		cmocka_unit_test(the_content_length_is_only_trusted_so_far),
		cmocka_unit_test(counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
