/*
 * escape.c: other people's text made safe for a terminal or a log line. What could move the cursor, recolour, hide or reorder text is shown as its
 * number; everything else, of any script, passes. A backslash passes too: the result is for eyes, not for a parser.
 */
#include "base/secret.h"

#include <stdint.h>

/* Code points from `first` to `last` that are never shown as they are, apart from C0 and DEL. Sorted. */
static const struct {
	uint32_t first, last;
} hidden[] = {
	{ 0x0080, 0x009F },   /* C1 */
	{ 0x061C, 0x061C },   /* Arabic letter mark */
	{ 0x200E, 0x200F },   /* left-to-right and right-to-left marks */
	{ 0x2028, 0x202E },   /* line and paragraph separator, bidi embeddings and overrides */
	{ 0x2066, 0x2069 },   /* bidi isolates */
	{ 0xFFF9, 0xFFFB },   /* interlinear annotation */
	{ 0xE0000, 0xE007F }, /* tags: invisible text */
};

static bool is_hidden(uint32_t c)
{
	for (size_t i = 0; i < ARRAY_SIZE(hidden) && c >= hidden[i].first; i++)
		if (c <= hidden[i].last)
			return true;
	return false;
}

/* The length of what may pass as it is at s, 0 when it must be escaped; *ret_skip is the bytes that an escape stands for. */
static size_t passes(const char *s, size_t len, bool keep_newlines, size_t *ret_skip)
{
	unsigned char c = (unsigned char)s[0];
	size_t n;

	*ret_skip = 1;
	if (c < 0x80)
		return (c >= 0x20 && c != 0x7F) || (keep_newlines && (c == '\n' || c == '\t')) ? 1 : 0;
	n = utf8_sequence_length(s, len);
	if (n == 0)
		return 0;
	*ret_skip = n;
	return is_hidden(utf8_decode(s, n)) ? 0 : n;
}

int escape_append(struct buf *out, struct str in, bool keep_newlines)
{
	size_t from = 0, i = 0;

	while (i < in.len) {
		size_t skip, n = passes(in.ptr + i, in.len - i, keep_newlines, &skip);

		if (n) {
			i += n;
			continue;
		}
		buf_append(out, in.ptr + from, i - from);
		if (skip == 1)
			buf_printf(out, "\\x%02x", (unsigned char)in.ptr[i]);
		else
			buf_printf(out, "\\u{%04X}", (unsigned)utf8_decode(in.ptr + i, skip));
		i += skip;
		from = i;
	}
	return buf_append(out, in.ptr + from, in.len - from);
}

/* U+E0001 and the like need both halves of a pair in JSON. */
static void append_json_escape(struct buf *out, uint32_t c)
{
	if (c < 0x10000)
		buf_printf(out, "\\u%04x", (unsigned)c);
	else
		buf_printf(out, "\\u%04x\\u%04x", (unsigned)(0xD7C0 + (c >> 10)), (unsigned)(0xDC00 + (c & 0x3FF)));
}

int escape_append_json(struct buf *out, struct str in)
{
	size_t from = 0, i = 0;

	while (i < in.len) {
		size_t n = (unsigned char)in.ptr[i] < 0x7F ? 1 : utf8_sequence_length(in.ptr + i, in.len - i);
		uint32_t c = n ? utf8_decode(in.ptr + i, n) : 0;

		if (n && (c == 0x7F || is_hidden(c))) {
			buf_append(out, in.ptr + from, i - from);
			append_json_escape(out, c);
			from = i + n;
		}
		i += n ? n : 1;
	}
	return buf_append(out, in.ptr + from, in.len - from);
}
