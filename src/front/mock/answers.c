/*
 * answers.c: the index of prepared answers. See answers.h for the order of the search.
 *
 * Keys and texts are copied into the arena, the parsed documents go at once: memory is about that of the texts. Where two batches have the same
 * key, the first one counts.
 */
#include "front/mock/answers.h"

#include <stdio.h>

#include "fairforge/fairforge.h"
#include "front/mock/text.h"

#define DOCUMENT_MAX ((size_t)1 << 30)

void answers_init(struct answers *a)
{
	*a = (struct answers){ .arena = ARENA_INIT };
	map_init(&a->by_key);
}

void answers_release(struct answers *a)
{
	map_release(&a->by_key);
	arena_release(&a->arena);
}

static int put(struct answers *a, struct str key, struct answer *answer)
{
	return map_get(&a->by_key, key) ? 0 : map_put(&a->by_key, key, answer, NULL);
}

/* The parts side by side, in the arena. */
static int join(struct arena *arena, const struct str *parts, size_t count, struct str *ret)
{
	size_t len = 0, at = 0;
	char *out;

	for (size_t i = 0; i < count; i++)
		len += parts[i].len;
	out = arena_alloc(arena, len);
	if (!out)
		return FF_ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].len)
			memcpy(out + at, parts[i].ptr, parts[i].len);
		at += parts[i].len;
	}
	*ret = str_of(out, len);
	return 0;
}

/* The two longer keys of a batch; the session's is only asked for by Alquimia, the prompt's only exists with a context. */
static int put_long_keys(struct answers *a, struct str session, struct str context, struct answer *answer)
{
	const struct str own[] = { session, str_of("", 1), answer->query };
	const struct str prompt[] = { STR("Context:\n"), context, STR("\n\nQuestion: "), answer->query };
	struct str key;
	int code = join(&a->arena, own, ARRAY_SIZE(own), &key);

	code = code ? code : put(a, key, answer);
	if (code || !context.len)
		return code;
	code = join(&a->arena, prompt, ARRAY_SIZE(prompt), &key);
	return code ? code : put(a, key, answer);
}

static int add_batch(struct answers *a, struct str session, struct str context, const struct ff_json *batch)
{
	const struct ff_json *query = ff_json_get(batch, "query"), *truth = ff_json_get(batch, "ground_truth_assistant");
	struct answer *answer;
	int code;

	if (!query || !truth || ff_json_type(query) != FF_JSON_STRING || ff_json_type(truth) != FF_JSON_STRING)
		return FF_EDATA;
	answer = ARENA_NEW(&a->arena, struct answer);
	if (!answer)
		return FF_ENOMEM;
	code = arena_str(&a->arena, text_of_json(query), &answer->query);
	code = code ? code : arena_str(&a->arena, text_of_json(truth), &answer->text);
	code = code ? code : put(a, answer->query, answer);
	code = code ? code : put_long_keys(a, session, context, answer);
	if (code)
		return code;
	if (a->last)
		a->last->next = answer;
	else
		a->first = answer;
	a->last = answer;
	a->count++;
	return 0;
}

static int add_dataset(struct answers *a, const struct ff_json *dataset, const char *where, struct error *err)
{
	const struct ff_json *conversation = ff_json_get(dataset, "conversation");

	if (!conversation || ff_json_type(conversation) != FF_JSON_ARRAY)
		return error_set(err, FF_EDATA, where, "A dataset with answers needs a conversation, an array of batches.");
	for (size_t i = 0; i < ff_json_count(conversation); i++) {
		int code = add_batch(a, text_of_json(ff_json_get(dataset, "session_id")),
		                     text_of_json(ff_json_get(dataset, "context")), ff_json_item(conversation, i));
		if (code == FF_EDATA)
			return error_set(err, code, where,
			                 "Batch %zu of the dataset lacks query or ground_truth_assistant, both texts.", i);
		if (code)
			return error_nomem(err);
	}
	return 0;
}

/* A payload's datasets, an array's items, or the value itself as a dataset. */
static int add_value(struct answers *a, const struct ff_json *root, const char *where, struct error *err)
{
	const struct ff_json *list = ff_json_get(root, "datasets");
	int code = 0;

	if (!list)
		list = root;
	if (ff_json_type(list) != FF_JSON_ARRAY)
		return add_dataset(a, list, where, err);
	for (size_t i = 0; code == 0 && i < ff_json_count(list); i++)
		code = add_dataset(a, ff_json_item(list, i), where, err);
	return code;
}

static int add_text(struct answers *a, struct str text, const char *where, struct error *err)
{
	struct ff_json_doc *doc = NULL;
	struct ff_error why;
	int code = ff_json_parse(text.ptr, text.len, DOCUMENT_MAX, 0, &doc, &why);

	if (code)
		return error_set(err, code == FF_ENOMEM ? code : FF_EDATA, where[0] ? where : why.where, "%s", why.text);
	code = add_value(a, ff_json_root(doc), where, err);
	ff_json_free(doc);
	return code;
}

static int add_lines(struct answers *a, struct str text, struct error *err)
{
	struct str rest = text;
	size_t number = 0;
	int code = 0;

	while (code == 0 && rest.ptr) {
		struct str line = str_trim(str_split(&rest, '\n'));
		char where[32];
		snprintf(where, sizeof(where), "line %zu", ++number);
		if (line.len)
			code = add_text(a, line, where, err);
	}
	return code;
}

/* JSONL when the first line that is not blank is a whole value and something follows it. */
static bool looks_like_lines(struct str text)
{
	struct str rest = str_trim(text), first = str_split(&rest, '\n');
	struct ff_json_doc *doc = NULL;
	bool whole;

	if (!rest.ptr || !str_trim(rest).len)
		return false;
	first = str_trim(first);
	whole = ff_json_parse(first.ptr, first.len, DOCUMENT_MAX, 0, &doc, NULL) == 0;
	ff_json_free(doc);
	return whole;
}

int answers_add(struct answers *a, struct str text, struct error *err)
{
	if (!str_trim(text).len)
		return error_set(err, FF_EDATA, "", "The document is empty.");
	return looks_like_lines(text) ? add_lines(a, text, err) : add_text(a, text, "", err);
}

static const struct answer *find_in_session(const struct answers *a, struct str session, struct str message)
{
	const struct answer *found = NULL;
	struct buf key;

	buf_init(&key, DOCUMENT_MAX);
	buf_append_str(&key, session);
	buf_append_char(&key, '\0');
	buf_append_str(&key, message);
	if (!buf_failed(&key))
		found = map_get(&a->by_key, buf_str(&key));
	buf_release(&key);
	return found;
}

/* What stands behind "Question: " at the start of a line, each such place from the first on: a query may contain those words itself. */
static const struct answer *find_question(const struct answers *a, struct str message)
{
	struct str mark = STR("\nQuestion: ");

	for (size_t at = str_find(message, mark, 0); at != SIZE_MAX; at = str_find(message, mark, at + 1)) {
		const struct answer *found = map_get(&a->by_key, str_sub(message, at + mark.len, message.len));
		if (found)
			return found;
	}
	return NULL;
}

const struct answer *answers_find(const struct answers *a, struct str session, struct str message)
{
	const struct answer *found = NULL;

	if (!a->count)
		return NULL;
	if (session.len)
		found = find_in_session(a, session, message);
	if (!found)
		found = map_get(&a->by_key, message);
	if (!found)
		found = find_question(a, message);
	if (found)
		return found;
	for (const struct answer *it = a->first; it; it = it->next) {
		if (it->query.len && (!found || it->query.len > found->query.len) && str_contains(message, it->query))
			found = it;
	}
	return found;
}
