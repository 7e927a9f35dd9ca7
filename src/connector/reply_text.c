/*
 * reply_text.c: text out of other people's JSON: the sentence inside an error body of any shape, and the text parts of a message's content.
 *
 * Error bodies are read generously (proxies, gateways and servers all differ); answers strictly, because a guess there would be a wrong answer.
 * What comes out of provider_message is one line of valid UTF-8 without control characters; where it was cut it ends in SECRET_CUT, by which the scrubber
 * finds a key that was cut with it. Nesting is followed to NEST_MAX, so that a hostile
 * body costs nothing.
 */
#include "base/secret.h"
#include "connector/reply.h"

#define MESSAGE_MAX (size_t)2000 /* bytes of a provider's sentence that we repeat */
#define NEST_MAX    4

/* ---- one line out of anything ---- */

struct line {
	struct arena *arena;
	struct gather text;
	bool space; /* white space is pending: it counts when more text follows */
	bool full;
};

static void line_init(struct line *l, struct arena *a)
{
	*l = (struct line){ .arena = a };
	gather_init(&l->text, a, MESSAGE_MAX + sizeof SECRET_CUT);
}

static void line_put(struct line *l, const char *bytes, size_t len)
{
	if (l->full)
		return;
	if (l->text.len + l->space + len > MESSAGE_MAX) {
		l->full = true;
		return;
	}
	if (l->space && l->text.len && gather_append(&l->text, " ", 1) != 0)
		l->full = true;
	l->space = false;
	if (!l->full && gather_append(&l->text, bytes, len) != 0)
		l->full = true;
}

static struct str line_end(struct line *l)
{
	if (l->full && l->text.len && gather_append(&l->text, SECRET_CUT, sizeof SECRET_CUT - 1) != 0)
		return STR_NULL; /* memory is short */
	return gather_str(&l->text);
}

/* Appends with white space and control characters folded to one space and ill-formed bytes as U+FFFD. */
static void line_add(struct line *l, struct str s)
{
	for (size_t i = 0; i < s.len && !l->full;) {
		size_t n = utf8_sequence_length(s.ptr + i, s.len - i);

		if (n == 0) {
			line_put(l, "\xEF\xBF\xBD", 3);
			n = 1;
		} else if (n == 1 && ((unsigned char)s.ptr[i] <= ' ' || s.ptr[i] == 0x7F)) {
			l->space = true;
		} else {
			line_put(l, s.ptr + i, n);
		}
		i += n;
	}
}

static void line_break(struct line *l, const char *joint)
{
	if (!l->text.len)
		return;
	l->space = false;
	line_put(l, joint, strlen(joint));
	l->space = true;
}

/* ---- HTML ---- */

bool text_is_html(struct str s)
{
	s = str_sub(str_trim(s), 0, 256);
	return s.len && s.ptr[0] == '<' && (str_contains_nocase(s, STR("<html")) || str_contains_nocase(s, STR("<!doctype html")));
}

/* Index behind the closing tag of an element whose content is no text, or `from` when the tag at `from` is another. */
static size_t skip_element(struct str s, size_t from)
{
	static const char *const names[] = { "script", "style" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len = strlen(names[i]);

		if (!str_eq_nocase(str_sub(s, from + 1, from + 1 + len), str_from(names[i])))
			continue;
		for (size_t at = from + 1; at + len + 2 <= s.len; at++)
			if (s.ptr[at] == '<' && s.ptr[at + 1] == '/' &&
			    str_eq_nocase(str_sub(s, at + 2, at + 2 + len), str_from(names[i])))
				return at;
		return s.len;
	}
	return from;
}

/* The text between the tags. */
static void add_html(struct line *l, struct str s)
{
	for (size_t i = 0; i < s.len && !l->full;) {
		size_t end;

		if (s.ptr[i] != '<') {
			end = str_find(s, STR("<"), i);
			end = end == SIZE_MAX ? s.len : end;
			line_add(l, str_sub(s, i, end));
			i = end;
			continue;
		}
		i = skip_element(s, i);
		end = str_find(s, STR(">"), i);
		i = end == SIZE_MAX ? s.len : end + 1;
		l->space = true;
	}
}

/* ---- JSON ---- */

static bool add_sentence(struct line *l, const struct json *v, unsigned depth);

static bool add_string(struct line *l, const struct json *v)
{
	size_t before = l->text.len;

	if (!v || v->type != JSON_STRING)
		return false;
	line_add(l, v->text);
	return l->text.len > before;
}

/* All sentences of a list, joined by "; ". */
static bool add_list(struct line *l, const struct json *v, unsigned depth)
{
	bool any = false;

	for (uint32_t i = 0; i < v->count && !l->full; i++) {
		if (any)
			line_break(l, ";");
		any |= add_sentence(l, &v->items[i], depth + 1);
	}
	return any;
}

static bool add_object(struct line *l, const struct json *v, unsigned depth)
{
	static const char *const names[] = { "message",           "msg",         "detail", "errors",
		                             "error_description", "description", "reason", "title" };
	const struct json *error = json_get_lit(v, "error");
	const struct json *metadata = json_get_lit(v, "metadata");
	const struct json *raw = metadata ? json_get_lit(metadata, "raw") : NULL; /* a router's upstream text */
	bool any = error && add_sentence(l, error, depth + 1);

	for (size_t i = 0; i < ARRAY_SIZE(names) && (!any || (i == 0 && error && error->type == JSON_STRING)); i++) {
		const struct json *member = json_get(v, str_from(names[i]));

		if (!member)
			continue;
		if (any)
			line_break(l, ":");
		any |= add_sentence(l, member, depth + 1);
	}
	if (any && raw && raw->type == JSON_STRING) {
		line_break(l, ":");
		add_string(l, raw);
	}
	return any;
}

static bool add_sentence(struct line *l, const struct json *v, unsigned depth)
{
	if (depth > NEST_MAX)
		return false;
	switch (v->type) {
	case JSON_STRING: return add_string(l, v);
	case JSON_ARRAY: return add_list(l, v, depth);
	case JSON_OBJECT: return add_object(l, v, depth);
	default: return false;
	}
}

/* A value without a sentence, quoted as JSON; null, {} and [] say nothing. */
static void add_quoted(struct line *l, const struct json *v)
{
	struct buf out;
	struct json_writer w;

	if (v->type == JSON_NULL || ((v->type == JSON_ARRAY || v->type == JSON_OBJECT) && v->count == 0))
		return;
	buf_init(&out, MESSAGE_MAX * 4);
	json_writer_init(&w, &out, 0);
	json_value(&w, v);
	line_add(l, buf_str(&out));
	buf_release(&out);
}

static void add_body(struct line *l, struct str body)
{
	if (text_is_html(body))
		add_html(l, body);
	else
		line_add(l, body);
}

struct str provider_message(struct arena *a, struct str body, const struct json *parsed_or_null)
{
	struct line l;

	line_init(&l, a);
	if (parsed_or_null) {
		if (!add_sentence(&l, parsed_or_null, 0))
			add_quoted(&l, parsed_or_null);
	} else {
		add_body(&l, body);
	}
	return line_end(&l);
}

struct str provider_excerpt(struct arena *a, struct str text, size_t max)
{
	struct line l;

	line_init(&l, a);
	add_body(&l, str_sub(text, 0, utf8_cut(text, max)));
	l.full |= text.len > max;
	return line_end(&l);
}

/* ---- content ---- */

/* Text of one part: true with *ret (empty for a part that is no text), false when it is not a part at all. */
static bool part_text(const struct json *part, struct str *ret)
{
	const struct json *type = json_get_lit(part, "type"), *text = json_get_lit(part, "text");

	*ret = STR_NULL;
	if (part->type == JSON_STRING) {
		*ret = part->text;
		return true;
	}
	if (part->type != JSON_OBJECT)
		return false;
	if (type && type->type == JSON_STRING && !str_eq(type->text, STR("text")) && !str_eq(type->text, STR("output_text")))
		return true;
	if (!text || text->type == JSON_NULL)
		return true;
	*ret = text->type == JSON_STRING ? text->text : STR_NULL;
	return text->type == JSON_STRING;
}

bool content_text(struct arena *a, const struct json *content, struct str *ret, bool *ret_nomem)
{
	struct gather joined;
	struct str piece;

	if (!content || content->type == JSON_NULL) {
		*ret = STR("");
		return true;
	}
	if (content->type == JSON_STRING) {
		*ret = content->text;
		return true;
	}
	if (content->type != JSON_ARRAY)
		return false;
	gather_init(&joined, a, REPLY_MAX_BYTES);
	for (uint32_t i = 0; i < content->count; i++) {
		if (!part_text(&content->items[i], &piece))
			return false;
		if (gather_append(&joined, piece.ptr, piece.len) != 0)
			*ret_nomem = true;
	}
	*ret = joined.len ? gather_str(&joined) : STR("");
	return true;
}
