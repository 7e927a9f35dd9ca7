/*
 * test_dataset_lines.c: an input in which lines that are read straight to a dataset and all other kinds stand in turn: every pass over it, with and without
 * datasets, finds the same, from text and from a file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../base/fault_loop.h"
#include "model/payload.h"
#include "same_dataset.h"

#define BATCH "{\"ground_truth_assistant\":\"g\",\"assistant\":\"\",\"query\":\"q\",\"qa_id\":\"i\"}"

/* An input of plain and other lines in turn, and what each pass over it must find. */
static const char mixed_lines[] =
        "{\"session_id\":\"0\",\"assistant_id\":\"a\",\"context\":\"\",\"conversation\":[" BATCH "]}\n"
        "{\"session_id\":\"1\",\"assistant_id\":\"a\",\"context\":\"\",\"more\":1,\"conversation\":[" BATCH "," BATCH "]}\n"
        "{\"session_id\": \"2\", \"assistant_id\": \"a\", \"context\": \"\", \"conversation\": [" BATCH ", " BATCH ", " BATCH
        "]}\r\n"
        "{\"session_id\":\"3\",\"assistant_id\":5,\"context\":\"\",\"conversation\":[" BATCH "]}\n"
        "{\"conversation\":[" BATCH "],\"context\":\"\",\"assistant_id\":\"a\",\"session_id\":\"\\u0034\"}\n"
        "{\"session_id\":\"x\",\"session_id\":\"5\",\"assistant_id\":\"a\",\"context\":\"\",\"conversation\":[]}\n"
        "\n"
        "\xEF\xBB\xBF{\"session_id\":\"6\",\"assistant_id\":\"a\",\"context\":\"\",\"conversation\":[" BATCH "]}\n"
        "{\"session_id\":\"7\",\"assistant_id\":\"a\",\"context\":\"\",\"conversation\":[" BATCH "]},\n"
        "{\"session_id\":\"8\",\"assistant_id\":\"a\",\"context\":\"\\ud800\",\"conversation\":[{\"qa_id\":\"i\",\"query\":\"q\","
        "\"assistant\":\"\",\"ground_truth_assistant\":\"\",\"agentic\":{\"a\":[1]}}]}\n"
        "{\"session_id\":\"9\",\"assistant_id\":\"a\",\"context\":\"\",\"conversation\":[{\"qa_id\":\"i\",\"weight\":\"1\","
        "\"query\":"
        "\"q\",\"assistant\":\"\",\"ground_truth_assistant\":\"\"}]}";
#define MIXED_FOUND    "0:0/1 1:1/2 2:2/3 4:4/1 5:5/0 6:6/1 8:8/1 9:9/1 "
#define MIXED_DATASETS 8
#define MIXED_BATCHES  10
#define MIXED_PROBLEMS 2

/* The lines once more, one after the other through JSON values. */
static void assert_as_by_values(const struct dataset *d, struct str line)
{
	static const struct str bom = { "\xEF\xBB\xBF", 3 };
	struct arena arena = ARENA_INIT;
	struct dataset *expected;
	struct problems problems;
	struct json value;
	problems_init(&problems);
	if (str_starts_with(line, bom))
		line = str_sub(line, bom.len, line.len);
	assert_int_equal(json_parse_copy(&arena, line, NULL, &value, NULL, NULL), 0);
	assert_int_equal(dataset_from_json(&arena, &value, "", 0, &problems, &expected), 0);
	if (dataset_difference(d, expected))
		fail_msg("line %.*s: the field %s is not what the JSON values give", STR_ARG(line),
		         dataset_difference(d, expected));
	dataset_free(expected);
	problems_release(&problems);
}

/* The line at this place of the input; blank ones do not count. */
static struct str mixed_line(size_t index)
{
	struct str rest = STR(mixed_lines), line = STR_NULL;
	for (size_t i = 0; i <= index;) {
		line = str_split(&rest, '\n');
		i += line.len > 0;
	}
	return line;
}

/* One pass with dataset_source_next; every second dataset is taken back, so that its memory is used again. */
static void read_mixed(struct dataset_source *source)
{
	struct problems problems;
	struct error err;
	struct dataset *d;
	char found[256] = "";
	size_t at = 0;
	int code;
	problems_init(&problems);
	while ((code = dataset_source_next(source, &problems, &d, &err)) == 1) {
		assert_as_by_values(d, mixed_line(d->index));
		at += (size_t)snprintf(found + at, sizeof(found) - at, "%zu:%.*s/%zu ", d->index, STR_ARG(d->session_id),
		                       d->batch_count);
		if (d->index % 2)
			dataset_source_take_back(source, d);
		else
			dataset_free(d);
	}
	assert_int_equal(code, 0);
	assert_string_equal(found, MIXED_FOUND);
	assert_int_equal(problems.errors, MIXED_PROBLEMS);
	assert_string_equal(problems.first->pointer, "line 4: /assistant_id");
	assert_string_equal(problems.first->next->pointer, "line 9");
	problems_release(&problems);
}

static void check_mixed(struct dataset_source *source)
{
	struct problems problems;
	struct error err;
	problems_init(&problems);
	assert_int_equal(dataset_source_check(source, &problems, &err), 0);
	assert_int_equal(problems.errors, MIXED_PROBLEMS);
	assert_string_equal(problems.first->pointer, "line 4: /assistant_id");
	problems_release(&problems);
}

static void assert_counts(const struct dataset_source *source, const struct json_notes *notes)
{
	assert_int_equal(dataset_source_datasets(source), MIXED_DATASETS);
	assert_int_equal(dataset_source_batches(source), MIXED_BATCHES);
	assert_int_equal(notes->duplicates, 1);
	assert_string_equal(notes->first_duplicate, "line 6: /session_id");
	assert_int_equal(notes->lone_surrogates, 1);
	assert_string_equal(notes->first_surrogate, "line 10: /context");
}

/* A check and two passes, or a pass, a check and a pass: each finds the same, and end_pass would say so if the counts were not. */
static void assert_mixed(struct dataset_source *source, const struct json_notes *notes, bool check_first)
{
	struct error err;
	for (int pass = 0; pass < 3; pass++) {
		if (pass == (check_first ? 0 : 1))
			check_mixed(source);
		else
			read_mixed(source);
		assert_counts(source, notes);
		assert_int_equal(dataset_source_rewind(source, &err), 0);
	}
}

static void plain_and_other_lines_in_turn(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct payload *payload = NULL;
		struct dataset_source *source = NULL;
		struct json_notes notes;
		struct error err;
		FILE *file = i & 2 ? tmpfile() : NULL;
		int code;
		if (file) {
			assert_int_equal(fwrite(mixed_lines, 1, sizeof(mixed_lines) - 1, file), sizeof(mixed_lines) - 1);
			assert_int_equal(fflush(file), 0);
			rewind(file);
			code = input_open(fileno(file), "in.jsonl", false, NULL, &payload, &source, &notes, &err);
		} else {
			code = input_open_text(STR(mixed_lines), "in.jsonl", false, NULL, &payload, &source, &notes, &err);
		}
		if (code)
			fail_msg("opening failed: %s", err.text);
		assert_null(payload);
		assert_mixed(source, &notes, i & 1);
		dataset_source_free(source);
		if (file)
			(void)fclose(file);
	}
}

static int read_all_lines(void)
{
	struct payload *payload = NULL;
	struct dataset_source *source = NULL;
	struct problems problems;
	struct dataset *d;
	struct error err;
	int code = input_open_text(STR(mixed_lines), "in.jsonl", false, NULL, &payload, &source, NULL, &err);
	problems_init(&problems);
	if (!code)
		code = dataset_source_check(source, &problems, &err);
	if (!code)
		code = dataset_source_rewind(source, &err);
	if (!code)
		while ((code = dataset_source_next(source, &problems, &d, &err)) == 1)
			dataset_free(d);
	dataset_source_free(source);
	problems_release(&problems);
	return code;
}

static void memory_that_runs_out_is_an_error(void **state)
{
	(void)state;
	assert_true(fault_loop(read_all_lines) >= 10); /* a block for each dataset, and the source */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_and_other_lines_in_turn),
		cmocka_unit_test(memory_that_runs_out_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
