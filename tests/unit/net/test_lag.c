/* The classes of lag: no time is counted as shorter than it was, percentiles are at most a quarter too high. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/lag.h"

static void test_nothing(void **state)
{
	struct lag l = { 0 };

	(void)state;
	assert_int_equal(lag_percentile_us(&l, 99), 0);
	lag_note(&l, 0);
	assert_int_equal(lag_percentile_us(&l, 99), 0);
	assert_int_equal(l.stretches, 1);
}

static void test_one_time_of_any_length(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 62; bit++) {
		for (unsigned quarter = 0; quarter < 8; quarter++) {
			uint64_t us = (UINT64_C(1) << bit) + (UINT64_C(1) << bit) / 8 * quarter;
			struct lag l = { 0 };

			lag_note(&l, us);
			lag_note(&l, us + 1000 + us / 2); /* so that the maximum does not help */
			uint64_t half = lag_percentile_us(&l, 50);
			assert_true(half >= us);
			if (bit < 31)
				assert_true(half <= us + us / 4);
			assert_int_equal(lag_percentile_us(&l, 100), l.max_us);
		}
	}
}

static void test_percentiles(void **state)
{
	struct lag l = { 0 };

	(void)state;
	for (unsigned i = 0; i < 985; i++)
		lag_note(&l, 100);
	for (unsigned i = 0; i < 15; i++)
		lag_note(&l, 40000);
	assert_in_range(lag_percentile_us(&l, 98), 100, 125);
	assert_int_equal(lag_percentile_us(&l, 99), 40000); /* the end of the class is behind the maximum */
	for (unsigned i = 0; i < 1000; i++)
		lag_note(&l, 100);
	assert_in_range(lag_percentile_us(&l, 99), 100, 125);
	assert_int_equal(l.max_us, 40000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_one_time_of_any_length),
		cmocka_unit_test(test_percentiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
