/*
 * event.h: what invoked the function, told apart by its shape, and the answer in the form that the invoker expects. Pure: no I/O, no clock.
 *
 * The first row that fits wins:
 *
 *   shape              test                                          payloads                       answer
 *   HTTP API v2, URL   version == "2.0" and requestContext.http      body                           statusCode envelope
 *   ALB                requestContext.elb                            body                           envelope + statusDescription; multiValueHeaders
 *                                                                                                   if the request used them
 *   REST v1            httpMethod and requestContext                 body                           envelope
 *   SQS                Records[0].eventSource == "aws:sqs"           each record's body             {"batchItemFailures": [...]}
 *   distributed map    Items is an array                             BatchInput with datasets=Items plain JSON
 *   EventBridge        detail-type, source and detail                detail                         plain JSON (ignored by the bus)
 *   body only          an object with `body`, none of the above      body                           envelope (as the reference's handler)
 *   direct             anything else                                 the event itself               plain JSON
 *
 * A bare dataset (session_id and conversation, no datasets: a map without an ItemBatcher) is direct and becomes {"datasets": [event]}.
 * An array of SQS records (EventBridge Pipes) is SQS, too. Records of another source are direct, with a problem instead of a payload.
 * A body may be a string, Base64 text (isBase64Encoded), a JSON object or array (some invokers do not serialise it), null, empty or absent ({}).
 * A member of an unexpected type counts as absent, but a body that is a number, true or false: that is a problem.
 * Sources: aws-lambda-go events/testdata, AWS Lambda and API Gateway documentation (payload format versions 1.0 and 2.0).
 */
#ifndef FF_FRONT_LAMBDA_EVENT_H
#define FF_FRONT_LAMBDA_EVENT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

enum event_kind { EVENT_HTTP_V2, EVENT_ALB, EVENT_REST_V1, EVENT_SQS, EVENT_MAP, EVENT_BRIDGE, EVENT_BODY, EVENT_DIRECT };

/* A payload to run. */
struct event_item {
	struct str id;       /* SQS: messageId; else empty */
	struct str body;     /* payload text; ptr NULL: it cannot be had, `problem` says why */
	const char *problem; /* one sentence without anything of the event: Base64 that is none, a body that is a number; NULL */
};

struct event {
	enum event_kind kind;
	struct str method,
	        path; /* of HTTP kinds, as they came; else empty. The path has no stage prefix of its own to know: compare its end */
	bool multi_value_headers; /* the request used them and no plain headers (ALB): so does the answer */
	bool is_fifo;             /* SQS: the queue is first in, first out: in order, and nothing after the first failure */
	bool is_gateway;          /* private: event_is_gateway */
	struct event_item *items; /* one, but for SQS */
	size_t item_count;
	struct ff_json_doc *doc; /* private */
	struct arena arena;      /* private: all texts */
};

const char *event_kind_name(enum event_kind kind); /* "HTTP API v2", "SQS", ...: for logs */
bool event_is_http(const struct event *e);         /* the answer is an envelope */
bool event_is_gateway(
        const struct event *e); /* API Gateway stands before it: nobody waits longer than 30 s (v2 with a requestContext.apiId
                                                      whose domain is not lambda-url, and REST v1) */
/* Nobody reads the answer: results must go elsewhere (SQS, EventBridge). */
bool event_has_no_reader(const struct event *e);

/*
 * `text` must outlive the event; nothing but white space counts as {}. 0; FF_EDATA: not JSON (err has line and column); FF_ETOOBIG (EVENT_MAX_BYTES, or
 * nested too deeply); FF_ENOMEM. Release in any case but failure.
 */
#define EVENT_MAX_BYTES ((size_t)8 << 20) /* Lambda hands over 6 MiB */
int event_decode(struct str text, struct event *ret, struct error *err) WARN_UNUSED;
void event_release(struct event *e);

struct event_headers {           /* of every HTTP answer, beside Content-Type: application/json */
	const char *cors_origin; /* Access-Control-Allow-Origin: "*"; NULL or "": no such header */
	const char *retry_after; /* NULL */
	const char *allow;       /* of a 405: "POST, OPTIONS"; NULL */
};

/*
 * Appends the whole answer of the function for an HTTP kind: the envelope with `body` (any text) as a string. Status 204: no body. 0, or what failed of
 * `out`: FF_ENOMEM, FF_ETOOBIG (its cap; quoting makes a body longer). The same for the two below.
 */
int event_write_http(const struct event *e, int status, struct str body, const struct event_headers *headers,
                     struct buf *out) WARN_UNUSED;
/* The answer to OPTIONS: 204 with Access-Control-Allow-Methods, -Headers and -Max-Age. */
int event_write_preflight(const struct event *e, const struct event_headers *headers, struct buf *out) WARN_UNUSED;
/* {"batchItemFailures":[{"itemIdentifier":"..."}]} of those with failed[i]. */
int event_write_sqs(const struct event *e, const bool *failed, struct buf *out) WARN_UNUSED;

#endif
