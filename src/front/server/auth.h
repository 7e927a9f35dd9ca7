/*
 * auth.h: who may use the service: a file of tokens, and `Authorization: Bearer TOKEN` held against it.
 *
 * The file: a line each `name:token`; blank lines and lines that begin with # count for nothing; white space around both parts is dropped.
 * A name is 1..64 of A-Z a-z 0-9 . _ - and stands in the access log; a token is 16..256 bytes of what RFC 6750 allows (A-Z a-z 0-9 - . _ ~ + / and
 * trailing =). Refused, with the number of the line and never with its token: shorter tokens, other characters, the same name or the same token twice, a file
 * without any token.
 *
 * The presented token is compared with every token of the file, in time that depends on neither (only on how many there are).
 * A table is immutable: to read the file again, load a new one and free the old one.
 */
#ifndef FF_FRONT_SERVER_AUTH_H
#define FF_FRONT_SERVER_AUTH_H

#include <stddef.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/str.h"

#define AUTH_TOKEN_MIN  16u
#define AUTH_TOKEN_MAX  256u
#define AUTH_NAME_MAX   64u
#define AUTH_TOKENS_MAX 1024u
#define AUTH_FILE_MAX   ((size_t)1 << 20)

struct auth;

/* `name`: of the file, for messages. 0; FF_EUSAGE: wrong (err.where is "FILE:LINE"); FF_ENOMEM. */
int auth_parse(struct str text, const char *name, struct auth **ret, struct error *err) WARN_UNUSED;
/* Reads the file; one that cannot be read is FF_EUSAGE, too. */
int auth_load(const char *path, struct auth **ret, struct error *err) WARN_UNUSED;
void auth_free(struct auth *a); /* wipes the tokens; NULL is fine */
size_t auth_count(const struct auth *a);
/* One sentence for the operator when the group or others can read the file it was loaded from, else NULL. */
const char *auth_warning(const struct auth *a);

/*
 * The value of the Authorization header (ptr NULL: there is none; two of them must be given as an empty value) → the name of its token, which lives as
 * long as the table; or NULL: answer 401 with `WWW-Authenticate: *ret_challenge`. a == NULL (no tokens configured): "", everybody may.
 */
const char *auth_check(const struct auth *a, struct str authorization, const char **ret_challenge) WARN_UNUSED;

#endif
