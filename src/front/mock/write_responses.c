/*
 * write_responses.c: OpenAI's Responses API: one output item, one message with one text. Its stream is a sequence of named, numbered events in
 * which the response object appears three times (created, in_progress, completed) and the message opens and closes around the deltas.
 */
#include "front/mock/write.h"

#include <inttypes.h>

static void put_part(struct str text, struct buf *out)
{
	buf_append_str(out, STR("{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":"));
	text_put_json(out, text);
	buf_append_char(out, '}');
}

/* The message: empty and in progress, or whole. */
static void put_item(const struct made *m, bool done, struct buf *out)
{
	buf_printf(out,
	           "{\"id\":\"msg_%016" PRIx64 "\",\"type\":\"message\",\"status\":\"%s\",\"role\":\"assistant\",\"content\":[",
	           m->id, done ? "completed" : "in_progress");
	if (done)
		put_part(m->text, out);
	buf_append_str(out, STR("]}"));
}

static void put_response(const struct ask *a, const struct made *m, bool done, struct buf *out)
{
	buf_printf(out,
	           "{\"id\":\"resp_%016" PRIx64 "\",\"object\":\"response\",\"created_at\":%" PRId64
	           ",\"status\":\"%s\",\"model\":",
	           m->id, m->wall_ms / 1000, done ? "completed" : "in_progress");
	text_put_json(out, buf_str(&a->model));
	buf_append_str(
	        out,
	        STR(",\"background\":false,\"error\":null,\"incomplete_details\":null,\"instructions\":null,\"max_output_tokens\":"
	            "null,"
	            "\"metadata\":{},\"parallel_tool_calls\":true,\"previous_response_id\":null,\"reasoning\":{\"effort\":null,"
	            "\"summary\":null},\"service_tier\":\"default\",\"store\":false,\"temperature\":1.0,\"text\":{\"format\":"
	            "{\"type\":\"text\"}},\"tool_choice\":\"auto\",\"tools\":[],\"top_p\":1.0,\"truncation\":\"disabled\",\"user\":"
	            "null,"
	            "\"output\":["));
	if (done)
		put_item(m, true, out);
	buf_append_str(out, STR("],\"usage\":"));
	if (done)
		buf_printf(out,
		           "{\"input_tokens\":%" PRIu64 ",\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":%" PRIu64
		           ",\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":%" PRIu64 "}",
		           a->prompt_tokens, m->tokens, a->prompt_tokens + m->tokens);
	else
		buf_append_str(out, STR("null"));
	buf_append_char(out, '}');
}

/* "event: NAME", and the data as far as every event has it; the caller adds members and calls end_event. */
static void begin_event(struct mock_reply *r, const char *name, unsigned *number)
{
	buf_printf(&r->body, "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%u", name, name, (*number)++);
}

static void end_event(struct mock_reply *r)
{
	buf_append_str(&r->body, STR("}\n\n"));
	mock_reply_end_piece(r);
}

static void event_response(struct mock_reply *r, const char *name, unsigned *number, const struct ask *a, const struct made *m,
                           bool done)
{
	begin_event(r, name, number);
	buf_append_str(&r->body, STR(",\"response\":"));
	put_response(a, m, done, &r->body);
	end_event(r);
}

static void event_item(struct mock_reply *r, const char *name, unsigned *number, const struct made *m, bool done)
{
	begin_event(r, name, number);
	buf_append_str(&r->body, STR(",\"output_index\":0,\"item\":"));
	put_item(m, done, &r->body);
	end_event(r);
}

static void put_place(struct mock_reply *r, const struct made *m)
{
	buf_printf(&r->body, ",\"item_id\":\"msg_%016" PRIx64 "\",\"output_index\":0,\"content_index\":0", m->id);
}

static void event_part(struct mock_reply *r, const char *name, unsigned *number, const struct made *m, struct str text)
{
	begin_event(r, name, number);
	put_place(r, m);
	buf_append_str(&r->body, STR(",\"part\":"));
	put_part(text, &r->body);
	end_event(r);
}

static void event_text(struct mock_reply *r, const char *name, unsigned *number, const struct made *m, const char *member,
                       struct str text)
{
	begin_event(r, name, number);
	put_place(r, m);
	buf_printf(&r->body, ",\"logprobs\":[],\"%s\":", member);
	text_put_json(&r->body, text);
	end_event(r);
}

static void write_stream(const struct ask *a, const struct made *m, struct mock_reply *r)
{
	unsigned number = 0;

	r->streamed = true;
	event_response(r, "response.created", &number, a, m, false);
	event_response(r, "response.in_progress", &number, a, m, false);
	event_item(r, "response.output_item.added", &number, m, false);
	event_part(r, "response.content_part.added", &number, m, STR_NULL);
	r->repeat = r->piece_count;
	for (size_t i = 0; i < m->deltas; i++)
		event_text(r, "response.output_text.delta", &number, m, "delta", made_delta(m, i));
	event_text(r, "response.output_text.done", &number, m, "text", m->text);
	event_part(r, "response.content_part.done", &number, m, m->text);
	event_item(r, "response.output_item.done", &number, m, true);
	event_response(r, "response.completed", &number, a, m, true);
}

void write_responses(const struct ask *a, const struct made *m, struct mock_reply *r)
{
	mock_reply_header(r, STR("Content-Type"), a->stream ? STR("text/event-stream; charset=utf-8") : STR("application/json"));
	if (a->stream) {
		write_stream(a, m, r);
		return;
	}
	put_response(a, m, true, &r->body);
	buf_append_char(&r->body, '\n');
}
