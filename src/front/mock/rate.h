/*
 * rate.h: the limits of a simulated account: requests and tokens a minute, and the words in which providers tell them. Pure: `now` is an argument.
 *
 * Two kinds, because providers do both. A fixed window forgets everything at its end; it starts with the first request after the last one ended.
 * A bucket leaks: what was used drains at limit/window all the time, so that requests may come evenly from the first minute on.
 */
#ifndef FF_FRONT_MOCK_RATE_H
#define FF_FRONT_MOCK_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "front/mock/reply.h"

#define RATE_NEVER UINT64_MAX

enum rate_kind { RATE_WINDOW, RATE_BUCKET };

/* One limit. limit 0: there is none. */
struct rate_limit {
	uint64_t limit, window_us;
	enum rate_kind kind;
	double used;
	uint64_t since_us; /* window: its start; bucket: when `used` was right; 0: never used */
};

struct rate {
	struct rate_limit requests, tokens;
	struct rate_limit daily; /* requests a day, which Groq's headers speak of; wide enough never to be the limit that refuses */
	uint64_t refused;
};

void rate_init(struct rate *r, enum rate_kind kind, uint64_t window_us, uint64_t rpm, uint64_t tpm);
static inline bool rate_active(const struct rate *r)
{
	return r->requests.limit || r->tokens.limit;
}

/* How long until `amount` more fit: 0 now, RATE_NEVER when they are more than the whole limit. */
uint64_t rate_wait_us(struct rate_limit *l, uint64_t amount, uint64_t now_us);
uint64_t rate_remaining(struct rate_limit *l, uint64_t now_us);
uint64_t rate_reset_us(struct rate_limit *l, uint64_t now_us); /* until nothing is used any more */

/* The verdict on one request: charged on both limits, or on neither. */
struct rate_verdict {
	bool admitted;
	bool by_tokens;   /* which limit refused */
	uint64_t wait_us; /* RATE_NEVER: the request is larger than the limit */
	uint64_t limit, used, requested;
};
struct rate_verdict rate_take(struct rate *r, uint64_t tokens, uint64_t now_us);

/* The x-ratelimit-* headers of OpenAI and Groq; the other protocols have none. Nothing for a limit that is not set. */
void rate_headers(struct rate *r, enum proto proto, uint64_t now_us, struct mock_reply *reply);
/* The refusal in the protocol's shape: 429, or Groq's 413 for a request that can never fit. With headers. */
void rate_refusal(struct rate *r, const struct rate_verdict *v, enum proto proto, struct str model, uint64_t now_us,
                  struct mock_reply *reply);

/* Writes a duration as Go does, in whole milliseconds: "2m59.56s", "7.66s", "120ms", "0s". */
void rate_duration(uint64_t us, char out[40]);

#endif
