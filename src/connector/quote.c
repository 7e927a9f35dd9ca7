/*
 * quote.c: JSON string literals without a growing buffer. The reader's writer (model/json.h) appends to a buf; here the size is known before a byte is
 * written, so that a request body costs one arena allocation and no copy.
 *
 * Two passes over the text; each takes plain ASCII eight bytes at a time.
 */
#include "connector/quote.h"

/* Bytes an ASCII character takes inside a literal: 1, 2 (\n) or 6 (\u0001). */
static size_t escaped_size(unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
	case '\b':
	case '\f':
	case '\n':
	case '\r':
	case '\t': return 2;
	default: return c < 0x20 ? 6 : 1;
	}
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

#define BYTES(c) (0x0101010101010101u * (uint64_t)(c))

/* Whether one of the eight bytes is zero (exact when none has its high bit set, which is tested beside it). */
static uint64_t has_zero(uint64_t word)
{
	return (word - BYTES(0x01)) & ~word & BYTES(0x80);
}

/* Eight bytes of plain ASCII at p? */
static bool is_plain_word(const char *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof word);
	return (((word | (word - BYTES(0x20))) & BYTES(0x80)) | has_zero(word ^ BYTES('"')) | has_zero(word ^ BYTES('\\'))) == 0;
}

/* Length of the run of plain ASCII at the start. */
static size_t plain_run(const char *p, size_t len)
{
	size_t i = 0;

	while (len - i >= 8 && is_plain_word(p + i))
		i += 8;
	while (i < len && is_plain((unsigned char)p[i]))
		i++;
	return i;
}

size_t quote_inner_length(struct str s)
{
	size_t total = 0;

	for (size_t i = 0; i < s.len;) {
		size_t run = plain_run(s.ptr + i, s.len - i);

		total += run;
		i += run;
		if (i == s.len)
			break;
		if ((unsigned char)s.ptr[i] < 0x80) {
			total += escaped_size((unsigned char)s.ptr[i++]);
		} else {
			size_t n = utf8_sequence_length(s.ptr + i, s.len - i);

			total += n ? n : 3;
			i += n ? n : 1;
		}
	}
	return total;
}

size_t quote_length(struct str s)
{
	return quote_inner_length(s) + 2;
}

static char *write_escape(char *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char letters[] = "btn fr"; /* of 8, 9, 10, 12 and 13 */

	*out++ = '\\';
	if (c == '"' || c == '\\') {
		*out++ = (char)c;
	} else if (c >= 8 && c <= 13 && c != 11) {
		*out++ = letters[c - 8];
	} else {
		*out++ = 'u';
		*out++ = '0';
		*out++ = '0';
		*out++ = hex[c >> 4];
		*out++ = hex[c & 15];
	}
	return out;
}

char *quote_raw(char *out, struct str text)
{
	if (text.len)
		memcpy(out, text.ptr, text.len);
	return out + text.len;
}

char *quote_inner_write(char *out, struct str s)
{
	for (size_t i = 0; i < s.len;) {
		size_t run = plain_run(s.ptr + i, s.len - i), n;

		out = quote_raw(out, str_of(s.ptr + i, run));
		i += run;
		if (i == s.len)
			break;
		if ((unsigned char)s.ptr[i] < 0x80) {
			out = write_escape(out, (unsigned char)s.ptr[i++]);
			continue;
		}
		n = utf8_sequence_length(s.ptr + i, s.len - i);
		out = n ? quote_raw(out, str_of(s.ptr + i, n)) : quote_raw(out, STR("\xEF\xBF\xBD"));
		i += n ? n : 1;
	}
	return out;
}

char *quote_write(char *out, struct str s)
{
	*out++ = '"';
	out = quote_inner_write(out, s);
	*out++ = '"';
	return out;
}
