/* words.h: a command as it is typed, split into words as a shell splits them. No shell ever runs it. */
#ifndef FF_LIB_WORDS_H
#define FF_LIB_WORDS_H

#include "base/arena.h"
#include "base/error.h"

/*
 * Blanks separate words; '...' keeps everything, "..." keeps all but \" \\ \$ \` and an escaped line feed, \ keeps the next character. What only a
 * shell could do (an operator, $ or ` that is not quoted) is refused, because it would be taken literally without a word.
 * *ret is NULL-terminated, in the arena, and has at least one word. 0; FF_EUSAGE: err->text says why, as a clause ("has ..."); FF_ENOMEM.
 */
int words_split(struct arena *a, const char *command, const char *const **ret, struct error *err) WARN_UNUSED;

#endif
