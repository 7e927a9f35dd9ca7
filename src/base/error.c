/*
 * error.c: fills struct error without allocating. Text is formatted aside first, so that the arguments may point into the error itself
 * (a caller that puts its own words around the sentence of a lower layer).
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct code_row {
	int code;
	int exit_status;
	const char *name;
	const char *text;
};

static const struct code_row codes[] = {
#define X(name, value, status, text) { value, status, #name, text },
	FF_CODES(X)
#undef X
};

static const struct code_row *row_of(int code)
{
	static const struct code_row unknown = { FF_EINTERNAL, 70, "unknown code", "internal error" };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i].code == code)
			return &codes[i];
	return &unknown;
}

/* Copies text, cut at a character boundary. */
static void copy_cut(char *out, size_t size, const char *text)
{
	size_t len = utf8_cut(str_from(text), size - 1);

	memmove(out, text ? text : "", len);
	out[len] = '\0';
}

int error_set(struct error *err, int code, const char *where, const char *format, ...)
{
	char place[sizeof err->where];
	char text[sizeof err->text + 4]; /* the longest character that the cut may have to drop is seen whole */
	va_list args;

	if (!err)
		return code;
	copy_cut(place, sizeof place, where);
	va_start(args, format);
	if (vsnprintf(text, sizeof text, format, args) < 0)
		copy_cut(text, sizeof text, error_code_text(code));
	va_end(args);
	err->code = code;
	copy_cut(err->where, sizeof err->where, place);
	copy_cut(err->text, sizeof err->text, text);
	return code;
}

int error_nomem(struct error *err)
{
	return error_set(err, FF_ENOMEM, "", "Out of memory: free some, or lower the concurrency or the size of the input.");
}

void error_clear(struct error *err)
{
	if (!err)
		return;
	err->code = 0;
	err->where[0] = '\0';
	err->text[0] = '\0';
}

const char *error_code_name(int code)
{
	return row_of(code)->name;
}

const char *error_code_text(int code)
{
	return row_of(code)->text;
}

int error_exit_status(int code)
{
	return row_of(code)->exit_status;
}
