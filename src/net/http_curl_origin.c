/*
 * http_curl_origin.c: origins, the URLs that lead to them, and the gate in front of an origin that was not reached yet.
 *
 * The gate: five hundred exchanges started at once to one name would start five hundred resolver threads, and nothing is known about the protocol. So the
 * first exchange of an origin goes alone until its request is on a connection; the others wait in the origin. If it fails to get that far (name, connect,
 * TLS, address), those that waited share its failure: they would have asked the same question at the same moment. Waiting counts as connecting: the
 * connect timeout of each one runs from its own start. An origin falls back behind the gate when an attempt fails while none of its exchanges has a
 * connection, and after CONNECTION_MAX_AGE_S without work.
 *
 * The name: libcurl would forget an address after a minute, and then all exchanges that open a connection at that moment resolve at once. So only one
 * exchange at a time may find the address too old; the others use it whatever its age.
 *
 * A route is a URL under the flags that choose its origin. It is parsed once; libcurl is given that handle. Easy handles refer to the route they used last.
 */
#include "base/alloc.h"
#include "net/http_curl_internal.h"
#include "net/url_curl.h"

/* ---- routes ---- */

static bool same_text(const char *text, struct str s)
{
	return str_eq(str_from(text), s);
}

static bool route_serves(const struct route *r, const struct http_request *request)
{
	return r->url_len == request->url.len && memcmp(r->url, request->url.ptr, r->url_len) == 0 &&
	       r->http11 == request->http11 && r->insecure == request->insecure_tls && same_text(r->proxy, request->proxy) &&
	       same_text(r->cafile, request->cafile);
}

static void origin_unroute(struct origin *origin);

void route_unref(struct route *route)
{
	if (!route || --route->refs > 0)
		return;
	if (route->origin)
		origin_unroute(route->origin);
	curl_url_cleanup(route->handle);
	mem_free(route);
}

static void remember(struct http_curl *t, size_t from, struct route *route)
{
	for (; from > 0; from--)
		t->routes[from] = t->routes[from - 1];
	t->routes[0] = route;
}

static int origin_get(struct http_curl *t, const struct route *route, struct origin **ret, struct error *err);

/* Copies the text to *at, which moves behind its NUL. */
static const char *put_text(char **at, struct str s)
{
	char *start = *at;

	if (s.len)
		memcpy(start, s.ptr, s.len);
	start[s.len] = '\0';
	*at += s.len + 1;
	return start;
}

static int route_new(struct http_curl *t, const struct http_request *request, struct route **ret, struct error *err)
{
	size_t texts = request->url.len + request->proxy.len + request->cafile.len + 3;
	struct route *r = mem_alloc(sizeof(*r) + texts);
	char *at;
	int code;

	if (!r)
		return error_nomem(err);
	*r = (struct route){ .refs = 1, .http11 = request->http11, .insecure = request->insecure_tls };
	at = r->texts;
	r->url = put_text(&at, request->url);
	r->url_len = request->url.len;
	r->proxy = put_text(&at, request->proxy);
	r->cafile = put_text(&at, request->cafile);
	code = url_curl_parse(request->url, &r->handle, err);
	if (!code)
		code = origin_get(t, r, &r->origin, err);
	if (code) {
		route_unref(r);
		return code;
	}
	r->origin->routes++;
	*ret = r;
	return 0;
}

int route_get(struct http_curl *t, const struct http_request *request, struct route **ret, struct error *err)
{
	struct route *route = NULL;
	int code;

	for (size_t i = 0; i < ROUTES_KEPT && t->routes[i]; i++) {
		route = t->routes[i];
		if (!route_serves(route, request))
			continue;
		if (i)
			remember(t, i, route);
		route->refs++;
		*ret = route;
		return 0;
	}
	code = route_new(t, request, &route, err);
	if (code || !route)
		return code;
	route_unref(t->routes[ROUTES_KEPT - 1]);
	remember(t, ROUTES_KEPT - 1, route);
	route->refs++;
	*ret = route;
	return 0;
}

/* ---- origins ---- */

static void origin_free(struct origin *origin)
{
	for (size_t i = 0; i < origin->shard_count; i++)
		shard_free(origin->shards[i]);
	origin->t->stats.shards -= origin->shard_count;
	mem_free(origin->shards);
	list_remove(&origin->link);
	list_remove(&origin->gate_link);
	if (origin->key)
		map_remove(&origin->t->origins, str_from(origin->key));
	url_parts_release(&origin->parts);
	mem_free(origin->key);
	mem_free(origin->proxy);
	mem_free(origin->no_proxy);
	mem_free(origin);
}

/* An origin outlives its routes: its connections may serve the next URL. One that was never used goes with them. */
static void origin_unroute(struct origin *origin)
{
	if (--origin->routes == 0 && origin->shard_count == 0)
		origin_free(origin);
}

static bool is_allowed(const struct http_curl *t, const char *name)
{
	for (size_t i = 0; i < t->allowed_count; i++)
		if (strcmp(t->allowed[i], name) == 0)
			return true;
	return false;
}

static const char *proxy_of(const struct http_curl *t, const struct route *route, const struct url_parts *parts)
{
	const char *configured = strcmp(parts->scheme, "https") == 0 ? t->proxy_https : t->proxy_http;

	if (route->proxy[0])
		return route->proxy;
	return configured ? configured : "";
}

/* What a stranger's payload may not ask for. */
static int check_stranger(const struct origin *origin, struct error *err)
{
	if (!origin->t->stranger || origin->exempt)
		return 0;
	if (strcmp(origin->parts.scheme, "https") != 0)
		return error_set(err, FF_EUSAGE, "", "Plain http to %s is not allowed here; use https.", origin->peer);
	if (origin->proxy[0])
		return error_set(err, FF_EUSAGE, "",
		                 "A proxy is configured, so only allowed origins can be reached, and %s is not one of them.",
		                 origin->parts.origin);
	return 0;
}

/* Fills a fresh origin; it owns the parts on success and failure. */
static int origin_fill(struct origin *origin, const struct route *route, struct error *err)
{
	const struct http_curl *t = origin->t;
	const char *proxy = proxy_of(t, route, &origin->parts);

	origin->peer = strstr(origin->parts.origin, "://") + 3;
	origin->exempt = is_allowed(t, origin->parts.origin);
	origin->tls = strcmp(origin->parts.scheme, "https") == 0 || str_starts_with(str_from(proxy), STR("https:"));
	origin->http11 = route->http11 || strcmp(origin->parts.scheme, "http") == 0;
	origin->proxy = mem_strdup(proxy);
	origin->no_proxy = mem_strdup(route->proxy[0] || !t->no_proxy ? "" : t->no_proxy);
	if (!origin->proxy || !origin->no_proxy)
		return error_nomem(err);
	return check_stranger(origin, err);
}

static int origin_new(struct http_curl *t, const struct route *route, struct url_parts *parts, struct trust *trust, const char *key,
                      struct origin **ret, struct error *err)
{
	struct origin *origin = NEW(struct origin);
	int code;

	if (!origin)
		return error_nomem(err);
	origin->t = t;
	origin->trust = trust;
	origin->id = ++t->next_origin_id;
	origin->parts = *parts;
	*parts = (struct url_parts){ .scheme = NULL };
	list_init(&origin->link);
	list_init(&origin->gate_link);
	list_init(&origin->waiting);
	code = origin_fill(origin, route, err);
	if (!code) {
		origin->key = mem_strdup(key);
		if (!origin->key || map_put(&t->origins, str_from(origin->key), origin, NULL))
			code = error_nomem(err);
	}
	if (code) {
		origin_free(origin);
		return code;
	}
	list_push_back(&t->origins_list, &origin->link);
	*ret = origin;
	return 0;
}

/* A server that wants another URL for each exchange: mostly it is the origin of the exchange before. */
static struct origin *latest_origin(const struct http_curl *t, const struct route *route)
{
	const struct route *latest = t->routes[0];

	if (!latest || latest->http11 != route->http11 || latest->insecure != route->insecure ||
	    strcmp(latest->cafile, route->cafile) != 0 || strcmp(latest->proxy, route->proxy) != 0)
		return NULL;
	return url_curl_leads_to(route->handle, &latest->origin->parts) ? latest->origin : NULL;
}

static int origin_find(struct http_curl *t, const struct route *route, struct origin **ret, struct error *err)
{
	CLEANUP(url_parts_release) struct url_parts parts = { .scheme = NULL };
	CLEANUP(buf_release) struct buf key;
	struct trust *trust;
	int code = url_curl_parts(route->handle, &parts, err);

	buf_init(&key, (size_t)1 << 20);
	if (!code)
		code = trust_get(t, str_from(route->cafile), route->insecure, &trust, err);
	if (code)
		return code;
	buf_append_str(&key, str_from(parts.origin));
	buf_append_str(&key, route->http11 ? STR("\n1") : STR("\n0"));
	buf_append_str(&key, route->insecure ? STR("1\n") : STR("0\n"));
	buf_append_str(&key, str_from(route->cafile));
	buf_append_char(&key, '\n');
	buf_append_str(&key, str_from(route->proxy));
	if (buf_failed(&key))
		return error_nomem(err);
	*ret = map_get(&t->origins, buf_str(&key));
	return *ret ? 0 : origin_new(t, route, &parts, trust, key.ptr, ret, err);
}

static int origin_get(struct http_curl *t, const struct route *route, struct origin **ret, struct error *err)
{
	*ret = latest_origin(t, route);
	return *ret ? 0 : origin_find(t, route, ret, err);
}

/* ---- the gate ---- */

static void age(struct origin *origin, uint64_t now_us)
{
	if (origin->state == ORIGIN_KNOWN && origin->in_flight == 0 &&
	    now_us - origin->used_us > CONNECTION_MAX_AGE_S * UINT64_C(1000000))
		origin->state = ORIGIN_UNKNOWN;
}

void origin_admit(struct origin *origin)
{
	age(origin, loop_now_us(origin->t->loop));
	while (!list_empty(&origin->waiting)) {
		struct http_transfer *x = LIST_ENTRY(origin->waiting.next, struct http_transfer, link);

		if (origin->state == ORIGIN_UNKNOWN && origin->leader)
			return;
		if (++origin->t->launches > LAUNCHES_A_ROUND) {
			origin_admit_later(origin);
			return;
		}
		if (origin->state == ORIGIN_UNKNOWN)
			origin->leader = x;
		list_remove(&x->link);
		if (transfer_launch(x))
			transfer_end_later(x, HTTP_FAILED_LOCAL, "out of memory");
	}
}

void origin_admit_later(struct origin *origin)
{
	if (list_empty(&origin->gate_link))
		list_push_back(&origin->t->gates, &origin->gate_link);
	http_curl_work(origin->t);
}

static bool speaks_h2(CURL *easy)
{
	struct curl_tlssessioninfo *tls = NULL;
	const unsigned char *protocol = NULL;
	unsigned len = 0;

	if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &tls) || !tls || tls->backend != CURLSSLBACKEND_OPENSSL ||
	    !tls->internals)
		return false;
	SSL_get0_alpn_selected(tls->internals, &protocol, &len);
	return len == 2 && memcmp(protocol, "h2", 2) == 0;
}

void origin_reached(struct origin *origin, struct http_transfer *x)
{
	origin->connected++;
	origin->state = ORIGIN_KNOWN;
	if (origin->leader == x)
		origin->leader = NULL;
	if (x->new_connection) {
		origin->resolved_us = loop_now_us(origin->t->loop);
		origin->h2 = !origin->http11 && speaks_h2(x->easy);
		log_debug(origin->t->logger, "%s: connected, HTTP/%s", origin->parts.origin, origin->h2 ? "2" : "1.1");
	}
	if (!list_empty(&origin->waiting))
		origin_admit_later(origin);
}

static bool fails_all_alike(enum http_failure failure)
{
	return failure == HTTP_FAILED_RESOLVE || failure == HTTP_FAILED_CONNECT || failure == HTTP_FAILED_TLS ||
	       failure == HTTP_FAILED_ADDRESS;
}

static void share_failure(struct origin *origin, const struct http_result *result)
{
	struct list *node;

	while ((node = list_pop_front(&origin->waiting)))
		transfer_end_later(LIST_ENTRY(node, struct http_transfer, link), result->failure, result->text);
}

/* The origin is idle: it goes in a minute, or as soon as too many are. Not here: its shards may be in use by the caller. */
static void await_sweep(struct origin *origin)
{
	struct http_curl *t = origin->t;

	list_remove(&origin->link);
	list_push_back(&t->origins_list, &origin->link);
	if (t->origins.count > ORIGINS_KEPT)
		timer_arm(t->timers, &t->sweep, origin->used_us);
	else if (!heap_node_armed(&t->sweep.node))
		timer_arm(t->timers, &t->sweep, origin->used_us + ORIGIN_IDLE_US);
}

void origin_left(struct origin *origin, struct http_transfer *x)
{
	bool unreached = x->sends == 0 && (fails_all_alike(x->result.failure) || x->result.failure == HTTP_TIMED_OUT_CONNECT);

	if (x->sends)
		origin->connected--;
	if (unreached && origin->connected == 0)
		origin->state = ORIGIN_UNKNOWN;
	if (origin->refresher == x)
		origin->refresher = NULL;
	if (origin->leader == x) {
		origin->leader = NULL;
		if (fails_all_alike(x->result.failure))
			share_failure(origin, &x->result);
	}
	origin->used_us = loop_now_us(origin->t->loop);
	if (!list_empty(&origin->waiting))
		origin_admit_later(origin);
	else if (origin->in_flight == 0 && !origin->t->keep_idle)
		await_sweep(origin);
}

/* ---- the end ---- */

static void forget_routes(struct http_curl *t, const struct origin *origin)
{
	size_t kept = 0;

	for (size_t i = 0; i < ROUTES_KEPT && t->routes[i]; i++) {
		struct route *route = t->routes[i];
		t->routes[i] = NULL;
		if (route->origin == origin)
			route_unref(route);
		else
			t->routes[kept++] = route;
	}
	LIST_FOR_EACH (node, next, &t->spare) {
		struct http_transfer *x = LIST_ENTRY(node, struct http_transfer, link);
		if (x->route && x->route->origin == origin)
			transfer_forget_route(x);
	}
}

static bool is_busy(const struct origin *origin)
{
	return origin->in_flight || !list_empty(&origin->waiting) || origin->users;
}

static size_t count_idle(const struct http_curl *t)
{
	size_t count = 0;

	LIST_FOR_EACH (node, next, &t->origins_list)
		count += !is_busy(LIST_ENTRY(node, struct origin, link));
	return count;
}

void origins_close_idle(struct http_curl *t, uint64_t now_us)
{
	uint64_t next_us = CLOCK_NEVER;
	size_t idle = count_idle(t);

	LIST_FOR_EACH (node, next, &t->origins_list) {
		struct origin *origin = LIST_ENTRY(node, struct origin, link);

		if (is_busy(origin))
			continue;
		if (idle <= ORIGINS_KEPT && origin->used_us + ORIGIN_IDLE_US > now_us) {
			next_us = MIN(next_us, origin->used_us + ORIGIN_IDLE_US);
			continue;
		}
		idle--;
		log_debug(t->logger, "%s: closed, because it is idle", origin->parts.origin);
		origin->routes++; /* held until here, so that its last route does not free it */
		forget_routes(t, origin);
		origin_free(origin);
	}
	timer_arm(t->timers, &t->sweep, next_us);
}

void origins_release(struct http_curl *t)
{
	LIST_FOR_EACH (node, next, &t->origins_list) {
		struct origin *origin = LIST_ENTRY(node, struct origin, link);

		origin->routes++;
		forget_routes(t, origin);
		origin_free(origin);
	}
	map_release(&t->origins);
}
