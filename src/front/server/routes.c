/*
 * routes.c: the table of routes. See routes.h.
 */
#include "front/server/routes.h"

#define JSON_TYPE "application/json"

/* Statuses end with 0. */
#define END             \
	{               \
		0, NULL \
	}
#define TOKEN_STATUS                                                                                                     \
	{                                                                                                                \
		401, "Tokens are configured, and the request brought none or an unknown one (WWW-Authenticate: Bearer)." \
	}

static const struct serve_status run_statuses[] = {
	{ 200, "The response, also when turns failed; or {\"success\": false, \"error\": ...} when the payload asks for what "
	       "cannot be run." },
	{ 400, "The body is not JSON, asks for `async`, or its length can be read in two ways." },
	TOKEN_STATUS,
	{ 403, "A browser sent it for a page whose origin is not on the list of --cors-origin." },
	{ 413, "The body, or the answer, is larger than the service's cap." },
	{ 415, "The body is compressed (Content-Encoding). Its Content-Type does not matter." },
	{ 429, "As many runs as --max-runs allows are active. Retry-After says when to come again." },
	{ 500, "The service itself failed." },
	{ 503, "The service is ending, or holds as many bodies or answers as it can. Retry-After says when to come again." },
	END,
};
static const struct serve_status healthz_statuses[] = { { 200, "The process lives and its loop turns." }, END };
static const struct serve_status readyz_statuses[] = {
	{ 200, "It takes runs." },
	{ 503, "It is ending, or all of --max-runs are taken: send the next request elsewhere." },
	END,
};
static const struct serve_status metrics_statuses[] = { { 200, "The metrics." }, TOKEN_STATUS, { 500, "Out of memory." }, END };
static const struct serve_status openapi_statuses[] = { { 200, "This document." }, END };
static const struct serve_status no_statuses[] = { END };

static const struct serve_status common_statuses[] = {
	{ 204, "OPTIONS: what the path takes (Allow), and the answer to a browser's preflight." },
	{ 400, "The request is not HTTP, or its length can be read in two ways." },
	{ 404, "There is no such path." },
	{ 405, "The path does not take this method. Allow says which it takes." },
	{ 413, "The body is larger than the service's cap." },
	{ 414, "The address is too long." },
	{ 431, "The header is too large." },
	{ 500, "Out of memory." },
	{ 505, "The version of HTTP is none that the service speaks." },
	END,
};

/* In the order of enum serve_route. */
static const struct serve_route_info routes[SERVE_ROUTE_COUNT] = {
	[SERVE_RUN] = { "run", "POST", "/run", JSON_TYPE,
	                "Execute the datasets of a payload and answer with their batches filled in.", true, run_statuses },
	[SERVE_HEALTHZ] = { "healthz", "GET", "/healthz", JSON_TYPE, "Is the process alive?", false, healthz_statuses },
	[SERVE_READYZ] = { "readyz", "GET", "/readyz", JSON_TYPE, "Would a run be taken now?", false, readyz_statuses },
	[SERVE_METRICS] = { "metrics", "GET", "/metrics", "text/plain", "What the service counts, as Prometheus text.", true,
	                    metrics_statuses },
	[SERVE_OPENAPI] = { "openapi", "GET", "/openapi.json", JSON_TYPE, "This document.", false, openapi_statuses },
	[SERVE_OTHER] = { "other", "", "", "", "", false, no_statuses },
};

const struct serve_route_info *serve_route_info(enum serve_route route)
{
	return &routes[route];
}

const struct serve_status *serve_common_statuses(void)
{
	return common_statuses;
}

static bool holds(const struct serve_status *list, int status)
{
	for (; list->status; list++)
		if (list->status == status)
			return true;
	return false;
}

bool serve_status_is_known(enum serve_route route, int status)
{
	return holds(routes[route].statuses, status) || holds(common_statuses, status);
}

struct serve_match serve_route_find(struct str method, struct str path)
{
	struct serve_match m = { .found = SERVE_NO_PATH, .route = SERVE_OTHER };

	m.head = str_eq(method, STR("HEAD"));
	m.options = str_eq(method, STR("OPTIONS"));
	for (size_t i = 0; i < SERVE_OTHER; i++) {
		const struct serve_route_info *r = &routes[i];
		bool get = r->method[0] == 'G';

		if (!str_eq(path, str_from(r->path)))
			continue;
		m.route = (enum serve_route)i;
		m.allow = get ? "GET, HEAD, OPTIONS" : "POST, OPTIONS";
		m.found = str_eq(method, str_from(r->method)) || (get && m.head) ? SERVE_FOUND : SERVE_WRONG_METHOD;
		break;
	}
	return m;
}
