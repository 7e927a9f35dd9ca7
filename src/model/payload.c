/*
 * payload.c: what an input is (payload, datasets, JSONL), and a JSON document with what it holds. Text only: descriptors are input.c's.
 */
#include "model/payload.h"

#include <stdio.h>

#include "base/alloc.h"
#include "model/source.h"

/* ---- the document ---- */

struct document *document_new(void)
{
	struct document *d = NEW(struct document);
	if (!d)
		return NULL;
	arena_init(&d->payload.arena);
	buf_init(&d->text, SIZE_MAX / 2);
	d->refs = 1;
	return d;
}

void document_unref(struct document *d)
{
	if (!d || --d->refs > 0)
		return;
	arena_release(&d->payload.arena);
	buf_release(&d->text);
	mem_free(d);
}

void payload_free(struct payload *p)
{
	document_unref((struct document *)(void *)p);
}

/* ---- what it is ---- */

void input_form_init(struct input_form *f, const char *name, bool as_datasets, const struct json_limits *limits)
{
	f->name = name ? name : "";
	f->as_datasets = as_datasets;
	f->limits.max_bytes = json_max_bytes(limits);
	f->limits.max_depth = json_max_depth(limits);
}

static bool looks_like_payload(const struct json *object)
{
	if (json_get_lit(object, "datasets") || json_get_lit(object, "connector") || json_get_lit(object, "config") ||
	    json_get_lit(object, "options"))
		return true;
	return !json_get_lit(object, "session_id") && !json_get_lit(object, "conversation");
}

static bool is_payload(const struct input_form *f, const struct json *root)
{
	return !f->as_datasets && root->type == JSON_OBJECT && looks_like_payload(root);
}

static bool named_jsonl(const char *name)
{
	struct str s = str_from(name);
	return str_ends_with(s, STR(".jsonl")) || str_ends_with(s, STR(".ndjson"));
}

static int malformed(const struct input_form *f, const struct json_error *e, struct error *err)
{
	char what[600];
	if (e->code == FF_ENOMEM)
		return error_nomem(err);
	json_error_format(e, what, sizeof(what));
	if (e->code == FF_ETOOBIG)
		return error_set(err, FF_ETOOBIG, f->name, "The input is too big: %s.", what);
	return error_set(err, FF_EDATA, f->name, "The input is not valid JSON: %s.", what);
}

/* The end of the first line that is not blank, when another one follows; SIZE_MAX when none does (yet). */
static size_t first_of_lines(struct str text)
{
	size_t from = str_starts_with(text, STR("\xEF\xBB\xBF")) ? 3 : 0, end = 0; /* a byte order mark makes no line */
	bool blank = true;
	while (blank) {
		end = str_find(text, STR("\n"), from);
		if (end == SIZE_MAX)
			return SIZE_MAX;
		blank = line_is_blank(str_sub(text, from, end));
		from = end + 1;
	}
	return line_is_blank(str_sub(text, end, text.len)) ? SIZE_MAX : end;
}

int input_shape(const struct input_form *f, struct str text, bool whole, enum input_shape *ret, struct error *err)
{
	struct arena arena = ARENA_INIT;
	size_t end = first_of_lines(text);
	struct json_error e;
	struct json first;
	int code;
	if (end == SIZE_MAX) {
		*ret = whole ? SHAPE_DOCUMENT : SHAPE_MORE;
		return 0;
	}
	code = json_parse(&arena, str_sub(text, 0, end), &f->limits, &first, NULL, &e);
	if (code == 0)
		*ret = (first.type == JSON_OBJECT || named_jsonl(f->name)) && !is_payload(f, &first) ? SHAPE_LINES : SHAPE_DOCUMENT;
	else if (code != FF_ENOMEM)
		*ret = named_jsonl(f->name) ? SHAPE_LINES : SHAPE_DOCUMENT;
	arena_release(&arena);
	if (code == FF_EDATA && *ret == SHAPE_DOCUMENT && e.offset < end)
		return malformed(f, &e, err);
	return code == FF_ENOMEM ? error_nomem(err) : 0;
}

/* ---- opening text ---- */

static const char *type_words(const struct json *v)
{
	static const char *const words[] = { "null", "a boolean", "a boolean", "a number", "a string", "an array", "an object" };
	return words[v->type];
}

static int open_payload(struct document *d, struct payload **ret_payload, struct dataset_source **ret_source)
{
	struct payload *p = &d->payload;
	int code;
	p->connector = json_get_lit(&p->root, "connector");
	p->config = json_get_lit(&p->root, "config");
	p->options = json_get_lit(&p->root, "options");
	p->datasets = json_get_lit(&p->root, "datasets");
	code = source_of_values(d, p->datasets, "/datasets", ret_source);
	if (code)
		return code;
	d->refs++;
	*ret_payload = p;
	return 0;
}

int input_open_document(const struct input_form *f, struct document *d, struct str text, struct payload **ret_payload,
                        struct dataset_source **ret_source, struct json_notes *notes, struct error *err)
{
	struct payload *p = &d->payload;
	struct json_error e;
	int code;
	if (json_parse(&p->arena, text, &f->limits, &p->root, &p->notes, &e))
		return malformed(f, &e, err);
	if (p->root.type != JSON_OBJECT && p->root.type != JSON_ARRAY)
		return error_set(err, FF_EDATA, f->name, "The input must be a payload, a dataset or an array of datasets, not %s.",
		                 type_words(&p->root));
	*ret_payload = NULL;
	code = is_payload(f, &p->root) ? open_payload(d, ret_payload, ret_source) : source_of_values(d, &p->root, "", ret_source);
	if (code)
		return error_nomem(err);
	if (notes)
		*notes = p->notes;
	return 0;
}

static int open_lines(const struct input_form *f, struct str text, struct dataset_source **ret_source, struct json_notes *notes,
                      struct error *err)
{
	struct line_reader reader;
	line_reader_of_text(&reader, text, f->limits.max_bytes);
	return source_of_lines(&reader, &f->limits, notes, ret_source) ? error_nomem(err) : 0;
}

int input_open_text(struct str text, const char *name, bool as_datasets, const struct json_limits *limits,
                    struct payload **ret_payload, struct dataset_source **ret_source, struct json_notes *notes, struct error *err)
{
	struct input_form form;
	enum input_shape shape = SHAPE_DOCUMENT;
	struct document *d;
	int code;
	input_form_init(&form, name, as_datasets, limits);
	code = input_shape(&form, text, true, &shape, err);
	if (code)
		return code;
	if (shape == SHAPE_LINES) {
		code = open_lines(&form, text, ret_source, notes, err);
		if (!code)
			*ret_payload = NULL;
		return code;
	}
	d = document_new();
	if (!d)
		return error_nomem(err);
	code = input_open_document(&form, d, text, ret_payload, ret_source, notes, err);
	document_unref(d);
	return code;
}
