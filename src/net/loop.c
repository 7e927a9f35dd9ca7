/*
 * loop.c: one libuv loop, the deadline heap and the deferred calls, turned by hand one pass at a time.
 *
 * A pass:
 *   1. uv_run: blocks (loop_wait) or not (loop_process), then the callbacks of descriptors run;
 *   2. timers that are due, deferred calls;
 *   3. the step hook (the engine), once, after everything that happened;
 *   4. timers and deferred calls again, so that what the step started is sent in this pass and not after another epoll_wait.
 *
 * With thousands of descriptors ready, 1 would hold 2 to 4 up for a tenth of a second, and what an event brought into the processor's cache is gone when its
 * turn comes. So the transport calls loop_breathe after each event, and every EVENTS_A_BREATH of them 2 to 4 happen in between.
 *
 * The only uv_timer bounds the time uv_run may block; it does nothing when it fires, because deadlines live in the heap. Nothing here
 * costs a system call in a pass beyond epoll_wait and the signal mask (two, three when SIGPIPE was not blocked before).
 *
 * Invariants: `stale` is set right before epoll_wait, so that the first reader of the clock after it reads it anew; `touched` says that
 * libuv holds a change of interest that the epoll set does not know yet: a foreign loop must then call us at once, our own uv_run
 * hands it over by itself.
 *
 * SIGPIPE: libcurl's own guard costs two sigactions a socket event, so it is off and the signal is blocked for a pass (sigpipe.h).
 */
#include <uv.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "net/loop.h"
#include "net/sigpipe.h"
#include "net/spin.h"

#define EVENTS_A_BREATH 32

struct loop {
	uv_loop_t uv;
	uv_timer_t wake; /* ends a blocking uv_run; unreferenced */
	uv_prepare_t
	        prepare; /* marks the clock stale before epoll_wait; referenced only inside uv_run, so that uv_run always polls */
	struct timers timers;
	struct list deferred;
	uint64_t (*step)(void *user, uint64_t now_us);
	void *step_user;
	uint64_t step_next_us; /* what the step asked for */
	uint64_t now_us;
	uint64_t polled_us; /* when the last poll was over */
	uint64_t busy_us;   /* since when events are worked on without a look at the timers */
	struct lag lag;
	struct spin spin;
	unsigned events; /* since the last breath */
	bool stale, touched;
};

static void wake_fired(uv_timer_t *timer UNUSED)
{
}

static void before_poll(uv_prepare_t *prepare)
{
	struct loop *l = prepare->data;

	l->stale = true;
}

static int init_uv(struct loop *l)
{
	int failed = descriptors_available(DESCRIPTORS_OF_A_LOOP) ? uv_loop_init(&l->uv) : uv_translate_sys_error(errno);

	if (failed)
		return failed;
	uv_timer_init(&l->uv, &l->wake);
	uv_unref((uv_handle_t *)&l->wake);
	uv_prepare_init(&l->uv, &l->prepare);
	l->prepare.data = l;
	uv_prepare_start(&l->prepare, before_poll);
	uv_unref((uv_handle_t *)&l->prepare);
	return 0;
}

int loop_new(struct loop **ret, struct error *err)
{
	struct loop *l = NEW(struct loop);
	int failed;

	if (!l)
		return error_nomem(err);
	failed = init_uv(l);
	if (failed) {
		mem_free(l);
		if (failed == UV_ENOMEM)
			return error_nomem(err);
		return error_set(err, FF_EINTERNAL, "",
		                 "The event loop cannot be set up: %s; raise the limit on open files (ulimit -n).",
		                 uv_strerror(failed));
	}
	timers_init(&l->timers);
	list_init(&l->deferred);
	l->step_next_us = CLOCK_NEVER;
	l->now_us = clock_monotonic_us();
	*ret = l;
	return 0;
}

static void close_handle(uv_handle_t *handle, void *user UNUSED)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	uv_walk(&l->uv, close_handle, NULL);
	while (uv_run(&l->uv, UV_RUN_NOWAIT)) /* each closing handle gets its callback */
		;
	uv_loop_close(&l->uv);
	timers_release(&l->timers);
	mem_free(l);
}

struct timers *loop_timers(struct loop *l)
{
	return &l->timers;
}

struct uv_loop_s *loop_uv(struct loop *l)
{
	return &l->uv;
}

static uint64_t refresh(struct loop *l)
{
	l->now_us = clock_monotonic_us();
	l->stale = false;
	return l->now_us;
}

uint64_t loop_now_us(const struct loop *l)
{
	/* Every loop is made by loop_new, so the object itself is not const: the cache may be renewed behind a reader's back. */
	struct loop *own = (struct loop *)(uintptr_t)l;

	if (l->stale)
		own->polled_us = own->busy_us = refresh(own);
	return l->now_us;
}

void loop_touch(struct loop *l)
{
	l->touched = true;
}

void deferred_init(struct deferred *d, void (*call)(struct deferred *))
{
	list_init(&d->link);
	d->call = call;
}

void loop_defer(struct loop *l, struct deferred *d)
{
	if (list_empty(&d->link))
		list_push_back(&l->deferred, &d->link);
}

void deferred_cancel(struct deferred *d)
{
	list_remove(&d->link);
}

/* Makes the calls asked for up to now; those that are asked for meanwhile wait for the next round. */
static void run_deferred(struct loop *l)
{
	struct list due;

	list_move(&l->deferred, &due);
	for (struct list *node; (node = list_pop_front(&due));) {
		struct deferred *d = LIST_ENTRY(node, struct deferred, link);
		d->call(d);
	}
}

/* The stretch since busy_us, or the lateness of the first timer when that is more: someone else held the loop up. */
static void note_lag(struct loop *l, uint64_t late_us)
{
	uint64_t worked_us = l->now_us > l->busy_us ? l->now_us - l->busy_us : 0;

	lag_note(&l->lag, MAX(worked_us, late_us));
}

static void run_due(struct loop *l)
{
	uint64_t now_us = loop_now_us(l);

	if (timers_next(&l->timers) <= now_us)
		timers_run(&l->timers, now_us);
	run_deferred(l);
}

/* Steps 2 to 4 of a pass. Its length is lag too: a timer that fell due at its start would have waited for its end. */
static void after_poll(struct loop *l)
{
	uint64_t first_us = timers_next(&l->timers), late_us;

	if (l->stale) /* no event came */
		l->polled_us = l->busy_us = l->now_us = clock_monotonic_us();
	late_us = refresh(l) > first_us ? l->now_us - first_us : 0;
	run_due(l);
	if (l->step)
		l->step_next_us = l->step(l->step_user, l->now_us);
	run_due(l);
	refresh(l);
	note_lag(l, late_us);
	l->busy_us = l->now_us;
	l->events = 0;
}

void loop_breathe(struct loop *l)
{
	if (++l->events >= EVENTS_A_BREATH)
		after_poll(l);
}

void loop_on_step(struct loop *l, uint64_t (*step)(void *user, uint64_t now_us), void *user)
{
	l->step = step;
	l->step_user = user;
	l->step_next_us = step ? 0 : CLOCK_NEVER; /* call it soon: it has not said yet what it waits for */
}

int loop_fd(const struct loop *l)
{
	return uv_backend_fd(&l->uv);
}

/* How long nothing is due: 0, milliseconds rounded up, or -1. */
static int quiet_ms(const struct loop *l)
{
	uint64_t next_us = MIN(timers_next(&l->timers), l->step_next_us), now_us, ms;

	if (!list_empty(&l->deferred))
		return 0;
	if (next_us == CLOCK_NEVER)
		return -1;
	now_us = clock_monotonic_us();
	if (next_us <= now_us)
		return 0;
	ms = (next_us - now_us + 999) / 1000;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

int loop_timeout_ms(const struct loop *l)
{
	return l->touched ? 0 : quiet_ms(l);
}

static void poll_once(struct loop *l, int timeout_ms)
{
	l->touched = false;
	uv_ref((uv_handle_t *)&l->prepare);
	if (timeout_ms > 0) {
		uv_update_time(&l->uv);
		uv_timer_start(&l->wake, wake_fired, (uint64_t)timeout_ms, 0);
	}
	uv_run(&l->uv, timeout_ms == 0 ? UV_RUN_NOWAIT : UV_RUN_ONCE);
	if (timeout_ms > 0)
		uv_timer_stop(&l->wake);
	uv_unref((uv_handle_t *)&l->prepare);
}

static int pass(struct loop *l, int timeout_ms)
{
	struct sigpipe_guard guard;

	sigpipe_block(&guard);
	poll_once(l, timeout_ms);
	after_poll(l);
	sigpipe_restore(&guard);
	return uv_loop_alive(&l->uv) || !list_empty(&l->deferred) || timers_next(&l->timers) != CLOCK_NEVER;
}

int loop_process(struct loop *l)
{
	return pass(l, 0);
}

int loop_wait(struct loop *l, int timeout_ms)
{
	struct pollfd fd = { .fd = loop_fd(l), .events = POLLIN };
	uint64_t from_us = clock_monotonic_us();
	int quiet = quiet_ms(l), alive;

	if (quiet >= 0 && (timeout_ms < 0 || quiet < timeout_ms))
		timeout_ms = quiet;
	if (timeout_ms == 0 || l->touched)
		return pass(l, timeout_ms);
	alive = pass(l, spin_until_ready(&l->spin, &fd, 1) ? 0 : timeout_ms);
	spin_waited(&l->spin, l->polled_us - from_us);
	return alive;
}

const struct lag *loop_lag(const struct loop *l)
{
	return &l->lag;
}
