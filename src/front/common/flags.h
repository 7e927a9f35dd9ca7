/*
 * flags.h: the flags of a command as one table: getopt_long, the complaints and the help all follow it.
 *
 * GNU habits: flags before or after operands, `--name=value` and `--name value`, unambiguous abbreviations, `--` ends the flags, `-` is an operand.
 */
#ifndef FF_FRONT_COMMON_FLAGS_H
#define FF_FRONT_COMMON_FLAGS_H

#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"

struct flag {
	const char *name;    /* "dataset" */
	char letter;         /* 'o', or 0 */
	const char *metavar; /* "FILE"; NULL: the flag takes no value */
	const char *help;    /* NULL: shares the help of the next row */
	/* Takes the value ("" without metavar). 0, or -1 after it wrote to `why` what is wrong, as a clause: "must be a number from 1 to 5". */
	int (*set)(void *state, const struct flag *flag, const char *value, struct buf *why);
};

/*
 * Calls the setters. Operands are moved to argv[*ret_first] .. argv[argc - 1]. 0, or -1: `why` holds one full sentence.
 */
int flags_parse(const struct flag *flags, size_t count, void *state, int argc, char **argv, int *ret_first,
                struct buf *why) WARN_UNUSED;
/* Two columns: the flags of a help line, and the help. */
void flags_print_help(FILE *out, const struct flag *flags, size_t count);

#endif
