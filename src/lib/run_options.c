/*
 * run_options.c: the options of a run by precedence: default, environment FAIRFORGE_A_B, payload, flag; each later one wins.
 *
 * A stranger's payload may only lower what the operator has (default and environment): the table of options has a column for who may set what.
 */
#include <ctype.h>

#include "lib/internal.h"
#include "lib/request.h"
#include "lib/setting.h"

/* "FAIRFORGE_IDLE_TIMEOUT_MS" in the request's arena. */
static const char *variable_name(struct request *req, const char *key)
{
	char *name = arena_printf(&req->arena, "FAIRFORGE_%s", key);

	for (char *p = name; p && *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return name;
}

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

	for (size_t i = 0; i < count; i++) {
		const char *name = variable_name(req, rows[i].key), *value;

		if (!name)
			return FF_ENOMEM;
		value = lib_getenv(req->engine, name);
		if (value && *value && set_text(req, o, rows[i].key, value, name, problems) == FF_ENOMEM)
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

/* 0 is no limit at all. */
static bool longer(uint64_t asked, uint64_t given)
{
	return given && (!asked || asked > given);
}

/* Whether `asked` takes more than the operator gives under this key. */
static bool raises(const char *key, const struct options *asked, const struct options *given)
{
	const struct {
		const char *key;
		bool raised;
	} rules[] = {
		{ "concurrency", asked->concurrency > given->concurrency || (given->adaptive && !asked->adaptive) },
		{ "connect_timeout_ms", longer(asked->connect_timeout_ms, given->connect_timeout_ms) },
		{ "idle_timeout_ms", longer(asked->idle_timeout_ms, given->idle_timeout_ms) },
		{ "turn_timeout_ms", longer(asked->turn_timeout_ms, given->turn_timeout_ms) },
		{ "deadline_ms", longer(asked->deadline_ms, given->deadline_ms) },
		{ "max_retries", given->max_retries >= 0 && asked->max_retries > given->max_retries },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (!strcmp(rules[i].key, key))
			return rules[i].raised;
	return false;
}

static const struct option_row *find_row(struct str key)
{
	size_t count;
	const struct option_row *rows = options_table(&count);

	for (size_t i = 0; i < count; i++)
		if (str_eq(str_from(rows[i].key), key))
			return &rows[i];
	return NULL;
}

static void check_stranger(const struct json *object, const struct options *asked, const struct options *given,
                           struct problems *problems)
{
	for (size_t i = 0; object->type == JSON_OBJECT && i < object->count; i++) {
		const struct option_row *row = find_row(object->members[i].key);
		char pointer[300] = "/options";

		if (!row)
			continue;
		json_pointer_push(pointer, sizeof(pointer), str_from(row->key));
		if (!row->stranger_lowers)
			problem_error(problems, pointer, "Only the operator may set %s.", row->key);
		else if (raises(row->key, asked, given))
			problem_error(problems, pointer, "%s may be lowered here, not raised.", row->key);
	}
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
		check_stranger(object, o, &given, problems);
	return 0;
}

/* What does not come from a document is judged before any document is read: nobody waits for a large file to learn of a typing mistake. */
int request_check_flags(struct request *req)
{
	struct options scratch = req->options;
	struct problems problems;
	int r;

	problems_init(&problems);
	r = set_environment(req, &scratch, &problems);
	if (!r)
		r = set_flags(req, &scratch, &problems);
	if (!r)
		r = request_take(req, STEP_FLAGS, "", &problems, FF_EUSAGE);
	problems_release(&problems);
	return r;
}

int request_read_options(struct request *req)
{
	struct problems problems, known;
	int r;

	problems_init(&problems);
	problems_init(&known);
	r = set_environment(req, &req->options, &known);
	if (!r)
		r = set_payload(req, &req->options, &problems);
	if (!r)
		r = set_flags(req, &req->options, &known);
	if (!r)
		r = request_take(req, STEP_OPTIONS, req->payload ? req->inputs[0].name : "", &problems, FF_EUSAGE);
	problems_release(&problems);
	problems_release(&known);
	return r;
}
