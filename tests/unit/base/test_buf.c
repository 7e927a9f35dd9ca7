/* test_buf.c: growth, the cap, sticky failures, and every allocation failing in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "fault_loop.h"

static void test_append(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	assert_int_equal(buf_append(&b, NULL, 0), 0);
	assert_string_equal(b.ptr, ""); /* a NUL follows once something, even nothing, was appended */
	assert_int_equal(buf_append_str(&b, STR("ab")), 0);
	assert_int_equal(buf_append_char(&b, 'c'), 0);
	assert_int_equal(buf_printf(&b, "%d|%s", 42, "x"), 0);
	assert_string_equal(b.ptr, "abc42|x");
	assert_int_equal(buf_str(&b).len, 7);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(buf_printf(&b, "%d,", i), 0);
	assert_memory_equal(b.ptr + b.len - 10, "9998,9999,", 11);
	buf_release(&b);
	assert_null(b.ptr);
	assert_true(b.cap == SIZE_MAX); /* may be used again */
	buf_release(&b);
}

static void test_cap_is_exact(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(buf_append_char(&b, 'x'), 0);
	assert_int_equal(b.len, 100);
	assert_true(b.room <= 101); /* the cap bounds the memory too */
	assert_int_equal(buf_append_char(&b, 'y'), FF_ETOOBIG);
	assert_int_equal(b.len, 100);
	buf_clear(&b);
	assert_int_equal(buf_append(&b, "1234567890", 10), 0);
	assert_int_equal(buf_printf(&b, "%090d", 1), 0);
	buf_clear(&b);
	assert_int_equal(buf_printf(&b, "%0101d", 1), FF_ETOOBIG);
	buf_release(&b);

	buf_init(&b, 0);
	assert_int_equal(buf_append(&b, "", 0), 0);
	assert_int_equal(buf_append_char(&b, 'x'), FF_ETOOBIG);
	buf_release(&b);
}

static void test_failure_is_sticky(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	assert_int_equal(buf_append(&b, "abc", 3), 0);
	assert_int_equal(buf_append(&b, "de", 2), FF_ETOOBIG);
	assert_string_equal(b.ptr, "abc");
	assert_int_equal(buf_append_char(&b, 'd'), FF_ETOOBIG); /* would fit, but the text would lack a middle */
	assert_int_equal(buf_printf(&b, "%s", ""), FF_ETOOBIG);
	assert_null(buf_reserve(&b, 1));
	assert_int_equal(buf_failed(&b), FF_ETOOBIG);
	assert_string_equal(b.ptr, "abc");
	buf_clear(&b);
	assert_int_equal(buf_failed(&b), 0);
	assert_int_equal(buf_append(&b, "wxyz", 4), 0);
	assert_string_equal(b.ptr, "wxyz");
	buf_release(&b);
}

static void test_printf_over_the_cap_leaves_content(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 200);
	assert_int_equal(buf_append(&b, "start", 5), 0);
	assert_int_equal(buf_printf(&b, "%0300d", 5), FF_ETOOBIG);
	assert_string_equal(b.ptr, "start"); /* not a part of what did not fit */
	buf_release(&b);
}

static void test_reserve_and_consume(void **state)
{
	struct buf b;
	char *to;

	(void)state;
	buf_init(&b, 1000);
	to = buf_reserve(&b, 300);
	assert_non_null(to);
	memset(to, 'r', 300);
	buf_commit(&b, 200);
	assert_int_equal(b.len, 200);
	assert_int_equal(b.ptr[200], '\0');
	buf_consume(&b, 199);
	assert_string_equal(b.ptr, "r");
	buf_consume(&b, 0);
	buf_consume(&b, 1);
	assert_string_equal(b.ptr, "");
	assert_null(buf_reserve(&b, 1001));
	buf_release(&b);
	buf_init(&b, SIZE_MAX);
	assert_int_equal(buf_append_char(&b, 'x'), 0);
	assert_null(buf_reserve(&b, SIZE_MAX - 1));
	assert_int_equal(buf_failed(&b), FF_ETOOBIG);
	buf_release(&b);
}

static int complete_use(void)
{
	struct buf b;
	int code;

	buf_init(&b, 1u << 20);
	for (int i = 0; i < 2000 && !buf_failed(&b); i++) {
		size_t before = b.len;

		if (buf_printf(&b, "%d ", i) && b.len != before)
			fail_msg("a failed append changed the length from %zu to %zu", before, b.len);
	}
	buf_append_str(&b, STR("end"));
	if (buf_reserve(&b, 5000))
		buf_commit(&b, 0);
	code = buf_failed(&b);
	buf_release(&b);
	return code;
}

static void test_faults(void **state)
{
	(void)state;
	assert_true(fault_loop(complete_use) >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_cap_is_exact),
		cmocka_unit_test(test_failure_is_sticky),
		cmocka_unit_test(test_printf_over_the_cap_leaves_content),
		cmocka_unit_test(test_reserve_and_consume),
		cmocka_unit_test(test_faults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
