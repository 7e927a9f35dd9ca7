/*
 * json_api.c: the public view of model/json.h.
 *
 * A document owns an arena with a copy of its text, so that the caller's buffer may go at once. `struct ff_json` is never defined: a pointer to
 * it is a pointer to a struct json inside the document. Lookups cost what they cost in the model: json_get is linear in the members.
 */
#include "fairforge/fairforge.h"

#include <assert.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/secret.h"
#include "lib/internal.h"
#include "model/json.h"

struct ff_json_doc {
	struct arena arena;
	struct json root;
};

static_assert((int)FF_JSON_NULL == (int)JSON_NULL && (int)FF_JSON_NUMBER == (int)JSON_NUMBER &&
                      (int)FF_JSON_OBJECT == (int)JSON_OBJECT,
              "the public types are the model's");

static const struct json *inner(const struct ff_json *value)
{
	return (const struct json *)(const void *)value;
}

static const struct ff_json *outer(const struct json *value)
{
	return (const struct ff_json *)(const void *)value;
}

/* Parses into the document's arena; the sentence names line, column and pointer. */
static int parse_into(struct ff_json_doc *doc, struct str text, const struct json_limits *limits, struct error *err)
{
	struct json_error problem;
	struct str copy;
	char sentence[512];

	if (limits->max_bytes && text.len > limits->max_bytes)
		return error_set(err, FF_ETOOBIG, "", "The document has %zu bytes, more than the cap of %zu.", text.len,
		                 limits->max_bytes);
	if (arena_str(&doc->arena, text, &copy))
		return error_nomem(err);
	if (json_parse(&doc->arena, copy, limits, &doc->root, NULL, &problem) == 0)
		return 0;
	if (problem.code == FF_ENOMEM)
		return error_nomem(err);
	json_error_format(&problem, sentence, sizeof(sentence));
	return error_set(err, problem.code, problem.pointer, "The text is not JSON: %s.", sentence);
}

int ff_json_parse(const char *text, size_t len, size_t max_bytes, unsigned max_depth, struct ff_json_doc **ret,
                  struct ff_error *err)
{
	struct json_limits limits = { .max_bytes = max_bytes ? max_bytes : JSON_MAX_BYTES, .max_depth = max_depth };
	struct error problem = { 0 };
	struct ff_json_doc *doc;

	if (!ret || (!text && len))
		return lib_error_export(
		        &(struct error){ .code = FF_EINVAL, .text = "ff_json_parse needs a text and a place for the document." },
		        err);
	doc = NEW(struct ff_json_doc);
	if (!doc) {
		error_nomem(&problem);
		return lib_error_export(&problem, err);
	}
	arena_init(&doc->arena);
	if (parse_into(doc, str_of(text, len), &limits, &problem)) {
		ff_json_free(doc);
		return lib_error_export(&problem, err);
	}
	*ret = doc;
	return 0;
}

void ff_json_free(struct ff_json_doc *doc)
{
	if (!doc)
		return;
	arena_release(&doc->arena);
	mem_free(doc);
}

const struct ff_json *ff_json_root(const struct ff_json_doc *doc)
{
	return doc ? outer(&doc->root) : NULL;
}

enum ff_json_type ff_json_type(const struct ff_json *value)
{
	return value ? (enum ff_json_type)inner(value)->type : FF_JSON_NULL;
}

const struct ff_json *ff_json_get(const struct ff_json *object, const char *key)
{
	return object && key ? outer(json_get(inner(object), str_from(key))) : NULL;
}

size_t ff_json_count(const struct ff_json *value)
{
	if (!value || (inner(value)->type != JSON_ARRAY && inner(value)->type != JSON_OBJECT))
		return 0;
	return inner(value)->count;
}

const struct ff_json *ff_json_item(const struct ff_json *array_or_object, size_t index)
{
	const struct json *v = inner(array_or_object);

	if (index >= ff_json_count(array_or_object))
		return NULL;
	return outer(v->type == JSON_ARRAY ? &v->items[index] : &v->members[index].value);
}

const char *ff_json_key(const struct ff_json *object, size_t index, size_t *ret_len)
{
	const struct json *v = inner(object);

	if (!object || v->type != JSON_OBJECT || index >= v->count)
		return NULL;
	if (ret_len)
		*ret_len = v->members[index].key.len;
	return v->members[index].key.ptr ? v->members[index].key.ptr : "";
}

const char *ff_json_text(const struct ff_json *value, size_t *ret_len)
{
	const struct json *v = inner(value);

	if (!value || (v->type != JSON_STRING && v->type != JSON_NUMBER))
		return NULL;
	if (ret_len)
		*ret_len = v->text.len;
	return v->text.ptr ? v->text.ptr : "";
}

double ff_json_double(const struct ff_json *value)
{
	return value && inner(value)->type == JSON_NUMBER ? json_to_double(inner(value)) : 0;
}

/* The buffer's memory becomes the caller's (its bytes end with a NUL); NULL when something could not be appended. */
static char *buf_give(struct buf *b)
{
	char *text;

	if (buf_failed(b)) {
		buf_release(b);
		return NULL;
	}
	if (!b->ptr)
		return mem_strdup("");
	text = b->ptr;
	buf_init(b, 0);
	return text;
}

char *ff_json_write(const struct ff_json *value, size_t *ret_len)
{
	struct json_writer w;
	struct buf out;
	size_t len;
	char *text;

	buf_init(&out, SIZE_MAX / 2);
	json_writer_init(&w, &out, 0);
	if (value)
		json_value(&w, inner(value));
	else
		json_null(&w);
	len = out.len;
	text = buf_give(&out);
	if (text && ret_len)
		*ret_len = len;
	return text;
}

char *ff_json_quote(const char *text, size_t len)
{
	struct buf out;

	buf_init(&out, SIZE_MAX / 2);
	json_append_quoted(&out, str_of(text, len));
	return buf_give(&out);
}

char *ff_escape(const char *text, size_t len)
{
	struct buf out;

	buf_init(&out, SIZE_MAX / 2);
	if (escape_append(&out, str_of(text, len), false)) {
		buf_release(&out);
		return NULL;
	}
	return buf_give(&out);
}
