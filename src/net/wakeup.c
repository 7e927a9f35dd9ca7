/*
 * wakeup.c: a uv_async_t with a life of its own: libuv lets go of a handle one pass after it was closed, so the memory goes then.
 *
 * Cost: one write to an eventfd for the first ask between two passes; the others see that one is on its way.
 */
#include "net/wakeup.h"

#include <uv.h>

#include "base/alloc.h"

struct wakeup {
	uv_async_t async;
	void (*call)(void *user);
	void *user;
};

static void asked(uv_async_t *async)
{
	struct wakeup *w = async->data;

	w->call(w->user);
}

static void closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

int wakeup_new(struct loop *l, void (*call)(void *user), void *user, struct wakeup **ret, struct error *err)
{
	struct wakeup *w = NEW(struct wakeup);
	int failed;

	if (!w)
		return error_nomem(err);
	w->call = call;
	w->user = user;
	failed = uv_async_init(loop_uv(l), &w->async, asked);
	if (failed) {
		mem_free(w);
		return failed == UV_ENOMEM ? error_nomem(err)
		                           : error_set(err, FF_EINTERNAL, "", "The loop cannot be woken by other threads: %s.",
		                                       uv_strerror(failed));
	}
	w->async.data = w;
	uv_unref((uv_handle_t *)&w->async); /* waiting for an ask keeps no loop alive */
	loop_touch(l);
	*ret = w;
	return 0;
}

void wakeup_ask(struct wakeup *w)
{
	uv_async_send(&w->async);
}

void wakeup_free(struct wakeup *w)
{
	if (w)
		uv_close((uv_handle_t *)&w->async, closed);
}
