/*
 * fuzz_turn.h: a connector's decoder and its set-up under a fuzzer. Byte 0 of the input says what the rest is:
 *   bit 7      the params of a connector, as JSON text: configure must answer, and what it accepts must encode
 *   bits 0, 1  otherwise a reply to a plain (0) or streamed (1) request, with status 200 (0) or 429 (1)
 *   bits 2..6  the size of the pieces in which it comes, minus one
 * What must hold: the verdict does not depend on the pieces; an answer is valid UTF-8; a failure has a sentence; every kind is one that the reply allows.
 */
#ifndef FF_TESTS_FUZZ_TURN_H
#define FF_TESTS_FUZZ_TURN_H

#include <stdint.h>
#include <stdlib.h>

#include "connector/connector.h"
#include "model/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_REQUIRE(condition)           \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

static const struct message fuzz_prompt = { { "user", 4 }, { "Hi \"there\"\n", 11 } };
static const struct turn_input fuzz_input = { .messages = &fuzz_prompt, .message_count = 1, .date = "2026-11-22" };

static struct connector *fuzz_configure(const struct connector_class *class, struct str params)
{
	struct connector_setup setup = { .pointer = "/connector/params" };
	struct connector *c = NULL;
	struct problems problems;
	struct arena arena;
	struct json v;
	int r;

	arena_init(&arena);
	problems_init(&problems);
	if (!json_parse(&arena, params, NULL, &v, NULL, NULL) && v.type == JSON_OBJECT) {
		setup.params = &v;
		r = class->configure(class, &setup, &problems, &c);
		FUZZ_REQUIRE(r == 0 || (r == FF_EUSAGE && problems.errors > 0));
		FUZZ_REQUIRE((r == 0) == (c != NULL));
	}
	problems_release(&problems);
	arena_release(&arena);
	return c;
}

/* What a configured connector sends must be a JSON body (or none) to an http URL without control characters. */
static void fuzz_params(const struct connector_class *class, struct str params)
{
	struct connector *c = fuzz_configure(class, params);
	struct connector_turn *t;
	struct exchange x;
	struct arena arena;
	struct json body;

	if (!c)
		return;
	arena_init(&arena);
	t = class->begin(c, NULL, &fuzz_input, &arena);
	FUZZ_REQUIRE(t && class->encode(t, &x, NULL) == 0);
	FUZZ_REQUIRE(str_eq_nocase(str_sub(x.url, 0, 4), STR("http")));
	for (size_t i = 0; i < x.url.len; i++)
		FUZZ_REQUIRE((unsigned char)x.url.ptr[i] > ' ' && x.url.ptr[i] != 0x7f);
	for (size_t i = 0; i < x.header_count; i++)
		FUZZ_REQUIRE(!memchr(x.headers[i].value.ptr, '\n', x.headers[i].value.len));
	FUZZ_REQUIRE(!x.body.len || json_parse(&arena, x.body, NULL, &body, NULL, NULL) == 0);
	class->end(t);
	arena_release(&arena);
	connector_free(c);
}

static struct connector_turn *fuzz_reply(const struct connector *c, struct arena *arena, bool refused, struct str body, size_t step,
                                         struct verdict *ret)
{
	const struct pair header = { STR("Content-Type"), c->streaming ? STR("text/event-stream") : STR("application/json") };
	struct connector_turn *t = c->class->begin(c, NULL, &fuzz_input, arena);
	struct exchange x;
	bool content = false;

	FUZZ_REQUIRE(t && c->class->encode(t, &x, NULL) == 0);
	c->class->head(t, refused ? 429 : 200, &header, 1);
	for (size_t i = 0; i < body.len; i += step) {
		struct str piece = str_sub(body, i, i + step);
		char *copy = malloc(piece.len); /* its own memory: reading past a piece is seen */

		FUZZ_REQUIRE(copy);
		memcpy(copy, piece.ptr, piece.len);
		FUZZ_REQUIRE(c->class->feed(t, copy, piece.len, &content) == 0);
		free(copy);
	}
	c->class->finish(t, ret);
	return t;
}

static void fuzz_check(const struct verdict *v, bool refused)
{
	if (v->kind == VERDICT_DONE) {
		FUZZ_REQUIRE(!refused && outcome_is_success(v->outcome) && utf8_is_valid(v->answer));
	} else {
		FUZZ_REQUIRE(v->kind == VERDICT_RETRY || v->kind == VERDICT_FATAL);
		FUZZ_REQUIRE(v->error.len && utf8_is_valid(v->error) && !outcome_is_success(v->outcome));
	}
	FUZZ_REQUIRE(v->usage.input_tokens >= -1 && v->usage.output_tokens >= -1 && v->usage.total_tokens >= -1);
}

static void fuzz_decode(const struct connector *c, bool refused, struct str body, size_t step)
{
	struct verdict whole, pieces;
	struct arena a, b;
	struct connector_turn *ta, *tb;

	arena_init(&a);
	arena_init(&b);
	ta = fuzz_reply(c, &a, refused, body, MAX(body.len, 1u), &whole);
	tb = fuzz_reply(c, &b, refused, body, step, &pieces);
	fuzz_check(&whole, refused);
	FUZZ_REQUIRE(whole.kind == pieces.kind && whole.outcome == pieces.outcome);
	FUZZ_REQUIRE(str_eq(whole.answer, pieces.answer) && str_eq(whole.error, pieces.error));
	c->class->end(ta);
	c->class->end(tb);
	arena_release(&a);
	arena_release(&b);
}

/* plain and streamed: params of a connector that asks for either. */
static UNUSED int fuzz_turn(const struct connector_class *class, const char *plain, const char *streamed, const uint8_t *data,
                            size_t size)
{
	static struct connector *connectors[2];
	struct str rest;

	if (!size)
		return 0;
	rest = str_of((const char *)data + 1, size - 1);
	if (data[0] & 0x80) {
		fuzz_params(class, rest);
		return 0;
	}
	for (int i = 0; i < 2; i++)
		if (!connectors[i])
			connectors[i] = fuzz_configure(class, str_from(i ? streamed : plain));
	FUZZ_REQUIRE(connectors[0] && connectors[1]);
	fuzz_decode(connectors[data[0] & 1], data[0] & 2, rest, (size_t)((data[0] >> 2) & 31) + 1);
	return 0;
}

#endif
