/*
 * wakeup.h: the one way in which another thread may touch a loop: it asks for a call, and the loop makes it soon. Many asks may become one call.
 */
#ifndef FF_NET_WAKEUP_H
#define FF_NET_WAKEUP_H

#include "base/error.h"
#include "net/loop.h"

struct wakeup;

/* `call` is made from the loop, in its thread. 0, FF_ENOMEM or FF_EINTERNAL (no descriptor left). */
int wakeup_new(struct loop *l, void (*call)(void *user), void *user, struct wakeup **ret, struct error *err) WARN_UNUSED;
/* From any thread, also from a callback of the loop. Never blocks. Not after or during wakeup_free: whoever asks and whoever frees share a lock. */
void wakeup_ask(struct wakeup *w);
/* In the loop's thread. No call is made any more. NULL is fine. */
void wakeup_free(struct wakeup *w);

#endif
