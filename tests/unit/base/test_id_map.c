/* test_id_map.c: the map of numbers against a plain array, with ids that count up, stay behind, or come in any order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/id_map.h"
#include "base/rand.h"
#include "fault_loop.h"

static int values[4];

static void test_basics(void **state)
{
	struct id_map m;

	(void)state;
	id_map_init(&m);
	assert_null(id_map_get(&m, 0));
	assert_null(id_map_remove(&m, 0));
	assert_int_equal(id_map_put(&m, 0, &values[0]), 0); /* 0 is an id like any other */
	assert_ptr_equal(id_map_get(&m, 0), &values[0]);
	assert_null(id_map_get(&m, 1));
	assert_int_equal(id_map_put(&m, UINT64_MAX, &values[1]), 0);
	assert_int_equal(id_map_put(&m, UINT64_MAX, &values[2]), 0); /* replaced */
	assert_int_equal(m.count, 2);
	assert_ptr_equal(id_map_remove(&m, UINT64_MAX), &values[2]);
	assert_null(id_map_get(&m, UINT64_MAX));
	assert_ptr_equal(id_map_get(&m, 0), &values[0]);
	id_map_release(&m);
	assert_int_equal(m.count, 0);
}

/* As turns of a worker: a few are open at once, and some stay open while thousands pass. */
static void test_counting_up(void **state)
{
	enum { OPEN = 64, STUCK_EVERY = 1000, IDS = 50000 };
	struct id_map m;

	(void)state;
	id_map_init(&m);
	for (uint64_t id = 1; id <= IDS; id++) {
		assert_int_equal(id_map_put(&m, id, &values[id % 4]), 0);
		if (id > OPEN && (id - OPEN) % STUCK_EVERY)
			assert_ptr_equal(id_map_remove(&m, id - OPEN), &values[(id - OPEN) % 4]);
	}
	assert_int_equal(m.count, OPEN + IDS / STUCK_EVERY - 1);
	assert_int_equal(m.room, 256); /* what is open counts, not what passed */
	for (uint64_t id = STUCK_EVERY; id + OPEN <= IDS; id += STUCK_EVERY)
		assert_ptr_equal(id_map_get(&m, id), &values[id % 4]);
	id_map_release(&m);
}

enum { IDS = 500 };

static void check_against(const struct id_map *m, void *const model[IDS])
{
	size_t count = 0;

	for (size_t i = 0; i < IDS; i++) {
		count += model[i] != NULL;
		if (id_map_get(m, i * i) != model[i])
			fail_msg("id %zu has the wrong value", i * i);
	}
	assert_int_equal(m->count, count);
}

static void test_random_operations(void **state)
{
	static void *model[IDS];
	struct id_map m;
	struct rand r;

	(void)state;
	rand_init(&r, 3);
	id_map_init(&m);
	for (int step = 0; step < 40000; step++) {
		size_t i = rand_u32(&r) % IDS;
		/* Fills up in the first half, empties in the second. */
		bool put = rand_u32(&r) % 100 < (step < 20000 ? 60 : 40);

		if (put) {
			assert_int_equal(id_map_put(&m, i * i, &values[step % 4]), 0);
			model[i] = &values[step % 4];
		} else {
			assert_ptr_equal(id_map_remove(&m, i * i), model[i]);
			model[i] = NULL;
		}
		if (step % 500 == 0)
			check_against(&m, model);
	}
	check_against(&m, model);
	id_map_release(&m);
}

static int complete_use(void)
{
	struct id_map m;
	size_t in = 0;
	int code = 0;

	id_map_init(&m);
	for (uint64_t id = 0; id < 200; id++) {
		if (id_map_put(&m, id, &values[id % 4]))
			code = FF_ENOMEM;
		else
			in++;
	}
	if (m.count != in)
		fail_msg("%zu puts succeeded, but the map counts %zu", in, m.count);
	for (uint64_t id = 0; id < 200; id++)
		in -= id_map_remove(&m, id) != NULL;
	if (in || m.count)
		fail_msg("%zu entries were not found again", in);
	id_map_release(&m);
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
		cmocka_unit_test(test_counting_up),
		cmocka_unit_test(test_random_operations),
		cmocka_unit_test(test_faults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
