/*
 * params.c: reads `connector.params` by a class's table: which name counts, what the value becomes, and a sentence for each one that is
 * refused. Not: what the values mean (each class), nor names that no row knows (returned, in order, for the class to judge).
 *
 * All problems are found in one pass. Values are coerced copies whose memory is the params document or the arena. Runs once a connector.
 */
#include "connector/params.h"

#include "connector/coerce.h"

#define POINTER_MAX 512
#define QUOTE_MAX   40 /* bytes of a wrong value that a sentence quotes */

struct reading {
	struct arena *arena;
	struct problems *problems;
	const char *pointer;
	bool stranger;
	size_t errors; /* found in this reading */
	bool nomem;
};

static const struct {
	const char *name;   /* for `fairforge connectors` */
	const char *wanted; /* completes "NAME must be" */
} types[] = {
	[PARAM_STRING] = { "string", "a string" },
	[PARAM_SECRET] = { "secret", "a string" },
	[PARAM_INT] = { "integer", "an integer" },
	[PARAM_FLOAT] = { "number", "a number" },
	[PARAM_BOOL] = { "boolean", "true or false" },
	[PARAM_LITERAL] = { "choice", "one of its choices" },
	[PARAM_STRING_LIST] = { "list of strings", "a list of strings" },
	[PARAM_STRING_OR_LIST] = { "string or list", "a string or a list of strings" },
	[PARAM_LIST] = { "list", "a list" },
	[PARAM_OBJECT] = { "object", "an object" },
	[PARAM_STRING_MAP] = { "object of strings", "an object of strings" },
	[PARAM_INT_MAP] = { "object of integers", "an object of integers by integers" },
	[PARAM_TIMEOUT] = { "seconds", "a number of seconds" },
	[PARAM_TEXT] = { "text", "a text or a number" },
	[PARAM_ANY] = { "any", "a value" },
};

const char *param_type_name(enum param_type type)
{
	return types[type].name;
}

/* ---- sentences ---- */

/* The value as a sentence names it: `null`, `the text "hot"`, `the number 5`, `a list`. Never a secret. */
static const char *describe(struct reading *rd, const struct json *v, bool secret)
{
	size_t cut = MIN(v->type == JSON_NUMBER || v->type == JSON_STRING ? v->text.len : 0, (size_t)QUOTE_MAX);
	const char *out;

	while (cut && v->type == JSON_STRING && cut < v->text.len && ((unsigned char)v->text.ptr[cut] & 0xC0) == 0x80)
		cut--;
	switch (v->type) {
	case JSON_NULL: return "null";
	case JSON_FALSE: return "false";
	case JSON_TRUE: return "true";
	case JSON_ARRAY: return "a list";
	case JSON_OBJECT: return "an object";
	case JSON_NUMBER: out = arena_printf(rd->arena, "the number %.*s", (int)cut, v->text.ptr); break;
	default:
		if (secret)
			return "another text";
		out = arena_printf(rd->arena, "the text \"%.*s%s\"", (int)cut, v->text.ptr ? v->text.ptr : "",
		                   cut < v->text.len ? "..." : "");
	}
	rd->nomem |= !out;
	return out ? out : "";
}

/* "a|b|c" → 'a', 'b' or 'c' */
static const char *list_choices(struct reading *rd, const char *choices)
{
	const char *out = "";
	struct str rest = str_from(choices);

	while (rest.ptr && out) {
		struct str word = str_split(&rest, '|');
		const char *joint = !*out ? "" : (rest.ptr ? ", " : " or ");

		out = arena_printf(rd->arena, "%s%s'%.*s'", out, joint, STR_ARG(word));
	}
	rd->nomem |= !out;
	return out ? out : "";
}

static void pointer_of(const struct reading *rd, struct str name, char out[POINTER_MAX])
{
	size_t len = MIN(strlen(rd->pointer), (size_t)POINTER_MAX - 1);

	memcpy(out, rd->pointer, len);
	out[len] = '\0';
	json_pointer_push(out, POINTER_MAX, name);
}

/* Where in params a value stands: the member's name, and inside it a key or an index. */
struct place {
	struct str name;
	char pointer[POINTER_MAX];
	const char *inside; /* "" or " item 2", " value of 'x'" */
};

static void refuse(struct reading *rd, const struct place *at, const struct param_row *row, const char *wanted,
                   const struct json *v, enum coerce_result why)
{
	const char *got = describe(rd, v, row->type == PARAM_SECRET);

	rd->errors++;
	if (why == COERCE_FRACTION)
		problem_error(rd->problems, at->pointer, "%.*s%s must be %s, but %s has a fractional part.", STR_ARG(at->name),
		              at->inside, wanted, got);
	else if (why == COERCE_RANGE)
		problem_error(rd->problems, at->pointer, "%.*s%s must be %s, but %s is out of range.", STR_ARG(at->name),
		              at->inside, wanted, got);
	else
		problem_error(rd->problems, at->pointer, "%.*s%s must be %s, but it is %s.", STR_ARG(at->name), at->inside, wanted,
		              got);
}

/* ---- one value ---- */

static bool take(struct reading *rd, const struct place *at, const struct param_row *row, const char *wanted, const struct json *v,
                 enum coerce_result r)
{
	if (r == COERCE_NOMEM)
		rd->nomem = true;
	else if (r != COERCE_OK)
		refuse(rd, at, row, wanted, v, r);
	return r == COERCE_OK;
}

static struct place item_place(struct reading *rd, const struct place *at, size_t index)
{
	struct place inner = *at;
	char *inside = arena_printf(rd->arena, " item %zu", index);

	json_pointer_push_index(inner.pointer, POINTER_MAX, index);
	rd->nomem |= !inside;
	inner.inside = inside ? inside : "";
	return inner;
}

static struct place key_place(struct reading *rd, const struct place *at, struct str key)
{
	struct place inner = *at;
	struct str shown = str_sub(key, 0, QUOTE_MAX);
	char *inside = arena_printf(rd->arena, " value of '%.*s'", STR_ARG(shown));

	json_pointer_push(inner.pointer, POINTER_MAX, key);
	rd->nomem |= !inside;
	inner.inside = inside ? inside : "";
	return inner;
}

static bool read_strings(struct reading *rd, const struct place *at, const struct param_row *row, const struct json *v,
                         struct json *ret)
{
	bool good = true;

	if (row->type == PARAM_STRING_OR_LIST && v->type == JSON_STRING) {
		*ret = *v;
		return true;
	}
	if (v->type != JSON_ARRAY) {
		refuse(rd, at, row, types[row->type].wanted, v, COERCE_TYPE);
		return false;
	}
	for (uint32_t i = 0; i < v->count; i++) {
		if (v->items[i].type != JSON_STRING) {
			struct place inner = item_place(rd, at, i);

			refuse(rd, &inner, row, "a string", &v->items[i], COERCE_TYPE);
			good = false;
		}
	}
	*ret = *v;
	return good;
}

static bool read_string_map(struct reading *rd, const struct place *at, const struct param_row *row, const struct json *v,
                            struct json *ret)
{
	bool good = true;

	if (v->type != JSON_OBJECT) {
		refuse(rd, at, row, types[row->type].wanted, v, COERCE_TYPE);
		return false;
	}
	for (uint32_t i = 0; i < v->count; i++) {
		if (v->members[i].value.type != JSON_STRING) {
			struct place inner = key_place(rd, at, v->members[i].key);

			refuse(rd, &inner, row, "a string", &v->members[i].value, COERCE_TYPE);
			good = false;
		}
	}
	*ret = *v;
	return good;
}

/* logit_bias: keys and values are integers; keys leave as their decimal text. */
static bool read_int_map(struct reading *rd, const struct place *at, const struct param_row *row, const struct json *v,
                         struct json *ret)
{
	struct json_member *members;
	bool good = true;

	if (v->type != JSON_OBJECT) {
		refuse(rd, at, row, types[row->type].wanted, v, COERCE_TYPE);
		return false;
	}
	members = arena_calloc(rd->arena, MAX(v->count, 1u), sizeof *members);
	if (!members) {
		rd->nomem = true;
		return false;
	}
	for (uint32_t i = 0; i < v->count; i++) {
		struct json key = { .type = JSON_STRING, .text = v->members[i].key }, number;
		struct place inner = key_place(rd, at, key.text);
		enum coerce_result r = coerce_int(rd->arena, &key, &number);

		good &= take(rd, &inner, row, "keyed by an integer (a token id)", &key, r);
		if (r == COERCE_OK)
			members[i].key = number.text;
		r = coerce_int(rd->arena, &v->members[i].value, &members[i].value);
		good &= take(rd, &inner, row, "an integer", &v->members[i].value, r);
	}
	*ret = (struct json){ .type = JSON_OBJECT, .count = v->count, .members = members };
	return good;
}

static bool read_timeout(struct reading *rd, const struct place *at, const struct param_row *row, const struct json *v,
                         struct json *ret)
{
	struct json number;
	enum coerce_result r = coerce_float(rd->arena, v, &number);

	if (!take(rd, at, row, types[row->type].wanted, v, r))
		return false;
	if (json_to_double(&number) < 0) {
		rd->errors++;
		problem_error(rd->problems, at->pointer, "%.*s must not be negative, but it is %.*s.", STR_ARG(at->name),
		              STR_ARG(number.text));
		return false;
	}
	*ret = number;
	return true;
}

static bool is_choice(const char *choices, struct str word)
{
	struct str rest = str_from(choices);

	while (rest.ptr)
		if (str_eq(str_split(&rest, '|'), word))
			return true;
	return false;
}

static bool read_literal(struct reading *rd, const struct place *at, const struct param_row *row, const struct json *v,
                         struct json *ret)
{
	const char *wanted;

	if (v->type == JSON_STRING && is_choice(row->choices, v->text)) {
		*ret = *v;
		return true;
	}
	wanted = list_choices(rd, row->choices);
	refuse(rd, at, row, wanted, v, COERCE_TYPE);
	return false;
}

static bool read_plain(struct reading *rd, const struct place *at, const struct param_row *row, const struct json *v,
                       enum json_type type, struct json *ret)
{
	if (v->type != type) {
		refuse(rd, at, row, types[row->type].wanted, v, COERCE_TYPE);
		return false;
	}
	*ret = *v;
	return true;
}

static bool read_value(struct reading *rd, const struct place *at, const struct param_row *row, const struct json *v,
                       struct json *ret)
{
	switch (row->type) {
	case PARAM_STRING:
	case PARAM_SECRET: return read_plain(rd, at, row, v, JSON_STRING, ret);
	case PARAM_LIST: return read_plain(rd, at, row, v, JSON_ARRAY, ret);
	case PARAM_OBJECT: return read_plain(rd, at, row, v, JSON_OBJECT, ret);
	case PARAM_INT: return take(rd, at, row, types[row->type].wanted, v, coerce_int(rd->arena, v, ret));
	case PARAM_FLOAT: return take(rd, at, row, types[row->type].wanted, v, coerce_float(rd->arena, v, ret));
	case PARAM_BOOL: return take(rd, at, row, types[row->type].wanted, v, coerce_bool(v, ret));
	case PARAM_LITERAL: return read_literal(rd, at, row, v, ret);
	case PARAM_STRING_LIST:
	case PARAM_STRING_OR_LIST: return read_strings(rd, at, row, v, ret);
	case PARAM_STRING_MAP: return read_string_map(rd, at, row, v, ret);
	case PARAM_INT_MAP: return read_int_map(rd, at, row, v, ret);
	case PARAM_TIMEOUT: return read_timeout(rd, at, row, v, ret);
	case PARAM_TEXT: return take(rd, at, row, types[row->type].wanted, v, coerce_text(rd->arena, v, ret));
	case PARAM_ANY: *ret = *v; return true;
	}
	return false;
}

/* ---- one row ---- */

/* The member that counts for the row: the alias before the second name before the field's own. The others are named in a warning. */
static const struct json *pick(struct reading *rd, const struct param_row *row, const struct json *params, struct place *at)
{
	const char *const names[] = { row->alias, row->alias2, row->name };
	const struct json *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct str name = str_from(names[i]);
		const struct json *v = names[i] ? json_get(params, name) : NULL;

		if (v && !found) {
			found = v;
			at->name = name;
			pointer_of(rd, name, at->pointer);
		} else if (v) {
			char pointer[POINTER_MAX];

			pointer_of(rd, name, pointer);
			problem_warning(rd->problems, pointer, "%s is ignored, because %.*s is given and counts.", names[i],
			                STR_ARG(at->name));
		}
	}
	return found;
}

static void read_row(struct reading *rd, const struct param_row *row, const struct json *params, struct param_value *value)
{
	struct place at; /* not zeroed as a whole: most rows have no member */
	const struct json *v = params ? pick(rd, row, params, &at) : NULL;

	at.inside = "";
	*value = (struct param_value){ .raw = v };
	if (!v) {
		if (row->required) {
			rd->errors++;
			problem_error(rd->problems, rd->pointer, "%s is required.", row->alias ? row->alias : row->name);
		}
		return;
	}
	value->null = v->type == JSON_NULL;
	if (value->null && row->nullable)
		return;
	if (rd->stranger && row->setter == PARAM_OPERATOR) {
		rd->errors++;
		problem_error(rd->problems, at.pointer, "%.*s can only be set by the operator of this service.", STR_ARG(at.name));
		return;
	}
	value->given = read_value(rd, &at, row, v, &value->value);
}

/* ---- unknown members ---- */

static bool is_known(const struct param_row *rows, size_t row_count, struct str key)
{
	for (size_t i = 0; i < row_count; i++) {
		if (str_eq(key, str_from(rows[i].name)) || (rows[i].alias && str_eq(key, str_from(rows[i].alias))) ||
		    (rows[i].alias2 && str_eq(key, str_from(rows[i].alias2))))
			return true;
	}
	return false;
}

static void collect_unknown(struct reading *rd, const struct param_row *rows, size_t row_count, const struct json *params,
                            const struct json_member **ret, size_t *ret_count)
{
	struct json_member *unknown;
	size_t n = 0;

	*ret = NULL;
	*ret_count = 0;
	if (!params || !params->count)
		return;
	unknown = arena_calloc(rd->arena, params->count, sizeof *unknown);
	if (!unknown) {
		rd->nomem = true;
		return;
	}
	for (uint32_t i = 0; i < params->count; i++)
		if (!is_known(rows, row_count, params->members[i].key))
			unknown[n++] = params->members[i];
	*ret = unknown;
	*ret_count = n;
}

int params_read(struct arena *a, const struct param_row *rows, size_t row_count, const struct json *params, const char *pointer,
                bool stranger, struct param_value *values, const struct json_member **ret_unknown, size_t *ret_unknown_count,
                struct problems *problems)
{
	struct reading rd = { .arena = a, .problems = problems, .pointer = pointer, .stranger = stranger };

	for (size_t i = 0; i < row_count; i++)
		read_row(&rd, &rows[i], params, &values[i]);
	collect_unknown(&rd, rows, row_count, params, ret_unknown, ret_unknown_count);
	if (rd.nomem || problems->nomem)
		return FF_ENOMEM;
	return rd.errors ? FF_EUSAGE : 0;
}
