/* test_dataset.c: the reference's schema, field by field; what pydantic 2.14 does with each was observed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../base/fault_loop.h"
#include "model/dataset.h"

static const char whole_batch[] = "{\"ground_truth_assistant\": \"g\", \"assistant\": \"a\", \"query\": \"q\", \"qa_id\": \"i\"}";

/* A text parsed and validated below "/d". */
struct fixture {
	struct arena arena;
	struct problems problems;
	struct dataset *dataset;
	int code;
};

static void load(struct fixture *f, const char *text)
{
	struct json value;
	f->arena = ARENA_INIT;
	f->dataset = NULL;
	problems_init(&f->problems);
	if (json_parse_copy(&f->arena, str_from(text), NULL, &value, NULL, NULL))
		fail_msg("%s is not JSON", text);
	f->code = dataset_from_json(&f->arena, &value, "/d", 7, &f->problems, &f->dataset);
}

static void unload(struct fixture *f)
{
	dataset_free(f->dataset);
	arena_release(&f->arena);
	problems_release(&f->problems);
}

/* A dataset with one batch that has one more (or another) member. */
static void load_batch(struct fixture *f, const char *member)
{
	char text[8192];
	(void)snprintf(text, sizeof(text),
	               "{\"session_id\": \"s\", \"assistant_id\": \"a\", \"context\": \"\", \"conversation\": "
	               "[{\"ground_truth_assistant\": \"g\", \"assistant\": \"a\", "
	               "\"query\": \"q\", \"qa_id\": \"i\", %s}]}",
	               member);
	load(f, text);
}

static void assert_ok(const struct fixture *f, const char *what)
{
	if (f->code)
		fail_msg("%s: refused: %s: %s", what, f->problems.first ? f->problems.first->pointer : "",
		         f->problems.first ? f->problems.first->text : "");
}

static void assert_problem(const struct fixture *f, const char *what, const char *pointer, const char *text)
{
	if (f->code != FF_EDATA || f->dataset || f->problems.errors != 1)
		fail_msg("%s: expected one problem, got code %d and %zu problems", what, f->code, f->problems.errors);
	if (strcmp(f->problems.first->pointer, pointer) != 0 || strcmp(f->problems.first->text, text) != 0)
		fail_msg("%s: expected %s: %s, got %s: %s", what, pointer, text, f->problems.first->pointer,
		         f->problems.first->text);
}

static void assert_str(struct str got, const char *expected)
{
	if (!str_eq(got, str_from(expected)))
		fail_msg("expected \"%s\", got \"%.*s\"", expected, STR_ARG(got));
}

static void a_full_dataset_is_filled(void **state)
{
	struct fixture f;
	const struct batch *b;
	(void)state;
	load(&f, "{\"conversation\": [{\"weight\": 0.5, \"qa_id\": \"i\\u0000\", \"ground_truth_agentic\": {\"x\": [1E2]}, "
	         "\"agentic\": null, \"query\": \"q\", \"assistant\": \"a\", "
	         "\"observation\": \"o\", \"logprobs\": {\"t\": []}, \"ground_truth_assistant\": \"g\", \"extra\": 1}, "
	         "{\"ground_truth_assistant\": \"\", \"assistant\": \"\", \"query\": "
	         "\"\", \"qa_id\": \"\"}], \"context\": \"c\", \"language\": null, \"assistant_id\": \"b\", \"session_id\": \"s\", "
	         "\"more\": {}}");
	assert_ok(&f, "a full dataset");
	assert_int_equal(f.dataset->index, 7);
	assert_null(f.arena.head); /* taken over */
	assert_str(f.dataset->session_id, "s");
	assert_str(f.dataset->assistant_id, "b");
	assert_str(f.dataset->context, "c");
	assert_int_equal(f.dataset->language.type, JSON_NULL);
	assert_int_equal(f.dataset->batch_count, 2);
	b = f.dataset->batches;
	assert_str(b->ground_truth_assistant, "g");
	assert_int_equal(json_get_lit(&b->logprobs, "t")->type, JSON_ARRAY);
	assert_str(b->observation.text, "o");
	assert_str(b->assistant, "a");
	assert_str(b->query, "q");
	assert_int_equal(b->agentic.type, JSON_NULL);
	assert_str(json_at(&b->ground_truth_agentic, STR("/x/0"))->text, "1E2");
	assert_int_equal(b->qa_id.len, 2);
	assert_str(b->weight.text, "0.5");
	unload(&f);
}

static void absent_fields_have_their_defaults(void **state)
{
	struct fixture f;
	char text[512];
	const struct batch *b;
	(void)state;
	(void)snprintf(text, sizeof(text),
	               "{\"session_id\": \"\", \"assistant_id\": \"\", \"context\": \"\", \"conversation\": [%s]}", whole_batch);
	load(&f, text);
	assert_ok(&f, "a dataset with the required fields");
	assert_int_equal(f.dataset->language.type, JSON_STRING);
	assert_str(f.dataset->language.text, "english");
	b = f.dataset->batches;
	assert_int_equal(b->logprobs.type, JSON_OBJECT);
	assert_int_equal(b->logprobs.count, 0);
	assert_int_equal(b->observation.type, JSON_NULL);
	assert_int_equal(b->agentic.type, JSON_OBJECT);
	assert_int_equal(b->ground_truth_agentic.type, JSON_OBJECT);
	assert_int_equal(b->weight.type, JSON_NULL);
	unload(&f);
}

static void an_empty_conversation_is_one(void **state)
{
	struct fixture f;
	(void)state;
	load(&f, "{\"session_id\": \"s\", \"assistant_id\": \"a\", \"context\": \"\", \"conversation\": []}");
	assert_ok(&f, "an empty conversation");
	assert_int_equal(f.dataset->batch_count, 0);
	unload(&f);
}

static const char *const type_samples[][2] = { { "null", "null" },      { "true", "a boolean" }, { "5", "a number" },
	                                       { "\"x\"", "a string" }, { "[]", "an array" },    { "{}", "an object" } };

/* Every type in every field of a batch: bit i of `accepted` stands for type_samples[i]. */
static void every_type_in_every_field_of_a_batch(void **state)
{
	static const struct {
		const char *name, *expected;
		unsigned accepted;
	} fields[] = {
		{ "ground_truth_assistant", "a string", 8 },
		{ "assistant", "a string", 8 },
		{ "query", "a string", 8 },
		{ "qa_id", "a string", 8 },
		{ "observation", "a string or null", 9 },
		{ "logprobs", "an object or null", 33 },
		{ "agentic", "an object or null", 33 },
		{ "ground_truth_agentic", "an object or null", 33 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		for (size_t t = 0; t < ARRAY_SIZE(type_samples); t++) {
			char member[128], pointer[128], text[256];
			struct fixture f;
			(void)snprintf(member, sizeof(member), "\"%s\": %s", fields[i].name, type_samples[t][0]);
			(void)snprintf(pointer, sizeof(pointer), "/d/conversation/0/%s", fields[i].name);
			(void)snprintf(text, sizeof(text), "The field \"%s\" must be %s, not %s.", fields[i].name,
			               fields[i].expected, type_samples[t][1]);
			load_batch(&f, member);
			if (fields[i].accepted >> t & 1)
				assert_ok(&f, member);
			else
				assert_problem(&f, member, pointer, text);
			unload(&f);
		}
	}
}

static void every_type_in_every_field_of_a_dataset(void **state)
{
	static const struct {
		const char *name, *expected;
		unsigned accepted;
	} fields[] = {
		{ "session_id", "a string", 8 },
		{ "assistant_id", "a string", 8 },
		{ "language", "a string or null", 9 },
		{ "context", "a string", 8 },
		{ "conversation", "an array of batches", 16 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		for (size_t t = 0; t < ARRAY_SIZE(type_samples); t++) {
			char whole[512], pointer[64], text[256];
			struct fixture f;
			(void)snprintf(whole, sizeof(whole),
			               "{\"session_id\": \"s\", \"assistant_id\": \"a\", \"context\": \"\", \"conversation\": [], "
			               "\"%s\": %s}",
			               fields[i].name, type_samples[t][0]);
			(void)snprintf(pointer, sizeof(pointer), "/d/%s", fields[i].name);
			(void)snprintf(text, sizeof(text), "The field \"%s\" must be %s, not %s.", fields[i].name,
			               fields[i].expected, type_samples[t][1]);
			load(&f, whole);
			if (fields[i].accepted >> t & 1)
				assert_ok(&f, whole);
			else
				assert_problem(&f, whole, pointer, text);
			unload(&f);
		}
	}
}

static void what_is_no_dataset_or_batch(void **state)
{
	struct fixture f;
	(void)state;
	load(&f, "\"x\"");
	assert_problem(&f, "a string", "/d", "A dataset must be an object, not a string.");
	unload(&f);
	load(&f, "{\"session_id\": \"s\", \"assistant_id\": \"a\", \"context\": \"\", \"conversation\": [null]}");
	assert_problem(&f, "a batch null", "/d/conversation/0", "A batch of a conversation must be an object, not null.");
	unload(&f);
}

/* In the order of the schema, which is the order of the reference's message. */
static void all_problems_are_found_at_once(void **state)
{
	static const char *const expected[] = {
		"/d/session_id",
		"/d/language",
		"/d/context",
		"/d/conversation/0/ground_truth_assistant",
		"/d/conversation/0/assistant",
		"/d/conversation/0/query",
		"/d/conversation/0/qa_id",
		"/d/conversation/1",
		"/d/conversation/2/query",
		"/d/conversation/2/weight",
	};
	struct fixture f;
	size_t i = 0;
	(void)state;
	load(&f, "{\"assistant_id\": \"a\", \"language\": 5, \"conversation\": [{}, 7, {\"ground_truth_assistant\": \"\", "
	         "\"assistant\": \"\", \"query\": null, \"qa_id\": \"\", \"weight\": -1}]}");
	assert_int_equal(f.code, FF_EDATA);
	assert_int_equal(f.problems.errors, ARRAY_SIZE(expected));
	for (const struct problem *p = f.problems.first; p; p = p->next)
		assert_string_equal(p->pointer, expected[i++]);
	assert_string_equal(f.problems.first->text, "The field \"session_id\" is required, but missing.");
	assert_non_null(f.arena.head); /* still the caller's */
	unload(&f);
}

static void weights_are_coerced_as_pydantic_does(void **state)
{
	static const char *const cases[][2] = {
		{ "null", NULL },
		{ "0", "0.0" },
		{ "1", "1.0" },
		{ "-0", "0.0" },
		{ "-0.0", "-0.0" },
		{ "0.25", "0.25" },
		{ "0.10", "0.1" },
		{ "1E5", "100000.0" },
		{ "1e+308", "1e+308" },
		{ "18446744073709551616", "1.8446744073709552e+19" },
		{ "9007199254740993", "9007199254740992.0" },
		{ "1e-400", "0.0" },
		{ "5e-324", "5e-324" },
		{ "true", "1.0" },
		{ "false", "0.0" },
		{ "\"1\"", "1.0" },
		{ "\" 2 \"", "2.0" },
		{ "\"\\t1\\n\"", "1.0" },
		{ "\"\\u00a01\\u00a0\"", "1.0" },
		{ "\"\\u2003\\u20281\\u3000\"", "1.0" },
		{ "\"\\u000b\\u0085\\u1680\\u205f1\"", "1.0" },
		{ "\"1_0\"", "10.0" },
		{ "\"1_.5\"", "1.5" },
		{ "\"1._5\"", "1.5" },
		{ "\"1_0.5_0\"", "10.5" },
		{ "\"1e1_0\"", "10000000000.0" },
		{ "\"+_1\"", "1.0" },
		{ "\"1_e5\"", "100000.0" },
		{ "\"1e_5\"", "100000.0" },
		{ "\"1_000_000\"", "1000000.0" },
		{ "\"+1\"", "1.0" },
		{ "\"-0\"", "-0.0" },
		{ "\"00\"", "0.0" },
		{ "\"007\"", "7.0" },
		{ "\".5\"", "0.5" },
		{ "\"5.\"", "5.0" },
		{ "\"+.5\"", "0.5" },
		{ "\"1E5\"", "100000.0" },
		{ "\"1e+5\"", "100000.0" },
		{ "\"1e-400\"", "0.0" },
		{ "\"-1e-400\"", "-0.0" },
		{ "\"2.5e-324\"", "5e-324" },
		{ "\"123456789012345678901234567890\"", "1.2345678901234568e+29" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char member[128];
		struct fixture f;
		(void)snprintf(member, sizeof(member), "\"weight\": %s", cases[i][0]);
		load_batch(&f, member);
		assert_ok(&f, member);
		if (cases[i][1]) {
			assert_int_equal(f.dataset->batches[0].weight.type, JSON_NUMBER);
			assert_str(f.dataset->batches[0].weight.text, cases[i][1]);
		} else {
			assert_int_equal(f.dataset->batches[0].weight.type, JSON_NULL);
		}
		unload(&f);
	}
}

static void weights_that_are_refused(void **state)
{
	static const char type[] = "The field \"weight\" must be a number or null.";
	static const char parsing[] = "The field \"weight\" must be a number, and its text cannot be read as one.";
	static const char below[] = "The field \"weight\" must be greater than or equal to 0.";
	static const char infinite[] = "The field \"weight\" must be a finite number.";
	static const struct {
		const char *value, *text;
	} cases[] = {
		{ "[]", type },
		{ "{}", type },
		{ "[1]", type },
		{ "-1", below },
		{ "-0.5", below },
		{ "-1e400", below },
		{ "\"-1\"", below },
		{ "\"-.5\"", below },
		{ "\"nan\"", below },
		{ "\"NaN\"", below },
		{ "\"-nan\"", below },
		{ "\"+nan\"", below },
		{ "\"-inf\"", below },
		{ "\"-Infinity\"", below },
		{ "\"-1e400\"", below },
		{ "1e400", infinite },
		{ "\"inf\"", infinite },
		{ "\"INF\"", infinite },
		{ "\"+inf\"", infinite },
		{ "\"infinity\"", infinite },
		{ "\"1e400\"", infinite },
		{ "\"\"", parsing },
		{ "\"  \"", parsing },
		{ "\"abc\"", parsing },
		{ "\"true\"", parsing },
		{ "\"null\"", parsing },
		{ "\"1__0\"", parsing },
		{ "\"_1\"", parsing },
		{ "\"1_\"", parsing },
		{ "\"_\"", parsing },
		{ "\"0x10\"", parsing },
		{ "\"0b1\"", parsing },
		{ "\"+ 1\"", parsing },
		{ "\"1 2\"", parsing },
		{ "\"--1\"", parsing },
		{ "\"1,000\"", parsing },
		{ "\"1d\"", parsing },
		{ "\"1f\"", parsing },
		{ "\"e5\"", parsing },
		{ "\"1e\"", parsing },
		{ "\"1e+\"", parsing },
		{ "\".\"", parsing },
		{ "\"+\"", parsing },
		{ "\"-.\"", parsing },
		{ "\"1.2.3\"", parsing },
		{ "\"1e5.0\"", parsing },
		{ "\"infin\"", parsing },
		{ "\"nan(1)\"", parsing },
		{ "\"1\\u0000\"", parsing },
		{ "\"\\ufeff1\"", parsing },
		{ "\"\\u200b1\"", parsing },
		{ "\"\\u001c1\"", parsing },
		{ "\"\\u180e1\"", parsing },
		{ "\"\\u0661\"", parsing },
		{ "\"\\uff11\"", parsing },
		{ "\"1e5e5\"", parsing },
		{ "\"1-1\"", parsing },
		{ "\" 1_0\"", parsing },
		{ "\"1_0\\u00a0\"", parsing },
		{ "\"n_an\"", below },
		{ "\"in_f\"", infinite },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char member[128];
		struct fixture f;
		(void)snprintf(member, sizeof(member), "\"weight\": %s", cases[i].value);
		load_batch(&f, member);
		assert_problem(&f, member, "/d/conversation/0/weight", cases[i].text);
		unload(&f);
	}
}

/* Thousands of digits: with and without underscores, as a number and as text. */
static void long_weights(void **state)
{
	char digits[5001], member[6000];
	struct fixture f;
	(void)state;
	memset(digits, '1', 5000);
	digits[5000] = '\0';
	for (int quoted = 0; quoted < 2; quoted++) {
		(void)snprintf(member, sizeof(member), "\"weight\": %s%s%s", quoted ? "\"" : "", digits, quoted ? "\"" : "");
		load_batch(&f, member);
		assert_problem(&f, "5000 digits", "/d/conversation/0/weight", "The field \"weight\" must be a finite number.");
		unload(&f);
		(void)snprintf(member, sizeof(member), "\"weight\": %s0.%s%s", quoted ? "\"" : "", digits, quoted ? "\"" : "");
		load_batch(&f, member);
		assert_ok(&f, "5000 digits behind the point");
		assert_str(f.dataset->batches[0].weight.text, "0.1111111111111111");
		unload(&f);
	}
}

/* A million batches that are none: found, counted, and not built. */
static void a_million_wrong_batches_take_no_memory_but_their_values(void **state)
{
	struct buf text;
	struct fixture f;
	(void)state;
	buf_init(&text, 16 << 20);
	(void)buf_append_str(&text,
	                     STR("{\"session_id\": \"s\", \"assistant_id\": \"a\", \"context\": \"\", \"conversation\": [1"));
	for (int i = 1; i < 1000000; i++)
		(void)buf_append_str(&text, STR(",1"));
	(void)buf_append(&text, "]}", 3);
	assert_int_equal(buf_failed(&text), 0);
	load(&f, text.ptr);
	assert_int_equal(f.code, FF_EDATA);
	assert_int_equal(f.problems.errors, 1000000);
	assert_true(f.arena.used < 40000000);
	assert_true(f.problems.arena.used < 1000000);
	unload(&f);
	buf_release(&text);
}

static void checking_alone_finds_the_same(void **state)
{
	struct arena arena = ARENA_INIT;
	struct problems problems;
	struct json value;
	(void)state;
	problems_init(&problems);
	assert_int_equal(
	        json_parse(&arena, STR("{\"session_id\": 1, \"conversation\": [{\"weight\": \"1\"}]}"), NULL, &value, NULL, NULL),
	        0);
	assert_int_equal(dataset_check(&value, "", &problems), FF_EDATA);
	assert_int_equal(problems.errors, 7);
	assert_string_equal(problems.first->pointer, "/session_id");
	problems_release(&problems);
	arena_release(&arena);
}

static int load_everything(void)
{
	struct fixture f;
	struct json value;
	int code;
	f.arena = ARENA_INIT;
	f.dataset = NULL;
	problems_init(&f.problems);
	code = json_parse_copy(
	        &f.arena,
	        STR("{\"session_id\": \"s\", \"assistant_id\": 3, \"context\": \"\", \"conversation\": [{\"weight\": \"1\"}]}"),
	        NULL, &value, NULL, NULL);
	if (!code) {
		code = dataset_check(&value, "", &f.problems);
		code = code == FF_EDATA ? 0 : code;
	}
	arena_release(&f.arena);
	if (!code)
		code = json_parse_copy(&f.arena,
		                       STR("{\"session_id\": \"s\", \"assistant_id\": \"\", \"context\": \"\", \"conversation\": "
		                           "[{\"ground_truth_assistant\": \"\", \"assistant\": \"\", "
		                           "\"query\": \"\", \"qa_id\": \"\", \"weight\": 1}]}"),
		                       NULL, &value, NULL, NULL);
	if (!code)
		code = dataset_from_json(&f.arena, &value, "", 0, &f.problems, &f.dataset);
	code = code == FF_EDATA ? 0 : code;
	unload(&f);
	return code;
}

static void memory_that_runs_out_is_an_error(void **state)
{
	(void)state;
	assert_true(fault_loop(load_everything) >= 3); /* a block of each arena, the first problem */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_dataset_is_filled),
		cmocka_unit_test(absent_fields_have_their_defaults),
		cmocka_unit_test(an_empty_conversation_is_one),
		cmocka_unit_test(every_type_in_every_field_of_a_batch),
		cmocka_unit_test(every_type_in_every_field_of_a_dataset),
		cmocka_unit_test(what_is_no_dataset_or_batch),
		cmocka_unit_test(all_problems_are_found_at_once),
		cmocka_unit_test(weights_are_coerced_as_pydantic_does),
		cmocka_unit_test(weights_that_are_refused),
		cmocka_unit_test(long_weights),
		cmocka_unit_test(a_million_wrong_batches_take_no_memory_but_their_values),
		cmocka_unit_test(checking_alone_finds_the_same),
		cmocka_unit_test(memory_that_runs_out_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
