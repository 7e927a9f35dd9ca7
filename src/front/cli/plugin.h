/* plugin.h: a runner in a shared library (docs/plugins.md). */
#ifndef FF_FRONT_CLI_PLUGIN_H
#define FF_FRONT_CLI_PLUGIN_H

#include "base/buf.h"
#include "fairforge/fairforge.h"
#include "front/cli/report.h"

/*
 * From now on, until plugin_release_exit, somebody who calls exit ends a run that is not over: the process says so, removes what it was writing and
 * has the status of an internal error, whatever the caller wanted. Both arguments stay valid until then.
 */
void plugin_guard_exit(const char *path, const struct report *report);
void plugin_release_exit(void);

/*
 * Loads the library at `path` (a file, never a name to look up) and finds its runner. Once it fits, the library stays loaded for the life of the
 * process: a thread that it lost may still run in it. 0, or -1: `why` holds one full sentence.
 */
int plugin_load(const char *path, const struct ff_runner_type **ret, struct buf *why) WARN_UNUSED;

#endif
