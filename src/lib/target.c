/*
 * target.c: where a request's turns would go, judged before the first one: the URL, plain http, whose secrets go where, descriptors.
 *
 * The table of DESIGN section 9: an operator's keys go where the operator's payload says, and plain http needs a local host or a permission. A
 * stranger's payload reaches https only (or an allowed origin), and what is secret in the environment goes to the provider's own origin, to the
 * base URL of the operator's environment (FAIRFORGE_CONNECTOR is a part of it), or to an allowed origin. Addresses are judged at connect time, in net/.
 */
#include <sys/resource.h>

#include "lib/internal.h"
#include "lib/request.h"

/* Descriptors that are not connections: standard streams, the loop's own, inputs, outputs, a name being resolved. */
#define OTHER_DESCRIPTORS 24

/* An address that requests go to, and the parameter that names it. */
struct place {
	const struct url_parts *url;
	const char *pointer;
};

static const char login_pointer[] = "/connector/params/login/url";

static void check_descriptors(struct request *req, struct problems *problems)
{
	uint32_t concurrency = req->options.concurrency;
	struct rlimit limit;

	if (concurrency <= req->engine->concurrency_fits)
		return;
	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == RLIM_INFINITY ||
	    (rlim_t)concurrency + OTHER_DESCRIPTORS <= limit.rlim_cur) {
		req->engine->concurrency_fits = concurrency;
		return;
	}
	problem_error(problems, "/options/concurrency",
	              "A concurrency of %u needs about %u file descriptors, and this process may open %llu: lower it, or raise "
	              "`ulimit -n`.",
	              concurrency, concurrency + OTHER_DESCRIPTORS, (unsigned long long)limit.rlim_cur);
}

static void check_operator(struct request *req, const struct place *at, struct problems *problems)
{
	if (strcmp(at->url->scheme, "http") != 0 || url_host_is_local(at->url->host) || req->engine->allow_http)
		return;
	problem_error(problems, at->pointer,
	              "Plain http to %s would send queries and keys unencrypted: use https, or allow it with --allow-http "
	              "(FAIRFORGE_ALLOW_HTTP=1).",
	              at->url->host);
}

static void check_stranger(struct request *req, const struct place *at, struct problems *problems)
{
	const struct connector *c = req->connector;
	bool allowed = lib_origin_allowed(req->engine, at->url->origin);
	bool operators_place = req->operators_own || c->base_is_default || c->base_from_env;

	if (!allowed && strcmp(at->url->scheme, "https") != 0)
		problem_error(problems, at->pointer, "Only https is allowed here, or an origin of FAIRFORGE_ALLOWED_ORIGINS.");
	if (!allowed && !operators_place && (c->env_secrets || req->secret_flags))
		problem_error(problems, at->pointer,
		              "The environment's key does not go to %s: give a key in params.api_key, or leave base_url out.",
		              at->url->origin);
	if (c->proxy.len && (!req->engine->allowed_origins || !req->engine->allowed_origins[0]))
		problem_error(problems, "", "With a proxy configured, FAIRFORGE_ALLOWED_ORIGINS must say where requests may go.");
}

/* A template has no default address; what it takes out of the environment is told all the same, for it may be somebody else's template. */
static int make_template_notice(struct request *req)
{
	const struct connector *c = req->connector;
	bool two = c->login_origin.len > 0;

	if (!c->env_secrets)
		return 0;
	req->account->notice = arena_printf(&req->account->arena, "Variables of the environment go to %s%s%.*s.",
	                                    req->account->target.origin, two ? " and " : "", STR_ARG(c->login_origin));
	return req->account->notice ? 0 : FF_ENOMEM;
}

/* One line for the start of a run when secrets go elsewhere than to the provider. */
static int make_notice(struct request *req)
{
	const struct connector *c = req->connector;
	const char *whose = c->key_source == KEY_FROM_ENV ? " of the environment" : "";

	if (c->url_param)
		return make_template_notice(req);
	if (c->base_is_default || !c->secret_count)
		return 0;
	if (c->base_is_required)
		req->account->notice =
		        arena_printf(&req->account->arena, "The key%s goes to %s.", whose, req->account->target.origin);
	else
		req->account->notice =
		        arena_printf(&req->account->arena, "The key%s goes to %s, which is not the default address of %s.", whose,
		                     req->account->target.origin, c->class->name);
	return req->account->notice ? 0 : FF_ENOMEM;
}

static int parse(struct str text, const char *pointer, struct problems *problems, struct url_parts *ret)
{
	struct error err = { 0 };
	int r = url_parse(text, ret, &err);

	if (r && r != FF_ENOMEM)
		problem_error(problems, pointer, "%s", err.text);
	return r;
}

static void judge(struct request *req, const struct place *at, struct problems *problems)
{
	if (req->engine->role == FF_ROLE_OPERATOR)
		check_operator(req, at, problems);
	else
		check_stranger(req, at, problems);
}

static int check_base(struct request *req, struct problems *problems)
{
	const char *name = req->connector->url_param;
	const char *pointer = request_param_at(req, name ? name : "base_url");
	int r = parse(req->connector->base_url, pointer, problems, &req->account->target);

	req->account->has_target = r == 0;
	if (r == 0)
		judge(req, &(struct place){ &req->account->target, pointer }, problems);
	return r;
}

/* Where a session logs in, when that is another origin. */
static int check_login(struct request *req, struct problems *problems)
{
	struct url_parts url;
	int r;

	if (!req->connector->login_origin.len)
		return 0;
	r = parse(req->connector->login_origin, login_pointer, problems, &url);
	if (r)
		return r;
	judge(req, &(struct place){ &url, login_pointer }, problems);
	url_parts_release(&url);
	return 0;
}

int request_check_target(struct request *req)
{
	bool judged = req->account->connector != NULL; /* for the request that shares its account with this one */
	struct problems problems;
	int r, taken;

	problems_init(&problems);
	r = judged ? 0 : check_base(req, &problems);
	if (r != FF_ENOMEM && !judged && check_login(req, &problems) == FF_ENOMEM)
		r = FF_ENOMEM;
	if (r != FF_ENOMEM)
		check_descriptors(req, &problems);
	taken = r == FF_ENOMEM ? r : request_take(req, STEP_TARGET, "", &problems, FF_EUSAGE);
	problems_release(&problems);
	return taken || judged ? taken : make_notice(req);
}
