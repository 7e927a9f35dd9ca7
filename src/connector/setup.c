/*
 * setup.c: the steps that every connector's configure takes. Not: what a class's own parameters mean.
 *
 * The environment is only ever read through the setup's function, so that a payload of a stranger and a test can be given another one.
 */
#include "connector/setup.h"

#include <math.h>

#include "base/alloc.h"

#define RETRIES_MAX    1000                           /* more is a mistake, not a wish */
#define TIMEOUT_MAX_MS ((uint64_t)365 * 86400 * 1000) /* longer is forever */

struct str setup_env(const struct connector_setup *s, const char *name)
{
	const char *value = s->env ? s->env(s->env_user, name) : NULL;

	return value && *value ? str_from(value) : STR_NULL;
}

int setup_params(struct arena *a, const struct connector_setup *s, struct json *ret_params, bool *ret_from_env)
{
	struct json params = s->params ? *s->params : (struct json){ .type = JSON_OBJECT };
	struct json value = { .type = JSON_STRING, .text = setup_env(s, "LLM_API_KEY") };
	struct json_member *members;
	uint32_t n;

	*ret_params = params;
	*ret_from_env = false;
	if (!value.text.len || params.type != JSON_OBJECT || json_truthy(json_get_lit(&params, "api_key")))
		return 0;
	members = arena_calloc(a, (size_t)params.count + 1, sizeof *members);
	if (!members)
		return FF_ENOMEM;
	for (n = 0; n < params.count; n++)
		members[n] = params.members[n];
	for (n = 0; n < params.count; n++)
		if (str_eq(members[n].key, STR("api_key")))
			break;
	members[n] = (struct json_member){ .key = STR("api_key"), .value = value };
	ret_params->members = members;
	ret_params->count = MAX(params.count, n + 1);
	*ret_from_env = true;
	return 0;
}

void setup_pointer(const char *pointer, const char *name, char out[SETUP_POINTER_MAX])
{
	size_t len = MIN(strlen(pointer), (size_t)SETUP_POINTER_MAX - 1);

	memcpy(out, pointer, len);
	out[len] = '\0';
	json_pointer_push(out, SETUP_POINTER_MAX, str_from(name));
}

struct connector *setup_new(const struct connector_class *class, size_t size)
{
	struct connector *c = mem_calloc(1, size);

	if (!c)
		return NULL;
	c->class = class;
	arena_init(&c->arena);
	return c;
}

bool setup_max_retries(struct connector *c, const struct param_value *v, const char *pointer, struct problems *problems)
{
	char at[SETUP_POINTER_MAX];
	int64_t n;

	c->max_retries = c->class->retry.default_max_retries;
	if (!v->given)
		return true;
	if (json_to_i64(&v->value, &n) && n >= 0 && n <= RETRIES_MAX) {
		c->max_retries = (int32_t)n;
		return true;
	}
	setup_pointer(pointer, "max_retries", at);
	problem_error(problems, at, "max_retries must be from 0 to %d, but it is %.*s.", RETRIES_MAX, STR_ARG(v->value.text));
	return false;
}

uint64_t setup_ms(double seconds)
{
	double ms = ceil(seconds * 1000);

	return ms >= (double)TIMEOUT_MAX_MS ? TIMEOUT_MAX_MS : (uint64_t)MAX(ms, 0.0);
}

void setup_timeout(struct connector *c, const struct param_value *v)
{
	if (!v->given)
		return;
	c->timeout_set = true;
	c->timeout_ms = setup_ms(json_to_double(&v->value));
}
