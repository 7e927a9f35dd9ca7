/*
 * source.h: how payload.c and input.c make a document and a source of datasets. Internal to src/model.
 */
#ifndef FF_MODEL_SOURCE_H
#define FF_MODEL_SOURCE_H

#include "base/buf.h"
#include "model/line_reader.h"
#include "model/payload.h"

/* The text and values of one JSON document: shared by the payload that is handed out and the source over its datasets. */
struct document {
	struct payload payload; /* first: payload_free finds the document */
	struct buf text;        /* when the document owns it */
	unsigned refs;
};

struct document *document_new(void) WARN_UNUSED; /* one reference; NULL: out of memory */
void document_unref(struct document *d);         /* NULL is fine */

/*
 * The datasets of `value`, which is in the document (a reference is taken): an array of them, one, or nothing. `pointer` is where the value stands,
 * a static string. An array below "/datasets" is the only thing that may be there.
 */
int source_of_values(struct document *d, const struct json *value, const char *pointer, struct dataset_source **ret) WARN_UNUSED;
/* A dataset a line; the reader is taken over on success. */
int source_of_lines(const struct line_reader *reader, const struct json_limits *limits, struct json_notes *notes,
                    struct dataset_source **ret) WARN_UNUSED;

/* What an input is, from its text or its beginning (not whole). */
enum input_shape {
	SHAPE_MORE,     /* more of it is needed to tell; never when it is whole */
	SHAPE_DOCUMENT, /* one JSON document */
	SHAPE_LINES     /* JSONL */
};
struct input_form {
	const char *name;
	bool as_datasets;
	struct json_limits limits; /* no zeros */
};
void input_form_init(struct input_form *f, const char *name, bool as_datasets, const struct json_limits *limits);
/* 0, or a failure: FF_EDATA when the first line is malformed whatever follows, FF_ENOMEM. */
int input_shape(const struct input_form *f, struct str text, bool whole, enum input_shape *ret, struct error *err) WARN_UNUSED;
/* Reads the document from its text: `text` is borrowed, or d->text. The caller keeps its reference to d. */
int input_open_document(const struct input_form *f, struct document *d, struct str text, struct payload **ret_payload,
                        struct dataset_source **ret_source, struct json_notes *notes, struct error *err) WARN_UNUSED;

#endif
