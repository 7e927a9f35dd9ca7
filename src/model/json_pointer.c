/*
 * json_pointer.c: JSON pointers (RFC 6901), written from the root and resolved. Never allocates.
 */
#include "model/json.h"

#include <stdio.h>
#include <string.h>

/* Appends bytes that belong together, or nothing. */
static bool append_unit(char *out, size_t size, size_t *at, const char *unit, size_t len)
{
	if (len >= size - *at)
		return false;
	memcpy(out + *at, unit, len);
	*at += len;
	out[*at] = '\0';
	return true;
}

void json_pointer_push(char *out, size_t size, struct str token)
{
	size_t at = strnlen(out, size);
	bool fits;
	if (at == size)
		return; /* not terminated: nothing can be appended */
	fits = append_unit(out, size, &at, "/", 1);
	for (size_t i = 0; i < token.len && fits;) {
		size_t len = utf8_sequence_length(token.ptr + i, token.len - i);
		if (len == 0)
			len = 1;
		if (token.ptr[i] == '~')
			fits = append_unit(out, size, &at, "~0", 2);
		else if (token.ptr[i] == '/')
			fits = append_unit(out, size, &at, "~1", 2);
		else if (token.ptr[i] == '\0')
			fits = append_unit(out, size, &at, "\\u0000", 6);
		else
			fits = append_unit(out, size, &at, token.ptr + i, len);
		i += len;
	}
}

void json_pointer_push_index(char *out, size_t size, size_t index)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%zu", index);
	json_pointer_push(out, size, str_of(digits, (size_t)len));
}

/* The escaped token says `key`? */
static bool token_is(struct str token, struct str key)
{
	size_t k = 0;
	for (size_t i = 0; i < token.len; i++, k++) {
		char c = token.ptr[i];
		if (c == '~') {
			if (i + 1 == token.len || (token.ptr[i + 1] != '0' && token.ptr[i + 1] != '1'))
				return false;
			c = token.ptr[++i] == '0' ? '~' : '/';
		}
		if (k == key.len || key.ptr[k] != c)
			return false;
	}
	return k == key.len;
}

static const struct json *child(const struct json *v, struct str token)
{
	uint64_t index;
	if (v->type == JSON_OBJECT) {
		for (uint32_t i = 0; i < v->count; i++)
			if (token_is(token, v->members[i].key))
				return &v->members[i].value;
		return NULL;
	}
	if (v->type != JSON_ARRAY || !str_to_u64(token, &index) || index >= v->count)
		return NULL;
	if (token.len > 1 && token.ptr[0] == '0')
		return NULL;
	return &v->items[index];
}

const struct json *json_at(const struct json *root, struct str pointer)
{
	if (pointer.len == 0)
		return root;
	if (pointer.ptr[0] != '/')
		return NULL;
	pointer = str_sub(pointer, 1, pointer.len);
	while (root && pointer.ptr)
		root = child(root, str_split(&pointer, '/'));
	return root;
}
