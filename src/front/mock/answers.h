/*
 * answers.h: prepared answers: the ground truth of datasets, found by query. Pure but for the text it is handed.
 *
 * A query is looked for in this order: the session's own (Alquimia names the session), the whole message as it is or as a prompt with its
 * dataset's context, the part behind "Question: ", and at last any query that is part of the message, the longest first. Only the last step is
 * slow: linear in the number of queries.
 */
#ifndef FF_FRONT_MOCK_ANSWERS_H
#define FF_FRONT_MOCK_ANSWERS_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/map.h"
#include "base/str.h"

struct answer {
	struct str query, text;
	struct answer *next; /* in the order read */
};

struct answers {
	struct arena arena;
	struct map by_key; /* query, prompt with context, session NUL query */
	struct answer *first, *last;
	size_t count;
};

void answers_init(struct answers *a);
void answers_release(struct answers *a);
/* Adds a document: a dataset, an array of them, a payload, or JSONL with any of these a line. 0, FF_EDATA or FF_ENOMEM. */
int answers_add(struct answers *a, struct str text, struct error *err) WARN_UNUSED;
/* The answer to a message, or NULL when nobody prepared one. */
const struct answer *answers_find(const struct answers *a, struct str session, struct str message);

#endif
