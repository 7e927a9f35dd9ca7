/*
 * weight.c: what pydantic 2.14 takes for a float in lax mode, observed field by field.
 *
 * Numbers, booleans (1.0 and 0.0), and text: Unicode white space around it is dropped, or else an underscore may stand anywhere but at the ends
 * and beside another one (not both: " 1_0" is refused); then [sign] digits [. digits] [e [sign] digits] with digits on one side of the point, or inf,
 * infinity, nan in any case.
 *
 * One rule is ours: infinity, which pydantic lets through as a float, is refused, because no JSON document can carry it.
 */
#include "model/weight.h"

#include <math.h>

#include "base/error.h"

static const char not_a_number[] = "must be a number or null";
static const char not_numeric_text[] = "must be a number, and its text cannot be read as one";
static const char negative[] = "must be greater than or equal to 0";
static const char infinite[] = "must be a finite number";

/* Code points of Unicode's White_Space. */
static bool is_white_space(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
	       c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

static struct str trim_unicode(struct str s)
{
	while (s.len > 0) {
		size_t len = utf8_sequence_length(s.ptr, s.len);
		if (len == 0 || !is_white_space(utf8_decode(s.ptr, len)))
			break;
		s = str_sub(s, len, s.len);
	}
	while (s.len > 0) {
		size_t start = s.len - 1;
		while (start > 0 && ((unsigned char)s.ptr[start] & 0xC0) == 0x80)
			start--;
		if (utf8_sequence_length(s.ptr + start, s.len - start) == 0 ||
		    !is_white_space(utf8_decode(s.ptr + start, s.len - start)))
			break;
		s.len = start;
	}
	return s;
}

/* Copies the text without underscores; false when one stands where none may, or the rest does not fit. */
static bool drop_underscores(struct str s, char *out, size_t room, struct str *ret)
{
	size_t n = 0;
	if (str_contains(s, STR("__")) || str_starts_with(s, STR("_")) || str_ends_with(s, STR("_")))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '_')
			continue;
		if (n == room)
			return false;
		out[n++] = s.ptr[i];
	}
	*ret = str_of(out, n);
	return true;
}

static struct str drop_sign(struct str s)
{
	return str_starts_with(s, STR("+")) || str_starts_with(s, STR("-")) ? str_sub(s, 1, s.len) : s;
}

static bool all_digits(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
	return true;
}

/* [sign] digits with at most one point, [e [sign] digits]: what str_to_double can then refuse is out of range. */
static bool is_decimal(struct str s)
{
	size_t mark = MIN(str_find(s, STR("e"), 0), str_find(s, STR("E"), 0));
	struct str mantissa = drop_sign(str_sub(s, 0, mark)), whole = mantissa, fraction = STR_NULL;
	size_t point = str_find(mantissa, STR("."), 0);
	if (mark != SIZE_MAX) {
		struct str exponent = drop_sign(str_sub(s, mark + 1, s.len));
		if (exponent.len == 0 || !all_digits(exponent))
			return false;
	}
	if (point != SIZE_MAX) {
		whole = str_sub(mantissa, 0, point);
		fraction = str_sub(mantissa, point + 1, mantissa.len);
	}
	return whole.len + fraction.len > 0 && all_digits(whole) && all_digits(fraction);
}

static bool is_word(struct str s, const char *const *words, size_t count)
{
	s = drop_sign(s);
	for (size_t i = 0; i < count; i++)
		if (str_eq_nocase(s, str_from(words[i])))
			return true;
	return false;
}

/* Text of any length that is a number: what is too long for `room` has underscores and thousands of digits, and is refused. */
static const char *read_text(struct str s, double *ret)
{
	static const char *const infinities[] = { "inf", "infinity" }, *const nans[] = { "nan" };
	char plain[4096];
	bool minus, infinity;
	if (!str_contains(s, STR("_")))
		s = trim_unicode(s);
	else if (!drop_underscores(s, plain, sizeof(plain), &s))
		return not_numeric_text;
	minus = str_starts_with(s, STR("-"));
	if (is_word(s, nans, ARRAY_SIZE(nans)))
		return negative; /* nan is not greater than or equal to anything */
	infinity = is_word(s, infinities, ARRAY_SIZE(infinities));
	if (!infinity && !is_decimal(s))
		return not_numeric_text;
	if (infinity || !str_to_double(s, ret))
		*ret = minus ? -HUGE_VAL : HUGE_VAL;
	return NULL;
}

static const char *read_weight(const struct json *v, double *ret)
{
	switch (v->type) {
	case JSON_FALSE: *ret = 0; return NULL;
	case JSON_TRUE: *ret = 1; return NULL;
	case JSON_STRING: return read_text(v->text, ret);
	case JSON_NUMBER: break;
	default: return not_a_number;
	}
	*ret = json_to_double(v);
	if (str_eq(v->text, STR("-0")))
		*ret = 0; /* an integer has no negative zero */
	return NULL;
}

int weight_from_json(const struct json *v, struct arena *a, struct json *ret, const char **ret_problem)
{
	char text[32];
	double value;
	*ret = (struct json){ .type = JSON_NULL, .count = 0, .items = NULL };
	if (v->type == JSON_NULL)
		return 0;
	*ret_problem = read_weight(v, &value);
	if (!*ret_problem && !(value >= 0))
		*ret_problem = negative;
	if (!*ret_problem && isinf(value))
		*ret_problem = infinite;
	if (*ret_problem)
		return FF_EDATA;
	if (!a)
		return 0;
	ret->type = JSON_NUMBER;
	return arena_str(a, str_of(text, json_format_double(value, text)), &ret->text);
}
