/*
 * test_http.c: the whole of the engine over a fake transport: conversation, target, HTTP executor and a connector of two exchanges, ten thousand times
 * without a socket; then with every allocation failing in turn.
 */
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "engine/http_executor.h"

/* ---- transport: replies after a while, breaks, is silent ---- */

struct fake_transfer {
	struct timer timer;
	struct fake_net *net;
	struct http_callbacks callbacks;
	struct http_result result;
	void *user;
	bool open;
};

struct fake_net {
	struct http_transport base;
	struct sim *sim;
	struct fake_transfer *transfers;
	size_t room;
	uint64_t starts, fresh, cancels;
	bool perfect;
};

static void transfer_over(struct timer *timer, uint64_t now_us)
{
	struct fake_transfer *t = CONTAINER_OF(timer, struct fake_transfer, timer);
	if (t->result.failure == HTTP_COMPLETE) {
		t->result.stamps.first_byte = t->result.stamps.last_byte = now_us;
		t->callbacks.on_head(t->user, t->result.status, NULL, 0);
		if (t->callbacks.on_body(t->user, "body", 4) != 0)
			t->result.failure = HTTP_FAILED_TOO_BIG;
	}
	t->open = false;
	t->callbacks.on_done(t->user, &t->result);
}

static struct fake_transfer *free_transfer(struct fake_net *n)
{
	for (size_t i = 0; i < n->room; i++) {
		if (!n->transfers[i].open)
			return &n->transfers[i];
	}
	fail_msg("more than %zu transfers are open", n->room);
	return NULL;
}

/* What happens, and after how long. */
static uint64_t choose(struct fake_net *n, const struct http_request *request, struct http_result *result)
{
	struct rand *r = &n->sim->rand;
	uint32_t dice = n->perfect ? 0 : rand_u32(r) % 1000;
	uint64_t after = 1000 + rand_u32(r) % 50000;
	result->status = dice < 940 ? 200 : dice < 960 ? 503 : dice < 970 ? 400 : 0;
	if (result->status)
		return after;
	if (dice < 990) {
		result->failure = dice < 980 ? HTTP_FAILED_CONNECT : HTTP_FAILED_CUT;
		return after;
	}
	result->failure = HTTP_TIMED_OUT_IDLE;
	after = request->idle_timeout_ms * 1000;
	if (request->total_timeout_ms && request->total_timeout_ms * 1000 < after) {
		result->failure = HTTP_TIMED_OUT_TOTAL;
		after = request->total_timeout_ms * 1000;
	}
	return after;
}

static int net_start(struct http_transport *base, const struct http_request *request, const struct http_callbacks *callbacks,
                     void *user, struct http_transfer **ret, struct error *err)
{
	struct fake_net *n = CONTAINER_OF(base, struct fake_net, base);
	char *probe = mem_alloc(1); /* so that the fault loop fails starts as well */
	if (!probe)
		return error_nomem(err);
	mem_free(probe);
	struct fake_transfer *t = free_transfer(n);
	assert_true(request->url.len > 0 && request->body.len > 0);
	n->starts++;
	n->fresh += request->fresh_connect;
	t->open = true;
	t->callbacks = *callbacks;
	t->user = user;
	t->result = (struct http_result){ .failure = HTTP_COMPLETE,
		                          .stamps = { .start = n->sim->now_us, .connected = n->sim->now_us } };
	timer_arm(&n->sim->timers, &t->timer, n->sim->now_us + choose(n, request, &t->result));
	*ret = (struct http_transfer *)(void *)t;
	return 0;
}

static void net_cancel(struct http_transport *base, struct http_transfer *transfer)
{
	struct fake_net *n = CONTAINER_OF(base, struct fake_net, base);
	struct fake_transfer *t = (struct fake_transfer *)(void *)transfer;
	assert_true(t->open);
	n->cancels++;
	t->result.failure = HTTP_CANCELLED;
	t->result.status = 0;
	timer_arm(&n->sim->timers, &t->timer, n->sim->now_us);
}

static const struct http_transport_ops net_ops = { net_start, net_cancel };

static void net_init(struct fake_net *n, struct sim *s, size_t room)
{
	*n = (struct fake_net){ .base = { &net_ops }, .sim = s, .room = room };
	n->transfers = calloc(room, sizeof *n->transfers);
	assert_non_null(n->transfers);
	assert_int_equal(timers_reserve(&s->timers, room), 0);
	for (size_t i = 0; i < room; i++) {
		n->transfers[i].net = n;
		timer_init(&n->transfers[i].timer, transfer_over);
	}
}

static void net_release(struct fake_net *n)
{
	for (size_t i = 0; i < n->room; i++)
		assert_false(n->transfers[i].open);
	timers_unreserve(&n->sim->timers, n->room);
	free(n->transfers);
}

/* ---- connector: asks, then fetches ---- */

struct connector_turn {
	const struct turn_input *in;
	struct arena *arena;
	int status, step;
	char *own; /* not in the arena: end must come */
};

static struct connector_turn *begin(const struct connector *c, struct connector_session *s, const struct turn_input *in,
                                    struct arena *arena)
{
	(void)c;
	(void)s;
	struct connector_turn *t = ARENA_NEW(arena, struct connector_turn);
	if (!t)
		return NULL;
	t->own = mem_strdup("state");
	if (!t->own)
		return NULL;
	t->in = in;
	t->arena = arena;
	return t;
}

static int encode(struct connector_turn *t, struct exchange *ret, struct error *err)
{
	char *body = arena_printf(t->arena, "{\"q\":\"%.*s\"}", STR_ARG(t->in->messages[0].content));
	if (!body)
		return error_nomem(err);
	*ret = (struct exchange){ .method = STR("POST"), .url = STR("https://fake/v1"), .body = str_from(body) };
	return 0;
}

static void head(struct connector_turn *t, int status, const struct pair *headers, size_t header_count)
{
	(void)headers;
	(void)header_count;
	t->status = status;
}

static int feed(struct connector_turn *t, const char *data, size_t len, bool *ret_content)
{
	char *copy = arena_memdup(t->arena, data, len);
	*ret_content = t->step == 1;
	return copy ? 0 : FF_ENOMEM;
}

static void finish(struct connector_turn *t, struct verdict *ret)
{
	if (t->status >= 400) {
		ret->kind = t->status == 503 ? VERDICT_RETRY : VERDICT_FATAL;
		ret->outcome = t->status == 503 ? OUTCOME_HTTP_5XX : OUTCOME_HTTP_4XX;
		ret->error = STR("Fake: it said no.");
	} else if (t->step++ == 0) {
		ret->kind = VERDICT_ANOTHER;
	} else {
		*ret = (struct verdict){
			.kind = VERDICT_DONE, .outcome = OUTCOME_OK, .answer = STR("4"), .hint_ms = -1, .usage = { 1, 2, 3 }
		};
	}
}

static void end(struct connector_turn *t)
{
	mem_free(t->own);
}

static const struct connector_class two_step_class = {
	.name = "ChatTwoStep",
	.label = "Fake",
	.retry = { .transport = true, .timeouts = true, .default_max_retries = 2, .backoff_first_s = 0.5, .backoff_cap_s = 8 },
	.begin = begin,
	.encode = encode,
	.head = head,
	.feed = feed,
	.finish = finish,
	.end = end,
};

/* ---- a run over it ---- */

static uint64_t sim_now(void *user)
{
	return ((struct sim *)user)->now_us;
}

static int64_t sim_wall(void *user)
{
	return 1795356000000 + (int64_t)(((struct sim *)user)->now_us / 1000);
}

static size_t two_turns(size_t dataset)
{
	(void)dataset;
	return 2;
}

struct world {
	struct sim sim;
	struct fake_net net;
	struct sim_run run;
	struct executor *executor;
};

/* 0 or FF_ENOMEM (fault loop). */
static int make_executor(struct world *w, const struct options *options)
{
	struct error err = { 0 };
	struct connector *c = NEW(struct connector);
	if (!c)
		return FF_ENOMEM;
	c->class = &two_step_class;
	arena_init(&c->arena);
	c->base_url = STR("https://fake/v1");
	c->max_retries = 2;
	struct http_executor_config config = { .transport = &w->net.base,
		                               .connector = c,
		                               .options = options,
		                               .timers = &w->sim.timers,
		                               .now_us = sim_now,
		                               .wall_ms = sim_wall,
		                               .clock_user = &w->sim };
	int rc = http_executor_new(&config, &w->executor, &err);
	if (rc != 0)
		connector_free(c);
	return rc;
}

static void start_run(struct world *w, struct options *options, size_t datasets, struct fake_sink *k)
{
	struct fake_source_plan plan = {
		.datasets = datasets, .turns = two_turns, .fail_at = SIZE_MAX, .context = "Seven is odd."
	};
	sim_start_with(&w->sim, &w->run, options, fake_source_new(&plan), w->executor, k);
}

static void open_world(struct world *w, uint64_t seed, size_t room)
{
	memset(w, 0, sizeof *w);
	fake_source_reset();
	assert_true(sim_init(&w->sim, seed));
	net_init(&w->net, &w->sim, room);
}

static void close_world(struct world *w)
{
	run_free(w->run.run);
	net_release(&w->net);
	sim_release(&w->sim);
}

static void test_ten_thousand_turns(void **state)
{
	(void)state;
	struct world w;
	struct options options;
	open_world(&w, 5, 64);
	sim_options(&options, 64, false);
	options.idle_timeout_ms = 5000;
	options.turn_timeout_ms = 8000;
	assert_int_equal(make_executor(&w, &options), 0);
	start_run(&w, &options, 5000, fake_sink_new(&w.sim, 5000, two_turns, SIZE_MAX, 0));
	sim_run_to_end(&w.sim, &w.run, 1);
	const struct run_counts *n = run_counts(w.run.run);
	fake_sink_check_complete(w.run.sink);
	assert_int_equal(n->done, 10000);
	assert_true(n->outcomes[OUTCOME_OK] > 9500);
	assert_true(n->outcomes[OUTCOME_HTTP_4XX] > 0);
	assert_true(n->retries > 300);
	assert_true(w.net.fresh >= n->retries); /* our own retries never reuse a connection */
	assert_true(w.net.starts > n->attempts);
	assert_int_equal(n->input_tokens, (int64_t)n->outcomes[OUTCOME_OK]);
	assert_int_equal(n->output_tokens, 2 * (int64_t)n->outcomes[OUTCOME_OK]);
	close_world(&w);
}

static void test_hard_cancel_reaches_the_transport(void **state)
{
	(void)state;
	struct world w;
	struct options options;
	open_world(&w, 6, 64);
	sim_options(&options, 64, false);
	assert_int_equal(make_executor(&w, &options), 0);
	start_run(&w, &options, 5000, fake_sink_new(&w.sim, 5000, two_turns, SIZE_MAX, 0));
	sim_run_until(&w.sim, w.sim.now_us + 400000);
	run_cancel(w.run.run, w.sim.now_us, 0);
	sim_run_to_end(&w.sim, &w.run, 1);
	fake_sink_check_complete(w.run.sink);
	assert_true(w.net.cancels > 0);
	assert_true(run_counts(w.run.run)->outcomes[OUTCOME_CANCELLED] >= w.net.cancels);
	close_world(&w);
}

static bool play_with_fault(uint64_t countdown, bool forever)
{
	struct world w;
	struct options options;
	open_world(&w, 7, 3);
	w.net.perfect = true;
	sim_options(&options, 3, false);
	struct fake_sink *k = fake_sink_new(&w.sim, 6, two_turns, 2, 500);
	mem_fault_arm(countdown, forever);
	int rc = make_executor(&w, &options);
	if (rc == 0) {
		start_run(&w, &options, 6, k);
		if (w.run.start_code == 0)
			sim_run_to_end(&w.sim, &w.run, 1);
	}
	bool met = mem_fault_hits() > 0;
	mem_fault_arm(0, false);
	if (rc != 0) {
		assert_int_equal(rc, FF_ENOMEM);
		k->base.ops->free(&k->base);
	} else if (w.run.run && run_end_state(w.run.run) == RUN_FINISHED) {
		fake_sink_check_complete(w.run.sink);
		assert_true(met || run_counts(w.run.run)->outcomes[OUTCOME_OK] == 12);
	} else if (w.run.run) {
		assert_int_equal(run_error(w.run.run)->code, FF_ENOMEM);
	}
	close_world(&w);
	return met;
}

static void test_every_allocation_fails(void **state)
{
	(void)state;
	for (int forever = 0; forever < 2; forever++) {
		uint64_t n = 1;
		while (play_with_fault(n, forever))
			n++;
		assert_true(n > 50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ten_thousand_turns),
		cmocka_unit_test(test_hard_cancel_reaches_the_transport),
		cmocka_unit_test(test_every_allocation_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
