/*
 * retry.c: whether a turn gets another attempt, and when. Arithmetic only: no clock, no state, no randomness of its own.
 *
 * It is the only place that retries: neither a connector nor the transport does (libcurl's silent resend is counted, see net/http.h). Which
 * failures are worth another attempt is the class's table (connector.h), which has spoken already in result->retryable.
 *
 *   quota (a daily one, or a hint over two minutes)  the run ends: waiting in a process that costs money helps nobody
 *   not retryable, or no attempts left               give up; a hint still pauses the target, so that other turns are not refused too
 *   a hint                                           exactly that long, without jitter; it pauses the target
 *   else                                             min(first * 2^attempt, cap), shortened by up to a quarter
 */
#include "engine/retry.h"

#include <math.h>

#define JITTER_SHARE 0.25

static uint64_t backoff_us(unsigned attempt, double first_s, double cap_s, double unit)
{
	double wait_s = ldexp(first_s, attempt > 60 ? 60 : (int)attempt);
	if (!(wait_s <= cap_s))
		wait_s = cap_s;
	if (!(wait_s > 0))
		return 0;
	return (uint64_t)(wait_s * (1.0 - JITTER_SHARE * unit) * 1e6);
}

static bool is_quota(const struct attempt_result *result)
{
	return result->daily_quota || result->hint_ms > RETRY_HINT_LIMIT_MS;
}

static uint64_t hint_us(const struct attempt_result *result)
{
	return result->hint_ms > 0 ? (uint64_t)result->hint_ms * 1000 : 0;
}

struct retry_decision retry_decide(const struct attempt_result *result, unsigned attempt, int32_t max_retries,
                                   double backoff_first_s, double backoff_cap_s, double unit)
{
	if (outcome_is_success(result->outcome))
		return (struct retry_decision){ .action = RETRY_GIVE_UP, .reason = "it was answered" };
	if (is_quota(result))
		return (struct retry_decision){
			.action = RETRY_END_RUN,
			.wait_us = hint_us(result),
			.reason = result->daily_quota ? "a daily quota is spent"
			                              : "the provider asks for a wait of more than two minutes",
		};
	uint64_t hint = hint_us(result);
	if (!result->retryable || max_retries <= 0 || attempt >= (unsigned)max_retries)
		return (struct retry_decision){
			.action = RETRY_GIVE_UP,
			.wait_us = hint,
			.pause_target = hint > 0,
			.reason = result->retryable ? "no attempts are left" : "another attempt would fail too",
		};
	if (hint > 0)
		return (struct retry_decision){
			.action = RETRY_WAIT, .wait_us = hint, .pause_target = true, .reason = "the provider said how long to wait"
		};
	return (struct retry_decision){
		.action = RETRY_WAIT,
		.wait_us = backoff_us(attempt, backoff_first_s, backoff_cap_s, unit),
		.reason = "backoff",
	};
}
