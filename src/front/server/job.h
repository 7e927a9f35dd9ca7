/*
 * job.h: a run that a request asked for: its body, its door run, and what it holds of the service's limits. A job may outlive its request: when the
 * client goes, the run is cancelled and ends a little later.
 *
 *   job_start → running → ended (on_end) → read → job_release
 *                       ↘ job_release: abandoned → ended → freed by jobs_sweep
 */
#ifndef FF_FRONT_SERVER_JOB_H
#define FF_FRONT_SERVER_JOB_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/macros.h"
#include "base/str.h"
#include "front/common/door.h"
#include "front/server/admission.h"
#include "front/server/metrics.h"

struct jobs {
	struct ff_engine *engine;
	struct admission *admission;
	struct metrics *metrics;
	struct door_limits limits;
	struct list all;  /* running, or ended and not released */
	struct list dead; /* ended and released, to be freed outside of the engine's callbacks */
	size_t running;
	void (*touched)(void *user); /* the engine is to be processed */
	void *user;
};

struct job {
	struct jobs *jobs;
	struct list link;
	struct door_run *door;
	struct buf body;      /* its bytes count as held */
	size_t growing_bytes; /* of the answer while it is written */
	size_t answer_bytes;  /* of the answer when it is whole: held */
	bool ended, abandoned, settled;
	void (*on_end)(void *user); /* from the engine's callbacks; not when job_start returned an ended job */
	void *user;
};

void jobs_init(struct jobs *jobs);
/*
 * Starts a run, whose slot the caller has taken (admission_begin_run) and the job gives back. Takes the body over, also on failure. NULL: no memory. The job
 * may have ended already (job->ended).
 */
struct job *job_start(struct jobs *jobs, struct buf *body, void (*on_end)(void *user), void *user) WARN_UNUSED;
/* The answer of a job that has ended, and its HTTP status; valid until job_release. Not from inside of on_end. */
struct str job_answer(struct job *job, int *ret_status);
bool job_is_async(const struct job *job); /* then nothing was started, and there is no answer */
/* Nobody needs the job any more: cancels what runs. NULL is fine. */
void job_release(struct job *job);
/* Frees what is dead; not from inside of the engine's callbacks. */
void jobs_sweep(struct jobs *jobs);
/* Ends all runs at once; their answers hold what is done. */
void jobs_cut(struct jobs *jobs);
/* Frees everything: every job must have been released. */
void jobs_release(struct jobs *jobs);
/* Adds up the counts of the running ones. */
void jobs_counts(const struct jobs *jobs, struct ff_counts *ret);

#endif
