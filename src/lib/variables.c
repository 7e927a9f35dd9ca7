/*
 * variables.c: FAIRFORGE_KEY variables for many keys. Each request asks for a dozen and a half, nearly all of them unset, and getenv walks the whole
 * environment for every one: here it is walked once.
 */
#include <ctype.h>
#include <unistd.h>

#include "lib/internal.h"

static const char prefix[] = "FAIRFORGE_";
#define PREFIX_LEN (sizeof(prefix) - 1)

void lib_variable_name(const char *key, char out[VARIABLE_NAME_MAX])
{
	size_t at = PREFIX_LEN;

	memcpy(out, prefix, PREFIX_LEN);
	for (; *key && at < VARIABLE_NAME_MAX - 1; key++)
		out[at++] = (char)toupper((unsigned char)*key);
	out[at] = '\0';
}

/* The value in "KEY=value" behind the prefix; NULL: another key's. */
static const char *value_of(const char *entry, const char *key)
{
	while (*key && *entry == toupper((unsigned char)*key))
		entry++, key++;
	return !*key && *entry == '=' ? entry + 1 : NULL;
}

void lib_getenv_keys(const struct ff_engine *engine, const char *const keys[], size_t count, const char *values[])
{
	char name[VARIABLE_NAME_MAX];

	for (size_t i = 0; i < count; i++) {
		values[i] = NULL;
		if (!engine->getenv_fn)
			continue;
		lib_variable_name(keys[i], name);
		values[i] = engine->getenv_fn(engine->getenv_user, name);
	}
	for (char **entry = engine->getenv_fn ? NULL : environ; entry && *entry; entry++) {
		if (**entry != prefix[0] || strncmp(*entry, prefix, PREFIX_LEN) != 0)
			continue;
		for (size_t i = 0; i < count; i++)
			if (!values[i]) /* of two the first counts, as with getenv */
				values[i] = value_of(*entry + PREFIX_LEN, keys[i]);
	}
}
