/* test_error.c: errors and problems: one table of codes, sentences cut at characters, counts beyond the list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "base/problem.h"
#include "base/str.h"
#include "fault_loop.h"

static void test_set(void **state)
{
	struct error err;

	(void)state;
	memset(&err, 'x', sizeof err);
	error_clear(&err);
	assert_int_equal(err.code, 0);
	assert_int_equal(error_set(&err, FF_EDATA, "/datasets/0", "Line %d is wrong.", 3), FF_EDATA);
	assert_int_equal(err.code, FF_EDATA);
	assert_string_equal(err.where, "/datasets/0");
	assert_string_equal(err.text, "Line 3 is wrong.");
	assert_int_equal(error_set(NULL, FF_EIO, "", "nobody reads this"), FF_EIO);
	error_set(&err, FF_EIO, NULL, "x");
	assert_string_equal(err.where, "");
	assert_int_equal(error_nomem(&err), FF_ENOMEM);
	assert_int_equal(err.code, FF_ENOMEM);
	assert_int_equal(error_nomem(NULL), FF_ENOMEM);
	error_clear(NULL);
}

static void test_may_quote_itself(void **state)
{
	struct error err;

	(void)state;
	error_set(&err, FF_EIO, "out.json", "The disk is full.");
	error_set(&err, FF_EOUTPUT, err.where, "Cannot write %s: %s", err.where, err.text);
	assert_string_equal(err.where, "out.json");
	assert_string_equal(err.text, "Cannot write out.json: The disk is full.");
}

/* Every offset of a cut within a four-byte character. */
static void test_cut_at_characters(void **state)
{
	struct error err;
	char text[2048], where[600];

	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		size_t len = shift;

		memset(text, 'a', shift);
		memset(where, 'b', shift);
		while (len + 5 < sizeof text) {
			memcpy(text + len, "\xF0\x9F\x98\x80", 5);
			if (len + 5 < sizeof where)
				memcpy(where + len, "\xF0\x9F\x98\x80", 5);
			len += 4;
		}
		error_set(&err, FF_EDATA, where, "%s", text);
		assert_true(utf8_is_valid(str_from(err.text)));
		assert_true(utf8_is_valid(str_from(err.where)));
		assert_true(strlen(err.text) >= sizeof err.text - 4);
		assert_true(strlen(err.where) >= sizeof err.where - 4);
	}
	memset(text, 'a', 1023);
	text[1023] = '\0';
	error_set(&err, FF_EDATA, "", "%s", text);
	assert_string_equal(err.text, text); /* exactly full is not cut */
}

static void test_table(void **state)
{
	(void)state;
	assert_string_equal(error_code_name(FF_OK), "FF_OK");
	assert_string_equal(error_code_name(FF_EDATA), "FF_EDATA");
	assert_string_equal(error_code_text(FF_ELIMIT), "stopped by a limit");
	assert_int_equal(error_exit_status(FF_OK), 0);
	assert_int_equal(error_exit_status(FF_EUSAGE), 64);
	assert_int_equal(error_exit_status(FF_EDATA), 65);
	assert_int_equal(error_exit_status(FF_EOUTPUT), 73);
	assert_int_equal(error_exit_status(-9999), 70);
	assert_string_equal(error_code_name(-9999), "unknown code");
}

static void test_problems(void **state)
{
	struct problems p;
	char longer[6000];

	(void)state;
	problems_init(&p);
	problem_error(&p, "/datasets/0/context", "Field %s is required.", "context");
	problem_warning(&p, NULL, "A duplicate key.");
	assert_int_equal(p.errors, 1);
	assert_int_equal(p.warnings, 1);
	assert_string_equal(p.first->pointer, "/datasets/0/context");
	assert_string_equal(p.first->text, "Field context is required.");
	assert_int_equal(p.first->severity, PROBLEM_ERROR);
	assert_string_equal(p.first->next->pointer, "");
	assert_null(p.first->next->next);
	assert_ptr_equal(p.last, p.first->next);

	memset(longer, 'a', sizeof longer);
	for (size_t i = 1; i + 2 < sizeof longer; i += 2)
		memcpy(longer + i, "\xC3\xA9", 2);
	longer[sizeof longer - 1] = '\0';
	problem_error(&p, "", "%s", longer);
	assert_true(utf8_is_valid(str_from(p.last->text)));
	assert_true(strlen(p.last->text) > 4000);
	problems_release(&p);
	assert_null(p.first);
	assert_int_equal(p.errors, 0);
}

static void test_problems_are_bounded(void **state)
{
	struct problems p;
	size_t listed = 0;

	(void)state;
	problems_init(&p);
	for (int i = 0; i < 5000; i++)
		problem_error(&p, "/x", "number %d", i);
	for (const struct problem *one = p.first; one; one = one->next)
		listed++;
	assert_int_equal(p.errors, 5000);
	assert_int_equal(p.kept, PROBLEMS_KEPT);
	assert_int_equal(listed, PROBLEMS_KEPT);
	assert_string_equal(p.last->text, "number 999");
	assert_false(p.nomem);
	problems_release(&p);
}

static int complete_use(void)
{
	struct problems p;
	size_t listed = 0;
	int code;

	problems_init(&p);
	for (int i = 0; i < 60; i++)
		problem_error(&p, "/datasets/0", "problem %d of many, with a sentence of some length to fill the blocks", i);
	for (const struct problem *one = p.first; one; one = one->next)
		listed++;
	if (p.errors != 60 || listed != p.kept || (listed < 60) != p.nomem)
		fail_msg("60 problems: counted %zu, kept %zu, listed %zu, nomem %d", p.errors, p.kept, listed, p.nomem);
	code = p.nomem ? FF_ENOMEM : 0;
	problems_release(&p);
	return code;
}

static void test_faults(void **state)
{
	(void)state;
	assert_true(fault_loop(complete_use) >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),    cmocka_unit_test(test_may_quote_itself), cmocka_unit_test(test_cut_at_characters),
		cmocka_unit_test(test_table),  cmocka_unit_test(test_problems),         cmocka_unit_test(test_problems_are_bounded),
		cmocka_unit_test(test_faults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
