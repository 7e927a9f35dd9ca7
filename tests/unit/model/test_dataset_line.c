/*
 * test_dataset_line.c: which lines are read straight to a dataset, and that what comes of them is what their JSON values give. A plain line that is
 * not taken is a failure here: it would still be read, but slowly, and nothing else would show it. test_dataset_lines.c reads inputs of several lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../base/fault_loop.h"
#include "base/buf.h"
#include "model/dataset_line.h"
#include "same_dataset.h"

/* Members with a value of their own each, in the order of the schema; the required ones have a bit in the mask. */
static const char *const dataset_members[] = { "\"session_id\":\"s\"", "\"assistant_id\":\"a\"", "\"language\":\"l\"",
	                                       "\"context\":\"c\"", "\"conversation\":[%]" };
#define DATASET_REQUIRED 0x1Bu
static const char *const batch_members[] = {
	"\"ground_truth_assistant\":\"g\"",
	"\"logprobs\":null",
	"\"observation\":\"o\"",
	"\"assistant\":\"b\"",
	"\"query\":\"q\"",
	"\"agentic\":null",
	"\"ground_truth_agentic\":null",
	"\"qa_id\":\"i\"",
	"\"weight\":0.5",
};
#define BATCH_REQUIRED 0x99u

#define BATCH         "{\"ground_truth_assistant\":\"g\",\"assistant\":\"\",\"query\":\"q\",\"qa_id\":\"i\"}"
#define SET_OF(batch) "{\"session_id\":\"s\",\"assistant_id\":\"a\",\"context\":\"\",\"conversation\":[" batch "]}"
/* A line with one more member in the batch, or in the dataset. */
#define IN_BATCH(member)   SET_OF("{\"ground_truth_assistant\":\"g\",\"assistant\":\"\",\"query\":\"q\",\"qa_id\":\"i\"," member "}")
#define IN_DATASET(member) "{\"session_id\":\"s\",\"assistant_id\":\"a\",\"context\":\"\",\"conversation\":[" BATCH "]," member "}"

/* ---- reading a line both ways ---- */

/* In memory that ends with the line, so that the sanitizer sees a look behind it. */
static int take_from(struct arena *arena, struct str line, const struct json_limits *limits, struct field_order *order,
                     struct dataset *ret)
{
	char *copy = arena_alloc(arena, line.len);
	if (!copy)
		return FF_ENOMEM;
	if (line.len)
		memcpy(copy, line.ptr, line.len);
	return dataset_from_line(arena, str_of(copy, line.len), limits, order, ret);
}

/* Through JSON values; the line must be a dataset about which there is nothing to say. */
static struct dataset *take_by_values(struct str line, const struct json_limits *limits)
{
	struct arena arena = ARENA_INIT;
	struct dataset *d = NULL;
	struct problems problems;
	struct json_notes notes;
	struct json value;
	problems_init(&problems);
	if (json_parse_copy(&arena, line, limits, &value, &notes, NULL) || notes.duplicates || notes.lone_surrogates ||
	    dataset_from_json(&arena, &value, "", 0, &problems, &d) || problems.errors)
		fail_msg("%.*s: the test expects a line that is valid and needs no note", STR_ARG(line));
	problems_release(&problems);
	return d;
}

static void assert_same(const struct dataset *got, const struct dataset *expected, struct str line)
{
	const char *field = dataset_difference(got, expected);
	if (field)
		fail_msg("%.*s: the field %s is not what the JSON values give", STR_ARG(line), field);
}

static void assert_plain_after(struct str line, const struct json_limits *limits, struct field_order *order, const char *what)
{
	struct arena arena = ARENA_INIT;
	struct dataset got, *expected = take_by_values(line, limits);
	int code;
	memset(&got, 0xA5, sizeof(got)); /* a field that is not set is no value */
	code = take_from(&arena, line, limits, order, &got);
	if (code != 1)
		fail_msg("%.*s (%s): expected a plain line, got %d", STR_ARG(line), what, code);
	assert_same(&got, expected, line);
	dataset_free(expected);
	arena_release(&arena);
}

static const struct field_order reversed = { { 4, 3, 2, 1, 0 }, { 8, 7, 6, 5, 4, 3, 2, 1, 0 } };

/* Whatever came before. */
static void assert_plain(struct str line)
{
	struct field_order order = { { 0 }, { 0 } };
	assert_plain_after(line, NULL, &order, "the first of all");
	assert_plain_after(line, NULL, &order, "after itself");
	order = reversed;
	assert_plain_after(line, NULL, &order, "after another order");
}

/* The order of a line in which weight and language come last. */
static struct field_order learn_order(void)
{
	static const char line[] =
	        "{\"session_id\":\"s\",\"assistant_id\":\"a\",\"context\":\"\",\"conversation\":[{\"ground_truth_assistant\":\"g\","
	        "\"assistant\":\"\",\"query\":\"q\",\"qa_id\":\"i\",\"weight\":null}],\"language\":null}";
	struct field_order order = { { 0 }, { 0 } };
	assert_plain_after(STR(line), NULL, &order, "to learn its order");
	return order;
}

/* Whatever came before, or it came itself. */
static void assert_not_plain_within(struct str line, const struct json_limits *limits, const char *what)
{
	struct field_order orders[] = { { { 0 }, { 0 } }, reversed, learn_order() };
	for (size_t i = 0; i < 2 * ARRAY_SIZE(orders); i++) {
		struct arena arena = ARENA_INIT;
		struct dataset got;
		int code = take_from(&arena, line, limits, &orders[i / 2], &got);
		if (code != 0)
			fail_msg("%s: %.*s: expected a line that is not plain, got %d (order %zu)", what, STR_ARG(line), code, i);
		arena_release(&arena);
	}
}

static void assert_not_plain(struct str line, const char *what)
{
	assert_not_plain_within(line, NULL, what);
}

/* ---- lines of chosen members ---- */

#define ALL_FIELDS 0x1FFu

/* Which members an object has, in which order, and what follows the last. */
struct picks {
	const char *const *members;
	uint8_t at[FIELDS_MOST + 1];
	size_t count;
	const char *tail;
};

static const uint8_t in_order[FIELDS_MOST] = { 0, 1, 2, 3, 4, 5, 6, 7, 8 };

/* Those of `order` that are in the mask. */
static struct picks pick(const char *const *members, const uint8_t *order, size_t count, unsigned mask)
{
	struct picks p = { .members = members, .count = 0, .tail = "" };
	for (size_t i = 0; i < count; i++)
		if (mask & 1u << order[i])
			p.at[p.count++] = order[i];
	return p;
}

static struct picks pick_dataset(unsigned mask)
{
	return pick(dataset_members, in_order, DATASET_FIELDS, mask);
}

static struct picks pick_batch(unsigned mask)
{
	return pick(batch_members, in_order, BATCH_FIELDS, mask);
}

/* One more in the place `to`. */
static struct picks insert(struct picks p, size_t to, uint8_t field)
{
	memmove(p.at + to + 1, p.at + to, p.count - to);
	p.at[to] = field;
	p.count++;
	return p;
}

/* `conversation` stands in the place of a %. */
static void put_object(struct buf *b, const struct picks *p, struct str conversation)
{
	(void)buf_append_char(b, '{');
	for (size_t i = 0; i < p->count; i++) {
		struct str before = str_from(p->members[p->at[i]]), behind = before;
		before = str_split(&behind, '%');
		(void)buf_append_str(b, i ? STR(",") : STR(""));
		(void)buf_append_str(b, before);
		if (behind.ptr) {
			(void)buf_append_str(b, conversation);
			(void)buf_append_str(b, behind);
		}
	}
	(void)buf_printf(b, "%s}", p->tail);
}

static struct str put_line(struct buf *b, struct picks dataset, struct picks batch)
{
	struct buf inner;
	buf_init(&inner, 4096);
	put_object(&inner, &batch, STR_NULL);
	buf_clear(b);
	put_object(b, &dataset, buf_str(&inner));
	assert_int_equal(buf_failed(b) | buf_failed(&inner), 0);
	buf_release(&inner);
	return buf_str(b);
}

static struct str put_batches(struct buf *b, unsigned count)
{
	buf_clear(b);
	(void)buf_append_str(b, STR("{\"session_id\":\"s\",\"assistant_id\":\"a\",\"context\":\"\",\"conversation\":["));
	for (unsigned i = 0; i < count; i++)
		(void)buf_append_str(b, i ? STR("," BATCH) : STR(BATCH));
	(void)buf_append_str(b, STR("]}"));
	assert_int_equal(buf_failed(b), 0);
	return buf_str(b);
}

/* ---- what is taken ---- */

static void ordinary_lines_are_taken(void **state)
{
	static const char *const lines[] = {
		SET_OF(BATCH),
		"{\"session_id\": \"s\", \"assistant_id\": \"a\", \"language\": \"english\", \"context\": \"c\", \"conversation\": "
		"[{\"qa_id\": \"q1\", \"query\": \"What is 2+2?\", \"assistant\": \"\", \"ground_truth_assistant\": \"4\"}, "
		"{\"qa_id\": \"q2\", \"query\": \"And 3+3?\", \"assistant\": \"\", \"ground_truth_assistant\": \"6\", "
		"\"weight\": 0.5, \"logprobs\": {}, \"agentic\": {}, \"ground_truth_agentic\": {}, \"observation\": null}]}",
		SET_OF(BATCH) "\r",
		SET_OF(BATCH) " \t\r\n ",
		" \t\r\n" SET_OF(BATCH),
		" \t { \r\"session_id\"\t:\t\"s\"\t,\t\"assistant_id\"  :  \"a\"  ,  \"context\"\r:\r\"\"\r,\n\"conversation\" : [ "
		"\t" BATCH "\t , \t" BATCH " \t] \r } \r",
		IN_BATCH("\"agentic\" : { } , \"logprobs\":{\t\r\n}"),
		IN_BATCH("\"agentic\":null,\"logprobs\":null,\"ground_truth_agentic\":null,\"observation\":null,\"weight\":null"),
		IN_BATCH("\"observation\":\"\""),
		IN_DATASET("\"language\":null"),
		IN_DATASET("\"language\":\"\""),
		IN_DATASET("\"language\":\"fran\xC3\xA7\x61is \xE2\x82\xAC \xF0\x9F\x98\x80\""),
		IN_DATASET("\"language\":\"\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u0000 \\u00e9 \\uD83D\\ude00\""),
		IN_DATASET("\"lang\\u0075age\":\"\\u006c\""),
		IN_BATCH("\"\\u006fbservation\":\"a \xE6\x97\xA5\xE6\x9C\xAC and \\n, longer than sixteen bytes\""),
		SET_OF("{\"ground_truth_assistant\":\"\",\"assistant\":\"\",\"query\":\"\",\"qa_id\":\"\"}"),
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_plain(str_from(lines[i]));
}

static void weights_are_those_of_the_values(void **state)
{
	static const char *const weights[] = {
		"0",      "1",       "-0",    "-0.0",        "0.10",    "1E5",          "1e+308",           "18446744073709551616",
		"null",   "1e-400",  "\"1\"", "\"\\t1\\n\"", "\"1_0\"", "\"\\u00a01\"", "\"\xC2\xA0\x31\"", "\"-1e-400\"",
		"5e-324", "\"+.5\"",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(weights); i++) {
		char line[512];
		(void)snprintf(line, sizeof(line), IN_BATCH("\"weight\":%s"), weights[i]);
		assert_plain(str_from(line));
		(void)snprintf(line, sizeof(line), IN_BATCH("\"weight\" : %s , \"observation\":null"), weights[i]);
		assert_plain(str_from(line));
	}
}

static void assert_str(struct str got, const char *expected)
{
	if (!str_eq(got, str_from(expected)))
		fail_msg("expected \"%s\", got \"%.*s\"", expected, STR_ARG(got));
}

/* Not by comparison: what stands in the line. The rest of the dataset is the caller's. */
static void the_fields_are_filled_and_nothing_else(void **state)
{
	struct arena arena = ARENA_INIT;
	struct field_order order = { { 0 }, { 0 } };
	struct dataset d;
	const struct batch *b;
	struct buf line;
	(void)state;
	buf_init(&line, 4096);
	(void)put_line(&line, pick_dataset(ALL_FIELDS), pick_batch(ALL_FIELDS));
	d.index = 77;
	d.arena = (struct arena){ NULL, 99 };
	assert_int_equal(dataset_from_line(&arena, buf_str(&line), NULL, &order, &d), 1);
	assert_int_equal(d.index, 77);
	assert_int_equal(d.arena.used, 99);
	assert_str(d.session_id, "s");
	assert_str(d.assistant_id, "a");
	assert_int_equal(d.language.type, JSON_STRING);
	assert_str(d.language.text, "l");
	assert_str(d.context, "c");
	assert_int_equal(d.batch_count, 1);
	b = d.batches;
	assert_str(b->ground_truth_assistant, "g");
	assert_int_equal(b->logprobs.type, JSON_NULL);
	assert_str(b->observation.text, "o");
	assert_str(b->assistant, "b");
	assert_str(b->query, "q");
	assert_int_equal(b->agentic.type, JSON_NULL);
	assert_int_equal(b->ground_truth_agentic.type, JSON_NULL);
	assert_str(b->qa_id, "i");
	assert_int_equal(b->weight.type, JSON_NUMBER);
	assert_str(b->weight.text, "0.5");
	assert_ptr_equal(d.session_id.ptr, line.ptr + str_find(buf_str(&line), STR("\"s\""), 0) + 1); /* referenced */
	arena_release(&arena);
	buf_release(&line);
}

static void batches_keep_their_order(void **state)
{
	struct arena arena = ARENA_INIT;
	struct field_order order = { { 0 }, { 0 } };
	struct dataset d;
	(void)state;
	assert_int_equal(dataset_from_line(&arena,
	                                   STR(SET_OF("{\"qa_id\":\"1\",\"weight\":1,\"query\":\"q\",\"assistant\":\"\","
	                                              "\"ground_truth_assistant\":\"\"},"
	                                              "{\"ground_truth_assistant\":\"\",\"assistant\":\"\",\"query\":\"q\","
	                                              "\"qa_id\":\"2\"},"
	                                              "{\"assistant\":\"\",\"ground_truth_assistant\":\"\",\"agentic\":null,"
	                                              "\"qa_id\":\"3\",\"query\":\"q\"}")),
	                                   NULL, &order, &d),
	                 1);
	assert_int_equal(d.batch_count, 3);
	assert_str(d.batches[0].qa_id, "1");
	assert_str(d.batches[1].qa_id, "2");
	assert_str(d.batches[2].qa_id, "3");
	assert_str(d.batches[0].weight.text, "1.0");
	assert_int_equal(d.batches[1].weight.type, JSON_NULL);
	assert_int_equal(d.batches[1].agentic.type, JSON_OBJECT);
	assert_int_equal(d.batches[2].agentic.type, JSON_NULL);
	arena_release(&arena);
}

/* The same sequence on every run. */
static unsigned next_number(unsigned *seed, unsigned below)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 16) % below;
}

static void shuffle(uint8_t *order, size_t count, unsigned *seed)
{
	for (size_t i = count; i > 1; i--) {
		size_t j = next_number(seed, (unsigned)i);
		uint8_t kept = order[i - 1];
		order[i - 1] = order[j];
		order[j] = kept;
	}
}

/* One line after the other with the same guess, so that each is read after another order; any of the fields that may be absent are. */
static void members_may_stand_in_any_order_after_any_other(void **state)
{
	uint8_t datasets[DATASET_FIELDS], batches[BATCH_FIELDS];
	struct field_order order = { { 0 }, { 0 } };
	unsigned seed = 1;
	struct buf line;
	(void)state;
	buf_init(&line, 4096);
	memcpy(datasets, in_order, sizeof(datasets));
	memcpy(batches, in_order, sizeof(batches));
	for (int i = 0; i < 1000; i++) {
		unsigned absent = next_number(&seed, ALL_FIELDS + 1);
		shuffle(datasets, DATASET_FIELDS, &seed);
		shuffle(batches, BATCH_FIELDS, &seed);
		(void)put_line(&line, pick(dataset_members, datasets, DATASET_FIELDS, DATASET_REQUIRED | absent),
		               pick(batch_members, batches, BATCH_FIELDS, BATCH_REQUIRED | absent));
		assert_plain_after(buf_str(&line), NULL, &order, "after other orders");
	}
	buf_release(&line);
}

/* The line cut at every byte is not plain. The walk stops anywhere then: what it leaves of the guess must serve. */
static void assert_no_beginning_is_plain(struct str line)
{
	struct field_order order = { { 0 }, { 0 } };
	for (size_t len = 0; len < line.len; len++) {
		struct arena arena = ARENA_INIT;
		struct dataset d;
		order = len % 2 ? reversed : order;
		if (take_from(&arena, str_sub(line, 0, len), NULL, &order, &d) != 0)
			fail_msg("the first %zu bytes of %.*s: expected a line that is not plain", len, STR_ARG(line));
		arena_release(&arena);
		assert_plain_after(line, NULL, &order, "after its beginning");
	}
}

static void cut_lines_are_not_plain(void **state)
{
	struct buf line;
	(void)state;
	buf_init(&line, 4096);
	assert_no_beginning_is_plain(put_line(&line, pick_dataset(ALL_FIELDS), pick_batch(ALL_FIELDS)));
	assert_no_beginning_is_plain(
	        STR(IN_BATCH("\"\\u006fbservation\":\"\\u00e9 \xE2\x82\xAC \\uD83D\\uDE00\",\"agentic\":{ },\"weight\":0.1e+2")));
	buf_release(&line);
}

/* ---- what is not ---- */

static void lines_that_are_not_plain(void **state)
{
	static const struct {
		const char *what, *line;
	} cases[] = {
		{ "nothing", "" },
		{ "white space", " \t\r\n" },
		{ "no object", "null" },
		{ "an array", "[" SET_OF(BATCH) "]" },
		{ "an empty object", "{}" },
		{ "a comma only", "{,}" },
		{ "a BOM", "\xEF\xBB\xBF" SET_OF(BATCH) },
		{ "text behind the end", SET_OF(BATCH) "x" },
		{ "an object behind the end", SET_OF(BATCH) SET_OF(BATCH) },
		{ "a bracket behind the end", SET_OF(BATCH) "}" },
		{ "a control character behind the end", SET_OF(BATCH) "\x01" },
		{ "a form feed as white space", "{\f" },
		{ "a trailing comma in the dataset", IN_DATASET("") },
		{ "a trailing comma in the batch", IN_BATCH("") },
		{ "a trailing comma in the conversation", SET_OF(BATCH ",") },
		{ "two commas in the conversation", SET_OF(BATCH ",," BATCH) },
		{ "no comma in the conversation", SET_OF(BATCH " " BATCH) },
		{ "a batch that is none", SET_OF(BATCH ",null") },
		{ "no bracket before the batches",
		  "{\"session_id\":\"s\",\"assistant_id\":\"a\",\"context\":\"\",\"conversation\":]}" },
		{ "an empty batch", SET_OF("{}") },
		{ "an empty conversation", SET_OF("") },
		{ "an empty conversation with a blank", SET_OF(" ") },
		{ "an unknown name in the batch", IN_BATCH("\"extra\":1") },
		{ "an unknown name in the dataset", IN_DATASET("\"extra\":1") },
		{ "the name of a dataset in a batch", IN_BATCH("\"language\":null") },
		{ "the name of a batch in a dataset", IN_DATASET("\"weight\":null") },
		{ "an empty name", IN_BATCH("\"\":null") },
		{ "the beginning of a name", IN_BATCH("\"weigh\":null") },
		{ "more than a name", IN_BATCH("\"weights\":null") },
		{ "a name in capitals", IN_BATCH("\"Weight\":null") },
		{ "another byte for the quote behind a name", IN_BATCH("\"weightx:null") },
		{ "another byte for the quote behind a name of the dataset", IN_DATASET("\"languagex:null") },
		{ "no quote behind a name", IN_BATCH("\"weight:null") },
		{ "a name without quotes", IN_BATCH("weight:null") },
		{ "a name without a colon", IN_BATCH("\"weight\" null") },
		{ "a name without a value", IN_BATCH("\"weight\":") },
		{ "a name that does not end", "{\"session_id" },
		{ "a repeated name that is written otherwise", IN_BATCH("\"\\u0071uery\":\"r\"") },
		{ "an object that is not empty", IN_BATCH("\"agentic\":{\"a\":1}") },
		{ "an object that does not end", IN_BATCH("\"agentic\":{") },
		{ "an object for text", IN_BATCH("\"observation\":{}") },
		{ "an object for a weight", IN_BATCH("\"weight\":{}") },
		{ "an object for a conversation", IN_DATASET("\"conversation\":{}") },
		{ "an array", IN_BATCH("\"agentic\":[]") },
		{ "an array for text", IN_BATCH("\"observation\":[]") },
		{ "text for an object", IN_BATCH("\"agentic\":\"\"") },
		{ "a number for text", IN_BATCH("\"observation\":1") },
		{ "a number for an object", IN_BATCH("\"agentic\":0") },
		{ "true for a weight", IN_BATCH("\"weight\":true") },
		{ "false for a weight", IN_BATCH("\"weight\":false") },
		{ "true for an object", IN_BATCH("\"agentic\":true") },
		{ "a weight below 0", IN_BATCH("\"weight\":-1") },
		{ "a weight below 0 as text", IN_BATCH("\"weight\":\"-1\"") },
		{ "an infinite weight", IN_BATCH("\"weight\":1e400") },
		{ "a weight that is no number", IN_BATCH("\"weight\":\"x\"") },
		{ "a number with a 0 before it", IN_BATCH("\"weight\":01") },
		{ "a number with no digit behind the point", IN_BATCH("\"weight\":1.") },
		{ "a number with no digit in the exponent", IN_BATCH("\"weight\":1e") },
		{ "a sign only", IN_BATCH("\"weight\":-") },
		{ "letters behind a number", IN_BATCH("\"weight\":1x") },
		{ "letters behind null", IN_BATCH("\"weight\":nullx") },
		{ "three letters of null and another", IN_BATCH("\"weight\":nulx") },
		{ "null in capitals", IN_BATCH("\"weight\":NULL") },
		{ "three letters of null", "{\"language\":nul" },
		{ "a lone surrogate", IN_DATASET("\"language\":\"\\ud800\"") },
		{ "a lone low surrogate", IN_DATASET("\"language\":\"\\udc00 \"") },
		{ "a lone surrogate in a weight", IN_BATCH("\"weight\":\"1\\ud800\"") },
		{ "a lone surrogate in a name", IN_BATCH("\"weight\\ud800\":1") },
		{ "ill-formed UTF-8", IN_DATASET("\"language\":\"\xC3(\"") },
		{ "a surrogate in UTF-8", IN_DATASET("\"language\":\"\xED\xA0\x80\"") },
		{ "an overlong form", IN_DATASET("\"language\":\"\xC0\xAF\"") },
		{ "a cut character", IN_DATASET("\"language\":\"\xE2\x82\"") },
		{ "a control character in text", IN_DATASET("\"language\":\"a\x1F\"") },
		{ "a newline in text", IN_DATASET("\"language\":\"a\n\"") },
		{ "an unknown escape", IN_DATASET("\"language\":\"\\x\"") },
		{ "a cut escape", IN_DATASET("\"language\":\"\\u12\"") },
		{ "single quotes", IN_DATASET("\"language\":'a'") },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_not_plain(str_from(cases[i].line), cases[i].what);
	assert_not_plain(STR(SET_OF(BATCH) "\0"), "a NUL behind the end");
	assert_not_plain(STR(IN_DATASET("\"language\":\"\0\"")), "a NUL in text");
}

/* Also when all fields are there, which is as many as are looked for. */
static void a_trailing_comma_after_any_field(void **state)
{
	struct buf line;
	(void)state;
	buf_init(&line, 4096);
	for (unsigned mask = 0; mask <= ALL_FIELDS; mask++) {
		struct picks dataset = pick_dataset(DATASET_REQUIRED | mask), batch = pick_batch(BATCH_REQUIRED | mask);
		assert_plain(put_line(&line, dataset, batch));
		dataset.tail = ",";
		assert_not_plain(put_line(&line, dataset, batch), "a trailing comma in the dataset");
		dataset.tail = "";
		batch.tail = mask & 1 ? " , " : ",";
		assert_not_plain(put_line(&line, dataset, batch), "a trailing comma in the batch");
	}
	buf_release(&line);
}

static void any_name_twice(void **state)
{
	struct buf line;
	(void)state;
	buf_init(&line, 4096);
	for (int all = 0; all < 2; all++) {
		struct picks dataset = pick_dataset(all ? ALL_FIELDS : DATASET_REQUIRED);
		struct picks batch = pick_batch(all ? ALL_FIELDS : BATCH_REQUIRED);
		for (size_t again = 0; again < dataset.count; again++)
			for (size_t to = 0; to <= dataset.count; to++)
				assert_not_plain(put_line(&line, insert(dataset, to, dataset.at[again]), batch),
				                 "a name twice in the dataset");
		for (size_t again = 0; again < batch.count; again++)
			for (size_t to = 0; to <= batch.count; to++)
				assert_not_plain(put_line(&line, dataset, insert(batch, to, batch.at[again])),
				                 "a name twice in the batch");
	}
	buf_release(&line);
}

static void any_required_field_missing(void **state)
{
	struct buf line;
	(void)state;
	buf_init(&line, 4096);
	for (unsigned i = 0; i < DATASET_FIELDS; i++)
		if (DATASET_REQUIRED >> i & 1)
			assert_not_plain(put_line(&line, pick_dataset(ALL_FIELDS & ~(1u << i)), pick_batch(ALL_FIELDS)),
			                 dataset_members[i]);
	for (unsigned i = 0; i < BATCH_FIELDS; i++)
		if (BATCH_REQUIRED >> i & 1)
			assert_not_plain(put_line(&line, pick_dataset(ALL_FIELDS), pick_batch(ALL_FIELDS & ~(1u << i))),
			                 batch_members[i]);
	buf_release(&line);
}

/* A batch that would be refused alone stands among others: none of them may lend it its fields. */
static void a_batch_without_a_field_behind_one_with_it(void **state)
{
	(void)state;
	assert_not_plain(STR(SET_OF(BATCH ",{\"ground_truth_assistant\":\"g\",\"assistant\":\"\",\"query\":\"q\"}")),
	                 "no qa_id in the second batch");
	assert_not_plain(STR(SET_OF("{\"ground_truth_assistant\":\"g\",\"assistant\":\"\",\"query\":\"q\"}," BATCH)),
	                 "no qa_id in the first batch");
}

/* The members with this text in the place of one. */
static const char *const *with_text(const char *const *members, size_t count, size_t which, const char *text)
{
	static const char *changed[FIELDS_MOST];
	memcpy(changed, members, count * sizeof(*members));
	changed[which] = text;
	return changed;
}

static const char *null_of(const struct field *f)
{
	static char text[64];
	(void)snprintf(text, sizeof(text), "\"%s\":null", f->name.ptr);
	return text;
}

static const char *under_unknown_name(const char *member)
{
	static char text[64];
	(void)snprintf(text, sizeof(text), "%s", member);
	text[1] = 'x';
	return text;
}

static void what_is_required_is_never_null(void **state)
{
	struct picks dataset = pick_dataset(ALL_FIELDS), batch = pick_batch(ALL_FIELDS);
	struct buf line;
	(void)state;
	buf_init(&line, 4096);
	for (size_t i = 0; i < DATASET_FIELDS; i++) {
		dataset.members = with_text(dataset_members, DATASET_FIELDS, i, null_of(&dataset_fields[i]));
		if (DATASET_REQUIRED >> i & 1)
			assert_not_plain(put_line(&line, dataset, batch), dataset.members[i]);
		else
			assert_plain(put_line(&line, dataset, batch));
	}
	dataset.members = dataset_members;
	for (size_t i = 0; i < BATCH_FIELDS; i++) {
		batch.members = with_text(batch_members, BATCH_FIELDS, i, null_of(&batch_fields[i]));
		if (BATCH_REQUIRED >> i & 1)
			assert_not_plain(put_line(&line, dataset, batch), batch.members[i]);
		else
			assert_plain(put_line(&line, dataset, batch));
	}
	buf_release(&line);
}

static void any_name_unknown(void **state)
{
	struct picks dataset = pick_dataset(ALL_FIELDS), batch = pick_batch(ALL_FIELDS);
	struct buf line;
	(void)state;
	buf_init(&line, 4096);
	for (size_t i = 0; i < DATASET_FIELDS; i++) {
		dataset.members = with_text(dataset_members, DATASET_FIELDS, i, under_unknown_name(dataset_members[i]));
		assert_not_plain(put_line(&line, dataset, batch), "an unknown name in the dataset");
	}
	dataset.members = dataset_members;
	for (size_t i = 0; i < BATCH_FIELDS; i++) {
		batch.members = with_text(batch_members, BATCH_FIELDS, i, under_unknown_name(batch_members[i]));
		assert_not_plain(put_line(&line, dataset, batch), "an unknown name in the batch");
	}
	buf_release(&line);
}

static void the_batches_of_a_conversation(void **state)
{
	static const unsigned plain[] = { 1, 2, 3, 31, 32 }, not_plain[] = { 0, 33, 34, 64, 1000 };
	struct buf line;
	(void)state;
	buf_init(&line, 1 << 20);
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		assert_plain(put_batches(&line, plain[i]));
	for (size_t i = 0; i < ARRAY_SIZE(not_plain); i++)
		assert_not_plain(put_batches(&line, not_plain[i]), "the number of batches");
	buf_release(&line);
}

static void the_limits_are_those_of_the_reader(void **state)
{
	static const struct str line = { IN_BATCH("\"agentic\":{}"), sizeof(IN_BATCH("\"agentic\":{}")) - 1 };
	struct json_limits limits = { line.len, 4 };
	struct field_order order = { { 0 }, { 0 } };
	(void)state;
	assert_plain_after(line, &limits, &order, "as long and as deep as the limits");
	limits.max_bytes = line.len - 1;
	assert_not_plain_within(line, &limits, "a byte too long");
	limits = (struct json_limits){ 0, 3 };
	assert_not_plain_within(line, &limits, "a level too deep");
	limits = (struct json_limits){ 0, 1 };
	assert_not_plain_within(line, &limits, "deeper than 1");
	limits = (struct json_limits){ 1, 0 };
	assert_not_plain_within(line, &limits, "longer than 1");
	limits = (struct json_limits){ 0, 0 };
	assert_plain_after(line, &limits, &order, "the default limits");
}

/* ---- memory ---- */

/* Lines whose first block of memory is asked for in each of the places that do; and none of them may be taken for a line that is not plain. */
static void memory_that_runs_out_is_no_odd_line(void **state)
{
	static const struct {
		const char *what, *line;
	} cases[] = {
		{ "the batches", SET_OF(BATCH) },
		{ "text with an escape",
		  "{\"context\":\"\\n\",\"session_id\":\"s\",\"assistant_id\":\"a\",\"conversation\":[" BATCH "]}" },
		{ "a name with an escape",
		  "{\"\\u0063ontext\":\"\",\"session_id\":\"s\",\"assistant_id\":\"a\",\"conversation\":[" BATCH "]}" },
		{ "text with an escape in a batch", IN_BATCH("\"observation\":\"\\n\"") },
		{ "a weight", IN_BATCH("\"weight\":1") },
		{ "a weight as text", IN_BATCH("\"weight\":\"1\"") },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct field_order order = { { 0 }, { 0 } };
		struct arena arena = ARENA_INIT;
		struct dataset d;
		int code;
		mem_fault_arm(1, true);
		code = dataset_from_line(&arena, str_from(cases[i].line), NULL, &order, &d);
		mem_fault_arm(0, false);
		if (code != FF_ENOMEM)
			fail_msg("no memory for %s: expected FF_ENOMEM, got %d", cases[i].what, code);
		arena_release(&arena);
		assert_plain_after(str_from(cases[i].line), NULL, &order, "after a failure");
	}
}

/* Each allocation in turn: more than one block, so that memory also runs out behind the first. */
static int take_long_line(void)
{
	struct arena arena = ARENA_INIT;
	struct field_order order = { { 0 }, { 0 } };
	char text[1501], line[6000];
	struct dataset d;
	int code;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	(void)snprintf(line, sizeof(line), IN_BATCH("\"observation\":\"\\n%s\",\"weight\":1") " ", text);
	code = dataset_from_line(&arena, str_from(line), NULL, &order, &d);
	if (code == 1 && (d.batch_count != 1 || d.batches[0].observation.text.len != 1501))
		fail_msg("a line that was taken has its batches");
	arena_release(&arena);
	if (code == 0)
		fail_msg("expected a plain line or no memory");
	return code == 1 ? 0 : code;
}

static void memory_that_runs_out_is_an_error(void **state)
{
	(void)state;
	assert_true(fault_loop(take_long_line) >= 2); /* the text, and a block for the rest */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_lines_are_taken),
		cmocka_unit_test(weights_are_those_of_the_values),
		cmocka_unit_test(the_fields_are_filled_and_nothing_else),
		cmocka_unit_test(batches_keep_their_order),
		cmocka_unit_test(members_may_stand_in_any_order_after_any_other),
		cmocka_unit_test(cut_lines_are_not_plain),
		cmocka_unit_test(lines_that_are_not_plain),
		cmocka_unit_test(a_trailing_comma_after_any_field),
		cmocka_unit_test(any_name_twice),
		cmocka_unit_test(any_required_field_missing),
		cmocka_unit_test(a_batch_without_a_field_behind_one_with_it),
		cmocka_unit_test(what_is_required_is_never_null),
		cmocka_unit_test(any_name_unknown),
		cmocka_unit_test(the_batches_of_a_conversation),
		cmocka_unit_test(the_limits_are_those_of_the_reader),
		cmocka_unit_test(memory_that_runs_out_is_no_odd_line),
		cmocka_unit_test(memory_that_runs_out_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
