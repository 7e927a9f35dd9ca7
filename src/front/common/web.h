/*
 * web.h: an HTTP/1.1 server on libmicrohttpd inside one libuv loop, in one thread: the listening socket, the loop, timers, signals. What it
 * answers is the owner's business (an MHD access handler).
 *
 * Waiting: the handler suspends its connection and arms a timer of web_timers; the timer's fire resumes it. Timers run before libmicrohttpd in
 * each round, so that a resumed connection is served in the same round.
 * Ending: SIGINT, SIGTERM (unless on_signal takes them) or web_stop make web_run return. Before web_free the owner must have resumed every connection
 * that it suspended: web_run calls on_stop for that, and then serves one more round.
 *
 * Optional, for a server that faces strangers: TLS, a socket that somebody else opened, news of connections (on_connection, on_request_line), of
 * clients that go away while their connection is suspended (web_watch, on_gone), and another library's descriptor in the loop (struct web_source).
 * A round is: timers, the source, clients that went, libmicrohttpd; again while one of them has more to do.
 */
#ifndef FF_FRONT_COMMON_WEB_H
#define FF_FRONT_COMMON_WEB_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/timers.h"

struct lag;
struct web;

/* A library with a descriptor and a clock of its own, such as an engine (ff_engine_fd, ff_engine_timeout_ms, ff_engine_process). */
struct web_source {
	int fd;                        /* polled for reading */
	int (*timeout_ms)(void *user); /* -1: no limit */
	void (*process)(void *user);   /* called when fd is readable, when the time is over, and after web_wake */
	void *user;
};

struct web_options {
	const char *listen; /* a numeric address, "127.0.0.1" or "::1" */
	uint16_t port;      /* 0: a free one */
	unsigned max_connections;
	MHD_AccessHandlerCallback handler; /* url and query are percent-encoded as they came */
	MHD_RequestCompletedCallback completed;
	void (*on_stop)(void *user);
	void *user;

	/* ---- all optional ---- */

	int listen_fd;                  /* a TCP socket that listens already, ours from now on; 0: open one by listen and port */
	const char *tls_cert, *tls_key; /* PEM text, alive until web_free; both or none */
	size_t connection_memory;       /* bytes a connection may take for headers and reading; 0: 16 KiB */
	unsigned
	        peer_timeout_s; /* a peer that does not acknowledge for so long is gone (keepalive, TCP_USER_TIMEOUT); 0: the system's */
	bool strict;            /* a Host header is required of HTTP/1.1, no space is taken in a URL */
	const struct web_source *source; /* copied */
	MHD_NotifyConnectionCallback on_connection;
	void *(*on_request_line)(void *user, const char *url,
	                         struct MHD_Connection *connection); /* becomes the request's context */
	void (*on_gone)(void *user,
	                void *tag); /* of web_watch: the peer closed its side, or the connection broke. At most once for each */
	void (*on_round_end)(void *user); /* all that was due is done: what the requests of a round left for later */
	/* The loop has not come to rest for half a second, asked again until it does. libmicrohttpd 0.9.75 spins over a connection that it cannot go on
	 * with: one whose buffer is filled by the line of a chunk's size. */
	void (*on_busy)(void *user);
	void (*on_signal)(void *user, int number); /* SIGINT, SIGTERM, SIGHUP; NULL: the first two are web_stop */
};

/* 0; FF_EUSAGE: the address is none, or the certificate and key are no pair; FF_EOUTPUT: the port is taken or not ours to use; FF_ENOMEM, FF_EINTERNAL. */
int web_new(const struct web_options *options, struct web **ret, struct error *err) WARN_UNUSED;
void web_free(struct web *w);             /* NULL is fine */
const char *web_url(const struct web *w); /* "http://127.0.0.1:8080" */
struct timers *web_timers(struct web *w);
uint64_t web_now_us(const struct web *w);       /* the time of this round */
const struct lag *web_lag(const struct web *w); /* how long its rounds took: what is due waits for so long */
void web_run(struct web *w);                    /* until a signal or web_stop */
void web_stop(struct web *w);
/* Stops listening; connections go on. */
void web_quiesce(struct web *w);
/* The source is to be processed in this round: something was started in it, or cancelled. */
void web_wake(struct web *w);
/* Watches a connection's descriptor until it is closed, also while the connection is suspended. False: it cannot be. */
bool web_watch(struct web *w, int fd, void *tag);

/*
 * True for a request whose length or host two readers may see differently (request smuggling): Content-Length beside Transfer-Encoding, more than one
 * of either, or of Host; a Transfer-Encoding that is not "chunked" alone, or that comes with HTTP/1.0; a header's name with white space or without a
 * letter, a carriage return in its value. libmicrohttpd 0.9.75 lets them all through. `version` is the handler's. The handler must ask in its first
 * call, answer 400 and close.
 */
bool web_is_smuggled(struct MHD_Connection *connection, const char *version);
/* The descriptor of the connection, for who wants to break it. */
int web_descriptor(struct MHD_Connection *connection);

#endif
