/*
 * json_lex.h: the lexical part of the JSON reader: strings and numbers as bytes. Internal to src/model.
 *
 * A function returns NULL on success, else a static sentence piece that says what is wrong, with *ret_at at the offending byte (or at the
 * end of the text when it stops too early).
 */
#ifndef FF_MODEL_JSON_LEX_H
#define FF_MODEL_JSON_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define JSON_LEX_ONES  UINT64_C(0x0101010101010101)
#define JSON_LEX_HIGHS UINT64_C(0x8080808080808080)

/* The high bits of the bytes of w, the first one lowest, that are not plain. A borrow can mark a byte above a true hit, never below one, so the lowest
 * mark is exact. */
static inline uint64_t json_lex_marks(uint64_t w)
{
	uint64_t quote = w ^ (JSON_LEX_ONES * '"'), backslash = w ^ (JSON_LEX_ONES * '\\');
	return ((quote - JSON_LEX_ONES) | (backslash - JSON_LEX_ONES) | (w - JSON_LEX_ONES * 0x20) | w) & JSON_LEX_HIGHS;
}

/*
 * The first byte at or after p that is not plain: a quote, a backslash, a control character or a byte of a multi-byte character; `end` when
 * there is none. Eight bytes a step, then four (with blanks behind them), then one.
 */
static inline const char *json_lex_plain(const char *p, const char *end)
{
	uint64_t w, marks;
	uint32_t half;
	for (; end - p >= 8; p += 8) {
		memcpy(&w, p, sizeof(w));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		w = __builtin_bswap64(w);
#endif
		marks = json_lex_marks(w);
		if (marks)
			return p + (unsigned)__builtin_ctzll(marks) / 8;
	}
	if (end - p >= 4) {
		memcpy(&half, p, sizeof(half));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		half = __builtin_bswap32(half);
#endif
		marks = json_lex_marks(UINT64_C(0x2020202000000000) | half);
		if (marks)
			return p + (unsigned)__builtin_ctzll(marks) / 8;
		p += 4;
	}
	while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

struct json_lexed_string {
	const char *raw;        /* the first byte behind the opening quote */
	const char *raw_end;    /* the closing quote */
	size_t decoded_len;     /* bytes when decoded; equal to the raw length when nothing is escaped */
	bool escaped;           /* an escape has to be decoded: json_lex_decode */
	size_t lone_surrogates; /* escapes that become U+FFFD */
};

/* p is behind the opening quote. */
const char *json_lex_string(const char *p, const char *end, struct json_lexed_string *ret, const char **ret_at);
/* Writes s->decoded_len bytes. */
void json_lex_decode(const struct json_lexed_string *s, char *out);
/* p is at '-' or a digit; on success *ret_at is behind the number. */
const char *json_lex_number(const char *p, const char *end, const char **ret_at);

#endif
