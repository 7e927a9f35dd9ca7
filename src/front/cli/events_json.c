/*
 * events_json.c: JSON objects on one line.
 */
#include "front/cli/events_json.h"

#include <string.h>

#include "front/common/quoted.h"

static void append_key(struct buf *out, const char *key)
{
	buf_printf(out, ",\"%s\":", key);
}

void event_begin(struct buf *out, const char *name)
{
	buf_printf(out, "{\"event\":\"%s\"", name);
}

void event_text(struct buf *out, const char *key, struct str value)
{
	append_key(out, key);
	quoted_append(out, value);
}

void event_int(struct buf *out, const char *key, int64_t value)
{
	append_key(out, key);
	buf_printf(out, "%lld", (long long)value);
}

void event_int_or_null(struct buf *out, const char *key, int64_t value)
{
	append_key(out, key);
	if (value < 0)
		buf_append_str(out, STR("null"));
	else
		buf_printf(out, "%lld", (long long)value);
}

void event_ms(struct buf *out, const char *key, double value)
{
	append_key(out, key);
	if (value < 0)
		buf_append_str(out, STR("null"));
	else
		buf_printf(out, "%.3f", value);
}

void event_bool(struct buf *out, const char *key, bool value)
{
	append_key(out, key);
	buf_append_str(out, value ? STR("true") : STR("false"));
}

void event_end(struct buf *out)
{
	buf_append_char(out, '}');
}

void event_append_counts(struct buf *out, const struct ff_counts *c)
{
	event_int(out, "datasets", (int64_t)c->datasets);
	event_int(out, "batches", (int64_t)c->batches);
	event_int(out, "done", (int64_t)c->done);
	event_int(out, "ok", (int64_t)c->ok);
	event_int(out, "succeeded", (int64_t)c->succeeded);
	event_int(out, "failed", (int64_t)c->failed);
	event_int(out, "not_run", (int64_t)c->not_run);
	event_int(out, "in_flight", (int64_t)c->in_flight);
	event_int(out, "waiting_retry", (int64_t)c->waiting_retry);
	event_int(out, "attempts", (int64_t)c->attempts);
	event_int(out, "retries", (int64_t)c->retries);
	event_int(out, "resent", (int64_t)c->resent);
	event_int(out, "concurrency", c->concurrency_now);
	event_int_or_null(out, "input_tokens", c->input_tokens);
	event_int_or_null(out, "output_tokens", c->output_tokens);
}

void event_append_turn(struct buf *out, const struct ff_turn *t)
{
	event_text(out, "session_id", str_from(t->session_id));
	event_text(out, "qa_id", str_from(t->qa_id));
	event_text(out, "outcome", str_from(t->outcome));
	event_bool(out, "success", t->success);
	event_text(out, "answer", str_of(t->answer, t->answer_len));
	event_ms(out, "execution_ms", t->execution_ms);
	event_ms(out, "service_ms", t->service_ms);
	event_ms(out, "first_content_ms", t->first_content_ms);
	event_ms(out, "queue_ms", t->queue_ms);
	event_int(out, "attempts", t->attempts);
	event_int_or_null(out, "http_status", t->http_status ? t->http_status : -1);
	event_text(out, "finish_reason", str_from(t->finish_reason));
	event_text(out, "model", str_from(t->model));
	event_text(out, "request_id", str_from(t->request_id));
	event_int_or_null(out, "input_tokens", t->input_tokens);
	event_int_or_null(out, "output_tokens", t->output_tokens);
	event_int_or_null(out, "total_tokens", t->total_tokens);
	event_bool(out, "resent", t->resent);
	event_bool(out, "key_in_answer", t->key_in_answer);
}
