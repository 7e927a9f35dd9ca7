/*
 * server.h: `fairforge serve` on its socket.
 *
 * A tour of the folder in reading order: serve.c reads the flags and judges the environment; server.c holds everything together: one loop, one engine,
 * signals and the drain; client.c is a connection with its deadlines; request.c takes a request from its first byte to its log line; answer.c makes the
 * answers; job.c is the run behind a request; admission.c says how much is taken on; listen.c reads addresses. routes.c (what there is), auth.c
 * (tokens), cors.c (pages in browsers), metrics.c, openapi.c, access_log.c and event_log.c do what their names say.
 */
#ifndef FF_FRONT_SERVER_SERVER_H
#define FF_FRONT_SERVER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "base/timers.h"
#include "fairforge/fairforge.h"
#include "front/server/access_log.h"
#include "front/server/admission.h"
#include "front/server/auth.h"
#include "front/server/client.h"
#include "front/server/cors.h"
#include "front/server/job.h"
#include "front/server/listen.h"
#include "front/server/metrics.h"

struct server_options {
	struct listen_address listen;
	int listen_fd; /* a socket that was handed over; 0: none */
	const char *tls_cert_file, *tls_key_file, *token_file, *cafile;
	bool no_auth; /* --insecure-no-auth */
	struct cors cors;
	uint64_t max_runs, max_body, max_connections, client_timeout_ms, grace_ms;
	enum ff_log_level log_level;
};

enum server_state {
	SERVER_TAKING,   /* requests are taken */
	SERVER_DRAINING, /* no new connection, no new run: what is begun is finished */
	SERVER_CUTTING,  /* the grace is over: runs are cancelled, their answers go out */
	SERVER_STOPPING  /* everything is closed */
};

struct server {
	const struct server_options *options;
	enum server_state state;
	struct web *web;
	struct ff_engine *engine;
	struct auth *auth; /* NULL: everybody may */
	struct metrics *metrics;
	struct buf openapi, tls_cert, tls_key;
	struct clients clients;
	struct admission admission;
	struct jobs jobs;
	struct access_log log;
	struct rand ids;      /* of requests */
	struct list requests; /* those whose header was read */
	struct timer end;     /* of the grace */
};

/* Says on stderr where it listens, and serves until it has drained after SIGINT or SIGTERM, or until a second one. 0 or an error code. */
int service_run(const struct server_options *options, struct error *err) WARN_UNUSED;
/* Something ended: a server that drains looks whether it was the last. */
void server_check_drained(struct server *s);
/* Appends the metrics. 0 or the failure of `out`. */
int server_write_metrics(struct server *s, struct buf *out) WARN_UNUSED;

#endif
