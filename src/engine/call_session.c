/*
 * call_session.c: unit dataset: the engine asks for one turn after the other, and the runner answers a dataset in its own order; both meet in
 * the batch:
 *
 *   to do ──call──> with the runner ──answer, nobody asked yet──> kept ──the engine asks──> the engine has it
 *     ^                   └───────────answer, the engine waits──────────────────────────────^     │
 *     └─────────────────────────────────── another attempt ───────────────────────────────────────┘
 *
 * A call has every batch from the one that is asked for that is neither answered nor with the runner; failures that were kept are tried again with
 * it. A turn that is ended from outside ends its whole call: a runner cannot be asked to skip a batch, and what it answers after that might rest
 * on an answer that nobody has.
 */
#include "base/alloc.h"
#include "engine/call_internal.h"

int call_session_new(struct executor *e, const struct dataset *d, void **ret_session)
{
	struct call_executor *x = call_executor_of(e);
	struct call_session *s;
	*ret_session = NULL;
	if (!x->config.datasets)
		return 0;
	s = mem_calloc(1, sizeof *s + d->batch_count * sizeof s->batches[0]);
	if (!s)
		return FF_ENOMEM;
	s->x = x;
	s->dataset = d;
	arena_init(&s->arena);
	*ret_session = s;
	return 0;
}

/* ---- results ---- */

static struct arena *arena_for(struct call_session *s, const struct call_batch *b)
{
	return b->waiting ? b->waiting->arena : &s->arena;
}

/* The result, whose text is in the arena of arena_for, goes to the engine or waits for it. */
static void settle(struct call_session *s, size_t batch, const struct attempt_result *result)
{
	struct call_batch *b = &s->batches[batch];
	struct attempt *a = b->waiting;
	b->ticket = NULL;
	b->waiting = NULL;
	b->kept = a == NULL;
	if (a) {
		a->result = *result;
		call_end_attempt(s->x, a);
	} else {
		b->result = *result;
	}
}

/* The ticket of a batch, answered by itself or by the dataset's end (`from`). NULL: ended without a word about it. */
static void settle_ticket(struct call_ticket *t, const struct call_ticket *from, uint64_t now_us)
{
	struct call_session *s = t->call->session;
	struct arena *arena = arena_for(s, &s->batches[t->batch]);
	struct attempt_result result;
	t->wanted = false;
	if (from)
		call_reply_read(from, from == t ? &s->dataset->batches[t->batch] : NULL, arena, &result);
	else
		call_reply_fail(s->x, OUTCOME_BAD_REPLY, "the runner ended the dataset without an answer for this batch", arena,
		                &result);
	call_reply_stamp(t->call, t, now_us, &result);
	settle(s, t->batch, &result);
}

/* The runner is done with the dataset: what it did not answer has failed. */
static void end_dataset(struct call_ticket *end, uint64_t now_us)
{
	struct call *c = end->call;
	const struct call_ticket *why = call_reply_failed(end) ? end : NULL;
	for (size_t i = 0; i < c->batch_count; i++) {
		struct call_ticket *t = &c->tickets[i];
		if (!call_table_retire(t))
			continue;
		c->open--;
		if (t->wanted)
			settle_ticket(t, why, now_us);
	}
}

void call_session_take(struct call_ticket *t, uint64_t now_us)
{
	struct call *c = t->call;
	if (t->batch == SIZE_MAX)
		end_dataset(t, now_us);
	else if (t->wanted)
		settle_ticket(t, t, now_us);
	else
		log_info(c->x->config.logger, "%s: a batch was answered when nobody waited for it any more.", c->x->name);
	call_return(c);
}

/* ---- start ---- */

static bool belongs(const struct call_session *s, size_t batch, size_t asked)
{
	const struct call_batch *b = &s->batches[batch];
	if (batch == asked)
		return true;
	return !b->ticket && !(b->kept && outcome_is_success(b->result.outcome));
}

static struct call *make_call(struct call_session *s, size_t asked)
{
	size_t count = 0, at = 0;
	for (size_t i = asked; i < s->dataset->batch_count; i++)
		count += belongs(s, i, asked);
	struct call *c = call_new(s->x, count, true);
	if (!c)
		return NULL;
	c->session = s;
	for (size_t i = asked; i < s->dataset->batch_count; i++) {
		if (!belongs(s, i, asked))
			continue;
		c->tickets[at].wanted = true;
		c->tickets[at++].batch = i;
	}
	return c;
}

static void begin(struct call_session *s, struct attempt *a)
{
	struct call *c = make_call(s, a->batch);
	if (!c || call_run(c, a) != 0) {
		call_end_unsent(s->x, a);
		return;
	}
	for (size_t i = 0; i < c->batch_count; i++) {
		struct call_batch *b = &s->batches[c->tickets[i].batch];
		b->ticket = &c->tickets[i];
		b->kept = false;
	}
	s->batches[a->batch].waiting = a;
}

void call_session_start(struct call_session *s, struct attempt *a)
{
	struct call_batch *b = &s->batches[a->batch];
	a->executor_state = b;
	if (b->ticket) {
		b->waiting = a;
	} else if (b->kept) {
		b->kept = false;
		a->result = b->result;
		call_end_attempt(s->x, a);
	} else {
		begin(s, a);
	}
}

/* ---- cancel ---- */

static void tell_runner(struct call *c)
{
	if (c->cancelled)
		return;
	c->cancelled = true;
	c->x->config.ops->cancel(c->x->config.user, c->tickets[c->batch_count].id);
}

/* Nobody waits for what the runner still has. */
static void cut(struct call_session *s, struct call *c)
{
	struct attempt_result result;
	for (size_t i = 0; i < c->batch_count; i++) {
		struct call_ticket *t = &c->tickets[i];
		if (!t->wanted || !call_table_is_held(t))
			continue;
		t->wanted = false;
		call_reply_fail(
		        s->x, OUTCOME_TIMEOUT,
		        "the dataset was stopped at an earlier turn that was not answered in time, so this one has no answer",
		        &s->arena, &result);
		settle(s, t->batch, &result);
	}
}

void call_session_cancel(struct call_session *s, struct attempt *a)
{
	struct call_batch *b = &s->batches[a->batch];
	struct call_ticket *t = b->ticket;
	if (!call_table_is_held(t)) /* it came back: its result follows */
		return;
	struct call *c = t->call;
	t->wanted = false;
	b->ticket = NULL;
	b->waiting = NULL;
	a->result.outcome = OUTCOME_CANCELLED;
	call_end_attempt(s->x, a);
	cut(s, c);
	tell_runner(c);
}

void call_session_free(struct executor *e, void *session)
{
	struct call_session *s = session;
	(void)e;
	if (!s)
		return;
	for (size_t i = 0; i < s->dataset->batch_count; i++) {
		struct call_ticket *t = s->batches[i].ticket;
		if (!t)
			continue;
		t->wanted = false;
		tell_runner(t->call);
	}
	arena_release(&s->arena);
	mem_free(s);
}
