/*
 * test_event.c: events by their shape. The whole events are the fuzz target's seeds (tests/fuzz/corpus/event), modelled on what AWS documents;
 * what is odd stands here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "fairforge/fairforge.h"
#include "front/lambda/event.h"

static void assert_str(struct str got, const char *expected)
{
	if (!str_eq(got, str_from(expected)))
		fail_msg("expected \"%s\", got \"%.*s\"", expected, STR_ARG(got));
}

static void decode(struct str text, struct event *ret)
{
	struct error err = { 0 };

	if (event_decode(text, ret, &err))
		fail_msg("an event that should be read: %s", err.text);
}

/* ---- whole events ---- */

static struct str load(const char *name, char *buffer, size_t room)
{
	char path[1024];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/event/%s", getenv("FF_SOURCE_ROOT"), name);
	f = fopen(path, "rb");
	if (!f)
		fail_msg("%s cannot be opened", path);
	len = fread(buffer, 1, room, f);
	fclose(f);
	return str_of(buffer, len);
}

#define EMPTY_RUN "{\"datasets\":[]}"
#define ONE_RUN                                                                                              \
	"{\"datasets\":[{\"session_id\":\"s1\",\"assistant_id\":\"a\",\"language\":\"en\",\"context\":\"\"," \
	"\"conversation\":[{\"qa_id\":\"q1\",\"query\":\"2+2?\",\"assistant\":\"\",\"ground_truth_assistant\":\"4\"}]}]}"
#define DATASET                                                                                                 \
	"{\"session_id\":\"s1\",\"assistant_id\":\"a\",\"language\":\"en\",\"context\":\"\",\"conversation\":[" \
	"{\"qa_id\":\"q1\",\"query\":\"2+2?\",\"assistant\":\"\",\"ground_truth_assistant\":\"4\",\"weight\":1.50}]}"

static const struct whole {
	const char *file;
	enum event_kind kind;
	const char *method, *path, *body; /* of the first item; body NULL: a problem */
	bool gateway, multi, http, no_reader;
	size_t items;
} wholes[] = {
	{ "http_api_v2.json", EVENT_HTTP_V2, "POST", "/run", ONE_RUN, true, false, true, false, 1 },
	{ "http_api_v2_options.json", EVENT_HTTP_V2, "OPTIONS", "/prod/run", "{}", true, false, true, false, 1 },
	{ "function_url_base64.json", EVENT_HTTP_V2, "POST", "/", EMPTY_RUN, false, false, true, false, 1 },
	{ "rest_v1.json", EVENT_REST_V1, "POST", "/run", ONE_RUN, true, false, true, false, 1 },
	{ "rest_v1_null_body.json", EVENT_REST_V1, "POST", "/run", "{}", true, false, true, false, 1 },
	{ "http_api_1_0.json", EVENT_REST_V1, "POST", "/run", EMPTY_RUN, true, false, true, false, 1 },
	{ "alb.json", EVENT_ALB, "POST", "/run", EMPTY_RUN, false, false, true, false, 1 },
	{ "alb_multi_value.json", EVENT_ALB, "GET", "/", "{}", false, true, true, false, 1 },
	{ "sqs.json", EVENT_SQS, "", "", ONE_RUN, false, false, false, true, 2 },
	{ "sqs_fifo.json", EVENT_SQS, "", "", EMPTY_RUN, false, false, false, true, 1 },
	{ "pipes_sqs.json", EVENT_SQS, "", "", EMPTY_RUN, false, false, false, true, 1 },
	{ "map_batch_input.json", EVENT_MAP, "", "",
	  "{\"connector\":{\"class_path\":\"langchain_groq.chat_models.ChatGroq\",\"params\":{\"model\":\"m\"}},\"options\":{\"max_"
	  "retries\":0},"
	  "\"datasets\":[" DATASET "," DATASET "]}",
	  false, false, false, false, 1 },
	{ "map_items.json", EVENT_MAP, "", "", "{\"datasets\":[" DATASET "]}", false, false, false, false, 1 },
	{ "bare_dataset.json", EVENT_DIRECT, "", "", "{\"datasets\":[" DATASET "]}", false, false, false, false, 1 },
	{ "eventbridge.json", EVENT_BRIDGE, "", "", "{\"datasets\":[{\"session_id\":\"s\",\"number\":1.50}]}", false, false, false,
	  true, 1 },
	{ "direct.json", EVENT_DIRECT, "", "", "{\"datasets\":[],\"options\":{\"deadline_ms\":1000}}\n", false, false, false, false,
	  1 },
	{ "body_only.json", EVENT_BODY, "", "", EMPTY_RUN, false, false, true, false, 1 },
	{ "body_object.json", EVENT_BODY, "", "", "{\"datasets\":[{\"weight\":0.10}]}", false, false, true, false, 1 },
	{ "body_number.json", EVENT_BODY, "", "", NULL, false, false, true, false, 1 },
	{ "body_bad_base64.json", EVENT_BODY, "", "", NULL, false, false, true, false, 1 },
	{ "sns.json", EVENT_DIRECT, "", "", NULL, false, false, false, false, 1 },
	{ "s3.json", EVENT_DIRECT, "", "", NULL, false, false, false, false, 1 },
	{ "wrong_types.json", EVENT_BODY, "", "", "{}", false, false, true, false, 1 },
	{ "empty", EVENT_DIRECT, "", "", "{}", false, false, false, false, 1 },
	{ "blank", EVENT_DIRECT, "", "", "{}", false, false, false, false, 1 },
	{ "null", EVENT_DIRECT, "", "", "null", false, false, false, false, 1 },
	{ "text", EVENT_DIRECT, "", "", "\"text\"", false, false, false, false, 1 },
};

static void check_whole(const struct whole *w)
{
	static char buffer[65536];
	struct event e;

	decode(load(w->file, buffer, sizeof(buffer)), &e);
	if (e.kind != w->kind)
		fail_msg("%s was read as %s, not as %s", w->file, event_kind_name(e.kind), event_kind_name(w->kind));
	assert_str(e.method, w->method);
	assert_str(e.path, w->path);
	assert_int_equal(e.item_count, w->items);
	assert_int_equal(event_is_gateway(&e), w->gateway);
	assert_int_equal(event_is_http(&e), w->http);
	assert_int_equal(event_has_no_reader(&e), w->no_reader);
	assert_int_equal(e.multi_value_headers, w->multi);
	if (w->body) {
		assert_null(e.items->problem);
		assert_str(e.items->body, w->body);
	} else {
		assert_non_null(e.items->problem);
		assert_null(e.items->body.ptr);
	}
	event_release(&e);
}

static void test_wholes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++)
		check_whole(&wholes[i]);
}

static void test_sqs_records(void **state)
{
	static char buffer[65536];
	struct event e;

	(void)state;
	decode(load("sqs.json", buffer, sizeof(buffer)), &e);
	assert_false(e.is_fifo);
	assert_str(e.items[0].id, "059f36b4-87a3-44ab-83d2-661975830a7d");
	assert_str(e.items[1].id, "2e1424d4-f796-459a-8184-9c92662be6da");
	assert_str(e.items[1].body, "no JSON"); /* the run says what is wrong with it */
	event_release(&e);
	decode(load("sqs_fifo.json", buffer, sizeof(buffer)), &e);
	assert_true(e.is_fifo);
	event_release(&e);
}

/* ---- what is odd ---- */

struct odd {
	const char *event;
	enum event_kind kind;
	const char *body; /* NULL: a problem */
};

static void check_odd(const struct odd *odds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct event e;

		decode(str_from(odds[i].event), &e);
		if (e.kind != odds[i].kind)
			fail_msg("%s was read as %s, not as %s", odds[i].event, event_kind_name(e.kind),
			         event_kind_name(odds[i].kind));
		if (odds[i].body)
			assert_str(e.items->body, odds[i].body);
		else if (!e.items->problem || e.items->body.ptr)
			fail_msg("%s should be a problem, but is \"%.*s\"", odds[i].event, STR_ARG(e.items->body));
		event_release(&e);
	}
}

static void test_bodies(void **state)
{
	static const struct odd odds[] = {
		{ "{\"body\": null}", EVENT_BODY, "{}" },
		{ "{\"body\": \"\"}", EVENT_BODY, "{}" },
		{ "{\"body\": \" \"}", EVENT_BODY, " " }, /* the door trims */
		{ "{\"body\": \"{\\\"a\\\": \\\"\\\\u00e9\\\"}\"}", EVENT_BODY, "{\"a\": \"\\u00e9\"}" },
		{ "{\"body\": [1, 2.0]}", EVENT_BODY, "[1,2.0]" },
		{ "{\"body\": {}}", EVENT_BODY, "{}" },
		{ "{\"body\": 0}", EVENT_BODY, NULL },
		{ "{\"body\": true}", EVENT_BODY, NULL },
		{ "{\"body\": false, \"isBase64Encoded\": true}", EVENT_BODY, NULL },
		{ "{\"body\": null, \"isBase64Encoded\": true}", EVENT_BODY, "{}" },
		{ "{\"body\": {\"a\":1}, \"isBase64Encoded\": true}", EVENT_BODY, "{\"a\":1}" },
		{ "{\"body\": \"a\", \"body\": \"b\"}", EVENT_BODY, "b" }, /* the last one wins */
	};

	(void)state;
	check_odd(odds, ARRAY_SIZE(odds));
}

static void test_base64(void **state)
{
#define B64(text) "{\"body\":\"" text "\",\"isBase64Encoded\":true}"
	static const struct odd odds[] = {
		{ B64(""), EVENT_BODY, "" },
		{ B64("e30="), EVENT_BODY, "{}" },
		{ B64("e30"), EVENT_BODY, "{}" },
		{ B64("YQ=="), EVENT_BODY, "a" },
		{ B64("YQ"), EVENT_BODY, "a" },
		{ B64("YWJj"), EVENT_BODY, "abc" },
		{ B64("YWJj\\n"), EVENT_BODY, "abc" },
		{ B64("  YW\\r\\nJj\\tYQ=\\n= "), EVENT_BODY, "abca" },
		{ B64("\\r\\n"), EVENT_BODY, "" },
		{ B64("="), EVENT_BODY, NULL },
		{ B64("=="), EVENT_BODY, NULL },
		{ B64("YWJj="), EVENT_BODY, NULL },
		{ B64("YQ==YQ=="), EVENT_BODY, NULL },
		{ B64("YQ\\u00a0=="), EVENT_BODY, NULL },
		{ B64("Pz8_"), EVENT_BODY, "???" },
		{ B64("Pz8/"), EVENT_BODY, "???" },
		{ B64("w7/Dvg=="), EVENT_BODY, "\xc3\xbf\xc3\xbe" },
		{ B64("w7-_"), EVENT_BODY, "\xc3\xbf\xbf" },
		{ B64("Y"), EVENT_BODY, NULL },
		{ B64("YQ="), EVENT_BODY, NULL },
		{ B64("Y==="), EVENT_BODY, NULL },
		{ B64("===="), EVENT_BODY, NULL },
		{ B64("YW=j"), EVENT_BODY, NULL },
		{ B64("Y Q="), EVENT_BODY, NULL },
		{ B64("{}"), EVENT_BODY, NULL },
		{ B64("YWJj\\u0000"), EVENT_BODY, NULL },
		{ B64("YWJjYQ\xc3\xa9"), EVENT_BODY, NULL },
		{ "{\"body\":\"e30=\",\"isBase64Encoded\":\"true\"}", EVENT_BODY, "e30=" },
		{ "{\"body\":\"e30=\",\"isBase64Encoded\":1}", EVENT_BODY, "e30=" },
		{ "{\"body\":\"e30=\",\"isBase64Encoded\":null}", EVENT_BODY, "e30=" },
	};

	(void)state;
	check_odd(odds, ARRAY_SIZE(odds));
}

static void test_nearly(void **state)
{
	static const struct odd odds[] = {
		{ "{}", EVENT_DIRECT, "{}" },
		{ "[]", EVENT_DIRECT, "[]" },
		{ "17", EVENT_DIRECT, "17" },
		{ "\xef\xbb\xbf{\"datasets\":[]}", EVENT_DIRECT, "\xef\xbb\xbf{\"datasets\":[]}" },
		/* every test with the wrong type */
		{ "{\"version\":2,\"requestContext\":{\"http\":{}},\"body\":\"b\"}", EVENT_BODY, "b" },
		{ "{\"version\":\"2.0\",\"requestContext\":{\"http\":null},\"body\":\"b\"}", EVENT_BODY, "b" },
		{ "{\"version\":\"2.0\",\"requestContext\":[{\"http\":{}}],\"body\":\"b\"}", EVENT_BODY, "b" },
		{ "{\"version\":\"2.0\",\"requestContext\":{\"http\":{\"method\":7}},\"rawPath\":null,\"body\":\"b\"}",
		  EVENT_HTTP_V2, "b" },
		{ "{\"requestContext\":{\"elb\":[]},\"body\":\"b\"}", EVENT_BODY, "b" },
		{ "{\"requestContext\":{\"elb\":{}},\"httpMethod\":3,\"path\":{},\"headers\":3,\"multiValueHeaders\":[],\"body\":"
		  "\"b\"}",
		  EVENT_ALB, "b" },
		{ "{\"httpMethod\":\"POST\",\"requestContext\":\"x\",\"body\":\"b\"}", EVENT_BODY, "b" },
		{ "{\"httpMethod\":null,\"requestContext\":{},\"body\":\"b\"}", EVENT_BODY, "b" },
		{ "{\"httpMethod\":\"POST\",\"requestContext\":{}}", EVENT_REST_V1, "{}" },
		{ "{\"Records\":[],\"datasets\":[]}", EVENT_DIRECT, "{\"Records\":[],\"datasets\":[]}" },
		{ "{\"Records\":[]}", EVENT_DIRECT, NULL },
		{ "{\"Records\":[7]}", EVENT_DIRECT, NULL },
		{ "{\"Records\":[{\"eventSource\":7}]}", EVENT_DIRECT, NULL },
		{ "{\"Records\":\"aws:sqs\"}", EVENT_DIRECT, "{\"Records\":\"aws:sqs\"}" },
		{ "{\"Records\":[{\"eventSource\":\"aws:sqs\"}]}", EVENT_SQS, "{}" },
		{ "{\"Records\":[{\"eventSource\":\"aws:sqs\",\"messageId\":7,\"body\":7}]}", EVENT_SQS, NULL },
		{ "[{\"eventSource\":\"aws:kinesis\"}]", EVENT_DIRECT, "[{\"eventSource\":\"aws:kinesis\"}]" },
		{ "{\"Items\":null,\"datasets\":[]}", EVENT_DIRECT, "{\"Items\":null,\"datasets\":[]}" },
		{ "{\"Items\":[]}", EVENT_MAP, "{\"datasets\":[]}" },
		{ "{\"Items\":[],\"BatchInput\":7}", EVENT_MAP, "{\"datasets\":[]}" },
		{ "{\"Items\":[1],\"BatchInput\":{\"datasets\":1,\"\\\"\":2,\"datasets\":3}}", EVENT_MAP,
		  "{\"\\\"\":2,\"datasets\":[1]}" },
		{ "{\"detail-type\":\"t\",\"source\":\"s\"}", EVENT_DIRECT, "{\"detail-type\":\"t\",\"source\":\"s\"}" },
		{ "{\"detail-type\":\"t\",\"source\":\"s\",\"detail\":null}", EVENT_BRIDGE, "{}" },
		{ "{\"detail-type\":\"t\",\"source\":\"s\",\"detail\":\"{}\"}", EVENT_BRIDGE, "{}" },
		{ "{\"detail-type\":\"t\",\"source\":\"s\",\"detail\":7}", EVENT_BRIDGE, NULL },
		{ "{\"session_id\":\"s\",\"conversation\":[]}", EVENT_DIRECT,
		  "{\"datasets\":[{\"session_id\":\"s\",\"conversation\":[]}]}" },
		{ "{\"session_id\":\"s\",\"conversation\":[],\"datasets\":[]}", EVENT_DIRECT,
		  "{\"session_id\":\"s\",\"conversation\":[],\"datasets\":[]}" },
		{ "{\"session_id\":\"s\"}", EVENT_DIRECT, "{\"session_id\":\"s\"}" },
	};

	(void)state;
	check_odd(odds, ARRAY_SIZE(odds));
}

/* One shape may look like another: the table's order decides. */
static void test_order(void **state)
{
	static const struct odd odds[] = {
		{ "{\"version\":\"2.0\",\"requestContext\":{\"http\":{},\"elb\":{}},\"httpMethod\":\"GET\",\"body\":\"b\"}",
		  EVENT_HTTP_V2, "b" },
		{ "{\"requestContext\":{\"elb\":{}},\"httpMethod\":\"GET\",\"Items\":[],\"body\":\"b\"}", EVENT_ALB, "b" },
		{ "{\"httpMethod\":\"GET\",\"requestContext\":{},\"Records\":[{\"eventSource\":\"aws:sqs\"}],\"body\":\"b\"}",
		  EVENT_REST_V1, "b" },
		{ "{\"Records\":[{\"eventSource\":\"aws:sqs\",\"body\":\"r\"}],\"Items\":[],\"body\":\"b\"}", EVENT_SQS, "r" },
		{ "{\"Items\":[],\"detail-type\":1,\"source\":1,\"detail\":{},\"body\":\"b\"}", EVENT_MAP, "{\"datasets\":[]}" },
		{ "{\"detail-type\":1,\"source\":1,\"detail\":{\"d\":1},\"body\":\"b\"}", EVENT_BRIDGE, "{\"d\":1}" },
		{ "{\"datasets\":[],\"body\":\"b\"}", EVENT_BODY, "b" },
	};

	(void)state;
	check_odd(odds, ARRAY_SIZE(odds));
}

static void test_gateway(void **state)
{
	static const struct {
		const char *context;
		bool gateway;
	} rows[] = {
		{ "{\"http\":{},\"apiId\":\"a\",\"domainName\":\"runs.example\"}", true }, /* a domain of one's own */
		{ "{\"http\":{},\"apiId\":\"a\"}", true },
		{ "{\"http\":{}}", false },
		{ "{\"http\":{},\"apiId\":\"\"}", false },
		{ "{\"http\":{},\"apiId\":7}", false },
		{ "{\"http\":{},\"apiId\":\"a\",\"domainName\":\"a.lambda-url.eu-west-1.on.aws\"}", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[256];
		struct event e;

		snprintf(text, sizeof(text), "{\"version\":\"2.0\",\"requestContext\":%s}", rows[i].context);
		decode(str_from(text), &e);
		if (event_is_gateway(&e) != rows[i].gateway)
			fail_msg("%s %s stand behind a gateway", rows[i].context, rows[i].gateway ? "should" : "should not");
		event_release(&e);
	}
}

static void test_refused(void **state)
{
	struct error err = { 0 };
	char *text = mem_alloc(EVENT_MAX_BYTES + 1);
	struct event e;

	(void)state;
	assert_non_null(text);
	assert_int_equal(event_decode(STR("{\"body\":"), &e, &err), FF_EDATA);
	assert_non_null(strstr(err.text, "line 1"));
	assert_int_equal(event_decode(STR("{} x"), &e, &err), FF_EDATA);
	assert_int_equal(event_decode(STR("\xff"), &e, &err), FF_EDATA);
	memset(text, ' ', EVENT_MAX_BYTES + 1);
	text[0] = '1';
	assert_int_equal(event_decode(str_of(text, EVENT_MAX_BYTES + 1), &e, &err), FF_ETOOBIG);
	memset(text, '[', 100000);
	assert_int_equal(event_decode(str_of(text, 100000), &e, &err), FF_ETOOBIG);
	mem_free(text);
}

/* ---- answers ---- */

static const char *const origin_all = "*";

static void check_answer(const char *event, int status, const char *body, const struct event_headers *headers, const char *expected)
{
	struct event e;
	struct buf out;

	buf_init(&out, 1 << 20);
	decode(str_from(event), &e);
	if (body)
		assert_int_equal(event_write_http(&e, status, str_from(body), headers, &out), 0);
	else
		assert_int_equal(event_write_preflight(&e, headers, &out), 0);
	assert_str(buf_str(&out), expected);
	event_release(&e);
	buf_release(&out);
}

#define V2  "{\"version\":\"2.0\",\"requestContext\":{\"http\":{\"method\":\"POST\"}}}"
#define ALB "{\"requestContext\":{\"elb\":{}},\"headers\":{}}"

static void test_answers(void **state)
{
	struct event_headers all = { .cors_origin = origin_all }, one = { "https://a.example", "30", NULL },
	                     none = { "", NULL, "POST, OPTIONS" };

	(void)state;
	check_answer(
	        V2, 200, "{\"a\": \"\\u00e9\"}", &all,
	        "{\"statusCode\":200,\"headers\":{\"Content-Type\":\"application/json\",\"Access-Control-Allow-Origin\":\"*\"},"
	        "\"body\":\"{\\\"a\\\": \\\"\\\\u00e9\\\"}\",\"isBase64Encoded\":false}");
	check_answer(V2, 429, "", &one,
	             "{\"statusCode\":429,\"headers\":{\"Content-Type\":\"application/"
	             "json\",\"Access-Control-Allow-Origin\":\"https://a.example\","
	             "\"Vary\":\"Origin\",\"Retry-After\":\"30\"},\"body\":\"\",\"isBase64Encoded\":false}");
	check_answer(V2, 204, "not sent", &none,
	             "{\"statusCode\":204,\"headers\":{\"Content-Type\":\"application/json\",\"Allow\":\"POST, "
	             "OPTIONS\"},\"body\":\"\",\"isBase64Encoded\":false}");
	check_answer(
	        ALB, 400, "x", &all,
	        "{\"statusCode\":400,\"statusDescription\":\"400 Bad Request\",\"headers\":{\"Content-Type\":\"application/json\","
	        "\"Access-Control-Allow-Origin\":\"*\"},\"body\":\"x\",\"isBase64Encoded\":false}");
	check_answer("{\"requestContext\":{\"elb\":{}},\"multiValueHeaders\":{}}", 299, "x", &all,
	             "{\"statusCode\":299,\"statusDescription\":\"299 "
	             "Status\",\"multiValueHeaders\":{\"Content-Type\":[\"application/json\"],"
	             "\"Access-Control-Allow-Origin\":[\"*\"]},\"body\":\"x\",\"isBase64Encoded\":false}");
	check_answer("{\"body\":\"\"}", 200, "\xff", &none, /* never ill-formed, whatever comes */
	             "{\"statusCode\":200,\"headers\":{\"Content-Type\":\"application/json\","
	             "\"Allow\":\"POST, OPTIONS\"},\"body\":\"\xef\xbf\xbd\",\"isBase64Encoded\":false}");
}

static void test_preflight(void **state)
{
	struct event_headers all = { .cors_origin = origin_all };

	(void)state;
	check_answer(V2, 204, NULL, &all,
	             "{\"statusCode\":204,\"headers\":{\"Content-Type\":\"application/json\",\"Access-Control-Allow-Origin\":\"*\","
	             "\"Access-Control-Allow-Methods\":\"POST, OPTIONS\",\"Access-Control-Allow-Headers\":\"authorization, "
	             "content-type, "
	             "x-amz-content-sha256, x-amz-date, x-amz-security-token\",\"Access-Control-Max-Age\":\"3600\"},\"body\":\"\","
	             "\"isBase64Encoded\":false}");
}

static void test_sqs_answers(void **state)
{
	static const char event[] =
	        "{\"Records\":[{\"eventSource\":\"aws:sqs\",\"messageId\":\"a\"},{\"messageId\":\"b\\\"\"},{\"messageId\":\"c\"}]}";
	static const bool none[3] = { false, false, false }, some[3] = { true, true, false };
	struct event e;
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	decode(str_from(event), &e);
	assert_int_equal(event_write_sqs(&e, none, &out), 0);
	assert_str(buf_str(&out), "{\"batchItemFailures\":[]}");
	buf_clear(&out);
	assert_int_equal(event_write_sqs(&e, some, &out), 0);
	assert_str(buf_str(&out), "{\"batchItemFailures\":[{\"itemIdentifier\":\"a\"},{\"itemIdentifier\":\"b\\\"\"}]}");
	event_release(&e);
	buf_release(&out);
}

static void test_answer_caps(void **state)
{
	struct event_headers all = { .cors_origin = origin_all };
	struct event e;
	struct buf out;

	(void)state;
	buf_init(&out, 100);
	decode(STR(V2), &e);
	assert_int_equal(event_write_http(&e, 200, STR("{}"), &all, &out), FF_ETOOBIG);
	event_release(&e);
	buf_release(&out);
}

/* ---- no memory ---- */

/* Every allocation in turn: an error, never a half-read event. */
static void test_out_of_memory(void **state)
{
	static char buffer[65536];
	struct event_headers all = { .cors_origin = origin_all };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++) {
		struct str text = load(wholes[i].file, buffer, sizeof(buffer));
		uint64_t hits = 1;

		for (uint64_t n = 1; hits; n++) {
			struct error err = { 0 };
			struct event e;
			struct buf out;
			int r;

			buf_init(&out, 1 << 20);
			mem_fault_arm(n, false);
			r = event_decode(text, &e, &err);
			if (!r)
				r = event_write_http(&e, 200, e.items->body, &all, &out);
			hits = mem_fault_hits();
			mem_fault_arm(0, false);
			assert_int_equal(r, hits ? FF_ENOMEM : 0);
			if (!err.code)
				event_release(&e);
			buf_release(&out);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wholes),        cmocka_unit_test(test_sqs_records), cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_base64),        cmocka_unit_test(test_nearly),      cmocka_unit_test(test_order),
		cmocka_unit_test(test_gateway),       cmocka_unit_test(test_refused),     cmocka_unit_test(test_answers),
		cmocka_unit_test(test_preflight),     cmocka_unit_test(test_sqs_answers), cmocka_unit_test(test_answer_caps),
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
