/* spin.c: when to spin (see spin.h) and the spin itself. */
#include "net/spin.h"

#include <sched.h>

#include "base/clock.h"
#include "base/macros.h"

#define WANTED_LOG2_MOST 12

static bool has_company(struct spin *s)
{
	cpu_set_t usable;

	if (!s->processors)
		s->processors = sched_getaffinity(0, sizeof(usable), &usable) == 0 && CPU_COUNT(&usable) > 1 ? 2 : 1;
	return s->processors > 1;
}

bool spin_until_ready(struct spin *s, struct pollfd *fds, unsigned count)
{
	uint64_t until_us;

	if (s->short_waits >> s->wanted_log2 == 0 || !has_company(s))
		return false;
	until_us = clock_monotonic_us() + SPIN_US;
	do {
		if (poll(fds, count, 0) > 0) {
			s->wanted_log2 = 0;
			return true;
		}
	} while (clock_monotonic_us() < until_us);
	s->short_waits = 0;
	s->wanted_log2 = MIN(s->wanted_log2 + 1, WANTED_LOG2_MOST);
	return false;
}

void spin_waited(struct spin *s, uint64_t us)
{
	s->short_waits = us > SPIN_US ? 0 : s->short_waits + (s->short_waits < UINT32_MAX);
}

int spin_poll(struct spin *s, struct pollfd *fds, unsigned count, int timeout_ms)
{
	uint64_t from_us;
	int ready;

	if (timeout_ms == 0)
		return poll(fds, count, 0);
	from_us = clock_monotonic_us();
	ready = spin_until_ready(s, fds, count) ? 1 : poll(fds, count, timeout_ms);
	spin_waited(s, clock_monotonic_us() - from_us);
	return ready;
}
