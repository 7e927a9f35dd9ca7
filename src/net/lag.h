/*
 * lag.h: how long a loop worked without looking at what is due: the longest stretch exactly, the others counted in classes a quarter of a power of two
 * wide, so that a percentile is at most 25 % too high. No clock, no loop.
 */
#ifndef FF_NET_LAG_H
#define FF_NET_LAG_H

#include <stdint.h>

#define LAG_CLASSES 128 /* the last one begins at about two hours */

struct lag {
	uint64_t max_us, stretches;
	uint64_t classes[LAG_CLASSES];
};

void lag_note(struct lag *l, uint64_t us);
/* The time that `percent` of the stretches stayed within (rounded up to the end of its class, never above max_us); 0 when there was none. */
uint64_t lag_percentile_us(const struct lag *l, unsigned percent);

#endif
