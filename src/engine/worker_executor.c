/*
 * worker_executor.c: attempts in, results out, and the life of the executor. What happens to a job in between is worker_pool.c's and
 * worker_process.c's business; worker_internal.h says what a job is.
 *
 *   start ─> job ─> a queue ─> a worker ─reply─> attempt ended ─(deferred)─> a->done
 *
 * It never tries again (retry.c) and reads no clock. Every attempt ends through one deferred call, never inside start or cancel: those that ended wait
 * in a chain that runs through their executor_state, because the reason may be that there is no memory for anything else.
 */
#include "engine/worker_executor.h"

#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"
#include "engine/worker_internal.h"

#define BACKOFF_FIRST_S 0.5
#define BACKOFF_CAP_S   8.0

/* ---- texts ---- */

struct str worker_text(struct worker_executor *x, struct arena *arena, struct str text)
{
	const struct scrubber *scrubber = x->config.scrubber;
	struct buf safe;
	struct str copy;
	int r;

	buf_init(&safe, SIZE_MAX);
	r = scrubber ? scrub_append(scrubber, &safe, text) : buf_append_str(&safe, text);
	if (!r)
		r = arena_str(arena, buf_str(&safe), &copy);
	buf_release(&safe);
	return r ? STR("out of memory while a message was read") : copy;
}

const char *worker_label(struct worker *w)
{
	const char *name = w->x->name;
	bool named = *name != '\0';

	if (*w->label && w->label_has_name == named)
		return w->label;
	(void)snprintf(w->label, sizeof(w->label), named ? "Worker %u (%s)" : "Worker %u", w->index, name);
	w->label_has_name = named;
	return w->label;
}

/* ---- attempts that ended ---- */

static void free_dead(struct worker_executor *x)
{
	struct list *node;

	while ((node = list_pop_front(&x->dead)) != NULL)
		worker_free(LIST_ENTRY(node, struct worker, link));
}

static void hand_over(struct deferred *d)
{
	struct worker_executor *x = CONTAINER_OF(d, struct worker_executor, ended);
	struct attempt *a = x->first_ended;

	x->first_ended = x->last_ended = NULL;
	free_dead(x);
	while (a) {
		struct attempt *next = a->executor_state;

		a->executor_state = NULL;
		a->done(a);
		a = next;
	}
}

void worker_attempt_ended(struct worker_executor *x, struct attempt *a)
{
	a->executor_state = NULL;
	if (x->first_ended)
		x->last_ended->executor_state = a;
	else
		x->first_ended = a;
	x->last_ended = a;
	loop_defer(x->config.loop, &x->ended);
}

static bool has_ended(const struct worker_executor *x, const struct attempt *a)
{
	for (const struct attempt *it = x->first_ended; it; it = it->executor_state)
		if (it == a)
			return true;
	return false;
}

void worker_attempt_failed(struct worker_executor *x, struct attempt *a, const struct attempt_result *result)
{
	a->result = *result;
	a->result.error = worker_text(x, a->arena, result->error);
	worker_attempt_ended(x, a);
}

/* ---- jobs ---- */

struct worker_job *worker_job_new(struct worker_executor *x, const struct dataset *d, size_t count)
{
	size_t size = sizeof(struct worker_job) + count * sizeof(struct worker_call);
	struct list *spare = count == 1 ? list_pop_front(&x->spare_jobs) : NULL;
	struct worker_job *job = spare ? LIST_ENTRY(spare, struct worker_job, link) : mem_alloc(size);

	if (!job)
		return NULL;
	x->spare_job_count -= spare != NULL;
	memset(job, 0, size);
	list_init(&job->link);
	job->dataset = d;
	job->count = job->open = count;
	for (size_t i = 0; i < count; i++) {
		job->calls[i].job = job;
		job->calls[i].open = true;
	}
	return job;
}

void worker_job_free(struct worker_executor *x, struct worker_job *job)
{
	struct worker *w = job->worker;

	for (size_t i = 0; w && i < job->count; i++)
		id_map_remove(&w->calls, job->calls[i].id);
	if (w)
		w->busy--;
	list_remove(&job->link);
	if (job->count != 1 || x->spare_job_count == WORKER_SPARE_JOBS) {
		mem_free(job);
		return;
	}
	list_push_front(&x->spare_jobs, &job->link);
	x->spare_job_count++;
}

static void fail_call(struct worker_executor *x, struct worker_call *call, const struct attempt_result *result)
{
	struct attempt_result own = *result;

	call->open = false;
	call->job->open--;
	if (x->capabilities.datasets) {
		if (call->job->session)
			worker_session_fail(call->job->session, call, result);
		return;
	}
	if (!call->attempt)
		return;
	own.sent_us = call->job->sent_us;
	worker_attempt_failed(x, call->attempt, &own);
	call->attempt = NULL;
}

void worker_job_fail(struct worker_executor *x, struct worker_job *job, const struct attempt_result *result)
{
	for (size_t i = 0; i < job->count; i++)
		if (job->calls[i].open)
			fail_call(x, &job->calls[i], result);
}

void worker_job_abandon(struct worker_executor *x, struct worker_job *job)
{
	struct worker *w = job->worker;
	bool dataset = x->capabilities.datasets;

	job->abandoned = true;
	job->session = NULL;
	job->give_up_us = worker_now_us(x) + WORKER_CANCEL_US;
	list_remove(&job->link);
	list_push_back(&w->abandoned, &job->link);
	buf_clear(&x->scratch);
	worker_write_cancel(&x->scratch, dataset ? job->id : job->calls[0].id, dataset);
	if (w->state == WORKER_READY && x->capabilities.cancel && worker_process_send(w) == 0)
		worker_process_arm(w);
	else
		worker_pool_retire(w);
}

/* ---- the executor's operations ---- */

static void start(struct executor *e, struct attempt *a)
{
	struct worker_executor *x = worker_executor_of(e);
	struct worker_job *job;

	if (x->capabilities.datasets) {
		worker_session_start(a->session, a);
		return;
	}
	job = worker_job_new(x, a->dataset, 1);
	if (!job) {
		a->result.outcome = OUTCOME_NOT_RUN;
		a->result.error = STR("not sent to a worker: out of memory.");
		worker_attempt_ended(x, a);
		return;
	}
	job->session = a->session;
	job->deadline_us = a->deadline_us;
	job->calls[0].batch = a->batch;
	job->calls[0].attempt = a;
	a->executor_state = job;
	worker_pool_add(x, job);
}

static void cancel_turn(struct worker_executor *x, struct worker_job *job)
{
	job->calls[0].attempt = NULL;
	if (job->worker)
		worker_job_abandon(x, job);
	else
		worker_job_free(x, job);
}

static void cancel(struct executor *e, struct attempt *a)
{
	struct worker_executor *x = worker_executor_of(e);
	void *state = a->executor_state;

	if (!state || has_ended(x, a))
		return; /* its end is on the way */
	a->result.outcome = OUTCOME_CANCELLED;
	if (x->capabilities.datasets)
		worker_session_cancel(state, a);
	else
		cancel_turn(x, state);
	worker_attempt_ended(x, a);
	worker_pool_dispatch(x);
}

/* ---- life ---- */

static void executor_free(struct executor *e)
{
	struct worker_executor *x = worker_executor_of(e);

	assert(!x->first_ended);
	deferred_cancel(&x->ended);
	worker_pool_free(x);
	free_dead(x);
	while (!list_empty(&x->spare_jobs))
		mem_free(LIST_ENTRY(list_pop_front(&x->spare_jobs), struct worker_job, link));
	buf_release(&x->scratch);
	arena_release(&x->arena);
	mem_free(x);
}

static const struct executor_ops ops = {
	.start = start,
	.cancel = cancel,
	.session_new = worker_session_new,
	.session_free = worker_session_free,
	.free = executor_free,
};

static struct worker_executor *executor_alloc(const struct worker_executor_config *config)
{
	struct worker_executor *x = NEW(struct worker_executor);

	if (!x)
		return NULL;
	x->config = *config;
	x->config.options = NULL;
	x->concurrency = config->options->concurrency;
	x->base = (struct executor){
		.ops = &ops,
		.label = x->origin,
		.target_origin = x->origin,
		.target_key_hash = (uint64_t)(uintptr_t)x, /* its slots are its own */
		.backoff_first_s = BACKOFF_FIRST_S,
		.backoff_cap_s = BACKOFF_CAP_S,
	};
	list_init(&x->queue);
	list_init(&x->spare_jobs);
	list_init(&x->retired);
	list_init(&x->dead);
	deferred_init(&x->ended, hand_over);
	buf_init(&x->scratch, CHILD_INPUT_MAX_BYTES);
	arena_init(&x->arena);
	return x;
}

int worker_executor_new(const struct worker_executor_config *config, struct executor **ret, struct error *err)
{
	struct worker_executor *x;
	int r;

	assert(config->workers > 0 && config->workers <= WORKERS_MOST && config->loop && config->keeper && config->now_us);
	x = executor_alloc(config);
	if (!x)
		return error_nomem(err);
	r = worker_pool_new(x, err);
	if (r) {
		executor_free(&x->base);
		return r;
	}
	*ret = &x->base;
	return 0;
}

/* What the first welcome said, as the engine needs it. */
static void set_base(struct worker_executor *x)
{
	uint64_t most = (uint64_t)x->config.workers * x->capabilities.concurrency;

	x->base.ordered = x->capabilities.ordered;
	x->base.finish_first = x->capabilities.datasets;
	x->base.max_concurrency = (uint32_t)MIN(most, UINT64_C(1000000));
	(void)snprintf(x->origin, sizeof(x->origin), *x->name ? "Worker %s" : "Worker", x->name);
}

/* The first one that has not welcomed us yet; NULL: all have. */
static struct worker *first_missing(const struct worker_executor *x)
{
	for (unsigned i = 0; i < x->config.workers; i++)
		if (x->workers[i]->state != WORKER_READY)
			return x->workers[i];
	return NULL;
}

int worker_executor_wait(struct executor *e, int timeout_ms, bool *ret_ready, struct error *err)
{
	struct worker_executor *x = worker_executor_of(e);
	struct child *children[WORKERS_MOST];
	size_t count = 0;

	for (unsigned i = 0; i < x->config.workers; i++)
		if (x->workers[i]->child)
			children[count++] = x->workers[i]->child;
	child_wait(children, count, timeout_ms);
	if (x->start_error.code) {
		*err = x->start_error;
		return err->code;
	}
	x->started = first_missing(x) == NULL;
	if (x->started)
		set_base(x);
	*ret_ready = x->started;
	return 0;
}

const char *worker_executor_name(const struct executor *e)
{
	return CONTAINER_OF((struct executor *)(uintptr_t)e, struct worker_executor, base)->name;
}

int worker_executor_give_up(struct executor *e, struct error *err)
{
	struct worker_executor *x = worker_executor_of(e);
	char seconds[64];

	(void)snprintf(seconds, sizeof(seconds), "sent no welcome within %g s", (double)x->config.welcome_timeout_ms / 1000);
	worker_process_down(first_missing(x), OUTCOME_TIMEOUT, seconds);
	*err = x->start_error;
	return err->code;
}
