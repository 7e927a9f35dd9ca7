/*
 * ndjson.h: bytes in, lines out: newline-delimited JSON, one value a line. Partial input is a normal answer; no value is parsed here.
 *
 *   struct str in = { data, len };
 *   while ((n = ndjson_next(&lines, &in, &line)) > 0)
 *           use(line);                       // valid until the next call
 *   if (n < 0) stop;                         // FF_ETOOBIG, FF_ENOMEM
 *   ... at the end of the reply: if (ndjson_last(&lines, &line)) use(line);
 *
 * A line ends with \n or \r\n only: U+2028, U+0085 and a lone \r inside a line are data. Blank lines are skipped.
 */
#ifndef FF_CONNECTOR_NDJSON_H
#define FF_CONNECTOR_NDJSON_H

#include <stdbool.h>

#include "connector/reply.h"

#define NDJSON_MAX_LINE_BYTES ((size_t)16 << 20)

struct ndjson {
	struct gather partial; /* the beginning of a line whose end has not come */
	bool handed_out;       /* `partial` was given to the caller and is free again */
};

void ndjson_init(struct ndjson *n, struct arena *arena, size_t max_line_bytes);
/* 1 with a line and *input behind it; 0: *input is used up; FF_ETOOBIG (a line passes the cap) or FF_ENOMEM. */
int ndjson_next(struct ndjson *n, struct str *input, struct str *ret_line) WARN_UNUSED;
/* The last line, when the reply did not end with a newline. */
bool ndjson_last(struct ndjson *n, struct str *ret_line) WARN_UNUSED;

#endif
