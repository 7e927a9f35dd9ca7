/*
 * lag.c: classes of times: 0 to 3 us have one each, then four to each power of two.
 *
 * Invariant: class_of is monotonic and class_end(class_of(us)) >= us below the last class.
 */
#include "net/lag.h"

#include "base/macros.h"

static unsigned class_of(uint64_t us)
{
	unsigned power, index;

	if (us < 4)
		return (unsigned)us;
	power = 63 - (unsigned)__builtin_clzll(us);
	index = (power - 1) * 4 + (unsigned)(us >> (power - 2) & 3);
	return MIN(index, (unsigned)LAG_CLASSES - 1);
}

/* The longest time of a class. */
static uint64_t class_end(unsigned index)
{
	if (index < 4)
		return index;
	return ((uint64_t)(4 + index % 4 + 1) << (index / 4 - 1)) - 1;
}

void lag_note(struct lag *l, uint64_t us)
{
	l->stretches++;
	l->classes[class_of(us)]++;
	l->max_us = MAX(l->max_us, us);
}

uint64_t lag_percentile_us(const struct lag *l, unsigned percent)
{
	uint64_t wanted = l->stretches - l->stretches / 100 * (100 - percent) - l->stretches % 100 * (100 - percent) / 100,
	         seen = 0;

	for (unsigned i = 0; i < LAG_CLASSES; i++) {
		seen += l->classes[i];
		if (seen >= wanted && seen > 0)
			return i == LAG_CLASSES - 1 ? l->max_us : MIN(class_end(i), l->max_us);
	}
	return 0;
}
