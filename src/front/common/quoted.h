/* quoted.h: other people's text as a JSON string literal that is also safe for a terminal: what could act on one leaves as \uNNNN. */
#ifndef FF_FRONT_COMMON_QUOTED_H
#define FF_FRONT_COMMON_QUOTED_H

#include "base/buf.h"

/* Appends the literal with its quotes, or null when memory is short: a line stays JSON. Other failures are sticky in the buffer. */
void quoted_append(struct buf *out, struct str text);

#endif
