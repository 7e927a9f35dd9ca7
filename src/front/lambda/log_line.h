/*
 * log_line.h: one JSON object a line on standard error, as CloudWatch and Lambda's own log filter read it: timestamp, level, event, then what the event has.
 * Nothing of a payload belongs in here: no ids of datasets, no queries, no answers, no keys, of a URL the origin only.
 *
 *     struct log_line line;
 *     log_line_open(&line, log, FF_LOG_INFO, "invocation");
 *     log_line_text(&line, "requestId", id);
 *     log_line_close(&line);
 */
#ifndef FF_FRONT_LAMBDA_LOG_LINE_H
#define FF_FRONT_LAMBDA_LOG_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "fairforge/fairforge.h"

struct log_output {
	int fd;
	enum ff_log_level level; /* what is above it is dropped */
};

struct log_line {
	struct buf text;
	int fd; /* -1: dropped */
};

void log_line_open(struct log_line *l, const struct log_output *to, enum ff_log_level level, const char *event);
void log_line_text(struct log_line *l, const char *key, struct str value); /* an empty value is left out */
void log_line_number(struct log_line *l, const char *key, int64_t value);
void log_line_close(struct log_line *l); /* writes it with one call; without memory or with a closed descriptor it is lost */
/* A line with a sentence; request_id may be NULL. */
void log_sentence(const struct log_output *to, enum ff_log_level level, const char *event, const char *request_id,
                  const char *sentence);

#endif
