/* test_llm_runner.c: the prompt of the reference's LLMRunner, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "connector/connector.h"
#include "engine/engine.h"

static void expect_prompt(struct str context, struct str query, struct str expected)
{
	struct arena arena = ARENA_INIT;
	struct batch batch = { .query = query };
	struct dataset dataset = { .context = context, .batches = &batch, .batch_count = 1 };
	const struct message *messages = NULL;
	size_t count = 0;
	assert_int_equal(llm_runner.prompt(&dataset, 0, &arena, &messages, &count), 0);
	assert_int_equal(count, 1);
	assert_true(str_eq(messages[0].role, STR("user")));
	if (!str_eq(messages[0].content, expected))
		fail_msg("the prompt is \"%.*s\"", STR_ARG(messages[0].content));
	arena_release(&arena);
}

static void test_prompts(void **state)
{
	(void)state;
	expect_prompt(STR(""), STR("What is 2+2?"), STR("What is 2+2?"));
	expect_prompt(STR_NULL, STR(""), STR(""));
	expect_prompt(STR("Math."), STR("What is 2+2?"), STR("Context:\nMath.\n\nQuestion: What is 2+2?"));
	expect_prompt(STR(" "), STR_NULL, STR("Context:\n \n\nQuestion: "));
	expect_prompt(STR("a\0b"), STR("¿Qué?\n"), STR("Context:\na\0b\n\nQuestion: ¿Qué?\n"));
}

static void test_no_memory(void **state)
{
	(void)state;
	char big[4096];
	memset(big, 'x', sizeof big);
	struct batch batch = { .query = str_of(big, sizeof big) };
	struct dataset dataset = { .context = STR("c"), .batches = &batch, .batch_count = 1 };
	for (uint64_t n = 1; n <= 2; n++) {
		struct arena arena = ARENA_INIT;
		const struct message *messages = NULL;
		size_t count = 0;
		mem_fault_arm(n, false);
		assert_int_equal(llm_runner.prompt(&dataset, 0, &arena, &messages, &count), FF_ENOMEM);
		mem_fault_arm(0, false);
		assert_null(messages);
		arena_release(&arena);
	}
}

static void test_shape(void **state)
{
	(void)state;
	assert_false(llm_runner.ordered);
	assert_false(llm_runner.summary_wall_time);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prompts),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_shape),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
