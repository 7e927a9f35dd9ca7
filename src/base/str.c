/*
 * str.c: views of bytes, numbers in text, UTF-8. Never looks at the locale: ASCII rules and the C locale's number format only.
 *
 * str_to_double is exact. Text with up to 19 significant digits whose value is a 53-bit integer times a power of ten up to 22 is converted here by one
 * multiplication or division (both operands are exact, so the result is correctly rounded); the rest goes through strtod in the C locale.
 */
#include "base/str.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned char lower(char c)
{
	unsigned char u = (unsigned char)c;
	return u >= 'A' && u <= 'Z' ? (unsigned char)(u + ('a' - 'A')) : u;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool eq_nocase(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

bool str_eq_nocase(struct str a, struct str b)
{
	return a.len == b.len && eq_nocase(a.ptr, b.ptr, a.len);
}

int str_cmp(struct str a, struct str b)
{
	size_t len = MIN(a.len, b.len);
	int order = len ? memcmp(a.ptr, b.ptr, len) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool str_starts_with(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_eq(str_of(s.ptr, prefix.len), prefix);
}

bool str_ends_with(struct str s, struct str suffix)
{
	return s.len >= suffix.len && (suffix.len == 0 || memcmp(s.ptr + (s.len - suffix.len), suffix.ptr, suffix.len) == 0);
}

size_t str_find(struct str s, struct str needle, size_t from)
{
	const char *at;

	if (from > s.len || needle.len > s.len - from)
		return SIZE_MAX;
	if (needle.len == 0)
		return from;
	at = memmem(s.ptr + from, s.len - from, needle.ptr, needle.len);
	return at ? (size_t)(at - s.ptr) : SIZE_MAX;
}

bool str_contains(struct str s, struct str needle)
{
	return str_find(s, needle, 0) != SIZE_MAX;
}

bool str_contains_nocase(struct str s, struct str needle)
{
	if (needle.len == 0)
		return true;
	for (size_t i = 0; i + needle.len <= s.len; i++)
		if (lower(s.ptr[i]) == lower(needle.ptr[0]) && eq_nocase(s.ptr + i, needle.ptr, needle.len))
			return true;
	return false;
}

struct str str_trim(struct str s)
{
	while (s.len && is_space(s.ptr[0]))
		s = str_of(s.ptr + 1, s.len - 1);
	while (s.len && is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

static bool is_unicode_space(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
	       (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Bytes of the white-space character at p[0..len), 0 when there is none. */
static size_t space_length(const char *p, size_t len)
{
	size_t n = utf8_sequence_length(p, len);

	return n && is_unicode_space(utf8_decode(p, n)) ? n : 0;
}

struct str utf8_trim(struct str s)
{
	size_t n = 1, back;

	while (s.len && (n = space_length(s.ptr, s.len)) != 0)
		s = str_of(s.ptr + n, s.len - n);
	for (n = 1; s.len && n; s.len -= n)
		for (n = 0, back = 1; back <= 3 && back <= s.len && !n; back++)
			n = space_length(s.ptr + s.len - back, back) == back ? back : 0;
	return s;
}

struct str str_sub(struct str s, size_t from, size_t to)
{
	to = MIN(to, s.len);
	from = MIN(from, to);
	return s.ptr ? str_of(s.ptr + from, to - from) : STR_NULL;
}

struct str str_split(struct str *rest, char sep)
{
	const char *at = rest->len ? memchr(rest->ptr, sep, rest->len) : NULL;
	struct str part = *rest;

	if (!at) {
		*rest = STR_NULL;
		return part;
	}
	part.len = (size_t)(at - rest->ptr);
	*rest = str_of(at + 1, rest->len - part.len - 1);
	return part;
}

size_t u64_digits(uint64_t value, char out[U64_DIGITS])
{
	char reversed[U64_DIGITS];
	size_t n = 0;

	do
		reversed[n++] = (char)('0' + value % 10);
	while (value /= 10);
	for (size_t i = 0; i < n; i++)
		out[i] = reversed[n - 1 - i];
	return n;
}

bool str_to_u64(struct str s, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_digit(s.ptr[i]) || __builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value))
			return false;
	}
	*ret_value = value;
	return true;
}

/* ---- floating numbers ---- */

/* More digits than this cannot change how a double is rounded, except by being not all zero (the longest exact halfway point has 767). */
#define DIGITS_THAT_MATTER 770
#define EXPONENT_CLAMP     100000

struct decimal {
	bool negative;
	uint64_t head; /* value of the first 19 significant digits */
	int count;     /* significant digits, leading zeros not counted; at most DIGITS_THAT_MATTER + 1 */
	long exponent; /* the value is digits * 10^exponent */
	char digits[DIGITS_THAT_MATTER + 1];
};

static void decimal_digit(struct decimal *d, char c, bool fraction)
{
	if (d->count == 0 && c == '0') { /* a leading zero */
		d->exponent -= fraction;
		return;
	}
	if (d->count >= DIGITS_THAT_MATTER) { /* beyond: only whether something is left counts */
		if (c != '0' && d->count == DIGITS_THAT_MATTER)
			d->digits[d->count++] = '1', d->exponent--;
		d->exponent += !fraction;
		return;
	}
	if (d->count < 19)
		d->head = d->head * 10 + (uint64_t)(c - '0');
	d->digits[d->count++] = c;
	d->exponent -= fraction;
}

/* Digits with at most one point. Returns the index behind them, or 0 when there is no digit. */
static size_t decimal_mantissa(struct decimal *d, struct str s, size_t i)
{
	bool fraction = false, any = false;

	for (; i < s.len; i++) {
		if (s.ptr[i] == '.' && !fraction) {
			fraction = true;
		} else if (is_digit(s.ptr[i])) {
			any = true;
			decimal_digit(d, s.ptr[i], fraction);
		} else {
			break;
		}
	}
	return any ? i : 0;
}

static bool decimal_exponent(struct decimal *d, struct str s, size_t i)
{
	bool negative = false;
	long value = 0;

	if (i == s.len)
		return true;
	if (lower(s.ptr[i++]) != 'e')
		return false;
	if (i < s.len && (s.ptr[i] == '+' || s.ptr[i] == '-'))
		negative = s.ptr[i++] == '-';
	if (i == s.len)
		return false;
	for (; i < s.len; i++) {
		if (!is_digit(s.ptr[i]))
			return false;
		if (value < EXPONENT_CLAMP)
			value = value * 10 + (s.ptr[i] - '0');
	}
	d->exponent += negative ? -value : value;
	return true;
}

/* strtod in the C locale. newlocale gives the built-in C locale: no allocation, nothing to keep. */
static bool decimal_by_libc(const struct decimal *d, double *ret_value)
{
	char text[DIGITS_THAT_MATTER + 32];
	locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	int len = snprintf(text, sizeof text, "%.*se%ld", d->count, d->digits, d->exponent);

	if (!c_locale)
		return false;
	if (len < 0 || (size_t)len >= sizeof text) {
		freelocale(c_locale);
		return false;
	}
	*ret_value = strtod_l(text, NULL, c_locale);
	freelocale(c_locale);
	return isfinite(*ret_value);
}

static bool decimal_value(const struct decimal *d, double *ret_value)
{
	static const double powers[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
		                         1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

	if (d->count == 0) {
		*ret_value = 0.0;
		return true;
	}
	if (d->count > 19 || d->head > (UINT64_C(1) << 53) || d->exponent > 22 || d->exponent < -22)
		return decimal_by_libc(d, ret_value);
	*ret_value = d->exponent < 0 ? (double)d->head / powers[-d->exponent] : (double)d->head * powers[d->exponent];
	return true;
}

bool str_to_bool(struct str s, bool *ret_value)
{
	static const struct str words[][2] = {
		{ STR("0"), STR("1") }, { STR("false"), STR("true") }, { STR("no"), STR("yes") }, { STR("off"), STR("on") }
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		for (size_t value = 0; value < 2; value++)
			if (str_eq_nocase(s, words[i][value])) {
				*ret_value = value;
				return true;
			}
	return false;
}

bool str_to_double(struct str s, double *ret_value)
{
	struct decimal d;
	size_t i = 0;
	double value;

	d.negative = false;
	d.head = 0;
	d.count = 0;
	d.exponent = 0;
	if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+'))
		d.negative = s.ptr[i++] == '-';
	i = decimal_mantissa(&d, s, i);
	if (i == 0 || !decimal_exponent(&d, s, i) || !decimal_value(&d, &value))
		return false;
	*ret_value = d.negative ? -value : value;
	return true;
}

/* ---- UTF-8 ---- */

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xC0) == 0x80;
}

/* The bytes a sequence with this first byte has; 0 when no sequence starts so. */
static size_t sequence_by_lead(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead < 0xC2)
		return 0; /* continuation or overlong */
	if (lead < 0xE0)
		return 2;
	if (lead < 0xF0)
		return 3;
	return lead < 0xF5 ? 4 : 0;
}

size_t utf8_sequence_length(const char *s, size_t len)
{
	unsigned char lead, second;
	size_t need;

	if (len == 0)
		return 0;
	lead = (unsigned char)s[0];
	need = sequence_by_lead(lead);
	if (need < 2 || need > len)
		return need == 1;
	second = (unsigned char)s[1];
	if (!is_continuation(s[1]) || (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
	    (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F))
		return 0;
	for (size_t i = 2; i < need; i++)
		if (!is_continuation(s[i]))
			return 0;
	return need;
}

bool utf8_is_valid(struct str s)
{
	size_t i = 0;

	while (i < s.len) {
		uint64_t eight;
		size_t n;

		while (s.len - i >= sizeof eight) { /* ASCII goes eight bytes at a time */
			memcpy(&eight, s.ptr + i, sizeof eight);
			if (eight & UINT64_C(0x8080808080808080))
				break;
			i += sizeof eight;
		}
		if (i == s.len)
			break;
		n = utf8_sequence_length(s.ptr + i, s.len - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

size_t utf8_cut(struct str s, size_t max)
{
	size_t lead = max;

	if (s.len <= max)
		return s.len;
	while (lead > 0 && max - lead < 3 && is_continuation(s.ptr[lead]))
		lead--;
	/* Only a sequence that begins before max and reaches beyond it is split by a cut there. */
	return lead < max && lead + sequence_by_lead((unsigned char)s.ptr[lead]) > max ? lead : max;
}

size_t utf8_encode(uint32_t code_point, char out[4])
{
	uint32_t c = code_point > 0x10FFFF || (code_point >= 0xD800 && code_point <= 0xDFFF) ? 0xFFFD : code_point;

	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xC0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xE0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3F));
		out[2] = (char)(0x80 | (c & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3F));
	out[2] = (char)(0x80 | (c >> 6 & 0x3F));
	out[3] = (char)(0x80 | (c & 0x3F));
	return 4;
}

uint32_t utf8_decode(const char *s, size_t length)
{
	static const unsigned char lead_mask[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
	uint32_t c = (unsigned char)s[0] & lead_mask[length];

	for (size_t i = 1; i < length; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3Fu);
	return c;
}
