/* plugin.h: a runner in a shared library (docs/plugins.md). */
#ifndef FF_FRONT_CLI_PLUGIN_H
#define FF_FRONT_CLI_PLUGIN_H

#include "base/buf.h"
#include "fairforge/fairforge.h"

/*
 * Loads the library at `path` (a file, never a name to look up) and finds its runner. Once it fits, the library stays loaded for the life of the
 * process: a thread that it lost may still run in it. 0, or -1: `why` holds one full sentence.
 */
int plugin_load(const char *path, const struct ff_runner_type **ret, struct buf *why) WARN_UNUSED;

#endif
