/* test_wakeup.c: other threads ask a loop for a call: it comes, in the loop's thread, and none after the wake-up was freed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "net/wakeup.h"

#define THREADS 4
#define ASKS    2000

struct world {
	struct loop *loop;
	struct wakeup *wakeup;
	pthread_t owner;
	unsigned calls;
	bool foreign_thread;
	_Atomic unsigned asked, seen;
};

static void called(void *user)
{
	struct world *w = user;

	w->calls++;
	w->foreign_thread |= !pthread_equal(pthread_self(), w->owner);
	w->seen = w->asked;
}

static int setup(void **state)
{
	struct world *w = NEW(struct world);
	struct error err = { 0 };

	w->owner = pthread_self();
	assert_int_equal(loop_new(&w->loop, &err), 0);
	assert_int_equal(wakeup_new(w->loop, called, w, &w->wakeup, &err), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	wakeup_free(w->wakeup);
	loop_free(w->loop);
	mem_free(w);
	return 0;
}

static void *ask_often(void *user)
{
	struct world *w = user;

	for (unsigned i = 0; i < ASKS; i++) {
		w->asked++;
		wakeup_ask(w->wakeup);
	}
	return NULL;
}

/* What was noted before the last ask is seen by the call that follows it: nothing is lost however many asks become one call. */
static void test_no_ask_is_lost(void **state)
{
	struct world *w = *state;
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_often, w), 0);
	while (w->seen < THREADS * ASKS)
		loop_wait(w->loop, -1);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_false(w->foreign_thread);
	assert_true(w->calls >= 1 && w->calls <= THREADS * ASKS);
}

static void *ask_once(void *user)
{
	struct world *w = user;

	w->asked++;
	wakeup_ask(w->wakeup);
	return NULL;
}

/* A foreign loop that polls the descriptor is woken, too, also right after the wake-up was made. */
static void test_wakes_a_foreign_loop(void **state)
{
	struct world *w = *state;
	pthread_t thread;

	loop_process(w->loop); /* hands the descriptor to the kernel, as loop_timeout_ms asked for */
	assert_int_equal(pthread_create(&thread, NULL, ask_once, w), 0);
	struct pollfd fd = { loop_fd(w->loop), POLLIN, 0 };
	assert_int_equal(poll(&fd, 1, -1), 1);
	loop_process(w->loop);
	pthread_join(thread, NULL);
	while (w->calls == 0)
		loop_process(w->loop);
	assert_int_equal(w->seen, 1);
}

static void test_says_at_once_that_the_descriptor_changed(void **state)
{
	struct world *w = *state;

	assert_int_equal(loop_timeout_ms(w->loop), 0);
	loop_process(w->loop);
	assert_int_equal(loop_timeout_ms(w->loop), -1);
}

/* An ask that is on its way when the wake-up goes makes no call. */
static void test_freed_with_an_ask_open(void **state)
{
	struct world *w = *state;

	wakeup_ask(w->wakeup);
	wakeup_free(w->wakeup);
	w->wakeup = NULL;
	for (int i = 0; i < 3; i++)
		loop_process(w->loop);
	assert_int_equal(w->calls, 0);
}

static void test_many_asks_are_one_call(void **state)
{
	struct world *w = *state;

	wakeup_ask(w->wakeup);
	wakeup_ask(w->wakeup);
	loop_wait(w->loop, -1);
	assert_int_equal(w->calls, 1);
}

static void test_no_memory(void **state)
{
	struct world *w = *state;
	struct wakeup *none = NULL;
	struct error err = { 0 };

	mem_fault_arm(1, false);
	assert_int_equal(wakeup_new(w->loop, called, w, &none, &err), FF_ENOMEM);
	mem_fault_arm(0, false);
	assert_null(none);
	wakeup_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_ask_is_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wakes_a_foreign_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_says_at_once_that_the_descriptor_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_freed_with_an_ask_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_asks_are_one_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
