/* test_alquimia.c: AlquimiaRunner's parameters, the two exchanges of a turn, and streams of every kind, in pieces of every size. */
#include "turn_kit.h"

#include "connector/alquimia.h"

#define KEY            "sk-unit-0123456789abcdef"
#define CONFIG         "{\"base_url\":\"https://h\",\"api_key\":\"" KEY "\",\"agent_id\":\"a\",\"channel_id\":\"c\"}"
#define EVENT(content) "data: {\"type\":\"message\",\"response\":{\"data\":{\"content\":" content "}}}\n\n"

static struct dataset dataset = { .session_id = { "s/ü", 4 } };
static struct batch batch;

static int ask(struct kit *k, const char *agentic)
{
	static struct message m = { { "user", 4 }, { "Hi \"you\"", 8 } };

	kit_end_turn(k);
	batch = (struct batch){ .query = m.content };
	assert_int_equal(json_parse(&k->arena, str_from(agentic), NULL, &batch.agentic, NULL, NULL), 0);
	k->input = (struct turn_input){
		.dataset = &dataset, .batch = &batch, .messages = &m, .message_count = 1, .date = "2026-11-22"
	};
	k->turn = k->class->begin(k->c, NULL, &k->input, &k->turn_arena);
	assert_non_null(k->turn);
	return k->class->encode(k->turn, &k->exchange, &k->err);
}

static void configure(struct kit *k, const char *params)
{
	if (kit_configure(k, &alquimia_class, params, NULL, false, false) != 0)
		fail_msg("params %s must be accepted, but: %s", params, k->problems.first ? k->problems.first->text : "");
}

/* Up to the stream's request. */
static void open_stream(struct kit *k)
{
	assert_int_equal(ask(k, "{}"), 0);
	kit_reply(k, 200, "application/json", NULL, STR("{\"stream_id\":\"st-1\"}"), 0);
	assert_int_equal(k->verdict.kind, VERDICT_ANOTHER);
	assert_int_equal(k->class->encode(k->turn, &k->exchange, &k->err), 0);
}

/* ---- parameters ---- */

static void test_what_is_missing(void **state)
{
	static const struct {
		const char *params, *text;
	} cases[] = {
		{ "{}", "No base_url provided" },
		{ "{\"base_url\":\"\",\"api_key\":\"k\"}", "No base_url provided" },
		{ "{\"base_url\":\"https://h\",\"api_key\":null}", "No api_key provided" },
		{ "{\"base_url\":\"https://h\",\"api_key\":\"k\",\"agent_id\":0}", "No agent_id provided" },
		{ "{\"base_url\":\"https://h\",\"api_key\":\"k\",\"agent_id\":1}", "No channel_id provided" },
		{ "{\"base_url\":\"https://h\",\"api_key\":\"k\",\"agent_id\":1,\"channel_id\":[]}", "No channel_id provided" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kit k;

		assert_int_equal(kit_configure(&k, &alquimia_class, cases[i].params, NULL, false, false), FF_EUSAGE);
		if (strcmp(k.problems.first->text, cases[i].text) != 0)
			fail_msg("params %s: expected '%s' first, got '%s'", cases[i].params, cases[i].text,
			         k.problems.first->text);
		kit_release(&k);
	}
}

static void test_refused_parameters(void **state)
{
	static const struct {
		const char *more, *pointer, *piece;
	} cases[] = {
		{ "\"base_url\":\"h:80\"", "base_url", "neither http:// nor https://" },
		{ "\"base_url\":\"ftp://h\"", "base_url", "neither http:// nor https://" },
		{ "\"base_url\":\"https://\"", "base_url", "names no host" },
		{ "\"base_url\":\"https://h h\"", "base_url", "blank" },
		{ "\"api_key\":\"k\\u00e9y\"", "api_key", "outside of ASCII" },
		{ "\"api_key\":\"k\\ny\"", "api_key", "line break" },
		{ "\"api_key\":12", "api_key", "must be a string" },
		{ "\"agent_id\":true", "agent_id", "must be a text or a number" },
		{ "\"channel_id\":[1]", "channel_id", "must be a text or a number" },
		{ "\"api_version\":\"https://other/v1\"", "api_version", "no address" },
		{ "\"api_version\":\"//other\"", "api_version", "no address" },
		{ "\"api_version\":\"v1?a=b\"", "api_version", "'?'" },
		{ "\"timeout\":5", "timeout", "no parameter 'timeout'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char params[512], pointer[64];

		snprintf(params, sizeof params,
		         "{\"base_url\":\"https://h\",\"api_key\":\"k\",\"agent_id\":\"a\",\"channel_id\":\"c\",%s}",
		         cases[i].more);
		snprintf(pointer, sizeof pointer, "/connector/params/%s", cases[i].pointer);
		kit_expect_refused(&alquimia_class, params, pointer, cases[i].piece);
	}
}

static void test_environment(void **state)
{
	static const struct kit_env env[] = { { "ALQUIMIA_BASE_URL", "https://env.example" },
		                              { "ALQUIMIA_API_KEY", KEY },
		                              { "LLM_API_KEY", "not this one" },
		                              { NULL, NULL } };
	struct kit k;

	(void)state;
	assert_int_equal(kit_configure(&k, &alquimia_class, "{\"agent_id\":1,\"channel_id\":2}", env, false, false), 0);
	kit_expect_str(k.c->base_url, "https://env.example");
	kit_expect_str(k.c->key, KEY);
	assert_true(k.c->base_from_env && k.c->env_secrets && k.c->key_source == KEY_FROM_ENV);
	kit_release(&k);
	assert_int_equal(kit_configure(&k, &alquimia_class, CONFIG, env, false, false), 0);
	kit_expect_str(k.c->base_url, "https://h");
	assert_false(k.c->base_from_env || k.c->env_secrets);
	assert_true(kit_is_secret(&k, KEY));
	kit_release(&k);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *base, *version, *agent, *url;
	} cases[] = {
		{ "https://h", "null", "\"a\"", "https://h/event/infer/c/a" },
		{ "https://h/", "\"\"", "\"a\"", "https://h/event/infer/c/a" },
		{ "http://h:8080/api/v2/", "\"\"", "12", "http://h:8080/api/v2/event/infer/c/12" },
		{ "https://h", "\"v1\"", "1.50", "https://h/v1/event/infer/c/1.5" },
		{ "https://h/api", "\"v1\"", "1e3", "https://h/v1/event/infer/c/1000.0" },
		{ "https://h/api/", "\"v1/\"", "-7", "https://h/api/v1/event/infer/c/-7" },
		{ "https://h/a/b/c", "\"../x\"", "\"a/b\"", "https://h/a/x/event/infer/c/a/b" },
		{ "https://h/a", "\"/v1//w/\"", "\"a b\"", "https://h/v1/w/event/infer/c/a%20b" },
		{ "https://h/a", "\"..\"", "\"\u00fc\"", "https://h/event/infer/c/%C3%BC" },
		{ "https://h/a/", "2", "\"a%20b%\"", "https://h/a/2/event/infer/c/a%20b%25" },
		{ "https://[::1]:1/event", "\"\"", "\"a?b#c\"", "https://[::1]:1/event/infer/c/a%3Fb%23c" },
		{ "https://h/x/event/infer", "\"\"", "\"a\"", "https://h/x/event/infer/c/a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char params[512], want[300];
		struct kit k;

		snprintf(params, sizeof params,
		         "{\"base_url\":\"%s\",\"api_key\":\"k\",\"agent_id\":%s,\"channel_id\":\"c\",\"api_version\":%s}",
		         cases[i].base, cases[i].agent, cases[i].version);
		snprintf(want, sizeof want, "%s?chat_history=50&agentspace=_default", cases[i].url);
		configure(&k, params);
		assert_int_equal(ask(&k, "{}"), 0);
		kit_expect_str(k.exchange.url, want);
		kit_release(&k);
	}
}

static void test_userinfo_takes_the_keys_place(void **state)
{
	struct kit k;

	(void)state;
	configure(&k, "{\"base_url\":\"https://user:p%40ss@h\",\"api_key\":\"" KEY "\",\"agent_id\":1,\"channel_id\":2}");
	assert_int_equal(ask(&k, "{}"), 0);
	kit_expect_str(kit_header(&k, "authorization"), "Basic dXNlcjpwQHNz");
	assert_true(kit_is_secret(&k, KEY) && kit_is_secret(&k, "p@ss"));
	kit_release(&k);
}

static void test_class(void **state)
{
	(void)state;
	assert_true(alquimia_class.ordered);
	assert_int_equal(alquimia_class.retry.default_max_retries, 0);
	assert_int_equal(alquimia_class.runner, CONNECTOR_ALQUIMIA_RUNNER);
}

/* ---- the question ---- */

static void test_both_requests(void **state)
{
	struct kit k;

	(void)state;
	configure(&k, CONFIG);
	assert_int_equal(ask(&k, "{\"k\":1.50,\"n\":{\"\xC3\xBC\":[null]},\"attachments\":[]}"), 0);
	kit_expect_str(k.exchange.method, "POST");
	kit_expect_str(
	        k.exchange.body,
	        "{\"query\":\"Hi \\\"you\\\"\",\"session_id\":\"s/\xC3\xBC\",\"extra_data\":{\"date\":\"2026-11-22\",\"k\":1.50,"
	        "\"n\":{\"\xC3\xBC\":[null]}},\"attachments\":[]}");
	kit_expect_str(kit_header(&k, "authorization"), "Bearer " KEY);
	kit_expect_str(kit_header(&k, "content-type"), "application/json");
	assert_int_equal(k.exchange.idle_timeout_ms, 60000);
	assert_false(k.exchange.once);
	kit_reply(&k, 201, "application/json", NULL, STR("{\"stream_id\":\"a b/\xC3\xBC?\"}"), 3);
	assert_int_equal(k.verdict.kind, VERDICT_ANOTHER);
	assert_int_equal(k.class->encode(k.turn, &k.exchange, &k.err), 0);
	kit_expect_str(k.exchange.method, "GET");
	kit_expect_str(k.exchange.url, "https://h/event/stream/a%20b/%C3%BC%3F?response_only=true");
	kit_expect_str(k.exchange.body, "");
	kit_expect_str(kit_header(&k, "accept"), "text/event-stream");
	kit_expect_str(kit_header(&k, "authorization"), "Bearer " KEY);
	assert_true(kit_header(&k, "content-type").len == 0);
	assert_int_equal(k.exchange.idle_timeout_ms, 300000);
	assert_true(k.exchange.once);
	kit_release(&k);
}

static void test_overrides(void **state)
{
	static const struct {
		const char *agentic, *query;
	} cases[] = {
		{ "null", "?chat_history=50&agentspace=_default" },
		{ "{\"chat_history\":7}", "?chat_history=7&agentspace=_default" },
		{ "{\"chat_history\":\"7\",\"agentspace\":\"a b&\xC3\xBC\"}", "?chat_history=7&agentspace=a%20b%26%C3%BC" },
		{ "{\"chat_history\":1e2,\"agentspace\":null}", "?chat_history=100.0&agentspace=" },
		{ "{\"chat_history\":true,\"agentspace\":false}", "?chat_history=true&agentspace=false" },
		{ "{\"chat_history\":[1,\"b\",null]}", "?chat_history=1&chat_history=b&chat_history=&agentspace=_default" },
		{ "{\"chat_history\":[]}", "?agentspace=_default" },
		{ "{\"chat_history\":[],\"agentspace\":[]}", "" },
	};
	struct kit k;

	(void)state;
	configure(&k, CONFIG);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char want[200];

		snprintf(want, sizeof want, "https://h/event/infer/c/a%s", cases[i].query);
		assert_int_equal(ask(&k, cases[i].agentic), 0);
		kit_expect_str(k.exchange.url, want);
		kit_expect_piece(k.exchange.body, "\"extra_data\":{\"date\":\"2026-11-22\"}");
	}
	kit_release(&k);
}

static void test_clashes(void **state)
{
	static const struct {
		const char *agentic, *piece;
	} cases[] = {
		{ "{\"a\":1,\"query\":\"x\"}", "agentic.query clashes" },
		{ "{\"date\":null}", "agentic.date clashes" },
		{ "{\"channel\":\"x\"}", "agentic.channel clashes" },
		{ "{\"session_id\":\"x\"}", "agentic.session_id clashes" },
		{ "{\"assistant_id\":\"x\"}", "agentic.assistant_id clashes" },
		{ "{\"self\":1}", "agentic.self clashes" },
		{ "{\"attachments\":[{}]}", "agentic.attachments must be an empty list" },
		{ "{\"attachments\":null}", "agentic.attachments must be an empty list" },
		{ "{\"attachments\":0}", "agentic.attachments must be an empty list" },
		{ "{\"chat_history\":{}}", "agentic.chat_history must be a text or a number" },
		{ "{\"agentspace\":[[1]]}", "agentic.agentspace must be a text or a number" },
	};
	struct kit k;

	(void)state;
	configure(&k, CONFIG);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(ask(&k, cases[i].agentic), FF_EDATA);
		kit_expect_piece(str_from(k.err.text), cases[i].piece);
	}
	kit_release(&k);
}

static void test_replies_without_a_stream(void **state)
{
	static const struct {
		const char *body, *piece;
	} cases[] = {
		{ "{}", "No stream_id returned from agent" },
		{ "{\"stream_id\":null}", "No stream_id returned from agent" },
		{ "{\"stream_id\":\"\"}", "No stream_id returned from agent" },
		{ "{\"stream_id\":0}", "No stream_id returned from agent" },
		{ "{\"detail\":\"agent is off\"}", "No stream_id returned from agent: agent is off" },
		{ "{\"stream_id\":true}", "neither a text nor a number" },
		{ "{\"stream_id\":[1]}", "neither a text nor a number" },
		{ "[1]", "no JSON object" },
		{ "null", "no JSON object" },
		{ "", "no JSON object" },
		{ "<html><title>Login</title></html>", "Login" },
	};
	struct kit k;
	char *huge = malloc(9000);

	(void)state;
	configure(&k, CONFIG);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(ask(&k, "{}"), 0);
		kit_reply(&k, 200, "application/json", NULL, str_from(cases[i].body), 1);
		assert_int_equal(k.verdict.kind, VERDICT_FATAL);
		assert_int_equal(k.verdict.outcome, OUTCOME_BAD_REPLY);
		kit_expect_piece(k.verdict.error, cases[i].piece);
	}
	snprintf(huge, 9000, "{\"stream_id\":\"%08983d\"}", 7);
	assert_int_equal(ask(&k, "{}"), 0);
	kit_reply(&k, 200, "application/json", NULL, str_from(huge), 0);
	kit_expect_piece(k.verdict.error, "too long");
	free(huge);
	kit_release(&k);
}

/* ---- the stream ---- */

struct stream_case {
	const char *body;
	size_t len;         /* 0: strlen */
	const char *answer; /* NULL: a failure */
	const char *piece;  /* of its sentence */
};

static const struct stream_case streams[] = {
	{ EVENT("\"x\""), 0, "x", NULL },
	{ EVENT("\"Hello \"") EVENT("\"world\""), 0, "world", NULL },
	{ "data:{\"response\":{\"data\":{\"content\":\"x\"}}}\n\n", 0, "x", NULL },
	{ "\xEF\xBB\xBF" EVENT("\"x\""), 0, "x", NULL },
	{ ": ping\n\nevent: message\nid: 1\nretry: 5\n" EVENT("\"x\"") ": bye\n", 0, "x", NULL },
	{ "data: {\"type\":\"ping\"}\n\n" EVENT("\"x\"") "data: {\"type\":\"end\",\"error\":null}\n\n", 0, "x", NULL },
	{ "data: [DONE]\n\n" EVENT("\"x\"") "data: [DONE]\n\ndata: {nope\n\n", 0, "x", NULL },
	{ "data: {\"response\":{\"data\":{\"content\":\"a\"}}}\r\n\r\ndata: {\"response\":{\"data\":{\"content\":\"b\"}}}\r\n", 0,
	  "b", NULL },
	{ "data: {\"response\":{\"data\":{\"content\":\"a\"}}}\r\rdata: {\"response\":{\"data\":{\"content\":\"b\"}}}", 0, "b",
	  NULL },
	{ "data: {\"response\":{\"data\":{\"content\":\"a\"}}}\ndata: {\"response\":{\"data\":{\"content\":\"b\"}}}\n\n", 0, "b",
	  NULL },
	{ EVENT("\" \\n ok\\t\""), 0, " \n ok\t", NULL },
	{ EVENT("\"\xC3\xA9\xF0\x9F\x98\x80 \xE2\x80\xA8 \xC2\x85\""), 0, "\xC3\xA9\xF0\x9F\x98\x80 \xE2\x80\xA8 \xC2\x85", NULL },
	{ EVENT("\"a\xFFz\""), 0, "a\xEF\xBF\xBDz", NULL },
	{ "data:\xC2\xA0{\"response\":{\"data\":{\"content\":\"x\"}}}\x0B\n\n", 0, "x", NULL },
	{ "data: {\"n\":NaN,\"response\":{\"data\":{\"content\":\"x\"}}}\n\n", 0, "x", NULL },
	{ EVENT("[{\"type\":\"text\",\"text\":\"a\"},\"b\"]"), 0, "ab", NULL },
	{ EVENT("5") EVENT("\"x\""), 0, "x", NULL },
	{ EVENT("null") EVENT("\"x\""), 0, "x", NULL },
	{ "", 0, NULL, "Empty response from agent" },
	{ "\n\n\n", 0, NULL, "Empty response from agent" },
	{ "data: [DONE]\n\n", 0, NULL, "Empty response from agent" },
	{ "{\"response\":{\"data\":{\"content\":\"x\"}}}\n", 0, NULL, "Empty response from agent" },
	{ " " EVENT("\"x\""), 0, NULL, "Empty response from agent" },
	{ "data: {\"response\":{\"data\":\ndata: {\"content\":\"x\"}}}\n\n", 0, NULL, "Empty response from agent" },
	{ EVENT("\"x\"") EVENT("\"\""), 0, NULL, "Empty response from agent" },
	{ EVENT("\"x\"") EVENT("null"), 0, NULL, "Empty response from agent" },
	{ EVENT("0"), 0, NULL, "Empty response from agent" },
	{ "<html><title>Gone</title></html>", 0, NULL, "Gone" },
	{ EVENT("5"), 0, NULL, "no text" },
	{ EVENT("\"x\"") EVENT("{\"text\":\"a\"}"), 0, NULL, "no text" },
	{ "data: 5\n\n" EVENT("\"x\""), 0, NULL, "no object" },
	{ "data: null\n\n" EVENT("\"x\""), 0, NULL, "no object" },
	{ "data: {\"response\":null}\n\n" EVENT("\"x\""), 0, NULL, "without data.content" },
	{ "data: {\"response\":{\"data\":{}}}\n\n", 0, NULL, "without data.content" },
	{ EVENT("\"x\"") "data: {\"type\":\"error\",\"error\":{\"message\":\"the model broke\"}}\n\n", 0, NULL, "the model broke" },
};

static void check_stream(struct kit *k, const struct stream_case *c, size_t step)
{
	open_stream(k);
	kit_reply(k, 200, "text/event-stream", NULL, str_of(c->body, c->len ? c->len : strlen(c->body)), step);
	if (c->answer) {
		if (k->verdict.kind != VERDICT_DONE)
			fail_msg("%s in pieces of %zu: %.*s", c->body, step, STR_ARG(k->verdict.error));
		assert_int_equal(k->verdict.outcome, OUTCOME_OK);
		kit_expect_str(k->verdict.answer, c->answer);
		assert_true(k->content || !step);
		return;
	}
	if (k->verdict.kind != VERDICT_FATAL)
		fail_msg("%s in pieces of %zu must fail", c->body, step);
	assert_int_equal(k->verdict.outcome, OUTCOME_BAD_REPLY);
	kit_expect_piece(k->verdict.error, c->piece);
	kit_expect_piece(k->verdict.error, "Alquimia: ");
}

static void test_streams(void **state)
{
	static const size_t steps[] = { 0, 1, 2, 3, 7, 64 };
	struct kit k;

	(void)state;
	configure(&k, CONFIG);
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		for (size_t j = 0; j < ARRAY_SIZE(steps); j++)
			check_stream(&k, &streams[i], steps[j]);
	kit_release(&k);
}

/* Events that carry the whole answer so far: what is kept is the last one, so memory follows the answer and not the stream. */
static void test_a_long_stream_takes_the_memory_of_its_answer(void **state)
{
	static const struct pair header = { { "Content-Type", 12 }, { "text/event-stream", 17 } };
	enum { PIECE = 8192, EVENTS = 4000 };
	char *event = malloc(PIECE + 100);
	bool content = false;
	struct kit k;
	int len;

	(void)state;
	len = snprintf(event, PIECE + 100, "data: {\"response\":{\"data\":{\"content\":\"%0*d\"}}}\n", PIECE, 7);
	configure(&k, CONFIG);
	open_stream(&k);
	k.class->head(k.turn, 200, &header, 1);
	for (int i = 0; i < EVENTS; i++)
		assert_int_equal(k.class->feed(k.turn, event, (size_t)len, &content), 0);
	k.class->finish(k.turn, &k.verdict);
	assert_int_equal(k.verdict.kind, VERDICT_DONE);
	assert_int_equal(k.verdict.answer.len, PIECE);
	if (k.turn_arena.used > (size_t)64 * PIECE)
		fail_msg("a stream of %d events of %d bytes keeps %zu bytes", EVENTS, PIECE, k.turn_arena.used);
	free(event);
	kit_release(&k);
}

static void test_refusals(void **state)
{
	struct kit k;

	(void)state;
	configure(&k, CONFIG);
	assert_int_equal(ask(&k, "{}"), 0);
	kit_reply(&k, 401, "application/json", NULL, STR("{\"detail\":\"who are you\"}"), 4);
	assert_int_equal(k.verdict.kind, VERDICT_FATAL);
	assert_int_equal(k.verdict.outcome, OUTCOME_HTTP_4XX);
	kit_expect_piece(k.verdict.error, "(401, who are you)");
	open_stream(&k);
	kit_reply(&k, 429, "text/event-stream", "3", STR(EVENT("\"x\"")), 0);
	assert_int_equal(k.verdict.kind, VERDICT_RETRY); /* when the user asks for retries: the class gives none */
	assert_int_equal(k.verdict.outcome, OUTCOME_RATE_LIMITED);
	assert_int_equal(k.verdict.hint_ms, 3000);
	open_stream(&k);
	kit_reply(&k, 302, "text/plain", NULL, STR(""), 0);
	kit_expect_piece(k.verdict.error, "redirect");
	kit_release(&k);
}

/* ---- lack of memory ---- */

static bool fault_run(uint64_t countdown)
{
	const struct pair header = { STR("Content-Type"), STR("text/event-stream") };
	const char *bodies[] = { "{\"stream_id\":\"st 1\"}", EVENT("[\"a\"]") "data: \xFF\n\n" EVENT("\"b\"") };
	struct connector_setup setup = { .pointer = "/connector/params" };
	struct message m = { STR("user"), STR("Hi") };
	struct turn_input in = { .dataset = &dataset, .batch = &batch, .messages = &m, .message_count = 1, .date = "2026-11-22" };
	struct kit k = { .class = &alquimia_class };
	bool content = false, met;
	int r;

	arena_init(&k.arena);
	arena_init(&k.turn_arena);
	problems_init(&k.problems);
	batch = (struct batch){ .query = m.content };
	assert_int_equal(json_parse(&k.arena, STR(CONFIG), NULL, &k.params, NULL, NULL), 0);
	assert_int_equal(json_parse(&k.arena, STR("{\"chat_history\":[1.5,\"a\"],\"k\":1}"), NULL, &batch.agentic, NULL, NULL), 0);
	setup.params = &k.params;
	mem_fault_arm(countdown, false);
	r = alquimia_class.configure(&alquimia_class, &setup, &k.problems, &k.c);
	if (r == 0 && !(k.turn = alquimia_class.begin(k.c, NULL, &in, &k.turn_arena)))
		r = FF_ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(bodies) && r == 0; i++) {
		r = alquimia_class.encode(k.turn, &k.exchange, &k.err);
		if (r == 0)
			alquimia_class.head(k.turn, 200, &header, 1);
		for (size_t at = 0; r == 0 && at < strlen(bodies[i]); at += 5)
			r = alquimia_class.feed(k.turn, bodies[i] + at, strnlen(bodies[i] + at, 5), &content);
		if (r == 0)
			alquimia_class.finish(k.turn, &k.verdict);
		if (r == 0 && k.verdict.kind == VERDICT_FATAL)
			break;
	}
	met = mem_fault_hits() != 0;
	mem_fault_arm(0, false);
	assert_true(r == 0 || r == FF_ENOMEM);
	if (!met) {
		assert_int_equal(k.verdict.kind, VERDICT_DONE);
		kit_expect_str(k.verdict.answer, "b");
	}
	kit_release(&k);
	return !met;
}

static void test_no_memory(void **state)
{
	uint64_t n = 1;

	(void)state;
	while (!fault_run(n))
		assert_true(n++ < 10000);
	assert_true(n > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_missing),
		cmocka_unit_test(test_refused_parameters),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_userinfo_takes_the_keys_place),
		cmocka_unit_test(test_class),
		cmocka_unit_test(test_both_requests),
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_clashes),
		cmocka_unit_test(test_replies_without_a_stream),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_a_long_stream_takes_the_memory_of_its_answer),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
