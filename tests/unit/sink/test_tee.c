/* test_tee.c: one record to many sinks, some of which answer later or fail; the document of a run that could not be made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fixture.h"

/* A sink that says done when told to, fails on demand, and counts. */
struct slow_sink {
	struct sink base;
	struct record *open[8];
	size_t open_count, ended, dataset_ended;
	int code;
	bool *freed;
};

static struct slow_sink *slow_of(struct sink *s)
{
	return CONTAINER_OF(s, struct slow_sink, base);
}

static int slow_begin(struct sink *s, struct error *err)
{
	return slow_of(s)->code ? error_set(err, slow_of(s)->code, "slow", "It cannot begin.") : 0;
}

static void slow_record(struct sink *s, struct record *r)
{
	slow_of(s)->open[slow_of(s)->open_count++] = r;
}

static int slow_dataset_end(struct sink *s, const struct dataset_summary *summary, struct error *err)
{
	(void)summary;
	slow_of(s)->dataset_ended++;
	return slow_of(s)->code ? error_set(err, slow_of(s)->code, "slow", "It cannot end the dataset.") : 0;
}

static int slow_end(struct sink *s, struct error *err)
{
	slow_of(s)->ended++;
	return slow_of(s)->code ? error_set(err, slow_of(s)->code, "slow", "It cannot end.") : 0;
}

static void slow_free(struct sink *s)
{
	*slow_of(s)->freed = true;
	test_free(s);
}

static const struct sink_ops slow_ops = { slow_begin, slow_record, slow_dataset_end, slow_end, slow_free, NULL };

static struct slow_sink *slow_new(size_t credits, bool *freed)
{
	struct slow_sink *s = test_calloc(1, sizeof *s);

	*freed = false;
	s->base = (struct sink){ .ops = &slow_ops, .credits = credits };
	s->freed = freed;
	return s;
}

static void slow_answer(struct slow_sink *s, size_t which, int code)
{
	s->open[which]->done(s->open[which], code);
}

static struct sink *response_to(struct memory_output *m)
{
	struct sink_output out = memory_sink_output(m);
	struct sink *s;

	assert_int_equal(sink_response_new(&out, 0, &s), 0);
	return s;
}

static void test_all_get_the_same(void **state)
{
	struct batch batch = plain_batch(STR("q"), STR("x"));
	struct dataset d = plain_dataset(0, STR("s"), &batch, 1);
	struct memory_output a = { 0 }, b = { 0 };
	struct sink *both[] = { response_to(&a), response_to(&b) }, *tee;

	(void)state;
	assert_int_equal(sink_tee_new(both, 2, &tee), 0);
	assert_true(sink_credits(tee) == SIZE_MAX);
	assert_int_equal(tee->ops->begin(tee, NULL), 0);
	assert_int_equal(record_turn(tee, &d, 0, OUTCOME_OK, "answer"), 0);
	assert_int_equal(end_dataset(tee, &d, 1, 1, NULL), 0);
	assert_int_equal(tee->ops->end(tee, NULL), 0);
	assert_non_null(strstr(a.text, "\"assistant\":\"answer\""));
	expect_text(&b, a.text);
	sink_free(tee);
	memory_release(&a);
	memory_release(&b);
}

static void test_done_when_all_are(void **state)
{
	struct batch batch = plain_batch(STR("q"), STR("x"));
	struct dataset d = plain_dataset(0, STR("s"), &batch, 1);
	bool freed[2];
	struct slow_sink *one = slow_new(5, &freed[0]), *two = slow_new(3, &freed[1]);
	struct sink *both[] = { &one->base, &two->base }, *tee;
	struct test_record r[3];

	(void)state;
	assert_int_equal(sink_tee_new(both, 2, &tee), 0);
	assert_int_equal(sink_credits(tee), 3);
	two->base.credits = 0;
	assert_int_equal(sink_credits(tee), 0); /* as it is now, not as it was */
	assert_int_equal(tee->ops->begin(tee, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		r[i] = make_record(&d, 0, OUTCOME_OK, STR("answer"));
		tee->ops->record(tee, &r[i].record);
		assert_int_equal(r[i].done, 0);
	}
	assert_true(str_eq(two->open[1]->result.answer, STR("answer")));
	slow_answer(two, 1, 0); /* in any order */
	slow_answer(one, 0, 0);
	assert_int_equal(r[0].done + r[1].done, 0);
	slow_answer(one, 1, 0);
	assert_int_equal(r[1].done, 1);
	assert_int_equal(r[1].code, 0);
	slow_answer(two, 0, FF_EOUTPUT);
	assert_int_equal(r[0].done, 1);
	assert_int_equal(r[0].code, FF_EOUTPUT);
	slow_answer(one, 2, FF_ENOMEM);
	slow_answer(two, 2, FF_EOUTPUT);
	assert_int_equal(r[2].code, FF_ENOMEM); /* the first failure */
	sink_free(tee);
	assert_true(freed[0] && freed[1]);
}

static void test_others_go_on(void **state)
{
	struct batch batch = plain_batch(STR("q"), STR("x"));
	struct dataset d = plain_dataset(0, STR("s"), &batch, 1);
	struct memory_output bad = { .fail_at = 1 }, good = { 0 };
	bool freed;
	struct slow_sink *slow = slow_new(9, &freed);
	struct sink *three[] = { response_to(&bad), &slow->base, response_to(&good) }, *tee;
	struct test_record r = make_record(&d, 0, OUTCOME_OK, STR("answer"));
	struct error err = { 0 };

	(void)state;
	assert_int_equal(sink_tee_new(three, 3, &tee), 0);
	assert_int_equal(tee->ops->begin(tee, &err), 0);
	tee->ops->record(tee, &r.record);
	slow_answer(slow, 0, 0);
	assert_int_equal(r.done, 1);
	slow->code = FF_EIO;
	assert_int_equal(end_dataset(tee, &d, 1, 1, &err), FF_EIO);
	assert_string_equal(err.text, "It cannot end the dataset.");
	assert_int_equal(tee->ops->end(tee, &err), FF_EOUTPUT); /* the first in the order of the sinks */
	assert_string_equal(err.text, "The output cannot be written: No space left on device.");
	assert_int_equal(slow->ended, 1);
	assert_non_null(strstr(good.text, "\"total_datasets\":1}\n")); /* whole */
	sink_free(tee);
	memory_release(&good);
}

static void test_begin_fails(void **state)
{
	bool freed[2];
	struct slow_sink *one = slow_new(1, &freed[0]), *two = slow_new(1, &freed[1]);
	struct sink *both[] = { &one->base, &two->base }, *tee;
	struct error err = { 0 };

	(void)state;
	two->code = FF_EOUTPUT;
	assert_int_equal(sink_tee_new(both, 2, &tee), 0);
	assert_int_equal(tee->ops->begin(tee, &err), FF_EOUTPUT);
	assert_string_equal(err.text, "It cannot begin.");
	assert_int_equal(tee->ops->begin(tee, NULL), FF_EOUTPUT);
	sink_free(tee);
	assert_true(freed[0] && freed[1]);
}

static void test_none_and_one(void **state)
{
	struct batch batch = plain_batch(STR("q"), STR("x"));
	struct dataset d = plain_dataset(0, STR("s"), &batch, 1);
	bool freed;
	struct slow_sink *slow = slow_new(1, &freed);
	struct sink *one[] = { &slow->base }, *tee;

	(void)state;
	assert_int_equal(sink_tee_new(one, 1, &tee), 0);
	assert_ptr_equal(tee, &slow->base); /* nothing between */
	sink_free(tee);
	assert_true(freed);
	assert_int_equal(sink_tee_new(NULL, 0, &tee), 0);
	assert_true(sink_credits(tee) == SIZE_MAX);
	assert_int_equal(tee->ops->begin(tee, NULL), 0);
	assert_int_equal(record_turn(tee, &d, 0, OUTCOME_OK, "dropped"), 0);
	assert_int_equal(end_dataset(tee, &d, 1, 1, NULL), 0);
	assert_int_equal(tee->ops->end(tee, NULL), 0);
	sink_free(tee);
	sink_free(NULL);
}

/* done may record the next turn: the fan that just answered is free for it. */
static struct sink *chained_tee;
static struct test_record chained_next;

static void record_another(struct record *r, int code)
{
	test_record_done(r, code);
	chained_tee->ops->record(chained_tee, &chained_next.record);
}

static void test_done_may_record(void **state)
{
	struct batch batches[] = { plain_batch(STR("q"), STR("x")), plain_batch(STR("q"), STR("x")) };
	struct dataset d = plain_dataset(0, STR("s"), batches, 2);
	struct memory_output a = { 0 }, b = { 0 };
	struct sink *both[] = { response_to(&a), response_to(&b) };
	struct test_record first = make_record(&d, 0, OUTCOME_OK, STR("first"));

	(void)state;
	chained_next = make_record(&d, 1, OUTCOME_OK, STR("second"));
	first.record.done = record_another;
	assert_int_equal(sink_tee_new(both, 2, &chained_tee), 0);
	assert_int_equal(chained_tee->ops->begin(chained_tee, NULL), 0);
	chained_tee->ops->record(chained_tee, &first.record);
	assert_int_equal(first.done + chained_next.done, 2);
	assert_int_equal(end_dataset(chained_tee, &d, 2, 1, NULL), 0);
	assert_int_equal(chained_tee->ops->end(chained_tee, NULL), 0);
	assert_non_null(strstr(a.text, "second"));
	expect_text(&b, a.text);
	sink_free(chained_tee);
	memory_release(&a);
	memory_release(&b);
}

static void test_failure_document(void **state)
{
	struct memory_output m = { 0 };
	struct sink_output out = memory_sink_output(&m);

	(void)state;
	assert_int_equal(sink_write_failure(&out, 0, STR("No \"datasets\"\nprovided")), 0);
	expect_text(&m, "{\"success\":false,\"error\":\"No \\\"datasets\\\"\\nprovided\"}\n");
	memory_release(&m);
	assert_int_equal(sink_write_failure(&out, 2, STR("No datasets provided")), 0);
	expect_text(&m, "{\n  \"success\": false,\n  \"error\": \"No datasets provided\"\n}\n");
	memory_release(&m);
	m.fail_at = 1;
	assert_int_equal(sink_write_failure(&out, 0, STR("x")), FF_EOUTPUT);
	memory_release(&m);
}

#include "../base/fault_loop.h"

static int complete_use(void)
{
	struct batch batch = plain_batch(STR("q"), STR("x"));
	struct dataset d = plain_dataset(0, STR("s"), &batch, 1);
	struct memory_output a = { 0 }, b = { 0 };
	struct sink_output out[] = { memory_sink_output(&a), memory_sink_output(&b) };
	struct sink *both[2] = { NULL, NULL }, *tee = NULL;
	int code = sink_response_new(&out[0], 0, &both[0]), next;

	code = code ? code : sink_jsonl_new(&out[1], &both[1]);
	if (code) {
		sink_free(both[0]);
		return code;
	}
	code = sink_tee_new(both, 2, &tee); /* has freed both when it fails */
	if (code)
		return code;
	code = tee->ops->begin(tee, NULL);
	if (!code)
		code = record_turn(tee, &d, 0, OUTCOME_OK, "answer");
	next = code ? 0 : end_dataset(tee, &d, 1, 1, NULL);
	code = code ? code : next;
	next = code ? 0 : tee->ops->end(tee, NULL);
	code = code ? code : next;
	sink_free(tee);
	if (!code && (!strstr(a.text, "\"answer\"") || !strstr(b.text, "\"answer\"")))
		fail_msg("nothing was reported, but the answer is not in both documents");
	memory_release(&a);
	memory_release(&b);
	return code;
}

static int failure_document(void)
{
	struct memory_output m = { 0 };
	struct sink_output out = memory_sink_output(&m);
	int code = sink_write_failure(
	        &out, 2, STR("No datasets provided, and a sentence that is long enough to make the buffer grow twice"));

	memory_release(&m);
	return code;
}

static void test_faults(void **state)
{
	(void)state;
	assert_true(fault_loop(complete_use) >= 8);
	assert_true(fault_loop(failure_document) >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_get_the_same), cmocka_unit_test(test_done_when_all_are),
		cmocka_unit_test(test_others_go_on),     cmocka_unit_test(test_begin_fails),
		cmocka_unit_test(test_none_and_one),     cmocka_unit_test(test_done_may_record),
		cmocka_unit_test(test_failure_document), cmocka_unit_test(test_faults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
