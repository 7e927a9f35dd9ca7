/*
 * header_list.h: the headers of a connector's requests while it is configured: a later one replaces an earlier one of the same name, and
 * what must be kept from our own text (keys, Authorization values, cookies) is listed beside them for the scrubber.
 *
 * Lack of memory is sticky: check `nomem` once at the end.
 */
#ifndef FF_CONNECTOR_HEADER_LIST_H
#define FF_CONNECTOR_HEADER_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/problem.h"
#include "base/str.h"
#include "model/json.h"

struct header_list {
	struct arena *arena;
	struct pair *items;
	size_t count, room;
	struct str *secrets;
	size_t secret_count, secret_room;
	bool nomem;
};

void header_list_init(struct header_list *l, struct arena *arena);
/* Sets a header, copying both; replaces the one with the same name (case ignored). */
void header_list_set(struct header_list *l, struct str name, struct str value);
void header_list_secret(struct header_list *l, struct str secret); /* copies; empty ones are dropped */
void header_list_secret_value(struct header_list *l,
                              struct str value); /* the whole value, and what stands behind its scheme ("Bearer ...") */
/* Whether a value of this name is to be kept from our own text: Authorization, X-Api-Key, password, ... */
bool header_looks_secret(struct str name);
/*
 * Authorization: Basic for the userinfo of a base URL (nothing for an empty one), and its secrets: the encoded credentials, the userinfo and the
 * password as they stand, and the password decoded.
 */
void header_list_set_userinfo(struct header_list *l, struct str userinfo);
void header_list_userinfo_secrets(struct header_list *l, struct str userinfo); /* the secrets alone */
/* The same secrets, without a header, for the userinfo of any URL ("http://user:password@proxy:3128"). */
void header_list_url_secrets(struct header_list *l, struct str url);
/*
 * Headers that the payload gives: an object of strings; null values are dropped. Illegal names and values are errors below `pointer`. Values that
 * look secret by their name become secrets. The number of errors.
 */
size_t header_list_set_given(struct header_list *l, const struct json *object, const char *pointer, bool stranger,
                             struct problems *problems);
/* NULL, or what is wrong as a clause: token name, value without control characters, not a header that the transport owns (nor Host for strangers). */
const char *header_problem(struct str name, struct str value, bool stranger);
/* The value of an API key: NULL, or what is wrong as a clause that does not quote it. */
const char *key_problem(struct str key);

#endif
