/*
 * peer.h: a scripted server for the tests of the transport: it listens on 127.0.0.1 and answers each connection by a function of the test, in a
 * thread of its own, with blocking calls. Optionally over TLS with a certificate made on the spot.
 *
 * peer_stop ends every connection that is still open and waits for the threads.
 */
#ifndef FF_TESTS_NET_PEER_H
#define FF_TESTS_NET_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer;
struct peer_connection;

/* Serves one connection; the connection is closed when it returns. `number` counts from 0 in the order of acceptance. */
typedef void peer_serve_fn(struct peer_connection *c, unsigned number, void *user);

struct peer_tls {               /* what the certificate says */
	const char *name;       /* subjectAltName: "127.0.0.1" or a DNS name */
	int from_days, to_days; /* validity relative to now */
	bool self_signed;       /* by itself instead of by the authority */
};

struct peer *peer_start(peer_serve_fn *serve, void *user);
struct peer *peer_start_tls(peer_serve_fn *serve, void *user, const struct peer_tls *tls);
void peer_stop(struct peer *p);
uint16_t peer_port(const struct peer *p);
unsigned peer_connections(struct peer *p); /* accepted so far */
/* The authority's certificate as a PEM file, made for this process; removed at exit. */
const char *peer_cafile(void);

/* Reads one request with its body (Content-Length); false when the connection ended before. */
bool peer_read(struct peer_connection *c);
const char *peer_head(const struct peer_connection *c); /* of the last request: lines with their CRLF, without the empty line */
const char *peer_body(const struct peer_connection *c);
bool peer_has_line(const struct peer_connection *c, const char *line);   /* a header line, exactly */
bool peer_has_header(const struct peer_connection *c, const char *name); /* any case */
void peer_write(struct peer_connection *c, const void *data, size_t len);
void peer_send(struct peer_connection *c, const char *text);
void peer_reply(struct peer_connection *c, const char *body); /* 200 with Content-Length */
void peer_reset(struct peer_connection *c);                   /* RST instead of FIN */
void peer_wait_closed(struct peer_connection *c);             /* until the client closes or peer_stop */

/* A function for servers that answer every request of a connection with the text in user ("ok" when NULL). */
peer_serve_fn peer_serve_replies;
/* One that reads a request and never answers. */
peer_serve_fn peer_serve_nothing;

#endif
