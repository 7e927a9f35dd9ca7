/*
 * client.h: a connection and what it may take of our time. libmicrohttpd's own timeout begins anew with every byte, so that a byte a minute keeps a
 * connection for ever; these deadlines are absolute.
 *
 *   CLIENT_HEAD   from the connection's beginning (TLS included), or from the request line, to the end of the header
 *   CLIENT_BODY   the body comes in
 *   CLIENT_WORK   the run is executed: no deadline here; a client that goes is noticed (on_gone)
 *   CLIENT_REPLY  the answer goes out
 *   CLIENT_IDLE   kept alive between two requests, or trickling the next request line
 *
 * Each has the timeout. A body gets more time with each byte that comes (CLIENT_BYTES_PER_S), but never more than the timeout from then on: who has sent
 * much at once must not rest on it. An answer has time as long as the peer takes so many bytes a second: size is no offence but slowness is. The end
 * of an answer lies in the kernel when the phase is CLIENT_IDLE already: it counts there, too.
 * Where memory for bodies and answers is short (clients_press), nobody who sends one or is sent one has that patience: so many bytes a second from now on.
 * When nearly as many connections are open as may be, the one that has been idle (or in its head) for longest makes room.
 */
#ifndef FF_FRONT_SERVER_CLIENT_H
#define FF_FRONT_SERVER_CLIENT_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/macros.h"
#include "base/timers.h"

#define CLIENT_BYTES_PER_S ((uint64_t)32 << 10)

enum client_phase { CLIENT_HEAD, CLIENT_BODY, CLIENT_WORK, CLIENT_REPLY, CLIENT_IDLE };

struct web;

struct clients {
	struct web *web;
	uint64_t timeout_us;
	size_t count, most;
	struct list waiting; /* those in CLIENT_HEAD and CLIENT_IDLE, by the beginning of that phase */
	struct list holding; /* those in CLIENT_BODY and CLIENT_REPLY */
	uint64_t press_us;   /* not again before */
};

struct client {
	struct clients *all;
	struct list link;
	struct timer timer;
	struct MHD_Connection *connection;
	int fd;
	enum client_phase phase;
	uint64_t deadline_us; /* of the phase; a body's is extended as it comes in */
	uint64_t received;    /* bytes of bodies */
	uint64_t moved;       /* bytes, at the last look: of bodies received, else acknowledged by the peer */
	uint64_t window_us;   /* from the last look to the next */
	bool looked_at;       /* in this phase */
	bool pressed;         /* in this phase, and not looked at since */
	bool gone;            /* it closed its side, or the connection broke */
	void *request;        /* the owner's; NULL: none */
};

void clients_init(struct clients *all, struct web *web, uint64_t timeout_ms, size_t most);
/* From and for MHD_OPTION_NOTIFY_CONNECTION. NULL: no memory; the connection is being closed. */
struct client *client_new(struct clients *all, struct MHD_Connection *connection);
void client_free(struct client *c);
struct client *client_of(struct MHD_Connection *connection); /* NULL when client_new failed */
void client_enter(struct client *c, enum client_phase phase);
void client_received(struct client *c, uint64_t bytes); /* of a body */
/* Memory for bodies and answers is short: ends, in two seconds, connections that take or send less than they must. */
void clients_press(struct clients *all);
/* It closed its side, or the connection broke (web_watch): what it sent before is still answered, if that is soon. */
void client_gone(struct client *c);
/* The connection is to end: libmicrohttpd notices at its next look. What was not sent yet is dropped. */
void client_break(struct client *c);
/* Whether libmicrohttpd ends the connection by itself when nothing was read from it for a second. */
void client_limit_pause(struct client *c, bool limited);
/* "127.0.0.1" of the connection's other end; "" when unknown. */
const char *client_address(struct MHD_Connection *connection, char *out, size_t size);

/* When a phase that began at since_us is over, or is looked at for the first time. Pure. */
uint64_t client_deadline(enum client_phase phase, uint64_t since_us, uint64_t timeout_us);
/* The deadline of a body when so many bytes of it have come just now. Pure. */
uint64_t client_extended(uint64_t deadline_us, uint64_t now_us, uint64_t timeout_us, uint64_t bytes);
/* How many connections may be open before the oldest idle one makes room for the next. Pure. */
size_t client_high_water(size_t most);

#endif
