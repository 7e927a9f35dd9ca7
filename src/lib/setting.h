/* setting.h: name=value as the user typed it → JSON values. */
#ifndef FF_LIB_SETTING_H
#define FF_LIB_SETTING_H

#include "base/arena.h"
#include "base/problem.h"
#include "connector/params.h"
#include "fairforge/fairforge.h"
#include "model/json.h"

struct ff_engine;

#define SETTING_FILE_MAX_BYTES ((size_t)1 << 20) /* file:PATH */

/* JSON if it parses, else the text itself. Memory in `a`. 0 or FF_ENOMEM. */
int setting_parse(struct arena *a, struct str text, struct json *ret) WARN_UNUSED;
/*
 * The value as text, with env:NAME and file:PATH resolved; what is wrong is a problem at "KIND NAME". `*ret_secret`: it came from the environment or a
 * file. 0, FF_EUSAGE or FF_ENOMEM.
 */
int setting_text(struct ff_engine *engine, struct arena *a, const struct ff_setting *setting, const char *kind,
                 struct problems *problems, struct str *ret, bool *ret_secret) WARN_UNUSED;
/*
 * A parameter as JSON: env:NAME and file:PATH are resolved; a text parameter (`row`, may be NULL: unknown) stays text even where it looks like
 * a number. `*ret_secret`: the value came from the environment or a file, or the row is a secret. What is wrong is a problem at "KIND NAME".
 * 0, FF_EUSAGE or FF_ENOMEM.
 */
int setting_param(struct ff_engine *engine, struct arena *a, const struct ff_setting *setting, const char *kind,
                  const struct param_row *row, struct problems *problems, struct json *ret, bool *ret_secret) WARN_UNUSED;

#endif
