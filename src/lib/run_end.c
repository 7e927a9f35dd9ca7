/*
 * run_end.c: how a run ended: the closing sentence and the exit status of the command line tool, by the table of ff_exit_table.
 *
 * A run that the engine finished can still be refused or unreachable as a whole: when every turn ended with 401, 403 or 404, or without any HTTP
 * reply, the reason lies with the target and not with the turns.
 */
#include <inttypes.h>

#include "base/clock.h"
#include "lib/run.h"

#define EXIT_SOME_FAILED 1

static const char *target_name(const struct ff_run *run)
{
	const char *name = run->request.target_name;

	return name ? name : run->request.account->target.origin;
}

static uint64_t count_failures(const struct run_counts *c)
{
	uint64_t failures = 0;

	for (int o = 0; o < OUTCOME_COUNT; o++)
		failures += outcome_is_success((enum outcome)o) ? 0 : c->outcomes[o];
	return failures;
}

static int set_error(struct ff_run *run, int code)
{
	if (!run->error.code)
		run->error.code = code;
	return error_exit_status(code);
}

static int finished(struct ff_run *run, const struct run_counts *c)
{
	uint64_t failures = count_failures(c);

	if (c->done && c->unreachable == c->done) {
		error_set(&run->error, FF_EUNREACHABLE, target_name(run), "Not one %sreply came from %s: %s",
		          run->request.target_name ? "" : "HTTP ", target_name(run), run->first_failure);
		return error_exit_status(FF_EUNREACHABLE);
	}
	if (c->done && c->refused == c->done) {
		error_set(&run->error, FF_EREFUSED, target_name(run),
		          "Every turn was refused by %s: check key, model and base_url. %s", target_name(run), run->first_failure);
		return error_exit_status(FF_EREFUSED);
	}
	return failures ? EXIT_SOME_FAILED : 0;
}

static int quota(struct ff_run *run, const struct run_counts *c)
{
	int64_t wait_ms = run_retry_after_ms(run->run);
	char at[25] = "";

	if (wait_ms < 0)
		error_set(&run->error, FF_ELIMIT, "",
		          "A quota of the provider is spent: %" PRIu64 " of %" PRIu64 " turns were not run.",
		          c->outcomes[OUTCOME_NOT_RUN], c->done);
	else {
		clock_format_wall(clock_wall_ms() + wait_ms, at);
		error_set(&run->error, FF_ELIMIT, "",
		          "The provider asks to wait %" PRId64 " s, until %s: %" PRIu64 " of %" PRIu64 " turns were not run.",
		          (wait_ms + 999) / 1000, at, c->outcomes[OUTCOME_NOT_RUN], c->done);
	}
	return error_exit_status(FF_ELIMIT);
}

static int failed(struct ff_run *run)
{
	const struct error *err = run_error(run->run);

	if (err && err->code)
		run->error = *err;
	else
		error_set(&run->error, FF_EINTERNAL, "", "The run failed without saying why: please report this.");
	return error_exit_status(run->error.code);
}

static int conclude(struct ff_run *run, const struct run_counts *c)
{
	uint64_t not_run = c->outcomes[OUTCOME_NOT_RUN];

	switch (run->end) {
	case RUN_FINISHED: return finished(run, c);
	case RUN_DEADLINE:
		error_set(&run->error, FF_ELIMIT, "", "The deadline of %g s passed: %" PRIu64 " of %" PRIu64 " turns were not run.",
		          (double)run->request.options.deadline_ms / 1000, not_run, c->done);
		return set_error(run, FF_ELIMIT);
	case RUN_QUOTA: return quota(run, c);
	case RUN_REFUSED:
		error_set(&run->error, FF_EREFUSED, target_name(run),
		          "%s refused the first turns with 401, 403 or 404: check key, model and base_url; %" PRIu64
		          " turns were not run. %s",
		          target_name(run), not_run, run->first_failure);
		return set_error(run, FF_EREFUSED);
	case RUN_CANCELLED:
		error_set(&run->error, FF_ECANCELED, "", "Interrupted: %" PRIu64 " of %" PRIu64 " turns were not run.", not_run,
		          c->done);
		return set_error(run, FF_ECANCELED);
	case RUN_FAILED: break;
	}
	return failed(run);
}

void run_conclude(struct ff_run *run)
{
	run->end = run_end_state(run->run);
	run->exit_status = conclude(run, run_counts(run->run));
	scrub_text(request_scrubber(&run->request), run->error.text, sizeof(run->error.text));
	lib_error_export(&run->error, &run->public_error);
}
