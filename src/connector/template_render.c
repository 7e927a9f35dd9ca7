/*
 * template_render.c: pieces → text, for one turn. Two passes: the values as texts, then one allocation of exactly their escaped length. Strings
 * of the input are not copied on the way; only values that have to be written as JSON are.
 */
#include "connector/template.h"

#include "connector/quote.h"

#define JSON_MAX_BYTES_RENDERED ((size_t)64 << 20)
#define SHOWN_MAX               60

/* A value in one of its two forms. */
struct value {
	bool missing; /* the batch has no such member */
	bool null;    /* null, missing or not captured yet */
	bool is_text; /* text is a string's; else it is JSON text */
	struct str text;
};

static struct value text_value(struct str text)
{
	return (struct value){ .is_text = true, .text = text };
}

/* ---- values ---- */

static int json_text(struct arena *a, const struct json *v, struct str *ret)
{
	struct buf out CLEANUP(buf_release);
	struct json_writer w;

	buf_init(&out, JSON_MAX_BYTES_RENDERED);
	json_writer_init(&w, &out, 0);
	json_value(&w, v);
	return buf_failed(&out) ? buf_failed(&out) : arena_str(a, buf_str(&out), ret);
}

static int json_to_value(struct arena *a, const struct json *v, struct value *ret)
{
	*ret = (struct value){ 0 };
	if (!v || v->type == JSON_NULL) {
		ret->null = true;
		ret->missing = !v;
		return 0;
	}
	if (v->type == JSON_STRING) {
		*ret = text_value(v->text);
		return 0;
	}
	return json_text(a, v, &ret->text);
}

static int messages_value(struct arena *a, const struct turn_input *in, struct value *ret)
{
	struct buf out CLEANUP(buf_release);
	struct json_writer w;

	*ret = (struct value){ 0 };
	buf_init(&out, JSON_MAX_BYTES_RENDERED);
	json_writer_init(&w, &out, 0);
	json_begin_array(&w);
	for (size_t i = 0; i < in->message_count; i++) {
		json_begin_object(&w);
		json_key_lit(&w, "role");
		json_string(&w, in->messages[i].role);
		json_key_lit(&w, "content");
		json_string(&w, in->messages[i].content);
		json_end_object(&w);
	}
	json_end_array(&w);
	return buf_failed(&out) ? buf_failed(&out) : arena_str(a, buf_str(&out), &ret->text);
}

static struct value captured_value(const struct template_values *v, size_t slot)
{
	const struct template_captured *c = v->captured ? &v->captured[slot] : NULL;

	if (!c || !c->set)
		return (struct value){ .null = true };
	return (struct value){ .is_text = c->is_string, .text = c->text };
}

static int value_of(const struct template_piece *p, const struct template_values *v, struct arena *a, struct value *ret)
{
	const struct turn_input *in = v->in;

	*ret = (struct value){ 0 };
	switch (p->source) {
	case SOURCE_LITERAL: *ret = text_value(p->text); break;
	case SOURCE_QUERY: *ret = text_value(in->batch->query); break;
	case SOURCE_PROMPT: *ret = text_value(in->messages[in->message_count - 1].content); break;
	case SOURCE_QA_ID: *ret = text_value(in->batch->qa_id); break;
	case SOURCE_CONTEXT: *ret = text_value(in->dataset->context); break;
	case SOURCE_SESSION_ID: *ret = text_value(in->dataset->session_id); break;
	case SOURCE_ASSISTANT: *ret = text_value(in->dataset->assistant_id); break;
	case SOURCE_DATE: *ret = text_value(str_from(in->date)); break;
	case SOURCE_CAPTURED: *ret = captured_value(v, p->slot); break;
	case SOURCE_LANGUAGE: return json_to_value(a, &in->dataset->language, ret);
	case SOURCE_MESSAGES: return messages_value(a, in, ret);
	case SOURCE_AGENTIC: return json_to_value(a, json_at(&in->batch->agentic, p->path), ret);
	}
	return 0;
}

/* ---- filters ---- */

static int quoted(struct arena *a, struct str text, struct str *ret)
{
	size_t len = quote_length(text);
	char *out = arena_alloc(a, len);

	if (!out)
		return FF_ENOMEM;
	quote_write(out, text);
	*ret = str_of(out, len);
	return 0;
}

static int percent_encoded(struct arena *a, struct str text, struct str *ret)
{
	size_t len = place_length(PLACE_URL, text);
	char *out = arena_alloc(a, len + 1);

	if (!out)
		return FF_ENOMEM;
	place_write(PLACE_URL, out, text);
	*ret = str_of(out, len);
	return 0;
}

static int filter(const struct template_piece *p, const struct value *value, struct arena *a, struct str *ret)
{
	*ret = value->null ? STR_NULL : value->text;
	if (p->filter == FILTER_JSON) {
		if (value->null)
			*ret = STR("null");
		else if (value->is_text)
			return quoted(a, value->text, ret);
	} else if (p->filter == FILTER_URL && p->place != PLACE_URL && p->place != PLACE_FORM) {
		return percent_encoded(a, *ret, ret);
	}
	return 0;
}

/* ---- one piece, all pieces ---- */

/* A member that other batches have, unless the template says that it may be absent. */
static int check_missing(const struct template_piece *p, const struct value *value, const char *what, struct error *err)
{
	if (!value->missing || p->optional)
		return 0;
	return error_set(err, FF_EDATA, "", "%s needs {{%.*s}}, and the batch has no such member; {{%.*s?}} would leave it empty.",
	                 what, (int)MIN(p->text.len, (size_t)SHOWN_MAX), p->text.ptr, (int)MIN(p->text.len, (size_t)SHOWN_MAX),
	                 p->text.ptr);
}

static int part_of(const struct template_piece *p, const struct template_values *v, struct arena *a, const char *what,
                   struct str *ret, struct error *err)
{
	struct value value;
	const char *why;
	int r;

	if (p->source == SOURCE_LITERAL) {
		*ret = p->text;
		return 0;
	}
	r = value_of(p, v, a, &value);
	if (r == 0)
		r = check_missing(p, &value, what, err);
	if (r == 0)
		r = filter(p, &value, a, ret);
	if (r)
		return r;
	why = place_problem(p->place, *ret);
	if (why)
		return error_set(err, FF_EDATA, "", "%s cannot carry the value of {{%.*s}}: %s.", what,
		                 (int)MIN(p->text.len, (size_t)SHOWN_MAX), p->text.ptr, why);
	return 0;
}

/* A literal was escaped when it was parsed. */
static enum template_place place_of(const struct template_piece *p)
{
	return p->source == SOURCE_LITERAL ? PLACE_TEXT : p->place;
}

static int join(const struct template *t, const struct str *parts, struct arena *a, struct str *ret)
{
	size_t len = 0;
	char *out, *at;

	for (size_t i = 0; i < t->count; i++)
		len += place_length(place_of(&t->pieces[i]), parts[i]);
	out = at = arena_alloc(a, len + 1);
	if (!out)
		return FF_ENOMEM;
	for (size_t i = 0; i < t->count; i++)
		at = place_write(place_of(&t->pieces[i]), at, parts[i]);
	*ret = str_of(out, len);
	return 0;
}

int template_render(const struct template *t, const struct template_values *v, struct arena *a, const char *what, struct str *ret,
                    struct error *err)
{
	struct str *parts;
	int r;

	if (t->fixed) {
		*ret = t->count ? t->pieces[0].text : STR_NULL;
		return 0;
	}
	parts = arena_calloc(a, t->count, sizeof *parts);
	if (!parts)
		return FF_ENOMEM;
	for (size_t i = 0; i < t->count; i++) {
		r = part_of(&t->pieces[i], v, a, what, &parts[i], err);
		if (r)
			return r;
	}
	return join(t, parts, a, ret);
}
