/*
 * httpx_args.c: see httpx_args.h. Three kinds of arguments: those that become something here (headers, timeout, verify, proxy, params, cookies);
 * those that change nothing here and are said to (redirects are never followed, the HTTP version is an option); and those that JSON cannot carry or
 * that this program does not have (auth objects, client certificates, transports), which are refused with what to do instead.
 */
#include "connector/httpx_args.h"

#include "connector/base_url.h"
#include "connector/coerce.h"

#define POINTER_MAX 512

enum {
	A_HEADERS,
	A_TIMEOUT,
	A_VERIFY,
	A_PROXY,
	A_PARAMS,
	A_COOKIES,
	A_FOLLOW,
	A_MAX_REDIRECTS,
	A_TRUST_ENV,
	A_HTTP1,
	A_HTTP2,
	A_ENCODING,
	A_AUTH,
	A_CERT,
	A_MOUNTS,
	A_LIMITS,
	A_HOOKS,
	A_TRANSPORT,
	A_BASE_URL,
	A_HOST,
	A_COUNT
};

static const struct param_row rows[A_COUNT] = {
	[A_HEADERS] = { "headers", NULL, NULL, PARAM_OBJECT, true, false, NULL, "none", "headers", PARAM_ANYONE },
	[A_TIMEOUT] = { "timeout", NULL, NULL, PARAM_TIMEOUT, true, false, NULL, "none", "idle timeout", PARAM_ANYONE },
	[A_VERIFY] = { "verify", NULL, NULL, PARAM_ANY, false, false, NULL, "true", "TLS: false or a CA file", PARAM_OPERATOR },
	[A_PROXY] = { "proxy", NULL, NULL, PARAM_STRING, true, false, NULL, "none", "proxy", PARAM_OPERATOR },
	[A_PARAMS] = { "params", NULL, NULL, PARAM_ANY, true, false, NULL, "none", "query", PARAM_ANYONE },
	[A_COOKIES] = { "cookies", NULL, NULL, PARAM_STRING_MAP, true, false, NULL, "none", "header Cookie", PARAM_ANYONE },
	[A_FOLLOW] = { "follow_redirects", NULL, NULL, PARAM_BOOL, true, false, NULL, "false", "redirects are never followed",
	               PARAM_ANYONE },
	[A_MAX_REDIRECTS] = { "max_redirects", NULL, NULL, PARAM_INT, true, false, NULL, "20", "redirects are never followed",
	                      PARAM_ANYONE },
	[A_TRUST_ENV] = { "trust_env", NULL, NULL, PARAM_BOOL, true, false, NULL, "true", "not sent", PARAM_OPERATOR },
	[A_HTTP1] = { "http1", NULL, NULL, PARAM_BOOL, true, false, NULL, "true", "option http_version", PARAM_ANYONE },
	[A_HTTP2] = { "http2", NULL, NULL, PARAM_BOOL, true, false, NULL, "false", "option http_version", PARAM_ANYONE },
	[A_ENCODING] = { "default_encoding", NULL, NULL, PARAM_STRING, true, false, NULL, "utf-8", "not used: JSON is UTF-8",
	                 PARAM_ANYONE },
	[A_AUTH] = { "auth", NULL, NULL, PARAM_ANY, true, false, NULL, "none", "refused", PARAM_ANYONE },
	[A_CERT] = { "cert", NULL, NULL, PARAM_ANY, true, false, NULL, "none", "refused", PARAM_OPERATOR },
	[A_MOUNTS] = { "mounts", NULL, NULL, PARAM_ANY, true, false, NULL, "none", "refused", PARAM_ANYONE },
	[A_LIMITS] = { "limits", NULL, NULL, PARAM_ANY, true, false, NULL, "none", "refused", PARAM_ANYONE },
	[A_HOOKS] = { "event_hooks", NULL, NULL, PARAM_ANY, true, false, NULL, "none", "refused", PARAM_ANYONE },
	[A_TRANSPORT] = { "transport", NULL, NULL, PARAM_ANY, true, false, NULL, "none", "refused", PARAM_ANYONE },
	[A_BASE_URL] = { "base_url", NULL, NULL, PARAM_ANY, false, false, NULL, "none", "refused", PARAM_ANYONE },
	[A_HOST] = { "host", NULL, NULL, PARAM_ANY, false, false, NULL, "none", "refused", PARAM_ANYONE },
};

/* What is refused whenever it is given, with what to do instead. */
static const struct {
	int row;
	const char *instead;
} refused[] = {
	{ A_AUTH, "JSON cannot carry it: put user:password@ into base_url, or an Authorization header into headers" },
	{ A_CERT, "client certificates are not supported" },
	{ A_MOUNTS, "JSON cannot carry it: use proxy" },
	{ A_LIMITS, "JSON cannot carry it: use the option concurrency" },
	{ A_HOOKS, "JSON cannot carry it" },
	{ A_TRANSPORT, "JSON cannot carry it" },
	{ A_BASE_URL, "use the parameter base_url instead" },
	{ A_HOST, "use the parameter base_url instead" },
};

struct args_reading {
	struct arena *arena;
	const char *pointer;
	struct problems *problems;
	bool failed, nomem;
};

static void pointer_of(const struct args_reading *rd, const char *name, char out[POINTER_MAX])
{
	size_t len = MIN(strlen(rd->pointer), (size_t)POINTER_MAX - 1);

	memcpy(out, rd->pointer, len);
	out[len] = '\0';
	json_pointer_push(out, POINTER_MAX, str_from(name));
}

static void wrong(struct args_reading *rd, int row, const char *clause)
{
	char at[POINTER_MAX];

	pointer_of(rd, rows[row].name, at);
	problem_error(rd->problems, at, "%s cannot be used: %s.", rows[row].name, clause);
	rd->failed = true;
}

static void warn(struct args_reading *rd, int row, const char *clause)
{
	char at[POINTER_MAX];

	pointer_of(rd, rows[row].name, at);
	problem_warning(rd->problems, at, "%s has no effect: %s.", rows[row].name, clause);
}

static void keep(struct args_reading *rd, struct str text, struct str *ret)
{
	rd->nomem |= arena_str(rd->arena, text, ret) != 0;
}

static void read_verify(struct args_reading *rd, const struct json *v, struct httpx_args *ret)
{
	struct json truth;

	if (v->type == JSON_STRING && v->text.len && !memchr(v->text.ptr, '\0', v->text.len))
		keep(rd, v->text, &ret->cafile);
	else if (v->type != JSON_STRING && coerce_bool(v, &truth) == COERCE_OK)
		ret->insecure = truth.type == JSON_FALSE;
	else
		wrong(rd, A_VERIFY, "it must be true, false or the path of a CA file");
}

static void read_proxy(struct args_reading *rd, struct str text, struct httpx_args *ret)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] <= 0x20 || text.ptr[i] == 0x7f) {
			wrong(rd, A_PROXY, "it has a blank or a control character");
			return;
		}
	}
	if (!str_contains(text, STR("://")))
		wrong(rd, A_PROXY, "it must be a URL with its scheme, such as http://proxy:3128");
	else
		keep(rd, text, &ret->proxy);
}

/* ---- query ---- */

/* httpx writes true, false and "" for null; numbers as they are. */
static bool scalar_text(const struct json *v, struct str *ret)
{
	switch (v->type) {
	case JSON_NULL: *ret = STR(""); return true;
	case JSON_TRUE: *ret = STR("true"); return true;
	case JSON_FALSE: *ret = STR("false"); return true;
	case JSON_NUMBER:
	case JSON_STRING: *ret = v->text; return true;
	default: return false;
	}
}

static bool query_append(struct args_reading *rd, struct str *query, struct str name, const struct json *v)
{
	struct str value;
	char *out;
	size_t len = query->len;

	if (!scalar_text(v, &value))
		return false;
	out = arena_alloc(rd->arena, len + percent_encode(NULL, name, "") + percent_encode(NULL, value, "") + 2);
	if (!out) {
		rd->nomem = true;
		return true;
	}
	if (len) {
		memcpy(out, query->ptr, len);
		out[len++] = '&';
	}
	len += percent_encode(out + len, name, "");
	out[len++] = '=';
	len += percent_encode(out + len, value, "");
	*query = str_of(out, len);
	return true;
}

static bool query_member(struct args_reading *rd, struct str *query, const struct json_member *m)
{
	bool good = true;

	if (m->value.type != JSON_ARRAY)
		return query_append(rd, query, m->key, &m->value);
	for (uint32_t i = 0; i < m->value.count; i++)
		good &= query_append(rd, query, m->key, &m->value.items[i]);
	return good;
}

static void read_query(struct args_reading *rd, const struct json *v, struct httpx_args *ret)
{
	bool good = v->type == JSON_OBJECT || v->type == JSON_STRING;

	if (v->type == JSON_STRING) {
		size_t len = percent_encode(NULL, v->text, "&=%+;:@/?,!$'()*[]");
		char *out = arena_alloc(rd->arena, len + 1);

		rd->nomem |= !out;
		if (out)
			ret->query = str_of(out, percent_encode(out, v->text, "&=%+;:@/?,!$'()*[]"));
	}
	for (uint32_t i = 0; v->type == JSON_OBJECT && i < v->count; i++)
		good &= query_member(rd, &ret->query, &v->members[i]);
	if (!good)
		wrong(rd, A_PARAMS, "it must be an object of texts, numbers, booleans or lists of them");
}

static void read_cookies(struct args_reading *rd, const struct json *v, struct httpx_args *ret)
{
	const char *text = "";

	for (uint32_t i = 0; text && i < v->count; i++) {
		struct str name = v->members[i].key, value = v->members[i].value.text;

		if (header_problem(name, value, false) || str_contains(value, STR(";"))) {
			wrong(rd, A_COOKIES, "a name or value has a character that no cookie has");
			return;
		}
		text = arena_printf(rd->arena, "%s%s%.*s=%.*s", text, *text ? "; " : "", STR_ARG(name), STR_ARG(value));
	}
	rd->nomem |= !text;
	ret->cookies = str_from(text);
}

static void say_no_effect(struct args_reading *rd, const struct param_value *values)
{
	if (values[A_FOLLOW].given && values[A_FOLLOW].value.type == JSON_TRUE)
		warn(rd, A_FOLLOW, "redirects are never followed, a 3xx is an error that names its Location");
	if (values[A_TRUST_ENV].given && values[A_TRUST_ENV].value.type == JSON_FALSE)
		warn(rd, A_TRUST_ENV, "to go around a proxy of the environment, list the host in NO_PROXY");
	if (values[A_HTTP1].given && values[A_HTTP1].value.type == JSON_FALSE)
		warn(rd, A_HTTP1, "the option http_version says which HTTP is spoken");
	if (values[A_HTTP2].given && values[A_HTTP2].value.type == JSON_TRUE)
		warn(rd, A_HTTP2, "the option http_version says which HTTP is spoken");
}

static void judge_unknown(struct args_reading *rd, const struct json_member *unknown, size_t count, bool is_error)
{
	for (size_t i = 0; i < count; i++) {
		char name[64], at[POINTER_MAX];
		struct str shown = str_sub(unknown[i].key, 0, utf8_cut(unknown[i].key, sizeof name - 1));

		memcpy(name, shown.ptr ? shown.ptr : "", shown.len);
		name[shown.len] = '\0';
		pointer_of(rd, name, at);
		if (is_error)
			problem_error(rd->problems, at, "The HTTP client has no argument '%s'.", name);
		else
			problem_warning(rd->problems, at, "The HTTP client has no argument '%s': it is not used.", name);
		rd->failed |= is_error;
	}
}

int httpx_args_read(struct arena *a, const struct json *object, const char *pointer, bool stranger, bool unknown_is_error,
                    struct problems *problems, struct httpx_args *ret)
{
	struct args_reading rd = { .arena = a, .pointer = pointer, .problems = problems };
	struct param_value values[A_COUNT];
	const struct json_member *unknown;
	size_t unknown_count;
	int r;

	*ret = (struct httpx_args){ .headers = { .type = JSON_NULL } };
	r = params_read(a, rows, A_COUNT, object, pointer, stranger, values, &unknown, &unknown_count, problems);
	if (r == FF_ENOMEM)
		return r;
	rd.failed = r != 0;
	judge_unknown(&rd, unknown, unknown_count, unknown_is_error);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (values[refused[i].row].given)
			wrong(&rd, refused[i].row, refused[i].instead);
	if (values[A_HEADERS].given)
		ret->headers = values[A_HEADERS].value;
	ret->timeout_given = values[A_TIMEOUT].given;
	if (ret->timeout_given)
		ret->timeout_s = json_to_double(&values[A_TIMEOUT].value);
	if (values[A_VERIFY].given)
		read_verify(&rd, &values[A_VERIFY].value, ret);
	if (values[A_PROXY].given)
		read_proxy(&rd, values[A_PROXY].value.text, ret);
	if (values[A_PARAMS].given)
		read_query(&rd, &values[A_PARAMS].value, ret);
	if (values[A_COOKIES].given)
		read_cookies(&rd, &values[A_COOKIES].value, ret);
	say_no_effect(&rd, values);
	return rd.nomem ? FF_ENOMEM : rd.failed ? FF_EUSAGE : 0;
}
