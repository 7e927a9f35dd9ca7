/* outcome.c: words and meanings of the closed set of outcomes, from the one table in outcome.h. */
#include "model/outcome.h"

#include <stddef.h>

struct row {
	const char *word, *text;
	bool success;
};

static const struct row rows[OUTCOME_COUNT] = {
#define X(name, json_word, is_success, meaning) [name] = { json_word, meaning, is_success },
	OUTCOMES(X)
#undef X
};

static const struct row *row_of(enum outcome o)
{
	static const struct row unknown = { "unknown", "not an outcome", false };
	return (unsigned)o < OUTCOME_COUNT ? &rows[o] : &unknown;
}

const char *outcome_word(enum outcome o)
{
	return row_of(o)->word;
}

const char *outcome_text(enum outcome o)
{
	return row_of(o)->text;
}

bool outcome_is_success(enum outcome o)
{
	return row_of(o)->success;
}
