/*
 * events_json.c: JSON objects on one line.
 */
#include "front/cli/events_json.h"

#include <string.h>

static bool acts_on_a_terminal(uint32_t c)
{
	return (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

void event_append_quoted(struct buf *out, struct str value)
{
	char *literal = ff_json_quote(value.ptr, value.len);
	struct str rest = str_from(literal);
	size_t at = 0;

	if (!literal) {
		buf_append_str(out, STR("null"));
		return;
	}
	while (at < rest.len) {
		size_t length = utf8_sequence_length(rest.ptr + at, rest.len - at);
		uint32_t c = length ? utf8_decode(rest.ptr + at, length) : 0xfffd;

		if (acts_on_a_terminal(c))
			buf_printf(out, "\\u%04x", c);
		else
			buf_append(out, rest.ptr + at, length ? length : 1);
		at += length ? length : 1;
	}
	ff_free(literal);
}

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
	event_append_quoted(out, value);
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
