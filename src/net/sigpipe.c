/* sigpipe.c: a thread's signal mask around work that writes to sockets and pipes. One system call when SIGPIPE was blocked already, else three. */
#include "net/sigpipe.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <time.h>

static void only_pipe(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGPIPE);
}

void sigpipe_block(struct sigpipe_guard *ret)
{
	sigset_t set;

	only_pipe(&set);
	ret->blocked = pthread_sigmask(SIG_BLOCK, &set, &ret->before) == 0 && !sigismember(&ret->before, SIGPIPE);
}

void sigpipe_restore(const struct sigpipe_guard *g)
{
	static const struct timespec at_once = { 0, 0 };
	sigset_t set;

	if (!g->blocked)
		return;
	only_pipe(&set);
	while (sigtimedwait(&set, NULL, &at_once) > 0 || errno == EINTR)
		;
	pthread_sigmask(SIG_SETMASK, &g->before, NULL);
}
