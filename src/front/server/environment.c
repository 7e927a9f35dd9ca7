/*
 * environment.c: a payload without anything of its own is checked, not sent: what is found then lies in the environment.
 *
 * Without FAIRFORGE_CONNECTOR every payload must name its connector; this one does not, so only what is said of a variable counts.
 */
#include "front/server/environment.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "front/common/args.h"

#define NAME_MAX_BYTES 80u

static const char payload[] =
        "{\"datasets\": [{\"session_id\": \"s\", \"assistant_id\": \"a\", \"language\": \"english\", \"context\": \"\", "
        "\"conversation\": [{\"qa_id\": \"q\", \"query\": \"?\", \"assistant\": \"\", \"ground_truth_assistant\": \"\"}]}]}";

struct finding {
	bool any; /* whatever is found counts */
	struct error *err;
	bool found;
};

static void on_problem(void *user, const struct ff_problem *problem)
{
	struct finding *f = user;
	bool of_variable = str_starts_with(str_from(problem->pointer), STR("FAIRFORGE_"));

	if (f->found || problem->severity != FF_PROBLEM_ERROR || (!f->any && !of_variable))
		return;
	f->found = true;
	if (of_variable)
		error_set(f->err, FF_EUSAGE, problem->pointer, "%s", problem->text);
	else
		error_set(f->err, FF_EUSAGE, "FAIRFORGE_CONNECTOR", "%s%s%s", problem->pointer, problem->pointer[0] ? ": " : "",
		          problem->text);
}

/* {} and null are no connector, as in a payload. */
static bool is_set(const char *connector)
{
	struct str text = str_trim(str_from(connector));

	return text.len && !str_eq(text, STR("{}")) && !str_eq(text, STR("null"));
}

int environment_check(struct ff_engine *engine, struct error *err)
{
	const char *connector = getenv("FAIRFORGE_CONNECTOR");
	struct ff_input input = { .name = "environment", .text = payload, .text_len = sizeof(payload) - 1, .fd = -1 };
	struct ff_run_options options = FF_INIT(struct ff_run_options);
	struct finding finding = { .any = is_set(connector), .err = err };
	int code;

	options.inputs = &input;
	options.input_count = 1;
	code = ff_check(engine, &options, on_problem, &finding, NULL);
	if (code == FF_R_NOMEM)
		return error_nomem(err);
	return finding.found ? FF_EUSAGE : 0;
}

/* ---- names that mean nothing ---- */

static const char *const own_names[] = { "FAIRFORGE_CONNECTOR", "FAIRFORGE_ALLOWED_ORIGINS" };

/* The variables that count: ours, then one for each option. `room` takes the name of an option. */
static const char *name_at(const void *room, size_t index)
{
	char *text = (char *)(uintptr_t)room;
	struct ff_option_info info;

	if (index < ARRAY_SIZE(own_names))
		return own_names[index];
	if (ff_option_at(index - ARRAY_SIZE(own_names), &info))
		return "";
	snprintf(text, NAME_MAX_BYTES, "FAIRFORGE_%s", info.key);
	for (char *p = text; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return text;
}

static void judge_name(const char *name, void (*tell)(const char *sentence))
{
	size_t count = ARRAY_SIZE(own_names) + ff_option_count(), near;
	char room[NAME_MAX_BYTES], sentence[256];

	for (size_t i = 0; i < count; i++)
		if (!strcmp(name, name_at(room, i)))
			return;
	near = arg_nearest(name, name_at, room, count);
	snprintf(sentence, sizeof(sentence), "The variable %s means nothing to the service%s%s%s", name,
	         near == SIZE_MAX ? "" : ": did you mean ", near == SIZE_MAX ? "" : name_at(room, near),
	         near == SIZE_MAX ? "." : "?");
	tell(sentence);
}

void environment_unknown(char *const *environment, void (*tell)(const char *sentence))
{
	char name[NAME_MAX_BYTES];

	for (; *environment; environment++) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*environment, "="), *environment);
		if (str_starts_with(str_from(name), STR("FAIRFORGE_")))
			judge_name(name, tell);
	}
}
