/*
 * child.h: a process of somebody else's program: three pipes, a pidfd, a process group of its own. Knows nothing of what is said over the pipes.
 *
 * Life:  child_start → on_output, on_error_line, … → on_exit (at most once, after everything that it wrote) → child_dismiss
 * child_dismiss may come at any time, also inside a callback: nothing is called any more, and the keeper ends the process in the background.
 *
 * A child is started with posix_spawn (no SIGCHLD handler, no fork of our memory), with every descriptor but its three closed, default signal handlers
 * and an empty mask. Whatever it starts itself stays in its process group and ends with it, also when it exits by itself: only a process that leaves
 * the group on purpose (a daemon) gets away.
 *
 * The keeper owns children from child_dismiss on until they have been reaped. One for each loop.
 */
#ifndef FF_NET_CHILD_H
#define FF_NET_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "net/loop.h"

#define CHILD_INPUT_MAX_BYTES ((size_t)1 << 30) /* waiting in front of a child */
#define CHILD_LINE_MAX_BYTES  8192u             /* of standard error: longer lines are cut there */
#define CHILD_POLITE_US       UINT64_C(2000000) /* after the end of its input, until SIGTERM */
#define CHILD_TERM_US         UINT64_C(1000000) /* after SIGTERM, until SIGKILL */

struct child;
struct child_keeper;

/* How a process ended. */
struct child_end {
	bool signalled;
	int number; /* the signal, or the exit status */
};
/* "exit status 1", "signal 11 (Segmentation fault)" */
void child_end_format(const struct child_end *end, char *out, size_t size);

/* From the loop, or from child_wait. */
struct child_callbacks {
	void (*on_output)(void *user, const char *data, size_t len); /* standard output, as it comes */
	void (*on_output_end)(void *user);                           /* it closed its standard output, and may live on */
	void (*on_error_line)(void *user, struct str line);          /* standard error, without the line feed */
	void (*on_input_closed)(void *user); /* it closed its standard input while something was to be sent */
	void (*on_exit)(void *user, const struct child_end *end);
};

struct child_config {
	const char *const *argv; /* NULL-terminated; argv[0] as it is typed */
	const char *const *envp; /* NULL-terminated: the whole environment; its PATH says where argv[0] is looked up */
	const struct child_callbacks *callbacks;
	void *user;
};

int child_keeper_new(struct loop *l, struct child_keeper **ret) WARN_UNUSED; /* 0 or FF_ENOMEM */
/* Waits until every dismissed child has ended: at most CHILD_POLITE_US + CHILD_TERM_US. No other child may be left. NULL is fine. */
void child_keeper_free(struct child_keeper *k);

/* 0; FF_EUSAGE: it cannot be started, err says why; FF_ENOMEM. */
int child_start(struct child_keeper *k, const struct child_config *config, struct child **ret, struct error *err) WARN_UNUSED;
/* Sends bytes, in order; they leave from the loop. All or nothing: 0, FF_ENOMEM or FF_ETOOBIG. */
int child_send(struct child *c, struct str bytes) WARN_UNUSED;
size_t child_unsent(const struct child *c); /* bytes that wait in front of it */
/*
 * The owner is done with it. polite: it gets what was sent, the end of its input and CHILD_POLITE_US to exit, then SIGTERM; else SIGTERM at once.
 * CHILD_TERM_US later SIGKILL. NULL is fine.
 */
void child_dismiss(struct child *c, bool polite);
int child_pid(const struct child *c);

/*
 * Blocks until something happened to one of the children, at most timeout_ms (-1: no limit), and makes their callbacks: for what must be known before
 * the loop turns. Not from inside a callback.
 */
void child_wait(struct child *const *children, size_t count, int timeout_ms);

#endif
