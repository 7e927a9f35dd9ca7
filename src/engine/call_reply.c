/*
 * call_reply.c: what a runner's answer means for its turn: an outcome with its texts, and the changed batch.
 *
 * Everything that a runner says beside the answer passes the scrubber here, the edge at which it enters the engine. A shape that cannot be is the
 * turn's bad_reply, never the run's failure.
 */
#include "base/problem.h"
#include "engine/call_internal.h"

#define SENTENCE_MOST    (64u << 10) /* bytes of a runner's message that are kept */
#define TEXT_MOST        ((size_t)1 << 30)
#define CHANGES_MOST     ((size_t)64 << 20)
#define NO_MEMORY_CLAUSE "out of memory while the answer was read"

/* The text in the arena, scrubbed. A static sentence when memory is short. */
static struct str own_text(const struct call_executor *x, struct arena *arena, struct str text)
{
	struct str copy;
	struct buf safe;
	int rc;
	text.len = utf8_cut(text, SENTENCE_MOST);
	buf_init(&safe, TEXT_MOST);
	rc = x->config.scrubber ? scrub_append(x->config.scrubber, &safe, text) : buf_append_str(&safe, text);
	if (rc == 0)
		rc = arena_str(arena, buf_str(&safe), &copy);
	buf_release(&safe);
	return rc == 0 ? copy : STR(NO_MEMORY_CLAUSE);
}

void call_reply_fail(const struct call_executor *x, enum outcome outcome, const char *clause, struct arena *arena,
                     struct attempt_result *ret)
{
	const char *text = arena_printf(arena, "%s: %s.", x->name, clause);
	*ret = (struct attempt_result){ .outcome = outcome, .usage = USAGE_UNKNOWN, .hint_ms = -1 };
	ret->error = text ? own_text(x, arena, str_from(text)) : STR(NO_MEMORY_CLAUSE);
}

/* ---- the changed batch ---- */

/* The record's text is the batch's own, so it has what the answer, or the failure, would have put there. */
static int set_assistant(struct arena *arena, const struct attempt_result *r, const struct json *changes, struct batch *b)
{
	if (outcome_is_success(r->outcome)) {
		if (!json_get_lit(changes, "assistant"))
			b->assistant = r->answer;
		return 0;
	}
	const char *text = arena_printf(arena, "[ERROR] %.*s", STR_ARG(r->error));
	b->assistant = str_from(text);
	return text ? 0 : FF_ENOMEM;
}

/* The first problem as a clause in the arena; NULL: out of memory. */
static const char *invalid_clause(struct arena *arena, const struct problems *problems)
{
	struct str text = str_from(problems->first->text);
	if (str_ends_with(text, STR(".")))
		text.len--;
	return arena_printf(arena, "its batch_json is not valid at %s: %.*s", problems->first->pointer, STR_ARG(text));
}

static int update(struct arena *arena, const struct json *changes, struct batch *b, const char **ret_wrong)
{
	struct problems problems;
	problems_init(&problems);
	int rc = batch_update(b, changes, "", arena, &problems);
	if (rc == FF_EDATA) {
		*ret_wrong = invalid_clause(arena, &problems);
		rc = *ret_wrong ? FF_EDATA : FF_ENOMEM;
	}
	problems_release(&problems);
	return rc;
}

/* 0; FF_EDATA with the clause of what is wrong; FF_ENOMEM. */
static int change_batch(struct str text, const struct batch *input, struct arena *arena, struct attempt_result *r,
                        const char **ret_wrong)
{
	struct json changes;
	struct json_error why;
	char where[512];
	int rc = json_parse_copy(arena, text, &(struct json_limits){ .max_bytes = CHANGES_MOST }, &changes, NULL, &why);
	if (rc == FF_ENOMEM)
		return rc;
	if (rc != 0) {
		json_error_format(&why, where, sizeof where);
		*ret_wrong = arena_printf(arena, "its batch_json is not JSON: %s", where);
		return *ret_wrong ? FF_EDATA : FF_ENOMEM;
	}
	if (changes.type != JSON_OBJECT) {
		*ret_wrong = "its batch_json is no object";
		return FF_EDATA;
	}
	struct batch *b = ARENA_NEW(arena, struct batch);
	if (!b)
		return FF_ENOMEM;
	*b = *input;
	rc = update(arena, &changes, b, ret_wrong);
	if (rc == 0)
		rc = set_assistant(arena, r, &changes, b);
	if (rc == 0)
		r->replacement = b;
	return rc;
}

/* ---- the answer ---- */

bool call_reply_failed(const struct call_ticket *t)
{
	return t->lost || (t->reply && !outcome_is_success(t->reply->answer.outcome));
}

/* What every answer has. 0 or FF_ENOMEM. */
static int read_answer(const struct call_executor *x, const struct call_answer *from, struct arena *arena,
                       struct attempt_result *ret)
{
	bool success = outcome_is_success(from->outcome);
	*ret = (struct attempt_result){
		.outcome = from->outcome,
		.retryable = !success && from->retryable,
		.usage = from->usage,
		.http_status = from->http_status,
		.hint_ms = success ? -1 : from->hint_ms,
		.finish_reason = own_text(x, arena, from->finish_reason),
		.model = own_text(x, arena, from->model),
		.request_id = own_text(x, arena, from->request_id),
	};
	if (!success) {
		ret->error = own_text(x, arena, from->error);
		return 0;
	}
	ret->key_in_answer = x->config.scrubber && scrub_finds(x->config.scrubber, from->answer);
	return arena_str(arena, from->answer, &ret->answer);
}

void call_reply_read(const struct call_ticket *t, const struct batch *input, struct arena *arena, struct attempt_result *ret)
{
	const struct call_executor *x = t->call->x;
	const char *wrong = NULL;
	if (!t->reply) {
		call_reply_fail(x, t->lost ? OUTCOME_TRANSPORT : OUTCOME_BAD_REPLY,
		                t->lost ? NO_MEMORY_CLAUSE : "the runner completed the turn without an answer", arena, ret);
		return;
	}
	int rc = read_answer(x, &t->reply->answer, arena, ret);
	if (rc == 0 && input && t->reply->answer.changes.len)
		rc = change_batch(t->reply->answer.changes, input, arena, ret, &wrong);
	if (rc == FF_EDATA)
		call_reply_fail(x, OUTCOME_BAD_REPLY, wrong, arena, ret);
	else if (rc != 0)
		call_reply_fail(x, OUTCOME_TRANSPORT, NO_MEMORY_CLAUSE, arena, ret);
}

void call_reply_stamp(struct call *c, const struct call_ticket *t, uint64_t now_us, struct attempt_result *ret)
{
	double elapsed_ms = t->reply ? t->reply->answer.elapsed_ms : 0;
	uint64_t from_us = c->x->config.ordered ? MAX(c->start_us, c->last_us) : c->start_us;
	if (elapsed_ms > 0)
		from_us = elapsed_ms * 1000 < (double)(now_us - c->start_us) ? now_us - (uint64_t)(elapsed_ms * 1000) : c->start_us;
	ret->sent_us = ret->connected_us = from_us;
	ret->first_byte_us = ret->first_content_us = ret->last_byte_us = now_us;
	c->last_us = now_us;
}
