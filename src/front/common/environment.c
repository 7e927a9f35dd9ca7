/*
 * environment.c: see environment.h.
 *
 * The smallest request is checked, which sends nothing: what is said of a FAIRFORGE_ variable, and with a default connector whatever is said, is the
 * operator's mistake. Without one the request names a connector of its own, so that what is judged with any (descriptors) is judged, too.
 */
#include "front/common/environment.h"

#include <stdio.h>
#include <string.h>

#include "front/common/args.h"

/* ---- what every request reads ---- */

#define ANY_CONNECTOR \
	"\"connector\": {\"class_path\": \"langchain_openai.chat_models.ChatOpenAI\", \"params\": {\"api_key\": \"none\"}}, "
#define DATASETS                                                                                                         \
	"\"datasets\": [{\"session_id\": \"s\", \"assistant_id\": \"a\", \"language\": \"english\", \"context\": \"\", " \
	"\"conversation\": [{\"qa_id\": \"q\", \"query\": \"q\", \"assistant\": \"\", \"ground_truth_assistant\": \"\"}]}]"
static const char smallest[] = "{" DATASETS "}", smallest_with_any[] = "{" ANY_CONNECTOR DATASETS "}";

struct finding {
	bool connector; /* a default connector is set */
	struct error error;
};

/* The variable of the option that a pointer names, because this payload brings none: /options/idle_timeout_ms. */
static bool find_option(const char *pointer, struct ff_option_info *ret)
{
	static const struct str options = STR("/options/");

	if (!str_starts_with(str_from(pointer), options))
		return false;
	for (size_t i = 0; !ff_option_at(i, ret); i++)
		if (!strcmp(ret->key, pointer + options.len))
			return true;
	return false;
}

/* The reference's own words come without a full stop. */
static const char *stop_of(const char *text)
{
	return str_ends_with(str_from(text), STR(".")) ? "" : ".";
}

static void note(void *user, const struct ff_problem *problem)
{
	struct finding *f = user;
	struct ff_option_info option;
	const char *variable = NULL;

	if (problem->severity != FF_PROBLEM_ERROR || f->error.code)
		return;
	if (str_starts_with(str_from(problem->pointer), STR("FAIRFORGE_")))
		variable = problem->pointer;
	else if (find_option(problem->pointer, &option))
		variable = option.variable;
	if (variable)
		error_set(&f->error, FF_EUSAGE, variable, "%s: %s%s", variable, problem->text, stop_of(problem->text));
	else if (f->connector)
		error_set(&f->error, FF_EUSAGE, "FAIRFORGE_CONNECTOR", "FAIRFORGE_CONNECTOR: %s%s%s%s", problem->pointer,
		          *problem->pointer ? ": " : "", problem->text, stop_of(problem->text));
}

/* Whether a default connector counts: {} and null are none, as for a payload. */
static int has_connector(const char *text, bool *ret, struct error *err)
{
	struct ff_json_doc *doc;
	struct ff_error why;
	const struct ff_json *root;
	int r;

	*ret = false;
	if (!text || !*text)
		return 0;
	r = ff_json_parse(text, strlen(text), 0, 0, &doc, &why);
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

int environment_check(struct ff_engine *engine, environment_fn env, void *env_user, struct error *err)
{
	struct ff_input input = { .name = "request", .fd = -1 };
	struct ff_run_options options = FF_INIT(struct ff_run_options);
	struct ff_check_result result;
	struct finding f = { .connector = false };
	int r = has_connector(env(env_user, "FAIRFORGE_CONNECTOR"), &f.connector, err);

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

/* The names that count: the caller's, then one for each option, which is put into `option`. */
struct names {
	const char *const *own;
	size_t own_count;
	struct ff_option_info *option;
};

static const char *name_at(const void *user, size_t index)
{
	const struct names *n = user;

	if (index < n->own_count)
		return n->own[index];
	return ff_option_at(index - n->own_count, n->option) ? "" : n->option->variable;
}

void environment_unknown(char *const *environment, const char *const *own, size_t own_count,
                         void (*found)(void *user, const char *name, const char *meant), void *user)
{
	struct ff_option_info option;
	struct names names = { own, own_count, &option };
	size_t count = own_count + ff_option_count();
	char name[ENVIRONMENT_NAME_MAX];

	for (; *environment; environment++) {
		size_t near, i = 0;

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*environment, "="), *environment);
		if (!str_starts_with(str_from(name), STR("FAIRFORGE_")))
			continue;
		while (i < count && strcmp(name, name_at(&names, i)) != 0)
			i++;
		if (i < count)
			continue;
		near = arg_nearest(name, name_at, &names, count);
		found(user, name, near == SIZE_MAX ? NULL : name_at(&names, near));
	}
}
