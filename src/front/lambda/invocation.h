/*
 * invocation.h: what the headers of the Runtime API say of an event. Pure: any bytes in, a struct or a sentence out.
 *
 * Source: AWS Lambda, "Building a custom runtime" (Runtime API 2018-06-01). Names count in any case; all but the request id may be absent or empty.
 */
#ifndef FF_FRONT_LAMBDA_INVOCATION_H
#define FF_FRONT_LAMBDA_INVOCATION_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/str.h"

#define INVOCATION_ID_MAX    128u
#define INVOCATION_TRACE_MAX 1024u

struct invocation {
	char id[INVOCATION_ID_MAX +
	        1]; /* Lambda-Runtime-Aws-Request-Id: letters, digits, - . _ ~ only, so it may stand in a URL and in a log */
	int64_t deadline_ms;                  /* Lambda-Runtime-Deadline-Ms: Unix milliseconds; 0: it does not say */
	char trace[INVOCATION_TRACE_MAX + 1]; /* Lambda-Runtime-Trace-Id; "" when absent, or too long to be one */
	struct str body;                      /* the event; set by runtime_next */
};

/* 0; FF_EDATA: no request id, or one that cannot be answered. */
int invocation_read(const struct pair *headers, size_t count, struct invocation *ret, struct error *err) WARN_UNUSED;

#endif
