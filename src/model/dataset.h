/*
 * dataset.h: a test session and its batches, as the reference's pydantic schema accepts them (pydantic 2.14, lax mode).
 *
 * A dataset owns one arena, which holds the input text, its JSON values and these structs: memory by lifetime.
 */
#ifndef FF_MODEL_DATASET_H
#define FF_MODEL_DATASET_H

#include <stddef.h>

#include "base/arena.h"
#include "base/problem.h"
#include "base/str.h"
#include "model/json.h"

/* One test case. Text is decoded UTF-8. Opaque values are as they came; a field that was absent has its default. */
struct batch {
	struct str ground_truth_assistant; /* required string */
	struct json logprobs;              /* object or null; default {} */
	struct json observation;           /* string or null; default null */
	struct str assistant;              /* required string: what the input had; the answer replaces it in the output */
	struct str query;                  /* required string */
	struct json agentic;               /* object or null; default {} */
	struct json ground_truth_agentic;  /* object or null; default {} */
	struct str qa_id;                  /* required string */
	struct json weight; /* number >= 0 or null; default null. Number text as it leaves (coerced by pydantic's rules) */
};

/* Lives in its own arena: one block of memory for most of them. */
struct dataset {
	struct arena arena;
	struct str session_id;   /* required string */
	struct str assistant_id; /* required string */
	struct json language;    /* string or null; default "english" */
	struct str context;      /* required string, may be empty */
	struct batch *batches;   /* `batch_count` of them, in order */
	size_t batch_count;
	size_t index; /* position in the input, from 0 */
};

/*
 * Validates `value` (all problems at once, pointers below `pointer`) and fills a new dataset. The values are referenced, not copied: pass in
 * *arena the arena that holds them; on success the dataset takes it over (and *arena is empty), else it stays the caller's.
 * Returns 0, FF_EDATA (problems has errors) or FF_ENOMEM. *ret must be released with dataset_free.
 */
int dataset_from_json(struct arena *arena, const struct json *value, const char *pointer, size_t index, struct problems *problems,
                      struct dataset **ret) WARN_UNUSED;
/* Finishes a filled dataset that lies in *arena: it takes that over. */
void dataset_keep(struct dataset *d, struct arena *arena, size_t index);
void dataset_free(struct dataset *d); /* NULL is fine */

/* Only validates, adding problems. Same rules. 0, FF_EDATA or FF_ENOMEM. */
int dataset_check(const struct json *value, const char *pointer, struct problems *problems) WARN_UNUSED;

/* Replaces the fields of *b that the object names, by the same rules; others are ignored. Values are referenced. *b is changed on success only.
 * 0, FF_EDATA (problems has errors, pointers below `pointer`) or FF_ENOMEM. */
int batch_update(struct batch *b, const struct json *object, const char *pointer, struct arena *arena,
                 struct problems *problems) WARN_UNUSED;

#endif
