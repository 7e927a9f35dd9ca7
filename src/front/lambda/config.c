/*
 * config.c: see config.h.
 *
 * The options and the default connector belong to the library, which reads them with every run. They are judged here by a check of the smallest request,
 * which sends nothing: what it says of a FAIRFORGE_ variable, and with a default connector whatever it says, is the operator's mistake.
 */
#include "front/lambda/config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "front/common/args.h"
#include "net/url.h"

#define MARGIN_LEAST_MS 50
#define MARGIN_MOST_MS  840000

static const char *const own_names[] = {
	"FAIRFORGE_CONNECTOR",  "FAIRFORGE_ALLOWED_ORIGINS", "FAIRFORGE_CORS_ORIGIN", "FAIRFORGE_DEADLINE_MARGIN_MS",
	"FAIRFORGE_RESULT_URI", "FAIRFORGE_DISCARD_RESULTS", "FAIRFORGE_LOG_LEVEL",   "FAIRFORGE_ALLOW_HTTP",
};

/* ---- one value ---- */

/* NULL: unset or empty. */
static const char *value_of(config_env_fn env, void *env_user, const char *name)
{
	const char *value = env(env_user, name);

	return value && *value ? value : NULL;
}

static bool is_origin(const char *text)
{
	struct url_parts parts;
	const char *host = strstr(text, "://");

	if (!host || !host[3] || strpbrk(host + 3, "/?#@, \t\r\n\\") || url_parse(str_from(text), &parts, NULL))
		return false;
	url_parts_release(&parts);
	return true;
}

static int read_cors(const char *text, struct config *c, struct error *err)
{
	c->cors_origin = "*";
	if (!text || !strcmp(text, "*"))
		return 0;
	if (!strcmp(text, "none")) {
		c->cors_origin = NULL;
		return 0;
	}
	if (!is_origin(text))
		return error_set(err, FF_EUSAGE, "FAIRFORGE_CORS_ORIGIN",
		                 "FAIRFORGE_CORS_ORIGIN must be *, one origin such as https://example.com, or none.");
	c->cors_origin = text;
	return 0;
}

static int read_margin(const char *text, struct config *c, struct error *err)
{
	if (!text || arg_u64(text, MARGIN_LEAST_MS, MARGIN_MOST_MS, &c->margin_ms))
		return 0;
	return error_set(err, FF_EUSAGE, "FAIRFORGE_DEADLINE_MARGIN_MS",
	                 "FAIRFORGE_DEADLINE_MARGIN_MS must be a number of milliseconds from %d to %d.", MARGIN_LEAST_MS,
	                 MARGIN_MOST_MS);
}

static int read_discard(const char *text, struct config *c, struct error *err)
{
	static const struct str yes[] = { STR("1"), STR("true"), STR("yes"), STR("on") };
	static const struct str no[] = { STR("0"), STR("false"), STR("no"), STR("off") };

	for (size_t i = 0; text && i < ARRAY_SIZE(yes); i++) {
		if (str_eq_nocase(str_from(text), yes[i])) {
			c->discard_results = true;
			return 0;
		}
		if (str_eq_nocase(str_from(text), no[i]))
			return 0;
	}
	return !text ? 0
	             : error_set(err, FF_EUSAGE, "FAIRFORGE_DISCARD_RESULTS",
	                         "FAIRFORGE_DISCARD_RESULTS must be 1 (nobody needs the answers to SQS and EventBridge) or 0.");
}

static int read_level(const char *text, struct config *c, struct error *err)
{
	static const char *const words[] = {
		[FF_LOG_ERROR] = "error", [FF_LOG_WARNING] = "warning", [FF_LOG_INFO] = "info", [FF_LOG_DEBUG] = "debug"
	};

	c->log_level = FF_LOG_INFO;
	if (!text)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq_nocase(str_from(text), str_from(words[i]))) {
			c->log_level = (enum ff_log_level)i;
			return 0;
		}
	return error_set(err, FF_EUSAGE, "FAIRFORGE_LOG_LEVEL", "FAIRFORGE_LOG_LEVEL must be error, warning, info or debug.");
}

int config_read(config_env_fn env, void *env_user, struct config *ret, struct error *err)
{
	struct config c = { 0 };
	uint64_t number;
	int r = read_cors(value_of(env, env_user, "FAIRFORGE_CORS_ORIGIN"), &c, err);

	if (!r)
		r = read_margin(value_of(env, env_user, "FAIRFORGE_DEADLINE_MARGIN_MS"), &c, err);
	if (!r)
		r = read_discard(value_of(env, env_user, "FAIRFORGE_DISCARD_RESULTS"), &c, err);
	if (!r)
		r = read_level(value_of(env, env_user, "FAIRFORGE_LOG_LEVEL"), &c, err);
	if (r)
		return r;
	/* The platform's own variables: what is odd there counts as unknown. */
	if (arg_u64(value_of(env, env_user, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 1, (uint64_t)1 << 20, &number))
		c.memory_bytes = (size_t)number << 20;
	/* What is wrong with an option, config_check_library says. */
	if (!arg_u64(value_of(env, env_user, "FAIRFORGE_DEADLINE_MS"), 1, UINT64_MAX, &c.deadline_ms))
		c.deadline_ms = 0;
	c.one_at_a_time = !arg_u64(value_of(env, env_user, "AWS_LAMBDA_MAX_CONCURRENCY"), 2, UINT32_MAX, &number);
	*ret = c;
	return 0;
}

/* ---- what the library reads ---- */

static const char smallest[] =
        "{\"datasets\": [{\"session_id\": \"s\", \"assistant_id\": \"a\", \"language\": \"english\", \"context\": \"\", "
        "\"conversation\": [{\"qa_id\": \"q\", \"query\": \"q\", \"assistant\": \"\", \"ground_truth_assistant\": \"\"}]}]}";

struct finding {
	bool connector; /* a default connector is set */
	struct error error;
};

static bool is_variable(const char *pointer)
{
	return str_starts_with(str_from(pointer), STR("FAIRFORGE_"));
}

/* The reference's own words come without a full stop. */
static const char *stop_of(const char *text)
{
	return str_ends_with(str_from(text), STR(".")) ? "" : ".";
}

static void note(void *user, const struct ff_problem *problem)
{
	struct finding *f = user;

	if (problem->severity != FF_PROBLEM_ERROR || f->error.code)
		return;
	if (is_variable(problem->pointer))
		error_set(&f->error, FF_EUSAGE, problem->pointer, "%s: %s%s", problem->pointer, problem->text,
		          stop_of(problem->text));
	else if (f->connector)
		error_set(&f->error, FF_EUSAGE, "FAIRFORGE_CONNECTOR", "FAIRFORGE_CONNECTOR: %s%s%s%s", problem->pointer,
		          *problem->pointer ? ": " : "", problem->text, stop_of(problem->text));
}

/* Whether a default connector counts: {} and null are none, as for a payload. */
static int has_connector(const char *text, bool *ret, struct error *err)
{
	struct ff_json_doc *doc;
	struct ff_error why;
	int r = text ? ff_json_parse(text, strlen(text), 0, 0, &doc, &why) : 0;
	const struct ff_json *root;

	*ret = false;
	if (!text)
		return 0;
	if (r == FF_R_NOMEM)
		return error_nomem(err);
	if (r)
		return error_set(err, FF_EUSAGE, "FAIRFORGE_CONNECTOR", "FAIRFORGE_CONNECTOR is not JSON: %s", why.text);
	root = ff_json_root(doc);
	*ret = ff_json_count(root) > 0;
	if (ff_json_type(root) != FF_JSON_NULL && ff_json_type(root) != FF_JSON_OBJECT)
		r = error_set(err, FF_EUSAGE, "FAIRFORGE_CONNECTOR",
		              "FAIRFORGE_CONNECTOR must be a JSON object with class_path and params, as in a payload.");
	ff_json_free(doc);
	return r;
}

int config_check_library(struct ff_engine *engine, config_env_fn env, void *env_user, struct error *err)
{
	struct ff_input input = { .name = "request", .text = smallest, .text_len = sizeof(smallest) - 1, .fd = -1 };
	struct ff_run_options options = FF_INIT(struct ff_run_options);
	struct ff_check_result result;
	struct finding f = { .connector = false };
	int r = has_connector(value_of(env, env_user, "FAIRFORGE_CONNECTOR"), &f.connector, err);

	if (r)
		return r;
	options.inputs = &input;
	options.input_count = 1;
	if (ff_check(engine, &options, note, &f, &result) == FF_R_NOMEM)
		return error_nomem(err);
	if (f.error.code && err)
		*err = f.error;
	return f.error.code;
}

/* ---- names that mean nothing ---- */

/* The variable of an option, "FAIRFORGE_IDLE_TIMEOUT_MS"; NULL beyond the last one. */
static const char *option_name(size_t index, char *room, size_t size)
{
	struct ff_option_info info;

	if (ff_option_at(index, &info))
		return NULL;
	snprintf(room, size, "FAIRFORGE_%s", info.key);
	for (char *p = room; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return room;
}

static bool is_known(struct str name)
{
	char room[80];
	const char *option;

	for (size_t i = 0; i < ARRAY_SIZE(own_names); i++)
		if (str_eq(name, str_from(own_names[i])))
			return true;
	for (size_t i = 0; (option = option_name(i, room, sizeof(room))); i++)
		if (str_eq(name, str_from(option)))
			return true;
	return false;
}

static const char *name_at(const void *room, size_t index)
{
	char *text = (char *)(uintptr_t)room;

	return index < ARRAY_SIZE(own_names) ? own_names[index] : option_name(index - ARRAY_SIZE(own_names), text, 80);
}

void config_unknown(char *const *environment, void (*found)(void *user, struct str name, const char *meant), void *user)
{
	char room[80], typed[80];

	for (; *environment; environment++) {
		const char *end = strchr(*environment, '=');
		struct str name = str_of(*environment, end ? (size_t)(end - *environment) : strlen(*environment));
		size_t near;

		if (!str_starts_with(name, STR("FAIRFORGE_")) || is_known(name))
			continue;
		snprintf(typed, sizeof(typed), "%.*s", STR_ARG(name));
		near = arg_nearest(typed, name_at, room, ARRAY_SIZE(own_names) + ff_option_count());
		found(user, name, near == SIZE_MAX ? NULL : name_at(room, near));
	}
}
