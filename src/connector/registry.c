/*
 * registry.c: the table of connectors, and the way from a payload's `connector` member to a configured one. A class path is looked up here; nothing
 * is ever loaded by a name from a payload.
 *
 * To add a provider: one #include and one row (the recipe is in connector.h).
 */
#include "connector/connector.h"

#include <stdio.h>

#include "base/alloc.h"
#include "connector/alquimia.h"
#include "connector/gemini.h"
#include "connector/groq.h"
#include "connector/http_template.h"
#include "connector/ollama.h"
#include "connector/openai.h"
#include "connector/setup.h"

static const struct connector_class *const classes[] = {
	&groq_class, &openai_class, &gemini_class, &ollama_class, &http_template_class, &alquimia_class,
};

#define KNOWN_MAX 1024

const struct connector_class *const *connector_classes(size_t *ret_count)
{
	*ret_count = ARRAY_SIZE(classes);
	return classes;
}

static const struct connector_class *find_by_path(struct str path)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		for (const char *const *p = classes[i]->class_paths; *p; p++)
			if (str_eq(path, str_from(*p)))
				return classes[i];
	return NULL;
}

const struct connector_class *connector_class_find(struct str name)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (str_eq_nocase(name, str_from(classes[i]->short_name)) || str_eq(name, str_from(classes[i]->name)))
			return classes[i];
	return find_by_path(name);
}

/* ---- class_path ---- */

/* Length of the part before the last dot, SIZE_MAX when there is none. */
static size_t module_length(struct str path)
{
	for (size_t i = path.len; i > 0; i--)
		if (path.ptr[i - 1] == '.')
			return i - 1;
	return SIZE_MAX;
}

static bool is_known_module(struct str module)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		for (const char *const *p = classes[i]->class_paths; *p; p++) {
			struct str path = str_from(*p);

			if (str_eq(module, str_sub(path, 0, module_length(path))))
				return true;
		}
	}
	return false;
}

/* "a.A, b.B": the first path of each class. */
static void list_known(char out[KNOWN_MAX])
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(classes) && used < KNOWN_MAX; i++)
		used += (size_t)snprintf(out + used, KNOWN_MAX - used, "%s%s", i ? ", " : "", classes[i]->class_paths[0]);
}

/* Why a path names no class: the reference's words, and what would be right. */
static void refuse_path(struct str path, const char *pointer, struct problems *problems)
{
	size_t dot = module_length(path);
	struct str module = str_sub(path, 0, dot), name = dot == SIZE_MAX ? path : str_sub(path, dot + 1, path.len);
	char known[KNOWN_MAX];

	list_known(known);
	module.len = MIN(module.len, (size_t)200);
	name.len = MIN(name.len, (size_t)200);
	if (dot == SIZE_MAX)
		problem_error(problems, pointer, "connector.class_path '%.*s' has no module; known are %s.", STR_ARG(name), known);
	else if (is_known_module(module))
		problem_error(problems, pointer, SETUP_FAILED "module '%.*s' has no attribute '%.*s'; known are %s.",
		              STR_ARG(module), STR_ARG(name), known);
	else
		problem_error(problems, pointer, SETUP_FAILED "No module named '%.*s'; known are %s.", STR_ARG(module), known);
}

static const struct connector_class *class_of(const struct json *connector, const char *pointer, struct problems *problems)
{
	const struct json *path = json_get_lit(connector, "class_path");
	const struct connector_class *class;

	if (!json_truthy(path)) {
		problem_error(problems, pointer, "connector.class_path is required");
		return NULL;
	}
	if (path->type != JSON_STRING) {
		problem_error(problems, pointer, "connector.class_path must be a string, but it is a JSON %s.",
		              json_type_name(path->type));
		return NULL;
	}
	class = find_by_path(path->text);
	if (!class)
		refuse_path(path->text, pointer, problems);
	return class;
}

/* ---- create, free ---- */

int connector_create(const struct json *connector, const struct connector_setup *setup, struct problems *problems,
                     struct connector **ret)
{
	const char *pointer = setup->pointer ? setup->pointer : "/connector/params";
	struct connector_setup inner = *setup;
	const struct connector_class *class;

	inner.pointer = pointer;
	if (connector->type != JSON_OBJECT) {
		problem_error(problems, "/connector", "connector must be an object with a class_path, but it is a JSON %s.",
		              json_type_name(connector->type));
		return problems->nomem ? FF_ENOMEM : FF_EUSAGE;
	}
	class = class_of(connector, "/connector/class_path", problems);
	if (!class)
		return problems->nomem ? FF_ENOMEM : FF_EUSAGE;
	inner.params = json_get_lit(connector, "params");
	if (inner.params && inner.params->type != JSON_OBJECT) {
		problem_error(problems, pointer, SETUP_FAILED "connector.params must be an object, but it is a JSON %s.",
		              json_type_name(inner.params->type));
		return problems->nomem ? FF_ENOMEM : FF_EUSAGE;
	}
	return class->configure(class, &inner, problems, ret);
}

static void wipe(struct str secret)
{
	if (secret.len)
		explicit_bzero((char *)(uintptr_t)secret.ptr, secret.len);
}

struct connector *connector_again(struct connector *c)
{
	c->references++;
	return c;
}

void connector_free(struct connector *c)
{
	if (!c || c->references--)
		return;
	wipe(c->key);
	for (size_t i = 0; i < c->secret_count; i++)
		wipe(c->secrets[i]);
	arena_release(&c->arena);
	mem_free(c);
}
