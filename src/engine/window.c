/*
 * window.c: the datasets of a run that are open: read from the source, not yet recorded to their last turn. What it is not: it does not decide
 * which turn starts (scheduler).
 *
 * Invariant: a dataset that was read is never lost. Everything its session needs is reserved before it is read; when there is no memory for that,
 * reading waits until a session closes, and only with none open does the run fail.
 * Cost: reading parses, so it goes in slices of WINDOW_SLICE_BYTES of text and values.
 */
#include <assert.h>

#include "base/alloc.h"
#include "engine/run.h"

#define WINDOW_SLICE_BYTES    (1u << 20)
#define WINDOW_SLICE_DATASETS 128
#define SPARE_SESSIONS        128
#define READ_AHEAD_TURNS      128 /* where the order does not matter: what is read early only grows cold */

bool window_wants_more(const struct run *r)
{
	if (r->source_read)
		return false;
	if (!r->scheduler.ordered)
		return r->scheduler.startable < MIN(r->concurrency, (uint32_t)READ_AHEAD_TURNS);
	if (r->scheduler.startable < r->concurrency)
		return true;
	return r->unrecorded < r->window && r->bytes < RUN_WINDOW_BYTES;
}

/* For the next dataset. */
static void put_by(struct run *r, struct session *session)
{
	list_init(&session->link);
	list_push_front(&r->spare_sessions, &session->link);
	r->spare_session_count++;
}

/* Everything a session needs, before there is one. */
static int reserve(struct run *r)
{
	if (list_empty(&r->spare_sessions)) {
		struct session *session = NEW(struct session);
		if (!session)
			return FF_ENOMEM;
		put_by(r, session);
	}
	return scheduler_reserve(&r->scheduler);
}

static void free_session(struct run *r, struct session *session)
{
	struct executor *x = r->config.executor;
	if (session->executor_session && x->ops->session_free)
		x->ops->session_free(x, session->executor_session);
	dataset_source_take_back(r->config.source, session->dataset);
	if (r->spare_session_count < SPARE_SESSIONS)
		put_by(r, session);
	else
		mem_free(session);
}

static void end_dataset(struct run *r, struct session *session, uint64_t now_us)
{
	bool wall = r->config.runner->summary_wall_time;
	double total_ms = session->execution_ms;
	if (wall)
		total_ms = (double)(session->last_end_us - session->first_sent_us) / 1000;
	struct dataset_summary summary = {
		.dataset = session->dataset,
		.successes = session->successes,
		.failures = session->failures,
		.total_execution_time_ms = total_ms,
		.avg_batch_time_ms = session->batch_count ? session->execution_ms / (double)session->batch_count : 0,
	};
	struct error err = { 0 };
	if (!r->is_void && r->config.sink->ops->dataset_end &&
	    r->config.sink->ops->dataset_end(r->config.sink, &summary, &err) != 0)
		run_fail(r, err.code ? err.code : FF_EOUTPUT, err.text[0] ? err.text : NULL, now_us);
}

static void close_session(struct run *r, struct session *session, uint64_t now_us)
{
	end_dataset(r, session, now_us);
	if (session->batch_count)
		scheduler_close(&r->scheduler, session);
	list_remove(&session->link);
	r->session_count--;
	r->bytes -= session->bytes;
	free_session(r, session);
}

static void open_session(struct run *r, struct dataset *dataset, uint64_t now_us)
{
	struct session *session = LIST_ENTRY(list_pop_front(&r->spare_sessions), struct session, link);
	r->spare_session_count--;
	*session = (struct session){
		.run = r,
		.dataset = dataset,
		.batch_count = dataset->batch_count,
		.index = dataset->index,
		.bytes = dataset->arena.used,
		.opened_us = now_us,
	};
	list_push_back(&r->sessions, &session->link);
	r->session_count++;
	r->bytes += session->bytes;
	r->counts.datasets++;
	r->read += dataset->batch_count;
	if (r->read > r->counts.batches)
		r->counts.batches = r->read;
	if (dataset->batch_count == 0) {
		close_session(r, session, now_us);
		return;
	}
	r->unrecorded += dataset->batch_count;
	r->counts.queued += dataset->batch_count;
	scheduler_open(&r->scheduler, session);
}

static void source_failed(struct run *r, int code, const struct error *err, uint64_t now_us)
{
	r->source_read = true;
	run_fail(r, code, err->text[0] ? err->text : NULL, now_us);
}

/* Reads one dataset. 1: there may be more; 0: the end, or a failure. */
static int read_one(struct run *r, uint64_t now_us)
{
	struct dataset *dataset = NULL;
	struct error err = { 0 };
	int rc = dataset_source_next(r->config.source, &r->problems, &dataset, &err);
	if (rc == 1)
		open_session(r, dataset, now_us);
	if (rc < 0)
		source_failed(r, rc, &err, now_us);
	else if (r->problems.nomem)
		source_failed(r, FF_ENOMEM, &err, now_us);
	else if (r->problems.errors) {
		error_set(&err, FF_EDATA, "", "The input changed while it was read: it no longer validates (%s: %s).",
		          r->problems.first ? r->problems.first->pointer : "", r->problems.first ? r->problems.first->text : "");
		source_failed(r, FF_EDATA, &err, now_us);
	} else if (rc == 0) {
		r->source_read = true;
		r->counts.batches = r->read;
	}
	return !r->source_read;
}

bool window_fill(struct run *r, uint64_t now_us)
{
	size_t bytes = r->bytes, datasets = 0;
	while (window_wants_more(r)) {
		if (datasets++ >= WINDOW_SLICE_DATASETS || r->bytes > bytes + WINDOW_SLICE_BYTES)
			return true;
		if (reserve(r) != 0) {
			if (r->session_count == 0)
				source_failed(r, FF_ENOMEM, &(struct error){ 0 }, now_us);
			return false;
		}
		if (!read_one(r, now_us))
			return false;
	}
	return false;
}

void window_count_record(struct run *r, struct session *session, const struct turn_result *result, uint64_t now_us)
{
	bool success = outcome_is_success(result->outcome);
	session->successes += success;
	session->failures += !success;
	session->execution_ms += result->execution_ms;
	session->recorded++;
	r->unrecorded--;
	assert(session->recorded <= session->batch_count);
	if (session->recorded == session->batch_count)
		close_session(r, session, now_us);
}

void window_release(struct run *r)
{
	assert(list_empty(&r->sessions));
	while (!list_empty(&r->spare_sessions))
		mem_free(LIST_ENTRY(list_pop_front(&r->spare_sessions), struct session, link));
}
