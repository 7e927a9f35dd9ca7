/*
 * script_parse.c: reads the document of faults. Two tables name every key, of a rule and of the document, with the function that reads it; what
 * they do not name is an error. Every problem is collected with its JSON pointer, none stops the reading of the rest. Everything a rule keeps is
 * copied into the script's arena, so that the document goes at once.
 */
#include "front/mock/script.h"

#include <stdio.h>

#include "base/error.h"
#include "fairforge/fairforge.h"
#include "front/mock/text.h"

#define GARBAGE_MAX      ((size_t)64 << 10)
#define INTERVAL_MS      50u
#define MILLISECONDS_MAX ((uint64_t)24 * 3600 * 1000)
#define DEFAULT_GARBAGE  "\x16\x03\x01\x02garbage, not HTTP\r\n\xff\xfe"

struct reader {
	struct script *script;
	struct problems *problems;
	char pointer[192];
};

typedef void read_fn(struct reader *rd, const struct ff_json *v, struct rule *rule);

struct key {
	const char *name;
	read_fn *read;
};

/* A pointer below the reader's, as long as the object lives. */
struct place {
	char before[192];
};

static struct place enter(struct reader *rd, struct str token)
{
	struct place p;
	size_t at = strlen(rd->pointer);

	memcpy(p.before, rd->pointer, sizeof(p.before));
	if (at + 1 < sizeof(rd->pointer))
		rd->pointer[at++] = '/';
	for (size_t i = 0; i < token.len && at + 3 < sizeof(rd->pointer); i++) {
		if (token.ptr[i] == '~' || token.ptr[i] == '/') {
			rd->pointer[at++] = '~';
			rd->pointer[at++] = token.ptr[i] == '~' ? '0' : '1';
		} else {
			rd->pointer[at++] = token.ptr[i];
		}
	}
	rd->pointer[at] = '\0';
	return p;
}

static struct place enter_index(struct reader *rd, size_t index)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", index);
	return enter(rd, str_from(text));
}

static void leave(struct reader *rd, const struct place *p)
{
	memcpy(rd->pointer, p->before, sizeof(rd->pointer));
}

#define WRONG(rd, ...) problem_error((rd)->problems, (rd)->pointer, __VA_ARGS__)

static bool has_type(const struct ff_json *v, enum ff_json_type type)
{
	return ff_json_type(v) == type;
}

static struct str keep(struct reader *rd, struct str s)
{
	struct str copy = STR_NULL;

	if (arena_str(&rd->script->arena, s, &copy))
		rd->problems->nomem = true;
	return copy;
}

/* A whole number from least to most. */
static bool read_whole(struct reader *rd, const struct ff_json *v, uint64_t least, uint64_t most, uint64_t *ret)
{
	size_t len = 0;
	const char *text = has_type(v, FF_JSON_NUMBER) ? ff_json_text(v, &len) : NULL;

	if (text && str_to_u64(str_of(text, len), ret) && *ret >= least && *ret <= most)
		return true;
	WRONG(rd, "This must be a whole number from %llu to %llu.", (unsigned long long)least, (unsigned long long)most);
	return false;
}

static bool read_flag(struct reader *rd, const struct ff_json *v)
{
	if (has_type(v, FF_JSON_TRUE))
		return true;
	if (!has_type(v, FF_JSON_FALSE))
		WRONG(rd, "This must be true or false.");
	return false;
}

static struct str read_text(struct reader *rd, const struct ff_json *v)
{
	if (has_type(v, FF_JSON_STRING) && text_of_json(v).len)
		return keep(rd, text_of_json(v));
	WRONG(rd, "This must be a text that is not empty.");
	return STR_NULL;
}

/* ---- which requests ---- */

/* A number, or "5" or "5-9" or "5-" (and all after). */
static bool read_span(struct reader *rd, const struct ff_json *v, struct span *ret)
{
	struct str text = text_of_json(v), first;

	if (has_type(v, FF_JSON_NUMBER)) {
		if (!read_whole(rd, v, 1, UINT64_MAX - 1, &ret->first))
			return false;
		ret->last = ret->first;
		return true;
	}
	if (has_type(v, FF_JSON_STRING)) {
		bool range = str_contains(text, STR("-"));
		first = str_split(&text, '-');
		if (str_to_u64(first, &ret->first) && ret->first >= 1) {
			ret->last = range ? UINT64_MAX : ret->first;
			if (!range || !text.len || (str_to_u64(text, &ret->last) && ret->last >= ret->first))
				return true;
		}
	}
	WRONG(rd, "This must be a request number from 1 or a range such as \"5-9\" or \"5-\".");
	return false;
}

static void read_request(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	bool list = has_type(v, FF_JSON_ARRAY);
	size_t count = list ? ff_json_count(v) : 1;
	struct span *spans = arena_calloc(&rd->script->arena, count ? count : 1, sizeof(*spans));

	if (!spans) {
		rd->problems->nomem = true;
		return;
	}
	if (!count)
		WRONG(rd, "An empty list names no request.");
	for (size_t i = 0; i < count; i++) {
		struct place p = { "" };
		if (list)
			p = enter_index(rd, i);
		read_span(rd, list ? ff_json_item(v, i) : v, &spans[i]);
		if (list)
			leave(rd, &p);
	}
	rule->numbers = spans;
	rule->number_count = count;
}

static void read_match(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	rule->match = read_text(rd, v);
}

static void read_path(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	rule->path = read_text(rd, v);
}

static void read_share(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	rule->share = has_type(v, FF_JSON_NUMBER) ? ff_json_double(v) : -1;
	if (!(rule->share >= 0 && rule->share <= 1))
		WRONG(rd, "This must be a number from 0 to 1.");
}

static void read_times(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	read_whole(rd, v, 1, UINT64_MAX - 1, &rule->times);
}

/* ---- what happens ---- */

static void read_status(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	uint64_t status;

	if (read_whole(rd, v, 200, 599, &status))
		rule->fault.status = (unsigned)status;
}

static void read_body(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	struct buf out;

	rule->fault.has_body = true;
	if (has_type(v, FF_JSON_STRING)) {
		rule->fault.body = keep(rd, text_of_json(v));
		return;
	}
	buf_init(&out, (size_t)64 << 20);
	text_put_value(&out, v);
	rule->fault.body = keep(rd, buf_str(&out));
	if (buf_failed(&out))
		rd->problems->nomem = true;
	buf_release(&out);
}

static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c <= 0x20 || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
			return false;
	}
	return s.len > 0;
}

static bool is_field_value(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '\r' || s.ptr[i] == '\n' || s.ptr[i] == '\0')
			return false;
	}
	return true;
}

static void read_header(struct reader *rd, struct str name, const struct ff_json *v, struct pair *ret)
{
	struct str value = text_of_json(v);

	if (!is_token(name))
		WRONG(rd, "This is not a name a header can have.");
	else if (str_eq_nocase(name, STR("content-length")) || str_eq_nocase(name, STR("transfer-encoding")))
		WRONG(rd, "This header is the server's own; use truncate for a body that is shorter than its length.");
	else if (!has_type(v, FF_JSON_STRING) || !is_field_value(value))
		WRONG(rd, "The value of a header must be a text on one line.");
	*ret = (struct pair){ keep(rd, name), keep(rd, value) };
}

static void read_headers(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	size_t count = has_type(v, FF_JSON_OBJECT) ? ff_json_count(v) : 0;
	struct pair *headers = arena_calloc(&rd->script->arena, count + 1, sizeof(*headers));

	if (!headers) {
		rd->problems->nomem = true;
		return;
	}
	if (!has_type(v, FF_JSON_OBJECT) || count > REPLY_HEADERS / 2)
		WRONG(rd, "This must be an object of at most %d headers and their values.", REPLY_HEADERS / 2);
	for (size_t i = 0; i < count; i++) {
		size_t len;
		const char *name = ff_json_key(v, i, &len);
		struct place p = enter(rd, str_of(name, len));
		read_header(rd, str_of(name, len), ff_json_item(v, i), &headers[i]);
		leave(rd, &p);
	}
	rule->fault.headers = headers;
	rule->fault.header_count = MIN(count, (size_t)REPLY_HEADERS / 2);
}

static void read_delay(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	uint64_t ms;

	if (read_whole(rd, v, 0, MILLISECONDS_MAX, &ms))
		rule->fault.delay_us = ms * 1000;
}

/* The members bytes and interval_ms of an object that has no others; absent ones keep their value. */
static void read_pace(struct reader *rd, const struct ff_json *v, uint64_t *bytes, uint64_t *interval_ms)
{
	for (size_t i = 0; i < ff_json_count(v); i++) {
		size_t len;
		const char *name = ff_json_key(v, i, &len);
		struct str key = str_of(name, len);
		struct place p = enter(rd, key);
		if (bytes && str_eq(key, STR("bytes")))
			read_whole(rd, ff_json_item(v, i), 1, UINT32_MAX, bytes);
		else if (str_eq(key, STR("interval_ms")))
			read_whole(rd, ff_json_item(v, i), 0, MILLISECONDS_MAX, interval_ms);
		else
			WRONG(rd, "Unknown key; there are %sinterval_ms.", bytes ? "bytes and " : "only ");
		leave(rd, &p);
	}
}

static void read_trickle(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	uint64_t bytes = 1, ms = INTERVAL_MS;

	if (has_type(v, FF_JSON_OBJECT))
		read_pace(rd, v, &bytes, &ms);
	else if (!has_type(v, FF_JSON_TRUE))
		WRONG(rd, "This must be an object such as {\"bytes\": 10, \"interval_ms\": 50}, or true.");
	rule->fault.trickle_bytes = (size_t)bytes;
	rule->fault.trickle_us = ms * 1000;
}

static void read_truncate(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	uint64_t bytes;

	if (read_whole(rd, v, 0, UINT32_MAX, &bytes))
		rule->fault.truncate = (size_t)bytes;
	rule->fault.truncated = true;
}

static void set_end(struct reader *rd, struct rule *rule, enum fault_end end)
{
	if (rule->fault.end != FAULT_REPLY && rule->fault.end != end)
		WRONG(rd, "Only one of reset, garbage, never and close can happen to a request.");
	rule->fault.end = end;
}

static void read_reset(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	if (read_flag(rd, v))
		set_end(rd, rule, FAULT_RESET);
}

static void read_never(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	if (read_flag(rd, v))
		set_end(rd, rule, FAULT_NEVER);
}

static void read_close(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	if (read_flag(rd, v))
		set_end(rd, rule, FAULT_CLOSE);
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* {"hex": "00ff"}: bytes that a JSON text cannot carry. */
static struct str read_hex(struct reader *rd, const struct ff_json *v)
{
	struct str text = ff_json_count(v) == 1 ? text_of_json(ff_json_get(v, "hex")) : STR_NULL;
	char *out = arena_alloc(&rd->script->arena, text.len / 2 + 1);
	bool good = text.len && text.len % 2 == 0;

	if (!out) {
		rd->problems->nomem = true;
		return STR_NULL;
	}
	for (size_t i = 0; good && i < text.len; i += 2) {
		int high = nibble(text.ptr[i]), low = nibble(text.ptr[i + 1]);
		good = high >= 0 && low >= 0;
		if (good)
			out[i / 2] = (char)(high * 16 + low);
	}
	if (!good)
		WRONG(rd, "An object here must be {\"hex\": \"...\"} with an even number of hexadecimal digits.");
	return good ? str_of(out, text.len / 2) : STR_NULL;
}

static void read_garbage(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	struct str bytes = STR(DEFAULT_GARBAGE);

	if (has_type(v, FF_JSON_FALSE))
		return;
	set_end(rd, rule, FAULT_GARBAGE);
	if (has_type(v, FF_JSON_STRING))
		bytes = keep(rd, text_of_json(v));
	else if (has_type(v, FF_JSON_OBJECT))
		bytes = read_hex(rd, v);
	else if (!has_type(v, FF_JSON_TRUE))
		WRONG(rd, "This must be true, a text, or {\"hex\": \"...\"}.");
	if (bytes.len > GARBAGE_MAX)
		WRONG(rd, "This has %zu bytes; the cap is %zu.", bytes.len, GARBAGE_MAX);
	rule->fault.garbage = bytes;
}

static void read_endless(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	uint64_t ms = INTERVAL_MS;

	if (has_type(v, FF_JSON_FALSE))
		return;
	if (has_type(v, FF_JSON_OBJECT))
		read_pace(rd, v, NULL, &ms);
	else if (!has_type(v, FF_JSON_TRUE))
		WRONG(rd, "This must be true or an object such as {\"interval_ms\": 50}.");
	rule->fault.endless = true;
	rule->fault.endless_us = ms * 1000;
}

static void read_bad_json(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	rule->fault.bad_json = read_flag(rd, v);
}

static void read_gzip(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	rule->fault.gzip = read_flag(rd, v);
}

static void read_comment(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	(void)rule;
	if (!has_type(v, FF_JSON_STRING))
		WRONG(rd, "A comment must be a text.");
}

/* ---- rules and the document ---- */

static const struct key rule_keys[] = {
	{ "request", read_request },   { "match", read_match },     { "path", read_path },         { "share", read_share },
	{ "times", read_times },       { "status", read_status },   { "body", read_body },         { "headers", read_headers },
	{ "delay_ms", read_delay },    { "trickle", read_trickle }, { "truncate", read_truncate }, { "reset", read_reset },
	{ "garbage", read_garbage },   { "never", read_never },     { "close", read_close },       { "endless", read_endless },
	{ "bad_json", read_bad_json }, { "gzip", read_gzip },       { "comment", read_comment },
};

/* True when the fault changes what the reply is made of. */
static bool shapes_reply(const struct fault *f)
{
	return f->status || f->has_body || f->header_count || f->trickle_bytes || f->endless || f->bad_json || f->gzip;
}

/* What does not go together with how the request ends, and a rule that does nothing. */
static void check_end(struct reader *rd, const struct fault *f)
{
	bool shaped = shapes_reply(f);

	if (f->end == FAULT_REPLY) {
		if (!shaped && !f->truncated && !f->delay_us)
			WRONG(rd, "This rule does nothing: it needs an action such as status, delay_ms or reset.");
	} else if (f->end == FAULT_RESET) {
		if (shaped && !f->truncated)
			WRONG(rd, "A reset leaves no reply to shape; give truncate to reset within the body.");
	} else if (shaped || f->truncated) {
		WRONG(rd, "Garbage, never and close leave no reply: status, body, headers, trickle, truncate, endless, bad_json "
		          "and gzip do not apply.");
	}
}

static void check_rule(struct reader *rd, const struct rule *rule)
{
	const struct fault *f = &rule->fault;

	check_end(rd, f);
	if (f->endless && f->gzip)
		WRONG(rd, "An endless stream cannot be compressed as a whole: leave out gzip or endless.");
	if (f->has_body && f->bad_json)
		WRONG(rd, "The rule gives the body itself: leave out bad_json or body.");
}

static void read_rule(struct reader *rd, const struct ff_json *v, struct rule *rule)
{
	*rule = (struct rule){ .share = 1 };
	if (!has_type(v, FF_JSON_OBJECT)) {
		WRONG(rd, "A rule must be an object.");
		return;
	}
	for (size_t i = 0; i < ff_json_count(v); i++) {
		size_t len, k = 0;
		const char *name = ff_json_key(v, i, &len);
		struct place p = enter(rd, str_of(name, len));
		while (k < ARRAY_SIZE(rule_keys) && !str_eq(str_of(name, len), str_from(rule_keys[k].name)))
			k++;
		if (k < ARRAY_SIZE(rule_keys))
			rule_keys[k].read(rd, ff_json_item(v, i), rule);
		else
			WRONG(rd, "Unknown key of a rule; docs/mock.md lists them.");
		leave(rd, &p);
	}
	check_rule(rd, rule);
}

static void read_rules(struct reader *rd, const struct ff_json *v)
{
	size_t count = has_type(v, FF_JSON_ARRAY) ? ff_json_count(v) : 0;

	if (!has_type(v, FF_JSON_ARRAY))
		WRONG(rd, "The rules must be an array.");
	rd->script->rules = arena_calloc(&rd->script->arena, count + 1, sizeof(struct rule));
	if (!rd->script->rules) {
		rd->problems->nomem = true;
		return;
	}
	rd->script->count = count;
	for (size_t i = 0; i < count; i++) {
		struct place p = enter_index(rd, i);
		read_rule(rd, ff_json_item(v, i), &rd->script->rules[i]);
		leave(rd, &p);
	}
}

/* {"window_ms": 60000, "kind": "window" or "bucket"} */
static void read_limits(struct reader *rd, const struct ff_json *v)
{
	uint64_t ms;

	if (!has_type(v, FF_JSON_OBJECT))
		WRONG(rd, "The limits must be an object with window_ms, kind or both.");
	for (size_t i = 0; has_type(v, FF_JSON_OBJECT) && i < ff_json_count(v); i++) {
		size_t len;
		const char *name = ff_json_key(v, i, &len);
		const struct ff_json *item = ff_json_item(v, i);
		struct place p = enter(rd, str_of(name, len));
		if (str_eq(str_of(name, len), STR("window_ms"))) {
			if (read_whole(rd, item, 1, MILLISECONDS_MAX, &ms))
				rd->script->window_us = ms * 1000;
		} else if (!str_eq(str_of(name, len), STR("kind"))) {
			WRONG(rd, "Unknown key; there are window_ms and kind.");
		} else if (str_eq(text_of_json(item), STR("bucket"))) {
			rd->script->kind = RATE_BUCKET;
		} else if (!str_eq(text_of_json(item), STR("window"))) {
			WRONG(rd, "The kind of limits is \"window\" or \"bucket\".");
		}
		leave(rd, &p);
	}
}

static void read_document(struct reader *rd, const struct ff_json *root)
{
	if (has_type(root, FF_JSON_ARRAY)) {
		read_rules(rd, root);
		return;
	}
	if (!has_type(root, FF_JSON_OBJECT)) {
		WRONG(rd, "A script must be an object with rules, or an array of rules.");
		return;
	}
	for (size_t i = 0; i < ff_json_count(root); i++) {
		size_t len;
		const char *name = ff_json_key(root, i, &len);
		const struct ff_json *item = ff_json_item(root, i);
		struct place p = enter(rd, str_of(name, len));
		if (str_eq(str_of(name, len), STR("rules")))
			read_rules(rd, item);
		else if (str_eq(str_of(name, len), STR("limits")))
			read_limits(rd, item);
		else if (str_eq(str_of(name, len), STR("seed")))
			read_whole(rd, item, 0, UINT64_MAX - 1, &rd->script->seed);
		else if (!str_eq(str_of(name, len), STR("comment")))
			WRONG(rd, "Unknown key of a script; there are rules, seed, limits and comment.");
		leave(rd, &p);
	}
}

int script_parse(struct script *s, struct str text, struct problems *problems)
{
	struct reader rd = { .script = s, .problems = problems };
	struct ff_json_doc *doc = NULL;
	struct ff_error why;
	int code = ff_json_parse(text.ptr ? text.ptr : "", text.len, 0, 0, &doc, &why);

	if (code == FF_ENOMEM)
		return code;
	if (code) {
		problem_error(problems, why.where, "%s", why.text);
		return FF_EDATA;
	}
	read_document(&rd, ff_json_root(doc));
	ff_json_free(doc);
	if (problems->nomem)
		return FF_ENOMEM;
	return problems->errors ? FF_EDATA : 0;
}
