/* test_timers.c: what fires, when, and what fire functions may do: arm, disarm, free, re-arm themselves in the past. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/timers.h"

struct probe {
	struct timer timer;
	struct timers *timers;
	struct probe *other; /* what the fire function acts on */
	unsigned fired;
	uint64_t fired_at;
	unsigned order;
};

static unsigned fired_in_all;

static struct probe *probe_of(struct timer *t)
{
	struct probe *p = CONTAINER_OF(t, struct probe, timer);
	return p;
}

static void fire_note(struct timer *t, uint64_t now)
{
	struct probe *p = probe_of(t);
	assert_false(heap_node_armed(&t->node)); /* disarmed before it fires */
	p->fired++;
	p->fired_at = now;
	p->order = ++fired_in_all;
}

static void fire_rearm_in_the_past(struct timer *t, uint64_t now)
{
	fire_note(t, now);
	timer_arm(probe_of(t)->timers, t, 0);
}

static void fire_disarm_other(struct timer *t, uint64_t now)
{
	fire_note(t, now);
	timer_disarm(probe_of(t)->timers, &probe_of(t)->other->timer);
}

static void fire_arm_other_now(struct timer *t, uint64_t now)
{
	fire_note(t, now);
	timer_arm(probe_of(t)->timers, &probe_of(t)->other->timer, now);
}

static void fire_free(struct timer *t, uint64_t now)
{
	fire_note(t, now);
	mem_free(probe_of(t));
}

static void probe_init(struct probe *p, struct timers *timers, void (*fire)(struct timer *, uint64_t))
{
	*p = (struct probe){ .timers = timers };
	timer_init(&p->timer, fire);
}

static void open_timers(struct timers *t, size_t count)
{
	fired_in_all = 0;
	timers_init(t);
	assert_int_equal(timers_reserve(t, count), 0);
}

static void test_fires_in_order(void **state)
{
	struct timers t;
	struct probe a, b, c;

	(void)state;
	open_timers(&t, 3);
	assert_true(timers_next(&t) == CLOCK_NEVER);
	assert_true(timers_run(&t, 100) == CLOCK_NEVER);
	probe_init(&a, &t, fire_note);
	probe_init(&b, &t, fire_note);
	probe_init(&c, &t, fire_note);
	timer_arm(&t, &a.timer, 20);
	timer_arm(&t, &b.timer, 10);
	timer_arm(&t, &c.timer, 30);
	assert_int_equal(timers_next(&t), 10);
	assert_int_equal(timers_run(&t, 9), 10);
	assert_int_equal(fired_in_all, 0);
	assert_int_equal(timers_run(&t, 25), 30);
	assert_int_equal(b.order, 1);
	assert_int_equal(a.order, 2);
	assert_int_equal(a.fired_at, 25);
	timer_arm(&t, &c.timer, CLOCK_NEVER); /* disarms */
	assert_true(timers_run(&t, 1000) == CLOCK_NEVER);
	assert_int_equal(c.fired, 0);
	timers_unreserve(&t, 3);
	timers_release(&t);
}

/* A timer that wants to run again at once fires once a pass, and the others get their turn. */
static void test_past_deadline_cannot_spin(void **state)
{
	struct timers t;
	struct probe greedy, modest;

	(void)state;
	open_timers(&t, 2);
	probe_init(&greedy, &t, fire_rearm_in_the_past);
	probe_init(&modest, &t, fire_note);
	timer_arm(&t, &greedy.timer, 1);
	timer_arm(&t, &modest.timer, 5);
	assert_int_equal(timers_run(&t, 10), 10); /* due again, at the moment of the pass */
	assert_int_equal(greedy.fired, 1);
	assert_int_equal(modest.fired, 1);
	assert_int_equal(timers_run(&t, 10), 10);
	assert_int_equal(greedy.fired, 2);
	timer_disarm(&t, &greedy.timer);
	timers_release(&t);
}

static void test_fire_acts_on_others(void **state)
{
	struct timers t;
	struct probe first, second, third, late;

	(void)state;
	open_timers(&t, 4);
	probe_init(&first, &t, fire_disarm_other);
	probe_init(&second, &t, fire_note);
	probe_init(&third, &t, fire_arm_other_now);
	probe_init(&late, &t, fire_note);
	first.other = &second;
	third.other = &late;
	timer_arm(&t, &first.timer, 1);
	timer_arm(&t, &second.timer, 2);
	timer_arm(&t, &third.timer, 3);
	assert_int_equal(timers_run(&t, 5), 5);
	assert_int_equal(second.fired, 0); /* disarmed although it was due */
	assert_int_equal(late.fired, 0);   /* armed in this pass: the next one fires it */
	assert_true(timers_run(&t, 5) == CLOCK_NEVER);
	assert_int_equal(late.fired, 1);
	timers_release(&t);
}

/* A timer due in this pass that another one re-arms fires in the next pass only. */
static void test_rearmed_by_another(void **state)
{
	struct timers t;
	struct probe first, second;

	(void)state;
	open_timers(&t, 2);
	probe_init(&first, &t, fire_arm_other_now);
	probe_init(&second, &t, fire_note);
	first.other = &second;
	timer_arm(&t, &first.timer, 1);
	timer_arm(&t, &second.timer, 2);
	assert_int_equal(timers_run(&t, 9), 9);
	assert_int_equal(second.fired, 0);
	assert_true(timers_run(&t, 9) == CLOCK_NEVER);
	assert_int_equal(second.fired, 1);
	timers_release(&t);
}

static void test_fire_may_free_its_owner(void **state)
{
	struct timers t;
	struct probe *p = mem_alloc(sizeof *p);

	(void)state;
	open_timers(&t, 1);
	assert_non_null(p);
	probe_init(p, &t, fire_free);
	timer_arm(&t, &p->timer, 1);
	assert_true(timers_run(&t, 1) == CLOCK_NEVER);
	assert_int_equal(fired_in_all, 1);
	timers_release(&t);
}

static void test_reserve_fails_cleanly(void **state)
{
	struct timers t;
	struct probe p;

	(void)state;
	open_timers(&t, 1);
	mem_fault_arm(1, true);
	assert_int_equal(timers_reserve(&t, 1000), FF_ENOMEM);
	assert_int_equal(t.reserved, 1);
	assert_int_equal(timers_reserve(&t, SIZE_MAX), FF_ENOMEM);
	probe_init(&p, &t, fire_note);
	timer_arm(&t, &p.timer, 1); /* what was reserved is there */
	mem_fault_arm(0, false);
	assert_true(timers_run(&t, 1) == CLOCK_NEVER);
	assert_int_equal(p.fired, 1);
	timers_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fires_in_order),          cmocka_unit_test(test_past_deadline_cannot_spin),
		cmocka_unit_test(test_fire_acts_on_others),     cmocka_unit_test(test_rearmed_by_another),
		cmocka_unit_test(test_fire_may_free_its_owner), cmocka_unit_test(test_reserve_fails_cleanly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
