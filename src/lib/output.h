/*
 * output.h: one output of a run: a sink around the sink of its format, that knows whether the document is whole.
 */
#ifndef FF_LIB_OUTPUT_H
#define FF_LIB_OUTPUT_H

#include "base/error.h"
#include "fairforge/fairforge.h"
#include "sink/sink.h"

/* Copies `config`. The caller's done_fn is called exactly once: at a successful end, or when the sink is freed. 0 or FF_ENOMEM. */
int output_new(const struct ff_output *config, struct sink **ret) WARN_UNUSED;
/* How many datasets make the document whole; fewer leave it cut. */
void output_expect(struct sink *output, size_t datasets);
/* Writes {"success": false, "error": text} as the whole document, unless something was written already. 0, FF_EOUTPUT or FF_ENOMEM. */
int output_write_failure(struct sink *output, struct str text, struct error *err) WARN_UNUSED;

#endif
