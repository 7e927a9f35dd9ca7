/*
 * test_http_template.c: HttpTemplate's replies and its session: answers from JSON, text, events and lines cut anywhere; statuses, error pointers,
 * captures, the login and its renewal; and every allocation failing in turn.
 */
#include "template_kit.h"

#define URL  "{\"url\":\"https://h.test/x\""
#define JSON "application/json"
#define SSE  "text/event-stream"

static void begin(struct talk *t, const char *params)
{
	talk_begin(t, params, NULL);
	assert_int_equal(talk_ask(t, "Hi", NULL), 0);
}

/* ---- answers ---- */

static void answers_of_a_json_reply(void **state)
{
	static const struct {
		const char *pointer, *body, *want;
	} rows[] = {
		{ "/a/0/b", "{\"a\":[{\"b\":\"x \\u00e9\\n\"}]}", "x é\n" },
		{ "", "\"whole\"", "whole" },
		{ "/n", "{\"n\":1.50}", "1.50" },
		{ "/n", "{\"n\":null}", "" },
		{ "/n", "{\"n\":true}", "true" },
		{ "/o", "{\"o\":{\"k\":[1,\"x\"]}}", "{\"k\":[1,\"x\"]}" },
		{ "/a~1b/~0", "{\"a/b\":{\"~\":\"odd\"}}", "odd" },
		{ "/x", "\xEF\xBB\xBF{\"x\":\"bom\"}", "bom" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char params[256];
		struct talk t;

		snprintf(params, sizeof params, URL ",\"answer\":\"%s\"}", rows[i].pointer);
		begin(&t, params);
		talk_reply_steps(&t, 200, JSON, rows[i].body, 3);
		talk_expect_answer(&t, rows[i].want);
		assert_int_equal(t.kit.verdict.outcome, *rows[i].want ? OUTCOME_OK : OUTCOME_EMPTY);
		talk_end(&t);
	}
}

static void expect_failure(const char *params, int status, const char *type, const char *body, enum verdict_kind kind,
                           enum outcome outcome, const char *piece)
{
	struct talk t;

	for (size_t step = 1; step < 40; step += 6) {
		begin(&t, params);
		talk_reply_steps(&t, status, type, body, step);
		kit_expect_piece(t.kit.verdict.error, piece);
		kit_expect_piece(t.kit.verdict.error, "HTTP template: ");
		assert_int_equal(t.kit.verdict.kind, kind);
		assert_int_equal(t.kit.verdict.outcome, outcome);
		talk_end(&t);
	}
}

static void replies_without_an_answer_say_why(void **state)
{
	static const char json[] = URL ",\"answer\":\"/a\",\"error\":\"/err\"}",
	                  sse[] = URL ",\"answer\":{\"sse\":\"/a\"},\"error\":\"/err\"}";
	static const char lines[] = URL ",\"answer\":{\"ndjson\":\"/a\"},\"error\":\"/err/text\"}";

	(void)state;
	expect_failure(json, 200, JSON, "{\"b\":1}", VERDICT_FATAL, OUTCOME_BAD_REPLY, "nothing at '/a'");
	expect_failure(json, 200, JSON, "[1]", VERDICT_FATAL, OUTCOME_BAD_REPLY, "nothing at '/a'");
	expect_failure(json, 200, JSON, "<html>x</html>", VERDICT_FATAL, OUTCOME_BAD_REPLY, "not JSON");
	expect_failure(json, 200, JSON, "", VERDICT_FATAL, OUTCOME_BAD_REPLY, "not JSON");
	expect_failure(json, 200, JSON, "{\"a\":\"x\",\"err\":\"went wrong\"}", VERDICT_FATAL, OUTCOME_BAD_REPLY, "went wrong");
	expect_failure(sse, 200, SSE, "data: {\"b\":1}\n\n", VERDICT_FATAL, OUTCOME_BAD_REPLY, "anything at '/a'");
	expect_failure(sse, 200, SSE, "", VERDICT_FATAL, OUTCOME_BAD_REPLY, "no event came");
	expect_failure(sse, 200, SSE, ": ping\n\n", VERDICT_FATAL, OUTCOME_BAD_REPLY, "no event came");
	expect_failure(sse, 200, SSE, "data: {\"a\":\"x\"}\n\ndata: oops\n\n", VERDICT_FATAL, OUTCOME_BAD_REPLY, "not JSON: oops");
	expect_failure(sse, 200, SSE, "data: {\"a\":\"x\"}\n\ndata: {\"err\":{\"message\":\"late\"}}\n\n", VERDICT_FATAL,
	               OUTCOME_BAD_REPLY, "late");
	expect_failure(sse, 200, JSON, "{\"err\": \"not today\"}", VERDICT_FATAL, OUTCOME_BAD_REPLY, "not today");
	expect_failure(sse, 200, "text/html", "<html><title>Sign in</title></html>", VERDICT_FATAL, OUTCOME_BAD_REPLY, "Sign in");
	expect_failure(lines, 200, JSON, "{\"a\":\"x\"}\n{\"a\":", VERDICT_FATAL, OUTCOME_BAD_REPLY,
	               "a line of the reply is not JSON");
	expect_failure(lines, 200, JSON, "{\"a\":\"x\"}\n{\"err\":{\"text\":\"stop\"}}\n", VERDICT_FATAL, OUTCOME_BAD_REPLY,
	               "stop");
	expect_failure(lines, 200, JSON, "\n \n", VERDICT_FATAL, OUTCOME_BAD_REPLY, "no line came");
	expect_failure(lines, 200, JSON, "{\"b\":1}\n", VERDICT_FATAL, OUTCOME_BAD_REPLY,
	               "no record of the stream has anything at '/a'");
}

static void text_answers(void **state)
{
	static const struct {
		const char *type, *body, *want;
	} rows[] = {
		{ "text/plain", "  as it is \n", "  as it is \n" },
		{ "text/plain", "", "" },
		{ "text/plain; charset=ISO-8859-1", "caf\xE9", "café" },
		{ "text/plain", "caf\xE9!", "caf\xEF\xBF\xBD!" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct talk t;

		begin(&t, URL ",\"answer\":\"text\"}");
		talk_reply_steps(&t, 200, rows[i].type, rows[i].body, 2);
		talk_expect_answer(&t, rows[i].want);
		assert_int_equal(t.kit.content, *rows[i].body != '\0');
		talk_end(&t);
	}
}

static void streams_are_joined_however_they_are_cut(void **state)
{
	static const struct {
		const char *answer, *body, *want;
	} rows[] = {
		{ "{\"sse\":\"/d/t\"}",
		  ": hello\r\nevent: x\r\ndata: {\"d\":{\"t\":\"Hé\"}}\r\n\r\ndata: {\"id\":7}\n\ndata: {\"d\":\ndata: "
		  "{\"t\":\"llo\"}}\n\n"
		  "data: {\"d\":{\"t\":null}}\n\ndata: [DONE]\n\ndata: after\n\n",
		  "Héllo" },
		{ "{\"sse\":\"/t\",\"take\":\"last\"}", "data: {\"t\":\"a\"}\n\ndata: {\"t\":\"ab\"}\n\ndata: {\"x\":1}\n\n",
		  "ab" },
		{ "{\"sse\":\"/t\",\"event\":\"token\"}",
		  "event: ping\ndata: now\n\nevent: token\ndata: {\"t\":\"a\"}\n\ndata: {\"t\":\"no\"}\n\nevent: token\ndata: "
		  "{\"t\":\"b\"}",
		  "ab" },
		{ "{\"sse\":\"/t\",\"event\":\"message\"}", "data: {\"t\":\"a\"}\n\nevent: message\ndata: {\"t\":\"b\"}\n\n",
		  "ab" },
		{ "{\"sse\":\"text\",\"end\":\"bye\"}", "data: one\ndata: two\n\ndata:  three\n\ndata: bye\n\ndata: x\n\n",
		  "one\ntwo three" },
		{ "{\"ndjson\":\"/t\"}", "{\"t\":\"a\"}\r\n\n{\"t\":1}\n{\"u\":1}\n{\"t\":\"\xC3\xA9\"}", "a1é" },
		{ "{\"ndjson\":\"/t\",\"take\":\"last\"}", "{\"t\":\"a\"}\n{\"t\":\"b\"}\n{\"t\":null}\n", "b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t step = 1; step < 200; step = step * 3 / 2 + 1) {
			char params[256];
			struct talk t;

			snprintf(params, sizeof params, URL ",\"answer\":%s}", rows[i].answer);
			begin(&t, params);
			assert_true(t.kit.c->streaming);
			talk_reply_steps(&t, 200, SSE, rows[i].body, step);
			talk_expect_answer(&t, rows[i].want);
			talk_end(&t);
		}
	}
}

/* ---- statuses ---- */

static void statuses_decide(void **state)
{
	static const char plain[] = URL ",\"answer\":\"/a\",\"error\":\"/error/text\"}";
	static const char own[] = URL ",\"answer\":\"/a\",\"success\":[200,404],\"retry_statuses\":[418,\"5xx\",202]}";

	(void)state;
	expect_failure(plain, 500, JSON, "{\"error\":{\"text\":\"boom\"},\"message\":\"other\"}", VERDICT_RETRY, OUTCOME_HTTP_5XX,
	               "(500, boom)");
	expect_failure(plain, 429, JSON, "{\"message\":\"slow\"}", VERDICT_RETRY, OUTCOME_RATE_LIMITED, "(429, slow)");
	expect_failure(plain, 401, JSON, "{\"error\":{\"text\":\"who?\"}}", VERDICT_FATAL, OUTCOME_HTTP_4XX, "(401, who?)");
	expect_failure(plain, 302, JSON, "", VERDICT_FATAL, OUTCOME_HTTP_4XX, "redirect");
	expect_failure(own, 418, JSON, "", VERDICT_RETRY, OUTCOME_HTTP_4XX, "(418)");
	expect_failure(own, 429, JSON, "", VERDICT_FATAL, OUTCOME_RATE_LIMITED, "(429)");
	expect_failure(own, 503, JSON, "", VERDICT_RETRY, OUTCOME_HTTP_5XX, "(503)");
	expect_failure(own, 202, JSON, "{}", VERDICT_RETRY, OUTCOME_BAD_REPLY, "none that success lists (202)");
	expect_failure(own, 201, JSON, "{}", VERDICT_FATAL, OUTCOME_BAD_REPLY, "none that success lists (201)");
}

static void a_success_may_have_any_status(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, URL ",\"answer\":\"/a\",\"success\":[200,\"4xx\"]}");
	talk_reply(&t, 404, JSON, "{\"a\":\"nothing found\"}");
	talk_expect_answer(&t, "nothing found");
	talk_end(&t);
}

static void a_hint_is_kept(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, URL ",\"answer\":\"/a\",\"error\":\"/e\"}");
	t.headers[0] = (struct pair){ STR("Retry-After"), STR("7") };
	t.header_count = 1;
	talk_reply(&t, 429, JSON, "{\"e\":\"later\"}");
	assert_int_equal(t.kit.verdict.hint_ms, 7000);
	kit_expect_piece(t.kit.verdict.error, "later");
	talk_end(&t);
}

/* ---- sessions ---- */

static const char keeps[] =
        "{\"url\":\"https://h.test/c/{{captured.conv}}\",\"answer\":\"/a\",\"capture\":{\"conv\":\"/conversation/id\","
        "\"last\":{\"pointer\":\"/last\",\"optional\":true},\"sid\":{\"cookie\":\"sid\",\"optional\":true}},"
        "\"headers\":{\"Cookie\":\"sid={{captured.sid}}\"},"
        "\"body\":{\"conv\":\"{{json:captured.conv}}\",\"last\":\"{{json:captured.last}}\",\"q\":\"{{query}}\"}}";

static void captured_values_last_for_the_session(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, keeps);
	assert_true(t.kit.c->ordered);
	kit_expect_str(t.kit.exchange.body, "{\"conv\":null,\"last\":null,\"q\":\"Hi\"}");
	kit_expect_str(t.kit.exchange.url, "https://h.test/c/");
	t.headers[0] = (struct pair){ STR("set-cookie"), STR("other=1; Path=/") };
	t.headers[1] = (struct pair){ STR("Set-Cookie"), STR("sid=a b+c; HttpOnly") };
	t.header_count = 2;
	talk_reply(&t, 200, JSON, "{\"a\":\"x\",\"conversation\":{\"id\":12},\"last\":\"é\"}");
	talk_expect_answer(&t, "x");
	t.header_count = 0;
	assert_int_equal(talk_ask(&t, "two", NULL), 0);
	kit_expect_str(t.kit.exchange.body, "{\"conv\":12,\"last\":\"é\",\"q\":\"two\"}");
	kit_expect_str(t.kit.exchange.url, "https://h.test/c/12");
	kit_expect_str(kit_header(&t.kit, "cookie"), "sid=a b+c");
	talk_reply(&t, 200, JSON, "{\"a\":\"y\",\"last\":{\"k\":1}}"); /* conversation is not repeated: it stays */
	talk_expect_answer(&t, "y");
	assert_int_equal(talk_ask(&t, "three", NULL), 0);
	kit_expect_str(t.kit.exchange.body, "{\"conv\":12,\"last\":{\"k\":1},\"q\":\"three\"}");
	talk_end(&t);
}

static void a_failed_attempt_leaves_nothing_behind(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, keeps);
	talk_reply(&t, 200, JSON, "{\"conversation\":{\"id\":1},\"last\":2}"); /* no answer */
	assert_int_equal(t.kit.verdict.kind, VERDICT_FATAL);
	assert_int_equal(talk_ask(&t, "Hi", NULL), 0);
	kit_expect_str(t.kit.exchange.body, "{\"conv\":null,\"last\":null,\"q\":\"Hi\"}");
	talk_reply(&t, 200, JSON, "{\"a\":\"x\"}");
	kit_expect_piece(t.kit.verdict.error, "nothing at '/conversation/id' to capture as 'conv'");
	talk_end(&t);
}

static void captures_from_a_stream_take_the_last(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, "{\"url\":\"https://h.test/{{captured.id}}\",\"answer\":{\"sse\":\"/"
	          "t\",\"event\":\"token\"},\"capture\":{\"id\":\"/id\"}}");
	talk_reply_steps(
	        &t, 200, SSE,
	        "event: start\ndata: {\"id\":\"a\"}\n\nevent: token\ndata: {\"t\":\"x\"}\n\nevent: end\ndata: {\"id\":\"b\"}\n\n",
	        5);
	talk_expect_answer(&t, "x");
	assert_int_equal(talk_ask(&t, "Hi", NULL), 0);
	kit_expect_str(t.kit.exchange.url, "https://h.test/b");
	talk_end(&t);
}

/* ---- login ---- */

static const char logs_in[] =
        "{\"url\":\"https://h.test/ask\",\"answer\":\"/a\",\"headers\":{\"Authorization\":\"Bearer {{captured.token}}\"},"
        "\"body\":{\"q\":\"{{query}}\"},\"login\":{\"url\":\"https://h.test/login/{{session_id}}\",\"body\":"
        "{\"user\":\"{{assistant_id}}\",\"password\":\"{{env.PASSWORD}}\"},\"capture\":{\"token\":\"/token\"},"
        "\"error\":\"/why\",\"renew\":401}}";
static const struct kit_env password[] = { { "PASSWORD", "pass-word-1" }, { NULL, NULL } };

static void log_in(struct talk *t, const char *reply)
{
	kit_expect_str(t->kit.exchange.url, "https://h.test/login/s%201");
	kit_expect_str(t->kit.exchange.body, "{\"user\":\"a/1\",\"password\":\"pass-word-1\"}");
	talk_reply(t, 200, JSON, reply);
	assert_int_equal(t->kit.verdict.kind, VERDICT_ANOTHER);
	assert_int_equal(talk_again(t), 0);
	kit_expect_str(t->kit.exchange.url, "https://h.test/ask");
}

static void a_session_logs_in_once(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, logs_in, password);
	assert_int_equal(talk_ask(&t, "one", NULL), 0);
	log_in(&t, "{\"token\":\"tok-0123456789\"}");
	kit_expect_str(kit_header(&t.kit, "authorization"), "Bearer tok-0123456789");
	kit_expect_str(t.kit.exchange.body, "{\"q\":\"one\"}");
	talk_reply(&t, 200, JSON, "{\"a\":\"1\"}");
	talk_expect_answer(&t, "1");
	assert_int_equal(talk_ask(&t, "two", NULL), 0);
	kit_expect_str(t.kit.exchange.body, "{\"q\":\"two\"}");
	talk_reply(&t, 500, JSON, "{\"message\":\"token tok-0123456789 broke\"}");
	kit_expect_piece(t.kit.verdict.error, "token [REDACTED] broke");
	talk_end(&t);
}

static void a_refused_token_is_renewed_once_an_attempt(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t, logs_in, password);
	assert_int_equal(talk_ask(&t, "one", NULL), 0);
	log_in(&t, "{\"token\":\"first-token\"}");
	talk_reply(&t, 401, JSON, "{}"); /* a token that never worked is not renewed */
	assert_int_equal(t.kit.verdict.kind, VERDICT_FATAL);
	assert_int_equal(talk_ask(&t, "two", NULL), 0);
	talk_reply(&t, 401, JSON, "{}");
	assert_int_equal(t.kit.verdict.kind, VERDICT_ANOTHER);
	assert_int_equal(talk_again(&t), 0);
	log_in(&t, "{\"token\":\"second-token\"}");
	kit_expect_str(kit_header(&t.kit, "authorization"), "Bearer second-token");
	talk_reply(&t, 200, JSON, "{\"a\":\"2\"}");
	talk_expect_answer(&t, "2");
	talk_end(&t);
}

static void a_login_that_fails(void **state)
{
	static const struct {
		int status;
		const char *body, *piece;
		bool final; /* later turns are not sent */
	} rows[] = {
		{ 401, "{\"why\":\"wrong password\"}", "HTTP template: login: the key was refused (401, wrong password)", true },
		{ 503, "{}", "HTTP template: login: the provider is overloaded", false },
		{ 200, "{\"why\":\"locked\"}", "HTTP template: login: the reply reports an error (200, locked)", true },
		{ 200, "{\"other\":1}", "login: the reply has nothing at '/token' to capture as 'token'", true },
		{ 200, "<html>", "login: the reply is not JSON", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct talk t;

		talk_begin(&t, logs_in, password);
		assert_int_equal(talk_ask(&t, "one", NULL), 0);
		talk_reply(&t, rows[i].status, JSON, rows[i].body);
		kit_expect_piece(t.kit.verdict.error, rows[i].piece);
		assert_int_equal(t.kit.verdict.kind, rows[i].final ? VERDICT_FATAL : VERDICT_RETRY);
		assert_int_equal(talk_ask(&t, "two", NULL), rows[i].final ? FF_EDATA : 0);
		if (rows[i].final)
			kit_expect_piece(str_from(t.kit.err.text), rows[i].piece);
		talk_end(&t);
	}
}

static void a_login_may_capture_a_header(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, "{\"url\":\"https://h.test/\",\"answer\":\"text\",\"headers\":{\"X-S\":\"{{captured.s}}\"},\"login\":{\"url\":"
	          "\"https://id.test/l\",\"capture\":{\"s\":{\"header\":\"x-session\"}}}}");
	kit_expect_str(t.kit.c->login_origin, "https://id.test");
	kit_expect_str(t.kit.exchange.method, "GET");
	t.headers[0] = (struct pair){ STR("X-Session"), STR(" s-1 ") };
	t.header_count = 1;
	talk_reply(&t, 204, "text/plain", "");
	assert_int_equal(t.kit.verdict.kind, VERDICT_ANOTHER);
	assert_int_equal(talk_again(&t), 0);
	kit_expect_str(kit_header(&t.kit, "x-s"), "s-1");
	talk_end(&t);
}

static void without_state_sessions_are_not_ordered(void **state)
{
	struct talk t;

	(void)state;
	begin(&t, URL ",\"answer\":\"/a\"}");
	assert_false(t.kit.c->ordered);
	assert_null(t.session);
	talk_end(&t);
}

static void unused_captures_and_a_useless_option_are_told(void **state)
{
	struct kit k;

	(void)state;
	assert_int_equal(
	        kit_configure(&k, &http_template_class, URL ",\"answer\":\"/a\",\"capture\":{\"x\":\"/x\"}}", NULL, false, true),
	        0);
	assert_true(kit_has_problem(&k, PROBLEM_WARNING, "/connector/params", "Nothing uses {{captured.x}}"));
	assert_true(kit_has_problem(&k, PROBLEM_WARNING, "/connector/params/answer", "option stream changes nothing"));
	kit_release(&k);
}

/* ---- lack of memory ---- */

/* One session with allocation `countdown` failing: login, question, answer. True when nothing failed any more. */
static bool fault_run(uint64_t countdown)
{
	struct connector_setup setup = { .pointer = "/p", .env = kit_getenv, .env_user = (void *)(uintptr_t)password };
	static const char *const replies[] = { "{\"token\":\"tok-0123456789\"}", "{\"a\":[\"an answer\"]}" };
	struct batch batch = { .query = STR("q\""), .agentic = { .type = JSON_OBJECT } };
	struct dataset d = { .session_id = STR("s"), .batches = &batch, .batch_count = 1, .language = { .type = JSON_NULL } };
	struct message m = { STR("user"), STR("q") };
	struct turn_input in = { .dataset = &d, .batch = &batch, .messages = &m, .message_count = 1, .date = "2026-11-22" };
	struct pair type = { STR("Content-Type"), STR(JSON) };
	struct connector_session *session = NULL;
	struct kit k = { .class = &http_template_class };
	struct verdict v = { .kind = VERDICT_FATAL };
	bool content = false;
	int r;

	arena_init(&k.arena);
	arena_init(&k.turn_arena);
	problems_init(&k.problems);
	assert_int_equal(json_parse(&k.arena, str_from(logs_in), NULL, &k.params, NULL, NULL), 0);
	setup.params = &k.params;
	mem_fault_arm(countdown, false);
	r = http_template_class.configure(&http_template_class, &setup, &k.problems, &k.c);
	if (r == 0)
		r = http_template_session_new(k.c, &d, &session);
	if (r == 0 && !(k.turn = http_template_begin(k.c, session, &in, &k.turn_arena)))
		r = FF_ENOMEM;
	for (size_t i = 0; i < 2 && r == 0; i++) {
		r = http_template_encode(k.turn, &k.exchange, NULL);
		if (r)
			break;
		http_template_head(k.turn, 200, &type, 1);
		r = http_template_feed(k.turn, replies[i], strlen(replies[i]), &content);
		if (r)
			break;
		http_template_finish(k.turn, &v);
		if (v.kind == VERDICT_FATAL)
			r = FF_ENOMEM;
		assert_true(r == 0 || v.error.len);
	}
	assert_true(r == 0 || r == FF_ENOMEM);
	assert_true(r == 0 ? v.kind == VERDICT_DONE : mem_fault_hits() != 0);
	r = mem_fault_hits() != 0;
	mem_fault_arm(0, false);
	kit_end_turn(&k);
	http_template_session_free(session);
	kit_release(&k);
	return !r;
}

static void every_allocation_may_fail(void **state)
{
	uint64_t n = 1;

	(void)state;
	while (!fault_run(n))
		assert_true(n++ < 10000);
	assert_true(n > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_of_a_json_reply),
		cmocka_unit_test(replies_without_an_answer_say_why),
		cmocka_unit_test(text_answers),
		cmocka_unit_test(streams_are_joined_however_they_are_cut),
		cmocka_unit_test(statuses_decide),
		cmocka_unit_test(a_success_may_have_any_status),
		cmocka_unit_test(a_hint_is_kept),
		cmocka_unit_test(captured_values_last_for_the_session),
		cmocka_unit_test(a_failed_attempt_leaves_nothing_behind),
		cmocka_unit_test(captures_from_a_stream_take_the_last),
		cmocka_unit_test(a_session_logs_in_once),
		cmocka_unit_test(a_refused_token_is_renewed_once_an_attempt),
		cmocka_unit_test(a_login_that_fails),
		cmocka_unit_test(a_login_may_capture_a_header),
		cmocka_unit_test(without_state_sessions_are_not_ordered),
		cmocka_unit_test(unused_captures_and_a_useless_option_are_told),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests_name("http template", tests, NULL, NULL);
}
