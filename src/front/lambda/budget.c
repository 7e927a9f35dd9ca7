/* budget.c: see budget.h. */
#include "front/lambda/budget.h"

#include "base/macros.h"

/* No function runs for a day: such a deadline is a mistake of the platform's (an emulator makes one). */
#define MOST_MS        UINT64_C(86400000)
#define LONG_MS        10000u /* more than that was given: the longer margin */
#define MARGIN_MS      500u
#define LONG_MARGIN_MS 1000u
#define PUTS_FIRST_MS  1000u
#define PUT_EACH_MS    100u

/* What is left of the time, in milliseconds; UINT64_MAX: there is no end. */
static uint64_t given_ms(const struct budget_terms *t)
{
	uint64_t given = UINT64_MAX;

	if (t->deadline_ms)
		given = t->deadline_ms > t->now_wall_ms ? MIN((uint64_t)(t->deadline_ms - t->now_wall_ms), MOST_MS) : 0;
	return t->gateway ? MIN(given, (uint64_t)BUDGET_GATEWAY_MS) : given;
}

/* A margin that the operator chose for minutes must not swallow an invocation of seconds: at most half of what is given. */
static uint64_t margin_of(const struct budget_terms *t, uint64_t given)
{
	uint64_t margin = given > LONG_MS ? LONG_MARGIN_MS : MARGIN_MS;

	return MIN(t->margin_ms ? t->margin_ms : margin, given / 2);
}

void budget_set(struct budget *b, const struct budget_terms *t)
{
	uint64_t given = given_ms(t), kept;

	*b = (struct budget){ 0, 0 };
	if (given == UINT64_MAX)
		return;
	kept = margin_of(t, given);
	b->put_until_us = t->now_us + (given - kept + kept / 2) * 1000;
	if (t->puts)
		kept += MIN((given - kept) / 4, PUTS_FIRST_MS + PUT_EACH_MS * (uint64_t)t->puts);
	b->run_until_us = t->now_us + (given - kept) * 1000;
}

uint64_t budget_run_ms(const struct budget *b, uint64_t now_us)
{
	if (!b->run_until_us)
		return 0;
	return b->run_until_us > now_us + 1000 ? (b->run_until_us - now_us) / 1000 : 1;
}

bool budget_run_is_over(const struct budget *b, uint64_t now_us)
{
	return b->run_until_us && b->run_until_us <= now_us;
}

uint64_t budget_put_ms(const struct budget *b, uint64_t now_us)
{
	if (!b->put_until_us)
		return BUDGET_NO_END_MS;
	return b->put_until_us > now_us ? (b->put_until_us - now_us) / 1000 : 0;
}
