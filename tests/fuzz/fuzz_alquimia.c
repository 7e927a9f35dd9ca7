/*
 * fuzz_alquimia.c: AlquimiaRunner under a fuzzer. Byte 0 of the input says what the rest is:
 *   bit 7      the params, as JSON text: configure must answer, and what it accepts must encode
 *   bit 6      a batch's agentic, as JSON text: it is sent as a whole, or the turn says why not
 *   otherwise  a reply: to the question (bit 0: 0) or the stream (1), with status 200 (bit 1: 0) or 429 (1), in pieces of bits 2..5 plus one
 * What must hold: the URL stays on its host and has no blank; the body is JSON; a verdict does not depend on the pieces; an answer is valid UTF-8 and not
 * empty; a failure has a sentence.
 */
#include "fuzz_turn.h"

#include "connector/alquimia.h"

#define CONFIG \
	"{\"base_url\":\"https://h.test/x/\",\"api_key\":\"k\",\"agent_id\":\"a\",\"channel_id\":\"c\",\"api_version\":\"v1\"}"

static const struct message question = { { "user", 4 }, { "Hi \"there\"\n", 11 } };
static const struct dataset dataset = { .session_id = { "s/1 ", 4 } };

struct talk {
	struct arena arena;
	struct batch batch;
	struct turn_input in;
	struct connector_turn *turn;
	struct exchange exchange;
};

static int talk_begin(struct talk *t, const struct connector *c, const struct json *agentic)
{
	struct error err = { 0 };
	int r;

	arena_init(&t->arena);
	t->batch = (struct batch){ .query = question.content };
	if (agentic)
		t->batch.agentic = *agentic;
	t->in = (struct turn_input){
		.dataset = &dataset, .batch = &t->batch, .messages = &question, .message_count = 1, .date = "2026-11-22"
	};
	t->turn = alquimia_begin(c, NULL, &t->in, &t->arena);
	FUZZ_REQUIRE(t->turn);
	r = alquimia_encode(t->turn, &t->exchange, &err);
	FUZZ_REQUIRE(r == 0 || (r == FF_EDATA && err.text[0]));
	return r;
}

static void talk_end(struct talk *t)
{
	alquimia_end(t->turn);
	arena_release(&t->arena);
}

/* A host may be an international name; behind it there is ASCII only. */
static void check_exchange(const struct connector *c, const struct exchange *x)
{
	struct arena arena;
	struct json body;

	FUZZ_REQUIRE(str_starts_with(x->url, c->base_url) && x->url.len > c->base_url.len && x->url.ptr[c->base_url.len] == '/');
	for (size_t i = c->base_url.len; i < x->url.len; i++)
		FUZZ_REQUIRE((unsigned char)x->url.ptr[i] > ' ' && (unsigned char)x->url.ptr[i] < 0x7f && x->url.ptr[i] != '#');
	for (size_t i = 0; i < x->header_count; i++)
		for (size_t j = 0; j < x->headers[i].value.len; j++)
			FUZZ_REQUIRE(x->headers[i].value.ptr[j] != '\r' && x->headers[i].value.ptr[j] != '\n');
	arena_init(&arena);
	FUZZ_REQUIRE(!x->body.len ||
	             json_parse(&arena, x->body, &(struct json_limits){ .max_depth = 1000 }, &body, NULL, NULL) == 0);
	arena_release(&arena);
}

static void fuzz_alquimia_params(struct str params)
{
	struct connector *c = fuzz_configure(&alquimia_class, params);
	struct talk t;

	if (!c)
		return;
	FUZZ_REQUIRE(talk_begin(&t, c, NULL) == 0);
	check_exchange(c, &t.exchange);
	talk_end(&t);
	connector_free(c);
}

static void fuzz_agentic(const struct connector *c, struct str text)
{
	struct arena arena;
	struct json agentic;
	struct talk t;

	arena_init(&arena);
	if (json_parse(&arena, text, NULL, &agentic, NULL, NULL) == 0 && agentic.type == JSON_OBJECT) {
		if (talk_begin(&t, c, &agentic) == 0)
			check_exchange(c, &t.exchange);
		talk_end(&t);
	}
	arena_release(&arena);
}

/* ---- replies ---- */

static void feed(struct talk *t, bool refused, struct str body, size_t step, struct verdict *ret)
{
	static const struct pair header = { { "Content-Type", 12 }, { "text/event-stream", 17 } };
	bool content = false;

	alquimia_head(t->turn, refused ? 429 : 200, &header, 1);
	for (size_t i = 0; i < body.len; i += step) {
		struct str piece = str_sub(body, i, i + step);
		char *copy = malloc(piece.len); /* its own memory: reading past a piece is seen */

		FUZZ_REQUIRE(copy);
		memcpy(copy, piece.ptr, piece.len);
		FUZZ_REQUIRE(alquimia_feed(t->turn, copy, piece.len, &content) == 0);
		free(copy);
	}
	alquimia_finish(t->turn, ret);
}

static void to_stream(struct talk *t, struct verdict *ret)
{
	feed(t, false, STR("{\"stream_id\":\"st\"}"), 64, ret);
	FUZZ_REQUIRE(ret->kind == VERDICT_ANOTHER && alquimia_encode(t->turn, &t->exchange, NULL) == 0);
}

static void check_verdict(const struct connector *c, struct talk *t, const struct verdict *v, bool refused, bool stream)
{
	if (v->kind == VERDICT_ANOTHER) {
		FUZZ_REQUIRE(!refused && !stream && alquimia_encode(t->turn, &t->exchange, NULL) == 0);
		check_exchange(c, &t->exchange);
		return;
	}
	fuzz_check(v, refused);
	FUZZ_REQUIRE(v->kind != VERDICT_DONE || (stream && v->answer.len));
}

static void fuzz_replies(const struct connector *c, bool stream, bool refused, struct str body, size_t step)
{
	struct talk whole, pieces;
	struct verdict a, b;

	FUZZ_REQUIRE(talk_begin(&whole, c, NULL) == 0 && talk_begin(&pieces, c, NULL) == 0);
	if (stream) {
		to_stream(&whole, &a);
		to_stream(&pieces, &b);
	}
	feed(&whole, refused, body, MAX(body.len, 1u), &a);
	feed(&pieces, refused, body, step, &b);
	check_verdict(c, &whole, &a, refused, stream);
	check_verdict(c, &pieces, &b, refused, stream);
	FUZZ_REQUIRE(a.kind == b.kind && a.outcome == b.outcome && str_eq(a.answer, b.answer) && str_eq(a.error, b.error));
	FUZZ_REQUIRE(str_eq(whole.exchange.url, pieces.exchange.url));
	talk_end(&whole);
	talk_end(&pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct connector *c;
	struct str rest;

	if (!size)
		return 0;
	if (!c)
		c = fuzz_configure(&alquimia_class, STR(CONFIG));
	FUZZ_REQUIRE(c);
	rest = str_of((const char *)data + 1, size - 1);
	if (data[0] & 0x80)
		fuzz_alquimia_params(rest);
	else if (data[0] & 0x40)
		fuzz_agentic(c, rest);
	else
		fuzz_replies(c, data[0] & 1, data[0] & 2, rest, (size_t)((data[0] >> 2) & 15) + 1);
	return 0;
}
