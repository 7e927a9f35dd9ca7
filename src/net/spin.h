/*
 * spin.h: waiting awake for what comes at once.
 *
 * To fall asleep and to be woken takes a thread 5 to 50 microseconds, and whoever wakes it pays a part of that. So when the last waits were over within
 * SPIN_US, the next one is spent looking, for at most SPIN_US: a worker on the same machine is asked and answers faster than we would wake. A few turns at a
 * provider far away never get there, thousands in flight, with a reply every few microseconds, do. When a spin was in vain, twice as many short waits are needed before the next one; and with one processor, which the
 * other side needs to answer, there is none.
 */
#ifndef FF_NET_SPIN_H
#define FF_NET_SPIN_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define SPIN_US 50

/* Zeroed at the start. */
struct spin {
	unsigned short_waits; /* in a row */
	unsigned wanted_log2; /* so many of them are wanted, as a power of two */
	int processors;       /* 0: not asked yet; 1: at most one may be used */
};

/* Looks whether one of the descriptors is ready, for SPIN_US when that is worth while, else not at all: whether one is. revents are filled then. */
bool spin_until_ready(struct spin *s, struct pollfd *fds, unsigned count);
/* Tells how long a wait took, spin included. */
void spin_waited(struct spin *s, uint64_t us);
/* poll(2), awake when that is worth while. A timeout of 0 only looks. */
int spin_poll(struct spin *s, struct pollfd *fds, unsigned count, int timeout_ms);

#endif
