/*
 * fuzz_dataset_line.c: any bytes as a line, straight to a dataset and the long way, by json_parse and dataset_from_json. What the first takes, the second must
 * take without a problem or a note, and make the same of it; what the order of earlier fields is must not matter. That ordinary lines are taken at all is
 * for the unit tests to say.
 *
 * The first byte: the limits (bits 0 and 1), whether a line with its fields in another order came before (bit 2), and whether the rest is one line or
 * several, each with the order that the ones before it left (bit 3).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/model/same_dataset.h"
#include "model/dataset_line.h"

#define UNTOUCHED 0xA5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_order(const struct field_order *order)
{
	for (size_t i = 0; i < DATASET_FIELDS; i++)
		require(order->dataset[i] < DATASET_FIELDS);
	for (size_t i = 0; i < BATCH_FIELDS; i++)
		require(order->batch[i] < BATCH_FIELDS);
}

/* Straight. A field that is not set keeps bytes that are no value; those of the index and the arena must be kept. */
static bool take(struct arena *arena, struct str line, const struct json_limits *limits, struct field_order *order,
                 struct dataset *ret)
{
	struct dataset before;
	int code;
	memset(&before, UNTOUCHED, sizeof(before));
	memset(ret, UNTOUCHED, sizeof(*ret));
	code = dataset_from_line(arena, line, limits, order, ret);
	require(code == 0 || code == 1);
	require(ret->index == before.index && ret->arena.head == before.arena.head && ret->arena.used == before.arena.used);
	check_order(order);
	return code == 1;
}

/* The long way: NULL when there is a problem or a note. */
static struct dataset *take_by_values(struct str line, const struct json_limits *limits)
{
	struct arena arena = ARENA_INIT;
	struct dataset *d = NULL;
	struct problems problems;
	struct json_notes notes;
	struct json value;
	int code = json_parse_copy(&arena, line, limits, &value, &notes, NULL);
	problems_init(&problems);
	if (!code)
		code = dataset_from_json(&arena, &value, "", 0, &problems, &d);
	require(code == 0 || code == FF_EDATA || code == FF_ETOOBIG);
	require((code == 0) == (d != NULL));
	if (d && (problems.errors || notes.duplicates || notes.lone_surrogates)) {
		dataset_free(d);
		d = NULL;
	}
	problems_release(&problems);
	arena_release(&arena);
	return d;
}

/* The line in memory that ends with it. */
static struct str copy_line(struct arena *arena, struct str line)
{
	char *copy = arena_alloc(arena, line.len);
	require(copy != NULL);
	if (line.len)
		memcpy(copy, line.ptr, line.len);
	return str_of(copy, line.len);
}

/* *order is as the lines before left it, and learns from this one. */
static void check_line(struct str text, const struct json_limits *limits, struct field_order *order)
{
	struct field_order zeroed = { { 0 }, { 0 } };
	struct arena arena = ARENA_INIT;
	struct str line = copy_line(&arena, text);
	struct dataset guessed, learnt, fresh;
	struct dataset *expected = take_by_values(line, limits);
	bool taken = take(&arena, line, limits, order, &guessed);
	require(take(&arena, line, limits, order, &learnt) == taken);
	require(take(&arena, line, limits, &zeroed, &fresh) == taken);
	if (!expected)
		require(!taken);
	if (taken) {
		require(!dataset_difference(&guessed, expected));
		require(!dataset_difference(&learnt, expected));
		require(!dataset_difference(&fresh, expected));
	}
	dataset_free(expected);
	arena_release(&arena);
}

static void learn_other_order(struct field_order *order)
{
	struct arena arena = ARENA_INIT;
	struct dataset d;
	struct str line = STR("{\"conversation\":[{\"weight\":1,\"qa_id\":\"i\",\"ground_truth_agentic\":{},\"agentic\":{},"
	                      "\"query\":\"q\",\"assistant\":\"a\",\"observation\":\"o\",\"logprobs\":{},"
	                      "\"ground_truth_assistant\":\"g\"}],\"context\":\"c\",\"language\":\"l\",\"assistant_id\":\"a\","
	                      "\"session_id\":\"s\"}");
	require(take(&arena, line, NULL, order, &d));
	arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct json_limits defaults = { 0, 0 }, short_lines = { 256, 0 }, shallow = { 0, 3 };
	static const struct json_limits *const limits[] = { &defaults, &short_lines, &shallow, NULL };
	struct field_order order = { { 0 }, { 0 } };
	uint8_t how = size ? data[0] : 0;
	struct str text = size ? str_of((const char *)data + 1, size - 1) : STR("");
	if (how & 4)
		learn_other_order(&order);
	if (!(how & 8))
		check_line(text, limits[how & 3], &order);
	while ((how & 8) && text.ptr)
		check_line(str_split(&text, '\n'), limits[how & 3], &order);
	return 0;
}
