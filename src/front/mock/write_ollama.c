/*
 * write_ollama.c: /api/chat: one object, or one a line when streaming, of which the last is empty, done, and carries counts and durations in
 * nanoseconds. No messages load the model and say nothing.
 */
#include "front/mock/write.h"

#include <inttypes.h>

#include "base/clock.h"

static void put_head(const struct ask *a, const struct made *m, struct str content, struct buf *out)
{
	char when[25];

	clock_format_wall(m->wall_ms, when);
	buf_append_str(out, STR("{\"model\":"));
	text_put_json(out, buf_str(&a->model));
	buf_printf(out, ",\"created_at\":\"%s\",\"message\":{\"role\":\"assistant\",\"content\":", when);
	text_put_json(out, content);
	buf_append_char(out, '}');
}

static void put_end(const struct ask *a, const struct made *m, struct buf *out)
{
	uint64_t spent = m->spent_us * 1000;

	if (a->load) {
		buf_append_str(out, STR(",\"done_reason\":\"load\",\"done\":true}\n"));
		return;
	}
	buf_printf(out,
	           ",\"done\":true,\"done_reason\":\"stop\",\"total_duration\":%" PRIu64
	           ",\"load_duration\":1000000,\"prompt_eval_count\":%" PRIu64 ",\"prompt_eval_duration\":%" PRIu64
	           ",\"eval_count\":%" PRIu64 ",\"eval_duration\":%" PRIu64 "}\n",
	           spent + 1000000, a->prompt_tokens, spent / 4, m->tokens, spent - spent / 4);
}

void write_ollama(const struct ask *a, const struct made *m, struct mock_reply *r)
{
	bool lines = a->stream && !a->load;

	mock_reply_header(r, STR("Content-Type"), a->stream ? STR("application/x-ndjson") : STR("application/json; charset=utf-8"));
	r->streamed = a->stream;
	for (size_t i = 0; lines && i < m->deltas; i++) {
		put_head(a, m, made_delta(m, i), &r->body);
		buf_append_str(&r->body, STR(",\"done\":false}\n"));
		mock_reply_end_piece(r);
	}
	put_head(a, m, lines || a->load ? STR_NULL : m->text, &r->body);
	put_end(a, m, &r->body);
	mock_reply_end_piece(r);
}
