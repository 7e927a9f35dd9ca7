/*
 * dataset_source.c: datasets one after the other, from values of a document, from lines, or from several sources in turn.
 *
 * A pass begins at the start or with dataset_source_rewind and ends when next returns 0. Invalid datasets are problems and are skipped; they
 * count for dataset.index, which is the position in the input.
 *
 * Cost: the first pass over an input is made before anything is sent, so all of it counts as waiting: dataset_source_check builds no datasets, and
 * pointers, which only a problem needs, are not printed but put together by hand.
 */
#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"
#include "model/dataset_line.h"
#include "model/source.h"

#define SPARE_ARENAS 64
#define SPARE_BYTES  ((size_t)16 << 10) /* used: the memory of a larger dataset is given back */

enum source_kind { SOURCE_VALUES, SOURCE_LINES, SOURCE_JOIN };

struct totals {
	size_t datasets, batches;
};

struct dataset_source {
	enum source_kind kind;
	size_t position;              /* datasets of this pass so far, valid or not: the index of the next one */
	struct totals so_far, passed; /* of this pass; of the last complete one */
	bool read_once;               /* a pass was completed */

	struct document *document; /* SOURCE_VALUES */
	const struct json *values; /* `count` of them */
	size_t count;
	const char *pointer;
	bool single;               /* the one value stands at `pointer` itself */
	const struct json *refuse; /* not a value that holds datasets: said once a pass */

	struct line_reader reader; /* SOURCE_LINES */
	struct json_limits limits;
	struct field_order order;
	struct json_notes *notes; /* filled in the first pass; may be NULL */

	struct arena spares[SPARE_ARENAS]; /* of datasets that were taken back: `spare_count`, reset */
	size_t spare_count;

	struct dataset_source **parts; /* SOURCE_JOIN: `count` of them; the one being read */
	size_t part;
};

/* ---- memory of datasets ---- */

static struct arena take_spare(struct dataset_source *s)
{
	return s->spare_count ? s->spares[--s->spare_count] : ARENA_INIT;
}

/* An arena that no dataset took over, or that of one that is done with. */
static void keep_spare(struct dataset_source *s, struct arena *arena)
{
	if (s->spare_count == SPARE_ARENAS || arena->used > SPARE_BYTES) {
		arena_release(arena);
		return;
	}
	arena_reset(arena);
	s->spares[s->spare_count++] = *arena;
}

void dataset_source_take_back(struct dataset_source *s, struct dataset *d)
{
	struct arena own = d->arena; /* the dataset lives in it */

	while (s->kind == SOURCE_JOIN && s->count)
		s = s->parts[MIN(s->part, s->count - 1)];
	keep_spare(s, &own);
}

/* ---- values of a document ---- */

int source_of_values(struct document *d, const struct json *value, const char *pointer, struct dataset_source **ret)
{
	struct dataset_source *s = NEW(struct dataset_source);
	if (!s)
		return FF_ENOMEM;
	s->kind = SOURCE_VALUES;
	s->document = d;
	s->pointer = pointer;
	d->refs++;
	if (value && value->type == JSON_ARRAY) {
		s->values = value->items;
		s->count = value->count;
	} else if (value && pointer[0] == '\0') {
		s->values = value;
		s->count = 1;
		s->single = true;
	} else if (json_truthy(value)) {
		s->refuse = value;
	}
	*ret = s;
	return 0;
}

static void refuse_value(const struct dataset_source *s, struct problems *problems)
{
	if (s->refuse->type == JSON_OBJECT)
		problem_error(problems, s->pointer,
		              "The member \"datasets\" must be an array of datasets, not an object: a single one stands in [ ].");
	else
		problem_error(problems, s->pointer, "The member \"datasets\" must be an array of datasets, not a %s.",
		              json_type_name(s->refuse->type));
}

/* Behind the digits of n. */
static char *put_number(char *to, size_t n)
{
	char digits[24];
	size_t count = 0;
	do
		digits[count++] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	while (count > 0)
		*to++ = digits[--count];
	return to;
}

/* s->pointer is "", "/datasets" or the like. */
static void value_pointer(const struct dataset_source *s, size_t index, char out[64])
{
	size_t len = strlen(s->pointer);
	char *p = out + len;
	assert(len < 32);
	memcpy(out, s->pointer, len);
	if (!s->single) {
		*p++ = '/';
		p = put_number(p, index);
	}
	*p = '\0';
}

static void begin_values(struct dataset_source *s, struct problems *problems)
{
	if (!s->refuse || s->position > 0)
		return;
	refuse_value(s, problems);
	s->position = 1;
}

static int next_value(struct dataset_source *s, struct problems *problems, struct dataset **ret)
{
	begin_values(s, problems);
	while (s->position < s->count) {
		struct arena arena = take_spare(s);
		size_t index = s->position++;
		char pointer[64];
		int code;
		value_pointer(s, index, pointer);
		code = dataset_from_json(&arena, &s->values[index], pointer, index, problems, ret);
		if (code)
			keep_spare(s, &arena); /* a dataset that came took it over */
		if (code != FF_EDATA)
			return code ? code : 1;
	}
	return 0;
}

static void count_valid(struct dataset_source *s, size_t batches)
{
	s->so_far.datasets++;
	s->so_far.batches += batches;
}

static int check_values(struct dataset_source *s, struct problems *problems)
{
	begin_values(s, problems);
	while (s->position < s->count) {
		size_t index = s->position++;
		char pointer[64];
		int code;
		value_pointer(s, index, pointer);
		code = dataset_check(&s->values[index], pointer, problems);
		if (code == 0)
			count_valid(s, json_get_lit(&s->values[index], "conversation")->count);
		else if (code != FF_EDATA)
			return code;
	}
	return 0;
}

/* ---- lines ---- */

int source_of_lines(const struct line_reader *reader, const struct json_limits *limits, struct json_notes *notes,
                    struct dataset_source **ret)
{
	struct dataset_source *s = NEW(struct dataset_source);
	if (!s)
		return FF_ENOMEM;
	s->kind = SOURCE_LINES;
	s->reader = *reader;
	s->limits = *limits;
	s->notes = notes;
	if (notes)
		json_notes_init(notes);
	*ret = s;
	return 0;
}

static void first_place(char out[256], size_t line, const char *pointer)
{
	(void)snprintf(out, 256, "line %zu: %.200s", line, pointer);
	out[utf8_cut(str_from(out), 255)] = '\0';
}

static void add_notes(struct json_notes *to, size_t line, const struct json_notes *from)
{
	if (!to)
		return;
	if (from->duplicates && !to->duplicates)
		first_place(to->first_duplicate, line, from->first_duplicate);
	if (from->lone_surrogates && !to->lone_surrogates)
		first_place(to->first_surrogate, line, from->first_surrogate);
	to->duplicates += from->duplicates;
	to->lone_surrogates += from->lone_surrogates;
}

static void malformed_line(size_t line, const struct json_error *e, struct problems *problems)
{
	char pointer[320];
	(void)snprintf(pointer, sizeof(pointer), "line %zu%s%s", line, e->pointer[0] ? ": " : "", e->pointer);
	if (e->code == FF_ETOOBIG)
		problem_error(problems, pointer, "The line is too big: %s (%zu).", e->what, e->limit);
	else
		problem_error(problems, pointer, "The line is not valid JSON: column %zu: %s.", e->column, e->what);
}

/* "line 12: ", which a field's pointer follows, or "line 12". */
static void line_pointer(char out[64], size_t line, bool more)
{
	char *p = out + 5;
	memcpy(out, "line ", 5);
	p = put_number(p, line);
	memcpy(p, ": ", 3);
	if (!more)
		*p = '\0';
}

/* The value of a line, which borrows from the reader when that keeps its lines, and its pointer: 0, FF_EDATA (a problem was added) or FF_ENOMEM. */
static int parse_line(struct dataset_source *s, struct str line, struct arena *arena, struct problems *problems, struct json *ret,
                      char pointer[64])
{
	size_t number = s->reader.line;
	struct json_notes notes;
	struct json_error e;
	if (json_parse(arena, line, &s->limits, ret, &notes, &e)) {
		if (e.code != FF_ENOMEM)
			malformed_line(number, &e, problems);
		return e.code == FF_ENOMEM ? FF_ENOMEM : FF_EDATA;
	}
	add_notes(s->notes, number, &notes);
	line_pointer(pointer, number, ret->type == JSON_OBJECT);
	return 0;
}

/* One line to a dataset: 0, FF_EDATA (a problem was added) or FF_ENOMEM. The arena stays the caller's unless 0. */
static int read_line(struct dataset_source *s, struct str line, struct arena *arena, struct problems *problems,
                     struct dataset **ret)
{
	size_t index = s->position++;
	char pointer[64];
	struct json value;
	struct dataset *d;
	int code;
	if (!line_reader_borrows(&s->reader) && arena_str(arena, line, &line))
		return FF_ENOMEM;
	d = arena_alloc(arena, sizeof(*d));
	if (!d)
		return FF_ENOMEM;
	code = dataset_from_line(arena, line, &s->limits, &s->order, d);
	if (code == 1) {
		dataset_keep(d, arena, index);
		*ret = d;
		return 0;
	}
	if (!code)
		code = parse_line(s, line, arena, problems, &value, pointer);
	return code ? code : dataset_from_json(arena, &value, pointer, index, problems, ret);
}

/* The next line that is within the cap: 1, 0 at the end, or failed. */
static int take_line(struct dataset_source *s, struct problems *problems, struct str *ret, struct error *err)
{
	char pointer[64];
	int code;
	while ((code = line_reader_next(&s->reader, ret, err)) == FF_ETOOBIG) {
		line_pointer(pointer, s->reader.line, false);
		problem_error(problems, pointer, "The line is larger than the cap max-input-bytes allows (%zu).",
		              s->reader.max_bytes);
		s->position++;
	}
	return code;
}

static int next_line(struct dataset_source *s, struct problems *problems, struct dataset **ret, struct error *err)
{
	for (;;) {
		struct arena arena;
		struct str line;
		int code = take_line(s, problems, &line, err);
		if (code != 1)
			return code;
		arena = take_spare(s);
		code = read_line(s, line, &arena, problems, ret);
		if (code)
			keep_spare(s, &arena);
		if (code != FF_EDATA)
			return code ? error_nomem(err) : 1;
	}
}

/* 0, FF_EDATA or FF_ENOMEM. The arena is the caller's. */
static int check_line(struct dataset_source *s, struct str line, struct arena *arena, struct problems *problems)
{
	char pointer[64];
	struct json value;
	struct dataset d;
	int code = dataset_from_line(arena, line, &s->limits, &s->order, &d);
	if (code == 1) {
		count_valid(s, d.batch_count);
		return 0;
	}
	if (!code)
		code = parse_line(s, line, arena, problems, &value, pointer);
	if (!code)
		code = dataset_check(&value, pointer, problems);
	if (!code)
		count_valid(s, json_get_lit(&value, "conversation")->count);
	return code;
}

/* All of the lines, one after the other in the same memory. */
static int check_lines(struct dataset_source *s, struct problems *problems, struct error *err)
{
	struct arena arena = ARENA_INIT;
	struct str line;
	int code;
	while ((code = take_line(s, problems, &line, err)) == 1) {
		int rc = check_line(s, line, &arena, problems);
		s->position++;
		if (rc && rc != FF_EDATA) {
			code = error_nomem(err);
			break;
		}
		arena_reset(&arena);
	}
	arena_release(&arena);
	return code;
}

/* ---- several sources ---- */

int dataset_source_join(struct dataset_source **sources, size_t count, struct dataset_source **ret)
{
	struct dataset_source *s = NEW(struct dataset_source);
	if (!s)
		return FF_ENOMEM;
	s->kind = SOURCE_JOIN;
	s->parts = mem_calloc(count ? count : 1, sizeof(struct dataset_source *));
	if (!s->parts) {
		mem_free(s);
		return FF_ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		s->parts[i] = sources[i];
	s->count = count;
	*ret = s;
	return 0;
}

static int next_of_parts(struct dataset_source *s, struct problems *problems, struct dataset **ret, struct error *err)
{
	for (; s->part < s->count; s->part++) {
		int code = dataset_source_next(s->parts[s->part], problems, ret, err);
		if (code == 1)
			(*ret)->index += s->position;
		if (code != 0)
			return code;
		s->position += s->parts[s->part]->position;
	}
	return 0;
}

static int check_parts(struct dataset_source *s, struct problems *problems, struct error *err)
{
	for (; s->part < s->count; s->part++) {
		struct dataset_source *part = s->parts[s->part];
		int code = dataset_source_check(part, problems, err);
		if (code)
			return code;
		s->position += part->position;
		s->so_far.datasets += part->passed.datasets;
		s->so_far.batches += part->passed.batches;
	}
	return 0;
}

/* ---- all kinds ---- */

static int end_pass(struct dataset_source *s, struct error *err)
{
	s->notes = NULL; /* a later pass would count everything again */
	if (s->read_once && (s->passed.datasets != s->so_far.datasets || s->passed.batches != s->so_far.batches))
		return error_set(
		        err, FF_EIO, "",
		        "The input changed while it was read: it had %zu datasets with %zu batches, and now has %zu with %zu.",
		        s->passed.datasets, s->passed.batches, s->so_far.datasets, s->so_far.batches);
	s->passed = s->so_far;
	s->read_once = true;
	return 0;
}

int dataset_source_next(struct dataset_source *s, struct problems *problems, struct dataset **ret, struct error *err)
{
	int code = 0;
	switch (s->kind) {
	case SOURCE_VALUES: code = next_value(s, problems, ret); break;
	case SOURCE_LINES: code = next_line(s, problems, ret, err); break;
	case SOURCE_JOIN: code = next_of_parts(s, problems, ret, err); break;
	}
	if (code == FF_ENOMEM || problems->nomem) {
		if (code == 1)
			dataset_free(*ret);
		return error_nomem(err);
	}
	if (code == 1) {
		s->so_far.datasets++;
		s->so_far.batches += (*ret)->batch_count;
	}
	return code == 0 ? end_pass(s, err) : code;
}

int dataset_source_check(struct dataset_source *s, struct problems *problems, struct error *err)
{
	int code = 0;
	switch (s->kind) {
	case SOURCE_VALUES: code = check_values(s, problems); break;
	case SOURCE_LINES: code = check_lines(s, problems, err); break;
	case SOURCE_JOIN: code = check_parts(s, problems, err); break;
	}
	if (code == FF_ENOMEM || problems->nomem)
		return error_nomem(err);
	return code ? code : end_pass(s, err);
}

int dataset_source_rewind(struct dataset_source *s, struct error *err)
{
	s->position = 0;
	s->so_far = (struct totals){ 0, 0 };
	s->part = 0;
	if (s->kind == SOURCE_LINES)
		line_reader_rewind(&s->reader);
	for (size_t i = 0; s->kind == SOURCE_JOIN && i < s->count; i++) {
		int code = dataset_source_rewind(s->parts[i], err);
		if (code)
			return code;
	}
	return 0;
}

size_t dataset_source_datasets(const struct dataset_source *s)
{
	return s->passed.datasets;
}

size_t dataset_source_batches(const struct dataset_source *s)
{
	return s->passed.batches;
}

void dataset_source_free(struct dataset_source *s)
{
	if (!s)
		return;
	document_unref(s->document);
	while (s->spare_count)
		arena_release(&s->spares[--s->spare_count]);
	if (s->kind == SOURCE_LINES)
		line_reader_release(&s->reader);
	for (size_t i = 0; s->kind == SOURCE_JOIN && i < s->count; i++)
		dataset_source_free(s->parts[i]);
	mem_free(s->parts);
	mem_free(s);
}
