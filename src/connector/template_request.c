/*
 * template_request.c: see template_request.h. Reading runs once a connector; rendering costs one allocation for each text that is not fixed.
 *
 * A JSON body becomes one flat template: its syntax is literal, and only the placeholders are pieces. A JSON body that is given as text keeps its
 * spelling: a small scan over the text tells which placeholders stand inside a string.
 */
#include "connector/template_request.h"

#include <stdio.h>

#include "connector/base_url.h"
#include "connector/setup.h"

static void pointer_to(const char *pointer, struct str name, char out[SETUP_POINTER_MAX])
{
	snprintf(out, SETUP_POINTER_MAX, "%s", pointer);
	json_pointer_push(out, SETUP_POINTER_MAX, name);
}

#define WRONG(scope, pointer, ...) ((scope)->errors++, problem_error((scope)->problems, (pointer), __VA_ARGS__))

/* ---- url ---- */

/* Length of "scheme://authority", or 0 when there is no scheme. */
static size_t origin_length(struct str url)
{
	size_t at = str_find(url, STR("://"), 0);

	if (at == SIZE_MAX)
		return 0;
	for (at += 3; at < url.len && !strchr("/?#", url.ptr[at]); at++)
		;
	return at;
}

/* "https://host:8443" without user and password; these become a header. */
static void read_origin(struct template_scope *scope, struct str text, const char *pointer, struct template_request *ret,
                        struct str *ret_userinfo)
{
	struct base_url u;
	const char *wrong;
	const char *origin;

	if (!text.len || template_find(text, 0) != SIZE_MAX) {
		WRONG(scope, pointer,
		      text.len ? "Scheme, host and port of the URL must be fixed: there are no {{...}} in them."
		               : "The URL must begin with https:// or http:// and a fixed host.");
		return;
	}
	wrong = base_url_parse(text, &u);
	if (wrong) {
		WRONG(scope, pointer, "The URL cannot be used: %s.", wrong);
		return;
	}
	origin = arena_printf(scope->arena, "%.*s://%.*s%s%.*s", STR_ARG(u.scheme), STR_ARG(u.host), u.port.len ? ":" : "",
	                      STR_ARG(u.port));
	scope->nomem |= !origin;
	ret->origin = str_from(origin);
	*ret_userinfo = u.userinfo;
}

static bool has_dot_segment(struct str url, size_t from)
{
	struct str path = str_sub(url, from, url.len);
	size_t query = str_find(path, STR("?"), 0);

	return path_has_dots(str_sub(path, 0, query));
}

/* Literal values of query parameters that look secret by their name. */
static void note_query_secrets(struct template_scope *scope, struct str url)
{
	size_t mark = str_find(url, STR("?"), 0);
	struct str rest = mark == SIZE_MAX ? STR_NULL : str_sub(url, mark + 1, url.len);

	while (rest.ptr) {
		struct str value = str_split(&rest, '&'), name = str_split(&value, '=');
		size_t len;
		char *plain;

		if (!value.len || template_find(value, 0) != SIZE_MAX || !header_looks_secret(name))
			continue;
		header_list_secret(scope->secrets, value);
		plain = percent_decode(scope->arena, value, &len);
		scope->nomem |= !plain;
		if (plain)
			header_list_secret(scope->secrets, str_of(plain, len));
	}
}

static void read_url(struct template_scope *scope, const struct template_request_source *in, struct template_request *ret,
                     struct str *ret_userinfo)
{
	char at[SETUP_POINTER_MAX];
	struct template_builder b;
	struct str url, rest;

	pointer_to(in->pointer, STR("url"), at);
	ret->url_what = "the URL";
	if (!in->url)
		return; /* told by the table: it is required */
	url = in->url->text;
	read_origin(scope, str_sub(url, 0, origin_length(url)), at, ret, ret_userinfo);
	if (!ret->origin.len)
		return;
	rest = str_sub(url, origin_length(url), url.len);
	if (has_dot_segment(rest, 0))
		WRONG(scope, at, "The path of the URL has a segment of dots: write the path that it leads to.");
	note_query_secrets(scope, rest);
	template_begin(&b, scope);
	template_raw(&b, ret->origin);
	if (!rest.len || rest.ptr[0] != '/')
		template_raw(&b, STR("/"));
	template_add(&b, rest, PLACE_URL, at);
	template_end(&b, &ret->url);
}

/* ---- headers ---- */

static bool has_header(const struct json *headers, struct str name)
{
	for (uint32_t i = 0; headers && i < headers->count; i++)
		if (str_eq_nocase(headers->members[i].key, name) && headers->members[i].value.type != JSON_NULL)
			return true;
	return false;
}

/* What a header that looks secret carries: its literal value, or the captured ones in it. */
static void note_header_secrets(struct template_scope *scope, const struct template_header *h)
{
	if (!header_looks_secret(h->name))
		return;
	if (h->value.fixed && h->value.count)
		header_list_secret_value(scope->secrets, h->value.pieces[0].text);
	for (size_t i = 0; i < h->value.count; i++)
		if (h->value.pieces[i].source == SOURCE_CAPTURED)
			scope->slots[h->value.pieces[i].slot].secret = true;
}

static void add_header(struct template_scope *scope, struct template_request *r, struct str name, struct str value,
                       const char *pointer)
{
	struct template_header *h = &r->headers[r->header_count++];
	struct template_builder b;
	const char *what;

	scope->nomem |= arena_str(scope->arena, name, &h->name) != 0;
	what = arena_printf(scope->arena, "the header %.*s", STR_ARG(name));
	scope->nomem |= !what;
	h->what = what;
	template_begin(&b, scope);
	template_add(&b, value, PLACE_HEADER, pointer);
	template_end(&b, &h->value);
	note_header_secrets(scope, h);
}

static void add_given_header(struct template_scope *scope, struct template_request *r, const struct json_member *m,
                             const char *pointer)
{
	char at[SETUP_POINTER_MAX];
	const char *wrong = NULL;

	pointer_to(pointer, m->key, at);
	if (m->value.type == JSON_NULL)
		return;
	if (m->value.type != JSON_STRING)
		wrong = "its value must be a string";
	else
		wrong = header_problem(m->key, STR_NULL, scope->setup->stranger);
	for (size_t i = 0; i < r->header_count && !wrong; i++)
		if (str_eq_nocase(r->headers[i].name, m->key))
			wrong = "it stands there twice";
	if (wrong)
		WRONG(scope, at, "The header cannot be sent: %s.", wrong);
	else
		add_header(scope, r, m->key, m->value.text, at);
}

static void read_headers(struct template_scope *scope, const struct template_request_source *in, struct str userinfo,
                         const char *content_type, struct template_request *ret)
{
	const struct json *given = in->headers;
	char at[SETUP_POINTER_MAX], *basic;

	pointer_to(in->pointer, STR("headers"), at);
	ret->headers = arena_calloc(scope->arena, (given ? given->count : 0) + 4u, sizeof *ret->headers);
	if (!ret->headers) {
		scope->nomem = true;
		return;
	}
	for (uint32_t i = 0; given && i < given->count; i++)
		add_given_header(scope, ret, &given->members[i], at);
	if (userinfo.len && !has_header(given, STR("authorization"))) {
		basic = base_url_basic_auth(scope->arena, userinfo);
		scope->nomem |= !basic;
		header_list_userinfo_secrets(scope->secrets, userinfo);
		add_header(scope, ret, STR("authorization"), str_from(basic), at);
	}
	if (ret->has_body && !has_header(given, STR("content-type")))
		add_header(scope, ret, STR("content-type"), str_from(content_type), at);
	if (!has_header(given, STR("accept")))
		add_header(scope, ret, STR("accept"), str_from(in->accept), at);
	if (!has_header(given, STR("user-agent")))
		add_header(scope, ret, STR("user-agent"), STR(SETUP_USER_AGENT), at);
}

/* ---- body: JSON ---- */

static void write_value(struct template_builder *b, const struct json *v, struct str name, const char *pointer);

static void write_string(struct template_builder *b, struct str text, struct str name, const char *pointer)
{
	if (template_is_json_value(text)) {
		template_add(b, text, PLACE_JSON_VALUE, pointer);
		return;
	}
	if (template_find(text, 0) == SIZE_MAX && header_looks_secret(name))
		header_list_secret(b->scope->secrets, text);
	template_raw(b, STR("\""));
	template_add(b, text, PLACE_JSON, pointer);
	template_raw(b, STR("\""));
}

static void write_scalar(struct template_builder *b, const struct json *v)
{
	struct json_writer w;

	json_writer_init(&w, &b->literal, 0);
	json_value(&w, v);
}

static void write_object(struct template_builder *b, const struct json *v, const char *pointer)
{
	char at[SETUP_POINTER_MAX];

	template_raw(b, STR("{"));
	for (uint32_t i = 0; i < v->count; i++) {
		const struct json_member *m = &v->members[i];

		pointer_to(pointer, m->key, at);
		if (template_find(m->key, 0) != SIZE_MAX)
			WRONG(b->scope, at, "The name of a member cannot have {{...}}: only values are templates.");
		if (i)
			template_raw(b, STR(","));
		json_append_quoted(&b->literal, m->key);
		template_raw(b, STR(":"));
		write_value(b, &m->value, m->key, at);
	}
	template_raw(b, STR("}"));
}

static void write_array(struct template_builder *b, const struct json *v, const char *pointer)
{
	char at[SETUP_POINTER_MAX];

	template_raw(b, STR("["));
	for (uint32_t i = 0; i < v->count; i++) {
		snprintf(at, sizeof at, "%s", pointer);
		json_pointer_push_index(at, sizeof at, i);
		if (i)
			template_raw(b, STR(","));
		write_value(b, &v->items[i], STR_NULL, at);
	}
	template_raw(b, STR("]"));
}

/* Recursive: the reader's cap on depth bounds it. */
static void write_value(struct template_builder *b, const struct json *v, struct str name, const char *pointer)
{
	switch (v->type) {
	case JSON_STRING: write_string(b, v->text, name, pointer); break;
	case JSON_OBJECT: write_object(b, v, pointer); break;
	case JSON_ARRAY: write_array(b, v, pointer); break;
	case JSON_NULL:
	case JSON_FALSE:
	case JSON_TRUE:
	case JSON_NUMBER: write_scalar(b, v); break;
	}
}

/* ---- body: text ---- */

static bool is_type(const struct json *headers, struct str piece)
{
	for (uint32_t i = 0; headers && i < headers->count; i++)
		if (str_eq_nocase(headers->members[i].key, STR("content-type")) && headers->members[i].value.type == JSON_STRING)
			return str_contains_nocase(headers->members[i].value.text, piece);
	return false;
}

/* Whether a piece of JSON text, which begins inside a string or not, ends inside one. */
static bool ends_in_string(struct str piece, bool in_string)
{
	for (size_t i = 0; i < piece.len; i++) {
		if (in_string && piece.ptr[i] == '\\')
			i++;
		else if (piece.ptr[i] == '"')
			in_string = !in_string;
	}
	return in_string;
}

/* The text must be JSON once its placeholders are values: inside a string they vanish, elsewhere they are null. */
static void check_json(struct template_scope *scope, const struct template *t, const char *pointer)
{
	struct buf sample CLEANUP(buf_release);
	struct json_error why;
	struct json v;
	char sentence[512];

	buf_init(&sample, JSON_MAX_BYTES);
	for (size_t i = 0; i < t->count; i++) {
		if (t->pieces[i].source == SOURCE_LITERAL)
			buf_append_str(&sample, t->pieces[i].text);
		else if (t->pieces[i].place == PLACE_JSON_VALUE)
			buf_append_str(&sample, STR("null"));
	}
	if (buf_failed(&sample)) {
		scope->nomem = true;
		return;
	}
	switch (json_parse(scope->arena, buf_str(&sample), NULL, &v, NULL, &why)) {
	case 0: break;
	case FF_ENOMEM: scope->nomem = true; break;
	default:
		json_error_format(&why, sentence, sizeof sentence);
		WRONG(scope, pointer, "The Content-Type says JSON, and the body would not be JSON: %s.", sentence);
	}
}

/* JSON as text: each placeholder is told by the text before it whether it stands in a string. The text between is kept as it is. */
static void write_json_text(struct template_builder *b, struct str text, const char *pointer)
{
	bool in_string = false;
	size_t at = 0, open, end;

	while ((open = template_find(text, at)) != SIZE_MAX) {
		template_raw(b, str_sub(text, at, open));
		in_string = ends_in_string(str_sub(text, at, open), in_string);
		end = template_skip(text, open);
		template_add(b, str_sub(text, open, end), in_string ? PLACE_JSON : PLACE_JSON_VALUE, pointer);
		at = end;
	}
	template_raw(b, str_sub(text, at, text.len));
}

static const char *read_text_body(struct template_builder *b, const struct template_request_source *in, const char *pointer,
                                  bool *ret_json)
{
	struct str text = in->body->text;

	*ret_json = is_type(in->headers, STR("json"));
	if (*ret_json)
		write_json_text(b, text, pointer);
	else if (is_type(in->headers, STR("x-www-form-urlencoded")))
		template_add(b, text, PLACE_FORM, pointer);
	else if (is_type(in->headers, STR("xml")))
		template_add(b, text, PLACE_XML, pointer);
	else
		template_add(b, text, PLACE_TEXT, pointer);
	return "text/plain; charset=utf-8";
}

/* The Content-Type to send unless the user gave one. */
static const char *read_body(struct template_scope *scope, const struct template_request_source *in, struct template_request *ret)
{
	const char *type = "application/json";
	struct template_builder b;
	char at[SETUP_POINTER_MAX];
	bool json_text = false;

	ret->has_body = in->body && in->body->type != JSON_NULL;
	ret->body_what = "the body";
	if (!ret->has_body)
		return NULL;
	pointer_to(in->pointer, STR("body"), at);
	template_begin(&b, scope);
	if (in->body->type == JSON_STRING)
		type = read_text_body(&b, in, at, &json_text);
	else
		write_value(&b, in->body, STR_NULL, at);
	template_end(&b, &ret->body);
	if (json_text && !scope->errors && !scope->nomem)
		check_json(scope, &ret->body, at);
	return type;
}

/* ---- all of it ---- */

static void read_method(struct template_scope *scope, const struct template_request_source *in, struct template_request *ret)
{
	char at[SETUP_POINTER_MAX];

	pointer_to(in->pointer, STR("method"), at);
	ret->method = ret->has_body ? STR("POST") : STR("GET");
	if (in->method)
		scope->nomem |= arena_str(scope->arena, in->method->text, &ret->method) != 0;
	if (ret->has_body && str_eq(ret->method, STR("GET")))
		WRONG(scope, at, "A GET has no body: leave body out, or use POST.");
}

void template_request_read(struct template_scope *scope, const struct template_request_source *source, struct template_request *ret)
{
	struct str userinfo = STR_NULL;
	const char *type;

	*ret = (struct template_request){ 0 };
	read_url(scope, source, ret, &userinfo);
	type = read_body(scope, source, ret);
	read_method(scope, source, ret);
	read_headers(scope, source, userinfo, type, ret);
}

int template_request_render(const struct template_request *t, const struct template_values *v, struct arena *a,
                            struct exchange *ret, struct error *err)
{
	struct pair *headers = arena_calloc(a, t->header_count + 1, sizeof *headers);
	int r;

	if (!headers)
		return FF_ENOMEM;
	*ret = (struct exchange){ .method = t->method, .headers = headers, .header_count = t->header_count };
	r = template_render(&t->url, v, a, t->url_what, &ret->url, err);
	if (r)
		return r;
	if (!t->url.fixed && has_dot_segment(ret->url, t->origin.len))
		return error_set(err, FF_EDATA, "",
		                 "a value makes a segment of dots in the path of the URL, which would lead elsewhere.");
	for (size_t i = 0; i < t->header_count; i++) {
		headers[i].name = t->headers[i].name;
		r = template_render(&t->headers[i].value, v, a, t->headers[i].what, &headers[i].value, err);
		if (r)
			return r;
	}
	return t->has_body ? template_render(&t->body, v, a, t->body_what, &ret->body, err) : 0;
}
