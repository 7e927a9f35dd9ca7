/* test_loop.c: deferred calls, timers, the step hook, a foreign loop's view, and SIGPIPE. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "net/loop.h"

struct call {
	struct deferred deferred;
	struct loop *loop;
	struct call *then; /* deferred by the call */
	int count, order;
};

static int calls;

static void called(struct deferred *d)
{
	struct call *c = CONTAINER_OF(d, struct call, deferred);

	c->count++;
	c->order = ++calls;
	if (c->then)
		loop_defer(c->loop, &c->then->deferred);
}

static struct loop *open_loop(void)
{
	struct loop *l;

	calls = 0;
	assert_int_equal(loop_new(&l, NULL), 0);
	return l;
}

static void test_deferred(void **state)
{
	struct loop *l = open_loop();
	struct call a = { .loop = l }, b = { .loop = l }, c = { .loop = l };

	(void)state;
	deferred_init(&a.deferred, called);
	deferred_init(&b.deferred, called);
	deferred_init(&c.deferred, called);
	loop_defer(l, &a.deferred);
	loop_defer(l, &b.deferred);
	loop_defer(l, &a.deferred); /* asking twice is once */
	loop_defer(l, &c.deferred);
	deferred_cancel(&c.deferred);
	assert_int_equal(a.count, 0);
	assert_int_equal(loop_timeout_ms(l), 0);
	loop_wait(l, -1); /* must not block */
	assert_int_equal(a.count, 1);
	assert_int_equal(b.count, 1);
	assert_int_equal(c.count, 0);
	assert_true(a.order < b.order);
	assert_int_equal(loop_timeout_ms(l), -1);
	loop_free(l);
}

static void test_deferred_by_a_deferred(void **state)
{
	struct loop *l = open_loop();
	struct call a = { .loop = l }, self = { .loop = l };

	(void)state;
	deferred_init(&a.deferred, called);
	deferred_init(&self.deferred, called);
	self.then = &self; /* asks again for ever: the loop must come back none the less */
	a.then = &self;
	loop_defer(l, &a.deferred);
	loop_process(l);
	assert_int_equal(a.count, 1);
	loop_process(l);
	assert_true(self.count >= 1);
	assert_int_equal(loop_timeout_ms(l), 0);
	deferred_cancel(&self.deferred);
	loop_free(l);
}

struct tick {
	struct timer timer;
	struct loop *loop;
	uint64_t fired_us;
	int count;
	int pipe_fd; /* written to when fired, if > 0 */
};

static void ticked(struct timer *timer, uint64_t now_us)
{
	struct tick *t = CONTAINER_OF(timer, struct tick, timer);

	t->count++;
	t->fired_us = now_us;
	if (t->pipe_fd > 0)
		assert_int_equal(write(t->pipe_fd, "x", 1), -1); /* EPIPE, and SIGPIPE to this thread */
}

static void test_timers(void **state)
{
	struct loop *l = open_loop();
	struct tick t = { .loop = l };
	uint64_t deadline_us = loop_now_us(l) + 3000;

	(void)state;
	timer_init(&t.timer, ticked);
	assert_int_equal(timers_reserve(loop_timers(l), 1), 0);
	timer_arm(loop_timers(l), &t.timer, deadline_us);
	assert_true(loop_timeout_ms(l) >= 0);
	assert_true(loop_process(l)); /* something is still active */
	while (!t.count)
		loop_wait(l, -1);
	assert_int_equal(t.count, 1);
	assert_true(t.fired_us >= deadline_us);
	assert_false(loop_process(l));
	assert_int_equal(loop_timeout_ms(l), -1);
	timers_unreserve(loop_timers(l), 1);
	loop_free(l);
}

static void test_wait_returns_without_events(void **state)
{
	struct loop *l = open_loop();

	(void)state;
	loop_wait(l, 0);
	loop_wait(l, 2); /* ends although nothing is registered */
	loop_free(l);
}

static uint64_t step(void *user, uint64_t now_us)
{
	struct call *c = user;

	assert_true(now_us > 0);
	c->count++;
	return c->order == 7 ? now_us + 1000 : CLOCK_NEVER;
}

static void test_step(void **state)
{
	struct loop *l = open_loop();
	struct call c = { .count = 0 };

	(void)state;
	loop_on_step(l, step, &c);
	assert_int_equal(loop_timeout_ms(l), 0); /* it has not said yet what it waits for */
	loop_wait(l, -1);
	assert_int_equal(c.count, 1);
	assert_int_equal(loop_timeout_ms(l), -1);
	c.order = 7;
	loop_process(l);
	assert_in_range(loop_timeout_ms(l), 0, 1);
	while (c.count < 4) /* its wake-up is kept without any timer */
		loop_wait(l, -1);
	loop_on_step(l, NULL, NULL);
	loop_process(l);
	assert_int_equal(c.count, 4);
	assert_int_equal(loop_timeout_ms(l), -1);
	loop_free(l);
}

static void readable(uv_poll_t *poll, int status, int events)
{
	char byte;

	assert_int_equal(status, 0);
	assert_int_equal(events, UV_READABLE);
	if (poll->io_watcher.fd >= 0)
		assert_int_equal(read(poll->io_watcher.fd, &byte, 1), 1);
	(*(int *)poll->data)++;
}

static void test_foreign_loop(void **state)
{
	struct loop *l = open_loop();
	struct pollfd watch = { .fd = loop_fd(l), .events = POLLIN };
	uv_poll_t handle;
	int fds[2], count = 0;

	(void)state;
	assert_true(loop_fd(l) >= 0);
	assert_int_equal(pipe(fds), 0);
	uv_poll_init(loop_uv(l), &handle, fds[0]);
	handle.data = &count;
	uv_poll_start(&handle, UV_READABLE, readable);
	loop_touch(l);
	assert_int_equal(loop_timeout_ms(l), 0); /* the kernel does not know of it yet */
	loop_process(l);
	assert_int_equal(loop_timeout_ms(l), -1);
	assert_int_equal(poll(&watch, 1, 0), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(poll(&watch, 1, -1), 1);
	assert_true(loop_process(l));
	assert_int_equal(count, 1);
	loop_free(l); /* closes the handle, too */
	close(fds[0]);
	close(fds[1]);
}

static void test_sigpipe(void **state)
{
	struct loop *l = open_loop();
	struct tick t = { .loop = l };
	sigset_t mask, pending;
	int fds[2];

	(void)state;
	signal(SIGPIPE, SIG_DFL); /* would end this process */
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	t.pipe_fd = fds[1];
	timer_init(&t.timer, ticked);
	assert_int_equal(timers_reserve(loop_timers(l), 1), 0);
	timer_arm(loop_timers(l), &t.timer, 1);
	loop_process(l);
	assert_int_equal(t.count, 1);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	assert_false(sigismember(&mask, SIGPIPE)); /* as it was before */
	sigpending(&pending);
	assert_false(sigismember(&pending, SIGPIPE));
	timers_unreserve(loop_timers(l), 1);
	close(fds[1]);
	loop_free(l);
}

static void test_sigpipe_of_the_host_stays(void **state)
{
	struct loop *l = open_loop();
	sigset_t pipe_only, before, pending;

	(void)state;
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
	pthread_kill(pthread_self(), SIGPIPE);
	loop_process(l);
	sigpending(&pending);
	assert_true(sigismember(&pending, SIGPIPE)); /* the host blocked it itself: it is not ours to take */
	sigwaitinfo(&pipe_only, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	loop_free(l);
}

static void test_lag(void **state)
{
	struct loop *l = open_loop();
	struct tick t = { .loop = l };

	(void)state;
	timer_init(&t.timer, ticked);
	assert_int_equal(timers_reserve(loop_timers(l), 1), 0);
	timer_arm(loop_timers(l), &t.timer, loop_now_us(l) - 5000); /* due 5 ms ago */
	loop_process(l);
	assert_true(loop_lag(l)->max_us >= 5000);
	timers_unreserve(loop_timers(l), 1);
	loop_free(l);
	loop_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deferred), cmocka_unit_test(test_deferred_by_a_deferred),
		cmocka_unit_test(test_timers),   cmocka_unit_test(test_wait_returns_without_events),
		cmocka_unit_test(test_step),     cmocka_unit_test(test_foreign_loop),
		cmocka_unit_test(test_sigpipe),  cmocka_unit_test(test_sigpipe_of_the_host_stays),
		cmocka_unit_test(test_lag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
