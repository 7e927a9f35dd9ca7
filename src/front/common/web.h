/*
 * web.h: an HTTP/1.1 server on libmicrohttpd inside one libuv loop, in one thread: the listening socket, the loop, timers, signals. What it
 * answers is the owner's business (an MHD access handler).
 *
 * Waiting: the handler suspends its connection and arms a timer of web_timers; the timer's fire resumes it. Timers run before libmicrohttpd in
 * each round, so that a resumed connection is served in the same round.
 * Ending: SIGINT, SIGTERM or web_stop make web_run return. Before web_free the owner must have resumed every connection that it suspended:
 * web_run calls on_stop for that, and then serves one more round.
 */
#ifndef FF_FRONT_COMMON_WEB_H
#define FF_FRONT_COMMON_WEB_H

#include <microhttpd.h>
#include <stdint.h>

#include "base/error.h"
#include "base/timers.h"

struct web;

struct web_options {
	const char *listen; /* a numeric address, "127.0.0.1" or "::1" */
	uint16_t port;      /* 0: a free one */
	unsigned max_connections;
	MHD_AccessHandlerCallback handler; /* url and query are percent-encoded as they came */
	MHD_RequestCompletedCallback completed;
	void (*on_stop)(void *user);
	void *user;
};

/* 0; FF_EUSAGE: the address is none; FF_EOUTPUT: the port is taken or not ours to use; FF_ENOMEM, FF_EINTERNAL. */
int web_new(const struct web_options *options, struct web **ret, struct error *err) WARN_UNUSED;
void web_free(struct web *w);             /* NULL is fine */
const char *web_url(const struct web *w); /* "http://127.0.0.1:8080" */
struct timers *web_timers(struct web *w);
uint64_t web_now_us(const struct web *w); /* the time of this round */
void web_run(struct web *w);              /* until a signal or web_stop */
void web_stop(struct web *w);

/*
 * True for a request whose length two readers may see differently (request smuggling): Content-Length beside Transfer-Encoding, or more than one
 * Content-Length. libmicrohttpd 0.9.75 lets both through. The handler must ask in its first call, answer 400 and close.
 */
bool web_is_smuggled(struct MHD_Connection *connection);
/* The descriptor of the connection, for who wants to break it. */
int web_descriptor(struct MHD_Connection *connection);

#endif
