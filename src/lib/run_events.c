/*
 * run_events.c: what happened, told to the embedder. Text of other people is given as it came: escaping is the screen's business.
 */
#include "base/alloc.h"
#include "lib/run.h"

static void deliver(struct ff_run *run, const struct ff_event *event)
{
	if (!run->on_event || run->muted)
		return;
	run->in_callback++;
	run->on_event(run->user, event);
	run->in_callback--;
}

void run_greet(struct ff_run *run)
{
	if (run->greeted)
		return;
	run->greeted = true;
	for (const struct finding *f = run->request.first; f; f = f->next)
		deliver(run,
		        &(struct ff_event){ .type = FF_EVENT_WARNING, .text = f->problem.text, .pointer = f->problem.pointer });
	deliver(run, &(struct ff_event){ .type = FF_EVENT_START,
	                                 .text = run->request.greeting ? run->request.greeting : run->request.account->notice,
	                                 .pointer = "" });
}

/* Searching costs the product of two lengths at worst, and a stranger chooses both: what is longer is left out, so that nobody waits for it. */
#define STRANGER_TEXT_MOST ((size_t)4 << 10)

#define NO_TEXT 0 /* where run->text holds a NUL */

/* Offset of a NUL-terminated copy in run->text, in which live keys are masked: events end on screens and in logs. */
static size_t keep(struct ff_run *run, struct str s)
{
	size_t at = run->text.len;

	if (!s.len)
		return NO_TEXT;
	if (run->engine->role == FF_ROLE_STRANGER && s.len > STRANGER_TEXT_MOST)
		s = STR(SECRET_CUT);
	if (scrub_append(request_scrubber(&run->request), &run->text, s))
		return at; /* the buffer remembers its failure */
	buf_append(&run->text, "", 1);
	return at;
}

static double ms_between(uint64_t from_us, uint64_t to_us)
{
	return from_us && to_us > from_us ? (double)(to_us - from_us) / 1000 : 0;
}

static void fill_turn(const struct turn_result *r, struct ff_turn *t)
{
	const struct stamps *s = &r->stamps;

	*t = (struct ff_turn){
		.outcome = outcome_word(r->outcome),
		.success = outcome_is_success(r->outcome),
		.answer = r->answer.ptr ? r->answer.ptr : "",
		.answer_len = r->answer.len,
		.execution_ms = r->execution_ms,
		.service_ms = r->service_ms,
		.first_content_ms = s->first_content && s->sent ? ms_between(s->sent, s->first_content) : -1,
		.queue_ms = ms_between(s->queued, s->first_sent),
		.attempts = r->attempts,
		.http_status = r->http_status,
		.input_tokens = r->usage.input_tokens,
		.output_tokens = r->usage.output_tokens,
		.total_tokens = r->usage.total_tokens,
		.resent = r->resent,
		.key_in_answer = r->key_in_answer,
	};
}

/* The first failed turn's sentence goes into the closing one: it is what a user can act on. */
static void note_failure(struct ff_run *run, const struct turn_result *r)
{
	size_t len = MIN(r->answer.len, sizeof(run->first_failure) - 1);

	if (run->first_failure[0] || outcome_is_success(r->outcome) || r->outcome == OUTCOME_NOT_RUN || !r->answer.len)
		return;
	if (len < r->answer.len)
		len = utf8_cut(r->answer, len);
	memcpy(run->first_failure, r->answer.ptr, len);
	run->first_failure[len] = '\0';
}

void run_deliver_turn(struct ff_run *run, const struct turn_result *r)
{
	size_t session, qa, reason, model, request, answer, answer_end;
	struct ff_turn turn;
	const char *text;
	bool masked = r->key_in_answer && r->answer.len;

	run_greet(run);
	note_failure(run, r);
	if (!run->on_event || run->muted)
		return;
	buf_clear(&run->text);
	buf_append(&run->text, "", 1);
	session = keep(run, r->dataset->session_id);
	qa = keep(run, r->dataset->batches[r->batch].qa_id);
	reason = keep(run, r->finish_reason);
	model = keep(run, r->model);
	request = keep(run, r->request_id);
	answer = masked ? keep(run, r->answer) : NO_TEXT;
	answer_end = run->text.len;
	text = buf_failed(&run->text) ? NULL : run->text.ptr;
	fill_turn(r, &turn);
	turn.session_id = text ? text + session : "";
	turn.qa_id = text ? text + qa : "";
	turn.finish_reason = text ? text + reason : "";
	turn.model = text ? text + model : "";
	turn.request_id = text ? text + request : "";
	if (masked) {
		turn.answer = text ? text + answer : "";
		turn.answer_len = text ? answer_end - answer - 1 : 0;
	}
	deliver(run, &(struct ff_event){ .type = FF_EVENT_TURN, .pointer = "", .turn = &turn });
}

void run_deliver_end(struct ff_run *run)
{
	run_greet(run);
	deliver(run, &(struct ff_event){ .type = FF_EVENT_END, .text = run->error.code ? run->error.text : NULL, .pointer = "" });
}
