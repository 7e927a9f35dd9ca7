/*
 * line_reader.c: lines of a text (slices of it) or of a file (in a buffer that holds one line and what was read beyond it).
 *
 * A file is read with pread at a position of its own: rewinding is cheap, and nobody else's position in it counts. A line that is longer than
 * max_bytes is never kept: its bytes are dropped until its newline comes.
 */
#include "model/line_reader.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES ((size_t)64 << 10)

void line_reader_of_text(struct line_reader *r, struct str text, size_t max_bytes)
{
	*r = (struct line_reader){ .fd = -1, .text = text, .max_bytes = max_bytes };
	buf_init(&r->chunk, 0);
	line_reader_rewind(r);
}

void line_reader_of_owned(struct line_reader *r, struct buf *text, size_t max_bytes)
{
	line_reader_of_text(r, buf_str(text), max_bytes);
	r->chunk = *text;
	buf_init(text, SIZE_MAX / 2);
}

void line_reader_of_file(struct line_reader *r, int fd, bool owns_fd, off_t start, size_t max_bytes)
{
	*r = (struct line_reader){ .fd = fd, .owns_fd = owns_fd, .start = start, .max_bytes = max_bytes };
	buf_init(&r->chunk, SIZE_MAX / 2);
	line_reader_rewind(r);
}

void line_reader_release(struct line_reader *r)
{
	buf_release(&r->chunk);
	if (r->owns_fd)
		close(r->fd);
	r->owns_fd = false;
}

void line_reader_rewind(struct line_reader *r)
{
	r->line = 0;
	r->position = r->start;
	r->used = 0;
	r->ended = false;
	if (r->fd >= 0)
		buf_clear(&r->chunk);
	r->rest = r->text;
}

bool line_is_blank(struct str line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.ptr[i] != ' ' && line.ptr[i] != '\t' && line.ptr[i] != '\r' && line.ptr[i] != '\n')
			return false;
	return true;
}

/* Reads more of the file behind what is in the buffer. */
static int fill(struct line_reader *r, struct error *err)
{
	size_t want = MAX(CHUNK_BYTES, r->chunk.len - r->used); /* doubling: a long line is copied a few times only */
	char *room;
	ssize_t got;
	buf_consume(&r->chunk, r->used);
	r->used = 0;
	room = buf_reserve(&r->chunk, want);
	if (!room)
		return error_nomem(err);
	do
		got = pread(r->fd, room, want, r->position);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return error_set(err, FF_EIO, "", "The input cannot be read: %s.", strerror(errno));
	buf_commit(&r->chunk, (size_t)got);
	r->position += got;
	r->ended = got == 0;
	return 0;
}

/* The next line of the file, blank or not: 1, 0, FF_ETOOBIG, or failed. */
static int next_of_file(struct line_reader *r, struct str *ret_line, struct error *err)
{
	size_t seen = 0; /* bytes of the line that hold no newline */
	bool too_long = false;
	for (;;) {
		struct str left = str_sub(buf_str(&r->chunk), r->used, r->chunk.len);
		const char *newline = left.len > seen ? memchr(left.ptr + seen, '\n', left.len - seen) : NULL;
		size_t len = newline ? (size_t)(newline - left.ptr) : left.len;
		int code;
		if (newline || (r->ended && (len > 0 || too_long))) {
			r->used += len + (newline != NULL);
			*ret_line = str_sub(left, 0, len);
			return too_long || len > r->max_bytes ? FF_ETOOBIG : 1;
		}
		if (r->ended)
			return 0;
		if (len > r->max_bytes) {
			too_long = true;
			r->used += len;
			len = 0;
		}
		seen = len;
		code = fill(r, err);
		if (code)
			return code;
	}
}

static int next_of_text(struct line_reader *r, struct str *ret_line)
{
	if (r->rest.len == 0)
		return 0;
	*ret_line = str_split(&r->rest, '\n');
	return ret_line->len > r->max_bytes ? FF_ETOOBIG : 1;
}

int line_reader_next(struct line_reader *r, struct str *ret_line, struct error *err)
{
	static const struct str bom = { "\xEF\xBB\xBF", 3 };
	for (;;) {
		struct str line = STR_NULL;
		int code = r->fd < 0 ? next_of_text(r, &line) : next_of_file(r, &line, err);
		if (code == 1 || code == FF_ETOOBIG)
			r->line++;
		if (code != 1)
			return code;
		if (str_starts_with(line, bom))
			line = str_sub(line, bom.len, line.len);
		if (!line_is_blank(line)) {
			*ret_line = line;
			return 1;
		}
	}
}
