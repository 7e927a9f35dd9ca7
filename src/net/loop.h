/*
 * loop.h: the one libuv loop of an engine: descriptors, one timer for the deadline heap, deferred calls. Not a word about HTTP.
 *
 * The loop never blocks SIGPIPE for the process: loop_process masks it in the calling thread while it runs.
 */
#ifndef FF_NET_LOOP_H
#define FF_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "base/timers.h"
#include "net/lag.h"

struct loop; /* owns the uv_loop_t, the timers and the deferred queue */

/* A call to be made from the loop, never from inside the function that asked for it. Embedded; asking twice is once. */
struct deferred {
	struct list link;
	void (*call)(struct deferred *d);
};

int loop_new(struct loop **ret, struct error *err) WARN_UNUSED;
void loop_free(struct loop *l); /* closes everything; nothing may be registered any more. NULL is fine */
struct timers *loop_timers(struct loop *l);
uint64_t loop_now_us(const struct loop *l); /* cached at the start of an iteration; CLOCK_MONOTONIC */
void deferred_init(struct deferred *d, void (*call)(struct deferred *));
void loop_defer(struct loop *l, struct deferred *d);
void deferred_cancel(struct deferred *d);
/* `idle` is called once an iteration after callbacks (the engine's step); it returns the next wake-up it needs beside the timers. */
void loop_on_step(struct loop *l, uint64_t (*step)(void *user, uint64_t now_us), void *user);

int loop_fd(const struct loop *l);         /* becomes readable when there is something to process (uv_backend_fd) */
int loop_timeout_ms(const struct loop *l); /* how long one may wait before loop_process; -1: for ever; 0: call now */
int loop_process(struct loop *l);          /* one iteration without blocking; returns whether anything is still active */
int loop_wait(struct loop *l,
              int timeout_ms); /* blocks until something happened, at most timeout_ms (-1: no limit), then processes */
/* How late timers fired, or would have fired: the stretches between two looks at them, since the loop was made. */
const struct lag *loop_lag(const struct loop *l);
struct uv_loop_s *loop_uv(struct loop *l); /* for net/ only */
/* For net/ only: call after uv_poll_start, so that a foreign loop comes back at once to hand the change to the kernel. */
void loop_touch(struct loop *l);
/* For net/ only: call at the end of a descriptor's callback. Once in a while it runs what is due, so that a flood of events does not hold it up. */
void loop_breathe(struct loop *l);

#endif
