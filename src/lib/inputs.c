/*
 * inputs.c: the documents of a request: opened, told apart (payload or datasets), validated whole before anything else looks at them.
 *
 * Every dataset is looked at once here: what stays is the source, rewound. A JSONL file costs one pass more and no memory.
 */
#include "lib/internal.h"
#include "lib/request.h"

static bool no_datasets_member(const struct request *req)
{
	return req->payload && !json_truthy(req->payload->datasets);
}

static int open_input(struct request *req, const struct ff_input *in, struct request_input *out)
{
	struct json_limits limits = { .max_bytes = req->ro.max_input_bytes, .max_depth = req->ro.max_depth };
	struct error err = { 0 };
	int r;

	out->name = arena_memdup(&req->arena, in->name ? in->name : "", in->name ? strlen(in->name) : 0);
	if (!out->name)
		return FF_ENOMEM;
	if (in->text)
		r = input_open_text(str_of(in->text, in->text_len), out->name, in->as_datasets, &limits, &out->payload,
		                    &out->source, &out->notes, &err);
	else
		r = input_open(in->fd, out->name, in->as_datasets, &limits, &out->payload, &out->source, &out->notes, &err);
	if (r && r != FF_ENOMEM)
		return request_fail(req, STEP_OPEN, r, out->name, "", "%s", err.text); /* err.where is the name again, no pointer */
	return r;
}

int request_open_inputs(struct request *req)
{
	size_t count = req->ro.input_count;
	int r = 0, last = 0;

	if (!count || !req->ro.inputs)
		return request_fail(req, STEP_PRESENT, FF_EDATA, "", "", "No datasets provided");
	req->inputs = arena_calloc(&req->arena, count, sizeof(*req->inputs));
	if (!req->inputs)
		return FF_ENOMEM;
	req->input_count = count;
	for (size_t i = 0; i < count && last != FF_ENOMEM; i++) {
		struct request_input *in = &req->inputs[i];

		last = open_input(req, &req->ro.inputs[i], in);
		if (!last && in->payload && count > 1)
			last = request_fail(req, STEP_OPEN, FF_EUSAGE, in->name, "",
			                    "This is a payload: it cannot be joined with other documents, only datasets can.");
		if (!last && in->payload)
			req->payload = in->payload;
		r = last ? last : r;
	}
	return r;
}

/* The reader's notes become warnings: they are known once the document was read to its end. */
static int warn_notes(struct request *req, const struct request_input *in)
{
	const struct json_notes *n = in->payload && in->payload->notes.duplicates + in->payload->notes.lone_surrogates
	                                     ? &in->payload->notes
	                                     : &in->notes;
	struct problems problems;
	int r;

	problems_init(&problems);
	if (n->duplicates)
		problem_warning(&problems, n->first_duplicate,
		                "Duplicate keys: %zu %s again in the same object, this is the first; the last value counts.",
		                n->duplicates, n->duplicates == 1 ? "key stands" : "keys stand");
	if (n->lone_surrogates)
		problem_warning(&problems, n->first_surrogate,
		                "Lone surrogates: %zu %s no half of a character pair, this is the first; U+FFFD takes the place.",
		                n->lone_surrogates, n->lone_surrogates == 1 ? "escape is" : "escapes are");
	r = request_take(req, STEP_DATASETS, in->name, &problems, FF_EDATA);
	problems_release(&problems);
	return r;
}

static int check_input(struct request *req, struct request_input *in)
{
	struct problems problems;
	struct error err = { 0 };
	int r, taken;

	problems_init(&problems);
	r = dataset_source_check(in->source, &problems, &err);
	taken = r == FF_ENOMEM ? r : request_take(req, STEP_DATASETS, in->name, &problems, FF_EDATA);
	problems_release(&problems);
	if (r && r != FF_ENOMEM)
		return request_fail(req, STEP_OPEN, r, in->name, err.where, "%s", err.text);
	if (!r && !taken)
		taken = warn_notes(req, in);
	req->datasets += dataset_source_datasets(in->source);
	req->batches += dataset_source_batches(in->source);
	return r ? r : taken;
}

/* What the embedder lets one request ask for. */
static int check_counts(struct request *req)
{
	const struct ff_run_options *o = &req->ro;

	if (o->max_datasets && req->datasets > o->max_datasets)
		return request_fail(req, STEP_DATASETS, FF_ETOOBIG, "", "/datasets",
		                    "There are %zu datasets, and one request may have %zu: send them in several requests.",
		                    req->datasets, o->max_datasets);
	if (o->max_batches && req->batches > o->max_batches)
		return request_fail(req, STEP_DATASETS, FF_ETOOBIG, "", "/datasets",
		                    "There are %zu batches, and one request may have %zu: send them in several requests.",
		                    req->batches, o->max_batches);
	return 0;
}

int request_check_datasets(struct request *req)
{
	int r = 0, last = 0;

	if (no_datasets_member(req))
		return request_fail(req, STEP_PRESENT, FF_EDATA, req->inputs[0].name, "/datasets", "No datasets provided");
	for (size_t i = 0; i < req->input_count && last != FF_ENOMEM; i++) {
		if (!req->inputs[i].source)
			continue;
		last = check_input(req, &req->inputs[i]);
		r = last ? last : r;
	}
	if (r == 0 && req->datasets == 0 && !req->code)
		return request_fail(req, STEP_PRESENT, FF_EDATA, req->input_count == 1 ? req->inputs[0].name : "", "",
		                    "No datasets provided");
	return r ? r : check_counts(req);
}

int request_join_inputs(struct request *req)
{
	struct dataset_source **sources;
	struct error err = { 0 };
	int r;

	if (req->code)
		return 0;
	sources = arena_calloc(&req->arena, req->input_count, sizeof(struct dataset_source *));
	if (!sources)
		return FF_ENOMEM;
	for (size_t i = 0; i < req->input_count; i++)
		sources[i] = req->inputs[i].source;
	if (req->input_count == 1) {
		req->source = sources[0];
	} else if ((r = dataset_source_join(sources, req->input_count, &req->source))) {
		return r;
	}
	for (size_t i = 0; i < req->input_count; i++)
		req->inputs[i].source = NULL;
	r = dataset_source_rewind(req->source, &err);
	return r && r != FF_ENOMEM ? request_fail(req, STEP_OPEN, r, "", err.where, "%s", err.text) : r;
}
