/* test_variables.c: FAIRFORGE_* variables, many at once: the same from the process's environment as from an embedder's function. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "lib/internal.h"

static const char *const keys[] = { "idle_timeout_ms", "idle_timeout", "order", "stream" };
enum { MS, SHORT, ORDER, STREAM };

static const char *given(void *user, const char *name)
{
	const char *const *pairs = user;

	for (; pairs && pairs[0]; pairs += 2)
		if (!strcmp(pairs[0], name))
			return pairs[1];
	return NULL;
}

static void names_are_written_in_capitals(void **state)
{
	char name[VARIABLE_NAME_MAX], key[100];

	(void)state;
	lib_variable_name("idle_timeout_ms", name);
	assert_string_equal(name, "FAIRFORGE_IDLE_TIMEOUT_MS");
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	lib_variable_name(key, name);
	assert_int_equal(strlen(name), VARIABLE_NAME_MAX - 1);
}

static void the_processs_environment(void **state)
{
	struct ff_engine engine = { 0 };
	const char *values[ARRAY_SIZE(keys)];
	char *entries[] = { (char *)"FAIRFORGE_IDLE_TIMEOUT_MS=1",
		            (char *)"FAIRFORGE_ORDER=",
		            (char *)"FAIRFORGE_order=input",
		            (char *)"FAIRFORGE_STREAM",
		            (char *)"XFAIRFORGE_STREAM=yes",
		            (char *)"FAIRFORGE_IDLE_TIMEOUT_MS=2",
		            NULL };
	char **whole = environ;

	(void)state;
	environ = entries;
	lib_getenv_keys(&engine, keys, ARRAY_SIZE(keys), values);
	environ = NULL;
	assert_string_equal(values[MS], "1"); /* as getenv: the first of two */
	assert_null(values[SHORT]);           /* another one's beginning */
	assert_string_equal(values[ORDER], "");
	assert_null(values[STREAM]);
	lib_getenv_keys(&engine, keys, ARRAY_SIZE(keys), values);
	environ = whole;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_null(values[i]);
}

static void an_embedders_environment_counts_alone(void **state)
{
	static const char *const pairs[] = { "FAIRFORGE_IDLE_TIMEOUT", "7", "FAIRFORGE_STREAM", "", NULL };
	struct ff_engine engine = { .getenv_fn = given, .getenv_user = (void *)pairs };
	const char *values[ARRAY_SIZE(keys)];

	(void)state;
	assert_int_equal(setenv("FAIRFORGE_ORDER", "input", 1), 0);
	lib_getenv_keys(&engine, keys, ARRAY_SIZE(keys), values);
	unsetenv("FAIRFORGE_ORDER");
	assert_null(values[MS]);
	assert_string_equal(values[SHORT], "7");
	assert_null(values[ORDER]);
	assert_string_equal(values[STREAM], "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_written_in_capitals),
		cmocka_unit_test(the_processs_environment),
		cmocka_unit_test(an_embedders_environment_counts_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
