/*
 * json_position.h: JSON pointers written from the leaf to the root, and positions in a text. Internal to src/model.
 *
 * An error's pointer must keep its end when it is too long (the end says where), and the reader knows the path from its innermost frame
 * outwards: so it is built backwards.
 */
#ifndef FF_MODEL_JSON_POSITION_H
#define FF_MODEL_JSON_POSITION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define JSON_POINTER_SIZE 256

struct json_path {
	char text[JSON_POINTER_SIZE]; /* text[at..] is the pointer so far */
	size_t at;
	bool cut; /* a token did not fit: nothing more is added */
};

void json_path_init(struct json_path *p);
void json_path_prepend(struct json_path *p, struct str token); /* "/token", escaped */
void json_path_prepend_index(struct json_path *p, size_t index);
/* Copies the pointer, with "..." before it when it was cut. */
void json_path_finish(const struct json_path *p, char out[JSON_POINTER_SIZE]);

/* Line and column, from 1, of the byte at `offset`. Columns count characters; a BOM at the start is none. Walks the text: for errors only. */
void json_line_column(struct str text, size_t offset, size_t *ret_line, size_t *ret_column);

#endif
