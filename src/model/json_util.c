/*
 * json_util.c: questions about values: members, truth, numbers, equality. Nothing here allocates or fails.
 *
 * Numbers are compared as the decimal numbers that they are, not as doubles: 18446744073709551616 and 18446744073709551617 differ, and 10, 10.0
 * and 1e1 are equal. Exponents beyond what 64 bits count are taken as equal when their sign is.
 */
#include "model/json.h"

#include <math.h>

const char *json_type_name(enum json_type type)
{
	switch (type) {
	case JSON_NULL: return "null";
	case JSON_FALSE:
	case JSON_TRUE: return "boolean";
	case JSON_NUMBER: return "number";
	case JSON_STRING: return "string";
	case JSON_ARRAY: return "array";
	case JSON_OBJECT: return "object";
	}
	return "unknown";
}

bool json_truthy(const struct json *v)
{
	if (!v)
		return false;
	switch (v->type) {
	case JSON_TRUE: return true;
	case JSON_NUMBER: return json_to_double(v) != 0;
	case JSON_STRING: return v->text.len > 0;
	case JSON_ARRAY:
	case JSON_OBJECT: return v->count > 0;
	default: return false;
	}
}

double json_to_double(const struct json *v)
{
	double value;
	if (str_to_double(v->text, &value))
		return value;
	return v->text.ptr[0] == '-' ? -HUGE_VAL : HUGE_VAL; /* a JSON number that is refused is out of range */
}

/* ---- decimal numbers ---- */

/* value = digits · 10^exponent: the digits are those of `text` from `from` to `to`, a point among them skipped; neither the first nor the last
 * is 0. Zero has no digits. */
struct decimal {
	struct str text;
	size_t from, to;
	int64_t exponent;
	bool negative;
};

#define EXPONENT_LIMIT (INT64_C(1) << 60) /* a text cannot move it by more than its own length */

static int64_t read_exponent(struct str digits)
{
	bool negative = digits.ptr[0] == '-';
	uint64_t value;
	if (negative || digits.ptr[0] == '+')
		digits = str_sub(digits, 1, digits.len);
	if (!str_to_u64(digits, &value) || value > (uint64_t)EXPONENT_LIMIT)
		value = (uint64_t)EXPONENT_LIMIT;
	return negative ? -(int64_t)value : (int64_t)value;
}

static bool is_exponent_mark(char c)
{
	return c == 'e' || c == 'E';
}

static void decimal_read(struct decimal *d, struct str text)
{
	size_t end = 0, point, last;
	d->text = text;
	d->negative = text.ptr[0] == '-';
	while (end < text.len && !is_exponent_mark(text.ptr[end]))
		end++;
	point = MIN(str_find(text, STR("."), 0), end);
	d->from = d->negative;
	while (d->from < end && (text.ptr[d->from] == '0' || text.ptr[d->from] == '.'))
		d->from++;
	d->to = end;
	while (d->to > d->from && (text.ptr[d->to - 1] == '0' || text.ptr[d->to - 1] == '.'))
		d->to--;
	d->exponent = end < text.len ? read_exponent(str_sub(text, end + 1, text.len)) : 0;
	if (d->from == d->to) {
		d->exponent = 0;
		return;
	}
	last = d->to - 1; /* the place of the last digit counts */
	d->exponent += last < point ? (int64_t)(point - last) - 1 : -(int64_t)(last - point);
}

/* The next digit at or after *i, or 0 at the end. */
static char next_digit(const struct decimal *d, size_t *i)
{
	if (*i < d->to && d->text.ptr[*i] == '.')
		(*i)++;
	return *i < d->to ? d->text.ptr[(*i)++] : '\0';
}

static bool number_equal(struct str a, struct str b)
{
	struct decimal x, y;
	size_t i, j;
	char c;
	if (str_eq(a, b))
		return true;
	decimal_read(&x, a);
	decimal_read(&y, b);
	if (x.from == x.to || y.from == y.to)
		return x.from == x.to && y.from == y.to;
	if (x.negative != y.negative || x.exponent != y.exponent)
		return false;
	i = x.from;
	j = y.from;
	do {
		c = next_digit(&x, &i);
		if (c != next_digit(&y, &j))
			return false;
	} while (c);
	return true;
}

/* Digits and nothing else, as few as surely fit. */
static bool small_integer(struct str text, int64_t *ret_value)
{
	int64_t value = 0;
	if (text.len > 18)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		value = value * 10 + (text.ptr[i] - '0');
	}
	*ret_value = value;
	return true;
}

bool json_to_i64(const struct json *v, int64_t *ret_value)
{
	struct decimal d;
	int64_t value = 0; /* negative or zero, so that INT64_MIN fits */
	size_t i;
	char c;
	if (small_integer(v->text, ret_value))
		return true;
	decimal_read(&d, v->text);
	if (d.exponent < 0 || d.exponent > 18 || d.to - d.from > 20)
		return false;
	i = d.from;
	while ((c = next_digit(&d, &i)) != '\0')
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, c - '0', &value))
			return false;
	for (; d.exponent > 0; d.exponent--)
		if (__builtin_mul_overflow(value, 10, &value))
			return false;
	if (!d.negative && __builtin_sub_overflow(0, value, &value))
		return false;
	*ret_value = value;
	return true;
}

/* ---- equality ---- */

static bool array_equal(const struct json *a, const struct json *b)
{
	for (uint32_t i = 0; i < a->count; i++)
		if (!json_equal(&a->items[i], &b->items[i]))
			return false;
	return true;
}

/* Searches from where the last member was found, so that equal or rotated orders are linear. */
static bool object_equal(const struct json *a, const struct json *b)
{
	uint32_t at = 0;
	for (uint32_t i = 0; i < a->count; i++) {
		uint32_t tries = 0;
		while (tries < b->count && !str_eq(a->members[i].key, b->members[at].key)) {
			at = at + 1 < b->count ? at + 1 : 0;
			tries++;
		}
		if (tries == b->count || !json_equal(&a->members[i].value, &b->members[at].value))
			return false;
		at = at + 1 < b->count ? at + 1 : 0;
	}
	return true;
}

bool json_equal(const struct json *a, const struct json *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case JSON_NUMBER: return number_equal(a->text, b->text);
	case JSON_STRING: return str_eq(a->text, b->text);
	case JSON_ARRAY: return a->count == b->count && array_equal(a, b);
	case JSON_OBJECT: return a->count == b->count && object_equal(a, b);
	default: return true;
	}
}
