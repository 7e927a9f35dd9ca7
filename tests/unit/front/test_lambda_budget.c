/* test_lambda_budget.c: how long an invocation may work. Arithmetic on clocks that are numbers here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdint.h>

#include "base/macros.h"
#include "front/lambda/budget.h"

#define NOW_US   UINT64_C(5000000)
#define NOW_WALL INT64_C(1700000000000)

static struct budget budget_of(int64_t given_ms, bool gateway, uint64_t margin_ms, size_t puts)
{
	struct budget_terms terms = { NOW_US, NOW_WALL, given_ms ? NOW_WALL + given_ms : 0, gateway, margin_ms, puts };
	struct budget b;

	budget_set(&b, &terms);
	return b;
}

static void test_how_long_a_run_may_take(void **state)
{
	static const struct {
		int64_t given_ms;
		bool gateway;
		uint64_t margin_ms;
		size_t puts;
		uint64_t run_ms, put_ms; /* put_ms: what is left for storing when the run took all of its time */
	} rows[] = {
		{ 900000, false, 0, 0, 899000, 500 },
		{ 10001, false, 0, 0, 9001, 500 },
		{ 10000, false, 0, 0, 9500, 250 },
		{ 3000, false, 0, 0, 2500, 250 },
		{ 1000, false, 0, 0, 500, 250 },
		{ 600, false, 0, 0, 300, 150 },
		{ 900000, true, 0, 0, 28000, 500 },
		{ 29000, true, 0, 0, 28000, 500 },
		{ 5000, true, 0, 0, 4500, 250 },
		{ 900000, true, 3000, 0, 26000, 1500 },
		{ 60000, false, 5000, 0, 55000, 2500 },
		{ 3000, false, 60000, 0, 1500, 750 },
		{ 900000, false, 0, 1, 897900, 1600 },
		{ 900000, false, 0, 10, 897000, 2500 },
		{ 4000, false, 0, 1, 2625, 1125 },
		{ 900000, false, 0, 10000, 674250, 225250 },
		{ 1, false, 0, 0, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct budget b = budget_of(rows[i].given_ms, rows[i].gateway, rows[i].margin_ms, rows[i].puts);
		uint64_t run_ms = budget_run_ms(&b, NOW_US), put_ms = budget_put_ms(&b, b.run_until_us);

		if (run_ms != rows[i].run_ms || put_ms != rows[i].put_ms)
			fail_msg("row %zu: %ju ms to run and %ju to store were expected, not %ju and %ju", i,
			         (uintmax_t)rows[i].run_ms, (uintmax_t)rows[i].put_ms, (uintmax_t)run_ms, (uintmax_t)put_ms);
	}
}

static void test_time_goes_by(void **state)
{
	struct budget b = budget_of(3000, false, 0, 0);

	(void)state;
	assert_false(budget_run_is_over(&b, NOW_US + 2499000));
	assert_int_equal(budget_run_ms(&b, NOW_US + 1000000), 1500);
	assert_true(budget_run_is_over(&b, NOW_US + 2500000));
	assert_int_equal(budget_run_ms(&b, NOW_US + 2500000), 1);
	assert_int_equal(budget_run_ms(&b, NOW_US + 99000000), 1);
	assert_int_equal(budget_put_ms(&b, NOW_US + 99000000), 0);
}

static void test_deadlines_that_are_none(void **state)
{
	struct budget b = budget_of(0, false, 0, 3);

	(void)state;
	assert_int_equal(budget_run_ms(&b, NOW_US), 0); /* no limit */
	assert_false(budget_run_is_over(&b, UINT64_MAX));
	assert_int_equal(budget_put_ms(&b, NOW_US), BUDGET_NO_END_MS);
	b = budget_of(0, true, 0, 0);
	assert_int_equal(budget_run_ms(&b, NOW_US), 28000);
	b = budget_of(-5000, false, 0, 1); /* it has passed */
	assert_int_equal(budget_run_ms(&b, NOW_US), 1);
	assert_int_equal(budget_put_ms(&b, NOW_US), 0);
	b = budget_of(INT64_MAX - NOW_WALL, false, 0, 0); /* an emulator's */
	assert_int_equal(budget_run_ms(&b, NOW_US), 86399000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_how_long_a_run_may_take),
		cmocka_unit_test(test_time_goes_by),
		cmocka_unit_test(test_deadlines_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
