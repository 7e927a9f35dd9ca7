/*
 * problem.h: everything that is wrong with an input, collected so that the user sees it at once.
 * A problem has a JSON pointer (RFC 6901; "" is the whole document) and a sentence. Errors stop a run, warnings do not.
 */
#ifndef FF_BASE_PROBLEM_H
#define FF_BASE_PROBLEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/macros.h"

enum problem_severity { PROBLEM_ERROR, PROBLEM_WARNING };

struct problem {
	enum problem_severity severity;
	const char *pointer;  /* JSON pointer, in the arena of the list */
	const char *text;     /* one sentence, without the pointer, in the arena of the list */
	struct problem *next; /* in the order found */
};

struct problems {
	struct arena arena;
	struct problem *first, *last;
	size_t errors, warnings; /* how many were found, also those not kept */
	size_t kept;             /* in the list; at most PROBLEMS_KEPT, so that a hostile input cannot fill memory */
	bool nomem;              /* a problem was lost to lack of memory: treat as FF_ENOMEM */
};

#define PROBLEMS_KEPT 1000

void problems_init(struct problems *p);
void problems_release(struct problems *p);
/* Adds one. Never fails visibly: lack of memory sets nomem. */
void problem_add(struct problems *p, enum problem_severity severity, const char *pointer, const char *format, ...)
        PRINTF_LIKE(4, 5);
#define problem_error(p, pointer, ...)   problem_add((p), PROBLEM_ERROR, (pointer), __VA_ARGS__)
#define problem_warning(p, pointer, ...) problem_add((p), PROBLEM_WARNING, (pointer), __VA_ARGS__)

#endif
