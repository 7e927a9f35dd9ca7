/*
 * hints.c: reads the many ways in which providers say "come back in …". Not a policy: what a wait means, and which is too long, is the
 * engine's business (retry.h). Unreadable, zero, negative and past values are no hint, so that the backoff applies.
 *
 * Only linear scans over header lists and one sentence; runs on refusals, never on an answered turn.
 */
#include "connector/hints.h"

#include <math.h>

#define MS_MAX (10.0 * 365 * 86400 * 1000) /* longer waits are nonsense, and would overflow later arithmetic */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

struct str header_find(const struct pair *headers, size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq_nocase(headers[i].name, name))
			return str_trim(headers[i].value);
	return STR_NULL;
}

static bool ms_from_double(double ms, int64_t *ret_ms)
{
	if (!isfinite(ms) || ms < 0 || ms > MS_MAX)
		return false;
	*ret_ms = (int64_t)ceil(ms - 1e-7); /* 0.1 s * 1000 must not become 101 */
	return true;
}

/* ---- durations ---- */

/* Reads digits with an optional fraction at the start of s. Returns its length, 0 when there is none. */
static size_t scan_number(struct str s, double *ret)
{
	size_t i = 0;

	while (i < s.len && is_digit(s.ptr[i]))
		i++;
	if (i == 0)
		return 0;
	if (i + 1 < s.len && s.ptr[i] == '.' && is_digit(s.ptr[i + 1]))
		for (i++; i < s.len && is_digit(s.ptr[i]); i++)
			;
	return str_to_double(str_sub(s, 0, i), ret) ? i : 0;
}

static const struct {
	const char *unit;
	double ms;
} units[] = {
	/* the longer of two with the same beginning first */
	{ "ms", 1 },           { "us", 1e-3 },  { "\xC2\xB5s", 1e-3 }, /* micro sign */
	{ "\xCE\xBCs", 1e-3 },                                         /* Greek mu */
	{ "ns", 1e-6 },        { "h", 3600e3 }, { "m", 60e3 },         { "s", 1e3 },
};

static size_t scan_unit(struct str s, double *ret_ms)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (str_starts_with(s, str_from(units[i].unit))) {
			*ret_ms = units[i].ms;
			return strlen(units[i].unit);
		}
	}
	return 0;
}

/* The longest duration at the start of s; 0 when there is none. */
static size_t scan_duration(struct str s, double *ret_ms)
{
	double total = 0;
	size_t used = 0;

	for (;;) {
		struct str rest = str_sub(s, used, s.len);
		double number = 0, unit = 0;
		size_t digits = scan_number(rest, &number);
		size_t name = digits ? scan_unit(str_sub(rest, digits, rest.len), &unit) : 0;

		if (!name)
			break;
		total += number * unit;
		used += digits + name;
	}
	*ret_ms = total;
	return used;
}

bool duration_parse(struct str text, int64_t *ret_ms)
{
	struct str s = str_trim(text);
	double ms;

	return s.len && scan_duration(s, &ms) == s.len && ms_from_double(ms, ret_ms);
}

/* ---- HTTP dates ---- */

static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";

static bool month_number(struct str s, int *ret)
{
	if (s.len != 3)
		return false;
	for (size_t i = 0; i < 12; i++) {
		if (str_eq_nocase(s, str_of(months + 3 * i, 3))) {
			*ret = (int)i + 1;
			return true;
		}
	}
	return false;
}

static bool small_number(struct str s, uint64_t max, int *ret)
{
	uint64_t v;

	if (!str_to_u64(s, &v) || v > max)
		return false;
	*ret = (int)v;
	return true;
}

/* Days since 1970-01-01 of a proleptic Gregorian date. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = y / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct http_date {
	int year, month, day, hour, minute, second;
};

static bool read_time(struct str s, struct http_date *d)
{
	struct str h = str_split(&s, ':'), m = str_split(&s, ':');

	return small_number(h, 23, &d->hour) && small_number(m, 59, &d->minute) && small_number(s, 60, &d->second);
}

/* A two-digit year is the one within 50 years of 2000. */
static bool read_year(struct str s, struct http_date *d)
{
	if (!small_number(s, 9999, &d->year))
		return false;
	if (s.len == 2)
		d->year += d->year < 70 ? 2000 : 1900;
	return d->year >= 1970;
}

/* Splits at spaces and dashes, up to `room` words. */
static size_t words_of(struct str s, struct str *words, size_t room)
{
	size_t n = 0, from = 0;

	for (size_t i = 0; i <= s.len; i++) {
		if (i < s.len && s.ptr[i] != ' ' && s.ptr[i] != '-')
			continue;
		if (i > from) {
			if (n == room)
				return room + 1;
			words[n++] = str_sub(s, from, i);
		}
		from = i + 1;
	}
	return n;
}

/* IMF-fixdate "Sun, 06 Nov 1994 08:49:37 GMT", RFC 850 "Sunday, 06-Nov-94 08:49:37 GMT", asctime "Sun Nov  6 08:49:37 1994". */
bool http_date_parse(struct str text, int64_t *ret_unix_ms)
{
	struct str w[7];
	struct http_date d = { 0 };
	size_t n = words_of(str_trim(text), w, ARRAY_SIZE(w));
	bool good;

	if (n == 5)
		good = month_number(w[1], &d.month) && small_number(w[2], 31, &d.day) && read_time(w[3], &d) && read_year(w[4], &d);
	else if (n == 6)
		good = small_number(w[1], 31, &d.day) && month_number(w[2], &d.month) && read_year(w[3], &d) &&
		       read_time(w[4], &d) && (str_eq_nocase(w[5], STR("GMT")) || str_eq_nocase(w[5], STR("UTC")));
	else
		good = false;
	if (!good || d.day < 1)
		return false;
	*ret_unix_ms = ((days_of(d.year, d.month, d.day) * 24 + d.hour) * 60 + d.minute) * 60000 + (int64_t)d.second * 1000;
	return true;
}

/* ---- headers ---- */

/* By pointer: the caller's call that sets it stands in the same argument list, whose order is not defined. */
static int64_t positive(bool read, const int64_t *ms)
{
	return read && *ms > 0 ? *ms : HINT_NONE;
}

static int64_t from_retry_after_ms(struct str value)
{
	double ms;
	int64_t out = 0;

	return positive(str_to_double(value, &ms) && ms_from_double(ms, &out), &out);
}

static int64_t from_retry_after(struct str value, int64_t now_wall_ms)
{
	double seconds;
	int64_t out = 0;

	if (str_to_double(value, &seconds))
		return positive(ms_from_double(seconds * 1000, &out), &out);
	if (http_date_parse(value, &out))
		return out - now_wall_ms > 0 && (double)(out - now_wall_ms) < MS_MAX ? out - now_wall_ms : HINT_NONE;
	return positive(duration_parse(value, &out), &out);
}

/* A reset counts when its budget is spent, or when nothing says how much is left. A bare number is seconds. */
static int64_t from_reset(const struct pair *headers, size_t count, struct str remaining_name, struct str reset_name)
{
	struct str remaining = header_find(headers, count, remaining_name);
	struct str reset = header_find(headers, count, reset_name);
	double left, seconds;
	int64_t ms = 0;

	if (!reset.len || (str_to_double(remaining, &left) && left > 0))
		return HINT_NONE;
	if (duration_parse(reset, &ms))
		return positive(true, &ms);
	return positive(str_to_double(reset, &seconds) && seconds < 1e6 && ms_from_double(seconds * 1000, &ms), &ms);
}

int64_t hint_from_headers(const struct pair *headers, size_t count, int64_t now_wall_ms)
{
	int64_t ms = from_retry_after_ms(header_find(headers, count, STR("retry-after-ms")));
	int64_t tokens;

	if (ms != HINT_NONE)
		return ms;
	ms = from_retry_after(header_find(headers, count, STR("retry-after")), now_wall_ms);
	if (ms != HINT_NONE)
		return ms;
	ms = from_reset(headers, count, STR("x-ratelimit-remaining-requests"), STR("x-ratelimit-reset-requests"));
	tokens = from_reset(headers, count, STR("x-ratelimit-remaining-tokens"), STR("x-ratelimit-reset-tokens"));
	return MAX(ms, tokens);
}

int hint_should_retry(const struct pair *headers, size_t count)
{
	struct str v = header_find(headers, count, STR("x-should-retry"));

	if (str_eq(v, STR("true")))
		return 1;
	return str_eq(v, STR("false")) ? 0 : -1;
}

/* ---- sentences and bodies ---- */

/* Index behind the first occurrence of the needle (lower case), or SIZE_MAX. */
static size_t find_after(struct str s, const char *needle)
{
	size_t len = strlen(needle);

	for (size_t i = 0; len <= s.len && i <= s.len - len; i++) {
		size_t k = 0;

		while (k < len && lower(s.ptr[i + k]) == needle[k])
			k++;
		if (k == len)
			return i + len;
	}
	return SIZE_MAX;
}

/* "20 seconds", "1 minute 3 seconds" behind the phrase: one number and a word. */
static bool scan_words(struct str s, double *ret_ms)
{
	static const struct {
		const char *word;
		double ms;
	} words[] = { { "millisecond", 1 }, { "second", 1e3 }, { "minute", 60e3 }, { "hour", 3600e3 }, { "day", 86400e3 } };
	double number;
	size_t digits = scan_number(s, &number);

	if (!digits || digits == s.len || s.ptr[digits] != ' ')
		return false;
	s = str_sub(s, digits + 1, s.len);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (str_starts_with(s, str_from(words[i].word))) {
			*ret_ms = number * words[i].ms;
			return true;
		}
	}
	return false;
}

int64_t hint_from_text(struct str text)
{
	static const char *const phrases[] = { "try again in ", "retry in ", "retry after ", "retry your request after ",
		                               "reset after ",  "wait " };

	for (size_t i = 0; i < ARRAY_SIZE(phrases); i++) {
		size_t at = find_after(text, phrases[i]);
		struct str rest = at == SIZE_MAX ? STR_NULL : str_sub(text, at, text.len);
		double ms = 0;
		int64_t out;

		if (rest.len && (scan_duration(rest, &ms) || scan_words(rest, &ms)) && ms_from_double(ms, &out) && out > 0)
			return out;
	}
	return HINT_NONE;
}

static const struct json *error_of(const struct json *body)
{
	const struct json *error;

	if (body && body->type == JSON_ARRAY && body->count)
		body = &body->items[0];
	error = body ? json_get_lit(body, "error") : NULL;
	return error && error->type == JSON_OBJECT ? error : body;
}

/* Google's RetryInfo: error.details[] with retryDelay "47s" or "47.17s". */
static int64_t from_details(const struct json *error)
{
	const struct json *details = error ? json_get_lit(error, "details") : NULL;
	int64_t ms;

	for (uint32_t i = 0; details && details->type == JSON_ARRAY && i < details->count; i++) {
		const struct json *delay = json_get_lit(&details->items[i], "retryDelay");

		if (delay && delay->type == JSON_STRING && duration_parse(delay->text, &ms) && ms > 0)
			return ms;
	}
	return HINT_NONE;
}

int64_t hint_from_body(const struct json *body, struct str message)
{
	const struct json *error = error_of(body);
	const struct json *after = error ? json_get_lit(error, "retry_after") : NULL;
	int64_t ms = from_details(error);

	if (ms != HINT_NONE)
		return ms;
	if (after && after->type == JSON_NUMBER && ms_from_double(json_to_double(after) * 1000, &ms) && ms > 0)
		return ms;
	return hint_from_text(message);
}

/* ---- daily budgets ---- */

/* Google's QuotaFailure: violations[].quotaId "GenerateRequestsPerDayPerProjectPerModel-FreeTier". */
static bool details_name_a_day(const struct json *error)
{
	const struct json *details = error ? json_get_lit(error, "details") : NULL;

	for (uint32_t i = 0; details && details->type == JSON_ARRAY && i < details->count; i++) {
		const struct json *violations = json_get_lit(&details->items[i], "violations");

		for (uint32_t k = 0; violations && violations->type == JSON_ARRAY && k < violations->count; k++) {
			const struct json *id = json_get_lit(&violations->items[k], "quotaId");

			if (id && id->type == JSON_STRING && str_contains_nocase(id->text, STR("PerDay")))
				return true;
		}
	}
	return false;
}

bool hint_is_daily(const struct json *body, struct str message)
{
	static const char *const phrases[] = { "per day", "(tpd)", "(rpd)", "daily limit", "daily quota" };

	if (details_name_a_day(error_of(body)))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(phrases); i++)
		if (str_contains_nocase(message, str_from(phrases[i])))
			return true;
	return false;
}
