/*
 * text.h: the plain-text side of the simulator: how many tokens a text has, how an answer falls into deltas, what is answered when nobody gave
 * an answer, and JSON literals. Pure.
 */
#ifndef FF_FRONT_MOCK_TEXT_H
#define FF_FRONT_MOCK_TEXT_H

#include "base/buf.h"
#include "base/str.h"
#include "fairforge/fairforge.h"

#define DELTAS_MAX 16

/* Tokens of a text: one for every four characters, rounded up. Not any provider's count, but always the same and easy to check by hand. */
uint64_t text_tokens(struct str text);

/* Cuts the text into 1 to DELTAS_MAX pieces at character boundaries, after a space where there is one; two or more as soon as there are two
 * characters. ret_ends gets the end offset of each piece; returns how many. An empty text is one empty piece. */
size_t text_deltas(struct str text, size_t ret_ends[DELTAS_MAX]);

/* The answer to a message nobody prepared: depends on the message alone, quotes its beginning (valid UTF-8) and has 1 to 3 sentences. */
void text_default_answer(struct str message, struct buf *out);

/* Appends the text as a JSON literal. U+0085, U+2028 and U+2029 are escaped: some clients end a line there. */
void text_put_json(struct buf *out, struct str text);
/* Appends a whole parsed value as compact JSON; number text as it came. */
void text_put_value(struct buf *out, const struct ff_json *value);

/* A string value as a view, or an empty str when it is none (value may be NULL). */
struct str text_of_json(const struct ff_json *value);

#endif
