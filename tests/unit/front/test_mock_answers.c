/* test_mock_answers.c: which prepared answer a message finds, in every shape of document, and what a wrong document is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "../base/fault_loop.h"
#include "front/mock/answers.h"

#define BATCH(query, truth) "{\"qa_id\":\"1\",\"query\":\"" query "\",\"assistant\":\"\",\"ground_truth_assistant\":\"" truth "\"}"
#define DATASET(session, context, conversation) \
	"{\"session_id\":\"" session "\",\"context\":\"" context "\",\"conversation\":[" conversation "]}"

static const char two[] = "[" DATASET("s1", "Sea", BATCH("How deep?", "Very") "," BATCH("Who?", "Ana")) "," DATASET(
        "s2", "Well", BATCH("How deep?", "Ten metres") "," BATCH("deep", "short")) "]";

static void load(struct answers *a, const char *text)
{
	struct error err = { 0 };

	answers_init(a);
	if (answers_add(a, str_from(text), &err))
		fail_msg("expected the document to be read: %s %s", err.where, err.text);
}

static void check(const struct answers *a, const char *session, const char *message, const char *expected)
{
	const struct answer *found = answers_find(a, str_from(session), str_from(message));

	if (!expected)
		assert_null(found);
	else if (!found)
		fail_msg("nothing found for \"%s\"; expected \"%s\"", message, expected);
	else
		assert_string_equal(found->text.ptr, expected);
}

static void test_search(void **state)
{
	struct answers a;

	(void)state;
	load(&a, two);
	assert_int_equal(a.count, 4);
	check(&a, "", "How deep?", "Very"); /* the first one */
	check(&a, "s2", "How deep?", "Ten metres");
	check(&a, "s3", "How deep?", "Very");
	check(&a, "", "Context:\nWell\n\nQuestion: How deep?", "Ten metres");
	check(&a, "", "Context:\nElsewhere\n\nQuestion: Who?", "Ana");
	check(&a, "", "Context:\nQuestion: Who?\n\nQuestion: How deep?", "Very"); /* the context looks like a question */
	check(&a, "", "Tell me, Who? I ask", "Ana");
	check(&a, "", "so deep?", "short");
	check(&a, "", "I ask How deep? now", "Very"); /* the longest query that is part of it */
	check(&a, "", "nothing", NULL);
	check(&a, "", "", NULL);
	answers_release(&a);
}

static void test_documents(void **state)
{
	static const char *const documents[] = {
		DATASET("s", "", BATCH("q", "t")),
		"[" DATASET("s", "", BATCH("q", "t")) "]",
		"{\"connector\":{},\"datasets\":[" DATASET("s", "", BATCH("q", "t")) "]}",
		DATASET("s", "", BATCH("q", "t")) "\n" DATASET("s2", "", BATCH("q2", "t2")) "\n",
		"\n" DATASET("s", "", BATCH("q", "t")) "\r\n\n  \n[" DATASET("s2", "", BATCH("q2", "t2")) "]",
		"\xef\xbb\xbf{\n\"conversation\":[\n" BATCH("q", "t") "\n]}\n",
	};
	struct answers a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		load(&a, documents[i]);
		check(&a, "", "q", "t");
		answers_release(&a);
	}
	load(&a, DATASET("s", "", BATCH("", "for silence") "," BATCH("e", "")));
	check(&a, "", "", "for silence");
	check(&a, "", "anything", NULL); /* the empty query is not part of every message */
	check(&a, "", "e", "");
	answers_release(&a);
}

static void check_refused(const char *text, const char *where, const char *part)
{
	struct answers a;
	struct error err = { 0 };

	answers_init(&a);
	assert_int_equal(answers_add(&a, str_from(text), &err), FF_EDATA);
	assert_string_equal(err.where, where);
	if (!strstr(err.text, part))
		fail_msg("expected \"%s\" in \"%s\"", part, err.text);
	answers_release(&a);
}

static void test_refused(void **state)
{
	(void)state;
	check_refused("", "", "empty");
	check_refused(" \n ", "", "empty");
	check_refused("nonsense", "", "not JSON");
	check_refused("{}", "", "conversation");
	check_refused("[1]", "", "conversation");
	check_refused("{\"conversation\":[{\"query\":\"q\"}]}", "", "Batch 0");
	check_refused("{\"conversation\":[" BATCH("q", "t") ",{\"query\":1,\"ground_truth_assistant\":\"t\"}]}", "", "Batch 1");
	check_refused(DATASET("s", "", BATCH("q", "t")) "\n{\"broken\n", "line 2", "not JSON");
	check_refused(DATASET("s", "", BATCH("q", "t")) "\n\n{}\n", "line 3", "conversation");
}

static int load_two(void)
{
	struct answers a;
	int code;

	answers_init(&a);
	code = answers_add(&a, str_from(two), NULL);
	answers_release(&a);
	return code;
}

static void test_memory_is_short(void **state)
{
	(void)state;
	assert_true(fault_loop(load_two) > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
