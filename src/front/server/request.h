/*
 * request.h: one HTTP request, from its request line to its line in the access log.
 *
 *   REQUEST_HEAD       the header comes in (libmicrohttpd's business)
 *   REQUEST_READING    the body comes in and is kept
 *   REQUEST_DISCARDING the body comes in and is dropped: the request is refused, and hears so when it has been sent
 *   REQUEST_RUNNING    the run is executed; the connection is suspended
 *   REQUEST_ANSWERED   the answer is queued
 *   REQUEST_BROKEN     nobody waits for an answer: the connection is closed at the next call
 *
 * Invariant: `suspended` is true exactly while libmicrohttpd holds the connection suspended; whoever resumes it clears it first.
 */
#ifndef FF_FRONT_SERVER_REQUEST_H
#define FF_FRONT_SERVER_REQUEST_H

#include <microhttpd.h>

#include "front/server/access_log.h"
#include "front/server/routes.h"
#include "front/server/server.h"

enum request_state { REQUEST_HEAD, REQUEST_READING, REQUEST_DISCARDING, REQUEST_RUNNING, REQUEST_ANSWERED, REQUEST_BROKEN };

/* What is answered instead of what was asked for. status 0: nothing is wrong. */
struct refusal {
	int status;
	const char *sentence;
	unsigned retry_after_s; /* 0: no Retry-After */
};

struct request {
	struct server *server;
	struct client *client;
	struct MHD_Connection *connection;
	struct list link;
	enum request_state state;
	bool suspended;
	bool chunked, hurried; /* its body; it must not pause for a second */
	uint64_t started_us;
	int64_t wall_ms;
	char *path; /* without query */
	char method[16];
	struct serve_match match;
	char id[REQUEST_ID_MAX + 1], token_name[AUTH_NAME_MAX + 1];
	const char *challenge; /* for WWW-Authenticate; NULL: none */
	struct refusal refusal;
	struct buf body, text; /* text: of an answer that is ours */
	struct job *job;
	int status; /* 0: no answer yet */
	uint64_t bytes_in, bytes_out;
};

/* For libmicrohttpd; `user` is the server. */
void *request_on_line(void *user, const char *url, struct MHD_Connection *connection);
enum MHD_Result request_on_call(void *user, struct MHD_Connection *connection, const char *url, const char *method,
                                const char *version, const char *data, size_t *len, void **slot);
void request_on_completed(void *user, struct MHD_Connection *connection, void **slot, enum MHD_RequestTerminationCode why);
/* It is over: its line is written, and it is freed. For one that libmicrohttpd forgets, when its connection is closed. */
void request_end(struct request *r);
/* Its client has gone: the run is cancelled. */
void request_client_gone(struct request *r);
/* Until more of its body comes: a pause of a second in a chunked one ends the connection. */
void request_hurry(struct request *r);
/* The server stops: whoever is suspended must not be. */
void request_wake(struct request *r);

struct str request_header(const struct request *r, const char *name); /* ptr NULL: absent */

#endif
