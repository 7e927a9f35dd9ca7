/*
 * payload.h: the request document, a dataset, an array of datasets, or JSONL: what it is and what it holds.
 *
 * A source gives datasets one after the other and can be rewound, so that everything is validated before the first request and memory does
 * not grow with a JSONL file. A source from text owns or borrows the text; a source from a file descriptor that cannot seek is spooled into an
 * unlinked temporary file (JSONL) or read whole (JSON).
 *
 * JSONL is told from one JSON document by its first line that is not blank: when it is an object by itself and another such line follows, the
 * input is JSONL, unless the object looks like a payload. A name that ends in .jsonl or .ndjson makes any input of several lines JSONL. Blank lines
 * are skipped. An object is a payload when it has one of datasets, connector, config and options, or when it does not look like a dataset either
 * (no session_id and no conversation): {} is a payload without datasets.
 *
 * Lifetime: datasets of a document reference its text and values, which live until both the payload and the source are freed. Datasets must be
 * freed (or not be looked at any more) before the last of the two. Datasets of JSONL that is read from a descriptor stand alone.
 */
#ifndef FF_MODEL_PAYLOAD_H
#define FF_MODEL_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/problem.h"
#include "model/dataset.h"
#include "model/json.h"

/* Which document an input is. */
enum input_kind {
	INPUT_PAYLOAD, /* an object with datasets, connector, config or options */
	INPUT_DATASETS /* a dataset, an array of datasets, or JSONL (a dataset a line) */
};

struct payload {
	struct arena arena;           /* text and values */
	struct json root;             /* the object */
	const struct json *connector; /* member or NULL */
	const struct json *config;    /* member or NULL */
	const struct json *options;   /* member or NULL */
	const struct json *datasets;  /* member or NULL; not json_truthy: "No datasets provided" */
	struct json_notes notes;
};

struct dataset_source; /* opaque */

/* Reads all of a descriptor, at most max_bytes (0: JSON_MAX_BYTES), into a new buf. name is for messages. 0, FF_EIO, FF_ETOOBIG (names the cap),
 * FF_ENOMEM. */
int input_read_fd(int fd, const char *name, size_t max_bytes, struct buf *ret_text, struct error *err) WARN_UNUSED;

/*
 * Opens a document that may be a payload or datasets. fd is borrowed until the source is freed (a regular file is read as a stream when it is JSONL).
 * *ret_payload is set (to be freed with payload_free) when it is a payload, else NULL. The source walks its datasets in both cases.
 * as_datasets: the user said --dataset: an object is then a dataset even if it looks like a payload.
 * A malformed text gives one sentence with line, column and pointer: FF_EDATA; over a cap: FF_ETOOBIG; unreadable: FF_EIO; err->where is the name.
 * `limits` (NULL: the defaults) bound a document, or each line of JSONL. `notes` (may be NULL) is filled here, for JSONL while the source is read to its end
 * for the first time ("line 4: /a"): it must live until then.
 */
int input_open(int fd, const char *name, bool as_datasets, const struct json_limits *limits, struct payload **ret_payload,
               struct dataset_source **ret_source, struct json_notes *notes, struct error *err) WARN_UNUSED;
/* The same for text in memory, which must outlive payload, source and datasets. */
int input_open_text(struct str text, const char *name, bool as_datasets, const struct json_limits *limits,
                    struct payload **ret_payload, struct dataset_source **ret_source, struct json_notes *notes,
                    struct error *err) WARN_UNUSED;
void payload_free(struct payload *p);

/*
 * The next dataset: 1 with *ret, 0 at the end, or a negative code. Invalid datasets add problems ("/datasets/3/conversation/0/query", or
 * "line 4: /query" in JSONL) and are skipped: 1 is only returned for valid ones, FF_EDATA never. A file that changed between two passes so
 * that it has fewer or more valid datasets gives FF_EIO at its end. `problems` is required.
 */
int dataset_source_next(struct dataset_source *s, struct problems *problems, struct dataset **ret, struct error *err) WARN_UNUSED;
/* A dataset of this source that is done with: its memory serves the next ones. dataset_free does as well. */
void dataset_source_take_back(struct dataset_source *s, struct dataset *d);
/* The rest of a pass without making datasets: the problems of all of them, and the totals. 0 or failed, as dataset_source_next would. */
int dataset_source_check(struct dataset_source *s, struct problems *problems, struct error *err) WARN_UNUSED;
int dataset_source_rewind(struct dataset_source *s, struct error *err) WARN_UNUSED;
/* Valid datasets, and their batches, of the last complete pass. */
size_t dataset_source_datasets(const struct dataset_source *s);
size_t dataset_source_batches(const struct dataset_source *s);
/* Joins several sources into one, in order, taking them over on success. dataset.index counts on from one to the next. 0 or FF_ENOMEM. */
int dataset_source_join(struct dataset_source **sources, size_t count, struct dataset_source **ret) WARN_UNUSED;
void dataset_source_free(struct dataset_source *s);

#endif
