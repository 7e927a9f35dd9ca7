/*
 * event_log.h: what happens to the service itself, one JSON line on stderr each, beside those of requests (access_log.h):
 *
 *     {"time":"2026-11-22T14:18:29.123Z","event":"listening","url":"http://127.0.0.1:8080"}
 *     {"time":"...","event":"log","level":"warning","message":"..."}
 *
 * A line that stderr does not take now is dropped, and more than EVENT_LOG_MAX bytes of a text are cut.
 */
#ifndef FF_FRONT_SERVER_EVENT_LOG_H
#define FF_FRONT_SERVER_EVENT_LOG_H

#include <stdint.h>

#include "fairforge/fairforge.h"

#define EVENT_LOG_MAX 3000u

void event_log_listening(const char *url);
/* event, and the number of runs that are active. */
void event_log_runs(const char *event, uint64_t runs);
void event_log_message(enum ff_log_level level, const char *message);

#endif
