/*
 * http_curl_reply.c: the reply as libcurl hands it over: header lines one by one, then decoded body bytes.
 *
 * Interim replies (1xx) are forgotten when the next status line comes; lines after the final head are trailers and are not reported. A folded header
 * line (obsolete, still seen) continues the value before it, joined by one space.
 */
#include "base/alloc.h"
#include "net/http_curl_internal.h"

#define HEADERS_MAX 4096 /* lines; the byte cap alone would allow a hundred thousand pairs */

void head_clear(struct head *head)
{
	buf_clear(&head->text);
	head->count = 0;
	head->status = 0;
	head->done = false;
}

void head_release(struct head *head)
{
	buf_release(&head->text);
	mem_free(head->lines);
	mem_free(head->pairs);
}

static int head_grow(struct head *head)
{
	size_t room = head->room ? head->room * 2 : 32;
	struct head_line *lines = mem_realloc(head->lines, room * sizeof(*lines));
	struct pair *pairs;

	if (!lines)
		return FF_ENOMEM;
	head->lines = lines;
	pairs = mem_realloc(head->pairs, room * sizeof(*pairs));
	if (!pairs)
		return FF_ENOMEM;
	head->pairs = pairs;
	head->room = room;
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static int fold(struct head *head, struct str line)
{
	struct head_line *last = &head->lines[head->count - 1];
	struct str more = str_trim(line);

	if (last->value + last->value_len != head->text.len || more.len == 0)
		return 0;
	if (buf_append_char(&head->text, ' ') || buf_append_str(&head->text, more))
		return head->text.failed;
	last->value_len += 1 + more.len;
	return 0;
}

static int head_add(struct head *head, struct str line)
{
	size_t colon = str_find(line, STR(":"), 0);
	struct head_line *at;
	struct str value;

	if (is_blank(line.ptr[0]))
		return head->count ? fold(head, line) : 0;
	if (colon == SIZE_MAX)
		return 0; /* libcurl has accepted it, so it is no framing; it means nothing to us */
	if (head->count == HEADERS_MAX)
		return FF_ETOOBIG;
	if (head->count == head->room && head_grow(head))
		return FF_ENOMEM;
	value = str_trim(str_sub(line, colon + 1, line.len));
	at = &head->lines[head->count];
	*at = (struct head_line){
		.name = head->text.len, .name_len = colon, .value = head->text.len + colon, .value_len = value.len
	};
	if (buf_append(&head->text, line.ptr, colon) || buf_append_str(&head->text, value))
		return head->text.failed;
	head->count++;
	return 0;
}

/* "HTTP/1.1 200 OK", "HTTP/2 200" */
static int status_of(struct str line)
{
	size_t space = str_find(line, STR(" "), 0);
	uint64_t status;

	if (space == SIZE_MAX || !str_to_u64(str_sub(line, space + 1, space + 4), &status))
		return 0;
	return (int)status;
}

static void tell_head(struct http_transfer *x)
{
	struct head *head = &x->head;

	head->done = true;
	for (size_t i = 0; i < head->count; i++) {
		const struct head_line *at = &head->lines[i];
		head->pairs[i] = (struct pair){ str_of(head->text.ptr + at->name, at->name_len),
			                        str_of(head->text.ptr + at->value, at->value_len) };
	}
	if (x->callbacks.on_head)
		x->callbacks.on_head(x->user, head->status, head->pairs, head->count);
}

static void stop(struct http_transfer *x, int code)
{
	x->stopped = true;
	if (code == FF_ETOOBIG)
		transfer_result(x, HTTP_FAILED_TOO_BIG, "the headers of the reply of %s exceed %u KiB", x->route->origin->peer,
		                HTTP_MAX_HEADER_BYTES >> 10);
	else
		transfer_result(x, HTTP_FAILED_LOCAL, "out of memory");
}

/* The first and the latest byte are stamped by the real clock, the lines in between by the loop's: reading it costs more than a line. */
static void hear(struct http_transfer *x, bool exactly)
{
	exactly |= !x->result.stamps.first_byte;
	x->heard_us = exactly ? clock_monotonic_us() : MAX(loop_now_us(x->t->loop), x->heard_us);
	if (!x->result.stamps.first_byte)
		x->result.stamps.first_byte = x->heard_us;
}

size_t reply_on_header(char *data, size_t size UNUSED, size_t count, void *transfer)
{
	struct http_transfer *x = transfer;
	struct str line = str_of(data, count);
	int code = 0;

	if (x->ending)
		return 0;
	hear(x, count <= 2); /* the empty line at the end of the head */
	while (line.len && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
		line.len--;
	if (x->head.done)
		return count;
	if (str_starts_with(line, STR("HTTP/"))) {
		head_clear(&x->head);
		x->head.status = status_of(line);
	} else if (line.len) {
		code = head_add(&x->head, line);
	} else if (x->head.status >= 200) {
		tell_head(x);
	}
	if (!code)
		return x->ending ? 0 : count;
	stop(x, code);
	return 0;
}

size_t reply_on_body(char *data, size_t size UNUSED, size_t count, void *transfer)
{
	struct http_transfer *x = transfer;
	uint64_t cap = x->request.max_body_bytes ? x->request.max_body_bytes : HTTP_MAX_BODY_BYTES;

	if (x->ending)
		return 0;
	hear(x, true);
	x->result.body_bytes += count;
	if (x->result.body_bytes > cap) {
		x->stopped = true;
		transfer_result(x, HTTP_FAILED_TOO_BIG, "the reply of %s exceeds %llu bytes", x->route->origin->peer,
		                (unsigned long long)cap);
		return 0;
	}
	if (x->callbacks.on_body && x->callbacks.on_body(x->user, data, count)) {
		x->stopped = true;
		transfer_result(x, HTTP_FAILED_TOO_BIG, "the reply of %s was refused by its reader", x->route->origin->peer);
		return 0;
	}
	return x->ending ? 0 : count;
}
