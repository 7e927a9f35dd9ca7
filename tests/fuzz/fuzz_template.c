/*
 * fuzz_template.c: HttpTemplate under a fuzzer. Byte 0 of the input says what the rest is:
 *   bit 7      the params, as JSON text: configure must answer, and what it accepts must encode or say why not
 *   bits 0..2  otherwise the rest is a query (bit 2; bit 0: also in a header) or a reply to one of the four kinds of answer (bits 0, 1)
 *   bits 3..6  the size of the pieces in which a reply comes, minus one
 * What must hold: a value never leaves its place (the JSON body parses and holds the query, the URL keeps its origin and has no blank, a header no
 * line break); a verdict does not depend on the pieces; an answer is valid UTF-8; a failure has a sentence.
 */
#include "fuzz_turn.h"

#include "connector/http_template.h"

#define HEAD "{\"url\":\"https://h.test/a/{{query}}?q={{query}}\","
#define X_Q  "\"headers\":{\"X-Q\":\"{{query}}\"},"
#define BODY "\"body\":{\"q\":\"<{{query}}>\",\"raw\":\"{{json:query}}\",\"c\":\"{{json:captured.c}}\"},"
#define TAIL "\"capture\":{\"c\":{\"pointer\":\"/c\",\"optional\":true}},\"error\":\"/e\"}"

static const char *const kinds[] = {
	HEAD BODY "\"answer\":\"/a/0\"," TAIL,
	HEAD X_Q BODY "\"answer\":{\"sse\":\"/a/0\"}," TAIL,
	HEAD BODY "\"answer\":{\"ndjson\":\"/a/0\",\"take\":\"last\"}," TAIL,
	"{\"url\":\"https://h.test/\",\"answer\":\"text\"}",
};

static const char *fuzz_env(void *user, const char *name)
{
	(void)user;
	return strcmp(name, "TOKEN") == 0 ? "to\"ken" : NULL;
}

static struct connector *configure_with_env(struct str params)
{
	struct connector_setup setup = { .pointer = "/p", .env = fuzz_env };
	struct connector *c = NULL;
	struct problems problems;
	struct arena arena;
	struct json v;
	int r;

	arena_init(&arena);
	problems_init(&problems);
	if (!json_parse(&arena, params, NULL, &v, NULL, NULL) && v.type == JSON_OBJECT) {
		setup.params = &v;
		r = http_template_class.configure(&http_template_class, &setup, &problems, &c);
		FUZZ_REQUIRE((r == 0 && c && !problems.errors) || (r == FF_EUSAGE && !c && problems.errors > 0));
	}
	problems_release(&problems);
	arena_release(&arena);
	return c;
}

/* ---- a session of one turn ---- */

struct talk {
	struct arena arena, batch_arena;
	struct batch batch;
	struct dataset dataset;
	struct message message;
	struct turn_input in;
	struct connector_session *session;
	struct connector_turn *turn;
	struct exchange exchange;
	struct error err;
};

static int talk_begin(struct talk *t, const struct connector *c, struct str query)
{
	arena_init(&t->arena);
	arena_init(&t->batch_arena);
	t->batch = (struct batch){ .query = query, .qa_id = query };
	FUZZ_REQUIRE(json_parse(&t->batch_arena, STR("{\"x\":{\"y\":[1.50,null,\"\\n\"]}}"), NULL, &t->batch.agentic, NULL, NULL) ==
	             0);
	t->dataset = (struct dataset){ .session_id = STR("s/1 "), .context = query, .batches = &t->batch, .batch_count = 1 };
	t->message = (struct message){ STR("user"), query };
	t->in = (struct turn_input){
		.dataset = &t->dataset, .batch = &t->batch, .messages = &t->message, .message_count = 1, .date = "2026-11-22"
	};
	FUZZ_REQUIRE(http_template_session_new(c, &t->dataset, &t->session) == 0);
	t->turn = http_template_begin(c, t->session, &t->in, &t->arena);
	FUZZ_REQUIRE(t->turn);
	return http_template_encode(t->turn, &t->exchange, &t->err);
}

static void talk_end(struct talk *t)
{
	http_template_end(t->turn);
	http_template_session_free(t->session);
	arena_release(&t->batch_arena);
	arena_release(&t->arena);
}

/* A host may be an international name; behind it there is ASCII only. */
static void check_url(struct str url, struct str origin)
{
	FUZZ_REQUIRE(str_eq_nocase(str_sub(url, 0, origin.len), origin) && url.len > origin.len && url.ptr[origin.len] == '/');
	for (size_t i = origin.len; i < url.len; i++)
		FUZZ_REQUIRE((unsigned char)url.ptr[i] > ' ' && (unsigned char)url.ptr[i] < 0x7f);
}

static void check_exchange(const struct connector *c, const struct exchange *x)
{
	check_url(x->url, c->login_origin.len ? c->login_origin : c->base_url);
	for (size_t i = 0; i < x->header_count; i++)
		for (size_t j = 0; j < x->headers[i].value.len; j++)
			FUZZ_REQUIRE(x->headers[i].value.ptr[j] != '\r' && x->headers[i].value.ptr[j] != '\n');
}

static void fuzz_template_params(struct str params)
{
	struct connector *c = configure_with_env(params);
	struct talk t = { 0 };
	int r;

	if (!c)
		return;
	r = talk_begin(&t, c, STR("Hi \"there\" {{query}}"));
	FUZZ_REQUIRE(r == 0 || (r == FF_EDATA && t.err.text[0]));
	if (r == 0)
		check_exchange(c, &t.exchange);
	talk_end(&t);
	connector_free(c);
}

static void fuzz_query(const struct connector *c, struct str query)
{
	struct talk t = { 0 };
	const struct json *raw, *inside;
	struct json body;
	int r;

	if (!utf8_is_valid(query))
		return;
	r = talk_begin(&t, c, query);
	FUZZ_REQUIRE(r == 0 || (r == FF_EDATA && t.err.text[0]));
	if (r == 0) {
		check_exchange(c, &t.exchange);
		FUZZ_REQUIRE(json_parse(&t.arena, t.exchange.body, NULL, &body, NULL, NULL) == 0 && body.count == 3);
		raw = json_at(&body, STR("/raw"));
		inside = json_at(&body, STR("/q"));
		FUZZ_REQUIRE(raw && str_eq(raw->text, query) && inside && inside->text.len == query.len + 2);
		FUZZ_REQUIRE(str_eq(str_sub(inside->text, 1, inside->text.len - 1), query));
	}
	talk_end(&t);
}

/* ---- replies ---- */

static void reply_to(struct talk *t, const struct connector *c, struct str body, size_t step, struct verdict *ret)
{
	const struct pair header = { STR("Content-Type"), STR("text/event-stream") };
	bool content = false;

	FUZZ_REQUIRE(talk_begin(t, c, STR("Hi")) == 0);
	http_template_head(t->turn, 200, &header, 1);
	for (size_t i = 0; i < body.len; i += step) {
		struct str piece = str_sub(body, i, i + step);
		char *copy = malloc(piece.len);

		FUZZ_REQUIRE(copy);
		memcpy(copy, piece.ptr, piece.len);
		FUZZ_REQUIRE(http_template_feed(t->turn, copy, piece.len, &content) == 0);
		free(copy);
	}
	http_template_finish(t->turn, ret);
}

static void fuzz_template_reply(const struct connector *c, struct str body, size_t step)
{
	struct talk a = { 0 }, b = { 0 };
	struct verdict whole, pieces;

	reply_to(&a, c, body, MAX(body.len, 1u), &whole);
	reply_to(&b, c, body, step, &pieces);
	fuzz_check(&whole, false);
	FUZZ_REQUIRE(whole.kind == pieces.kind && whole.outcome == pieces.outcome);
	FUZZ_REQUIRE(str_eq(whole.answer, pieces.answer) && str_eq(whole.error, pieces.error));
	talk_end(&a);
	talk_end(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct connector *connectors[ARRAY_SIZE(kinds)];
	struct str rest;

	if (!size)
		return 0;
	rest = str_of((const char *)data + 1, size - 1);
	if (data[0] & 0x80) {
		fuzz_template_params(rest);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!connectors[i])
			connectors[i] = configure_with_env(str_from(kinds[i]));
	FUZZ_REQUIRE(connectors[0] && connectors[1] && connectors[2] && connectors[3]);
	if (data[0] & 4)
		fuzz_query(connectors[data[0] & 1], rest);
	else
		fuzz_template_reply(connectors[data[0] & 3], rest, (size_t)((data[0] >> 3) & 15) + 1);
	return 0;
}
