/* test_worker_line.c: the lines of the worker protocol: what we write, byte for byte, and what every reply becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "engine/worker_line.h"

/* ---- written lines ---- */

static struct batch batches[2];

static struct dataset sample(void)
{
	struct batch b = { .qa_id = STR("q\"1"),
		           .query = STR("Q?"),
		           .assistant = STR("old"),
		           .ground_truth_assistant = STR("T"),
		           .observation = { .type = JSON_NULL },
		           .logprobs = { .type = JSON_OBJECT },
		           .agentic = { .type = JSON_OBJECT },
		           .ground_truth_agentic = { .type = JSON_NULL },
		           .weight = { .type = JSON_NUMBER, .text = STR("0.50") } };
	batches[0] = batches[1] = b;
	return (struct dataset){ .session_id = STR("s"),
		                 .assistant_id = STR("a"),
		                 .language = { .type = JSON_STRING, .text = STR("english") },
		                 .context = STR("C\n"),
		                 .batches = batches,
		                 .batch_count = 2,
		                 .index = 18 };
}

#define BATCH                                                                                                            \
	"\"qa_id\":\"q\\\"1\",\"query\":\"Q?\",\"prompt\":\"P\",\"assistant\":\"old\",\"ground_truth_assistant\":\"T\"," \
	"\"observation\":null,\"logprobs\":{},\"agentic\":{},\"ground_truth_agentic\":null,\"weight\":0.50}"
#define SESSION "\"session_id\":\"s\",\"assistant_id\":\"a\",\"language\":\"english\",\"context\":\"C\\n\""

static void expect_text(struct buf *out, const char *want)
{
	assert_int_equal(buf_failed(out), 0);
	assert_string_equal(out->ptr, want);
	buf_release(out);
}

static void test_turn(void **state)
{
	(void)state;
	struct dataset d = sample();
	struct worker_turn t = { .id = 7, .attempt = 2, .dataset = &d, .batch = 1, .prompt = STR("P") };
	struct buf out;
	buf_init(&out, SIZE_MAX);
	worker_write_turn(&out, &t, 1500);
	expect_text(
	        &out,
	        "{\"type\":\"turn\",\"id\":7,\"attempt\":2,\"timeout_ms\":1500,\"session\":18,\"batch\":1,\"batches\":2," SESSION
	        "," BATCH "\n");
	worker_write_turn(&out, &t, -1);
	assert_non_null(strstr(out.ptr, "\"timeout_ms\":null,"));
	buf_release(&out);
}

static void test_dataset(void **state)
{
	(void)state;
	struct dataset d = sample();
	struct worker_turn t = { .id = 8, .attempt = 0, .dataset = &d, .batch = 0, .prompt = STR("P") };
	struct buf out;
	buf_init(&out, SIZE_MAX);
	worker_open_dataset(&out, 3, &d, 0);
	worker_dataset_batch(&out, &t);
	t.id = 9, t.batch = 1;
	worker_dataset_batch(&out, &t);
	worker_close_dataset(&out);
	expect_text(&out, "{\"type\":\"dataset\",\"dataset\":3,\"timeout_ms\":0,\"session\":18,\"batches\":2," SESSION
	                  ",\"conversation\":["
	                  "{\"id\":8,\"attempt\":0,\"batch\":0," BATCH ",{\"id\":9,\"attempt\":0,\"batch\":1," BATCH "]}\n");
}

static void test_small_messages(void **state)
{
	(void)state;
	struct worker_hello h = { .worker = 1, .workers = 4, .start = 2, .concurrency = 16, .args = STR("{\"a\":1}") };
	struct dataset d = sample();
	struct buf out;
	buf_init(&out, SIZE_MAX);
	worker_write_hello(&out, &h);
	expect_text(&out, "{\"type\":\"hello\",\"protocol\":1,\"fairforge\":\"" FF_VERSION
	                  "\",\"worker\":1,\"workers\":4,\"start\":2,\"concurrency\":16,\"args\":{\"a\":1}}\n");
	h.args = STR_NULL;
	worker_write_hello(&out, &h);
	assert_non_null(strstr(out.ptr, "\"args\":{}}\n"));
	buf_clear(&out);
	worker_write_cancel(&out, 18446744073709551615u, false);
	worker_write_cancel(&out, 0, true);
	worker_write_session_end(&out, &d);
	worker_write_bye(&out);
	expect_text(&out, "{\"type\":\"cancel\",\"id\":18446744073709551615}\n{\"type\":\"cancel\",\"dataset\":0}\n"
	                  "{\"type\":\"session_end\",\"session\":18}\n{\"type\":\"bye\"}\n");
}

/* ---- which message a line is ---- */

static int parse(struct arena *arena, const char *line, struct worker_message *m, struct error *err)
{
	arena_release(arena);
	error_clear(err);
	return worker_line_parse(str_from(line), arena, m, err);
}

static void test_welcome(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	struct worker_message m;
	struct error err = { 0 };
	assert_int_equal(parse(&arena, "{\"type\":\"welcome\",\"protocol\":1}", &m, &err), 0);
	assert_int_equal(m.kind, WORKER_WELCOME);
	assert_int_equal(m.capabilities.concurrency, 1);
	assert_false(m.capabilities.ordered || m.capabilities.cancel || m.capabilities.sticky || m.capabilities.datasets);
	assert_int_equal(
	        parse(&arena,
	              "{\"type\":\"welcome\",\"protocol\":1,\"name\":\"n\",\"concurrency\":8,\"ordered\":true,\"cancel\":true,"
	              "\"session\":\"sticky\",\"unit\":\"dataset\",\"later\":[]}",
	              &m, &err),
	        0);
	assert_int_equal(m.capabilities.concurrency, 8);
	assert_true(m.capabilities.ordered && m.capabilities.cancel && m.capabilities.sticky && m.capabilities.datasets);
	assert_true(str_eq(m.name, STR("n")));
	assert_int_equal(parse(&arena, "{\"type\":\"welcome\",\"protocol\":1,\"error\":\"No.\"}", &m, &err), 0);
	assert_true(str_eq(m.refusal, STR("No.")));
	arena_release(&arena);
}

static void test_broken_lines(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "Loading", "not a JSON object" },
		{ "[1]", "not a JSON object" },
		{ "{\"id\":1", "not a JSON object" },
		{ "{}", "without the id of a turn" },
		{ "{\"id\":0}", "without the id" },
		{ "{\"id\":-1}", "without the id" },
		{ "{\"id\":1.5}", "without the id" },
		{ "{\"id\":\"1\"}", "without the id" },
		{ "{\"id\":9007199254740993}", "without the id" },
		{ "{\"type\":\"dataset_end\"}", "without the number of a dataset" },
		{ "{\"type\":5}", "type is no string" },
		{ "{\"type\":\"turn\",\"id\":1}", "of a type" },
		{ "{\"type\":\"welcome\"}", "without a protocol" },
		{ "{\"type\":\"welcome\",\"protocol\":\"1\"}", "without a protocol" },
		{ "{\"type\":\"welcome\",\"protocol\":2}", "speaks protocol 2" },
		{ "{\"type\":\"welcome\",\"protocol\":1,\"concurrency\":0}", "a concurrency" },
		{ "{\"type\":\"welcome\",\"protocol\":1,\"concurrency\":100001}", "a concurrency" },
		{ "{\"type\":\"welcome\",\"protocol\":1,\"ordered\":1}", "an ordered" },
		{ "{\"type\":\"welcome\",\"protocol\":1,\"cancel\":\"yes\"}", "a cancel" },
		{ "{\"type\":\"welcome\",\"protocol\":1,\"session\":\"all\"}", "a session" },
		{ "{\"type\":\"welcome\",\"protocol\":1,\"unit\":7}", "a unit" },
		{ "{\"type\":\"welcome\",\"protocol\":1,\"name\":7}", "a name" },
		{ "{\"type\":\"welcome\",\"protocol\":1,\"error\":7}", "an error" },
	};
	struct arena arena = ARENA_INIT;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct worker_message m;
		struct error err = { 0 };
		if (parse(&arena, cases[i][0], &m, &err) != FF_EDATA || !strstr(err.text, cases[i][1]))
			fail_msg("%s: expected \"%s\", got: %s", cases[i][0], cases[i][1], err.text);
	}
	arena_release(&arena);
}

static void test_quoted_lines_are_short_and_safe(void **state)
{
	(void)state;
	char line[400], quoted[1000];
	memset(line, '\x1b', sizeof line);
	worker_line_quote(str_of(line, sizeof line), quoted, sizeof quoted);
	assert_null(strchr(quoted, '\x1b'));
	assert_true(strlen(quoted) < 450);
	worker_line_quote(STR("short"), quoted, sizeof quoted);
	assert_string_equal(quoted, "\"short\"");
}

/* ---- what a reply becomes ---- */

struct reply_case {
	const char *reply;
	enum outcome outcome;
	const char *text; /* answer or error */
	bool retryable;
	int64_t hint_ms;
};

static const struct reply_case reply_cases[] = {
	{ "{\"id\":1,\"answer\":\"A\"}", OUTCOME_OK, "A", false, -1 },
	{ "{\"id\":1,\"answer\":\"\"}", OUTCOME_EMPTY, "", false, -1 },
	{ "{\"id\":1,\"answer\":\"A\",\"error\":null,\"usage\":null,\"batch\":null}", OUTCOME_OK, "A", false, -1 },
	{ "{\"id\":1,\"answer\":\"A\",\"outcome\":\"refused\"}", OUTCOME_REFUSED, "A", false, -1 },
	{ "{\"id\":1,\"answer\":\"\",\"outcome\":\"tool_only\"}", OUTCOME_TOOL_ONLY, "", false, -1 },
	{ "{\"id\":1,\"error\":\"E.\"}", OUTCOME_HTTP_5XX, "E.", true, -1 },
	{ "{\"id\":1,\"error\":\"E.\",\"retryable\":false}", OUTCOME_HTTP_5XX, "E.", false, -1 },
	{ "{\"id\":1,\"error\":\"E.\",\"outcome\":\"http_4xx\"}", OUTCOME_HTTP_4XX, "E.", false, -1 },
	{ "{\"id\":1,\"error\":\"E.\",\"outcome\":\"bad_reply\",\"retryable\":true}", OUTCOME_BAD_REPLY, "E.", true, -1 },
	{ "{\"id\":1,\"error\":\"E.\",\"outcome\":\"rate_limited\",\"retry_after_ms\":1.2}", OUTCOME_RATE_LIMITED, "E.", true, 2 },
	{ "{\"id\":1}", OUTCOME_BAD_REPLY, "W: its reply has neither an answer nor an error.", false, -1 },
	{ "{\"id\":1,\"answer\":\"A\",\"error\":\"E\"}", OUTCOME_BAD_REPLY, "W: its reply has both an answer and an error.", false,
	  -1 },
	{ "{\"id\":1,\"answer\":7}", OUTCOME_BAD_REPLY, "W: its reply has an answer that is no string.", false, -1 },
	{ "{\"id\":1,\"error\":\"\"}", OUTCOME_BAD_REPLY, "W: its reply has an empty error.", false, -1 },
	{ "{\"id\":1,\"error\":[]}", OUTCOME_BAD_REPLY, "W: its reply has an error that is no string.", false, -1 },
	{ "{\"id\":1,\"answer\":\"A\",\"outcome\":\"timeout\"}", OUTCOME_BAD_REPLY,
	  "W: its reply has an outcome that an answer cannot have.", false, -1 },
	{ "{\"id\":1,\"error\":\"E\",\"outcome\":\"ok\"}", OUTCOME_BAD_REPLY,
	  "W: its reply has an outcome that an error cannot have.", false, -1 },
	{ "{\"id\":1,\"error\":\"E\",\"outcome\":\"cancelled\"}", OUTCOME_BAD_REPLY,
	  "W: its reply has an outcome that an error cannot have.", false, -1 },
	{ "{\"id\":1,\"error\":\"E\",\"outcome\":\"not_run\"}", OUTCOME_BAD_REPLY,
	  "W: its reply has an outcome that an error cannot have.", false, -1 },
	{ "{\"id\":1,\"error\":\"E\",\"retryable\":1}", OUTCOME_BAD_REPLY,
	  "W: its reply has a retryable that is neither true nor false.", false, -1 },
	{ "{\"id\":1,\"error\":\"E\",\"retry_after_ms\":-1}", OUTCOME_BAD_REPLY,
	  "W: its reply has a retry_after_ms that is no number.", false, -1 },
	{ "{\"id\":1,\"error\":\"E\",\"retry_after_ms\":1e999}", OUTCOME_BAD_REPLY,
	  "W: its reply has a retry_after_ms that is no number.", false, -1 },
	{ "{\"id\":1,\"answer\":\"A\",\"usage\":[]}", OUTCOME_BAD_REPLY, "W: its reply has a usage that is no object.", false, -1 },
	{ "{\"id\":1,\"answer\":\"A\",\"usage\":{\"input_tokens\":1.5}}", OUTCOME_BAD_REPLY,
	  "W: its reply has a usage with a count that is no integer.", false, -1 },
	{ "{\"id\":1,\"answer\":\"A\",\"model\":1}", OUTCOME_BAD_REPLY, "W: its reply has a model that is no string.", false, -1 },
	{ "{\"id\":1,\"answer\":\"A\",\"http_status\":99}", OUTCOME_BAD_REPLY, "W: its reply has an http_status that is none.",
	  false, -1 },
	{ "{\"id\":1,\"answer\":\"A\",\"elapsed_ms\":\"1\"}", OUTCOME_BAD_REPLY,
	  "W: its reply has an elapsed_ms that is no number.", false, -1 },
	{ "{\"id\":1,\"answer\":\"A\",\"batch\":[]}", OUTCOME_BAD_REPLY, "W: its reply has a batch that is no object.", false, -1 },
	{ "{\"id\":1,\"answer\":\"A\",\"batch\":{\"observation\":5}}", OUTCOME_BAD_REPLY,
	  "W: its reply has a batch that is not valid: The field \"observation\" must be a string or null, not a number.", false,
	  -1 },
};

static int read_reply(const char *text, const struct scrubber *scrubber, struct arena *arena, struct attempt_result *r,
                      double *elapsed_ms)
{
	struct worker_reader how = { "W", scrubber };
	struct dataset d = sample();
	struct json json;
	int code = json_parse(arena, str_from(text), NULL, &json, NULL, NULL);
	return code ? code : worker_reply_read(&json, &d.batches[0], &how, arena, r, elapsed_ms);
}

static void test_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reply_cases); i++) {
		const struct reply_case *c = &reply_cases[i];
		struct arena arena = ARENA_INIT;
		struct attempt_result r;
		double elapsed_ms;
		assert_int_equal(read_reply(c->reply, NULL, &arena, &r, &elapsed_ms), 0);
		struct str text = outcome_is_success(r.outcome) ? r.answer : r.error;
		if (r.outcome != c->outcome || !str_eq(text, str_from(c->text)) || r.retryable != c->retryable ||
		    r.hint_ms != c->hint_ms)
			fail_msg("%s: %s, \"%.*s\", retryable %d, hint %lld", c->reply, outcome_word(r.outcome), STR_ARG(text),
			         r.retryable, (long long)r.hint_ms);
		arena_release(&arena);
	}
}

static const char rich[] = "{\"id\":1,\"answer\":\"A\",\"model\":\"m\",\"finish_reason\":\"length\",\"request_id\":\"r\",\"http_"
                           "status\":200,\"elapsed_ms\":2.5,"
                           "\"usage\":{\"input_tokens\":1,\"output_tokens\":null,\"total_tokens\":3},"
                           "\"batch\":{\"observation\":\"o\",\"weight\":\"2\",\"query\":\"Q2\",\"unknown\":1}}";

static void test_everything_of_a_reply(void **state)
{
	(void)state;
	struct arena arena = ARENA_INIT;
	struct attempt_result r;
	double elapsed_ms;
	assert_int_equal(read_reply(rich, NULL, &arena, &r, &elapsed_ms), 0);
	assert_true(str_eq(r.model, STR("m")) && str_eq(r.finish_reason, STR("length")) && str_eq(r.request_id, STR("r")));
	assert_int_equal(r.http_status, 200);
	assert_true(elapsed_ms == 2.5);
	assert_true(r.usage.input_tokens == 1 && r.usage.output_tokens == -1 && r.usage.total_tokens == 3);
	assert_non_null(r.replacement);
	assert_true(str_eq(r.replacement->assistant, STR("A")) && str_eq(r.replacement->query, STR("Q2")));
	assert_true(str_eq(r.replacement->observation.text, STR("o")) && str_eq(r.replacement->qa_id, STR("q\"1")));
	arena_release(&arena);
}

static void test_keys_are_masked_but_in_answers(void **state)
{
	(void)state;
	struct scrubber scrubber;
	struct arena arena = ARENA_INIT;
	struct attempt_result r;
	double elapsed_ms;
	scrubber_init(&scrubber);
	assert_int_equal(scrubber_add(&scrubber, STR("sk-0123456789abcdef")), 0);
	assert_int_equal(
	        read_reply("{\"id\":1,\"error\":\"key sk-0123456789abcdef\",\"batch\":{}}", &scrubber, &arena, &r, &elapsed_ms), 0);
	assert_true(str_eq(r.error, STR("key [REDACTED]")));
	assert_true(str_eq(r.replacement->assistant, STR("[ERROR] key [REDACTED]")));
	assert_int_equal(read_reply("{\"id\":1,\"answer\":\"key sk-0123456789abcdef\"}", &scrubber, &arena, &r, &elapsed_ms), 0);
	assert_true(str_eq(r.answer, STR("key sk-0123456789abcdef")) && r.key_in_answer);
	arena_release(&arena);
	scrubber_release(&scrubber);
}

static void test_no_memory(void **state)
{
	(void)state;
	for (uint64_t n = 1;; n++) {
		struct arena arena = ARENA_INIT;
		struct attempt_result r;
		double elapsed_ms;
		mem_fault_arm(n, true);
		int code = read_reply(rich, NULL, &arena, &r, &elapsed_ms);
		uint64_t hits = mem_fault_hits();
		mem_fault_arm(0, false);
		arena_release(&arena);
		assert_int_equal(code, hits ? FF_ENOMEM : 0);
		if (!hits)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turn),
		cmocka_unit_test(test_dataset),
		cmocka_unit_test(test_small_messages),
		cmocka_unit_test(test_welcome),
		cmocka_unit_test(test_broken_lines),
		cmocka_unit_test(test_quoted_lines_are_short_and_safe),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_everything_of_a_reply),
		cmocka_unit_test(test_keys_are_masked_but_in_answers),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
