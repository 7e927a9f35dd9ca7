/* test_alloc.c: the allocator's edges and the fault hook that the fault loop stands on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"

static void test_plain(void **state)
{
	char *text = mem_strndup("a\0b", 3), *zeros = mem_calloc(8, 4), *nothing = mem_alloc(0), *copy = mem_strdup("copy");

	(void)state;
	assert_memory_equal(text, "a\0b\0", 4);
	for (int i = 0; i < 32; i++)
		assert_int_equal(zeros[i], 0);
	assert_non_null(nothing);
	assert_string_equal(copy, "copy");
	nothing = mem_realloc(nothing, 0);
	assert_non_null(nothing);
	mem_free(text);
	mem_free(zeros);
	mem_free(nothing);
	mem_free(copy);
	mem_free(NULL);
	mem_free_p(&(void *){ NULL });
}

static void test_overflow(void **state)
{
	volatile size_t most = SIZE_MAX; /* so that the compiler does not see the nonsense */

	(void)state;
	assert_null(mem_calloc(most, 2));
	assert_null(mem_calloc(most / 2, 3));
	assert_null(mem_strndup("x", most));
}

static void test_free_keeps_errno(void **state)
{
	void *ptr = mem_alloc(1);
	char *cleaned = mem_strdup("x");

	(void)state;
	errno = EPIPE;
	mem_free(ptr);
	assert_int_equal(errno, EPIPE);
	mem_free_p(&cleaned);
	assert_null(cleaned);
}

/* Which of ten allocations fail, as bits. */
static unsigned failures(uint64_t countdown, bool forever)
{
	unsigned bits = 0;

	mem_fault_arm(countdown, forever);
	for (unsigned i = 0; i < 10; i++) {
		void *ptr = mem_alloc(1);
		bits |= (ptr ? 0u : 1u) << i;
		mem_free(ptr);
	}
	return bits;
}

static void test_fault_countdown(void **state)
{
	(void)state;
	assert_int_equal(failures(1, false), 1u);
	assert_int_equal(mem_fault_hits(), 1);
	assert_int_equal(failures(3, false), 4u);
	assert_int_equal(failures(10, false), 1u << 9);
	assert_int_equal(failures(11, false), 0); /* the next one, but nobody asked for it */
	assert_int_equal(mem_fault_hits(), 0);
	assert_int_equal(failures(8, true), 7u << 7);
	assert_int_equal(mem_fault_hits(), 3);
	assert_int_equal(failures(0, true), 0);
	assert_int_equal(mem_fault_hits(), 0);
}

static void test_fault_in_every_function(void **state)
{
	char *kept;

	(void)state;
	mem_fault_arm(0, false);
	kept = mem_strdup("kept");
	mem_fault_arm(1, true);
	errno = 0;
	assert_null(mem_alloc(1));
	assert_int_equal(errno, ENOMEM);
	assert_null(mem_calloc(1, 1));
	assert_null(mem_strdup("x"));
	assert_null(mem_strndup("x", 1));
	assert_null(mem_realloc(kept, 100));
	assert_int_equal(mem_fault_hits(), 5);
	mem_fault_arm(0, false);
	assert_string_equal(kept, "kept"); /* a failed realloc leaves the old memory */
	mem_free(kept);
}

static void *allocate_many(void *failed)
{
	for (int i = 0; i < 1000; i++) {
		void *ptr = mem_alloc(1);
		if (!ptr)
			atomic_fetch_add((_Atomic int *)failed, 1);
		mem_free(ptr);
	}
	return NULL;
}

static void test_fault_hits_one_thread_once(void **state)
{
	_Atomic int failed = 0;
	pthread_t threads[4];

	(void)state;
	mem_fault_arm(500, false);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, allocate_many, &failed), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(failed, 1);
	assert_int_equal(mem_fault_hits(), 1);
	mem_fault_arm(0, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_free_keeps_errno),
		cmocka_unit_test(test_fault_countdown),
		cmocka_unit_test(test_fault_in_every_function),
		cmocka_unit_test(test_fault_hits_one_thread_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
