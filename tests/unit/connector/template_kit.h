/*
 * template_kit.h: a session for tests of HttpTemplate: a configured connector (turn_kit.h), a dataset, its batches, and the state between turns.
 *
 *     struct talk t;
 *     talk_begin(&t, params, env);
 *     talk_ask(&t, "query", "{\"x\":1}");         // begin and encode; t.kit.exchange
 *     talk_reply(&t, 200, "application/json", "{...}");
 *     talk_end(&t);
 */
#ifndef FF_TESTS_TEMPLATE_KIT_H
#define FF_TESTS_TEMPLATE_KIT_H

#include "turn_kit.h"

#include "connector/http_template.h"

struct talk {
	struct kit kit;
	struct dataset dataset;
	struct batch batch;
	struct message message;
	struct connector_session *session;
	struct pair headers[4]; /* of the next reply, behind its Content-Type */
	size_t header_count;
};

static UNUSED void talk_begin(struct talk *t, const char *params, const struct kit_env *env)
{
	*t = (struct talk){ 0 };
	if (kit_configure(&t->kit, &http_template_class, params, env, false, false)) {
		for (const struct problem *p = t->kit.problems.first; p; p = p->next)
			print_message("problem at %s: %s\n", p->pointer, p->text);
		fail_msg("params %s must be accepted", params);
	}
	t->dataset = (struct dataset){ .session_id = STR("s 1"),
		                       .assistant_id = STR("a/1"),
		                       .language = { .type = JSON_STRING, .text = STR("english") },
		                       .context = STR("C\"1"),
		                       .batches = &t->batch,
		                       .batch_count = 1 };
	t->batch = (struct batch){ .qa_id = STR("q1") };
	assert_int_equal(http_template_session_new(t->kit.c, &t->dataset, &t->session), 0);
}

/* The result of encode. `agentic` is JSON text or NULL. */
static UNUSED int talk_ask(struct talk *t, const char *query, const char *agentic)
{
	struct kit *k = &t->kit;

	kit_end_turn(k);
	error_clear(&k->err);
	t->batch.query = str_from(query);
	t->batch.agentic = (struct json){ .type = JSON_OBJECT };
	if (agentic)
		assert_int_equal(json_parse_copy(&k->arena, str_from(agentic), NULL, &t->batch.agentic, NULL, NULL), 0);
	t->message = (struct message){ STR("user"), str_from(arena_printf(&k->arena, "P: %s", query)) };
	k->input = (struct turn_input){ .dataset = &t->dataset,
		                        .batch = &t->batch,
		                        .messages = &t->message,
		                        .message_count = 1,
		                        .date = "2026-11-22",
		                        .now_wall_ms = 1795000000000 };
	k->turn = http_template_begin(k->c, t->session, &k->input, &k->turn_arena);
	assert_non_null(k->turn);
	return http_template_encode(k->turn, &k->exchange, &k->err);
}

/* The next exchange of the same attempt. */
static UNUSED int talk_again(struct talk *t)
{
	return http_template_encode(t->kit.turn, &t->kit.exchange, &t->kit.err);
}

static UNUSED void talk_reply_steps(struct talk *t, int status, const char *type, const char *body, size_t step)
{
	struct pair headers[5] = { { STR("Content-Type"), str_from(type) } };
	size_t len = strlen(body);
	struct kit *k = &t->kit;

	k->content = false;
	memcpy(headers + 1, t->headers, sizeof t->headers);
	http_template_head(k->turn, status, headers, 1 + t->header_count);
	for (size_t i = 0; i < len; i += step) {
		char *piece = malloc(MIN(step, len - i)); /* its own memory: reading past a piece is seen */

		assert_non_null(piece);
		memcpy(piece, body + i, MIN(step, len - i));
		assert_int_equal(http_template_feed(k->turn, piece, MIN(step, len - i), &k->content), 0);
		free(piece);
	}
	http_template_finish(k->turn, &k->verdict);
}

static UNUSED void talk_reply(struct talk *t, int status, const char *type, const char *body)
{
	talk_reply_steps(t, status, type, body, 1 + strlen(body));
}

static UNUSED void talk_expect_answer(struct talk *t, const char *want)
{
	if (t->kit.verdict.kind != VERDICT_DONE)
		fail_msg("expected the answer '%s', got '%.*s'", want, STR_ARG(t->kit.verdict.error));
	kit_expect_str(t->kit.verdict.answer, want);
}

static UNUSED void talk_end(struct talk *t)
{
	kit_end_turn(&t->kit);
	http_template_session_free(t->session);
	kit_release(&t->kit);
}

#endif
