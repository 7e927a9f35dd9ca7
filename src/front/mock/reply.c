/*
 * reply.c: building a reply, and the error bodies of five protocols. See reply.h.
 */
#include "front/mock/reply.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "front/mock/text.h"

#define REPLY_BODY_MAX ((size_t)1 << 30)

void mock_reply_init(struct mock_reply *r)
{
	*r = (struct mock_reply){ .status = 200 };
	buf_init(&r->body, REPLY_BODY_MAX);
}

static void drop_headers(struct mock_reply *r)
{
	for (size_t i = 0; i < r->header_count; i++) {
		mem_free(r->headers[i].name);
		mem_free(r->headers[i].value);
	}
	r->header_count = 0;
}

void mock_reply_release(struct mock_reply *r)
{
	drop_headers(r);
	buf_release(&r->body);
}

void mock_reply_clear(struct mock_reply *r)
{
	struct buf body = r->body;

	drop_headers(r);
	buf_clear(&body);
	*r = (struct mock_reply){ .status = 200, .body = body };
}

void mock_reply_header(struct mock_reply *r, struct str name, struct str value)
{
	char *copy = mem_strndup(value.ptr ? value.ptr : "", value.len);

	for (size_t i = 0; copy && i < r->header_count; i++) {
		if (str_eq_nocase(str_from(r->headers[i].name), name)) {
			mem_free(r->headers[i].value);
			r->headers[i].value = copy;
			return;
		}
	}
	if (copy && r->header_count < REPLY_HEADERS) {
		char *own = mem_strndup(name.ptr, name.len);
		if (own) {
			r->headers[r->header_count++] = (struct mock_header){ own, copy };
			return;
		}
	}
	mem_free(copy);
	r->failed = FF_ENOMEM;
}

void mock_reply_header_u64(struct mock_reply *r, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	mock_reply_header(r, str_from(name), str_from(text));
}

void mock_reply_end_piece(struct mock_reply *r)
{
	size_t start = r->piece_count ? r->ends[r->piece_count - 1] : 0;

	if (r->body.len == start)
		return;
	if (r->piece_count == REPLY_PIECES) /* more pieces than places: the last one grows */
		r->piece_count--;
	r->ends[r->piece_count++] = r->body.len;
}

int mock_reply_failed(const struct mock_reply *r)
{
	return r->failed || buf_failed(&r->body) ? FF_ENOMEM : 0;
}

/* ---- errors ---- */

/* One row a status that anything here sends on its own; others take the nearest hundred. */
static const struct status_row {
	unsigned status;
	const char *type, *google;
} statuses[] = {
	{ 400, "invalid_request_error", "INVALID_ARGUMENT" },
	{ 401, "invalid_request_error", "UNAUTHENTICATED" },
	{ 403, "invalid_request_error", "PERMISSION_DENIED" },
	{ 404, "invalid_request_error", "NOT_FOUND" },
	{ 405, "invalid_request_error", "UNIMPLEMENTED" },
	{ 408, "timeout", "DEADLINE_EXCEEDED" },
	{ 409, "conflict_error", "ABORTED" },
	{ 413, "invalid_request_error", "INVALID_ARGUMENT" },
	{ 422, "invalid_request_error", "INVALID_ARGUMENT" },
	{ 429, "requests", "RESOURCE_EXHAUSTED" },
	{ 499, "invalid_request_error", "CANCELLED" },
	{ 500, "server_error", "INTERNAL" },
	{ 501, "server_error", "UNIMPLEMENTED" },
	{ 502, "server_error", "UNAVAILABLE" },
	{ 503, "service_unavailable_error", "UNAVAILABLE" },
	{ 504, "server_error", "DEADLINE_EXCEEDED" },
};

static const struct status_row *status_row(unsigned status)
{
	const struct status_row *nearest = &statuses[0];

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		if (statuses[i].status == status)
			return &statuses[i];
		if (statuses[i].status == status / 100 * 100)
			nearest = &statuses[i];
	}
	return nearest;
}

static void put_nullable(struct buf *out, const char *text)
{
	if (text)
		text_put_json(out, str_from(text));
	else
		buf_append_str(out, STR("null"));
}

/* OpenAI: message, type, param, code. Groq: the same without param, and without a code that does not apply. */
static void put_openai(struct buf *out, const struct api_error *e, bool groq)
{
	buf_append_str(out, STR("{\"error\":{\"message\":"));
	text_put_json(out, str_from(e->message));
	buf_append_str(out, STR(",\"type\":"));
	text_put_json(out, str_from(e->type ? e->type : status_row(e->status)->type));
	if (!groq) {
		buf_append_str(out, STR(",\"param\":"));
		put_nullable(out, e->param);
	}
	if (!groq || e->code) {
		buf_append_str(out, STR(",\"code\":"));
		put_nullable(out, e->code);
	}
	buf_append_str(out, STR("}}\n"));
}

/* Seconds with as many decimals as are needed and the suffix of a protobuf duration: "47s", "4.77s". */
static void put_google_duration(struct buf *out, uint64_t us)
{
	uint64_t ms = (us + 999) / 1000;

	if (ms % 1000)
		buf_printf(out, "%" PRIu64 ".%03us", ms / 1000, (unsigned)(ms % 1000));
	else
		buf_printf(out, "%" PRIu64 "s", ms / 1000);
}

static void put_google_details(struct buf *out, const struct api_error *e)
{
	if (e->quota) {
		buf_append_str(out, STR(",\"details\":[{\"@type\":\"type.googleapis.com/"
		                        "google.rpc.QuotaFailure\",\"violations\":[{\"quotaMetric\":"));
		text_put_json(out, str_from(e->quota));
		buf_append_str(out, STR("}]},{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\""));
		put_google_duration(out, e->retry_us);
		buf_append_str(out, STR("\"}]"));
	} else if (e->code) {
		buf_append_str(out, STR(",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":"));
		text_put_json(out, str_from(e->code));
		buf_append_str(
		        out,
		        STR(",\"domain\":\"googleapis.com\",\"metadata\":{\"service\":\"generativelanguage.googleapis.com\"}}]"));
	}
}

static void put_gemini(struct buf *out, const struct api_error *e)
{
	buf_printf(out, "{\"error\":{\"code\":%u,\"message\":", e->status);
	text_put_json(out, str_from(e->message));
	buf_append_str(out, STR(",\"status\":"));
	text_put_json(out, str_from(status_row(e->status)->google));
	put_google_details(out, e);
	buf_append_str(out, STR("}}\n"));
}

static void put_single(struct buf *out, struct str opening, const struct api_error *e)
{
	buf_append_str(out, opening);
	text_put_json(out, str_from(e->message));
	buf_append_str(out, STR("}"));
}

/* Whole seconds for everyone; OpenAI adds milliseconds, Gemini says it in the body alone. */
static void put_retry_headers(struct mock_reply *r, enum proto proto, uint64_t retry_us)
{
	if (!retry_us || proto == PROTO_GEMINI)
		return;
	mock_reply_header_u64(r, "retry-after", (retry_us + 999999) / 1000000);
	if (proto == PROTO_OPENAI)
		mock_reply_header_u64(r, "retry-after-ms", (retry_us + 999) / 1000);
}

void mock_reply_error(struct mock_reply *r, enum proto proto, const struct api_error *e)
{
	mock_reply_clear(r);
	r->status = e->status;
	mock_reply_header_lit(r, "Content-Type", "application/json");
	switch (proto) {
	case PROTO_OPENAI:
	case PROTO_GROQ: put_openai(&r->body, e, proto == PROTO_GROQ); break;
	case PROTO_GEMINI: put_gemini(&r->body, e); break;
	case PROTO_OLLAMA: put_single(&r->body, STR("{\"error\":"), e); break;
	case PROTO_ALQUIMIA: put_single(&r->body, STR("{\"detail\":"), e); break;
	}
	put_retry_headers(r, proto, e->retry_us);
}
