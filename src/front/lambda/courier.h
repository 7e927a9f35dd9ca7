/*
 * courier.h: one HTTP exchange at a time, waited for: a loop and a transport of their own (net/), for the Runtime API and for S3. Connections are
 * kept between exchanges. No proxy, no redirect.
 */
#ifndef FF_FRONT_LAMBDA_COURIER_H
#define FF_FRONT_LAMBDA_COURIER_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "net/http.h"

struct courier;

struct courier_reply {
	struct http_result result;  /* failure, status, text */
	const struct pair *headers; /* copies, in the courier until the next exchange */
	size_t header_count;
	struct str body; /* in the courier until the next exchange, or until courier_take_body */
};

int courier_new(const char *cafile, struct courier **ret, struct error *err) WARN_UNUSED; /* cafile: NULL: the system's */
/* For a server on this machine: an idle connection is never retired. */
int courier_new_local(struct courier **ret, struct error *err) WARN_UNUSED;
void courier_free(struct courier *c); /* NULL is fine */
/*
 * Sends and waits until it is done, for ever where the request has no timeouts. 0 (see ret->result for how it went), or what http_start refuses.
 * A body larger than request->max_body_bytes ends it with HTTP_FAILED_TOO_BIG.
 */
int courier_exchange(struct courier *c, const struct http_request *request, struct courier_reply *ret,
                     struct error *err) WARN_UNUSED;
/* The last reply's body becomes the caller's, who releases it; what `out` held is dropped. */
void courier_take_body(struct courier *c, struct buf *out);
/* Waits so long (between attempts). */
void courier_wait(struct courier *c, uint64_t ms);
/* The value of a header by its name in any case; ptr NULL: it did not come. */
struct str courier_header(const struct courier_reply *reply, const char *name);
/* Connections opened so far. */
uint64_t courier_connections(const struct courier *c);

#endif
