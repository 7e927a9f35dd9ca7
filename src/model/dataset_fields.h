/*
 * dataset_fields.h: the reference's schema as two tables of fields, in its order. Internal to src/model: dataset.c reads values by it, dataset_line.c text.
 */
#ifndef FF_MODEL_DATASET_FIELDS_H
#define FF_MODEL_DATASET_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "model/dataset.h"

enum field_kind {
	FIELD_TEXT,           /* struct str */
	FIELD_TEXT_OR_NULL,   /* struct json */
	FIELD_OBJECT_OR_NULL, /* struct json */
	FIELD_WEIGHT,         /* struct json */
	FIELD_CONVERSATION    /* batches and batch_count */
};

struct field {
	struct str name;
	enum field_kind kind;
	bool required;
	enum json_type absent;   /* what it is when it is not there */
	const char *absent_text; /* when that is a string */
	size_t offset;           /* in struct dataset or struct batch */
};

#define DATASET_FIELDS 5
#define BATCH_FIELDS   9
#define FIELDS_MOST    MAX(DATASET_FIELDS, BATCH_FIELDS)
extern const struct field dataset_fields[DATASET_FIELDS];
extern const struct field batch_fields[BATCH_FIELDS];

/* Index of the field, or `count`. Members mostly stand in some fixed order: it is looked for first from `from`, which is behind the last one. */
static inline size_t field_find(const struct field *fields, size_t count, size_t from, struct str name)
{
	for (size_t i = from; i < count; i++)
		if (str_eq(fields[i].name, name))
			return i;
	for (size_t i = 0; i < from; i++)
		if (str_eq(fields[i].name, name))
			return i;
	return count;
}

/* Whether a value of this type may stand in the field. FIELD_WEIGHT takes all: weight_from_json decides. */
static inline bool field_allows(enum field_kind kind, enum json_type type)
{
	switch (kind) {
	case FIELD_TEXT: return type == JSON_STRING;
	case FIELD_TEXT_OR_NULL: return type == JSON_STRING || type == JSON_NULL;
	case FIELD_OBJECT_OR_NULL: return type == JSON_OBJECT || type == JSON_NULL;
	case FIELD_CONVERSATION: return type == JSON_ARRAY;
	case FIELD_WEIGHT: break;
	}
	return true;
}

/* Puts an allowed value of any kind but FIELD_WEIGHT and FIELD_CONVERSATION into the struct `to`. It is referenced, not copied. */
static inline void field_set(const struct field *f, const struct json *value, void *to)
{
	char *place = (char *)to + f->offset;
	if (f->kind == FIELD_TEXT)
		*(struct str *)(void *)place = value->text;
	else
		*(struct json *)(void *)place = *value;
}

/* The value of a field that is absent and not required. */
static inline void field_set_absent(const struct field *f, void *to)
{
	field_set(f, &(struct json){ .type = f->absent, .text = str_from(f->absent_text) }, to);
}

#endif
