/*
 * arena.h: memory by lifetime. Everything allocated from an arena lives until arena_release (or arena_reset).
 * One arena a session, one a turn, one a configured connector. Not thread-safe.
 */
#ifndef FF_BASE_ARENA_H
#define FF_BASE_ARENA_H

#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"

struct arena_block;

struct arena {
	struct arena_block *head; /* newest block; NULL when nothing was allocated */
	size_t used;              /* bytes handed out, for accounting */
};

#define ARENA_INIT ((struct arena){ NULL, 0 })

void arena_init(struct arena *a);
void arena_release(struct arena *a); /* frees all; the arena is then as after arena_init */
void arena_reset(struct arena *a);   /* forgets all but keeps one block for reuse */

/* Aligned for any type, not zeroed; NULL when memory is short. size 0 gives a valid, unique-enough pointer. */
void *arena_alloc(struct arena *a, size_t size) WARN_UNUSED;
void *arena_calloc(struct arena *a, size_t count, size_t size) WARN_UNUSED;    /* zeroed */
char *arena_memdup(struct arena *a, const void *data, size_t len) WARN_UNUSED; /* len bytes plus a NUL */
/* Copies s (adds a NUL behind it); returns 0 or FF_ENOMEM. */
int arena_str(struct arena *a, struct str s, struct str *ret_copy) WARN_UNUSED;
char *arena_printf(struct arena *a, const char *format, ...) PRINTF_LIKE(2, 3) WARN_UNUSED;

#define ARENA_NEW(a, type) ((type *)arena_calloc((a), 1, sizeof(type)))

#endif
