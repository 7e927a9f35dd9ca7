/* test_map.c: the map against a plain array, with removals that must keep every probe sequence whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/error.h"
#include "base/map.h"
#include "base/rand.h"
#include "fault_loop.h"

static int values[4];

static void test_basics(void **state)
{
	struct map m;
	void *old = values;

	(void)state;
	map_init(&m);
	assert_null(map_get(&m, STR("x")));
	assert_null(map_remove(&m, STR("x")));
	assert_int_equal(map_put(&m, STR("x"), &values[0], &old), 0);
	assert_null(old);
	assert_ptr_equal(map_get(&m, STR("x")), &values[0]);
	assert_int_equal(map_put(&m, STR("x"), &values[1], &old), 0);
	assert_ptr_equal(old, &values[0]);
	assert_int_equal(m.count, 1);
	assert_int_equal(map_put(&m, STR(""), &values[2], NULL), 0); /* the empty key is a key */
	assert_ptr_equal(map_get(&m, STR_NULL), &values[2]);
	assert_int_equal(map_put(&m, STR("x\0y"), &values[3], NULL), 0);
	assert_ptr_equal(map_get(&m, STR("x\0y")), &values[3]);
	assert_ptr_equal(map_get(&m, STR("x")), &values[1]);
	assert_null(map_get(&m, STR("x\0z")));
	assert_ptr_equal(map_remove(&m, STR("x")), &values[1]);
	assert_null(map_get(&m, STR("x")));
	assert_int_equal(m.count, 2);
	map_release(&m);
	assert_int_equal(m.count, 0);
}

static void test_hash(void **state)
{
	char text[64] = "a key that is longer than eight bytes, to use every path";
	uint64_t whole = map_hash(str_from(text));

	(void)state;
	assert_true(whole == map_hash(str_from(text)));
	for (size_t i = 0; i < 50; i++) {
		text[i] ^= 1;
		if (map_hash(str_from(text)) == whole)
			fail_msg("byte %zu does not count in the hash", i);
		text[i] ^= 1;
	}
	for (size_t len = 0; len < 50; len++)
		if (map_hash(str_of(text, len)) == map_hash(str_of(text, len + 1)))
			fail_msg("length %zu hashes as length %zu", len, len + 1);
	assert_true(map_hash(STR("\0")) != map_hash(STR("\0\0")));
}

enum { KEYS = 500 };

static void check_against(const struct map *m, char keys[KEYS][8], void *const model[KEYS])
{
	size_t count = 0;

	for (size_t i = 0; i < KEYS; i++) {
		count += model[i] != NULL;
		if (map_get(m, str_from(keys[i])) != model[i])
			fail_msg("key %s has the wrong value", keys[i]);
	}
	assert_int_equal(m->count, count);
}

static void test_random_operations(void **state)
{
	static char keys[KEYS][8];
	static void *model[KEYS];
	struct map m;
	struct rand r;

	(void)state;
	rand_init(&r, 3);
	map_init(&m);
	for (size_t i = 0; i < KEYS; i++)
		snprintf(keys[i], sizeof keys[i], "k%zu", i);
	for (int step = 0; step < 40000; step++) {
		size_t i = rand_u32(&r) % KEYS;
		/* Fills up in the first half, empties in the second. */
		bool put = rand_u32(&r) % 100 < (step < 20000 ? 60 : 40);
		void *old;

		if (put) {
			assert_int_equal(map_put(&m, str_from(keys[i]), &values[step % 4], &old), 0);
			assert_ptr_equal(old, model[i]);
			model[i] = &values[step % 4];
		} else {
			assert_ptr_equal(map_remove(&m, str_from(keys[i])), model[i]);
			model[i] = NULL;
		}
		if (step % 500 == 0)
			check_against(&m, keys, model);
	}
	check_against(&m, keys, model);
	assert_true(m.room <= 1024); /* removals leave nothing behind that would make it grow */
	map_release(&m);
}

static int complete_use(void)
{
	static char keys[200][8];
	struct map m;
	size_t in = 0;
	int code = 0;

	map_init(&m);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		snprintf(keys[i], sizeof keys[i], "k%zu", i);
		if (map_put(&m, str_from(keys[i]), &values[i % 4], NULL))
			code = FF_ENOMEM;
		else
			in++;
	}
	if (m.count != in)
		fail_msg("%zu puts succeeded, but the map counts %zu", in, m.count);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		in -= map_remove(&m, str_from(keys[i])) != NULL;
	if (in || m.count)
		fail_msg("%zu entries were not found again", in);
	map_release(&m);
	return code;
}

static void test_faults(void **state)
{
	(void)state;
	assert_true(fault_loop(complete_use) >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_basics),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_random_operations),
		cmocka_unit_test(test_faults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
