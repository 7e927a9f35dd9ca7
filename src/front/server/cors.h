/*
 * cors.h: which pages in a browser may use the service: an allow-list of origins, compared byte for byte as browsers send them. Pure.
 *
 * A browser sends `Origin` with every POST, also with those that it sends without asking first (a form, text/plain). So a POST whose origin is not on
 * the list is refused (403) whether or not it would have been asked for: else any page could spend the operator's keys through a service on loopback
 * that has no tokens. A page that is served under the service's own address is an origin like any other. Other clients send no Origin and are not asked.
 */
#ifndef FF_FRONT_SERVER_CORS_H
#define FF_FRONT_SERVER_CORS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/macros.h"
#include "base/str.h"

struct cors {
	char **origins; /* owned */
	size_t count;
	bool any; /* "*" */
};

void cors_init(struct cors *c); /* nobody */
void cors_release(struct cors *c);
/*
 * Adds a comma-separated list: "https://a.example, http://localhost:3000", or "*" (every page; must be said alone). May be called again for another list.
 * 0; FF_EUSAGE: an entry that no browser would ever send (a path, a trailing slash, upper case, the default port, "null"); FF_ENOMEM.
 */
int cors_add(struct cors *c, const char *list, struct error *err) WARN_UNUSED;

enum cors_verdict {
	CORS_NONE,    /* no browser asks: no headers but Vary */
	CORS_ALLOWED, /* add cors_headers */
	CORS_REFUSED  /* 403 for a POST; a preflight gets its 204 without any header of CORS, and the browser stops there */
};
enum cors_verdict cors_check(const struct cors *c, struct str origin); /* origin.ptr NULL: no such header */

struct cors_headers {
	struct {
		const char *name, *value;
	} list[5];
	size_t count;
};
/*
 * What to add to an answer. `origin`: the value of the request's header, NUL-terminated, alive until the answer is made; NULL: none. `preflight`: an
 * OPTIONS request with Origin and Access-Control-Request-Method; `allow`: serve_match.allow. With an empty list there is never a header.
 */
void cors_headers(const struct cors *c, const char *origin, bool preflight, const char *allow, struct cors_headers *ret);

#endif
