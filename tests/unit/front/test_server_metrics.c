/* test_server_metrics.c: what is fed comes out, in Prometheus' text, whole and bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "front/server/metrics.h"

static struct metrics *made(void)
{
	struct metrics *m = NULL;

	assert_int_equal(metrics_new(&m), 0);
	return m;
}

static char *text_of(const struct metrics *m, const struct metrics_now *now)
{
	static const struct metrics_now nothing;
	static const struct metrics_process process = {
		.cpu_seconds = 1.25, .resident_bytes = 4096, .open_fds = 7, .max_fds = 1024
	};
	static char text[1 << 17];
	struct buf out;

	buf_init(&out, METRICS_MAX_BYTES);
	assert_int_equal(metrics_write(m, now ? now : &nothing, &process, &out), 0);
	assert_true(out.len < sizeof(text));
	memcpy(text, out.ptr, out.len + 1);
	buf_release(&out);
	return text;
}

/* The line stands in the text, whole. */
static void has(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *at = strstr(text, line); at; at = strstr(at + 1, line))
		if ((at == text || at[-1] == '\n') && at[len] == '\n')
			return;
	fail_msg("expected the line: %s\nin:\n%s", line, text);
}

static void has_not(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("expected no \"%s\" in:\n%s", part, text);
}

static void test_fresh(void **state)
{
	struct metrics *m = made();
	const char *text = text_of(m, NULL);
	struct ff_outcome_info info;

	(void)state;
	for (size_t i = 0; i < ff_outcome_count(); i++) {
		char line[128];

		assert_int_equal(ff_outcome_at(i, &info), 0);
		snprintf(line, sizeof(line), "fairforge_turns_total{outcome=\"%s\"} 0", info.word);
		has(text, line);
	}
	has(text, "fairforge_runs_total{result=\"complete\"} 0");
	has(text, "fairforge_turned_away_total{reason=\"full\"} 0");
	has(text, "fairforge_turn_service_seconds_bucket{le=\"+Inf\"} 0");
	has(text, "fairforge_http_request_seconds_count{route=\"run\"} 0");
	has(text, "process_cpu_seconds_total 1.25");
	has(text, "process_resident_memory_bytes 4096");
	has(text, "process_open_fds 7");
	has(text, "process_max_fds 1024");
	has_not(text, "fairforge_http_requests_total{");
	metrics_free(m);
}

static void test_requests(void **state)
{
	struct metrics *m = made();
	const char *text;

	(void)state;
	metrics_request(m, SERVE_RUN, 200, 12, 100, 200);
	metrics_request(m, SERVE_RUN, 200, 1, 1, 2);
	metrics_request(m, SERVE_RUN, 429, 0.1, 0, 10);
	metrics_request(m, SERVE_OTHER, 404, 0.1, 0, 10);
	metrics_request(m, SERVE_RUN, 0, 400000, 5, 0);
	metrics_request(m, SERVE_RUN, 99999, 1, 0, 0); /* not one that we know: no series of its own */
	text = text_of(m, NULL);
	has(text, "fairforge_http_requests_total{route=\"run\",status=\"200\"} 2");
	has(text, "fairforge_http_requests_total{route=\"run\",status=\"429\"} 1");
	has(text, "fairforge_http_requests_total{route=\"run\",status=\"none\"} 2");
	has(text, "fairforge_http_requests_total{route=\"other\",status=\"404\"} 1");
	has(text, "fairforge_http_request_bytes_total 106");
	has(text, "fairforge_http_response_bytes_total 222");
	/* On a bound: it belongs to that bucket. */
	has(text, "fairforge_http_request_seconds_bucket{route=\"run\",le=\"0.001\"} 3");
	has(text, "fairforge_http_request_seconds_bucket{route=\"run\",le=\"0.01\"} 3");
	has(text, "fairforge_http_request_seconds_bucket{route=\"run\",le=\"0.025\"} 4");
	has(text, "fairforge_http_request_seconds_bucket{route=\"run\",le=\"300\"} 4");
	has(text, "fairforge_http_request_seconds_bucket{route=\"run\",le=\"+Inf\"} 5");
	has(text, "fairforge_http_request_seconds_count{route=\"run\"} 5");
	has(text, "fairforge_http_request_seconds_sum{route=\"run\"} 400.0141");
	metrics_free(m);
}

static void feed(struct metrics *m, struct ff_turn turn)
{
	struct ff_event event = { .type = FF_EVENT_TURN, .turn = &turn };

	metrics_event(m, &event);
}

static void test_turns(void **state)
{
	struct metrics *m = made();
	struct ff_event start = { .type = FF_EVENT_START }, end = { .type = FF_EVENT_END };
	const char *text;

	(void)state;
	metrics_event(m, &start);
	metrics_event(m, &end);
	feed(m, (struct ff_turn){ .outcome = "ok",
	                          .attempts = 1,
	                          .service_ms = 40,
	                          .queue_ms = 3,
	                          .first_content_ms = 20,
	                          .input_tokens = 7,
	                          .output_tokens = 11 });
	feed(m, (struct ff_turn){ .outcome = "ok",
	                          .attempts = 3,
	                          .service_ms = 2000,
	                          .first_content_ms = -1,
	                          .input_tokens = -1,
	                          .output_tokens = -1,
	                          .resent = 1 });
	feed(m, (struct ff_turn){ .outcome = "http_5xx", .attempts = 2, .first_content_ms = -1, .key_in_answer = 1 });
	feed(m, (struct ff_turn){ .outcome = "not_run", .first_content_ms = -1, .input_tokens = -1, .output_tokens = -1 });
	feed(m, (struct ff_turn){ .outcome = "an outcome \" that nobody knows", .attempts = 1, .first_content_ms = -1 });
	text = text_of(m, NULL);
	has(text, "fairforge_turns_total{outcome=\"ok\"} 2");
	has(text, "fairforge_turns_total{outcome=\"http_5xx\"} 1");
	has(text, "fairforge_turns_total{outcome=\"not_run\"} 1");
	has_not(text, "nobody knows");
	has(text, "fairforge_turn_retries_total 3");
	has(text, "fairforge_turns_resent_total 1");
	has(text, "fairforge_keys_in_answers_total 1");
	has(text, "fairforge_tokens_total{direction=\"input\"} 7");
	has(text, "fairforge_tokens_total{direction=\"output\"} 11");
	has(text, "fairforge_turn_service_seconds_count 4");
	has(text, "fairforge_turn_service_seconds_bucket{le=\"0.05\"} 3");
	has(text, "fairforge_turn_queue_seconds_sum 0.003");
	has(text, "fairforge_time_to_first_token_seconds_count 1");
	has(text, "fairforge_time_to_first_token_seconds_sum 0.02");
	metrics_free(m);
}

static void test_runs_and_state(void **state)
{
	struct metrics *m = made();
	const struct metrics_now now = { .runs_active = 3,
		                         .runs_max = 64,
		                         .connections = 9,
		                         .connections_max = 10000,
		                         .turns_in_flight = 12,
		                         .turns_queued = 100,
		                         .turns_waiting_retry = 2,
		                         .draining = 5,
		                         .lag = { .p99_ms = 1.5, .max_ms = 20 } };
	const char *text;

	(void)state;
	metrics_run(m, METRICS_RUN_COMPLETE);
	metrics_run(m, METRICS_RUN_ABANDONED);
	metrics_run(m, METRICS_RUN_ABANDONED);
	metrics_turned_away(m, METRICS_ORIGIN);
	metrics_log_dropped(m, 1);
	text = text_of(m, &now);
	has(text, "fairforge_runs_total{result=\"complete\"} 1");
	has(text, "fairforge_runs_total{result=\"abandoned\"} 2");
	has(text, "fairforge_turned_away_total{reason=\"origin\"} 1");
	has(text, "fairforge_log_lines_dropped_total 1");
	has(text, "fairforge_runs_active 3");
	has(text, "fairforge_runs_max 64");
	has(text, "fairforge_http_connections 9");
	has(text, "fairforge_turns_in_flight 12");
	has(text, "fairforge_turns_queued 100");
	has(text, "fairforge_turns_waiting_retry 2");
	has(text, "fairforge_draining 1");
	has(text, "fairforge_loop_lag_p99_seconds 0.0015");
	has(text, "fairforge_loop_lag_max_seconds 0.02");
	metrics_free(m);
}

/* A family is declared once, before its samples, and all of its samples stand together. */
static void test_families(void **state)
{
	struct metrics *m = made();
	struct str rest, family = STR_NULL;
	struct buf seen;

	(void)state;
	metrics_request(m, SERVE_RUN, 200, 1, 1, 1);
	rest = str_from(text_of(m, NULL));
	buf_init(&seen, 1 << 16);
	while (rest.ptr) {
		struct str line = str_split(&rest, '\n');

		if (str_starts_with(line, STR("# HELP "))) {
			line = str_sub(line, 7, line.len);
			family = str_split(&line, ' ');
			buf_append_char(&seen, ' ');
			if (str_find(buf_str(&seen), family, 0) != SIZE_MAX &&
			    seen.ptr[str_find(buf_str(&seen), family, 0) + family.len] == ' ')
				fail_msg("%.*s is declared twice", STR_ARG(family));
			buf_append_str(&seen, family);
			buf_append_char(&seen, ' ');
		} else if (line.len && line.ptr[0] != '#' && !str_starts_with(line, family)) {
			fail_msg("a sample of another family than %.*s: %.*s", STR_ARG(family), STR_ARG(line));
		}
	}
	assert_true(seen.len > 500);
	buf_release(&seen);
	metrics_free(m);
}

/* The document keeps its size whatever was fed: the cap holds even when every status was answered on every route. */
static void test_bounded(void **state)
{
	static const struct metrics_now now = { .runs_active = UINT64_MAX };
	static const struct metrics_process process = { .resident_bytes = UINT64_MAX };
	struct metrics *m = made();
	struct buf out;

	(void)state;
	for (size_t r = 0; r < SERVE_ROUTE_COUNT; r++)
		for (int s = 0; s < 1000; s++)
			metrics_request(m, (enum serve_route)r, s, 1e9, UINT32_MAX, UINT32_MAX);
	buf_init(&out, METRICS_MAX_BYTES);
	assert_int_equal(metrics_write(m, &now, &process, &out), 0);
	buf_release(&out);
	buf_init(&out, 100);
	assert_int_equal(metrics_write(m, &now, &process, &out), FF_R_TOOBIG);
	buf_release(&out);
	metrics_free(m);
	metrics_free(NULL);
}

static void test_process(void **state)
{
	struct metrics_process p;

	(void)state;
	metrics_process_read(&p);
	assert_true(p.resident_bytes > 100000);
	assert_true(p.open_fds >= 3 && p.open_fds < p.max_fds);
	assert_true(p.cpu_seconds >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fresh),          cmocka_unit_test(test_requests), cmocka_unit_test(test_turns),
		cmocka_unit_test(test_runs_and_state), cmocka_unit_test(test_families), cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
