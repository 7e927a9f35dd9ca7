/*
 * test_stranger.c: what a stranger's payload cannot do, through the public API and without sending anything but to this machine. Rules that stand in
 * tables (who may set a parameter, which option a stranger only lowers) are tested by walking the tables, so that a new row is covered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "run_kit.h"
#include "server.h"

#define EVIL     "https://evil.example"
#define PLANTED  "planted-secret-0123456789"
#define OWN_KEY  "\"api_key\": \"" KIT_KEY "\""
#define DATASETS "\"datasets\": [" KIT_DATASET "]"

struct found {
	struct ff_check_result result;
	int code;
	char text[65536]; /* "error|warning POINTER: sentence\n"... */
};

static struct found found;
static struct kit_output out;

static void collect(void *user, const struct ff_problem *p)
{
	struct found *f = user;
	size_t len = strlen(f->text);

	snprintf(f->text + len, sizeof(f->text) - len, "%s %s: %s\n", p->severity == FF_PROBLEM_ERROR ? "error" : "warning",
	         p->pointer, p->text);
}

static struct ff_engine *new_engine(const char *const *env)
{
	struct ff_engine_options eo = kit_engine_options(env);
	struct ff_engine *engine;
	struct ff_error err = { 0 };

	eo.role = FF_ROLE_STRANGER;
	if (ff_engine_new(&eo, &engine, &err))
		fail_msg("the engine should be built: %s", err.text);
	return engine;
}

static const struct found *check_request(struct kit_request *k, const char *const *env)
{
	struct ff_run_options ro = kit_run_options(k);
	struct ff_engine *engine = new_engine(env);

	memset(&found, 0, sizeof(found));
	found.code = ff_check(engine, &ro, collect, &found, &found.result);
	ff_engine_free(engine);
	if (strstr(found.text, PLANTED))
		fail_msg("a secret of the environment stands in:\n%s", found.text);
	return &found;
}

static const struct found *check(const char *text, const char *const *env)
{
	return check_request(&(struct kit_request){ .text = text }, env);
}

static void expect(const struct found *f, int code, const char *words)
{
	if (f->code != code || (words && !strstr(f->text, words)))
		fail_msg("expected code %d and \"%s\", got code %d and:\n%s", code, words ? words : "", f->code, f->text);
}

/* A payload with this connector, in a buffer that the next call uses again. */
static const char *payload(const char *class_path, const char *params)
{
	static char text[65536];
	int len = snprintf(text, sizeof(text), "{\"connector\": {\"class_path\": \"%s\", \"params\": {%s}}, " DATASETS "}",
	                   class_path, params);

	assert_true(len > 0 && (size_t)len < sizeof(text));
	return text;
}

#define OPENAI "langchain_openai.chat_models.ChatOpenAI"
#define GROQ   "langchain_groq.ChatGroq"
#define GEMINI "langchain_google_genai.ChatGoogleGenerativeAI"
#define OLLAMA "langchain_ollama.ChatOllama"
#define ALQ    "fair_forge.runners.AlquimiaRunner"
#define HTTP   "fairforge.http"

/* ---- whose secrets go where ---- */

/* What each variable holds alone; the payload names another address and brings what the class needs otherwise. */
static void test_no_secret_of_the_environment_goes_to_a_strangers_address(void **state)
{
	static const struct {
		const char *class_path, *params, *env;
	} cases[] = {
		{ OPENAI, "\"model\": \"m\", \"base_url\": \"" EVIL "\"", "OPENAI_API_KEY=" PLANTED },
		{ OPENAI, "\"model\": \"m\", \"base_url\": \"" EVIL "\"", "LLM_API_KEY=" PLANTED },
		{ OPENAI, "\"model\": \"m\", \"base_url\": \"" EVIL "\", \"api_key\": \"\"", "LLM_API_KEY=" PLANTED },
		{ OPENAI, "\"model\": \"m\", \"base_url\": \"" EVIL "\", \"api_key\": null", "OPENAI_API_KEY=" PLANTED },
		{ OPENAI, "\"model\": \"m\", \"openai_api_base\": \"" EVIL "\"", "OPENAI_API_KEY=" PLANTED },
		{ OPENAI, "\"model\": \"m\", \"model_kwargs\": {\"base_url\": \"" EVIL "\"}", "OPENAI_API_KEY=" PLANTED },
		{ OPENAI, "\"model\": \"m\", \"base_url\": \"https://api.openai.com:443@evil.example/v1\"",
		  "OPENAI_API_KEY=" PLANTED },
		{ OPENAI, "\"model\": \"m\", \"base_url\": \"https://api.openai.com.evil.example/v1\"", "OPENAI_API_KEY=" PLANTED },
		{ OPENAI, "\"model\": \"m\", \"base_url\": \"https://evil.example/https://api.openai.com/v1\"",
		  "OPENAI_API_KEY=" PLANTED },
		{ OPENAI, "\"model\": \"m\", \"base_url\": \"https://evil.example#@api.openai.com/v1\"",
		  "OPENAI_API_KEY=" PLANTED },
		{ OPENAI, "\"model\": \"m\", \"base_url\": \"https://evil.example?@api.openai.com/v1\"",
		  "OPENAI_API_KEY=" PLANTED },
		{ OPENAI, "\"model\": \"m\", \"base_url\": \"https://api.openai.com:8443/v1\"", "OPENAI_API_KEY=" PLANTED },
		{ OPENAI, "\"model\": \"m\", \"base_url\": \"https://api.openai.com./v1\"", "OPENAI_API_KEY=" PLANTED },
		{ GROQ, "\"model\": \"m\", \"base_url\": \"" EVIL "\"", "GROQ_API_KEY=" PLANTED },
		{ GROQ, "\"model\": \"m\", \"groq_api_base\": \"" EVIL "\"", "LLM_API_KEY=" PLANTED },
		{ GEMINI, "\"model\": \"m\", \"base_url\": \"" EVIL "\"", "GOOGLE_API_KEY=" PLANTED },
		{ GEMINI, "\"model\": \"m\", \"client_options\": {\"api_endpoint\": \"" EVIL "\"}", "GEMINI_API_KEY=" PLANTED },
		{ GEMINI, "\"model\": \"m\", \"model_kwargs\": {\"base_url\": \"" EVIL "\"}", "LLM_API_KEY=" PLANTED },
		{ OLLAMA, "\"model\": \"m\", \"base_url\": \"" EVIL "\"", "OLLAMA_API_KEY=" PLANTED },
		{ ALQ, "\"base_url\": \"" EVIL "\", \"agent_id\": 1, \"channel_id\": 2", "ALQUIMIA_API_KEY=" PLANTED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *env[] = { cases[i].env, NULL };

		expect(check(payload(cases[i].class_path, cases[i].params), env), FF_R_USAGE,
		       "The environment's key does not go to http");
	}
}

static void test_the_environments_key_goes_to_its_provider_and_to_the_operators_places(void **state)
{
	static const struct {
		const char *class_path, *params, *origin, *env[3];
	} cases[] = {
		{ OPENAI, "\"model\": \"m\"", "https://api.openai.com:443", { "OPENAI_API_KEY=" PLANTED } },
		{ OPENAI,
		  "\"model\": \"m\", \"base_url\": \"https://API.openai.com/v1/\"",
		  "https://api.openai.com:443",
		  { "OPENAI_API_KEY=" PLANTED } },
		{ OPENAI,
		  "\"model\": \"m\"",
		  "https://gateway.example:443",
		  { "OPENAI_API_KEY=" PLANTED, "OPENAI_BASE_URL=https://gateway.example/v1" } },
		{ OPENAI,
		  "\"model\": \"m\", \"base_url\": \"https://gateway.example/v1\"",
		  "https://gateway.example:443",
		  { "OPENAI_API_KEY=" PLANTED, "FAIRFORGE_ALLOWED_ORIGINS=https://gateway.example" } },
		{ GEMINI, "\"model\": \"m\"", "https://generativelanguage.googleapis.com:443", { "LLM_API_KEY=" PLANTED } },
		{ GEMINI,
		  "\"model\": \"m\", \"base_url\": \"https://generativelanguage.googleapis.com\"",
		  "https://generativelanguage.googleapis.com:443",
		  { "LLM_API_KEY=" PLANTED } },
		{ ALQ,
		  "\"agent_id\": 1, \"channel_id\": 2",
		  "https://alquimia.example:443",
		  { "ALQUIMIA_API_KEY=" PLANTED, "ALQUIMIA_BASE_URL=https://alquimia.example" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct found *f = check(payload(cases[i].class_path, cases[i].params), cases[i].env);

		expect(f, 0, NULL);
		assert_string_equal(f->result.origin, cases[i].origin);
	}
}

/* Organisation, project and custom headers belong to the operator's account: a stranger with an own key gets none of them, wherever it goes. */
static void test_a_strangers_own_account_gets_nothing_of_the_environment(void **state)
{
	static const char *const env[] = { "OPENAI_ORG_ID=" PLANTED, "OPENAI_PROJECT_ID=" PLANTED,
		                           "OPENAI_CUSTOM_HEADERS=X-Gateway-Key: " PLANTED, NULL };

	(void)state;
	expect(check(payload(OPENAI, "\"model\": \"m\", " OWN_KEY ", \"base_url\": \"" EVIL "\""), env), 0, NULL);
	expect(check(payload(OPENAI, "\"model\": \"m\", " OWN_KEY), env), 0, NULL);
}

static void test_the_operators_connector_is_the_operators_place(void **state)
{
	static const char connector[] = "FAIRFORGE_CONNECTOR={\"class_path\": \"" OPENAI "\", \"params\": {\"model\": \"m\", "
	                                "\"base_url\": \"https://gateway.example/v1\"}}";
	const char *const env[] = { "OPENAI_API_KEY=" PLANTED, connector, NULL };

	(void)state;
	expect(check("{" DATASETS "}", env), 0, NULL);
	assert_string_equal(found.result.origin, "https://gateway.example:443");
	/* A payload's own connector is not mixed with it. */
	expect(check("{\"connector\": {\"params\": {\"model\": \"other\"}}, " DATASETS "}", env), FF_R_USAGE,
	       "connector.class_path is required");
	expect(check(payload(OPENAI, "\"model\": \"m\", \"base_url\": \"" EVIL "\""), env), FF_R_USAGE,
	       "The environment's key does not go to " EVIL);
}

/* What an embedder passes as params is the operator's as well. */
static void test_the_embedders_params_do_not_go_to_a_strangers_address(void **state)
{
	struct kit_request k = { .text = payload(OPENAI, "\"model\": \"m\", \"base_url\": \"" EVIL "\""),
		                 .params = { { "api_key", PLANTED } } };

	(void)state;
	expect(check_request(&k, NULL), FF_R_USAGE, "does not go to " EVIL);
	k = (struct kit_request){ .text = payload(OPENAI, "\"model\": \"m\", " OWN_KEY ", \"base_url\": \"" EVIL "\""),
		                  .params = { { "default_headers", "{\"Authorization\": \"Bearer " PLANTED "\"}" } } };
	expect(check_request(&k, NULL), FF_R_USAGE, "does not go to " EVIL);
	k = (struct kit_request){ .text = payload(OPENAI, "\"model\": \"m\""), .params = { { "api_key", PLANTED } } };
	expect(check_request(&k, NULL), 0, NULL);
}

/* With the operator's address or key, a stranger asks agents and nothing else there. */
static void test_alquimias_paths_lead_nowhere_else(void **state)
{
	static const char *const env[] = { "ALQUIMIA_API_KEY=" PLANTED, "ALQUIMIA_BASE_URL=https://alquimia.example/api/", NULL };
	static const char *const wrong[] = {
		"\"agent_id\": \"../../../admin\", \"channel_id\": 2",
		"\"agent_id\": \"a\", \"channel_id\": \"%2e%2E/x\"",
		"\"agent_id\": \"a?/../../x\", \"channel_id\": 1",
		"\"agent_id\": \"a\\u0000/../../x\", \"channel_id\": 1",
		"\"agent_id\": \".\", \"channel_id\": 1",
		"\"agent_id\": 1, \"channel_id\": 2, \"api_version\": \"../admin\"",
		"\"agent_id\": 1, \"channel_id\": 2, \"api_version\": \"/admin\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect(check(payload(ALQ, wrong[i]), env), FF_R_USAGE, "lead to another address of the service");
	expect(check(payload(ALQ, "\"agent_id\": \"a/b\", \"channel_id\": 2, \"api_version\": \"v1\""), env), 0, NULL);
	expect(check(payload(ALQ, "\"base_url\": \"https://own.example\", " OWN_KEY ", \"agent_id\": \"../x\", \"channel_id\": 2"),
	             NULL),
	       0, NULL);
}

/* ---- where a payload may go ---- */

static void test_only_https(void **state)
{
	static const char *const urls[] = { "http://api.openai.com/v1", "http://127.0.0.1:9001/v1", "http://169.254.169.254/latest",
		                            "http://localhost/v1", "HTTP://10.0.0.1/v1" };
	static const char *const others[] = { "file:///proc/self/environ",
		                              "ftp://x/",
		                              "gopher://127.0.0.1:9001/",
		                              "//evil.example/",
		                              "unix:///run/x",
		                              "https:///x",
		                              "https://a b/",
		                              "https://a\\\\@b/",
		                              "https://[::1/",
		                              "https://x:99999/",
		                              "https://x:0/" };
	char params[256];

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		snprintf(params, sizeof(params), "\"model\": \"m\", " OWN_KEY ", \"base_url\": \"%s\"", urls[i]);
		expect(check(payload(OPENAI, params), NULL), FF_R_USAGE,
		       "error /connector/params/base_url: Only https is allowed here");
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		snprintf(params, sizeof(params), "\"model\": \"m\", " OWN_KEY ", \"base_url\": \"%s\"", others[i]);
		expect(check(payload(OPENAI, params), NULL), FF_R_USAGE, "error /connector/params/base_url:");
	}
	/* Ollama's default is this machine: not for strangers, unless the operator says so. */
	expect(check(payload(OLLAMA, "\"model\": \"m\""), NULL), FF_R_USAGE, "Only https is allowed here");
	expect(check(payload(OLLAMA, "\"model\": \"m\""),
	             (const char *const[]){ "FAIRFORGE_ALLOWED_ORIGINS=http://127.0.0.1:11434", NULL }),
	       0, NULL);
	/* FAIRFORGE_ALLOW_HTTP is for the command line. */
	expect(check(payload(OLLAMA, "\"model\": \"m\""), (const char *const[]){ "FAIRFORGE_ALLOW_HTTP=1", NULL }), FF_R_USAGE,
	       "Only https is allowed here");
}

/* A proxy resolves names itself, so that no address can be checked here. */
static void test_with_a_proxy_an_allow_list_is_required(void **state)
{
	static const char *const env[] = { "OPENAI_PROXY=http://user:" PLANTED "@proxy.example:3128", NULL };
	static const char *const listed[] = { "OPENAI_PROXY=http://user:" PLANTED "@proxy.example:3128",
		                              "FAIRFORGE_ALLOWED_ORIGINS=https://api.openai.com", NULL };

	(void)state;
	expect(check(payload(OPENAI, "\"model\": \"m\", " OWN_KEY), env), FF_R_USAGE,
	       "With a proxy configured, FAIRFORGE_ALLOWED_ORIGINS must say where requests may go.");
	expect(check(payload(OPENAI, "\"model\": \"m\", " OWN_KEY), listed), 0, NULL);
}

/* ---- what a payload may name ---- */

/* Nothing is ever loaded by a name from a payload, and no member of it names code. */
static void test_class_path_is_looked_up_and_nothing_else(void **state)
{
	static const char *const paths[] = { "subprocess.Popen",
		                             "os.system",
		                             "builtins.eval",
		                             "../../evil.so",
		                             "/tmp/evil.so",
		                             "openai",
		                             "ChatOpenAI",
		                             "langchain_openai.chat_models.ChatOpenAI.",
		                             "" };
	static const char *const members[] = { "plugin", "worker", "worker_env", "python", "python_runner", "runner" };

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct found *f = check(payload(paths[i], "\"model\": \"m\", " OWN_KEY), NULL);

		if (f->code != FF_R_USAGE)
			fail_msg("class_path \"%s\" should be refused, got code %d and:\n%s", paths[i], f->code, f->text);
	}
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		char text[1024];

		snprintf(text, sizeof(text),
		         "{\"options\": {\"%s\": \"/bin/sh\"}, \"connector\": {\"class_path\": \"" OPENAI
		         "\", \"params\": {\"model\": \"m\", " OWN_KEY "}}, " DATASETS "}",
		         members[i]);
		if (check(text, NULL)->code == 0)
			fail_msg("the option \"%s\" should be refused", members[i]);
	}
}

/* A value that would do for the row's type. */
static const char *sample(const char *type)
{
	static const struct {
		const char *type, *value;
	} samples[] = { { "integer", "1" },
		        { "number", "1" },
		        { "boolean", "true" },
		        { "seconds", "1" },
		        { "list", "[]" },
		        { "object", "{}" },
		        { "any", "\"x\"" },
		        { "string", "\"http://x:1\"" },
		        { "object of strings", "{}" } };

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		if (!strcmp(samples[i].type, type))
			return samples[i].value;
	return "\"x\"";
}

static void test_every_operators_param_is_refused(void **state)
{
	size_t tested = 0;

	(void)state;
	for (size_t c = 0; c < ff_connector_count(); c++) {
		struct ff_connector_info info;

		assert_int_equal(ff_connector_at(c, &info), 0);
		for (size_t i = 0; i < info.param_count; i++) {
			struct ff_param_info p;
			char params[256], words[160];

			assert_int_equal(ff_connector_param(c, i, &p), 0);
			if (!strcmp(p.setter, "anyone"))
				continue;
			assert_string_equal(p.setter, "operator");
			snprintf(params, sizeof(params), "\"model\": \"m\", " OWN_KEY ", \"%s\": %s", p.name, sample(p.type));
			snprintf(words, sizeof(words), "%s can only be set by the operator of this service", p.name);
			expect(check(payload(info.class_paths[0], params), NULL), FF_R_USAGE, words);
			tested++;
		}
	}
	assert_true(tested > 0);
}

/* Arguments of the HTTP clients are tables of their own, wherever they stand. */
static void test_tls_files_and_proxies_are_the_operators(void **state)
{
	static const char *const holders[][2] = { { OLLAMA, "client_kwargs" },
		                                  { OLLAMA, "async_client_kwargs" },
		                                  { OLLAMA, "sync_client_kwargs" },
		                                  { GEMINI, "client_args" } };
	static const char *const args[] = { "\"verify\": false",   "\"verify\": \"/etc/passwd\"",
		                            "\"verify\": 0",       "\"proxy\": \"http://127.0.0.1:9001\"",
		                            "\"trust_env\": true", "\"cert\": \"/x\"" };
	char params[512];

	(void)state;
	for (size_t h = 0; h < sizeof(holders) / sizeof(holders[0]); h++) {
		for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
			snprintf(params, sizeof(params), "\"model\": \"m\", \"base_url\": \"https://x.example\", \"%s\": {%s}",
			         holders[h][1], args[i]);
			expect(check(payload(holders[h][0], params), NULL), FF_R_USAGE,
			       "can only be set by the operator of this service");
		}
	}
	expect(check(payload(GROQ, "\"model\": \"m\", " OWN_KEY ", \"model_kwargs\": {\"groq_proxy\": \"http://127.0.0.1:1\"}"),
	             NULL),
	       FF_R_USAGE, NULL);
	expect(check(payload(OPENAI, "\"model\": \"m\", " OWN_KEY ", \"model_kwargs\": {\"openai_proxy\": \"http://127.0.0.1:1\"}"),
	             NULL),
	       FF_R_USAGE, "can only be set by the operator of this service");
}

/* "env:" and "file:" are a way of typing flags: in a payload they are text like any other. */
static void test_a_payload_names_no_variable_and_no_file(void **state)
{
	static const char *const env[] = { "BOT_KEY=" PLANTED, NULL };
	struct kit_request k = { .text = payload(OPENAI, "\"model\": \"m\""), .params = { { "api_key", "env:BOT_KEY" } } };

	(void)state;
	expect(check(payload(OPENAI, "\"model\": \"m\", \"api_key\": \"env:BOT_KEY\""), env), 0, NULL);
	expect(check(payload(OPENAI, "\"model\": \"env:BOT_KEY\", \"api_key\": \"file:/proc/self/environ\""), env), 0, NULL);
	expect(check_request(&k, env), FF_R_USAGE, "Only an operator may name a file or an environment variable.");
	k.params[0].value = "file:/proc/self/environ";
	expect(check_request(&k, env), FF_R_USAGE, "Only an operator may name a file or an environment variable.");
	expect(check(payload(HTTP, "\"url\": \"https://x.example/{{env.BOT_KEY}}\", \"answer\": \"\""), env), FF_R_USAGE,
	       "can only be used by the operator");
	expect(check(payload(HTTP, "\"url\": \"https://x.example/\", \"answer\": \"\", \"body\": {\"a\": [\"{{ env.BOT_KEY | json "
	                           "}}\"]}"),
	             env),
	       FF_R_USAGE, "can only be used by the operator");
}

/* ---- headers ---- */

static void test_header_injection(void **state)
{
	static const char *const values[] = { "a\\r\\nX: y", "a\\nb", "a\\rb", "a\\u0000b" };
	static const char *const names[] = {
		"X\\r\\nY", "X Y", "X:Y", "", "Content-Length", "transfer-encoding", "Connection", "TE", "Upgrade", "expect", "Host"
	};
	char params[512];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const char *const places[][2] = {
			{ OPENAI, "\"model\": \"m\", " OWN_KEY ", \"default_headers\": {\"X-A\": \"%s\"}" },
			{ OPENAI, "\"model\": \"m\", " OWN_KEY ", \"extra_headers\": {\"X-A\": \"%s\"}" },
			{ OPENAI, "\"model\": \"m\", " OWN_KEY ", \"organization\": \"%s\"" },
			{ OPENAI, "\"model\": \"m\", \"api_key\": \"%s\"" },
			{ GROQ, "\"model\": \"m\", \"api_key\": \"%s\"" },
			{ GROQ, "\"model\": \"m\", " OWN_KEY ", \"default_headers\": {\"X-A\": \"%s\"}" },
			{ GEMINI, "\"model\": \"m\", \"api_key\": \"%s\"" },
			{ GEMINI, "\"model\": \"m\", " OWN_KEY ", \"additional_headers\": {\"X-A\": \"%s\"}" },
			{ GEMINI, "\"model\": \"m\", " OWN_KEY ", \"client_args\": {\"cookies\": {\"a\": \"%s\"}}" },
			{ OLLAMA,
			  "\"model\": \"m\", \"base_url\": \"https://x\", \"client_kwargs\": {\"headers\": {\"X-A\": \"%s\"}}" },
			{ OLLAMA,
			  "\"model\": \"m\", \"base_url\": \"https://x\", \"client_kwargs\": {\"cookies\": {\"a\": \"%s\"}}" },
			{ ALQ, "\"base_url\": \"https://x\", \"agent_id\": 1, \"channel_id\": 1, \"api_key\": \"%s\"" },
			{ HTTP, "\"url\": \"https://x\", \"answer\": \"\", \"headers\": {\"X-A\": \"%s\"}" },
		};

		for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
			const char *mark = strstr(places[p][1], "%s");

			snprintf(params, sizeof(params), "%.*s%s%s", (int)(mark - places[p][1]), places[p][1], values[i], mark + 2);
			if (check(payload(places[p][0], params), NULL)->code != FF_R_USAGE)
				fail_msg("this should be refused: %s\n%s", params, found.text);
		}
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(params, sizeof(params), "\"model\": \"m\", " OWN_KEY ", \"default_headers\": {\"%s\": \"v\"}", names[i]);
		expect(check(payload(OPENAI, params), NULL), FF_R_USAGE, "The header cannot be sent");
		snprintf(params, sizeof(params), "\"url\": \"https://x\", \"answer\": \"\", \"headers\": {\"%s\": \"v\"}",
		         names[i]);
		expect(check(payload(HTTP, params), NULL), FF_R_USAGE, "The header cannot be sent");
	}
}

/* ---- limits ---- */

/* A value that asks for the most, for every option that is a limit. */
static const char *most(const char *key)
{
	if (!strcmp(key, "concurrency"))
		return "100000";
	if (strstr(key, "_ms"))
		return "0"; /* no limit at all */
	return !strcmp(key, "max_retries") ? "1000" : NULL;
}

static const char *least(const char *key)
{
	return !strcmp(key, "max_retries") ? "0" : "1";
}

/* Each option as limit, as flag of an embedder and as environment, against a payload that wants more of it. */
static void test_every_limit_is_lowered_never_raised(void **state)
{
	static const char *const choices[] = { "order", "stream", "http_version", NULL }; /* no limits: anybody's */
	size_t limits = 0;

	(void)state;
	for (size_t i = 0; i < ff_option_count(); i++) {
		struct ff_option_info o;
		char text[1024], variable[128], words[128];
		const char *env[] = { variable, NULL };
		size_t c = 0;

		assert_int_equal(ff_option_at(i, &o), 0);
		while (choices[c] && strcmp(choices[c], o.key) != 0)
			c++;
		if (choices[c])
			continue;
		assert_true(o.stranger_lowers);
		if (!most(o.key))
			fail_msg("the option %s is neither a limit nor a choice here: say how a stranger could raise it", o.key);
		snprintf(text, sizeof(text),
		         "{\"options\": {\"%s\": %s}, \"connector\": {\"class_path\": \"" OPENAI
		         "\", \"params\": {\"model\": \"m\", " OWN_KEY "}}, " DATASETS "}",
		         o.key, most(o.key));
		snprintf(words, sizeof(words), "warning /options/%s: The option \"%s\" was lowered", o.key, o.key);
		snprintf(variable, sizeof(variable), "FAIRFORGE_%s=%s", o.key, least(o.key));
		for (char *p = variable; *p != '='; p++)
			*p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
		expect(check(text, env), 0, words);
		struct kit_request k = { .text = text, .options = { { o.key, least(o.key) } } };
		expect(check_request(&k, NULL), 0, words);
		limits++;
	}
	assert_true(limits >= 6);
}

static void test_params_that_are_limits(void **state)
{
	static const char *const env[] = { "FAIRFORGE_MAX_RETRIES=1", NULL };

	(void)state;
	expect(check(payload(OPENAI, "\"model\": \"m\", " OWN_KEY ", \"max_retries\": 50"), env), 0,
	       "warning /connector/params/max_retries: More than 1 extra attempts are not given here.");
	expect(check(payload(GEMINI, "\"model\": \"m\", " OWN_KEY), NULL), 0, NULL);
	assert_null(strstr(found.text, "max_retries")); /* what the class does unasked is no wish of the payload */
	expect(check(payload(GEMINI, "\"model\": \"m\", " OWN_KEY ", \"max_retries\": 50"), NULL), 0,
	       "warning /connector/params/max_retries: More than 5 extra attempts");
	expect(check(payload(OPENAI, "\"model\": \"m\", " OWN_KEY ", \"timeout\": 86400"), NULL), 0,
	       "warning /connector/params/timeout: A timeout of more than 600000 ms is not given here.");
	expect(check(payload(OPENAI, "\"model\": \"m\", " OWN_KEY ", \"streaming\": true, \"stream_chunk_timeout\": 86400"), NULL),
	       0, "warning /connector/params/stream_chunk_timeout: A silence of more than 600000 ms is not given here.");
	expect(check(payload(OLLAMA, "\"model\": \"m\", \"base_url\": \"https://x\", \"client_kwargs\": {\"timeout\": 86400}"),
	             NULL),
	       0, "A timeout of more than 600000 ms");
}

static char *repeated(const char *head, const char *format, unsigned count, const char *tail)
{
	size_t room = strlen(head) + strlen(tail) + (size_t)count * (strlen(format) + 12) + 16, len;
	char *text = malloc(room);

	assert_non_null(text);
	len = (size_t)snprintf(text, room, "%s", head);
	for (unsigned i = 0; i < count; i++) {
		const char *mark = strstr(format, "%u");

		len += (size_t)snprintf(text + len, room - len, "%s%.*s%u%s", i ? "," : "", (int)(mark - format), format, i,
		                        mark + 2);
	}
	snprintf(text + len, room - len, "%s", tail);
	return text;
}

/* Time that grows with the square of a connector's size is kept out by its size: a hundred thousand headers are refused before they are read. */
static void test_a_connector_is_of_a_size(void **state)
{
	static const char *const heads[] = {
		"{\"connector\": {\"class_path\": \"" OPENAI "\", \"params\": {\"model\": \"m\", " OWN_KEY
		", \"default_headers\": {",
		"{\"connector\": {\"class_path\": \"" OPENAI "\", \"params\": {\"model\": \"m\", " OWN_KEY ", \"model_kwargs\": {",
		"{\"connector\": {\"class_path\": \"" GEMINI "\", \"params\": {\"model\": \"m\", " OWN_KEY ", \"model_kwargs\": {",
		"{\"connector\": {\"class_path\": \"" HTTP
		"\", \"params\": {\"url\": \"https://x\", \"answer\": \"\", \"headers\": {",
	};
	static const char config_head[] = "{\"config\": {\"base_url\": \"https://x\", \"nested\": {";

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		char *text = repeated(heads[i], "\"X-Token-%u\": \"aaaaaaaaaa\"", 100000, "}}}, " DATASETS "}");

		expect(check(text, NULL), FF_R_USAGE, "A connector of more than 4096 values is not taken here.");
		free(text);
	}
	char *config = repeated(config_head, "\"k%u\": 1", 100000, "}}, " DATASETS "}");
	assert_int_equal(check(config, NULL)->code, FF_R_USAGE);
	free(config);
	char *secrets = repeated(heads[0], "\"X-Token-%u\": \"aaaaaaaaaa\"", 70, "}}}, " DATASETS "}");
	expect(check(secrets, NULL), FF_R_USAGE, "more than 64 secret headers");
	free(secrets);
	char *letters = calloc(1, (2 << 20) + 1), *long_text = malloc((2 << 20) + 1024);
	assert_true(letters && long_text);
	memset(letters, 'a', 2 << 20);
	snprintf(long_text, (2 << 20) + 1024,
	         "{" DATASETS ", \"connector\": {\"class_path\": \"" OPENAI "\", \"params\": {\"model\": \"%s\"}}}", letters);
	expect(check(long_text, NULL), FF_R_USAGE, "A connector of more than 1048576 bytes is not taken here.");
	free(letters);
	free(long_text);
}

static void test_caps_on_datasets_and_batches(void **state)
{
	char *text = repeated("{\"datasets\": [",
	                      "{\"session_id\": \"s%u\", \"assistant_id\": \"a\", \"context\": \"\", \"conversation\": [" KIT_BATCH
	                      ", " KIT_BATCH "]}",
	                      5, "]}");
	static const struct {
		size_t datasets, batches;
		int code;
	} cases[] = { { 5, 10, FF_R_USAGE }, { 4, 10, FF_R_TOOBIG }, { 5, 9, FF_R_TOOBIG }, { 0, 0, FF_R_USAGE } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kit_request k = { .text = text };
		struct ff_run_options ro = kit_run_options(&k);
		struct ff_engine *engine = new_engine(NULL);
		struct ff_error err = { 0 };
		struct ff_run *run = NULL;
		struct ff_output output = kit_output(&out, FF_OUTPUT_RESPONSE);

		ro.max_datasets = cases[i].datasets;
		ro.max_batches = cases[i].batches;
		ro.outputs = &output;
		ro.output_count = 1;
		assert_int_equal(ff_run_start(engine, &ro, &run, &err), cases[i].code); /* within the caps: no connector */
		assert_non_null(strstr(out.text, "\"success\":"));
		ff_engine_free(engine);
	}
	free(text);
}

/* ---- runs side by side ---- */

/* A stranger's key that is a common word masks that stranger's own text alone. */
static void test_one_strangers_key_does_not_mask_anothers_text(void **state)
{
	char allowed[128], params[512], *texts[2];
	const char *env[] = { allowed, NULL };
	static struct kit_output second_out;
	struct ff_output outputs[2];
	struct kit_request requests[2];
	struct ff_run *runs[2];
	struct ff_engine *engine;
	struct ff_error err = { 0 };
	struct server s;

	(void)state;
	server_start(&s, SERVER_REFUSES);
	snprintf(allowed, sizeof(allowed), "FAIRFORGE_ALLOWED_ORIGINS=http://127.0.0.1:%u", s.port);
	engine = new_engine(env);
	snprintf(params, sizeof(params), "\"model\": \"m\", \"base_url\": \"%s\", \"api_key\": \"wrong key\"", s.base_url);
	texts[0] = strdup(payload(OPENAI, params));
	snprintf(params, sizeof(params), "\"model\": \"m\", \"base_url\": \"%s\", " OWN_KEY, s.base_url);
	texts[1] = strdup(payload(OPENAI, params));
	assert_true(texts[0] && texts[1]);
	requests[0] = (struct kit_request){ .text = texts[0] };
	requests[1] = (struct kit_request){ .text = texts[1] };
	outputs[0] = kit_output(&out, FF_OUTPUT_RESPONSE);
	outputs[1] = kit_output(&second_out, FF_OUTPUT_RESPONSE);
	for (int i = 0; i < 2; i++) {
		struct ff_run_options ro = kit_run_options(&requests[i]);

		ro.outputs = &outputs[i];
		ro.output_count = 1;
		if (ff_run_start(engine, &ro, &runs[i], &err))
			fail_msg("the run should start: %s", err.text);
	}
	while (!ff_run_done(runs[0]) || !ff_run_done(runs[1]))
		assert_int_equal(ff_engine_wait(engine, -1), 0);
	assert_non_null(strstr(out.text, "[REDACTED]!!"));
	assert_null(strstr(out.text, "wrong key"));
	assert_non_null(strstr(second_out.text, "wrong key!!"));
	ff_run_free(runs[0]);
	ff_run_free(runs[1]);
	ff_engine_free(engine);
	server_stop(&s);
	free(texts[0]);
	free(texts[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_secret_of_the_environment_goes_to_a_strangers_address),
		cmocka_unit_test(test_the_environments_key_goes_to_its_provider_and_to_the_operators_places),
		cmocka_unit_test(test_a_strangers_own_account_gets_nothing_of_the_environment),
		cmocka_unit_test(test_the_operators_connector_is_the_operators_place),
		cmocka_unit_test(test_the_embedders_params_do_not_go_to_a_strangers_address),
		cmocka_unit_test(test_alquimias_paths_lead_nowhere_else),
		cmocka_unit_test(test_only_https),
		cmocka_unit_test(test_with_a_proxy_an_allow_list_is_required),
		cmocka_unit_test(test_class_path_is_looked_up_and_nothing_else),
		cmocka_unit_test(test_every_operators_param_is_refused),
		cmocka_unit_test(test_tls_files_and_proxies_are_the_operators),
		cmocka_unit_test(test_a_payload_names_no_variable_and_no_file),
		cmocka_unit_test(test_header_injection),
		cmocka_unit_test(test_every_limit_is_lowered_never_raised),
		cmocka_unit_test(test_params_that_are_limits),
		cmocka_unit_test(test_a_connector_is_of_a_size),
		cmocka_unit_test(test_caps_on_datasets_and_batches),
		cmocka_unit_test(test_one_strangers_key_does_not_mask_anothers_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
