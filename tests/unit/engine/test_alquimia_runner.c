/* test_alquimia_runner.c: the reference's AlquimiaRunner: the bare query, and what a failure writes into its batch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "connector/connector.h"
#include "engine/engine.h"

#define TEXT(literal)                                                          \
	{                                                                      \
		.type = JSON_STRING, .text = {(literal), sizeof(literal) - 1 } \
	}

static void test_prompt_is_the_query(void **state)
{
	struct arena arena = ARENA_INIT;
	struct batch batches[] = { { .query = STR("first") }, { .query = STR("second\n") } };
	struct dataset dataset = { .context = STR("not sent"), .batches = batches, .batch_count = 2 };
	const struct message *messages = NULL;
	size_t count = 0;
	(void)state;
	assert_int_equal(alquimia_runner.prompt(&dataset, 1, &arena, &messages, &count), 0);
	assert_int_equal(count, 1);
	if (!str_eq(messages[0].content, STR("second\n")))
		fail_msg("the prompt is \"%.*s\"", STR_ARG(messages[0].content));
	arena_release(&arena);
}

static void test_shape(void **state)
{
	(void)state;
	assert_true(alquimia_runner.ordered);
	assert_true(alquimia_runner.summary_wall_time);
}

static void expect_note(struct json observation, enum outcome outcome, struct str message, struct str expected)
{
	struct arena arena = ARENA_INIT;
	struct batch batch = { .query = STR("q"), .qa_id = STR("id"), .assistant = STR("old"), .observation = observation };
	struct dataset dataset = { .batches = &batch, .batch_count = 1 };
	struct turn_result result = { .dataset = &dataset, .outcome = outcome, .answer = message };
	const struct batch *changed = NULL;
	assert_int_equal(alquimia_runner.settle(&result, &arena, &changed), 0);
	assert_non_null(changed);
	if (changed->observation.type != JSON_STRING || !str_eq(changed->observation.text, expected))
		fail_msg("the observation is \"%.*s\"", STR_ARG(changed->observation.text));
	assert_true(str_starts_with(changed->assistant, STR("[ERROR] ")));
	assert_true(str_ends_with(changed->assistant, message));
	assert_int_equal(changed->assistant.len, message.len + 8);
	assert_true(str_eq(changed->qa_id, STR("id")));
	assert_true(str_eq(batch.assistant, STR("old")));
	arena_release(&arena);
}

static void test_failures_are_noted(void **state)
{
	const struct json null = { .type = JSON_NULL };
	const struct json empty = TEXT(""), text = TEXT("noted before"), padded = TEXT("  \xC2\xA0padded  "),
	                  blank = TEXT(" \xE3\x80\x80\n");
	(void)state;
	expect_note(null, OUTCOME_HTTP_5XX, STR("it broke."), STR("Error: it broke."));
	expect_note(empty, OUTCOME_TIMEOUT, STR("it broke."), STR("Error: it broke."));
	expect_note(text, OUTCOME_NOT_RUN, STR("not run: deadline"), STR("noted before\nError: not run: deadline"));
	expect_note(padded, OUTCOME_CANCELLED, STR("x"), STR("padded  \nError: x"));
	expect_note(blank, OUTCOME_BAD_REPLY, STR("x \n"), STR("Error: x"));
	expect_note(text, OUTCOME_TRANSPORT, STR_NULL, STR("noted before\nError:"));
}

static void test_successes_stay(void **state)
{
	struct arena arena = ARENA_INIT;
	struct batch batch = { .query = STR("q") };
	struct dataset dataset = { .batches = &batch, .batch_count = 1 };
	struct turn_result result = { .dataset = &dataset, .outcome = OUTCOME_OK, .answer = STR("fine") };
	const struct batch *changed = NULL;
	(void)state;
	assert_int_equal(alquimia_runner.settle(&result, &arena, &changed), 0);
	assert_null(changed);
	arena_release(&arena);
}

static void test_no_memory(void **state)
{
	char big[8192];
	memset(big, 'x', sizeof big);
	struct batch batch = { .query = STR("q"), .observation = TEXT("o") };
	struct dataset dataset = { .batches = &batch, .batch_count = 1 };
	struct turn_result result = { .dataset = &dataset, .outcome = OUTCOME_HTTP_5XX, .answer = str_of(big, sizeof big) };
	const struct batch *changed = NULL;
	uint64_t n = 1;
	int code;
	(void)state;
	do {
		struct arena arena = ARENA_INIT;
		changed = NULL;
		mem_fault_arm(n, false);
		code = alquimia_runner.settle(&result, &arena, &changed);
		mem_fault_arm(0, false);
		assert_int_equal(code == 0, changed != NULL);
		assert_true(code == 0 || code == FF_ENOMEM);
		arena_release(&arena);
	} while (code != 0 && n++ < 10);
	assert_int_equal(code, 0);
	assert_true(n > 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prompt_is_the_query), cmocka_unit_test(test_shape),
		cmocka_unit_test(test_failures_are_noted),  cmocka_unit_test(test_successes_stay),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
