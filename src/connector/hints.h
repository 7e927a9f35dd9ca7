/*
 * hints.h: when a provider says to come back: reply headers and error bodies turned into a wait in milliseconds. Pure arithmetic: the time of
 * day is an argument, and what cannot be read is no hint.
 *
 * Order of trust (DESIGN section 5): retry-after-ms, retry-after (seconds, fractions, HTTP date), x-ratelimit-reset-* of a spent budget, the
 * hint in the body ("try again in 4.77s", Gemini's retryDelay).
 */
#ifndef FF_CONNECTOR_HINTS_H
#define FF_CONNECTOR_HINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "model/json.h"

#define HINT_NONE ((int64_t)-1)

/* Value of the header (names without regard to case, the first one counts), or STR_NULL. */
struct str header_find(const struct pair *headers, size_t count, struct str name);

/*
 * A duration in the forms that providers write: "2m59.56s", "7.66s", "120ms", "1h0m3s", "47.174066935s", units h, m, s, ms, us, µs, ns in any order.
 * Rounded up to whole milliseconds. False when the whole text is not one (a bare number is not: it has no unit), or it passes 10 years.
 */
bool duration_parse(struct str text, int64_t *ret_ms);

/* An HTTP date in its three forms (RFC 9110 5.6.7) as Unix time in milliseconds. */
bool http_date_parse(struct str text, int64_t *ret_unix_ms);

/* What the headers say, or HINT_NONE. Values of zero, negative, past or unreadable are no hint. */
int64_t hint_from_headers(const struct pair *headers, size_t count, int64_t now_wall_ms);

/* "Please try again in 4.77s." / "retry after 20 seconds" inside a sentence of the provider, or HINT_NONE. */
int64_t hint_from_text(struct str text);

/* The hint in an error body: error.details[].retryDelay, retry_after members, then the provider's sentence. `body` may be NULL. */
int64_t hint_from_body(const struct json *body, struct str message);

/* True when the provider says that a budget of a day or longer is spent: waiting a minute does not help. `body` may be NULL. */
bool hint_is_daily(const struct json *body, struct str message);

/* x-should-retry: 1 true, 0 false, -1 absent or something else. */
int hint_should_retry(const struct pair *headers, size_t count);

#endif
