/* rand.c: PCG-XSH-RR 64/32 (O'Neill 2014). One fixed stream: two generators with the same seed give the same numbers. */
#include "base/rand.h"

#include <sys/random.h>

#include "base/clock.h"

#define PCG_MULTIPLIER 6364136223846793005u
#define PCG_STREAM     1442695040888963407u

void rand_init(struct rand *r, uint64_t seed)
{
	r->state = 0;
	r->increment = PCG_STREAM | 1u;
	(void)rand_u32(r);
	r->state += seed;
	(void)rand_u32(r);
}

uint32_t rand_u32(struct rand *r)
{
	uint64_t old = r->state;
	uint32_t shifted = (uint32_t)(((old >> 18) ^ old) >> 27);
	uint32_t rotation = (uint32_t)(old >> 59);

	r->state = old * PCG_MULTIPLIER + r->increment;
	return (shifted >> rotation) | (shifted << (-rotation & 31u));
}

double rand_unit(struct rand *r)
{
	return (double)rand_u32(r) * 0x1p-32;
}

uint64_t rand_seed_from_os(void)
{
	uint64_t seed;

	if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == (long)sizeof seed)
		return seed;
	/* No entropy yet (early boot, a filtered system call): jitter needs a seed that differs between processes, no secret. */
	return clock_monotonic_us() * PCG_MULTIPLIER ^ (uint64_t)clock_wall_ms() ^ (uint64_t)(uintptr_t)&seed;
}
