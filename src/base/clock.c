/*
 * clock.c: the real clocks, and dates as text. Calendar arithmetic is our own (days from civil), so neither locale nor TZ can change what a header means.
 *
 * A two-digit year of an RFC 850 date is read with a fixed pivot (70..99 are 1970..1999), because a parser that is pure cannot ask what year it is.
 */
#include "base/clock.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"

uint64_t clock_monotonic_us(void)
{
	struct timespec now;
	uint64_t us;

	clock_gettime(CLOCK_MONOTONIC, &now);
	us = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
	return us ? us : 1;
}

int64_t clock_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* `count` decimal digits of a number and what follows them; 0 for a negative one. Without printf: there is a time in each line of a log. */
static char *put(char *out, int64_t value, int count, char next)
{
	for (int i = count - 1; i >= 0; i--) {
		out[i] = (char)('0' + (value > 0 ? value % 10 : 0));
		value /= 10;
	}
	out[count] = next;
	return out + count + 1;
}

static char *put_date(char *out, const struct tm *tm, char next)
{
	out = put(out, MIN((int64_t)tm->tm_year + 1900, (int64_t)9999), 4, '-');
	out = put(out, tm->tm_mon + 1, 2, '-');
	return put(out, tm->tm_mday, 2, next);
}

void clock_format_wall(int64_t wall_ms, char out[25])
{
	int64_t ms = wall_ms % 1000;
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm = { .tm_mday = 1, .tm_year = 70 };

	if (ms < 0) {
		ms += 1000;
		seconds--;
	}
	(void)gmtime_r(&seconds, &tm);
	out = put_date(out, &tm, 'T');
	out = put(out, tm.tm_hour, 2, ':');
	out = put(out, tm.tm_min, 2, ':');
	out = put(out, tm.tm_sec, 2, '.');
	*put(out, ms, 3, 'Z') = '\0';
}

void clock_format_date(int64_t wall_ms, char out[11])
{
	time_t seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
	struct tm tm = { .tm_mday = 1, .tm_year = 70 };

	(void)localtime_r(&seconds, &tm);
	put_date(out, &tm, '\0');
}

/* ---- HTTP dates ---- */

struct http_date {
	unsigned year, month, day; /* month 1..12 */
	unsigned hour, minute, second;
};

/* The cursor moves over the text; every reader returns false and leaves it anywhere when the text is not as it should be. */
static bool take_literal(const char **at, const char *literal)
{
	size_t len = strlen(literal);

	if (strncmp(*at, literal, len) != 0)
		return false;
	*at += len;
	return true;
}

static bool take_digits(const char **at, int count, unsigned *ret_value)
{
	unsigned value = 0;

	for (int i = 0; i < count; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		value = value * 10 + (unsigned)(**at - '0');
	}
	*ret_value = value;
	return true;
}

/* One of `count` names, by its first three letters or whole; *ret_index counts from 0. */
static bool take_name(const char **at, const char *const *names, size_t count, bool whole, size_t *ret_index)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = whole ? strlen(names[i]) : 3;

		if (strncasecmp(*at, names[i], len) == 0) {
			*at += len;
			*ret_index = i;
			return true;
		}
	}
	return false;
}

static bool take_weekday(const char **at, bool whole)
{
	static const char *const names[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
	size_t ignored; /* a wrong weekday does not make the moment ambiguous */

	return take_name(at, names, ARRAY_SIZE(names), whole, &ignored);
}

static bool take_month(const char **at, unsigned *ret_month)
{
	static const char *const names[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	size_t index;

	if (!take_name(at, names, ARRAY_SIZE(names), false, &index))
		return false;
	*ret_month = (unsigned)index + 1;
	return true;
}

static bool take_time(const char **at, struct http_date *d)
{
	return take_digits(at, 2, &d->hour) && take_literal(at, ":") && take_digits(at, 2, &d->minute) && take_literal(at, ":") &&
	       take_digits(at, 2, &d->second);
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool parse_imf(const char *at, struct http_date *d)
{
	return take_weekday(&at, false) && take_literal(&at, ", ") && take_digits(&at, 2, &d->day) && take_literal(&at, " ") &&
	       take_month(&at, &d->month) && take_literal(&at, " ") && take_digits(&at, 4, &d->year) && take_literal(&at, " ") &&
	       take_time(&at, d) && take_literal(&at, " GMT") && *at == '\0';
}

/* Sunday, 06-Nov-94 08:49:37 GMT */
static bool parse_rfc850(const char *at, struct http_date *d)
{
	if (!(take_weekday(&at, true) && take_literal(&at, ", ") && take_digits(&at, 2, &d->day) && take_literal(&at, "-") &&
	      take_month(&at, &d->month) && take_literal(&at, "-") && take_digits(&at, 2, &d->year) && take_literal(&at, " ") &&
	      take_time(&at, d) && take_literal(&at, " GMT") && *at == '\0'))
		return false;
	d->year += d->year < 70 ? 2000 : 1900;
	return true;
}

/* Sun Nov  6 08:49:37 1994 */
static bool parse_asctime(const char *at, struct http_date *d)
{
	return take_weekday(&at, false) && take_literal(&at, " ") && take_month(&at, &d->month) && take_literal(&at, " ") &&
	       (take_literal(&at, " ") ? take_digits(&at, 1, &d->day) : take_digits(&at, 2, &d->day)) && take_literal(&at, " ") &&
	       take_time(&at, d) && take_literal(&at, " ") && take_digits(&at, 4, &d->year) && *at == '\0';
}

static unsigned days_in_month(unsigned year, unsigned month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

static int64_t days_since_1970(const struct http_date *d)
{
	int64_t days = (int64_t)d->day - 1, y = (int64_t)d->year - 1;

	for (unsigned month = 1; month < d->month; month++)
		days += days_in_month(d->year, month);
	return days + y * 365 + y / 4 - y / 100 + y / 400 - 719162; /* days from 0001-01-01 to 1970-01-01 */
}

int64_t clock_parse_http_date(const char *text)
{
	struct http_date d;

	if (!text || (!parse_imf(text, &d) && !parse_rfc850(text, &d) && !parse_asctime(text, &d)))
		return -1;
	if (d.year < 1970 || d.day < 1 || d.day > days_in_month(d.year, d.month) || d.hour > 23 || d.minute > 59 || d.second > 60)
		return -1;
	return (days_since_1970(&d) * 86400 + (int64_t)d.hour * 3600 + (int64_t)d.minute * 60 + d.second) * 1000;
}
