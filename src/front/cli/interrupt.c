/*
 * interrupt.c: HUP, INT and TERM through a pipe.
 *
 * The handler does only what POSIX allows in one: write, unlink, _exit. Its state is file-scope because a handler has no argument.
 */
#include "front/cli/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

static int pipe_fds[2] = { -1, -1 };
static volatile sig_atomic_t deferred;
static atomic_int unread; /* signals that nobody took yet; handlers may run in several threads */
static const char *volatile files[INTERRUPT_FILES];
static volatile sig_atomic_t file_count;

void interrupt_unlink_files(void)
{
	for (sig_atomic_t i = 0; i < file_count; i++)
		(void)unlink(files[i]);
}

static void handle(int number)
{
	int saved = errno;
	unsigned char byte = (unsigned char)number;

	if (!deferred || atomic_fetch_add(&unread, 1) >= INTERRUPT_UNREAD) {
		interrupt_unlink_files();
		_exit(128 + number);
	}
	if (write(pipe_fds[1], &byte, 1) < 0)
		errno = saved; /* the pipe is full of signals: one more says nothing new */
	errno = saved;
}

static int install(int number)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART }, old;

	if (sigaction(number, NULL, &old))
		return -1;
	if (old.sa_handler == SIG_IGN)
		return 0;
	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGHUP);
	sigaddset(&action.sa_mask, SIGINT);
	sigaddset(&action.sa_mask, SIGTERM);
	return sigaction(number, &action, NULL);
}

int interrupt_open(void)
{
	sigset_t pipe_only;

	deferred = 0;
	atomic_store(&unread, 0);
	file_count = 0;
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK))
		return -1;
	/*
	 * A reader that goes and a file at its size limit are errors of a write, not the end of a run whose answers others still get. SIGPIPE is
	 * blocked as well: the library then need not guard against it in every pass of its loop.
	 */
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &pipe_only, NULL))
		return -1;
	return install(SIGHUP) || install(SIGINT) || install(SIGTERM) ? -1 : 0;
}

void interrupt_remove_file(const char *path)
{
	if (file_count == INTERRUPT_FILES)
		return;
	files[file_count] = path;
	file_count++;
}

void interrupt_forget_files(void)
{
	file_count = 0;
}

void interrupt_defer(void)
{
	deferred = 1;
}

int interrupt_fd(void)
{
	return pipe_fds[0];
}

int interrupt_take(void)
{
	unsigned char byte;

	if (read(pipe_fds[0], &byte, 1) != 1)
		return 0;
	atomic_fetch_sub(&unread, 1);
	return byte;
}

int interrupt_came(void *number)
{
	int *first = number;

	interrupt_defer();
	if (!*first)
		*first = interrupt_take();
	return *first;
}

void interrupt_close(void)
{
	for (int i = 0; i < 2; i++) {
		if (pipe_fds[i] >= 0)
			close(pipe_fds[i]);
		pipe_fds[i] = -1;
	}
}
