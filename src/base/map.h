/* map.h: hash map from bytes to a pointer (open addressing, seeded hash). Keys are not copied: they must outlive their entry.
 * The hash is seeded a process, so that hostile keys cannot collide on purpose. A stored NULL cannot be told from an absent key. */
#ifndef FF_BASE_MAP_H
#define FF_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct map {
	struct map_slot *slots; /* room is a power of two */
	size_t count, room;
};

void map_init(struct map *m);
void map_release(struct map *m); /* the values are the caller's */
/* Inserts or replaces; *ret_old (may be NULL) gets the value before, or NULL. 0 or FF_ENOMEM. */
int map_put(struct map *m, struct str key, void *value, void **ret_old) WARN_UNUSED;
void *map_get(const struct map *m, struct str key); /* NULL when absent */
void *map_remove(struct map *m, struct str key);    /* the removed value, or NULL */
uint64_t map_hash(struct str key);

#endif
