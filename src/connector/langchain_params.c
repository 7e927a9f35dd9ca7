/* langchain_params.c: see langchain_params.h. */
#include "connector/langchain_params.h"

#include "connector/coerce.h"

enum { LANGCHAIN_FIELDS(LC) };

#define POINTER_MAX 512

struct check {
	const char *pointer;
	struct problems *problems;
	bool failed;
};

static void wrong(struct check *c, const char *name, const char *sentence)
{
	char at[POINTER_MAX];
	size_t len = MIN(strlen(c->pointer), sizeof at - 1);

	memcpy(at, c->pointer, len);
	at[len] = '\0';
	json_pointer_push(at, sizeof at, str_from(name));
	problem_error(c->problems, at, "%s", sentence);
	c->failed = true;
}

/* true, false (as pydantic reads them) or "tool_calling". */
static bool read_disable_streaming(struct check *c, const struct json *v)
{
	struct json truth;

	if (v->type == JSON_STRING && str_eq(v->text, STR("tool_calling")))
		return false;
	if (coerce_bool(v, &truth) != COERCE_OK) {
		wrong(c, "disable_streaming", "disable_streaming must be true, false or \"tool_calling\".");
		return false;
	}
	return truth.type == JSON_TRUE;
}

int langchain_params_check(const struct param_value *values, const char *pointer, struct problems *problems,
                           bool *ret_disable_streaming)
{
	struct check c = { .pointer = pointer, .problems = problems };

	*ret_disable_streaming = false;
	if (values[LC_CACHE].given && values[LC_CACHE].value.type == JSON_TRUE)
		wrong(&c, "cache", "cache cannot be true: there is no cache of answers here; remove it.");
	if (values[LC_CALLBACKS].given && values[LC_CALLBACKS].value.count)
		wrong(&c, "callbacks", "callbacks cannot be given as JSON: remove it.");
	if (values[LC_RATE_LIMITER].given)
		wrong(&c, "rate_limiter", "rate_limiter cannot be given as JSON: use the option concurrency.");
	if (values[LC_TOKEN_IDS].given)
		wrong(&c, "custom_get_token_ids", "custom_get_token_ids cannot be given as JSON: remove it.");
	if (values[LC_DISABLE_STREAMING].given)
		*ret_disable_streaming = read_disable_streaming(&c, &values[LC_DISABLE_STREAMING].value);
	return c.failed ? FF_EUSAGE : 0;
}
