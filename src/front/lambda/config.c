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

#define MARGIN_LEAST_MS  50
#define MARGIN_MOST_MS   840000
#define DEADLINE_MOST_MS 2592000000.0 /* more than the library takes is no number here either */

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

/* As a browser writes it, letter by letter: lower case, without the scheme's own port. It compares no other way. */
static bool is_origin(const char *text)
{
	struct url_parts parts;
	const char *host = strstr(text, "://");
	char expected[320];
	int len;

	if (!host || !host[3] || strpbrk(host + 3, "/?#@, \t\r\n\\") || url_parse(str_from(text), &parts, NULL))
		return false;
	len = (int)strlen(parts.origin);
	if (parts.port == (strcmp(parts.scheme, "https") ? 80 : 443))
		len -= (int)strlen(strrchr(parts.origin, ':'));
	snprintf(expected, sizeof(expected), "%.*s", len, parts.origin);
	url_parts_release(&parts);
	return !strcmp(text, expected);
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
		                 "FAIRFORGE_CORS_ORIGIN must be *, none, or one origin as browsers write it, such as "
		                 "https://example.com: in lower case, without the scheme's own port.");
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
	if (!text || str_to_bool(str_from(text), &c->discard_results))
		return 0;
	return error_set(err, FF_EUSAGE, "FAIRFORGE_DISCARD_RESULTS",
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

/* As the library reads it, which takes any JSON number that is an integer ("6e4"). What is wrong with it, config_check_library says. */
static uint64_t read_deadline(const char *text)
{
	struct ff_json_doc *doc;
	double ms;

	if (!text || ff_json_parse(text, strlen(text), 0, 0, &doc, NULL))
		return 0;
	ms = ff_json_double(ff_json_root(doc));
	ff_json_free(doc);
	return ms >= 1 && ms <= DEADLINE_MOST_MS ? (uint64_t)ms : 0;
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
	c.deadline_ms = read_deadline(value_of(env, env_user, "FAIRFORGE_DEADLINE_MS"));
	c.one_at_a_time = !arg_u64(value_of(env, env_user, "AWS_LAMBDA_MAX_CONCURRENCY"), 2, UINT32_MAX, &number);
	*ret = c;
	return 0;
}

/* ---- what the library reads ---- */

/* The connector, for want of the operator's own: what is judged with any (descriptors) is judged before the first event, too. */
#define ANY_CONNECTOR \
	"\"connector\": {\"class_path\": \"langchain_openai.chat_models.ChatOpenAI\", \"params\": {\"api_key\": \"none\"}}, "
#define DATASETS                                                                                                         \
	"\"datasets\": [{\"session_id\": \"s\", \"assistant_id\": \"a\", \"language\": \"english\", \"context\": \"\", " \
	"\"conversation\": [{\"qa_id\": \"q\", \"query\": \"q\", \"assistant\": \"\", \"ground_truth_assistant\": \"\"}]}]"
static const char smallest[] = "{" DATASETS "}", smallest_with_any[] = "{" ANY_CONNECTOR DATASETS "}";

/* "idle_timeout_ms": "FAIRFORGE_IDLE_TIMEOUT_MS" */
static void name_option(const char *key, char *name, size_t size)
{
	snprintf(name, size, "FAIRFORGE_%s", key);
	for (char *p = name; *p; p++)
		*p = (char)toupper((unsigned char)*p);
}

struct finding {
	bool connector; /* a default connector is set */
	struct error error;
};

/* The variable that a pointer names: itself, or of an option, because this payload brings none: /options/idle_timeout_ms. "": it names none. */
static void name_variable(const char *pointer, char *name, size_t size)
{
	static const struct str options = STR("/options/");
	struct str p = str_from(pointer);

	name[0] = '\0';
	if (str_starts_with(p, STR("FAIRFORGE_")))
		snprintf(name, size, "%s", pointer);
	else if (str_starts_with(p, options))
		name_option(pointer + options.len, name, size);
}

/* The reference's own words come without a full stop. */
static const char *stop_of(const char *text)
{
	return str_ends_with(str_from(text), STR(".")) ? "" : ".";
}

static void note(void *user, const struct ff_problem *problem)
{
	struct finding *f = user;
	char name[80];

	if (problem->severity != FF_PROBLEM_ERROR || f->error.code)
		return;
	name_variable(problem->pointer, name, sizeof(name));
	if (name[0])
		error_set(&f->error, FF_EUSAGE, name, "%s: %s%s", name, problem->text, stop_of(problem->text));
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
	struct ff_input input = { .name = "request", .fd = -1 };
	struct ff_run_options options = FF_INIT(struct ff_run_options);
	struct ff_check_result result;
	struct finding f = { .connector = false };
	int r = has_connector(value_of(env, env_user, "FAIRFORGE_CONNECTOR"), &f.connector, err);

	if (r)
		return r;
	input.text = f.connector ? smallest : smallest_with_any;
	input.text_len = strlen(input.text);
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
	name_option(info.key, room, size);
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
