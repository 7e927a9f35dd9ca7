/*
 * event.c: what invoked the function, and the payloads in it. See event.h for the table of shapes.
 *
 * The event is parsed once by ff_json_parse (which copies it), looked at by its shape, and each payload is handed on as text: a body as it came,
 * an object written again. The texts point into the document, into the arena or into the caller's text. Nothing here trusts a type:
 * ff_json_get of what is no object finds nothing. Payload texts are parsed once more by the run, which is what makes one reader of payloads enough.
 */
#include "front/lambda/event.h"

#include "base/alloc.h"
#include "fairforge/fairforge.h"

typedef const struct ff_json *value;

static struct str text_of(value v)
{
	struct str s = STR_NULL;

	if (ff_json_type(v) == FF_JSON_STRING)
		s.ptr = ff_json_text(v, &s.len);
	return s;
}

static bool is_object(value v)
{
	return ff_json_type(v) == FF_JSON_OBJECT;
}

static bool is_text(value v, struct str expected)
{
	return ff_json_type(v) == FF_JSON_STRING && str_eq(text_of(v), expected);
}

/* ---- payload texts ---- */

/* The value of a Base64 digit, URL-safe forms too; 64: none. */
static unsigned digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0') + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : 64;
}

static bool is_blank(char c)
{
	return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

/*
 * Padding may be left out, and lines may be broken, as base64(1) and MIME break them; anything else that is not in the alphabet is refused.
 * False: it is no Base64. `out` has room for len / 4 * 3 + 3.
 */
static bool decode_base64(struct str in, char *out, size_t *ret_len)
{
	size_t len = 0;
	unsigned bits = 0, digits = 0, padding = 0;

	for (size_t i = 0; i < in.len; i++) {
		unsigned d = digit(in.ptr[i]);

		if (is_blank(in.ptr[i]))
			continue;
		if (in.ptr[i] == '=' && ++padding <= 2)
			continue;
		if (d == 64 || padding)
			return false;
		bits = bits << 6 | d;
		if (++digits % 4 == 1)
			continue;
		out[len++] = (char)(bits >> (6 - 2 * ((digits - 1) % 4)) & 0xff);
	}
	*ret_len = len;
	return digits % 4 != 1 && (!padding || (digits + padding) % 4 == 0);
}

static int set_base64(struct event *e, struct event_item *item, struct str encoded)
{
	char *out = arena_alloc(&e->arena, encoded.len / 4 * 3 + 3);
	size_t len;

	if (!out)
		return FF_ENOMEM;
	if (decode_base64(encoded, out, &len)) {
		item->body = str_of(out, len);
	} else {
		item->body = STR_NULL;
		item->problem = "The event says that its body is Base64 (isBase64Encoded), but it is not.";
	}
	return 0;
}

/* A value as JSON text that lives as long as the event. */
static int set_json(struct event *e, struct event_item *item, value v)
{
	struct str text = STR_NULL;
	int r;

	text.ptr = ff_json_write(v, &text.len);
	if (!text.ptr)
		return FF_ENOMEM;
	r = arena_str(&e->arena, text, &item->body);
	ff_free((char *)(uintptr_t)text.ptr);
	return r;
}

/* A body in any of its forms. */
static int set_body(struct event *e, struct event_item *item, value body, bool base64)
{
	switch (ff_json_type(body)) {
	case FF_JSON_NULL: /* or absent */ item->body = STR("{}"); return 0;
	case FF_JSON_STRING:
		if (base64)
			return set_base64(e, item, text_of(body));
		item->body = text_of(body);
		if (!item->body.len)
			item->body = STR("{}");
		return 0;
	case FF_JSON_OBJECT:
	case FF_JSON_ARRAY: return set_json(e, item, body);
	default: item->problem = "The body is a number, true or false, but a payload is a JSON object."; return 0;
	}
}

static int make_items(struct event *e, size_t count)
{
	e->items = arena_calloc(&e->arena, count, sizeof(*e->items));
	if (!e->items)
		return FF_ENOMEM;
	e->item_count = count;
	return 0;
}

static int read_body(struct event *e, value root)
{
	if (make_items(e, 1))
		return FF_ENOMEM;
	return set_body(e, e->items, ff_json_get(root, "body"), ff_json_type(ff_json_get(root, "isBase64Encoded")) == FF_JSON_TRUE);
}

/* ---- shapes ---- */

static int read_http_v2(struct event *e, value root, value context)
{
	value http = ff_json_get(context, "http");

	e->kind = EVENT_HTTP_V2;
	e->method = text_of(ff_json_get(http, "method"));
	e->path = text_of(ff_json_get(root, "rawPath"));
	/* A Function URL has the same shape; its domain tells it apart. */
	e->is_gateway = text_of(ff_json_get(context, "apiId")).len &&
	                !str_contains(text_of(ff_json_get(context, "domainName")), STR(".lambda-url."));
	return read_body(e, root);
}

static int read_http_v1(struct event *e, value root, enum event_kind kind)
{
	e->kind = kind;
	e->method = text_of(ff_json_get(root, "httpMethod"));
	e->path = text_of(ff_json_get(root, "path"));
	/* API Gateway sends both forms and takes either; a load balancer wants the form that it used. */
	e->multi_value_headers = is_object(ff_json_get(root, "multiValueHeaders")) && !is_object(ff_json_get(root, "headers"));
	e->is_gateway = kind == EVENT_REST_V1;
	return read_body(e, root);
}

/* The records of an SQS event: under Records, or from EventBridge Pipes a bare array. NULL: it is none. */
static value sqs_records(value root)
{
	value records = ff_json_type(root) == FF_JSON_ARRAY ? root : ff_json_get(root, "Records");

	if (ff_json_type(records) != FF_JSON_ARRAY)
		return NULL;
	return is_text(ff_json_get(ff_json_item(records, 0), "eventSource"), STR("aws:sqs")) ? records : NULL;
}

static int read_sqs(struct event *e, value records)
{
	e->kind = EVENT_SQS;
	e->is_fifo = str_ends_with(text_of(ff_json_get(ff_json_item(records, 0), "eventSourceARN")), STR(".fifo"));
	if (make_items(e, ff_json_count(records)))
		return FF_ENOMEM;
	for (size_t i = 0; i < e->item_count; i++) {
		value record = ff_json_item(records, i);

		e->items[i].id = text_of(ff_json_get(record, "messageId"));
		if (set_body(e, &e->items[i], ff_json_get(record, "body"), false))
			return FF_ENOMEM;
	}
	return 0;
}

static void append_json(struct buf *b, value v)
{
	size_t len = 0;
	char *text = ff_json_write(v, &len);

	if (text)
		buf_append(b, text, len);
	else
		b->failed = FF_ENOMEM;
	ff_free(text);
}

static void append_key(struct buf *b, struct str key)
{
	char *quoted = ff_json_quote(key.ptr, key.len);

	if (quoted)
		buf_printf(b, "%s:", quoted);
	else
		b->failed = FF_ENOMEM;
	ff_free(quoted);
}

/* The members of `base` but `datasets`, then `datasets` with the JSON of `items`: an array, or one dataset. */
static int set_payload(struct event *e, struct event_item *item, value base, value items)
{
	struct buf b;
	int r;

	buf_init(&b, 4 * EVENT_MAX_BYTES); /* written text may be longer than what was read: at most \u0000 for a byte */
	buf_append_char(&b, '{');
	for (size_t i = 0; is_object(base) && i < ff_json_count(base); i++) {
		struct str key;

		key.ptr = ff_json_key(base, i, &key.len);
		if (str_eq(key, STR("datasets")))
			continue;
		append_key(&b, key);
		append_json(&b, ff_json_item(base, i));
		buf_append_char(&b, ',');
	}
	append_key(&b, STR("datasets"));
	buf_append_str(&b, ff_json_type(items) == FF_JSON_ARRAY ? STR_NULL : STR("["));
	append_json(&b, items);
	buf_append_str(&b, ff_json_type(items) == FF_JSON_ARRAY ? STR("}") : STR("]}"));
	r = buf_failed(&b) ? buf_failed(&b) : arena_str(&e->arena, buf_str(&b), &item->body);
	buf_release(&b);
	return r;
}

static int read_map(struct event *e, value root, value items)
{
	e->kind = EVENT_MAP;
	return make_items(e, 1) ? FF_ENOMEM : set_payload(e, e->items, ff_json_get(root, "BatchInput"), items);
}

static int read_bridge(struct event *e, value detail)
{
	e->kind = EVENT_BRIDGE;
	return make_items(e, 1) ? FF_ENOMEM : set_body(e, e->items, detail, false);
}

static bool is_bare_dataset(value root)
{
	return ff_json_get(root, "session_id") && ff_json_get(root, "conversation") && !ff_json_get(root, "datasets");
}

static int read_direct(struct event *e, value root, struct str text)
{
	e->kind = EVENT_DIRECT;
	if (make_items(e, 1))
		return FF_ENOMEM;
	if (is_bare_dataset(root))
		return set_payload(e, e->items, NULL, root);
	if (ff_json_type(ff_json_get(root, "Records")) == FF_JSON_ARRAY && !ff_json_get(root, "datasets"))
		e->items->problem = "The event's Records are not of SQS, the one queue that this function takes: send the payload "
		                    "itself, or through SQS.";
	else
		e->items->body = text;
	return 0;
}

static int read_shape(struct event *e, value root, struct str text)
{
	value context = ff_json_get(root, "requestContext"), items = ff_json_get(root, "Items"),
	      detail = ff_json_get(root, "detail");
	value records = sqs_records(root);

	if (is_text(ff_json_get(root, "version"), STR("2.0")) && is_object(ff_json_get(context, "http")))
		return read_http_v2(e, root, context);
	if (is_object(ff_json_get(context, "elb")))
		return read_http_v1(e, root, EVENT_ALB);
	if (ff_json_type(ff_json_get(root, "httpMethod")) == FF_JSON_STRING && is_object(context))
		return read_http_v1(e, root, EVENT_REST_V1);
	if (records)
		return read_sqs(e, records);
	if (ff_json_type(items) == FF_JSON_ARRAY)
		return read_map(e, root, items);
	if (ff_json_get(root, "detail-type") && ff_json_get(root, "source") && detail)
		return read_bridge(e, detail);
	if (ff_json_get(root, "body")) {
		e->kind = EVENT_BODY;
		return read_body(e, root);
	}
	return read_direct(e, root, text);
}

int event_decode(struct str text, struct event *ret, struct error *err)
{
	struct event e = { .kind = EVENT_DIRECT };
	struct ff_error problem = { 0 };
	int r;

	if (!str_trim(text).len)
		text = STR("{}");
	r = ff_json_parse(text.ptr, text.len, EVENT_MAX_BYTES, 0, &e.doc, &problem);
	if (r)
		return error_set(err, r, problem.where, "%s", problem.text);
	arena_init(&e.arena);
	r = read_shape(&e, ff_json_root(e.doc), text);
	if (r) {
		event_release(&e);
		return r == FF_ENOMEM ? error_nomem(err) : error_set(err, r, "", "The event is too large.");
	}
	*ret = e;
	return 0;
}

void event_release(struct event *e)
{
	ff_json_free(e->doc);
	arena_release(&e->arena);
	*e = (struct event){ .kind = EVENT_DIRECT };
}

/* ---- what a kind means ---- */

const char *event_kind_name(enum event_kind kind)
{
	static const char *const names[] = {
		[EVENT_HTTP_V2] = "HTTP API v2", [EVENT_ALB] = "ALB",
		[EVENT_REST_V1] = "REST v1",     [EVENT_SQS] = "SQS",
		[EVENT_MAP] = "distributed map", [EVENT_BRIDGE] = "EventBridge",
		[EVENT_BODY] = "body",           [EVENT_DIRECT] = "direct",
	};

	return names[kind];
}

bool event_is_http(const struct event *e)
{
	return e->kind == EVENT_HTTP_V2 || e->kind == EVENT_ALB || e->kind == EVENT_REST_V1 || e->kind == EVENT_BODY;
}

bool event_is_gateway(const struct event *e)
{
	return e->is_gateway;
}

bool event_has_no_reader(const struct event *e)
{
	return e->kind == EVENT_SQS || e->kind == EVENT_BRIDGE;
}
