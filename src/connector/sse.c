/*
 * sse.c: the incremental event-stream parser. Not: what the events mean (chat_stream.c, openai_responses.c, gemini.c).
 *
 * State between two calls: the unfinished line, the unfinished event, and whether a CR was the last byte. A line that is whole inside one piece of
 * input is never copied as a line; only the data of an event is. Cost: two memchr a line.
 */
#include "connector/sse.h"

void sse_init(struct sse *s, struct arena *arena, sse_event_fn on_event, void *user)
{
	*s = (struct sse){ .on_event = on_event, .user = user };
	gather_init(&s->line, arena, REPLY_MAX_BYTES);
	gather_init(&s->data, arena, REPLY_MAX_BYTES);
}

static int dispatch(struct sse *s)
{
	struct str data = gather_str(&s->data), type = str_of(s->type, s->type_len);
	int r = 0;

	if (data.len) {
		data.len--; /* the last LF */
		if (data.len)
			r = s->on_event(s->user, type, data);
	}
	s->data.len = 0;
	s->type_len = 0;
	return r;
}

static int take_field(struct sse *s, struct str name, struct str value)
{
	int r;

	if (str_eq(name, STR("data")) && s->each_line)
		return value.len ? s->on_event(s->user, str_of(s->type, s->type_len), value) : 0;
	if (str_eq(name, STR("data"))) {
		r = gather_append(&s->data, value.ptr, value.len);
		return r != 0 ? r : gather_append(&s->data, "\n", 1);
	}
	if (str_eq(name, STR("event"))) {
		s->type_len = MIN(value.len, sizeof s->type);
		if (s->type_len)
			memcpy(s->type, value.ptr, s->type_len);
	}
	return 0;
}

static int take_line(struct sse *s, struct str line)
{
	const char *colon = line.len ? memchr(line.ptr, ':', line.len) : NULL;
	struct str name = line, value = STR_NULL;

	if (!line.len)
		return dispatch(s);
	if (colon == line.ptr) /* a comment */
		return 0;
	if (colon) {
		name = str_of(line.ptr, (size_t)(colon - line.ptr));
		value = str_sub(line, name.len + 1, line.len);
		if (value.len && value.ptr[0] == ' ')
			value = str_sub(value, 1, value.len);
	}
	return take_field(s, name, value);
}

/* A line's last piece came: joined with what was kept of it. */
static int end_line(struct sse *s, struct str piece)
{
	int r;

	if (!s->line.len)
		return take_line(s, piece);
	r = gather_append(&s->line, piece.ptr, piece.len);
	if (r == 0)
		r = take_line(s, gather_str(&s->line));
	s->line.len = 0;
	return r;
}

static size_t line_length(const char *p, size_t len)
{
	const char *lf = memchr(p, '\n', len);
	size_t n = lf ? (size_t)(lf - p) : len;
	const char *cr = memchr(p, '\r', n);

	return cr ? (size_t)(cr - p) : n;
}

/* The BOM may come in pieces: it is looked for on the first whole line instead. */
static struct str without_bom(struct sse *s, struct str line)
{
	if (!s->started && str_starts_with(line, STR("\xEF\xBB\xBF")))
		line = str_sub(line, 3, line.len);
	s->started = true;
	return line;
}

static int first_line(struct sse *s, struct str piece)
{
	int r = gather_append(&s->line, piece.ptr, piece.len);

	if (r == 0)
		r = take_line(s, without_bom(s, gather_str(&s->line)));
	s->line.len = 0;
	return r;
}

int sse_feed(struct sse *s, const char *bytes, size_t len)
{
	size_t at = 0;
	int r;

	while (at < len) {
		size_t n;

		if (s->after_cr && bytes[at] == '\n') {
			s->after_cr = false;
			at++;
			continue;
		}
		s->after_cr = false;
		n = line_length(bytes + at, len - at);
		if (at + n == len)
			return gather_append(&s->line, bytes + at, n);
		s->after_cr = bytes[at + n] == '\r';
		r = s->started ? end_line(s, str_of(bytes + at, n)) : first_line(s, str_of(bytes + at, n));
		if (r != 0)
			return r;
		at += n + 1;
	}
	return 0;
}

int sse_end(struct sse *s)
{
	int r = 0;

	if (s->line.len)
		r = s->started ? end_line(s, STR_NULL) : first_line(s, STR_NULL);
	return r != 0 ? r : dispatch(s);
}
