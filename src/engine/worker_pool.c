/*
 * worker_pool.c: which worker gets a job, and which processes there are.
 *
 * A job goes to the worker with the fewest jobs that has room; one of a session that lives in a process waits for that process. Processes are started
 * when they are needed and not before: one that is gone comes back when a job waits that nobody else takes, at once if it had answered something,
 * else after a growing wait.
 *
 * A worker that holds a turn whose time is over, and cannot cancel it, retires: another one takes its index, and it goes when the other turns that
 * it works on are done. There are never more retired workers than workers.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "connector/connector.h"
#include "engine/worker_internal.h"

/* ---- the workers ---- */

int worker_pool_new(struct worker_executor *x, struct error *err)
{
	int r = 0;

	x->workers = mem_calloc(x->config.workers, sizeof(struct worker *));
	if (!x->workers)
		return error_nomem(err);
	for (unsigned i = 0; i < x->config.workers && !r; i++) {
		x->workers[i] = worker_new(x, i);
		r = x->workers[i] ? worker_process_start(x->workers[i], err) : error_nomem(err);
	}
	return r;
}

static void free_jobs(struct worker_executor *x, struct list *jobs)
{
	while (!list_empty(jobs))
		worker_job_free(x, LIST_ENTRY(jobs->next, struct worker_job, link));
}

void worker_pool_free(struct worker_executor *x)
{
	struct list *node;

	free_jobs(x, &x->queue);
	for (unsigned i = 0; x->workers && i < x->config.workers; i++)
		worker_free(x->workers[i]);
	while ((node = list_pop_front(&x->retired)) != NULL)
		worker_free(LIST_ENTRY(node, struct worker, link));
	mem_free(x->workers);
}

struct worker *worker_pool_home(struct worker_executor *x, uint64_t serial)
{
	for (unsigned i = 0; i < x->config.workers; i++)
		if (x->workers[i]->serial == serial)
			return x->workers[i];
	return NULL;
}

static bool has_room(const struct worker *w)
{
	return w->state == WORKER_READY && w->busy < w->x->capabilities.concurrency && child_unsent(w->child) < WORKER_UNSENT_MOST;
}

static bool is_lighter(const struct worker *a, const struct worker *b)
{
	return a->busy != b->busy ? a->busy < b->busy : a->sessions < b->sessions;
}

static struct worker *lightest(struct worker_executor *x)
{
	struct worker *best = NULL;

	for (unsigned i = 0; i < x->config.workers; i++) {
		struct worker *w = x->workers[i];

		if (has_room(w) && (!best || is_lighter(w, best)))
			best = w;
	}
	return best;
}

/* ---- giving a job ---- */

/* A job that is over, however: its session may want another one. */
static void drop_job(struct worker_executor *x, struct worker_job *job)
{
	struct worker_session *s = x->capabilities.datasets ? job->session : NULL;

	worker_job_free(x, job);
	if (s)
		worker_session_job_over(s);
}

static int number_calls(struct worker *w, struct worker_job *job)
{
	job->id = w->x->capabilities.datasets ? w->next_id++ : 0;
	for (size_t i = 0; i < job->count; i++) {
		struct worker_call *call = &job->calls[i];

		call->id = w->next_id++;
		if (id_map_put(&w->calls, call->id, call))
			return FF_ENOMEM;
	}
	return 0;
}

static int64_t remaining_ms(const struct worker_executor *x, const struct worker_job *job)
{
	uint64_t now_us = worker_now_us(x);

	if (job->deadline_us == CLOCK_NEVER)
		return -1;
	return job->deadline_us > now_us ? (int64_t)((job->deadline_us - now_us) / 1000) : 0;
}

/* 0 or FF_ENOMEM. */
static int find_prompt(const struct worker_executor *x, const struct worker_job *job, size_t batch, struct arena *a,
                       struct str *ret)
{
	const struct message *messages;
	size_t count;

	if (x->config.runner->prompt(job->dataset, batch, a, &messages, &count))
		return FF_ENOMEM;
	*ret = messages[count - 1].content;
	return 0;
}

static struct worker_turn turn_of(const struct worker_job *job, const struct worker_call *call, unsigned attempt, struct str prompt)
{
	return (struct worker_turn){
		.id = call->id, .attempt = attempt, .dataset = job->dataset, .batch = call->batch, .prompt = prompt
	};
}

static int write_turn(struct worker_executor *x, const struct worker_job *job)
{
	const struct worker_call *call = &job->calls[0];
	const struct attempt *a = call->attempt;
	struct worker_turn turn = turn_of(job, call, a->index, a->messages[a->message_count - 1].content);

	worker_write_turn(&x->scratch, &turn, remaining_ms(x, job));
	return buf_failed(&x->scratch);
}

static int write_dataset(struct worker_executor *x, const struct worker_job *job)
{
	struct arena arena = ARENA_INIT;
	int r = 0;

	worker_open_dataset(&x->scratch, job->id, job->dataset, remaining_ms(x, job));
	for (size_t i = 0; i < job->count && !r; i++) {
		const struct attempt *a = job->session->batches[job->calls[i].batch].waiting;
		struct worker_turn turn;
		struct str prompt;

		if (!job->calls[i].open)
			continue;
		arena_reset(&arena);
		r = find_prompt(x, job, job->calls[i].batch, &arena, &prompt);
		if (r)
			break;
		turn = turn_of(job, &job->calls[i], a ? a->index : 0, prompt);
		worker_dataset_batch(&x->scratch, &turn);
	}
	worker_close_dataset(&x->scratch);
	arena_release(&arena);
	return r ? r : buf_failed(&x->scratch);
}

static int send_job(struct worker *w, struct worker_job *job)
{
	struct worker_executor *x = w->x;

	if (number_calls(w, job))
		return FF_ENOMEM;
	buf_clear(&x->scratch);
	if (x->capabilities.datasets ? write_dataset(x, job) : write_turn(x, job))
		return FF_ENOMEM;
	return worker_process_send(w);
}

static void give(struct worker *w, struct worker_job *job)
{
	static const struct attempt_result unsent = {
		.outcome = OUTCOME_NOT_RUN,
		.error = STR("not sent to a worker: out of memory."),
		.usage = USAGE_UNKNOWN,
		.hint_ms = -1,
	};
	struct worker_executor *x = w->x;

	list_remove(&job->link);
	list_push_back(&w->jobs, &job->link);
	job->worker = w;
	job->sent_us = worker_now_us(x);
	w->busy++;
	if (send_job(w, job)) {
		worker_job_fail(x, job, &unsent);
		drop_job(x, job);
		return;
	}
	if (x->capabilities.sticky && job->session && !job->session->home) {
		job->session->home = w->serial;
		w->sessions++;
	}
}

/* ---- queues ---- */

/* Into the queue where it waits; its link is in none. */
static void route(struct worker_executor *x, struct worker_job *job)
{
	struct worker *home;

	if (worker_session_is_lost(x, job)) {
		drop_job(x, job);
		return;
	}
	home = job->session && job->session->home ? worker_pool_home(x, job->session->home) : NULL;
	list_push_back(home ? &home->queue : &x->queue, &job->link);
}

static void serve_own_queue(struct worker *w)
{
	while (!list_empty(&w->queue) && has_room(w))
		give(w, LIST_ENTRY(w->queue.next, struct worker_job, link));
}

static void serve_queue(struct worker_executor *x)
{
	while (!list_empty(&x->queue)) {
		struct worker_job *job = LIST_ENTRY(x->queue.next, struct worker_job, link);
		struct worker *w = NULL;

		if (job->session && job->session->home) { /* another turn of its session was given meanwhile */
			list_remove(&job->link);
			route(x, job);
			continue;
		}
		w = lightest(x);
		if (!w)
			return;
		give(w, job);
	}
}

void worker_pool_add(struct worker_executor *x, struct worker_job *job)
{
	route(x, job);
	worker_pool_dispatch(x);
}

/* Jobs that wait for any worker, counted no further than `most`. */
static uint64_t count_waiting(const struct worker_executor *x, uint64_t most)
{
	uint64_t count = 0;

	for (const struct list *it = x->queue.next; it != &x->queue && count < most; it = it->next)
		count++;
	return count;
}

/* Starts as many processes as the jobs that wait can use. */
static void start_needed(struct worker_executor *x)
{
	uint64_t room = 0, now_us = worker_now_us(x);

	for (unsigned i = 0; i < x->config.workers; i++)
		if (x->workers[i]->state == WORKER_STARTING || heap_node_armed(&x->workers[i]->timer.node))
			room += x->capabilities.concurrency;
	for (unsigned i = 0; i < x->config.workers && count_waiting(x, room + 1) > room; i++) {
		struct worker *w = x->workers[i];

		if (w->state != WORKER_DOWN || heap_node_armed(&w->timer.node))
			continue;
		timer_arm(loop_timers(x->config.loop), &w->timer, MAX(now_us, w->restart_us));
		room += x->capabilities.concurrency;
	}
}

void worker_pool_dispatch(struct worker_executor *x)
{
	for (unsigned i = 0; i < x->config.workers; i++)
		serve_own_queue(x->workers[i]);
	serve_queue(x);
	if (!list_empty(&x->queue))
		start_needed(x);
}

/* ---- the end of a process ---- */

static void route_again(struct worker *w)
{
	struct list jobs, *node;

	list_move(&w->queue, &jobs);
	while ((node = list_pop_front(&jobs)) != NULL)
		route(w->x, LIST_ENTRY(node, struct worker_job, link));
}

static bool all_hopeless(const struct worker_executor *x)
{
	for (unsigned i = 0; i < x->config.workers; i++)
		if (x->workers[i]->state != WORKER_DOWN || x->workers[i]->failed_starts < WORKER_STARTS_MOST)
			return false;
	return true;
}

static void fail_waiting(struct worker_executor *x)
{
	static const struct attempt_result hopeless = {
		.outcome = OUTCOME_TRANSPORT,
		.retryable = true,
		.unreachable = true,
		.error = STR("No worker could be started again; the log (--log-level info) says why."),
		.usage = USAGE_UNKNOWN,
		.hint_ms = -1,
	};
	struct list jobs, *node;

	list_move(&x->queue, &jobs);
	while ((node = list_pop_front(&jobs)) != NULL) {
		struct worker_job *job = LIST_ENTRY(node, struct worker_job, link);

		worker_job_fail(x, job, &hopeless);
		drop_job(x, job);
	}
}

static void plan_restart(struct worker *w, unsigned fruitless)
{
	uint64_t wait_us = fruitless ? WORKER_BACKOFF_US << MIN(fruitless - 1, 16u) : 0;

	w->fruitless = fruitless;
	w->restart_us = worker_now_us(w->x) + MIN(wait_us, WORKER_BACKOFF_MOST);
}

void worker_pool_gone(struct worker *w, bool welcomed)
{
	struct worker_executor *x = w->x;

	plan_restart(w, w->answered ? 0 : w->fruitless + 1);
	w->failed_starts = welcomed ? 0 : w->failed_starts + 1;
	if (!x->started)
		return;
	route_again(w);
	if (all_hopeless(x))
		fail_waiting(x);
	worker_pool_dispatch(x);
}

/* Another worker in its place, without a process yet. */
static bool replace(struct worker *w)
{
	struct worker_executor *x = w->x;
	struct worker *next;

	if (x->retired_count >= x->config.workers || list_empty(&w->jobs))
		return false;
	next = worker_new(x, w->index);
	if (!next)
		return false;
	next->starts = w->starts;
	plan_restart(next, w->answered ? 0 : w->fruitless + 1);
	x->workers[w->index] = next;
	x->retired_count++;
	list_push_back(&x->retired, &w->link);
	w->state = WORKER_RETIRED;
	return true;
}

void worker_pool_retire(struct worker *w)
{
	if (w->state == WORKER_RETIRED && !list_empty(&w->jobs))
		return;
	if (w->state != WORKER_RETIRED && replace(w)) {
		timer_disarm(loop_timers(w->x->config.loop), &w->timer);
		route_again(w);
		worker_pool_dispatch(w->x);
		return;
	}
	worker_process_down(w, OUTCOME_TRANSPORT, "was replaced, because the time of another turn was over and it did not end it");
}
