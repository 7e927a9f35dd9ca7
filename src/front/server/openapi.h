/*
 * openapi.h: the service as an OpenAPI 3.1 document, written from the tables of the code: routes and their statuses (routes.h), options, connectors with
 * their parameters (fairforge.h). It differs from process to process only by its options: write it once at the start. Pure.
 */
#ifndef FF_FRONT_SERVER_OPENAPI_H
#define FF_FRONT_SERVER_OPENAPI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/macros.h"

#define OPENAPI_MAX_BYTES ((size_t)4 << 20)

struct openapi_options {
	bool tokens;           /* tokens are configured: the routes that need one say so */
	size_t max_body_bytes; /* of POST /run, for its description; 0: not said */
	size_t max_datasets;   /* 0: not said */
	size_t max_batches;    /* 0: not said */
	unsigned max_runs;     /* 0: not said */
};
/* Appends the document as compact JSON. 0 or the failure of `out`. */
int openapi_write(const struct openapi_options *options, struct buf *out) WARN_UNUSED;

#endif
