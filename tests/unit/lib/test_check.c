/* test_check.c: requests judged without sending anything: answers, pointers, precedence, whose secrets go where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "run_kit.h"

#define OPENAI(params)                                                                                                       \
	"{\"connector\": {\"class_path\": \"langchain_openai.chat_models.ChatOpenAI\", \"params\": {\"model\": \"m\"" params \
	"}}, \"datasets\": [" KIT_DATASET "]}"
#define WITH_KEY ", \"api_key\": \"" KIT_KEY "\""

struct found {
	struct ff_check_result result;
	int code;
	char text[16384]; /* "error|warning POINTER: sentence\n"... */
};

static void collect(void *user, const struct ff_problem *p)
{
	struct found *f = user;
	size_t len = strlen(f->text);

	snprintf(f->text + len, sizeof(f->text) - len, "%s %s: %s\n", p->severity == FF_PROBLEM_ERROR ? "error" : "warning",
	         p->pointer, p->text);
}

static struct found check_as(enum ff_role role, struct kit_request k, const char *const *env)
{
	struct ff_engine_options eo = kit_engine_options(env);
	struct ff_run_options ro = kit_run_options(&k);
	struct ff_engine *engine;
	struct ff_error err = { 0 };
	static struct found f;

	memset(&f, 0, sizeof(f));
	eo.role = role;
	if (ff_engine_new(&eo, &engine, &err))
		fail_msg("the engine should be built: %s", err.text);
	f.code = ff_check(engine, &ro, collect, &f, &f.result);
	ff_engine_free(engine);
	return f;
}

static struct found check(struct kit_request k, const char *const *env)
{
	return check_as(FF_ROLE_OPERATOR, k, env);
}

static void expect(const struct found *f, int code, const char *words)
{
	if (f->code != code || (words && !strstr(f->text, words)))
		fail_msg("expected code %d and \"%s\", got code %d and:\n%s", code, words ? words : "", f->code, f->text);
}

static void test_good_request(void **state)
{
	struct found f = check((struct kit_request){ .text = OPENAI(WITH_KEY) }, NULL);

	(void)state;
	expect(&f, 0, NULL);
	assert_string_equal(f.result.connector, "ChatOpenAI");
	assert_string_equal(f.result.model, "m");
	assert_string_equal(f.result.origin, "https://api.openai.com:443");
	assert_int_equal(f.result.datasets, 1);
	assert_int_equal(f.result.batches, 1);
	assert_string_equal(f.text, "");
}

static void test_reference_texts(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *answer;
	} cases[] = {
		{ "{}", FF_R_DATA, "No datasets provided" },
		{ "{\"connector\": {}, \"datasets\": []}", FF_R_DATA, "No datasets provided" },
		{ "{\"datasets\": null}", FF_R_DATA, "No datasets provided" },
		{ "{\"datasets\": [" KIT_DATASET "]}", FF_R_USAGE, "No base_url provided" },
		{ "{\"connector\": {}, \"config\": {\"base_url\": \"https://x\"}, \"datasets\": [" KIT_DATASET "]}", FF_R_USAGE,
		  "No api_key provided" },
		{ "{\"config\": {\"base_url\": \"https://x\", \"api_key\": \"k\"}, \"datasets\": [" KIT_DATASET "]}", FF_R_USAGE,
		  "No agent_id provided" },
		{ "{\"config\": {\"base_url\": \"https://x\", \"api_key\": \"k\", \"agent_id\": 1}, \"datasets\": [" KIT_DATASET
		  "]}",
		  FF_R_USAGE, "No channel_id provided" },
		{ "{\"config\": [1], \"datasets\": [" KIT_DATASET "]}", FF_R_USAGE, "must be an object, not an array" },
		{ "{\"connector\": {\"params\": {}}, \"datasets\": [" KIT_DATASET "]}", FF_R_USAGE,
		  "connector.class_path is required" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct found f = check((struct kit_request){ .text = cases[i].text }, NULL);

		expect(&f, cases[i].code, cases[i].answer);
	}
}

static void test_config_reads_its_environment(void **state)
{
	const char *const env[] = { "ALQUIMIA_BASE_URL=https://x", "ALQUIMIA_API_KEY=k", NULL };
	struct found f = check((struct kit_request){ .text = "{\"datasets\": [" KIT_DATASET "]}" }, env);

	(void)state;
	expect(&f, FF_R_USAGE, "No agent_id provided");
}

#define CONFIG(members)                                                                                                          \
	"{\"config\": {\"base_url\": \"https://x\", \"agent_id\": 1, \"channel_id\": 2" members "}, \"datasets\": [" KIT_DATASET \
	"]}"

static void test_config_is_alquimia_runner(void **state)
{
	struct found f = check((struct kit_request){ .text = CONFIG(", \"api_key\": \"" KIT_KEY "\", \"color\": 3") }, NULL);

	(void)state;
	expect(&f, 0, "warning /config/color: A config has no such member");
	expect(&f, 0, "warning /config/base_url: The key goes to https://x:443.");
	assert_string_equal(f.result.connector, "AlquimiaRunner");
	assert_string_equal(f.result.origin, "https://x:443");
	f = check((struct kit_request){ .text = CONFIG(", \"api_key\": \"k\\ny\", \"api_version\": [1]") }, NULL);
	expect(&f, FF_R_USAGE, "error /config/api_key:");
	expect(&f, FF_R_USAGE, "error /config/api_version:");
}

static void test_config_with_flags(void **state)
{
	static const char text[] = CONFIG("");
	struct found f =
	        check((struct kit_request){ .text = text, .params = { { "api_key", KIT_KEY }, { "agent_id", "007" } } }, NULL);

	(void)state;
	expect(&f, 0, NULL);
	f = check((struct kit_request){ .text = text, .connector = "alquimia", .params = { { "api_key", KIT_KEY } } }, NULL);
	expect(&f, 0, NULL);
	assert_string_equal(f.result.connector, "AlquimiaRunner");
	f = check((struct kit_request){ .text = text, .params = { { "api_key", KIT_KEY }, { "colour", "red" } } }, NULL);
	expect(&f, FF_R_USAGE, "AlquimiaRunner has no parameter 'colour'");
	f = check((struct kit_request){ .text = text, .connector = "openai", .model = "m", .params = { { "api_key", KIT_KEY } } },
	          NULL);
	expect(&f, 0, NULL);
	assert_string_equal(f.result.connector, "ChatOpenAI");
	f = check((struct kit_request){ .text = KIT_DATASET, .connector = "alquimia", .params = { { "base_url", "https://x" } } },
	          NULL);
	expect(&f, FF_R_USAGE, "error /connector/params/api_key: No api_key provided");
	expect(&f, FF_R_USAGE, "error /connector/params/agent_id: No agent_id provided");
}

static void test_connector_wins_over_config(void **state)
{
	struct found f =
	        check((struct kit_request){ .text = "{\"connector\": {\"class_path\": \"langchain_openai.ChatOpenAI\", \"params\": "
	                                            "{\"model\": \"m\"" WITH_KEY "}}, \"config\": {\"base_url\": 5}, "
	                                            "\"datasets\": [" KIT_DATASET "]}" },
	              NULL);

	(void)state;
	expect(&f, 0, NULL);
	assert_string_equal(f.result.connector, "ChatOpenAI");
}

static void test_strangers_config_and_environment_key(void **state)
{
	const char *const env[] = { "ALQUIMIA_API_KEY=" KIT_KEY, "ALQUIMIA_BASE_URL=https://own.example", NULL };
	struct found f = check_as(FF_ROLE_STRANGER, (struct kit_request){ .text = CONFIG("") }, env);

	(void)state;
	expect(&f, FF_R_USAGE, "error /config/base_url: The environment's key does not go to https://x:443");
	f = check_as(FF_ROLE_STRANGER,
	             (struct kit_request){ .text = "{\"config\": {\"agent_id\": 1, \"channel_id\": 2}, \"datasets\": [" KIT_DATASET
	                                           "]}" },
	             env);
	expect(&f, 0, NULL);
	assert_string_equal(f.result.origin, "https://own.example:443");
}

static void test_everything_at_once(void **state)
{
	struct found f =
	        check((struct kit_request){ .text = "{\"connector\": {\"class_path\": \"langchain_groq.ChatGroq\", \"params\": "
	                                            "{\"temperature\": \"hot\"}}, \"options\": {\"concurrency\": 0, \"oder\": 1}, "
	                                            "\"datasets\": [{\"session_id\": 1, \"session_id\": \"s\"}]}",
	                                    .options = { { "stream", "perhaps" } } },
	              NULL);

	(void)state;
	expect(&f, FF_R_USAGE, "error option stream:");
	expect(&f, FF_R_USAGE, "error /datasets/0/context:");
	expect(&f, FF_R_USAGE, "error /datasets/0/conversation:");
	expect(&f, FF_R_USAGE, "error /options/concurrency:");
	expect(&f, FF_R_USAGE, "error /options/oder:");
	expect(&f, FF_R_USAGE, "error /connector/params/temperature:");
	expect(&f, FF_R_USAGE, "model is required");
	assert_int_equal(f.result.errors, 9);
}

static void test_notes_of_the_reader_are_warnings(void **state)
{
	struct found f = check((struct kit_request){ .text = "{\"a\": \"\\ud800\", \"connector\": 1, " }, NULL);
	const char *doubled = "{\"x\": \"\\ud800\", \"x\": 1, \"connector\": {\"class_path\": \"langchain_openai.ChatOpenAI\", "
	                      "\"params\": {\"model\": "
	                      "\"m\", \"api_key\": \"short\"}}, \"datasets\": [" KIT_DATASET "]}";

	(void)state;
	expect(&f, FF_R_DATA, "error");
	f = check((struct kit_request){ .text = doubled }, NULL);
	expect(&f, 0, "warning /x: Duplicate keys: 1 key");
	expect(&f, 0, "Lone surrogates: 1 escape");
	expect(&f, 0, "shorter than 8 characters");
	assert_int_equal(f.result.warnings, 3);
}

static void test_unknown_params_warn_where_the_class_drops_them(void **state)
{
	struct found f = check(
	        (struct kit_request){
	                .text = "{\"connector\": {\"class_path\": \"langchain_ollama.ChatOllama\", \"params\": {\"model\": "
	                        "\"m\", \"bogus\": 1}}, \"datasets\": [" KIT_DATASET "]}" },
	        NULL);

	(void)state;
	expect(&f, 0, "warning /connector/params/bogus:");
	f = check((struct kit_request){ .text = OPENAI(WITH_KEY ", \"bogus\": 1") }, NULL);
	expect(&f, FF_R_USAGE, "error /connector/params/bogus:");
}

static void test_flags_make_a_connector(void **state)
{
	struct found f = check((struct kit_request){ .text = "[" KIT_DATASET "]",
	                                             .connector = "openai",
	                                             .model = "flag-model",
	                                             .params = { { "api_key", KIT_KEY } } },
	                       NULL);

	(void)state;
	expect(&f, 0, NULL);
	assert_string_equal(f.result.model, "flag-model");
	f = check((struct kit_request){ .text = KIT_DATASET, .as_datasets = 1, .model = "m" }, NULL);
	expect(&f, FF_R_USAGE, "No connector was given");
	f = check((struct kit_request){ .text = KIT_DATASET, .as_datasets = 1, .connector = "nobody" }, NULL);
	expect(&f, FF_R_USAGE, "nobody");
}

static void test_flag_replaces_every_name_of_a_param(void **state)
{
	/* In the class the alias `model` wins over `model_name`: the flag must win over both. */
	struct found f = check((struct kit_request){ .text = OPENAI(WITH_KEY), .params = { { "model_name", "flag" } } }, NULL);

	(void)state;
	expect(&f, 0, NULL);
	assert_string_equal(f.result.model, "flag");
	f = check((struct kit_request){ .text = OPENAI(WITH_KEY), .model = "flag", .params = { { "model", "later" } } }, NULL);
	assert_string_equal(f.result.model, "later");
	f = check((struct kit_request){ .text = OPENAI(WITH_KEY), .params = { { "model", "123" } } }, NULL);
	expect(&f, 0, NULL);
	assert_string_equal(f.result.model, "123");
}

static void test_env_and_file_references(void **state)
{
	const char *const env[] = { "MY_KEY=" KIT_KEY, NULL };
	char path[] = "/tmp/fairforge-key-XXXXXX", reference[64];
	int fd = mkstemp(path);
	struct found f;

	(void)state;
	assert_true(fd >= 0 && write(fd, KIT_KEY "\r\n", strlen(KIT_KEY) + 2) > 0);
	close(fd);
	snprintf(reference, sizeof(reference), "file:%s", path);
	f = check((struct kit_request){ .text = OPENAI(), .params = { { "api_key", "env:MY_KEY" } } }, env);
	expect(&f, 0, NULL);
	f = check((struct kit_request){ .text = OPENAI(), .params = { { "api_key", reference } } }, NULL);
	expect(&f, 0, NULL);
	unlink(path);
	f = check((struct kit_request){ .text = OPENAI(), .params = { { "api_key", reference } } }, NULL);
	expect(&f, FF_R_USAGE, "cannot be read");
	f = check((struct kit_request){ .text = OPENAI(), .params = { { "api_key", "env:NOT_SET" } } }, env);
	expect(&f, FF_R_USAGE, "NOT_SET is not set");
	f = check_as(FF_ROLE_STRANGER, (struct kit_request){ .text = OPENAI(), .params = { { "api_key", "env:MY_KEY" } } }, env);
	expect(&f, FF_R_USAGE, "Only an operator");
}

static void test_keys_never_get_into_sentences(void **state)
{
	const char *const env[] = { "MY_KEY=" KIT_KEY "\nX", NULL };
	struct found f = check((struct kit_request){ .text = OPENAI(WITH_KEY ", \"temperature\": \"" KIT_KEY "\"") }, NULL);

	(void)state;
	expect(&f, FF_R_USAGE, "temperature");
	assert_null(strstr(f.text, KIT_KEY));
	f = check((struct kit_request){ .text = OPENAI(), .params = { { "api_key", "env:MY_KEY" } } }, env);
	expect(&f, FF_R_USAGE, "key");
	assert_null(strstr(f.text, KIT_KEY));
	f = check((struct kit_request){ .text = OPENAI(), .params = { { "api_key", "env:" KIT_KEY } } }, NULL);
	expect(&f, FF_R_USAGE, "the name of a variable");
	assert_null(strstr(f.text, KIT_KEY));
}

static void test_default_connector_of_the_environment(void **state)
{
	const char *const env[] = {
		"FAIRFORGE_CONNECTOR={\"class_path\": \"langchain_ollama.ChatOllama\", \"params\": {\"model\": \"env\"}}", NULL
	};
	const char *const broken[] = { "FAIRFORGE_CONNECTOR={", NULL };
	struct found f = check((struct kit_request){ .text = "[" KIT_DATASET "]" }, env);

	(void)state;
	expect(&f, 0, NULL);
	assert_string_equal(f.result.connector, "ChatOllama");
	f = check((struct kit_request){ .text = OPENAI(WITH_KEY) }, env);
	assert_string_equal(f.result.connector, "ChatOpenAI");
	f = check((struct kit_request){ .text = "[" KIT_DATASET "]", .model = "flag" }, env);
	assert_string_equal(f.result.model, "flag");
	f = check((struct kit_request){ .text = "[" KIT_DATASET "]" }, broken);
	expect(&f, FF_R_USAGE, "error FAIRFORGE_CONNECTOR:");
}

static void test_wrong_environment_options_are_named(void **state)
{
	const char *const env[] = { "FAIRFORGE_CONCURRENCY=many", "FAIRFORGE_STREAM=", NULL };
	struct found f = check((struct kit_request){ .text = OPENAI(WITH_KEY) }, env);

	(void)state;
	expect(&f, FF_R_USAGE, "error FAIRFORGE_CONCURRENCY:");
	assert_int_equal(f.result.errors, 1);
}

static void test_plain_http_needs_a_local_host_or_a_permission(void **state)
{
	const char *const allowed[] = { "FAIRFORGE_ALLOW_HTTP=1", NULL };
	const char *far = OPENAI(WITH_KEY ", \"base_url\": \"http://example.com/v1\"");
	struct found f = check((struct kit_request){ .text = far }, NULL);

	(void)state;
	expect(&f, FF_R_USAGE, "--allow-http");
	f = check((struct kit_request){ .text = far }, allowed);
	expect(&f, 0, "which is not the default address of ChatOpenAI");
	f = check((struct kit_request){ .text = OPENAI(WITH_KEY ", \"base_url\": \"http://127.0.0.1:8080/v1\"") }, NULL);
	expect(&f, 0, "The key goes to http://127.0.0.1:8080");
}

static void test_strangers_and_the_operators_secrets(void **state)
{
	const char *const env[] = { "OPENAI_API_KEY=" KIT_KEY, "FAIRFORGE_CONCURRENCY=4", NULL };
	const char *const allowing[] = { "OPENAI_API_KEY=" KIT_KEY,
		                         "FAIRFORGE_ALLOWED_ORIGINS=http://127.0.0.1:8080, https://proxy.example", NULL };
	const char *own = OPENAI(), *elsewhere = OPENAI(", \"base_url\": \"https://proxy.example/v1\"");
	const char *plain = OPENAI(", \"base_url\": \"http://127.0.0.1:8080/v1\"");
	struct found f = check_as(FF_ROLE_STRANGER, (struct kit_request){ .text = own }, env);

	(void)state;
	expect(&f, 0, NULL);
	f = check_as(FF_ROLE_STRANGER, (struct kit_request){ .text = elsewhere }, env);
	expect(&f, FF_R_USAGE, "The environment's key does not go to https://proxy.example:443");
	f = check_as(FF_ROLE_STRANGER, (struct kit_request){ .text = elsewhere }, allowing);
	expect(&f, 0, NULL);
	f = check_as(FF_ROLE_STRANGER, (struct kit_request){ .text = plain }, env);
	expect(&f, FF_R_USAGE, "Only https is allowed");
	f = check_as(FF_ROLE_STRANGER, (struct kit_request){ .text = plain }, allowing);
	expect(&f, 0, NULL);
	f = check_as(FF_ROLE_STRANGER,
	             (struct kit_request){ .text = OPENAI(WITH_KEY ", \"base_url\": \"https://proxy.example/v1\"") }, NULL);
	expect(&f, 0, NULL);
}

#define TEMPLATE(params) "{\"class_path\": \"fairforge.http\", \"params\": {\"answer\": \"/a\", " params "}}"
#define ASKING(params)   "{\"connector\": " TEMPLATE(params) ", \"datasets\": [" KIT_DATASET "]}"

static void test_whose_template_may_do_what(void **state)
{
	static const char own[] = "FAIRFORGE_CONNECTOR=" TEMPLATE("\"url\": \"https://bot.example/{{env.BOT_KEY}}\"");
	const char *const env[] = { "BOT_KEY=" KIT_KEY, own, NULL };
	const char *secret = ASKING("\"url\": \"https://bot.example/\", \"headers\": {\"X-Key\": \"{{env.BOT_KEY}}\"}");
	const char *far = ASKING("\"url\": \"https://bot.example/\", \"login\": {\"url\": \"http://id.example/\"}");
	const char *plain = ASKING("\"url\": \"http://127.0.0.1:8080/\"");
	struct found f = check((struct kit_request){ .text = secret }, env);

	(void)state;
	expect(&f, 0, "warning /connector/params/url: Variables of the environment go to https://bot.example:443.");
	f = check((struct kit_request){ .text = far }, env);
	expect(&f, FF_R_USAGE, "error /connector/params/login/url: Plain http to id.example");
	f = check_as(FF_ROLE_STRANGER, (struct kit_request){ .text = secret }, env);
	expect(&f, FF_R_USAGE, "error /connector/params/headers/X-Key: {{env.BOT_KEY}} can only be used by the operator");
	f = check_as(FF_ROLE_STRANGER, (struct kit_request){ .text = far }, env);
	expect(&f, FF_R_USAGE, "error /connector/params/login/url: The login must go to the same scheme, host and port");
	f = check_as(FF_ROLE_STRANGER, (struct kit_request){ .text = plain }, env);
	expect(&f, FF_R_USAGE, "error /connector/params/url: Only https is allowed");
	f = check_as(FF_ROLE_STRANGER, (struct kit_request){ .text = "{\"datasets\": [" KIT_DATASET "]}" }, env);
	expect(&f, 0, "Variables of the environment go to https://bot.example:443");
}

static void test_strangers_lower_limits_only(void **state)
{
	const char *const env[] = { "FAIRFORGE_CONCURRENCY=4", NULL };
	const char *raising = "{\"options\": {\"concurrency\": 400}, \"connector\": {\"class_path\": "
	                      "\"langchain_openai.ChatOpenAI\", \"params\": {\"model\": "
	                      "\"m\", \"max_retries\": 50, \"api_key\": \"" KIT_KEY "\"}}, \"datasets\": [" KIT_DATASET "]}";
	struct found f = check_as(FF_ROLE_STRANGER, (struct kit_request){ .text = raising }, env);

	(void)state;
	expect(&f, 0, "warning /options/concurrency:");
	expect(&f, 0, "warning /connector/params/max_retries:");
	f = check((struct kit_request){ .text = raising }, env);
	expect(&f, 0, NULL);
	assert_null(strstr(f.text, "warning"));
}

static void test_a_payload_is_alone(void **state)
{
	struct ff_engine_options eo = kit_engine_options(NULL);
	struct ff_run_options ro = FF_INIT(struct ff_run_options);
	const char *texts[] = { "[" KIT_DATASET "]", OPENAI(WITH_KEY) };
	struct ff_input inputs[] = { { "one", texts[0], strlen(texts[0]), -1, 0 }, { "two", texts[1], strlen(texts[1]), -1, 0 } };
	struct ff_engine *engine;
	struct found f = { 0 };

	(void)state;
	assert_int_equal(ff_engine_new(&eo, &engine, NULL), 0);
	ro.inputs = inputs;
	ro.input_count = 2;
	ro.connector = "openai";
	f.code = ff_check(engine, &ro, collect, &f, &f.result);
	expect(&f, FF_R_USAGE, "This is a payload");
	f = (struct found){ 0 };
	inputs[1] = inputs[0];
	ro.model = "m";
	ro.params = &(struct ff_setting){ "api_key", KIT_KEY };
	ro.param_count = 1;
	f.code = ff_check(engine, &ro, collect, &f, &f.result);
	expect(&f, 0, NULL);
	assert_int_equal(f.result.datasets, 2);
	ro.input_count = 0;
	f.code = ff_check(engine, &ro, NULL, NULL, NULL);
	assert_int_equal(f.code, FF_R_DATA);
	assert_int_equal(ff_check(NULL, &ro, NULL, NULL, NULL), FF_R_INVAL);
	ff_engine_free(engine);
}

static void test_allowed_origins_are_bare(void **state)
{
	static const char *const more[] = { "https://a/v1", "https://a:8443/?x", "https://a#b", "https://me:secret@a",
		                            "https://a//" };
	static const char *const bare[] = { "https://a", "https://a/", "HTTP://127.0.0.1:8080", "https://[::1]:1/",
		                            " https://a , ,https://b " };
	const char *env[] = { NULL, NULL };
	struct ff_engine *engine = NULL;
	struct ff_error err = { 0 };
	char variable[200];

	(void)state;
	env[0] = variable;
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		struct ff_engine_options eo = kit_engine_options(env);

		snprintf(variable, sizeof(variable), "FAIRFORGE_ALLOWED_ORIGINS=https://ok.example,%s", more[i]);
		if (ff_engine_new(&eo, &engine, &err) != FF_R_USAGE || !strstr(err.text, "origins alone") ||
		    strstr(err.text, "secret"))
			fail_msg("%s should be refused in words of ours alone: %s", more[i], err.text);
	}
	for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++) {
		struct ff_engine_options eo = kit_engine_options(env);

		snprintf(variable, sizeof(variable), "FAIRFORGE_ALLOWED_ORIGINS=%s", bare[i]);
		if (ff_engine_new(&eo, &engine, &err))
			fail_msg("%s should be taken: %s", bare[i], err.text);
		ff_engine_free(engine);
	}
}

static void test_wrong_engine_options(void **state)
{
	const char *const env[] = { "FAIRFORGE_ALLOWED_ORIGINS=https://ok.example,not an origin", NULL };
	struct ff_engine_options eo = kit_engine_options(env);
	struct ff_engine *engine = NULL;
	struct ff_error err = { 0 };

	(void)state;
	assert_int_equal(ff_engine_new(&eo, &engine, &err), FF_R_USAGE);
	assert_non_null(strstr(err.text, "not an origin"));
	eo = kit_engine_options(NULL);
	eo.cafile = "/nonexistent/ca.pem";
	assert_int_equal(ff_engine_new(&eo, &engine, &err), FF_R_USAGE);
	assert_non_null(strstr(err.text, "/nonexistent/ca.pem"));
	eo.size = 0;
	assert_int_equal(ff_engine_new(&eo, &engine, &err), FF_R_INVAL);
	assert_null(engine);
	ff_engine_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_request),
		cmocka_unit_test(test_reference_texts),
		cmocka_unit_test(test_config_reads_its_environment),
		cmocka_unit_test(test_config_is_alquimia_runner),
		cmocka_unit_test(test_config_with_flags),
		cmocka_unit_test(test_connector_wins_over_config),
		cmocka_unit_test(test_strangers_config_and_environment_key),
		cmocka_unit_test(test_everything_at_once),
		cmocka_unit_test(test_notes_of_the_reader_are_warnings),
		cmocka_unit_test(test_unknown_params_warn_where_the_class_drops_them),
		cmocka_unit_test(test_flags_make_a_connector),
		cmocka_unit_test(test_flag_replaces_every_name_of_a_param),
		cmocka_unit_test(test_env_and_file_references),
		cmocka_unit_test(test_keys_never_get_into_sentences),
		cmocka_unit_test(test_default_connector_of_the_environment),
		cmocka_unit_test(test_wrong_environment_options_are_named),
		cmocka_unit_test(test_plain_http_needs_a_local_host_or_a_permission),
		cmocka_unit_test(test_strangers_and_the_operators_secrets),
		cmocka_unit_test(test_whose_template_may_do_what),
		cmocka_unit_test(test_strangers_lower_limits_only),
		cmocka_unit_test(test_a_payload_is_alone),
		cmocka_unit_test(test_allowed_origins_are_bare),
		cmocka_unit_test(test_wrong_engine_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
