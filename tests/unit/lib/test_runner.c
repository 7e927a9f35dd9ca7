/*
 * test_runner.c: custom runners through the public header: which structs fit, arguments, answers of every shape, threads, whole datasets, the ends of a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <pthread.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "run_kit.h"

#define SECRET "value-of-a-variable-0123456789"

/* ---- a runner that does as it is told ---- */

struct script {
	void (*on_batch)(struct script *s, const struct ff_batch *b, struct ff_completion done);
	void (*on_dataset)(struct script *s, const struct ff_dataset *d, struct ff_completion done);
	const char *open_error;
	int opens, closes, cancels, batches, datasets;
	char args[512];
	uint32_t concurrency;
	unsigned attempts_seen;
	struct ff_completion kept[64];
	size_t kept_count;
	pthread_t threads[64];
	size_t thread_count;
};

static int script_open(const struct ff_runner_args *args, void **ret_state, struct ff_error *err)
{
	struct script *s = args->user;

	s->opens++;
	s->concurrency = args->concurrency;
	for (size_t i = 0; i < args->arg_count; i++)
		(void)snprintf(s->args + strlen(s->args), sizeof(s->args) - strlen(s->args), "%s=%s;", args->args[i].name,
		               args->args[i].value);
	if (s->open_error) {
		(void)snprintf(err->text, sizeof(err->text), "%s", s->open_error);
		return -1;
	}
	*ret_state = s;
	return 0;
}

static void script_batch(void *state, const struct ff_batch *b, struct ff_completion done)
{
	struct script *s = state;

	s->batches++;
	s->on_batch(s, b, done);
}

static void script_dataset(void *state, const struct ff_dataset *d, struct ff_completion done)
{
	struct script *s = state;

	s->datasets++;
	s->on_dataset(s, d, done);
}

static void script_cancel(void *state, uint64_t id)
{
	(void)id;
	((struct script *)state)->cancels++;
}

static void script_close(void *state)
{
	struct script *s = state;

	s->closes++;
	for (size_t i = 0; i < s->thread_count; i++)
		pthread_join(s->threads[i], NULL);
}

#define SCRIPT_TYPE                                                                                                 \
	{                                                                                                           \
		.size = sizeof(struct ff_runner_type), .abi = FF_RUNNER_ABI, .name = "script", .open = script_open, \
		.run_batch = script_batch, .cancel = script_cancel, .close = script_close                           \
	}

/* ---- a run ---- */

struct outcome {
	int code, status;
	char text[1200];
	struct ff_check_result check;
	unsigned turns;
	char outcomes[256], warnings[512], start[256];
	struct ff_counts counts;
};

static struct kit_output output;
static char log_text[8192];

static void on_event(void *user, const struct ff_event *event)
{
	struct outcome *o = user;

	if (event->type == FF_EVENT_TURN) {
		o->turns++;
		(void)snprintf(o->outcomes + strlen(o->outcomes), sizeof(o->outcomes) - strlen(o->outcomes), "%s ",
		               event->turn->outcome);
	}
	if (event->type == FF_EVENT_START && event->text)
		(void)snprintf(o->start, sizeof(o->start), "%s", event->text);
}

static void on_log(void *user, enum ff_log_level level, const char *message)
{
	(void)user, (void)level;
	(void)snprintf(log_text + strlen(log_text), sizeof(log_text) - strlen(log_text), "%s\n", message);
}

static struct ff_engine *open_engine(void)
{
	static const char *const env[] = { "SECRET_OF_RUNNER=" SECRET, NULL };
	struct ff_engine_options eo = kit_engine_options(env);
	struct ff_engine *engine;
	struct ff_error err = { 0 };

	eo.log_fn = on_log;
	eo.log_level = FF_LOG_DEBUG;
	log_text[0] = '\0';
	assert_int_equal(ff_engine_new(&eo, &engine, &err), 0);
	return engine;
}

static void fill_options(struct ff_run_options *ro, struct script *s, const struct ff_runner_type *type, struct ff_output *out,
                         struct outcome *o)
{
	*out = kit_output(&output, FF_OUTPUT_RESPONSE);
	ro->outputs = out;
	ro->output_count = 1;
	ro->on_event = on_event;
	ro->user = o;
	ro->runner = type;
	ro->runner_user = s;
}

static struct outcome run_with(struct kit_request *k, const struct ff_setting *args, size_t arg_count, struct script *s,
                               const struct ff_runner_type *type)
{
	struct ff_engine *engine = open_engine();
	struct ff_run_options ro = kit_run_options(k);
	struct outcome o = { 0 };
	struct ff_output out;
	struct ff_run *run;
	struct ff_error err = { 0 };

	fill_options(&ro, s, type, &out, &o);
	ro.runner_args = args;
	ro.runner_arg_count = arg_count;
	o.code = ff_run_start(engine, &ro, &run, &err);
	memcpy(o.text, err.text, sizeof(err.text));
	if (o.code == 0) {
		while (!ff_run_done(run))
			ff_engine_wait(engine, -1);
		o.status = ff_run_exit_status(run);
		ff_run_counts(run, &o.counts);
		memcpy(o.text, ff_run_error(run)->text, sizeof(err.text));
		ff_run_free(run);
	}
	ff_engine_free(engine);
	return o;
}

#define TWO_TURNS \
	"{\"session_id\": \"s\", \"assistant_id\": \"a\", \"context\": \"C\", \"conversation\": [" KIT_BATCH ", " KIT_BATCH "]}"

static struct outcome run(struct script *s, const struct ff_runner_type *type)
{
	struct kit_request k = { .text = TWO_TURNS, .as_datasets = 1 };

	return run_with(&k, NULL, 0, s, type);
}

static struct outcome run_batches(struct script *s,
                                  void (*on_batch)(struct script *, const struct ff_batch *, struct ff_completion))
{
	static const struct ff_runner_type type = SCRIPT_TYPE;

	s->on_batch = on_batch;
	return run(s, &type);
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" should contain \"%s\"", text, part);
}

/* ---- which structs fit ---- */

static int some_open(const struct ff_runner_args *args, void **ret_state, struct ff_error *err)
{
	(void)args, (void)ret_state, (void)err;
	fail_msg("nothing of a runner that does not fit may be called");
	return 0;
}

static void test_structs_that_do_not_fit(void **state)
{
	static const struct ff_runner_type good = SCRIPT_TYPE;
	char long_name[200];
	struct {
		struct ff_runner_type type;
		const char *sentence;
	} bad[9];

	(void)state;
	memset(long_name, 'x', sizeof(long_name));
	for (size_t i = 0; i < 9; i++) {
		bad[i].type = good;
		bad[i].type.open = some_open;
	}
	bad[0].type.size = 0, bad[0].sentence = "It is not a runner of fairforge";
	bad[1].type.abi = 7, bad[1].sentence = "It speaks version 7 of the runner interface";
	bad[2].type.size = 24, bad[2].sentence = "has 24 bytes";
	bad[3].type.name = NULL, bad[3].sentence = "It has no name";
	bad[4].type.name = "", bad[4].sentence = "It has no name";
	bad[5].type.name = "a\x1b[2J", bad[5].sentence = "It has no name";
	bad[6].type.name = long_name, bad[6].sentence = "It has no name";
	bad[7].type.flags = 0x80, bad[7].sentence = "flags (0x80)";
	bad[8].type.run_batch = NULL, bad[8].sentence = "neither run_batch nor run_dataset";
	for (size_t i = 0; i < 9; i++) {
		struct ff_error err = { 0 };
		struct script s = { 0 };
		struct outcome o;

		assert_int_equal(ff_runner_check(&bad[i].type, &err), FF_R_USAGE);
		assert_contains(err.text, bad[i].sentence);
		o = run(&s, &bad[i].type);
		assert_int_equal(o.code, FF_R_USAGE);
		assert_contains(o.text, "Failed to create runner: ");
		assert_contains(o.text, bad[i].sentence);
		assert_contains(output.text, "{\"success\":false,\"error\":\"Failed to create runner: ");
		assert_int_equal(output.complete, 1);
	}
	assert_int_equal(ff_runner_check(&good, NULL), 0);
	assert_int_equal(ff_runner_check(NULL, NULL), FF_R_INVAL);
}

/* A struct of a later header is longer; what it has more is none of our business. */
static void test_longer_struct_fits(void **state)
{
	struct {
		struct ff_runner_type type;
		void *later[4];
	} longer = { .type = SCRIPT_TYPE };

	(void)state;
	longer.type.size = sizeof(longer);
	assert_int_equal(ff_runner_check(&longer.type, NULL), 0);
}

/* ---- arguments ---- */

static void pong(struct script *s, const struct ff_batch *b, struct ff_completion done)
{
	(void)s, (void)b;
	ff_complete_text(done, "pong");
}

static void test_arguments(void **state)
{
	static const struct ff_runner_type type = SCRIPT_TYPE;
	const struct ff_setting args[] = {
		{ "endpoint", "http://x" }, { "api_key", "env:SECRET_OF_RUNNER" }, { "n", "1" }, { "n", "2" }
	};
	struct kit_request k = { .text = TWO_TURNS, .as_datasets = 1, .options = { { "concurrency", "5" } } };
	struct script s = { .on_batch = pong };
	struct outcome o = run_with(&k, args, 4, &s, &type);
	const struct ff_runner_args view = { .args = args, .arg_count = 4 };

	(void)state;
	assert_int_equal(o.code, 0);
	assert_int_equal(o.status, 0);
	assert_string_equal(s.args, "endpoint=http://x;api_key=" SECRET ";n=1;n=2;");
	assert_int_equal(s.concurrency, 5);
	assert_int_equal(s.opens, 1);
	assert_int_equal(s.closes, 1);
	assert_string_equal(o.start, "Turns are answered by the runner script, up to 5 at once.");
	assert_string_equal(ff_runner_arg(&view, "n"), "2");
	assert_null(ff_runner_arg(&view, "endpoin"));
	assert_null(ff_runner_arg(&view, "endpoints"));
}

static void test_arguments_that_cannot_be(void **state)
{
	static const struct ff_runner_type type = SCRIPT_TYPE;
	const struct ff_setting args[] = { { "a", "env:NOT_SET" }, { "b", "file:/no/such/file" } };
	struct kit_request k = { .text = TWO_TURNS, .as_datasets = 1 };
	struct script s = { .on_batch = pong };
	struct outcome o = run_with(&k, args, 2, &s, &type);

	(void)state;
	assert_int_equal(o.code, FF_R_USAGE);
	assert_contains(o.text, "Failed to create runner (2 problems)");
	assert_contains(o.text, "runner argument a: The environment variable NOT_SET is not set.");
	assert_contains(o.text, "/no/such/file cannot be read");
	assert_int_equal(s.opens, 0);
}

static void test_open_refuses(void **state)
{
	static const struct ff_runner_type type = SCRIPT_TYPE;
	const struct ff_setting args[] = { { "api_key", "env:SECRET_OF_RUNNER" } };
	struct kit_request k = { .text = TWO_TURNS, .as_datasets = 1 };
	struct script s = { .open_error = "The key " SECRET " is not good." };
	struct outcome o = run_with(&k, args, 1, &s, &type);

	(void)state;
	assert_int_equal(o.code, FF_R_USAGE);
	assert_string_equal(o.text, "Failed to create runner: script: The key [REDACTED] is not good.");
	assert_int_equal(s.closes, 0);
	s = (struct script){ .open_error = "" };
	o = run(&s, &type);
	assert_contains(o.text, "script: It does not start, and does not say why.");
}

static void test_arguments_for_nobody(void **state)
{
	static const struct ff_runner_type type = {
		.size = sizeof type, .abi = FF_RUNNER_ABI, .name = "bare", .run_batch = script_batch
	};
	const struct ff_setting args[] = { { "x", "1" } };
	struct kit_request k = { .text = TWO_TURNS, .as_datasets = 1 };
	struct script s = { .on_batch = pong };
	struct outcome o = run_with(&k, args, 1, &s, &type);

	(void)state;
	assert_int_equal(o.code, FF_R_USAGE);
	assert_contains(o.text, "bare: It takes no arguments, and x was given.");
	o = run_with(&k, args, 1, &s, NULL);
	assert_int_equal(o.code, FF_R_USAGE);
	assert_contains(o.text, "There are arguments for a runner, and no runner.");
	o = run_with(&k, NULL, 0, &s, &type);
	assert_int_equal(o.status, 0);
	k.model = "m";
	o = run_with(&k, NULL, 0, &s, &type);
	assert_int_equal(o.code, FF_R_USAGE);
	assert_contains(o.text, "takes the place of a connector");
}

/* ---- what a batch looks like ---- */

static void look_at_batch(struct script *s, const struct ff_batch *b, struct ff_completion done)
{
	(void)s;
	assert_int_equal(b->size, sizeof(*b));
	assert_string_equal(b->session_id.ptr, "s\xc3\xa4");
	assert_int_equal(b->session_id.len, 3);
	assert_null(b->language.ptr);
	assert_string_equal(b->context.ptr, "C");
	assert_int_equal(b->query.len, 3);
	assert_memory_equal(b->query.ptr, "a\0b", 4);
	assert_memory_equal(b->prompt.ptr, "Context:\nC\n\nQuestion: a\0b", 26);
	assert_string_equal(b->ground_truth_assistant.ptr, "g");
	assert_string_equal(b->observation.ptr, "null");
	assert_string_equal(b->logprobs.ptr, "{}");
	assert_string_equal(b->agentic.ptr, "{\"k\":[1,2.50]}");
	assert_string_equal(b->weight.ptr, "0.5");
	assert_int_equal(b->count, 1);
	assert_int_equal(b->index, 0);
	assert_true(b->timeout_ms > 0 && b->timeout_ms <= 900000);
	ff_complete_text(done, "seen");
}

static void test_what_a_batch_shows(void **state)
{
	static const struct ff_runner_type type = SCRIPT_TYPE;
	struct kit_request k = {
		.text = "{\"session_id\": \"s\\u00e4\", \"assistant_id\": \"a\", \"language\": null, \"context\": \"C\", "
		        "\"conversation\": [{\"qa_id\": \"q\", \"query\": \"a\\u0000b\", \"assistant\": \"\", "
		        "\"ground_truth_assistant\": \"g\", \"agentic\": {\"k\": [1, 2.50]}, \"weight\": 0.5}]}",
		.as_datasets = 1
	};
	struct script s = { .on_batch = look_at_batch };
	struct outcome o = run_with(&k, NULL, 0, &s, &type);

	(void)state;
	assert_int_equal(o.status, 0);
	assert_contains(output.text, "\"assistant\":\"seen\"");
}

/* ---- answers ---- */

static struct ff_answer scripted;

static void say_scripted(struct script *s, const struct ff_batch *b, struct ff_completion done)
{
	(void)s;
	if (b->index == 0)
		ff_complete(done, &scripted);
	else
		ff_complete_text(done, "fine");
}

static struct outcome run_scripted(struct ff_answer answer)
{
	struct script s = { 0 };

	scripted = answer;
	scripted.size = sizeof(scripted);
	return run_batches(&s, say_scripted);
}

static void test_outcomes_of_answers(void **state)
{
	static const struct {
		struct ff_answer answer;
		const char *outcome, *text;
	} cases[] = {
		{ { .answer = "x" }, "ok", "\"assistant\":\"x\"" },
		{ { .answer = "x\0y", .answer_len = 3 }, "ok", "\"assistant\":\"x\\u0000y\"" },
		{ { .answer = "" }, "empty", "\"assistant\":\"\"" },
		{ { .answer = "cut", .outcome = "truncated" }, "truncated", "cut" },
		{ { .answer = "no", .outcome = "refused" }, "refused", "no" },
		{ { .error = "Broken." }, "http_5xx", "[ERROR] Broken." },
		{ { .error = "Slow.", .outcome = "timeout" }, "timeout", "[ERROR] Slow." },
		{ { .error = "You may not.", .outcome = "http_4xx", .http_status = 403 }, "http_4xx", "[ERROR] You may not." },
		{ { 0 }, "bad_reply", "neither an answer nor an error" },
		{ { .answer = "a", .error = "b" }, "bad_reply", "both an answer and an error" },
		{ { .error = "" }, "bad_reply", "empty error" },
		{ { .answer = "a", .outcome = "timeout" }, "bad_reply", "an outcome that an answer cannot have" },
		{ { .error = "a", .outcome = "ok" }, "bad_reply", "an outcome that an error cannot have" },
		{ { .error = "a", .outcome = "cancelled" }, "bad_reply", "an outcome that an error cannot have" },
		{ { .error = "a", .outcome = "nonsense" }, "bad_reply", "an outcome that an error cannot have" },
		{ { .answer = "a", .http_status = 42 }, "bad_reply", "an http_status that is none" },
		{ { .answer = "a", .elapsed_ms = -1 }, "bad_reply", "an elapsed_ms that is no time" },
		{ { .answer = "a", .batch_json = "{\"observation\": \"cached\"}" },
		  "ok",
		  "\"observation\":\"cached\",\"assistant\":\"a\"" },
		{ { .answer = "a", .batch_json = "nonsense" }, "bad_reply", "[ERROR] script: its batch_json is not JSON" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome o = run_scripted(cases[i].answer);

		assert_int_equal(o.turns, 2);
		assert_contains(o.outcomes, cases[i].outcome);
		assert_contains(output.text, cases[i].text);
	}
}

static void test_usage_is_counted(void **state)
{
	struct outcome o = run_scripted(
	        (struct ff_answer){ .answer = "x", .has_usage = 1, .input_tokens = 7, .output_tokens = -1, .total_tokens = 9 });

	(void)state;
	assert_int_equal(o.counts.input_tokens, 7);
	assert_int_equal(o.counts.output_tokens, -1);
	o = run_scripted((struct ff_answer){ .answer = "x", .input_tokens = 7 });
	assert_int_equal(o.counts.input_tokens, -1);
}

/* An answer of an older, shorter struct: what it does not have is not read. */
static void say_short(struct script *s, const struct ff_batch *b, struct ff_completion done)
{
	struct ff_answer answer;

	(void)s, (void)b;
	memset(&answer, 0xff, sizeof(answer));
	answer.size = offsetof(struct ff_answer, error);
	answer.answer = "short";
	answer.answer_len = 0;
	ff_complete(done, &answer);
}

static void test_shorter_answer(void **state)
{
	struct script s = { 0 };
	struct outcome o = run_batches(&s, say_short);

	(void)state;
	assert_int_equal(o.status, 0);
	assert_contains(output.text, "\"assistant\":\"short\"");
}

/* Half a pointer, or nothing at all. */
static void say_with_odd_size(struct script *s, const struct ff_batch *b, struct ff_completion done)
{
	struct ff_answer answer;

	(void)s;
	memset(&answer, 0xff, sizeof(answer));
	answer.size = b->index ? 0 : offsetof(struct ff_answer, answer) + 1;
	ff_complete(done, &answer);
}

static void test_odd_sizes(void **state)
{
	struct script s = { 0 };
	struct outcome o = run_batches(&s, say_with_odd_size);

	(void)state;
	assert_int_equal(o.status, 1);
	assert_int_equal(o.counts.failed, 2);
	assert_contains(output.text, "has a size that no version of it had");
}

/* ---- retries, deadlines, twice, never ---- */

static void fail_first(struct script *s, const struct ff_batch *b, struct ff_completion done)
{
	struct ff_answer answer = { .size = sizeof(answer), .error = "Hiccup.", .retry_after_ms = 1 };

	s->attempts_seen |= 1u << b->attempt;
	if (b->attempt == 0)
		ff_complete(done, &answer);
	else
		ff_complete_text(done, "second try");
}

static void test_retries(void **state)
{
	struct ff_runner_type type = SCRIPT_TYPE;
	struct script s = { .on_batch = fail_first };
	struct outcome o;

	(void)state;
	type.default_max_retries = 1;
	o = run(&s, &type);
	assert_int_equal(o.status, 0);
	assert_int_equal(o.counts.retries, 2);
	assert_int_equal(s.attempts_seen, 3);
	type.default_max_retries = 0;
	s = (struct script){ .on_batch = fail_first };
	o = run(&s, &type);
	assert_int_equal(o.status, 1);
	assert_contains(output.text, "[ERROR] Hiccup.");
}

static void answer_twice(struct script *s, const struct ff_batch *b, struct ff_completion done)
{
	(void)s, (void)b;
	ff_complete_text(done, "first");
	ff_complete_text(done, "second");
}

static void test_completed_twice(void **state)
{
	struct script s = { 0 };
	struct outcome o = run_batches(&s, answer_twice);

	(void)state;
	assert_int_equal(o.status, 0);
	assert_int_equal(o.counts.ok, 2);
	assert_contains(output.text, "\"assistant\":\"first\"");
	assert_null(strstr(output.text, "second"));
	assert_contains(log_text, "2 completions were ignored");
}

static void keep_completion(struct script *s, const struct ff_batch *b, struct ff_completion done)
{
	if (b->index == 0)
		s->kept[s->kept_count++] = done;
	else
		ff_complete_text(done, "fine");
}

static void test_never_completed(void **state)
{
	static const struct ff_runner_type type = SCRIPT_TYPE;
	struct kit_request k = { .text = TWO_TURNS, .as_datasets = 1, .options = { { "turn_timeout_ms", "30" } } };
	struct script s = { .on_batch = keep_completion };
	struct outcome o = run_with(&k, NULL, 0, &s, &type);

	(void)state;
	assert_int_equal(o.status, 1);
	assert_contains(o.outcomes, "timeout");
	assert_contains(output.text, "[ERROR] script: the turn's timeout of 0.03 s passed before the answer was complete.");
	assert_int_equal(s.cancels, 1);
	assert_int_equal(s.closes, 1);
	assert_contains(log_text, "1 call was never completed");
	ff_complete_text(s.kept[0], "after the run, the engine and everything"); /* touches nothing */
	ff_complete(s.kept[0], NULL);
}

static void test_run_is_freed_in_the_middle(void **state)
{
	static const struct ff_runner_type type = SCRIPT_TYPE;
	struct ff_engine *engine = open_engine();
	struct kit_request k = { .text = TWO_TURNS, .as_datasets = 1 };
	struct ff_run_options ro = kit_run_options(&k);
	struct script s = { .on_batch = keep_completion };
	struct outcome o = { 0 };
	struct ff_output out;
	struct ff_run *run;

	(void)state;
	fill_options(&ro, &s, &type, &out, &o);
	assert_int_equal(ff_run_start(engine, &ro, &run, NULL), 0);
	while (s.kept_count == 0)
		ff_engine_wait(engine, -1);
	ff_engine_free(engine);
	assert_int_equal(s.closes, 1);
	assert_int_equal(s.cancels, 1);
	ff_complete_text(s.kept[0], "late");
}

static void test_only_checked(void **state)
{
	static const struct ff_runner_type type = SCRIPT_TYPE;
	struct ff_engine *engine = open_engine();
	struct kit_request k = { .text = TWO_TURNS, .as_datasets = 1 };
	struct ff_run_options ro = kit_run_options(&k);
	struct script s = { 0 };
	struct ff_check_result result;

	(void)state;
	ro.runner = &type;
	ro.runner_user = &s;
	assert_int_equal(ff_check(engine, &ro, NULL, NULL, &result), 0);
	assert_int_equal(s.opens, 1);
	assert_int_equal(s.closes, 1);
	assert_string_equal(result.connector, "runner");
	assert_string_equal(result.origin, "script");
	s.open_error = "No.";
	assert_int_equal(ff_check(engine, &ro, NULL, NULL, &result), FF_R_USAGE);
	assert_int_equal(s.closes, 1);
	ff_engine_free(engine);
}

/* ---- threads ---- */

struct job {
	const struct ff_batch *batch;
	struct ff_completion done;
};

static void *answer_in_thread(void *user)
{
	struct job *job = user;
	char text[100];

	(void)snprintf(text, sizeof(text), "%s from a thread", job->batch->query.ptr);
	ff_complete_text(job->done, text);
	ff_complete_text(job->done, "and again");
	free(job);
	return NULL;
}

static void start_thread(struct script *s, const struct ff_batch *b, struct ff_completion done)
{
	struct job *job = malloc(sizeof(*job));

	*job = (struct job){ b, done };
	if (pthread_create(&s->threads[s->thread_count], NULL, answer_in_thread, job))
		fail_msg("a thread cannot be started");
	s->thread_count++;
}

static void test_threads(void **state)
{
	static const struct ff_runner_type type = SCRIPT_TYPE;
	static char text[32768];
	struct kit_request k = { .text = text };
	struct script s = { .on_batch = start_thread };
	struct outcome o;

	(void)state;
	size_t at = (size_t)snprintf(text, sizeof(text), "[" KIT_DATASET);
	for (int i = 1; i < 60; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "," KIT_DATASET);
	(void)snprintf(text + at, sizeof(text) - at, "]");
	k.as_datasets = 1;
	o = run_with(&k, NULL, 0, &s, &type);
	assert_int_equal(o.status, 0);
	assert_int_equal(o.counts.ok, 60);
	assert_contains(output.text, "\"assistant\":\"ping from a thread\"");
	assert_null(strstr(output.text, "and again"));
}

/* ---- order and limits ---- */

static unsigned in_flight, most_in_flight;

static void *answer_one_of_many(void *user)
{
	__atomic_sub_fetch(&in_flight, 1, __ATOMIC_SEQ_CST);
	return answer_in_thread(user);
}

static void count_in_flight(struct script *s, const struct ff_batch *b, struct ff_completion done)
{
	struct job *job = malloc(sizeof(*job));
	unsigned now = __atomic_add_fetch(&in_flight, 1, __ATOMIC_SEQ_CST);

	most_in_flight = now > most_in_flight ? now : most_in_flight;
	*job = (struct job){ b, done };
	if (pthread_create(&s->threads[s->thread_count], NULL, answer_one_of_many, job))
		fail_msg("a thread cannot be started");
	s->thread_count++;
}

static size_t next_index;

static void check_order(struct script *s, const struct ff_batch *b, struct ff_completion done)
{
	assert_int_equal(b->index, next_index++);
	count_in_flight(s, b, done);
}

static void test_ordered_and_limited(void **state)
{
	struct ff_runner_type type = SCRIPT_TYPE;
	struct script s = { .on_batch = check_order };
	struct kit_request k = {
		.text = "{\"session_id\": \"s\", \"assistant_id\": \"a\", \"context\": \"\", \"conversation\": [" KIT_BATCH
		        "," KIT_BATCH "," KIT_BATCH "," KIT_BATCH "," KIT_BATCH "]}",
		.as_datasets = 1
	};
	struct outcome o;

	(void)state;
	type.flags = FF_RUNNER_ORDERED;
	next_index = 0;
	o = run_with(&k, NULL, 0, &s, &type);
	assert_int_equal(o.status, 0);
	assert_int_equal(next_index, 5);
	type.flags = 0;
	type.max_concurrency = 1;
	most_in_flight = 0;
	s = (struct script){ .on_batch = count_in_flight };
	o = run_with(&k, NULL, 0, &s, &type);
	assert_int_equal(o.status, 0);
	assert_int_equal(most_in_flight, 1);
	assert_int_equal(s.concurrency, 1);
}

/* ---- whole datasets ---- */

static void answer_dataset(struct script *s, const struct ff_dataset *d, struct ff_completion done)
{
	(void)s;
	assert_string_equal(d->context.ptr, "C");
	for (size_t i = d->batch_count; i-- > 0;) {
		char text[40];

		(void)snprintf(text, sizeof(text), "turn %zu of %zu", d->batches[i]->index, d->batches[i]->count);
		ff_complete_text(d->completions[i], text);
	}
	ff_complete(done, NULL);
}

static void answer_half(struct script *s, const struct ff_dataset *d, struct ff_completion done)
{
	(void)s;
	if (d->batches[0]->index == 0)
		ff_complete_text(d->completions[0], "half");
	ff_complete_error(done, "The system went away.");
}

static void test_datasets(void **state)
{
	struct ff_runner_type type = SCRIPT_TYPE;
	struct script s = { .on_dataset = answer_dataset };
	struct outcome o;

	(void)state;
	type.run_dataset = script_dataset;
	o = run(&s, &type);
	assert_int_equal(o.status, 0);
	assert_int_equal(s.datasets, 1);
	assert_int_equal(s.batches, 0);
	assert_contains(output.text, "turn 0 of 2");
	assert_contains(output.text, "turn 1 of 2");
	s = (struct script){ .on_dataset = answer_half };
	o = run(&s, &type);
	assert_int_equal(o.status, 1);
	assert_contains(output.text, "\"assistant\":\"half\"");
	assert_contains(output.text, "[ERROR] The system went away.");
	assert_contains(output.text, "\"successes\":1,\"failures\":1");
}

static void end_without_answers(struct script *s, const struct ff_dataset *d, struct ff_completion done)
{
	(void)s, (void)d;
	ff_complete(done, NULL);
}

static void never_end(struct script *s, const struct ff_dataset *d, struct ff_completion done)
{
	(void)d;
	s->kept[s->kept_count++] = done;
}

static void test_datasets_without_answers(void **state)
{
	struct ff_runner_type type = SCRIPT_TYPE;
	struct kit_request k = { .text = TWO_TURNS, .as_datasets = 1, .options = { { "turn_timeout_ms", "30" } } };
	struct script s = { .on_dataset = end_without_answers };
	struct outcome o;

	(void)state;
	type.run_dataset = script_dataset;
	type.run_batch = NULL;
	o = run(&s, &type);
	assert_string_equal(o.outcomes, "bad_reply bad_reply ");
	s = (struct script){ .on_dataset = never_end };
	o = run_with(&k, NULL, 0, &s, &type);
	assert_string_equal(o.outcomes, "timeout timeout ");
	assert_int_equal(s.cancels, 1);
	ff_complete(s.kept[0], NULL);
}

/* ---- faults ---- */

static void test_every_allocation_fails(void **state)
{
	struct ff_runner_type type = SCRIPT_TYPE;

	(void)state;
	for (int datasets = 0; datasets < 2; datasets++) {
		uint64_t hits = 1;

		type.run_dataset = datasets ? script_dataset : NULL;
		for (uint64_t n = 1; hits; n++) {
			struct script s = { .on_batch = pong, .on_dataset = answer_dataset };
			struct kit_request k = { .text = TWO_TURNS, .as_datasets = 1 };
			const struct ff_setting args[] = { { "api_key", "env:SECRET_OF_RUNNER" } };
			struct ff_run_options ro = kit_run_options(&k);
			struct ff_engine *engine = open_engine();
			struct outcome o = { 0 };
			struct ff_output out;
			struct ff_run *run;
			int code;

			fill_options(&ro, &s, &type, &out, &o);
			ro.runner_args = args;
			ro.runner_arg_count = 1;
			mem_fault_arm(n, n % 2 == 0);
			code = ff_run_start(engine, &ro, &run, NULL);
			while (code == 0 && !ff_run_done(run))
				ff_engine_wait(engine, -1);
			if (code == 0)
				ff_run_free(run);
			hits = mem_fault_hits();
			mem_fault_arm(0, false);
			ff_engine_free(engine);
			assert_int_equal(s.opens, s.closes);
			assert_int_equal(output.done, 1);
			if (code && code != FF_R_NOMEM)
				fail_msg("allocation %ju: the start failed with %s", (uintmax_t)n, ff_code_name(code));
			assert_true(n < 5000);
		}
		assert_int_equal(output.complete, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structs_that_do_not_fit),
		cmocka_unit_test(test_longer_struct_fits),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_arguments_that_cannot_be),
		cmocka_unit_test(test_open_refuses),
		cmocka_unit_test(test_arguments_for_nobody),
		cmocka_unit_test(test_what_a_batch_shows),
		cmocka_unit_test(test_outcomes_of_answers),
		cmocka_unit_test(test_usage_is_counted),
		cmocka_unit_test(test_shorter_answer),
		cmocka_unit_test(test_odd_sizes),
		cmocka_unit_test(test_retries),
		cmocka_unit_test(test_completed_twice),
		cmocka_unit_test(test_never_completed),
		cmocka_unit_test(test_run_is_freed_in_the_middle),
		cmocka_unit_test(test_only_checked),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_ordered_and_limited),
		cmocka_unit_test(test_datasets),
		cmocka_unit_test(test_datasets_without_answers),
		cmocka_unit_test(test_every_allocation_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
