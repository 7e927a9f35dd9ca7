/*
 * test_template.c: the template language through what HttpTemplate sends: every variable in every place, what hostile values become, and every
 * mistake that configuring finds, with its pointer.
 */
#include "template_kit.h"

#define HEAD "{\"url\":\"https://h.test/x\",\"answer\":\"/a\","

/* ---- values in their places ---- */

static void variables_become_their_values(void **state)
{
	static const struct {
		const char *source, *want;
	} rows[] = {
		{ "{{query}}", "Hi" },
		{ "{{ query }}", "Hi" },
		{ "{{prompt}}", "P: Hi" },
		{ "{{context}}", "C\"1" },
		{ "{{session_id}}", "s 1" },
		{ "{{qa_id}}", "q1" },
		{ "{{language}}", "english" },
		{ "{{assistant_id}}", "a/1" },
		{ "{{date}}", "2026-11-22" },
		{ "{{model}}", "m1" },
		{ "{{agentic.s}}", "text" },
		{ "{{agentic.n}}", "1.50" },
		{ "{{agentic.b}}", "true" },
		{ "{{agentic.null}}", "" },
		{ "{{agentic.o.deep.0}}", "item" },
		{ "{{agentic./o/deep/0}}", "item" },
		{ "{{agentic./a.b~1c}}", "odd" },
		{ "{{agentic.o}}", "{\"deep\":[\"item\"]}" },
		{ "{{agentic.none?}}", "" },
		{ "{{env.TOKEN}}", "t\"k" },
		{ "{{env.ABSENT?}}", "" },
		{ "{{json:query}}", "\"Hi\"" },
		{ "{{json:agentic.n}}", "1.50" },
		{ "{{json:agentic.none?}}", "null" },
		{ "{{json:env.TOKEN}}", "\"t\\\"k\"" },
		{ "{{url:assistant_id}}", "a%2F1" },
		{ "{{url:env.TOKEN}}", "t%22k" },
		{ "{{messages}}", "[{\"role\":\"user\",\"content\":\"P: Hi\"}]" },
		{ "a {{query}} b {{qa_id}} }} c", "a Hi b q1 }} c" },
		{ "{{'{{'}}query}}", "{{query}}" },
		{ "{{ '}}{{' }}", "}}{{" },
		{ "{ {query} } {", "{ {query} } {" },
		{ "", "" },
	};
	const struct kit_env env[] = { { "TOKEN", "t\"k" }, { NULL, NULL } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf params;
		struct talk t;

		buf_init(&params, 4096);
		buf_append_str(&params, STR(HEAD "\"model\":\"m1\",\"body\":"));
		json_append_quoted(&params, str_from(rows[i].source));
		buf_append_str(&params, STR("}"));
		talk_begin(&t, params.ptr, env);
		assert_int_equal(talk_ask(&t, "Hi",
		                          "{\"s\":\"text\",\"n\":1.50,\"b\":true,\"null\":null,\"o\":{\"deep\":[\"item\"]},\"a.b/"
		                          "c\":\"odd\"}"),
		                 0);
		kit_expect_str(t.kit.exchange.body, rows[i].want);
		talk_end(&t);
		buf_release(&params);
	}
}

static const char hostile[] = "\"}],\"x\":{{query}} \\ \n\t\x01 {{'{{'}} é 👍 </q> & ' %41?a=b#c/..";

static void a_value_is_never_syntax(void **state)
{
	struct talk t;
	struct json body;

	(void)state;
	talk_begin(&t,
	           "{\"url\":\"https://h.test/x/{{query}}?q={{query}}\",\"answer\":\"/a\","
	           "\"body\":{\"in\":[\"<{{query}}>\"],\"raw\":\"{{json:query}}\",\"twice\":\"{{json:agentic}} {{json:query}}\"}}",
	           NULL);
	assert_int_equal(talk_ask(&t, hostile, "{\"k\":\"\\\"\\n\"}"), 0);
	assert_int_equal(json_parse(&t.kit.arena, t.kit.exchange.body, NULL, &body, NULL, NULL), 0);
	kit_expect_str(json_at(&body, STR("/raw"))->text, hostile);
	kit_expect_str(str_sub(json_at(&body, STR("/in/0"))->text, 1, sizeof hostile), hostile);
	kit_expect_piece(json_at(&body, STR("/twice"))->text, "{\"k\":\"\\\"\\n\"} \"\\\"}],");
	for (size_t i = 0; i < t.kit.exchange.url.len; i++)
		assert_true(t.kit.exchange.url.ptr[i] > ' ' && !strchr("\"<>\\{}#", t.kit.exchange.url.ptr[i]));
	kit_expect_piece(t.kit.exchange.url, "https://h.test/x/%22%7D%5D%2C%22x%22%3A%7B%7Bquery%7D%7D%20%5C%20%0A%09%01");
	kit_expect_piece(t.kit.exchange.url, "%2541%3Fa%3Db%23c%2F..?q=%22");
	talk_end(&t);
}

static void text_bodies_are_escaped_by_their_type(void **state)
{
	static const struct {
		const char *type, *body, *query, *want;
	} rows[] = {
		{ "text/plain", "q={{query}}", "a&b \"", "q=a&b \"" },
		{ "application/x-www-form-urlencoded", "q={{query}}&s={{session_id}}", "a&b=é", "q=a%26b%3D%C3%A9&s=s%201" },
		{ "application/xml", "<q a='{{qa_id}}'>{{query}}</q>", "<&>\"'", "<q a='q1'>&lt;&amp;&gt;&quot;&apos;</q>" },
		{ "application/json", "{\"q\": \"x {{query}}\", \"r\": {{json:query}}, \"s\":\"\\\"{{qa_id}}\"}", "a\"\n",
		  "{\"q\": \"x a\\\"\\n\", \"r\": \"a\\\"\\n\", \"s\":\"\\\"q1\"}" },
		{ "application/vnd.x+json", "{{json:messages}}", "a", "[{\"role\":\"user\",\"content\":\"P: a\"}]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct buf params;
		struct talk t;

		buf_init(&params, 4096);
		buf_printf(&params, HEAD "\"headers\":{\"content-type\":\"%s\"},\"body\":", rows[i].type);
		json_append_quoted(&params, str_from(rows[i].body));
		buf_append_str(&params, STR("}"));
		talk_begin(&t, params.ptr, NULL);
		assert_int_equal(talk_ask(&t, rows[i].query, NULL), 0);
		kit_expect_str(t.kit.exchange.body, rows[i].want);
		kit_expect_str(kit_header(&t.kit, "Content-Type"), rows[i].type);
		talk_end(&t);
		buf_release(&params);
	}
}

static void a_json_body_keeps_its_numbers_and_order(void **state)
{
	struct talk t;

	(void)state;
	talk_begin(&t,
	           HEAD "\"body\":{\"z\":1.50,\"a\":[1e3,null,true,{}],\"q\":\"{{query}}\",\"v\":\"{{json:agentic.n}}\",\"e\":[]}}",
	           NULL);
	assert_int_equal(talk_ask(&t, "Hi", "{\"n\":18446744073709551616}"), 0);
	kit_expect_str(t.kit.exchange.body,
	               "{\"z\":1.50,\"a\":[1e3,null,true,{}],\"q\":\"Hi\",\"v\":18446744073709551616,\"e\":[]}");
	kit_expect_str(kit_header(&t.kit, "content-type"), "application/json");
	kit_expect_str(kit_header(&t.kit, "accept"), "application/json");
	kit_expect_str(t.kit.exchange.method, "POST");
	talk_end(&t);
}

static void a_fixed_request_is_rendered_once(void **state)
{
	struct talk t;
	const char *url;

	(void)state;
	talk_begin(&t, "{\"url\":\"https://h.test\",\"answer\":\"text\"}", NULL);
	assert_int_equal(talk_ask(&t, "a", NULL), 0);
	url = t.kit.exchange.url.ptr;
	kit_expect_str(t.kit.exchange.url, "https://h.test/");
	kit_expect_str(t.kit.exchange.method, "GET");
	assert_int_equal(t.kit.exchange.body.len, 0);
	assert_int_equal(talk_ask(&t, "b", NULL), 0);
	assert_ptr_equal(url, t.kit.exchange.url.ptr);
	talk_end(&t);
}

/* ---- values that cannot be sent ---- */

static void expect_refused_turn(const char *params, const char *query, const char *agentic, const char *piece)
{
	struct talk t;

	talk_begin(&t, params, NULL);
	assert_int_equal(talk_ask(&t, query, agentic), FF_EDATA);
	kit_expect_piece(str_from(t.kit.err.text), piece);
	talk_end(&t);
}

static void values_that_cannot_stand_there_refuse_the_turn(void **state)
{
	static const char header[] = HEAD "\"headers\":{\"X-Q\":\"a {{query}}\"}}";
	struct talk t;

	(void)state;
	expect_refused_turn(header, "a\r\nEvil: 1", NULL,
	                    "the header X-Q cannot carry the value of {{query}}: it has a line break");
	expect_refused_turn(header, "a\x7f", NULL, "control character");
	expect_refused_turn(HEAD "\"body\":\"{{agentic.x}}\"}", "a", "{\"y\":1}", "the body needs {{agentic.x}}");
	expect_refused_turn(HEAD "\"body\":{\"a\":[\"{{json:agentic.x.y}}\"]}}", "a", NULL,
	                    "{{json:agentic.x.y?}} would leave it empty");
	expect_refused_turn("{\"url\":\"https://h.test/a/{{query}}/b\",\"answer\":\"/a\"}", "..", NULL, "segment of dots");
	expect_refused_turn("{\"url\":\"https://h.test/a/.{{query}}\",\"answer\":\"/a\"}", ".", NULL, "segment of dots");
	expect_refused_turn(HEAD "\"headers\":{\"content-type\":\"text/xml\"},\"body\":\"<q>{{query}}</q>\"}", "\x01", NULL, "XML");
	talk_begin(&t, "{\"url\":\"https://h.test/a/{{query}}?x={{query}}\",\"answer\":\"/a\"}", NULL);
	assert_int_equal(talk_ask(&t, "...", NULL), 0);
	assert_int_equal(talk_ask(&t, "../", NULL), 0);
	kit_expect_str(t.kit.exchange.url, "https://h.test/a/..%2F?x=..%2F");
	talk_end(&t);
}

/* ---- mistakes ---- */

static void mistakes_are_found_before_anything_is_sent(void **state)
{
	static const struct {
		const char *params, *pointer, *piece;
	} rows[] = {
		{ HEAD "\"body\":{\"a\":[\"x\",{\"b\":\"{{queri}}\"}]}}", "/body/a/1/b", "There is no {{queri}}" },
		{ HEAD "\"body\":\"{{}}\"}", "/body", "There is no {{}}" },
		{ HEAD "\"body\":\"{{agentic.}}\"}", "/body", "empty name" },
		{ HEAD "\"body\":\"{{agentic.a..b}}\"}", "/body", "empty name" },
		{ HEAD "\"body\":\"{{query\"}", "/body", "never closed" },
		{ HEAD "\"body\":\"{{'x}}\"}", "/body", "never closed" },
		{ HEAD "\"body\":\"{{captured.x}}\"}", "/body", "Nothing captures 'x'" },
		{ HEAD "\"body\":\"{{env.NOT_SET}}\"}", "/body", "NOT_SET is not set" },
		{ HEAD "\"body\":\"{{env.A-B}}\"}", "/body", "names no environment variable" },
		{ HEAD "\"body\":{\"{{query}}\":1}}", "/body/{{query}}", "name of a member" },
		{ HEAD "\"headers\":{\"X-A\":\"{{nope}}\"}}", "/headers/X-A", "There is no {{nope}}" },
		{ HEAD "\"headers\":{\"X-A\":\"a\\nb\"}}", "/headers/X-A", "line break" },
		{ HEAD "\"headers\":{\"X A\":\"a\"}}", "/headers/X A", "no header name has" },
		{ HEAD "\"headers\":{\"Content-Length\":\"1\"}}", "/headers/Content-Length", "belongs to the transport" },
		{ HEAD "\"headers\":{\"X-A\":1}}", "/headers/X-A", "must be a string" },
		{ HEAD "\"headers\":{\"X-A\":\"1\",\"x-a\":\"2\"}}", "/headers/x-a", "twice" },
		{ HEAD "\"headers\":{\"Content-Type\":\"application/json\"},\"body\":\"{\\\"q\\\": {{query}}}\"}", "/body",
		  "write {{json:query}} there" },
		{ HEAD "\"headers\":{\"Content-Type\":\"application/json\"},\"body\":\"{\\\"q\\\": \\\"{{query}}\\\" }}\"}",
		  "/body", "would not be JSON" },
		{ HEAD "\"method\":\"GET\",\"body\":{}}", "/method", "GET has no body" },
		{ HEAD "\"method\":\"BREW\"}", "/method", "method must be" },
		{ "{\"url\":\"https://{{query}}/x\",\"answer\":\"/a\"}", "/url", "must be fixed" },
		{ "{\"url\":\"https://h.test:{{agentic./p}}/x\",\"answer\":\"/a\"}", "/url", "must be fixed" },
		{ "{\"url\":\"https://h.test{{query}}\",\"answer\":\"/a\"}", "/url", "must be fixed" },
		{ "{\"url\":\"{{env.BASE}}/x\",\"answer\":\"/a\"}", "/url", "must begin with https://" },
		{ "{\"url\":\"{{query}}://h.test/x\",\"answer\":\"/a\"}", "/url", "must be fixed" },
		{ "{\"url\":\"ftp://h.test/x\",\"answer\":\"/a\"}", "/url", "neither http" },
		{ "{\"url\":\"https://h.test/a b\",\"answer\":\"/a\"}", "/url", "percent-encode it" },
		{ "{\"url\":\"https://h.test/a#b\",\"answer\":\"/a\"}", "/url", "percent-encode it" },
		{ "{\"url\":\"https://h.test/a/../b\",\"answer\":\"/a\"}", "/url", "segment of dots" },
		{ "{\"url\":\"https://h.test/a/%2E%2e\",\"answer\":\"/a\"}", "/url", "segment of dots" },
		{ "{\"answer\":\"/a\"}", "", "url is required" },
		{ "{\"url\":\"https://h.test\"}", "", "answer is required" },
		{ "{\"url\":\"https://h.test\",\"answer\":\"a\"}", "/answer", "no JSON pointer" },
		{ "{\"url\":\"https://h.test\",\"answer\":\"/a~2\"}", "/answer", "no JSON pointer" },
		{ "{\"url\":\"https://h.test\",\"answer\":7}", "/answer", "The answer is a JSON pointer" },
		{ "{\"url\":\"https://h.test\",\"answer\":{}}", "/answer", "exactly one of sse and ndjson" },
		{ "{\"url\":\"https://h.test\",\"answer\":{\"sse\":\"/a\",\"ndjson\":\"/a\"}}", "/answer", "exactly one" },
		{ "{\"url\":\"https://h.test\",\"answer\":{\"ndjson\":\"text\"}}", "/answer", "no JSON pointer" },
		{ "{\"url\":\"https://h.test\",\"answer\":{\"ndjson\":\"/a\",\"event\":\"x\"}}", "/answer", "belong to sse" },
		{ "{\"url\":\"https://h.test\",\"answer\":{\"sse\":\"/a\",\"take\":\"first\"}}", "/answer/take",
		  "'all' or 'last'" },
		{ "{\"url\":\"https://h.test\",\"answer\":{\"sse\":\"/a\",\"x\":1}}", "/answer/x", "no member 'x'" },
		{ "{\"url\":\"https://h.test\",\"answer\":\"text\",\"capture\":{\"c\":\"/c\"}}", "/answer",
		  "no pointer can capture" },
		{ "{\"url\":\"https://h.test\",\"answer\":\"text\",\"error\":\"/c\"}", "/answer", "error can point to nothing" },
		{ HEAD "\"capture\":{\"a b\":\"/c\"}}", "/capture/a b", "letters, digits" },
		{ HEAD "\"capture\":{\"a\":\"c\"}}", "/capture/a", "no JSON pointer" },
		{ HEAD "\"capture\":{\"a\":1}}", "/capture/a", "Say where the value comes from" },
		{ HEAD "\"capture\":{\"a\":{\"header\":\"X\",\"cookie\":\"Y\"}}}", "/capture/a", "exactly one of pointer" },
		{ HEAD "\"capture\":{\"a\":{\"path\":\"/x\"}}}", "/capture/a/path", "no member 'path'" },
		{ HEAD "\"login\":{\"url\":\"https://h.test/l\",\"body\":\"{{query}}\"}}", "/login/body", "belongs to a turn" },
		{ HEAD "\"login\":{\"url\":\"https://h.test/l\",\"body\":\"{{agentic.x}}\"}}", "/login/body", "belongs to a turn" },
		{ HEAD "\"login\":{\"url\":\"https://h.test/l\",\"capture\":{\"t\":\"/t\"},\"body\":\"{{captured.t}}\"}}",
		  "/login/body", "nothing is captured before" },
		{ HEAD "\"login\":{\"body\":{}}}", "/login", "url is required" },
		{ HEAD "\"login\":{\"url\":\"https://h.test/l\",\"user\":1}}", "/login/user", "no member 'user'" },
		{ HEAD "\"success\":[200,\"9xx\"]}", "/success", "Statuses are numbers" },
		{ HEAD "\"success\":600}", "/success", "Statuses are numbers" },
		{ HEAD "\"success\":[]}", "/success", "is empty" },
		{ HEAD "\"retry_statuses\":[1.5]}", "/retry_statuses", "Statuses are numbers" },
		{ HEAD "\"error\":\"error\"}", "/error", "no JSON pointer" },
		{ HEAD "\"max_retries\":-1}", "/max_retries", "max_retries must be" },
		{ HEAD "\"temperature\":1}", "/temperature", "no member 'temperature'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char pointer[256];

		snprintf(pointer, sizeof pointer, "/connector/params%s", rows[i].pointer);
		kit_expect_refused(&http_template_class, rows[i].params, pointer, rows[i].piece);
	}
}

static void a_stranger_reads_no_environment_and_logs_in_nowhere_else(void **state)
{
	static const struct {
		const char *params, *pointer, *piece;
	} rows[] = {
		{ HEAD "\"body\":\"{{env.TOKEN}}\"}", "/connector/params/body", "only be used by the operator" },
		{ HEAD "\"headers\":{\"Host\":\"x\"}}", "/connector/params/headers/Host", "operator" },
		{ HEAD "\"login\":{\"url\":\"https://other.test/l\"}}", "/connector/params/login/url",
		  "same scheme, host and port" },
	};
	const struct kit_env env[] = { { "TOKEN", "secret" }, { NULL, NULL } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kit k;

		assert_int_equal(kit_configure(&k, &http_template_class, rows[i].params, env, true, false), FF_EUSAGE);
		assert_true(kit_has_problem(&k, PROBLEM_ERROR, rows[i].pointer, rows[i].piece));
		kit_release(&k);
	}
}

static void secrets_are_known(void **state)
{
	static const char *const secrets[] = {
		"env-token-1", "Bearer literal-token", "literal-token", "dXNlcjpwYSBzcw==", "pa%20ss", "pa ss",
		"query key",   "query%20key",          "hunter22body"
	};
	const struct kit_env env[] = { { "TOKEN", "env-token-1" }, { NULL, NULL } };
	struct talk t;

	(void)state;
	talk_begin(&t,
	           "{\"url\":\"https://user:pa%20ss@h.test/x?api_key=query%20key&q={{query}}\",\"answer\":\"/a\","
	           "\"headers\":{\"X-Api-Token\":\"Bearer literal-token\",\"X-Env\":\"v {{env.TOKEN}}\"},"
	           "\"body\":{\"password\":\"hunter22body\",\"note\":\"ordinary text\"}}",
	           env);
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
		if (!kit_is_secret(&t.kit, secrets[i]))
			fail_msg("'%s' must be a secret", secrets[i]);
	assert_false(kit_is_secret(&t.kit, "ordinary text"));
	assert_true(t.kit.c->env_secrets);
	assert_int_equal(talk_ask(&t, "Hi", NULL), 0);
	kit_expect_str(t.kit.exchange.url, "https://h.test/x?api_key=query%20key&q=Hi");
	kit_expect_str(kit_header(&t.kit, "authorization"), "Basic dXNlcjpwYSBzcw==");
	kit_expect_str(kit_header(&t.kit, "x-env"), "v env-token-1");
	kit_expect_str(t.kit.c->base_url, "https://h.test");
	talk_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables_become_their_values),
		cmocka_unit_test(a_value_is_never_syntax),
		cmocka_unit_test(text_bodies_are_escaped_by_their_type),
		cmocka_unit_test(a_json_body_keeps_its_numbers_and_order),
		cmocka_unit_test(a_fixed_request_is_rendered_once),
		cmocka_unit_test(values_that_cannot_stand_there_refuse_the_turn),
		cmocka_unit_test(mistakes_are_found_before_anything_is_sent),
		cmocka_unit_test(a_stranger_reads_no_environment_and_logs_in_nowhere_else),
		cmocka_unit_test(secrets_are_known),
	};

	return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
