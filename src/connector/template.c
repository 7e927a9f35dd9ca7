/*
 * template.c: source texts → pieces. Runs when a connector is configured; every mistake is found here, before anything is sent. Not: what the
 * pieces become in a turn (template_render.c), nor how a place escapes (template_place.c).
 *
 * A builder holds the literal that is growing and the pieces before it; a placeholder ends the literal. {{env.NAME}} and {{model}} are known
 * already and become part of the literal.
 */
#include "connector/template.h"

#include "connector/base_url.h"
#include "connector/quote.h"
#include "connector/setup.h"

#define LITERAL_MAX_BYTES ((size_t)64 << 20)
#define SHOWN_MAX         60 /* bytes of a source that a sentence quotes */

static const struct {
	struct str name;
	enum template_source source;
	bool of_turn;
} sources[] = {
#define X(name, source, of_turn) { { name, sizeof(name) - 1 }, source, of_turn },
	TEMPLATE_SOURCES(X)
#undef X
};

#define X(name, source, of_turn) name ", "
static const char known_names[] = TEMPLATE_SOURCES(X) "model, agentic.NAME, captured.NAME and env.NAME";
#undef X

/* ---- the builder ---- */

void template_begin(struct template_builder *b, struct template_scope *scope)
{
	*b = (struct template_builder){ .scope = scope };
	buf_init(&b->literal, LITERAL_MAX_BYTES);
}

static void add_piece(struct template_builder *b, struct template_piece piece)
{
	size_t wanted = b->room ? b->room * 2 : 8;
	struct template_piece *bigger;

	if (b->count == b->room) {
		bigger = arena_calloc(b->scope->arena, wanted, sizeof *bigger);
		if (!bigger) {
			b->scope->nomem = true;
			return;
		}
		if (b->count)
			memcpy(bigger, b->pieces, b->count * sizeof *bigger);
		b->pieces = bigger;
		b->room = wanted;
	}
	b->pieces[b->count++] = piece;
}

static void flush(struct template_builder *b)
{
	struct template_piece piece = { .source = SOURCE_LITERAL };

	if (buf_failed(&b->literal))
		b->scope->nomem = true;
	if (!b->literal.len)
		return;
	if (arena_str(b->scope->arena, buf_str(&b->literal), &piece.text))
		b->scope->nomem = true;
	else
		add_piece(b, piece);
	buf_clear(&b->literal);
}

void template_raw(struct template_builder *b, struct str literal)
{
	buf_append_str(&b->literal, literal);
}

void template_end(struct template_builder *b, struct template *ret)
{
	flush(b);
	buf_release(&b->literal);
	*ret = (struct template){ .fixed = true };
	if (b->scope->nomem || b->scope->errors)
		return;
	*ret = (struct template){ .pieces = b->pieces, .count = b->count, .fixed = true };
	for (size_t i = 0; i < b->count; i++)
		ret->fixed &= b->pieces[i].source == SOURCE_LITERAL;
}

/* ---- problems ---- */

/* "text": a piece of the source as a sentence quotes it. */
static struct str shown(struct str text)
{
	return str_sub(text, 0, utf8_cut(text, SHOWN_MAX));
}

#define WRONG(b, pointer, ...) ((b)->scope->errors++, problem_error((b)->scope->problems, (pointer), __VA_ARGS__))

/* ---- literals ---- */

static void add_escaped(struct template_builder *b, struct str text, enum template_place place)
{
	size_t len = place_length(place, text);
	char *out = buf_reserve(&b->literal, len);

	if (!out)
		return;
	place_write(place, out, text);
	buf_commit(&b->literal, len);
}

/* What stands in a URL outside of the braces is syntax: it stays, but for characters beyond ASCII. */
static void add_url_literal(struct template_builder *b, struct str text, const char *pointer)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];

		if (c >= 0x80) {
			add_escaped(b, str_sub(text, i, i + 1), PLACE_URL);
		} else if (c <= 0x20 || c == 0x7f || strchr("\\\"<>^`{|}#", c)) {
			WRONG(b, pointer,
			      "The URL has a blank, a '#' or another character that no request has: percent-encode it (%%20, "
			      "%%23).");
			return;
		} else {
			buf_append_char(&b->literal, (char)c);
		}
	}
}

static void add_literal(struct template_builder *b, struct str text, enum template_place place, const char *pointer)
{
	const char *why;

	switch (place) {
	case PLACE_URL: add_url_literal(b, text, pointer); return;
	case PLACE_JSON: add_escaped(b, text, PLACE_JSON); return;
	case PLACE_HEADER:
		why = place_problem(PLACE_HEADER, text);
		if (why)
			WRONG(b, pointer, "The header cannot be sent: %s.", why);
		break;
	case PLACE_TEXT:
	case PLACE_FORM:
	case PLACE_JSON_VALUE:
	case PLACE_XML: break;
	}
	template_raw(b, text);
}

/* A value that is known already, through its filter and for its place. */
static void add_known(struct template_builder *b, const struct template_piece *piece, struct str value, const char *pointer)
{
	struct buf filtered CLEANUP(buf_release);
	const char *why = place_problem(piece->place, value);

	buf_init(&filtered, LITERAL_MAX_BYTES);
	if (why) {
		WRONG(b, pointer, "{{%.*s}} cannot stand here: %s.", STR_ARG(piece->text), why);
		return;
	}
	if (piece->filter == FILTER_JSON) {
		json_append_quoted(&filtered, value);
		value = buf_str(&filtered);
	} else if (piece->filter == FILTER_URL && piece->place != PLACE_URL && piece->place != PLACE_FORM) {
		char *out = buf_reserve(&filtered, place_length(PLACE_URL, value));

		if (out) {
			place_write(PLACE_URL, out, value);
			buf_commit(&filtered, place_length(PLACE_URL, value));
		}
		value = buf_str(&filtered);
	}
	b->scope->nomem |= buf_failed(&filtered) != 0;
	add_escaped(b, value, piece->place);
}

/* ---- names ---- */

static bool is_env_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

		if (!letter && !(i && c >= '0' && c <= '9'))
			return false;
	}
	return name.len > 0;
}

static void add_env(struct template_builder *b, const struct template_piece *piece, struct str name, const char *pointer)
{
	struct template_scope *scope = b->scope;
	struct str value;
	char *text;

	if (scope->setup->stranger) {
		WRONG(b, pointer, "{{%.*s}} can only be used by the operator of this service.", STR_ARG(piece->text));
		return;
	}
	if (!is_env_name(name)) {
		WRONG(b, pointer, "{{%.*s}} names no environment variable.", STR_ARG(shown(piece->text)));
		return;
	}
	text = arena_memdup(scope->arena, name.ptr, name.len);
	if (!text) {
		scope->nomem = true;
		return;
	}
	value = setup_env(scope->setup, text);
	if (!value.len && !piece->optional) {
		WRONG(b, pointer, "The environment variable %s is not set.", text);
		return;
	}
	if (!utf8_is_valid(value)) {
		WRONG(b, pointer, "The environment variable %s is not UTF-8.", text);
		return;
	}
	header_list_secret(scope->secrets, value);
	scope->env_used |= value.len > 0;
	add_known(b, piece, value, pointer);
}

/* "user.name" → "/user/name"; "/user/name" is a pointer already. */
static int agentic_pointer(struct arena *a, struct str path, struct str *ret)
{
	char *out, *at;

	if (!path.len || path.ptr[0] == '/')
		return arena_str(a, path, ret);
	out = at = arena_alloc(a, 2 * path.len + 2);
	if (!out)
		return FF_ENOMEM;
	*at++ = '/';
	for (size_t i = 0; i < path.len; i++) {
		char c = path.ptr[i];

		if (c == '~' || c == '/')
			*at++ = '~';
		*at++ = (char)(c == '~' ? '0' : c == '/' ? '1' : c == '.' ? '/' : c);
	}
	*ret = str_of(out, (size_t)(at - out));
	return 0;
}

static void add_agentic(struct template_builder *b, struct template_piece *piece, struct str path, const char *pointer)
{
	struct str rest = path;

	while (rest.ptr && !(path.len && path.ptr[0] == '/')) {
		if (!str_split(&rest, '.').len) {
			WRONG(b, pointer, "{{%.*s}} has an empty name between its dots.", STR_ARG(shown(piece->text)));
			return;
		}
	}
	if (agentic_pointer(b->scope->arena, path, &piece->path)) {
		b->scope->nomem = true;
		return;
	}
	flush(b);
	add_piece(b, *piece);
}

static void add_captured(struct template_builder *b, struct template_piece *piece, struct str name, const char *pointer)
{
	struct template_scope *scope = b->scope;

	if (scope->login) {
		WRONG(b, pointer, "{{%.*s}} cannot be used in the login: nothing is captured before it.",
		      STR_ARG(shown(piece->text)));
		return;
	}
	for (size_t i = 0; i < scope->slot_count; i++) {
		if (!str_eq(scope->slots[i].name, name))
			continue;
		scope->slots[i].used = true;
		piece->source = SOURCE_CAPTURED;
		piece->slot = i;
		flush(b);
		add_piece(b, *piece);
		return;
	}
	WRONG(b, pointer, "Nothing captures '%.*s': add it to capture, here or in login.", STR_ARG(shown(name)));
}

static void add_variable(struct template_builder *b, struct template_piece *piece, size_t row, const char *pointer)
{
	if (sources[row].of_turn && b->scope->login) {
		WRONG(b, pointer, "{{%.*s}} belongs to a turn, and the login is made once a session, before its turns.",
		      STR_ARG(shown(piece->text)));
		return;
	}
	piece->source = sources[row].source;
	flush(b);
	add_piece(b, *piece);
}

static bool cut_prefix(struct str *text, struct str prefix)
{
	bool cut = str_starts_with(*text, prefix);

	if (cut)
		*text = str_sub(*text, prefix.len, text->len);
	return cut;
}

/* A name without filter and question mark. */
static void add_name(struct template_builder *b, struct template_piece *piece, struct str name, const char *pointer)
{
	struct str rest = name;

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		if (str_eq(name, sources[i].name)) {
			add_variable(b, piece, i, pointer);
			return;
		}
	}
	if (str_eq(name, STR("model"))) {
		add_known(b, piece, b->scope->model, pointer);
	} else if (cut_prefix(&rest, STR("agentic."))) {
		piece->source = SOURCE_AGENTIC;
		if (b->scope->login)
			WRONG(b, pointer, "{{%.*s}} belongs to a turn, and the login is made once a session, before its turns.",
			      STR_ARG(shown(piece->text)));
		else
			add_agentic(b, piece, rest, pointer);
	} else if (cut_prefix(&rest, STR("captured."))) {
		add_captured(b, piece, rest, pointer);
	} else if (cut_prefix(&rest, STR("env."))) {
		add_env(b, piece, rest, pointer);
	} else {
		WRONG(b, pointer, "There is no {{%.*s}}: known are %s; {{'{{'}} is two braces.", STR_ARG(shown(piece->text)),
		      known_names);
	}
}

/* ---- placeholders ---- */

size_t template_find(struct str source, size_t from)
{
	return str_find(source, STR("{{"), from);
}

/* Index behind the placeholder whose "{{" is at `open`, or SIZE_MAX; *ret_inner is what stands between the braces, trimmed. */
static size_t placeholder_end(struct str source, size_t open, struct str *ret_inner)
{
	struct str rest = str_sub(source, open + 2, source.len), inner = str_trim(rest);
	size_t from = open + 2, end;

	if (inner.len && inner.ptr[0] == '\'' && rest.ptr) {
		from = str_find(source, STR("'"), (size_t)(inner.ptr - source.ptr) + 1);
		if (from == SIZE_MAX)
			return SIZE_MAX;
	}
	end = str_find(source, STR("}}"), from);
	if (end == SIZE_MAX)
		return SIZE_MAX;
	*ret_inner = str_trim(str_sub(source, open + 2, end));
	return end + 2;
}

size_t template_skip(struct str source, size_t open)
{
	struct str inner = STR_NULL;
	size_t end = placeholder_end(source, open, &inner);

	return end == SIZE_MAX ? source.len : end;
}

static enum template_filter cut_filter(struct str *name)
{
	enum template_filter filter = FILTER_NONE;

	if (cut_prefix(name, STR("json:")))
		filter = FILTER_JSON;
	else if (cut_prefix(name, STR("url:")))
		filter = FILTER_URL;
	*name = str_trim(*name);
	return filter;
}

static void add_placeholder(struct template_builder *b, struct str inner, enum template_place place, const char *pointer)
{
	struct template_piece piece = { .place = place };
	struct str name = inner;

	if (inner.len > 1 && inner.ptr[0] == '\'' && inner.ptr[inner.len - 1] == '\'') {
		add_literal(b, str_sub(inner, 1, inner.len - 1), place, pointer);
		return;
	}
	if (arena_str(b->scope->arena, inner, &piece.text)) {
		b->scope->nomem = true;
		return;
	}
	piece.filter = cut_filter(&name);
	if (name.len && name.ptr[name.len - 1] == '?') {
		piece.optional = true;
		name = str_trim(str_sub(name, 0, name.len - 1));
	}
	if (place == PLACE_JSON_VALUE && piece.filter != FILTER_JSON)
		WRONG(b, pointer, "{{%.*s}} stands outside of a JSON string: write {{json:%.*s}} there, or put it into quotes.",
		      STR_ARG(shown(inner)), STR_ARG(shown(inner)));
	else
		add_name(b, &piece, name, pointer);
}

bool template_is_json_value(struct str source)
{
	struct str inner = STR_NULL;

	return template_find(source, 0) == 0 && placeholder_end(source, 0, &inner) == source.len &&
	       cut_filter(&inner) == FILTER_JSON;
}

void template_add(struct template_builder *b, struct str source, enum template_place place, const char *pointer)
{
	size_t at = 0, open;
	struct str inner = STR_NULL;

	while ((open = template_find(source, at)) != SIZE_MAX) {
		if (open > at)
			add_literal(b, str_sub(source, at, open), place, pointer);
		at = placeholder_end(source, open, &inner);
		if (at == SIZE_MAX) {
			WRONG(b, pointer,
			      "The braces at '%.*s' are never closed: write }} behind the name, or {{'{{'}} for two braces.",
			      STR_ARG(shown(str_sub(source, open, source.len))));
			return;
		}
		add_placeholder(b, inner, place, pointer);
	}
	if (at < source.len)
		add_literal(b, str_sub(source, at, source.len), place, pointer);
}
