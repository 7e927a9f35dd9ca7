/* retry.h: the one retry owner: a pure function of outcome, attempt, hints and randomness. No clock: the wait is relative. */
#ifndef FF_ENGINE_RETRY_H
#define FF_ENGINE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/executor.h"

#define RETRY_HINT_LIMIT_MS 120000 /* a longer hint ends the run resumably */

enum retry_action { RETRY_GIVE_UP, RETRY_WAIT, RETRY_END_RUN /* quota: the hint is too long, or a daily quota is spent */ };

struct retry_decision {
	enum retry_action action;
	uint64_t wait_us;
	bool pause_target;  /* the wait came from a hint: it pauses the whole target */
	const char *reason; /* static, for the log and the record */
};

/* attempt counts from 0 (the one that just ended); max_retries extra attempts; unit in [0,1) is the jitter. */
struct retry_decision retry_decide(const struct attempt_result *result, unsigned attempt, int32_t max_retries,
                                   double backoff_first_s, double backoff_cap_s, double unit);

#endif
