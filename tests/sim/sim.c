/* sim.c: the fake clock's loop, and the fakes. See sim.h. The bookkeeping of the fakes uses libc's own allocator, so that the fault loop fails the
 * engine and not the test. */
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/clock.h"

#define LOOPS_MOST 100000 /* steps at one moment: more is a busy loop */

static void *take(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size);
	if (!p)
		abort();
	return p;
}

/* ---- clock and loop ---- */

static void wake(void *user)
{
	((struct sim *)user)->woken = true;
}

bool sim_init(struct sim *s, uint64_t seed)
{
	*s = (struct sim){ .now_us = 1000000 };
	timers_init(&s->timers);
	rand_init(&s->rand, seed);
	struct engine_config config = { .timers = &s->timers, .seed = seed, .wake = wake, .wake_user = s };
	if (engine_new(&config, &s->engine) == 0)
		return true;
	timers_release(&s->timers);
	return false;
}

void sim_release(struct sim *s)
{
	engine_free(s->engine);
	assert_int_equal(s->timers.reserved, 0); /* every timer that was announced was given back */
	timers_release(&s->timers);
}

uint64_t sim_settle(struct sim *s)
{
	for (int i = 0; i < LOOPS_MOST; i++) {
		timers_run(&s->timers, s->now_us);
		s->woken = false;
		uint64_t next = engine_step(s->engine, s->now_us);
		s->steps++;
		uint64_t timer = timers_next(&s->timers);
		if (s->woken || next <= s->now_us || timer <= s->now_us)
			continue;
		return next < timer ? next : timer;
	}
	fail_msg("the engine is busy without getting anywhere at %llu us", (unsigned long long)s->now_us);
	return CLOCK_NEVER;
}

void sim_run_until(struct sim *s, uint64_t until_us)
{
	uint64_t next;
	while ((next = sim_settle(s)) <= until_us)
		s->now_us = next;
	s->now_us = until_us;
}

void sim_run_to_end(struct sim *s, struct sim_run *runs, size_t count)
{
	for (;;) {
		uint64_t next = sim_settle(s);
		bool all = true;
		for (size_t i = 0; i < count; i++)
			all = all && (runs[i].ended || !runs[i].run);
		if (all)
			return;
		if (next == CLOCK_NEVER)
			fail_msg("lost wake-up: nothing is left to happen at %llu us, but a run has not ended",
			         (unsigned long long)s->now_us);
		s->now_us = next;
	}
}

uint64_t sim_hash(uint64_t hash, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		hash = (hash ^ ((value >> (8 * i)) & 0xff)) * 0x100000001b3u;
	return hash;
}

/* ---- source: stands for model/payload.c, whose functions these are ---- */

struct dataset_source {
	struct fake_source_plan plan;
	size_t next;
};
static size_t source_open, source_most_open;

struct dataset_source *fake_source_new(const struct fake_source_plan *plan)
{
	struct dataset_source *s = take(1, sizeof *s);
	s->plan = *plan;
	return s;
}

size_t fake_source_open(void)
{
	return source_open;
}

size_t fake_source_most_open(void)
{
	return source_most_open;
}

void fake_source_reset(void)
{
	source_open = source_most_open = 0;
}

static int fill_dataset(struct dataset *d, const struct fake_source_plan *plan, size_t index)
{
	d->index = index;
	d->context = str_from(plan->context);
	d->batch_count = plan->turns(index);
	d->batches = arena_calloc(&d->arena, d->batch_count, sizeof *d->batches);
	char *id = arena_printf(&d->arena, "s%zu", index);
	if (!d->batches || !id || !arena_alloc(&d->arena, plan->bytes))
		return FF_ENOMEM;
	d->session_id = str_from(id);
	for (size_t i = 0; i < d->batch_count; i++)
		d->batches[i].query = STR("What is 2+2?");
	return 0;
}

int dataset_source_next(struct dataset_source *s, struct problems *problems, struct dataset **ret, struct error *err)
{
	(void)problems;
	if (s->next == s->plan.datasets)
		return 0;
	if (s->next == s->plan.fail_at)
		return error_set(err, FF_EIO, "tests.jsonl", "The file cannot be read: the disk is gone.");
	struct arena arena = ARENA_INIT;
	struct dataset *d = ARENA_NEW(&arena, struct dataset);
	if (!d)
		return error_nomem(err);
	d->arena = arena;
	if (fill_dataset(d, &s->plan, s->next) != 0) {
		dataset_free(d);
		return error_nomem(err);
	}
	s->next++;
	source_open++;
	source_most_open = MAX(source_most_open, source_open);
	*ret = d;
	return 1;
}

void dataset_source_take_back(struct dataset_source *s, struct dataset *d)
{
	(void)s;
	dataset_free(d);
}

void dataset_source_free(struct dataset_source *s)
{
	free(s);
}

/* ---- executor ---- */

struct fake_call {
	struct timer timer;
	struct fake_executor *x;
	struct attempt *a;
	struct fake_reply reply;
	bool cancelled;
};

static void call_over(struct timer *timer, uint64_t now_us)
{
	struct fake_call *call = CONTAINER_OF(timer, struct fake_call, timer);
	struct attempt *a = call->a;
	struct attempt_result *r = &a->result;
	bool cancelled = call->cancelled && !call->x->deaf;
	r->outcome = cancelled ? OUTCOME_CANCELLED : call->reply.outcome;
	r->retryable = !cancelled && call->reply.retryable;
	r->http_status = cancelled ? 0 : call->reply.status;
	r->unreachable = r->http_status == 0;
	r->hint_ms = cancelled ? -1 : call->reply.hint_ms;
	r->daily_quota = !cancelled && call->reply.daily_quota;
	r->setup_error = !cancelled && call->reply.setup_error;
	if (outcome_is_success(r->outcome))
		r->answer = STR("4");
	else
		r->error = STR("Fake: it failed.");
	if (!cancelled && r->http_status)
		r->first_byte_us = r->last_byte_us = now_us;
	call->a = NULL;
	call->x->in_flight--;
	a->done(a);
}

static struct fake_call *free_call(struct fake_executor *x)
{
	for (uint32_t i = 0; i < x->call_count; i++) {
		if (!x->calls[i].a)
			return &x->calls[i];
	}
	fail_msg("more than %u attempts are in flight", x->call_count);
	return NULL;
}

static void check_order(struct fake_executor *x, const struct attempt *a)
{
	size_t *next = &x->next_turn[a->dataset->index];
	if (!x->base.ordered)
		return;
	if (a->index == 0) {
		if (a->batch < *next)
			fail_msg("turn %zu of dataset %zu was started again", a->batch, a->dataset->index);
		*next = a->batch + 1;
	}
	assert_int_equal(*next, a->batch + 1);
}

static void fake_start(struct executor *base, struct attempt *a)
{
	struct fake_executor *x = CONTAINER_OF(base, struct fake_executor, base);
	struct fake_call *call = free_call(x);
	check_order(x, a);
	assert_non_null(a->messages);
	assert_int_equal(a->fresh_connect, a->index > 0);
	assert_true(a->deadline_us > x->sim->now_us);
	x->in_flight++;
	x->started++;
	x->last_start_us = x->sim->now_us;
	x->most_in_flight = MAX(x->most_in_flight, x->in_flight);
	if (x->in_flight > x->most_allowed)
		fail_msg("%u attempts in flight, %u allowed", x->in_flight, x->most_allowed);
	call->a = a;
	call->cancelled = false;
	call->reply = x->reply(x, a);
	a->executor_state = call;
	a->result.sent_us = x->sim->now_us;
	timer_arm(&x->sim->timers, &call->timer, x->sim->now_us + call->reply.latency_us);
}

static void fake_cancel(struct executor *base, struct attempt *a)
{
	struct fake_executor *x = CONTAINER_OF(base, struct fake_executor, base);
	struct fake_call *call = a->executor_state;
	assert_non_null(call);
	assert_ptr_equal(call->a, a);
	assert_false(call->cancelled);
	call->cancelled = true;
	x->cancelled++;
	timer_arm(&x->sim->timers, &call->timer, x->sim->now_us + (x->deaf ? 1000000 : 0));
}

static int fake_session_new(struct executor *base, const struct dataset *d, void **ret_session)
{
	struct fake_executor *x = CONTAINER_OF(base, struct fake_executor, base);
	(void)d;
	char *session = mem_alloc(1);
	if (!session)
		return FF_ENOMEM;
	x->sessions_open++;
	*ret_session = session;
	return 0;
}

static void fake_session_free(struct executor *base, void *session)
{
	CONTAINER_OF(base, struct fake_executor, base)->sessions_open--;
	mem_free(session);
}

static void fake_executor_free(struct executor *base)
{
	struct fake_executor *x = CONTAINER_OF(base, struct fake_executor, base);
	assert_int_equal(x->in_flight, 0);
	assert_int_equal(x->sessions_open, 0);
	timers_unreserve(&x->sim->timers, x->call_count);
	free(x->calls);
	free(x->next_turn);
	free(x);
}

static const struct executor_ops fake_ops = {
	.start = fake_start,
	.cancel = fake_cancel,
	.session_new = fake_session_new,
	.session_free = fake_session_free,
	.free = fake_executor_free,
};

struct fake_executor *fake_executor_new(struct sim *s, const char *origin, uint32_t calls, bool ordered, size_t datasets,
                                        struct fake_reply (*reply)(struct fake_executor *, const struct attempt *))
{
	if (timers_reserve(&s->timers, calls) != 0)
		return NULL;
	struct fake_executor *x = take(1, sizeof *x);
	x->base = (struct executor){ .ops = &fake_ops,
		                     .ordered = ordered,
		                     .label = "Fake",
		                     .target_origin = origin,
		                     .default_max_retries = 2,
		                     .backoff_first_s = 0.5,
		                     .backoff_cap_s = 8 };
	x->sim = s;
	x->most_allowed = calls;
	x->reply = reply;
	x->calls = take(calls, sizeof *x->calls);
	x->call_count = calls;
	x->next_turn = take(datasets, sizeof *x->next_turn);
	x->dataset_count = datasets;
	for (uint32_t i = 0; i < calls; i++) {
		x->calls[i].x = x;
		timer_init(&x->calls[i].timer, call_over);
	}
	return x;
}

/* ---- sink ---- */

struct fake_open {
	struct timer timer;
	struct fake_sink *k;
	struct record *record;
	bool failed;
};

static struct fake_sink *sink_of(struct sink *s)
{
	return CONTAINER_OF(s, struct fake_sink, base);
}

static void record_over(struct timer *timer, uint64_t now_us)
{
	struct fake_open *open = CONTAINER_OF(timer, struct fake_open, timer);
	struct record *record = open->record;
	(void)now_us;
	open->record = NULL;
	open->k->open--;
	record->done(record, open->failed ? FF_EOUTPUT : 0);
}

static struct fake_open *free_open(struct fake_sink *k)
{
	for (size_t i = 0; i < k->open_room; i++) {
		if (!k->opens[i].record)
			return &k->opens[i];
	}
	fail_msg("more records are open than the sink has credits for");
	return NULL;
}

static int sink_begin(struct sink *s, struct error *err)
{
	struct fake_sink *k = sink_of(s);
	assert_false(k->begun);
	k->begun = true;
	return k->fail_begin ? error_set(err, FF_EOUTPUT, "out.json", "The output cannot be opened.") : 0;
}

static void note_record(struct fake_sink *k, const struct turn_result *r)
{
	size_t at = k->first[r->dataset->index] + r->batch;
	if (k->seen[at])
		fail_msg("turn %zu of dataset %zu was recorded twice", r->batch, r->dataset->index);
	k->seen[at] = 1;
	k->outcomes[at] = r->outcome;
	k->missing[r->dataset->index]--;
	k->records++;
	assert_true(r->answer.len > 0 || r->outcome == OUTCOME_EMPTY);
	assert_true(r->execution_ms >= 0);
	if (r->execution_ms > k->longest_ms)
		k->longest_ms = r->execution_ms;
	if (!outcome_is_success(r->outcome)) {
		free(k->failure);
		k->failure = strndup(r->answer.ptr, r->answer.len);
	}
	if (k->check)
		k->check(k, r);
}

static void sink_record(struct sink *s, struct record *record)
{
	struct fake_sink *k = sink_of(s);
	assert_true(k->begun && !k->finished);
	if (k->open >= k->base.credits)
		fail_msg("a record came although %zu of %zu credits are used", k->open, k->base.credits);
	bool failed = k->records == k->fail_at;
	note_record(k, &record->result);
	if (k->delay_us == 0) {
		record->done(record, failed ? FF_EOUTPUT : 0);
		return;
	}
	struct fake_open *open = free_open(k);
	open->record = record;
	open->failed = failed;
	k->open++;
	k->most_open = MAX(k->most_open, k->open);
	timer_arm(&k->sim->timers, &open->timer, k->sim->now_us + (uint64_t)(rand_unit(&k->sim->rand) * (double)k->delay_us));
}

static int sink_dataset_end(struct sink *s, const struct dataset_summary *summary, struct error *err)
{
	struct fake_sink *k = sink_of(s);
	size_t index = summary->dataset->index;
	assert_int_equal(k->missing[index], 0);
	assert_int_equal(summary->successes + summary->failures, summary->dataset->batch_count);
	k->missing[index] = SIZE_MAX;
	k->ended++;
	source_open--;
	return k->fail_dataset_end ? error_set(err, FF_EOUTPUT, "out.json", "The disk is full.") : 0;
}

static int sink_end(struct sink *s, struct error *err)
{
	struct fake_sink *k = sink_of(s);
	assert_false(k->finished);
	assert_int_equal(k->open, 0);
	k->finished = true;
	return k->fail_end ? error_set(err, FF_EOUTPUT, "out.json", "The output cannot be closed.") : 0;
}

static void sink_release(struct sink *s)
{
	struct fake_sink *k = sink_of(s);
	timers_unreserve(&k->sim->timers, k->open_room);
	free(k->first);
	free(k->seen);
	free(k->outcomes);
	free(k->missing);
	free(k->opens);
	free(k->failure);
	free(k);
}

static const struct sink_ops fake_sink_ops = {
	.begin = sink_begin, .record = sink_record, .dataset_end = sink_dataset_end, .end = sink_end, .free = sink_release
};

static void lay_out_turns(struct fake_sink *k)
{
	k->first = take(k->datasets, sizeof *k->first);
	k->missing = take(k->datasets, sizeof *k->missing);
	for (size_t i = 0; i < k->datasets; i++) {
		k->first[i] = k->total;
		k->missing[i] = k->turns(i);
		k->total += k->turns(i);
	}
	k->seen = take(k->total, 1);
	k->outcomes = take(k->total, sizeof *k->outcomes);
}

struct fake_sink *fake_sink_new(struct sim *s, size_t datasets, size_t (*turns)(size_t dataset), size_t credits, uint64_t delay_us)
{
	size_t room = delay_us ? MIN(credits, (size_t)4096) : 0;
	if (timers_reserve(&s->timers, room) != 0)
		return NULL;
	struct fake_sink *k = take(1, sizeof *k);
	k->base = (struct sink){ .ops = &fake_sink_ops, .credits = credits };
	k->sim = s;
	k->delay_us = delay_us;
	k->fail_at = SIZE_MAX;
	k->turns = turns;
	k->datasets = datasets;
	k->open_room = room;
	k->opens = take(room, sizeof *k->opens);
	for (size_t i = 0; i < room; i++) {
		k->opens[i].k = k;
		timer_init(&k->opens[i].timer, record_over);
	}
	lay_out_turns(k);
	return k;
}

void fake_sink_check_complete(const struct fake_sink *k)
{
	for (size_t i = 0; i < k->total; i++) {
		if (!k->seen[i])
			fail_msg("turn %zu of %zu was never recorded", i, k->total);
	}
	assert_int_equal(k->records, k->total);
	assert_int_equal(k->ended, k->datasets);
	assert_true(k->finished);
}

/* ---- a run ---- */

static void on_turn(void *user, const struct turn_result *r)
{
	struct sim_run *run = user;
	assert_non_null(r->dataset);
	run->turns_seen++;
}

static void on_end(void *user, struct run *run)
{
	struct sim_run *r = user;
	assert_false(r->ended);
	assert_true(r->run == NULL || r->run == run);
	r->ended = true;
	r->ended_us = r->sim->now_us;
}

void sim_options(struct options *o, uint32_t concurrency, bool adaptive)
{
	options_init(o);
	o->concurrency = concurrency;
	o->adaptive = adaptive;
	o->turn_timeout_ms = 900000;
	o->deadline_ms = 0;
	o->max_retries = -1;
	o->order = ORDER_LONGEST_FIRST;
}

void sim_start_with(struct sim *s, struct sim_run *r, const struct options *options, struct dataset_source *source,
                    struct executor *executor, struct fake_sink *sink)
{
	*r = (struct sim_run){ .sim = s, .sink = sink, .options = *options };
	struct run_config config = {
		.options = &r->options,
		.source = source,
		.executor = executor,
		.runner = &llm_runner,
		.sink = &sink->base,
		.started_us = s->now_us,
		.on_turn = on_turn,
		.on_end = on_end,
		.user = r,
	};
	struct error err = { 0 };
	struct run *run = NULL;
	r->start_code = engine_start_run(s->engine, &config, &run, &err);
	r->run = run;
	if (r->start_code != 0) {
		assert_null(run);
		assert_true(err.text[0] != '\0');
		r->sink = NULL;
	}
}

void sim_start(struct sim *s, struct sim_run *r, const struct options *options, struct dataset_source *source,
               struct fake_executor *executor, struct fake_sink *sink)
{
	sim_start_with(s, r, options, source, &executor->base, sink);
	if (r->start_code == 0)
		r->executor = executor;
}
