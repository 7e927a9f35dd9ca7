/* test_tables.c: tables that help and documentation follow: codes, exit statuses, connectors, options, outcomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "fairforge/fairforge.h"

static void test_every_code_has_a_status_of_the_table(void **state)
{
	size_t count;
	const struct ff_exit_row *rows = ff_exit_table(&count);

	(void)state;
	for (int code = 0; code >= FF_R_INVAL; code--) {
		int found = 0;

		for (size_t i = 0; i < count; i++)
			found |= rows[i].status == ff_code_exit_status(code);
		if (!found)
			fail_msg("status %d of %s is not in the table of exit statuses", ff_code_exit_status(code),
			         ff_code_name(code));
		assert_true(strlen(ff_code_text(code)) > 3);
	}
	assert_int_equal(ff_code_exit_status(FF_R_USAGE), 64);
	assert_int_equal(ff_code_exit_status(FF_R_DATA), 65);
	assert_int_equal(ff_code_exit_status(FF_R_UNREACHABLE), 69);
	assert_int_equal(ff_code_exit_status(FF_R_OUTPUT), 73);
	assert_int_equal(ff_code_exit_status(FF_R_LIMIT), 75);
	assert_int_equal(ff_code_exit_status(FF_R_REFUSED), 77);
	assert_string_equal(ff_code_name(FF_R_DATA), "FF_EDATA");
}

static void test_connectors_are_found_by_all_their_names(void **state)
{
	static const char *const short_names[] = { "groq", "openai", "gemini", "ollama", "alquimia", "http" };
	struct ff_connector_info c;
	size_t index, found;

	(void)state;
	for (size_t i = 0; i < sizeof(short_names) / sizeof(short_names[0]); i++)
		if (ff_connector_find(short_names[i], &index))
			fail_msg("%s should be a connector", short_names[i]);
	for (size_t i = 0; i < ff_connector_count(); i++) {
		assert_int_equal(ff_connector_at(i, &c), 0);
		assert_int_equal(ff_connector_find(c.name, &found), 0);
		assert_int_equal(found, i);
		for (const char *const *path = c.class_paths; *path; path++) {
			assert_int_equal(ff_connector_find(*path, &found), 0);
			assert_int_equal(found, i);
		}
		assert_true(strlen(c.retried) > 0);
	}
	assert_int_equal(ff_connector_find("nobody", &found), FF_R_INVAL);
	assert_int_equal(ff_connector_find(NULL, &found), FF_R_INVAL);
	assert_int_equal(ff_connector_at(ff_connector_count(), &c), FF_R_INVAL);
}

static void test_params_are_complete_rows(void **state)
{
	struct ff_connector_info c;
	struct ff_param_info p;

	(void)state;
	for (size_t i = 0; ff_connector_at(i, &c) == 0; i++) {
		int has_model = 0;

		assert_true(c.param_count > 0);
		for (size_t k = 0; k < c.param_count; k++) {
			assert_int_equal(ff_connector_param(i, k, &p), 0);
			assert_true(p.name && p.type && p.default_text && p.wire);
			assert_true(!strcmp(p.setter, "anyone") || !strcmp(p.setter, "operator"));
			has_model |= !strcmp(p.name, "model") || !!strstr(p.aliases, "model");
		}
		if (!has_model && c.class_paths[0] && !strncmp(c.class_paths[0], "langchain", 9))
			fail_msg("%s should have a parameter model", c.name);
		assert_int_equal(ff_connector_param(i, c.param_count, &p), FF_R_INVAL);
	}
}

static void test_options_and_outcomes(void **state)
{
	struct ff_option_info o;
	struct ff_outcome_info outcome;
	size_t successes = 0;

	(void)state;
	for (size_t i = 0; i < ff_option_count(); i++) {
		assert_int_equal(ff_option_at(i, &o), 0);
		assert_true(*o.key && *o.type && *o.default_text && *o.meaning);
	}
	assert_int_equal(ff_option_at(ff_option_count(), &o), FF_R_INVAL);
	for (size_t i = 0; i < ff_outcome_count(); i++) {
		assert_int_equal(ff_outcome_at(i, &outcome), 0);
		assert_true(*outcome.word && *outcome.text);
		successes += outcome.success ? 1 : 0;
	}
	assert_int_equal(successes, 6);
	assert_int_equal(ff_outcome_at(ff_outcome_count(), &outcome), FF_R_INVAL);
}

static void test_versions_name_what_is_linked(void **state)
{
	(void)state;
	assert_true(strlen(ff_version()) >= 5);
	assert_non_null(strstr(ff_version_libraries(), "libcurl"));
	assert_non_null(strstr(ff_version_libraries(), "libuv"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_code_has_a_status_of_the_table),
		cmocka_unit_test(test_connectors_are_found_by_all_their_names),
		cmocka_unit_test(test_params_are_complete_rows),
		cmocka_unit_test(test_options_and_outcomes),
		cmocka_unit_test(test_versions_name_what_is_linked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
