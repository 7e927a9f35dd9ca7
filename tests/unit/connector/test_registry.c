/* test_registry.c: class paths and names, what a payload's connector member may be, and the shared steps of setup.h. */
#include "turn_kit.h"

#include "connector/groq.h"
#include "connector/openai.h"
#include "connector/setup.h"

static void names(void **state)
{
	size_t count;
	const struct connector_class *const *all = connector_classes(&count);

	(void)state;
	assert_int_equal(count, 6);
	for (size_t i = 0; i < count; i++) {
		assert_ptr_equal(connector_class_find(str_from(all[i]->short_name)), all[i]);
		assert_ptr_equal(connector_class_find(str_from(all[i]->name)), all[i]);
		for (const char *const *path = all[i]->class_paths; *path; path++)
			assert_ptr_equal(connector_class_find(str_from(*path)), all[i]);
	}
	assert_ptr_equal(connector_class_find(STR("OpenAI")), &openai_class);
	assert_null(connector_class_find(STR("chatopenai")));
	assert_null(connector_class_find(STR("")));
}

static int create(struct kit *k, const char *connector, const struct kit_env *env)
{
	struct connector_setup setup = { .env = kit_getenv, .env_user = (void *)(uintptr_t)env };
	struct json v;

	memset(k, 0, sizeof *k);
	arena_init(&k->arena);
	arena_init(&k->turn_arena);
	problems_init(&k->problems);
	assert_int_equal(json_parse(&k->arena, str_from(connector), NULL, &v, NULL, NULL), 0);
	return connector_create(&v, &setup, &k->problems, &k->c);
}

static void expect_refused(const char *connector, const char *pointer, const char *text)
{
	struct kit k;

	if (create(&k, connector, NULL) != FF_EUSAGE)
		fail_msg("%s must be refused", connector);
	assert_true(kit_has_problem(&k, PROBLEM_ERROR, pointer, text));
	assert_int_equal(k.problems.errors, 1);
	kit_release(&k);
}

static void what_is_no_connector(void **state)
{
	(void)state;
	expect_refused("[1]", "/connector", "connector must be an object");
	expect_refused("{\"params\":{}}", "/connector/class_path", "connector.class_path is required");
	expect_refused("{\"class_path\":\"\"}", "/connector/class_path", "connector.class_path is required");
	expect_refused("{\"class_path\":null}", "/connector/class_path", "connector.class_path is required");
	expect_refused("{\"class_path\":5}", "/connector/class_path", "must be a string");
	expect_refused("{\"class_path\":\"openai\"}", "/connector/class_path", "has no module");
	expect_refused("{\"class_path\":\"no_such.Klass\"}", "/connector/class_path",
	               "Failed to create LLM connector: No module named 'no_such'; known are langchain_groq");
	expect_refused("{\"class_path\":\" langchain_openai.ChatOpenAI\"}", "/connector/class_path",
	               "No module named ' langchain_openai'");
	expect_refused("{\"class_path\":\"langchain_openai.Chat\"}", "/connector/class_path",
	               "module 'langchain_openai' has no attribute 'Chat'");
	expect_refused("{\"class_path\":\"langchain_openai.ChatOpenAI\",\"params\":null}", "/connector/params",
	               "Failed to create LLM connector: connector.params must be an object, but it is a JSON null.");
	expect_refused("{\"class_path\":\"langchain_openai.ChatOpenAI\",\"params\":[]}", "/connector/params", "must be an object");
}

static void params_may_be_absent(void **state)
{
	static const struct kit_env env[] = { { "OPENAI_API_KEY", "sk-12345678" }, { NULL, NULL } };
	struct kit k;

	(void)state;
	assert_int_equal(create(&k, "{\"class_path\":\"langchain_openai.ChatOpenAI\",\"other\":1}", env), 0);
	assert_ptr_equal(k.c->class, &openai_class);
	kit_expect_str(k.c->model, "gpt-3.5-turbo");
	kit_release(&k);
}

static void the_environments_key_fills_an_empty_one(void **state)
{
	static const struct kit_env env[] = { { "LLM_API_KEY", "from-env" }, { NULL, NULL } };
	static const char *const filled[] = { "{}", "{\"api_key\":\"\"}", "{\"api_key\":null}", "{\"api_key\":false}",
		                              "{\"a\":1,\"api_key\":0,\"b\":2}" };
	struct connector_setup s = { .env = kit_getenv, .env_user = (void *)(uintptr_t)env };
	struct json params, out;
	struct arena a;
	bool from_env;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < ARRAY_SIZE(filled); i++) {
		assert_int_equal(json_parse(&a, str_from(filled[i]), NULL, &params, NULL, NULL), 0);
		s.params = &params;
		assert_int_equal(setup_params(&a, &s, &out, &from_env), 0);
		assert_true(from_env);
		kit_expect_str(json_get_lit(&out, "api_key")->text, "from-env");
		assert_int_equal(out.count, MAX(params.count, 1u));
	}
	assert_int_equal(json_parse(&a, STR("{\"api_key\":\"own\"}"), NULL, &params, NULL, NULL), 0);
	assert_int_equal(setup_params(&a, &s, &out, &from_env), 0);
	assert_false(from_env);
	kit_expect_str(json_get_lit(&out, "api_key")->text, "own");
	s.params = NULL;
	assert_int_equal(setup_params(&a, &s, &out, &from_env), 0);
	kit_expect_str(json_get_lit(&out, "api_key")->text, "from-env");
	arena_release(&a);
}

static void seconds(void **state)
{
	(void)state;
	assert_int_equal(setup_ms(0), 0);
	assert_int_equal(setup_ms(0.0004), 1);
	assert_int_equal(setup_ms(1.5), 1500);
	assert_int_equal(setup_ms(1e300), (uint64_t)365 * 86400 * 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(what_is_no_connector),
		cmocka_unit_test(params_may_be_absent),
		cmocka_unit_test(the_environments_key_fills_an_empty_one),
		cmocka_unit_test(seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
