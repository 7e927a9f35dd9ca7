/* admission.c: counters and their limits. See admission.h. */
#include "front/server/admission.h"

#include <assert.h>

#include "base/macros.h"

#define BODIES_HELD   16u                 /* of the largest size */
#define HELD_AT_LEAST ((size_t)128 << 20) /* whatever the largest size is */
#define GROWING       4u                  /* times what may be held */

void admission_init(struct admission *a, unsigned max_runs, size_t max_body)
{
	*a = (struct admission){ .max_runs = max_runs };
	a->max_held = max_body > SIZE_MAX / BODIES_HELD ? SIZE_MAX : MAX(max_body * BODIES_HELD, HELD_AT_LEAST);
	a->max_growing = a->max_held > SIZE_MAX / GROWING ? SIZE_MAX : a->max_held * GROWING;
}

bool admission_is_full(const struct admission *a)
{
	return a->runs >= a->max_runs;
}

bool admission_begin_run(struct admission *a)
{
	if (admission_is_full(a))
		return false;
	a->runs++;
	return true;
}

void admission_end_run(struct admission *a)
{
	assert(a->runs > 0);
	a->runs--;
}

bool admission_has_room(const struct admission *a, size_t bytes)
{
	return a->held <= a->max_held && bytes <= a->max_held - a->held;
}

bool admission_is_short(const struct admission *a)
{
	return a->held > a->max_held / 2;
}

bool admission_hold(struct admission *a, size_t bytes)
{
	if (!admission_has_room(a, bytes))
		return false;
	a->held += bytes;
	return true;
}

bool admission_grow(struct admission *a, size_t bytes)
{
	if (bytes > a->max_growing - a->growing)
		return false;
	a->growing += bytes;
	return true;
}

void admission_shrink(struct admission *a, size_t bytes)
{
	assert(a->growing >= bytes);
	a->growing -= bytes;
}

void admission_hold_answer(struct admission *a, size_t bytes)
{
	a->held += bytes;
}

void admission_let_go(struct admission *a, size_t bytes)
{
	assert(a->held >= bytes);
	a->held -= bytes;
}
