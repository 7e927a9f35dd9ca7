/*
 * reply.h: what every connector that speaks JSON over HTTP does with a reply: keep the head's facts, gather the body under a cap, and turn a
 * refusal into a verdict with a sentence of our own.
 *
 * All memory is in the attempt's arena: nothing to free, and what a verdict points at lives as long as the attempt.
 */
#ifndef FF_CONNECTOR_REPLY_H
#define FF_CONNECTOR_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "connector/connector.h"
#include "model/json.h"

/* ---- gather: growing bytes in an arena ---- */

/* Doubles when it is full; the outgrown piece stays in the arena, so a gather costs at most twice its content. */
struct gather {
	struct arena *arena;
	char *ptr; /* NULL while empty */
	size_t len, room;
	size_t cap; /* most bytes allowed */
};

void gather_init(struct gather *g, struct arena *arena, size_t cap);
int gather_reserve(struct gather *g, size_t total) WARN_UNUSED; /* room for `total` bytes in all: 0, FF_ETOOBIG, FF_ENOMEM */
int gather_append(struct gather *g, const char *data, size_t len) WARN_UNUSED; /* 0, FF_ETOOBIG, FF_ENOMEM; unchanged on failure */
void gather_consume(struct gather *g, size_t len);                             /* drops the first len bytes */
static inline struct str gather_str(const struct gather *g)
{
	return (struct str){ g->ptr, g->len };
}

/* ---- the reply of one exchange ---- */

#define REPLY_MAX_BYTES ((size_t)64 << 20) /* of a decoded body */

struct reply {
	struct arena *arena;
	const struct connector_class *class;
	int64_t now_wall_ms;
	int status;              /* 0 until reply_head */
	struct str content_type; /* as sent; these three are copies in the arena */
	struct str location;
	struct str request_id;  /* x-request-id, request-id, x-goog-request-id, apim-request-id; empty: none */
	int64_t header_hint_ms; /* hint_from_headers, or HINT_NONE */
	int should_retry;       /* hint_should_retry */
	struct gather body;
	bool nomem; /* a copy in reply_head failed */
};

void reply_init(struct reply *r, const struct connector_class *class, struct arena *arena, int64_t now_wall_ms);
/* A reply begins; forgets an earlier one. Its memory need not outlive the call. */
void reply_head(struct reply *r, int status, const struct pair *headers, size_t header_count);
int reply_feed(struct reply *r, const char *data, size_t len) WARN_UNUSED; /* gather_append on the body */
static inline bool reply_is_success(const struct reply *r)                 /* any 2xx */
{
	return r->status >= 200 && r->status <= 299;
}
/*
 * Parses text as a provider sent it: JSON, where NaN, Infinity and -Infinity are tolerated as values that nothing can use (they stand for {}), because
 * Python's servers write them in log probabilities and Python's clients read them. The text must outlive the values.
 */
int reply_parse(struct arena *a, struct str text, struct json *ret, struct json_error *err) WARN_UNUSED;
/* Parses the gathered body (BOM skipped). 0 with *ret, FF_EDATA (not JSON; *err says why), FF_ETOOBIG, FF_ENOMEM. `err` may be NULL. */
int reply_json(const struct reply *r, struct json *ret, struct json_error *err) WARN_UNUSED;

/* ---- verdicts ---- */

/* A verdict with nothing in it: FATAL, bad_reply, unknown usage, no hint. The request id is the reply's. */
void verdict_init(struct verdict *v, const struct reply *r);
/* Whether the class retries this status (x-should-retry counts where its rules say so). */
bool reply_is_retryable(const struct reply *r);
/*
 * A status that is no success: RETRY or FATAL by the class's rules, rate_limited / http_4xx / http_5xx, hint, daily quota, and the sentence
 * "Groq: the key was refused (401, Invalid API Key)." A 3xx names its Location.
 */
void reply_http_verdict(const struct reply *r, struct verdict *ret);
/* An error that the provider reports inside a reply of status 200 (a stream's error event, a body with `error`): FATAL, bad_reply. */
void reply_error_verdict(const struct reply *r, const struct json *error, struct verdict *ret);
/* A success status whose body is not what the API promises: FATAL, bad_reply. `what` is a clause: "the reply has no choices". The clause may
 * quote the provider; a piece of the body is added when it is not JSON. */
void reply_bad_verdict(const struct reply *r, struct verdict *ret, const char *what_format, ...) PRINTF_LIKE(3, 4);
void verdict_nomem(const struct reply *r, struct verdict *ret); /* FATAL: out of memory */

/*
 * The provider's sentence out of an error body of any shape: {"error":{"message":…}}, {"error":"…"}, {"message":…}, {"detail":…} (text or
 * FastAPI's list), {"errors":[…]}, [{"error":…}], a bare string, HTML (its title), plain text. Objects without a sentence are quoted as JSON.
 * Trimmed, white space folded, cut at 2,000 bytes (then it ends in SECRET_CUT); in `a`. Empty when there is none or memory is short.
 */
struct str provider_message(struct arena *a, struct str body, const struct json *parsed_or_null);
/* The first `max` bytes of somebody's text as such a line. */
struct str provider_excerpt(struct arena *a, struct str text, size_t max);

/* Whether a body is an HTML page. */
bool text_is_html(struct str body);

/*
 * Text of a message`s content: a string as it is; an array of parts: their texts joined (strings, {"type":"text"|"output_text","text":…}; thinking
 * and images are not part of the answer); null and absent: "". False with *ret untouched for anything else. FF_ENOMEM shows as
 * *ret_nomem. *ret is in `a` or a slice of the value.
 */
bool content_text(struct arena *a, const struct json *content, struct str *ret, bool *ret_nomem);

/* usage from named counters; absent ones stay -1. */
int64_t usage_count(const struct json *usage, struct str name);

#endif
