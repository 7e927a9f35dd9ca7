/*
 * http.c: what every transport shares: the names of failures and the rules for headers. No I/O.
 *
 * The rules are those that keep a request one request: no line break and no NUL in a value, a token as a name, and none of the headers
 * that frame the message, which belong to the transport alone.
 */
#include "net/http.h"

static const char *const failure_names[] = {
	[HTTP_COMPLETE] = "complete",
	[HTTP_FAILED_RESOLVE] = "resolve",
	[HTTP_FAILED_CONNECT] = "connect",
	[HTTP_FAILED_TLS] = "tls",
	[HTTP_FAILED_SEND] = "send",
	[HTTP_FAILED_CUT] = "cut",
	[HTTP_FAILED_GARBAGE] = "garbage",
	[HTTP_FAILED_TOO_BIG] = "too_big",
	[HTTP_FAILED_ENCODING] = "encoding",
	[HTTP_FAILED_ADDRESS] = "address",
	[HTTP_TIMED_OUT_CONNECT] = "timed_out_connect",
	[HTTP_TIMED_OUT_IDLE] = "timed_out_idle",
	[HTTP_TIMED_OUT_TOTAL] = "timed_out_total",
	[HTTP_CANCELLED] = "cancelled",
	[HTTP_FAILED_LOCAL] = "local",
};

const char *http_failure_name(enum http_failure failure)
{
	return (size_t)failure < ARRAY_SIZE(failure_names) ? failure_names[failure] : "unknown";
}

/* tchar of RFC 9110 5.6.2 */
static const bool token_char[256] = {
	['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true,         ['&'] = true,         ['\''] = true,
	['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true,         ['^'] = true,         ['_'] = true,
	['`'] = true, ['|'] = true, ['~'] = true, ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

static const char *name_problem(struct str name)
{
	if (name.len == 0)
		return "has an empty name";
	for (size_t i = 0; i < name.len; i++)
		if (!token_char[(unsigned char)name.ptr[i]])
			return "has a character in its name that no header name may have";
	return NULL;
}

static const char *value_problem(struct str value)
{
	if (value.len == 0)
		return NULL;
	if (memchr(value.ptr, '\r', value.len) || memchr(value.ptr, '\n', value.len))
		return "has a line break in its value";
	return memchr(value.ptr, '\0', value.len) ? "has a NUL byte in its value" : NULL;
}

const char *http_header_problem(struct str name, struct str value, bool stranger)
{
	static const struct str framing[] = {
		{ "Content-Length", 14 }, { "Transfer-Encoding", 17 }, { "Connection", 10 }, { "TE", 2 }, { "Upgrade", 7 },
		{ "Expect", 6 },
	};
	const char *problem = name_problem(name);

	if (!problem)
		problem = value_problem(value);
	if (problem)
		return problem;
	for (size_t i = 0; i < ARRAY_SIZE(framing); i++)
		if (name.len == framing[i].len && str_eq_nocase(name, framing[i]))
			return "may not be set, because it frames the message";
	if (stranger && str_eq_nocase(name, STR("Host")))
		return "may not be set here";
	return NULL;
}
