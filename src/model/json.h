/*
 * json.h: strict RFC 8259 reader into an arena, faithful: number text and key order survive, strings are decoded.
 *
 * Values are slices of the input wherever no escape had to be decoded, so the input must outlive the values (json_parse_copy copies it).
 * UTF-8 is validated (RFC 3629). A BOM at the start is skipped. A duplicate key keeps its first position and gets its last value (as in
 * Python's json), counted in json_notes.duplicates. A lone surrogate escape becomes U+FFFD, counted in json_notes.lone_surrogates.
 * The reader is not recursive. It takes time and memory linear in the text, whatever the text is: at most 12 bytes of values for each byte
 * ("[1,1,...]"), and as much again while the array is open.
 */
#ifndef FF_MODEL_JSON_H
#define FF_MODEL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/problem.h"
#include "base/str.h"

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_type type;
	uint32_t count; /* items of an array, members of an object */
	union {
		struct str text;             /* number: its text as it came; string: decoded UTF-8, may contain NUL */
		struct json *items;          /* array: count values side by side */
		struct json_member *members; /* object: count members, keys unique */
	};
};

struct json_member {
	struct str key; /* decoded */
	struct json value;
};

/* What was wrong, as data; `text` needs no allocation. Lines and columns count from 1; columns count characters (code points). */
struct json_error {
	int code;      /* FF_EDATA (malformed), FF_ETOOBIG (depth or size cap) or FF_ENOMEM */
	size_t offset; /* byte offset of the offending byte */
	size_t line, column;
	char pointer[256]; /* JSON pointer of the value being read, cut at the front with "..." when too long */
	const char *what;  /* static sentence piece, e.g. "expected ',' or '}' after an object member" */
	size_t limit;      /* FF_ETOOBIG: the cap that was passed, in bytes or levels; else 0 */
};

struct json_limits {
	size_t max_bytes; /* 0: JSON_MAX_BYTES */
	unsigned
	        max_depth; /* 0: JSON_MAX_DEPTH; arrays and objects count, the outermost has depth 1. Above JSON_DEPTH_LIMIT: that */
};
#define JSON_MAX_BYTES   ((size_t)64 << 20)
#define JSON_MAX_DEPTH   128u
#define JSON_DEPTH_LIMIT 4096u /* the writer and json_equal are recursive; a flag above this should be refused */
/* What they allow; `limits` may be NULL. */
static inline size_t json_max_bytes(const struct json_limits *limits)
{
	return limits && limits->max_bytes ? limits->max_bytes : JSON_MAX_BYTES;
}
static inline unsigned json_max_depth(const struct json_limits *limits)
{
	unsigned depth = limits && limits->max_depth ? limits->max_depth : JSON_MAX_DEPTH;
	return depth < JSON_DEPTH_LIMIT ? depth : JSON_DEPTH_LIMIT;
}

struct json_notes {
	size_t duplicates;         /* keys that appeared again in their object */
	size_t lone_surrogates;    /* replaced by U+FFFD */
	char first_duplicate[256]; /* JSON pointer of the first, "" when none */
	char first_surrogate[256];
};

/* Parses the whole text (white space around it is allowed). `limits`, `notes` and `err` may be NULL. 0 or err->code. */
int json_parse(struct arena *a, struct str text, const struct json_limits *limits, struct json *ret_value, struct json_notes *notes,
               struct json_error *err) WARN_UNUSED;
/* The same with the text copied into the arena first. */
int json_parse_copy(struct arena *a, struct str text, const struct json_limits *limits, struct json *ret_value,
                    struct json_notes *notes, struct json_error *err) WARN_UNUSED;
void json_notes_init(struct json_notes *notes);
/* "line 3, column 7 (at /a/0): expected ..." as a sentence piece; over a cap: what was passed, with its number. Cut at a character boundary. */
void json_error_format(const struct json_error *err, char *out, size_t size);

/* The member's value, or NULL when v is not an object or has no such member. */
static inline const struct json *json_get(const struct json *v, struct str key)
{
	if (!v || v->type != JSON_OBJECT)
		return NULL;
	for (uint32_t i = 0; i < v->count; i++)
		if (str_eq(v->members[i].key, key))
			return &v->members[i].value;
	return NULL;
}
#define json_get_lit(v, literal) json_get((v), STR(literal))
const char *json_type_name(enum json_type type); /* "null", "boolean", "number", "string", "array", "object" */
static inline bool json_is_bool(const struct json *v)
{
	return v->type == JSON_FALSE || v->type == JSON_TRUE;
}
/* Python truthiness: null, false, 0, "", [], {} and NULL are false. */
bool json_truthy(const struct json *v);
bool json_equal(const struct json *a, const struct json *b); /* by value; object key order is not significant, 1 equals 1.0 */
/* Number as double (may be infinite when out of range) and as integer (1.0 and 1e3 are; false when the value has a fraction or does not
 * fit). v must be a number. */
double json_to_double(const struct json *v);
bool json_to_i64(const struct json *v, int64_t *ret_value);

/* ---- JSON pointers, RFC 6901 ---- */

/* Appends "/token" with ~ and / escaped to the NUL-terminated pointer in out[size]; cut at the end, between characters, when it does not fit.
 * A NUL in the token, which RFC 6901 cannot write in a C string, becomes "\u0000". */
void json_pointer_push(char *out, size_t size, struct str token);
void json_pointer_push_index(char *out, size_t size, size_t index);
/* The value at the pointer, or NULL. */
const struct json *json_at(const struct json *root, struct str pointer);

/* ---- writer: always valid UTF-8, always valid JSON ---- */

/*
 * A writer appends to a buf. Calls must nest properly (asserted); commas, colons and indentation are its own business.
 * Failures are sticky in the buf: check buf_failed(out) once at the end.
 */
struct json_writer {
	struct buf *out;
	unsigned indent; /* spaces a level; 0: compact ("," and ":") */
	unsigned depth;
	bool first; /* no comma before the next value */
	bool after_key;
	uint64_t objects
	        [2]; /* a bit a level, to assert nesting: the container at this depth is an object. Deeper levels are not checked */
};

void json_writer_init(struct json_writer *w, struct buf *out, unsigned indent);
void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_key(struct json_writer *w, struct str key);
void json_string(struct json_writer *w, struct str value);     /* ill-formed UTF-8 is written as U+FFFD */
void json_number_text(struct json_writer *w, struct str text); /* text must be a JSON number */
void json_int(struct json_writer *w, int64_t value);
void json_double(struct json_writer *w,
                 double value); /* shortest round-trip text, as Python's repr: 1.0, 1e-08, 0.7; not finite: null */
void json_bool(struct json_writer *w, bool value);
void json_null(struct json_writer *w);
void json_value(struct json_writer *w, const struct json *v); /* a whole value, number text untouched */
#define json_key_lit(w, literal) json_key((w), STR(literal))
/* A member under a name of ours, in which nothing is to be escaped: all that compact text needs before the value is one piece. */
struct json_name {
	struct str joined; /* ,"name": */
};
#define JSON_NAME(literal) ((struct json_name){ STR(",\"" literal "\":") })
void json_member_text(struct json_writer *w, struct json_name name, struct str value);          /* json_key and json_string */
void json_member_value(struct json_writer *w, struct json_name name, const struct json *value); /* json_key and json_value */
void json_member_array(struct json_writer *w, struct json_name name);                           /* json_key and json_begin_array */
/* Shortest decimal text that reads back as `value`, in Python's repr form ("1.0", "1e-08", "1e+22"). Returns its length. */
size_t json_format_double(double value, char out[32]);
/* Appends one string as a JSON string literal with its quotes. */
void json_append_quoted(struct buf *out, struct str value);
/* Appends `before` as it stands and the string behind it. */
void json_append_behind(struct buf *out, struct str before, struct str value);
/* Appends a whole value, compact; `behind` as above. */
void json_append_value(struct buf *out, const struct json *v);
void json_append_value_behind(struct buf *out, struct str before, const struct json *v);

#endif
