/*
 * alloc.c: malloc with a fault hook. Not an allocator of its own: memory by lifetime is arena.h's.
 *
 * The hook counts allocations down and fails the one that reaches zero (or it and all after it). The counter is atomic, because the
 * journal's writer thread allocates too; which of two threads meets the fault is then open, as it is with real memory. A freed pointer never
 * counts. Disarmed, the cost is one relaxed load and a branch.
 */
#include "base/alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CALLOC_SMALL ((size_t)1024) /* up to here glibc's malloc has lists of freed blocks that its calloc passes by */

static _Atomic uint64_t fault_countdown; /* 0: disarmed; 1: the next allocation fails */
static _Atomic uint64_t fault_hits;
static _Atomic bool fault_forever;

void mem_fault_arm(uint64_t countdown, bool forever)
{
	atomic_store(&fault_hits, 0);
	atomic_store(&fault_forever, forever);
	atomic_store(&fault_countdown, countdown);
}

uint64_t mem_fault_hits(void)
{
	return atomic_load(&fault_hits);
}

/* The slow half of fault_due: the hook is armed. With `forever` the countdown stays at 1, so that every later call lands here and fails. */
static bool fault_step(uint64_t left)
{
	bool forever = atomic_load(&fault_forever);
	uint64_t next;

	do {
		if (left == 0)
			return false; /* another thread met the fault meanwhile */
		next = left == 1 && forever ? 1 : left - 1;
	} while (!atomic_compare_exchange_weak(&fault_countdown, &left, next));
	if (left != 1)
		return false;
	atomic_fetch_add(&fault_hits, 1);
	errno = ENOMEM;
	return true;
}

static inline bool fault_due(void)
{
	uint64_t left = atomic_load_explicit(&fault_countdown, memory_order_relaxed);
	return __builtin_expect(left != 0, 0) && fault_step(left);
}

void *mem_alloc(size_t size)
{
	return fault_due() ? NULL : malloc(size ? size : 1);
}

void *mem_calloc(size_t count, size_t size)
{
	size_t total;
	void *ptr;

	if (fault_due() || __builtin_mul_overflow(count, size, &total))
		return NULL;
	if (total > CALLOC_SMALL)
		return calloc(count, size);
	ptr = malloc(total ? total : 1);
	return ptr ? memset(ptr, 0, total) : NULL;
}

void *mem_realloc(void *ptr, size_t size)
{
	return fault_due() ? NULL : realloc(ptr, size ? size : 1);
}

void mem_free(void *ptr)
{
	int saved = errno;
	free(ptr);
	errno = saved;
}

void mem_free_p(void *pointer_to_pointer)
{
	void *ptr;

	memcpy(&ptr, pointer_to_pointer, sizeof ptr);
	mem_free(ptr);
	ptr = NULL;
	memcpy(pointer_to_pointer, &ptr, sizeof ptr);
}

char *mem_strdup(const char *text)
{
	return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *ptr, size_t len)
{
	char *copy = len == SIZE_MAX ? NULL : mem_alloc(len + 1);

	if (!copy)
		return NULL;
	if (len)
		memcpy(copy, ptr, len);
	copy[len] = '\0';
	return copy;
}
