/*
 * map.c: open addressing with linear probing, at most 3/4 full. A removal shifts what follows back, so there are no tombstones and a map that is
 * filled and emptied for ever does not degrade. SipHash-1-3 with a key drawn once a process.
 */
#include "base/map.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rand.h"

struct map_slot {
	uint64_t hash; /* 0: free */
	struct str key;
	void *value;
};

#define ROOM_FIRST 16u

static uint64_t rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

static void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 = rotate(s->v2, 32);
}

/* The process's seed. Two threads that draw it at the same time agree on the one that was stored first. */
static uint64_t seed(void)
{
	static _Atomic uint64_t drawn;
	uint64_t value = atomic_load_explicit(&drawn, memory_order_relaxed), none = 0;

	if (value)
		return value;
	value = rand_seed_from_os() | 1;
	return atomic_compare_exchange_strong(&drawn, &none, value) ? value : none;
}

uint64_t map_hash(struct str key)
{
	uint64_t k0 = seed(), k1 = k0 * 0x9E3779B97F4A7C15u, word;
	struct sip s = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u };
	size_t i = 0;

	for (; key.len - i >= 8; i += 8) {
		memcpy(&word, key.ptr + i, 8);
		s.v3 ^= word;
		sip_round(&s);
		s.v0 ^= word;
	}
	word = 0;
	if (key.len > i)
		memcpy(&word, key.ptr + i, key.len - i);
	word ^= (uint64_t)key.len << 56;
	s.v3 ^= word;
	sip_round(&s);
	s.v0 ^= word;
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static uint64_t slot_hash(struct str key)
{
	uint64_t hash = map_hash(key);
	return hash ? hash : 1;
}

void map_init(struct map *m)
{
	*m = (struct map){ 0 };
}

void map_release(struct map *m)
{
	mem_free(m->slots);
	map_init(m);
}

/* The slot that holds the key, or the free one where it would go. room is not 0 and a free slot exists. */
static size_t probe(const struct map *m, struct str key, uint64_t hash)
{
	size_t i = hash & (m->room - 1);

	while (m->slots[i].hash && (m->slots[i].hash != hash || !str_eq(m->slots[i].key, key)))
		i = (i + 1) & (m->room - 1);
	return i;
}

static int rehash(struct map *m, size_t room)
{
	struct map bigger = { mem_calloc(room, sizeof *m->slots), m->count, room };

	if (!bigger.slots)
		return FF_ENOMEM;
	for (size_t i = 0; i < m->room; i++)
		if (m->slots[i].hash)
			bigger.slots[probe(&bigger, m->slots[i].key, m->slots[i].hash)] = m->slots[i];
	mem_free(m->slots);
	*m = bigger;
	return 0;
}

int map_put(struct map *m, struct str key, void *value, void **ret_old)
{
	uint64_t hash = slot_hash(key);
	struct map_slot *slot;

	if (m->count >= m->room / 4 * 3) {
		int code = rehash(m, m->room ? 2 * m->room : ROOM_FIRST);
		if (code)
			return code;
	}
	slot = &m->slots[probe(m, key, hash)];
	if (ret_old)
		*ret_old = slot->hash ? slot->value : NULL;
	m->count += slot->hash == 0;
	*slot = (struct map_slot){ hash, key, value };
	return 0;
}

void *map_get(const struct map *m, struct str key)
{
	/* A free slot has value NULL. */
	return m->count ? m->slots[probe(m, key, slot_hash(key))].value : NULL;
}

void *map_remove(struct map *m, struct str key)
{
	size_t mask = m->room - 1, hole, i;
	void *value;

	if (!m->count)
		return NULL;
	hole = probe(m, key, slot_hash(key));
	if (!m->slots[hole].hash)
		return NULL;
	value = m->slots[hole].value;
	m->count--;
	for (i = (hole + 1) & mask; m->slots[i].hash; i = (i + 1) & mask) {
		size_t home = m->slots[i].hash & mask;

		/* The entry at i may fill the hole unless its home lies behind the hole on its way here. */
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = (struct map_slot){ 0 };
	return value;
}
