/*
 * progress.c: how far a run is.
 *
 * The bar is drawn at most ten times a second and only when something changed or a second passed; lines come every 5 seconds or 10 per cent,
 * whichever is later than the last one. The rate looks back ten seconds, so that the ETA follows a target that slows down.
 */
#include "front/cli/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "front/cli/events_json.h"
#include "front/common/terminal.h"

#define DRAW_US         UINT64_C(100000)
#define REDRAW_US       UINT64_C(1000000)
#define LINE_US         UINT64_C(5000000)
#define LINE_MIN_US     UINT64_C(1000000) /* tenths of a quick run do not flood */
#define SAMPLE_US       UINT64_C(1000000)
#define BAR_MIN_COLUMNS 10
#define BAR_MAX_COLUMNS 30
#define TEXT_MAX_BYTES  ((size_t)4096)

void progress_start(struct progress *p, enum progress_style style, bool colour, const struct report *report, uint64_t now_us)
{
	*p = (struct progress){ .style = style, .colour = colour, .report = report, .started_us = now_us, .line_us = now_us };
}

void progress_format_duration(double seconds, char *out, size_t size)
{
	unsigned long long s = (unsigned long long)ceil(seconds);

	if (seconds < 10)
		snprintf(out, size, "%.1f s", seconds);
	else if (s < 60)
		snprintf(out, size, "%llu s", s);
	else if (s < 3600)
		snprintf(out, size, "%llu min %llu s", s / 60, s % 60);
	else
		snprintf(out, size, "%llu h %llu min", s / 3600, s % 3600 / 60);
}

/* Turns that ran to their end: after an interruption the rest counts as done too, and would show as a sudden rate. */
static uint64_t ran(const struct ff_counts *c)
{
	return c->done - c->not_run;
}

static void sample(struct progress *p, uint64_t now_us)
{
	if (p->sample_count && now_us - p->samples[p->sample_count - 1].at_us < SAMPLE_US)
		return;
	if (p->sample_count == PROGRESS_SAMPLES) {
		memmove(p->samples, p->samples + 1, (PROGRESS_SAMPLES - 1) * sizeof(p->samples[0]));
		p->sample_count--;
	}
	p->samples[p->sample_count].at_us = now_us;
	p->samples[p->sample_count++].done = ran(&p->counts);
}

double progress_rate(const struct progress *p, uint64_t now_us)
{
	uint64_t from_us = p->started_us, from_done = 0;

	if (p->sample_count == PROGRESS_SAMPLES) {
		from_us = p->samples[0].at_us;
		from_done = p->samples[0].done;
	}
	if (now_us <= from_us)
		return 0;
	return (double)(ran(&p->counts) - from_done) * 1e6 / (double)(now_us - from_us);
}

static void append_rate(const struct progress *p, uint64_t now_us, struct buf *out)
{
	const struct ff_counts *c = &p->counts;
	double rate = progress_rate(p, now_us);
	char eta[48];

	if (rate <= 0)
		return;
	buf_printf(out, ", %.*f/s", rate < 10 ? 1 : 0, rate);
	if (c->done >= c->batches)
		return;
	progress_format_duration((double)(c->batches - c->done) / rate, eta, sizeof(eta));
	buf_printf(out, ", ETA %s", eta);
}

/* "12/20 done, 10 ok, 2 failed, 4 in flight, 3.2/s, ETA 5 s" */
static void append_figures(const struct progress *p, uint64_t now_us, struct buf *out)
{
	const struct ff_counts *c = &p->counts;

	buf_printf(out, "%llu/%llu done, %llu ok, %llu failed, %llu in flight", (unsigned long long)ran(c),
	           (unsigned long long)c->batches, (unsigned long long)c->succeeded, (unsigned long long)c->failed,
	           (unsigned long long)c->in_flight);
	if (c->waiting_retry)
		buf_printf(out, ", %llu waiting to try again", (unsigned long long)c->waiting_retry);
	if (c->not_run)
		buf_printf(out, ", %llu not run", (unsigned long long)c->not_run);
	append_rate(p, now_us, out);
}

static void append_bar(const struct ff_counts *c, size_t columns, struct buf *out)
{
	size_t inside = columns - 2;
	size_t filled = c->batches ? (size_t)((double)ran(c) / (double)c->batches * (double)inside) : inside;

	buf_append_char(out, '[');
	for (size_t i = 0; i < inside; i++)
		buf_append_char(out, i < filled ? '#' : '.');
	buf_append_str(out, STR("] "));
}

void progress_format(const struct progress *p, uint64_t now_us, unsigned columns, struct buf *out)
{
	struct buf figures;
	size_t room = columns > 1 ? columns - 1 : 1, used, bar; /* the last column makes some terminals wrap */

	buf_init(&figures, TEXT_MAX_BYTES);
	append_figures(p, now_us, &figures);
	used = terminal_columns(buf_str(&figures));
	bar = used + 1 + BAR_MIN_COLUMNS <= room ? MIN(room - used - 1, (size_t)BAR_MAX_COLUMNS) : 0;
	if (bar)
		append_bar(&p->counts, bar, out);
	buf_append(out, figures.ptr ? figures.ptr : "", MIN(figures.len, terminal_fit(buf_str(&figures), room)));
	buf_release(&figures);
}

void progress_clear(struct progress *p)
{
	if (!p->drawn)
		return;
	report_raw("\r\033[K", 4);
	p->drawn = false;
}

static void draw(struct progress *p, uint64_t now_us)
{
	struct buf out;

	buf_init(&out, TEXT_MAX_BYTES);
	buf_append_char(&out, '\r');
	if (p->colour)
		buf_append_str(&out, p->counts.failed ? STR("\033[33m") : STR("\033[32m"));
	progress_format(p, now_us, terminal_width(STDERR_FILENO), &out);
	if (p->colour)
		buf_append_str(&out, STR("\033[0m"));
	buf_append_str(&out, STR("\033[K"));
	if (!buf_failed(&out))
		report_raw(out.ptr, out.len);
	buf_release(&out);
	p->drawn = true;
	p->drawn_us = now_us;
}

static void tell_line(struct progress *p, uint64_t now_us)
{
	struct buf out;

	buf_init(&out, TEXT_MAX_BYTES);
	if (p->style == PROGRESS_JSON) {
		event_begin(&out, "progress");
		event_append_counts(&out, &p->counts);
		event_ms(&out, "elapsed_ms", (double)(now_us - p->started_us) / 1000);
		event_end(&out);
		report_line(p->report, &out);
	} else {
		append_figures(p, now_us, &out);
		report_at(p->report, FF_LOG_INFO, "", out.ptr ? out.ptr : "");
	}
	buf_release(&out);
	p->line_us = now_us;
	p->told_tenths = p->counts.batches ? p->counts.done * 10 / p->counts.batches : 0;
}

static bool line_is_due(const struct progress *p, uint64_t now_us)
{
	const struct ff_counts *c = &p->counts;
	uint64_t tenths = c->batches ? c->done * 10 / c->batches : 0;

	if (c->done >= c->batches)
		return false; /* the closing line says it all */
	return now_us - p->line_us >= LINE_US || (tenths > p->told_tenths && now_us - p->line_us >= LINE_MIN_US);
}

void progress_tick(struct progress *p, const struct ff_counts *counts, uint64_t now_us)
{
	bool changed = p->counts.done != counts->done || p->counts.in_flight != counts->in_flight;

	p->counts = *counts;
	if (p->style == PROGRESS_NONE)
		return;
	sample(p, now_us);
	if (p->style != PROGRESS_BAR) {
		if (line_is_due(p, now_us))
			tell_line(p, now_us);
		return;
	}
	if (!p->drawn || now_us - p->drawn_us >= (changed ? DRAW_US : REDRAW_US))
		draw(p, now_us);
}

int progress_timeout_ms(const struct progress *p, uint64_t now_us)
{
	uint64_t due;

	if (p->style == PROGRESS_NONE || (p->style != PROGRESS_BAR && p->counts.done >= p->counts.batches))
		return -1;
	due = p->style == PROGRESS_BAR ? p->drawn_us + REDRAW_US : p->line_us + LINE_US;
	return due > now_us ? (int)((due - now_us + 999) / 1000) : 0;
}

void progress_around(void *progress, bool before)
{
	struct progress *p = progress;

	if (before)
		progress_clear(p);
}
