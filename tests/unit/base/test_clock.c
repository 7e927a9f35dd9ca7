/* test_clock.c: dates as text and back; the generator's known numbers. The clocks themselves are only asked whether they go forward. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/rand.h"

static void test_clocks(void **state)
{
	uint64_t before = clock_monotonic_us(), after = clock_monotonic_us();

	(void)state;
	assert_true(before > 0);
	assert_true(after >= before);
	assert_true(clock_wall_ms() > INT64_C(1700000000000));
}

static void check_wall(int64_t ms, const char *expected)
{
	char out[25];

	memset(out, 'x', sizeof out);
	clock_format_wall(ms, out);
	assert_string_equal(out, expected);
}

static void test_format_wall(void **state)
{
	(void)state;
	check_wall(0, "1970-01-01T00:00:00.000Z");
	check_wall(1, "1970-01-01T00:00:00.001Z");
	check_wall(-1, "1969-12-31T23:59:59.999Z");
	check_wall(INT64_C(1795357109123), "2026-11-22T14:18:29.123Z");
	check_wall(INT64_C(951782400000), "2000-02-29T00:00:00.000Z");
	check_wall(INT64_C(253402300799999), "9999-12-31T23:59:59.999Z");
	check_wall(INT64_C(253402300800000), "9999-01-01T00:00:00.000Z"); /* a wild clock stays within its bytes */
}

static void test_format_date_is_local(void **state)
{
	char out[11];

	(void)state;
	setenv("TZ", "EAST-14", 1); /* 14 hours ahead of UTC */
	tzset();
	clock_format_date(INT64_C(1795357109123), out);
	assert_string_equal(out, "2026-11-23");
	setenv("TZ", "WEST+12", 1);
	tzset();
	clock_format_date(0, out);
	assert_string_equal(out, "1969-12-31");
	clock_format_date(-1, out);
	assert_string_equal(out, "1969-12-31");
	unsetenv("TZ");
	tzset();
}

static void check_date(const char *text, int64_t expected)
{
	int64_t got = clock_parse_http_date(text);

	if (got != expected)
		fail_msg("\"%s\" was read as %jd; expected %jd", text ? text : "NULL", (intmax_t)got, (intmax_t)expected);
}

static void test_http_dates(void **state)
{
	static const char *const bad[] = { "",
		                           "120",
		                           "Sun, 06 Nov 1994 08:49:37",
		                           "Sun, 06 Nov 1994 08:49:37 UTC",
		                           "Sun, 06 Nov 1994 08:49:37 GMT ",
		                           " Sun, 06 Nov 1994 08:49:37 GMT",
		                           "Sun, 6 Nov 1994 08:49:37 GMT",
		                           "Sun, 31 Nov 1994 08:49:37 GMT",
		                           "Sun, 00 Nov 1994 08:49:37 GMT",
		                           "Wed, 29 Feb 2023 00:00:00 GMT",
		                           "Thu, 29 Feb 2100 00:00:00 GMT",
		                           "Sun, 06 Nov 1994 24:00:00 GMT",
		                           "Sun, 06 Nov 1994 08:60:37 GMT",
		                           "Sun, 06 Nov 1994 08:49:61 GMT",
		                           "Son, 06 Nov 1994 08:49:37 GMT",
		                           "Sun, 06 Foo 1994 08:49:37 GMT",
		                           "Sun, 06 Nov 1969 08:49:37 GMT",
		                           "Sunday, 06-Nov-1994 08:49:37 GMT",
		                           "Sun Nov  6 08:49:37 94",
		                           "1994-11-06T08:49:37Z" };

	(void)state;
	check_date("Sun, 06 Nov 1994 08:49:37 GMT", INT64_C(784111777000));
	check_date("Sunday, 06-Nov-94 08:49:37 GMT", INT64_C(784111777000));
	check_date("Sun Nov  6 08:49:37 1994", INT64_C(784111777000));
	check_date("Wed Nov 16 08:49:37 1994", INT64_C(784975777000));
	check_date("sun, 06 nov 1994 08:49:37 GMT", INT64_C(784111777000));
	check_date("Thu, 01 Jan 1970 00:00:00 GMT", 0);
	check_date("Thu, 29 Feb 2024 12:00:00 GMT", INT64_C(1709208000000));
	check_date("Sat, 31 Dec 2016 23:59:60 GMT", INT64_C(1483228800000)); /* a leap second */
	check_date("Saturday, 01-Jan-00 00:00:00 GMT", INT64_C(946684800000));
	check_date(NULL, -1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		check_date(bad[i], -1);
}

/* Every day from 1970 to 2105 against the C library. */
static void test_http_dates_every_day(void **state)
{
	(void)state;
	for (time_t t = 0; t < (time_t)4260000000; t += 86400 + 61) {
		struct tm tm;
		char text[64];

		gmtime_r(&t, &tm);
		strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
		check_date(text, (int64_t)t * 1000);
	}
}

static void test_rand(void **state)
{
	struct rand a, b;
	size_t low = 0;

	(void)state;
	rand_init(&a, 42);
	rand_init(&b, 42);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(rand_u32(&a), rand_u32(&b));
	rand_init(&b, 43);
	assert_int_not_equal(rand_u32(&a), rand_u32(&b));
	for (int i = 0; i < 10000; i++) {
		double unit = rand_unit(&a);

		assert_true(unit >= 0.0 && unit < 1.0);
		low += unit < 0.25;
	}
	assert_in_range(low, 2300, 2700); /* a quarter, with the fixed seed */
	assert_true(rand_seed_from_os() != rand_seed_from_os());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_format_wall),
		cmocka_unit_test(test_format_date_is_local),
		cmocka_unit_test(test_http_dates),
		cmocka_unit_test(test_http_dates_every_day),
		cmocka_unit_test(test_rand),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
