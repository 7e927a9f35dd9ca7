/*
 * ordered.c: brings answers into input order and writes each as soon as its place in the document has come.
 *
 * The *head* is the dataset with index `next`. Its batches are written as they come; a batch that comes before its turn waits as a copy of its answer (the
 * dataset itself is alive until dataset_end). A dataset that ends before it is the head is serialised, and waits as text. So memory is what is out of
 * order, plus the summaries. Indices may have gaps (a run of a part of the input): what lies behind a gap waits until `end`.
 *
 *   a dataset is  absent → open (some of its turns are recorded) → ended (waits as text) → written
 *                          └────────── head: written batch by batch ──────────┘
 *
 * Memory: every step that may fail for lack of it either changes nothing and is tried again at the next call, or loses something, and then `failed`
 * is set and the document stays cut. Writing what waits as text needs no memory.
 *
 * Cost: a turn in order is serialised once, straight into the output buffer, and copied nowhere else.
 */
#include "sink/ordered.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sink/dataset_json.h"

#define ERROR_PREFIX      RESULT_ERROR_PREFIX
#define LOST_SENTENCE     ERROR_PREFIX "The answer could not be kept: out of memory."
#define LINE_DELAY_US     100000u           /* a line may wait this long for company, by the stamps of the records */
#define SCRATCH_KEPT      ((size_t)1 << 20) /* bytes of scratch that stay for the next dataset */
#define WRITE_UNCOPIED_AT (OUT_PIECE_BYTES / 4)
#define ADVANCE_BYTES     ((size_t)1 << 20) /* of waiting text that one call writes: a slice of work */

enum answer_kind {
	ANSWER_MISSING, /* not recorded yet, or lost */
	ANSWER_TEXT,    /* the text of `assistant` */
	ANSWER_BATCH    /* the whole batch, serialised for its place: a runner changed more than the answer */
};

struct answer {
	enum answer_kind kind;
	struct str text;
};

struct waiting {
	struct heap_node node; /* the heap orders by index: that is its "deadline" */
	uint64_t index;
	struct arena arena;     /* answers and their text */
	struct answer *answers; /* one a batch; NULL until one had to wait */
	size_t batches_written; /* batches 0 … batches_written-1 are in the document */
	bool begun;             /* the document holds its beginning */
	bool ended;             /* as `text`; the dataset itself is gone */
	char *text;             /* all of it, serialised; owned */
	size_t text_len;
	struct summary_line *summary; /* ended, when the format has summaries */
};

static struct ordered *ordered_of(struct sink *s)
{
	return CONTAINER_OF(s, struct ordered, base);
}

/* ---- the datasets that are not written yet ---- */

static void waiting_free(struct waiting *w)
{
	arena_release(&w->arena);
	mem_free(w->text);
	mem_free(w);
}

/* The dataset's entry, a new one when it has none; NULL when memory is short. */
static struct waiting *waiting_get(struct ordered *o, uint64_t index)
{
	struct waiting *w = id_map_get(&o->open, index);

	if (w)
		return w;
	w = NEW(struct waiting);
	if (!w)
		return NULL;
	w->index = index;
	if (heap_reserve(&o->order, o->order.count + 1) || id_map_put(&o->open, index, w)) {
		waiting_free(w);
		return NULL;
	}
	heap_arm(&o->order, &w->node, index);
	return w;
}

static struct waiting *waiting_first(const struct ordered *o)
{
	struct heap_node *node = heap_first(&o->order);

	return node ? CONTAINER_OF(node, struct waiting, node) : NULL;
}

static void waiting_remove(struct ordered *o, struct waiting *w)
{
	heap_disarm(&o->order, &w->node);
	id_map_remove(&o->open, w->index);
	waiting_free(w);
}

/* ---- pieces of the document ---- */

/* What is in the document whole or not at all. */
struct piece {
	void (*write)(struct ordered *o, const struct piece *piece);
	const struct dataset *dataset;
	const struct batch *batch;
	struct answer answer;
};

static void write_separator(struct ordered *o, const struct piece *piece)
{
	(void)piece;
	if (o->written && !o->format->lines)
		buf_append_char(&o->out.buf, ',');
}

static void write_opening(struct ordered *o, const struct piece *piece)
{
	write_separator(o, piece);
	o->writer = o->at_dataset;
	dataset_json_open(&o->writer, piece->dataset);
}

static void write_answer(struct json_writer *w, const struct batch *b, const struct answer *a)
{
	if (a->kind != ANSWER_BATCH) {
		dataset_json_batch(w, b, a->kind == ANSWER_TEXT ? a->text : STR(LOST_SENTENCE));
		return;
	}
	if (!w->first) /* its line break and indentation are in the text, its comma is not */
		buf_append_char(w->out, ',');
	w->first = false;
	buf_append_str(w->out, a->text);
}

static void write_batch(struct ordered *o, const struct piece *piece)
{
	write_answer(&o->writer, piece->batch, &piece->answer);
}

static void write_line_end(struct ordered *o, const struct piece *piece)
{
	(void)piece;
	if (o->format->lines)
		buf_append_char(&o->out.buf, '\n');
}

static void write_closing(struct ordered *o, const struct piece *piece)
{
	dataset_json_close(&o->writer);
	write_line_end(o, piece);
}

/* 0, FF_ENOMEM (nothing changed), or FF_EOUTPUT. */
static int put(struct ordered *o, const struct piece *piece)
{
	for (int attempt = 0; attempt < 2; attempt++) {
		struct json_writer before = o->writer;
		size_t len = o->out.buf.len;

		piece->write(o, piece);
		if (!buf_failed(&o->out.buf))
			return out_flush_full(&o->out);
		o->writer = before;
		o->out.buf.failed = 0;
		o->out.buf.len = len;
		if (out_flush(&o->out)) /* an empty buffer has the most room */
			return FF_EOUTPUT;
	}
	return FF_ENOMEM;
}

/* ---- answers ---- */

/* The text that takes the place of `assistant`, valid until the next call: the answer, or the sentence behind its prefix. 0 or FF_ENOMEM. */
static int assistant_text(struct ordered *o, const struct turn_result *r, struct str *ret_text)
{
	if (r->replacement || outcome_is_success(r->outcome)) {
		*ret_text = r->replacement ? r->replacement->assistant : r->answer;
		return 0;
	}
	buf_clear(&o->scratch);
	buf_append_str(&o->scratch, STR(ERROR_PREFIX));
	buf_append_str(&o->scratch, r->answer);
	*ret_text = buf_str(&o->scratch);
	return buf_failed(&o->scratch);
}

/* A changed batch as text, valid until the next call. 0 or FF_ENOMEM. */
static int batch_text(struct ordered *o, const struct batch *b, struct str *ret_text)
{
	struct json_writer writer = o->at_batch;

	buf_clear(&o->scratch);
	dataset_json_batch(&writer, b, b->assistant);
	if (buf_failed(&o->scratch))
		return buf_failed(&o->scratch);
	*ret_text = buf_str(&o->scratch);
	return 0;
}

/* Keeps a copy of what was answered until its place comes. 0 or FF_ENOMEM. */
static int keep_answer(struct ordered *o, struct waiting *w, const struct turn_result *r)
{
	struct answer *a;
	struct str text;
	int code;

	if (!w->answers)
		w->answers = arena_calloc(&w->arena, r->dataset->batch_count, sizeof *w->answers);
	if (!w->answers)
		return FF_ENOMEM;
	a = &w->answers[r->batch];
	code = r->replacement ? batch_text(o, r->replacement, &text) : assistant_text(o, r, &text);
	if (!code)
		code = arena_str(&w->arena, text, &a->text);
	if (!code)
		a->kind = r->replacement ? ANSWER_BATCH : ANSWER_TEXT;
	return code;
}

/* Begins the head if it is not, then writes its answers as far as they are there without a gap; `all`: missing ones too. */
static int put_answers(struct ordered *o, struct waiting *w, const struct dataset *d, bool all)
{
	int code = 0;

	if (!w->begun) {
		code = put(o, &(struct piece){ .write = write_opening, .dataset = d });
		if (code)
			return code;
		w->begun = true;
	}
	for (; w->batches_written < d->batch_count && !code; w->batches_written += code == 0) {
		struct piece piece = { .write = write_batch, .batch = &d->batches[w->batches_written] };

		if (w->answers)
			piece.answer = w->answers[w->batches_written];
		if (piece.answer.kind == ANSWER_MISSING && !all)
			break;
		code = put(o, &piece);
	}
	return code;
}

/* Straight into the document, and what waited for it after it. FF_ENOMEM also when its place has not come: then it has to wait. */
static int put_result(struct ordered *o, struct waiting *w, const struct turn_result *r)
{
	struct piece piece = { .write = write_batch, .answer = { .kind = ANSWER_TEXT } };
	int code = put_answers(o, w, r->dataset, false);

	if (!code && w->batches_written != r->batch)
		code = FF_ENOMEM;
	if (code)
		return code;
	piece.batch = r->replacement ? r->replacement : &r->dataset->batches[r->batch];
	code = assistant_text(o, r, &piece.answer.text);
	if (!code)
		code = put(o, &piece);
	if (code)
		return code;
	w->batches_written++;
	return put_answers(o, w, r->dataset, false) == FF_EOUTPUT ? FF_EOUTPUT : 0;
}

/* ---- ended datasets ---- */

static void finish(struct ordered *o, struct waiting *w)
{
	if (w->summary && o->last_summary)
		o->last_summary->next = w->summary;
	else if (w->summary)
		o->first_summary = w->summary;
	if (w->summary)
		o->last_summary = w->summary;
	o->written++;
	o->next = w->index + 1;
	waiting_remove(o, w);
}

/* All of a dataset that is not the head, serialised; its answers are not needed any more. 0 or FF_ENOMEM. */
static int make_text(struct ordered *o, struct waiting *w, const struct dataset *d)
{
	static const struct answer none = { .kind = ANSWER_MISSING };
	struct json_writer writer = o->at_dataset;

	writer.out = &o->scratch;
	buf_clear(&o->scratch);
	dataset_json_open(&writer, d);
	for (size_t i = 0; i < d->batch_count; i++)
		write_answer(&writer, &d->batches[i], w->answers ? &w->answers[i] : &none);
	dataset_json_close(&writer);
	w->text = buf_failed(&o->scratch) ? NULL : mem_strndup(o->scratch.ptr, o->scratch.len);
	if (!w->text)
		return FF_ENOMEM;
	w->text_len = o->scratch.len;
	w->ended = true;
	w->answers = NULL;
	arena_release(&w->arena);
	buf_clear(&o->scratch);
	buf_shrink(&o->scratch, SCRATCH_KEPT);
	return 0;
}

/* Needs no memory: what does not fit the buffer is written from where it is. */
static int put_text(struct ordered *o, struct waiting *w)
{
	struct str text = str_of(w->text, w->text_len);
	int code = put(o, &(struct piece){ .write = write_separator });

	if (code)
		return code;
	if (text.len >= WRITE_UNCOPIED_AT)
		code = out_write(&o->out, text);
	else
		code = buf_append_str(&o->out.buf, text);
	if (!code)
		code = put(o, &(struct piece){ .write = write_line_end });
	if (!code)
		finish(o, w);
	return code;
}

/* Writes ended datasets from the head on, at most `budget` bytes and a dataset of them; behind_gaps: those behind gaps too. */
static int advance(struct ordered *o, size_t budget, bool behind_gaps)
{
	struct waiting *w;
	size_t done = 0;

	while (done < budget && (w = waiting_first(o)) && w->ended && (behind_gaps || w->index == o->next)) {
		int code;

		done += w->text_len;
		code = put_text(o, w);
		if (code)
			return code;
	}
	return 0;
}

static struct summary_line *summary_new(struct ordered *o, const struct dataset_summary *s)
{
	struct str id = s->dataset->session_id;
	char total[32], average[32] = "0"; /* the reference's integer for a conversation without a turn */
	size_t total_len = json_format_double(s->total_execution_time_ms, total), average_len = 1;
	struct summary_line *line;

	if (s->dataset->batch_count == 1 && s->avg_batch_time_ms == s->total_execution_time_ms) {
		memcpy(average, total, total_len); /* a shortest text costs a microsecond or two */
		average_len = total_len;
	} else if (s->dataset->batch_count) {
		average_len = json_format_double(s->avg_batch_time_ms, average);
	}
	line = arena_alloc(&o->summary_arena, sizeof *line + id.len + total_len + average_len);
	if (!line)
		return NULL;
	*line = (struct summary_line){
		.batches = (uint32_t)s->dataset->batch_count,
		.successes = (uint32_t)s->successes,
		.failures = (uint32_t)s->failures,
		.id_len = (uint32_t)id.len,
		.total_len = (unsigned char)total_len,
		.average_len = (unsigned char)average_len,
	};
	if (id.len)
		memcpy(line->text, id.ptr, id.len);
	memcpy(line->text + id.len, total, total_len);
	memcpy(line->text + id.len + total_len, average, average_len);
	return line;
}

/* The dataset's end, whether it is the head or not. */
static int end_dataset(struct ordered *o, const struct dataset_summary *s)
{
	const struct dataset *d = s->dataset;
	struct waiting *w = waiting_get(o, d->index);
	int code;

	if (w && o->format->summaries)
		w->summary = summary_new(o, s);
	if (!w || (o->format->summaries && !w->summary))
		return FF_ENOMEM;
	if (w->index != o->next)
		return make_text(o, w, d);
	code = put_answers(o, w, d, true);
	if (!code)
		code = put(o, &(struct piece){ .write = write_closing });
	if (!code)
		finish(o, w);
	return code;
}

/* ---- the sink ---- */

/* Something is lost for good. Returns the code, with its sentence. */
static int lose(struct ordered *o, int code, struct error *err)
{
	o->failed = code;
	if (code == FF_EOUTPUT)
		return out_error(&o->out, err);
	if (code == FF_ENOMEM)
		return error_nomem(err);
	return error_set(err, code, "", "The output is incomplete: a dataset was begun and never ended.");
}

static int ordered_begin(struct sink *s, struct error *err)
{
	static const struct dataset nothing;
	struct ordered *o = ordered_of(s);

	if (out_reserve(&o->out))
		return lose(o, FF_ENOMEM, err);
	json_writer_init(&o->writer, &o->out.buf, o->indent);
	if (o->format->open)
		o->format->open(&o->writer);
	o->at_dataset = o->writer;
	o->at_batch = o->writer;
	o->at_batch.out = &o->scratch;
	dataset_json_open(&o->at_batch, &nothing); /* only to learn the writer's state there */
	return buf_failed(&o->scratch) ? lose(o, FF_ENOMEM, err) : 0;
}

static void ordered_record(struct sink *s, struct record *r)
{
	struct ordered *o = ordered_of(s);
	struct waiting *w = o->failed ? NULL : waiting_get(o, r->result.dataset->index);
	int code = o->failed ? o->failed : FF_ENOMEM;

	assert(r->result.batch < r->result.dataset->batch_count);
	o->now_us = MAX(o->now_us, r->result.stamps.last_byte);
	if (w && w->index == o->next)
		code = put_result(o, w, &r->result);
	if (w && code == FF_ENOMEM)
		code = keep_answer(o, w, &r->result);
	if (!code)
		code = advance(o, ADVANCE_BYTES, false);
	if (code == FF_EOUTPUT)
		(void)lose(o, code, NULL);
	r->done(r, code);
}

static int ordered_dataset_end(struct sink *s, const struct dataset_summary *summary, struct error *err)
{
	struct ordered *o = ordered_of(s);
	int code = o->failed;

	if (!code)
		code = end_dataset(o, summary);
	if (!code)
		code = advance(o, ADVANCE_BYTES, false);
	if (!code && o->format->lines && o->now_us - o->flushed_us >= LINE_DELAY_US) {
		o->flushed_us = o->now_us;
		code = out_flush(&o->out);
	}
	return code ? lose(o, code, err) : 0;
}

static int ordered_end(struct sink *s, struct error *err)
{
	struct ordered *o = ordered_of(s);
	int code = o->failed;

	if (!code)
		code = advance(o, SIZE_MAX, true);
	if (!code && waiting_first(o))
		code = FF_EINTERNAL;
	if (!code && o->format->close)
		code = o->format->close(o);
	if (!code)
		code = out_flush(&o->out);
	return code ? lose(o, code, err) : 0;
}

static void ordered_free(struct sink *s)
{
	struct ordered *o = ordered_of(s);
	struct waiting *w;

	while ((w = waiting_first(o)))
		waiting_remove(o, w);
	id_map_release(&o->open);
	heap_release(&o->order);
	arena_release(&o->summary_arena);
	buf_release(&o->scratch);
	out_release(&o->out);
	mem_free(o);
}

int ordered_new(const struct ordered_format *format, const struct sink_output *out, unsigned indent, struct sink **ret)
{
	static const struct sink_ops ops = {
		.begin = ordered_begin,
		.record = ordered_record,
		.dataset_end = ordered_dataset_end,
		.end = ordered_end,
		.free = ordered_free,
	};
	struct ordered *o = NEW(struct ordered);

	if (!o)
		return FF_ENOMEM;
	o->base = (struct sink){ .ops = &ops, .credits = SIZE_MAX };
	o->format = format;
	o->indent = indent;
	out_init(&o->out, out);
	buf_init(&o->scratch, SIZE_MAX);
	id_map_init(&o->open);
	heap_init(&o->order);
	arena_init(&o->summary_arena);
	*ret = &o->base;
	return 0;
}
