/*
 * test_whole_run.c: allocation 1, 2, 3, … fails through a whole run over real sockets, until a run meets no fault.
 *
 * After each: a documented end (never a crash, a hang or a leak: the sanitizer build looks), outputs told exactly once, and a document that is called
 * whole is JSON with every dataset. Each fault is tried as a single failure and as one that lasts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../unit/lib/run_kit.h"
#include "../unit/lib/server.h"
#include "base/alloc.h"
#include "patience.h"

#define ROUNDS_MOST 100000u
#define DATASETS    3u

static struct server server;
static struct kit_output document, lines;
static unsigned turns_seen;

static const char request_text[] = "{\"connector\": {\"class_path\": \"langchain_openai.chat_models.ChatOpenAI\", \"params\": "
                                   "{\"model\": \"m\", \"timeout\": 30, "
                                   "\"default_headers\": {\"X-A\": \"b\"}, \"model_kwargs\": {\"top_p\": 0.5}}}, \"options\": "
                                   "{\"concurrency\": 2, \"order\": \"input\"},"
                                   "\"datasets\": [" KIT_DATASET ", " KIT_DATASET
                                   ", {\"session_id\": \"u\\u00e4\", \"assistant_id\": \"a\", \"context\": \"C\", \"twice\": 1, "
                                   "\"twice\": 2, \"conversation\": [" KIT_BATCH ", " KIT_BATCH "]}]}";

static void on_event(void *user, const struct ff_event *event)
{
	(void)user;
	turns_seen += event->type == FF_EVENT_TURN;
}

/* What a whole document must be, checked with memory back. */
static void check_document(uint64_t n)
{
	struct ff_json_doc *doc;
	struct ff_error err = { 0 };

	if (document.done != 1 || lines.done != 1)
		fail_msg("allocation %ju: outputs should be told once, not %d and %d times", (uintmax_t)n, document.done,
		         lines.done);
	if (!document.complete)
		return;
	if (ff_json_parse(document.text, document.len, 0, 0, &doc, &err))
		fail_msg("allocation %ju: a document that is called whole should be JSON: %s\n%s", (uintmax_t)n, err.text,
		         document.text);
	if (ff_json_type(ff_json_get(ff_json_root(doc), "success")) == FF_JSON_TRUE)
		assert_int_equal(ff_json_count(ff_json_get(ff_json_root(doc), "datasets")), DATASETS);
	else
		assert_non_null(ff_json_get(ff_json_root(doc), "error"));
	ff_json_free(doc);
}

/* The exit status of the run, or -1: it did not start. */
static int one_run(struct ff_engine *engine, uint64_t n)
{
	struct ff_setting params[] = { { "base_url", server.base_url }, { "api_key", KIT_KEY }, { "max_retries", "1" } };
	struct ff_output outputs[] = { kit_output(&document, FF_OUTPUT_RESPONSE), kit_output(&lines, FF_OUTPUT_JSONL) };
	struct kit_request k = { .text = request_text };
	struct ff_run_options ro = kit_run_options(&k);
	struct ff_error err = { 0 };
	struct ff_run *run;
	int code, status;

	ro.params = params;
	ro.param_count = 3;
	ro.outputs = outputs;
	ro.output_count = 2;
	ro.on_event = on_event;
	code = ff_run_start(engine, &ro, &run, &err);
	if (code) {
		if (code != FF_R_NOMEM)
			fail_msg("allocation %ju: the start failed with %s (%s), expected lack of memory", (uintmax_t)n,
			         ff_code_name(code), err.text);
		return -1;
	}
	while (!ff_run_done(run))
		ff_engine_wait(engine, -1);
	status = ff_run_exit_status(run);
	ff_run_free(run);
	return status;
}

static int engine_and_run(uint64_t n)
{
	static const char *const env[] = { NULL };
	struct ff_engine_options eo = kit_engine_options(env);
	struct ff_error err = { 0 };
	struct ff_engine *engine;
	int code, status;

	document.done = lines.done = 1;
	document.complete = 0;
	turns_seen = 0;
	code = ff_engine_new(&eo, &engine, &err);
	if (code) {
		if (code != FF_R_NOMEM)
			fail_msg("allocation %ju: the engine failed with %s (%s), expected lack of memory", (uintmax_t)n,
			         ff_code_name(code), err.text);
		return -1;
	}
	status = one_run(engine, n);
	ff_engine_free(engine);
	return status;
}

static void judge(uint64_t n, int status, uint64_t hits)
{
	/* 1: turns failed for lack of memory; 69: all of them did before anything was sent; 70, 73: the run or an output did. */
	if (status != -1 && status != 0 && status != 1 && status != 69 && status != 70 && status != 73)
		fail_msg("allocation %ju: status %d is not an end that lack of memory explains", (uintmax_t)n, status);
	if (hits == 0 && status != 0)
		fail_msg("without a fault the run should end with 0, not %d", status);
	if (status == 0 && (turns_seen != 4 || !document.complete || !lines.complete))
		fail_msg("allocation %ju: status 0 with %u turns, documents %s and %s", (uintmax_t)n, turns_seen,
		         document.complete ? "whole" : "cut", lines.complete ? "whole" : "cut");
}

static void fault_loop(bool forever)
{
	for (uint64_t n = 1; n < ROUNDS_MOST; n++) {
		uint64_t hits;
		int status;

		patience_begin(n);
		mem_fault_arm(n, forever);
		status = engine_and_run(n);
		hits = mem_fault_hits();
		mem_fault_arm(0, false);
		patience_end();
		judge(n, status, hits);
		check_document(n);
		if (hits == 0) {
			print_message("%ju allocations\n", (uintmax_t)(n - 1));
			return;
		}
	}
	fail_msg("still failing allocations after %u rounds", ROUNDS_MOST);
}

static void test_single_failures(void **state)
{
	(void)state;
	fault_loop(false);
}

static void test_lasting_failures(void **state)
{
	(void)state;
	fault_loop(true);
}

/* A check that finds everything: same rule, its problems are the only output. */
static void test_check(void **state)
{
	static const char *const env[] = { "FAIRFORGE_CONCURRENCY=x", NULL };
	struct kit_request k = { .text = "{\"connector\": {\"class_path\": \"langchain_groq.ChatGroq\", \"params\": {\"bogus\": "
		                         "1}}, \"options\": {\"x\": 1}, "
		                         "\"datasets\": [{}, {\"session_id\": 1}]}",
		                 .params = { { "temperature", "hot" }, { "api_key", "env:NO" } } };
	struct ff_run_options ro = kit_run_options(&k);
	struct ff_check_result result;

	(void)state;
	for (uint64_t n = 1; n < ROUNDS_MOST; n++) {
		struct ff_engine_options eo = kit_engine_options(env);
		struct ff_engine *engine = NULL;
		uint64_t hits;
		int code;

		mem_fault_arm(n, n % 2 == 0);
		code = ff_engine_new(&eo, &engine, NULL);
		if (!code)
			code = ff_check(engine, &ro, NULL, NULL, &result);
		ff_engine_free(engine);
		hits = mem_fault_hits();
		mem_fault_arm(0, false);
		if (code != (hits ? FF_R_NOMEM : FF_R_USAGE))
			fail_msg("allocation %ju: expected %s, got %s", (uintmax_t)n, ff_code_name(hits ? FF_R_NOMEM : FF_R_USAGE),
			         ff_code_name(code));
		if (!hits)
			return;
	}
	fail_msg("still failing allocations after %u rounds", ROUNDS_MOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single_failures),
		cmocka_unit_test(test_lasting_failures),
		cmocka_unit_test(test_check),
	};
	int failed;

	server_start(&server, SERVER_ANSWERS);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	server_stop(&server);
	return failed;
}
