/*
 * target.c: where a request's turns would go, judged before the first one: the URL, plain http, whose secrets go where, descriptors.
 *
 * The table of DESIGN section 9: an operator's keys go where the operator's payload says, and plain http needs a local host or a permission. A
 * stranger's payload reaches https only (or an allowed origin), and what is secret in the environment goes to the provider's own origin, to the
 * base URL of the operator's environment, or to an allowed origin. Addresses are judged at connect time, in net/.
 */
#include <sys/resource.h>

#include "lib/internal.h"
#include "lib/request.h"

/* Descriptors that are not connections: standard streams, the loop's own, inputs, outputs, a name being resolved. */
#define OTHER_DESCRIPTORS 24

static const char where[] = "/connector/params/base_url";

static void check_descriptors(struct request *req, struct problems *problems)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == RLIM_INFINITY ||
	    (rlim_t)req->options.concurrency + OTHER_DESCRIPTORS <= limit.rlim_cur)
		return;
	problem_error(problems, "/options/concurrency",
	              "A concurrency of %u needs about %u file descriptors, and this process may open %llu: lower it, or raise "
	              "`ulimit -n`.",
	              req->options.concurrency, req->options.concurrency + OTHER_DESCRIPTORS, (unsigned long long)limit.rlim_cur);
}

static void check_operator(struct request *req, struct problems *problems)
{
	if (strcmp(req->target.scheme, "http") != 0 || url_host_is_local(req->target.host) || req->engine->allow_http)
		return;
	problem_error(problems, where,
	              "Plain http to %s would send queries and keys unencrypted: use https, or allow it with --allow-http "
	              "(FAIRFORGE_ALLOW_HTTP=1).",
	              req->target.host);
}

static void check_stranger(struct request *req, struct problems *problems)
{
	const struct connector *c = req->connector;
	bool allowed = lib_origin_allowed(req->engine, req->target.origin);
	bool operators_place = c->base_is_default || c->base_from_env;

	if (!allowed && strcmp(req->target.scheme, "https") != 0)
		problem_error(problems, where, "Only https is allowed here, or an origin of FAIRFORGE_ALLOWED_ORIGINS.");
	if (!allowed && !operators_place && c->env_secrets)
		problem_error(problems, where,
		              "The environment's key does not go to %s: give a key in params.api_key, or leave base_url out.",
		              req->target.origin);
	if (c->proxy.len && (!req->engine->allowed_origins || !req->engine->allowed_origins[0]))
		problem_error(problems, "", "With a proxy configured, FAIRFORGE_ALLOWED_ORIGINS must say where requests may go.");
}

/* One line for the start of a run when secrets go elsewhere than to the provider. */
static int make_notice(struct request *req)
{
	const struct connector *c = req->connector;

	if (c->base_is_default || !c->secret_count)
		return 0;
	req->notice = arena_printf(&req->arena, "The key%s goes to %s, which is not the default address of %s.",
	                           c->key_source == KEY_FROM_ENV ? " of the environment" : "", req->target.origin, c->class->name);
	return req->notice ? 0 : FF_ENOMEM;
}

static int parse_target(struct request *req, struct problems *problems)
{
	struct error err = { 0 };
	int r = url_parse(req->connector->base_url, &req->target, &err);

	if (r == FF_ENOMEM)
		return r;
	if (r) {
		problem_error(problems, where, "%s", err.text);
		return r;
	}
	req->has_target = true;
	return 0;
}

int request_check_target(struct request *req)
{
	struct problems problems;
	int r, taken;

	problems_init(&problems);
	r = parse_target(req, &problems);
	if (!r && req->engine->role == FF_ROLE_OPERATOR)
		check_operator(req, &problems);
	else if (!r)
		check_stranger(req, &problems);
	if (r != FF_ENOMEM)
		check_descriptors(req, &problems);
	taken = r == FF_ENOMEM ? r : request_take(req, STEP_TARGET, "", &problems, FF_EUSAGE);
	problems_release(&problems);
	return taken ? taken : make_notice(req);
}
