/* When a wait is spent awake. The number of processors is set here, so that the tests do the same on every machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "net/spin.h"

#define SHORT_US 1
#define LONG_US  (SPIN_US + 1)

struct world {
	int full[2], empty[2]; /* pipes */
};

static int set_up(void **state)
{
	static struct world w;

	*state = &w;
	return pipe(w.full) || pipe(w.empty) || write(w.full[1], "x", 1) != 1;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	close(w->full[0]), close(w->full[1]), close(w->empty[0]), close(w->empty[1]);
	return 0;
}

static bool finds(struct spin *s, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	bool ready = spin_until_ready(s, &p, 1);

	assert_int_equal(p.revents, ready ? POLLIN : 0);
	return ready;
}

static void wait_short(struct spin *s, unsigned times)
{
	while (times--)
		spin_waited(s, SHORT_US);
}

static void test_only_behind_a_short_wait(void **state)
{
	const struct world *w = *state;
	struct spin s = { .processors = 2 };

	assert_false(finds(&s, w->full[0]));
	spin_waited(&s, SHORT_US);
	assert_true(finds(&s, w->full[0]));
	assert_true(finds(&s, w->full[0]));
	spin_waited(&s, LONG_US);
	assert_false(finds(&s, w->full[0]));
}

static void test_twice_as_many_after_each_failure(void **state)
{
	const struct world *w = *state;
	struct spin s = { .processors = 2 };

	for (unsigned wanted = 1; wanted <= 4096; wanted *= 2) {
		wait_short(&s, wanted - 1);
		assert_false(finds(&s, w->full[0]));
		spin_waited(&s, SHORT_US);
		assert_false(finds(&s, w->empty[0])); /* looked, in vain */
	}
	wait_short(&s, 4096);
	assert_true(finds(&s, w->full[0])); /* and it is forgiven */
	spin_waited(&s, LONG_US);
	spin_waited(&s, SHORT_US);
	assert_true(finds(&s, w->full[0]));
}

static void test_never_alone(void **state)
{
	const struct world *w = *state;
	struct spin s = { .processors = 1 };

	wait_short(&s, 100);
	assert_false(finds(&s, w->full[0]));
}

static void test_poll(void **state)
{
	const struct world *w = *state;
	struct spin s = { .processors = 2 };
	struct pollfd fds[2] = { { .fd = w->empty[0], .events = POLLIN }, { .fd = w->full[0], .events = POLLIN } };

	for (int times = 0; times < 5; times++) {
		assert_true(spin_poll(&s, fds, 2, -1) > 0);
		assert_int_equal(fds[0].revents, 0);
		assert_int_equal(fds[1].revents, POLLIN);
		assert_int_equal(spin_poll(&s, fds, 2, 0), 1);
		assert_int_equal(spin_poll(&s, fds, 1, 0), 0);
		assert_int_equal(spin_poll(&s, fds, 1, 1), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_behind_a_short_wait),
		cmocka_unit_test(test_twice_as_many_after_each_failure),
		cmocka_unit_test(test_never_alone),
		cmocka_unit_test(test_poll),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
