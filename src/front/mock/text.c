/*
 * text.c: tokens, deltas, the default answer, JSON literals. See text.h. Nothing here keeps state; every result depends on the arguments alone,
 * so the same question gets the same bytes plain and streamed, today and tomorrow.
 */
#include "front/mock/text.h"

#include <inttypes.h>

#include "base/error.h"

uint64_t text_tokens(struct str text)
{
	uint64_t characters = 0;

	for (size_t i = 0; i < text.len; i++)
		characters += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
	return (characters + 3) / 4;
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The first character boundary at or after `at`. */
static size_t boundary_after(struct str text, size_t at)
{
	while (at < text.len && is_continuation(text.ptr[at]))
		at++;
	return MIN(at, text.len);
}

/* Where the piece that starts at `from` ends: behind the first space after about `size` bytes, else at a character boundary. */
static size_t piece_end(struct str text, size_t from, size_t size)
{
	size_t aim = from + size;

	if (aim >= text.len)
		return text.len;
	for (size_t i = aim; i < text.len && i < aim + size; i++) {
		if (text.ptr[i - 1] == ' ')
			return i;
	}
	return boundary_after(text, aim);
}

size_t text_deltas(struct str text, size_t ret_ends[DELTAS_MAX])
{
	size_t count = 0, from = 0, size = MAX(text.len / (DELTAS_MAX / 2), (size_t)12);

	if (size >= text.len)
		size = MAX(text.len / 2, (size_t)1);
	while (count < DELTAS_MAX - 1) {
		size_t end = piece_end(text, from, size);
		if (end >= text.len)
			break;
		ret_ends[count++] = from = end;
	}
	ret_ends[count++] = text.len;
	return count;
}

/* FNV-1a: a fixed function, so that answers are the same in every process (the seeded hash of base/map.h is not). */
static uint64_t hash_text(struct str text)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < text.len; i++)
		h = (h ^ (unsigned char)text.ptr[i]) * 1099511628211u;
	return h ^ (h >> 29);
}

/* The first characters of the last line that has any, white space trimmed. */
static struct str excerpt(struct str message, size_t characters, bool *ret_cut)
{
	struct str line = str_trim(message);
	size_t end = 0, count = 0;

	for (size_t i = line.len; i > 0; i--) {
		if (line.ptr[i - 1] == '\n') {
			line = str_trim(str_sub(line, i, line.len));
			break;
		}
	}
	while (end < line.len && count < characters) {
		size_t n = utf8_sequence_length(line.ptr + end, line.len - end);
		end += n ? n : 1;
		count++;
	}
	*ret_cut = end < line.len;
	return str_sub(line, 0, end);
}

void text_default_answer(struct str message, struct buf *out)
{
	static const char *const sentences[] = {
		"Nothing was looked up to say this.",           "The same question always gets the same answer.",
		"A real system would have said more.",          "Ask again, and it will not change.",
		"It was made up on the spot, without a model.",
	};
	uint64_t hash = hash_text(message);
	bool cut;
	struct str quote = excerpt(message, 80, &cut);

	buf_printf(out, "This is simulated answer %04" PRIx64 " to “", hash & 0xffff);
	buf_append_str(out, quote);
	buf_printf(out, "%s”.", cut ? "…" : "");
	for (uint64_t i = 0; i < (hash >> 16) % 3; i++)
		buf_printf(out, " %s", sentences[((hash >> 20) + i) % ARRAY_SIZE(sentences)]);
}

/* The separator at s[0..len) that Python's splitlines takes for the end of a line: its escape, and its length in bytes. */
static const char *separator_escape(const char *s, size_t len, size_t *ret_length)
{
	if (len >= 2 && memcmp(s, "\xc2\x85", 2) == 0) {
		*ret_length = 2;
		return "\\u0085";
	}
	if (len >= 3 && memcmp(s, "\xe2\x80\xa8", 3) == 0) {
		*ret_length = 3;
		return "\\u2028";
	}
	if (len >= 3 && memcmp(s, "\xe2\x80\xa9", 3) == 0) {
		*ret_length = 3;
		return "\\u2029";
	}
	return NULL;
}

void text_put_json(struct buf *out, struct str text)
{
	char *quoted = ff_json_quote(text.ptr ? text.ptr : "", text.len);
	size_t len, from = 0;

	if (!quoted) {
		out->failed = out->failed ? out->failed : FF_ENOMEM; /* seen by whoever checks the buffer */
		return;
	}
	len = strlen(quoted);
	for (size_t i = 0; i < len; i++) {
		size_t length;
		const char *escape;
		if ((unsigned char)quoted[i] < 0xc2 || !(escape = separator_escape(quoted + i, len - i, &length)))
			continue;
		buf_append(out, quoted + from, i - from);
		buf_append(out, escape, 6);
		from = i + length;
		i = from - 1;
	}
	buf_append(out, quoted + from, len - from);
	ff_free(quoted);
}

struct str text_of_json(const struct ff_json *value)
{
	size_t len = 0;
	const char *ptr;

	if (!value || ff_json_type(value) != FF_JSON_STRING)
		return STR_NULL;
	ptr = ff_json_text(value, &len);
	return str_of(ptr, len);
}

static void put_container(struct buf *out, const struct ff_json *value, bool object)
{
	size_t count = ff_json_count(value);

	buf_append_char(out, object ? '{' : '[');
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_append_char(out, ',');
		if (object) {
			size_t len;
			const char *key = ff_json_key(value, i, &len);
			text_put_json(out, str_of(key, len));
			buf_append_char(out, ':');
		}
		text_put_value(out, ff_json_item(value, i));
	}
	buf_append_char(out, object ? '}' : ']');
}

void text_put_value(struct buf *out, const struct ff_json *value)
{
	size_t len;
	const char *number;

	switch (ff_json_type(value)) {
	case FF_JSON_NULL: buf_append_str(out, STR("null")); break;
	case FF_JSON_FALSE: buf_append_str(out, STR("false")); break;
	case FF_JSON_TRUE: buf_append_str(out, STR("true")); break;
	case FF_JSON_NUMBER:
		number = ff_json_text(value, &len);
		buf_append(out, number, len);
		break;
	case FF_JSON_STRING: text_put_json(out, text_of_json(value)); break;
	case FF_JSON_ARRAY: put_container(out, value, false); break;
	case FF_JSON_OBJECT: put_container(out, value, true); break;
	}
}
