/*
 * environment.c: a payload without anything of its own is checked, not sent: what is found then lies in the environment.
 *
 * Without FAIRFORGE_CONNECTOR every payload must name its connector; this one does not, so only what is said of a variable counts.
 */
#include "front/server/environment.h"

#include <stdlib.h>

#include "base/str.h"

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

int environment_check(struct ff_engine *engine, struct error *err)
{
	const char *connector = getenv("FAIRFORGE_CONNECTOR");
	struct ff_input input = { .name = "environment", .text = payload, .text_len = sizeof(payload) - 1, .fd = -1 };
	struct ff_run_options options = FF_INIT(struct ff_run_options);
	struct finding finding = { .any = connector && *connector, .err = err };
	int code;

	options.inputs = &input;
	options.input_count = 1;
	code = ff_check(engine, &options, on_problem, &finding, NULL);
	if (code == FF_R_NOMEM)
		return error_nomem(err);
	return finding.found ? FF_EUSAGE : 0;
}
