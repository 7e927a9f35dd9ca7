/*
 * worker_line.h: the lines of the worker protocol (docs/worker-protocol.md) as bytes: what we write and what we read. Pure: no process, no clock.
 */
#ifndef FF_ENGINE_WORKER_LINE_H
#define FF_ENGINE_WORKER_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"
#include "engine/executor.h"
#include "model/json.h"

#define WORKER_PROTOCOL         1
#define WORKER_LINE_MAX_BYTES   ((size_t)64 << 20) /* a line from a worker */
#define WORKER_CONCURRENCY_MOST 100000u
#define WORKER_NAME_MAX_BYTES   120u
#define WORKER_ID_MOST          ((int64_t)1 << 53) /* every JSON reader keeps integers up to here */

/* ---- what we write: whole lines, appended. Check buf_failed(out) once ---- */

struct worker_hello {
	unsigned worker, workers, start;
	uint32_t concurrency; /* of the run */
	struct str args;      /* a JSON object */
};

/* One batch for a worker. */
struct worker_turn {
	uint64_t id;
	unsigned attempt;
	const struct dataset *dataset;
	size_t batch;
	struct str prompt;
};

void worker_write_hello(struct buf *out, const struct worker_hello *h);
/* timeout_ms below 0: no limit. */
void worker_write_turn(struct buf *out, const struct worker_turn *t, int64_t timeout_ms);
/* A dataset with `count` batches: open, `count` times batch, close. */
void worker_open_dataset(struct buf *out, uint64_t id, const struct dataset *d, int64_t timeout_ms);
void worker_dataset_batch(struct buf *out, const struct worker_turn *t);
void worker_close_dataset(struct buf *out);
void worker_write_cancel(struct buf *out, uint64_t id, bool dataset);
void worker_write_session_end(struct buf *out, const struct dataset *d);
void worker_write_bye(struct buf *out);

/* ---- what we read ---- */

struct worker_capabilities {
	uint32_t concurrency;
	bool ordered, cancel, sticky, datasets;
};

enum worker_message_kind { WORKER_WELCOME, WORKER_REPLY, WORKER_DATASET_END };

/* Texts and values live in the arena or are slices of the line. */
struct worker_message {
	enum worker_message_kind kind;
	struct json json;                        /* the whole object */
	uint64_t id;                             /* REPLY: of the turn; DATASET_END: of the dataset */
	struct worker_capabilities capabilities; /* WELCOME */
	struct str name;                         /* WELCOME */
	struct str refusal;                      /* WELCOME: it cannot start; empty: it can */
};

/* 0; FF_EDATA: the line breaks the protocol, err->text says how as a clause about the worker ("wrote ..."); FF_ENOMEM. */
int worker_line_parse(struct str line, struct arena *arena, struct worker_message *ret, struct error *err) WARN_UNUSED;

struct worker_reader {
	const char *label;               /* begins our own sentences */
	const struct scrubber *scrubber; /* may be NULL */
};
/*
 * A reply as the result of its attempt: outcome, answer or error, and what else it says. A wrong shape is a result, too (bad_reply, with a sentence).
 * Text is copied to the arena, and all but the answer and the batch is
 * scrubbed. *ret_elapsed_ms: what the worker measured, or -1. 0 or FF_ENOMEM.
 */
int worker_reply_read(const struct json *reply, const struct batch *input, const struct worker_reader *how, struct arena *arena,
                      struct attempt_result *ret, double *ret_elapsed_ms) WARN_UNUSED;
/* The same for a dataset_end: what becomes of its batches without a reply. *ret_failed false: it names no error (result untouched). */
int worker_dataset_end_read(const struct json *end, const struct worker_reader *how, struct arena *arena,
                            struct attempt_result *ret, bool *ret_failed) WARN_UNUSED;

/* The beginning of a line, safe to show, in quotes. */
void worker_line_quote(struct str line, char *out, size_t size);

#endif
