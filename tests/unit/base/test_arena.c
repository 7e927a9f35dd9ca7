/* test_arena.c: alignment, lifetime, overflow, and every allocation failing in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdalign.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "fault_loop.h"

static void test_many_sizes(void **state)
{
	enum { COUNT = 600 };
	struct arena a = ARENA_INIT;
	unsigned char *ptrs[COUNT];
	size_t asked = 0;

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		ptrs[i] = arena_alloc(&a, i * 7);
		assert_non_null(ptrs[i]);
		assert_int_equal((uintptr_t)ptrs[i] % alignof(max_align_t), 0);
		memset(ptrs[i], (int)(i & 0xFF), i * 7);
		asked += i * 7;
	}
	assert_true(a.used >= asked);
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = 0; k < i * 7; k++)
			if (ptrs[i][k] != (i & 0xFF))
				fail_msg("allocation %zu was overwritten at byte %zu", i, k);
	arena_release(&a);
	assert_null(a.head);
	assert_int_equal(a.used, 0);
}

static void test_empty_allocations_differ(void **state)
{
	struct arena a = ARENA_INIT;
	void *first = arena_alloc(&a, 0), *second = arena_alloc(&a, 0);

	(void)state;
	assert_non_null(first);
	assert_ptr_not_equal(first, second);
	arena_release(&a);
}

static void test_overflow(void **state)
{
	struct arena a = ARENA_INIT;
	volatile size_t most = SIZE_MAX;

	(void)state;
	assert_null(arena_alloc(&a, most));
	assert_null(arena_alloc(&a, most - 8));
	assert_null(arena_calloc(&a, most / 2, 3));
	assert_null(arena_memdup(&a, "x", most));
	assert_non_null(arena_alloc(&a, 1)); /* and it is still usable */
	arena_release(&a);
}

static void test_reset(void **state)
{
	struct arena a = ARENA_INIT;
	void *kept;

	(void)state;
	arena_reset(&a); /* of an empty arena */
	for (int i = 0; i < 100; i++)
		assert_non_null(arena_alloc(&a, 100));
	kept = a.head;
	arena_reset(&a);
	assert_ptr_equal(a.head, kept); /* one block stays for reuse */
	assert_int_equal(a.used, 0);
	assert_non_null(arena_alloc(&a, 100));
	assert_ptr_equal(a.head, kept);
	arena_release(&a);

	assert_non_null(arena_alloc(&a, 10u << 20));
	arena_reset(&a);
	assert_null(a.head); /* a huge one does not */
	arena_release(&a);
}

/* A large allocation must not throw away what is left of the block in use. */
static void test_large_keeps_small_block(void **state)
{
	struct arena a = ARENA_INIT;
	void *head;

	(void)state;
	assert_non_null(arena_alloc(&a, 16));
	head = a.head;
	assert_non_null(arena_alloc(&a, 1u << 20));
	assert_ptr_equal(a.head, head);
	assert_non_null(arena_alloc(&a, 16));
	assert_ptr_equal(a.head, head);
	arena_release(&a);
}

static void test_copies(void **state)
{
	struct arena a = ARENA_INIT;
	char *nul = arena_memdup(&a, "a\0b", 3), *empty = arena_memdup(&a, NULL, 0);
	struct str copy = STR("untouched");
	char wide[1000];
	int *zeros;

	(void)state;
	assert_memory_equal(nul, "a\0b\0", 4);
	assert_string_equal(empty, "");
	assert_int_equal(arena_str(&a, STR("view"), &copy), 0);
	assert_string_equal(copy.ptr, "view");
	assert_int_equal(copy.len, 4);
	assert_int_equal(arena_str(&a, STR_NULL, &copy), 0);
	assert_string_equal(copy.ptr, "");
	zeros = arena_calloc(&a, 100, sizeof *zeros);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(zeros[i], 0);
	assert_string_equal(arena_printf(&a, "%s-%d", "x", 7), "x-7");
	memset(wide, 'w', sizeof wide - 1);
	wide[sizeof wide - 1] = '\0';
	assert_string_equal(arena_printf(&a, "%s", wide), wide);
	arena_release(&a);
}

static int complete_use(void)
{
	struct arena a = ARENA_INIT;
	struct str copy;
	char wide[700];
	bool ok = true;

	memset(wide, 'w', sizeof wide - 1);
	wide[sizeof wide - 1] = '\0';
	for (size_t i = 0; i < 40; i++)
		ok = arena_alloc(&a, i * 50) && ok; /* goes on after a failure: the arena stays usable */
	ok = arena_calloc(&a, 30, 1000) && ok;
	ok = arena_str(&a, str_from(wide), &copy) == 0 && ok;
	ok = arena_printf(&a, "%s%s", wide, wide) && ok;
	arena_reset(&a);
	ok = arena_memdup(&a, wide, sizeof wide) && ok;
	arena_release(&a);
	return ok ? 0 : FF_ENOMEM;
}

static void test_faults(void **state)
{
	(void)state;
	assert_true(fault_loop(complete_use) >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_sizes), cmocka_unit_test(test_empty_allocations_differ),
		cmocka_unit_test(test_overflow),   cmocka_unit_test(test_reset),
		cmocka_unit_test(test_copies),     cmocka_unit_test(test_large_keeps_small_block),
		cmocka_unit_test(test_faults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
