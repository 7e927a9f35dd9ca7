/*
 * check_api.c: a request that is only looked at: every step is taken, nothing is sent.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "lib/internal.h"
#include "lib/request.h"

static void copy_text(char *out, size_t size, struct str text)
{
	size_t len = text.len < size ? text.len : utf8_cut(text, size - 1);

	if (len)
		memcpy(out, text.ptr, len);
	out[len] = '\0';
}

static void fill(const struct request *req, struct ff_check_result *ret)
{
	*ret = (struct ff_check_result){
		.datasets = req->datasets, .batches = req->batches, .errors = req->errors, .warnings = req->warnings
	};
	if (req->connector) {
		copy_text(ret->connector, sizeof(ret->connector), str_from(req->connector->class->name));
		copy_text(ret->model, sizeof(ret->model), req->connector->model);
	}
	if (req->worker_name) {
		copy_text(ret->connector, sizeof(ret->connector), STR("worker"));
		copy_text(ret->origin, sizeof(ret->origin), str_from(req->ro.worker_label ? req->ro.worker_label : req->ro.worker));
	}
	if (req->runner_name) {
		copy_text(ret->connector, sizeof(ret->connector), STR("runner"));
		copy_text(ret->origin, sizeof(ret->origin), str_from(req->runner_name));
	}
	if (req->account && req->account->has_target)
		copy_text(ret->origin, sizeof(ret->origin), str_from(req->account->target.origin));
}

/* The parameter that says where the secrets of the notice go. */
static const char *notice_pointer(const struct request *req)
{
	const char *name = req->connector->url_param;

	return request_param_at((struct request *)req, name ? name : "base_url");
}

/* Lack of memory has no finding of its own: it is told like one. */
static void report(const struct request *req, int code, void (*on_problem)(void *user, const struct ff_problem *problem),
                   void *user)
{
	for (const struct finding *f = req->first; f; f = f->next)
		on_problem(user, &f->problem);
	if (code == FF_ENOMEM)
		on_problem(user, &(struct ff_problem){ FF_PROBLEM_ERROR, "", "", "Out of memory." });
	if (req->connector && req->account->notice)
		on_problem(user, &(struct ff_problem){ FF_PROBLEM_WARNING, "", notice_pointer(req), req->account->notice });
}

int ff_check(struct ff_engine *engine, const struct ff_run_options *options,
             void (*on_problem)(void *user, const struct ff_problem *problem), void *user, struct ff_check_result *ret)
{
	struct ff_run_options o = { 0 };
	struct request *req;
	int r;

	if (!engine || !options || options->size < sizeof(size_t))
		return FF_EINVAL;
	memcpy(&o, options, MIN(options->size, sizeof(o)));
	req = NEW(struct request);
	if (!req)
		return FF_ENOMEM;
	r = request_build(req, engine, &o, true);
	if (req->connector && req->account->notice)
		req->warnings++;
	if (r == FF_ENOMEM)
		req->errors++;
	if (on_problem)
		report(req, r, on_problem, user);
	if (ret)
		fill(req, ret);
	request_release(req);
	mem_free(req);
	return r;
}
