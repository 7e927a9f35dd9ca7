/* test_args.c: values that people type, flags of a table, and what they are told when they mistype. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/macros.h"
#include "front/common/args.h"
#include "front/common/flags.h"

static void test_numbers_and_sizes(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_true(arg_u64("5", 1, 5, &v));
	assert_int_equal(v, 5);
	assert_false(arg_u64("6", 1, 5, &v));
	assert_false(arg_u64("", 0, 5, &v));
	assert_false(arg_u64("-1", 0, 5, &v));
	assert_false(arg_u64("99999999999999999999", 0, UINT64_MAX, &v));
	assert_int_equal(v, 5);
	assert_true(arg_bytes("100", &v));
	assert_int_equal(v, 100);
	assert_true(arg_bytes("64M", &v));
	assert_int_equal(v, 64u << 20);
	assert_true(arg_bytes("2GiB", &v) && v == UINT64_C(2) << 30);
	assert_true(arg_bytes("3kb", &v) && v == 3072);
	assert_false(arg_bytes("0", &v));
	assert_false(arg_bytes("M", &v));
	assert_false(arg_bytes("1.5M", &v));
	assert_false(arg_bytes("64X", &v));
	assert_false(arg_bytes("99999999999G", &v));
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = { { "30", 30000 },   { "1.5", 1500 }, { "500ms", 500 }, { "2m", 120000 },
		     { "1h", 3600000 }, { "0", 0 },      { "0.0001", 1 },  { "10S", 10000 } };
	static const char *const bad[] = { "", "s", "-1", "1d", "1e3", "1 s", "nan", "inf", "99999999999999", "1.2.3" };
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (!arg_duration_ms(good[i].text, &ms) || ms != good[i].ms)
			fail_msg("%s should be %ju ms", good[i].text, (uintmax_t)good[i].ms);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (arg_duration_ms(bad[i], &ms))
			fail_msg("\"%s\" should not be a duration, became %ju ms", bad[i], (uintmax_t)ms);
}

static void test_distance(void **state)
{
	(void)state;
	assert_int_equal(arg_distance("run", "run"), 0);
	assert_int_equal(arg_distance("rnu", "run"), 1);
	assert_int_equal(arg_distance("", "run"), 3);
	assert_int_equal(arg_distance("RUN", "run"), 0);
	assert_int_equal(arg_distance("concurency", "concurrency"), 1);
	assert_int_equal(arg_distance("kitten", "sitting"), 3);
	assert_true(arg_distance("a123456789012345678901234567890123456789012345678901234567890123456789", "a") == SIZE_MAX);
}

struct taken {
	const char *file;
	int verbose, number;
};

static int take_file(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag, (void)why;
	((struct taken *)state)->file = value;
	return 0;
}

static int take_verbose(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag, (void)value, (void)why;
	((struct taken *)state)->verbose++;
	return 0;
}

static int take_number(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	uint64_t v;

	if (!arg_u64(value, 1, 9, &v)) {
		buf_printf(why, "must be 1 to 9, and --%s was %s", flag->name, value);
		return -1;
	}
	((struct taken *)state)->number = (int)v;
	return 0;
}

static const struct flag flags[] = {
	{ "file", 'f', "FILE", "a file", take_file },
	{ "verbose", 0, NULL, NULL, take_verbose },
	{ "number", 0, "N", "say more; a number", take_number },
};

/* Parses words; *ret_first is the first operand's index. */
static int parse(char **argv, struct taken *t, int *ret_first, char *complaint, size_t size)
{
	struct buf why;
	int argc = 0, r;

	while (argv[argc])
		argc++;
	*t = (struct taken){ 0 };
	buf_init(&why, 4096);
	r = flags_parse(flags, ARRAY_SIZE(flags), t, argc, argv, ret_first, &why);
	snprintf(complaint, size, "%s", why.ptr ? why.ptr : "");
	buf_release(&why);
	return r;
}

#define ARGV(...)                            \
	(char *[])                           \
	{                                    \
		"command", __VA_ARGS__, NULL \
	}

static void test_flags_before_and_after_operands(void **state)
{
	struct taken t;
	char complaint[256];
	char **argv = ARGV("one", "--file=x", "-", "--number", "3", "-fy", "--", "--verbose");
	int first;

	(void)state;
	assert_int_equal(parse(argv, &t, &first, complaint, sizeof(complaint)), 0);
	assert_string_equal(t.file, "y");
	assert_int_equal(t.number, 3);
	assert_int_equal(t.verbose, 0);
	assert_string_equal(argv[first], "one");
	assert_string_equal(argv[first + 1], "-");
	assert_string_equal(argv[first + 2], "--verbose");
	assert_int_equal(parse(ARGV("--verb", "--verbose"), &t, &first, complaint, sizeof(complaint)), 0);
	assert_int_equal(t.verbose, 2);
}

static void complains(char **argv, const char *wanted)
{
	struct taken t;
	char complaint[256];
	int first;

	if (parse(argv, &t, &first, complaint, sizeof(complaint)) == 0 || strcmp(complaint, wanted) != 0)
		fail_msg("expected \"%s\", got \"%s\"", wanted, complaint);
}

static void test_complaints_are_sentences(void **state)
{
	(void)state;
	complains(ARGV("--fiel", "x"), "Unknown option --fiel: did you mean --file?");
	complains(ARGV("--zzzzzzzz"), "Unknown option --zzzzzzzz.");
	complains(ARGV("--zzzzzzzz=3"), "Unknown option --zzzzzzzz.");
	complains(ARGV("-z"), "Unknown option -z.");
	complains(ARGV("--file"), "Option --file needs a value: FILE.");
	complains(ARGV("-f"), "Option --file needs a value: FILE.");
	complains(ARGV("--verbose=1"), "Option --verbose takes no value.");
	complains(ARGV("--number", "10"), "Option --number must be 1 to 9, and --number was 10.");
}

static void test_help_has_two_columns(void **state)
{
	char text[512] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	(void)state;
	assert_non_null(out);
	flags_print_help(out, flags, ARRAY_SIZE(flags));
	fclose(out);
	assert_string_equal(text, "  -f, --file FILE           a file\n"
	                          "  --verbose, --number N     say more; a number\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_and_sizes),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_flags_before_and_after_operands),
		cmocka_unit_test(test_complaints_are_sentences),
		cmocka_unit_test(test_help_has_two_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
