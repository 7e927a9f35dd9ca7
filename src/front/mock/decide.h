/*
 * decide.h: the simulator without its sockets: a request in, a reply and what goes wrong with it out. Pure: time is an argument, randomness is seeded.
 *
 * The order: path and method (404, 405); then the request gets its number; key (401); body (400); fault of the script; limits (429); answer.
 * A fault that sets its own status, or leaves no reply, is not charged on the limits.
 */
#ifndef FF_FRONT_MOCK_DECIDE_H
#define FF_FRONT_MOCK_DECIDE_H

#include "base/rand.h"
#include "front/mock/answers.h"
#include "front/mock/ask.h"
#include "front/mock/rate.h"
#include "front/mock/reply.h"
#include "front/mock/script.h"

#define MOCK_STREAMS 16384u /* Alquimia's streams that are remembered; the oldest is forgotten first */

/* A stream that infer promised: what it will answer is worked out when it is asked for. */
struct mock_stream {
	uint64_t id; /* 0: free */
	char *text, *session;
	size_t text_len, session_len;
};

struct mock {
	/* Set by the owner after mock_init. */
	struct str require_key; /* empty: none */
	uint64_t latency_us, jitter_us;
	/* Filled by the owner through their own functions. */
	struct answers answers;
	struct script script;
	struct rate rate;
	/* The simulator's own. */
	struct rand rand;
	uint64_t nonce;    /* upper half of all ids */
	uint64_t requests; /* numbered so far */
	struct mock_stream *streams;
};

struct incoming {
	struct str method, path;  /* path percent-encoded, without query */
	struct str authorization; /* header values, empty when absent */
	struct str goog_api_key;
	struct str query_key, query_alt, query_response_only; /* query parameters, percent-encoded */
	bool google;                                          /* the client is Google's SDK */
	struct str body;
	bool body_too_big;
};

struct decision {
	const struct fault *fault; /* NULL: none. Valid as long as the script */
	uint64_t delay_us;         /* before the first byte */
};

void mock_init(struct mock *m, uint64_t seed);
void mock_release(struct mock *m);
/* 0 or FF_ENOMEM. */
int mock_decide(struct mock *m, const struct incoming *in, uint64_t now_us, int64_t wall_ms, struct mock_reply *reply,
                struct decision *ret) WARN_UNUSED;

#endif
