/*
 * fuzz_runtime_headers.c: the headers of the Runtime API, as lines of "Name: value" (each ends with a newline, the first colon divides it). An event can be
 * answered, and then its id may stand in a URL and in a log and everything is what some header said; or there is a sentence.
 */
#include <ctype.h>
#include <stdint.h>

#include "front/lambda/invocation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

#define MAX_HEADERS 64u

static size_t split(struct str text, struct pair *headers)
{
	size_t count = 0;

	while (text.ptr && count < MAX_HEADERS) {
		struct str value = str_split(&text, '\n');
		struct str name = str_split(&value, ':');

		headers[count++] = (struct pair){ name, value.ptr ? value : STR_NULL };
	}
	return count;
}

/* Some header of that name has the value, white space around it aside. */
static bool was_said(const struct pair *headers, size_t count, const char *name, const char *value)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq_nocase(headers[i].name, str_from(name)) && str_eq(str_trim(headers[i].value), str_from(value)))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pair headers[MAX_HEADERS];
	size_t count = split(str_of((const char *)data, size), headers);
	struct invocation read;
	struct error err = { 0 };
	int r;

	memset(&read, 0xa5, sizeof(read));
	r = invocation_read(headers, count, &read, &err);
	if (r) {
		REQUIRE(r == FF_EDATA && err.code == r && err.text[0]);
		return 0;
	}
	REQUIRE(memchr(read.id, '\0', sizeof(read.id)) && memchr(read.trace, '\0', sizeof(read.trace)));
	REQUIRE(read.id[0] && strcmp(read.id, ".") != 0 && strcmp(read.id, "..") != 0);
	for (const char *p = read.id; *p; p++)
		REQUIRE(isalnum((unsigned char)*p) || strchr("-._~", *p));
	REQUIRE(was_said(headers, count, "lambda-runtime-aws-request-id", read.id));
	REQUIRE(!read.trace[0] || was_said(headers, count, "LAMBDA-RUNTIME-TRACE-ID", read.trace));
	REQUIRE(read.deadline_ms >= 0);
	return 0;
}
