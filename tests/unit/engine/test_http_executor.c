/*
 * test_http_executor.c: one attempt over a scripted transport and a scripted connector: what is sent, what each failure becomes, that done comes exactly once
 * and never from inside start or cancel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/timers.h"
#include "engine/http_executor.h"

#define KEY "sk-planted-0123456789abcdef"

/* ---- the transport ---- */

struct fake_transport {
	struct http_transport base;
	struct http_request request; /* of the last start */
	const struct http_callbacks *callbacks;
	void *user;
	bool open, cancelled;
	int starts, start_code;
	const char *start_text;
};

static int transport_start(struct http_transport *base, const struct http_request *request, const struct http_callbacks *callbacks,
                           void *user, struct http_transfer **ret, struct error *err)
{
	struct fake_transport *t = (struct fake_transport *)(void *)base;
	assert_false(t->open);
	t->starts++;
	if (t->start_code)
		return error_set(err, t->start_code, "", "%s", t->start_text);
	t->request = *request;
	t->callbacks = callbacks;
	t->user = user;
	t->open = true;
	t->cancelled = false;
	*ret = (struct http_transfer *)(void *)t;
	return 0;
}

static void transport_cancel(struct http_transport *base, struct http_transfer *transfer)
{
	struct fake_transport *t = (struct fake_transport *)(void *)base;
	assert_ptr_equal(transfer, t);
	assert_true(t->open);
	assert_false(t->cancelled);
	t->cancelled = true;
}

static const struct http_transport_ops transport_ops = { transport_start, transport_cancel };

/* ---- the connector ---- */

struct connector_turn {
	const struct turn_input *input;
	int encoded, finished, heads;
	size_t fed;
	bool ended;
};

static struct {
	struct connector_turn *turn;
	int encode_code, feed_code;
	const char *encode_text;
	uint64_t idle_ms;
	bool begin_fails;
	struct verdict verdicts[3];
	int ends;
	char date[11];
} script;

static struct connector_turn *fake_begin(const struct connector *c, struct connector_session *s, const struct turn_input *in,
                                         struct arena *arena)
{
	(void)c;
	(void)s;
	if (script.begin_fails)
		return NULL;
	struct connector_turn *turn = ARENA_NEW(arena, struct connector_turn);
	if (!turn)
		return NULL;
	turn->input = in;
	memcpy(script.date, in->date, sizeof script.date);
	return script.turn = turn;
}

static const struct pair fake_headers[] = { { STR("Authorization"), STR("Bearer " KEY) } };

static int fake_encode(struct connector_turn *t, struct exchange *ret, struct error *err)
{
	t->encoded++;
	if (script.encode_code == FF_ENOMEM)
		return error_nomem(err);
	if (script.encode_code)
		return error_set(err, script.encode_code, "", "%s", script.encode_text);
	*ret = (struct exchange){ .method = STR("POST"),
		                  .url = STR("https://api.example.com/v1/chat"),
		                  .headers = fake_headers,
		                  .header_count = 1,
		                  .body = t->input->messages[0].content,
		                  .idle_timeout_ms = script.idle_ms };
	return 0;
}

static void fake_head(struct connector_turn *t, int status, const struct pair *headers, size_t header_count)
{
	(void)status;
	(void)headers;
	(void)header_count;
	t->heads++;
}

static int fake_feed(struct connector_turn *t, const char *data, size_t len, bool *ret_content)
{
	(void)data;
	t->fed += len;
	*ret_content = len > 2;
	return script.feed_code;
}

static void fake_finish(struct connector_turn *t, struct verdict *ret)
{
	*ret = script.verdicts[t->finished++];
}

static void fake_end(struct connector_turn *t)
{
	assert_false(t->ended);
	t->ended = true;
	script.ends++;
}

static struct connector_class fake_class = {
	.name = "ChatFake",
	.short_name = "fake",
	.label = "Fake",
	.retry = { .transport = true, .timeouts = true, .default_max_retries = 2, .backoff_first_s = 0.5, .backoff_cap_s = 8 },
	.begin = fake_begin,
	.encode = fake_encode,
	.head = fake_head,
	.feed = fake_feed,
	.finish = fake_finish,
	.end = fake_end,
};

/* ---- one world a test ---- */

struct world {
	struct fake_transport transport;
	struct timers timers;
	struct scrubber scrubber;
	struct connector *connector;
	struct options options;
	struct executor *executor;
	struct dataset dataset;
	struct batch batch;
	struct message message;
	struct arena arena;
	struct attempt attempt;
	uint64_t now_us;
	int dones;
};

static uint64_t now_us(void *user)
{
	return ((struct world *)user)->now_us;
}

static int64_t wall_ms(void *user)
{
	(void)user;
	return 1795356000000; /* 2026-11-22T14:00:00Z */
}

static void attempt_done(struct attempt *a)
{
	CONTAINER_OF(a, struct world, attempt)->dones++;
	assert_null(a->executor_state);
}

static struct http_executor_config config_of(struct world *w)
{
	return (struct http_executor_config){ .transport = &w->transport.base,
		                              .connector = w->connector,
		                              .options = &w->options,
		                              .timers = &w->timers,
		                              .scrubber = &w->scrubber,
		                              .now_us = now_us,
		                              .wall_ms = wall_ms,
		                              .clock_user = w };
}

static void open_executor(struct world *w)
{
	struct http_executor_config config = config_of(w);
	struct error err = { 0 };
	assert_int_equal(http_executor_new(&config, &w->executor, &err), 0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	memset(&script, 0, sizeof script);
	script.verdicts[0] =
	        (struct verdict){ .kind = VERDICT_DONE, .outcome = OUTCOME_OK, .answer = STR("4"), .usage = { 11, 2, 13 } };
	w->transport.base.ops = &transport_ops;
	timers_init(&w->timers);
	scrubber_init(&w->scrubber);
	assert_int_equal(scrubber_add(&w->scrubber, STR(KEY)), 0);
	w->connector = NEW(struct connector);
	w->connector->class = &fake_class;
	arena_init(&w->connector->arena);
	w->connector->base_url = STR("https://api.example.com/v1");
	assert_int_equal(arena_str(&w->connector->arena, STR(KEY), &w->connector->key), 0); /* it is wiped in place */
	w->connector->max_retries = 5;
	options_init(&w->options);
	w->batch.query = STR("What is 2+2?");
	w->dataset = (struct dataset){ .batches = &w->batch, .batch_count = 1 };
	w->message = (struct message){ STR("user"), STR("What is 2+2?") };
	w->now_us = 1000000;
	w->attempt = (struct attempt){ .dataset = &w->dataset,
		                       .messages = &w->message,
		                       .message_count = 1,
		                       .deadline_us = UINT64_MAX,
		                       .arena = &w->arena,
		                       .done = attempt_done };
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	if (w->executor)
		w->executor->ops->free(w->executor);
	arena_release(&w->arena);
	scrubber_release(&w->scrubber);
	timers_release(&w->timers);
	free(w);
	return 0;
}

static void start(struct world *w)
{
	if (!w->executor)
		open_executor(w);
	w->dones = 0;
	arena_reset(&w->arena);
	w->attempt.result = (struct attempt_result){ .usage = USAGE_UNKNOWN, .hint_ms = -1 };
	w->executor->ops->start(w->executor, &w->attempt);
	assert_int_equal(w->dones, 0); /* never from inside start */
}

static void complete(struct world *w, int status)
{
	struct http_result result = { .failure = HTTP_COMPLETE,
		                      .status = status,
		                      .stamps = { w->now_us - 500, w->now_us - 400, w->now_us - 100, w->now_us } };
	w->transport.callbacks->on_head(w->transport.user, status, NULL, 0);
	w->transport.open = false;
	w->transport.callbacks->on_done(w->transport.user, &result);
}

static void break_transfer(struct world *w, enum http_failure failure, int status, const char *text)
{
	struct http_result result = { .failure = failure, .status = status, .stamps = { .start = w->now_us } };
	if (status) /* some of the reply came, then silence */
		result.stamps.first_byte = result.stamps.last_byte = w->now_us;
	snprintf(result.text, sizeof result.text, "%s", text);
	w->transport.open = false;
	w->transport.callbacks->on_done(w->transport.user, &result);
}

static void expect_error(const struct world *w, enum outcome outcome, bool retryable, const char *text)
{
	const struct attempt_result *r = &w->attempt.result;
	assert_int_equal(w->dones, 1);
	assert_int_equal(script.ends, 1);
	assert_string_equal(outcome_word(r->outcome), outcome_word(outcome));
	assert_int_equal(r->retryable, retryable);
	if (!str_eq(r->error, str_from(text)))
		fail_msg("the error is \"%.*s\", expected \"%s\"", STR_ARG(r->error), text);
}

/* ---- tests ---- */

static void test_answer(void **state)
{
	struct world *w = *state;
	start(w);
	assert_true(w->transport.open);
	assert_true(str_eq(w->transport.request.body, STR("What is 2+2?")));
	assert_int_equal(w->transport.request.header_count, 1);
	assert_ptr_equal(w->transport.request.headers, fake_headers); /* not copied again */
	assert_false(w->transport.request.fresh_connect);
	assert_int_equal(w->transport.request.total_timeout_ms, 0);
	assert_int_equal(w->transport.request.connect_timeout_ms, 10000);
	assert_int_equal(w->transport.request.idle_timeout_ms, 600000);
	assert_false(w->transport.request.http11);
	assert_string_equal(script.date, "2026-11-22");
	assert_int_equal(w->transport.callbacks->on_body(w->transport.user, "ab", 2), 0);
	assert_int_equal(w->attempt.result.first_content_us, 0);
	w->now_us = 1200000;
	assert_int_equal(w->transport.callbacks->on_body(w->transport.user, "abc", 3), 0);
	w->now_us = 1300000;
	assert_int_equal(w->transport.callbacks->on_body(w->transport.user, "abc", 3), 0);
	complete(w, 200);
	const struct attempt_result *r = &w->attempt.result;
	assert_int_equal(w->dones, 1);
	assert_int_equal(script.ends, 1);
	assert_int_equal(script.turn->fed, 8);
	assert_int_equal(r->outcome, OUTCOME_OK);
	assert_true(str_eq(r->answer, STR("4")));
	assert_int_equal(r->usage.output_tokens, 2);
	assert_int_equal(r->http_status, 200);
	assert_false(r->unreachable);
	assert_false(r->key_in_answer);
	assert_int_equal(r->first_content_us, 1200000);
	assert_int_equal(r->sent_us, 1299500);
	assert_int_equal(r->connected_us, 1299600);
	assert_int_equal(r->first_byte_us, 1299900);
	assert_int_equal(r->last_byte_us, 1300000);
}

static void test_executor_tells_its_target(void **state)
{
	struct world *w = *state;
	open_executor(w);
	assert_string_equal(w->executor->target_origin, "https://api.example.com:443");
	assert_int_equal(w->executor->default_max_retries, 5);
	assert_false(w->executor->ordered);
	assert_true(w->executor->backoff_cap_s == 8);
	assert_true(w->executor->backoff_first_s == 0.5);
}

static uint64_t hash_with(const char *secret, bool from_environment)
{
	void *state = NULL;
	struct world *w;
	struct str *copy;
	uint64_t hash;

	assert_int_equal(setup(&state), 0);
	w = state;
	copy = ARENA_NEW(&w->connector->arena, struct str); /* wiped in place */
	assert_non_null(copy);
	assert_int_equal(arena_str(&w->connector->arena, str_from(secret), copy), 0);
	w->connector->secrets = copy;
	w->connector->secret_count = 1;
	w->connector->env_secrets = from_environment;
	open_executor(w);
	hash = w->executor->target_key_hash;
	teardown(&state);
	return hash;
}

/* Limits are an account's: what shows it besides the key makes another target, but not what a payload adds to a key of the environment. */
static void test_an_account_is_more_than_a_key(void **state)
{
	(void)state;
	assert_true(hash_with("Bearer one-0123456789", false) != hash_with("Bearer two-0123456789", false));
	assert_true(hash_with("Bearer one-0123456789", false) == hash_with("Bearer one-0123456789", false));
	assert_true(hash_with("Bearer one-0123456789", true) == hash_with("Bearer two-0123456789", true));
}

static void test_a_reply_has_the_cap_of_the_run(void **state)
{
	struct world *w = *state;
	struct http_executor_config config = config_of(w);
	struct error err = { 0 };

	config.max_reply_bytes = 12345;
	assert_int_equal(http_executor_new(&config, &w->executor, &err), 0);
	start(w);
	assert_int_equal(w->transport.request.max_body_bytes, 12345);
	complete(w, 200);
}

/* Words of a reply are cut before they are scrubbed: the beginning of a key at the cut is masked. */
static void test_a_key_that_is_cut_is_masked(void **state)
{
	struct world *w = *state;
	char model[4096 + sizeof KEY];

	memset(model, 'x', sizeof model);
	memcpy(model + 4096 - 10, KEY, sizeof KEY - 1); /* ten bytes of it are before the cut */
	script.verdicts[0].model = str_of(model, sizeof model);
	start(w);
	complete(w, 200);
	assert_int_equal(w->dones, 1);
	assert_true(str_ends_with(w->attempt.result.model, STR("x" SECRET_MASK SECRET_CUT)));
}

static void test_request_follows_the_options(void **state)
{
	struct world *w = *state;
	w->options.http_version = HTTP_VERSION_1_1;
	w->options.connect_timeout_ms = 77;
	w->connector->insecure_tls = true;
	w->connector->proxy = STR("http://proxy:3128");
	w->connector->cafile = STR("/ca.pem");
	w->attempt.fresh_connect = true;
	w->attempt.deadline_us = w->now_us + 2500001;
	start(w);
	assert_true(w->transport.request.http11);
	assert_true(w->transport.request.fresh_connect);
	assert_true(w->transport.request.insecure_tls);
	assert_int_equal(w->transport.request.connect_timeout_ms, 77);
	assert_int_equal(w->transport.request.total_timeout_ms, 2501); /* rounded up: the engine's own deadline comes first */
	assert_true(str_eq(w->transport.request.proxy, STR("http://proxy:3128")));
	assert_true(str_eq(w->transport.request.cafile, STR("/ca.pem")));
	complete(w, 200);
}

static void test_connectors_timeout_is_idle_and_connect(void **state)
{
	struct world *w = *state;
	w->connector->timeout_set = true;
	w->connector->timeout_ms = 400;
	start(w);
	assert_int_equal(w->transport.request.idle_timeout_ms, 400);
	assert_int_equal(w->transport.request.connect_timeout_ms, 400);
	complete(w, 200);
}

static void test_connectors_long_timeout_keeps_connect(void **state)
{
	struct world *w = *state;
	w->connector->timeout_set = true;
	w->connector->timeout_ms = 60000;
	start(w);
	assert_int_equal(w->transport.request.idle_timeout_ms, 60000);
	assert_int_equal(w->transport.request.connect_timeout_ms, 10000);
	complete(w, 200);
}

static void test_an_option_beats_the_connectors_timeout(void **state)
{
	struct world *w = *state;
	w->connector->timeout_set = true;
	w->connector->timeout_ms = 0;
	w->options.idle_timeout_set = true;
	w->options.idle_timeout_ms = 900;
	start(w);
	assert_int_equal(w->transport.request.idle_timeout_ms, 900);
	complete(w, 200);
}

static void test_an_exchange_has_its_own_idle_timeout(void **state)
{
	struct world *w = *state;
	script.idle_ms = 120000;
	start(w);
	assert_int_equal(w->transport.request.idle_timeout_ms, 120000);
	complete(w, 200);
}

static void test_timeout_zero_fails_at_once(void **state)
{
	struct world *w = *state;
	w->connector->timeout_set = true;
	start(w);
	assert_int_equal(w->transport.starts, 0);
	timers_run(&w->timers, w->now_us);
	expect_error(w, OUTCOME_TIMEOUT, true,
	             "Fake: the timeout of 0 s passed at once; give params.timeout a time, or null for none.");
}

static void test_failures(void **state)
{
	struct world *w = *state;
	static const struct {
		enum http_failure failure;
		int status;
		const char *text;
		enum outcome outcome;
		bool retryable;
		const char *expected;
	} rows[] = {
		{ HTTP_FAILED_RESOLVE, 0, "the name nowhere.invalid has no address", OUTCOME_TRANSPORT, true,
		  "Fake: the name nowhere.invalid has no address." },
		{ HTTP_FAILED_CONNECT, 0, "connection refused by 127.0.0.1:9", OUTCOME_TRANSPORT, true,
		  "Fake: connection refused by 127.0.0.1:9." },
		{ HTTP_FAILED_TLS, 0, "", OUTCOME_TRANSPORT, true, "Fake: the TLS handshake failed." },
		{ HTTP_FAILED_SEND, 0, "", OUTCOME_TRANSPORT, true, "Fake: the connection broke before a reply came." },
		{ HTTP_FAILED_CUT, 200, "", OUTCOME_TRANSPORT, true, "Fake: the connection broke inside the reply." },
		{ HTTP_FAILED_GARBAGE, 0, "", OUTCOME_TRANSPORT, true, "Fake: what came back is not HTTP." },
		{ HTTP_FAILED_TOO_BIG, 200, "", OUTCOME_BAD_REPLY, false, "Fake: the reply is larger than the cap on replies." },
		{ HTTP_FAILED_ENCODING, 200, "", OUTCOME_BAD_REPLY, false, "Fake: the compressed reply cannot be decoded." },
		{ HTTP_FAILED_ADDRESS, 0, "10.0.0.1 is a private address", OUTCOME_TRANSPORT, false,
		  "Fake: 10.0.0.1 is a private address." },
		{ HTTP_TIMED_OUT_CONNECT, 0, "", OUTCOME_TIMEOUT, true, "Fake: no connection stood in time." },
		{ HTTP_TIMED_OUT_IDLE, 0, "no byte came for 400 ms", OUTCOME_TIMEOUT, true, "Fake: no byte came for 400 ms." },
		{ HTTP_TIMED_OUT_TOTAL, 200, "", OUTCOME_TIMEOUT, false,
		  "Fake: the time for the turn was over before the answer was complete." },
		{ HTTP_CANCELLED, 0, "", OUTCOME_CANCELLED, false, "Fake: cancelled before the answer was complete." },
		{ HTTP_FAILED_LOCAL, 0, "no file descriptors are left", OUTCOME_TRANSPORT, false,
		  "Fake: no file descriptors are left." },
		{ HTTP_FAILED_CONNECT, 0, "the proxy wants " KEY, OUTCOME_TRANSPORT, true, "Fake: the proxy wants [REDACTED]." },
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		script.ends = 0;
		start(w);
		break_transfer(w, rows[i].failure, rows[i].status, rows[i].text);
		expect_error(w, rows[i].outcome, rows[i].retryable, rows[i].expected);
		assert_int_equal(w->attempt.result.unreachable, rows[i].status == 0);
		assert_int_equal(w->attempt.result.http_status, rows[i].status);
		assert_int_equal(w->attempt.result.first_byte_us, rows[i].status ? w->now_us : 0);
		assert_int_equal(w->attempt.result.last_byte_us, 0); /* there was no last one */
		assert_int_equal(w->attempt.result.sent_us, w->now_us);
	}
}

static void test_rules_of_a_class(void **state)
{
	struct world *w = *state;
	static const struct {
		struct retry_rules rules;
		bool connect, send, cut, timeout;
	} rows[] = {
		{ { .transport = true, .timeouts = true }, true, true, true, true },
		{ { .transport = true, .before_reply_only = true }, true, true, false, false },
		{ { .transport = true, .connect_only = true, .timeouts = true }, true, false, false, true },
		{ { .transport = false }, false, false, false, false },
	};
	struct retry_rules kept = fake_class.retry;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fake_class.retry = rows[i].rules;
		start(w);
		break_transfer(w, HTTP_FAILED_CONNECT, 0, "");
		assert_int_equal(w->attempt.result.retryable, rows[i].connect);
		start(w);
		break_transfer(w, HTTP_FAILED_SEND, 0, "");
		assert_int_equal(w->attempt.result.retryable, rows[i].send);
		start(w);
		break_transfer(w, HTTP_FAILED_CUT, 200, "");
		assert_int_equal(w->attempt.result.retryable, rows[i].cut);
		start(w);
		break_transfer(w, HTTP_TIMED_OUT_IDLE, 0, "");
		assert_int_equal(w->attempt.result.retryable, rows[i].timeout);
	}
	fake_class.retry = kept;
}

static void test_verdicts(void **state)
{
	struct world *w = *state;
	script.verdicts[0] = (struct verdict){ .kind = VERDICT_RETRY,
		                               .outcome = OUTCOME_RATE_LIMITED,
		                               .error = STR("Fake: too many requests for key " KEY " (429)."),
		                               .request_id = STR("req-" KEY),
		                               .usage = USAGE_UNKNOWN,
		                               .hint_ms = 4770,
		                               .daily_quota = true };
	start(w);
	complete(w, 429);
	expect_error(w, OUTCOME_RATE_LIMITED, true, "Fake: too many requests for key [REDACTED] (429).");
	assert_int_equal(w->attempt.result.hint_ms, 4770);
	assert_true(w->attempt.result.daily_quota);
	assert_int_equal(w->attempt.result.http_status, 429);
	assert_true(str_eq(w->attempt.result.request_id, STR("req-[REDACTED]")));
	script.ends = 0;
	script.verdicts[0] = (struct verdict){ .kind = VERDICT_FATAL,
		                               .outcome = OUTCOME_HTTP_4XX,
		                               .error = STR("Fake: no such model (404)."),
		                               .usage = USAGE_UNKNOWN,
		                               .hint_ms = 9,
		                               .setup_error = true };
	start(w);
	complete(w, 404);
	expect_error(w, OUTCOME_HTTP_4XX, false, "Fake: no such model (404).");
	assert_int_equal(w->attempt.result.hint_ms, -1); /* a hint belongs to what is tried again */
	assert_true(w->attempt.result.setup_error);
}

static void test_key_in_an_answer_is_flagged_and_kept(void **state)
{
	struct world *w = *state;
	script.verdicts[0].answer = STR("Your key is " KEY "!");
	start(w);
	complete(w, 200);
	assert_true(w->attempt.result.key_in_answer);
	assert_true(str_eq(w->attempt.result.answer, STR("Your key is " KEY "!")));
}

static void test_two_exchanges(void **state)
{
	struct world *w = *state;
	script.verdicts[0] = (struct verdict){ .kind = VERDICT_ANOTHER };
	script.verdicts[1] =
	        (struct verdict){ .kind = VERDICT_DONE, .outcome = OUTCOME_OK, .answer = STR("4"), .usage = USAGE_UNKNOWN };
	w->attempt.deadline_us = w->now_us + 10000000;
	start(w);
	w->now_us += 3000000;
	complete(w, 200);
	assert_int_equal(w->dones, 0);
	assert_int_equal(w->transport.starts, 2);
	assert_int_equal(w->transport.request.total_timeout_ms, 7000); /* what is left of the turn */
	w->now_us += 1000000;
	complete(w, 200);
	assert_int_equal(w->dones, 1);
	assert_int_equal(script.turn->encoded, 2);
	assert_int_equal(w->attempt.result.sent_us, 3999500);      /* of the first */
	assert_int_equal(w->attempt.result.last_byte_us, 5000000); /* of the last */
}

static void test_cancel(void **state)
{
	struct world *w = *state;
	start(w);
	w->executor->ops->cancel(w->executor, &w->attempt);
	w->executor->ops->cancel(w->executor, &w->attempt); /* twice is once */
	assert_int_equal(w->dones, 0);
	assert_true(w->transport.cancelled);
	break_transfer(w, HTTP_CANCELLED, 0, "");
	expect_error(w, OUTCOME_CANCELLED, false, "Fake: cancelled before the answer was complete.");
}

static void test_cancel_at_the_deadline_is_a_timeout(void **state)
{
	struct world *w = *state;
	w->attempt.deadline_us = w->now_us + 1000;
	start(w);
	w->now_us += 1000;
	w->executor->ops->cancel(w->executor, &w->attempt);
	break_transfer(w, HTTP_CANCELLED, 0, "");
	expect_error(w, OUTCOME_TIMEOUT, false, "Fake: the time for the turn was over before the answer was complete.");
}

static void test_a_reply_that_beats_the_cancel_counts(void **state)
{
	struct world *w = *state;
	start(w);
	w->executor->ops->cancel(w->executor, &w->attempt);
	complete(w, 200);
	assert_int_equal(w->attempt.result.outcome, OUTCOME_OK);
}

static void test_cancel_between_two_exchanges(void **state)
{
	struct world *w = *state;
	script.verdicts[0] = (struct verdict){ .kind = VERDICT_ANOTHER };
	start(w);
	w->executor->ops->cancel(w->executor, &w->attempt);
	complete(w, 200);
	assert_int_equal(w->transport.starts, 1); /* the second is not sent any more */
	assert_int_equal(w->dones, 0);
	w->executor->ops->cancel(w->executor, &w->attempt);
	timers_run(&w->timers, w->now_us);
	expect_error(w, OUTCOME_CANCELLED, false, "Fake: cancelled before the answer was complete.");
}

static void test_what_cannot_be_sent(void **state)
{
	struct world *w = *state;
	script.encode_code = FF_EDATA;
	script.encode_text = "the query holds an image for " KEY;
	start(w);
	assert_int_equal(w->transport.starts, 0);
	w->executor->ops->cancel(w->executor, &w->attempt); /* its end is on the way: nothing */
	timers_run(&w->timers, w->now_us);
	expect_error(w, OUTCOME_NOT_RUN, false, "Fake: the query holds an image for [REDACTED].");

	script.ends = 0;
	script.encode_text = "Fake: a sentence with its label.";
	start(w);
	timers_run(&w->timers, w->now_us);
	expect_error(w, OUTCOME_NOT_RUN, false, "Fake: a sentence with its label.");

	script.ends = 0;
	script.encode_code = FF_ENOMEM;
	start(w);
	timers_run(&w->timers, w->now_us);
	expect_error(w, OUTCOME_NOT_RUN, false, "Fake: the request could not be sent: out of memory.");

	script.ends = 0;
	script.encode_code = 0;
	w->transport.start_code = FF_EUSAGE;
	w->transport.start_text = "the header X-Bad has a line break";
	start(w);
	timers_run(&w->timers, w->now_us);
	expect_error(w, OUTCOME_NOT_RUN, false, "Fake: the header X-Bad has a line break.");
}

static void test_many_that_cannot_be_sent_end_in_order(void **state)
{
	struct world *w = *state;
	struct world others[3];
	script.encode_code = FF_EDATA;
	script.encode_text = "no";
	start(w);
	for (size_t i = 0; i < 3; i++) {
		others[i] = (struct world){ .attempt = w->attempt };
		others[i].attempt.arena = &others[i].arena;
		w->executor->ops->start(w->executor, &others[i].attempt);
	}
	w->executor->ops->cancel(w->executor, &others[1].attempt);
	timers_run(&w->timers, w->now_us);
	assert_int_equal(w->dones, 1);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(others[i].dones, 1);
		arena_release(&others[i].arena);
	}
}

static void test_begin_without_memory(void **state)
{
	struct world *w = *state;
	script.begin_fails = true;
	start(w);
	timers_run(&w->timers, w->now_us);
	assert_int_equal(w->dones, 1);
	assert_int_equal(w->attempt.result.outcome, OUTCOME_NOT_RUN);
	/* not a byte for the attempt's own state, nor for its sentence */
	script.begin_fails = false;
	arena_release(&w->arena); /* its block from before would still serve */
	mem_fault_arm(1, true);
	w->dones = 0;
	w->attempt.result = (struct attempt_result){ .usage = USAGE_UNKNOWN, .hint_ms = -1 };
	w->executor->ops->start(w->executor, &w->attempt);
	mem_fault_arm(0, false);
	timers_run(&w->timers, w->now_us);
	assert_int_equal(w->dones, 1);
	assert_int_equal(w->attempt.result.outcome, OUTCOME_NOT_RUN);
	assert_true(w->attempt.result.error.len > 0);
}

static void test_feed_stops_the_transfer(void **state)
{
	struct world *w = *state;
	start(w);
	script.feed_code = FF_ENOMEM;
	assert_int_equal(w->transport.callbacks->on_body(w->transport.user, "abc", 3), FF_ENOMEM);
	break_transfer(w, HTTP_FAILED_TOO_BIG, 200, "stopped by the reader");
	expect_error(w, OUTCOME_TRANSPORT, false, "Fake: out of memory while the reply was read.");
	script.ends = 0;
	start(w);
	script.feed_code = FF_ETOOBIG;
	assert_int_equal(w->transport.callbacks->on_body(w->transport.user, "abc", 3), FF_ETOOBIG);
	break_transfer(w, HTTP_FAILED_TOO_BIG, 200, "stopped by the reader");
	expect_error(w, OUTCOME_BAD_REPLY, false, "Fake: the reply is larger than the cap on replies.");
}

static void test_new_fails_cleanly(void **state)
{
	struct world *w = *state;
	struct error err = { 0 };
	struct http_executor_config config = config_of(w);
	struct executor *executor = NULL;
	w->connector->base_url = STR("ftp://example.com");
	assert_int_equal(http_executor_new(&config, &executor, &err), FF_EUSAGE);
	assert_true(err.text[0] != '\0');
	w->connector->base_url = STR("https://api.example.com/v1");
	for (uint64_t n = 1;; n++) {
		mem_fault_arm(n, false);
		int rc = http_executor_new(&config, &executor, &err);
		bool met = mem_fault_hits() > 0;
		mem_fault_arm(0, false);
		if (!met) {
			assert_int_equal(rc, 0);
			w->executor = executor;
			break;
		}
		assert_int_equal(rc, FF_ENOMEM);
		assert_null(executor);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_answer),
		TEST(test_executor_tells_its_target),
		cmocka_unit_test(test_an_account_is_more_than_a_key),
		TEST(test_a_reply_has_the_cap_of_the_run),
		TEST(test_a_key_that_is_cut_is_masked),
		TEST(test_request_follows_the_options),
		TEST(test_connectors_timeout_is_idle_and_connect),
		TEST(test_connectors_long_timeout_keeps_connect),
		TEST(test_an_option_beats_the_connectors_timeout),
		TEST(test_an_exchange_has_its_own_idle_timeout),
		TEST(test_timeout_zero_fails_at_once),
		TEST(test_failures),
		TEST(test_rules_of_a_class),
		TEST(test_verdicts),
		TEST(test_key_in_an_answer_is_flagged_and_kept),
		TEST(test_two_exchanges),
		TEST(test_cancel),
		TEST(test_cancel_at_the_deadline_is_a_timeout),
		TEST(test_a_reply_that_beats_the_cancel_counts),
		TEST(test_cancel_between_two_exchanges),
		TEST(test_what_cannot_be_sent),
		TEST(test_many_that_cannot_be_sent_end_in_order),
		TEST(test_begin_without_memory),
		TEST(test_feed_stops_the_transfer),
		TEST(test_new_fails_cleanly),
	};
	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
