/*
 * json_read.c: JSON text to values in an arena: the structure of a document. Strings and numbers are json_lex.c's.
 *
 * Not recursive: containers that are open stand in `frames`, their finished children in `items` (and the names of object members in `keys`),
 * all three are stacks. When a container ends, its children are copied side by side into the arena and replaced by one value. So each array
 * has exactly its size in the arena, and what the reader needs beside it is bounded by the open containers. The stacks begin inside the
 * reader itself: a reply of a provider is read without touching the heap.
 *
 * Invariants: frames[i].keys and .items are where the children of frame i begin; a frame that is an object has one key for each of its items,
 * and one more while a member's value is being read.
 *
 * Duplicate keys: compared pairwise in small objects, by a seeded hash table in large ones, so that no input makes it quadratic.
 */
#include "model/json.h"

#include <limits.h>

#include "base/alloc.h"
#include "base/map.h"
#include "model/json_lex.h"
#include "model/json_position.h"

#define FEW_MEMBERS  16 /* up to so many members are compared pairwise */
#define HASHED_AHEAD 16

struct frame {
	size_t items, keys; /* where its children begin */
	bool object;
};

struct reader {
	const char *start, *p, *end;
	struct arena *arena;
	unsigned max_depth;
	bool in_value; /* the innermost frame's next child is being read: it belongs to the pointer */
	struct json_notes *notes;
	struct json_error *err;

	struct json *items;
	size_t item_count, item_room;
	struct str *keys;
	size_t key_count, key_room;
	struct frame *frames;
	size_t depth, frame_room;

	struct json first_items[64];
	struct str first_keys[48];
	struct frame first_frames[24];
};

enum step { STEP_VALUE, STEP_AFTER_VALUE, STEP_DONE }; /* what comes next; an error is negative */

/* ---- errors ---- */

/* The pointer of the innermost container, or of the child that is being read in it; `name` (may be NULL) is one more token. */
static void write_pointer(const struct reader *r, bool child, const struct str *name, char out[JSON_POINTER_SIZE])
{
	struct json_path path;
	size_t items = r->item_count, keys = r->key_count;
	json_path_init(&path);
	if (name)
		json_path_prepend(&path, *name);
	for (size_t i = r->depth; i > 0 && !path.cut; i--) {
		const struct frame *f = &r->frames[i - 1];
		if (child && !f->object)
			json_path_prepend_index(&path, items - f->items);
		else if (child && keys > f->keys)
			json_path_prepend(&path, r->keys[keys - 1]);
		items = f->items;
		keys = f->keys;
		child = true;
	}
	json_path_finish(&path, out);
}

RARE static int fail(struct reader *r, int code, const char *at, const char *what)
{
	struct json_error *err = r->err;
	if (!err)
		return code;
	err->code = code;
	err->what = what;
	err->limit = 0;
	err->offset = (size_t)(at - r->start);
	json_line_column(str_of(r->start, (size_t)(r->end - r->start)), err->offset, &err->line, &err->column);
	write_pointer(r, r->in_value, NULL, err->pointer);
	return code;
}

RARE static int malformed(struct reader *r, const char *at, const char *what)
{
	return fail(r, FF_EDATA, at, what);
}

RARE static int out_of_memory(struct reader *r)
{
	return fail(r, FF_ENOMEM, r->p, "out of memory");
}

RARE static int over_limit(struct reader *r, const char *what, size_t limit)
{
	int code = fail(r, FF_ETOOBIG, r->p, what);
	if (r->err)
		r->err->limit = limit;
	return code;
}

/* ---- the three stacks ---- */

static void reader_init(struct reader *r)
{
	r->items = r->first_items;
	r->item_room = ARRAY_SIZE(r->first_items);
	r->keys = r->first_keys;
	r->key_room = ARRAY_SIZE(r->first_keys);
	r->frames = r->first_frames;
	r->frame_room = ARRAY_SIZE(r->first_frames);
	r->item_count = r->key_count = r->depth = 0;
	r->in_value = false;
}

static void reader_release(struct reader *r)
{
	if (r->items != r->first_items)
		mem_free(r->items);
	if (r->keys != r->first_keys)
		mem_free(r->keys);
	if (r->frames != r->first_frames)
		mem_free(r->frames);
}

/* Doubles a stack that is full; `first` is where it began, inside the reader. Returns where it is now, or NULL. */
static void *grow(void *stack, const void *first, size_t *room, size_t size)
{
	void *bigger;
	if (*room > SIZE_MAX / 2 / size)
		return NULL;
	if (stack == first) {
		bigger = mem_alloc(*room * 2 * size);
		if (bigger)
			memcpy(bigger, first, *room * size);
	} else {
		bigger = mem_realloc(stack, *room * 2 * size);
	}
	if (bigger)
		*room *= 2;
	return bigger;
}

RARE static int grow_items(struct reader *r)
{
	struct json *bigger = grow(r->items, r->first_items, &r->item_room, sizeof(*r->items));
	if (!bigger)
		return out_of_memory(r);
	r->items = bigger;
	return 0;
}

RARE static int grow_keys(struct reader *r)
{
	struct str *bigger = grow(r->keys, r->first_keys, &r->key_room, sizeof(*r->keys));
	if (!bigger)
		return out_of_memory(r);
	r->keys = bigger;
	return 0;
}

/* Room for the next item: the value is built in its place, and counts when `item_count` does. */
static inline int make_room_for_item(struct reader *r)
{
	return r->item_count < r->item_room ? 0 : grow_items(r);
}

static inline int make_room_for_key(struct reader *r)
{
	return r->key_count < r->key_room ? 0 : grow_keys(r);
}

static int push_frame(struct reader *r, bool object)
{
	if (r->depth == r->max_depth)
		return over_limit(r, "arrays and objects are nested deeper than the cap max-depth allows", r->max_depth);
	if (r->depth == r->frame_room) {
		struct frame *bigger = grow(r->frames, r->first_frames, &r->frame_room, sizeof(*r->frames));
		if (!bigger)
			return out_of_memory(r);
		r->frames = bigger;
	}
	r->frames[r->depth++] = (struct frame){ r->item_count, r->key_count, object };
	return 0;
}

/* ---- scalars ---- */

RARE static void skip_spaces(struct reader *r)
{
	static const uint64_t eight_spaces = JSON_LEX_ONES * ' ';
	const char *p = r->p;
	while (p < r->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) {
		uint64_t w = 0;
		while (r->end - p > 8 && p[1] == ' ' && (memcpy(&w, p + 1, sizeof(w)), w == eight_spaces))
			p += 8;
		p++;
	}
	r->p = p;
}

/* Mostly there is none, or one blank. */
static inline void skip_space(struct reader *r)
{
	if (r->p == r->end || (unsigned char)*r->p > ' ')
		return;
	if (*r->p == ' ' && r->end - r->p > 1 && (unsigned char)r->p[1] > ' ')
		r->p++;
	else
		skip_spaces(r);
}

/* A string that is more than plain bytes and a quote. */
RARE static int read_odd_string(struct reader *r, struct str *ret)
{
	struct json_lexed_string s;
	const char *at;
	const char *problem = json_lex_string(r->p + 1, r->end, &s, &at);
	if (problem)
		return malformed(r, at, problem);
	if (json_lex_text(&s, r->arena, ret))
		return out_of_memory(r);
	if (s.lone_surrogates && r->notes) {
		if (!r->notes->lone_surrogates)
			write_pointer(r, r->in_value, NULL, r->notes->first_surrogate);
		r->notes->lone_surrogates += s.lone_surrogates;
	}
	r->p = s.raw_end + 1;
	return 0;
}

static inline int read_string(struct reader *r, struct str *ret)
{
	const char *text = r->p + 1, *stop = json_lex_plain(text, r->end);
	if (stop == r->end || *stop != '"')
		return read_odd_string(r, ret);
	*ret = str_of(text, (size_t)(stop - text));
	r->p = stop + 1;
	return 0;
}

static int read_number(struct reader *r, struct json *ret)
{
	const char *at;
	const char *problem = json_lex_number(r->p, r->end, &at);
	if (problem)
		return malformed(r, at, problem);
	ret->type = JSON_NUMBER;
	ret->text = str_of(r->p, (size_t)(at - r->p));
	r->p = at;
	return 0;
}

static int read_literal(struct reader *r, struct str word, enum json_type type, const char *problem, struct json *ret)
{
	size_t left = (size_t)(r->end - r->p), same = 0;
	while (same < word.len && same < left && r->p[same] == word.ptr[same])
		same++;
	if (same < word.len)
		return malformed(r, r->p + same, problem);
	ret->type = type;
	r->p += word.len;
	return 0;
}

/* A sentence piece for a byte that begins no value: the common mistakes by name. */
static const char *no_value(const struct reader *r)
{
	const struct frame *f = r->depth ? &r->frames[r->depth - 1] : NULL;
	bool more = f && !f->object && r->item_count > f->items;
	switch (*r->p) {
	case ']': return more ? "expected a value after ','" : "expected a value";
	case '\'': return "strings stand in double quotes, not in single quotes";
	case '/':
	case '#': return "comments are not JSON";
	case '+': return "a number must not begin with '+'";
	case '.': return "a number must begin with a digit";
	case 'N':
	case 'I': return "NaN, Infinity and None are not JSON";
	case 'T':
	case 'F': return "true, false and null are written in small letters";
	default: return "expected a value";
	}
}

static int read_scalar(struct reader *r, struct json *ret)
{
	int code;
	ret->count = 0;
	switch (*r->p) {
	case '"':
		code = read_string(r, &ret->text);
		ret->type = JSON_STRING;
		return code;
	case '-':
	case '0':
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
	case '7':
	case '8':
	case '9': return read_number(r, ret);
	case 't': ret->text = STR_NULL; return read_literal(r, STR("true"), JSON_TRUE, "expected true", ret);
	case 'f': ret->text = STR_NULL; return read_literal(r, STR("false"), JSON_FALSE, "expected false", ret);
	case 'n': ret->text = STR_NULL; return read_literal(r, STR("null"), JSON_NULL, "expected null", ret);
	default: return malformed(r, r->p, no_value(r));
	}
}

/* ---- the end of a container ---- */

/* Member `later` has the key of member `earlier` of the object that begins at f: the later value stands at the earlier place. */
static void merge_member(struct reader *r, const struct frame *f, size_t earlier, size_t later)
{
	if (r->notes && r->notes->duplicates++ == 0) {
		write_pointer(r, false, &r->keys[f->keys + later], r->notes->first_duplicate);
	}
	r->items[f->items + earlier] = r->items[f->items + later];
}

static void keep_member(struct reader *r, const struct frame *f, size_t to, size_t from)
{
	r->items[f->items + to] = r->items[f->items + from];
	r->keys[f->keys + to] = r->keys[f->keys + from];
}

/* Mostly none is: then nothing has to move. */
static bool any_repeated(const struct str *keys, size_t count)
{
	for (size_t i = 1; i < count; i++)
		for (size_t earlier = 0; earlier < i; earlier++)
			if (str_eq(keys[earlier], keys[i]))
				return true;
	return false;
}

/* Both drop repeated keys from the top `count` members and return how many are left. */
static size_t merge_few(struct reader *r, const struct frame *f, size_t count)
{
	const struct str *keys = r->keys + f->keys;
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		size_t same = 0;
		while (same < kept && !str_eq(keys[same], keys[i]))
			same++;
		if (same < kept)
			merge_member(r, f, same, i);
		else
			keep_member(r, f, kept++, i);
	}
	return kept;
}

/*
 * A table of hashes. Where a key lands in it is random, and a wait for memory a key would be most of the time that a large object takes: the slots of
 * HASHED_AHEAD keys are fetched while they are hashed. The hash beside the index spares a look at the key of a neighbour.
 */
struct seen {
	uint32_t hash, member; /* index of a kept member + 1; 0: free */
};

static struct seen *find_seen(struct seen *table, size_t room, const struct str *keys, struct str key, uint64_t hash)
{
	size_t slot = (size_t)hash & (room - 1);

	while (table[slot].member && (table[slot].hash != (uint32_t)(hash >> 32) || !str_eq(keys[table[slot].member - 1], key)))
		slot = (slot + 1) & (room - 1);
	return &table[slot];
}

static void hash_ahead(const struct str *keys, size_t count, const struct seen *table, size_t room, uint64_t *ret_hashes)
{
	for (size_t i = 0; i < count; i++) {
		ret_hashes[i] = map_hash(keys[i]);
		__builtin_prefetch(&table[(size_t)ret_hashes[i] & (room - 1)], 1);
	}
}

static int merge_many(struct reader *r, const struct frame *f, size_t count, size_t *ret_kept)
{
	const struct str *keys = r->keys + f->keys;
	uint64_t hashes[HASHED_AHEAD];
	size_t room = 64, kept = 0;
	struct seen *table;

	while (room < count * 2)
		room *= 2;
	table = mem_calloc(room, sizeof(*table));
	if (!table)
		return out_of_memory(r);
	for (size_t i = 0; i < count; i++) {
		uint64_t *hash = &hashes[i % HASHED_AHEAD];
		struct seen *seen;

		if (i % HASHED_AHEAD == 0)
			hash_ahead(keys + i, MIN(count - i, (size_t)HASHED_AHEAD), table, room, hashes);
		seen = find_seen(table, room, keys, keys[i], *hash);
		if (seen->member) {
			merge_member(r, f, seen->member - 1, i);
		} else {
			keep_member(r, f, kept++, i);
			*seen = (struct seen){ (uint32_t)(*hash >> 32), (uint32_t)kept };
		}
	}
	mem_free(table);
	*ret_kept = kept;
	return 0;
}

static int end_object(struct reader *r, const struct frame *f, size_t count, struct json *ret)
{
	size_t kept = count;
	int code = 0;
	if (count > FEW_MEMBERS)
		code = merge_many(r, f, count, &kept);
	else if (any_repeated(r->keys + f->keys, count))
		kept = merge_few(r, f, count);
	if (code)
		return code;
	*ret = (struct json){ .type = JSON_OBJECT, .count = (uint32_t)kept, .members = NULL };
	if (!kept)
		return 0;
	ret->members = arena_alloc(r->arena, kept * sizeof(*ret->members));
	if (!ret->members)
		return out_of_memory(r);
	for (size_t i = 0; i < kept; i++)
		ret->members[i] = (struct json_member){ r->keys[f->keys + i], r->items[f->items + i] };
	return 0;
}

static int end_array(struct reader *r, const struct frame *f, size_t count, struct json *ret)
{
	*ret = (struct json){ .type = JSON_ARRAY, .count = (uint32_t)count, .items = NULL };
	if (!count)
		return 0;
	ret->items = arena_alloc(r->arena, count * sizeof(*ret->items));
	if (!ret->items)
		return out_of_memory(r);
	memcpy(ret->items, r->items + f->items, count * sizeof(*ret->items));
	return 0;
}

/* At the closing bracket: the children become one value of the frame outside. */
static int end_container(struct reader *r)
{
	const struct frame *f = &r->frames[r->depth - 1];
	size_t count = r->item_count - f->items;
	struct json value;
	int code;
	if (count >= UINT32_MAX)
		return over_limit(r, "an array or object has more elements than can be kept", UINT32_MAX);
	code = f->object ? end_object(r, f, count, &value) : end_array(r, f, count, &value);
	if (code)
		return code;
	r->p++;
	r->item_count = f->items;
	r->key_count = f->keys;
	r->depth--;
	code = make_room_for_item(r);
	if (!code)
		r->items[r->item_count++] = value;
	return code;
}

/* ---- the document ---- */

/* The name of a member and its colon. */
static int read_name(struct reader *r)
{
	int code = make_room_for_key(r);
	if (!code)
		code = read_string(r, &r->keys[r->key_count]);
	if (code)
		return code;
	r->key_count++;
	skip_space(r);
	r->in_value = true;
	if (r->p == r->end)
		return malformed(r, r->p, "the text ends after the name of an object member");
	if (*r->p != ':')
		return malformed(r, r->p, "expected ':' after the name of an object member");
	r->p++;
	return STEP_VALUE;
}

/* Behind the byte at p and the blank that may follow it. */
static inline const char *behind(const char *p, const char *end)
{
	p++;
	return p < end && *p == ' ' ? p + 1 : p;
}

/*
 * Members whose name and value are plain texts, which most are, each in one go; then read_name, with which the steps go on: every other kind of member, every
 * end and every error is theirs.
 */
static int read_members(struct reader *r)
{
	const char *const end = r->end;
	for (;;) {
		const char *name = r->p + 1, *name_end = json_lex_plain(name, end), *text, *text_end, *next;
		if (end - name_end < 4 || name_end[0] != '"' || name_end[1] != ':' || make_room_for_key(r) || make_room_for_item(r))
			return read_name(r);
		text = behind(name_end + 1, end);
		if (*text != '"')
			return read_name(r);
		text_end = json_lex_plain(++text, end);
		if (end - text_end < 4 || text_end[0] != '"' || text_end[1] != ',')
			return read_name(r);
		next = behind(text_end + 1, end);
		if (*next != '"')
			return read_name(r);
		r->keys[r->key_count++] = str_of(name, (size_t)(name_end - name));
		r->items[r->item_count].type = JSON_STRING;
		r->items[r->item_count].count = 0;
		r->items[r->item_count++].text = str_of(text, (size_t)(text_end - text));
		r->p = next;
	}
}

static int begin_object(struct reader *r)
{
	int code = push_frame(r, true);
	if (code)
		return code;
	r->p++;
	r->in_value = false;
	skip_space(r);
	if (r->p == r->end)
		return malformed(r, r->p, "the text ends inside an object");
	if (*r->p == '"')
		return read_members(r);
	if (*r->p != '}')
		return malformed(r, r->p, "expected a name in double quotes or '}'");
	code = end_container(r);
	return code ? code : STEP_AFTER_VALUE;
}

static int begin_array(struct reader *r)
{
	int code = push_frame(r, false);
	if (code)
		return code;
	r->p++;
	skip_space(r);
	if (r->p == r->end || *r->p != ']')
		return STEP_VALUE;
	r->in_value = false;
	code = end_container(r);
	return code ? code : STEP_AFTER_VALUE;
}

static int step_value(struct reader *r)
{
	int code;
	skip_space(r);
	r->in_value = true;
	if (r->p == r->end)
		return malformed(r, r->p, r->depth ? "the text ends where a value is expected" : "the text is empty");
	if (*r->p == '{')
		return begin_object(r);
	if (*r->p == '[')
		return begin_array(r);
	code = make_room_for_item(r);
	if (!code)
		code = read_scalar(r, &r->items[r->item_count]);
	if (code)
		return code;
	r->item_count++;
	return STEP_AFTER_VALUE;
}

static int after_comma(struct reader *r, bool object)
{
	r->p++;
	if (!object)
		return STEP_VALUE;
	skip_space(r);
	if (r->p == r->end)
		return malformed(r, r->p, "the text ends inside an object");
	if (*r->p != '"')
		return malformed(r, r->p, "expected a name in double quotes after ','");
	return read_members(r);
}

static int step_after_value(struct reader *r)
{
	bool object;
	int code;
	if (r->depth == 0)
		return STEP_DONE;
	r->in_value = false;
	object = r->frames[r->depth - 1].object;
	skip_space(r);
	if (r->p == r->end)
		return malformed(r, r->p, object ? "the text ends inside an object" : "the text ends inside an array");
	if (*r->p == ',')
		return after_comma(r, object);
	if (*r->p != (object ? '}' : ']'))
		return malformed(r, r->p,
		                 object ? "expected ',' or '}' after an object member"
		                        : "expected ',' or ']' after an array element");
	code = end_container(r);
	return code ? code : STEP_AFTER_VALUE;
}

static int read_document(struct reader *r, size_t max_bytes)
{
	struct str text = str_of(r->start, (size_t)(r->end - r->start));
	int step = STEP_VALUE;
	if (text.len > max_bytes)
		return over_limit(r, "the text is larger than the cap max-input-bytes allows", max_bytes);
	if (str_starts_with(text, STR("\xEF\xBB\xBF")))
		r->p += 3;
	while (step == STEP_VALUE || step == STEP_AFTER_VALUE)
		step = step == STEP_VALUE ? step_value(r) : step_after_value(r);
	if (step < 0)
		return step;
	skip_space(r);
	r->in_value = false;
	return r->p < r->end ? malformed(r, r->p, "there is text after the end of the document") : 0;
}

int json_parse(struct arena *a, struct str text, const struct json_limits *limits, struct json *ret_value, struct json_notes *notes,
               struct json_error *err)
{
	struct reader r;
	int code;

	r.start = r.p = text.ptr ? text.ptr : "";
	r.end = r.start + text.len;
	r.arena = a;
	r.max_depth = json_max_depth(limits);
	r.notes = notes;
	r.err = err;
	if (notes)
		json_notes_init(notes);
	reader_init(&r);
	code = read_document(&r, json_max_bytes(limits));
	if (!code)
		*ret_value = r.items[0];
	reader_release(&r);
	return code;
}

int json_parse_copy(struct arena *a, struct str text, const struct json_limits *limits, struct json *ret_value,
                    struct json_notes *notes, struct json_error *err)
{
	if (text.len <= json_max_bytes(limits)) { /* else json_parse says so, without a copy */
		int code = arena_str(a, text, &text);
		if (code) {
			if (err)
				*err = (struct json_error){ .code = code, .line = 1, .column = 1, .what = "out of memory" };
			return code;
		}
	}
	return json_parse(a, text, limits, ret_value, notes, err);
}
