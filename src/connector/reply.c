/*
 * reply.c: keeps what matters of a reply's head, gathers its body under a cap, and words refusals. Not: what a good body means (each connector).
 *
 * States of a struct reply: initialised (status 0) → head seen → fed any number of times → read by reply_json or a verdict. reply_head starts
 * over, so a transport that retried inside one attempt does no harm.
 *
 * Cost: an answered turn pays one pass over the header list and one copy of the body; hints are read on refusals only.
 */
#include "connector/reply.h"

#include <stdarg.h>
#include <stdio.h>

#include "connector/hints.h"

#define GATHER_FIRST     256               /* bytes of a first piece when nobody said how much comes: most texts are short */
#define GATHER_TRUST_MAX ((size_t)1 << 20) /* a Content-Length up to here is reserved at once */
#define ERROR_TEXT_MAX   4096
#define BAD_BODY_SHOWN   200 /* bytes of a body that is no JSON, in the sentence */

/* ---- gather ---- */

void gather_init(struct gather *g, struct arena *arena, size_t cap)
{
	*g = (struct gather){ .arena = arena, .cap = cap };
}

int gather_reserve(struct gather *g, size_t total)
{
	size_t room;
	char *ptr;

	if (total > g->cap)
		return FF_ETOOBIG;
	if (total <= g->room)
		return 0;
	room = g->room > g->cap / 2 ? g->cap : g->room * 2;
	room = MAX(room, total);
	ptr = arena_alloc(g->arena, room);
	if (!ptr)
		return FF_ENOMEM;
	if (g->len)
		memcpy(ptr, g->ptr, g->len);
	g->ptr = ptr;
	g->room = room;
	return 0;
}

int gather_append(struct gather *g, const char *data, size_t len)
{
	int r;

	if (len == 0)
		return 0;
	if (len > g->cap - g->len)
		return FF_ETOOBIG;
	r = gather_reserve(g, g->room ? g->len + len : MAX(len, MIN((size_t)GATHER_FIRST, g->cap)));
	if (r != 0)
		return r;
	memcpy(g->ptr + g->len, data, len);
	g->len += len;
	return 0;
}

void gather_consume(struct gather *g, size_t len)
{
	g->len -= len;
	if (g->len)
		memmove(g->ptr, g->ptr + len, g->len);
}

/* ---- head ---- */

void reply_init(struct reply *r, const struct connector_class *class, struct arena *arena, int64_t now_wall_ms)
{
	*r = (struct reply){
		.arena = arena, .class = class, .now_wall_ms = now_wall_ms, .header_hint_ms = HINT_NONE, .should_retry = -1
	};
	gather_init(&r->body, arena, REPLY_MAX_BYTES);
}

static void keep(struct reply *r, struct str value, struct str *ret)
{
	if (ret->len == 0 && arena_str(r->arena, str_trim(value), ret) != 0)
		r->nomem = true;
}

static bool is_request_id(struct str name)
{
	static const char *const names[] = { "x-request-id", "request-id", "x-goog-request-id", "apim-request-id" };

	if (!str_ends_with(name, STR("d")) && !str_ends_with(name, STR("D")))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq_nocase(name, str_from(names[i])))
			return true;
	return false;
}

static void expect_body(struct reply *r, struct str length)
{
	uint64_t n;

	if (str_to_u64(str_trim(length), &n) && n > 0 && n <= GATHER_TRUST_MAX && gather_reserve(&r->body, (size_t)n) != 0)
		r->nomem = true;
}

void reply_head(struct reply *r, int status, const struct pair *headers, size_t header_count)
{
	reply_init(r, r->class, r->arena, r->now_wall_ms);
	r->status = status;
	for (size_t i = 0; i < header_count; i++) {
		struct str name = headers[i].name;

		if (name.len == 12 && str_eq_nocase(name, STR("content-type")))
			keep(r, headers[i].value, &r->content_type);
		else if (name.len == 14 && str_eq_nocase(name, STR("content-length")))
			expect_body(r, headers[i].value);
		else if (name.len == 8 && str_eq_nocase(name, STR("location")))
			keep(r, headers[i].value, &r->location);
		else if (is_request_id(name))
			keep(r, headers[i].value, &r->request_id);
	}
	if (reply_is_success(r))
		return;
	r->should_retry = hint_should_retry(headers, header_count);
	r->header_hint_ms = hint_from_headers(headers, header_count, r->now_wall_ms);
}

int reply_feed(struct reply *r, const char *data, size_t len)
{
	return r->nomem ? FF_ENOMEM : gather_append(&r->body, data, len);
}

/* ---- JSON with Python's NaN ---- */

/* Length of a word that Python's json reads as a number at the start of s, or 0. */
static size_t python_number(struct str s)
{
	static const char *const words[] = { "NaN", "Infinity", "-Infinity" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_starts_with(s, str_from(words[i])))
			return strlen(words[i]);
	return 0;
}

/* Overwrites such words outside of strings by {} and blanks; offsets stay. False when there was none. */
static bool replace_python_numbers(char *text, size_t len)
{
	bool in_string = false, any = false;

	for (size_t i = 0; i < len; i++) {
		size_t word = in_string ? 0 : python_number(str_of(text + i, len - i));

		if (word) {
			memset(text + i, ' ', word);
			text[i] = '{';
			text[i + 1] = '}';
			i += word - 1;
			any = true;
		} else if (in_string && text[i] == '\\') {
			i++;
		} else if (text[i] == '"') {
			in_string = !in_string;
		}
	}
	return any;
}

int reply_parse(struct arena *a, struct str text, struct json *ret, struct json_error *err)
{
	struct json_limits limits = { .max_bytes = REPLY_MAX_BYTES };
	int r = json_parse(a, text, &limits, ret, NULL, err);
	char *copy;

	if (r != FF_EDATA || (!str_contains(text, STR("NaN")) && !str_contains(text, STR("Infinity"))))
		return r;
	copy = arena_memdup(a, text.ptr, text.len);
	if (!copy)
		return FF_ENOMEM;
	return replace_python_numbers(copy, text.len) ? json_parse(a, str_of(copy, text.len), &limits, ret, NULL, err) : r;
}

int reply_json(const struct reply *r, struct json *ret, struct json_error *err)
{
	return reply_parse(r->arena, gather_str(&r->body), ret, err);
}

/* ---- verdicts ---- */

void verdict_init(struct verdict *v, const struct reply *r)
{
	*v = (struct verdict){ .kind = VERDICT_FATAL,
		               .outcome = OUTCOME_BAD_REPLY,
		               .request_id = r->request_id,
		               .usage = USAGE_UNKNOWN,
		               .hint_ms = HINT_NONE };
}

void verdict_nomem(const struct reply *r, struct verdict *ret)
{
	verdict_init(ret, r);
	ret->error = STR("Out of memory while the reply was read.");
}

static void say(const struct reply *r, struct verdict *ret, const char *clause, struct str message)
{
	struct str label = str_from(r->class->label);
	char *text;

	if (message.len)
		text = arena_printf(r->arena, "%.*s: %s (%d, %.*s).", STR_ARG(label), clause, r->status, STR_ARG(message));
	else
		text = arena_printf(r->arena, "%.*s: %s (%d).", STR_ARG(label), clause, r->status);
	if (text)
		ret->error = str_from(text);
	else
		verdict_nomem(r, ret);
}

bool reply_is_retryable(const struct reply *r)
{
	const struct retry_rules *rules = &r->class->retry;

	if (rules->should_retry_header && r->should_retry >= 0)
		return r->should_retry == 1;
	for (const int *s = rules->statuses; s && *s; s++)
		if (*s == r->status || (*s == 599 && r->status >= 500))
			return true;
	return false;
}

static const char *status_clause(int status)
{
	static const struct {
		int status;
		const char *clause;
	} clauses[] = {
		{ 400, "the request was refused as wrong" },
		{ 401, "the key was refused" },
		{ 402, "the account has to pay first" },
		{ 403, "access was denied" },
		{ 404, "the model or the path was not found" },
		{ 405, "the path does not take this request" },
		{ 408, "the provider timed out while it waited for the request" },
		{ 409, "the request conflicts with another one" },
		{ 413, "the request is too large" },
		{ 422, "the request was refused as wrong" },
		{ 429, "the rate limit was reached" },
		{ 498, "the flex tier has no capacity left" },
		{ 499, "the request was cancelled on the way" },
		{ 503, "the provider is overloaded or down" },
		{ 504, "the provider did not answer in time" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(clauses); i++)
		if (clauses[i].status == status)
			return clauses[i].clause;
	if (status >= 500)
		return "the provider failed";
	return status >= 400 ? "the request was refused" : "the status is none that answers a request";
}

static void say_redirect(const struct reply *r, struct verdict *ret)
{
	struct str shown = provider_message(r->arena, r->location, NULL);
	char *clause;

	if (!r->location.len) {
		say(r, ret, "the reply is a redirect without a Location", STR_NULL);
		return;
	}
	clause = arena_printf(r->arena, "the reply redirects to %.*s, and redirects are not followed", STR_ARG(shown));
	if (clause)
		say(r, ret, clause, STR_NULL);
	else
		verdict_nomem(r, ret);
}

static enum outcome status_outcome(int status)
{
	if (status == 429)
		return OUTCOME_RATE_LIMITED;
	return status >= 500 ? OUTCOME_HTTP_5XX : OUTCOME_HTTP_4XX;
}

void reply_http_verdict(const struct reply *r, struct verdict *ret)
{
	struct json parsed;
	const struct json *body = NULL;
	struct str message;

	verdict_init(ret, r);
	ret->outcome = status_outcome(r->status);
	if (r->status >= 300 && r->status <= 399) {
		say_redirect(r, ret);
	} else {
		if (r->body.len && reply_json(r, &parsed, NULL) == 0)
			body = &parsed;
		message = provider_message(r->arena, gather_str(&r->body), body);
		say(r, ret, status_clause(r->status), message);
		ret->daily_quota = r->status == 429 && hint_is_daily(body, message);
		if (r->class->retry.hints)
			ret->hint_ms = r->header_hint_ms != HINT_NONE ? r->header_hint_ms : hint_from_body(body, message);
	}
	if (r->nomem)
		verdict_nomem(r, ret);
	else if (ret->outcome != OUTCOME_BAD_REPLY && reply_is_retryable(r))
		ret->kind = VERDICT_RETRY;
	if (ret->kind != VERDICT_RETRY)
		ret->hint_ms = HINT_NONE;
}

void reply_error_verdict(const struct reply *r, const struct json *error, struct verdict *ret)
{
	verdict_init(ret, r);
	say(r, ret, "the reply reports an error", provider_message(r->arena, STR_NULL, error));
}

void reply_bad_verdict(const struct reply *r, struct verdict *ret, const char *what_format, ...)
{
	char what[ERROR_TEXT_MAX];
	struct str body = gather_str(&r->body), shown = STR_NULL;
	struct json parsed;
	va_list args;

	va_start(args, what_format);
	vsnprintf(what, sizeof what, what_format, args);
	va_end(args);
	verdict_init(ret, r);
	if (body.len && reply_json(r, &parsed, NULL) == FF_EDATA)
		shown = provider_message(r->arena, body, NULL);
	shown.len = utf8_cut(shown, BAD_BODY_SHOWN);
	if (shown.len && text_is_html(body)) {
		char *page = arena_printf(r->arena, "an HTML page: %.*s", STR_ARG(shown));

		shown = str_from(page);
	}
	say(r, ret, what, shown);
}

int64_t usage_count(const struct json *usage, struct str name)
{
	const struct json *v = usage ? json_get(usage, name) : NULL;
	int64_t n;

	return v && v->type == JSON_NUMBER && json_to_i64(v, &n) && n >= 0 ? n : -1;
}
