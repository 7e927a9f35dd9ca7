/*
 * access_log.c: one line a request. See access_log.h. Formatted without printf: with one, a line was 7 % of what a small run costs in all.
 *
 * Escaping makes a byte at most six: what comes from outside is cut to PATH_MAX_BYTES and METHOD_MAX_BYTES first, so that the line keeps its limit.
 */
#include "front/server/access_log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/rand.h"
#include "fairforge/fairforge.h"
#include "front/common/quoted.h"

#define PATH_MAX_BYTES   400u
#define METHOD_MAX_BYTES 24u
#define OWN_ID_DIGITS    32u

/* Nothing in it needs an escape: what nearly every request is made of. */
static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)(s.ptr[i] - 0x20) >= 0x5f || s.ptr[i] == '"' || s.ptr[i] == '\\') /* 0x20 .. 0x7e */
			return false;
	return true;
}

/* ,"key":"value" with everything that acts on a terminal escaped; null for ptr NULL. Failures are sticky in the buffer. */
static void put_text(struct buf *out, const char *key, struct str value, size_t max)
{
	bool plain = is_plain(value);

	buf_append_str(out, STR(",\""));
	buf_append_str(out, str_from(key));
	buf_append_str(out, STR("\":"));
	value.len = utf8_cut(value, max);
	if (!value.ptr) {
		buf_append_str(out, STR("null"));
	} else if (!plain) {
		quoted_append(out, value);
	} else {
		buf_append_char(out, '"');
		buf_append_str(out, value);
		buf_append_char(out, '"');
	}
}

static struct str text_or_null(const char *text)
{
	return text && text[0] ? str_from(text) : STR_NULL;
}

static void put_number(struct buf *out, struct str key, uint64_t value)
{
	char digits[U64_DIGITS];

	buf_append_str(out, key);
	buf_append(out, digits, u64_digits(value, digits));
}

/* Milliseconds with three decimals. */
static void put_ms(struct buf *out, double ms)
{
	uint64_t us = ms > 0 && ms < 1e15 ? (uint64_t)(ms * 1000 + 0.5) : 0;
	char decimals[4] = { '.', (char)('0' + us / 100 % 10), (char)('0' + us / 10 % 10), (char)('0' + us % 10) };

	put_number(out, STR(",\"ms\":"), us / 1000);
	buf_append(out, decimals, sizeof(decimals));
}

int access_log_format(const struct access_entry *e, struct buf *out)
{
	char time[25];

	clock_format_wall(e->wall_ms, time);
	buf_append_str(out, STR("{\"time\":\""));
	buf_append_str(out, str_from(time));
	buf_append_str(out, STR("\",\"event\":\"request\""));
	put_text(out, "method", e->method, METHOD_MAX_BYTES);
	put_text(out, "path", e->path, PATH_MAX_BYTES);
	if (e->status)
		put_number(out, STR(",\"status\":"), (uint64_t)e->status);
	else
		buf_append_str(out, STR(",\"status\":null"));
	put_number(out, STR(",\"bytes_in\":"), e->bytes_in);
	put_number(out, STR(",\"bytes_out\":"), e->bytes_out);
	put_ms(out, e->ms);
	put_text(out, "client", text_or_null(e->client), 64);
	put_text(out, "token", text_or_null(e->token_name), 64);
	put_text(out, "request_id", text_or_null(e->request_id), REQUEST_ID_MAX);
	buf_append_str(out, STR("}\n"));
	return buf_failed(out);
}

/* A pipe or a socket that is full is not waited for. Files and terminals always take it. */
static bool takes_it(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) && !(p.revents & (POLLERR | POLLNVAL));
}

void access_log_init(struct access_log *l, int fd)
{
	*l = (struct access_log){ .fd = fd };
	buf_init(&l->line, ACCESS_LOG_LINE_MAX);
	buf_init(&l->lines, ACCESS_LOG_LINE_MAX);
}

void access_log_release(struct access_log *l)
{
	buf_release(&l->line);
	buf_release(&l->lines);
}

uint64_t access_log_flush(struct access_log *l)
{
	uint64_t dropped = l->waiting;
	ssize_t n = 0;

	if (!l->waiting)
		return 0;
	if (takes_it(l->fd)) {
		do
			n = write(l->fd, l->lines.ptr, l->lines.len);
		while (n < 0 && errno == EINTR);
	}
	if (n > 0 && (size_t)n == l->lines.len)
		dropped = 0;
	buf_clear(&l->lines);
	l->waiting = 0;
	return dropped;
}

uint64_t access_log_add(struct access_log *l, const struct access_entry *e)
{
	uint64_t dropped = 0;

	buf_clear(&l->line);
	if (access_log_format(e, &l->line))
		return 1;
	if (l->lines.len + l->line.len > ACCESS_LOG_LINE_MAX)
		dropped = access_log_flush(l);
	if (buf_append_str(&l->lines, buf_str(&l->line))) {
		l->lines.failed = 0; /* no memory: the next one may have it */
		return dropped + 1;
	}
	l->waiting++;
	return dropped;
}

/* ---- the request's id ---- */

static bool is_sane(struct str id)
{
	for (size_t i = 0; i < id.len; i++) {
		char c = id.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || memchr("._:=+/@-", c, 8)))
			return false;
	}
	return id.len >= 1 && id.len <= REQUEST_ID_MAX;
}

void request_id_choose(struct str header, struct rand *ids, char ret[REQUEST_ID_MAX + 1])
{
	static const char digits[] = "0123456789abcdef";

	if (header.ptr && is_sane(header)) {
		memcpy(ret, header.ptr, header.len);
		ret[header.len] = '\0';
		return;
	}
	for (unsigned i = 0; i < OWN_ID_DIGITS; i += 8)
		for (uint32_t bits = rand_u32(ids), n = 0; n < 8; n++, bits >>= 4)
			ret[i + n] = digits[bits & 15];
	ret[OWN_ID_DIGITS] = '\0';
}
