/* test_params.c: params read by a table: which name counts, what is refused with which sentence and pointer, and what nobody knows. */
#include "turn_kit.h"

#include "connector/params.h"

enum {
	P_MODEL,
	P_TEMPERATURE,
	P_MAX,
	P_FLAG,
	P_TIER,
	P_STOP,
	P_LIST,
	P_MAP,
	P_BIAS,
	P_TIMEOUT,
	P_KEY,
	P_PROXY,
	P_ANY,
	P_OBJECT,
	P_COUNT
};

static const struct param_row rows[P_COUNT] = {
	[P_MODEL] = { "model_name", "model", NULL, PARAM_STRING, false, true, NULL, "required", "body model", PARAM_ANYONE },
	[P_TEMPERATURE] = { "temperature", NULL, NULL, PARAM_FLOAT, false, false, NULL, "0.7", "body temperature", PARAM_ANYONE },
	[P_MAX] = { "max_tokens", "max_out", "max_more", PARAM_INT, true, false, NULL, "none", "body max", PARAM_ANYONE },
	[P_FLAG] = { "flag", NULL, NULL, PARAM_BOOL, true, false, NULL, "none", "body flag", PARAM_ANYONE },
	[P_TIER] = { "tier", NULL, NULL, PARAM_LITERAL, false, false, "slow|fast|auto", "slow", "body tier", PARAM_ANYONE },
	[P_STOP] = { "stop", NULL, NULL, PARAM_STRING_OR_LIST, true, false, NULL, "none", "body stop", PARAM_ANYONE },
	[P_LIST] = { "list", NULL, NULL, PARAM_STRING_LIST, true, false, NULL, "none", "body list", PARAM_ANYONE },
	[P_MAP] = { "headers", NULL, NULL, PARAM_STRING_MAP, true, false, NULL, "none", "headers", PARAM_ANYONE },
	[P_BIAS] = { "bias", NULL, NULL, PARAM_INT_MAP, true, false, NULL, "none", "body bias", PARAM_ANYONE },
	[P_TIMEOUT] = { "timeout", NULL, NULL, PARAM_TIMEOUT, true, false, NULL, "none", "timeout", PARAM_ANYONE },
	[P_KEY] = { "key", NULL, NULL, PARAM_SECRET, true, false, NULL, "none", "header", PARAM_ANYONE },
	[P_PROXY] = { "proxy", NULL, NULL, PARAM_STRING, true, false, NULL, "none", "proxy", PARAM_OPERATOR },
	[P_ANY] = { "any", NULL, NULL, PARAM_ANY, true, false, NULL, "none", "body any", PARAM_ANYONE },
	[P_OBJECT] = { "object", NULL, NULL, PARAM_OBJECT, false, false, NULL, "none", "body object", PARAM_ANYONE },
};

struct read {
	struct arena arena;
	struct kit k; /* for its problems */
	struct param_value values[P_COUNT];
	const struct json_member *unknown;
	size_t unknown_count;
	int result;
};

static void read_params(struct read *r, const char *text, bool stranger)
{
	struct json params;

	memset(r, 0, sizeof *r);
	arena_init(&r->arena);
	problems_init(&r->k.problems);
	assert_int_equal(json_parse(&r->arena, str_from(text), NULL, &params, NULL, NULL), 0);
	r->result = params_read(&r->arena, rows, P_COUNT, &params, "/p", stranger, r->values, &r->unknown, &r->unknown_count,
	                        &r->k.problems);
}

static void release(struct read *r)
{
	problems_release(&r->k.problems);
	arena_release(&r->arena);
}

static void expect_error(const char *text, const char *pointer, const char *piece)
{
	struct read r;

	read_params(&r, text, false);
	if (r.result != FF_EUSAGE)
		fail_msg("%s must be refused", text);
	assert_true(kit_has_problem(&r.k, PROBLEM_ERROR, pointer, piece));
	release(&r);
}

static void values(void **state)
{
	struct read r;

	(void)state;
	read_params(&r,
	            "{\"model\":\"m\",\"temperature\":1,\"max_tokens\":\"5\",\"flag\":\"no\",\"tier\":\"fast\",\"stop\":\"x\","
	            "\"timeout\":\"2.5\"}",
	            false);
	assert_int_equal(r.result, 0);
	kit_expect_str(r.values[P_MODEL].value.text, "m");
	kit_expect_str(r.values[P_TEMPERATURE].value.text, "1.0");
	kit_expect_str(r.values[P_MAX].value.text, "5");
	assert_int_equal(r.values[P_FLAG].value.type, JSON_FALSE);
	kit_expect_str(r.values[P_TIER].value.text, "fast");
	kit_expect_str(r.values[P_TIMEOUT].value.text, "2.5");
	assert_false(r.values[P_LIST].given);
	assert_null(r.values[P_LIST].raw);
	release(&r);
}

static void null_counts_as_absent_only_where_it_may(void **state)
{
	struct read r;

	(void)state;
	read_params(&r, "{\"model\":\"m\",\"max_tokens\":null}", false);
	assert_int_equal(r.result, 0);
	assert_true(r.values[P_MAX].null);
	assert_false(r.values[P_MAX].given);
	release(&r);
	expect_error("{\"model\":\"m\",\"temperature\":null}", "/p/temperature", "temperature must be a number, but it is null.");
	expect_error("{\"model\":null}", "/p/model", "model must be a string, but it is null.");
}

static void the_alias_counts(void **state)
{
	struct read r;

	(void)state;
	read_params(&r, "{\"model_name\":\"second\",\"model\":\"first\",\"max_tokens\":1,\"max_more\":2,\"max_out\":3}", false);
	assert_int_equal(r.result, 0);
	kit_expect_str(r.values[P_MODEL].value.text, "first");
	kit_expect_str(r.values[P_MAX].value.text, "3");
	assert_true(kit_has_problem(&r.k, PROBLEM_WARNING, "/p/model_name", "model_name is ignored"));
	assert_true(kit_has_problem(&r.k, PROBLEM_WARNING, "/p/max_more", "max_out is given and counts"));
	assert_int_equal(r.k.problems.warnings, 3);
	release(&r);
	expect_error("{\"model_name\":5}", "/p/model_name", "model_name must be a string, but it is the number 5.");
}

static void refusals(void **state)
{
	(void)state;
	expect_error("{}", "/p", "model is required.");
	expect_error("{\"model\":\"m\",\"max_tokens\":10.5}", "/p/max_tokens",
	             "must be an integer, but the number 10.5 has a fractional part.");
	expect_error("{\"model\":\"m\",\"max_tokens\":\"x\"}", "/p/max_tokens", "must be an integer, but it is the text \"x\".");
	expect_error("{\"model\":\"m\",\"temperature\":\"nan\"}", "/p/temperature", "the text \"nan\" is out of range.");
	expect_error("{\"model\":\"m\",\"tier\":\"no\"}", "/p/tier",
	             "tier must be 'slow', 'fast' or 'auto', but it is the text \"no\".");
	expect_error("{\"model\":\"m\",\"flag\":2}", "/p/flag", "flag must be true or false, but it is the number 2.");
	expect_error("{\"model\":\"m\",\"stop\":5}", "/p/stop",
	             "stop must be a string or a list of strings, but it is the number 5.");
	expect_error("{\"model\":\"m\",\"stop\":[\"a\",1]}", "/p/stop/1", "stop item 1 must be a string, but it is the number 1.");
	expect_error("{\"model\":\"m\",\"list\":\"a\"}", "/p/list", "list must be a list of strings, but it is the text \"a\".");
	expect_error("{\"model\":\"m\",\"headers\":{\"a/b\":1}}", "/p/headers/a~1b", "headers value of 'a/b' must be a string");
	expect_error("{\"model\":\"m\",\"bias\":{\"a\":1}}", "/p/bias/a", "bias value of 'a' must be keyed by an integer");
	expect_error("{\"model\":\"m\",\"bias\":{\"1\":\"b\"}}", "/p/bias/1", "must be an integer, but it is the text \"b\".");
	expect_error("{\"model\":\"m\",\"timeout\":-1}", "/p/timeout", "timeout must not be negative, but it is -1.0.");
	expect_error("{\"model\":\"m\",\"timeout\":[1]}", "/p/timeout", "timeout must be a number of seconds, but it is a list.");
	expect_error("{\"model\":\"m\",\"object\":null}", "/p/object", "object must be an object, but it is null.");
}

static void all_problems_at_once(void **state)
{
	struct read r;

	(void)state;
	read_params(&r, "{\"temperature\":\"hot\",\"flag\":3,\"list\":[1,2]}", false);
	assert_int_equal(r.result, FF_EUSAGE);
	assert_int_equal(r.k.problems.errors, 5); /* model, temperature, flag, two items */
	release(&r);
}

static void integer_maps_leave_in_canonical_form(void **state)
{
	struct read r;

	(void)state;
	read_params(&r, "{\"model\":\"m\",\"bias\":{\" 07 \":3.0,\"8\":\"-1\"}}", false);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.values[P_BIAS].value.count, 2);
	kit_expect_str(r.values[P_BIAS].value.members[0].key, "7");
	kit_expect_str(r.values[P_BIAS].value.members[0].value.text, "3");
	kit_expect_str(r.values[P_BIAS].value.members[1].value.text, "-1");
	release(&r);
}

static void unknown_names_in_order(void **state)
{
	struct read r;

	(void)state;
	read_params(&r, "{\"zeta\":1,\"model\":\"m\",\"alpha\":null,\"max_out\":1}", false);
	assert_int_equal(r.result, 0);
	assert_int_equal(r.unknown_count, 2);
	kit_expect_str(r.unknown[0].key, "zeta");
	kit_expect_str(r.unknown[1].key, "alpha");
	release(&r);
}

static void a_secret_is_never_quoted(void **state)
{
	struct read r;

	(void)state;
	read_params(&r, "{\"model\":\"m\",\"key\":12345678901}", false);
	assert_true(kit_has_problem(&r.k, PROBLEM_ERROR, "/p/key", "key must be a string"));
	release(&r);
	read_params(&r, "{\"model\":\"m\",\"tier\":\"0123456789012345678901234567890123456789TAIL\"}", false);
	assert_true(kit_has_problem(&r.k, PROBLEM_ERROR, "/p/tier", "789...\""));
	release(&r);
}

static void strangers_do_not_set_what_is_the_operators(void **state)
{
	struct read r;

	(void)state;
	read_params(&r, "{\"model\":\"m\",\"proxy\":\"http://p\"}", false);
	assert_int_equal(r.result, 0);
	release(&r);
	read_params(&r, "{\"model\":\"m\",\"proxy\":\"http://p\"}", true);
	assert_int_equal(r.result, FF_EUSAGE);
	assert_true(kit_has_problem(&r.k, PROBLEM_ERROR, "/p/proxy", "operator"));
	release(&r);
	read_params(&r, "{\"model\":\"m\",\"proxy\":null}", true);
	assert_int_equal(r.result, 0);
	release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(null_counts_as_absent_only_where_it_may),
		cmocka_unit_test(the_alias_counts),
		cmocka_unit_test(refusals),
		cmocka_unit_test(all_problems_at_once),
		cmocka_unit_test(integer_maps_leave_in_canonical_form),
		cmocka_unit_test(unknown_names_in_order),
		cmocka_unit_test(a_secret_is_never_quoted),
		cmocka_unit_test(strangers_do_not_set_what_is_the_operators),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
