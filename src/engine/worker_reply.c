/*
 * worker_reply.c: what a reply means for its turn.
 *
 * Members are read by small functions that leave a clause in `wrong` when one has a wrong shape; the first one makes the turn a bad_reply. Absent and
 * null are the same everywhere.
 */
#include <math.h>

#include "base/problem.h"
#include "engine/worker_line.h"

#define ID_AND_ANSWER 2 /* members that every reply has, with the error in the answer's place; most have no others */

struct reader {
	const struct json *reply;
	const struct scrubber *scrubber; /* may be NULL */
	struct arena *arena;
	struct attempt_result *result;
	const char *wrong; /* clause about the reply; NULL: nothing */
	bool nomem;
};

static const struct json *member(const struct reader *r, struct str key)
{
	const struct json *v = json_get(r->reply, key);

	return v && v->type != JSON_NULL ? v : NULL;
}

static void complain(struct reader *r, const char *clause)
{
	if (!r->wrong)
		r->wrong = clause;
}

static void read_string(struct reader *r, struct str key, struct str *to, const char *clause)
{
	const struct json *v = member(r, key);

	if (!v)
		return;
	if (v->type != JSON_STRING)
		complain(r, clause);
	else if (arena_str(r->arena, v->text, to))
		r->nomem = true;
}

/* The same for text that is not an answer: without keys. */
static void read_own_text(struct reader *r, struct str key, struct str *to, const char *clause)
{
	struct buf safe;

	read_string(r, key, to, clause);
	if (!r->scrubber || r->scrubber->count == 0 || to->len == 0)
		return;
	buf_init(&safe, 4 * WORKER_LINE_MAX_BYTES);
	if (scrub_append(r->scrubber, &safe, *to) || arena_str(r->arena, buf_str(&safe), to))
		r->nomem = true;
	buf_release(&safe);
}

/* A finite number that is not negative; -1 when it is not there. */
static double read_number(struct reader *r, struct str key, const char *clause)
{
	const struct json *v = member(r, key);
	double number = v && v->type == JSON_NUMBER ? json_to_double(v) : -1;

	if (v && !(isfinite(number) && number >= 0))
		complain(r, clause);
	return number;
}

static void read_tokens(struct reader *r, const struct json *usage, struct str key, int64_t *to)
{
	const struct json *v = json_get(usage, key);

	if (!v || v->type == JSON_NULL)
		return;
	if (v->type != JSON_NUMBER || !json_to_i64(v, to) || *to < 0) {
		*to = -1;
		complain(r, "has a usage with a count that is no integer");
	}
}

static void read_usage(struct reader *r)
{
	const struct json *usage = member(r, STR("usage"));
	struct usage *to = &r->result->usage;

	if (!usage)
		return;
	if (usage->type != JSON_OBJECT) {
		complain(r, "has a usage that is no object");
		return;
	}
	read_tokens(r, usage, STR("input_tokens"), &to->input_tokens);
	read_tokens(r, usage, STR("output_tokens"), &to->output_tokens);
	read_tokens(r, usage, STR("total_tokens"), &to->total_tokens);
}

/* ---- outcome ---- */

/* What a reply may say by itself: never that it was cancelled or not run. */
static bool find_outcome(struct str word, bool success, enum outcome *ret)
{
	for (int o = 0; o < OUTCOME_COUNT; o++) {
		if (o == OUTCOME_CANCELLED || o == OUTCOME_NOT_RUN || outcome_is_success((enum outcome)o) != success)
			continue;
		if (str_eq(word, str_from(outcome_word((enum outcome)o)))) {
			*ret = (enum outcome)o;
			return true;
		}
	}
	return false;
}

static void read_outcome(struct reader *r, bool success)
{
	const struct json *v = member(r, STR("outcome"));

	if (v && (v->type != JSON_STRING || !find_outcome(v->text, success, &r->result->outcome)))
		complain(r, success ? "has an outcome that an answer cannot have" : "has an outcome that an error cannot have");
}

static bool retried_by_default(enum outcome o)
{
	return o == OUTCOME_RATE_LIMITED || o == OUTCOME_TIMEOUT || o == OUTCOME_TRANSPORT || o == OUTCOME_HTTP_5XX;
}

static void read_retry(struct reader *r)
{
	const struct json *v = member(r, STR("retryable"));
	double after_ms = read_number(r, STR("retry_after_ms"), "has a retry_after_ms that is no number");

	if (v && !json_is_bool(v))
		complain(r, "has a retryable that is neither true nor false");
	r->result->retryable = v ? v->type == JSON_TRUE : retried_by_default(r->result->outcome);
	if (after_ms >= 0)
		r->result->hint_ms = after_ms < 1e15 ? (int64_t)ceil(after_ms) : (int64_t)1e15;
}

/* ---- the two kinds of replies ---- */

static void read_answer(struct reader *r)
{
	read_string(r, STR("answer"), &r->result->answer, "has an answer that is no string");
	r->result->outcome = r->result->answer.len ? OUTCOME_OK : OUTCOME_EMPTY;
	r->result->key_in_answer = r->scrubber && scrub_finds(r->scrubber, r->result->answer);
	read_outcome(r, true);
}

static void read_error(struct reader *r)
{
	read_own_text(r, STR("error"), &r->result->error, "has an error that is no string");
	if (!r->result->error.len && !r->wrong)
		complain(r, "has an empty error");
	r->result->outcome = OUTCOME_HTTP_5XX;
	read_outcome(r, false);
	read_retry(r);
}

/* The record's text is the batch's own: "[ERROR] sentence" or the answer, unless the worker gave another one. */
static int set_assistant(struct reader *r, struct batch *b, const struct json *changed)
{
	const char *text;

	if (outcome_is_success(r->result->outcome)) {
		if (!json_get_lit(changed, "assistant"))
			b->assistant = r->result->answer;
		return 0;
	}
	text = arena_printf(r->arena, "[ERROR] %.*s", STR_ARG(r->result->error));
	b->assistant = str_from(text);
	return text ? 0 : FF_ENOMEM;
}

/* The changed batch: its values live as long as the arena, so they are read once more from a copy of their text. */
static int build_batch(struct reader *r, const struct json *changed, const struct batch *input)
{
	struct batch *b = ARENA_NEW(r->arena, struct batch);
	struct problems problems;
	struct json_writer w;
	struct json copy;
	struct buf text;
	int code;

	if (!b)
		return FF_ENOMEM;
	*b = *input;
	buf_init(&text, 2 * WORKER_LINE_MAX_BYTES);
	json_writer_init(&w, &text, 0);
	json_value(&w, changed);
	code = buf_failed(&text);
	if (!code)
		code = json_parse_copy(r->arena, buf_str(&text), &(struct json_limits){ .max_bytes = text.cap }, &copy, NULL, NULL);
	buf_release(&text);
	if (code)
		return FF_ENOMEM;
	problems_init(&problems);
	code = batch_update(b, &copy, "", r->arena, &problems);
	if (code == FF_EDATA)
		r->wrong = arena_printf(r->arena, "has a batch that is not valid: %.*s", (int)strlen(problems.first->text) - 1,
		                        problems.first->text);
	problems_release(&problems);
	if (code)
		return code == FF_EDATA && r->wrong ? 0 : FF_ENOMEM;
	r->result->replacement = b;
	return set_assistant(r, b, changed);
}

static int read_batch(struct reader *r, const struct batch *input)
{
	const struct json *changed = member(r, STR("batch"));

	if (!changed || r->wrong)
		return 0;
	if (changed->type != JSON_OBJECT) {
		complain(r, "has a batch that is no object");
		return 0;
	}
	return build_batch(r, changed, input);
}

static void read_details(struct reader *r)
{
	double status = read_number(r, STR("http_status"), "has an http_status that is no number");

	read_own_text(r, STR("finish_reason"), &r->result->finish_reason, "has a finish_reason that is no string");
	read_own_text(r, STR("model"), &r->result->model, "has a model that is no string");
	read_own_text(r, STR("request_id"), &r->result->request_id, "has a request_id that is no string");
	read_usage(r);
	if (status >= 0 && (status < 100 || status > 999))
		complain(r, "has an http_status that is none");
	else if (status >= 0)
		r->result->http_status = (int)status;
}

/* The wrong shape as the result. */
static int as_bad_reply(struct reader *r, const char *label)
{
	const char *text = arena_printf(r->arena, "%s: its reply %s.", label, r->wrong);

	if (!text)
		return FF_ENOMEM;
	*r->result = (struct attempt_result){
		.outcome = OUTCOME_BAD_REPLY, .error = str_from(text), .usage = USAGE_UNKNOWN, .hint_ms = -1
	};
	return 0;
}

int worker_reply_read(const struct json *reply, const struct batch *input, const struct worker_reader *how, struct arena *arena,
                      struct attempt_result *ret, double *ret_elapsed_ms)
{
	struct reader r = { .reply = reply, .scrubber = how->scrubber, .arena = arena, .result = ret };
	bool answer = member(&r, STR("answer")) != NULL, error = member(&r, STR("error")) != NULL;

	*ret = (struct attempt_result){ .usage = USAGE_UNKNOWN, .hint_ms = -1 };
	if (answer == error)
		complain(&r, answer ? "has both an answer and an error" : "has neither an answer nor an error");
	else if (answer)
		read_answer(&r);
	else
		read_error(&r);
	*ret_elapsed_ms = -1;
	if (reply->count > ID_AND_ANSWER) {
		*ret_elapsed_ms = read_number(&r, STR("elapsed_ms"), "has an elapsed_ms that is no number");
		read_details(&r);
	}
	if (r.nomem || read_batch(&r, input))
		return FF_ENOMEM;
	return r.wrong ? as_bad_reply(&r, how->label) : 0;
}

int worker_dataset_end_read(const struct json *end, const struct worker_reader *how, struct arena *arena,
                            struct attempt_result *ret, bool *ret_failed)
{
	struct attempt_result result = { .usage = USAGE_UNKNOWN, .hint_ms = -1 };
	struct reader r = { .reply = end, .scrubber = how->scrubber, .arena = arena, .result = &result };

	*ret_failed = member(&r, STR("error")) != NULL;
	if (!*ret_failed)
		return 0;
	read_error(&r);
	if (r.nomem || (r.wrong && as_bad_reply(&r, how->label)))
		return FF_ENOMEM;
	*ret = result;
	return 0;
}
