/* How much is taken on at once: runs and bytes; and how long a client may take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "front/server/admission.h"
#include "front/server/client.h"

#define MIB ((size_t)1 << 20)
#define S   ((uint64_t)1000000)

static void test_runs(void **state)
{
	struct admission a;

	(void)state;
	admission_init(&a, 2, MIB);
	assert_true(admission_begin_run(&a) && !admission_is_full(&a));
	assert_true(admission_begin_run(&a) && admission_is_full(&a));
	assert_false(admission_begin_run(&a));
	admission_end_run(&a);
	assert_true(admission_begin_run(&a));
	assert_false(admission_begin_run(&a));
}

static void test_bytes_have_a_cap(void **state)
{
	struct admission a;

	(void)state;
	admission_init(&a, 1, 8 * MIB);
	assert_int_equal(a.max_held, 128 * MIB);
	assert_true(admission_hold(&a, 128 * MIB - 1));
	assert_true(admission_has_room(&a, 1) && !admission_has_room(&a, 2));
	assert_false(admission_hold(&a, 2)); /* and nothing is held by that */
	assert_true(admission_hold(&a, 1));
	assert_true(admission_has_room(&a, 0) && !admission_has_room(&a, 1));
	admission_let_go(&a, 128 * MIB);
	assert_int_equal(a.held, 0);
}

static void test_the_cap_follows_the_largest_body(void **state)
{
	struct admission a;

	(void)state;
	admission_init(&a, 1, 64 * MIB);
	assert_int_equal(a.max_held, 1024 * MIB);
	admission_init(&a, 1, SIZE_MAX / 2);
	assert_true(a.max_held == SIZE_MAX && admission_has_room(&a, SIZE_MAX));
	admission_init(&a, 1, 1);
	assert_int_equal(a.max_held, 128 * MIB);
}

static void test_answers_are_held_beyond_the_cap(void **state)
{
	struct admission a;

	(void)state;
	admission_init(&a, 1, 1);
	admission_hold_answer(&a, 200 * MIB);
	assert_false(admission_has_room(&a, 0));
	assert_false(admission_hold(&a, 1));
	admission_let_go(&a, 100 * MIB);
	assert_true(admission_hold(&a, 28 * MIB) && !admission_hold(&a, 1));
}

static void test_answers_that_grow_have_a_cap_of_their_own(void **state)
{
	struct admission a;

	(void)state;
	admission_init(&a, 1, 1);
	assert_true(admission_grow(&a, 512 * MIB - 1));
	assert_true(admission_has_room(&a, 128 * MIB)); /* bodies do not wait for them */
	assert_false(admission_grow(&a, 2));            /* and nothing has grown by that */
	assert_true(admission_grow(&a, 1) && !admission_grow(&a, 1));
	admission_shrink(&a, 512 * MIB);
	assert_int_equal(a.growing, 0);
	admission_init(&a, 1, SIZE_MAX / 2);
	assert_true(admission_grow(&a, SIZE_MAX) && !admission_grow(&a, 1));
}

static void test_room_is_short_beyond_its_half(void **state)
{
	struct admission a;

	(void)state;
	admission_init(&a, 1, 8 * MIB);
	assert_false(admission_is_short(&a));
	admission_hold_answer(&a, 64 * MIB);
	assert_false(admission_is_short(&a));
	assert_true(admission_hold(&a, 1));
	assert_true(admission_is_short(&a));
	admission_let_go(&a, 1);
	assert_false(admission_is_short(&a));
}

static void test_deadlines(void **state)
{
	(void)state;
	assert_int_equal(client_deadline(CLIENT_HEAD, 5 * S, 60 * S), 65 * S);
	assert_int_equal(client_deadline(CLIENT_HEAD, 5 * S, 60 * S), 65 * S);
	assert_int_equal(client_deadline(CLIENT_REPLY, 5 * S, 60 * S), 65 * S);
	assert_int_equal(client_deadline(CLIENT_IDLE, 5 * S, 60 * S), 65 * S);
	assert_int_equal(client_deadline(CLIENT_BODY, 5 * S, 60 * S), 65 * S);
	assert_true(client_deadline(CLIENT_WORK, 5 * S, 60 * S) == CLOCK_NEVER);
}

static void test_a_body_has_time_as_long_as_it_comes(void **state)
{
	(void)state;
	assert_int_equal(client_extended(65 * S, 20 * S, 60 * S, 0), 65 * S);
	assert_int_equal(client_extended(65 * S, 20 * S, 60 * S, 10 * CLIENT_BYTES_PER_S), 75 * S);
	assert_int_equal(client_extended(10 * S, 9 * S, 60 * S, CLIENT_BYTES_PER_S / 2), 10 * S + S / 2);
	/* However much came: no more than the timeout from now on. */
	assert_int_equal(client_extended(65 * S, 5 * S, 60 * S, 10 * CLIENT_BYTES_PER_S), 65 * S);
	assert_int_equal(client_extended(65 * S, 20 * S, 60 * S, (uint64_t)1 << 40), 80 * S);
}

static void test_room_for_the_next_connection(void **state)
{
	(void)state;
	assert_int_equal(client_high_water(1), 1);
	assert_int_equal(client_high_water(2), 1);
	assert_int_equal(client_high_water(3), 1);
	assert_int_equal(client_high_water(20), 18);
	assert_int_equal(client_high_water(320), 310);
	for (size_t most = 2; most < 5000; most++)
		assert_true(client_high_water(most) < most);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_bytes_have_a_cap),
		cmocka_unit_test(test_the_cap_follows_the_largest_body),
		cmocka_unit_test(test_answers_are_held_beyond_the_cap),
		cmocka_unit_test(test_answers_that_grow_have_a_cap_of_their_own),
		cmocka_unit_test(test_room_is_short_beyond_its_half),
		cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_a_body_has_time_as_long_as_it_comes),
		cmocka_unit_test(test_room_for_the_next_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
