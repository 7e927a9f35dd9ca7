/*
 * log.h: levels and a destination. The library prints nothing: without a destination a message goes nowhere.
 * A message is scrubbed and escaped before it reaches the destination (the logger holds the scrubber).
 */
#ifndef FF_BASE_LOG_H
#define FF_BASE_LOG_H

#include "base/macros.h"
#include "base/secret.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

struct logger {
	enum log_level level; /* messages above it are dropped before they are formatted */
	void (*write)(void *user, enum log_level level, const char *message); /* NULL: drop all */
	void *user;
	const struct scrubber *scrubber; /* may be NULL */
};

void log_write(const struct logger *l, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4); /* l may be NULL */
#define log_error(l, ...)   log_write((l), LOG_ERROR, __VA_ARGS__)
#define log_warning(l, ...) log_write((l), LOG_WARNING, __VA_ARGS__)
#define log_info(l, ...)    log_write((l), LOG_INFO, __VA_ARGS__)
#define log_debug(l, ...)   log_write((l), LOG_DEBUG, __VA_ARGS__)
const char *log_level_name(enum log_level level); /* "error", "warning", "info", "debug" */

#endif
