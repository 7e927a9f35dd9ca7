/* test_mock_route.c: every path of the five protocols, what is none, wrong methods, and whose shape a 404 has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "front/mock/route.h"

struct expectation {
	const char *method, *path;
	enum proto proto;
	enum endpoint endpoint;
	const char *id;
};

static void check(const struct expectation *e, bool google)
{
	struct route r = route_find(str_from(e->method), str_from(e->path), google);

	if (r.proto != e->proto || r.endpoint != e->endpoint || !str_eq(r.id, str_from(e->id)))
		fail_msg("%s %s: protocol %d endpoint %d id \"%.*s\"; expected %d, %d, \"%s\"", e->method, e->path, r.proto,
		         r.endpoint, STR_ARG(r.id), e->proto, e->endpoint, e->id);
}

static void test_paths(void **state)
{
	static const struct expectation all[] = {
		{ "POST", "/v1/chat/completions", PROTO_OPENAI, EP_CHAT, "" },
		{ "POST", "/chat/completions", PROTO_OPENAI, EP_CHAT, "" },
		{ "POST", "/v1/responses", PROTO_OPENAI, EP_RESPONSES, "" },
		{ "POST", "/responses", PROTO_OPENAI, EP_RESPONSES, "" },
		{ "GET", "/v1/models", PROTO_OPENAI, EP_MODELS, "" },
		{ "HEAD", "/v1/models", PROTO_OPENAI, EP_MODELS, "" },
		{ "GET", "/v1/models/org/name", PROTO_OPENAI, EP_MODEL, "org/name" },
		{ "GET", "/models/x", PROTO_OPENAI, EP_MODEL, "x" },
		{ "POST", "/openai/v1/chat/completions", PROTO_GROQ, EP_CHAT, "" },
		{ "GET", "/openai/v1/models", PROTO_GROQ, EP_MODELS, "" },
		{ "GET", "/openai/v1/models/a/b", PROTO_GROQ, EP_MODEL, "a/b" },
		{ "POST", "/v1beta/models/gemini-2.5-flash:generateContent", PROTO_GEMINI, EP_GENERATE, "gemini-2.5-flash" },
		{ "POST", "/v1/models/gemini-2.5-flash:generateContent", PROTO_GEMINI, EP_GENERATE, "gemini-2.5-flash" },
		{ "POST", "/v1beta/models/m:streamGenerateContent", PROTO_GEMINI, EP_GENERATE_SSE, "m" },
		{ "POST", "/v1/models/m:streamGenerateContent", PROTO_GEMINI, EP_GENERATE_SSE, "m" },
		{ "POST", "/v1beta/tunedModels/t:generateContent", PROTO_GEMINI, EP_GENERATE, "t" },
		{ "GET", "/v1beta/models", PROTO_GEMINI, EP_MODELS, "" },
		{ "GET", "/v1beta/models/m", PROTO_GEMINI, EP_MODEL, "m" },
		{ "POST", "/api/chat", PROTO_OLLAMA, EP_OLLAMA_CHAT, "" },
		{ "GET", "/api/tags", PROTO_OLLAMA, EP_TAGS, "" },
		{ "GET", "/api/version", PROTO_OLLAMA, EP_VERSION, "" },
		{ "POST", "/api/show", PROTO_OLLAMA, EP_SHOW, "" },
		{ "GET", "/", PROTO_OLLAMA, EP_ROOT, "" },
		{ "POST", "/event/infer/chan/agent", PROTO_ALQUIMIA, EP_INFER, "agent" },
		{ "POST", "/v1/event/infer/chan%2Fnel/agent", PROTO_ALQUIMIA, EP_INFER, "agent" },
		{ "GET", "/event/stream/st-1", PROTO_ALQUIMIA, EP_EVENTS, "st-1" },
		{ "GET", "/v2/event/stream/st-1", PROTO_ALQUIMIA, EP_EVENTS, "st-1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		check(&all[i], false);
}

static void test_google(void **state)
{
	(void)state;
	check(&(struct expectation){ "GET", "/v1/models", PROTO_GEMINI, EP_MODELS, "" }, true);
	check(&(struct expectation){ "GET", "/v1/models/gemini-x", PROTO_GEMINI, EP_MODEL, "gemini-x" }, true);
	check(&(struct expectation){ "POST", "/v1/chat/completions", PROTO_OPENAI, EP_CHAT, "" }, true);
	check(&(struct expectation){ "GET", "/nope", PROTO_GEMINI, EP_NONE, "" }, true);
}

static void test_nothing_there(void **state)
{
	static const struct expectation all[] = {
		{ "GET", "", PROTO_OPENAI, EP_NONE, "" },
		{ "POST", "/v1/chat/completions/", PROTO_OPENAI, EP_NONE, "" },
		{ "POST", "/v1//chat/completions", PROTO_OPENAI, EP_NONE, "" },
		{ "POST", "/v1/embeddings", PROTO_OPENAI, EP_NONE, "" },
		{ "GET", "/v1/models/", PROTO_OPENAI, EP_NONE, "" },
		{ "POST", "/openai/v1/openai/v1/chat/completions", PROTO_GROQ, EP_NONE, "" },
		{ "POST", "/v1beta/models/:generateContent", PROTO_GEMINI, EP_NONE, "" },
		{ "POST", "/v1beta/models/a/b:generateContent", PROTO_GEMINI, EP_NONE, "" },
		{ "POST", "/v2/models/a:generateContent", PROTO_GEMINI, EP_NONE, "" },
		{ "POST", "/api/generate", PROTO_OLLAMA, EP_NONE, "" },
		{ "POST", "/event/infer/only-one", PROTO_ALQUIMIA, EP_NONE, "" },
		{ "POST", "/a/b/event/infer/c/d", PROTO_ALQUIMIA, EP_NONE, "" },
		{ "GET", "/event/stream/", PROTO_ALQUIMIA, EP_NONE, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		check(&all[i], false);
}

static void check_wrong(const char *method, const char *path, enum proto proto, const char *allow)
{
	struct route r = route_find(str_from(method), str_from(path), false);

	assert_int_equal(r.endpoint, EP_WRONG);
	assert_int_equal(r.proto, proto);
	assert_string_equal(r.allow, allow);
}

static void test_wrong_method(void **state)
{
	(void)state;
	check_wrong("GET", "/v1/chat/completions", PROTO_OPENAI, "POST");
	check_wrong("DELETE", "/openai/v1/models", PROTO_GROQ, "GET, HEAD");
	check_wrong("GET", "/v1/models/m:generateContent", PROTO_GEMINI, "POST");
	check_wrong("GET", "/v1beta/models/m:streamGenerateContent", PROTO_GEMINI, "POST");
	check_wrong("PUT", "/api/chat", PROTO_OLLAMA, "POST");
	check_wrong("POST", "/event/stream/x", PROTO_ALQUIMIA, "GET, HEAD");
	check_wrong("POST", "/", PROTO_OLLAMA, "GET, HEAD");
}

static void test_decode(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	route_decode(STR("a%20b%2Fc%e6%BC%a2%zz%4"), &out);
	assert_string_equal(out.ptr, "a b/c漢%zz%4");
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),        cmocka_unit_test(test_google), cmocka_unit_test(test_nothing_there),
		cmocka_unit_test(test_wrong_method), cmocka_unit_test(test_decode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
