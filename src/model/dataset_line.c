/*
 * dataset_line.c: one walk from the text of a line to a dataset, with no JSON values in between.
 *
 * The lines of a long input are nearly all alike: names that the schema knows, each of them once; text, null, {} and numbers. Those are read here. Everything
 * else (an unknown name, a name twice, an object that is not empty, a lone surrogate, any mistake) is not plain: such a line is read again from its start by
 * json_read.c and dataset.c, which know what is to be said about it. So this file has no rule and no message of its own; fuzz_dataset_line.c
 * holds it to what the long way gives.
 *
 * A take_ function gets the place p it reads from and returns the place behind what it took; NULL when that is not plain, or memory is short (walk.nomem).
 */
#include "model/dataset_line.h"

#include "model/json_lex.h"
#include "model/weight.h"

#define PLAIN_DEPTH   4  /* dataset, conversation, batch, {} */
#define PLAIN_BATCHES 32 /* a longer conversation goes the long way */

struct walk {
	const char *end;
	struct arena *arena;
	struct field_order *order;
	bool nomem;
};

RARE static const char *skip_spaces(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
		p++;
	return p;
}

/* At the next byte that is not white space, or the end. Mostly there is none, or one blank. */
static inline const char *skip_space(const char *p, const char *end)
{
	if (p < end && *p == ' ')
		p++;
	return p < end && (unsigned char)*p <= ' ' ? skip_spaces(p, end) : p;
}

/* Behind the white space and this byte. */
static inline const char *take_byte(const struct walk *w, const char *p, char c)
{
	p = skip_space(p, w->end);
	return p < w->end && *p == c ? p + 1 : NULL;
}

RARE static const char *no_memory(struct walk *w)
{
	w->nomem = true;
	return NULL;
}

RARE static const char *take_odd_text(struct walk *w, const char *p, struct str *ret)
{
	struct json_lexed_string s;
	const char *at;
	if (json_lex_string(p, w->end, &s, &at) || s.lone_surrogates)
		return NULL;
	if (json_lex_text(&s, w->arena, ret))
		return no_memory(w);
	return s.raw_end + 1;
}

/* p is behind the opening quote. */
static inline const char *take_text(struct walk *w, const char *p, struct str *ret)
{
	const char *stop = json_lex_plain(p, w->end);
	if (stop == w->end || *stop != '"')
		return take_odd_text(w, p, ret);
	*ret = str_of(p, (size_t)(stop - p));
	return stop + 1;
}

static const char *take_number(const struct walk *w, const char *p, struct json *ret)
{
	const char *at;
	if (json_lex_number(p, w->end, &at))
		return NULL;
	*ret = (struct json){ .type = JSON_NUMBER, .text = str_of(p, (size_t)(at - p)) };
	return at;
}

/* A value that is no text. */
static const char *take_other(const struct walk *w, const char *p, struct json *ret)
{
	if (*p == '{') {
		*ret = (struct json){ .type = JSON_OBJECT };
		return take_byte(w, p + 1, '}');
	}
	if (w->end - p >= 4 && memcmp(p, "null", 4) == 0) {
		*ret = (struct json){ .type = JSON_NULL };
		return p + 4;
	}
	return *p == '-' || (*p >= '0' && *p <= '9') ? take_number(w, p, ret) : NULL;
}

static const char *set_weight(struct walk *w, const char *behind, const struct json *value, struct batch *to)
{
	const char *problem;
	int code = weight_from_json(value, w->arena, &to->weight, &problem);
	if (code == FF_ENOMEM)
		return no_memory(w);
	return code ? NULL : behind;
}

static const char *take_conversation(struct walk *w, const char *p, struct dataset *to);

static inline const char *take_field(struct walk *w, const char *p, const struct field *f, void *to)
{
	struct json value;
	if (f->kind == FIELD_CONVERSATION)
		return take_conversation(w, p, to);
	p = skip_space(p, w->end);
	if (p == w->end)
		return NULL;
	if (*p == '"') {
		value.type = JSON_STRING;
		value.count = 0;
		p = take_text(w, p + 1, &value.text);
	} else {
		p = take_other(w, p, &value);
	}
	if (!p || !field_allows(f->kind, value.type))
		return NULL;
	if (f->kind == FIELD_WEIGHT)
		return set_weight(w, p, &value, to);
	field_set(f, &value, to);
	return p;
}

/* A name, lexed and searched for. */
static const char *find_name(struct walk *w, const char *p, const struct field *fields, size_t count, uint8_t *ret_at)
{
	struct str name;
	size_t at;
	p = take_text(w, p, &name);
	if (!p)
		return NULL;
	at = field_find(fields, count, 0, name);
	if (at == count)
		return NULL;
	*ret_at = (uint8_t)at;
	return p;
}

/* A name and its colon. *at is the field that came here last time, and is the one that came now. */
static inline const char *take_name(struct walk *w, const char *p, const struct field *fields, size_t count, uint8_t *at)
{
	struct str guess = fields[*at].name;
	p = take_byte(w, p, '"');
	if (!p)
		return NULL;
	if ((size_t)(w->end - p) > guess.len && p[guess.len] == '"' && memcmp(p, guess.ptr, guess.len) == 0)
		p += guess.len + 1;
	else
		p = find_name(w, p, fields, count, at);
	return p ? take_byte(w, p, ':') : NULL;
}

/* The fields that were not `seen`, a bit each. */
static bool set_absent(const struct field *fields, size_t count, unsigned seen, void *to)
{
	for (size_t i = 0; i < count; i++) {
		if (seen & 1u << i)
			continue;
		if (fields[i].required)
			return false;
		field_set_absent(&fields[i], to);
	}
	return true;
}

/* The members of an object, of which *order guesses the fields. */
static inline const char *take_members(struct walk *w, const char *p, const struct field *fields, size_t count, uint8_t *order,
                                       void *to)
{
	unsigned seen = 0;
	for (size_t n = 0;; n++) {
		if (n == count)
			return NULL;
		p = take_name(w, p, fields, count, &order[n]);
		if (!p || (seen & 1u << order[n]))
			return NULL;
		seen |= 1u << order[n];
		p = take_field(w, p, &fields[order[n]], to);
		if (!p)
			return NULL;
		p = skip_space(p, w->end);
		if (p == w->end || *p != ',')
			break;
		p++;
	}
	return set_absent(fields, count, seen, to) ? take_byte(w, p, '}') : NULL;
}

static const char *take_conversation(struct walk *w, const char *p, struct dataset *to)
{
	struct batch batches[PLAIN_BATCHES];
	size_t count = 0;
	const char *next = take_byte(w, p, '[');
	while (next) {
		if (count == PLAIN_BATCHES)
			return NULL;
		next = take_byte(w, next, '{');
		if (next)
			p = take_members(w, next, batch_fields, BATCH_FIELDS, w->order->batch, &batches[count++]);
		if (!next || !p)
			return NULL;
		next = take_byte(w, p, ',');
	}
	if (count == 0)
		return NULL;
	to->batches = arena_alloc(w->arena, count * sizeof(*batches));
	if (!to->batches)
		return no_memory(w);
	memcpy(to->batches, batches, count * sizeof(*batches));
	to->batch_count = count;
	return take_byte(w, p, ']');
}

static bool fits(struct str line, const struct json_limits *limits)
{
	return line.len <= json_max_bytes(limits) && json_max_depth(limits) >= PLAIN_DEPTH;
}

int dataset_from_line(struct arena *arena, struct str line, const struct json_limits *limits, struct field_order *order,
                      struct dataset *ret)
{
	const char *start = line.ptr ? line.ptr : "";
	struct walk w = { start + line.len, arena, order, false };
	const char *p = fits(line, limits) ? take_byte(&w, start, '{') : NULL;
	if (p)
		p = take_members(&w, p, dataset_fields, DATASET_FIELDS, order->dataset, ret);
	if (w.nomem)
		return FF_ENOMEM;
	return p && skip_space(p, w.end) == w.end;
}
