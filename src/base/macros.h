/* macros.h: compiler attributes and the few macros every file uses. Knows libc only. */
#ifndef FF_BASE_MACROS_H
#define FF_BASE_MACROS_H

#include <stddef.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#ifndef MIN /* sys/param.h, which other libraries' headers include, has the same two */
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif

#define WARN_UNUSED            __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED                 __attribute__((unused))
/* Kept out of the function that calls it, which then needs fewer registers: the half that hardly ever runs. */
#define RARE __attribute__((noinline, cold))

/* Runs `fn(&variable)` when the variable leaves its scope: the one exit path of a function. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* The struct of type `type` whose member `member` is at `ptr` (intrusive lists, heaps). */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
