/*
 * str.h: a view of bytes that somebody else owns, passed by value.
 *
 * A str is never NUL-terminated by promise; ptr may be NULL only when len is 0.
 * Text in a str is UTF-8 unless the holder says otherwise; it may contain NUL bytes.
 */
#ifndef FF_BASE_STR_H
#define FF_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/macros.h"

struct str {
	const char *ptr; /* bytes, not owned */
	size_t len;      /* bytes */
};

/* A name with its value: a header, a query parameter. Neither is owned. */
struct pair {
	struct str name;
	struct str value;
};

#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })
#define STR_NULL     ((struct str){ NULL, 0 })
/* For printf: printf("%.*s", STR_ARG(s)) */
#define STR_ARG(s) (int)(s).len, (s).ptr ? (s).ptr : ""

static inline struct str str_from(const char *text) /* text may be NULL: an empty str */
{
	return (struct str){ text, text ? strlen(text) : 0 };
}

static inline struct str str_of(const char *ptr, size_t len)
{
	return (struct str){ ptr, len };
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
bool str_eq_nocase(struct str a, struct str b); /* ASCII letters only */
int str_cmp(struct str a, struct str b);
bool str_starts_with(struct str s, struct str prefix);
bool str_ends_with(struct str s, struct str suffix);
/* Index of the first occurrence of needle at or after from, or SIZE_MAX. */
size_t str_find(struct str s, struct str needle, size_t from);
bool str_contains(struct str s, struct str needle);
bool str_contains_nocase(struct str s, struct str needle);
struct str str_trim(struct str s);                        /* without ASCII white space at both ends */
struct str utf8_trim(struct str s);                       /* without Unicode white space at both ends, as Python's str.strip */
struct str str_sub(struct str s, size_t from, size_t to); /* bytes [from, to), clamped */
/* Splits *rest at the first `sep`; returns the part before it, *rest becomes the part after (STR_NULL at the end).
 * Call while rest->ptr != NULL. */
struct str str_split(struct str *rest, char sep);

/* The decimal digits of a number, without a NUL; returns how many. */
#define U64_DIGITS 20
size_t u64_digits(uint64_t value, char out[U64_DIGITS]);
/* Decimal number without sign, spaces or anything else; false when it is not one or does not fit. */
bool str_to_u64(struct str s, uint64_t *ret_value);
/* "1", "true", "yes", "on" or "0", "false", "no", "off", in any case; false when it is none of them. */
bool str_to_bool(struct str s, bool *ret_value);
/* Finite decimal floating number as strtod reads in the C locale, whatever the process's locale is; whole text must be used. */
bool str_to_double(struct str s, double *ret_value);

/* Length in bytes of the well-formed UTF-8 sequence at s[0..len), 0 when it is ill-formed or cut (RFC 3629). */
size_t utf8_sequence_length(const char *s, size_t len);
bool utf8_is_valid(struct str s);
/* The longest length <= max at which s can be cut without splitting a character (s.len when it is not longer than max). */
size_t utf8_cut(struct str s, size_t max);
/* Writes the code point as UTF-8 into out[4]; returns the number of bytes. Surrogates and > U+10FFFF become U+FFFD. */
size_t utf8_encode(uint32_t code_point, char out[4]);
/* Decodes the well-formed sequence at s (see utf8_sequence_length). */
uint32_t utf8_decode(const char *s, size_t length);

#endif
