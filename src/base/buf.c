/*
 * buf.c: growing bytes. Room doubles, so appending n bytes one by one costs O(n); the cap bounds the content.
 *
 * Invariant: when ptr is not NULL, len < room <= cap + 1 and ptr[len] is NUL (so what fits the room is within the cap, which is all that the inline
 * half in buf.h looks at). The first failure is kept until buf_clear; content stays as it was.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"

#define ROOM_FIRST ((size_t)64)

void buf_init(struct buf *b, size_t cap)
{
	*b = (struct buf){ .cap = cap };
}

void buf_release(struct buf *b)
{
	mem_free(b->ptr);
	*b = (struct buf){ .cap = b->cap };
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = 0;
	if (b->ptr)
		b->ptr[0] = '\0';
}

static int grow(struct buf *b, size_t len)
{
	size_t need = b->len + len + 1, room = b->room ? b->room : ROOM_FIRST;
	char *ptr;

	while (room < need)
		room = room > SIZE_MAX / 2 ? need : 2 * room;
	if (b->cap < SIZE_MAX && room > b->cap + 1)
		room = b->cap + 1; /* need is within it: the cap was checked */
	ptr = mem_realloc(b->ptr, room);
	if (!ptr)
		return b->failed = FF_ENOMEM;
	b->ptr = ptr;
	b->room = room;
	return 0;
}

int buf_grow(struct buf *b, size_t len)
{
	if (b->failed)
		return b->failed;
	if (b->cap < b->len || len > b->cap - b->len || len >= SIZE_MAX - b->len)
		return b->failed = FF_ETOOBIG;
	return b->room > b->len + len ? 0 : grow(b, len);
}

int buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	int code;

	va_start(args, format);
	code = buf_vprintf(b, format, args);
	va_end(args);
	return code;
}

int buf_vprintf(struct buf *b, const char *format, va_list args)
{
	size_t room = b->room > b->len ? b->room - b->len : 0;
	va_list again;
	int len, code;

	if (b->failed)
		return b->failed;
	va_copy(again, args);
	len = vsnprintf(room ? b->ptr + b->len : NULL, room, format, args);
	code = len < 0 ? (b->failed = FF_EINVAL) : buf_ensure(b, (size_t)len);
	if (!code && (size_t)len >= room)
		len = vsnprintf(b->ptr + b->len, b->room - b->len, format, again);
	va_end(again);
	if (!code && len >= 0)
		b->len += (size_t)len;
	if (b->ptr)
		b->ptr[b->len] = '\0';
	return code;
}

void buf_shrink(struct buf *b, size_t room)
{
	size_t least = MAX(room, b->len + 1);
	char *ptr;

	if (b->room <= least)
		return;
	ptr = mem_realloc(b->ptr, least);
	if (!ptr)
		return;
	b->ptr = ptr;
	b->room = least;
}

void buf_consume(struct buf *b, size_t len)
{
	assert(len <= b->len);
	if (len == 0)
		return;
	b->len -= len;
	memmove(b->ptr, b->ptr + len, b->len);
	b->ptr[b->len] = '\0';
}
