/*
 * fuzz_payload.c: any bytes as an input: told apart, its options read, its datasets validated twice with the same result. The first byte chooses the
 * name (.json or .jsonl), whether it is given as --dataset, and small or default caps.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "model/options.h"
#include "model/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void read_options(const struct payload *p)
{
	struct problems problems;
	struct options o;
	problems_init(&problems);
	options_init(&o);
	if (p->options && options_from_json(&o, p->options, "/options", &problems))
		require(problems.errors > 0);
	require(o.concurrency >= 1 && o.concurrency <= 100000);
	problems_release(&problems);
}

static void check_dataset(const struct dataset *d)
{
	for (size_t i = 0; i < d->batch_count; i++) {
		const struct batch *b = &d->batches[i];
		require(b->weight.type == JSON_NULL || json_to_double(&b->weight) >= 0);
		require(b->agentic.type == JSON_NULL || b->agentic.type == JSON_OBJECT);
		require(utf8_is_valid(b->query) && utf8_is_valid(b->qa_id));
	}
}

/* One pass: how many problems. */
static size_t read_pass(struct dataset_source *s)
{
	struct problems problems;
	struct dataset *d;
	struct error err;
	size_t errors;
	int code;
	problems_init(&problems);
	while ((code = dataset_source_next(s, &problems, &d, &err)) == 1) {
		check_dataset(d);
		dataset_free(d);
	}
	require(code == 0);
	errors = problems.errors;
	for (const struct problem *p = problems.first; p; p = p->next)
		require(p->text[0] != '\0' && utf8_is_valid(str_from(p->pointer)));
	problems_release(&problems);
	return errors;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct json_limits small = { 512, 6 };
	struct payload *payload = NULL;
	struct dataset_source *source = NULL;
	struct json_notes notes;
	struct error err;
	uint8_t how = size ? data[0] : 0;
	struct str text = size ? str_of((const char *)data + 1, size - 1) : STR_NULL;
	if (input_open_text(text, how & 1 ? "x.jsonl" : "x.json", how & 2, how & 4 ? &small : NULL, &payload, &source, &notes,
	                    &err) == 0) {
		size_t errors;
		if (payload)
			read_options(payload);
		errors = read_pass(source);
		require(dataset_source_rewind(source, &err) == 0);
		require(read_pass(source) == errors);
	} else {
		require(err.text[0] != '\0' && !payload && !source);
	}
	dataset_source_free(source);
	payload_free(payload);
	return 0;
}
