/*
 * turn_kit.h: what the tests of a connector need: configure it from JSON text with an environment of the test's own, ask it for a request, and feed
 * it a reply in pieces. Everything is released by kit_release, so that the leak check sees what a connector keeps.
 */
#ifndef FF_TESTS_TURN_KIT_H
#define FF_TESTS_TURN_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "connector/connector.h"
#include "model/json.h"

struct kit_env { /* terminated by a NULL name */
	const char *name, *value;
};

struct kit {
	const struct connector_class *class;
	struct arena arena, turn_arena;
	struct json params;
	struct problems problems;
	struct connector *c;
	struct connector_turn *turn;
	struct turn_input input;
	struct exchange exchange;
	struct verdict verdict;
	struct error err;
	bool content; /* what feed said about answer text */
};

static const char *kit_getenv(void *user, const char *name)
{
	const struct kit_env *env = (const struct kit_env *)user;

	for (; env && env->name; env++)
		if (strcmp(env->name, name) == 0)
			return env->value;
	return NULL;
}

/* Configures; the result of `configure`. */
static UNUSED int kit_configure(struct kit *k, const struct connector_class *class, const char *params, const struct kit_env *env,
                                bool stranger, bool stream)
{
	struct connector_setup setup = { .pointer = "/connector/params",
		                         .env = kit_getenv,
		                         .env_user = (void *)(uintptr_t)env,
		                         .stranger = stranger,
		                         .stream = stream };

	*k = (struct kit){ .class = class };
	arena_init(&k->arena);
	arena_init(&k->turn_arena);
	problems_init(&k->problems);
	assert_int_equal(json_parse(&k->arena, str_from(params), NULL, &k->params, NULL, NULL), 0);
	setup.params = &k->params;
	return class->configure(class, &setup, &k->problems, &k->c);
}

static UNUSED void kit_end_turn(struct kit *k)
{
	if (k->turn && k->class->end)
		k->class->end(k->turn);
	k->turn = NULL;
	arena_reset(&k->turn_arena);
}

static UNUSED void kit_release(struct kit *k)
{
	kit_end_turn(k);
	arena_release(&k->turn_arena);
	connector_free(k->c);
	problems_release(&k->problems);
	arena_release(&k->arena);
}

/* True when a problem of the severity stands at the pointer and its text has the piece. */
static UNUSED bool kit_has_problem(const struct kit *k, enum problem_severity severity, const char *pointer, const char *piece)
{
	for (const struct problem *p = k->problems.first; p; p = p->next)
		if (p->severity == severity && strcmp(p->pointer, pointer) == 0 && strstr(p->text, piece))
			return true;
	for (const struct problem *p = k->problems.first; p; p = p->next)
		print_message("problem at %s: %s\n", p->pointer, p->text);
	print_message("expected one at %s with '%s'\n", pointer, piece);
	return false;
}

static UNUSED void kit_expect_refused(const struct connector_class *class, const char *params, const char *pointer,
                                      const char *piece)
{
	struct kit k;

	if (kit_configure(&k, class, params, NULL, false, false) != FF_EUSAGE)
		fail_msg("params %s must be refused", params);
	assert_null(k.c);
	assert_true(kit_has_problem(&k, PROBLEM_ERROR, pointer, piece));
	kit_release(&k);
}

/* Begins a turn and encodes; the result of `encode`. */
static UNUSED int kit_ask(struct kit *k, const struct message *messages, size_t count)
{
	kit_end_turn(k);
	k->input = (struct turn_input){
		.messages = messages, .message_count = count, .date = "2026-11-22", .now_wall_ms = 1795000000000
	};
	k->turn = k->class->begin(k->c, NULL, &k->input, &k->turn_arena);
	assert_non_null(k->turn);
	return k->class->encode(k->turn, &k->exchange, &k->err);
}

static UNUSED int kit_ask_text(struct kit *k, const char *prompt)
{
	static struct message m;

	m = (struct message){ STR("user"), str_from(prompt) };
	return kit_ask(k, &m, 1);
}

/* Feeds a reply in pieces of `step` bytes (0: whole) and finishes. */
static UNUSED void kit_reply(struct kit *k, int status, const char *type, const char *retry_after, struct str body, size_t step)
{
	struct pair headers[2] = { { STR("Content-Type"), str_from(type) }, { STR("Retry-After"), str_from(retry_after) } };

	k->content = false;
	k->class->head(k->turn, status, headers, retry_after ? 2 : 1);
	for (size_t i = 0; i < body.len; i += step ? step : body.len)
		assert_int_equal(k->class->feed(k->turn, body.ptr + i, MIN(step ? step : body.len, body.len - i), &k->content), 0);
	k->class->finish(k->turn, &k->verdict);
}

static UNUSED void kit_expect_str(struct str got, const char *want)
{
	if (!str_eq(got, str_from(want)))
		fail_msg("expected '%s', got '%.*s'", want, STR_ARG(got));
}

static UNUSED void kit_expect_piece(struct str got, const char *piece)
{
	if (!str_contains(got, str_from(piece)))
		fail_msg("expected '%s' in '%.*s'", piece, STR_ARG(got));
}

static UNUSED struct str kit_header(const struct kit *k, const char *name)
{
	for (size_t i = 0; i < k->exchange.header_count; i++)
		if (str_eq_nocase(k->exchange.headers[i].name, str_from(name)))
			return k->exchange.headers[i].value;
	return STR_NULL;
}

static UNUSED bool kit_is_secret(const struct kit *k, const char *text)
{
	for (size_t i = 0; i < k->c->secret_count; i++)
		if (str_eq(k->c->secrets[i], str_from(text)))
			return true;
	return false;
}

/* One run with allocation `countdown` failing: configure, ask, reply. True when nothing failed any more. */
static UNUSED bool kit_fault_run(const struct connector_class *class, const char *params, const char *type, const char *body,
                                 uint64_t countdown)
{
	const struct message m = { STR("user"), STR("Hi") };
	const struct pair header = { STR("Content-Type"), str_from(type) };
	struct connector_setup setup = { .pointer = "/connector/params" };
	struct turn_input input = { .messages = &m, .message_count = 1, .date = "2026-11-22" };
	struct kit k = { .class = class };
	bool content = false, failed = false;
	int r;

	arena_init(&k.arena);
	arena_init(&k.turn_arena);
	problems_init(&k.problems);
	assert_int_equal(json_parse(&k.arena, str_from(params), NULL, &k.params, NULL, NULL), 0);
	setup.params = &k.params;
	mem_fault_arm(countdown, false);
	r = class->configure(class, &setup, &k.problems, &k.c);
	assert_true(r == 0 || r == FF_ENOMEM);
	if (r == 0 && (k.turn = class->begin(k.c, NULL, &input, &k.turn_arena))) {
		r = class->encode(k.turn, &k.exchange, &k.err);
		assert_true(r == 0 || r == FF_ENOMEM);
	}
	if (r == 0 && k.turn) {
		class->head(k.turn, 200, &header, 1);
		for (size_t i = 0; r == 0 && i < strlen(body); i += 7)
			r = class->feed(k.turn, body + i, strnlen(body + i, 7), &content);
		assert_true(r == 0 || r == FF_ENOMEM);
	}
	if (r == 0 && k.turn) {
		class->finish(k.turn, &k.verdict);
		failed = k.verdict.kind != VERDICT_DONE;
		assert_true(!failed || (k.verdict.kind == VERDICT_FATAL && k.verdict.error.len));
	}
	failed |= r != 0 || !k.turn;
	r = mem_fault_hits() != 0;
	mem_fault_arm(0, false);
	assert_true(r || !failed);
	kit_release(&k);
	return !r;
}

/* Fails allocation 1, 2, 3, ... until a run meets no fault: each ends in a documented way, and nothing leaks. */
static UNUSED void kit_fault_loop(const struct connector_class *class, const char *params, const char *type, const char *body)
{
	uint64_t n = 1;

	while (!kit_fault_run(class, params, type, body, n))
		assert_true(n++ < 10000);
	assert_true(n > 5);
}

#endif
