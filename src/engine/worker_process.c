/*
 * worker_process.c: one worker: lines in, jobs done, and everything that a process can do wrong.
 *
 *   DOWN ──start──> STARTING ──welcome──> READY ──a turn that does not end──> RETIRED
 *     ^                │                    │                                    │
 *     └────────────────┴──exit, broken line─┘                                    └──> freed
 *
 * A line that breaks the protocol says nothing about which turn it belongs to, so all turns of the process end with it. What can be told from an id
 * ends one turn.
 *
 * worker_process_down may be called from any callback of the child: the child is dismissed then and calls nothing more, and `serial` is 0, which is
 * how the loop over the lines of a chunk sees that the rest is nobody's.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "engine/worker_internal.h"

#define LINE_KEPT_BYTES ((size_t)64 << 10) /* memory that a long line leaves behind */
#define CLAUSE_BYTES    1200

/* ---- the timer ---- */

static void start_again(struct worker *w)
{
	struct error err = { 0 };

	if (worker_process_start(w, &err) == 0)
		return;
	log_warning(w->x->config.logger, "Worker %u cannot be started again: %s", w->index, err.text);
	w->answered = false;
	worker_pool_gone(w, false);
}

static void timer_fired(struct timer *timer, uint64_t now_us)
{
	struct worker *w = CONTAINER_OF(timer, struct worker, timer);
	char clause[80];

	(void)now_us;
	switch (w->state) {
	case WORKER_DOWN: start_again(w); break;
	case WORKER_STARTING:
		(void)snprintf(clause, sizeof(clause), "sent no welcome within %g s",
		               (double)w->x->config.welcome_timeout_ms / 1000);
		worker_process_down(w, OUTCOME_TRANSPORT, clause);
		break;
	case WORKER_READY:
	case WORKER_RETIRED: worker_pool_retire(w); break;
	}
}

void worker_process_arm(struct worker *w)
{
	struct timers *timers = loop_timers(w->x->config.loop);
	uint64_t at = CLOCK_NEVER;

	if (w->state == WORKER_STARTING)
		at = worker_now_us(w->x) + w->x->config.welcome_timeout_ms * 1000;
	else if (w->state == WORKER_READY && !list_empty(&w->abandoned))
		at = LIST_ENTRY(w->abandoned.next, struct worker_job, link)->give_up_us;
	if (at == CLOCK_NEVER)
		timer_disarm(timers, &w->timer);
	else
		timer_arm(timers, &w->timer, at);
}

/* ---- what its own doing may write into the log ---- */

/* The limit is a bucket that holds WORKER_LOG_BURST lines and gets one more every WORKER_LOG_EVERY_US. */
static bool may_log(struct worker *w)
{
	const struct logger *logger = w->x->config.logger;
	uint64_t now_us = worker_now_us(w->x), from_us = MAX(w->log_from_us, now_us);

	if (!logger || logger->level < LOG_INFO)
		return false;
	if (from_us - now_us > WORKER_LOG_BURST * WORKER_LOG_EVERY_US) {
		w->unlogged++;
		return false;
	}
	w->log_from_us = from_us + WORKER_LOG_EVERY_US;
	if (w->unlogged)
		log_info(logger, "Worker %u gave the log %" PRIu64 " more lines than it takes.", w->index, w->unlogged);
	w->unlogged = 0;
	return true;
}

/* ---- replies ---- */

/* The job is over: its slot is free. */
static void close_job(struct worker *w, struct worker_job *job)
{
	struct worker_executor *x = w->x;
	struct worker_session *s = x->capabilities.datasets ? job->session : NULL;

	worker_job_free(x, job);
	worker_process_arm(w);
	if (s)
		worker_session_job_over(s);
	if (w->state == WORKER_RETIRED && list_empty(&w->jobs))
		worker_process_down(w, OUTCOME_TRANSPORT, "was replaced");
	else
		worker_pool_dispatch(x);
}

static void deliver(struct worker *w, struct worker_call *call, const struct json *reply)
{
	struct worker_executor *x = w->x;
	struct attempt *a = call->attempt;
	struct worker_reader how = { worker_label(w), x->config.scrubber };
	double elapsed_ms = -1;

	call->attempt = NULL;
	if (worker_reply_read(reply, &a->dataset->batches[a->batch], &how, a->arena, &a->result, &elapsed_ms))
		a->result = (struct attempt_result){ .outcome = OUTCOME_TRANSPORT,
			                             .error = STR("out of memory while the reply was read"),
			                             .usage = USAGE_UNKNOWN,
			                             .hint_ms = -1 };
	worker_stamp(call->job, &a->result, elapsed_ms, worker_now_us(x));
	worker_attempt_ended(x, a);
}

static void note_life(struct worker *w)
{
	w->answered = true;
	w->fruitless = w->failed_starts = 0;
}

static void take_call(struct worker *w, struct worker_call *call, const struct json *reply)
{
	struct worker_executor *x = w->x;
	struct worker_job *job = call->job;

	note_life(w);
	call->open = false;
	job->open--;
	if (x->capabilities.datasets) {
		if (job->session)
			worker_session_reply(job->session, call, reply, w);
		return;
	}
	if (job->session)
		job->session->answered = true;
	if (call->attempt)
		deliver(w, call, reply);
	close_job(w, job);
}

static void take_stray(struct worker *w, uint64_t id)
{
	char clause[120];

	if (id < w->next_id) {
		if (may_log(w))
			log_info(w->x->config.logger,
			         "Worker %u replied to %" PRIu64 " once more, or when its time was over: ignored.", w->index, id);
		return;
	}
	(void)snprintf(clause, sizeof(clause), "replied to the id %" PRIu64 ", which it was not given", id);
	worker_process_down(w, OUTCOME_BAD_REPLY, clause);
}

static struct worker_call *find_call(const struct worker *w, uint64_t id)
{
	return id_map_get(&w->calls, id);
}

static void take_reply(struct worker *w, const struct worker_message *m)
{
	struct worker_call *call = find_call(w, m->id);

	if (call && call->open)
		take_call(w, call, &m->json);
	else
		take_stray(w, m->id);
}

static void take_dataset_end(struct worker *w, const struct worker_message *m)
{
	struct worker_executor *x = w->x;
	struct worker_call *call = find_call(w, m->id + 1);
	struct worker_job *job = call && call->job->id == m->id ? call->job : NULL;
	struct worker_reader how = { worker_label(w), x->config.scrubber };
	struct attempt_result result = { .outcome = OUTCOME_BAD_REPLY,
		                         .error = STR("The worker ended the dataset without a reply for this batch."),
		                         .usage = USAGE_UNKNOWN,
		                         .hint_ms = -1 };
	bool failed;

	if (!x->capabilities.datasets) {
		worker_process_down(w, OUTCOME_BAD_REPLY, "ended a dataset, and it was given turns");
		return;
	}
	if (!job) {
		take_stray(w, m->id);
		return;
	}
	note_life(w);
	if (worker_dataset_end_read(&m->json, &how, &x->arena, &result, &failed))
		result.error = STR("out of memory while the end of the dataset was read");
	worker_job_fail(x, job, &result);
	close_job(w, job);
}

/* ---- the welcome ---- */

static bool same_capabilities(const struct worker_capabilities *a, const struct worker_capabilities *b)
{
	return a->concurrency == b->concurrency && a->ordered == b->ordered && a->cancel == b->cancel && a->sticky == b->sticky &&
	       a->datasets == b->datasets;
}

static void take_welcome(struct worker *w, const struct worker_message *m)
{
	struct worker_executor *x = w->x;
	char clause[CLAUSE_BYTES];

	if (m->refusal.len) {
		size_t len = utf8_cut(m->refusal, sizeof(clause) - 40);

		len -= m->refusal.ptr[len - 1] == '.';
		(void)snprintf(clause, sizeof(clause), "cannot start: %.*s", (int)len, m->refusal.ptr);
		worker_process_down(w, OUTCOME_TRANSPORT, clause);
		return;
	}
	if (x->welcomed && !same_capabilities(&m->capabilities, &x->capabilities)) {
		worker_process_down(w, OUTCOME_TRANSPORT, "welcomed us with other capabilities than the first worker");
		return;
	}
	if (!x->welcomed) {
		x->welcomed = true;
		x->capabilities = m->capabilities;
		(void)snprintf(x->name, sizeof(x->name), "%.*s", STR_ARG(m->name));
	}
	w->state = WORKER_READY;
	worker_process_arm(w);
	log_info(x->config.logger, "Worker %u (process %d) is ready.", w->index, child_pid(w->child));
	if (x->started)
		worker_pool_dispatch(x);
}

/* ---- lines ---- */

static void take_message(struct worker *w, const struct worker_message *m)
{
	if (w->state == WORKER_STARTING && m->kind == WORKER_WELCOME)
		take_welcome(w, m);
	else if (w->state == WORKER_STARTING)
		worker_process_down(w, OUTCOME_BAD_REPLY, "wrote something else before its welcome");
	else if (m->kind == WORKER_WELCOME)
		worker_process_down(w, OUTCOME_BAD_REPLY, "welcomed us twice");
	else if (m->kind == WORKER_REPLY)
		take_reply(w, m);
	else
		take_dataset_end(w, m);
}

static void no_memory_for_line(struct worker *w)
{
	if (!w->x->started && !w->x->start_error.code)
		error_nomem(&w->x->start_error);
	worker_process_down(w, OUTCOME_TRANSPORT, "wrote a line for which there was no memory");
}

static void take_line(struct worker *w, struct str line)
{
	struct worker_executor *x = w->x;
	struct worker_message message;
	struct error err = { 0 };
	int r;

	if (str_trim(line).len == 0)
		return;
	arena_reset(&x->arena);
	r = worker_line_parse(line, &x->arena, &message, &err);
	if (r == 0)
		take_message(w, &message);
	else if (r == FF_ENOMEM)
		no_memory_for_line(w);
	else
		worker_process_down(w, OUTCOME_BAD_REPLY, err.text);
}

/* Keeps the beginning of a line. False: the process was ended. */
static bool keep_piece(struct worker *w, struct str piece)
{
	char quoted[1000], clause[CLAUSE_BYTES];
	int r = buf_append_str(&w->line, piece);

	if (r == 0)
		return true;
	if (r == FF_ENOMEM) {
		no_memory_for_line(w);
		return false;
	}
	worker_line_quote(buf_str(&w->line), quoted, sizeof(quoted));
	(void)snprintf(clause, sizeof(clause), "wrote a line of more than %zu MiB: %s", WORKER_LINE_MAX_BYTES >> 20, quoted);
	worker_process_down(w, OUTCOME_BAD_REPLY, clause);
	return false;
}

static void on_output(void *user, const char *data, size_t len)
{
	struct worker *w = user;
	struct str rest = str_of(data, len);
	uint64_t serial = w->serial;

	while (rest.len && w->serial == serial) {
		const char *feed = memchr(rest.ptr, '\n', rest.len);
		struct str piece = feed ? str_of(rest.ptr, (size_t)(feed - rest.ptr)) : rest;
		bool whole = w->line.len == 0 && feed;

		rest = feed ? str_sub(rest, piece.len + 1, rest.len) : STR_NULL;
		if (!whole && !keep_piece(w, piece))
			return;
		if (!feed)
			return;
		take_line(w, whole ? piece : buf_str(&w->line));
		if (!whole && w->serial == serial) {
			buf_clear(&w->line);
			buf_shrink(&w->line, LINE_KEPT_BYTES);
		}
	}
}

/* ---- standard error ---- */

static void on_error_line(void *user, struct str line)
{
	struct worker *w = user;
	struct str words = str_trim(line);

	if (words.len)
		(void)snprintf(w->last_words, sizeof(w->last_words), "%.*s", (int)utf8_cut(words, WORKER_LAST_WORDS), words.ptr);
	if (may_log(w))
		log_info(w->x->config.logger, "Worker %u: %.*s", w->index, STR_ARG(line));
}

/* ---- the end of the process ---- */

static void end_with_words(struct worker *w, const char *what)
{
	char clause[CLAUSE_BYTES];

	(void)snprintf(clause, sizeof(clause), "%s%s%s%s", what, w->state == WORKER_STARTING ? " before its welcome" : "",
	               *w->last_words ? "; its last line on standard error: " : "", w->last_words);
	worker_process_down(w, OUTCOME_TRANSPORT, clause);
}

static void on_output_end(void *user)
{
	end_with_words(user, "closed its standard output");
}

static void on_input_closed(void *user)
{
	end_with_words(user, "closed its standard input");
}

static void on_exit(void *user, const struct child_end *end)
{
	char how[120], what[160];

	child_end_format(end, how, sizeof(how));
	(void)snprintf(what, sizeof(what), "ended with %s", how);
	end_with_words(user, what);
}

static const struct child_callbacks callbacks = {
	.on_output = on_output,
	.on_output_end = on_output_end,
	.on_error_line = on_error_line,
	.on_input_closed = on_input_closed,
	.on_exit = on_exit,
};

/* Before every worker has welcomed us it is the answer of the whole run. */
static void note_start_error(struct worker_executor *x, const char *clause)
{
	if (!x->started && !x->start_error.code)
		error_set(&x->start_error, FF_EUSAGE, "", "The worker '%s' %s.", x->config.command, clause);
}

static void fail_jobs(struct worker *w, struct list *jobs, const struct attempt_result *result)
{
	struct worker_executor *x = w->x;
	struct list *node;

	while ((node = jobs->next) != jobs) {
		struct worker_job *job = LIST_ENTRY(node, struct worker_job, link);
		struct worker_session *s = x->capabilities.datasets ? job->session : NULL;

		worker_job_fail(x, job, result);
		worker_job_free(x, job);
		if (s)
			worker_session_job_over(s);
	}
}

/* A retired one is not in the table of workers any more: it is freed from the loop. */
static void bury(struct worker *w)
{
	list_remove(&w->link);
	list_push_back(&w->x->dead, &w->link);
	w->x->retired_count--;
	loop_defer(w->x->config.loop, &w->x->ended);
}

void worker_process_down(struct worker *w, enum outcome outcome, const char *clause)
{
	struct worker_executor *x = w->x;
	char text[CLAUSE_BYTES + sizeof(w->label)];
	struct attempt_result result = { .outcome = outcome,
		                         .retryable = outcome == OUTCOME_TRANSPORT,
		                         .unreachable = !w->answered,
		                         .usage = USAGE_UNKNOWN,
		                         .hint_ms = -1 };
	bool welcomed = w->state != WORKER_STARTING, retired = w->state == WORKER_RETIRED;

	(void)snprintf(text, sizeof(text), "%s: it %s.", worker_label(w), clause);
	result.error = str_from(text);
	log_info(x->config.logger, "%s", text);
	note_start_error(x, clause);
	w->state = WORKER_DOWN;
	w->serial = 0;
	child_dismiss(w->child, false);
	w->child = NULL;
	timer_disarm(loop_timers(x->config.loop), &w->timer);
	fail_jobs(w, &w->jobs, &result);
	fail_jobs(w, &w->abandoned, &result);
	if (retired)
		bury(w);
	else
		worker_pool_gone(w, welcomed);
}

/* ---- life ---- */

struct worker *worker_new(struct worker_executor *x, unsigned index)
{
	struct worker *w = NEW(struct worker);

	if (!w || timers_reserve(loop_timers(x->config.loop), 1)) {
		mem_free(w);
		return NULL;
	}
	w->x = x;
	w->index = index;
	w->next_id = 1;
	timer_init(&w->timer, timer_fired);
	buf_init(&w->line, WORKER_LINE_MAX_BYTES);
	id_map_init(&w->calls);
	list_init(&w->link);
	list_init(&w->jobs);
	list_init(&w->abandoned);
	list_init(&w->queue);
	return w;
}

static void free_jobs(struct worker_executor *x, struct list *jobs)
{
	while (!list_empty(jobs))
		worker_job_free(x, LIST_ENTRY(jobs->next, struct worker_job, link));
}

void worker_free(struct worker *w)
{
	struct timers *timers;
	bool idle;

	if (!w)
		return;
	timers = loop_timers(w->x->config.loop);
	idle = w->state == WORKER_READY && list_empty(&w->jobs) && list_empty(&w->abandoned);
	if (idle) {
		buf_clear(&w->x->scratch);
		worker_write_bye(&w->x->scratch);
		idle = worker_process_send(w) == 0;
	}
	free_jobs(w->x, &w->jobs);
	free_jobs(w->x, &w->abandoned);
	free_jobs(w->x, &w->queue);
	child_dismiss(w->child, idle);
	timer_disarm(timers, &w->timer);
	timers_unreserve(timers, 1);
	list_remove(&w->link);
	buf_release(&w->line);
	id_map_release(&w->calls);
	mem_free(w);
}

int worker_process_send(struct worker *w)
{
	struct buf *line = &w->x->scratch;

	return buf_failed(line) ? FF_ENOMEM : child_send(w->child, buf_str(line)) ? FF_ENOMEM : 0;
}

static int say_hello(struct worker *w)
{
	struct worker_executor *x = w->x;
	struct worker_hello hello = { .worker = w->index,
		                      .workers = x->config.workers,
		                      .start = w->starts,
		                      .concurrency = x->concurrency,
		                      .args = x->config.args };

	buf_clear(&x->scratch);
	worker_write_hello(&x->scratch, &hello);
	return worker_process_send(w);
}

int worker_process_start(struct worker *w, struct error *err)
{
	struct worker_executor *x = w->x;
	struct child_config config = { .argv = x->config.argv, .envp = x->config.envp, .callbacks = &callbacks, .user = w };
	int r = child_start(x->config.keeper, &config, &w->child, err);

	if (r)
		return r;
	w->starts++;
	w->serial = ++x->last_serial;
	w->next_id = 1;
	w->sessions = 0;
	w->answered = false;
	w->last_words[0] = '\0';
	buf_clear(&w->line);
	if (say_hello(w)) {
		child_dismiss(w->child, false);
		w->child = NULL;
		w->serial = 0;
		return error_nomem(err);
	}
	w->state = WORKER_STARTING;
	worker_process_arm(w);
	return 0;
}
