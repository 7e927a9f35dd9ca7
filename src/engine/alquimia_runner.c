/*
 * alquimia_runner.c: the reference's AlquimiaRunner: the agent keeps the conversation by its session_id, so the batches of a dataset run in order and
 * each is asked as it stands, without the context. A failed batch says why twice: in place of its answer and at the end of its observation.
 * A dataset's time is its wall time.
 *
 * The note is made where a turn gets its result and not where it is sent, because not every failure comes from there: a deadline, an
 * interruption and a turn that was never run are failures of the batch, too.
 */
#include "connector/connector.h"
#include "engine/engine.h"

static int alquimia_prompt(const struct dataset *d, size_t batch, struct arena *a, const struct message **ret_messages,
                           size_t *ret_count)
{
	struct message *message = ARENA_NEW(a, struct message);
	if (!message)
		return FF_ENOMEM;
	*message = (struct message){ STR("user"), d->batches[batch].query };
	*ret_messages = message;
	*ret_count = 1;
	return 0;
}

/* f"{observation or ''}\nError: {message}".strip() */
static int note_failure(struct arena *a, const struct json *observation, struct str message, struct json *ret)
{
	static const char between[] = "\nError: ";
	struct str before = observation->type == JSON_STRING ? observation->text : STR_NULL;
	size_t len = before.len + sizeof between - 1 + message.len;
	char *text = arena_alloc(a, len + 1), *at = text;
	if (!text)
		return FF_ENOMEM;
	if (before.len)
		at = mempcpy(at, before.ptr, before.len);
	at = mempcpy(at, between, sizeof between - 1);
	if (message.len)
		at = mempcpy(at, message.ptr, message.len);
	*at = '\0';
	*ret = (struct json){ .type = JSON_STRING, .text = utf8_trim(str_of(text, len)) };
	return 0;
}

static int join_error(struct arena *a, struct str message, struct str *ret)
{
	char *text = arena_alloc(a, sizeof RESULT_ERROR_PREFIX + message.len);
	if (!text)
		return FF_ENOMEM;
	char *at = mempcpy(text, RESULT_ERROR_PREFIX, sizeof RESULT_ERROR_PREFIX - 1);
	if (message.len)
		at = mempcpy(at, message.ptr, message.len);
	*at = '\0';
	*ret = str_of(text, (size_t)(at - text));
	return 0;
}

static int alquimia_settle(const struct turn_result *r, struct arena *a, const struct batch **ret_replacement)
{
	if (outcome_is_success(r->outcome))
		return 0;
	struct batch *changed = ARENA_NEW(a, struct batch);
	if (!changed)
		return FF_ENOMEM;
	*changed = r->dataset->batches[r->batch];
	if (note_failure(a, &changed->observation, r->answer, &changed->observation) != 0 ||
	    join_error(a, r->answer, &changed->assistant) != 0)
		return FF_ENOMEM;
	*ret_replacement = changed;
	return 0;
}

const struct runner alquimia_runner = {
	.ordered = true, .summary_wall_time = true, .prompt = alquimia_prompt, .settle = alquimia_settle
};
