/* runtime.c: the calls of the Runtime API and what their statuses mean. See runtime.h. */
#include "front/lambda/runtime.h"

#include <stdio.h>

#include "base/alloc.h"
#include "fairforge/fairforge.h"
#include "front/lambda/courier.h"

#define ADDRESS_MAX       255u
#define ERROR_MAX_BYTES   ((size_t)64 << 10)
#define POST_CONNECT_MS   2000
#define EVENT_MAX_BYTES   ((uint64_t)16 << 20) /* Lambda hands over 6 MiB */
#define TYPE_MAX          64u
#define ANSWER_TEXT_SHOWN 200u

struct runtime {
	struct courier *courier;
	char address[ADDRESS_MAX + 1];
	char id[INVOCATION_ID_MAX + 1]; /* of the event that came last */
	bool answered;                  /* it was, as far as the platform is concerned */
	struct buf event;
};

static bool is_address(const char *address)
{
	struct str s = str_from(address);

	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] <= ' ' || (unsigned char)s.ptr[i] >= 0x7f || strchr("/@?#\\", s.ptr[i]))
			return false;
	return s.len > 0 && s.len <= ADDRESS_MAX;
}

int runtime_new(const char *address, struct runtime **ret, struct error *err)
{
	struct runtime *rt;
	int r;

	if (!is_address(address))
		return error_set(err, FF_EUSAGE, "AWS_LAMBDA_RUNTIME_API",
		                 "AWS_LAMBDA_RUNTIME_API must be the host and port of Lambda's Runtime API.");
	rt = NEW(struct runtime);
	if (!rt)
		return error_nomem(err);
	snprintf(rt->address, sizeof(rt->address), "%s", address);
	buf_init(&rt->event, 0);
	r = courier_new_local(&rt->courier, err);
	if (r)
		runtime_free(rt);
	else
		*ret = rt;
	return r;
}

void runtime_free(struct runtime *rt)
{
	if (!rt)
		return;
	courier_free(rt->courier);
	buf_release(&rt->event);
	mem_free(rt);
}

/* ---- one call ---- */

struct call {
	char url[ADDRESS_MAX + INVOCATION_ID_MAX + 100];
	struct pair headers[3];
	struct http_request request;
};

static const struct pair agent = { { "User-Agent", 10 }, { "fairforge/" FF_VERSION, sizeof("fairforge/" FF_VERSION) - 1 } };

static void prepare(struct call *c, const struct runtime *rt, struct str method, const char *before, const char *id,
                    const char *after)
{
	int len = snprintf(c->url, sizeof(c->url), "http://%s/2018-06-01/runtime/%s%s%s", rt->address, before, id, after);

	c->headers[0] = agent;
	c->request = (struct http_request){ .method = method,
		                            .url = str_of(c->url, (size_t)len),
		                            .headers = c->headers,
		                            .header_count = 1,
		                            .max_body_bytes = EVENT_MAX_BYTES,
		                            .http11 = true };
}

static void prepare_post(struct call *c, struct str body)
{
	c->headers[c->request.header_count++] = (struct pair){ STR("Content-Type"), STR("application/json") };
	c->request.body = body;
	c->request.connect_timeout_ms = POST_CONNECT_MS;
}

/* ---- next ---- */

/* Sends until a reply came, whatever its status. */
static int ask(struct runtime *rt, const struct http_request *request, struct courier_reply *reply, struct error *err)
{
	static const uint64_t waits_ms[] = { 10, 50, 250 };

	for (size_t attempt = 0;; attempt++) {
		int r = courier_exchange(rt->courier, request, reply, err);

		if (r || reply->result.failure == HTTP_COMPLETE)
			return r;
		if (attempt == ARRAY_SIZE(waits_ms))
			return error_set(err, FF_EUNREACHABLE, "",
			                 "The Runtime API at %s gave no next event (%s), also when asked again %zu times.",
			                 rt->address, reply->result.text, attempt);
		courier_wait(rt->courier, waits_ms[attempt]);
	}
}

/* The platform's words as far as they are harmless: an errorType. */
static struct str clip(struct str body)
{
	body = str_trim(body);
	return str_of(body.ptr, utf8_cut(body, MIN(body.len, (size_t)ANSWER_TEXT_SHOWN)));
}

static int take(struct runtime *rt, const struct courier_reply *reply, struct invocation *ret, struct error *err)
{
	struct invocation next;
	int r;

	if (reply->result.status != 200)
		return error_set(err, FF_EREFUSED, "", "The Runtime API answered %d instead of the next event: %.*s",
		                 reply->result.status, STR_ARG(clip(reply->body)));
	r = invocation_read(reply->headers, reply->header_count, &next, err);
	if (r)
		return r;
	if (!rt->answered && !strcmp(next.id, rt->id))
		return error_set(
		        err, FF_EREFUSED, "",
		        "The Runtime API delivered request %s again, although its answer was refused: it would come for ever.",
		        rt->id);
	courier_take_body(rt->courier, &rt->event);
	next.body = buf_str(&rt->event);
	memcpy(rt->id, next.id, sizeof(rt->id));
	rt->answered = false;
	*ret = next;
	return 0;
}

int runtime_next(struct runtime *rt, struct invocation *ret, struct error *err)
{
	struct courier_reply reply;
	struct call c;
	int r;

	buf_release(&rt->event);
	prepare(&c, rt, STR("GET"), "invocation/", "next", "");
	r = ask(rt, &c.request, &reply, err);
	return r ? r : take(rt, &reply, ret, err);
}

/* ---- posts ---- */

static int post(struct runtime *rt, struct call *c, struct str body, struct error *err)
{
	struct courier_reply reply;
	int r;

	prepare_post(c, body);
	r = courier_exchange(rt->courier, &c->request, &reply, err);
	if (r)
		return r;
	if (reply.result.failure != HTTP_COMPLETE)
		return error_set(err, FF_EUNREACHABLE, "", "The Runtime API at %s did not take an answer: %s.", rt->address,
		                 reply.result.text);
	switch (reply.result.status) {
	case 202: rt->answered = true; return RUNTIME_ACCEPTED;
	case 413: rt->answered = true; break; /* the platform has told the caller */
	case 400:
	case 403: break;
	default:
		return error_set(err, FF_EREFUSED, "", "The Runtime API answered %d to an answer: %.*s", reply.result.status,
		                 STR_ARG(clip(reply.body)));
	}
	error_set(err, FF_EREFUSED, "", "The Runtime API refused an answer of %zu bytes with %d: %.*s", body.len,
	          reply.result.status, STR_ARG(clip(reply.body)));
	return RUNTIME_OVER;
}

int runtime_respond(struct runtime *rt, struct str body, struct error *err)
{
	struct call c;

	if (body.len > RUNTIME_MAX_BYTES)
		return error_set(err, FF_ETOOBIG, "", "An answer of %zu bytes is larger than Lambda takes.", body.len);
	prepare(&c, rt, STR("POST"), "invocation/", rt->id, "/response");
	return post(rt, &c, body, err);
}

static int post_error(struct runtime *rt, struct call *c, const char *type, struct str sentence, struct error *err)
{
	char *quoted = ff_json_quote(sentence.ptr ? sentence.ptr : "", utf8_cut(sentence, MIN(sentence.len, ERROR_MAX_BYTES / 8)));
	struct buf body;
	int r;

	buf_init(&body, ERROR_MAX_BYTES);
	if (quoted)
		buf_printf(&body, "{\"errorMessage\": %s, \"errorType\": \"%s\", \"stackTrace\": []}", quoted, type);
	c->headers[c->request.header_count++] = (struct pair){ STR("Lambda-Runtime-Function-Error-Type"), str_from(type) };
	r = !quoted || buf_failed(&body) ? error_nomem(err) : post(rt, c, buf_str(&body), err);
	ff_free(quoted);
	buf_release(&body);
	return r;
}

int runtime_fail(struct runtime *rt, const char *type, struct str sentence, struct error *err)
{
	struct call c;

	prepare(&c, rt, STR("POST"), "invocation/", rt->id, "/error");
	return post_error(rt, &c, type, sentence, err);
}

int runtime_init_error(struct runtime *rt, const char *type, struct str sentence, struct error *err)
{
	struct call c;

	prepare(&c, rt, STR("POST"), "init/", "error", "");
	return post_error(rt, &c, type, sentence, err);
}
