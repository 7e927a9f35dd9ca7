/* clock.h: the real clocks. Only net/ (the loop), lib/ and front/ read them; everything else is given `now`. */
#ifndef FF_BASE_CLOCK_H
#define FF_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_monotonic_us(void); /* CLOCK_MONOTONIC, microseconds; never 0 */
int64_t clock_wall_ms(void);       /* milliseconds since 1970 (UTC) */
/* Writes "2026-11-22T14:18:29.123Z" (RFC 3339). */
void clock_format_wall(int64_t wall_ms, char out[25]);
/* Writes the local date "2026-11-22". */
void clock_format_date(int64_t wall_ms, char out[11]);
/* IMF-fixdate, RFC 850 and asctime dates of RFC 9110 section 5.6.7 as milliseconds since 1970; -1 when it is not a date. */
int64_t clock_parse_http_date(const char *text);

#endif
