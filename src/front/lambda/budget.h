/*
 * budget.h: how long an invocation may work, from what the platform says of its deadline. Arithmetic; the clocks are arguments.
 *
 *   arrived                                   run_until       put_until  deadline
 *   |------------------ turns -------------------|-- puts --|--margin--|    or API Gateway gives up, when that is sooner
 *
 * The margin (1 s, 500 ms when 10 s or less were given, or the operator's) is for the answer's way; puts is for results that must be stored before.
 * A put that needs longer, or that nobody foresaw (an answer turned out too large to be handed over), has half of the margin: a late answer is better
 * than a lost result.
 */
#ifndef FF_FRONT_LAMBDA_BUDGET_H
#define FF_FRONT_LAMBDA_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUDGET_GATEWAY_MS 29000u /* API Gateway gives up after 30 s (REST: 29 s) */
#define BUDGET_NO_END_MS  60000u /* for storing, when there is no deadline */

struct budget_terms {
	uint64_t now_us;     /* monotonic */
	int64_t now_wall_ms; /* Unix time */
	int64_t deadline_ms; /* Unix time; 0: none */
	bool gateway;        /* API Gateway waits for the answer */
	uint64_t margin_ms;  /* 0: by the time given */
	size_t puts;         /* results to be stored after the run */
};

struct budget {
	uint64_t run_until_us, put_until_us; /* monotonic; 0: never */
};

void budget_set(struct budget *b, const struct budget_terms *terms);
/* Milliseconds that a run which starts now may take: at least 1; 0: no limit. */
uint64_t budget_run_ms(const struct budget *b, uint64_t now_us);
bool budget_run_is_over(const struct budget *b, uint64_t now_us);
/* Milliseconds for storing what is there; 0: no time is left. */
uint64_t budget_put_ms(const struct budget *b, uint64_t now_us);

#endif
