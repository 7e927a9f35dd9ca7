/*
 * admission.h: how much is taken on at once: runs, and bytes of bodies and answers that are held. Pure arithmetic.
 *
 * Bytes count as they come, not as they are announced: who announces much and sends nothing takes nothing from others. Answers of runs that are going count
 * for themselves: they may take long, and bodies need not wait for them.
 */
#ifndef FF_FRONT_SERVER_ADMISSION_H
#define FF_FRONT_SERVER_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct admission {
	unsigned runs, max_runs;
	size_t held, max_held;
	size_t growing, max_growing;
};

void admission_init(struct admission *a, unsigned max_runs, size_t max_body);
/* A run begins, or false: as many as may be are there. Pair with admission_end_run. */
bool admission_begin_run(struct admission *a);
void admission_end_run(struct admission *a);
bool admission_is_full(const struct admission *a);
/* So many more bytes of a body are held, or false: too much is. */
bool admission_hold(struct admission *a, size_t bytes);
/* So many more bytes of an answer that is not whole yet, or false: such answers are too much together. Pair with admission_shrink. */
bool admission_grow(struct admission *a, size_t bytes);
void admission_shrink(struct admission *a, size_t bytes);
/* An answer is there, whether it fits or not: bodies wait for it to be read. */
void admission_hold_answer(struct admission *a, size_t bytes);
void admission_let_go(struct admission *a, size_t bytes);
/* More than half of what may be held is: who holds it without need is to be told apart. */
bool admission_is_short(const struct admission *a);
/* A body of that announced length can be taken at this moment. */
bool admission_has_room(const struct admission *a, size_t bytes);

#endif
