/*
 * worker_session.c: what a session means to workers: a process that remembers it, and a dataset that is given as a whole.
 *
 * Unit dataset: the engine asks for one turn after the other and the worker answers a dataset in its own order, so both meet in the batch's state:
 *
 *   TO_DO ──job──> GIVEN ──reply, nobody asked yet──> KEPT ──the engine asks──> DELIVERED
 *     ^              └─────reply, the engine waits──────────────────────────────────^ │
 *     └──────────────────────────────── another attempt ──────────────────────────────┘
 *
 * A new job has every batch that is TO_DO; failures that were kept and not asked for are tried again with it.
 */
#include "base/alloc.h"
#include "engine/worker_internal.h"

/* ---- stamps ---- */

void worker_stamp(struct worker_job *job, struct attempt_result *r, double elapsed_ms, uint64_t now_us)
{
	uint64_t from_us = job->sent_us;

	/* Turns in order: this one could begin when the one before it ended. */
	if (job->count > 1 && job->worker && job->worker->x->capabilities.ordered)
		from_us = MAX(from_us, job->reply_us);
	if (elapsed_ms >= 0 && elapsed_ms * 1000 < (double)(now_us - job->sent_us))
		from_us = now_us - (uint64_t)(elapsed_ms * 1000);
	else if (elapsed_ms >= 0)
		from_us = job->sent_us;
	r->sent_us = r->connected_us = from_us;
	r->first_byte_us = r->first_content_us = r->last_byte_us = now_us;
	job->reply_us = now_us;
}

/* ---- a process that remembers ---- */

int worker_session_new(struct executor *e, const struct dataset *d, void **ret_session)
{
	struct worker_executor *x = worker_executor_of(e);
	struct worker_session *s;

	*ret_session = NULL;
	if (!x->capabilities.sticky && !x->capabilities.datasets)
		return 0;
	s = NEW(struct worker_session);
	if (!s)
		return FF_ENOMEM;
	s->x = x;
	s->dataset = d;
	arena_init(&s->arena);
	if (x->capabilities.datasets) {
		s->batches = mem_calloc(d->batch_count, sizeof(*s->batches));
		if (!s->batches) {
			mem_free(s);
			return FF_ENOMEM;
		}
	}
	*ret_session = s;
	return 0;
}

static void leave_home(struct worker_session *s)
{
	struct worker *w = s->home ? worker_pool_home(s->x, s->home) : NULL;

	if (!w)
		return;
	w->sessions--;
	buf_clear(&s->x->scratch);
	worker_write_session_end(&s->x->scratch, s->dataset);
	if (worker_process_send(w)) /* it then remembers what nobody asks for */
		log_info(s->x->config.logger, "Worker %u was not told of the end of a session: out of memory.", w->index);
}

void worker_session_free(struct executor *e, void *session)
{
	struct worker_session *s = session;
	struct worker_job *job = s ? s->job : NULL;

	(void)e;
	if (!s)
		return;
	if (job) {
		job->session = NULL;
		if (job->worker)
			worker_job_abandon(s->x, job);
		else
			worker_job_free(s->x, job);
	}
	leave_home(s);
	arena_release(&s->arena);
	mem_free(s->batches);
	mem_free(s);
}

bool worker_session_is_lost(struct worker_executor *x, struct worker_job *job)
{
	static const struct attempt_result lost = {
		.outcome = OUTCOME_TRANSPORT,
		.error = STR("The worker process that remembered this session is gone, so the rest of the session was not asked."),
		.usage = USAGE_UNKNOWN,
		.hint_ms = -1,
	};
	struct worker_session *s = job->session;

	if (!s || !s->home || worker_pool_home(x, s->home))
		return false;
	if (!s->answered) {
		s->home = 0;
		return false;
	}
	worker_job_fail(x, job, &lost);
	return true;
}

/* ---- unit dataset: results ---- */

/* The result, whose text is in the arena that `arena_for` names, goes to the engine or waits for it. */
static void settle(struct worker_session *s, size_t batch, const struct attempt_result *result)
{
	struct worker_batch *b = &s->batches[batch];

	if (b->waiting) {
		struct attempt *a = b->waiting;

		a->result = *result;
		b->waiting = NULL;
		b->state = BATCH_DELIVERED;
		worker_attempt_ended(s->x, a);
		return;
	}
	b->kept = *result;
	b->state = BATCH_KEPT;
}

static struct arena *arena_for(struct worker_session *s, size_t batch)
{
	return s->batches[batch].waiting ? s->batches[batch].waiting->arena : &s->arena;
}

void worker_session_reply(struct worker_session *s, struct worker_call *call, const struct json *reply, struct worker *w)
{
	struct worker_reader how = { worker_label(w), s->x->config.scrubber };
	struct attempt_result result;
	double elapsed_ms = -1;

	if (worker_reply_read(reply, &s->dataset->batches[call->batch], &how, arena_for(s, call->batch), &result, &elapsed_ms))
		result = (struct attempt_result){ .outcome = OUTCOME_TRANSPORT,
			                          .error = STR("out of memory while the reply was read"),
			                          .usage = USAGE_UNKNOWN,
			                          .hint_ms = -1 };
	worker_stamp(call->job, &result, elapsed_ms, worker_now_us(s->x));
	s->answered = true;
	settle(s, call->batch, &result);
}

void worker_session_fail(struct worker_session *s, struct worker_call *call, const struct attempt_result *result)
{
	struct attempt_result own = *result;

	own.error = worker_text(s->x, arena_for(s, call->batch), result->error);
	own.sent_us = call->job->sent_us;
	settle(s, call->batch, &own);
}

/* ---- unit dataset: jobs ---- */

static bool fails(const struct worker_batch *b)
{
	return b->state == BATCH_KEPT && !outcome_is_success(b->kept.outcome);
}

static bool belongs(const struct worker_batch *b)
{
	return b->state == BATCH_TO_DO || fails(b);
}

/* A turn that could not even be put into a job. */
static void cannot_start(struct worker_session *s, struct attempt *a)
{
	struct worker_batch *b = &s->batches[a->batch];

	b->waiting = NULL;
	b->state = BATCH_DELIVERED;
	a->result.outcome = OUTCOME_NOT_RUN;
	a->result.error = STR("not sent to a worker: out of memory.");
	worker_attempt_ended(s->x, a);
}

static void make_job(struct worker_session *s, struct attempt *a)
{
	struct worker_job *job;
	size_t count = 0;

	for (size_t i = 0; i < s->dataset->batch_count; i++)
		count += belongs(&s->batches[i]);
	job = worker_job_new(s->x, s->dataset, count);
	if (!job) {
		cannot_start(s, a);
		return;
	}
	job->session = s;
	job->deadline_us = a->deadline_us;
	count = 0;
	for (size_t i = 0; i < s->dataset->batch_count; i++) {
		if (!belongs(&s->batches[i]))
			continue;
		job->calls[count++].batch = i;
		s->batches[i].state = BATCH_GIVEN;
	}
	s->job = job;
	worker_pool_add(s->x, job);
}

void worker_session_start(struct worker_session *s, struct attempt *a)
{
	struct worker_batch *b = &s->batches[a->batch];

	a->executor_state = s;
	b->waiting = a;
	if (b->state == BATCH_DELIVERED)
		b->state = BATCH_TO_DO;
	if (b->state == BATCH_KEPT)
		settle(s, a->batch, &b->kept);
	else if (b->state == BATCH_TO_DO && !s->job)
		make_job(s, a);
}

void worker_session_job_over(struct worker_session *s)
{
	s->job = NULL;
	for (size_t i = 0; i < s->dataset->batch_count; i++)
		if (s->batches[i].state == BATCH_TO_DO && s->batches[i].waiting) {
			make_job(s, s->batches[i].waiting);
			return;
		}
}

/* Nobody asks for the others of a job that is not given yet: they wait for the engine again. */
static void take_back(struct worker_session *s)
{
	struct worker_job *job = s->job;

	for (size_t i = 0; i < job->count; i++)
		if (s->batches[job->calls[i].batch].waiting)
			return;
	for (size_t i = 0; i < job->count; i++)
		if (job->calls[i].open)
			s->batches[job->calls[i].batch].state = BATCH_TO_DO;
	s->job = NULL;
	worker_job_free(s->x, job);
}

static void fail_others(struct worker_session *s, struct worker_job *job)
{
	static const struct attempt_result ended = {
		.outcome = OUTCOME_TRANSPORT,
		.retryable = true,
		.error = STR("The run of this dataset was ended together with an earlier turn of it."),
		.usage = USAGE_UNKNOWN,
		.hint_ms = -1,
	};

	s->job = NULL;
	worker_job_fail(s->x, job, &ended);
	job->session = NULL;
}

void worker_session_cancel(struct worker_session *s, struct attempt *a)
{
	struct worker_batch *b = &s->batches[a->batch];
	struct worker_job *job = s->job;
	bool given = b->state == BATCH_GIVEN;

	b->waiting = NULL;
	b->state = BATCH_DELIVERED;
	if (!job || !given)
		return;
	for (size_t i = 0; i < job->count; i++)
		if (job->calls[i].batch == a->batch && job->calls[i].open) {
			job->calls[i].open = false;
			job->open--;
		}
	if (!job->worker) {
		take_back(s);
		return;
	}
	fail_others(s, job);
	worker_job_abandon(s->x, job);
}
