/* rand.h: a small seeded generator (PCG32) for jitter; not for secrets. Randomness is a parameter: tests seed it. */
#ifndef FF_BASE_RAND_H
#define FF_BASE_RAND_H

#include <stdint.h>

struct rand {
	uint64_t state;
	uint64_t increment;
};

void rand_init(struct rand *r, uint64_t seed);
uint32_t rand_u32(struct rand *r);
double rand_unit(struct rand *r); /* uniform in [0, 1) */
uint64_t rand_seed_from_os(void);

#endif
