/*
 * test_dataset_line.c: which lines are read directly (the ordinary ones must be, or the fast way is none), which are left to the long way, and that
 * a file of both kinds reads as one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../base/fault_loop.h"
#include "base/macros.h"
#include "model/dataset_line.h"
#include "model/payload.h"

#define SET(more)   "{\"session_id\":\"s\",\"assistant_id\":\"a\",\"context\":\"\"" more "}"
#define BATCH(more) "{\"ground_truth_assistant\":\"g\",\"assistant\":\"\",\"query\":\"q\",\"qa_id\":\"i\"" more "}"
#define ONE(more)   SET(",\"conversation\":[" BATCH(more) "]")

static struct field_order order; /* of whatever was read before: no guess may change a result */

static int read_with(struct arena *arena, struct str line, const struct json_limits *limits, struct dataset *ret)
{
	return dataset_from_line(arena, line, limits, &order, ret);
}

static void assert_not_plain(const char *line)
{
	struct arena arena = ARENA_INIT;
	struct dataset d;

	if (read_with(&arena, str_from(line), NULL, &d) != 0)
		fail_msg("taken as plain: %s", line);
	arena_release(&arena);
}

/* Plain, and the same as the long way's. */
static void assert_plain(struct str line)
{
	struct arena arena = ARENA_INIT, long_arena = ARENA_INIT;
	struct json_notes notes;
	struct problems problems;
	struct dataset d, *other = NULL;
	struct json value;

	if (read_with(&arena, line, NULL, &d) != 1)
		fail_msg("not plain: %.*s", STR_ARG(line));
	problems_init(&problems);
	assert_int_equal(json_parse(&long_arena, line, NULL, &value, &notes, NULL), 0);
	assert_int_equal(dataset_from_json(&long_arena, &value, "", 0, &problems, &other), 0);
	assert_true(str_eq(d.session_id, other->session_id) && str_eq(d.assistant_id, other->assistant_id));
	assert_true(str_eq(d.context, other->context) && json_equal(&d.language, &other->language));
	assert_int_equal(d.batch_count, other->batch_count);
	for (size_t i = 0; i < d.batch_count; i++) {
		const struct batch *a = &d.batches[i], *b = &other->batches[i];

		assert_true(str_eq(a->ground_truth_assistant, b->ground_truth_assistant) && str_eq(a->assistant, b->assistant));
		assert_true(str_eq(a->query, b->query) && str_eq(a->qa_id, b->qa_id));
		assert_true(json_equal(&a->logprobs, &b->logprobs) && json_equal(&a->observation, &b->observation));
		assert_true(json_equal(&a->agentic, &b->agentic) && json_equal(&a->ground_truth_agentic, &b->ground_truth_agentic));
		assert_int_equal(a->weight.type, b->weight.type);
		assert_true(a->weight.type == JSON_NULL || str_eq(a->weight.text, b->weight.text));
	}
	dataset_free(other);
	problems_release(&problems);
	arena_release(&long_arena);
	arena_release(&arena);
}

static void ordinary_lines_are_read_directly(void **state)
{
	static const char *const lines[] = {
		ONE(""),
		"{\"session_id\": \"s0\", \"assistant_id\": \"a\", \"language\": \"english\", \"context\": \"\", \"conversation\": "
		"[{\"qa_id\": \"q\", \"query\": \"What is the capital of France? 0\", \"assistant\": \"\", "
		"\"ground_truth_assistant\": \"Paris.\"}]}",
		"{\"conversation\":[{\"weight\":1,\"qa_id\":\"i\",\"agentic\":{ },\"query\":\"q\",\"assistant\":\"\","
		"\"observation\":\"o\",\"ground_truth_assistant\":\"g\",\"ground_truth_agentic\":null,\"logprobs\":{}}],"
		"\"context\":\"c\",\"language\":null,\"assistant_id\":\"b\",\"session_id\":\"s\"}",
		" \t{ \"session_id\" :\t\"s\" ,\r\"assistant_id\"  :  \"a\",\"context\":\"\",\"conversation\":[ " BATCH(
		        "") " , " BATCH("") " ] } \t\r",
		ONE(",\"observation\":null,\"weight\":null"),
		ONE(",\"weight\":0.5"),
		ONE(",\"weight\":\"2.50\""),
		ONE(",\"weight\":1e2"),
		SET(",\"conversation\":[" BATCH("") "," BATCH(",\"weight\":3") "," BATCH(",\"agentic\":null") "]"),
		SET(",\"language\":\"\\u0065\\n\\\"espa\xC3\xB1ol\\ud83d\\ude00\",\"conversation\":[" BATCH("") "]"),
		"{\"session_id\":\"\xE6\x97\xA5\xE6\x9C\xAC\",\"assistant_id\":\"\xF0\x9F\x98\x80\",\"context\":\"a\\u0000b\","
		"\"conversation\":[" BATCH("") "]}",
	};
	(void)state;
	for (size_t before = 0; before < ARRAY_SIZE(lines); before++)
		for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
			assert_plain(str_from(lines[before])); /* a guess at the order from each of the others */
			assert_plain(str_from(lines[i]));
		}
}

static void the_rest_is_left_to_the_long_way(void **state)
{
	static const char *const lines[] = {
		"",
		"{",
		"{}",
		"[]",
		"null",
		"\"s\"",
		ONE("") "x",
		ONE("") "}",
		"\xEF\xBB\xBF" ONE(""),
		SET(""),                     /* no conversation */
		SET(",\"conversation\":[]"), /* valid, and rare */
		SET(",\"conversation\":{}"),
		SET(",\"conversation\":[" BATCH("") ",]"),
		SET(",\"conversation\":[" BATCH("") " " BATCH("") "]"),
		SET(",\"conversation\":[" BATCH("") "],"),
		SET(",\"conversation\":[" BATCH(",") "]"),
		SET(",\"language\":\"e\",\"conversation\":[" BATCH("") "],"), /* behind the last of all fields */
		ONE(",\"logprobs\":{},\"observation\":null,\"agentic\":{},\"ground_truth_agentic\":{},\"weight\":1,"),
		ONE(",\"query\":\"twice\""),
		SET(",\"context\":\"twice\",\"conversation\":[" BATCH("") "]"),
		ONE(",\"more\":1"),
		SET(",\"more\":1,\"conversation\":[" BATCH("") "]"),
		ONE(",\"agentic\":{\"x\":1}"),
		ONE(",\"agentic\":[]"),
		ONE(",\"agentic\":\"\""),
		ONE(",\"observation\":{}"),
		ONE(",\"weight\":true"),
		ONE(",\"weight\":-1"),
		ONE(",\"weight\":\"heavy\""),
		ONE(",\"weight\":01"),
		ONE(",\"weight\":nul"),
		ONE(",\"weight\""),
		ONE(",\"weight\":"),
		ONE(",\"observation\":\"\\ud800\""),
		ONE(",\"observation\":\"\xFF\""),
		ONE(",\"observation\":\"\x01\""),
		ONE(",\"observation\":\"\\x\""),
		ONE(",\"observation\":\"no end"),
		ONE(",observation:null"),
		SET(",\"conversation\":[{\"assistant\":\"\",\"query\":\"q\",\"qa_id\":\"i\"}]"),
		SET(",\"conversation\":[null]"),
		"{\"session_id\":null,\"assistant_id\":\"a\",\"context\":\"\",\"conversation\":[" BATCH("") "]}",
		"{\"session_id\":1,\"assistant_id\":\"a\",\"context\":\"\",\"conversation\":[" BATCH("") "]}",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_not_plain(lines[i]);
	assert_plain(STR(ONE("")));
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_not_plain(lines[i]); /* now with a good guess */
}

static void every_cut_line_is_left_to_the_long_way(void **state)
{
	static const char line[] = ONE(",\"observation\":\"\\u00e9\xC3\xA9\",\"agentic\":{},\"weight\":12");
	char cut[sizeof(line)];

	(void)state;
	assert_plain(STR(line));
	for (size_t len = 0; len < sizeof(line) - 1; len++) {
		memcpy(cut, line, len);
		cut[len] = '\0';
		assert_not_plain(cut);
	}
}

static void caps_and_long_conversations(void **state)
{
	static const struct json_limits flat = { .max_depth = 3 }, deep = { .max_depth = 4 },
	                                tight = { .max_bytes = sizeof(ONE("")) - 2 }, enough = { .max_bytes = sizeof(ONE("")) - 1 };
	struct arena arena = ARENA_INIT;
	struct dataset d;
	struct buf line;

	(void)state;
	assert_int_equal(read_with(&arena, STR(ONE("")), &flat, &d), 0);
	assert_int_equal(read_with(&arena, STR(ONE("")), &deep, &d), 1);
	assert_int_equal(read_with(&arena, STR(ONE("")), &tight, &d), 0);
	assert_int_equal(read_with(&arena, STR(ONE("")), &enough, &d), 1);
	buf_init(&line, 1 << 20);
	for (unsigned count = 31; count <= 33; count++) {
		buf_clear(&line);
		buf_append_str(&line, STR("{\"session_id\":\"s\",\"assistant_id\":\"a\",\"context\":\"\",\"conversation\":["));
		for (unsigned i = 0; i < count; i++)
			buf_printf(&line, "%s%s", i ? "," : "", BATCH(""));
		buf_append_str(&line, STR("]}"));
		assert_int_equal(read_with(&arena, buf_str(&line), NULL, &d), count <= 32);
		if (count <= 32)
			assert_int_equal(d.batch_count, count);
	}
	buf_release(&line);
	arena_release(&arena);
}

static void both_kinds_in_one_file(void **state)
{
	static const char text[] = ONE("") "\n" ONE(",\"more\":1") "\n\n" ONE(",\"query\":\"twice\"") "\n" SET("") "\n" ONE(
	        ",\"weight\":2") "\nnonsense\n" SET(",\"conversation\":[]") "\n" ONE("");
	static const size_t valid[] = { 0, 1, 2, 4, 6, 7 };
	struct dataset_source *source;
	struct payload *payload;
	struct json_notes notes;
	struct problems problems;
	struct dataset *d;
	struct error err;
	size_t count = 0;

	(void)state;
	assert_int_equal(input_open_text(STR(text), "in.jsonl", true, NULL, &payload, &source, &notes, &err), 0);
	problems_init(&problems);
	assert_int_equal(dataset_source_check(source, &problems, &err), 0);
	assert_int_equal(problems.errors, 2);
	assert_string_equal(problems.first->pointer, "line 5: /conversation");
	assert_string_equal(problems.first->next->pointer, "line 7");
	assert_int_equal(notes.duplicates, 1);
	assert_int_equal(dataset_source_datasets(source), ARRAY_SIZE(valid));
	assert_int_equal(dataset_source_batches(source), 5);
	problems_release(&problems);
	problems_init(&problems);
	assert_int_equal(dataset_source_rewind(source, &err), 0);
	while (dataset_source_next(source, &problems, &d, &err) == 1) {
		assert_true(count < ARRAY_SIZE(valid));
		assert_int_equal(d->index, valid[count++]);
		assert_true(str_eq(d->session_id, STR("s")));
		dataset_free(d);
	}
	assert_int_equal(count, ARRAY_SIZE(valid));
	problems_release(&problems);
	dataset_source_free(source);
	payload_free(payload);
}

static int read_once(void)
{
	static const char line[] = ONE(",\"observation\":\"\\n\",\"weight\":2");
	struct arena arena = ARENA_INIT;
	struct dataset d;
	int code = read_with(&arena, STR(line), NULL, &d);

	arena_release(&arena);
	return code == 1 ? 0 : code;
}

static void memory_that_runs_out(void **state)
{
	(void)state;
	assert_true(fault_loop(read_once) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_lines_are_read_directly),
		cmocka_unit_test(the_rest_is_left_to_the_long_way),
		cmocka_unit_test(every_cut_line_is_left_to_the_long_way),
		cmocka_unit_test(caps_and_long_conversations),
		cmocka_unit_test(both_kinds_in_one_file),
		cmocka_unit_test(memory_that_runs_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
