/* test_ndjson.c: lines out of bytes, whatever the cuts. */
#include "turn_kit.h"

#include "connector/ndjson.h"

struct collected {
	char text[4096]; /* lines in brackets */
	int result;
};

static void collect(struct collected *c, struct str line)
{
	size_t len = strlen(c->text);

	snprintf(c->text + len, sizeof c->text - len, "[%.*s]", STR_ARG(line));
}

static struct collected run(const char *bytes, size_t step, size_t cap)
{
	struct collected c = { .result = 0 };
	struct arena a;
	struct ndjson n;
	struct str all = str_from(bytes), line;

	arena_init(&a);
	ndjson_init(&n, &a, cap);
	for (size_t i = 0; i < all.len && c.result >= 0; i += step) {
		struct str in = str_sub(all, i, i + step);

		while ((c.result = ndjson_next(&n, &in, &line)) > 0)
			collect(&c, line);
	}
	if (c.result >= 0 && ndjson_last(&n, &line))
		collect(&c, line);
	if (c.result >= 0)
		assert_false(ndjson_last(&n, &line));
	arena_release(&a);
	return c;
}

static void expect_lines(const char *bytes, const char *want)
{
	for (size_t step = 1; step <= strlen(bytes) + 1; step++) {
		struct collected c = run(bytes, step, 1024);

		assert_int_equal(c.result, 0);
		if (strcmp(c.text, want) != 0)
			fail_msg("in pieces of %zu: expected %s, got %s", step, want, c.text);
	}
}

static void lines_do_not_depend_on_the_cuts(void **state)
{
	(void)state;
	expect_lines("a\nbb\nccc\n", "[a][bb][ccc]");
	expect_lines("a\r\nbb\r\n", "[a][bb]");
	expect_lines("only", "[only]");
	expect_lines("last\r", "[last]");
	expect_lines("a\nrest", "[a][rest]");
}

static void blank_lines_are_skipped(void **state)
{
	(void)state;
	expect_lines("", "");
	expect_lines("\n\n\r\n  \n\t\n", "");
	expect_lines("\n\na\n \n\nb\n\n", "[a][b]");
	expect_lines("a\n   ", "[a]");
}

static void only_line_feeds_end_a_line(void **state)
{
	(void)state;
	expect_lines("a\rb\n", "[a\rb]");
	expect_lines("a\xE2\x80\xA8"
	             "b\xC2\x85"
	             "c\x0b\n",
	             "[a\xE2\x80\xA8"
	             "b\xC2\x85"
	             "c\x0b]");
}

static void a_line_over_the_cap_is_too_big(void **state)
{
	(void)state;
	for (size_t step = 1; step < 20; step++) {
		assert_int_equal(run("12345678\nab\n", step, 8).result, 0);
		assert_string_equal(run("12345678\nab\n", step, 8).text, "[12345678][ab]");
		assert_int_equal(run("ab\n123456789\n", step, 8).result, FF_ETOOBIG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_do_not_depend_on_the_cuts),
		cmocka_unit_test(blank_lines_are_skipped),
		cmocka_unit_test(only_line_feeds_end_a_line),
		cmocka_unit_test(a_line_over_the_cap_is_too_big),
	};

	return cmocka_run_group_tests_name("ndjson", tests, NULL, NULL);
}
