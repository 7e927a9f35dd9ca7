/* test_words.c: a command split into words as a shell does it, and what is refused because only a shell could do it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "lib/words.h"

static void expect(const char *command, const char *const *want)
{
	struct arena arena = ARENA_INIT;
	const char *const *words;
	struct error err = { 0 };
	size_t i = 0;

	if (words_split(&arena, command, &words, &err))
		fail_msg("%s: %s", command, err.text);
	for (; words[i] && want[i]; i++)
		assert_string_equal(words[i], want[i]);
	assert_true(!words[i] && !want[i]);
	arena_release(&arena);
}

#define EXPECT(command, ...) expect(command, (const char *const[]){ __VA_ARGS__, NULL })

static void test_words(void **state)
{
	(void)state;
	EXPECT("a", "a");
	EXPECT("  python3  my_system.py\t--fast\n", "python3", "my_system.py", "--fast");
	EXPECT("a 'b  c' d", "a", "b  c", "d");
	EXPECT("a \"b  'c'\"", "a", "b  'c'");
	EXPECT("a'b'\"c\"d", "abcd");
	EXPECT("a '' \"\"", "a", "", "");
	EXPECT("a\\ b \\\\ \\'", "a b", "\\", "'");
	EXPECT("a '$HOME `x` |&;<>()'", "a", "$HOME `x` |&;<>()");
	EXPECT("a \"\\$x \\`y\\` \\\"z\\\" \\n |;\"", "a", "$x `y` \"z\" \\n |;");
	EXPECT("a\\\nb \"c\\\nd\"", "ab", "cd");
	EXPECT("~/x *.py #c", "~/x", "*.py", "#c");
	EXPECT("\xc3\xa4 b", "\xc3\xa4", "b");
}

static void expect_refused(const char *command, const char *part)
{
	struct arena arena = ARENA_INIT;
	const char *const *words;
	struct error err = { 0 };

	assert_int_equal(words_split(&arena, command, &words, &err), FF_EUSAGE);
	if (!strstr(err.text, part))
		fail_msg("%s: expected \"%s\" in: %s", command, part, err.text);
	arena_release(&arena);
}

static void test_refused(void **state)
{
	(void)state;
	expect_refused("", "names no program");
	expect_refused(" \t", "names no program");
	expect_refused("''", "names no program");
	expect_refused("a 'b", "single quote");
	expect_refused("a \"b", "double quote");
	expect_refused("a \"b\\", "double quote");
	expect_refused("a \\", "backslash");
	for (const char *c = "|&;<>()$`"; *c; c++) {
		char command[] = "a b?c", sign[] = "has ?";
		command[3] = sign[4] = *c;
		expect_refused(command, sign);
	}
	expect_refused("a \"$b\"", "has $");
	expect_refused("a \"`b`\"", "has `");
}

static void test_no_memory(void **state)
{
	(void)state;
	for (uint64_t n = 1;; n++) {
		struct arena arena = ARENA_INIT;
		const char *const *words;
		mem_fault_arm(n, true);
		int r = words_split(&arena, "a b c", &words, NULL);
		uint64_t hits = mem_fault_hits();
		mem_fault_arm(0, false);
		arena_release(&arena);
		assert_int_equal(r, hits ? FF_ENOMEM : 0);
		if (!hits)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_words), cmocka_unit_test(test_refused),
		                            cmocka_unit_test(test_no_memory) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
