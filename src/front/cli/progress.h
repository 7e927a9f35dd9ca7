/*
 * progress.h: how far a run is: a bar on a terminal, a plain line now and then elsewhere, JSON Lines for programs. `now` is an argument.
 */
#ifndef FF_FRONT_CLI_PROGRESS_H
#define FF_FRONT_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "fairforge/fairforge.h"
#include "front/cli/report.h"

enum progress_style { PROGRESS_NONE, PROGRESS_BAR, PROGRESS_LINES, PROGRESS_JSON };

#define PROGRESS_SAMPLES 10 /* seconds that the rate looks back */

struct progress {
	enum progress_style style;
	bool colour;
	const struct report *report;
	struct ff_counts counts; /* of the last tick */
	uint64_t started_us, drawn_us, line_us;
	uint64_t told_tenths; /* tenths of the work that lines told of */
	bool drawn;           /* the bar stands on the screen */
	struct {
		uint64_t at_us, done;
	} samples[PROGRESS_SAMPLES]; /* a second apart, newest last */
	size_t sample_count;
};

void progress_start(struct progress *p, enum progress_style style, bool colour, const struct report *report, uint64_t now_us);
/* Takes the counts and shows what is due. */
void progress_tick(struct progress *p, const struct ff_counts *counts, uint64_t now_us);
/* Milliseconds until it would like to be called again; -1: it does not matter. */
int progress_timeout_ms(const struct progress *p, uint64_t now_us);
/* The bar leaves the screen. */
void progress_clear(struct progress *p);
/* For report.around: user is a struct progress. */
void progress_around(void *progress, bool before);

/* Turns a second over the last seconds; 0 when nothing is known. */
double progress_rate(const struct progress *p, uint64_t now_us);
/* The bar's text for a terminal of so many columns (no colours, no control characters). */
void progress_format(const struct progress *p, uint64_t now_us, unsigned columns, struct buf *out);
/* "12 s", "3 min 20 s", "2 h 5 min". */
void progress_format_duration(double seconds, char *out, size_t size);

#endif
