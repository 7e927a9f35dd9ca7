/*
 * routes.h: what the service answers: one table of routes with their statuses, which the dispatcher, the metrics and the OpenAPI document follow.
 * Pure.
 */
#ifndef FF_FRONT_SERVER_ROUTES_H
#define FF_FRONT_SERVER_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum serve_route {
	SERVE_RUN,
	SERVE_HEALTHZ,
	SERVE_READYZ,
	SERVE_METRICS,
	SERVE_OPENAPI,
	SERVE_OTHER /* everything else: no such path, requests that are no HTTP */
};
#define SERVE_ROUTE_COUNT ((size_t)SERVE_OTHER + 1)

struct serve_status {
	int status;
	const char *meaning; /* a sentence for the document */
};

struct serve_route_info {
	const char *name;         /* label of the metrics, operationId: "run" */
	const char *method;       /* GET includes HEAD */
	const char *path;         /* "/run"; "" for SERVE_OTHER */
	const char *content_type; /* of its answer with status 200 */
	const char *summary;
	bool needs_token; /* when tokens are configured */
	const struct serve_status
	        *statuses; /* what it answers, beside what every request may meet (serve_common_statuses); ends with status 0 */
};
const struct serve_route_info *serve_route_info(enum serve_route route);
/* Statuses that any request may meet, whatever its path. Ends with status 0. */
const struct serve_status *serve_common_statuses(void);
/* The route may answer so: a test holds every answer against it. */
bool serve_status_is_known(enum serve_route route, int status);

enum serve_found {
	SERVE_FOUND,       /* call the route; `head`: without its body */
	SERVE_NO_PATH,     /* 404 */
	SERVE_WRONG_METHOD /* 405 with Allow; OPTIONS: 204 with Allow (a preflight: the headers of cors.h beside it) */
};
struct serve_match {
	enum serve_found found;
	enum serve_route route; /* SERVE_OTHER when there is no such path */
	bool head, options;     /* the method was HEAD, OPTIONS */
	const char *allow;      /* "POST, OPTIONS"; NULL when there is no such path */
};
/* `path` as it came, without query. Compared byte for byte: nothing is decoded, no slash added or dropped. Methods are case-sensitive (RFC 9110). */
struct serve_match serve_route_find(struct str method, struct str path);

#endif
