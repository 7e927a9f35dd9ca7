/*
 * input.c: inputs from a descriptor: a file, a pipe, a terminal. Only as much is read as is needed to tell a JSON document from JSONL; a document is
 * then read whole, JSONL is left in its file, or copied into an unlinked temporary one when the descriptor cannot seek.
 *
 * Memory: a document, at most max_bytes; for JSONL the first megabyte, or its first line when that is longer, until the source is open.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "model/payload.h"
#include "model/source.h"

#define CHUNK_BYTES ((size_t)256 << 10)
#define START_BYTES ((size_t)1 << 20) /* what is smaller is not told apart before it was read */

static int cannot_read(const char *name, struct error *err)
{
	return error_set(err, FF_EIO, name, "The input cannot be read: %s.", strerror(errno));
}

static int too_big(const char *name, size_t max_bytes, struct error *err)
{
	return error_set(err, FF_ETOOBIG, name, "The input is too big: it is larger than the cap max-input-bytes allows (%zu).",
	                 max_bytes);
}

/* read(2) that waits when the descriptor would not. */
static ssize_t read_waiting(int fd, char *to, size_t len)
{
	for (;;) {
		ssize_t got = read(fd, to, len);
		if (got >= 0)
			return got;
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			struct pollfd p = { fd, POLLIN, 0 };
			if (poll(&p, 1, -1) < 0 && errno != EINTR)
				return -1;
		} else if (errno != EINTR) {
			return -1;
		}
	}
}

/* Bytes that are left in a regular file, to reserve them at once; 0 when that is not known. */
static size_t bytes_left(int fd)
{
	struct stat st;
	off_t at = lseek(fd, 0, SEEK_CUR);
	if (at < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= at)
		return 0;
	return (size_t)(st.st_size - at);
}

/* Reads on until there are `enough` bytes or more, or to the end. */
static int read_until(int fd, const char *name, size_t enough, struct buf *text, bool *ret_whole, struct error *err)
{
	while (text->len < enough) {
		size_t want = MIN(MAX(CHUNK_BYTES, text->len / 2), enough - text->len);
		char *room = buf_reserve(text, want);
		ssize_t got = room ? read_waiting(fd, room, want) : 0;
		if (!room)
			return error_nomem(err);
		if (got < 0)
			return cannot_read(name, err);
		buf_commit(text, (size_t)got);
		if (got == 0) {
			*ret_whole = true;
			return 0;
		}
	}
	*ret_whole = false;
	return 0;
}

/* One byte more than the cap allows: enough to know that there are more. */
static size_t beyond(size_t max_bytes)
{
	return max_bytes < SIZE_MAX ? max_bytes + 1 : max_bytes;
}

static int read_rest(int fd, const char *name, size_t max_bytes, struct buf *text, struct error *err)
{
	size_t left = bytes_left(fd);
	bool whole = false;
	int code;
	if (left > max_bytes || text->len > max_bytes - left)
		return too_big(name, max_bytes, err);
	if (left && !buf_reserve(text, left + 1))
		return error_nomem(err);
	code = read_until(fd, name, beyond(max_bytes), text, &whole, err);
	return code || text->len <= max_bytes ? code : too_big(name, max_bytes, err);
}

int input_read_fd(int fd, const char *name, size_t max_bytes, struct buf *ret_text, struct error *err)
{
	struct buf text;
	int code;
	buf_init(&text, SIZE_MAX / 2);
	code = read_rest(fd, name, max_bytes ? max_bytes : JSON_MAX_BYTES, &text, err);
	if (code) {
		buf_release(&text);
		return code;
	}
	*ret_text = text;
	return 0;
}

/* ---- spooling ---- */

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t put = write(fd, data, len);
		if (put < 0 && errno != EINTR)
			return -1;
		if (put > 0) {
			data += put;
			len -= (size_t)put;
		}
	}
	return 0;
}

static int open_temporary(void)
{
	const char *folder = getenv("TMPDIR");
	char path[1024];
	int fd;
	if (!folder || !folder[0] || strlen(folder) > sizeof(path) - 32)
		folder = "/tmp";
	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	(void)snprintf(path, sizeof(path), "%s/fairforge-XXXXXX", folder); /* a file system without O_TMPFILE */
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		(void)unlink(path);
	return fd;
}

static int cannot_spool(const char *name, struct error *err)
{
	return error_set(err, FF_EIO, name, "The input cannot be kept in a temporary file (TMPDIR, else /tmp): %s.",
	                 strerror(errno));
}

static int copy_rest(int from, int to, const char *name, struct buf *text, struct error *err)
{
	for (;;) {
		ssize_t got;
		char *room;
		if (write_all(to, text->ptr, text->len))
			return cannot_spool(name, err);
		buf_clear(text);
		room = buf_reserve(text, CHUNK_BYTES);
		if (!room)
			return error_nomem(err);
		got = read_waiting(from, room, CHUNK_BYTES);
		if (got < 0)
			return cannot_read(name, err);
		if (got == 0)
			return 0;
		buf_commit(text, (size_t)got);
	}
}

/* What was read of `fd` and what is still to come, in a file without a name. */
static int spool(int fd, const char *name, struct buf *text, int *ret_fd, struct error *err)
{
	int temporary = open_temporary();
	int code;
	if (temporary < 0)
		return cannot_spool(name, err);
	code = copy_rest(fd, temporary, name, text, err);
	if (code) {
		close(temporary);
		return code;
	}
	*ret_fd = temporary;
	return 0;
}

/* ---- opening ---- */

/* Reads the beginning until its shape is clear. The cap bounds a document, but only a line of JSONL: what is long may still be lines. */
static int read_start(int fd, const struct input_form *form, struct buf *text, enum input_shape *ret_shape, bool *ret_whole,
                      struct error *err)
{
	size_t enough = START_BYTES, most = MAX(START_BYTES, beyond(form->limits.max_bytes));
	int code;
	do {
		code = read_until(fd, form->name, enough, text, ret_whole, err);
		if (!code)
			code = input_shape(form, buf_str(text), *ret_whole, ret_shape, err);
		if (!code && *ret_shape != SHAPE_LINES && text->len > form->limits.max_bytes)
			code = too_big(form->name, form->limits.max_bytes, err);
		enough = enough < most / 2 ? enough * 2 : most;
	} while (!code && *ret_shape == SHAPE_MORE);
	return code;
}

/* Where the text of a regular file begins, of which `got` bytes were read; -1 for what cannot be read twice. */
static off_t start_of(int fd, size_t got)
{
	struct stat st;
	off_t at;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return -1;
	at = lseek(fd, 0, SEEK_CUR);
	return at < (off_t)got ? -1 : at - (off_t)got;
}

/* A file is left where it is; what cannot be read twice stays in memory when that is little, else it goes to a temporary file. */
static int reader_of(int fd, bool whole, const struct input_form *form, struct buf *text, struct line_reader *ret,
                     struct error *err)
{
	size_t max_bytes = form->limits.max_bytes;
	off_t start = start_of(fd, text->len);
	int temporary = -1, code;
	if (start >= 0) {
		line_reader_of_file(ret, fd, false, start, max_bytes);
	} else if (whole) {
		line_reader_of_owned(ret, text, max_bytes);
	} else {
		code = spool(fd, form->name, text, &temporary, err);
		if (code)
			return code;
		line_reader_of_file(ret, temporary, true, 0, max_bytes);
	}
	return 0;
}

static int open_lines_of(int fd, bool whole, const struct input_form *form, struct buf *text, struct dataset_source **ret_source,
                         struct json_notes *notes, struct error *err)
{
	struct line_reader reader;
	int code = reader_of(fd, whole, form, text, &reader, err);
	if (code)
		return code;
	if (source_of_lines(&reader, &form->limits, notes, ret_source)) {
		line_reader_release(&reader);
		return error_nomem(err);
	}
	return 0;
}

static int open_document_of(int fd, bool whole, const struct input_form *form, struct buf *text, struct payload **ret_payload,
                            struct dataset_source **ret_source, struct json_notes *notes, struct error *err)
{
	struct document *d;
	int code = whole ? 0 : read_rest(fd, form->name, form->limits.max_bytes, text, err);
	if (code)
		return code;
	d = document_new();
	if (!d)
		return error_nomem(err);
	d->text = *text;
	buf_init(text, SIZE_MAX / 2);
	code = input_open_document(form, d, buf_str(&d->text), ret_payload, ret_source, notes, err);
	document_unref(d);
	return code;
}

int input_open(int fd, const char *name, bool as_datasets, const struct json_limits *limits, struct payload **ret_payload,
               struct dataset_source **ret_source, struct json_notes *notes, struct error *err)
{
	struct input_form form;
	enum input_shape shape = SHAPE_DOCUMENT;
	struct buf text;
	bool whole = false;
	int code;
	input_form_init(&form, name, as_datasets, limits);
	buf_init(&text, SIZE_MAX / 2);
	code = read_start(fd, &form, &text, &shape, &whole, err);
	if (!code && shape == SHAPE_LINES) {
		code = open_lines_of(fd, whole, &form, &text, ret_source, notes, err);
		if (!code)
			*ret_payload = NULL;
	} else if (!code) {
		code = open_document_of(fd, whole, &form, &text, ret_payload, ret_source, notes, err);
	}
	buf_release(&text);
	return code;
}
