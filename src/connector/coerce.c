/*
 * coerce.c: pydantic's lax scalar coercions (facts: int and float accept numeric text and booleans, int accepts floats without a fraction,
 * bool accepts eleven words). Not a number parser of its own: digits are checked here, values come from base/str.h and model/json.h.
 *
 * Integers keep their digits whatever their size (seed: 18446744073709551616 leaves as it came). Cost: one small arena string a value, at
 * configure time only.
 */
#include "connector/coerce.h"

#include <math.h>

#define NUMBER_TEXT_MAX 4300 /* Python refuses to read longer integers; so do we */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct json number_of(struct str text)
{
	return (struct json){ .type = JSON_NUMBER, .text = text };
}

/* Digits with an optional sign: [+-]?[0-9]+ */
static bool is_integer_text(struct str s)
{
	size_t i = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+') ? 1 : 0;

	if (i == s.len || s.len > NUMBER_TEXT_MAX)
		return false;
	for (; i < s.len; i++)
		if (!is_digit(s.ptr[i]))
			return false;
	return true;
}

/* "+007" → "7", "-0" → "0": what Python prints for the integer. Only moves the ends. */
static enum coerce_result canonical_int(struct arena *a, struct str s, struct json *ret)
{
	bool negative = s.ptr[0] == '-';
	size_t from = negative || s.ptr[0] == '+' ? 1 : 0;
	char *copy;

	while (from + 1 < s.len && s.ptr[from] == '0')
		from++;
	if (s.ptr[from] == '0')
		negative = false;
	if (!negative) {
		*ret = number_of(str_sub(s, from, s.len));
		return COERCE_OK;
	}
	copy = arena_memdup(a, s.ptr + from - 1, s.len - from + 1);
	if (!copy)
		return COERCE_NOMEM;
	copy[0] = '-';
	*ret = number_of(str_of(copy, s.len - from + 1));
	return COERCE_OK;
}

/* Python's grammar for underscores: single ones between digits. *ret is `s` when there is none; COERCE_PARSE when they are misplaced. */
static enum coerce_result without_underscores(struct arena *a, struct str s, struct str *ret)
{
	char *copy;
	size_t n = 0;

	if (!memchr(s.ptr, '_', s.len)) {
		*ret = s;
		return COERCE_OK;
	}
	copy = arena_memdup(a, s.ptr, s.len);
	if (!copy)
		return COERCE_NOMEM;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] != '_') {
			copy[n++] = s.ptr[i];
			continue;
		}
		if (i == 0 || i + 1 == s.len || !is_digit(s.ptr[i - 1]) || !is_digit(s.ptr[i + 1]))
			return COERCE_PARSE;
	}
	*ret = str_of(copy, n);
	return COERCE_OK;
}

static enum coerce_result int_from_text(struct arena *a, struct str text, struct json *ret)
{
	struct str s = str_trim(text);
	size_t dot;
	enum coerce_result r;

	if (!s.len || s.len > NUMBER_TEXT_MAX)
		return COERCE_PARSE;
	dot = str_find(s, STR("."), 0);
	if (dot != SIZE_MAX) { /* "10.0" is an integer, "10.5" and "10." are not */
		if (dot + 1 == s.len)
			return COERCE_PARSE;
		for (size_t i = dot + 1; i < s.len; i++)
			if (s.ptr[i] != '0')
				return COERCE_PARSE;
		s = str_sub(s, 0, dot);
		if (!s.len)
			return COERCE_PARSE;
	}
	r = without_underscores(a, s, &s);
	if (r != COERCE_OK)
		return r;
	return is_integer_text(s) ? canonical_int(a, s, ret) : COERCE_PARSE;
}

static enum coerce_result int_from_number(struct arena *a, struct str text, struct json *ret)
{
	double d;
	char *out;

	if (is_integer_text(text))
		return canonical_int(a, text, ret);
	if (!str_to_double(text, &d) || !isfinite(d))
		return COERCE_RANGE;
	if (d != floor(d))
		return COERCE_FRACTION;
	if (d < -9223372036854775808.0 || d >= 9223372036854775808.0)
		return COERCE_RANGE;
	out = arena_printf(a, "%lld", (long long)d);
	if (!out)
		return COERCE_NOMEM;
	*ret = number_of(str_from(out));
	return COERCE_OK;
}

enum coerce_result coerce_int(struct arena *a, const struct json *v, struct json *ret)
{
	switch (v->type) {
	case JSON_TRUE: *ret = number_of(STR("1")); return COERCE_OK;
	case JSON_FALSE: *ret = number_of(STR("0")); return COERCE_OK;
	case JSON_NUMBER: return int_from_number(a, v->text, ret);
	case JSON_STRING: return int_from_text(a, v->text, ret);
	default: return COERCE_TYPE;
	}
}

static enum coerce_result float_of(struct arena *a, double d, struct json *ret)
{
	char out[32];
	struct str text;

	if (!isfinite(d))
		return COERCE_RANGE;
	text = str_of(out, json_format_double(d, out));
	if (arena_str(a, text, &text) != 0)
		return COERCE_NOMEM;
	*ret = number_of(text);
	return COERCE_OK;
}

/* Words that Python's float() reads and JSON cannot say. */
static bool is_infinite_word(struct str s)
{
	static const char *const words[] = { "nan", "inf", "infinity" };

	if (s.len && (s.ptr[0] == '+' || s.ptr[0] == '-'))
		s = str_sub(s, 1, s.len);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq_nocase(s, str_from(words[i])))
			return true;
	return false;
}

/* [+-]? digits with an optional point and exponent; keeps hexadecimal floats and other strtod liberties out. */
static bool is_float_text(struct str s)
{
	size_t i = 0, digits = 0;

	if (i < s.len && (s.ptr[i] == '+' || s.ptr[i] == '-'))
		i++;
	for (; i < s.len && is_digit(s.ptr[i]); i++)
		digits++;
	if (i < s.len && s.ptr[i] == '.')
		for (i++; i < s.len && is_digit(s.ptr[i]); i++)
			digits++;
	if (!digits)
		return false;
	if (i < s.len && (s.ptr[i] == 'e' || s.ptr[i] == 'E')) {
		size_t from;

		i++;
		if (i < s.len && (s.ptr[i] == '+' || s.ptr[i] == '-'))
			i++;
		for (from = i; i < s.len && is_digit(s.ptr[i]); i++)
			;
		if (i == from)
			return false;
	}
	return i == s.len;
}

static enum coerce_result float_from_text(struct arena *a, struct str text, struct json *ret)
{
	struct str s = str_trim(text);
	enum coerce_result r;
	double d;

	if (!s.len || s.len > NUMBER_TEXT_MAX)
		return COERCE_PARSE;
	if (is_infinite_word(s))
		return COERCE_RANGE;
	r = without_underscores(a, s, &s);
	if (r != COERCE_OK)
		return r;
	if (!is_float_text(s))
		return COERCE_PARSE;
	if (s.ptr[0] == '+')
		s = str_sub(s, 1, s.len);
	return str_to_double(s, &d) ? float_of(a, d, ret) : COERCE_RANGE;
}

enum coerce_result coerce_float(struct arena *a, const struct json *v, struct json *ret)
{
	switch (v->type) {
	case JSON_TRUE: *ret = number_of(STR("1.0")); return COERCE_OK;
	case JSON_FALSE: *ret = number_of(STR("0.0")); return COERCE_OK;
	case JSON_NUMBER: return float_of(a, json_to_double(v), ret);
	case JSON_STRING: return float_from_text(a, v->text, ret);
	default: return COERCE_TYPE;
	}
}

enum coerce_result coerce_bool(const struct json *v, struct json *ret)
{
	static const struct {
		const char *word;
		enum json_type type;
	} words[] = {
		{ "true", JSON_TRUE }, { "false", JSON_FALSE }, { "yes", JSON_TRUE }, { "no", JSON_FALSE },
		{ "on", JSON_TRUE },   { "off", JSON_FALSE },   { "t", JSON_TRUE },   { "f", JSON_FALSE },
		{ "y", JSON_TRUE },    { "n", JSON_FALSE },     { "1", JSON_TRUE },   { "0", JSON_FALSE },
	};
	double d;

	if (json_is_bool(v)) {
		*ret = *v;
		return COERCE_OK;
	}
	if (v->type == JSON_NUMBER) {
		d = json_to_double(v);
		if (d != 0.0 && d != 1.0)
			return COERCE_PARSE;
		*ret = (struct json){ .type = d == 1.0 ? JSON_TRUE : JSON_FALSE };
		return COERCE_OK;
	}
	if (v->type != JSON_STRING)
		return COERCE_TYPE;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq_nocase(v->text, str_from(words[i].word))) {
			*ret = (struct json){ .type = words[i].type };
			return COERCE_OK;
		}
	return COERCE_PARSE;
}

enum coerce_result coerce_text(struct arena *a, const struct json *v, struct json *ret)
{
	enum coerce_result r = COERCE_OK;

	if (v->type != JSON_STRING && v->type != JSON_NUMBER)
		return COERCE_TYPE;
	*ret = *v;
	if (v->type == JSON_NUMBER && (memchr(v->text.ptr, '.', v->text.len) || memchr(v->text.ptr, 'e', v->text.len) ||
	                               memchr(v->text.ptr, 'E', v->text.len)))
		r = float_of(a, json_to_double(v), ret);
	else if (v->type == JSON_NUMBER && str_eq(v->text, STR("-0")))
		ret->text = STR("0");
	if (r == COERCE_OK)
		ret->type = JSON_STRING;
	return r;
}
