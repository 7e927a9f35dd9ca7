/* test_descriptor.c: descriptors are counted against the limit and given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/descriptor.h"

static void test_limit(void **state)
{
	struct rlimit before, tight;
	int next = open("/", O_RDONLY);

	(void)state;
	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	tight.rlim_cur = (rlim_t)next + 3; /* a gap below would only make more room */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	for (int round = 0; round < 5; round++) /* given back each time */
		assert_true(descriptors_available(3));
	assert_false(descriptors_available(16));
	assert_int_equal(errno, EMFILE);
	assert_true(descriptors_available(0));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_limit) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
