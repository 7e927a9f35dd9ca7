/*
 * test_worker_run.c: allocation 1, 2, 3, … fails through a whole run with a worker process, until a run meets no fault. As in test_whole_run.c: a documented
 * end each time, and no process is left.
 *
 * FF_FAULT_WORKER names the worker.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../unit/lib/run_kit.h"
#include "base/alloc.h"
#include "patience.h"

#define ROUNDS_MOST 100000u

static struct kit_output document;
static unsigned turns_seen;
static const char *unit;

static const char request_text[] =
        "[" KIT_DATASET ", {\"session_id\": \"t\", \"assistant_id\": \"a\", \"context\": \"C\", \"conversation\": [" KIT_BATCH
        ", " KIT_BATCH "]}]";

static void on_event(void *user, const struct ff_event *event)
{
	(void)user;
	turns_seen += event->type == FF_EVENT_TURN;
}

/* The exit status of the run, or -1: it did not start. */
static int one_run(struct ff_engine *engine, uint64_t n)
{
	char command[1024];
	struct ff_setting env = { "MY_KEY", "sk-0123456789abcdef" }, arg = { "a", "1" };
	struct ff_output output = kit_output(&document, FF_OUTPUT_RESPONSE);
	struct kit_request k = { .text = request_text };
	struct ff_run_options ro = kit_run_options(&k);
	struct ff_error err = { 0 };
	struct ff_run *run;
	int code, status;

	snprintf(command, sizeof(command), "'%s' %s", getenv("FF_FAULT_WORKER"), unit);
	ro.connector = ro.model = NULL;
	ro.params = NULL;
	ro.param_count = 0;
	ro.worker = command;
	ro.worker_env = &env;
	ro.worker_args = &arg;
	ro.worker_env_count = ro.worker_arg_count = 1;
	ro.outputs = &output;
	ro.output_count = 1;
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
	static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	struct ff_engine_options eo = kit_engine_options(env);
	struct ff_engine *engine;
	int status;

	document.done = 1;
	document.complete = 0;
	turns_seen = 0;
	if (ff_engine_new(&eo, &engine, NULL))
		return -1;
	status = one_run(engine, n);
	ff_engine_free(engine);
	return status;
}

static void judge(uint64_t n, int status, uint64_t hits)
{
	if (status != -1 && status != 0 && status != 1 && status != 69 && status != 70 && status != 73)
		fail_msg("allocation %ju: status %d is not an end that lack of memory explains", (uintmax_t)n, status);
	if (hits == 0 && status != 0)
		fail_msg("without a fault the run should end with 0, not %d:\n%s", status, document.text);
	if (status == 0 && (turns_seen != 3 || !document.complete))
		fail_msg("allocation %ju: status 0 with %u turns, a document that is %s", (uintmax_t)n, turns_seen,
		         document.complete ? "whole" : "cut");
}

static void fault_loop(const char *asked, bool forever)
{
	unit = asked;
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
		if (hits == 0) {
			print_message("%ju allocations\n", (uintmax_t)(n - 1));
			return;
		}
	}
	fail_msg("still failing allocations after %u rounds", ROUNDS_MOST);
}

static void test_turns_single(void **state)
{
	(void)state;
	fault_loop("turn", false);
}

static void test_turns_lasting(void **state)
{
	(void)state;
	fault_loop("turn", true);
}

static void test_datasets_single(void **state)
{
	(void)state;
	fault_loop("dataset", false);
}

static void test_datasets_lasting(void **state)
{
	(void)state;
	fault_loop("dataset", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns_single),
		cmocka_unit_test(test_turns_lasting),
		cmocka_unit_test(test_datasets_single),
		cmocka_unit_test(test_datasets_lasting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
