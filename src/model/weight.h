/* weight.h: pydantic's coercion of a value to `Optional[float]`, at least 0. Internal to src/model. */
#ifndef FF_MODEL_WEIGHT_H
#define FF_MODEL_WEIGHT_H

#include "base/arena.h"
#include "base/macros.h"
#include "model/json.h"

/*
 * null stays null; numbers, booleans and numeric text become the number that leaves (as Python prints a float), its text in the arena (NULL:
 * only checked, *ret is null). 0, FF_ENOMEM, or FF_EDATA with *ret_problem: the end of a sentence, "must be ...".
 */
int weight_from_json(const struct json *v, struct arena *a, struct json *ret, const char **ret_problem) WARN_UNUSED;

#endif
