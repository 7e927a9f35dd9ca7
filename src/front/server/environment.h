/* environment.h: the operator's FAIRFORGE_* variables, judged when the service starts and not with the first request. */
#ifndef FF_FRONT_SERVER_ENVIRONMENT_H
#define FF_FRONT_SERVER_ENVIRONMENT_H

#include "base/error.h"
#include "base/macros.h"
#include "fairforge/fairforge.h"

/* 0, or the code of the first thing that is wrong, with a sentence that names its variable. */
int environment_check(struct ff_engine *engine, struct error *err) WARN_UNUSED;
/* Tells of each FAIRFORGE_* variable that means nothing here: a sentence that names the one that was probably meant. */
void environment_unknown(char *const *environment, void (*tell)(const char *sentence));

#endif
