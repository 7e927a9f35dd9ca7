/*
 * json_write.c: values to JSON text. What it writes is always valid UTF-8 and valid JSON, whatever bytes it is given, in the form of Python's
 * json.dumps(ensure_ascii=False): compact, or indented with empty containers on one line.
 *
 * A failure (memory, the cap of the buf) is sticky in the buf, so no call returns one. Wrong nesting is our own mistake and asserted.
 */
#include "model/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "model/json_lex.h"

/* ---- strings ---- */

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

/*
 * Bytes of the ill-formed sequence at s that one U+FFFD stands for: the longest start of a well-formed sequence, else one byte (as Unicode
 * recommends, and Python's errors="replace" does).
 */
static size_t ill_formed_length(const char *s, size_t len)
{
	unsigned char lead = (unsigned char)s[0], second;
	size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2, n = 2;
	if (lead < 0xC2 || lead > 0xF4 || len < 2)
		return 1;
	second = (unsigned char)s[1];
	if (second < (lead == 0xE0   ? 0xA0
	              : lead == 0xF0 ? 0x90
	                             : 0x80) ||
	    second > (lead == 0xED   ? 0x9F
	              : lead == 0xF4 ? 0x8F
	                             : 0xBF))
		return 1;
	while (n < want && n < len && ((unsigned char)s[n] & 0xC0) == 0x80)
		n++;
	return n;
}

static void append_escape(struct buf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char unicode[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
	switch (c) {
	case '"': (void)buf_append(b, "\\\"", 2); return;
	case '\\': (void)buf_append(b, "\\\\", 2); return;
	case '\b': (void)buf_append(b, "\\b", 2); return;
	case '\f': (void)buf_append(b, "\\f", 2); return;
	case '\n': (void)buf_append(b, "\\n", 2); return;
	case '\r': (void)buf_append(b, "\\r", 2); return;
	case '\t': (void)buf_append(b, "\\t", 2); return;
	default: (void)buf_append(b, unicode, sizeof(unicode)); return;
	}
}

/* The first byte at or after p that cannot be copied as it is: to be escaped, ill-formed, or `end`. */
static const char *skip_copied(const char *p, const char *end)
{
	for (;;) {
		size_t len;
		p = json_lex_plain(p, end);
		if (p == end || (unsigned char)*p < 0x80)
			return p;
		len = utf8_sequence_length(p, (size_t)(end - p));
		if (len == 0)
			return p;
		p += len;
	}
}

static bool is_plain(struct str s)
{
	return s.len == 0 || (s.len < SIZE_MAX / 2 && json_lex_plain(s.ptr, s.ptr + s.len) == s.ptr + s.len);
}

RARE static void append_odd_quoted(struct buf *out, const char *p, const char *end)
{
	(void)buf_append_char(out, '"');
	while (p < end) {
		const char *stop = skip_copied(p, end);
		(void)buf_append(out, p, (size_t)(stop - p));
		p = stop;
		if (p == end)
			break;
		if ((unsigned char)*p < 0x80) {
			append_escape(out, (unsigned char)*p++);
		} else {
			(void)buf_append(out, replacement, sizeof(replacement) - 1);
			p += ill_formed_length(p, (size_t)(end - p));
		}
	}
	(void)buf_append_char(out, '"');
}

/* Names and most values are short: a call of memcpy takes longer than they do. Two copies overlap where they need not meet. Returns what is behind. */
static inline char *put_bytes(char *to, const char *from, size_t len)
{
	if (len > 32) {
		memcpy(to, from, len);
	} else if (len >= 16) {
		memcpy(to, from, 16);
		memcpy(to + len - 16, from + len - 16, 16);
	} else if (len >= 8) {
		memcpy(to, from, 8);
		memcpy(to + len - 8, from + len - 8, 8);
	} else if (len >= 4) {
		memcpy(to, from, 4);
		memcpy(to + len - 4, from + len - 4, 4);
	} else {
		for (size_t i = 0; i < len; i++)
			to[i] = from[i];
	}
	return to + len;
}

void json_append_behind(struct buf *out, struct str before, struct str value)
{
	bool plain = is_plain(value);
	char *p = buf_reserve(
	        out, before.len + (plain ? value.len + 2 : 0)); /* a text without anything to escape: one look at the room */

	if (!p)
		return;
	p = put_bytes(p, before.ptr, before.len);
	if (!plain) {
		buf_commit(out, before.len);
		append_odd_quoted(out, value.ptr, value.ptr + value.len);
		return;
	}
	*p++ = '"';
	p = put_bytes(p, value.ptr, value.len);
	*p = '"';
	buf_commit(out, before.len + value.len + 2);
}

static void append_both(struct buf *out, struct str a, struct str b)
{
	char *p = buf_reserve(out, a.len + b.len);

	if (!p)
		return;
	(void)put_bytes(put_bytes(p, a.ptr, a.len), b.ptr, b.len);
	buf_commit(out, a.len + b.len);
}

void json_append_quoted(struct buf *out, struct str value)
{
	json_append_behind(out, STR(""), value);
}

/* ---- numbers ---- */

static bool reads_back(const char *digits, unsigned count, int point, double value)
{
	char text[40];
	double back;
	int len = snprintf(text, sizeof(text), "%.*se%d", (int)count, digits, point - (int)count);
	return len > 0 && str_to_double(str_of(text, (size_t)len), &back) && back == value;
}

/*
 * `count` significant digits of a finite value > 0, correctly rounded; the value is about 0.digits · 10^point. The radix character of the
 * process's locale, whatever it is, is left out.
 */
static void round_digits(double value, unsigned count, char digits[32], int *ret_point)
{
	char text[48];
	unsigned n = 0;
	const char *p = text;
	int exponent = 0, sign = 1;
	(void)snprintf(text, sizeof(text), "%.*e", (int)count - 1, value);
	for (; *p && *p != 'e'; p++)
		if (*p >= '0' && *p <= '9' && n < count)
			digits[n++] = *p;
	p++;
	if (*p == '-' || *p == '+')
		sign = *p++ == '-' ? -1 : 1;
	for (; *p >= '0' && *p <= '9'; p++)
		exponent = exponent * 10 + (*p - '0');
	*ret_point = sign * exponent + 1;
}

/* Adds one to the last digit; false when it would need another digit. */
static bool next_digits(char *digits, unsigned count)
{
	while (count > 0 && digits[count - 1] == '9')
		digits[--count] = '0';
	if (count == 0)
		return false;
	digits[count - 1]++;
	return true;
}

/*
 * The shortest digits that read back as value. 15 digits survive a normal double, so below that only zeros are dropped; subnormal ones have
 * fewer. Below a power of two doubles are twice as dense: there the nearest 16 digits may read back as the neighbour, and the next 16 above do not.
 */
static unsigned shortest_digits(double value, char digits[32], int *ret_point)
{
	unsigned count = value < 2.2250738585072014e-308 ? 1 : 15;
	for (; count < 17; count++) {
		round_digits(value, count, digits, ret_point);
		if (reads_back(digits, count, *ret_point, value))
			break;
		if (count == 16 && next_digits(digits, count) && reads_back(digits, count, *ret_point, value))
			break;
	}
	if (count == 17)
		round_digits(value, count, digits, ret_point);
	while (count > 1 && digits[count - 1] == '0')
		count--;
	return count;
}

/* Python's repr: an exponent from 1e16 on and below 1e-4, else a point with a digit on both sides. */
static size_t lay_out(char *out, const char *digits, unsigned count, int point)
{
	int len, n = (int)count;
	if (point > 16 || point < -3)
		len = snprintf(out, 31, "%c%s%.*se%c%02d", digits[0], n > 1 ? "." : "", n - 1, digits + 1, point < 1 ? '-' : '+',
		               point < 1 ? 1 - point : point - 1);
	else if (point <= 0)
		len = snprintf(out, 31, "0.%.*s%.*s", -point, "000", n, digits);
	else if (n <= point)
		len = snprintf(out, 31, "%.*s%.*s.0", n, digits, point - n, "0000000000000000");
	else
		len = snprintf(out, 31, "%.*s.%.*s", point, digits, n - point, digits + point);
	return (size_t)len;
}

/*
 * Milliseconds come in thousandths, and a number with at most 15 digits is the shortest one that reads back as itself: no need to search for it. Returns
 * the length, 0 for other numbers.
 */
static size_t format_thousandths(double value, char out[32])
{
	uint64_t thousandths = value < 1e11 ? (uint64_t)(value * 1000 + 0.5) : 0, whole = thousandths / 1000;
	unsigned rest = (unsigned)(thousandths % 1000);
	size_t len;
	if (!thousandths || (double)thousandths / 1000 != value)
		return 0;
	len = u64_digits(whole, out);
	out[len++] = '.';
	for (unsigned unit = 100; unit && (rest || unit == 100); unit /= 10) {
		out[len++] = (char)('0' + rest / unit);
		rest %= unit;
	}
	out[len] = '\0';
	return len;
}

size_t json_format_double(double value, char out[32])
{
	char digits[32];
	size_t sign = 0, done;
	int point;
	unsigned count;
	if (!isfinite(value)) {
		memcpy(out, "null", 5);
		return 4;
	}
	if (signbit(value)) {
		out[sign++] = '-';
		value = -value;
	}
	if (value == 0) {
		memcpy(out + sign, "0.0", 4);
		return sign + 3;
	}
	if ((done = format_thousandths(value, out + sign)))
		return sign + done;
	count = shortest_digits(value, digits, &point);
	return sign + lay_out(out + sign, digits, count, point);
}

/* ---- the writer ---- */

static const unsigned checked_levels = 128;

void json_writer_init(struct json_writer *w, struct buf *out, unsigned indent)
{
	*w = (struct json_writer){ .out = out, .indent = indent, .first = true };
}

static bool in_object(const struct json_writer *w)
{
	unsigned level = w->depth - 1;
	return w->depth > 0 && level < checked_levels && (w->objects[level / 64] >> (level % 64) & 1);
}

static void new_line(struct json_writer *w)
{
	static const char spaces[] = "                                                                ";
	size_t left = (size_t)w->depth * w->indent;
	(void)buf_append_char(w->out, '\n');
	while (left > 0) {
		size_t run = MIN(left, sizeof(spaces) - 1);
		(void)buf_append(w->out, spaces, run);
		left -= run;
	}
}

/* What stands before an array element or the name of a member. */
static void separate(struct json_writer *w)
{
	if (!w->first)
		(void)buf_append_char(w->out, ',');
	if (w->indent && w->depth > 0)
		new_line(w);
	w->first = false;
}

static void before_value(struct json_writer *w)
{
	assert(w->after_key == in_object(w) || w->depth > checked_levels);
	assert(w->depth > 0 || w->first); /* one value */
	if (w->after_key)
		w->after_key = false;
	else
		separate(w);
	w->first = false;
}

static void begin(struct json_writer *w, char bracket, bool object)
{
	before_value(w);
	(void)buf_append_char(w->out, bracket);
	if (w->depth < checked_levels) {
		uint64_t bit = UINT64_C(1) << (w->depth % 64);
		w->objects[w->depth / 64] = object ? w->objects[w->depth / 64] | bit : w->objects[w->depth / 64] & ~bit;
	}
	w->depth++;
	w->first = true;
}

static void end(struct json_writer *w, char bracket, bool object)
{
	assert(w->depth > 0 && !w->after_key);
	assert(in_object(w) == object || w->depth > checked_levels);
	(void)object;
	w->depth--;
	if (w->indent && !w->first)
		new_line(w);
	(void)buf_append_char(w->out, bracket);
	w->first = false;
}

void json_begin_object(struct json_writer *w)
{
	begin(w, '{', true);
}

void json_end_object(struct json_writer *w)
{
	end(w, '}', true);
}

void json_begin_array(struct json_writer *w)
{
	begin(w, '[', false);
}

void json_end_array(struct json_writer *w)
{
	end(w, ']', false);
}

void json_key(struct json_writer *w, struct str key)
{
	assert(!w->after_key && (in_object(w) || w->depth > checked_levels));
	w->after_key = true;
	separate(w);
	json_append_quoted(w->out, key);
	(void)buf_append(w->out, ": ", w->indent ? 2 : 1);
}

/* What stands before the value of a member; empty when it has been written (after_key). */
static struct str before_member(struct json_writer *w, struct json_name name)
{
	bool first = w->first;
	if (w->indent) {
		json_key(w, str_sub(name.joined, 2, name.joined.len - 2));
		return STR("");
	}
	assert(!w->after_key && (in_object(w) || w->depth > checked_levels));
	w->first = false;
	return str_sub(name.joined, first, name.joined.len);
}

void json_member_text(struct json_writer *w, struct json_name name, struct str value)
{
	json_append_behind(w->out, before_member(w, name), value);
	w->after_key = false;
}

void json_member_value(struct json_writer *w, struct json_name name, const struct json *value)
{
	struct str before = before_member(w, name);
	if (w->after_key)
		json_value(w, value);
	else
		json_append_value_behind(w->out, before, value);
}

void json_member_array(struct json_writer *w, struct json_name name)
{
	struct str before = before_member(w, name);

	buf_append_str(w->out, before);
	w->after_key = true;
	json_begin_array(w);
}

void json_string(struct json_writer *w, struct str value)
{
	before_value(w);
	json_append_quoted(w->out, value);
}

void json_number_text(struct json_writer *w, struct str text)
{
	before_value(w);
	(void)buf_append_str(w->out, text);
}

void json_int(struct json_writer *w, int64_t value)
{
	char text[24];
	size_t sign = value < 0;
	text[0] = '-';
	json_number_text(w, str_of(text, sign + u64_digits(sign ? 0 - (uint64_t)value : (uint64_t)value, text + sign)));
}

void json_double(struct json_writer *w, double value)
{
	char text[32];
	json_number_text(w, str_of(text, json_format_double(value, text)));
}

void json_bool(struct json_writer *w, bool value)
{
	json_number_text(w, value ? STR("true") : STR("false"));
}

void json_null(struct json_writer *w)
{
	json_number_text(w, STR("null"));
}

static void write_object(struct json_writer *w, const struct json *v)
{
	json_begin_object(w);
	for (uint32_t i = 0; i < v->count; i++) {
		json_key(w, v->members[i].key);
		json_value(w, &v->members[i].value);
	}
	json_end_object(w);
}

static void write_array(struct json_writer *w, const struct json *v)
{
	json_begin_array(w);
	for (uint32_t i = 0; i < v->count; i++)
		json_value(w, &v->items[i]);
	json_end_array(w);
}

/* All of a value that has neither quotes nor anything inside; ptr is NULL when it has. */
static struct str bare_text(const struct json *v)
{
	switch (v->type) {
	case JSON_NULL: return STR("null");
	case JSON_FALSE: return STR("false");
	case JSON_TRUE: return STR("true");
	case JSON_NUMBER: return v->text;
	case JSON_ARRAY: return v->count ? STR_NULL : STR("[]");
	case JSON_OBJECT: return v->count ? STR_NULL : STR("{}");
	case JSON_STRING: break;
	}
	return STR_NULL;
}

void json_value(struct json_writer *w, const struct json *v)
{
	struct str bare = bare_text(v);

	if (bare.ptr)
		json_number_text(w, bare);
	else if (v->type == JSON_STRING)
		json_string(w, v->text);
	else if (v->type == JSON_ARRAY)
		write_array(w, v);
	else
		write_object(w, v);
}

void json_append_value_behind(struct buf *out, struct str before, const struct json *v)
{
	struct str bare = bare_text(v);
	struct json_writer w;

	if (v->type == JSON_STRING) {
		json_append_behind(out, before, v->text);
		return;
	}
	append_both(out, before, bare);
	if (!bare.ptr) {
		json_writer_init(&w, out, 0);
		json_value(&w, v);
	}
}

void json_append_value(struct buf *out, const struct json *v)
{
	json_append_value_behind(out, STR(""), v);
}
