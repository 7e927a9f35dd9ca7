/*
 * buf.h: growing bytes with a mandatory cap.
 *
 * Appending returns 0, FF_ENOMEM or FF_ETOOBIG (the cap would be passed). After a failure the content is unchanged and every
 * later append fails with the same code, so a chain of appends needs one check at its end: buf_failed().
 * A NUL always follows the content (not counted in len) once something was appended.
 */
#ifndef FF_BASE_BUF_H
#define FF_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"

struct buf {
	char *ptr;   /* owned; NULL while empty */
	size_t len;  /* bytes of content */
	size_t room; /* bytes allocated */
	size_t cap;  /* most bytes of content allowed */
	int failed;  /* 0, FF_ENOMEM or FF_ETOOBIG: sticky */
};

void buf_init(struct buf *b, size_t cap);
void buf_release(struct buf *b);
void buf_clear(struct buf *b); /* len 0 and no failure; keeps the memory */
int buf_append(struct buf *b, const void *data, size_t len);
int buf_append_str(struct buf *b, struct str s);
int buf_append_char(struct buf *b, char c);
int buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
int buf_vprintf(struct buf *b, const char *format, va_list args) PRINTF_LIKE(2, 0);
/* Gives memory beyond `room` bytes back, as far as the content allows. Cannot fail: at worst the memory stays. */
void buf_shrink(struct buf *b, size_t room);
/* Makes room for len more bytes and returns where they go (then call buf_commit), or NULL. */
char *buf_reserve(struct buf *b, size_t len) WARN_UNUSED;
void buf_commit(struct buf *b, size_t len);
void buf_consume(struct buf *b, size_t len); /* drops the first len bytes */
static inline struct str buf_str(const struct buf *b)
{
	return (struct str){ b->ptr, b->len };
}
static inline int buf_failed(const struct buf *b)
{
	return b->failed;
}

#endif
