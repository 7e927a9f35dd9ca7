/*
 * run_watch.h: what happens in a run, told to people or programs: first failures in a sentence each, progress, the closing line.
 */
#ifndef FF_FRONT_CLI_RUN_WATCH_H
#define FF_FRONT_CLI_RUN_WATCH_H

#include <stdint.h>

#include "fairforge/fairforge.h"
#include "front/cli/progress.h"
#include "front/cli/report.h"

#define WATCH_FAILURES 5 /* different failures that are explained */

struct run_watch {
	struct report *report;
	struct progress progress;
	enum progress_style style;
	char *failures[WATCH_FAILURES]; /* sentences told; owned */
	size_t failure_count, failures_unsaid;
	uint64_t outcome_counts[32]; /* by ff_outcome_at */
	uint64_t started_us;
};

/* forced: --progress. */
void run_watch_init(struct run_watch *w, struct report *report, bool forced);
void run_watch_release(struct run_watch *w);
/* For ff_run_options.on_event: user is a struct run_watch. */
void run_watch_event(void *watch, const struct ff_event *event);
void run_watch_tick(struct run_watch *w, const struct ff_run *run);
/* Milliseconds until run_watch_tick is worth a call; -1: no hurry. */
int run_watch_timeout_ms(const struct run_watch *w);
/* The closing line; `status` is the exit status. output_told: what could not be written was named already. */
void run_watch_close(struct run_watch *w, const struct ff_run *run, int status, bool output_told);

#endif
