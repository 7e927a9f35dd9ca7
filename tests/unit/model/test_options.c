/* test_options.c: every option, its range, and what is said about a wrong one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../base/fault_loop.h"
#include "model/options.h"

struct fixture {
	struct arena arena;
	struct problems problems;
	struct options o;
	int code;
};

static void read_options(struct fixture *f, const char *text)
{
	struct json value;
	f->arena = ARENA_INIT;
	problems_init(&f->problems);
	options_init(&f->o);
	if (json_parse(&f->arena, str_from(text), NULL, &value, NULL, NULL))
		fail_msg("%s is not JSON", text);
	f->code = options_from_json(&f->o, &value, "/options", &f->problems);
}

static void unload(struct fixture *f)
{
	problems_release(&f->problems);
	arena_release(&f->arena);
}

static void assert_written(const struct options *o, const char *expected)
{
	struct json_writer w;
	struct buf b;
	buf_init(&b, 10000);
	json_writer_init(&w, &b, 0);
	options_write(o, &w);
	if (!str_eq(buf_str(&b), str_from(expected)))
		fail_msg("expected %s, got %.*s", expected, (int)b.len, b.ptr);
	buf_release(&b);
}

static void the_defaults(void **state)
{
	struct options o;
	(void)state;
	options_init(&o);
	assert_written(&o, "{\"concurrency\":{\"max\":16,\"adaptive\":true},\"connect_timeout_ms\":10000,\"idle_timeout_ms\":"
	                   "600000,\"turn_timeout_ms\":900000,\"deadline_ms\":null,"
	                   "\"max_retries\":null,\"order\":\"longest_first\",\"stream\":false,\"http_version\":\"auto\"}");
	assert_false(o.idle_timeout_set);
}

static void every_option_is_set(void **state)
{
	struct fixture f;
	(void)state;
	read_options(&f, "{\"concurrency\": {\"max\": 200, \"adaptive\": false}, \"connect_timeout_ms\": 1, \"idle_timeout_ms\": "
	                 "2, \"turn_timeout_ms\": 0, \"deadline_ms\": 4e3, "
	                 "\"max_retries\": 0, \"order\": \"input\", \"stream\": true, \"http_version\": \"1.1\"}");
	assert_int_equal(f.code, 0);
	assert_true(f.o.idle_timeout_set);
	assert_written(&f.o, "{\"concurrency\":{\"max\":200,\"adaptive\":false},\"connect_timeout_ms\":1,\"idle_timeout_ms\":2,"
	                     "\"turn_timeout_ms\":null,\"deadline_ms\":4000,\"max_retries\":0,"
	                     "\"order\":\"input\",\"stream\":true,\"http_version\":\"1.1\"}");
	unload(&f);
}

static void forms_of_concurrency(void **state)
{
	struct fixture f;
	(void)state;
	read_options(&f, "{\"concurrency\": 100000}");
	assert_int_equal(f.o.concurrency, 100000);
	assert_true(f.o.adaptive);
	unload(&f);
	read_options(&f, "{\"concurrency\": {\"adaptive\": false}}");
	assert_int_equal(f.o.concurrency, 16);
	assert_false(f.o.adaptive);
	unload(&f);
	read_options(&f, "{\"concurrency\": {\"max\": 5, \"adaptive\": null}}");
	assert_int_equal(f.o.concurrency, 5);
	assert_true(f.o.adaptive);
	unload(&f);
	read_options(&f, "{\"concurrency\": {}}");
	assert_int_equal(f.code, 0);
	unload(&f);
}

/* As --no-adaptive after --concurrency 8: each keeps what the other set. */
static void later_settings_keep_what_they_do_not_name(void **state)
{
	struct problems problems;
	struct options o;
	struct json eight = { .type = JSON_NUMBER, .text = STR("8") }, no = { .type = JSON_FALSE };
	struct json_member member = { STR("adaptive"), no };
	struct json object = { .type = JSON_OBJECT, .count = 1, .members = &member };
	(void)state;
	problems_init(&problems);
	options_init(&o);
	assert_int_equal(options_set(&o, STR("concurrency"), &object, "", &problems), 0);
	assert_int_equal(options_set(&o, STR("concurrency"), &eight, "", &problems), 0);
	assert_int_equal(o.concurrency, 8);
	assert_false(o.adaptive);
	problems_release(&problems);
}

static void null_leaves_an_option_as_it_is(void **state)
{
	struct fixture f;
	size_t count;
	const struct option_row *rows = options_table(&count);
	(void)state;
	for (size_t i = 0; i < count; i++) {
		char text[128];
		struct options defaults;
		(void)snprintf(text, sizeof(text), "{\"%s\": null}", rows[i].key);
		read_options(&f, text);
		assert_int_equal(f.code, 0);
		options_init(&defaults);
		assert_memory_equal(&f.o, &defaults, sizeof(defaults));
		unload(&f);
	}
	read_options(&f, "null");
	assert_int_equal(f.code, 0);
	unload(&f);
}

static void other_spellings_of_values(void **state)
{
	struct fixture f;
	(void)state;
	read_options(&f, "{\"stream\": 1, \"http_version\": 1.1, \"max_retries\": 3.0}");
	assert_int_equal(f.code, 0);
	assert_true(f.o.stream);
	assert_int_equal(f.o.http_version, HTTP_VERSION_1_1);
	assert_int_equal(f.o.max_retries, 3);
	unload(&f);
}

static void wrong_values_are_named(void **state)
{
	static const struct {
		const char *text, *pointer, *sentence;
	} cases[] = {
		{ "{\"concurrency\": 0}", "/options/concurrency",
		  "The option \"concurrency\" must be an integer from 1 to 100000, not 0." },
		{ "{\"concurrency\": 100001}", "/options/concurrency",
		  "The option \"concurrency\" must be an integer from 1 to 100000, not 100001." },
		{ "{\"concurrency\": -1}", "/options/concurrency",
		  "The option \"concurrency\" must be an integer from 1 to 100000, not -1." },
		{ "{\"concurrency\": 1.5}", "/options/concurrency",
		  "The option \"concurrency\" must be an integer from 1 to 100000, not 1.5." },
		{ "{\"concurrency\": \"8\"}", "/options/concurrency",
		  "The option \"concurrency\" must be an integer from 1 to 100000, not \"8\"." },
		{ "{\"concurrency\": [8]}", "/options/concurrency",
		  "The option \"concurrency\" must be an integer from 1 to 100000, not an array." },
		{ "{\"concurrency\": true}", "/options/concurrency",
		  "The option \"concurrency\" must be an integer from 1 to 100000, not true." },
		{ "{\"concurrency\": {\"max\": 0}}", "/options/concurrency/max",
		  "The option \"concurrency.max\" must be an integer from 1 to 100000, not 0." },
		{ "{\"concurrency\": {\"adaptive\": \"no\"}}", "/options/concurrency/adaptive",
		  "The option \"concurrency.adaptive\" must be true or false, not \"no\"." },
		{ "{\"concurrency\": {\"min\": 1}}", "/options/concurrency/min",
		  "The option \"concurrency\" has no member \"min\": known are max and adaptive." },
		{ "{\"idle_timeout_ms\": -1}", "/options/idle_timeout_ms",
		  "The option \"idle_timeout_ms\" must be an integer from 0 to 2592000000, not -1." },
		{ "{\"deadline_ms\": 1e400}", "/options/deadline_ms",
		  "The option \"deadline_ms\" must be an integer from 0 to 2592000000, not 1e400." },
		{ "{\"max_retries\": -1}", "/options/max_retries",
		  "The option \"max_retries\" must be an integer from 0 to 1000, not -1." },
		{ "{\"order\": \"random\"}", "/options/order",
		  "The option \"order\" must be \"longest_first\" or \"input\", not \"random\"." },
		{ "{\"order\": {}}", "/options/order",
		  "The option \"order\" must be \"longest_first\" or \"input\", not an object." },
		{ "{\"stream\": \"true\"}", "/options/stream", "The option \"stream\" must be true or false, not \"true\"." },
		{ "{\"stream\": 2}", "/options/stream", "The option \"stream\" must be true or false, not 2." },
		{ "{\"http_version\": \"2\"}", "/options/http_version",
		  "The option \"http_version\" must be \"auto\" or \"1.1\", not \"2\"." },
		{ "{\"rpm\": 60}", "/options/rpm",
		  "There is no option \"rpm\": known are concurrency, connect_timeout_ms, idle_timeout_ms, turn_timeout_ms, "
		  "deadline_ms, max_retries, order, stream, http_version." },
		{ "{\"a/b\": null}", "/options/a~1b",
		  "There is no option \"a/b\": known are concurrency, connect_timeout_ms, idle_timeout_ms, turn_timeout_ms, "
		  "deadline_ms, max_retries, order, stream, http_version." },
		{ "{\"order\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", "/options/order",
		  "The option \"order\" must be \"longest_first\" or \"input\", not "
		  "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"." },
		{ "[]", "/options", "The options must be an object, not an array." },
		{ "5", "/options", "The options must be an object, not 5." },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f;
		struct options defaults;
		read_options(&f, cases[i].text);
		if (f.code != FF_EDATA || f.problems.errors != 1)
			fail_msg("%s: expected one problem, got code %d and %zu", cases[i].text, f.code, f.problems.errors);
		assert_string_equal(f.problems.first->pointer, cases[i].pointer);
		assert_string_equal(f.problems.first->text, cases[i].sentence);
		options_init(&defaults);
		assert_memory_equal(&f.o, &defaults, sizeof(defaults));
		unload(&f);
	}
}

static void all_problems_are_found_at_once(void **state)
{
	struct fixture f;
	(void)state;
	read_options(&f, "{\"tpm\": 1, \"concurrency\": {\"max\": 0, \"adaptive\": 5, \"x\": 1}, \"stream\": true, \"order\": 1}");
	assert_int_equal(f.code, FF_EDATA);
	assert_int_equal(f.problems.errors, 5);
	assert_true(f.o.stream);
	unload(&f);
}

static void the_table_has_each_option_once(void **state)
{
	size_t count;
	const struct option_row *rows = options_table(&count);
	(void)state;
	assert_int_equal(count, 9);
	for (size_t i = 0; i < count; i++) {
		assert_true(rows[i].key[0] && rows[i].type[0] && rows[i].default_text[0] && rows[i].meaning[0]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(rows[i].key, rows[k].key);
	}
}

static void a_stranger_lowers_and_never_raises(void **state)
{
	struct problems problems;
	struct options limit, o;
	(void)state;
	problems_init(&problems);
	options_init(&limit);
	limit.deadline_ms = 60000;
	limit.idle_timeout_ms = 0;
	options_init(&o);
	o.concurrency = 8;
	o.connect_timeout_ms = 500;
	o.deadline_ms = 30000;
	o.max_retries = 1;
	options_limit(&o, &limit, "/options", &problems);
	assert_int_equal(problems.warnings, 0);
	assert_int_equal(o.concurrency, 8);
	assert_int_equal(o.deadline_ms, 30000);
	o.concurrency = 1000;
	o.adaptive = false;
	o.connect_timeout_ms = 0;
	o.turn_timeout_ms = 900001;
	o.deadline_ms = 0;
	o.max_retries = 100;
	options_limit(&o, &limit, "/options", &problems);
	assert_int_equal(problems.errors, 0);
	assert_int_equal(problems.warnings, 5);
	assert_string_equal(problems.first->pointer, "/options/connect_timeout_ms");
	assert_int_equal(o.concurrency, 16);
	assert_true(o.adaptive);
	assert_int_equal(o.connect_timeout_ms, 10000);
	assert_int_equal(o.turn_timeout_ms, 900000);
	assert_int_equal(o.deadline_ms, 60000);
	assert_int_equal(o.max_retries, OPTIONS_STRANGER_RETRIES);
	limit.max_retries = 0;
	o.max_retries = 1;
	options_limit(&o, &limit, "/options", &problems);
	assert_int_equal(o.max_retries, 0);
	problems_release(&problems);
}

static int read_wrong_options(void)
{
	struct arena arena = ARENA_INIT;
	struct problems problems;
	struct options o;
	struct json value;
	int code;
	problems_init(&problems);
	options_init(&o);
	code = json_parse(&arena, STR("{\"rpm\": 1, \"stream\": 5, \"concurrency\": {\"x\": 1}}"), NULL, &value, NULL, NULL);
	if (!code) {
		code = options_from_json(&o, &value, "", &problems);
		code = code == FF_EDATA ? 0 : code;
	}
	problems_release(&problems);
	arena_release(&arena);
	return code;
}

static void memory_that_runs_out_is_an_error(void **state)
{
	(void)state;
	assert_true(fault_loop(read_wrong_options) >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults),
		cmocka_unit_test(every_option_is_set),
		cmocka_unit_test(forms_of_concurrency),
		cmocka_unit_test(later_settings_keep_what_they_do_not_name),
		cmocka_unit_test(null_leaves_an_option_as_it_is),
		cmocka_unit_test(other_spellings_of_values),
		cmocka_unit_test(wrong_values_are_named),
		cmocka_unit_test(all_problems_are_found_at_once),
		cmocka_unit_test(the_table_has_each_option_once),
		cmocka_unit_test(a_stranger_lowers_and_never_raises),
		cmocka_unit_test(memory_that_runs_out_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
