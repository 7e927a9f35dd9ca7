/* test_run.c: whole runs against a server in a thread: answers, events, foreign loops, two engines, cancelling, freeing, failing outputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "run_kit.h"
#include "server.h"

#define A_DAY_MS ((uint64_t)24 * 3600 * 1000)

static struct kit_output out, second_out;

struct events {
	unsigned warnings, starts, turns, ends;
	int order_broken;
	char outcomes[256], last_outcome[32], last_answer[256], end_text[1024], notice[256];
	/* What a test does inside an event. */
	void (*act)(struct events *e, const struct ff_event *event);
	struct ff_run *run;
	struct ff_engine *engine;
	int result;
};

static void on_event(void *user, const struct ff_event *event)
{
	struct events *e = user;

	switch (event->type) {
	case FF_EVENT_WARNING:
		e->order_broken |= e->starts != 0;
		e->warnings++;
		break;
	case FF_EVENT_START:
		e->order_broken |= e->turns != 0;
		e->starts++;
		snprintf(e->notice, sizeof(e->notice), "%s", event->text ? event->text : "");
		break;
	case FF_EVENT_TURN:
		e->order_broken |= e->starts != 1 || e->ends != 0;
		e->turns++;
		snprintf(e->last_outcome, sizeof(e->last_outcome), "%s", event->turn->outcome);
		if (!strstr(e->outcomes, event->turn->outcome))
			snprintf(e->outcomes + strlen(e->outcomes), sizeof(e->outcomes) - strlen(e->outcomes), "%s ",
			         event->turn->outcome);
		snprintf(e->last_answer, sizeof(e->last_answer), "%.*s", (int)event->turn->answer_len, event->turn->answer);
		break;
	case FF_EVENT_END:
		e->ends++;
		snprintf(e->end_text, sizeof(e->end_text), "%s", event->text ? event->text : "");
		break;
	}
	if (e->act)
		e->act(e, event);
}

/* An array of `count` one-batch datasets. */
static char *datasets(unsigned count)
{
	size_t size = 64 + count * 256u;
	char *text = malloc(size);
	size_t len;

	assert_non_null(text);
	len = (size_t)snprintf(text, size, "[");
	for (unsigned i = 0; i < count; i++)
		len += (size_t)snprintf(
		        text + len, size - len,
		        "%s{\"session_id\": \"s%u\", \"assistant_id\": \"a\", \"context\": \"\", \"conversation\": [" KIT_BATCH
		        "]}",
		        i ? "," : "", i);
	snprintf(text + len, size - len, "]");
	return text;
}

static struct ff_engine *new_engine(void)
{
	static const char *const env[] = { NULL };
	struct ff_engine_options eo = kit_engine_options(env);
	struct ff_engine *engine;
	struct ff_error err = { 0 };

	if (ff_engine_new(&eo, &engine, &err))
		fail_msg("the engine should be built: %s", err.text);
	return engine;
}

static struct kit_request request_for(const struct server *s, const char *text)
{
	return (struct kit_request){ .text = text,
		                     .connector = "openai",
		                     .model = "m",
		                     .params = { { "api_key", KIT_KEY }, { "base_url", s->base_url }, { "max_retries", "0" } } };
}

static struct ff_run *start(struct ff_engine *engine, struct kit_request *k, struct ff_output *outputs, size_t output_count,
                            struct events *e)
{
	struct ff_run_options ro = kit_run_options(k);
	struct ff_error err = { 0 };
	struct ff_run *run = NULL;

	ro.outputs = outputs;
	ro.output_count = output_count;
	ro.on_event = e ? on_event : NULL;
	ro.user = e;
	if (ff_run_start(engine, &ro, &run, &err))
		fail_msg("the run should start: %s", err.text);
	if (e) {
		e->run = run;
		e->engine = engine;
	}
	return run;
}

static void finish(struct ff_engine *engine, struct ff_run *run)
{
	while (!ff_run_done(run))
		assert_int_equal(ff_engine_wait(engine, -1), 0);
}

static void test_a_run_answers(void **state)
{
	struct ff_output outputs[] = { kit_output(&out, FF_OUTPUT_RESPONSE), kit_output(&second_out, FF_OUTPUT_JSONL) };
	struct ff_engine *engine = new_engine();
	char *text = datasets(5);
	struct events e = { 0 };
	struct kit_request k;
	struct ff_counts counts;
	struct ff_run *run;
	struct server s;

	(void)state;
	server_start(&s, SERVER_ANSWERS);
	k = request_for(&s, text);
	run = start(engine, &k, outputs, 2, &e);
	assert_int_equal(e.starts, 0); /* nothing is called from inside ff_run_start */
	finish(engine, run);
	assert_int_equal(ff_run_exit_status(run), 0);
	assert_int_equal(ff_run_error(run)->code, 0);
	ff_run_counts(run, &counts);
	assert_int_equal(counts.datasets, 5);
	assert_int_equal(counts.done, 5);
	assert_int_equal(counts.ok, 5);
	assert_int_equal(counts.in_flight, 0);
	assert_int_equal(e.order_broken, 0);
	assert_int_equal(e.starts, 1);
	assert_int_equal(e.turns, 5);
	assert_int_equal(e.ends, 1);
	assert_string_equal(e.last_answer, "pong");
	assert_non_null(strstr(e.notice, "which is not the default address"));
	ff_run_free(run);
	ff_engine_free(engine);
	assert_int_equal(server_requests(&s), 5);
	server_stop(&s);
	free(text);
	assert_int_equal(out.done, 1);
	assert_int_equal(out.complete, 1);
	assert_int_equal(second_out.complete, 1);
	assert_memory_equal(out.text, "{\"success\":true,\"datasets\":[{\"session_id\":\"s0\"", 46);
	assert_non_null(strstr(out.text, "\"assistant\":\"pong\""));
	assert_memory_equal(second_out.text, "{\"session_id\":\"s0\"", 18);
}

static void test_a_wrong_request_is_an_answer(void **state)
{
	struct ff_output outputs[] = { kit_output(&out, FF_OUTPUT_RESPONSE), kit_output(&second_out, FF_OUTPUT_JSONL) };
	struct ff_engine *engine = new_engine();
	struct kit_request k = { .text = "{\"datasets\": []}" };
	struct ff_run_options ro = kit_run_options(&k);
	struct ff_error err = { 0 };
	struct ff_run *run = NULL;
	struct events e = { 0 };

	(void)state;
	ro.outputs = outputs;
	ro.output_count = 2;
	ro.on_event = on_event;
	ro.user = &e;
	assert_int_equal(ff_run_start(engine, &ro, &run, &err), FF_R_DATA);
	assert_null(run);
	assert_string_equal(err.text, "No datasets provided");
	assert_string_equal(out.text, "{\"success\":false,\"error\":\"No datasets provided\"}\n");
	assert_string_equal(second_out.text, out.text);
	assert_int_equal(out.done, 1);
	assert_int_equal(out.complete, 1);
	outputs[0] = kit_output(&out, FF_OUTPUT_RESPONSE);
	out.fail_at = 1;
	assert_int_equal(ff_run_start(engine, &ro, &run, &err), FF_R_OUTPUT);
	assert_non_null(strstr(err.text, "No datasets provided"));
	assert_int_equal(out.complete, 0);
	assert_int_equal(ff_run_start(NULL, &ro, &run, &err), FF_R_INVAL);
	ff_engine_free(engine);
	assert_int_equal(e.warnings + e.starts + e.ends, 0);
}

/* The programs's own loop: poll over the engine's descriptor, as examples/embed.c. */
static void test_inside_a_foreign_loop(void **state)
{
	struct ff_output output = kit_output(&out, FF_OUTPUT_RESPONSE);
	struct ff_engine *engine = new_engine();
	char *text = datasets(40);
	struct events e = { 0 };
	struct kit_request k;
	struct ff_run *run;
	struct server s;

	(void)state;
	server_start(&s, SERVER_ANSWERS);
	k = request_for(&s, text);
	run = start(engine, &k, &output, 1, &e);
	assert_int_equal(ff_engine_process(engine), 0);
	while (!ff_run_done(run)) {
		struct pollfd fd = { ff_engine_fd(engine), POLLIN, 0 };

		assert_true(poll(&fd, 1, ff_engine_timeout_ms(engine)) >= 0 || errno == EINTR);
		assert_int_equal(ff_engine_process(engine), 0);
	}
	assert_int_equal(e.turns, 40);
	assert_int_equal(ff_run_exit_status(run), 0);
	ff_run_free(run);
	ff_engine_free(engine);
	server_stop(&s);
	free(text);
}

static void test_two_engines_and_several_runs(void **state)
{
	struct ff_engine *engines[2] = { new_engine(), new_engine() };
	struct ff_run *runs[4];
	struct events e[4] = { { 0 } };
	struct kit_request k[4];
	char *text = datasets(12);
	struct server s;
	int left = 4;

	(void)state;
	server_start(&s, SERVER_ANSWERS);
	for (int i = 0; i < 4; i++) {
		k[i] = request_for(&s, text);
		runs[i] = start(engines[i % 2], &k[i], NULL, 0, &e[i]);
	}
	while (left) {
		struct pollfd fds[2] = { { ff_engine_fd(engines[0]), POLLIN, 0 }, { ff_engine_fd(engines[1]), POLLIN, 0 } };
		int a = ff_engine_timeout_ms(engines[0]), b = ff_engine_timeout_ms(engines[1]);

		assert_true(poll(fds, 2, a < 0 ? b : b < 0 ? a : a < b ? a : b) >= 0);
		ff_engine_process(engines[0]);
		ff_engine_process(engines[1]);
		left = 0;
		for (int i = 0; i < 4; i++)
			left += !ff_run_done(runs[i]);
	}
	ff_run_free(runs[0]);
	ff_engine_free(engines[0]); /* with runs[2] */
	assert_int_equal(ff_run_exit_status(runs[1]), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(e[i].turns, 12);
	ff_run_free(runs[1]);
	ff_run_free(runs[3]);
	ff_engine_free(engines[1]);
	assert_int_equal(server_requests(&s), 48);
	server_stop(&s);
	free(text);
}

static void run_to_end(enum server_mode mode, unsigned count, int status, const char *outcome, const char *end_words)
{
	struct ff_output output = kit_output(&out, FF_OUTPUT_RESPONSE);
	struct ff_engine *engine = new_engine();
	char *text = datasets(count);
	struct events e = { 0 };
	struct kit_request k;
	struct ff_run *run;
	struct server s;

	server_start(&s, mode);
	k = request_for(&s, text);
	run = start(engine, &k, &output, 1, &e);
	finish(engine, run);
	if (ff_run_exit_status(run) != status || !strstr(e.end_text, end_words))
		fail_msg("expected status %d and \"%s\", got %d and \"%s\"", status, end_words, ff_run_exit_status(run),
		         e.end_text);
	assert_string_equal(e.end_text, ff_run_error(run)->text);
	assert_non_null(strstr(e.outcomes, outcome)); /* not the last one: what is in flight may end later */
	assert_int_equal(e.turns, count);
	assert_int_equal(out.complete, 1);
	ff_run_free(run);
	ff_engine_free(engine);
	server_stop(&s);
	free(text);
}

static void test_how_runs_end(void **state)
{
	(void)state;
	run_to_end(SERVER_FAILS, 3, 1, "http_5xx", "");
	run_to_end(SERVER_REFUSES, 3, 77, "http_4xx", "Every turn was refused");
	run_to_end(SERVER_REFUSES, 60, 77, "not_run", "refused the first turns");
	assert_non_null(strstr(out.text, "wrong key!!"));
}

static void test_nobody_listens(void **state)
{
	struct ff_engine *engine = new_engine();
	struct kit_request k;
	struct events e = { 0 };
	struct ff_run *run;
	struct server s;

	(void)state;
	server_start(&s, SERVER_ANSWERS);
	server_stop(&s); /* the port is free again */
	k = request_for(&s, "[" KIT_DATASET "]");
	run = start(engine, &k, NULL, 0, &e);
	finish(engine, run);
	assert_int_equal(ff_run_exit_status(run), 69);
	assert_non_null(strstr(e.end_text, "Not one HTTP reply came"));
	assert_string_equal(e.last_outcome, "transport");
	ff_run_free(run);
	ff_engine_free(engine);
}

static void test_deadline(void **state)
{
	struct ff_output output = kit_output(&out, FF_OUTPUT_RESPONSE);
	struct ff_engine *engine = new_engine();
	struct events e = { 0 };
	struct kit_request k;
	struct ff_run *run;
	struct server s;

	(void)state;
	server_start(&s, SERVER_HOLDS);
	k = request_for(&s, "[" KIT_DATASET "," KIT_DATASET "]");
	k.options[0] = (struct ff_setting){ "deadline_ms", "50" };
	k.options[1] = (struct ff_setting){ "concurrency", "1" };
	run = start(engine, &k, &output, 1, &e);
	finish(engine, run);
	assert_int_equal(ff_run_exit_status(run), 75);
	assert_non_null(strstr(e.end_text, "The deadline of 0.05 s passed"));
	assert_int_equal(e.turns, 2);
	assert_non_null(strstr(out.text, "[ERROR] not run: deadline"));
	ff_run_free(run);
	ff_engine_free(engine);
	server_stop(&s);
}

static void cancel_at_start(struct events *e, const struct ff_event *event)
{
	if (event->type == FF_EVENT_START) {
		e->result = ff_engine_process(e->engine);
		ff_run_cancel(e->run, 0);
	}
}

static void test_cancel_from_an_event(void **state)
{
	struct ff_output output = kit_output(&out, FF_OUTPUT_RESPONSE);
	struct events e = { .act = cancel_at_start };
	struct ff_engine *engine = new_engine();
	struct kit_request k;
	struct ff_run *run;
	struct server s;

	(void)state;
	server_start(&s, SERVER_HOLDS);
	k = request_for(&s, "[" KIT_DATASET "," KIT_DATASET "]");
	run = start(engine, &k, &output, 1, &e);
	finish(engine, run);
	assert_int_equal(e.result, FF_R_INVAL); /* a callback may not turn the loop */
	assert_int_equal(ff_run_exit_status(run), 130);
	assert_int_equal(ff_run_error(run)->code, FF_R_CANCELED);
	assert_int_equal(e.turns, 2);
	assert_int_equal(out.complete, 1);
	ff_run_cancel(run, 0); /* too late, and harmless */
	ff_run_free(run);
	ff_engine_free(engine);
	server_stop(&s);
}

static void test_soft_cancel_keeps_what_is_in_flight(void **state)
{
	struct ff_engine *engine = new_engine();
	char *text = datasets(200);
	struct events e = { 0 };
	struct kit_request k;
	struct ff_counts counts;
	struct ff_run *run;
	struct server s;

	(void)state;
	server_start(&s, SERVER_ANSWERS);
	k = request_for(&s, text);
	k.options[0] = (struct ff_setting){ "concurrency", "{\"max\": 2, \"adaptive\": false}" };
	run = start(engine, &k, NULL, 0, &e);
	while (e.turns == 0)
		ff_engine_wait(engine, -1);
	ff_run_cancel(run, 60000);
	finish(engine, run);
	ff_run_counts(run, &counts);
	assert_int_equal(ff_run_exit_status(run), 130);
	assert_int_equal(counts.ok + counts.not_run, 200); /* none was cut */
	assert_true(counts.not_run > 0);
	ff_run_free(run);
	ff_engine_free(engine);
	server_stop(&s);
	free(text);
}

static void cancel_softly(struct events *e, const struct ff_event *event)
{
	if (event->type == FF_EVENT_TURN && e->turns == 3)
		ff_run_cancel(e->run, A_DAY_MS);
}

/* With a grace of a day, a run that waited for its end would never finish this test. */
static void test_soft_cancel_ends_with_the_last_turn(void **state)
{
	struct events e = { .act = cancel_softly };
	struct ff_engine *engine = new_engine();
	char *text = datasets(50);
	struct kit_request k;
	struct ff_counts counts;
	struct ff_run *run;
	struct server s;

	(void)state;
	server_start(&s, SERVER_ANSWERS);
	k = request_for(&s, text);
	k.options[0] = (struct ff_setting){ "concurrency", "{\"max\": 1, \"adaptive\": false}" };
	run = start(engine, &k, NULL, 0, &e);
	finish(engine, run);
	ff_run_counts(run, &counts);
	assert_int_equal(ff_run_exit_status(run), 130);
	assert_int_equal(counts.ok + counts.not_run, 50);
	ff_run_free(run);
	ff_engine_free(engine);
	server_stop(&s);
	free(text);
}

static void test_second_cancel_needs_no_grace(void **state)
{
	struct ff_engine *engine = new_engine();
	struct events e = { 0 };
	struct kit_request k;
	struct ff_counts counts;
	struct ff_run *run;
	struct server s;

	(void)state;
	server_start(&s, SERVER_HOLDS);
	k = request_for(&s, "[" KIT_DATASET "," KIT_DATASET "]");
	k.options[0] = (struct ff_setting){ "concurrency", "1" };
	run = start(engine, &k, NULL, 0, &e);
	while (server_requests(&s) == 0)
		ff_engine_wait(engine, 10);
	ff_run_cancel(run, A_DAY_MS);
	ff_engine_process(engine);
	assert_int_equal(ff_run_done(run), 0); /* the turn in flight has its grace */
	ff_run_cancel(run, 0);
	finish(engine, run);
	ff_run_counts(run, &counts);
	assert_int_equal(ff_run_exit_status(run), 130);
	assert_int_equal(counts.not_run, 1);
	assert_int_equal(counts.done, 2);
	assert_non_null(strstr(e.outcomes, "cancelled "));
	ff_run_free(run);
	ff_engine_free(engine);
	server_stop(&s);
}

static void test_free_while_running(void **state)
{
	struct ff_output output = kit_output(&out, FF_OUTPUT_RESPONSE);
	struct ff_engine *engine = new_engine();
	struct events e = { 0 };
	struct kit_request k[2];
	struct ff_run *run;
	struct server s;

	(void)state;
	server_start(&s, SERVER_HOLDS);
	k[0] = request_for(&s, "[" KIT_DATASET "]");
	k[1] = request_for(&s, "[" KIT_DATASET "]");
	run = start(engine, &k[0], &output, 1, &e);
	ff_engine_process(engine);
	ff_run_free(run);
	assert_int_equal(e.ends, 0); /* a run that is freed tells nothing more */
	assert_int_equal(out.done, 1);
	(void)start(engine, &k[1], NULL, 0, &e);
	ff_engine_process(engine);
	ff_engine_free(engine);
	assert_int_equal(e.ends, 0);
	server_stop(&s);
}

static void free_at_end(struct events *e, const struct ff_event *event)
{
	if (event->type != FF_EVENT_END)
		return;
	ff_run_free(e->run);
	e->run = NULL;
}

static void free_at_turn(struct events *e, const struct ff_event *event)
{
	if (event->type != FF_EVENT_TURN || !e->run)
		return;
	ff_run_free(e->run);
	e->run = NULL;
}

static void free_inside(void (*act)(struct events *e, const struct ff_event *event), unsigned turns)
{
	struct ff_output output = kit_output(&out, FF_OUTPUT_RESPONSE);
	struct events e = { .act = act };
	struct ff_engine *engine = new_engine();
	char *text = datasets(5);
	struct kit_request k;
	struct server s;

	server_start(&s, SERVER_ANSWERS);
	k = request_for(&s, text);
	(void)start(engine, &k, &output, 1, &e);
	while (out.done == 0 || e.run)
		ff_engine_wait(engine, -1);
	assert_int_equal(e.turns, turns);
	ff_engine_free(engine);
	server_stop(&s);
	free(text);
}

/* Freed by an event, and then the engine goes before the run could end. */
static void test_engine_goes_after_a_free_inside_an_event(void **state)
{
	struct events e = { .act = free_at_turn };
	struct ff_engine *engine = new_engine();
	char *text = datasets(300);
	struct kit_request k;
	struct server s;

	(void)state;
	server_start(&s, SERVER_ANSWERS);
	k = request_for(&s, text);
	(void)start(engine, &k, NULL, 0, &e);
	while (e.run)
		ff_engine_wait(engine, -1);
	ff_engine_free(engine);
	assert_int_equal(e.turns, 1);
	assert_int_equal(e.ends, 0);
	server_stop(&s);
	free(text);
}

static void test_free_inside_events(void **state)
{
	(void)state;
	free_inside(free_at_end, 5);
	free_inside(free_at_turn, 1);
}

static void test_one_output_fails_and_the_other_is_whole(void **state)
{
	struct ff_output outputs[] = { kit_output(&out, FF_OUTPUT_RESPONSE), kit_output(&second_out, FF_OUTPUT_RESPONSE) };
	struct ff_engine *engine = new_engine();
	char *text = datasets(20);
	struct events e = { 0 };
	struct kit_request k;
	struct ff_run *run;
	struct server s;

	(void)state;
	server_start(&s, SERVER_ANSWERS);
	k = request_for(&s, text);
	out.fail_at = 300;
	run = start(engine, &k, outputs, 2, &e);
	finish(engine, run);
	assert_int_equal(ff_run_exit_status(run), 73);
	assert_int_equal(ff_run_error(run)->code, FF_R_OUTPUT);
	assert_int_equal(out.complete, 0);
	assert_int_equal(second_out.complete, 1);
	assert_non_null(strstr(second_out.text, "\"total_datasets\":20"));
	ff_run_free(run);
	ff_engine_free(engine);
	server_stop(&s);
	free(text);
}

static void test_warnings_come_before_the_start(void **state)
{
	struct ff_engine *engine = new_engine();
	struct events e = { 0 };
	struct kit_request k;
	struct ff_run *run;
	struct server s;

	(void)state;
	server_start(&s, SERVER_ANSWERS);
	k = request_for(&s, "[{\"x\": 1, \"x\": 2, \"session_id\": \"s\", \"assistant_id\": \"a\", \"context\": \"\", "
	                    "\"conversation\": [" KIT_BATCH "]}]");
	k.params[0].value = "short";
	run = start(engine, &k, NULL, 0, &e);
	finish(engine, run);
	assert_int_equal(e.warnings, 2);
	assert_int_equal(e.order_broken, 0);
	ff_run_free(run);
	ff_engine_free(engine);
	server_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_run_answers),
		cmocka_unit_test(test_a_wrong_request_is_an_answer),
		cmocka_unit_test(test_inside_a_foreign_loop),
		cmocka_unit_test(test_two_engines_and_several_runs),
		cmocka_unit_test(test_how_runs_end),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_cancel_from_an_event),
		cmocka_unit_test(test_soft_cancel_keeps_what_is_in_flight),
		cmocka_unit_test(test_soft_cancel_ends_with_the_last_turn),
		cmocka_unit_test(test_second_cancel_needs_no_grace),
		cmocka_unit_test(test_free_while_running),
		cmocka_unit_test(test_free_inside_events),
		cmocka_unit_test(test_engine_goes_after_a_free_inside_an_event),
		cmocka_unit_test(test_one_output_fails_and_the_other_is_whole),
		cmocka_unit_test(test_warnings_come_before_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
