/*
 * door.h: POST /run as both doors (AWS Lambda, HTTP service) answer it: the text of a payload in, an HTTP status and a JSON document out.
 *
 *   200  the response; also {"success": false, "error": ...} for what is wrong with the request, in the reference's words
 *   400  {"error": "Invalid JSON body"}
 *   413  {"error": ...}: the request or its answer is larger than the caps
 *   500  {"error": ...}: our own failure
 *   503  {"error": ...}: may_grow said no
 *
 * A door run lives in an engine with the role FF_ROLE_STRANGER, beside others:
 *
 *   door_new (the body is read) → door_start → ... ff_engine_process ... → door_done → door_status, door_body → door_free
 *
 * What is wrong with the request is an answer, too: it is there right after door_new or door_start (door_done).
 * An answer that passes its cap stops the run: nothing more is paid for that could not be handed over.
 */
#ifndef FF_FRONT_COMMON_DOOR_H
#define FF_FRONT_COMMON_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/str.h"
#include "fairforge/fairforge.h"

struct door_run;

/* What one request may ask for. 0: the default. */
struct door_limits {
	size_t max_body_bytes;   /* DOOR_MAX_BODY_BYTES */
	size_t max_answer_bytes; /* DOOR_MAX_ANSWER_BYTES */
	size_t max_datasets;     /* DOOR_MAX_DATASETS */
	size_t max_batches;      /* DOOR_MAX_BATCHES */
	unsigned max_depth;      /* of the JSON; DOOR_MAX_DEPTH */
};
#define DOOR_MAX_BODY_BYTES   ((size_t)8 << 20)
#define DOOR_MAX_ANSWER_BYTES ((size_t)64 << 20)
#define DOOR_MAX_DATASETS     10000u
#define DOOR_MAX_BATCHES      100000u
#define DOOR_MAX_DEPTH        64u

struct door_request {
	struct ff_engine *engine;
	struct str body;  /* the payload; nothing but white space, or null, counts as {}. Alive until door_free */
	const char *name; /* for messages and logs; NULL: "request" */
	struct door_limits limits;
	/* Optional: every event of the run, from ff_engine_process. door_free is not for the inside of it. */
	void (*on_event)(void *user, const struct ff_event *event);
	/* Optional: whether so many more bytes of the answer may be kept. No stops the run, as a cap does. */
	bool (*may_grow)(void *user, size_t bytes);
	void *user;
};

int door_new(const struct door_request *request, struct door_run **ret) WARN_UNUSED; /* 0 or FF_ENOMEM */
/* The payload's member `async` is true. */
bool door_is_async(const struct door_run *d);
/* deadline_ms: most that the run may take, in-flight turns included; 0: no limit. The operator's and the payload's own may be sooner. */
void door_start(struct door_run *d, uint64_t deadline_ms);
/* Stops starting turns; those in flight may finish within grace_ms. */
void door_cancel(struct door_run *d, uint64_t grace_ms);
bool door_done(const struct door_run *d); /* the answer is there */

/* ---- when it is done ---- */

int door_status(const struct door_run *d);
struct str door_body(const struct door_run *d); /* JSON; belongs to the run */
/* Every turn was executed: nothing was left out or cut off because of a deadline, a quota or a cancel. False when the request was refused. */
bool door_complete(const struct door_run *d);
/* Of the run so far; all zero when it never began. */
void door_counts(const struct door_run *d, struct ff_counts *ret);
void door_free(struct door_run *d); /* NULL is fine; cancels what is not done */

/* Appends {"error": sentence}. 0 or FF_ENOMEM. */
int door_error_body(struct buf *out, struct str sentence) WARN_UNUSED;

#endif
