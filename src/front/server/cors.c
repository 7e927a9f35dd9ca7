/*
 * cors.c: the allow-list of origins. See cors.h.
 */
#include "front/server/cors.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define ORIGIN_MAX   300u
#define ORIGINS_MAX  256u
#define ASK_HEADERS  "authorization, content-type, x-request-id"
#define SHOW_HEADERS "Retry-After, X-Request-Id"
#define MAX_AGE      "600"

void cors_init(struct cors *c)
{
	*c = (struct cors){ 0 };
}

void cors_release(struct cors *c)
{
	for (size_t i = 0; i < c->count; i++)
		mem_free(c->origins[i]);
	mem_free(c->origins);
	cors_init(c);
}

/* ---- the list ---- */

static bool is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == '[' || c == ']' ||
	       c == ':';
}

/* The part after scheme://: host or [address], and a port that is not the scheme's own. NULL, or what is wrong. */
static const char *authority_problem(struct str s, const char *default_port)
{
	struct str port;
	size_t colon, from = 0;
	uint64_t number;

	if (s.len && s.ptr[0] == '[') {
		from = str_find(s, STR("]"), 0);
		if (from == SIZE_MAX)
			return "its address has no closing bracket";
	}
	for (size_t i = 0; i < s.len; i++)
		if (!is_host_char(s.ptr[i]))
			return "after :// comes only a host in lower case (not ASCII: as xn--) and a port, with no path and no "
			       "slash at the end";
	colon = str_find(s, STR(":"), from);
	if (colon != SIZE_MAX) {
		port = str_sub(s, colon + 1, s.len);
		if (!str_to_u64(port, &number) || number < 1 || number > 65535 || port.ptr[0] == '0')
			return "its port is not a number from 1 to 65535";
		if (str_eq(port, str_from(default_port)))
			return "browsers leave the default port out";
		s = str_sub(s, 0, colon);
	}
	return s.len ? NULL : "it names no host";
}

static const char *origin_problem(struct str s)
{
	if (s.len > ORIGIN_MAX)
		return "it is longer than 300 bytes";
	if (str_starts_with(s, STR("https://")))
		return authority_problem(str_sub(s, 8, s.len), "443");
	if (str_starts_with(s, STR("http://")))
		return authority_problem(str_sub(s, 7, s.len), "80");
	return "it must begin with https:// or http:// (\"null\" is no origin to trust)";
}

static bool is_listed(const struct cors *c, struct str origin)
{
	for (size_t i = 0; i < c->count; i++)
		if (str_eq(str_from(c->origins[i]), origin))
			return true;
	return false;
}

static int add_origin(struct cors *c, struct str origin, struct error *err)
{
	const char *problem = origin_problem(origin);
	char **origins, *copy;

	if (problem)
		return error_set(err, FF_EUSAGE, "", "\"%.*s\" is no origin that a browser sends: %s.", (int)MIN(origin.len, 100u),
		                 origin.ptr, problem);
	if (is_listed(c, origin))
		return 0;
	if (c->count == ORIGINS_MAX)
		return error_set(err, FF_EUSAGE, "", "The list of origins has more than %u entries.", ORIGINS_MAX);
	origins = mem_realloc(c->origins, (c->count + 1) * sizeof(*origins));
	if (!origins)
		return error_nomem(err);
	c->origins = origins;
	copy = mem_strndup(origin.ptr, origin.len);
	if (!copy)
		return error_nomem(err);
	c->origins[c->count++] = copy;
	return 0;
}

int cors_add(struct cors *c, const char *list, struct error *err)
{
	struct str rest = str_from(list);
	bool some = false;

	while (rest.ptr) {
		struct str origin = str_trim(str_split(&rest, ','));
		int r = 0;

		if (!origin.len)
			continue;
		some = true;
		if (str_eq(origin, STR("*")))
			c->any = true;
		else
			r = add_origin(c, origin, err);
		if (r)
			return r;
	}
	if (c->any && c->count)
		return error_set(err, FF_EUSAGE, "", "\"*\" allows every page: it must stand alone, without other origins.");
	return some ? 0 : error_set(err, FF_EUSAGE, "", "The list of origins is empty: name one, such as https://app.example.com.");
}

/* ---- a request ---- */

enum cors_verdict cors_check(const struct cors *c, struct str origin)
{
	if (!origin.ptr)
		return CORS_NONE;
	return c->any || is_listed(c, origin) ? CORS_ALLOWED : CORS_REFUSED;
}

static void put(struct cors_headers *h, const char *name, const char *value)
{
	h->list[h->count].name = name;
	h->list[h->count].value = value;
	h->count++;
}

void cors_headers(const struct cors *c, const char *origin, bool preflight, const char *allow, struct cors_headers *ret)
{
	ret->count = 0;
	if (!c->any && !c->count)
		return;
	/* Also for who sent no Origin: a cache between us must not hand this answer to who does. */
	if (!c->any)
		put(ret, "Vary", preflight ? "Origin, Access-Control-Request-Method, Access-Control-Request-Headers" : "Origin");
	if (cors_check(c, str_from(origin)) != CORS_ALLOWED)
		return;
	put(ret, "Access-Control-Allow-Origin", c->any ? "*" : origin);
	if (!preflight) {
		put(ret, "Access-Control-Expose-Headers", SHOW_HEADERS);
		return;
	}
	if (allow)
		put(ret, "Access-Control-Allow-Methods", allow);
	put(ret, "Access-Control-Allow-Headers", ASK_HEADERS);
	put(ret, "Access-Control-Max-Age", MAX_AGE);
}
