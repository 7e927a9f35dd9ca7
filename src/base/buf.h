/*
 * buf.h: growing bytes with a mandatory cap.
 *
 * Appending returns 0, FF_ENOMEM or FF_ETOOBIG (the cap would be passed). After a failure the content is unchanged and every
 * later append fails with the same code, so a chain of appends needs one check at its end: buf_failed().
 * A NUL always follows the content (not counted in len) once something was appended.
 */
#ifndef FF_BASE_BUF_H
#define FF_BASE_BUF_H

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

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
/* The rare half of the appends below: makes room for len more bytes and a NUL. 0 or the failure. */
RARE int buf_grow(struct buf *b, size_t len);
static inline int buf_ensure(struct buf *b, size_t len)
{
	return !b->failed && b->room - b->len > len ? 0 : buf_grow(b, len);
}
static inline int buf_append(struct buf *b, const void *data, size_t len)
{
	int code = buf_ensure(b, len);

	if (code)
		return code;
	if (data) /* else len is 0 */
		memcpy(b->ptr + b->len, data, len);
	b->len += len;
	b->ptr[b->len] = '\0';
	return 0;
}
static inline int buf_append_str(struct buf *b, struct str s)
{
	return buf_append(b, s.ptr, s.len);
}
static inline int buf_append_char(struct buf *b, char c)
{
	return buf_append(b, &c, 1);
}
int buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
int buf_vprintf(struct buf *b, const char *format, va_list args) PRINTF_LIKE(2, 0);
/* Gives memory beyond `room` bytes back, as far as the content allows. Cannot fail: at worst the memory stays. */
void buf_shrink(struct buf *b, size_t room);
/* Makes room for len more bytes and returns where they go (then call buf_commit), or NULL. */
WARN_UNUSED static inline char *buf_reserve(struct buf *b, size_t len)
{
	return buf_ensure(b, len) ? NULL : b->ptr + b->len;
}
static inline void buf_commit(struct buf *b, size_t len)
{
	assert(len == 0 || b->room - b->len > len);
	b->len += len;
	if (b->ptr)
		b->ptr[b->len] = '\0';
}
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
