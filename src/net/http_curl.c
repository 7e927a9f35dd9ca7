/*
 * http_curl.c: the transport on libcurl: its life, start, cancel, and the work it does from the loop.
 *
 * Not one multi handle but several (http_curl_shard.c), not libcurl's habits with sockets (http_curl_socket.c), CA files (http_curl_tls.c) and names
 * (http_curl_origin.c): each of these costs more than the request. The comments there say how much.
 *
 * Nothing is told below a call into libcurl and nothing inside http_start: what is to be done is put into one of three lists (dirty shards, ending
 * transfers, gates) and http_curl_work runs from the loop until they are empty.
 *
 * Cost on loopback, fixed reply: see bench/transport_bench.c.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "net/http_curl_internal.h"
#include "net/url_curl.h"

/* ---- work from the loop ---- */

static void drain_dirty(struct http_curl *t)
{
	struct list *node;

	while ((node = list_pop_front(&t->dirty)))
		shard_drain(LIST_ENTRY(node, struct shard, dirty_link));
}

/* Only those decided so far: whoever is told may start and cancel again, and the loop must breathe. */
static void finish_ending(struct http_curl *t)
{
	struct list now;

	list_move(&t->ending, &now);
	for (struct list *node; (node = list_pop_front(&now));)
		transfer_finish(LIST_ENTRY(node, struct http_transfer, end_link));
}

static void open_gates(struct http_curl *t)
{
	struct list now;

	list_move(&t->gates, &now);
	for (struct list *node; (node = list_pop_front(&now));)
		origin_admit(LIST_ENTRY(node, struct origin, gate_link));
}

static void work(struct deferred *d)
{
	struct http_curl *t = CONTAINER_OF(d, struct http_curl, work);

	t->launches = 0;
	drain_dirty(t);
	finish_ending(t);
	open_gates(t);
}

void http_curl_work(struct http_curl *t)
{
	loop_defer(t->loop, &t->work);
}

static void sweep_fired(struct timer *timer, uint64_t now_us)
{
	origins_close_idle(CONTAINER_OF(timer, struct http_curl, sweep), now_us);
}

/* ---- start and cancel ---- */

/* Brings a spare transfer to the state before its first event. */
static void prepare(struct http_transfer *x, const struct http_request *request, const struct http_callbacks *callbacks, void *user)
{
	x->request = *request;
	x->callbacks = *callbacks;
	x->user = user;
	x->sends = 0;
	x->connections = 0;
	x->moved = 0;
	x->heard_us = x->alive_us = 0;
	x->new_connection = x->ending = x->stopped = x->address_forbidden = false;
	x->local_errno = 0;
	x->result = (struct http_result){ .failure = HTTP_COMPLETE };
	x->result.stamps.start = clock_monotonic_us();
	head_clear(&x->head);
}

static void take_route(struct http_transfer *x, struct route *route)
{
	struct route *before = x->route;

	x->route = route;
	route_unref(before);
}

static void enqueue(struct http_curl *t, struct http_transfer *x)
{
	struct origin *origin = x->route->origin;

	x->state = TRANSFER_WAITING;
	list_push_back(&origin->waiting, &x->link);
	origin->users++;
	t->stats.transfers++;
	t->stats.in_flight++;
	transfer_arm(x);
	if (t->below_curl)
		origin_admit_later(origin);
	else
		origin_admit(origin);
}

static int start(struct http_transport *transport, const struct http_request *request, const struct http_callbacks *callbacks,
                 void *user, struct http_transfer **ret, struct error *err)
{
	struct http_curl *t = CONTAINER_OF(transport, struct http_curl, base);
	struct http_transfer *x;
	struct route *route;
	int code = request_check_headers(t, request, err);

	if (!code)
		code = route_get(t, request, &route, err);
	if (code)
		return code;
	if (route->origin->tls)
		code = trust_load(route->origin->trust, err);
	x = code ? NULL : transfer_take(t);
	if (!x) {
		route_unref(route);
		return code ? code : error_nomem(err);
	}
	take_route(x, route);
	prepare(x, request, callbacks, user);
	code = request_set(x, err);
	if (code) {
		list_push_front(&t->spare, &x->link);
		return code;
	}
	*ret = x;
	enqueue(t, x);
	return 0;
}

static void cancel(struct http_transport *transport UNUSED, struct http_transfer *x)
{
	transfer_end_later(x, HTTP_CANCELLED, "cancelled");
}

static const struct http_transport_ops curl_ops = { .start = start, .cancel = cancel };

/* ---- configuration ---- */

/* Keeps the value of the first of two variables that is set and not empty. */
static int keep_variable(const char *first, const char *second, char **ret)
{
	const char *value = getenv(first);

	if (!value || !value[0])
		value = second ? getenv(second) : NULL;
	if (!value || !value[0])
		return 0;
	mem_free(*ret);
	*ret = mem_strdup(value);
	return *ret ? 0 : FF_ENOMEM;
}

/* HTTP_PROXY in capitals is ignored in a CGI program: there a request's Proxy header would set it. */
static int read_proxies(struct http_curl *t)
{
	const char *upper = getenv("REQUEST_METHOD") ? NULL : "HTTP_PROXY";

	if (keep_variable("all_proxy", "ALL_PROXY", &t->proxy_http) || keep_variable("all_proxy", "ALL_PROXY", &t->proxy_https) ||
	    keep_variable("http_proxy", upper, &t->proxy_http) || keep_variable("https_proxy", "HTTPS_PROXY", &t->proxy_https) ||
	    keep_variable("no_proxy", "NO_PROXY", &t->no_proxy))
		return FF_ENOMEM;
	return 0;
}

static int read_allowed(struct http_curl *t, const char *const *origins, struct error *err)
{
	size_t count = 0;

	while (origins && origins[count])
		count++;
	if (!count)
		return 0;
	t->allowed = mem_calloc(count, sizeof(char *));
	if (!t->allowed)
		return error_nomem(err);
	for (; t->allowed_count < count; t->allowed_count++) {
		struct url_parts parts;
		int code = url_parse(str_from(origins[t->allowed_count]), &parts, err);

		if (code)
			return code;
		t->allowed[t->allowed_count] = parts.origin;
		parts.origin = NULL;
		url_parts_release(&parts);
	}
	return 0;
}

static int read_cafile(struct http_curl *t, const char *path, struct error *err)
{
	struct trust *trust;
	int code;

	t->cafile = mem_strdup(path);
	if (!t->cafile)
		return error_nomem(err);
	code = trust_get(t, STR_NULL, false, &trust, err);
	return code ? code : trust_read(trust, err);
}

static int configure(struct http_curl *t, const struct http_curl_config *config, struct error *err)
{
	int code = config->cafile ? read_cafile(t, config->cafile, err) : 0;

	t->stranger = config->stranger;
	t->keep_idle = config->keep_idle;
	t->logger = config->logger;
	if (code)
		return code;
	if (config->proxy_from_env && read_proxies(t))
		return error_nomem(err);
	return read_allowed(t, config->allowed_origins, err);
}

/* ---- life ---- */

int http_curl_new(struct loop *loop, const struct http_curl_config *config, struct http_transport **ret, struct error *err)
{
	struct http_curl *t = NEW(struct http_curl);
	int code;

	if (!t)
		return error_nomem(err);
	t->base.ops = &curl_ops;
	t->loop = loop;
	t->timers = loop_timers(loop);
	list_init(&t->trusts);
	map_init(&t->origins);
	list_init(&t->origins_list);
	list_init(&t->spare);
	list_init(&t->dirty);
	list_init(&t->ending);
	list_init(&t->gates);
	deferred_init(&t->work, work);
	timer_init(&t->sweep, sweep_fired);
	if (timers_reserve(t->timers, 1)) {
		mem_free(t);
		return error_nomem(err);
	}
	code = curl_global_init(CURL_GLOBAL_DEFAULT) ? error_nomem(err) : configure(t, config, err);
	if (code) {
		http_curl_free(&t->base);
		return code;
	}
	*ret = &t->base;
	return 0;
}

void http_curl_free(struct http_transport *transport)
{
	struct http_curl *t;

	if (!transport)
		return;
	t = CONTAINER_OF(transport, struct http_curl, base);
	assert(t->stats.in_flight == 0);
	LIST_FOR_EACH (node, next, &t->spare)
		transfer_free(LIST_ENTRY(node, struct http_transfer, link));
	origins_release(t);
	trusts_release(t);
	sockets_release(t);
	deferred_cancel(&t->work);
	timer_disarm(t->timers, &t->sweep);
	timers_unreserve(t->timers, 1);
	for (size_t i = 0; i < t->allowed_count; i++)
		mem_free(t->allowed[i]);
	mem_free(t->allowed);
	mem_free(t->proxy_http);
	mem_free(t->proxy_https);
	mem_free(t->no_proxy);
	mem_free(t->cafile);
	mem_free(t);
	curl_global_cleanup();
}

void http_curl_stats(const struct http_transport *transport, struct http_curl_stats *ret)
{
	*ret = CONTAINER_OF(transport, const struct http_curl, base)->stats;
}

const char *http_curl_version(void)
{
	static char text[256]; /* the same bytes whoever writes them */

	snprintf(text, sizeof(text), "%s libuv/%s", curl_version(), uv_version_string());
	return text;
}
