/* test_jsonl.c: a dataset a line in input order, and when a line leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fixture.h"

#define LINE(id, answer)                                                                                                      \
	"{\"session_id\":\"" id "\",\"assistant_id\":\"target\",\"language\":\"english\",\"context\":\"\",\"conversation\":[" \
	"{\"ground_truth_assistant\":\"gt\",\"logprobs\":{},\"observation\":null,\"assistant\":\"" answer                     \
	"\",\"query\":\"x\",\"agentic\":{},\"ground_truth_agentic\":{},\"qa_id\":\"q\",\"weight\":null}]}\n"

static struct sink *open_jsonl(struct memory_output *m)
{
	struct sink_output out = memory_sink_output(m);
	struct sink *s;

	assert_int_equal(sink_jsonl_new(&out, &s), 0);
	assert_int_equal(s->ops->begin(s, NULL), 0);
	return s;
}

static int one_turn(struct sink *s, const struct dataset *d, const char *answer, uint64_t last_byte_us)
{
	struct test_record r = make_record(d, 0, OUTCOME_OK, str_from(answer));
	int code, end_code;

	r.record.result.stamps.last_byte = last_byte_us;
	code = record_result(s, &r.record.result);
	end_code = end_dataset(s, d, 1, 1, NULL);
	return code ? code : end_code;
}

static void test_order(void **state)
{
	struct batch batch = plain_batch(STR("q"), STR("x"));
	struct dataset d[] = { plain_dataset(0, STR("s0"), &batch, 1), plain_dataset(1, STR("s1"), &batch, 1),
		               plain_dataset(2, STR("s2"), NULL, 0) };
	struct memory_output m = { 0 };
	struct sink *s = open_jsonl(&m);

	(void)state;
	assert_int_equal(end_dataset(s, &d[2], 0, 0, NULL), 0);
	assert_int_equal(one_turn(s, &d[1], "two\nlines", 0), 0);
	assert_int_equal(one_turn(s, &d[0], "one", 0), 0);
	assert_int_equal(s->ops->end(s, NULL), 0);
	expect_text(&m,
	            LINE("s0", "one") LINE("s1", "two\\nlines") "{\"session_id\":\"s2\",\"assistant_id\":\"target\",\"language\":"
	                                                        "\"english\",\"context\":\"\",\"conversation\":[]}\n");
	sink_free(s);
	memory_release(&m);
}

static void test_empty(void **state)
{
	struct memory_output m = { 0 };
	struct sink *s = open_jsonl(&m);

	(void)state;
	assert_int_equal(s->ops->end(s, NULL), 0);
	expect_text(&m, "");
	sink_free(s);
	memory_release(&m);
}

/* Turns that end slowly: a line leaves at once. Quick ones: in pieces. Time is that of the records' stamps. */
static void test_when_a_line_leaves(void **state)
{
	struct batch batch = plain_batch(STR("q"), STR("x"));
	struct memory_output m = { 0 };
	struct sink *s = open_jsonl(&m);
	size_t before;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct dataset d = plain_dataset(i, STR("s"), &batch, 1);

		before = m.len;
		assert_int_equal(one_turn(s, &d, "slow", 1000000 + 200000 * i), 0);
		if (m.len == before)
			fail_msg("line %zu, 200 ms after the one before, was held back", i);
	}
	before = m.len;
	for (size_t i = 5; i < 100; i++) {
		struct dataset d = plain_dataset(i, STR("s"), &batch, 1);

		assert_int_equal(one_turn(s, &d, "quick", 1800000 + 10 * i), 0);
	}
	assert_int_equal(m.len, before);
	for (size_t i = 100; i < 2000; i++) {
		struct dataset d = plain_dataset(i, STR("s"), &batch, 1);

		assert_int_equal(one_turn(s, &d, "quick", 1800000 + 10 * i), 0);
	}
	assert_true(m.len > before + 64 * 1024); /* a full piece does not wait for the clock */
	assert_int_equal(s->ops->end(s, NULL), 0);
	sink_free(s);
	memory_release(&m);
}

static void test_unwritable(void **state)
{
	struct batch batch = plain_batch(STR("q"), STR("x"));
	struct dataset d = plain_dataset(0, STR("s"), &batch, 1);
	struct memory_output m = { .fail_at = 1 };
	struct sink *s = open_jsonl(&m);
	struct error err = { 0 };

	(void)state;
	assert_int_equal(one_turn(s, &d, "a", 1000000), FF_EOUTPUT);
	assert_int_equal(s->ops->end(s, &err), FF_EOUTPUT);
	assert_string_equal(err.text, "The output cannot be written: No space left on device.");
	sink_free(s);
	memory_release(&m);
}

#include "../base/fault_loop.h"

static int complete_use(void)
{
	static const size_t order[] = { 3, 0, 2, 1, 4 };
	struct batch batch = plain_batch(STR("q"), STR("x"));
	struct memory_output m = { 0 };
	struct sink_output out = memory_sink_output(&m);
	struct sink *s;
	int code = sink_jsonl_new(&out, &s), end_code;

	if (code)
		return code;
	code = s->ops->begin(s, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(order) && !code; i++) {
		struct dataset d = plain_dataset(order[i], STR("s"), &batch, 1);

		code = one_turn(s, &d, "answer", 0);
	}
	end_code = code ? 0 : s->ops->end(s, NULL);
	sink_free(s);
	if (!code && !end_code)
		expect_text(&m,
		            LINE("s", "answer") LINE("s", "answer") LINE("s", "answer") LINE("s", "answer") LINE("s", "answer"));
	memory_release(&m);
	return code ? code : end_code;
}

static void test_faults(void **state)
{
	(void)state;
	assert_true(fault_loop(complete_use) >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),      cmocka_unit_test(test_empty),  cmocka_unit_test(test_when_a_line_leaves),
		cmocka_unit_test(test_unwritable), cmocka_unit_test(test_faults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
