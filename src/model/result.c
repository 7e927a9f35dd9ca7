/*
 * result.c: the times of a turn, from its stamps.
 *
 * A turn that failed before its last byte ends with the last moment that is known: its times are what it took until then, never negative.
 */
#include "model/result.h"

#include "base/macros.h"

static uint64_t latest(const struct stamps *s)
{
	uint64_t reply = MAX(MAX(s->first_byte, s->first_content), s->last_byte);
	return MAX(MAX(s->sent, s->connected), reply);
}

static double span_ms(uint64_t from, uint64_t to, uint64_t without)
{
	uint64_t span = from && to > from ? to - from : 0;
	return span > without ? (double)(span - without) / 1000.0 : 0.0;
}

void turn_result_times(struct turn_result *r)
{
	uint64_t end = latest(&r->stamps);
	r->execution_ms = span_ms(r->stamps.first_sent, end, r->stamps.other_waits_us);
	r->service_ms = span_ms(r->stamps.sent, end, 0);
}
