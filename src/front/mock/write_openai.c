/*
 * write_openai.c: chat completions as OpenAI and Groq write them. They differ in what stands around the choices: OpenAI details its usage and
 * sends it in a chunk of its own when asked to; Groq adds times and x_groq, and streams its usage inside the last chunk's x_groq.
 */
#include "front/mock/write.h"

#include <inttypes.h>

void made_init(struct made *m, struct str text, uint64_t id, int64_t wall_ms, uint64_t spent_us)
{
	*m = (struct made){ .text = text, .tokens = text_tokens(text), .id = id, .wall_ms = wall_ms, .spent_us = spent_us };
	m->deltas = text_deltas(text, m->ends);
}

struct str made_delta(const struct made *m, size_t index)
{
	return str_sub(m->text, index ? m->ends[index - 1] : 0, m->ends[index]);
}

/* Prompt and completion tokens with their sum; `tokens` are those of all choices. */
static void put_usage(const struct ask *a, const struct made *m, struct buf *out)
{
	uint64_t tokens = m->tokens * a->choices;

	if (a->proto == PROTO_GROQ) {
		double spent = (double)m->spent_us / 1e6;
		buf_printf(out,
		           "{\"queue_time\":0.0005,\"prompt_tokens\":%" PRIu64
		           ",\"prompt_time\":%.6f,\"completion_tokens\":%" PRIu64
		           ",\"completion_time\":%.6f,\"total_tokens\":%" PRIu64 ",\"total_time\":%.6f}",
		           a->prompt_tokens, spent / 4, tokens, spent - spent / 4, a->prompt_tokens + tokens, spent);
		return;
	}
	buf_printf(out,
	           "{\"prompt_tokens\":%" PRIu64 ",\"completion_tokens\":%" PRIu64 ",\"total_tokens\":%" PRIu64
	           ",\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_"
	           "tokens\":0,"
	           "\"audio_tokens\":0,\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}}",
	           a->prompt_tokens, tokens, a->prompt_tokens + tokens);
}

static void put_head(const struct ask *a, const struct made *m, const char *object, struct buf *out)
{
	buf_printf(out, "{\"id\":\"chatcmpl-%016" PRIx64 "\",\"object\":\"%s\",\"created\":%" PRId64 ",\"model\":", m->id, object,
	           m->wall_ms / 1000);
	text_put_json(out, buf_str(&a->model));
}

static void put_fingerprint(const struct ask *a, struct buf *out)
{
	buf_append_str(out, STR(",\"system_fingerprint\":\"fp_fairforge_mock\""));
	if (a->proto == PROTO_OPENAI)
		buf_append_str(out, STR(",\"service_tier\":\"default\""));
}

static void write_plain(const struct ask *a, const struct made *m, struct mock_reply *r)
{
	struct buf *out = &r->body;

	put_head(a, m, "chat.completion", out);
	buf_append_str(out, STR(",\"choices\":["));
	for (unsigned i = 0; i < a->choices; i++) {
		buf_printf(out, "%s{\"index\":%u,\"message\":{\"role\":\"assistant\",\"content\":", i ? "," : "", i);
		text_put_json(out, m->text);
		if (a->proto == PROTO_OPENAI)
			buf_append_str(out, STR(",\"refusal\":null,\"annotations\":[]"));
		buf_append_str(out, STR("},\"logprobs\":null,\"finish_reason\":\"stop\"}"));
	}
	buf_append_str(out, STR("],\"usage\":"));
	put_usage(a, m, out);
	put_fingerprint(a, out);
	if (a->proto == PROTO_GROQ)
		buf_printf(out,
		           ",\"usage_breakdown\":null,\"x_groq\":{\"id\":\"req_%016" PRIx64 "\"},\"service_tier\":\"on_demand\"",
		           m->id);
	buf_append_str(out, STR("}\n"));
}

enum chunk { CHUNK_FIRST, CHUNK_DELTA, CHUNK_LAST };

static void put_delta(const struct ask *a, enum chunk kind, struct str delta, struct buf *out)
{
	switch (kind) {
	case CHUNK_FIRST:
		buf_printf(out, "{\"role\":\"assistant\",\"content\":\"\"%s}", a->proto == PROTO_OPENAI ? ",\"refusal\":null" : "");
		break;
	case CHUNK_DELTA:
		buf_append_str(out, STR("{\"content\":"));
		text_put_json(out, delta);
		buf_append_char(out, '}');
		break;
	case CHUNK_LAST: buf_append_str(out, STR("{}")); break;
	}
}

/* What Groq says of the stream: its id in the first chunk, its usage in the last. */
static void put_x_groq(const struct ask *a, const struct made *m, enum chunk kind, unsigned choice, struct buf *out)
{
	bool first = kind == CHUNK_FIRST && choice == 0, last = kind == CHUNK_LAST && choice + 1 == a->choices;

	if (a->proto != PROTO_GROQ || (!first && !last))
		return;
	buf_printf(out, ",\"x_groq\":{\"id\":\"req_%016" PRIx64 "\"", m->id);
	if (last) {
		buf_append_str(out, STR(",\"usage\":"));
		put_usage(a, m, out);
	}
	buf_append_char(out, '}');
}

/* One event for each choice, together one piece. */
static void put_chunk(const struct ask *a, const struct made *m, enum chunk kind, struct str delta, struct mock_reply *r)
{
	struct buf *out = &r->body;

	for (unsigned i = 0; i < a->choices; i++) {
		buf_append_str(out, STR("data: "));
		put_head(a, m, "chat.completion.chunk", out);
		put_fingerprint(a, out);
		buf_printf(out, ",\"choices\":[{\"index\":%u,\"delta\":", i);
		put_delta(a, kind, delta, out);
		buf_printf(out, ",\"logprobs\":null,\"finish_reason\":%s}]", kind == CHUNK_LAST ? "\"stop\"" : "null");
		if (a->usage_chunk && a->proto == PROTO_OPENAI)
			buf_append_str(out, STR(",\"usage\":null"));
		put_x_groq(a, m, kind, i, out);
		buf_append_str(out, STR("}\n\n"));
	}
	mock_reply_end_piece(r);
}

static void write_stream(const struct ask *a, const struct made *m, struct mock_reply *r)
{
	r->streamed = true;
	mock_reply_header_lit(r, "Cache-Control", "no-cache");
	put_chunk(a, m, CHUNK_FIRST, STR_NULL, r);
	r->repeat = r->piece_count;
	for (size_t i = 0; i < m->deltas; i++)
		put_chunk(a, m, CHUNK_DELTA, made_delta(m, i), r);
	put_chunk(a, m, CHUNK_LAST, STR_NULL, r);
	if (a->usage_chunk) { /* Groq counts twice then, as the real one does: in x_groq and here */
		buf_append_str(&r->body, STR("data: "));
		put_head(a, m, "chat.completion.chunk", &r->body);
		put_fingerprint(a, &r->body);
		buf_append_str(&r->body, STR(",\"choices\":[],\"usage\":"));
		put_usage(a, m, &r->body);
		buf_append_str(&r->body, STR("}\n\n"));
		mock_reply_end_piece(r);
	}
	buf_append_str(&r->body, STR("data: [DONE]\n\n"));
	mock_reply_end_piece(r);
}

void write_chat(const struct ask *a, const struct made *m, struct mock_reply *r)
{
	mock_reply_header(r, STR("Content-Type"), a->stream ? STR("text/event-stream; charset=utf-8") : STR("application/json"));
	if (a->stream)
		write_stream(a, m, r);
	else
		write_plain(a, m, r);
}
