/*
 * ordered.h: answers come in any order, documents are written in input order. Private to src/sink.
 *
 * A sink of its own kind embeds nothing: it is this one with a format. To add a document whose rows are datasets: a `struct ordered_format`.
 */
#ifndef FF_SINK_ORDERED_H
#define FF_SINK_ORDERED_H

#include "base/arena.h"
#include "base/heap.h"
#include "base/id_map.h"
#include "sink/out.h"
#include "sink/sink.h"
#include "model/json.h"

struct ordered;

struct ordered_format {
	/* Datasets are JSON texts of their own, a line each; else elements of one array. */
	bool lines;
	bool summaries; /* are kept, for `close` */
	/* Writes up to where the first dataset stands and leaves the writer there. Lines have none. */
	void (*open)(struct json_writer *w);
	/* Writes what follows the last dataset. 0, FF_ENOMEM or FF_EOUTPUT. Lines have none. */
	int (*close)(struct ordered *o);
};

/* A summary waits for the end of the document: small, its numbers already text. */
struct summary_line {
	struct summary_line *next;
	uint32_t batches, successes, failures;
	uint32_t id_len;
	unsigned char total_len, average_len;
	char text[]; /* session_id, total, average, side by side */
};

struct ordered {
	struct sink base;
	const struct ordered_format *format;
	struct out out;
	struct json_writer writer;     /* of the document, into out.buf */
	struct json_writer at_dataset; /* as it stands where a dataset may begin, no comma before it */
	struct json_writer at_batch;   /* the same for a batch */
	struct buf scratch;
	struct id_map open; /* index → struct waiting, of all that are not written */
	struct heap order;  /* the same by index */
	size_t next;        /* index of the dataset that is to be written next: the head */
	size_t written;     /* datasets in the document */
	struct arena summary_arena;
	struct summary_line *first_summary, *last_summary; /* of the written ones */
	uint64_t now_us, flushed_us;                       /* by the stamps of the records */
	unsigned indent;
	int failed; /* something was lost: the document stays cut */
};

int ordered_new(const struct ordered_format *format, const struct sink_output *out, unsigned indent, struct sink **ret) WARN_UNUSED;

#endif
