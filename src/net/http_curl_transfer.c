/*
 * http_curl_transfer.c: one exchange, from the queue of its origin to on_done.
 *
 *   SPARE -> WAITING (http_start) -> RUNNING (transfer_launch) -> SPARE (transfer_finish)
 *
 * Easy handles are pooled with their options: setting one up costs more than a request. A handle whose request libcurl sent again is thrown away after
 * the exchange, because libcurl counts its resends over the whole life of a handle and gives up at the sixth.
 *
 * One timer a transfer, on the loop's heap, re-armed lazily: bytes only note the time.
 *   connecting   from http_start until the request is put on a connection, waiting behind the origin's first exchange included. A transfer that waits for
 *                a free stream of a standing HTTP/2 connection is not connecting; libcurl's own connect timeout covers a connection it opens for it
 *   idle         from then on, since the last byte either way; noticed at most an eighth late
 *   total        from http_start
 * A transfer that ends leaves its timer armed: for the next one on the same handle it fires early, which is harmless, and two heap operations a request are
 * saved. When nothing is in flight any more the timers are disarmed, so that an idle loop sleeps.
 *
 * A result is decided at one place or another (message, timer, cancel, failure shared), and told at one: transfer_finish. `ending` means decided, not told.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "net/http_curl_internal.h"

static void deadline_fired(struct timer *timer, uint64_t now_us);

/* ---- the pool ---- */

static struct http_transfer *transfer_new(struct http_curl *t)
{
	struct http_transfer *x = NEW(struct http_transfer);

	if (!x)
		return NULL;
	x->t = t;
	list_init(&x->link);
	list_init(&x->end_link);
	timer_init(&x->timer, deadline_fired);
	buf_init(&x->header_text, (size_t)16 << 20);
	buf_init(&x->head.text, (size_t)HTTP_MAX_HEADER_BYTES);
	if (timers_reserve(t->timers, 1)) {
		mem_free(x);
		return NULL;
	}
	x->easy = curl_easy_init();
	if (!x->easy || request_set_once(x)) {
		transfer_free(x);
		return NULL;
	}
	return x;
}

struct http_transfer *transfer_take(struct http_curl *t)
{
	struct list *node = list_pop_front(&t->spare);

	return node ? LIST_ENTRY(node, struct http_transfer, link) : transfer_new(t);
}

void transfer_forget_route(struct http_transfer *x)
{
	if (!x->route)
		return;
	curl_easy_setopt(x->easy, CURLOPT_CURLU, NULL);
	curl_easy_setopt(x->easy, CURLOPT_SHARE, NULL);
	route_unref(x->route);
	x->route = NULL;
	x->set.route = NULL;
	x->set.origin_id = 0;
}

void transfer_free(struct http_transfer *x)
{
	list_remove(&x->link);
	list_remove(&x->end_link);
	timer_disarm(x->t->timers, &x->timer);
	timers_unreserve(x->t->timers, 1);
	if (x->easy)
		curl_easy_cleanup(x->easy);
	route_unref(x->route);
	mem_free(x->header_nodes);
	buf_release(&x->header_text);
	head_release(&x->head);
	mem_free(x);
}

/* ---- deadlines ---- */

static uint64_t after_ms(uint64_t from_us, uint64_t ms)
{
	return ms == 0 || ms > (CLOCK_NEVER - from_us) / 1000 ? CLOCK_NEVER : from_us + ms * 1000;
}

static bool waits_for_stream(const struct http_transfer *x)
{
	const struct origin *origin = x->route->origin;

	return x->state == TRANSFER_RUNNING && x->sends == 0 && origin->h2 && origin->connected > 0;
}

/* When the present phase ends: the connect timeout or the idle timeout. */
static uint64_t phase_deadline(const struct http_transfer *x)
{
	if (x->sends)
		return after_ms(MAX(x->heard_us, x->alive_us), x->request.idle_timeout_ms);
	return after_ms(x->result.stamps.start, x->request.connect_timeout_ms);
}

static uint64_t total_deadline(const struct http_transfer *x)
{
	return after_ms(x->result.stamps.start, x->request.total_timeout_ms);
}

/* When to look next: at a deadline, or an eighth of the idle timeout from now, because bytes that no callback sees are only found by looking. */
static uint64_t next_look(const struct http_transfer *x, uint64_t now_us)
{
	uint64_t deadline_us = MIN(phase_deadline(x), total_deadline(x));

	if (!x->sends || !x->request.idle_timeout_ms)
		return deadline_us;
	return MIN(deadline_us, after_ms(now_us, x->request.idle_timeout_ms / 8 + 1));
}

/* Arms the timer unless it already fires early enough. */
void transfer_arm(struct http_transfer *x)
{
	uint64_t look_us = next_look(x, loop_now_us(x->t->loop));

	if (!heap_node_armed(&x->timer.node) || look_us < x->timer.node.deadline_us)
		timer_arm(x->t->timers, &x->timer, look_us);
}

/* Notes bytes that no callback saw: a request still going up, a compressed reply that has not yielded anything yet. */
static void look_for_life(struct http_transfer *x, uint64_t now_us)
{
	curl_off_t up = 0, down = 0;

	curl_easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &up);
	curl_easy_getinfo(x->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
	if (up + down == x->moved)
		return;
	x->moved = up + down;
	x->alive_us = now_us;
}

static void name_span(uint64_t ms, char *out, size_t size)
{
	if (ms % 1000 == 0)
		snprintf(out, size, "%llu s", (unsigned long long)(ms / 1000));
	else
		snprintf(out, size, "%llu ms", (unsigned long long)ms);
}

static void time_out(struct http_transfer *x, enum http_failure failure)
{
	const char *peer = x->route->origin->peer;
	char span[32];

	if (failure == HTTP_TIMED_OUT_CONNECT) {
		name_span(x->request.connect_timeout_ms, span, sizeof(span));
		transfer_result(x, failure, "no connection to %s within %s", peer, span);
	} else if (failure == HTTP_TIMED_OUT_IDLE) {
		name_span(x->request.idle_timeout_ms, span, sizeof(span));
		transfer_result(x, failure, "%s sent nothing for %s", peer, span);
	} else {
		name_span(x->request.total_timeout_ms, span, sizeof(span));
		transfer_result(x, failure, "the reply of %s was not complete within %s", peer, span);
	}
	transfer_finish(x);
}

static void deadline_fired(struct timer *timer, uint64_t now_us)
{
	struct http_transfer *x = CONTAINER_OF(timer, struct http_transfer, timer);

	if (x->ending || x->state == TRANSFER_SPARE)
		return;
	if (x->sends)
		look_for_life(x, now_us);
	if (total_deadline(x) <= now_us)
		time_out(x, HTTP_TIMED_OUT_TOTAL);
	else if (phase_deadline(x) > now_us)
		timer_arm(x->t->timers, timer, next_look(x, now_us));
	else if (waits_for_stream(x))
		timer_arm(x->t->timers, timer, MIN(total_deadline(x), after_ms(now_us, x->request.connect_timeout_ms)));
	else
		time_out(x, x->sends ? HTTP_TIMED_OUT_IDLE : HTTP_TIMED_OUT_CONNECT);
}

/* ---- from launch to result ---- */

/* A new connection counts when it stands, a failed attempt for one when the transfer ends. */
static void count_connections(struct http_transfer *x)
{
	long opened = 0;

	curl_easy_getinfo(x->easy, CURLINFO_NUM_CONNECTS, &opened);
	x->new_connection = opened > x->connections;
	if (x->new_connection)
		x->t->stats.connections_opened += (uint64_t)(opened - x->connections);
	x->connections = opened;
}

/* What may be sent once only ends as it would have on a connection of its own. The result is told when libcurl gives the transfer back. */
static int refuse_resend(struct http_transfer *x)
{
	x->sends++; /* libcurl has counted it */
	x->ending = true;
	transfer_result(x, HTTP_FAILED_SEND, "the connection to %s was closed before any reply", x->route->origin->peer);
	return CURL_PREREQFUNC_ABORT;
}

/* The request is about to be put on a connection: the first time, or again because a reused connection died under it. */
static int on_connected(void *transfer, char *ip UNUSED, char *local_ip UNUSED, int port UNUSED, int local_port UNUSED)
{
	struct http_transfer *x = transfer;

	if (x->sends && x->request.once)
		return refuse_resend(x);
	count_connections(x);
	x->heard_us = x->result.stamps.connected = clock_monotonic_us();
	x->sends++;
	if (x->sends == 1) {
		shard_sent(x->shard, x);
		origin_reached(x->route->origin, x);
	} else {
		log_info(x->t->logger, "%s: libcurl sent a request again, because the connection it was on died",
		         x->route->origin->parts.origin);
	}
	transfer_arm(x);
	return CURL_PREREQFUNC_OK;
}

CURLcode transfer_set_callbacks(struct http_transfer *x)
{
	CURLcode code = curl_easy_setopt(x->easy, CURLOPT_PREREQFUNCTION, on_connected);

	return code ? code : curl_easy_setopt(x->easy, CURLOPT_PREREQDATA, x);
}

int transfer_launch(struct http_transfer *x)
{
	struct origin *origin = x->route->origin;
	struct shard *shard = shard_for(origin);
	bool may_resolve = origin->state == ORIGIN_UNKNOWN ||
	                   (!origin->refresher && loop_now_us(x->t->loop) - origin->resolved_us > DNS_FRESH_US);

	if (!shard || request_set_launch(x, origin->h2, may_resolve ? (long)(DNS_FRESH_US / 1000000) : -1))
		return FF_ENOMEM;
	if (shard_add(shard, x))
		return FF_ENOMEM;
	if (may_resolve)
		origin->refresher = x;
	x->shard = shard;
	x->state = TRANSFER_RUNNING;
	origin->in_flight++;
	return 0;
}

void transfer_result(struct http_transfer *x, enum http_failure failure, const char *format, ...)
{
	va_list args;

	x->result.failure = failure;
	va_start(args, format);
	vsnprintf(x->result.text, sizeof(x->result.text), format, args);
	va_end(args);
}

void transfer_end_later(struct http_transfer *x, enum http_failure failure, const char *text)
{
	if (!x->ending || failure == HTTP_CANCELLED)
		transfer_result(x, failure, "%s", text);
	x->ending = true;
	if (list_empty(&x->end_link))
		list_push_back(&x->t->ending, &x->end_link);
	http_curl_work(x->t);
}

void transfer_complete(struct http_transfer *x, CURLcode code)
{
	if (!x->ending)
		failure_explain(x, code);
	transfer_finish(x);
}

static int version_number(CURL *easy)
{
	long version = CURL_HTTP_VERSION_NONE;

	curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
	switch (version) {
	case CURL_HTTP_VERSION_1_0: return 10;
	case CURL_HTTP_VERSION_1_1: return 11;
	case CURL_HTTP_VERSION_2_0: return 20;
	default: return 0;
	}
}

/* What is known only now, while the easy handle still remembers. */
static void complete_result(struct http_transfer *x)
{
	struct http_result *r = &x->result;

	if (x->state == TRANSFER_RUNNING)
		count_connections(x);
	r->status = x->head.status;
	r->http_version = r->status ? version_number(x->easy) : 0;
	r->reused = x->sends > 0 && x->connections == 0;
	r->resent = x->sends > 1 && !x->request.once;
	r->stamps.last_byte = r->stamps.first_byte ? x->heard_us : 0;
}

static void leave(struct http_transfer *x)
{
	struct origin *origin = x->route->origin;

	list_remove(&x->link);
	list_remove(&x->end_link);
	if (x->state == TRANSFER_RUNNING) {
		shard_remove(x->shard, x);
		origin->in_flight--;
	}
	x->t->stats.in_flight--;
	x->t->stats.resent += x->result.resent;
	origin->users--;
	origin_left(origin, x);
	x->shard = NULL;
	x->state = TRANSFER_SPARE;
}

/* Nothing is in flight: no timer is needed. The armed ones are in front, because a spare transfer is put there after use. */
static void disarm_spare(struct http_curl *t)
{
	LIST_FOR_EACH (node, next, &t->spare) {
		struct http_transfer *x = LIST_ENTRY(node, struct http_transfer, link);

		if (!heap_node_armed(&x->timer.node))
			return;
		timer_disarm(t->timers, &x->timer);
	}
}

void transfer_finish(struct http_transfer *x)
{
	struct http_curl *t = x->t;
	struct http_callbacks callbacks = x->callbacks;
	void *user = x->user;
	struct http_result result;

	x->ending = true; /* also while libcurl lets go of it: nothing may decide again */
	complete_result(x);
	leave(x);
	result = x->result;
	if (x->sends > 1)
		transfer_free(x);
	else
		list_push_front(&t->spare, &x->link);
	if (t->stats.in_flight == 0)
		disarm_spare(t);
	callbacks.on_done(user, &result);
}
