/*
 * setup.h: what configuring has in common for all connectors: the environment, the LLM_API_KEY rule, retries and timeouts.
 * (Base URLs: base_url.h. Headers, keys and secrets: header_list.h. LangChain's own fields: langchain_params.h.)
 */
#ifndef FF_CONNECTOR_SETUP_H
#define FF_CONNECTOR_SETUP_H

#include <stdbool.h>
#include <stddef.h>

#include "connector/connector.h"

#define SETUP_POINTER_MAX 512
/* Before what the reference finds while it constructs a connector (other than by validation). */
#define SETUP_FAILED "Failed to create LLM connector: "
/* User-Agent of every connector. */
#define SETUP_USER_AGENT "fairforge/" FF_VERSION

/* Value of an environment variable; empty counts as unset (STR_NULL). Not copied. */
struct str setup_env(const struct connector_setup *s, const char *name);

/*
 * The reference's rule for all classes: when params.api_key is absent or falsy and LLM_API_KEY is set, api_key becomes that. *ret_params is a view of
 * s->params ({} for NULL) or a copy with the member replaced, in `a`; *ret_from_env tells which. 0 or FF_ENOMEM.
 */
int setup_params(struct arena *a, const struct connector_setup *s, struct json *ret_params, bool *ret_from_env) WARN_UNUSED;

/* "POINTER/NAME" in out, cut when it does not fit. */
void setup_pointer(const char *pointer, const char *name, char out[SETUP_POINTER_MAX]);

/* A new zeroed connector of `size` bytes (struct connector first) with its class and an empty arena, or NULL. Released by connector_free. */
struct connector *setup_new(const struct connector_class *class, size_t size) WARN_UNUSED;

/* max_retries: extra attempts as given, or the class's default. Negative and absurd ones are problems (false). */
bool setup_max_retries(struct connector *c, const struct param_value *v, const char *pointer, struct problems *problems);
/* timeout: seconds per read (coerced by PARAM_TIMEOUT); not given: not set. */
void setup_timeout(struct connector *c, const struct param_value *v);
/* Seconds as milliseconds, rounded up, within what a deadline can hold. */
uint64_t setup_ms(double seconds);

#endif
