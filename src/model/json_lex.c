/*
 * json_lex.c: strings and numbers of JSON text, checked byte by byte against RFC 8259 and RFC 3629.
 *
 * It knows nothing of values or positions. A string is walked twice only when it has escapes: the first walk checks it and counts the
 * decoded bytes, so that exactly as much is allocated; the second one decodes without checks.
 */
#include "model/json_lex.h"

#include "base/error.h"

/* One escape sequence, read at its backslash. */
struct escape {
	uint32_t code_point; /* U+FFFD for a lone surrogate */
	unsigned raw_len;    /* 2, 6 or 12 bytes; 0 when it is wrong */
	bool lone;
};

/* Value of a hexadecimal digit + 1; 0 for every other byte. */
static const uint8_t hex_digit[256] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
	['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* Four hexadecimal digits. Returns how many are right: 4, or the index of the wrong one. */
static inline unsigned read_hex4(const char *p, const char *end, uint32_t *ret)
{
	uint32_t value = 0;
	for (unsigned i = 0; i < 4; i++) {
		unsigned digit = p + i < end ? hex_digit[(unsigned char)p[i]] : 0;
		if (digit == 0)
			return i;
		value = value << 4 | (digit - 1);
	}
	*ret = value;
	return 4;
}

/* The low surrogate of a pair whose high half was just read; p is behind that. */
static bool read_low_surrogate(const char *p, const char *end, uint32_t *ret)
{
	return end - p >= 6 && p[0] == '\\' && p[1] == 'u' && read_hex4(p + 2, end, ret) == 4 && *ret >= 0xDC00 && *ret <= 0xDFFF;
}

static const char *read_unicode_escape(const char *p, const char *end, struct escape *ret, const char **ret_at)
{
	uint32_t unit = 0, low = 0;
	unsigned good = read_hex4(p + 2, end, &unit);
	if (good < 4) {
		*ret_at = p + 2 + good;
		return "\\u must be followed by four hexadecimal digits";
	}
	*ret = (struct escape){ unit, 6, false };
	if (unit >= 0xD800 && unit <= 0xDBFF && read_low_surrogate(p + 6, end, &low))
		*ret = (struct escape){ 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), 12, false };
	else if (unit >= 0xD800 && unit <= 0xDFFF)
		*ret = (struct escape){ 0xFFFD, 6, true };
	return NULL;
}

static const char *read_escape(const char *p, const char *end, struct escape *ret, const char **ret_at)
{
	uint32_t c;
	*ret_at = p + 1;
	if (p + 1 == end)
		return "the text ends inside a string";
	switch (p[1]) {
	case '"': c = '"'; break;
	case '\\': c = '\\'; break;
	case '/': c = '/'; break;
	case 'b': c = '\b'; break;
	case 'f': c = '\f'; break;
	case 'n': c = '\n'; break;
	case 'r': c = '\r'; break;
	case 't': c = '\t'; break;
	case 'u': return read_unicode_escape(p, end, ret, ret_at);
	default: return "a backslash in a string must be followed by one of \" \\ / b f n r t u";
	}
	*ret = (struct escape){ c, 2, false };
	return NULL;
}

static size_t utf8_length(uint32_t code_point)
{
	return code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
}

static inline bool is_continuation(char c)
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

/* Behind the well-formed characters of several bytes at p. Those of three, which is most of the world's text, are checked here. */
static inline const char *skip_characters(const char *p, const char *end)
{
	while (p < end && (unsigned char)*p >= 0x80) {
		unsigned char lead = (unsigned char)*p;
		size_t len = 3;
		if (!(end - p >= 3 && lead > 0xE0 && lead < 0xF0 && lead != 0xED && is_continuation(p[1]) && is_continuation(p[2])))
			len = utf8_sequence_length(p, (size_t)(end - p));
		if (len == 0)
			return p;
		p += len;
	}
	return p;
}

const char *json_lex_string(const char *p, const char *end, struct json_lexed_string *ret, const char **ret_at)
{
	struct json_lexed_string s = { p, NULL, 0, false, 0 };
	size_t saved = 0; /* raw bytes that decoding drops */

	for (;;) {
		p = json_lex_plain(p, end);
		*ret_at = p;
		if (p == end)
			return "the text ends inside a string";
		if (*p == '"')
			break;
		if (*p == '\\') {
			struct escape e;
			const char *problem = read_escape(p, end, &e, ret_at);
			if (problem)
				return problem;
			s.escaped = true;
			s.lone_surrogates += e.lone;
			saved += e.raw_len - utf8_length(e.code_point);
			p += e.raw_len;
		} else if ((unsigned char)*p < 0x20) {
			return "a control character in a string must be escaped";
		} else {
			const char *behind = skip_characters(p, end);
			*ret_at = behind;
			if (behind < end && (unsigned char)*behind >= 0x80)
				return "the text is not valid UTF-8";
			p = behind;
		}
	}
	s.raw_end = p;
	s.decoded_len = (size_t)(p - s.raw) - saved;
	*ret = s;
	return NULL;
}

/* Writes s->decoded_len bytes. */
static void decode(const struct json_lexed_string *s, char *out)
{
	const char *p = s->raw, *unused;
	while (p < s->raw_end) {
		const char *slash = *p == '\\' ? p : memchr(p, '\\', (size_t)(s->raw_end - p));
		size_t run = (size_t)((slash ? slash : s->raw_end) - p);
		struct escape e = { 0, 0, false };
		memcpy(out, p, run);
		out += run;
		if (!slash)
			return;
		(void)read_escape(slash, s->raw_end, &e, &unused); /* checked by json_lex_string */
		out += utf8_encode(e.code_point, out);
		p = slash + e.raw_len;
	}
}

int json_lex_text(const struct json_lexed_string *s, struct arena *arena, struct str *ret)
{
	char *decoded;
	*ret = str_of(s->raw, s->decoded_len);
	if (!s->escaped)
		return 0;
	decoded = arena_alloc(arena, s->decoded_len);
	if (!decoded)
		return FF_ENOMEM;
	decode(s, decoded);
	ret->ptr = decoded;
	return 0;
}

static const char *skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* At least one digit. *p moves behind them, or stays at the offending byte. */
static bool some_digits(const char **p, const char *end)
{
	const char *start = *p;
	*p = skip_digits(start, end);
	return *p > start;
}

const char *json_lex_number(const char *p, const char *end, const char **ret_at)
{
	const char *problem = NULL;
	if (*p == '-')
		p++;
	if (p < end && *p == '0') {
		p++;
		if (p < end && *p >= '0' && *p <= '9')
			problem = "a number must not begin with 0 and another digit";
	} else if (!some_digits(&p, end)) {
		problem = "expected a digit after '-'";
	}
	if (!problem && p < end && *p == '.') {
		p++;
		if (!some_digits(&p, end))
			problem = "expected a digit after the decimal point";
	}
	if (!problem && p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		if (!some_digits(&p, end))
			problem = "expected a digit in the exponent";
	}
	*ret_at = p;
	return problem;
}
