/*
 * json_out.h: JSON text written piece by piece into a buf: commas and quotes are its business, nesting is the caller's. `key` is NULL inside an array.
 */
#ifndef FF_FRONT_SERVER_JSON_OUT_H
#define FF_FRONT_SERVER_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct json_out {
	struct buf *out;
	bool comma;  /* a value stands before the next one */
	bool failed; /* out of memory for a literal; `out` says the rest */
};

void json_out_init(struct json_out *j, struct buf *out);
void json_out_object(struct json_out *j, const char *key); /* { */
void json_out_array(struct json_out *j, const char *key);  /* [ */
void json_out_end_object(struct json_out *j);
void json_out_end_array(struct json_out *j);
void json_out_text(struct json_out *j, const char *key, const char *value);
void json_out_str(struct json_out *j, const char *key, struct str value);
void json_out_u64(struct json_out *j, const char *key, uint64_t value);
void json_out_bool(struct json_out *j, const char *key, bool value);
void json_out_raw(struct json_out *j, const char *key, const char *json); /* a value that is JSON already */
int json_out_failed(const struct json_out *j);                            /* 0, FF_ENOMEM or FF_ETOOBIG */

#endif
