/*
 * access_log.c: one line a request. See access_log.h.
 *
 * Escaping makes a byte at most six: what comes from outside is cut to PATH_MAX_BYTES and METHOD_MAX_BYTES first, so that the line keeps its limit.
 */
#include "front/server/access_log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/rand.h"
#include "base/secret.h"
#include "fairforge/fairforge.h"

#define PATH_MAX_BYTES   400u
#define METHOD_MAX_BYTES 24u
#define LINE_USUAL       400u

/* Nothing in it needs an escape: what nearly every request is made of. */
static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)(s.ptr[i] - 0x20) >= 0x5f || s.ptr[i] == '"' || s.ptr[i] == '\\') /* 0x20 .. 0x7e */
			return false;
	return true;
}

static int put_quoted(struct buf *out, struct str value)
{
	char *literal = ff_json_quote(value.ptr, value.len);
	int r;

	if (!literal)
		return FF_ENOMEM;
	r = escape_append_json(out, str_from(literal));
	ff_free(literal);
	return r;
}

/* ,"key":"value" with everything that acts on a terminal escaped; null for ptr NULL. */
static int put_text(struct buf *out, const char *key, struct str value, size_t max)
{
	bool plain = is_plain(value);

	buf_append_str(out, STR(",\""));
	buf_append_str(out, str_from(key));
	buf_append_str(out, STR("\":"));
	if (!value.ptr)
		return buf_append_str(out, STR("null"));
	value.len = utf8_cut(value, max);
	if (!plain)
		return put_quoted(out, value);
	buf_append_char(out, '"');
	buf_append_str(out, value);
	return buf_append_char(out, '"');
}

static struct str text_or_null(const char *text)
{
	return text && text[0] ? str_from(text) : STR_NULL;
}

int access_log_format(const struct access_entry *e, struct buf *out)
{
	char time[25], status[12] = "null";
	int r;

	clock_format_wall(e->wall_ms, time);
	if (e->status)
		snprintf(status, sizeof(status), "%d", e->status);
	buf_printf(out, "{\"time\":\"%s\",\"event\":\"request\"", time);
	r = put_text(out, "method", e->method, METHOD_MAX_BYTES);
	if (!r)
		r = put_text(out, "path", e->path, PATH_MAX_BYTES);
	buf_printf(out, ",\"status\":%s,\"bytes_in\":%llu,\"bytes_out\":%llu,\"ms\":%.3f", status, (unsigned long long)e->bytes_in,
	           (unsigned long long)e->bytes_out, e->ms > 0 ? e->ms : 0.0);
	if (!r)
		r = put_text(out, "client", text_or_null(e->client), 64);
	if (!r)
		r = put_text(out, "token", text_or_null(e->token_name), 64);
	if (!r)
		r = put_text(out, "request_id", text_or_null(e->request_id), REQUEST_ID_MAX);
	buf_append_str(out, STR("}\n"));
	return r ? r : buf_failed(out);
}

/* A pipe or a socket that is full is not waited for. Files and terminals always take it. */
static bool takes_it(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) && !(p.revents & (POLLERR | POLLNVAL));
}

bool access_log_write(int fd, const struct access_entry *e)
{
	struct buf line;
	ssize_t n = 0;
	bool whole;

	buf_init(&line, ACCESS_LOG_LINE_MAX);
	(void)!buf_reserve(&line, LINE_USUAL); /* one allocation instead of several; without it the line fails like any other */
	if (!access_log_format(e, &line) && takes_it(fd)) {
		do
			n = write(fd, line.ptr, line.len);
		while (n < 0 && errno == EINTR);
	}
	whole = n > 0 && (size_t)n == line.len;
	buf_release(&line);
	return whole;
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

void request_id_choose(struct str header, char ret[REQUEST_ID_MAX + 1])
{
	uint64_t id[2];

	if (header.ptr && is_sane(header)) {
		memcpy(ret, header.ptr, header.len);
		ret[header.len] = '\0';
		return;
	}
	if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
		id[0] = rand_seed_from_os(), id[1] = (uint64_t)clock_wall_ms();
	snprintf(ret, REQUEST_ID_MAX + 1, "%016llx%016llx", (unsigned long long)id[0], (unsigned long long)id[1]);
}
