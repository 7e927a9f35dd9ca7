/*
 * coerce.h: pydantic's lax mode for scalars: what a JSON value becomes where an integer, a number or a boolean is wanted.
 * Each returns COERCE_OK with *ret (its text in the arena, a literal, or a slice of the value), or why not.
 */
#ifndef FF_CONNECTOR_COERCE_H
#define FF_CONNECTOR_COERCE_H

#include "base/arena.h"
#include "model/json.h"

enum coerce_result {
	COERCE_OK,
	COERCE_TYPE,     /* a value of another type */
	COERCE_PARSE,    /* text that does not read as one */
	COERCE_FRACTION, /* a number with a fractional part where an integer is wanted */
	COERCE_RANGE,    /* not finite, or an integer written as a float beyond 64 bits */
	COERCE_NOMEM
};

/* Integer of any size, float without fraction, "10", " 10.0 ", "1_000", booleans (true is 1). The text that leaves has digits only. */
enum coerce_result coerce_int(struct arena *a, const struct json *v, struct json *ret) WARN_UNUSED;
/* Number, numeric text, boolean; leaves as a float in Python's repr: 1 is 1.0. NaN and infinities are COERCE_RANGE: JSON cannot carry them. */
enum coerce_result coerce_float(struct arena *a, const struct json *v, struct json *ret) WARN_UNUSED;
/* true, false, 0, 1, and the words true/false/yes/no/on/off/t/f/y/n/1/0 in any case. */
enum coerce_result coerce_bool(const struct json *v, struct json *ret) WARN_UNUSED;
/* Text as it is; a number as the text that Python's str makes of it: 12, 1.5, 1e3 is 1000.0. Not pydantic's: ids that an f-string prints. */
enum coerce_result coerce_text(struct arena *a, const struct json *v, struct json *ret) WARN_UNUSED;

#endif
