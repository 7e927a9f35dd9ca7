/* args.h: values that people type: numbers, sizes, durations, names that nearly match. */
#ifndef FF_FRONT_COMMON_ARGS_H
#define FF_FRONT_COMMON_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal whole number within [min, max]. */
bool arg_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret);
/* Bytes: "100", "64K", "64M", "2G" (powers of 1024; "KiB" and "KB" mean the same); at least 1. */
bool arg_bytes(const char *text, uint64_t *ret);
/* Seconds ("30", "1.5") or with a unit: "500ms", "30s", "2m", "1h". Rounded up to a millisecond; 0 is allowed. */
bool arg_duration_ms(const char *text, uint64_t *ret_ms);
/* Edit distance with swaps of neighbours, ASCII case ignored; names of more than 63 bytes are infinitely far. */
size_t arg_distance(const char *a, const char *b);
/* The index of the name nearest to `typed`, or SIZE_MAX when none is near enough to be meant. */
size_t arg_nearest(const char *typed, const char *(*name_at)(const void *names, size_t index), const void *names, size_t count);

#endif
