/*
 * write_alquimia.c: the two exchanges of Alquimia: an id for the stream, then its events. The content of an event is the whole answer so far, as
 * the client takes the last one and joins nothing. A comment stands before them, and a ping for those who did not ask for responses only:
 * AlquimiaRunner does, and takes every event for a response.
 */
#include "front/mock/write.h"

#include <inttypes.h>

void write_infer(const struct made *m, struct mock_reply *r)
{
	mock_reply_header_lit(r, "Content-Type", "application/json");
	buf_printf(&r->body, "{\"stream_id\":\"st-%016" PRIx64 "\",\"status\":\"queued\"}\n", m->id);
}

uint64_t write_stream_id_parse(struct str text)
{
	uint64_t id = 0;

	if (text.len != 19 || !str_starts_with(text, STR("st-")))
		return 0;
	for (size_t i = 3; i < text.len; i++) {
		char c = text.ptr[i];
		if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
			return 0;
		id = id << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	return id;
}

void write_events(const struct made *m, bool response_only, struct mock_reply *r)
{
	r->streamed = true;
	mock_reply_header_lit(r, "Content-Type", "text/event-stream; charset=utf-8");
	mock_reply_header_lit(r, "Cache-Control", "no-cache");
	buf_append_str(&r->body, response_only ? STR(": open\n\n") : STR(": open\n\ndata: {\"type\":\"ping\"}\n\n"));
	mock_reply_end_piece(r);
	r->repeat = 0;
	for (size_t i = 0; i < m->deltas; i++) {
		buf_printf(&r->body, "data: {\"type\":\"%s\",\"response\":{\"data\":{\"content\":",
		           i + 1 == m->deltas ? "message" : "partial");
		text_put_json(&r->body, str_sub(m->text, 0, m->ends[i]));
		buf_append_str(&r->body, STR("}}}\n\n"));
		mock_reply_end_piece(r);
	}
}
