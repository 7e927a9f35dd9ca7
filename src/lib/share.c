/*
 * share.c: requests that ask for the same connector at the same time get one account (account.h).
 *
 * Only in an engine for strangers, whose environment stays as it is while it lives, and only without flags of the embedder; nor is an account shared
 * about which there was something to complain: each request hears its own warnings.
 *
 * The connector is configured from a copy of what was asked for, which lives as long as the account: the payload goes with its request.
 */
#include <assert.h>

#include "lib/account.h"
#include "lib/internal.h"
#include "lib/request.h"

#define QUESTION_MAX   ((size_t)16 << 20)
#define QUESTION_USUAL 512u

/* What a connector and its address follow from, beside the object itself, the engine and the environment. */
struct terms {
	uint64_t idle_timeout_ms;
	int32_t max_retries;
	bool operators_own, stream, config;
};

static int write_question(const struct request *req, const struct json *object, struct buf *out)
{
	struct terms terms;
	struct json_writer w;

	memset(&terms, 0, sizeof(terms)); /* with what lies between its members */
	terms.idle_timeout_ms = req->options.idle_timeout_ms;
	terms.max_retries = req->options.max_retries;
	terms.operators_own = req->operators_own;
	terms.stream = req->options.stream;
	terms.config = strcmp(req->params_at, "/config") == 0;
	buf_append(out, &terms, sizeof(terms));
	json_writer_init(&w, out, 0);
	json_value(&w, object);
	return buf_failed(out);
}

/* Keeps the question with the request's own account, for others, and lets *object be a part of it. */
static int keep_question(struct request *req, const struct buf *question, struct json *object)
{
	struct account *a = req->account;
	struct str copy;
	int r = arena_str(&a->arena, buf_str(question), &copy);

	if (r)
		return r;
	a->asked_for = copy;
	r = json_parse(&a->arena, str_sub(copy, sizeof(struct terms), copy.len), &(struct json_limits){ 0 }, object, NULL, NULL);
	assert(r == 0 || r == FF_ENOMEM); /* our own writer wrote it */
	return r;
}

int request_find_account(struct request *req, struct json *object)
{
	const struct ff_run_options *o = &req->ro;
	struct account *found = NULL;
	struct buf question;
	int r;

	if (req->engine->role != FF_ROLE_STRANGER || o->connector || o->model || o->param_count || object->type != JSON_OBJECT)
		return 0;
	buf_init(&question, QUESTION_MAX);
	/* One allocation instead of several. */
	r = buf_reserve(&question, QUESTION_USUAL) ? write_question(req, object, &question) : buf_failed(&question);
	if (r == FF_ETOOBIG) {
		r = 0; /* configured for this request alone */
	} else if (!r && (found = account_find(req->engine, buf_str(&question)))) {
		account_release(req->account);
		req->account = found;
		req->connector = connector_again(found->connector);
	} else if (!r) {
		r = keep_question(req, &question, object);
	}
	if (question.ptr)
		explicit_bzero(question.ptr, question.len);
	buf_release(&question);
	return r;
}

int request_offer_account(struct request *req)
{
	struct account *a = req->account;

	if (!a->asked_for.len || a->connector || req->errors + req->warnings != req->said_before)
		return 0;
	return account_share(a, req->connector);
}
