/*
 * courier.c: one exchange at a time over a loop and a transport of its own. See courier.h.
 *
 * States: free → busy (inside courier_exchange) → free. The reply lives in the courier's arena and buffer, which the next exchange empties; memory that a
 * large reply needed is given back then.
 *
 * The loop turns only inside courier_exchange: between two of them nobody looks at the idle connection, and what happened to it meanwhile (a peer that
 * closed it, a process that was frozen for an hour) is seen by the first pass of the next exchange, before its request is sent.
 */
#include "front/lambda/courier.h"

#include <poll.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "net/http_curl.h"
#include "net/loop.h"

#define BODY_KEPT ((size_t)256 << 10)

struct courier {
	struct loop *loop;
	struct http_transport *transport;
	struct arena arena;
	struct buf body;
	struct courier_reply reply;
	bool nomem, done;
};

static int open_transport(struct courier *c, const char *cafile, bool local, struct error *err)
{
	struct http_curl_config config = { .cafile = cafile, .keep_idle = local };
	int r = loop_new(&c->loop, err);

	return r ? r : http_curl_new(c->loop, &config, &c->transport, err);
}

static int build(const char *cafile, bool local, struct courier **ret, struct error *err)
{
	struct courier *c = NEW(struct courier);
	int r;

	if (!c)
		return error_nomem(err);
	arena_init(&c->arena);
	buf_init(&c->body, 0);
	r = open_transport(c, cafile, local, err);
	if (r)
		courier_free(c);
	else
		*ret = c;
	return r;
}

int courier_new(const char *cafile, struct courier **ret, struct error *err)
{
	return build(cafile, false, ret, err);
}

int courier_new_local(struct courier **ret, struct error *err)
{
	return build(NULL, true, ret, err);
}

void courier_free(struct courier *c)
{
	if (!c)
		return;
	http_curl_free(c->transport);
	loop_free(c->loop);
	arena_release(&c->arena);
	buf_release(&c->body);
	mem_free(c);
}

/* ---- the reply as it comes ---- */

static void on_head(void *user, int status, const struct pair *headers, size_t count)
{
	struct courier *c = user;
	struct pair *copies = arena_calloc(&c->arena, count + 1, sizeof(*copies));

	c->reply.result.status = status;
	c->nomem = !copies;
	for (size_t i = 0; i < count && !c->nomem; i++)
		c->nomem = arena_str(&c->arena, headers[i].name, &copies[i].name) ||
		           arena_str(&c->arena, headers[i].value, &copies[i].value);
	if (c->nomem)
		return;
	c->reply.headers = copies;
	c->reply.header_count = count;
}

static int on_body(void *user, const char *data, size_t len)
{
	struct courier *c = user;
	int r = buf_append(&c->body, data, len);

	if (r == FF_ENOMEM)
		c->nomem = true;
	return r;
}

static void on_done(void *user, const struct http_result *result)
{
	struct courier *c = user;

	c->reply.result = *result;
	c->done = true;
}

/* ---- exchanges ---- */

static void forget_reply(struct courier *c, uint64_t max_body)
{
	arena_reset(&c->arena);
	buf_clear(&c->body);
	buf_shrink(&c->body, BODY_KEPT);
	c->body.cap = max_body ? max_body : HTTP_MAX_BODY_BYTES;
	c->reply = (struct courier_reply){ .headers = NULL };
	c->nomem = c->done = false;
}

int courier_exchange(struct courier *c, const struct http_request *request, struct courier_reply *ret, struct error *err)
{
	static const struct http_callbacks callbacks = { on_head, on_body, on_done };
	struct http_transfer *transfer;
	int r;

	forget_reply(c, request->max_body_bytes);
	r = http_start(c->transport, request, &callbacks, c, &transfer, err);
	if (r)
		return r;
	while (!c->done)
		loop_wait(c->loop, -1);
	if (c->nomem)
		return error_nomem(err);
	c->reply.body = buf_str(&c->body);
	*ret = c->reply;
	return 0;
}

void courier_take_body(struct courier *c, struct buf *out)
{
	buf_release(out);
	*out = c->body;
	buf_init(&c->body, 0);
	c->reply.body = STR_NULL;
}

void courier_wait(struct courier *c, uint64_t ms)
{
	uint64_t until_us = clock_monotonic_us() + ms * 1000;

	(void)c;
	for (uint64_t now_us = until_us - ms * 1000; now_us < until_us; now_us = clock_monotonic_us())
		(void)poll(NULL, 0, (int)MIN((until_us - now_us + 999) / 1000, (uint64_t)60000));
}

struct str courier_header(const struct courier_reply *reply, const char *name)
{
	for (size_t i = 0; i < reply->header_count; i++)
		if (str_eq_nocase(reply->headers[i].name, str_from(name)))
			return reply->headers[i].value;
	return STR_NULL;
}

uint64_t courier_connections(const struct courier *c)
{
	struct http_curl_stats stats;

	http_curl_stats(c->transport, &stats);
	return stats.connections_opened;
}
