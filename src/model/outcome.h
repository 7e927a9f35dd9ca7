/* outcome.h: how a turn ended: a closed set. One table; docs, JSON and the exit status follow it. */
#ifndef FF_MODEL_OUTCOME_H
#define FF_MODEL_OUTCOME_H

#include <stdbool.h>

/* Enum, word in JSON, success in the reference's sense (an answer, not "[ERROR] ..."), meaning. */
#define OUTCOMES(X)                                                                                                \
	X(OUTCOME_OK, "ok", true, "an answer came, complete")                                                      \
	X(OUTCOME_EMPTY, "empty", true, "a well-formed reply with an empty answer")                                \
	X(OUTCOME_TRUNCATED, "truncated", true, "an answer that the provider cut at a length limit")               \
	X(OUTCOME_REFUSED, "refused", true, "the model refused to answer")                                         \
	X(OUTCOME_FILTERED, "filtered", true, "the provider's content filter withheld the answer or a part of it") \
	X(OUTCOME_TOOL_ONLY, "tool_only", true, "the model called tools and gave no text")                         \
	X(OUTCOME_RATE_LIMITED, "rate_limited", false, "still refused with 429 after the last attempt")            \
	X(OUTCOME_TIMEOUT, "timeout", false, "a deadline of the turn passed")                                      \
	X(OUTCOME_TRANSPORT, "transport", false, "no complete reply: name, connection, TLS, cut, crash")           \
	X(OUTCOME_HTTP_4XX, "http_4xx", false, "the provider refused the request (3xx counts here too)")           \
	X(OUTCOME_HTTP_5XX, "http_5xx", false, "the provider, or your own system, failed")                         \
	X(OUTCOME_BAD_REPLY, "bad_reply", false, "a reply without the promised structure")                         \
	X(OUTCOME_CANCELLED, "cancelled", false, "interrupted while in flight")                                    \
	X(OUTCOME_NOT_RUN, "not_run", false, "never started")

enum outcome {
#define X(name, word, success, text) name,
	OUTCOMES(X)
#undef X
	        OUTCOME_COUNT
};

const char *outcome_word(enum outcome o);
const char *outcome_text(enum outcome o);
bool outcome_is_success(enum outcome o);

#endif
