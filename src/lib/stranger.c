/*
 * stranger.c: how much a stranger's connector may ask for. Not: where it may go (target.c), which parameters it may name (the tables of the connectors),
 * which options (run_options.c).
 *
 * The size first: configuring compares names with names, so that its time grows with the square of their number. What a connector of a real request has
 * (tools, a schema, headers) is far below the caps.
 */
#include "lib/internal.h"
#include "lib/request.h"

#define CONNECTOR_MAX_VALUES  4096u
#define CONNECTOR_MAX_BYTES   ((size_t)1 << 20) /* of its names and texts */
#define CONNECTOR_MAX_SECRETS 64u               /* each is looked for in every sentence of the run */

struct size {
	size_t values, bytes;
};

/* Recursive: the reader's cap on depth bounds it. Stops where a cap is passed. */
static void measure(const struct json *v, struct size *s)
{
	s->values++;
	if (v->type == JSON_STRING || v->type == JSON_NUMBER)
		s->bytes += v->text.len;
	for (uint32_t i = 0; v->type == JSON_ARRAY && i < v->count && s->values <= CONNECTOR_MAX_VALUES; i++)
		measure(&v->items[i], s);
	for (uint32_t i = 0; v->type == JSON_OBJECT && i < v->count && s->values <= CONNECTOR_MAX_VALUES; i++) {
		s->bytes += v->members[i].key.len;
		measure(&v->members[i].value, s);
	}
}

int request_limit_size(struct request *req, const struct json *connector)
{
	struct size size = { 0 };

	if (req->engine->role != FF_ROLE_STRANGER || req->operators_own)
		return 0;
	measure(connector, &size);
	if (size.values > CONNECTOR_MAX_VALUES)
		return request_fail(req, STEP_CONNECTOR, FF_EUSAGE, "", "", "A connector of more than %u values is not taken here.",
		                    CONNECTOR_MAX_VALUES);
	if (size.bytes > CONNECTOR_MAX_BYTES)
		return request_fail(req, STEP_CONNECTOR, FF_EUSAGE, "", "", "A connector of more than %zu bytes is not taken here.",
		                    CONNECTOR_MAX_BYTES);
	return 0;
}

static void lower(struct request *req, const char *name, const char *what, uint64_t *ms, struct problems *problems)
{
	uint64_t most = req->options.idle_timeout_ms;

	if (!most || *ms <= most)
		return;
	problem_warning(problems, request_param_at(req, name), "%s of more than %llu ms is not given here.", what,
	                (unsigned long long)most);
	*ms = most;
}

/* Not more keys, tokens and cookies than requests have. Retries and timeouts stay within the operator's (DESIGN section 9: may lower limits, never
 * raise them). What the class does unasked is the operator's. */
void request_limit_connector(struct request *req, struct problems *problems)
{
	struct connector *c = req->connector;
	int32_t own = MAX(c->class->retry.default_max_retries, OPTIONS_STRANGER_RETRIES);
	int32_t most = req->options.max_retries >= 0 ? req->options.max_retries : own;

	if (account_guards(req->account) > CONNECTOR_MAX_SECRETS)
		problem_error(problems, req->params_at,
		              "A connector with more than %d secret headers and values is not taken here.", CONNECTOR_MAX_SECRETS);
	if (c->max_retries > most) {
		problem_warning(problems, request_param_at(req, "max_retries"), "More than %d extra attempts are not given here.",
		                most);
		c->max_retries = most;
	}
	if (c->timeout_set)
		lower(req, "timeout", "A timeout", &c->timeout_ms, problems);
	lower(req, "stream_chunk_timeout", "A silence", &c->silence_ms, problems);
}
