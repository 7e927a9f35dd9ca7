/* test_heap.c: order, ties, moving and removing, against a plain sorted model, with seeded random operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/heap.h"
#include "base/rand.h"
#include "fault_loop.h"

static void test_order_and_ties(void **state)
{
	struct heap_node nodes[6] = { 0 };
	static const uint64_t deadlines[] = { 50, 10, 50, 10, 0, UINT64_MAX };
	static const size_t expected[] = { 4, 1, 3, 0, 2, 5 };
	struct heap h;

	(void)state;
	heap_init(&h);
	assert_null(heap_first(&h));
	assert_null(heap_pop_due(&h, UINT64_MAX));
	assert_int_equal(heap_reserve(&h, ARRAY_SIZE(nodes)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		heap_arm(&h, &nodes[i], deadlines[i]);
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		assert_true(heap_node_armed(&nodes[expected[i]]));
		assert_ptr_equal(heap_pop_due(&h, UINT64_MAX), &nodes[expected[i]]);
		assert_false(heap_node_armed(&nodes[expected[i]]));
	}
	heap_release(&h);
}

static void test_due(void **state)
{
	struct heap_node node = { 0 };
	struct heap h;

	(void)state;
	heap_init(&h);
	assert_int_equal(heap_reserve(&h, 1), 0);
	heap_disarm(&h, &node); /* not in: nothing happens */
	heap_arm(&h, &node, 100);
	assert_null(heap_pop_due(&h, 99));
	heap_arm(&h, &node, 50); /* moves */
	assert_int_equal(h.count, 1);
	assert_ptr_equal(heap_pop_due(&h, 50), &node);
	heap_arm(&h, &node, 1);
	heap_release(&h); /* a node still in is told so */
	assert_false(heap_node_armed(&node));
}

static void check_invariant(const struct heap *h)
{
	for (size_t i = 0; i < h->count; i++) {
		const struct heap_node *node = h->nodes[i], *parent = h->nodes[i ? (i - 1) / 2 : 0];

		if (node->index != i + 1)
			fail_msg("the node at %zu believes to be at %zu", i, node->index);
		if (parent->deadline_us > node->deadline_us ||
		    (parent->deadline_us == node->deadline_us && parent->sequence > node->sequence))
			fail_msg("the node at %zu is earlier than its parent", i);
	}
}

static const struct heap_node *earliest(const struct heap_node *nodes, size_t count)
{
	const struct heap_node *best = NULL;

	for (size_t i = 0; i < count; i++)
		if (heap_node_armed(&nodes[i]) &&
		    (!best || nodes[i].deadline_us < best->deadline_us ||
		     (nodes[i].deadline_us == best->deadline_us && nodes[i].sequence < best->sequence)))
			best = &nodes[i];
	return best;
}

static void test_random_operations(void **state)
{
	enum { COUNT = 64 };
	struct heap_node nodes[COUNT] = { 0 };
	struct heap h;
	struct rand r;

	(void)state;
	rand_init(&r, 7);
	heap_init(&h);
	assert_int_equal(heap_reserve(&h, COUNT), 0);
	for (int i = 0; i < 20000; i++) {
		struct heap_node *node = &nodes[rand_u32(&r) % COUNT];
		uint32_t what = rand_u32(&r) % 8;

		if (what < 4) {
			heap_arm(&h, node, rand_u32(&r) % 50); /* few values: many ties */
		} else if (what < 6) {
			heap_disarm(&h, node);
		} else {
			const struct heap_node *expected = earliest(nodes, COUNT);
			uint64_t now = rand_u32(&r) % 50;

			if (expected && expected->deadline_us > now)
				expected = NULL;
			assert_ptr_equal(heap_pop_due(&h, now), expected);
		}
		check_invariant(&h);
		assert_ptr_equal(heap_first(&h), earliest(nodes, COUNT));
	}
	heap_release(&h);
}

static int complete_use(void)
{
	struct heap_node nodes[100] = { 0 };
	struct heap h;
	int code = 0;

	heap_init(&h);
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		int reserved = heap_reserve(&h, h.count + 1);

		if (reserved) {
			code = reserved;
			continue; /* what is in stays in order */
		}
		heap_arm(&h, &nodes[i], 1000 - i);
	}
	check_invariant(&h);
	while (heap_pop_due(&h, UINT64_MAX))
		check_invariant(&h);
	heap_release(&h);
	return code;
}

static void test_faults(void **state)
{
	volatile size_t most = SIZE_MAX;
	struct heap h;

	(void)state;
	assert_true(fault_loop(complete_use) >= 3);
	heap_init(&h);
	assert_int_equal(heap_reserve(&h, most / 2), FF_ENOMEM);
	heap_release(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_ties),
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_random_operations),
		cmocka_unit_test(test_faults),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
