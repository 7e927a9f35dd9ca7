/*
 * error.h: an error is data: a code, where, and one full sentence. Filled without allocating; logged once, at the edge.
 *
 * A function returns 0 or a negative code of enum ff_code and, where it takes `struct error *err`, fills it on failure only
 * (err may be NULL). The sentence says what happened and what to do; `where` is a file, a JSON pointer or a turn, or "".
 * Keys never get in: sentences that quote other people's text go through the scrubber (base/secret.h) at the edge.
 */
#ifndef FF_BASE_ERROR_H
#define FF_BASE_ERROR_H

#include "base/macros.h"
#include "base/str.h"

/* Code, value, exit status of the command line tool, meaning. The one table of result codes. */
#define FF_CODES(X)                                                                   \
	X(FF_OK, 0, 0, "success")                                                     \
	X(FF_ENOMEM, -1, 70, "out of memory")                                         \
	X(FF_ETOOBIG, -2, 65, "a cap on size or depth was passed")                    \
	X(FF_EUSAGE, -3, 64, "wrong use: a flag, an option, a connector or a config") \
	X(FF_EDATA, -4, 65, "JSON or datasets invalid or absent")                     \
	X(FF_EUNREACHABLE, -5, 69, "the target cannot be reached")                    \
	X(FF_EINTERNAL, -6, 70, "internal error")                                     \
	X(FF_EOUTPUT, -7, 73, "output cannot be written")                             \
	X(FF_ELIMIT, -8, 75, "stopped by a limit")                                    \
	X(FF_EREFUSED, -9, 77, "refused by the target")                               \
	X(FF_ECANCELED, -10, 130, "cancelled")                                        \
	X(FF_EIO, -11, 65, "a file or stream cannot be read")                         \
	X(FF_EINVAL, -12, 70, "an argument of a library call is invalid")

enum ff_code {
#define X(name, value, status, text) name = (value),
	FF_CODES(X)
#undef X
};

struct error {
	int code;        /* enum ff_code; 0 while nothing happened */
	char where[256]; /* file, JSON pointer or turn; "" when it does not apply. Cut at a character boundary */
	char text[1024]; /* one full sentence, UTF-8, NUL-terminated, cut at a character boundary */
};

/* Fills err (unless NULL) and returns code, so that `return error_set(err, FF_EDATA, ptr, "...")` is one line. */
int error_set(struct error *err, int code, const char *where, const char *format, ...) PRINTF_LIKE(4, 5);
int error_nomem(struct error *err); /* returns FF_ENOMEM */
void error_clear(struct error *err);
const char *error_code_name(int code); /* "FF_EDATA" */
const char *error_code_text(int code); /* the meaning in the table */
int error_exit_status(int code);

#endif
