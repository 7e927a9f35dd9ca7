/* sigpipe.h: SIGPIPE kept from the calling thread for a while, without touching the handlers of the host program. */
#ifndef FF_NET_SIGPIPE_H
#define FF_NET_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

struct sigpipe_guard {
	sigset_t before;
	bool blocked; /* by us */
};

void sigpipe_block(struct sigpipe_guard *ret);
/* One that came meanwhile is taken out before the mask is restored: a host program that never touched SIGPIPE must not die of our peers. */
void sigpipe_restore(const struct sigpipe_guard *g);

#endif
