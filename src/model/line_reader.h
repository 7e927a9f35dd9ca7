/*
 * line_reader.h: the lines of a text or of a file, one after the other, in memory that does not grow with the file. Internal to src/model.
 */
#ifndef FF_MODEL_LINE_READER_H
#define FF_MODEL_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/macros.h"
#include "base/str.h"

struct line_reader {
	size_t line;      /* number of the last line given, from 1; blank ones count */
	size_t max_bytes; /* of a line */

	int fd;       /* -1: the lines of `text` */
	bool owns_fd; /* closed on release */
	off_t start, position;
	struct buf chunk; /* read from the file */
	size_t used;      /* bytes of chunk that were given */
	bool ended;       /* the file was read to its end */

	struct str text, rest; /* text may be that of chunk: then the reader owns it */
};

void line_reader_of_text(struct line_reader *r, struct str text, size_t max_bytes);
/* The same for text that the reader takes over: *text is empty then. */
void line_reader_of_owned(struct line_reader *r, struct buf *text, size_t max_bytes);
/* A file that can be read with pread, from the byte `start` on. */
void line_reader_of_file(struct line_reader *r, int fd, bool owns_fd, off_t start, size_t max_bytes);
void line_reader_release(struct line_reader *r);
void line_reader_rewind(struct line_reader *r);
/*
 * The next line that is not blank, without its newline and without a BOM at its start: 1. It is valid until the next call (of a file) or as long as
 * the text. 0 at the end; FF_ETOOBIG: this line is too long, and was skipped; FF_EIO or FF_ENOMEM (err is filled).
 */
int line_reader_next(struct line_reader *r, struct str *ret_line, struct error *err) WARN_UNUSED;

/* Lines live as long as the text that the caller handed in; else until the next call, or the release. */
static inline bool line_reader_borrows(const struct line_reader *r)
{
	return r->fd < 0 && !r->chunk.ptr;
}

/* White space of JSON only. */
bool line_is_blank(struct str line);

#endif
