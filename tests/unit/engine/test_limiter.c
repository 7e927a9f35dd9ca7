/* test_limiter.c: the adaptive limit as arithmetic with a fake now. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "engine/target.h"

#define S 1000000ull

static void succeed(struct limiter *l, unsigned times, bool held, uint64_t now_us)
{
	for (unsigned i = 0; i < times; i++)
		limiter_success(l, held, now_us);
}

static void test_starts_low(void **state)
{
	(void)state;
	struct limiter l;
	limiter_init(&l, 16);
	assert_int_equal(l.now, 4);
	limiter_init(&l, 3);
	assert_int_equal(l.now, 3);
	limiter_init(&l, 1);
	assert_int_equal(l.now, 1);
}

static void test_doubles_a_round(void **state)
{
	(void)state;
	struct limiter l;
	limiter_init(&l, 50);
	static const uint32_t expected[] = { 8, 16, 32, 50, 50 };
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		succeed(&l, l.now - 1, true, S);
		assert_true(l.now < expected[i] || expected[i] == 50);
		succeed(&l, 1, true, S);
		assert_int_equal(l.now, expected[i]);
	}
	limiter_init(&l, UINT32_MAX);
	l.now = UINT32_MAX - 1;
	l.successes = l.now - 1;
	succeed(&l, 1, true, S);
	assert_int_equal(l.now, UINT32_MAX);
}

static void test_grows_only_when_it_was_what_held_us(void **state)
{
	(void)state;
	struct limiter l;
	limiter_init(&l, 50);
	succeed(&l, 1000, false, S);
	assert_int_equal(l.now, 4);
	succeed(&l, 3, true, S);
	succeed(&l, 1000, false, S);
	assert_int_equal(l.now, 4);
	succeed(&l, 1, true, S);
	assert_int_equal(l.now, 8);
}

static void test_one_cut_an_episode(void **state)
{
	(void)state;
	struct limiter l;
	limiter_init(&l, 64);
	l.now = 40;
	assert_true(limiter_refused(&l, 9 * S, 10 * S));
	assert_int_equal(l.now, 20);
	/* others that were in flight, and later ones inside the cooling */
	assert_false(limiter_refused(&l, 9 * S, 10 * S));
	assert_false(limiter_refused(&l, 10 * S, 10 * S + LIMITER_COOLING_US - 1));
	assert_int_equal(l.now, 20);
	/* sent before the cut, refused long after it: still that episode */
	assert_false(limiter_refused(&l, 10 * S, 10 * S + 100 * LIMITER_COOLING_US));
	/* sent after the cut, refused after the cooling: the next */
	assert_true(limiter_refused(&l, 11 * S, 10 * S + LIMITER_COOLING_US));
	assert_int_equal(l.now, 10);
}

static void test_never_below_one(void **state)
{
	(void)state;
	struct limiter l;
	limiter_init(&l, 5);
	for (uint64_t i = 1; i < 10; i++)
		assert_true(limiter_refused(&l, i * 100 * S - 1, i * 100 * S));
	assert_int_equal(l.now, 1);
}

static void test_cooling_teaches_nothing_then_one_more_a_round(void **state)
{
	(void)state;
	struct limiter l;
	limiter_init(&l, 8);
	assert_true(limiter_refused(&l, 9 * S, 10 * S));
	assert_int_equal(l.now, 2);
	succeed(&l, 100, true, 10 * S + LIMITER_COOLING_US - 1);
	assert_int_equal(l.now, 2);
	succeed(&l, 1, true, 10 * S + LIMITER_COOLING_US);
	assert_int_equal(l.now, 2);
	succeed(&l, 1, true, 10 * S + LIMITER_COOLING_US);
	assert_int_equal(l.now, 3);
	succeed(&l, 3 + 4 + 5 + 6 + 7, true, 60 * S);
	assert_int_equal(l.now, 8);
	succeed(&l, 100, true, 60 * S);
	assert_int_equal(l.now, 8);
}

static void test_max_changes(void **state)
{
	(void)state;
	struct limiter l;
	limiter_init(&l, 100);
	l.now = 60;
	limiter_set_max(&l, 16);
	assert_int_equal(l.now, 16);
	limiter_set_max(&l, 100);
	assert_int_equal(l.now, 16); /* it has to be earned again */
	succeed(&l, 16, true, S);
	assert_int_equal(l.now, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starts_low),
		cmocka_unit_test(test_doubles_a_round),
		cmocka_unit_test(test_grows_only_when_it_was_what_held_us),
		cmocka_unit_test(test_one_cut_an_episode),
		cmocka_unit_test(test_never_below_one),
		cmocka_unit_test(test_cooling_teaches_nothing_then_one_more_a_round),
		cmocka_unit_test(test_max_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
