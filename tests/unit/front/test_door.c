/*
 * test_door.c: one request of a door, from its text to its answer: statuses, caps, async, deadlines, a cancel, lack of memory. Turns are answered by a
 * server in a thread, whose origin the operator allows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "../lib/run_kit.h"
#include "../lib/server.h"
#include "base/alloc.h"
#include "front/common/door.h"

#define A_DAY_MS ((uint64_t)24 * 3600 * 1000)

struct world {
	struct server server;
	char allowed[128], payload[4 << 20];
	const char *env[3];
	struct ff_engine *engine;
};

static void open_engine(struct world *w)
{
	struct ff_engine_options eo = kit_engine_options(w->env);
	struct ff_error err = { 0 };

	eo.role = FF_ROLE_STRANGER;
	if (ff_engine_new(&eo, &w->engine, &err))
		fail_msg("the engine should be built: %s", err.text);
}

/* `datasets` of one batch each, asked at the server; `more`: members of the payload before them. */
static void make_payload(struct world *w, unsigned datasets, const char *more)
{
	size_t len = (size_t)snprintf(
	        w->payload, sizeof(w->payload),
	        "{%s\"connector\": {\"class_path\": \"langchain_openai.ChatOpenAI\", \"params\": {\"model\": \"m\", "
	        "\"max_retries\": 0, \"api_key\": \"" KIT_KEY "\", \"base_url\": \"%s\"}}, \"datasets\": [",
	        more, w->server.base_url);

	for (unsigned i = 0; i < datasets; i++)
		len += (size_t)snprintf(w->payload + len, sizeof(w->payload) - len, "%s" KIT_DATASET, i ? "," : "");
	len += (size_t)snprintf(w->payload + len, sizeof(w->payload) - len, "]}");
	assert_true(len < sizeof(w->payload));
}

static void world_open(struct world *w, enum server_mode mode)
{
	memset(w, 0, sizeof(*w));
	server_start(&w->server, mode);
	snprintf(w->allowed, sizeof(w->allowed), "FAIRFORGE_ALLOWED_ORIGINS=http://127.0.0.1:%u", w->server.port);
	w->env[0] = w->allowed;
	open_engine(w);
	make_payload(w, 1, "");
}

static void world_close(struct world *w)
{
	ff_engine_free(w->engine);
	server_stop(&w->server);
}

static struct door_run *door_of(struct world *w, const char *body, const struct door_limits *limits)
{
	struct door_request request = { .engine = w->engine, .body = str_from(body) };
	struct door_run *d;

	if (limits)
		request.limits = *limits;
	assert_int_equal(door_new(&request, &d), 0);
	return d;
}

static void finish(struct world *w, struct door_run *d)
{
	while (!door_done(d))
		assert_int_equal(ff_engine_wait(w->engine, -1), 0);
}

static void expect(const struct door_run *d, int status, const char *words)
{
	struct str body = door_body(d);

	assert_true(door_done(d));
	if (door_status(d) != status || !str_contains(body, str_from(words)))
		fail_msg("expected status %d and \"%s\", got status %d and:\n%.*s", status, words, door_status(d), (int)body.len,
		         body.ptr);
}

static void run_and_expect(struct world *w, const char *body, const struct door_limits *limits, int status, const char *words)
{
	struct door_run *d = door_of(w, body, limits);

	door_start(d, 0);
	finish(w, d);
	expect(d, status, words);
	door_free(d);
}

static struct world w; /* of the test that runs: too large for a stack */

/* ---- statuses ---- */

static void test_an_answer(void **state)
{
	struct door_run *d;
	struct ff_counts counts;

	(void)state;
	world_open(&w, SERVER_ANSWERS);
	d = door_of(&w, w.payload, NULL);
	assert_false(door_done(d));
	door_start(d, 0);
	assert_false(door_done(d));
	finish(&w, d);
	expect(d, 200, "\"success\":");
	expect(d, 200, "pong");
	assert_true(door_complete(d));
	door_counts(d, &counts);
	assert_int_equal(counts.ok, 1);
	door_cancel(d, 0); /* too late: nothing changes */
	expect(d, 200, "pong");
	door_free(d);
	door_free(NULL);
	world_close(&w);
}

static void test_failed_turns_are_an_answer(void **state)
{
	struct door_run *d;

	(void)state;
	world_open(&w, SERVER_REFUSES);
	d = door_of(&w, w.payload, NULL);
	door_start(d, 0);
	finish(&w, d);
	expect(d, 200, "[ERROR] ");
	assert_true(door_complete(d)); /* they were executed */
	door_free(d);
	world_close(&w);
}

static void test_bodies_without_a_request(void **state)
{
	static const char *const bodies[] = { "", " \n\t ", "{}", "null", " null\n", "{\"datasets\": []}", "{\"datasets\": null}" };

	(void)state;
	world_open(&w, SERVER_ANSWERS);
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct door_run *d = door_of(&w, bodies[i], NULL);

		door_start(d, 0);
		expect(d, 200, "No datasets provided"); /* at once: nothing had to be asked */
		assert_false(door_complete(d));
		door_free(d);
	}
	assert_int_equal(server_requests(&w.server), 0);
	world_close(&w);
}

static void test_bodies_that_are_no_json(void **state)
{
	static const char *const bodies[] = { "hello",
		                              "{",
		                              "{}{}",
		                              "{\"a\": NaN}",
		                              "{'a': 1}",
		                              "[1,]",
		                              "\"\xff\"",
		                              "{} x",
		                              "\x01",
		                              "{\"async\": true",
		                              "nul",
		                              "{}\n{}",
		                              KIT_DATASET "\n" KIT_DATASET "\n",
		                              KIT_DATASET " " KIT_DATASET,
		                              "{\"\\u00\": 1}" };

	(void)state;
	world_open(&w, SERVER_ANSWERS);
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct door_run *d = door_of(&w, bodies[i], NULL);
		struct ff_counts counts;

		door_start(d, 0);
		expect(d, 400, "{\"error\": \"Invalid JSON body\"}");
		assert_int_equal(door_body(d).len, strlen("{\"error\": \"Invalid JSON body\"}"));
		door_cancel(d, 0);
		expect(d, 400, "Invalid JSON body");
		assert_false(door_complete(d));
		assert_false(door_is_async(d));
		door_counts(d, &counts);
		assert_int_equal(counts.batches, 0);
		door_free(d);
	}
	world_close(&w);
}

static void test_what_is_wrong_with_a_request_is_an_answer(void **state)
{

	(void)state;
	world_open(&w, SERVER_ANSWERS);
	run_and_expect(&w, "{\"datasets\": [" KIT_DATASET "]}", NULL, 200, "No base_url provided");
	run_and_expect(&w, "{\"connector\": {\"params\": {}}, \"datasets\": [" KIT_DATASET "]}", NULL, 200,
	               "connector.class_path is required");
	run_and_expect(&w, "{\"connector\": {\"class_path\": \"os.system\"}, \"datasets\": [" KIT_DATASET "]}", NULL, 200,
	               "Failed to create LLM connector");
	run_and_expect(&w, "[1, 2]", NULL, 200, "\"success\":");
	run_and_expect(&w, "42", NULL, 200, "\"success\":");
	world_close(&w);
}

/* ---- caps ---- */

static void test_caps(void **state)
{
	const struct door_limits body = { .max_body_bytes = 64 }, depth = { .max_depth = 4 }, datasets = { .max_datasets = 1 },
	                         batches = { .max_batches = 1 }, answer = { .max_answer_bytes = 256 };

	(void)state;
	world_open(&w, SERVER_ANSWERS);
	run_and_expect(&w, w.payload, &body, 413, "{\"error\": ");
	run_and_expect(&w, "{\"a\": [[[[[]]]]]}", &depth, 413, "{\"error\": ");
	make_payload(&w, 2, "");
	run_and_expect(&w, w.payload, &datasets, 413, "{\"error\": \"The datasets are not valid: /datasets: There are 2 datasets");
	run_and_expect(&w, w.payload, &batches, 413, "{\"error\": \"The datasets are not valid: /datasets: There are 2 batches");
	assert_int_equal(server_requests(&w.server), 0);
	run_and_expect(&w, w.payload, &answer, 413, "The answer is larger than the 256 bytes that can be handed over");
	world_close(&w);
}

/* Each batch gets 300 KB that go into the answer as they are, and nowhere else: more than what is collected before it is written. */
static void lengthen(struct world *world)
{
	static const char member[] = "{\"observation\": \"";
	static char text[sizeof(world->payload)];
	char *out = text, *end = text + sizeof(text), *at = world->payload, *batch;

	while ((batch = strstr(at, "{\"qa_id\"")) != NULL) {
		out += snprintf(out, (size_t)(end - out), "%.*s%s", (int)(batch - at), at, member);
		assert_true(end - out > 400000);
		memset(out, 'x', 300000);
		out += 300000;
		out += snprintf(out, (size_t)(end - out), "\", ");
		at = batch + 1;
	}
	snprintf(out, (size_t)(end - out), "%s", at);
	memcpy(world->payload, text, sizeof(text));
}

/* An answer that passes its cap stops the run: what could not be handed over is not paid for. */
static void test_an_answer_beyond_the_cap_stops_the_run(void **state)
{
	const struct door_limits limits = { .max_answer_bytes = 300 };
	struct door_run *d;

	(void)state;
	world_open(&w, SERVER_ANSWERS);
	make_payload(&w, 8, "\"options\": {\"concurrency\": 1, \"order\": \"input\"}, ");
	lengthen(&w);
	d = door_of(&w, w.payload, &limits);
	door_start(d, 0);
	finish(&w, d);
	expect(d, 413, "larger than the 300 bytes");
	assert_false(door_complete(d));
	if (server_requests(&w.server) >= 8)
		fail_msg("the run should have stopped, but all 8 turns were asked");
	door_free(d);
	world_close(&w);
}

static bool grow_to_300(void *user, size_t bytes)
{
	size_t *grown = user;

	if (bytes > 300 - *grown)
		return false;
	*grown += bytes;
	return true;
}

/* No is asked once and for all, and what may be kept is what was allowed. */
static void test_an_answer_that_may_not_grow_stops_the_run(void **state)
{
	struct door_request request = { .may_grow = grow_to_300 };
	struct door_run *d;
	size_t grown = 0;

	(void)state;
	world_open(&w, SERVER_ANSWERS);
	make_payload(&w, 8, "\"options\": {\"concurrency\": 1, \"order\": \"input\"}, ");
	lengthen(&w);
	request.engine = w.engine;
	request.body = str_from(w.payload);
	request.user = &grown;
	assert_int_equal(door_new(&request, &d), 0);
	door_start(d, 0);
	finish(&w, d);
	expect(d, 503, "as large as may be held");
	assert_false(door_complete(d));
	assert_true(grown <= 300);
	if (server_requests(&w.server) >= 8)
		fail_msg("the run should have stopped, but all 8 turns were asked");
	door_free(d);
	world_close(&w);
}

/* ---- async ---- */

static void test_async(void **state)
{
	static const struct {
		const char *body;
		bool async;
	} cases[] = {
		{ "{\"async\": true}", true },
		{ "{\"async\": false, \"async\": true}", true },
		{ "{\"async\": true, \"async\": false}", false },
		{ "{\"async\": false}", false },
		{ "{\"\\u0061sync\": true}", true },
		{ "{\n\"async\"\n:\ntrue\n}\n", true },
		{ "{\"async\": \"true\"}", false },
		{ "{\"async\": 1}", false },
		{ "{\"async\": null}", false },
		{ "{\"options\": {\"async\": true}}", false },
		{ "[{\"async\": true}]", false },
		{ "{}", false },
		{ "", false },
	};

	(void)state;
	world_open(&w, SERVER_ANSWERS);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct door_run *d = door_of(&w, cases[i].body, NULL);

		if (door_is_async(d) != cases[i].async)
			fail_msg("%s: expected async to be %d", cases[i].body, cases[i].async);
		door_free(d); /* never started */
	}
	world_close(&w);
}

/* ---- deadlines and a cancel: the server holds its replies for ever, so that ending at all shows what ended it ---- */

static void expect_deadline(uint64_t deadline_ms, const char *own)
{
	struct door_run *d;
	char more[128] = "";

	if (own)
		snprintf(more, sizeof(more), "\"options\": {\"deadline_ms\": %s}, ", own);
	make_payload(&w, 1, more);
	d = door_of(&w, w.payload, NULL);
	door_start(d, deadline_ms);
	finish(&w, d);
	expect(d, 200, "[ERROR] ");
	assert_false(door_complete(d));
	door_free(d);
}

static void test_deadlines(void **state)
{

	(void)state;
	world_open(&w, SERVER_HOLDS);
	expect_deadline(30, NULL);
	expect_deadline(30, "0");          /* no limit of its own: the door's holds */
	expect_deadline(30, "2592000000"); /* a longer one of its own is lowered */
	expect_deadline(A_DAY_MS, "30");   /* a shorter one counts */
	expect_deadline(0, "30");
	world_close(&w);
}

/* An operator's own deadline is not raised by the door's. */
static void test_the_operators_deadline_holds(void **state)
{

	(void)state;
	world_open(&w, SERVER_HOLDS);
	ff_engine_free(w.engine);
	w.env[1] = "FAIRFORGE_DEADLINE_MS=30";
	open_engine(&w);
	expect_deadline(0, NULL);
	expect_deadline(A_DAY_MS, NULL);
	expect_deadline(A_DAY_MS, "2592000000");
	world_close(&w);
}

static void test_cancel(void **state)
{
	struct ff_counts counts;
	struct door_run *d;

	(void)state;
	world_open(&w, SERVER_HOLDS);
	d = door_of(&w, w.payload, NULL);
	door_cancel(d, 0); /* before it began: nothing to cancel */
	assert_false(door_done(d));
	door_start(d, 0);
	while (!server_requests(&w.server))
		ff_engine_wait(w.engine, 10);
	door_cancel(d, 0);
	door_cancel(d, 0);
	finish(&w, d);
	expect(d, 200, "[ERROR] ");
	assert_false(door_complete(d));
	door_counts(d, &counts);
	assert_int_equal(counts.done, 1);
	door_free(d);
	d = door_of(&w, w.payload, NULL);
	door_start(d, 0);
	door_free(d); /* cancels */
	world_close(&w);
}

/* ---- events ---- */

struct seen {
	unsigned starts, turns, ends;
	struct door_run *d;
	bool done_at_end;
};

static void on_event(void *user, const struct ff_event *event)
{
	struct seen *s = user;

	s->starts += event->type == FF_EVENT_START;
	s->turns += event->type == FF_EVENT_TURN;
	s->ends += event->type == FF_EVENT_END;
	if (event->type == FF_EVENT_END)
		s->done_at_end = door_done(s->d);
}

static void test_events(void **state)
{
	struct door_request request;
	struct seen seen = { 0 };

	(void)state;
	world_open(&w, SERVER_ANSWERS);
	make_payload(&w, 3, "");
	request = (struct door_request){ .engine = w.engine, .body = str_from(w.payload), .on_event = on_event, .user = &seen };
	assert_int_equal(door_new(&request, &seen.d), 0);
	door_start(seen.d, 0);
	finish(&w, seen.d);
	assert_int_equal(seen.starts, 1);
	assert_int_equal(seen.turns, 3);
	assert_int_equal(seen.ends, 1);
	door_free(seen.d);
	world_close(&w);
}

/* Many requests in one engine, each with its own answer. */
static void test_side_by_side(void **state)
{
	struct door_run *doors[24];

	(void)state;
	world_open(&w, SERVER_ANSWERS);
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++) {
		doors[i] = door_of(&w, i % 3 == 2 ? "nonsense" : w.payload, NULL);
		door_start(doors[i], A_DAY_MS);
	}
	for (size_t i = 0; i < ARRAY_SIZE(doors); i++) {
		finish(&w, doors[i]);
		expect(doors[i], i % 3 == 2 ? 400 : 200, i % 3 == 2 ? "Invalid JSON body" : "pong");
		door_free(doors[i]);
	}
	world_close(&w);
}

/* ---- lack of memory ---- */

static void test_error_body(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	assert_int_equal(door_error_body(&out, STR("a \"quoted\"\nline")), 0);
	assert_true(str_eq(buf_str(&out), STR("{\"error\": \"a \\\"quoted\\\"\\nline\"}")));
	buf_release(&out);
}

/* Every allocation fails in turn: there is always an answer that is JSON, and nothing is left behind. */
static void test_every_allocation_fails(void **state)
{
	uint64_t hits = 1;

	(void)state;
	world_open(&w, SERVER_ANSWERS);
	for (uint64_t n = 1; hits; n++) {
		struct door_request request = { .engine = w.engine, .body = str_from(w.payload) };
		struct door_run *d = NULL;
		struct str body;
		int r;

		mem_fault_arm(n, n % 2 == 0);
		r = door_new(&request, &d);
		if (r == 0) {
			door_start(d, 0);
			while (!door_done(d))
				ff_engine_wait(w.engine, -1);
		}
		hits = mem_fault_hits();
		mem_fault_arm(0, false);
		if (r) {
			assert_int_equal(r, FF_R_NOMEM);
			continue;
		}
		body = str_trim(door_body(d));
		if ((door_status(d) != 200 && door_status(d) != 500) || !body.len || body.ptr[0] != '{' ||
		    body.ptr[body.len - 1] != '}')
			fail_msg("allocation %ju: status %d, body: %.*s", (uintmax_t)n, door_status(d), (int)body.len, body.ptr);
		if (!hits)
			expect(d, 200, "pong");
		door_free(d);
		assert_true(n < 5000);
	}
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer),
		cmocka_unit_test(test_failed_turns_are_an_answer),
		cmocka_unit_test(test_bodies_without_a_request),
		cmocka_unit_test(test_bodies_that_are_no_json),
		cmocka_unit_test(test_what_is_wrong_with_a_request_is_an_answer),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_an_answer_beyond_the_cap_stops_the_run),
		cmocka_unit_test(test_an_answer_that_may_not_grow_stops_the_run),
		cmocka_unit_test(test_async),
		cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_the_operators_deadline_holds),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_side_by_side),
		cmocka_unit_test(test_error_body),
		cmocka_unit_test(test_every_allocation_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
