/* dataset_json.c: the one place that knows the keys of an answered dataset and their order. */
#include "sink/dataset_json.h"

void dataset_json_open(struct json_writer *w, const struct dataset *d)
{
	json_begin_object(w);
	json_member_text(w, JSON_NAME("session_id"), d->session_id);
	json_member_text(w, JSON_NAME("assistant_id"), d->assistant_id);
	json_member_value(w, JSON_NAME("language"), &d->language);
	json_member_text(w, JSON_NAME("context"), d->context);
	json_member_array(w, JSON_NAME("conversation"));
}

void dataset_json_close(struct json_writer *w)
{
	json_end_array(w);
	json_end_object(w);
}

void dataset_json_batch(struct json_writer *w, const struct batch *b, struct str assistant)
{
	json_begin_object(w);
	json_member_text(w, JSON_NAME("ground_truth_assistant"), b->ground_truth_assistant);
	json_member_value(w, JSON_NAME("logprobs"), &b->logprobs);
	json_member_value(w, JSON_NAME("observation"), &b->observation);
	json_member_text(w, JSON_NAME("assistant"), assistant);
	json_member_text(w, JSON_NAME("query"), b->query);
	json_member_value(w, JSON_NAME("agentic"), &b->agentic);
	json_member_value(w, JSON_NAME("ground_truth_agentic"), &b->ground_truth_agentic);
	json_member_text(w, JSON_NAME("qa_id"), b->qa_id);
	json_member_value(w, JSON_NAME("weight"), &b->weight);
	json_end_object(w);
}
