/*
 * http_curl_shard.c: a multi handle of libcurl's and its timeout on the loop's heap.
 *
 * Not one multi handle for all: it searches its connections one by one, so that the cost of a request grows with the connections. Shards of an origin
 * fill in order, never in turn, so that the first ones always find an idle connection and the last ones fall empty.
 * libcurl's messages are not read inside the event that brought them but by shard_drain, from the deferred work: a finished transfer calls its owner,
 * who may start the next one.
 *
 * Where the origin multiplexes, libcurl may open as few connections as carry what is in flight at STREAMS_A_CONNECTION each. A server that allows fewer
 * streams does not tell us: libcurl just lets transfers wait. So when some have waited for WIDEN_AFTER_US without a new connection, what its connections
 * carry now is taken for what they can carry.
 */
#include "base/alloc.h"
#include "net/http_curl_internal.h"

static void mark_dirty(struct shard *s)
{
	if (list_empty(&s->dirty_link))
		list_push_back(&s->t->dirty, &s->dirty_link);
	http_curl_work(s->t);
}

void shard_socket_action(struct shard *s, curl_socket_t fd, int events)
{
	int running;

	s->t->below_curl = true;
	curl_multi_socket_action(s->multi, fd, events, &running);
	s->t->below_curl = false;
	mark_dirty(s);
}

static void timeout_fired(struct timer *timer, uint64_t now_us UNUSED)
{
	shard_socket_action(CONTAINER_OF(timer, struct shard, timer), CURL_SOCKET_TIMEOUT, 0);
}

/* Also a timeout of 0 waits for the loop: libcurl calls this from inside its functions. */
static int on_timeout_change(CURLM *multi UNUSED, long timeout_ms, void *shard)
{
	struct shard *s = shard;

	if (timeout_ms < 0)
		timer_disarm(s->t->timers, &s->timer);
	else
		timer_arm(s->t->timers, &s->timer, loop_now_us(s->t->loop) + (uint64_t)timeout_ms * 1000);
	return 0;
}

/*
 * How many connections the shard may open to a host that multiplexes: as few as carry what is in flight. It only grows, because libcurl closes
 * connections that are over the limit. An origin that does not multiplex has no limit.
 */
static void limit_connections(struct shard *s)
{
	long wanted = s->origin->h2 ? (long)((s->in_flight + s->streams - 1) / s->streams) : 0;

	if (s->origin->h2 ? wanted <= s->host_connections : s->host_connections == 0)
		return;
	if (curl_multi_setopt(s->multi, CURLMOPT_MAX_HOST_CONNECTIONS, wanted) == CURLM_OK)
		s->host_connections = wanted;
}

static void arm_widen(struct shard *s)
{
	timer_arm(s->t->timers, &s->widen, loop_now_us(s->t->loop) + WIDEN_AFTER_US);
}

/* libcurl looks at its waiting transfers when one of them is taken out, and only then sees that more connections are allowed. */
static void wake_waiting(struct shard *s)
{
	for (struct list *node = s->running.prev; node != &s->running; node = node->prev) {
		struct http_transfer *x = LIST_ENTRY(node, struct http_transfer, link);

		if (x->sends)
			continue;
		s->t->below_curl = true;
		curl_multi_remove_handle(s->multi, x->easy);
		s->t->below_curl = false;
		if (curl_multi_add_handle(s->multi, x->easy) != CURLM_OK)
			transfer_end_later(x, HTTP_FAILED_LOCAL, "out of memory");
		return;
	}
}

static void widen_fired(struct timer *timer, uint64_t now_us UNUSED)
{
	struct shard *s = CONTAINER_OF(timer, struct shard, widen);
	size_t carried;

	if (!s->origin->h2 || s->sent >= s->in_flight)
		return;
	carried = s->host_connections > 0 ? s->sent / (size_t)s->host_connections : 0;
	if (carried > 0 && carried < s->streams) {
		s->streams = carried;
		limit_connections(s);
		wake_waiting(s);
	}
	arm_widen(s);
}

void shard_sent(struct shard *s, struct http_transfer *x)
{
	s->sent++;
	if (x->new_connection && heap_node_armed(&s->widen.node))
		arm_widen(s); /* the new connection shows first what it carries */
}

static CURLMcode set_up(struct shard *s)
{
	CURLMcode code = curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, sockets_on_interest);

	if (!code)
		code = curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s);
	if (!code)
		code = curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, on_timeout_change);
	if (!code)
		code = curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s);
	if (!code)
		code = curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, (long)SHARD_TRANSFERS);
	if (!code)
		code = curl_multi_setopt(s->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)STREAMS_A_CONNECTION);
	return code;
}

static struct shard *shard_new(struct origin *origin)
{
	struct shard *s = NEW(struct shard);

	if (!s)
		return NULL;
	s->t = origin->t;
	s->origin = origin;
	list_init(&s->dirty_link);
	list_init(&s->running);
	s->streams = STREAMS_A_CONNECTION;
	timer_init(&s->timer, timeout_fired);
	timer_init(&s->widen, widen_fired);
	if (timers_reserve(s->t->timers, 2)) {
		mem_free(s);
		return NULL;
	}
	s->multi = curl_multi_init();
	if (!s->multi || set_up(s)) {
		shard_free(s);
		return NULL;
	}
	return s;
}

void shard_free(struct shard *s)
{
	if (s->multi)
		curl_multi_cleanup(s->multi); /* closes its connections, through sockets_on_close */
	list_remove(&s->dirty_link);
	timer_disarm(s->t->timers, &s->timer);
	timer_disarm(s->t->timers, &s->widen);
	timers_unreserve(s->t->timers, 2);
	mem_free(s);
}

struct shard *shard_for(struct origin *origin)
{
	struct shard *s;

	for (size_t i = 0; i < origin->shard_count; i++)
		if (origin->shards[i]->in_flight < SHARD_TRANSFERS)
			return origin->shards[i];
	if (origin->shard_count == origin->shard_room) {
		size_t room = origin->shard_room ? origin->shard_room * 2 : 4;
		struct shard **shards = mem_realloc(origin->shards, room * sizeof(struct shard *));
		if (!shards)
			return NULL;
		origin->shards = shards;
		origin->shard_room = room;
	}
	s = shard_new(origin);
	if (!s)
		return NULL;
	origin->shards[origin->shard_count++] = s;
	origin->t->stats.shards++;
	log_debug(origin->t->logger, "%s: multi handle %zu opened", origin->parts.origin, origin->shard_count);
	return s;
}

int shard_add(struct shard *s, struct http_transfer *x)
{
	s->in_flight++;
	limit_connections(s);
	if (curl_multi_add_handle(s->multi, x->easy) != CURLM_OK) {
		s->in_flight--;
		return FF_ENOMEM;
	}
	list_push_back(&s->running, &x->link);
	if (s->origin->h2 && !heap_node_armed(&s->widen.node))
		arm_widen(s);
	return 0;
}

void shard_remove(struct shard *s, struct http_transfer *x)
{
	s->t->below_curl = true;
	curl_multi_remove_handle(s->multi, x->easy);
	s->t->below_curl = false;
	s->in_flight--;
	s->sent -= x->sends > 0;
}

void shard_drain(struct shard *s)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(s->multi, &left))) {
		void *transfer = NULL;
		CURLcode code = message->data.result;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
		transfer_complete(transfer, code);
	}
}
