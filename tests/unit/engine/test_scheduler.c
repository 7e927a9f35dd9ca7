/* test_scheduler.c: which session's turn starts next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/scheduler.h"

static void add(struct scheduler *s, struct session *session, size_t index, size_t turns)
{
	*session = (struct session){ .index = index, .batch_count = turns };
	assert_int_equal(scheduler_reserve(s), 0);
	scheduler_open(s, session);
}

static void expect_next(struct scheduler *s, size_t index, size_t turn)
{
	struct session *session = scheduler_first(s);
	assert_non_null(session);
	assert_int_equal(session->index, index);
	assert_int_equal(scheduler_take(s, session), turn);
}

static void test_independent_turns_in_input_order(void **state)
{
	(void)state;
	for (int longest = 0; longest < 2; longest++) {
		struct scheduler s;
		struct session a, b;
		scheduler_init(&s, false, longest);
		assert_null(scheduler_first(&s));
		add(&s, &a, 0, 2);
		add(&s, &b, 1, 3);
		assert_int_equal(s.startable, 5);
		expect_next(&s, 0, 0);
		expect_next(&s, 0, 1);
		expect_next(&s, 1, 0);
		assert_int_equal(s.startable, 2);
		expect_next(&s, 1, 1);
		expect_next(&s, 1, 2);
		assert_null(scheduler_first(&s));
		assert_int_equal(s.startable, 0);
		scheduler_close(&s, &a);
		scheduler_close(&s, &b);
		assert_int_equal(s.sessions, 0);
		scheduler_release(&s);
	}
}

static void test_longest_first(void **state)
{
	(void)state;
	struct scheduler s;
	struct session a, b, c;
	scheduler_init(&s, true, true);
	add(&s, &a, 0, 1);
	add(&s, &b, 1, 3);
	add(&s, &c, 2, 2);
	assert_int_equal(s.startable, 3); /* one turn of each may start */
	expect_next(&s, 1, 0);
	expect_next(&s, 2, 0);
	scheduler_next_turn(&s, &b); /* two left: before a, which has one */
	expect_next(&s, 1, 1);
	expect_next(&s, 0, 0);
	assert_null(scheduler_first(&s));
	scheduler_next_turn(&s, &c);
	scheduler_next_turn(&s, &b);
	expect_next(&s, 2, 1); /* equal: who was ready first */
	expect_next(&s, 1, 2);
	scheduler_close(&s, &a);
	scheduler_close(&s, &b);
	scheduler_close(&s, &c);
	scheduler_release(&s);
}

static void test_input_order(void **state)
{
	(void)state;
	struct scheduler s;
	struct session a, b;
	scheduler_init(&s, true, false);
	add(&s, &a, 0, 2);
	add(&s, &b, 1, 9);
	expect_next(&s, 0, 0);
	expect_next(&s, 1, 0);
	scheduler_next_turn(&s, &b);
	scheduler_next_turn(&s, &a);
	expect_next(&s, 0, 1);
	expect_next(&s, 1, 1);
	scheduler_close(&s, &a);
	scheduler_close(&s, &b);
	scheduler_release(&s);
}

static void test_no_memory(void **state)
{
	(void)state;
	struct scheduler s;
	scheduler_init(&s, true, true);
	mem_fault_arm(1, false);
	assert_int_equal(scheduler_reserve(&s), FF_ENOMEM);
	mem_fault_arm(0, false);
	assert_int_equal(scheduler_reserve(&s), 0);
	scheduler_release(&s);
}

static void test_begun_sessions_first(void **state)
{
	(void)state;
	for (int longest = 0; longest < 2; longest++) {
		struct scheduler s;
		struct session a, b;
		scheduler_init(&s, true, longest);
		s.finish_first = true;
		add(&s, &a, 0, 2);
		add(&s, &b, 1, 9);
		size_t first = longest ? 1 : 0;
		expect_next(&s, first, 0);
		assert_int_equal(scheduler_first(&s)->index, 1 - first);
		scheduler_next_turn(&s, longest ? &b : &a);
		expect_next(&s, first, 1);
		expect_next(&s, 1 - first, 0);
		scheduler_close(&s, &a);
		scheduler_close(&s, &b);
		scheduler_release(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_independent_turns_in_input_order),
		cmocka_unit_test(test_longest_first),
		cmocka_unit_test(test_input_order),
		cmocka_unit_test(test_begun_sessions_first),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
