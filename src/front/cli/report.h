/*
 * report.h: what the tool says on standard error: sentences for people, or JSON Lines for programs. Everything goes through here, so that other
 * people's text is escaped once and a progress bar never mixes with a sentence.
 */
#ifndef FF_FRONT_CLI_REPORT_H
#define FF_FRONT_CLI_REPORT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/macros.h"
#include "fairforge/fairforge.h"

struct report {
	bool json;  /* JSON Lines instead of sentences */
	bool quiet; /* errors only */
	bool colour;
	/* Called before and after a line goes out (a bar is wiped and drawn again). May be NULL. */
	void (*around)(void *user, bool before);
	void *user;
};

void report_init(struct report *r);
/* A sentence of a level. Levels above warning are notes. */
void report_text(const struct report *r, enum ff_log_level level, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same with a place (file, JSON pointer, turn), "" when there is none. */
void report_at(const struct report *r, enum ff_log_level level, const char *where, const char *text);
/* For ff_engine_options.log_fn: user is a struct report. */
void report_log(void *report, enum ff_log_level level, const char *message);
/* One line as it is (the caller escaped it), with a newline added. */
void report_line(const struct report *r, struct buf *line);
/* Writes to standard error; what cannot be written is lost. */
void report_raw(const char *data, size_t len);

#endif
