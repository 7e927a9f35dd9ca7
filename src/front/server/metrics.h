/*
 * metrics.h: what the service counts, as Prometheus text (format 0.0.4). Counters are fed as things happen; gauges are given when somebody asks. Pure but
 * for metrics_new, which notes the time as that of the process's start, and metrics_process_read.
 *
 * No label comes from a request: outcomes, routes and results are closed sets, a status is a number that we chose. So the number of series is bounded.
 */
#ifndef FF_FRONT_SERVER_METRICS_H
#define FF_FRONT_SERVER_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "fairforge/fairforge.h"
#include "front/server/routes.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_MAX_BYTES    ((size_t)1 << 20)

struct metrics;

/* How a run ended. */
enum metrics_run {
	METRICS_RUN_COMPLETE,   /* every turn was executed */
	METRICS_RUN_INCOMPLETE, /* a deadline, a quota or the drain left turns out */
	METRICS_RUN_REFUSED,    /* the request was wrong: nothing was executed */
	METRICS_RUN_ABANDONED,  /* the client went away */
	METRICS_RUN_FAILED      /* our own failure, or an answer larger than its cap */
};
#define METRICS_RUN_COUNT ((size_t)METRICS_RUN_FAILED + 1)

/* Why a request was turned away before it became a run. */
enum metrics_turned_away { METRICS_FULL /* --max-runs */, METRICS_DRAINING, METRICS_TOKEN, METRICS_ORIGIN };
#define METRICS_TURNED_AWAY_COUNT ((size_t)METRICS_ORIGIN + 1)

int metrics_new(struct metrics **ret) WARN_UNUSED; /* 0 or FF_ENOMEM */
void metrics_free(struct metrics *m);              /* NULL is fine */

/* ---- fed as things happen ---- */

/* A request was answered, or its connection broke (status 0). ms: from its first byte to the end of the answer. */
void metrics_request(struct metrics *m, enum serve_route route, int status, double ms, uint64_t bytes_in, uint64_t bytes_out);
void metrics_event(struct metrics *m, const struct ff_event *event); /* every event of every run (door_request.on_event) */
void metrics_run(struct metrics *m, enum metrics_run how);           /* a run ended */
void metrics_turned_away(struct metrics *m, enum metrics_turned_away why);
void metrics_log_dropped(struct metrics *m, uint64_t lines); /* access_log_add, access_log_flush said so */

/* ---- asked for ---- */

/* The state at this moment. */
struct metrics_now {
	uint64_t runs_active, runs_max, connections, connections_max;
	uint64_t turns_in_flight, turns_queued, turns_waiting_retry; /* sums of ff_counts over the active runs */
	int draining;
	struct ff_lag lag; /* of the whole loop: web_lag */
};
struct metrics_process {
	double cpu_seconds; /* user and system */
	uint64_t resident_bytes, open_fds, max_fds;
};
void metrics_process_read(struct metrics_process *ret); /* reads /proc; what is not there stays 0 */
/* Appends the document. 0 or the failure of `out`. */
int metrics_write(const struct metrics *m, const struct metrics_now *now, const struct metrics_process *process,
                  struct buf *out) WARN_UNUSED;

#endif
