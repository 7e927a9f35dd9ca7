/*
 * quote.h: a JSON string literal of exactly known size, for request bodies that are put together in one allocation: measure, allocate, write.
 * Compact form as Python's json.dumps(ensure_ascii=False): control characters as \n \t \u0001, everything else raw; ill-formed UTF-8 as U+FFFD.
 */
#ifndef FF_CONNECTOR_QUOTE_H
#define FF_CONNECTOR_QUOTE_H

#include "base/str.h"

size_t quote_length(struct str s);          /* bytes of the literal with its quotes */
char *quote_write(char *out, struct str s); /* writes quote_length(s) bytes; returns where it ended */
/* The same without the quotes: text inside a literal. */
size_t quote_inner_length(struct str s);
char *quote_inner_write(char *out, struct str s);
char *quote_raw(char *out, struct str text); /* copies as it is; returns where it ended */

#endif
