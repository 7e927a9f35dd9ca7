/* test_mock_script.c: every key of the format, every mistake with its pointer, and which rule a request meets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "../base/fault_loop.h"
#include "front/mock/script.h"

/* Parses; fails the test with the first problem when there is one. */
static void load(struct script *s, const char *text)
{
	struct problems problems;

	script_init(s);
	problems_init(&problems);
	if (script_parse(s, str_from(text), &problems))
		fail_msg("%s: expected no problem, got %s: %s", text, problems.first ? problems.first->pointer : "",
		         problems.first ? problems.first->text : "");
	problems_release(&problems);
}

static const struct fault *match(struct script *s, uint64_t number, const char *text)
{
	return script_match(s, &(struct script_request){ number, str_from(text), STR("session-7"), STR("/v1/chat/completions") });
}

static void test_actions(void **state)
{
	struct script s;
	const struct fault *f;

	(void)state;
	load(&s,
	     "{\"seed\":9,\"comment\":\"c\",\"rules\":[{\"status\":429,\"headers\":{\"retry-after\":\"2\",\"X-B\":\"\"},\"body\":{"
	     "\"a\":[1,1.50]},"
	     "\"delay_ms\":1500,\"gzip\":true,\"trickle\":{\"bytes\":10,\"interval_ms\":20},\"truncate\":40,\"comment\":\"c\"}]}");
	assert_int_equal(s.seed, 9);
	f = match(&s, 1, "");
	assert_non_null(f);
	assert_int_equal(f->end, FAULT_REPLY);
	assert_int_equal(f->status, 429);
	assert_int_equal(f->header_count, 2);
	assert_true(str_eq(f->headers[0].name, STR("retry-after")) && str_eq(f->headers[0].value, STR("2")));
	assert_true(f->has_body && str_eq(f->body, STR("{\"a\":[1,1.50]}")));
	assert_int_equal(f->delay_us, 1500000);
	assert_true(f->gzip && f->truncated);
	assert_int_equal(f->truncate, 40);
	assert_int_equal(f->trickle_bytes, 10);
	assert_int_equal(f->trickle_us, 20000);
	script_release(&s);
}

static void test_ends(void **state)
{
	struct script s;

	(void)state;
	load(&s,
	     "[{\"request\":1,\"reset\":true},{\"request\":2,\"never\":true},{\"request\":3,\"close\":true},{\"request\":4,"
	     "\"garbage\":true},"
	     "{\"request\":5,\"garbage\":\"text\"},{\"request\":6,\"garbage\":{\"hex\":\"00fFa1\"}},{\"request\":7,\"truncate\":3,"
	     "\"reset\":true},"
	     "{\"request\":8,\"endless\":true},{\"request\":9,\"endless\":{\"interval_ms\":7}},{\"request\":10,\"bad_json\":true},"
	     "{\"request\":11,\"body\":\"\"},{\"request\":12,\"trickle\":true}]");
	assert_int_equal(match(&s, 1, "")->end, FAULT_RESET);
	assert_int_equal(match(&s, 2, "")->end, FAULT_NEVER);
	assert_int_equal(match(&s, 3, "")->end, FAULT_CLOSE);
	assert_int_equal(match(&s, 4, "")->end, FAULT_GARBAGE);
	assert_true(match(&s, 4, "")->garbage.len > 0);
	assert_true(str_eq(match(&s, 5, "")->garbage, STR("text")));
	assert_true(str_eq(match(&s, 6, "")->garbage, STR("\0\xff\xa1")));
	assert_int_equal(match(&s, 7, "")->end, FAULT_RESET);
	assert_true(match(&s, 7, "")->truncated);
	assert_int_equal(match(&s, 8, "")->endless_us, 50000);
	assert_int_equal(match(&s, 9, "")->endless_us, 7000);
	assert_true(match(&s, 10, "")->bad_json);
	assert_true(match(&s, 11, "")->has_body && match(&s, 11, "")->body.len == 0);
	assert_int_equal(match(&s, 12, "")->trickle_bytes, 1);
	assert_null(match(&s, 13, ""));
	script_release(&s);
}

static void test_numbers(void **state)
{
	static const uint64_t hit[] = { 2, 5, 6, 7, 9, 100, 101, 5000 }, missed[] = { 1, 3, 4, 8, 10, 99 };
	struct script s;

	(void)state;
	load(&s, "[{\"request\":[2,\"5-7\",\"9\",\"100-\"],\"status\":500}]");
	for (size_t i = 0; i < ARRAY_SIZE(hit); i++)
		assert_non_null(match(&s, hit[i], ""));
	for (size_t i = 0; i < ARRAY_SIZE(missed); i++)
		assert_null(match(&s, missed[i], ""));
	script_release(&s);
}

static void test_text_path_times_order(void **state)
{
	struct script s;

	(void)state;
	load(&s, "[{\"match\":\"bad "
	         "luck\",\"status\":500,\"times\":2},{\"match\":\"session-7\",\"path\":\"/v1/\",\"status\":501},{\"status\":502}]");
	assert_int_equal(match(&s, 1, "I have bad luck")->status, 500);
	assert_int_equal(match(&s, 2, "more bad luck")->status, 500);
	assert_int_equal(match(&s, 3, "bad luck again")->status, 501); /* the first rule is used up */
	assert_int_equal(match(&s, 4, "fine")->status, 501);
	assert_int_equal(script_match(&s, &(struct script_request){ 5, STR("fine"), STR("other"), STR("/v1/x") })->status, 502);
	assert_int_equal(script_match(&s, &(struct script_request){ 6, STR("fine"), STR("session-7"), STR("/api/chat") })->status,
	                 502);
	script_release(&s);
}

/* The same seed gives the same requests in any order; another seed gives others; the share comes out. */
static void test_share(void **state)
{
	struct script a, b;
	unsigned hits = 0, differ = 0;

	(void)state;
	load(&a, "{\"seed\":1,\"rules\":[{\"share\":0.05,\"status\":500}]}");
	load(&b, "{\"seed\":2,\"rules\":[{\"share\":0.05,\"status\":500}]}");
	for (uint64_t n = 20000; n > 0; n--) {
		bool first = match(&a, n, "") != NULL;
		assert_true(first == (match(&a, n, "") != NULL));
		hits += first;
		differ += first != (match(&b, n, "") != NULL);
	}
	assert_in_range(hits, 900, 1100);
	assert_true(differ > 1000);
	script_release(&a);
	script_release(&b);
	load(&a, "[{\"share\":0,\"status\":500},{\"share\":1,\"status\":501}]");
	for (uint64_t n = 1; n < 1000; n++)
		assert_int_equal(match(&a, n, "")->status, 501);
	script_release(&a);
}

static void test_limits(void **state)
{
	struct script s;

	(void)state;
	load(&s, "{\"limits\":{\"window_ms\":1500,\"kind\":\"bucket\"},\"rules\":[]}");
	assert_int_equal(s.window_us, 1500000);
	assert_int_equal(s.kind, RATE_BUCKET);
	script_release(&s);
	load(&s, "{\"limits\":{\"kind\":\"window\"}}");
	assert_int_equal(s.kind, RATE_WINDOW);
	assert_int_equal(s.window_us, 60000000);
	script_release(&s);
}

static void check_wrong(const char *text, const char *pointer, const char *part)
{
	struct script s;
	struct problems problems;

	script_init(&s);
	problems_init(&problems);
	assert_int_equal(script_parse(&s, str_from(text), &problems), FF_EDATA);
	if (strcmp(problems.first->pointer, pointer) != 0 || !strstr(problems.first->text, part))
		fail_msg("%s: got %s: %s; expected %s: ...%s...", text, problems.first->pointer, problems.first->text, pointer,
		         part);
	problems_release(&problems);
	script_release(&s);
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *text, *pointer, *part;
	} all[] = {
		{ "", "", "not JSON" },
		{ "{\"rules\":[}", "/rules/0", "not JSON" },
		{ "3", "", "array of rules" },
		{ "{\"rulez\":[]}", "/rulez", "Unknown key" },
		{ "{\"rules\":{}}", "/rules", "array" },
		{ "{\"seed\":-1}", "/seed", "whole number" },
		{ "{\"limits\":3}", "/limits", "object" },
		{ "{\"limits\":{\"kind\":\"x\"}}", "/limits/kind", "\"window\" or \"bucket\"" },
		{ "{\"limits\":{\"window_ms\":0}}", "/limits/window_ms", "whole number" },
		{ "{\"limits\":{\"rpm\":0}}", "/limits/rpm", "Unknown key" },
		{ "[3]", "/0", "object" },
		{ "[{}]", "/0", "does nothing" },
		{ "[{\"request\":1}]", "/0", "does nothing" },
		{ "[{\"dealy_ms\":1}]", "/0/dealy_ms", "Unknown key" },
		{ "[{\"a~b/c\":1}]", "/0/a~0b~1c", "Unknown key" },
		{ "[{\"request\":0,\"reset\":true}]", "/0/request", "whole number" },
		{ "[{\"request\":1.5,\"reset\":true}]", "/0/request", "whole number" },
		{ "[{\"request\":\"9-5\",\"reset\":true}]", "/0/request", "range" },
		{ "[{\"request\":\"0-5\",\"reset\":true}]", "/0/request", "range" },
		{ "[{\"request\":[],\"reset\":true}]", "/0/request", "names no request" },
		{ "[{\"request\":[1,true],\"reset\":true}]", "/0/request/1", "range" },
		{ "[{\"match\":\"\",\"reset\":true}]", "/0/match", "not empty" },
		{ "[{\"match\":7,\"reset\":true}]", "/0/match", "not empty" },
		{ "[{\"share\":1.5,\"reset\":true}]", "/0/share", "from 0 to 1" },
		{ "[{\"share\":\"x\",\"reset\":true}]", "/0/share", "from 0 to 1" },
		{ "[{\"times\":0,\"reset\":true}]", "/0/times", "whole number" },
		{ "[{\"status\":99}]", "/0/status", "200 to 599" },
		{ "[{\"status\":\"500\"}]", "/0/status", "200 to 599" },
		{ "[{\"status\":500,\"headers\":[]}]", "/0/headers", "object" },
		{ "[{\"headers\":{\"a b\":\"x\"}}]", "/0/headers/a b", "not a name" },
		{ "[{\"headers\":{\"a\":\"x\\r\\ny\"}}]", "/0/headers/a", "one line" },
		{ "[{\"headers\":{\"a\":1}}]", "/0/headers/a", "one line" },
		{ "[{\"headers\":{\"Content-Length\":\"1\"}}]", "/0/headers/Content-Length", "server's own" },
		{ "[{\"delay_ms\":-1}]", "/0/delay_ms", "whole number" },
		{ "[{\"trickle\":{\"bytes\":0}}]", "/0/trickle/bytes", "whole number" },
		{ "[{\"trickle\":{\"byte\":1}}]", "/0/trickle/byte", "Unknown key" },
		{ "[{\"trickle\":3}]", "/0/trickle", "object" },
		{ "[{\"truncate\":-1}]", "/0/truncate", "whole number" },
		{ "[{\"reset\":1}]", "/0/reset", "true or false" },
		{ "[{\"reset\":false}]", "/0", "does nothing" },
		{ "[{\"garbage\":{\"hex\":\"0\"}}]", "/0/garbage", "hexadecimal" },
		{ "[{\"garbage\":{\"hex\":\"0g\"}}]", "/0/garbage", "hexadecimal" },
		{ "[{\"garbage\":{\"hex\":\"00\",\"x\":1}}]", "/0/garbage", "hexadecimal" },
		{ "[{\"garbage\":3}]", "/0/garbage", "hex" },
		{ "[{\"endless\":{\"bytes\":3}}]", "/0/endless/bytes", "interval_ms" },
		{ "[{\"reset\":true,\"never\":true}]", "/0/never", "Only one of" },
		{ "[{\"reset\":true,\"status\":500}]", "/0", "no reply to shape" },
		{ "[{\"never\":true,\"status\":500}]", "/0", "leave no reply" },
		{ "[{\"close\":true,\"truncate\":5}]", "/0", "leave no reply" },
		{ "[{\"endless\":true,\"gzip\":true}]", "/0", "gzip or endless" },
		{ "[{\"body\":\"x\",\"bad_json\":true}]", "/0", "bad_json or body" },
		{ "[{\"comment\":1,\"reset\":true}]", "/0/comment", "text" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		check_wrong(all[i].text, all[i].pointer, all[i].part);
}

static void test_all_problems_at_once(void **state)
{
	struct script s;
	struct problems problems;

	(void)state;
	script_init(&s);
	problems_init(&problems);
	assert_int_equal(
	        script_parse(&s, STR("{\"x\":1,\"rules\":[{\"share\":7,\"reset\":true},{\"status\":1,\"close\":true,\"y\":2}]}"),
	                     &problems),
	        FF_EDATA);
	assert_int_equal(problems.errors, 4);
	problems_release(&problems);
	script_release(&s);
}

static int parse_one(void)
{
	struct script s;
	struct problems problems;
	int code;

	script_init(&s);
	problems_init(&problems);
	code = script_parse(
	        &s,
	        STR("[{\"request\":[1,\"2-3\"],\"match\":\"x\",\"status\":500,\"headers\":{\"a\":\"b\"},\"body\":{\"k\":[1]}},"
	            "{\"garbage\":{\"hex\":\"00\"}}]"),
	        &problems);
	problems_release(&problems);
	script_release(&s);
	return code;
}

static void test_memory_is_short(void **state)
{
	(void)state;
	assert_true(fault_loop(parse_one) > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actions),         cmocka_unit_test(test_ends),
		cmocka_unit_test(test_numbers),         cmocka_unit_test(test_text_path_times_order),
		cmocka_unit_test(test_share),           cmocka_unit_test(test_limits),
		cmocka_unit_test(test_mistakes),        cmocka_unit_test(test_all_problems_at_once),
		cmocka_unit_test(test_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
