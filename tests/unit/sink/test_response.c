/* test_response.c: the response document: exact text, input order whatever the order of the answers, and what is left when something fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rand.h"
#include "fixture.h"
#include "model/json.h"
#include "sink/ordered.h"

#define BATCH(qa, query, assistant)                                                                          \
	"{\"ground_truth_assistant\":\"gt\",\"logprobs\":{},\"observation\":null,\"assistant\":\"" assistant \
	"\",\"query\":\"" query "\",\"agentic\":{},\"ground_truth_agentic\":{},\"qa_id\":\"" qa "\",\"weight\":null}"
#define DATASET(id, batches)    \
	"{\"session_id\":\"" id \
	"\",\"assistant_id\":\"target\",\"language\":\"english\",\"context\":\"\",\"conversation\":[" batches "]}"
#define SUMMARY(id, n, ok, bad, total, average)                                                     \
	"{\"session_id\":\"" id "\",\"total_batches\":" n ",\"successes\":" ok ",\"failures\":" bad \
	",\"total_execution_time_ms\":" total ",\"avg_batch_time_ms\":" average "}"
#define RESPONSE(datasets, summaries, total) \
	"{\"success\":true,\"datasets\":[" datasets "],\"summaries\":[" summaries "],\"total_datasets\":" total "}\n"

static struct sink *open_response(struct memory_output *m, unsigned indent)
{
	struct sink_output out = memory_sink_output(m);
	struct sink *s;

	assert_int_equal(sink_response_new(&out, indent, &s), 0);
	assert_int_equal(s->ops->begin(s, NULL), 0);
	assert_true(sink_credits(s) == SIZE_MAX);
	assert_int_equal(m->writes, 0); /* the run may still turn out void */
	return s;
}

static void finish(struct sink *s)
{
	struct error err = { 0 };

	if (s->ops->end(s, &err))
		fail_msg("end failed: %s", err.text);
	sink_free(s);
}

/* Three datasets, the second without a turn: the counts and the order of the summaries, floats where the reference has floats. */
static void test_three_datasets(void **state)
{
	struct batch first[] = { plain_batch(STR("q1"), STR("2+2?")), plain_batch(STR("q2"), STR("x")) };
	struct batch third[] = { plain_batch(STR("q1"), STR("2+2?")) };
	struct dataset d[] = { plain_dataset(0, STR("s1"), first, 2), plain_dataset(1, STR("s2"), NULL, 0),
		               plain_dataset(2, STR("s3"), third, 1) };
	struct memory_output m = { 0 };
	struct sink *s = open_response(&m, 0);

	(void)state;
	assert_int_equal(record_turn(s, &d[0], 0, OUTCOME_OK, "4"), 0);
	assert_int_equal(record_turn(s, &d[0], 1, OUTCOME_TIMEOUT, "openai: no reply within 5 s"), 0);
	assert_int_equal(end_dataset(s, &d[0], 1, 1234.5, NULL), 0);
	assert_int_equal(end_dataset(s, &d[1], 0, 0, NULL), 0);
	assert_int_equal(record_turn(s, &d[2], 0, OUTCOME_EMPTY, ""), 0);
	assert_int_equal(end_dataset(s, &d[2], 1, 7, NULL), 0);
	finish(s);
	expect_text(&m,
	            RESPONSE(DATASET("s1",
	                             BATCH("q1", "2+2?", "4") "," BATCH(
	                                     "q2", "x",
	                                     "[ERROR] openai: no reply within 5 s")) "," DATASET("s2",
	                                                                                         "") "," DATASET("s3",
	                                                                                                         BATCH("q1", "2+2?",
	                                                                                                               "")),
	                     SUMMARY("s1", "2", "1", "1", "1234.5", "617.25") "," SUMMARY(
	                             "s2", "0", "0", "0", "0.0", "0") "," SUMMARY("s3", "1", "1", "0", "7.0", "7.0"),
	                     "3"));
	memory_release(&m);
}

static void test_no_dataset(void **state)
{
	struct memory_output m = { 0 };

	(void)state;
	finish(open_response(&m, 0));
	expect_text(&m, RESPONSE("", "", "0"));
	memory_release(&m);
	finish(open_response(&m, 2));
	expect_text(&m, "{\n  \"success\": true,\n  \"datasets\": [],\n  \"summaries\": [],\n  \"total_datasets\": 0\n}\n");
	memory_release(&m);
}

#define INDENTED_DATASET(id, answer, end)                 \
	"    {\n"                                         \
	"      \"session_id\": \"" id "\",\n"             \
	"      \"assistant_id\": \"target\",\n"           \
	"      \"language\": \"english\",\n"              \
	"      \"context\": \"\",\n"                      \
	"      \"conversation\": [\n"                     \
	"        {\n"                                     \
	"          \"ground_truth_assistant\": \"gt\",\n" \
	"          \"logprobs\": {},\n"                   \
	"          \"observation\": null,\n"              \
	"          \"assistant\": \"" answer "\",\n"      \
	"          \"query\": \"x\",\n"                   \
	"          \"agentic\": {},\n"                    \
	"          \"ground_truth_agentic\": {},\n"       \
	"          \"qa_id\": \"q1\",\n"                  \
	"          \"weight\": null\n"                    \
	"        }\n"                                     \
	"      ]\n"                                       \
	"    }" end "\n"

/* As json.dumps(..., indent=2), both for the dataset that is written as it comes and for the one that waited as text. */
static void test_indented(void **state)
{
	struct batch batches[] = { plain_batch(STR("q1"), STR("x")) };
	struct dataset d[] = { plain_dataset(0, STR("s1"), batches, 1), plain_dataset(1, STR("s2"), batches, 1) };
	struct memory_output m = { 0 };
	struct sink *s = open_response(&m, 2);

	(void)state;
	assert_int_equal(record_turn(s, &d[1], 0, OUTCOME_OK, "second"), 0);
	assert_int_equal(end_dataset(s, &d[1], 1, 2, NULL), 0);
	assert_int_equal(record_turn(s, &d[0], 0, OUTCOME_OK, "first"), 0);
	assert_int_equal(end_dataset(s, &d[0], 1, 0.1, NULL), 0);
	finish(s);
	expect_text(&m, "{\n  \"success\": true,\n  \"datasets\": [\n" INDENTED_DATASET("s1", "first", ",") INDENTED_DATASET(
	                        "s2", "second",
	                        "") "  ],\n  \"summaries\": [\n"
	                            "    {\n      \"session_id\": \"s1\",\n      \"total_batches\": 1,\n"
	                            "      \"successes\": 1,\n      \"failures\": 0,\n"
	                            "      \"total_execution_time_ms\": 0.1,\n      \"avg_batch_time_ms\": 0.1\n    },\n"
	                            "    {\n      \"session_id\": \"s2\",\n      \"total_batches\": 1,\n"
	                            "      \"successes\": 1,\n      \"failures\": 0,\n"
	                            "      \"total_execution_time_ms\": 2.0,\n      \"avg_batch_time_ms\": 2.0\n    }\n"
	                            "  ],\n  \"total_datasets\": 2\n}\n");
	memory_release(&m);
}

/* Opaque values and number text leave as they came; text is escaped; every outcome that is no answer gets the prefix. */
static void test_values(void **state)
{
	struct json inner[] = { json_text_of(JSON_NUMBER, STR("0.10")), json_text_of(JSON_NUMBER, STR("1E5")) };
	struct json_member member = { STR("n"), { .type = JSON_ARRAY, .count = 2, .items = inner } };
	struct batch batches[OUTCOME_COUNT];
	struct dataset d = plain_dataset(0, STR("s\"1"), batches, OUTCOME_COUNT);
	struct memory_output m = { 0 };
	struct sink *s = open_response(&m, 0);

	(void)state;
	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		batches[i] = plain_batch(STR("q"), STR("a\nb\0c"));
	batches[0].logprobs = (struct json){ .type = JSON_OBJECT, .count = 1, .members = &member };
	batches[0].observation = json_text_of(JSON_STRING, STR("o\xE2\x80\xA8"));
	batches[0].weight = json_text_of(JSON_NUMBER, STR("18446744073709551616"));
	batches[0].agentic = (struct json){ .type = JSON_NULL };
	d.language = (struct json){ .type = JSON_NULL };
	for (size_t i = 0; i < OUTCOME_COUNT; i++)
		assert_int_equal(record_turn(s, &d, i, (enum outcome)i, outcome_word((enum outcome)i)), 0);
	assert_int_equal(end_dataset(s, &d, 0, 0, NULL), 0);
	finish(s);
	assert_non_null(strstr(m.text, "\"session_id\":\"s\\\"1\",\"assistant_id\":\"target\",\"language\":null,"));
	assert_non_null(strstr(m.text, "\"logprobs\":{\"n\":[0.10,1E5]},\"observation\":\"o\xE2\x80\xA8\",\"assistant\":\"ok\""));
	assert_non_null(strstr(m.text, "\"query\":\"a\\nb\\u0000c\",\"agentic\":null,"));
	assert_non_null(strstr(m.text, "\"weight\":18446744073709551616}"));
	for (size_t i = 0; i < OUTCOME_COUNT; i++) {
		char expected[64];

		snprintf(expected, sizeof expected, "\"assistant\":\"%s%s\"", outcome_is_success((enum outcome)i) ? "" : "[ERROR] ",
		         outcome_word((enum outcome)i));
		if (!strstr(m.text, expected))
			fail_msg("outcome %s: %s is missing", outcome_word((enum outcome)i), expected);
	}
	memory_release(&m);
}

/* A runner that changed the batch: its batch is written whole, in order or not, also as the first of its dataset. */
static void test_replacement(void **state)
{
	static const size_t orders[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 0, 2 } };
	struct batch batches[] = { plain_batch(STR("q0"), STR("x")), plain_batch(STR("q1"), STR("x")),
		                   plain_batch(STR("q2"), STR("x")) };
	struct dataset d[] = { plain_dataset(0, STR("s0"), NULL, 0), plain_dataset(1, STR("s1"), batches, 3) };

	(void)state;
	for (size_t o = 0; o < 2 * ARRAY_SIZE(orders); o++) {
		struct memory_output m = { 0 };
		struct sink *s = open_response(&m, 0);

		if (o < ARRAY_SIZE(orders)) /* else the dataset is not the head */
			assert_int_equal(end_dataset(s, &d[0], 0, 0, NULL), 0);
		for (size_t i = 0; i < 3; i++) {
			size_t batch = orders[o % ARRAY_SIZE(orders)][i];
			struct test_record r = make_record(&d[1], batch, OUTCOME_OK, STR("not used"));
			struct batch changed = plain_batch(STR("changed"), STR("by the runner"));

			changed.assistant = STR("mine");
			r.record.result.replacement = &changed;
			if (batch == 1)
				assert_int_equal(record_turn(s, &d[1], batch, OUTCOME_OK, "plain"), 0);
			else
				assert_int_equal(record_result(s, &r.record.result), 0);
			memset(&changed, 0, sizeof changed); /* gone after done */
		}
		assert_int_equal(end_dataset(s, &d[1], 3, 3, NULL), 0);
		if (o >= ARRAY_SIZE(orders))
			assert_int_equal(end_dataset(s, &d[0], 0, 0, NULL), 0);
		finish(s);
		expect_text(&m,
		            RESPONSE(DATASET("s0", "") "," DATASET(
		                             "s1", BATCH("changed", "by the runner", "mine") "," BATCH(
		                                           "q1", "x", "plain") "," BATCH("changed", "by the runner", "mine")),
		                     SUMMARY("s0", "0", "0", "0", "0.0", "0") "," SUMMARY("s1", "3", "3", "0", "3.0", "1.0"), "2"));
		memory_release(&m);
	}
}

/* ---- order ---- */

enum { DATASETS = 40, MOST_BATCHES = 12, TURNS_MOST = DATASETS * MOST_BATCHES };

struct world {
	struct batch batches[DATASETS][MOST_BATCHES];
	struct dataset datasets[DATASETS];
	char answers[TURNS_MOST][16];
	struct {
		size_t dataset, batch;
	} turns[TURNS_MOST];
	size_t turn_count;
};

static void world_init(struct world *w)
{
	w->turn_count = 0;
	for (size_t i = 0; i < DATASETS; i++) {
		w->datasets[i] = plain_dataset(i, STR("session"), w->batches[i], i % (MOST_BATCHES + 1));
		for (size_t k = 0; k < w->datasets[i].batch_count; k++) {
			w->batches[i][k] = plain_batch(STR("q"), STR("x"));
			w->turns[w->turn_count].dataset = i;
			w->turns[w->turn_count++].batch = k;
		}
	}
}

/* Records all turns in the order of `turns` and ends each dataset at its last one, those without a turn first. */
static int world_run(const struct world *w, struct sink *s, char *big, size_t big_len)
{
	size_t left[DATASETS];
	int first = 0;

	for (size_t i = 0; i < DATASETS; i++) {
		left[i] = w->datasets[i].batch_count;
		if (!left[i]) {
			int code = end_dataset(s, &w->datasets[i], 0, 0, NULL);
			first = first ? first : code;
		}
	}
	for (size_t t = 0; t < w->turn_count; t++) {
		size_t i = w->turns[t].dataset, k = w->turns[t].batch;
		struct test_record r = make_record(&w->datasets[i], k, k % 5 == 4 ? OUTCOME_HTTP_5XX : OUTCOME_OK, STR_NULL);
		char answer[64];
		int code;

		snprintf(answer, sizeof answer, "answer %zu.%zu ", i, k);
		r.record.result.answer = str_from(answer);
		if (big && k == 3) { /* an answer that fills pieces by itself */
			memset(big, 'a' + (int)(i % 26), big_len);
			r.record.result.answer = str_of(big, big_len);
		}
		code = record_result(s, &r.record.result);
		memset(answer, '!', sizeof answer); /* the caller's memory is gone after done */
		first = first ? first : code;
		if (--left[i] == 0) {
			code = end_dataset(s, &w->datasets[i], w->datasets[i].batch_count, 10.0 * (double)i, NULL);
			first = first ? first : code;
		}
	}
	return first;
}

static void shuffle(struct world *w, struct rand *r)
{
	for (size_t t = w->turn_count; t > 1; t--) {
		size_t other = rand_u32(r) % t, dataset = w->turns[t - 1].dataset, batch = w->turns[t - 1].batch;

		w->turns[t - 1] = w->turns[other];
		w->turns[other].dataset = dataset;
		w->turns[other].batch = batch;
	}
}

static void test_any_order_gives_the_same_document(void **state)
{
	static char big[100000];
	static struct world w;
	struct memory_output expected = { 0 };
	struct rand r;
	struct sink *s;

	(void)state;
	rand_init(&r, 5);
	for (unsigned round = 0; round < 60; round++) {
		struct memory_output m = { 0 };
		unsigned indent = round % 2 * 2;
		size_t big_len = round % 3 == 0 ? sizeof big : 700 * (round % 3);

		world_init(&w);
		s = open_response(&expected, indent);
		assert_int_equal(world_run(&w, s, big, big_len), 0);
		finish(s);
		shuffle(&w, &r);
		s = open_response(&m, indent);
		assert_int_equal(world_run(&w, s, big, big_len), 0);
		finish(s);
		if (m.len != expected.len || memcmp(m.text, expected.text, m.len) != 0)
			fail_msg("round %u: %zu bytes in a shuffled order, %zu in input order, or other ones", round, m.len,
			         expected.len);
		memory_release(&m);
		memory_release(&expected);
	}
}

/* The document reads back, with every turn in its place. */
static void test_reads_back(void **state)
{
	static struct world w;
	struct memory_output m = { 0 };
	struct arena a = ARENA_INIT;
	struct json root;
	struct rand r;
	struct sink *s = open_response(&m, 2);
	const struct json *datasets;

	(void)state;
	rand_init(&r, 9);
	world_init(&w);
	shuffle(&w, &r);
	assert_int_equal(world_run(&w, s, NULL, 0), 0);
	finish(s);
	assert_int_equal(json_parse(&a, str_of(m.text, m.len), NULL, &root, NULL, NULL), 0);
	datasets = json_get_lit(&root, "datasets");
	assert_int_equal(datasets->count, DATASETS);
	for (uint32_t i = 0; i < DATASETS; i++) {
		const struct json *conversation = json_get_lit(&datasets->items[i], "conversation");

		assert_int_equal(conversation->count, i % (MOST_BATCHES + 1));
		for (uint32_t k = 0; k < conversation->count; k++) {
			char expected[64];

			snprintf(expected, sizeof expected, "%sanswer %u.%u ", k % 5 == 4 ? "[ERROR] " : "", i, k);
			assert_true(str_eq(json_get_lit(&conversation->items[k], "assistant")->text, str_from(expected)));
		}
	}
	assert_int_equal(json_get_lit(&root, "summaries")->count, DATASETS);
	arena_release(&a);
	memory_release(&m);
}

/* A run of a part of the input: what lies behind a gap comes at the end, still in order. */
static void test_gaps(void **state)
{
	struct dataset d[] = { plain_dataset(9, STR("s9"), NULL, 0), plain_dataset(2, STR("s2"), NULL, 0),
		               plain_dataset(5000000000, STR("last"), NULL, 0), plain_dataset(0, STR("s0"), NULL, 0) };
	struct memory_output m = { 0 };
	struct sink *s = open_response(&m, 0);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(d); i++)
		assert_int_equal(end_dataset(s, &d[i], 0, 0, NULL), 0);
	finish(s);
	expect_text(&m, RESPONSE(DATASET("s0", "") "," DATASET("s2", "") "," DATASET("s9", "") "," DATASET("last", ""),
	                         SUMMARY("s0", "0", "0", "0", "0.0", "0") "," SUMMARY("s2", "0", "0", "0", "0.0", "0") "," SUMMARY(
	                                 "s9", "0", "0", "0", "0.0", "0") "," SUMMARY("last", "0", "0", "0", "0.0", "0"),
	                         "4"));
	memory_release(&m);
}

/* A long conversation leaves piece by piece while it runs; nothing of what was written stays in memory. */
static void test_streams(void **state)
{
	enum { COUNT = 5000 };
	static struct batch batches[COUNT];
	struct dataset d = plain_dataset(0, STR("long"), batches, COUNT);
	struct memory_output m = { 0 };
	struct sink *s = open_response(&m, 0);
	const struct ordered *o = CONTAINER_OF(s, struct ordered, base);

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		batches[i] = plain_batch(STR("q"), STR("x"));
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(record_turn(s, &d, i, OUTCOME_OK, "an answer"), 0);
		if (o->out.buf.len > 2 * OUT_PIECE_BYTES)
			fail_msg("%zu bytes wait for being written after turn %zu", o->out.buf.len, i);
	}
	assert_true(m.len > COUNT * 100); /* before the dataset has ended */
	assert_int_equal(end_dataset(s, &d, COUNT, 1, NULL), 0);
	assert_int_equal(o->open.count, 0);
	finish(s);
	memory_release(&m);
}

/* Many small datasets in order: nothing but the summaries grows. */
static void test_nothing_waits(void **state)
{
	struct batch batch = plain_batch(STR("q"), STR("x"));
	struct memory_output m = { 0 };
	struct sink *s = open_response(&m, 0);
	const struct ordered *o = CONTAINER_OF(s, struct ordered, base);

	(void)state;
	for (size_t i = 0; i < 3000; i++) {
		struct dataset d = plain_dataset(i ^ 1, STR("s"), &batch, 1); /* 1, 0, 3, 2, … */

		assert_int_equal(record_turn(s, &d, 0, OUTCOME_OK, "a"), 0);
		assert_int_equal(end_dataset(s, &d, 1, 1, NULL), 0);
		if (o->open.count > 1)
			fail_msg("%zu datasets wait; expected one at most", o->open.count);
	}
	assert_true(o->open.room <= 16);
	assert_true(o->order.room <= 16);
	finish(s);
	memory_release(&m);
}

/* ---- failures ---- */

static void test_unwritable(void **state)
{
	static struct world w;
	static char big[20000];
	struct memory_output whole = { 0 };
	struct sink *s = open_response(&whole, 0);

	(void)state;
	world_init(&w);
	assert_int_equal(world_run(&w, s, big, sizeof big), 0);
	finish(s);
	assert_true(whole.writes >= 5);
	for (size_t fail_at = 1; fail_at <= whole.writes; fail_at++) {
		struct memory_output m = { .fail_at = fail_at };
		struct error err = { 0 };
		int code;

		s = open_response(&m, 0);
		code = world_run(&w, s, big, sizeof big);
		if (code != 0 && code != FF_EOUTPUT)
			fail_msg("write %zu failed: code %s; expected FF_EOUTPUT", fail_at, error_code_name(code));
		assert_int_equal(s->ops->end(s, &err), FF_EOUTPUT);
		assert_int_equal(err.code, FF_EOUTPUT);
		assert_string_equal(err.text, "The output cannot be written: No space left on device.");
		assert_int_equal(m.writes, fail_at); /* not tried again: a document with a hole is worse than a cut one */
		if (m.len && memcmp(m.text, whole.text, m.len) != 0)
			fail_msg("what was written before write %zu is not the beginning of the document", fail_at);
		sink_free(s);
		memory_release(&m);
	}
	memory_release(&whole);
}

static void test_unwritable_is_told_by_every_call(void **state)
{
	struct batch batch = plain_batch(STR("q"), STR("x"));
	struct dataset d = plain_dataset(0, STR("s"), &batch, 1);
	static char big[200000];
	struct memory_output m = { .fail_at = 1 };
	struct test_record r = make_record(&d, 0, OUTCOME_OK, str_of(big, sizeof big));
	struct sink *s = open_response(&m, 0);
	struct error err = { 0 };

	(void)state;
	memset(big, 'b', sizeof big);
	assert_int_equal(record_result(s, &r.record.result), FF_EOUTPUT);
	assert_int_equal(end_dataset(s, &d, 1, 1, &err), FF_EOUTPUT);
	assert_string_equal(err.text, "The output cannot be written: No space left on device.");
	assert_int_equal(record_result(s, &r.record.result), FF_EOUTPUT);
	assert_int_equal(s->ops->end(s, NULL), FF_EOUTPUT);
	sink_free(s);
	memory_release(&m);
}

static void test_dataset_without_end(void **state)
{
	struct batch batches[] = { plain_batch(STR("q"), STR("x")), plain_batch(STR("q"), STR("x")) };
	struct dataset d = plain_dataset(0, STR("s"), batches, 2);
	struct memory_output m = { 0 };
	struct sink *s = open_response(&m, 0);
	struct error err = { 0 };

	(void)state;
	assert_int_equal(record_turn(s, &d, 1, OUTCOME_OK, "a"), 0);
	assert_int_equal(s->ops->end(s, &err), FF_EINTERNAL);
	assert_true(strlen(err.text) > 0);
	sink_free(s);
	memory_release(&m);
}

/* A turn that was never recorded (its record failed) is a failed turn in the document, not a missing one. */
static void test_missing_turn(void **state)
{
	struct batch batches[] = { plain_batch(STR("q0"), STR("x")), plain_batch(STR("q1"), STR("x")) };
	struct dataset d[] = { plain_dataset(0, STR("s0"), batches, 2), plain_dataset(1, STR("s1"), batches, 1) };
	struct memory_output m = { 0 };
	struct sink *s = open_response(&m, 0);

	(void)state;
	assert_int_equal(end_dataset(s, &d[1], 0, 0, NULL), 0);
	assert_int_equal(record_turn(s, &d[0], 1, OUTCOME_OK, "a"), 0);
	assert_int_equal(end_dataset(s, &d[0], 1, 1, NULL), 0);
	finish(s);
	expect_text(&m,
	            RESPONSE(DATASET("s0", BATCH("q0", "x", "[ERROR] The answer could not be kept: out of memory.") "," BATCH(
	                                           "q1", "x",
	                                           "a")) "," DATASET("s1",
	                                                             BATCH("q0", "x",
	                                                                   "[ERROR] The answer could not be kept: out of memory.")),
	                     SUMMARY("s0", "2", "1", "1", "1.0", "0.5") "," SUMMARY("s1", "1", "0", "1", "0.0", "0.0"), "2"));
	memory_release(&m);
}

#include "../base/fault_loop.h"

static struct world fault_world;
static char *expected_document;
static char fault_big[70000];

/* A complete run, shuffled, with big answers and a batch that was replaced. When nothing is reported, the document must be whole and right. */
static int complete_use(void)
{
	struct memory_output m = { 0 };
	struct sink_output out = memory_sink_output(&m);
	struct sink *s;
	int code = sink_response_new(&out, 2, &s), end_code;

	if (code)
		return code;
	code = s->ops->begin(s, NULL);
	if (!code) {
		code = world_run(&fault_world, s, fault_big, sizeof fault_big);
		end_code = s->ops->end(s, NULL);
		code = code ? code : end_code;
	}
	sink_free(s);
	if (!code && (!m.text || strcmp(m.text, expected_document) != 0))
		fail_msg("nothing was reported, but the document is wrong");
	memory_release(&m);
	return code;
}

static void test_faults(void **state)
{
	struct memory_output m = { 0 };
	struct sink *s = open_response(&m, 2);
	struct rand r;

	(void)state;
	rand_init(&r, 1);
	world_init(&fault_world);
	assert_int_equal(world_run(&fault_world, s, fault_big, sizeof fault_big), 0);
	finish(s);
	expected_document = m.text;
	shuffle(&fault_world, &r);
	assert_true(fault_loop(complete_use) > 50);
	memory_release(&m);
}

/* Answers that are larger than the output buffer: what was half written when memory ran out must be taken back. */
static char huge[300000];

static int huge_use(void)
{
	struct batch batches[] = { plain_batch(STR("q0"), STR("x")), plain_batch(STR("q1"), STR("x")),
		                   plain_batch(STR("q2"), STR("x")) };
	struct dataset d[] = { plain_dataset(0, STR("s0"), batches, 3), plain_dataset(1, STR("s1"), batches, 2),
		               plain_dataset(2, STR("s2"), batches, 1) };
	struct memory_output m = { 0 };
	struct sink_output out = memory_sink_output(&m);
	struct sink *s;
	int codes[10] = { 0 }, code;

	code = sink_response_new(&out, 0, &s);
	if (code)
		return code;
	codes[0] = s->ops->begin(s, NULL);
	if (!codes[0]) {
		codes[1] = record_turn(s, &d[1], 0, OUTCOME_OK, huge);
		codes[2] = record_turn(s, &d[0], 0, OUTCOME_OK, huge); /* the first of its dataset: no comma before it */
		codes[3] = record_turn(s, &d[0], 1, OUTCOME_OK, "small");
		codes[4] = record_turn(s, &d[1], 1, OUTCOME_TRANSPORT, huge);
		codes[5] = end_dataset(s, &d[1], 1, 1, NULL);
		codes[6] = record_turn(s, &d[0], 2, OUTCOME_HTTP_4XX, huge);
		codes[7] = end_dataset(s, &d[0], 2, 1.5, NULL);
		codes[8] = record_turn(s, &d[2], 0, OUTCOME_OK, huge);
		code = end_dataset(s, &d[2], 1, 1, NULL);
		codes[9] = code ? code : s->ops->end(s, NULL);
	}
	sink_free(s);
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		code = code ? code : codes[i];
	if (!code && !expected_document) {
		expected_document = test_malloc(m.len + 1);
		memcpy(expected_document, m.text, m.len + 1);
	} else if (!code && strcmp(m.text, expected_document) != 0) {
		fail_msg("nothing was reported, but the document is wrong");
	}
	memory_release(&m);
	return code;
}

/* An answer that cannot be written for lack of memory just now is not lost: it is tried again. */
static void test_memory_comes_back(void **state)
{
	struct batch batches[] = { plain_batch(STR("q0"), STR("x")), plain_batch(STR("q1"), STR("x")),
		                   plain_batch(STR("q2"), STR("x")) };
	struct dataset d = plain_dataset(0, STR("s"), batches, 3);
	struct memory_output m = { 0 };
	struct sink *s = open_response(&m, 0);

	(void)state;
	memset(huge, 'h', sizeof huge - 1);
	assert_int_equal(record_turn(s, &d, 1, OUTCOME_OK, huge), 0); /* waits as a copy */
	mem_fault_arm(1, true);
	assert_int_equal(record_turn(s, &d, 0, OUTCOME_OK, "small"), 0); /* needs no memory; what waits behind it would */
	assert_true(mem_fault_hits() > 0);
	mem_fault_arm(0, false);
	assert_int_equal(record_turn(s, &d, 2, OUTCOME_OK, "last"), 0);
	assert_int_equal(end_dataset(s, &d, 3, 3, NULL), 0);
	finish(s);
	assert_int_equal(
	        m.len,
	        strlen(RESPONSE(DATASET("s", BATCH("q0", "x", "small") "," BATCH("q1", "x", "") "," BATCH("q2", "x", "last")),
	                        SUMMARY("s", "3", "3", "0", "3.0", "1.0"), "1")) +
	                strlen(huge));
	assert_non_null(strstr(m.text, huge));
	memory_release(&m);
}

static void test_faults_with_huge_answers(void **state)
{
	struct arena a = ARENA_INIT;
	struct json root;

	(void)state;
	memset(huge, 'h', sizeof huge - 1);
	expected_document = NULL;
	assert_int_equal(huge_use(), 0);
	assert_int_equal(json_parse(&a, str_from(expected_document), NULL, &root, NULL, NULL), 0);
	arena_release(&a);
	assert_true(fault_loop(huge_use) >= 10);
	test_free(expected_document);
	expected_document = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_three_datasets),
		cmocka_unit_test(test_no_dataset),
		cmocka_unit_test(test_indented),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_replacement),
		cmocka_unit_test(test_any_order_gives_the_same_document),
		cmocka_unit_test(test_reads_back),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_nothing_waits),
		cmocka_unit_test(test_unwritable),
		cmocka_unit_test(test_unwritable_is_told_by_every_call),
		cmocka_unit_test(test_dataset_without_end),
		cmocka_unit_test(test_missing_turn),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_faults_with_huge_answers),
		cmocka_unit_test(test_memory_comes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
