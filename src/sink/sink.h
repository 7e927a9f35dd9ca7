/*
 * sink.h: where results go. Receives records, never calls the engine.
 *
 * Calls: begin once, then record for every turn (also not_run ones) and dataset_end once every turn of a dataset was recorded, in the order in
 * which they finish; end once. `done` of a record comes later, from the loop, exactly once: only then does the turn count. A sink gives
 * `credits` records that may be open at once; none left pauses dispatch.
 */
#ifndef FF_SINK_SINK_H
#define FF_SINK_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/result.h"

/* What the summary of a dataset needs. */
struct dataset_summary {
	const struct dataset *dataset;
	size_t successes, failures;
	double total_execution_time_ms; /* as the runner times it */
	double avg_batch_time_ms;
};

struct record { /* owned by the engine, alive until done */
	struct turn_result result;
	void (*done)(struct record *r, int code); /* 0 or FF_E…: the sink could not keep it */
};

struct sink {
	const struct sink_ops *ops;
	size_t credits; /* records that may be open at once; SIZE_MAX: any number. Read it by sink_credits */
};

struct sink_ops {
	/* Before the first turn. 0 or FF_EOUTPUT, FF_ENOMEM. */
	int (*begin)(struct sink *s, struct error *err);
	/* Keeps the record. May call r->done before it returns (then the sink is synchronous). What it needs after that it copies. */
	void (*record)(struct sink *s, struct record *r);
	/* All turns of the dataset were recorded; the dataset is alive during the call only. */
	int (*dataset_end)(struct sink *s, const struct dataset_summary *summary, struct error *err);
	/* No more records. Flushes. */
	int (*end)(struct sink *s, struct error *err);
	void (*free)(struct sink *s);
	/* Optional: the credits now, of a sink whose credits are those of others (it wraps them). */
	size_t (*credits)(const struct sink *s);
};

static inline size_t sink_credits(const struct sink *s)
{
	return s->ops->credits ? s->ops->credits(s) : s->credits;
}

/* Where a sink writes its text: 0, or negative when it cannot be written (errno says why). */
struct sink_output {
	int (*write)(void *user, const char *data, size_t len);
	void *user;
};

/*
 * response.c: the reference's response document, streamed in input order; indent 0 is compact. Datasets that finish early wait as text.
 * It is written in pieces of about 64 KiB, none before the first record, dataset_end or end (a run that turns out void after begin can still
 * have sink_write_failure instead); an empty run gives a valid document too. A document from which something was lost (memory, a write that failed)
 * is left cut, and `end` says so: a whole-looking one would be believed.
 */
int sink_response_new(const struct sink_output *out, unsigned indent, struct sink **ret) WARN_UNUSED;
/* jsonl.c: one answered dataset a line, in input order. A line leaves at once when turns end slowly, else with those that follow it. */
int sink_jsonl_new(const struct sink_output *out, struct sink **ret) WARN_UNUSED;
/* tee.c: one record to many sinks (taken over, also on failure); a turn counts when all have it; the first failing one is reported, the others go on.
 * No sink at all drops everything. */
int sink_tee_new(struct sink **sinks, size_t count, struct sink **ret) WARN_UNUSED;
void sink_free(struct sink *s); /* NULL is fine */

/* Writes {"success": false, "error": text} and a newline. 0, FF_EOUTPUT or FF_ENOMEM. */
int sink_write_failure(const struct sink_output *out, unsigned indent, struct str text) WARN_UNUSED;

#endif
