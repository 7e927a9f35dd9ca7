/*
 * json_position.c: where something stands in a document: a pointer built backwards, and line and column. Used when something is wrong only,
 * so it costs nothing while all is well.
 */
#include "model/json_position.h"

#include <stdio.h>
#include <string.h>

#include "model/json.h"

static const char ellipsis[] = "...";
#define ELLIPSIS_LEN (sizeof(ellipsis) - 1)

void json_path_init(struct json_path *p)
{
	p->at = sizeof(p->text) - 1;
	p->text[p->at] = '\0';
	p->cut = false;
}

/* Room for the ellipsis is always kept, so that finishing cannot fail. */
static void prepend_bytes(struct json_path *p, const char *bytes, size_t len)
{
	if (p->cut || p->at < len + ELLIPSIS_LEN) {
		p->cut = true;
		return;
	}
	p->at -= len;
	memcpy(p->text + p->at, bytes, len);
}

void json_path_prepend(struct json_path *p, struct str token)
{
	for (size_t i = token.len; i > 0 && !p->cut; i--) {
		char c = token.ptr[i - 1];
		if (c == '~')
			prepend_bytes(p, "~0", 2);
		else if (c == '/')
			prepend_bytes(p, "~1", 2);
		else if (c == '\0')
			prepend_bytes(p, "\\u0000", 6);
		else
			prepend_bytes(p, &c, 1);
	}
	prepend_bytes(p, "/", 1);
}

void json_path_prepend_index(struct json_path *p, size_t index)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%zu", index);
	json_path_prepend(p, str_of(digits, (size_t)len));
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

void json_path_finish(const struct json_path *p, char out[JSON_POINTER_SIZE])
{
	const char *from = p->text + p->at;
	size_t len = sizeof(p->text) - 1 - p->at;
	size_t lead = 0;
	if (p->cut) {
		while (len > 0 && is_continuation(*from)) {
			from++;
			len--;
		}
		memcpy(out, ellipsis, ELLIPSIS_LEN);
		lead = ELLIPSIS_LEN;
	}
	memcpy(out + lead, from, len);
	out[lead + len] = '\0';
}

void json_line_column(struct str text, size_t offset, size_t *ret_line, size_t *ret_column)
{
	size_t line = 1, column = 1;
	size_t i = str_starts_with(text, STR("\xEF\xBB\xBF")) ? 3 : 0;
	for (; i < offset && i < text.len; i++) {
		if (text.ptr[i] == '\n') {
			line++;
			column = 1;
		} else if (!is_continuation(text.ptr[i])) {
			column++;
		}
	}
	*ret_line = line;
	*ret_column = column;
}

/* ---- public ---- */

void json_notes_init(struct json_notes *notes)
{
	notes->duplicates = notes->lone_surrogates = 0;
	notes->first_duplicate[0] = notes->first_surrogate[0] = '\0';
}

static void trim_cut_character(char *out)
{
	size_t len = strlen(out), start = len;
	while (start > 0 && is_continuation(out[start - 1]))
		start--;
	if (start > 0 && (unsigned char)out[start - 1] >= 0x80)
		start--;
	if (start < len && utf8_sequence_length(out + start, len - start) != len - start)
		out[start] = '\0';
}

void json_error_format(const struct json_error *err, char *out, size_t size)
{
	int len;
	if (err->code == FF_ENOMEM)
		len = snprintf(out, size, "out of memory");
	else if (err->code == FF_ETOOBIG && err->pointer[0] == '\0')
		len = snprintf(out, size, "%s (%zu)", err->what, err->limit);
	else if (err->code == FF_ETOOBIG)
		len = snprintf(out, size, "line %zu, column %zu: %s (%zu)", err->line, err->column, err->what, err->limit);
	else
		len = snprintf(out, size, "line %zu, column %zu%s%s%s: %s", err->line, err->column, err->pointer[0] ? " (at " : "",
		               err->pointer, err->pointer[0] ? ")" : "", err->what);
	if (len > 0 && (size_t)len >= size && size > 0)
		trim_cut_character(out);
}
