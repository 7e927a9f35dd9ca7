/* child_spawn.h: a program found in PATH and started with three pipes, a pidfd and a process group of its own. Private to child.c. */
#ifndef FF_NET_CHILD_SPAWN_H
#define FF_NET_CHILD_SPAWN_H

#include <sys/types.h>

#include "base/error.h"

struct spawned {
	pid_t pid;
	int pidfd;
	int in, out, err; /* our ends of its standard streams; close on exec, above 2 */
};

/* 0; FF_EUSAGE: err says why it cannot be started; FF_ENOMEM. */
int child_spawn(const char *const *argv, const char *const *envp, struct spawned *ret, struct error *err) WARN_UNUSED;

#endif
