/*
 * event_answer.c: the function's answer in the form that its invoker expects. See event.h.
 *
 * The body stands in the envelope as a string: quoting makes it longer (a quote becomes two bytes), so the limit of 6 MiB is to be checked on what
 * comes out of here. A header is one row of a table and is written in either form, {"K": "v"} or {"K": ["v"]}.
 */
#include "base/alloc.h"
#include "fairforge/fairforge.h"
#include "front/lambda/event.h"

#define MAX_HEADERS 8u

struct header_rows {
	struct pair rows[MAX_HEADERS];
	size_t count;
};

static void add(struct header_rows *h, struct str name, struct str value)
{
	if (value.len && h->count < MAX_HEADERS)
		h->rows[h->count++] = (struct pair){ name, value };
}

static void append_quoted(struct buf *out, struct str text)
{
	char *quoted = ff_json_quote(text.ptr ? text.ptr : "", text.len);

	if (quoted)
		buf_append(out, quoted, strlen(quoted));
	else
		out->failed = FF_ENOMEM;
	ff_free(quoted);
}

static void append_headers(struct buf *out, const struct header_rows *h, bool multi)
{
	buf_append_str(out, multi ? STR(",\"multiValueHeaders\":{") : STR(",\"headers\":{"));
	for (size_t i = 0; i < h->count; i++) {
		if (i)
			buf_append_char(out, ',');
		append_quoted(out, h->rows[i].name);
		buf_append_char(out, ':');
		if (multi)
			buf_append_char(out, '[');
		append_quoted(out, h->rows[i].value);
		if (multi)
			buf_append_char(out, ']');
	}
	buf_append_char(out, '}');
}

/* Reason phrases of the statuses that a door answers with (RFC 9110). */
static const char *reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} rows[] = {
		{ 200, "OK" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 400, "Bad Request" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 413, "Content Too Large" },
		{ 429, "Too Many Requests" },
		{ 500, "Internal Server Error" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].status == status)
			return rows[i].text;
	return "Status";
}

static void add_common(struct header_rows *h, const struct event_headers *headers)
{
	struct str origin = str_from(headers->cors_origin);

	add(h, STR("Content-Type"), STR("application/json"));
	add(h, STR("Access-Control-Allow-Origin"), origin);
	if (origin.len && !str_eq(origin, STR("*")))
		add(h, STR("Vary"), STR("Origin"));
	add(h, STR("Retry-After"), str_from(headers->retry_after));
	add(h, STR("Allow"), str_from(headers->allow));
}

static int write_envelope(const struct event *e, int status, struct str body, const struct header_rows *h, struct buf *out)
{
	buf_printf(out, "{\"statusCode\":%d", status);
	if (e->kind == EVENT_ALB)
		buf_printf(out, ",\"statusDescription\":\"%d %s\"", status, reason(status));
	append_headers(out, h, e->multi_value_headers);
	buf_append_str(out, STR(",\"body\":"));
	append_quoted(out, status == 204 ? STR_NULL : body);
	buf_append_str(out, STR(",\"isBase64Encoded\":false}"));
	return buf_failed(out);
}

int event_write_http(const struct event *e, int status, struct str body, const struct event_headers *headers, struct buf *out)
{
	struct header_rows h = { .count = 0 };

	add_common(&h, headers);
	return write_envelope(e, status, body, &h, out);
}

int event_write_preflight(const struct event *e, const struct event_headers *headers, struct buf *out)
{
	struct header_rows h = { .count = 0 };

	add_common(&h, headers);
	add(&h, STR("Access-Control-Allow-Methods"), STR("POST, OPTIONS"));
	/* What a browser must ask for: JSON, a token, or the headers of a signed request (AWS_IAM). */
	add(&h, STR("Access-Control-Allow-Headers"),
	    STR("authorization, content-type, x-amz-content-sha256, x-amz-date, x-amz-security-token"));
	add(&h, STR("Access-Control-Max-Age"), STR("3600"));
	return write_envelope(e, 204, STR_NULL, &h, out);
}

int event_write_sqs(const struct event *e, const bool *failed, struct buf *out)
{
	bool first = true;

	buf_append_str(out, STR("{\"batchItemFailures\":["));
	for (size_t i = 0; i < e->item_count; i++) {
		if (!failed[i])
			continue;
		buf_append_str(out, first ? STR("{\"itemIdentifier\":") : STR(",{\"itemIdentifier\":"));
		append_quoted(out, e->items[i].id);
		buf_append_char(out, '}');
		first = false;
	}
	buf_append_str(out, STR("]}"));
	return buf_failed(out);
}
