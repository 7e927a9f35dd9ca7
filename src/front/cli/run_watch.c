/*
 * run_watch.c: what happens in a run, told to people or programs.
 *
 * Failures repeat: a wrong key fails every turn with the same sentence. Only sentences that were not told yet are told, and at most
 * WATCH_FAILURES of them; the rest is counted.
 */
#include "front/cli/run_watch.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "front/cli/events_json.h"
#include "front/common/terminal.h"

#define LINE_MAX_BYTES ((size_t)64 << 20)
#define SHOWN_BYTES    ((size_t)400) /* of a failure's sentence */

static enum progress_style choose_style(const struct report *report, bool forced)
{
	if (report->quiet)
		return PROGRESS_NONE;
	if (report->json)
		return forced ? PROGRESS_JSON : PROGRESS_NONE;
	return forced || terminal_is_smart(STDERR_FILENO) ? PROGRESS_BAR : PROGRESS_LINES;
}

void run_watch_init(struct run_watch *w, struct report *report, bool forced)
{
	*w = (struct run_watch){ .report = report, .style = choose_style(report, forced) };
	w->started_us = clock_monotonic_us();
	progress_start(&w->progress, w->style, report->colour, report, w->started_us);
	report->around = progress_around;
	report->user = &w->progress;
}

void run_watch_release(struct run_watch *w)
{
	for (size_t i = 0; i < w->failure_count; i++)
		mem_free(w->failures[i]);
	w->report->around = NULL;
}

static void say_json(struct run_watch *w, struct buf *line)
{
	event_end(line);
	if (!w->report->quiet)
		report_line(w->report, line);
	buf_release(line);
}

/* ---- turns ---- */

static bool was_told(const struct run_watch *w, const char *sentence, size_t len)
{
	for (size_t i = 0; i < w->failure_count; i++)
		if (strlen(w->failures[i]) == len && !memcmp(w->failures[i], sentence, len))
			return true;
	return false;
}

static void tell_failure(struct run_watch *w, const struct ff_turn *t)
{
	struct str sentence = str_of(t->answer, t->answer_len);
	size_t shown = utf8_cut(sentence, SHOWN_BYTES);

	if (was_told(w, t->answer, shown))
		return;
	if (w->failure_count == WATCH_FAILURES) {
		w->failures_unsaid++;
		return;
	}
	w->failures[w->failure_count] = mem_strndup(t->answer, shown);
	if (w->failures[w->failure_count])
		w->failure_count++;
	report_text(w->report, FF_LOG_WARNING, "%s, %s: %.*s%s", t->session_id, t->qa_id, (int)shown, t->answer,
	            shown < sentence.len ? "..." : "");
}

static void count_outcome(struct run_watch *w, const char *word)
{
	struct ff_outcome_info info;

	for (size_t i = 0; i < ARRAY_SIZE(w->outcome_counts) && ff_outcome_at(i, &info) == 0; i++)
		if (!strcmp(info.word, word)) {
			w->outcome_counts[i]++;
			return;
		}
}

/* A turn that the end of the run left over; one that could not be sent for a reason of its own is a failure to tell. */
static bool was_stopped(const struct ff_turn *t)
{
	return !strcmp(t->outcome, "not_run") && t->answer_len >= 7 && !memcmp(t->answer, "not run", 7);
}

static void take_turn(struct run_watch *w, const struct ff_turn *t)
{
	struct buf line;

	count_outcome(w, t->outcome);
	if (w->report->json) {
		buf_init(&line, LINE_MAX_BYTES);
		event_begin(&line, "turn");
		event_append_turn(&line, t);
		say_json(w, &line);
		return;
	}
	if (!t->success && !was_stopped(t))
		tell_failure(w, t);
	if (t->key_in_answer)
		report_text(w->report, FF_LOG_WARNING, "%s, %s: a key in use stands in the answer; answers are never altered.",
		            t->session_id, t->qa_id);
}

/* ---- start ---- */

static void take_start(struct run_watch *w, const char *notice)
{
	struct buf line;

	if (!w->report->json) {
		if (notice)
			report_at(w->report, FF_LOG_INFO, "", notice);
		return;
	}
	buf_init(&line, LINE_MAX_BYTES);
	event_begin(&line, "start");
	event_text(&line, "version", str_from(ff_version()));
	if (notice)
		event_text(&line, "notice", str_from(notice));
	say_json(w, &line);
}

void run_watch_event(void *watch, const struct ff_event *event)
{
	struct run_watch *w = watch;

	switch (event->type) {
	case FF_EVENT_WARNING: report_at(w->report, FF_LOG_WARNING, event->pointer, event->text); break;
	case FF_EVENT_START: take_start(w, event->text); break;
	case FF_EVENT_TURN: take_turn(w, event->turn); break;
	case FF_EVENT_END: break; /* run_watch_close says it, when the outputs are in their place */
	}
}

/* ---- progress ---- */

void run_watch_tick(struct run_watch *w, const struct ff_run *run)
{
	struct ff_counts counts;

	if (w->style == PROGRESS_NONE)
		return;
	ff_run_counts(run, &counts);
	progress_tick(&w->progress, &counts, clock_monotonic_us());
}

int run_watch_timeout_ms(const struct run_watch *w)
{
	return progress_timeout_ms(&w->progress, clock_monotonic_us());
}

/* ---- the end ---- */

/* " (3 timeout, 1 http_5xx)" */
static void append_outcomes(const struct run_watch *w, bool success, struct buf *out)
{
	struct ff_outcome_info info;
	bool first = true;

	for (size_t i = 0; i < ARRAY_SIZE(w->outcome_counts) && ff_outcome_at(i, &info) == 0; i++) {
		if (!w->outcome_counts[i] || !info.success != !success || !strcmp(info.word, "ok") || !strcmp(info.word, "not_run"))
			continue;
		buf_printf(out, "%s%llu %s", first ? " (" : ", ", (unsigned long long)w->outcome_counts[i], info.word);
		first = false;
	}
	if (!first)
		buf_append_char(out, ')');
}

static void append_summary(const struct run_watch *w, const struct ff_counts *c, double seconds, struct buf *out)
{
	char took[48];

	progress_format_duration(seconds, took, sizeof(took));
	buf_printf(out, "%llu of %llu turns in %s: %llu ok", (unsigned long long)(c->done - c->not_run),
	           (unsigned long long)MAX(c->done, c->batches), took, (unsigned long long)c->succeeded);
	append_outcomes(w, true, out);
	buf_printf(out, ", %llu failed", (unsigned long long)c->failed);
	append_outcomes(w, false, out);
	if (c->not_run)
		buf_printf(out, ", %llu not run", (unsigned long long)c->not_run);
	if (c->retries)
		buf_printf(out, ", %llu extra attempts", (unsigned long long)c->retries);
	if (c->output_tokens >= 0)
		buf_printf(out, ", %lld tokens of answers", (long long)c->output_tokens);
	buf_append_char(out, '.');
	if (c->failed)
		buf_append_str(out, STR(" Failed turns carry their reason as \"[ERROR] ...\" in place of the answer."));
}

static void close_json(struct run_watch *w, const struct ff_run *run, const struct ff_counts *c, double seconds, int status)
{
	const struct ff_error *err = ff_run_error(run);
	struct ff_lag lag;
	struct buf line;

	buf_init(&line, LINE_MAX_BYTES);
	event_begin(&line, "end");
	event_int(&line, "exit_status", status);
	event_append_counts(&line, c);
	event_ms(&line, "wall_ms", seconds * 1000);
	ff_run_lag(run, &lag);
	event_ms(&line, "loop_lag_p99_ms", lag.p99_ms);
	event_ms(&line, "loop_lag_max_ms", lag.max_ms);
	if (err->code)
		event_text(&line, "error", str_from(err->text));
	say_json(w, &line);
}

void run_watch_close(struct run_watch *w, const struct ff_run *run, int status, bool output_told)
{
	double seconds = (double)(clock_monotonic_us() - w->started_us) / 1e6;
	const struct ff_error *err = ff_run_error(run);
	struct ff_counts counts;
	struct buf line;

	progress_clear(&w->progress);
	ff_run_counts(run, &counts);
	if (w->report->json) {
		close_json(w, run, &counts, seconds, status);
		return;
	}
	if (w->failures_unsaid)
		report_text(w->report, FF_LOG_WARNING, "%zu more turns failed for other reasons: the output has them.",
		            w->failures_unsaid);
	if (err->code && !(err->code == FF_R_OUTPUT && output_told))
		report_at(w->report, FF_LOG_ERROR, "", err->text);
	else if (!err->code && status && !output_told && w->report->quiet)
		report_text(w->report, FF_LOG_ERROR, "%" PRIu64 " of %" PRIu64 " turns failed.", counts.failed + counts.not_run,
		            counts.done);
	buf_init(&line, LINE_MAX_BYTES);
	append_summary(w, &counts, seconds, &line);
	report_at(w->report, FF_LOG_INFO, "", line.ptr ? line.ptr : "");
	buf_release(&line);
}
