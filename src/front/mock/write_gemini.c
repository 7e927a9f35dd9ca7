/*
 * write_gemini.c: generateContent and streamGenerateContent. A stream is SSE with alt=sse (events end in CRLF, no [DONE]) and one JSON array
 * without; every chunk is a whole response whose counts are those so far, the last one has the finishReason.
 */
#include "front/mock/write.h"

#include <inttypes.h>

static void put_candidates(const struct ask *a, struct str text, bool last, struct buf *out)
{
	buf_append_str(out, STR("{\"candidates\":["));
	for (unsigned i = 0; i < a->choices; i++) {
		buf_printf(out, "%s{\"content\":{\"parts\":[{\"text\":", i ? "," : "");
		text_put_json(out, text);
		buf_append_str(out, STR("}],\"role\":\"model\"}"));
		if (last)
			buf_append_str(out, STR(",\"finishReason\":\"STOP\""));
		buf_printf(out, ",\"index\":%u}", i);
	}
	buf_append_char(out, ']');
}

/* One response with `text`, counted as if `so_far` was all of the answer. */
static void put_response(const struct ask *a, const struct made *m, struct str text, struct str so_far, bool last, struct buf *out)
{
	uint64_t tokens = text_tokens(so_far) * a->choices;

	put_candidates(a, text, last, out);
	buf_printf(out,
	           ",\"usageMetadata\":{\"promptTokenCount\":%" PRIu64 ",\"candidatesTokenCount\":%" PRIu64
	           ",\"totalTokenCount\":%" PRIu64 ",\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":%" PRIu64
	           "}]},\"modelVersion\":",
	           a->prompt_tokens, tokens, a->prompt_tokens + tokens, a->prompt_tokens);
	text_put_json(out, buf_str(&a->model));
	buf_printf(out, ",\"responseId\":\"%016" PRIx64 "\"}", m->id);
}

static void write_stream(const struct ask *a, const struct made *m, struct mock_reply *r)
{
	r->streamed = true;
	for (size_t i = 0; i < m->deltas; i++) {
		bool last = i + 1 == m->deltas;
		buf_append_str(&r->body, a->sse ? STR("data: ") : i ? STR(",\r\n") : STR("["));
		put_response(a, m, made_delta(m, i), str_sub(m->text, 0, m->ends[i]), last, &r->body);
		buf_append_str(&r->body, a->sse ? STR("\r\n\r\n") : last ? STR("]\n") : STR(""));
		mock_reply_end_piece(r);
	}
	r->repeat = m->deltas > 2 ? 1 : 0;
}

void write_gemini(const struct ask *a, const struct made *m, struct mock_reply *r)
{
	bool sse = a->stream && a->sse;

	mock_reply_header(r, STR("Content-Type"), sse ? STR("text/event-stream") : STR("application/json; charset=UTF-8"));
	if (a->stream) {
		write_stream(a, m, r);
		return;
	}
	put_response(a, m, m->text, m->text, true, &r->body);
	buf_append_char(&r->body, '\n');
}
