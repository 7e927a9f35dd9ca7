/*
 * sdk_body.c: what a configured ChatOpenAI or ChatGroq sends with every turn: the query string by the rules of the SDKs' stringifier, and the body around
 * the messages, rendered once.
 *
 * The body is an object whose members keep their first place: the class's defaults and fields, then extras, then extra_body over all of it. Only
 * extra_body may bring messages of its own; then these count.
 */
#include "connector/sdk.h"

#include <stdio.h>

#include "connector/setup.h"

#define BODY_MAX ((size_t)64 << 20)

/* ---- merging objects ---- */

static void object_set(struct sdk_setup *s, struct json *object, size_t *room, struct str key, struct json value)
{
	for (uint32_t i = 0; i < object->count; i++) {
		if (str_eq(object->members[i].key, key)) {
			object->members[i].value = value;
			return;
		}
	}
	if (object->count == *room) {
		size_t wanted = *room ? *room * 2 : 32;
		struct json_member *bigger = arena_calloc(s->arena, wanted, sizeof *bigger);

		if (!bigger) {
			s->nomem = true;
			return;
		}
		if (object->count)
			memcpy(bigger, object->members, object->count * sizeof *bigger);
		object->members = bigger;
		*room = wanted;
	}
	object->members[object->count++] = (struct json_member){ key, value };
}

/* ---- query ---- */

static void query_merge(struct sdk_setup *s, const struct json *from, const char *name)
{
	if (!from || from->type == JSON_NULL)
		return;
	if (from->type != JSON_OBJECT) {
		sdk_error(s, name, "%s must be an object, but it is a JSON %s.", name, json_type_name(from->type));
		return;
	}
	for (uint32_t i = 0; i < from->count; i++)
		object_set(s, &s->query, &s->query_room, from->members[i].key, from->members[i].value);
}

void sdk_user_query(struct sdk_setup *s, const struct param_value *default_query)
{
	if (default_query->given)
		query_merge(s, &default_query->value, "default_query");
	query_merge(s, json_get_lit(&s->extras, "extra_query"), "extra_query");
}

static void put_encoded(struct buf *out, struct str text)
{
	size_t len = percent_encode(NULL, text, "");
	char *to = buf_reserve(out, len);

	if (to) {
		percent_encode(to, text, "");
		buf_commit(out, len);
	}
}

/* As the SDKs print a scalar: true and false in lower case, floats as Python does, null as nothing. */
static void put_scalar(struct buf *out, const struct json *v)
{
	char number[32];
	bool is_float;

	switch (v->type) {
	case JSON_TRUE: buf_append_str(out, STR("true")); break;
	case JSON_FALSE: buf_append_str(out, STR("false")); break;
	case JSON_STRING: put_encoded(out, v->text); break;
	case JSON_NUMBER:
		is_float = memchr(v->text.ptr, '.', v->text.len) || memchr(v->text.ptr, 'e', v->text.len) ||
		           memchr(v->text.ptr, 'E', v->text.len);
		put_encoded(out, is_float ? str_of(number, json_format_double(json_to_double(v), number)) : v->text);
		break;
	default: break;
	}
}

/* `key` is encoded already. null is left out; an empty string, too, where lists are joined by commas: the two SDKs differ. */
static void put_parameter(struct buf *out, struct str key, const struct json *v, enum sdk_query_lists lists)
{
	if (v->type == JSON_NULL || (lists == SDK_LISTS_COMMA && v->type == JSON_STRING && !v->text.len))
		return;
	if (out->len)
		buf_append_char(out, '&');
	buf_append_str(out, key);
	buf_append_char(out, '=');
	put_scalar(out, v);
}

/* An item of a comma list; what is no scalar is written as JSON. */
static void put_item(struct buf *out, const struct json *item)
{
	struct json_writer w;
	struct buf text;

	if (item->type != JSON_ARRAY && item->type != JSON_OBJECT) {
		put_scalar(out, item);
		return;
	}
	buf_init(&text, BODY_MAX);
	json_writer_init(&w, &text, 0);
	json_value(&w, item);
	put_encoded(out, buf_str(&text));
	if (buf_failed(&text) && !buf_failed(out))
		out->failed = buf_failed(&text);
	buf_release(&text);
}

/* Comma form: one parameter for the whole list, also for an empty one; null items are left out. */
static void put_comma_list(struct buf *out, struct str key, const struct json *list)
{
	bool first = true;

	if (out->len)
		buf_append_char(out, '&');
	buf_append_str(out, key);
	buf_append_char(out, '=');
	for (uint32_t i = 0; i < list->count; i++) {
		if (list->items[i].type == JSON_NULL)
			continue;
		if (!first)
			buf_append_str(out, STR("%2C"));
		put_item(out, &list->items[i]);
		first = false;
	}
}

static void put_value(struct buf *out, struct str key, const struct json *v, enum sdk_query_lists lists)
{
	struct buf inner;

	if (v->type == JSON_ARRAY && lists == SDK_LISTS_COMMA) {
		put_comma_list(out, key, v);
		return;
	}
	if (v->type != JSON_ARRAY && v->type != JSON_OBJECT) {
		put_parameter(out, key, v, lists);
		return;
	}
	buf_init(&inner, BODY_MAX);
	for (uint32_t i = 0; i < v->count; i++) {
		buf_clear(&inner);
		buf_append_str(&inner, key);
		buf_append_str(&inner, STR("%5B"));
		if (v->type == JSON_OBJECT)
			put_encoded(&inner, v->members[i].key);
		buf_append_str(&inner, STR("%5D"));
		if (buf_failed(&inner)) {
			if (!buf_failed(out))
				out->failed = buf_failed(&inner);
			break;
		}
		put_value(out, buf_str(&inner), v->type == JSON_OBJECT ? &v->members[i].value : &v->items[i], lists);
	}
	buf_release(&inner);
}

/* Moves a finished buffer into the arena. */
static struct str settle(struct sdk_setup *s, struct buf *b)
{
	struct str out = STR_NULL;

	if (buf_failed(b) || arena_str(s->arena, buf_str(b), &out) != 0)
		s->nomem = true;
	buf_release(b);
	return out;
}

struct str sdk_query_text(struct sdk_setup *s, enum sdk_query_lists lists)
{
	struct buf out, key;

	buf_init(&out, BODY_MAX);
	buf_init(&key, BODY_MAX);
	for (uint32_t i = 0; i < s->query.count; i++) {
		buf_clear(&key);
		put_encoded(&key, s->query.members[i].key);
		put_value(&out, buf_str(&key), &s->query.members[i].value, lists);
	}
	s->nomem |= buf_failed(&key) != 0;
	buf_release(&key);
	return settle(s, &out);
}

/* ---- body ---- */

void sdk_body_set(struct sdk_setup *s, struct str key, struct json value)
{
	object_set(s, &s->body, &s->body_room, key, value);
}

void sdk_body_drop(struct sdk_setup *s, struct str key)
{
	for (uint32_t i = 0; i < s->body.count; i++) {
		if (!str_eq(s->body.members[i].key, key))
			continue;
		memmove(&s->body.members[i], &s->body.members[i + 1], (s->body.count - i - 1) * sizeof *s->body.members);
		s->body.count--;
		return;
	}
}

const struct json *sdk_body_get(const struct sdk_setup *s, struct str key)
{
	return json_get(&s->body, key);
}

struct json sdk_text(struct str text)
{
	return (struct json){ .type = JSON_STRING, .text = text };
}

struct json sdk_bool(bool value)
{
	return (struct json){ .type = value ? JSON_TRUE : JSON_FALSE };
}

void sdk_body_from_rows(struct sdk_setup *s)
{
	static const struct str place = { "body ", 5 };

	for (size_t i = 0; i < s->class->param_count; i++) {
		struct str wire = str_from(s->class->params[i].wire);

		if (s->values[i].given && str_starts_with(wire, place))
			sdk_body_set(s, str_sub(wire, place.len, wire.len), s->values[i].value);
	}
}

/* ---- extras ---- */

static bool is_listed(const char *const *list, struct str name)
{
	for (; *list; list++)
		if (str_eq(name, str_from(*list)))
			return true;
	return false;
}

/* Letters that must change to make one name of the other, at most 3 (that is: or more). */
static size_t edit_distance(struct str a, struct str b)
{
	size_t row[64], best;

	if (a.len >= ARRAY_SIZE(row) || b.len >= ARRAY_SIZE(row) || a.len > b.len + 2 || b.len > a.len + 2)
		return 3;
	for (size_t k = 0; k <= b.len; k++)
		row[k] = k;
	for (size_t i = 1; i <= a.len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t k = 1; k <= b.len; k++) {
			best = MIN(MIN(row[k], row[k - 1]) + 1, diagonal + (a.ptr[i - 1] != b.ptr[k - 1]));
			diagonal = row[k];
			row[k] = best;
		}
	}
	return MIN(row[b.len], (size_t)3);
}

static void consider(struct str name, const char *candidate, const char **best, size_t *distance)
{
	size_t d = candidate ? edit_distance(name, str_from(candidate)) : 3;

	if (candidate && name.len >= 5 && str_starts_with(str_from(candidate), name)) /* stream, streaming */
		d = MIN(d, (size_t)1);
	if (d < *distance) {
		*distance = d;
		*best = candidate;
	}
}

/* The known name that was probably meant, or NULL. */
static const char *similar_name(const struct sdk_setup *s, const char *const *known, struct str name)
{
	const char *best = NULL;
	size_t distance = name.len < 5 ? 2 : 3;

	for (size_t i = 0; i < s->class->param_count; i++) {
		consider(name, s->class->params[i].alias, &best, &distance);
		consider(name, s->class->params[i].name, &best, &distance);
	}
	for (; *known; known++)
		consider(name, *known, &best, &distance);
	return best;
}

static void refuse_unknown(struct sdk_setup *s, const char *const *known, struct str key, bool in_kwargs)
{
	const char *meant = similar_name(s, known, key);
	char at[SETUP_POINTER_MAX], name[128];

	snprintf(name, sizeof name, "%.*s", STR_ARG(key));
	setup_pointer(s->setup->pointer, "model_kwargs", at);
	if (!in_kwargs)
		at[strlen(s->setup->pointer) < sizeof at ? strlen(s->setup->pointer) : 0] = '\0';
	json_pointer_push(at, sizeof at, key);
	problem_error(s->problems, at, "%s is no parameter of %s%s%s%s", name, s->class->name, meant ? "; did you mean " : "",
	              meant ? meant : "", meant ? "?" : ".");
	s->failed = true;
}

void sdk_body_from_extras(struct sdk_setup *s, const char *const *known)
{
	static const char *const handled[] = { "extra_headers", "extra_query", "extra_body", NULL };

	for (uint32_t i = 0; i < s->extras.count; i++) {
		const struct json_member *m = &s->extras.members[i];

		if (is_listed(known, m->key) || (str_eq(m->key, STR("stream")) && !json_truthy(&m->value)))
			sdk_body_set(s, m->key, m->value);
		else if (!is_listed(handled, m->key))
			refuse_unknown(s, known, m->key, i < s->kwargs_count);
	}
}

void sdk_body_merge(struct sdk_setup *s, const struct json *extra_body)
{
	struct str messages = str_from(s->c->wire->messages_key);

	if (!extra_body || extra_body->type == JSON_NULL)
		return;
	if (extra_body->type != JSON_OBJECT) {
		sdk_error(s, "extra_body", "extra_body must be an object, but it is a JSON %s.", json_type_name(extra_body->type));
		return;
	}
	for (uint32_t i = 0; i < extra_body->count; i++) {
		const struct json_member *m = &extra_body->members[i];

		if (str_eq(m->key, messages)) {
			s->own_messages = &m->value;
			sdk_warning(s, "extra_body", "extra_body brings its own %.*s: every turn sends these instead of its query.",
			            STR_ARG(messages));
		} else {
			sdk_body_set(s, m->key, m->value);
		}
	}
}

void sdk_render(struct sdk_setup *s)
{
	struct json_writer w;
	struct buf out;

	sdk_finish_headers(s);
	buf_init(&out, BODY_MAX);
	json_writer_init(&w, &out, 0);
	json_begin_object(&w);
	for (uint32_t i = 0; i < s->body.count; i++) {
		json_key(&w, s->body.members[i].key);
		json_value(&w, &s->body.members[i].value);
	}
	json_key(&w, str_from(s->c->wire->messages_key));
	if (s->own_messages)
		json_value(&w, s->own_messages);
	else
		buf_append_char(&out, '[');
	if (s->own_messages)
		json_end_object(&w);
	s->c->static_body = s->own_messages != NULL;
	s->c->body_start = settle(s, &out);
}
