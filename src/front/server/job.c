/*
 * job.c: runs. See job.h.
 *
 * The run's slot is given back when the run ends, not when its answer was read: a slow reader holds bytes, but no slot. A job is never freed inside of an
 * engine's callback; job_release of an ended job only moves it to `dead`.
 */
#include "front/server/job.h"

#include "base/alloc.h"

void jobs_init(struct jobs *jobs)
{
	list_init(&jobs->all);
	list_init(&jobs->dead);
}

static void give_up_answer(struct job *job)
{
	struct admission *a = job->jobs->admission;

	admission_shrink(a, job->growing_bytes);
	admission_let_go(a, job->answer_bytes);
	job->growing_bytes = job->answer_bytes = 0;
}

static bool may_grow(void *user, size_t bytes)
{
	struct job *job = user;

	if (!admission_grow(job->jobs->admission, bytes))
		return false;
	job->growing_bytes += bytes;
	return true;
}

static void job_free(struct job *job)
{
	struct admission *a = job->jobs->admission;

	list_remove(&job->link);
	door_free(job->door);
	admission_let_go(a, job->body.len);
	give_up_answer(job);
	buf_release(&job->body);
	mem_free(job);
}

static enum metrics_run verdict(const struct job *job)
{
	struct ff_counts counts;
	int status = door_status(job->door);

	if (job->abandoned)
		return METRICS_RUN_ABANDONED;
	if (status >= 500 || status == 413)
		return METRICS_RUN_FAILED;
	door_counts(job->door, &counts);
	if (status != 200 || !counts.batches)
		return METRICS_RUN_REFUSED;
	return door_complete(job->door) ? METRICS_RUN_COMPLETE : METRICS_RUN_INCOMPLETE;
}

/* The door's answer is there: not yet inside of its END event. */
static void settle(struct job *job)
{
	if (job->settled)
		return;
	give_up_answer(job);
	job->settled = true;
	job->answer_bytes = door_body(job->door).len;
	admission_hold_answer(job->jobs->admission, job->answer_bytes);
	metrics_run(job->jobs->metrics, verdict(job));
}

static void on_event(void *user, const struct ff_event *event)
{
	struct job *job = user;

	metrics_event(job->jobs->metrics, event);
	if (event->type != FF_EVENT_END)
		return;
	job->ended = true;
	job->jobs->running--;
	admission_end_run(job->jobs->admission);
	if (job->abandoned) {
		list_remove(&job->link);
		list_push_back(&job->jobs->dead, &job->link);
	} else {
		job->on_end(job->user);
	}
}

/* It was answered without running, or the memory for running is short. */
static void end_at_once(struct job *job)
{
	job->ended = true;
	job->jobs->running--;
	admission_end_run(job->jobs->admission);
}

struct job *job_start(struct jobs *jobs, struct buf *body, void (*on_end)(void *user), void *user)
{
	struct job *job = NEW(struct job);
	struct door_request request = { .engine = jobs->engine, .body = buf_str(body), .limits = jobs->limits };

	if (!job) {
		admission_end_run(jobs->admission);
		admission_let_go(jobs->admission, body->len);
		buf_release(body);
		return NULL;
	}
	job->jobs = jobs;
	job->body = *body;
	job->on_end = on_end;
	job->user = user;
	list_push_back(&jobs->all, &job->link);
	buf_init(body, body->cap);
	request.on_event = on_event;
	request.may_grow = may_grow;
	request.user = job;
	jobs->running++;
	if (door_new(&request, &job->door)) {
		end_at_once(job);
		job_free(job);
		return NULL;
	}
	if (!door_is_async(job->door))
		door_start(job->door, 0);
	if (!job->ended && (door_done(job->door) || door_is_async(job->door)))
		end_at_once(job);
	jobs->touched(jobs->user);
	return job;
}

struct str job_answer(struct job *job, int *ret_status)
{
	settle(job);
	*ret_status = door_status(job->door);
	return door_body(job->door);
}

bool job_is_async(const struct job *job)
{
	return door_is_async(job->door);
}

void job_release(struct job *job)
{
	if (!job)
		return;
	if (job->ended) {
		list_remove(&job->link);
		list_push_back(&job->jobs->dead, &job->link);
	} else {
		job->abandoned = true;
		door_cancel(job->door, 0);
	}
	job->jobs->touched(job->jobs->user);
}

void jobs_sweep(struct jobs *jobs)
{
	struct list *node;

	while ((node = list_pop_front(&jobs->dead))) {
		struct job *job = LIST_ENTRY(node, struct job, link);
		settle(job);
		job_free(job);
	}
}

void jobs_cut(struct jobs *jobs)
{
	LIST_FOR_EACH (it, next, &jobs->all) {
		struct job *job = LIST_ENTRY(it, struct job, link);
		if (!job->ended)
			door_cancel(job->door, 0);
	}
	jobs->touched(jobs->user);
}

void jobs_release(struct jobs *jobs)
{
	struct list *node;

	jobs_sweep(jobs);
	while ((node = list_pop_front(&jobs->all)))
		job_free(LIST_ENTRY(node, struct job, link)); /* door_free ends the run first; its end may move others to `dead` */
	jobs_sweep(jobs);
}

void jobs_counts(const struct jobs *jobs, struct ff_counts *ret)
{
	*ret = (struct ff_counts){ 0 };
	for (const struct list *it = jobs->all.next; it != &jobs->all; it = it->next) {
		const struct job *job = LIST_ENTRY(it, struct job, link);
		struct ff_counts one;

		if (job->ended)
			continue;
		door_counts(job->door, &one);
		ret->in_flight += one.in_flight;
		ret->queued += one.queued;
		ret->waiting_retry += one.waiting_retry;
	}
}
