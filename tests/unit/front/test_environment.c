/* What a door finds wrong with the FAIRFORGE_ variables that every request reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "front/common/environment.h"

/* An environment of one variable. */
static const char *one(void *user, const char *name)
{
	const char *const *pair = user;

	return pair && !strcmp(pair[0], name) ? pair[1] : NULL;
}

static int check(const char *name, const char *value, struct error *err)
{
	const char *pair[] = { name, value };
	struct ff_engine_options options = FF_INIT(struct ff_engine_options);
	struct ff_engine *engine;
	struct ff_error why;
	int r;

	options.role = FF_ROLE_STRANGER;
	options.getenv_fn = one;
	options.getenv_user = (void *)pair;
	r = ff_engine_new(&options, &engine, &why);
	if (r)
		return r;
	r = environment_check(engine, one, (void *)pair, err);
	ff_engine_free(engine);
	return r;
}

#define CHAT(params) "{\"class_path\": \"langchain_openai.chat_models.ChatOpenAI\", \"params\": " params "}"

static void test_options_and_the_default_connector(void **state)
{
	static const char *const bad[][2] = {
		{ "FAIRFORGE_CONCURRENCY", "0" },
		{ "FAIRFORGE_CONCURRENCY", "100000" }, /* descriptors: main lowers their limit */
		{ "FAIRFORGE_MAX_RETRIES", "-3" },
		{ "FAIRFORGE_CONNECTOR", "{" },
		{ "FAIRFORGE_CONNECTOR", "[]" },
		{ "FAIRFORGE_CONNECTOR", "{\"class_path\": \"os.system\"}" },
		{ "FAIRFORGE_CONNECTOR", CHAT("{\"model\": \"m\"}") }, /* there is no key */
		{ "FAIRFORGE_CONNECTOR", CHAT("{\"model\": \"m\", \"api_key\": \"k\", \"no_such\": 1}") },
	};
	struct error err = { 0 };

	(void)state;
	assert_int_equal(check("NOTHING", "", &err), 0);
	assert_int_equal(check("FAIRFORGE_CONCURRENCY", "4", &err), 0);
	assert_int_equal(check("FAIRFORGE_CONNECTOR", "{}", &err), 0);
	assert_int_equal(check("FAIRFORGE_CONNECTOR", "null", &err), 0);
	assert_int_equal(check("FAIRFORGE_CONNECTOR", CHAT("{\"model\": \"m\", \"api_key\": \"key-of-the-operator\"}"), &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		error_clear(&err);
		if (check(bad[i][0], bad[i][1], &err) != FF_EUSAGE)
			fail_msg("%s=%s should be refused", bad[i][0], bad[i][1]);
		assert_string_equal(err.where, bad[i][0]);
		assert_ptr_equal(strstr(err.text, bad[i][0]), err.text);
		assert_true(err.text[strlen(err.text) - 1] == '.');
	}
}

static void test_lack_of_memory_is_told(void **state)
{
	struct error err = { 0 };

	(void)state;
	for (uint64_t n = 1;; n++) {
		int r;

		mem_fault_arm(n, true);
		r = check("FAIRFORGE_CONNECTOR", CHAT("{\"model\": \"m\", \"api_key\": \"key-of-the-operator\"}"), &err);
		if (!mem_fault_hits()) {
			mem_fault_arm(0, false);
			assert_int_equal(r, 0);
			return;
		}
		mem_fault_arm(0, false);
		if (r != FF_ENOMEM)
			fail_msg("without allocation %ju the check said %d", (uintmax_t)n, r);
	}
}

int main(void)
{
	struct rlimit files = { 1024, 1024 };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_and_the_default_connector),
		cmocka_unit_test(test_lack_of_memory_is_told),
	};

	if (setrlimit(RLIMIT_NOFILE, &files)) /* as many as a function has */
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
