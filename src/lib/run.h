/*
 * run.h: struct ff_run: a request on the engine. Its life:
 *
 *   built (ff_run_start) → started (warnings and START are delivered) → turns → done (END) → freed
 *
 * Callbacks come from the loop only. A run that is freed inside a callback is freed for good when its last callback has returned.
 */
#ifndef FF_LIB_RUN_H
#define FF_LIB_RUN_H

#include "engine/engine.h"
#include "fairforge/fairforge.h"
#include "lib/internal.h"
#include "lib/request.h"

struct ff_run {
	struct list link; /* in ff_engine.runs */
	struct ff_engine *engine;
	struct request request;
	struct run *run;       /* the engine's; NULL until started */
	struct sink **outputs; /* each of lib/output.h, owned by the engine's sink until run_free; the array is ours */
	size_t output_count;
	size_t outputs_opened; /* of the caller's: these tell done_fn themselves */
	void (*on_event)(void *user, const struct ff_event *event);
	void *user;
	struct deferred hello; /* delivers what was found before the start */
	bool greeted, done, muted, free_asked;
	unsigned in_callback;
	enum run_end end;
	int exit_status;
	struct error error; /* why it did not end well; code 0 */
	struct ff_error public_error;
	char first_failure[512]; /* sentence of the first failed turn */
	struct buf text;         /* NUL-terminated copies for the turn event in delivery */
};

/* Cancels and frees every run of the engine, without events. */
void lib_runs_free(struct ff_engine *engine);

/* run_events.c */
void run_greet(struct ff_run *run); /* warnings and START, once */
void run_deliver_turn(struct ff_run *run, const struct turn_result *r);
void run_deliver_end(struct ff_run *run);

/* run_end.c: fills end, error and exit_status from what the engine's run says. */
void run_conclude(struct ff_run *run);

#endif
