/*
 * sse.h: an event stream (text/event-stream, WHATWG HTML 9.2.6) taken apart as its bytes arrive. Bytes in, events out; partial input is a normal
 * answer.
 *
 * Lines end in LF, CR or CRLF, in any mixture and across any cut of the input; U+2028, U+0085 and the like are ordinary characters. A BOM at the
 * start is skipped. Comments, id:, retry: and unknown fields are ignored; `data` lines of one event are joined by LF. An event without data is
 * no event (pings). Beyond the standard: an event whose last line or blank line is missing at the end of the stream is delivered by sse_end,
 * because some servers forget it.
 */
#ifndef FF_CONNECTOR_SSE_H
#define FF_CONNECTOR_SSE_H

#include <stdbool.h>

#include "connector/reply.h"

/* One event: its type ("" when no event: line came) and its data, alive during the call. Not 0 stops: sse_feed returns it. */
typedef int (*sse_event_fn)(void *user, struct str type, struct str data);

struct sse {
	sse_event_fn on_event;
	void *user;
	struct gather line; /* of a line that is not complete yet */
	struct gather data; /* of the event so far; ends in LF */
	char type[64];      /* longer names are cut: none that we know is */
	size_t type_len;
	bool each_line; /* set it after sse_init: every data line is an event of its own, told at once; nothing is joined (Alquimia) */
	bool started;  /* a byte came: no BOM is expected any more */
	bool after_cr; /* the last byte was CR: an LF belongs to it */
};

/* Memory grows in the arena; a line and an event are capped at REPLY_MAX_BYTES. */
void sse_init(struct sse *s, struct arena *arena, sse_event_fn on_event, void *user);
int sse_feed(struct sse *s, const char *bytes, size_t len) WARN_UNUSED; /* 0, FF_ETOOBIG, FF_ENOMEM or what on_event returned */
int sse_end(struct sse *s) WARN_UNUSED;                                 /* the stream is over: the same results */

#endif
