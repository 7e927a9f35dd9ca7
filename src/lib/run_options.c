/*
 * run_options.c: the options of a run by precedence: default, environment FAIRFORGE_A_B, payload, flag; each later one wins.
 *
 * A stranger's payload may only lower what the operator has (default, environment and flags, which then come before it): the table of options has a
 * column for who may set what.
 */
#include <assert.h>

#include "lib/internal.h"
#include "lib/request.h"
#include "lib/setting.h"

#define OPTIONS_MAX 32u

static int set_text(struct request *req, struct options *o, const char *key, const char *text, const char *where,
                    struct problems *problems)
{
	struct json value;
	int r = setting_parse(&req->arena, str_from(text), &value);

	return r ? r : options_set(o, str_from(key), &value, where, problems);
}

static int set_environment(struct request *req, struct options *o, struct problems *problems)
{
	size_t count;
	const struct option_row *rows = options_table(&count);
	const char *keys[OPTIONS_MAX], *values[OPTIONS_MAX];
	char name[VARIABLE_NAME_MAX];

	assert(count <= OPTIONS_MAX);
	for (size_t i = 0; i < count; i++)
		keys[i] = rows[i].key;
	lib_getenv_keys(req->engine, keys, count, values);
	for (size_t i = 0; i < count; i++) {
		if (!values[i] || !*values[i])
			continue;
		lib_variable_name(keys[i], name);
		if (set_text(req, o, keys[i], values[i], name, problems) == FF_ENOMEM)
			return FF_ENOMEM;
	}
	return 0;
}

static int set_flags(struct request *req, struct options *o, struct problems *problems)
{
	for (size_t i = 0; i < req->ro.option_count; i++) {
		const struct ff_setting *s = &req->ro.options[i];
		const char *where = arena_printf(&req->arena, "option %s", s->name);

		if (!where || set_text(req, o, s->name, s->value ? s->value : "", where, problems) == FF_ENOMEM)
			return FF_ENOMEM;
	}
	return 0;
}

/* The payload's member `options`, whether it is an object or not: options_from_json says what is wrong with it. */
static int set_payload(struct request *req, struct options *o, struct problems *problems)
{
	const struct json *object = req->payload ? req->payload->options : NULL;
	struct options given = *o;

	if (!object)
		return 0;
	if (options_from_json(o, object, "/options", problems) == FF_ENOMEM)
		return FF_ENOMEM;
	if (req->engine->role == FF_ROLE_STRANGER)
		options_limit(o, &given, "/options", problems);
	return problems->nomem ? FF_ENOMEM : 0;
}

/*
 * What does not come from a document is judged before any document is read: nobody waits for a large file to learn of a typing mistake. The
 * environment's options are set here already, the flags only tried.
 */
int request_check_flags(struct request *req)
{
	struct options scratch;
	struct problems problems;
	int r;

	problems_init(&problems);
	r = set_environment(req, &req->options, &problems);
	scratch = req->options;
	if (!r)
		r = set_flags(req, &scratch, &problems);
	if (!r)
		r = request_take(req, STEP_FLAGS, "", &problems, FF_EUSAGE);
	problems_release(&problems);
	return r;
}

/* The sooner deadline of the embedder's and the options' holds. */
static void limit_time(struct request *req)
{
	uint64_t most = req->ro.time_ms;

	if (most && (!req->options.deadline_ms || most < req->options.deadline_ms))
		req->options.deadline_ms = most;
}

int request_read_options(struct request *req)
{
	bool stranger = req->engine->role == FF_ROLE_STRANGER;
	struct problems problems, known;
	int r = 0;

	problems_init(&problems);
	problems_init(&known);
	if (stranger)
		r = set_flags(req, &req->options, &known);
	if (!r)
		r = set_payload(req, &req->options, &problems);
	if (!r && !stranger)
		r = set_flags(req, &req->options, &known);
	if (!r)
		r = request_take(req, STEP_OPTIONS, req->payload ? req->inputs[0].name : "", &problems, FF_EUSAGE);
	limit_time(req);
	problems_release(&problems);
	problems_release(&known);
	return r;
}
