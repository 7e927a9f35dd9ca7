/*
 * fuzz_worker.c: lines from a worker: each input is parsed as one, and what it says as a reply is read for a batch. Whatever comes
 * out must be a closed result: an outcome of the right kind with its text in valid UTF-8, and a changed batch that can be written.
 */
#include <stdint.h>
#include <stdlib.h>

#include "engine/worker_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

static struct batch input_batch(void)
{
	return (struct batch){
		.logprobs = { .type = JSON_OBJECT },
		.query = STR("q"),
		.qa_id = STR("1"),
		.agentic = { .type = JSON_OBJECT },
		.ground_truth_agentic = { .type = JSON_OBJECT },
	};
}

static void write_batch(const struct batch *b)
{
	struct buf out;
	struct json_writer w;

	buf_init(&out, SIZE_MAX);
	json_writer_init(&w, &out, 0);
	json_begin_array(&w);
	json_value(&w, &b->observation);
	json_value(&w, &b->logprobs);
	json_value(&w, &b->agentic);
	json_value(&w, &b->weight);
	json_string(&w, b->assistant);
	json_end_array(&w);
	REQUIRE(utf8_is_valid(buf_str(&out)));
	buf_release(&out);
}

static void check_result(const struct attempt_result *r, double elapsed_ms)
{
	bool success = outcome_is_success(r->outcome);

	REQUIRE((unsigned)r->outcome < OUTCOME_COUNT && r->outcome != OUTCOME_CANCELLED && r->outcome != OUTCOME_NOT_RUN);
	REQUIRE(success || r->error.len);
	REQUIRE(success ? utf8_is_valid(r->answer) : utf8_is_valid(r->error));
	REQUIRE(r->hint_ms >= -1 && (r->outcome != OUTCOME_BAD_REPLY || r->replacement == NULL || r->error.len));
	REQUIRE(r->usage.input_tokens >= -1 && r->usage.output_tokens >= -1 && r->usage.total_tokens >= -1);
	REQUIRE(elapsed_ms == -1 || elapsed_ms >= 0 || r->outcome == OUTCOME_BAD_REPLY);
	if (r->replacement)
		write_batch(r->replacement);
}

static void read_reply(const struct json *json, bool ends)
{
	struct worker_reader how = { "Worker 0", NULL };
	struct batch batch = input_batch();
	struct arena arena = ARENA_INIT;
	struct attempt_result result;
	double elapsed_ms = -1;
	bool failed = true;

	if (ends)
		REQUIRE(worker_dataset_end_read(json, &how, &arena, &result, &failed) == 0);
	else
		REQUIRE(worker_reply_read(json, &batch, &how, &arena, &result, &elapsed_ms) == 0);
	if (failed)
		check_result(&result, elapsed_ms);
	arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = ARENA_INIT;
	struct worker_message m;
	struct error err = { 0 };
	char *line = malloc(size + 1);
	int r;

	REQUIRE(line);
	memcpy(line, data, size); /* a copy of the right size: one byte too far is seen */
	r = worker_line_parse(str_of(line, size), &arena, &m, &err);
	REQUIRE(r == 0 || (r == FF_EDATA && err.text[0] && utf8_is_valid(str_from(err.text))));
	if (r == 0 && m.kind != WORKER_WELCOME) {
		REQUIRE(m.id > 0 && m.id <= (uint64_t)WORKER_ID_MOST);
		read_reply(&m.json, m.kind == WORKER_DATASET_END);
	}
	if (r == 0 && m.kind == WORKER_WELCOME)
		REQUIRE(m.capabilities.concurrency > 0 && m.capabilities.concurrency <= WORKER_CONCURRENCY_MOST &&
		        m.name.len <= WORKER_NAME_MAX_BYTES);
	arena_release(&arena);
	free(line);
	return 0;
}
