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

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/arena.h"
#include "base/str.h"

#define JSON_LEX_ONES  UINT64_C(0x0101010101010101)
#define JSON_LEX_HIGHS UINT64_C(0x8080808080808080)

/* The high bits of the bytes of w, the first one lowest, that are not plain. A borrow can mark a byte above a true hit, never below one, so the lowest
 * mark is exact. */
static inline uint64_t json_lex_marks(uint64_t w)
{
	uint64_t quote = w ^ (JSON_LEX_ONES * '"'), backslash = w ^ (JSON_LEX_ONES * '\\');
	return ((quote - JSON_LEX_ONES) | (backslash - JSON_LEX_ONES) | (w - JSON_LEX_ONES * 0x20) | w) & JSON_LEX_HIGHS;
}

/* Eight bytes, the first one lowest. */
static inline uint64_t json_lex_load8(const char *p)
{
	uint64_t w;
	memcpy(&w, p, sizeof(w));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	return w;
}

/* The index of the first of 8 bytes that is not plain; 8 when all are. */
static inline size_t json_lex_plain8(uint64_t w)
{
	uint64_t marks = json_lex_marks(w);
	return marks ? (size_t)__builtin_ctzll(marks) / 8 : 8;
}

/* The same for the 16 bytes at p. As signed numbers, control characters and the bytes of multi-byte characters are all below a blank. */
static inline size_t json_lex_plain16(const char *p)
{
#ifdef __SSE2__
	__m128i w = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i quotes = _mm_or_si128(_mm_cmpeq_epi8(w, _mm_set1_epi8('"')), _mm_cmpeq_epi8(w, _mm_set1_epi8('\\')));
	int marks = _mm_movemask_epi8(_mm_or_si128(quotes, _mm_cmplt_epi8(w, _mm_set1_epi8(' '))));
	return (size_t)__builtin_ctz((unsigned)marks | 1u << 16);
#else
	size_t first = json_lex_plain8(json_lex_load8(p));
	return first < 8 ? first : 8 + json_lex_plain8(json_lex_load8(p + 8));
#endif
}

/* Of fewer than 16 bytes. Two words that overlap see 8 and more, two halves 4 and more; what is seen twice was plain the first time. */
static inline const char *json_lex_plain_few(const char *p, const char *end)
{
	size_t first;
	uint32_t head, tail;
	if (end - p >= 8) {
		first = json_lex_plain8(json_lex_load8(p));
		return first < 8 ? p + first : end - 8 + json_lex_plain8(json_lex_load8(end - 8));
	}
	if (end - p >= 4) {
		memcpy(&head, p, sizeof(head));
		memcpy(&tail, end - 4, sizeof(tail));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		head = __builtin_bswap32(head);
		tail = __builtin_bswap32(tail);
#endif
		first = json_lex_plain8(head | (uint64_t)tail << 32);
		return first < 4 ? p + first : end - 8 + first;
	}
	while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

/*
 * The first byte at or after p that is not plain: a quote, a backslash, a control character or a byte of a multi-byte character; `end` when
 * there is none. Sixteen bytes a step; the last step goes back over what was seen, so that it has sixteen too.
 */
static inline const char *json_lex_plain(const char *p, const char *end)
{
	size_t first;
	if (end - p < 16)
		return json_lex_plain_few(p, end);
	for (; end - p >= 16; p += 16) {
		first = json_lex_plain16(p);
		if (first < 16)
			return p + first;
	}
	return end - 16 + json_lex_plain16(end - 16);
}

struct json_lexed_string {
	const char *raw;        /* the first byte behind the opening quote */
	const char *raw_end;    /* the closing quote */
	size_t decoded_len;     /* bytes when decoded; equal to the raw length when nothing is escaped */
	bool escaped;           /* an escape has to be decoded */
	size_t lone_surrogates; /* escapes that become U+FFFD */
};

/* p is behind the opening quote. */
const char *json_lex_string(const char *p, const char *end, struct json_lexed_string *ret, const char **ret_at);
/* The string's text: the raw bytes where nothing is escaped, else decoded into the arena. 0 or FF_ENOMEM. */
int json_lex_text(const struct json_lexed_string *s, struct arena *arena, struct str *ret);
/* p is at '-' or a digit; on success *ret_at is behind the number. */
const char *json_lex_number(const char *p, const char *end, const char **ret_at);

#endif
