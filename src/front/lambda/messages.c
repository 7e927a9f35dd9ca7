/*
 * messages.c: the records of an SQS event: each is a payload; what failed is named, so that the queue keeps it.
 *
 * Records run side by side in the one engine, at most SIDE_BY_SIDE of them (of a FIFO queue one, and after a failure none). Their results are stored when
 * all have ended: storing waits, and other people's turns must not wait with it. A record fails when it was not run whole (deadline, quota), when its
 * payload was refused, or when its result could not be stored. Turns that failed inside a whole run are results.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "front/lambda/task.h"

#define SIDE_BY_SIDE 16u
#define ID_SHOWN     200u

struct messages {
	struct task *task;
	struct door_run **runs; /* by item; NULL: not begun, or refused without one */
	bool *failed;
	size_t begun;                 /* items looked at */
	size_t running[SIDE_BY_SIDE]; /* items whose runs are not done */
	size_t running_count, width;
};

static const struct event_item *item_at(const struct messages *m, size_t i)
{
	return &m->task->event.items[i];
}

/* Begins the next record. What cannot begin has failed. */
static void begin(struct messages *m)
{
	size_t i = m->begun++;
	const struct event_item *item = item_at(m, i);
	uint64_t now_us = clock_monotonic_us();

	m->failed[i] = true; /* until it is known better */
	if (!item->body.ptr || budget_run_is_over(&m->task->budget, now_us) ||
	    task_door(m->task, item->body, MIN(m->width, m->task->event.item_count), &m->runs[i]))
		return;
	task_start(m->task, m->runs[i]);
	m->running[m->running_count++] = i;
}

static void forget_done(struct messages *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->running_count; i++)
		if (!door_done(m->runs[m->running[i]]))
			m->running[kept++] = m->running[i];
	m->running_count = kept;
}

static bool ended_badly(const struct messages *m, size_t i)
{
	return !m->runs[i] || (door_done(m->runs[i]) && !door_complete(m->runs[i]));
}

/* A FIFO queue's records after one that failed wait for it. */
static bool may_begin(struct messages *m)
{
	forget_done(m);
	if (m->begun == m->task->event.item_count || m->running_count >= m->width)
		return false;
	return !m->task->event.is_fifo || !m->begun || !ended_badly(m, m->begun - 1);
}

static void run_all(struct messages *m)
{
	for (;;) {
		while (may_begin(m))
			begin(m);
		if (!m->running_count)
			return;
		ff_engine_wait(m->task->in->engine, -1);
	}
}

/* Whether the result is where it belongs. One that is an error is stored, too: it says why the message comes back. */
static bool keep(struct messages *m, size_t i)
{
	char name[INVOCATION_ID_MAX + 24]; /* of a message without an id, which AWS does not send: somebody's by hand */
	struct str id = item_at(m, i)->id;

	if (!m->task->in->store)
		return true;
	if (!id.len) {
		snprintf(name, sizeof(name), "%s-%zu", m->task->invocation->id, i);
		id = str_from(name);
	}
	return answer_store(m->task, id, door_body(m->runs[i]));
}

/* Why a message that was looked at comes back, in words of ours alone; NULL: it does not, or the store has said so. */
static const char *reason(const struct messages *m, size_t i, char *room, size_t size)
{
	const struct door_run *d = m->runs[i];
	struct ff_counts counts;

	if (!d)
		return item_at(m, i)->problem ? item_at(m, i)->problem : "It was not begun: no time or no memory was left.";
	if (door_complete(d))
		return NULL;
	door_counts(d, &counts);
	if (door_status(d) == 200)
		return counts.batches ? "Not every turn was run: the deadline or a quota came before."
		                      : "The payload was refused: its result says why.";
	if (door_status(d) >= 500)
		return "The run failed: its result says why.";
	snprintf(room, size, "The payload was refused with %d.", door_status(d));
	return room;
}

static void tell(const struct messages *m, size_t i)
{
	struct str id = item_at(m, i)->id;
	char room[80];
	const char *why = reason(m, i, room, sizeof(room));
	struct log_line line;

	if (!why)
		return;
	log_line_open(&line, m->task->in->log, FF_LOG_WARNING, "message");
	log_line_text(&line, "requestId", str_from(m->task->invocation->id));
	log_line_text(&line, "messageId", str_of(id.ptr, utf8_cut(id, MIN(id.len, (size_t)ID_SHOWN))));
	log_line_text(&line, "message", str_from(why));
	log_line_close(&line);
}

/* Stores in order. In a FIFO queue nothing counts that comes after a failure. */
static void settle(struct messages *m)
{
	bool stopped = false;

	for (size_t i = 0; i < m->task->event.item_count; i++) {
		bool kept = !stopped && i < m->begun && m->runs[i] && keep(m, i);

		m->failed[i] = !kept || ended_badly(m, i);
		m->task->failed_messages += m->failed[i];
		if (!stopped && i < m->begun)
			tell(m, i);
		stopped = m->task->event.is_fifo && (stopped || m->failed[i]);
	}
}

static int fail_all(struct messages *m)
{
	for (size_t i = 0; i < m->task->event.item_count; i++)
		m->failed[i] = true;
	m->task->failed_messages = m->task->event.item_count;
	log_sentence(m->task->in->log, FF_LOG_ERROR, "store", m->task->invocation->id,
	             "Nobody reads the answers to messages of a queue, so they were not run: set "
	             "FAIRFORGE_RESULT_URI=s3://bucket/prefix to have "
	             "results stored, or FAIRFORGE_DISCARD_RESULTS=1 when nobody needs them.");
	return answer_messages(m->task, m->failed);
}

static int run_and_answer(struct messages *m)
{
	if (!m->task->in->store && !m->task->in->config->discard_results)
		return fail_all(m);
	task_set_budget(m->task, false, m->task->in->store ? m->task->event.item_count : 0);
	run_all(m);
	settle(m);
	return answer_messages(m->task, m->failed);
}

int messages_run(struct task *t)
{
	struct messages m = { .task = t, .width = t->event.is_fifo ? 1 : SIDE_BY_SIDE };
	int r;

	m.runs = mem_calloc(t->event.item_count + 1, sizeof(struct door_run *));
	m.failed = mem_calloc(t->event.item_count + 1, sizeof(bool));
	if (m.runs && m.failed)
		r = run_and_answer(&m);
	else
		r = answer_function_error(t, "Function.OutOfMemory", STR("Out of memory."));
	for (size_t i = 0; m.runs && i < t->event.item_count; i++)
		door_free(m.runs[i]);
	mem_free(m.runs);
	mem_free(m.failed);
	return r;
}
