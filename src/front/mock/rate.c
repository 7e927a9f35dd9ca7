/* rate.c: two kinds of limit, the verdict, and its headers and bodies. See rate.h. */
#include "front/mock/rate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define SECOND_US 1000000u
#define DAY_US    ((uint64_t)86400 * SECOND_US)
#define RPD_LEAST 14400u /* what a small account of Groq has */

static struct rate_limit limit_of(enum rate_kind kind, uint64_t limit, uint64_t window_us)
{
	return (struct rate_limit){ .limit = limit, .window_us = window_us, .kind = kind };
}

void rate_init(struct rate *r, enum rate_kind kind, uint64_t window_us, uint64_t rpm, uint64_t tpm)
{
	uint64_t windows = DAY_US / MAX(window_us, (uint64_t)1) + 1;
	uint64_t most = rpm > UINT64_MAX / 4 / windows ? UINT64_MAX / 4 : rpm * windows;

	*r = (struct rate){ limit_of(kind, rpm, window_us), limit_of(kind, tpm, window_us),
		            limit_of(RATE_BUCKET, MAX((uint64_t)RPD_LEAST, most), DAY_US), 0 };
}

/* Microseconds in which a bucket drains `amount`. */
static uint64_t drain_us(const struct rate_limit *l, double amount)
{
	return amount <= 0 ? 0 : (uint64_t)ceil(amount * (double)l->window_us / (double)l->limit);
}

/* Forgets what is over at `now`. */
static void advance(struct rate_limit *l, uint64_t now_us)
{
	uint64_t passed;

	if (!l->since_us || now_us < l->since_us)
		return;
	passed = now_us - l->since_us;
	if (l->kind == RATE_BUCKET) {
		l->used = MAX(0.0, l->used - (double)passed * (double)l->limit / (double)l->window_us);
		l->since_us = now_us;
	} else if (passed >= l->window_us) {
		l->used = 0;
		l->since_us = 0;
	}
}

uint64_t rate_wait_us(struct rate_limit *l, uint64_t amount, uint64_t now_us)
{
	double over;

	if (!l->limit)
		return 0;
	if (amount > l->limit)
		return RATE_NEVER;
	advance(l, now_us);
	over = l->used + (double)amount - (double)l->limit;
	if (over <= 1e-6) /* what is left of rounding while draining is not a request */
		return 0;
	return l->kind == RATE_BUCKET ? drain_us(l, over) : l->since_us + l->window_us - now_us;
}

uint64_t rate_remaining(struct rate_limit *l, uint64_t now_us)
{
	double left;

	advance(l, now_us);
	left = (double)l->limit - l->used;
	return left <= 0 ? 0 : (uint64_t)(left + 1e-6);
}

uint64_t rate_reset_us(struct rate_limit *l, uint64_t now_us)
{
	advance(l, now_us);
	if (!l->since_us || l->used <= 0)
		return 0;
	return l->kind == RATE_BUCKET ? drain_us(l, l->used) : l->since_us + l->window_us - now_us;
}

static void charge(struct rate_limit *l, uint64_t amount, uint64_t now_us)
{
	if (!l->limit)
		return;
	advance(l, now_us);
	l->used += (double)amount;
	if (!l->since_us)
		l->since_us = now_us;
}

struct rate_verdict rate_take(struct rate *r, uint64_t tokens, uint64_t now_us)
{
	uint64_t wait_requests = rate_wait_us(&r->requests, 1, now_us), wait_tokens = rate_wait_us(&r->tokens, tokens, now_us);
	bool by_tokens = wait_tokens > wait_requests;
	struct rate_limit *l = by_tokens ? &r->tokens : &r->requests;
	struct rate_verdict v = { .by_tokens = by_tokens, .wait_us = MAX(wait_requests, wait_tokens), .limit = l->limit };

	v.used = (uint64_t)l->used;
	v.requested = by_tokens ? tokens : 1;
	v.admitted = v.wait_us == 0;
	if (v.admitted) {
		charge(&r->requests, 1, now_us);
		charge(&r->tokens, tokens, now_us);
		charge(&r->daily, 1, now_us);
	} else {
		r->refused++;
	}
	return v;
}

void rate_duration(uint64_t us, char out[40])
{
	uint64_t ms = (us + 999) / 1000, seconds = ms / 1000, minutes = seconds / 60, hours = minutes / 60;
	char fraction[8] = "";
	int n = 0;

	if (ms && ms < 1000) {
		snprintf(out, 40, "%" PRIu64 "ms", ms);
		return;
	}
	if (ms % 100)
		snprintf(fraction, sizeof(fraction), ms % 10 ? ".%03u" : ".%02u", (unsigned)(ms % 10 ? ms % 1000 : ms % 1000 / 10));
	else if (ms % 1000)
		snprintf(fraction, sizeof(fraction), ".%u", (unsigned)(ms % 1000 / 100));
	if (hours)
		n += snprintf(out, 40, "%" PRIu64 "h", hours);
	if (minutes)
		n += snprintf(out + n, 40 - (size_t)n, "%" PRIu64 "m", minutes % 60);
	snprintf(out + n, 40 - (size_t)n, "%" PRIu64 "%ss", seconds % 60, fraction);
}

static void put_limit(struct rate_limit *l, const char *what, uint64_t now_us, struct mock_reply *reply)
{
	char name[64], duration[40];

	snprintf(name, sizeof(name), "x-ratelimit-limit-%s", what);
	mock_reply_header_u64(reply, name, l->limit);
	snprintf(name, sizeof(name), "x-ratelimit-remaining-%s", what);
	mock_reply_header_u64(reply, name, rate_remaining(l, now_us));
	snprintf(name, sizeof(name), "x-ratelimit-reset-%s", what);
	rate_duration(rate_reset_us(l, now_us), duration);
	mock_reply_header(reply, str_from(name), str_from(duration));
}

void rate_headers(struct rate *r, enum proto proto, uint64_t now_us, struct mock_reply *reply)
{
	if (proto != PROTO_OPENAI && proto != PROTO_GROQ)
		return;
	if (r->requests.limit)
		put_limit(proto == PROTO_GROQ ? &r->daily : &r->requests, "requests", now_us, reply);
	if (r->tokens.limit)
		put_limit(&r->tokens, "tokens", now_us, reply);
}

/* "in 4.77s" or why waiting does not help. */
static void put_hint(const struct rate_verdict *v, struct buf *out)
{
	char duration[40];

	rate_duration(v->wait_us, duration);
	if (v->wait_us == RATE_NEVER)
		buf_append_str(out, STR("The request is larger than the limit and can never pass."));
	else
		buf_printf(out, "Please try again in %s.", duration);
}

static void put_message(const struct rate_verdict *v, enum proto proto, struct str model, struct buf *out)
{
	const char *unit = v->by_tokens ? "tokens" : "requests", *short_unit = v->by_tokens ? "TPM" : "RPM";

	if (proto == PROTO_GEMINI) {
		buf_printf(out,
		           "You exceeded your current quota, please check your plan and billing details.\n* Quota exceeded for "
		           "metric: "
		           "generativelanguage.googleapis.com/%s, limit: %" PRIu64 "\n",
		           v->by_tokens ? "generate_content_paid_tier_input_token_count" : "generate_content_free_tier_requests",
		           v->limit);
	} else if (proto == PROTO_OPENAI || proto == PROTO_GROQ) {
		buf_printf(out,
		           "%s for model `%.*s` in organization `org_fairforge_mock`%s on %s per %s (%s): Limit %" PRIu64
		           ", Used %" PRIu64 ", Requested %" PRIu64 ". ",
		           v->wait_us == RATE_NEVER ? "Request too large" : "Rate limit reached", STR_ARG(model),
		           proto == PROTO_GROQ ? " service tier `on_demand`" : "", unit, proto == PROTO_GROQ ? "minute" : "min",
		           short_unit, v->limit, v->used, v->requested);
	} else {
		buf_printf(out, "Rate limit reached on %s per minute: limit %" PRIu64 ". ", unit, v->limit);
	}
	put_hint(v, out);
}

void rate_refusal(struct rate *r, const struct rate_verdict *v, enum proto proto, struct str model, uint64_t now_us,
                  struct mock_reply *reply)
{
	bool never = v->wait_us == RATE_NEVER;
	struct api_error e = { .status = never && proto == PROTO_GROQ ? 413 : 429 };
	struct buf message;

	buf_init(&message, 8192);
	put_message(v, proto, str_sub(model, 0, 1024), &message);
	e.message = message.ptr ? message.ptr : "Rate limit reached.";
	e.type = v->by_tokens ? "tokens" : "requests";
	e.code = "rate_limit_exceeded";
	e.retry_us = never ? 0 : v->wait_us;
	e.quota = v->by_tokens ? "generativelanguage.googleapis.com/generate_content_paid_tier_input_token_count"
	                       : "generativelanguage.googleapis.com/generate_content_free_tier_requests";
	mock_reply_error(reply, proto, &e);
	if (buf_failed(&message))
		reply->failed = -1;
	buf_release(&message);
	rate_headers(r, proto, now_us, reply);
}
