/*
 * same_dataset.h: whether two datasets say the same, field by field: text and the text of numbers byte by byte. Not their arenas and their place in the input.
 *
 * The fields are named here once more: the tables of the schema are part of what is tested.
 */
#ifndef FF_TESTS_SAME_DATASET_H
#define FF_TESTS_SAME_DATASET_H

#include "model/dataset.h"

static inline bool same_value(const struct json *a, const struct json *b)
{
	if (a->type != b->type || a->count != b->count)
		return false;
	return a->type == JSON_NUMBER ? str_eq(a->text, b->text) : json_equal(a, b);
}

/* The name of the first field that is not the same in both; NULL: none. */
static inline const char *batch_difference(const struct batch *a, const struct batch *b)
{
	if (!str_eq(a->ground_truth_assistant, b->ground_truth_assistant))
		return "ground_truth_assistant";
	if (!same_value(&a->logprobs, &b->logprobs))
		return "logprobs";
	if (!same_value(&a->observation, &b->observation))
		return "observation";
	if (!str_eq(a->assistant, b->assistant))
		return "assistant";
	if (!str_eq(a->query, b->query))
		return "query";
	if (!same_value(&a->agentic, &b->agentic))
		return "agentic";
	if (!same_value(&a->ground_truth_agentic, &b->ground_truth_agentic))
		return "ground_truth_agentic";
	if (!str_eq(a->qa_id, b->qa_id))
		return "qa_id";
	return same_value(&a->weight, &b->weight) ? NULL : "weight";
}

static inline const char *dataset_difference(const struct dataset *a, const struct dataset *b)
{
	const char *field = NULL;
	if (!str_eq(a->session_id, b->session_id))
		return "session_id";
	if (!str_eq(a->assistant_id, b->assistant_id))
		return "assistant_id";
	if (!same_value(&a->language, &b->language))
		return "language";
	if (!str_eq(a->context, b->context))
		return "context";
	if (a->batch_count != b->batch_count)
		return "conversation";
	for (size_t i = 0; i < a->batch_count && !field; i++)
		field = batch_difference(&a->batches[i], &b->batches[i]);
	return field;
}

#endif
