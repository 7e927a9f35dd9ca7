/* invocation.c: the headers of an event. See invocation.h. */
#include "front/lambda/invocation.h"

#include <stdio.h>

/* The first header of that name that is not empty. */
static struct str find(const struct pair *headers, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq_nocase(headers[i].name, str_from(name)) && str_trim(headers[i].value).len)
			return str_trim(headers[i].value);
	return STR_NULL;
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

/* "." and ".." would change the path of the URL. */
static bool is_request_id(struct str id)
{
	bool dots = true;

	for (size_t i = 0; i < id.len; i++) {
		if (!is_unreserved(id.ptr[i]))
			return false;
		dots = dots && id.ptr[i] == '.';
	}
	return id.len <= INVOCATION_ID_MAX && !dots;
}

static int64_t read_deadline(struct str text)
{
	uint64_t ms;

	if (!str_to_u64(text, &ms))
		return 0;
	return ms > INT64_MAX ? INT64_MAX : (int64_t)ms;
}

int invocation_read(const struct pair *headers, size_t count, struct invocation *ret, struct error *err)
{
	struct str id = find(headers, count, "Lambda-Runtime-Aws-Request-Id");
	struct str trace = find(headers, count, "Lambda-Runtime-Trace-Id");

	if (!id.len)
		return error_set(err, FF_EDATA, "",
		                 "The Runtime API delivered an event without a request id, so it cannot be answered.");
	if (!is_request_id(id))
		return error_set(
		        err, FF_EDATA, "",
		        "The Runtime API delivered a request id with characters that cannot stand in a URL, or with more than %u "
		        "of them.",
		        INVOCATION_ID_MAX);
	snprintf(ret->id, sizeof(ret->id), "%.*s", STR_ARG(id));
	if (trace.len > INVOCATION_TRACE_MAX || str_contains(trace, str_of("", 1))) /* a NUL */
		trace = STR_NULL;
	snprintf(ret->trace, sizeof(ret->trace), "%.*s", STR_ARG(trace));
	ret->deadline_ms = read_deadline(find(headers, count, "Lambda-Runtime-Deadline-Ms"));
	ret->body = STR_NULL;
	return 0;
}
