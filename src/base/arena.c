/*
 * arena.c: blocks in a chain, filled from the front of the newest.
 *
 * Invariants: `head` is the block that small allocations come from; a large allocation gets a block of its own, linked behind head, so that
 * head's free space is not lost. Block sizes double from BLOCK_FIRST to BLOCK_MOST: a turn's arena stays at one small block, a session's
 * at a few. The worst case wastes half of the last block.
 *
 * Under AddressSanitizer the free part of a block is poisoned and a gap is left after each allocation, so that an overrun is seen as it would be
 * with malloc.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(ptr, len)   ASAN_POISON_MEMORY_REGION((ptr), (len))
#define UNPOISON(ptr, len) ASAN_UNPOISON_MEMORY_REGION((ptr), (len))
#define GAP                ((size_t)16)
#else
#define POISON(ptr, len)   ((void)0)
#define UNPOISON(ptr, len) ((void)0)
#define GAP                ((size_t)0)
#endif

#define ALIGNMENT alignof(max_align_t)
/* Bytes with the header: what malloc is asked for. From 1024 on, its own header included, glibc first joins everything that was freed. */
#define BLOCK_FIRST ((size_t)1000)
#define BLOCK_MOST  ((size_t)256 << 10)

struct arena_block {
	struct arena_block *next; /* older */
	size_t room;              /* bytes in data */
	size_t used;
	alignas(max_align_t) char data[];
};

void arena_init(struct arena *a)
{
	*a = ARENA_INIT;
}

static void block_free(struct arena_block *b)
{
	UNPOISON(b->data, b->room);
	mem_free(b);
}

static void chain_free(struct arena_block *b)
{
	while (b) {
		struct arena_block *older = b->next;
		block_free(b);
		b = older;
	}
}

void arena_release(struct arena *a)
{
	chain_free(a->head);
	*a = ARENA_INIT;
}

void arena_reset(struct arena *a)
{
	struct arena_block *b = a->head;

	a->used = 0;
	if (!b)
		return;
	chain_free(b->next);
	b->next = NULL;
	b->used = 0;
	POISON(b->data, b->room);
	if (b->room > BLOCK_MOST) { /* one huge document must not stay resident for the sake of reuse */
		block_free(b);
		a->head = NULL;
	}
}

static struct arena_block *block_new(size_t room)
{
	struct arena_block *b = mem_alloc(sizeof *b + room);

	if (!b)
		return NULL;
	b->next = NULL;
	b->room = room;
	b->used = 0;
	POISON(b->data, room);
	return b;
}

/* A block with at least `need` bytes free, linked in its place. */
RARE static struct arena_block *block_for(struct arena *a, size_t need)
{
	struct arena_block *head = a->head, *b;
	size_t whole = head ? 2 * (head->room + sizeof *head) : BLOCK_FIRST;
	size_t room = MIN(whole, BLOCK_MOST) - sizeof *b;

	if (need <= room / 4 || (!head && need <= room)) {
		b = block_new(room);
		if (b) {
			b->next = head;
			a->head = b;
		}
		return b;
	}
	b = block_new(need);
	if (!b)
		return NULL;
	if (head) {
		b->next = head->next;
		head->next = b;
	} else {
		a->head = b;
	}
	return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->head;
	size_t need;
	char *ptr;

	if (size > SIZE_MAX / 4)
		return NULL;
	need = (size + GAP + (ALIGNMENT - 1)) & ~(ALIGNMENT - 1);
	if (need == 0)
		need = ALIGNMENT;
	if (!b || b->room - b->used < need) {
		b = block_for(a, need);
		if (!b)
			return NULL;
	}
	ptr = b->data + b->used;
	b->used += need;
	a->used += need;
	UNPOISON(ptr, size);
	return ptr;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
	size_t total;
	void *ptr;

	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	ptr = arena_alloc(a, total);
	return ptr ? memset(ptr, 0, total) : NULL;
}

char *arena_memdup(struct arena *a, const void *data, size_t len)
{
	char *copy = len == SIZE_MAX ? NULL : arena_alloc(a, len + 1);

	if (!copy)
		return NULL;
	if (len)
		memcpy(copy, data, len);
	copy[len] = '\0';
	return copy;
}

int arena_str(struct arena *a, struct str s, struct str *ret_copy)
{
	char *copy = arena_memdup(a, s.ptr, s.len);

	if (!copy)
		return FF_ENOMEM;
	*ret_copy = str_of(copy, s.len);
	return 0;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	char small[256];
	va_list args;
	int len;
	char *text;

	va_start(args, format);
	len = vsnprintf(small, sizeof small, format, args);
	va_end(args);
	if (len < 0)
		return NULL;
	if ((size_t)len < sizeof small)
		return arena_memdup(a, small, (size_t)len);
	text = arena_alloc(a, (size_t)len + 1);
	if (!text)
		return NULL;
	va_start(args, format);
	len = vsnprintf(text, (size_t)len + 1, format, args);
	va_end(args);
	return len < 0 ? NULL : text;
}
