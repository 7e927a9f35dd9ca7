/*
 * dataset_fields.c: the two tables of the schema (fair_forge/schemas/common.py).
 */
#include "model/dataset_fields.h"

#define NAMED(text)        (text), sizeof(text) - 1
#define IN_DATASET(member) offsetof(struct dataset, member)
#define IN_BATCH(member)   offsetof(struct batch, member)

const struct field dataset_fields[DATASET_FIELDS] = {
	{ { NAMED("session_id") }, FIELD_TEXT, true, JSON_NULL, NULL, IN_DATASET(session_id) },
	{ { NAMED("assistant_id") }, FIELD_TEXT, true, JSON_NULL, NULL, IN_DATASET(assistant_id) },
	{ { NAMED("language") }, FIELD_TEXT_OR_NULL, false, JSON_STRING, "english", IN_DATASET(language) },
	{ { NAMED("context") }, FIELD_TEXT, true, JSON_NULL, NULL, IN_DATASET(context) },
	{ { NAMED("conversation") }, FIELD_CONVERSATION, true, JSON_NULL, NULL, IN_DATASET(batches) },
};

const struct field batch_fields[BATCH_FIELDS] = {
	{ { NAMED("ground_truth_assistant") }, FIELD_TEXT, true, JSON_NULL, NULL, IN_BATCH(ground_truth_assistant) },
	{ { NAMED("logprobs") }, FIELD_OBJECT_OR_NULL, false, JSON_OBJECT, NULL, IN_BATCH(logprobs) },
	{ { NAMED("observation") }, FIELD_TEXT_OR_NULL, false, JSON_NULL, NULL, IN_BATCH(observation) },
	{ { NAMED("assistant") }, FIELD_TEXT, true, JSON_NULL, NULL, IN_BATCH(assistant) },
	{ { NAMED("query") }, FIELD_TEXT, true, JSON_NULL, NULL, IN_BATCH(query) },
	{ { NAMED("agentic") }, FIELD_OBJECT_OR_NULL, false, JSON_OBJECT, NULL, IN_BATCH(agentic) },
	{ { NAMED("ground_truth_agentic") }, FIELD_OBJECT_OR_NULL, false, JSON_OBJECT, NULL, IN_BATCH(ground_truth_agentic) },
	{ { NAMED("qa_id") }, FIELD_TEXT, true, JSON_NULL, NULL, IN_BATCH(qa_id) },
	{ { NAMED("weight") }, FIELD_WEIGHT, false, JSON_NULL, NULL, IN_BATCH(weight) },
};
