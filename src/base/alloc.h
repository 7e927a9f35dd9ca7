/*
 * alloc.h: the only caller of malloc and free in fairforge.
 *
 * Every function may return NULL when memory is short, and the caller must turn that into FF_ENOMEM.
 * The fault loop (tests/fault) proves it: mem_fault_arm(n) makes allocation n and all after it fail, or only
 * allocation n, in this process.
 */
#ifndef FF_BASE_ALLOC_H
#define FF_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

void *mem_alloc(size_t size) WARN_UNUSED;
void *mem_calloc(size_t count, size_t size) WARN_UNUSED; /* zeroed; NULL on overflow of count * size */
void *mem_realloc(void *ptr, size_t size) WARN_UNUSED;   /* on failure ptr is untouched and still owned by the caller */
void mem_free(void *ptr);                                /* NULL is fine; errno is kept */
char *mem_strdup(const char *text) WARN_UNUSED;
char *mem_strndup(const char *ptr, size_t len) WARN_UNUSED; /* copies len bytes and adds a NUL */

/* Frees *pointer_to_pointer; for CLEANUP(mem_free_p). */
void mem_free_p(void *pointer_to_pointer);

#define NEW(type) ((type *)mem_calloc(1, sizeof(type)))

/* Fault injection, for tests: the countdown starts at `countdown` (1 = the next allocation); 0 disarms. `forever`: all later
 * allocations fail too. mem_fault_hits() says how often an allocation was failed since arming. Costs one branch when disarmed. */
void mem_fault_arm(uint64_t countdown, bool forever);
uint64_t mem_fault_hits(void);

#endif
