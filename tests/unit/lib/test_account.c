/*
 * test_account.c: runs of strangers that ask for the same at the same time share a connector and its secrets; others do not, and nothing stays behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "lib/internal.h"
#include "lib/run.h"
#include "run_kit.h"
#include "server.h"

#define OPENAI  "langchain_openai.chat_models.ChatOpenAI"
#define WAIT_MS 60000

static struct server server;
static char allowed[128];
static const char *const env[] = { allowed, "FAIRFORGE_CONCURRENCY=8", NULL };

/* One run with a text of its own, which is gone when the run is. */
struct one {
	struct ff_run *run;
	struct kit_request request;
	struct kit_output *out;
	char *text;
};

static struct ff_engine *begin(enum server_mode mode, enum ff_role role)
{
	struct ff_engine_options eo = kit_engine_options(env);
	struct ff_engine *engine;

	server_start(&server, mode);
	snprintf(allowed, sizeof(allowed), "FAIRFORGE_ALLOWED_ORIGINS=http://127.0.0.1:%u", (unsigned)server.port);
	eo.role = role;
	assert_int_equal(ff_engine_new(&eo, &engine, NULL), 0);
	return engine;
}

/* A connector's class and the params behind its address; NULL class: a config. */
static void start(struct ff_engine *engine, struct one *one, const char *class_path, const char *params, const char *options)
{
	char text[4096];
	struct ff_run_options ro;
	struct ff_output output;
	struct ff_error err = { 0 };
	char address[128], connector[256];

	snprintf(address, sizeof(address), "\"base_url\": \"%s\"", server.base_url);
	snprintf(connector, sizeof(connector), "\"config\": {");
	if (class_path)
		snprintf(connector, sizeof(connector), "\"connector\": {\"class_path\": \"%s\", \"params\": {", class_path);
	snprintf(text, sizeof(text), "{%s%s%s%s, %s\"datasets\": [" KIT_DATASET "]}", connector, address, params,
	         class_path ? "}}" : "}", options);
	memset(one, 0, sizeof(*one));
	one->text = strdup(text);
	one->out = calloc(1, sizeof(*one->out));
	assert_true(one->text && one->out);
	one->request.text = one->text;
	ro = kit_run_options(&one->request);
	output = kit_output(one->out, FF_OUTPUT_RESPONSE);
	ro.outputs = &output;
	ro.output_count = 1;
	if (ff_run_start(engine, &ro, &one->run, &err))
		fail_msg("the run should start: %s\n%s", err.text, one->out->text);
}

static void finish(struct ff_engine *engine, struct one *one)
{
	while (!ff_run_done(one->run))
		assert_int_equal(ff_engine_wait(engine, WAIT_MS), 0);
}

static void drop(struct one *one)
{
	ff_run_free(one->run);
	free(one->text);
	free(one->out);
}

static size_t accounts(const struct ff_engine *engine)
{
	return engine->accounts.count;
}

static void end(struct ff_engine *engine)
{
	assert_int_equal(accounts(engine), 0);
	assert_int_equal(engine->scrubber.count, 0);
	ff_engine_free(engine);
	server_stop(&server);
}

#define KEY(n) ", \"model\": \"m\", \"api_key\": \"sk-key-of-client-" n "\""

static void the_same_is_shared_as_long_as_somebody_has_it(void **state)
{
	struct ff_engine *engine = begin(SERVER_HOLDS, FF_ROLE_STRANGER);
	struct one a, b, other;
	size_t secrets;

	(void)state;
	start(engine, &a, OPENAI, KEY("1"), "");
	secrets = engine->scrubber.count;
	assert_int_equal(accounts(engine), 1);
	assert_true(secrets > 0);
	start(engine, &b, OPENAI, KEY("1"), "");
	assert_ptr_equal(a.run->request.account, b.run->request.account);
	assert_int_equal(accounts(engine), 1);
	assert_int_equal(engine->scrubber.count, secrets);
	start(engine, &other, OPENAI, KEY("2"), "");
	assert_int_equal(accounts(engine), 2);
	assert_ptr_not_equal(a.run->request.account, other.run->request.account);
	drop(&a);
	assert_int_equal(accounts(engine), 2);
	drop(&b);
	assert_int_equal(accounts(engine), 1);
	assert_true(scrub_finds(&engine->scrubber, STR("sk-key-of-client-2")));
	assert_false(scrub_finds(&engine->scrubber, STR("sk-key-of-client-1")));
	drop(&other);
	end(engine);
}

/* Whatever follows from more than the object itself tells accounts apart. */
static void what_differs_is_not_shared(void **state)
{
	static const char *const options[] = { "", "\"options\": {\"stream\": true}, ", "\"options\": {\"max_retries\": 3}, ",
		                               "\"options\": {\"idle_timeout_ms\": 5000}, " };
	struct ff_engine *engine = begin(SERVER_HOLDS, FF_ROLE_STRANGER);
	struct one runs[ARRAY_SIZE(options)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		start(engine, &runs[i], OPENAI, KEY("1"), options[i]);
		assert_int_equal(accounts(engine), i + 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		drop(&runs[i]);
	end(engine);
}

/* Each request hears its own warnings, and an operator's flags are nobody else's. */
static void what_was_warned_of_is_not_shared(void **state)
{
	struct ff_engine *engine = begin(SERVER_HOLDS, FF_ROLE_STRANGER);
	struct one a, b;

	(void)state;
	start(engine, &a, OPENAI, ", \"model\": \"m\", \"api_key\": \"short\"", "");
	start(engine, &b, OPENAI, ", \"model\": \"m\", \"api_key\": \"short\"", "");
	assert_int_equal(accounts(engine), 0);
	assert_int_equal(a.run->request.warnings, 1);
	assert_int_equal(b.run->request.warnings, 1);
	drop(&a);
	drop(&b);
	end(engine);
	engine = begin(SERVER_HOLDS, FF_ROLE_OPERATOR);
	start(engine, &a, OPENAI, KEY("1"), "");
	assert_int_equal(accounts(engine), 0);
	drop(&a);
	end(engine);
}

/* Nothing of the account lies in the first one's payload: with every class, and params that are kept until a request is written. */
static void it_outlives_the_request_that_made_it(void **state)
{
	static const struct {
		const char *class_path, *params;
	} cases[] = {
		{ OPENAI, KEY("1") ", \"default_headers\": {\"X-A\": \"v\"}, \"stop\": [\"x\", \"y\"], \"model_kwargs\": "
		                   "{\"user\": \"u\"}, "
		                   "\"extra_body\": {\"k\": {\"deep\": [1, 2.50]}}, \"organization\": \"org-0123456789\"" },
		{ "langchain_groq.ChatGroq", KEY("1") ", \"stop\": [\"x\"], \"model_kwargs\": {\"user\": \"u\"}" },
		{ "langchain_google_genai.ChatGoogleGenerativeAI", KEY("1") ", \"stop\": [\"x\"], \"safety_settings\": {}, "
		                                                            "\"additional_headers\": {\"X-A\": \"v\"}" },
		{ "langchain_ollama.ChatOllama",
		  ", \"model\": \"m\", \"stop\": [\"x\"], \"format\": {\"type\": \"object\", \"properties\": {\"a\": {\"type\": "
		  "\"string\"}}}, \"client_kwargs\": {\"headers\": {\"Authorization\": \"Bearer abcdefgh12345\"}}" },
		{ NULL, ", \"api_key\": \"alq-key-0123456789\", \"agent_id\": \"a\", \"channel_id\": \"c\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ff_engine *engine = begin(SERVER_ANSWERS, FF_ROLE_STRANGER);
		struct one a, b;

		start(engine, &a, cases[i].class_path, cases[i].params, "");
		start(engine, &b, cases[i].class_path, cases[i].params, "");
		if (accounts(engine) != 1)
			fail_msg("case %zu is not shared", i);
		drop(&a);
		finish(engine, &b);
		if (i < 2 && !strstr(b.out->text, "\"assistant\":\"pong\""))
			fail_msg("case %zu answers %s", i, b.out->text);
		drop(&b);
		end(engine);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_is_shared_as_long_as_somebody_has_it),
		cmocka_unit_test(what_differs_is_not_shared),
		cmocka_unit_test(what_was_warned_of_is_not_shared),
		cmocka_unit_test(it_outlives_the_request_that_made_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
