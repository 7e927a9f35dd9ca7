/*
 * template.h: texts with {{...}} in them: parsed once into pieces, rendered for each turn. Every value is escaped for the place where it lands, so
 * that a query with quotes, line breaks or braces is a value and never syntax. What a value inserts is not looked at again for {{...}}.
 *
 *   {{query}} {{prompt}} {{context}} {{session_id}} {{qa_id}} {{language}} {{assistant_id}} {{date}} {{model}} {{messages}}
 *   {{agentic}} {{agentic.x.y}} {{agentic./json/pointer}}   of the batch; a member that is absent refuses the turn
 *   {{captured.NAME}}                                       what an earlier reply of the session left; empty (null) before that
 *   {{env.NAME}}                                            operators only; resolved when the template is parsed, and a secret
 *   {{json:...}}   the value as JSON: a quoted string, a number, an object; as the whole of a JSON string it replaces the string
 *   {{url:...}}    the value percent-encoded
 *   {{...?}}       a member of agentic or a variable that may be absent: empty (null) then
 *   {{'{{'}}       the text between the quotes as it is
 *
 * Plain values: a string is its text, a number or boolean its JSON text, null is empty, an object or a list its JSON text.
 */
#ifndef FF_CONNECTOR_TEMPLATE_H
#define FF_CONNECTOR_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "connector/connector.h"
#include "connector/header_list.h"

enum template_place {
	PLACE_TEXT,       /* as it is */
	PLACE_URL,        /* percent-encoded, path and query alike: '/', '?', '&' and '#' of a value are not syntax */
	PLACE_FORM,       /* the same, in a body of application/x-www-form-urlencoded */
	PLACE_HEADER,     /* as it is; a line break or another control character refuses the turn */
	PLACE_JSON,       /* inside a JSON string literal */
	PLACE_JSON_VALUE, /* in place of a JSON value */
	PLACE_XML         /* inside an XML text or attribute; a control character refuses the turn */
};

enum template_filter { FILTER_NONE, FILTER_JSON, FILTER_URL };

/* Name, source, whether it belongs to a turn (a login has none). The one table of variables without a dot. */
#define TEMPLATE_SOURCES(X)                        \
	X("query", SOURCE_QUERY, true)             \
	X("prompt", SOURCE_PROMPT, true)           \
	X("qa_id", SOURCE_QA_ID, true)             \
	X("messages", SOURCE_MESSAGES, true)       \
	X("agentic", SOURCE_AGENTIC, true)         \
	X("context", SOURCE_CONTEXT, false)        \
	X("session_id", SOURCE_SESSION_ID, false)  \
	X("assistant_id", SOURCE_ASSISTANT, false) \
	X("language", SOURCE_LANGUAGE, false)      \
	X("date", SOURCE_DATE, false)

enum template_source {
	SOURCE_LITERAL,
#define X(name, source, of_turn) source,
	TEMPLATE_SOURCES(X)
#undef X
	        SOURCE_CAPTURED
};

struct template_piece {
	enum template_source source;
	enum template_place place;
	enum template_filter filter;
	bool optional;
	struct str text; /* literal: its bytes; else the name between the braces, for sentences */
	struct str path; /* agentic: JSON pointer */
	size_t slot;     /* captured: index */
};

struct template
{
	const struct template_piece *pieces;
	size_t count;
	bool fixed; /* literals only: rendering costs nothing */
};

/* A value that a session keeps; defined by `capture`. */
struct template_slot {
	struct str name;
	bool secret; /* captured by the login, or sent in a header that looks secret: kept from our own text */
	bool used;
};

/* What a template may name, and where its problems go. */
struct template_scope {
	struct arena *arena;
	struct problems *problems;
	const struct connector_setup *setup;
	struct header_list *secrets; /* gets the values of {{env.NAME}} */
	struct template_slot *slots;
	size_t slot_count;
	struct str model;
	bool login;    /* once a session: variables of a turn and captured ones are errors */
	bool env_used; /* a value of the environment is in a template */
	size_t errors;
	bool nomem;
};

/* A template under construction. Failures are in the scope. */
struct template_builder {
	struct template_scope *scope;
	struct template_piece *pieces;
	size_t count, room;
	struct buf literal; /* of the literal piece that is growing */
};

void template_begin(struct template_builder *b, struct template_scope *scope);
void template_raw(struct template_builder *b, struct str literal); /* bytes that are syntax of the place already */
/* A source text in a place; literals are escaped for it, too (and checked in a URL or a header). Problems are at `pointer`. */
void template_add(struct template_builder *b, struct str source, enum template_place place, const char *pointer);
/* Releases the builder in any case. With errors or without memory in the scope *ret is empty. */
void template_end(struct template_builder *b, struct template *ret);

/* The whole text is one {{json:...}}: as a JSON string of a body it stands for the value itself. */
bool template_is_json_value(struct str source);
/* The index of the first placeholder's "{{" at or after from, or SIZE_MAX. */
size_t template_find(struct str source, size_t from);
/* The index behind the placeholder that begins at `open`; the end of the source when it is never closed. */
size_t template_skip(struct str source, size_t open);

/* ---- places ---- */

size_t place_length(enum template_place place, struct str value);          /* bytes of the value, escaped for the place */
char *place_write(enum template_place place, char *out, struct str value); /* writes that many; returns where it ended */
const char *place_problem(enum template_place place,
                          struct str value); /* NULL, or why it cannot stand there: "it has a line break" */

/* ---- rendering ---- */

struct template_captured {
	struct str text; /* a string's text, else JSON text */
	bool set, is_string;
};

struct template_values {
	const struct turn_input *in;
	const struct template_captured *captured; /* by slot; NULL: none is set */
};

/*
 * *ret is in `a` or a slice of the template. `what` names the place in sentences: "the url". 0, FF_ENOMEM, or FF_EDATA with err: a value cannot
 * stand there, or a member is absent.
 */
int template_render(const struct template *t, const struct template_values *v, struct arena *a, const char *what, struct str *ret,
                    struct error *err) WARN_UNUSED;

#endif
