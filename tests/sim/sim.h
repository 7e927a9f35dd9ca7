/*
 * sim.h: an engine without a socket and without a clock. A fake clock drives the real timers and the real engine_step; the source, the executor and
 * the sink are fakes that check what the engine may do with them, and remember.
 *
 * Every fake fails the test at once when a rule of its seam is broken: a turn recorded twice, a record without credit, more calls in flight than
 * the limit, an attempt of an ordered session out of order, a dataset ended early. A simulation in which nothing is left to happen although a
 * run has not ended fails as a lost wake-up.
 */
#ifndef FF_TESTS_SIM_H
#define FF_TESTS_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rand.h"
#include "base/timers.h"
#include "engine/engine.h"

struct sim {
	uint64_t now_us;
	struct timers timers;
	struct engine *engine;
	struct rand rand;
	bool woken;
	uint64_t steps;
};

/* False: out of memory (fault loop). */
bool sim_init(struct sim *s, uint64_t seed);
void sim_release(struct sim *s);

/* ---- source ---- */

struct fake_source_plan {
	size_t datasets;
	size_t (*turns)(size_t dataset); /* how many the dataset has */
	size_t fail_at;                  /* dataset whose reading fails with FF_EIO; SIZE_MAX: none */
	const char *context;
	size_t bytes; /* that a dataset takes beside its turns */
};
struct dataset_source *fake_source_new(const struct fake_source_plan *plan);
/* Datasets that are alive now, and the most there ever were. */
size_t fake_source_open(void);
size_t fake_source_most_open(void);
void fake_source_reset(void);

/* ---- executor ---- */

/* How an attempt goes. */
struct fake_reply {
	uint64_t latency_us;
	enum outcome outcome;
	int status;
	bool retryable, daily_quota, setup_error;
	int64_t hint_ms; /* -1: none */
};
#define FAKE_OK(latency) ((struct fake_reply){ .latency_us = (latency), .outcome = OUTCOME_OK, .status = 200, .hint_ms = -1 })

struct fake_executor {
	struct executor base;
	struct sim *sim;
	uint32_t most_allowed; /* in flight; checked */
	bool deaf;             /* ignores cancel for a second */
	struct fake_reply (*reply)(struct fake_executor *x, const struct attempt *a);
	void *user;
	struct fake_call *calls; /* one per slot */
	uint32_t call_count;
	uint32_t in_flight, most_in_flight;
	uint64_t started, cancelled, last_start_us;
	uint64_t sessions_open;
	size_t *next_turn; /* ordered: the turn that a dataset must start next */
	size_t dataset_count;
};
/* NULL: out of memory. `calls` is how many may be in flight at most. */
struct fake_executor *fake_executor_new(struct sim *s, const char *origin, uint32_t calls, bool ordered, size_t datasets,
                                        struct fake_reply (*reply)(struct fake_executor *, const struct attempt *));

/* ---- sink ---- */

struct fake_sink {
	struct sink base;
	struct sim *sim;
	uint64_t delay_us; /* up to so long until done; 0: inside record */
	size_t fail_at;    /* record whose done has FF_EOUTPUT; SIZE_MAX: none */
	bool fail_begin, fail_end, fail_dataset_end;
	size_t (*turns)(size_t dataset);
	size_t datasets;
	size_t *first;          /* of a dataset in `seen` */
	unsigned char *seen;    /* a turn was recorded */
	enum outcome *outcomes; /* of the turns */
	size_t *missing;        /* turns of a dataset that were not recorded yet; SIZE_MAX: ended */
	size_t total, records, open, most_open, ended;
	bool begun, finished;
	struct fake_open *opens;
	size_t open_room;
	char *failure;                                                 /* text of the last failed turn */
	void (*check)(struct fake_sink *, const struct turn_result *); /* may be NULL */
	double longest_ms;
};
struct fake_sink *fake_sink_new(struct sim *s, size_t datasets, size_t (*turns)(size_t dataset), size_t credits, uint64_t delay_us);
/* Every turn was recorded once, every dataset ended, the sink was ended. */
void fake_sink_check_complete(const struct fake_sink *k);

/* ---- a run ---- */

struct sim_run {
	struct sim *sim;
	struct run *run; /* NULL when it was never started */
	struct fake_executor *executor;
	struct fake_sink *sink;
	struct options options;
	bool ended;
	uint64_t ended_us, turns_seen;
	int start_code;
};

void sim_options(struct options *o, uint32_t concurrency, bool adaptive);
/* Starts it; source, executor and sink are taken over in any case. */
void sim_start(struct sim *s, struct sim_run *r, const struct options *options, struct dataset_source *source,
               struct fake_executor *executor, struct fake_sink *sink);
/* The same with any executor; r->executor is NULL then. */
void sim_start_with(struct sim *s, struct sim_run *r, const struct options *options, struct dataset_source *source,
                    struct executor *executor, struct fake_sink *sink);
/* Everything at this moment. Returns the next moment at which something happens, CLOCK_NEVER for none. */
uint64_t sim_settle(struct sim *s);
/* Goes on until the moment, or until nothing is left to happen. */
void sim_run_until(struct sim *s, uint64_t until_us);
/* Goes on until the runs have ended; fails on a lost wake-up. */
void sim_run_to_end(struct sim *s, struct sim_run *runs, size_t count);

/* FNV-1a over what was recorded, for determinism. */
uint64_t sim_hash(uint64_t hash, uint64_t value);

#endif
