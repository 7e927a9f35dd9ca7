/*
 * environment.h: the operator's FAIRFORGE_* variables, judged when a door opens and not with its first request.
 *
 * The options and the default connector belong to the library, which reads them with every run; what else a door reads is its own.
 */
#ifndef FF_FRONT_COMMON_ENVIRONMENT_H
#define FF_FRONT_COMMON_ENVIRONMENT_H

#include <stddef.h>

#include "base/error.h"
#include "base/macros.h"
#include "fairforge/fairforge.h"

#define ENVIRONMENT_NAME_MAX 80u /* what is longer is cut */

/* The value of a variable, or NULL; the one that the engine reads by (ff_engine_options.getenv_fn). */
typedef const char *(*environment_fn)(void *user, const char *name);

/* Options and default connector. 0; FF_EUSAGE: err->where is the variable, the sentence begins with it; FF_ENOMEM. */
int environment_check(struct ff_engine *engine, environment_fn env, void *env_user, struct error *err) WARN_UNUSED;
/*
 * Calls `found` for every FAIRFORGE_ variable of "NAME=value" strings that is neither among `own` nor an option's. `meant` is the nearest name that
 * is, or NULL; both are valid during the call.
 */
void environment_unknown(char *const *environment, const char *const *own, size_t own_count,
                         void (*found)(void *user, const char *name, const char *meant), void *user);

#endif
