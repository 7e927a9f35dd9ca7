/* dataset_json.c: the one place that knows the keys of an answered dataset and their order. */
#include "sink/dataset_json.h"

static void text(struct json_writer *w, struct str key, struct str value)
{
	json_plain_text(w, key, value);
}

static void value(struct json_writer *w, struct str key, const struct json *v)
{
	json_plain_key(w, key);
	json_value(w, v);
}

void dataset_json_open(struct json_writer *w, const struct dataset *d)
{
	json_begin_object(w);
	text(w, STR("session_id"), d->session_id);
	text(w, STR("assistant_id"), d->assistant_id);
	value(w, STR("language"), &d->language);
	text(w, STR("context"), d->context);
	json_key_lit(w, "conversation");
	json_begin_array(w);
}

void dataset_json_close(struct json_writer *w)
{
	json_end_array(w);
	json_end_object(w);
}

void dataset_json_batch(struct json_writer *w, const struct batch *b, struct str assistant)
{
	json_begin_object(w);
	text(w, STR("ground_truth_assistant"), b->ground_truth_assistant);
	value(w, STR("logprobs"), &b->logprobs);
	value(w, STR("observation"), &b->observation);
	text(w, STR("assistant"), assistant);
	text(w, STR("query"), b->query);
	value(w, STR("agentic"), &b->agentic);
	value(w, STR("ground_truth_agentic"), &b->ground_truth_agentic);
	text(w, STR("qa_id"), b->qa_id);
	value(w, STR("weight"), &b->weight);
	json_end_object(w);
}
