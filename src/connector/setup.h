/*
 * setup.h: what configuring has in common for all connectors: the environment, the LLM_API_KEY rule, which keys, headers and base URLs are legal,
 * and the list of secrets. Every mistake becomes a problem with a pointer; functions return false (or FF_EUSAGE) then.
 */
#ifndef FF_CONNECTOR_SETUP_H
#define FF_CONNECTOR_SETUP_H

#include <stdbool.h>
#include <stddef.h>

#include "connector/connector.h"

#define SETUP_POINTER_MAX  512
#define MISSING_KEY_PREFIX "Failed to create LLM connector: "
/* User-Agent of every connector. */
#define USER_AGENT "fairforge/" FF_VERSION

/* Value of an environment variable; empty counts as unset (STR_NULL). */
struct str setup_env(const struct connector_setup *s, const char *name);

/*
 * The reference's rule for all classes: when params.api_key is absent or falsy and LLM_API_KEY is set, api_key becomes that. *ret_params is s->params or
 * a copy with the member replaced (in `a`); *ret_from_env tells which. params must be an object or NULL. 0 or FF_ENOMEM.
 */
int setup_params(struct arena *a, const struct connector_setup *s, struct json *ret_params, bool *ret_from_env) WARN_UNUSED;

/* "POINTER/NAME" in out. */
void setup_pointer(const struct connector_setup *s, const char *name, char out[SETUP_POINTER_MAX]);

/* A new connector of `size` bytes (struct connector first) in its own arena, or NULL. Released by connector_free. */
struct connector *setup_new(const struct connector_class *class, size_t size) WARN_UNUSED;

/* A key goes into a header: visible ASCII without blanks around it. `name` is what the user set: "api_key", "OPENAI_API_KEY". */
bool setup_check_key(struct str key, const char *name, const char *pointer, struct problems *problems);

/* Adds a secret for the scrubber (empty ones are skipped). 0 or FF_ENOMEM. */
int setup_add_secret(struct connector *c, struct str secret) WARN_UNUSED;

/* max_retries: extra attempts as given, or the class's default. Negative and absurd ones are problems. */
bool setup_max_retries(struct connector *c, const struct param_value *v, const char *pointer, struct problems *problems);
/* timeout: seconds per read; not given: not set. */
void setup_timeout(struct connector *c, const struct param_value *v);

/* ---- base URLs ---- */

struct base_url {
	struct str
	        prefix; /* "https://host:8443/path", illegal characters percent-encoded, no slash at the end, no userinfo, query, fragment */
	struct str query;    /* without '?', encoded; empty: none */
	struct str userinfo; /* "user:password", percent-decoded; empty: none */
};

/* Reads an absolute http or https URL. `name` words the problem. 0, FF_EUSAGE (a problem was added) or FF_ENOMEM. */
int setup_base_url(struct arena *a, struct str url, const char *name, const char *pointer, struct problems *problems,
                   struct base_url *ret) WARN_UNUSED;
/* "Basic dXNlcjpwdw==" of userinfo; STR_NULL: out of memory. */
struct str setup_basic_auth(struct arena *a, struct str userinfo);

/* ---- header lists ---- */

struct header_list {
	struct arena *arena;
	struct pair *items;
	size_t count, room;
	bool nomem;
};

/* Sets a header: one of the same name (without regard to case) is replaced. Neither is copied. */
void header_list_set(struct header_list *l, struct str name, struct str value);
/* Whether name and value are legal and may be set by this user; else adds a problem. `where` names their source: "default_headers". */
bool setup_check_header(const struct connector_setup *s, struct str name, struct str value, const char *where, const char *pointer,
                        struct problems *problems);
/* Whether headers of this name usually carry a credential (Authorization, api-key, Cookie, X-…-Token). */
bool header_is_secret(struct str name);

#endif
