/* id_map.h: hash map from numbers of our own (positions, ids that count up) to a pointer: one multiplication instead of map.h's seeded hash, which is for
 * keys that somebody else chooses. */
#ifndef FF_BASE_ID_MAP_H
#define FF_BASE_ID_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct id_map {
	struct id_slot *slots; /* room is a power of two */
	size_t count, room;
};

void id_map_init(struct id_map *m);
void id_map_release(struct id_map *m); /* the values are the caller's */
/* Inserts or replaces; value is not NULL. 0 or FF_ENOMEM. */
int id_map_put(struct id_map *m, uint64_t id, void *value) WARN_UNUSED;
void *id_map_get(const struct id_map *m, uint64_t id); /* NULL when absent */
void *id_map_remove(struct id_map *m, uint64_t id);    /* the removed value, or NULL */

#endif
