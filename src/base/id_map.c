/*
 * id_map.c: open addressing with linear probing, at most half full; a removal shifts what follows back (as in map.c). Multiplying by the golden ratio
 * spreads ids that count up evenly over the slots, with gaps between them, so that an id that is not there is missed at once.
 */
#include "base/id_map.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"

struct id_slot {
	uint64_t id;
	void *value; /* NULL: free */
};

#define ROOM_FIRST 16u

void id_map_init(struct id_map *m)
{
	*m = (struct id_map){ 0 };
}

void id_map_release(struct id_map *m)
{
	mem_free(m->slots);
	id_map_init(m);
}

static size_t home_of(const struct id_map *m, uint64_t id)
{
	return (size_t)(id * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (m->room - 1);
}

/* The slot that holds the id, or the free one where it would go. A free slot exists. */
static size_t probe(const struct id_map *m, uint64_t id)
{
	size_t i = home_of(m, id);

	while (m->slots[i].value && m->slots[i].id != id)
		i = (i + 1) & (m->room - 1);
	return i;
}

static int rehash(struct id_map *m, size_t room)
{
	struct id_map bigger = { mem_calloc(room, sizeof *m->slots), m->count, room };

	if (!bigger.slots)
		return FF_ENOMEM;
	for (size_t i = 0; i < m->room; i++)
		if (m->slots[i].value)
			bigger.slots[probe(&bigger, m->slots[i].id)] = m->slots[i];
	mem_free(m->slots);
	*m = bigger;
	return 0;
}

int id_map_put(struct id_map *m, uint64_t id, void *value)
{
	struct id_slot *slot;

	assert(value);
	if (m->count >= m->room / 2) {
		int code = rehash(m, m->room ? 2 * m->room : ROOM_FIRST);
		if (code)
			return code;
	}
	slot = &m->slots[probe(m, id)];
	m->count += slot->value == NULL;
	*slot = (struct id_slot){ id, value };
	return 0;
}

void *id_map_get(const struct id_map *m, uint64_t id)
{
	return m->count ? m->slots[probe(m, id)].value : NULL;
}

void *id_map_remove(struct id_map *m, uint64_t id)
{
	size_t mask = m->room - 1, hole, i;
	void *value;

	if (!m->count)
		return NULL;
	hole = probe(m, id);
	value = m->slots[hole].value;
	if (!value)
		return NULL;
	m->count--;
	for (i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
		size_t home = home_of(m, m->slots[i].id);

		/* The entry at i may fill the hole unless its home lies behind the hole on its way here. */
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = (struct id_slot){ 0 };
	return value;
}
