/*
 * events_json.h: JSON objects on one line, for --json. Text is exact: what a terminal could act on leaves as \uNNNN, so that a reader gets the
 * characters back. Failures are sticky in the buffer.
 *
 * Events of a run (member `event`): start, progress, turn, warning, error, note, end; every one may gain members, none changes its meaning.
 */
#ifndef FF_FRONT_CLI_EVENTS_JSON_H
#define FF_FRONT_CLI_EVENTS_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "fairforge/fairforge.h"

void event_begin(struct buf *out, const char *name); /* {"event":"name" */
void event_text(struct buf *out, const char *key, struct str value);
void event_int(struct buf *out, const char *key, int64_t value);
void event_int_or_null(struct buf *out, const char *key, int64_t value); /* negative: null */
void event_ms(struct buf *out, const char *key, double value);           /* three decimals; negative: null */
void event_bool(struct buf *out, const char *key, bool value);
void event_end(struct buf *out); /* } */

void event_append_counts(struct buf *out, const struct ff_counts *counts);
void event_append_turn(struct buf *out, const struct ff_turn *turn);

#endif
