/* problem.c: the list of what is wrong with an input. Counts go on beyond PROBLEMS_KEPT, the list does not. */
#include "base/problem.h"

#include <stdarg.h>
#include <stdio.h>

void problems_init(struct problems *p)
{
	*p = (struct problems){ .arena = ARENA_INIT };
}

void problems_release(struct problems *p)
{
	arena_release(&p->arena);
	problems_init(p);
}

/* The sentence in the arena; a sentence of more than 4 KiB is cut at a character boundary. */
static PRINTF_LIKE(2, 0) const char *format_text(struct arena *a, const char *format, va_list args)
{
	char text[4096];
	int len = vsnprintf(text, sizeof text, format, args);

	if (len < 0)
		return NULL;
	return arena_memdup(a, text, utf8_cut(str_of(text, strlen(text)), sizeof text - 5));
}

void problem_add(struct problems *p, enum problem_severity severity, const char *pointer, const char *format, ...)
{
	struct problem *one;
	va_list args;

	if (severity == PROBLEM_ERROR)
		p->errors++;
	else
		p->warnings++;
	if (p->kept >= PROBLEMS_KEPT)
		return;
	one = ARENA_NEW(&p->arena, struct problem);
	if (one) {
		va_start(args, format);
		one->text = format_text(&p->arena, format, args);
		va_end(args);
		one->pointer = arena_memdup(&p->arena, pointer ? pointer : "", pointer ? strlen(pointer) : 0);
	}
	if (!one || !one->text || !one->pointer) {
		p->nomem = true;
		return;
	}
	one->severity = severity;
	if (p->last)
		p->last->next = one;
	else
		p->first = one;
	p->last = one;
	p->kept++;
}
