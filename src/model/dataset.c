/*
 * dataset.c: JSON values to datasets, by the reference's schema (dataset_fields.c) and the rules of pydantic's lax mode.
 *
 * Strings must be strings and objects objects; only `weight` is coerced (weight.c). Fields that no table names are ignored. Every problem is
 * reported, with the pointer of the field; pointers are only built when there is a problem. With no dataset to fill, a value is only checked;
 * a long conversation is checked before it is filled, so that millions of wrong batches take no memory.
 */
#include "model/dataset.h"

#include <stdint.h>
#include <stdio.h>

#include "model/dataset_fields.h"
#include "model/weight.h"

#define NO_BATCH    SIZE_MAX
#define FEW_BATCHES 64 /* so many are filled unseen */

struct checker {
	const char *pointer; /* of the dataset */
	size_t batch;        /* the one being checked, or NO_BATCH */
	struct problems *problems;
	struct arena *arena; /* for what a filled dataset needs; NULL: only check */
};

static const char *type_words(const struct json *v)
{
	static const char *const words[] = { "null", "a boolean", "a boolean", "a number", "a string", "an array", "an object" };
	return words[v->type];
}

/* The pointer of a field (NULL: of the batch or dataset itself) for a problem. */
static void locate(const struct checker *c, const struct field *f, char *out, size_t size)
{
	out[0] = '\0';
	if (c->problems->kept >= PROBLEMS_KEPT)
		return; /* it will only be counted */
	(void)snprintf(out, size, "%s", c->pointer);
	if (c->batch != NO_BATCH) {
		json_pointer_push(out, size, STR("conversation"));
		json_pointer_push_index(out, size, c->batch);
	}
	if (f)
		json_pointer_push(out, size, f->name);
}

static void wrong_type(const struct checker *c, const struct field *f, const char *expected, const struct json *v)
{
	char pointer[512];
	locate(c, f, pointer, sizeof(pointer));
	problem_error(c->problems, pointer, "The field \"%s\" must be %s, not %s.", f->name.ptr, expected, type_words(v));
}

static void missing(const struct checker *c, const struct field *f)
{
	char pointer[512];
	locate(c, f, pointer, sizeof(pointer));
	problem_error(c->problems, pointer, "The field \"%s\" is required, but missing.", f->name.ptr);
}

static int take_weight(const struct checker *c, const struct field *f, const struct json *v, struct batch *to)
{
	struct json unused;
	const char *problem;
	int code = weight_from_json(v, c->arena, to ? &to->weight : &unused, &problem);
	if (code == FF_EDATA) {
		char pointer[512];
		locate(c, f, pointer, sizeof(pointer));
		problem_error(c->problems, pointer, "The field \"%s\" %s.", f->name.ptr, problem);
		code = 0;
	}
	return code;
}

static const char *expected_words(enum field_kind kind)
{
	switch (kind) {
	case FIELD_TEXT: return "a string";
	case FIELD_TEXT_OR_NULL: return "a string or null";
	case FIELD_OBJECT_OR_NULL: return "an object or null";
	case FIELD_CONVERSATION: return "an array of batches";
	case FIELD_WEIGHT: break;
	}
	return "a number or null";
}

static int take_conversation(struct checker *c, const struct json *v, struct dataset *d);

/* One field of an object that is there. `to` is the struct to fill, or NULL. */
static int take_field(struct checker *c, const struct field *f, const struct json *v, void *to)
{
	if (!field_allows(f->kind, v->type)) {
		wrong_type(c, f, expected_words(f->kind), v);
		return 0;
	}
	if (f->kind == FIELD_WEIGHT)
		return take_weight(c, f, v, to);
	if (f->kind == FIELD_CONVERSATION)
		return take_conversation(c, v, to);
	if (to)
		field_set(f, v, to);
	return 0;
}

/* One walk over the members finds all fields: an object with many members is not searched again for each field. */
static void find_fields(const struct json *v, const struct field *fields, size_t count, const struct json **ret_values)
{
	size_t behind = 0;
	for (size_t i = 0; i < count; i++)
		ret_values[i] = NULL;
	for (uint32_t m = 0; m < v->count; m++) {
		size_t at = field_find(fields, count, behind, v->members[m].key);
		if (at == count)
			continue;
		ret_values[at] = &v->members[m].value;
		behind = at + 1;
	}
}

static int take_object(struct checker *c, const struct json *v, const struct field *fields, size_t count, void *to)
{
	const struct json *values[FIELDS_MOST];
	int code = 0;
	find_fields(v, fields, count, values);
	for (size_t i = 0; i < count && !code; i++) {
		if (values[i])
			code = take_field(c, &fields[i], values[i], to);
		else if (fields[i].required)
			missing(c, &fields[i]);
		else if (to)
			field_set_absent(&fields[i], to);
	}
	return code;
}

static int take_batch(struct checker *c, const struct json *v, struct batch *b)
{
	char pointer[512];
	if (v->type == JSON_OBJECT)
		return take_object(c, v, batch_fields, BATCH_FIELDS, b);
	locate(c, NULL, pointer, sizeof(pointer));
	problem_error(c->problems, pointer, "A batch of a conversation must be an object, not %s.", type_words(v));
	return 0;
}

static int take_conversation(struct checker *c, const struct json *v, struct dataset *d)
{
	int code = 0;
	if (d) {
		d->batches = arena_calloc(c->arena, v->count, sizeof(*d->batches));
		if (!d->batches)
			return FF_ENOMEM;
		d->batch_count = v->count;
	}
	for (c->batch = 0; c->batch < v->count && !code; c->batch++)
		code = take_batch(c, &v->items[c->batch], d ? &d->batches[c->batch] : NULL);
	c->batch = NO_BATCH;
	return code;
}

static int take_dataset(const struct json *v, const char *pointer, struct problems *problems, struct arena *arena,
                        struct dataset *d)
{
	struct checker c = { pointer ? pointer : "", NO_BATCH, problems, arena };
	size_t errors = problems->errors;
	int code = 0;
	if (v->type == JSON_OBJECT)
		code = take_object(&c, v, dataset_fields, DATASET_FIELDS, d);
	else
		problem_error(problems, c.pointer, "A dataset must be an object, not %s.", type_words(v));
	if (!code && problems->nomem)
		code = FF_ENOMEM;
	return code || problems->errors == errors ? code : FF_EDATA;
}

static bool is_short(const struct json *value)
{
	const struct json *conversation = json_get_lit(value, "conversation");
	return !conversation || conversation->type != JSON_ARRAY || conversation->count <= FEW_BATCHES;
}

int dataset_from_json(struct arena *arena, const struct json *value, const char *pointer, size_t index, struct problems *problems,
                      struct dataset **ret)
{
	int code = is_short(value) ? 0 : dataset_check(value, pointer, problems);
	struct dataset *d;
	if (code)
		return code;
	d = ARENA_NEW(arena, struct dataset);
	if (!d)
		return FF_ENOMEM;
	code = take_dataset(value, pointer, problems, arena, d);
	if (code)
		return code;
	dataset_keep(d, arena, index);
	*ret = d;
	return 0;
}

void dataset_keep(struct dataset *d, struct arena *arena, size_t index)
{
	d->index = index;
	d->arena = *arena;
	arena_init(arena);
}

void dataset_free(struct dataset *d)
{
	struct arena own;
	if (!d)
		return;
	own = d->arena;
	arena_release(&own);
}

int dataset_check(const struct json *value, const char *pointer, struct problems *problems)
{
	return take_dataset(value, pointer, problems, NULL, NULL);
}

int batch_update(struct batch *b, const struct json *object, const char *pointer, struct arena *arena, struct problems *problems)
{
	struct checker c = { pointer, NO_BATCH, problems, arena };
	const struct json *values[BATCH_FIELDS];
	struct batch updated = *b;
	size_t errors = problems->errors;
	int code = 0;
	find_fields(object, batch_fields, BATCH_FIELDS, values);
	for (size_t i = 0; i < BATCH_FIELDS && !code; i++)
		if (values[i])
			code = take_field(&c, &batch_fields[i], values[i], &updated);
	if (code || problems->nomem)
		return FF_ENOMEM;
	if (problems->errors > errors)
		return FF_EDATA;
	*b = updated;
	return 0;
}
