/*
 * llm_runner.c: the reference's LLMRunner: every batch is one question on its own, with the session's context in front of it when it has one.
 * Batches are independent of each other, so nothing is ordered, and a dataset's time is the sum of its turns'.
 */
#include "connector/connector.h"
#include "engine/engine.h"

static struct str join_prompt(struct arena *a, struct str context, struct str query)
{
	static const char before[] = "Context:\n", between[] = "\n\nQuestion: ";
	size_t len = sizeof before - 1 + context.len + sizeof between - 1 + query.len;
	char *text = arena_alloc(a, len + 1);
	if (!text)
		return STR_NULL;
	char *at = mempcpy(text, before, sizeof before - 1);
	at = mempcpy(at, context.ptr, context.len);
	at = mempcpy(at, between, sizeof between - 1);
	if (query.len)
		at = mempcpy(at, query.ptr, query.len);
	*at = '\0';
	return str_of(text, len);
}

static int llm_prompt(const struct dataset *d, size_t batch, struct arena *a, const struct message **ret_messages,
                      size_t *ret_count)
{
	struct message *message = ARENA_NEW(a, struct message);
	if (!message)
		return FF_ENOMEM;
	message->role = STR("user");
	message->content = d->batches[batch].query;
	if (d->context.len) {
		message->content = join_prompt(a, d->context, d->batches[batch].query);
		if (!message->content.ptr)
			return FF_ENOMEM;
	}
	*ret_messages = message;
	*ret_count = 1;
	return 0;
}

const struct runner llm_runner = { .ordered = false, .summary_wall_time = false, .prompt = llm_prompt };
