/*
 * test_http_curl_origin.c: the gate in front of an origin that was not reached, names and their resolver, shards, reuse.
 *
 * getaddrinfo is the test's own: names ending in .test are 127.0.0.1, those beginning with "hang" are not answered until the test lets them,
 * those beginning with "no" are unknown. It counts its calls: each one is a thread of libcurl's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "exchange.h"
#include "net/http_curl_internal.h"
#include "peer.h"

#define MANY 500

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned calls, hanging;
	bool let_go, gave_up;
} resolver = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static struct addrinfo *loopback(const char *service)
{
	struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in));
	struct sockaddr_in *address = (struct sockaddr_in *)(void *)(info + 1);

	address->sin_family = AF_INET;
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address->sin_port = htons((uint16_t)(service ? strtoul(service, NULL, 10) : 0));
	info->ai_family = AF_INET;
	info->ai_socktype = SOCK_STREAM;
	info->ai_addrlen = sizeof(*address);
	info->ai_addr = (struct sockaddr *)address;
	return info;
}

/* Gives up after ten seconds, so that a transport that waits for its resolver fails the test instead of hanging it. */
static void hang(void)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 10;
	resolver.hanging++;
	while (!resolver.let_go && !resolver.gave_up)
		if (pthread_cond_timedwait(&resolver.changed, &resolver.lock, &end) == ETIMEDOUT)
			resolver.gave_up = true;
	resolver.hanging--;
	pthread_cond_broadcast(&resolver.changed);
}

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                                                       struct addrinfo **ret)
{
	(void)hints;
	pthread_mutex_lock(&resolver.lock);
	resolver.calls++;
	if (strncmp(node, "hang", 4) == 0)
		hang();
	pthread_mutex_unlock(&resolver.lock);
	if (strncmp(node, "no", 2) == 0)
		return EAI_NONAME;
	*ret = loopback(service);
	return 0;
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *info)
{
	free(info);
}

static unsigned resolver_calls(void)
{
	unsigned calls;

	pthread_mutex_lock(&resolver.lock);
	calls = resolver.calls;
	pthread_mutex_unlock(&resolver.lock);
	return calls;
}

static int reset_resolver(void **state)
{
	(void)state;
	resolver.calls = 0;
	resolver.let_go = resolver.gave_up = false;
	return 0;
}

/* Lets hanging calls return and waits until they have. */
static void let_go(void)
{
	pthread_mutex_lock(&resolver.lock);
	resolver.let_go = true;
	pthread_cond_broadcast(&resolver.changed);
	while (resolver.hanging)
		pthread_cond_wait(&resolver.changed, &resolver.lock);
	pthread_mutex_unlock(&resolver.lock);
}

static struct exchange many[MANY];

static void start_many(struct rig *rig, size_t count, const char *host, uint16_t port)
{
	for (size_t i = 0; i < count; i++) {
		exchange_init(&many[i], rig, "http", host, port);
		exchange_start(&many[i]);
	}
}

static void wait_many(size_t count, enum http_failure failure)
{
	for (size_t i = 0; i < count; i++) {
		exchange_wait(&many[i]);
		if (many[i].result.failure != failure)
			fail_msg("exchange %zu: expected %s, it is %s: %s", i, http_failure_name(failure),
			         http_failure_name(many[i].result.failure), many[i].result.text);
		exchange_release(&many[i]);
	}
}

static void test_one_name_is_resolved_once(void **state)
{
	struct peer *p = peer_start(peer_serve_replies, NULL);
	struct rig rig;

	(void)state;
	rig_open(&rig, NULL);
	start_many(&rig, MANY, "name.test", peer_port(p));
	wait_many(MANY, HTTP_COMPLETE);
	if (resolver_calls() != 1)
		fail_msg("%d starts to one name made %u calls of the resolver", MANY, resolver_calls());
	start_many(&rig, MANY, "name.test", peer_port(p));
	wait_many(MANY, HTTP_COMPLETE);
	assert_int_equal(resolver_calls(), 1);
	rig_close(&rig);
	peer_stop(p);
}

static void test_unknown_name_fails_all_that_waited(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, NULL);
	start_many(&rig, MANY, "no.test", 80);
	wait_many(MANY, HTTP_FAILED_RESOLVE);
	assert_true(resolver_calls() <= 1);
	assert_non_null(strstr(many[MANY - 1].result.text, "no.test"));
	assert_int_equal(rig_stats(&rig).in_flight, 0);
	rig_close(&rig);
}

static void test_hanging_resolver_is_left_alone(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, NULL);
	for (size_t i = 0; i < 20; i++) {
		exchange_init(&many[i], &rig, "http", "hang.test", 80);
		many[i].request.connect_timeout_ms = 40;
		exchange_start(&many[i]);
	}
	wait_many(20, HTTP_TIMED_OUT_CONNECT);
	rig_close(&rig);
	if (resolver.gave_up)
		fail_msg("the transport waited for the resolver's thread");
	/* The time of those that waited ran out, too: nobody asked again, but for one that a busy machine let through in between. */
	assert_in_range(resolver_calls(), 1, 2);
	let_go();
}

static void test_cancel_while_resolving(void **state)
{
	struct peer *p = peer_start(peer_serve_replies, NULL);
	struct rig rig;

	(void)state;
	rig_open(&rig, NULL);
	start_many(&rig, 2, "hang2.test", peer_port(p));
	loop_process(rig.loop);
	exchange_cancel(&many[0]); /* the one that goes first */
	exchange_wait(&many[0]);
	assert_int_equal(many[0].result.failure, HTTP_CANCELLED);
	assert_int_equal(many[1].dones, 0);
	let_go();
	exchange_wait(&many[1]); /* takes its place */
	assert_int_equal(many[1].result.failure, HTTP_COMPLETE);
	assert_false(resolver.gave_up);
	exchange_release(&many[0]);
	exchange_release(&many[1]);
	rig_close(&rig);
	peer_stop(p);
}

static void test_origin_recovers(void **state)
{
	struct peer *p = peer_start(peer_serve_replies, NULL);
	uint16_t port = peer_port(p);
	struct rig rig;

	(void)state;
	rig_open(&rig, NULL);
	start_many(&rig, 3, "127.0.0.1", port);
	wait_many(3, HTTP_COMPLETE);
	peer_stop(p); /* now nobody listens */
	start_many(&rig, 50, "127.0.0.1", port);
	wait_many(50, HTTP_FAILED_CONNECT);
	start_many(&rig, 50, "127.0.0.1", port); /* behind the gate again */
	wait_many(50, HTTP_FAILED_CONNECT);
	assert_int_equal(rig_stats(&rig).in_flight, 0);
	rig_close(&rig);
}

static void test_shards_fill_in_order_and_connections_are_reused(void **state)
{
	struct peer *p = peer_start(peer_serve_replies, NULL);
	struct rig rig;

	(void)state;
	rig_open(&rig, NULL);
	start_many(&rig, 300, "127.0.0.1", peer_port(p));
	wait_many(300, HTTP_COMPLETE);
	assert_in_range(rig_stats(&rig).connections_opened, 1, 300);
	assert_int_equal(rig_stats(&rig).connections_opened, peer_connections(p));
	assert_in_range(rig_stats(&rig).shards, 1, 2);
	start_many(&rig, 20, "127.0.0.1", peer_port(p));
	wait_many(20, HTTP_COMPLETE);
	for (size_t i = 0; i < 20; i++)
		if (!many[i].result.reused)
			fail_msg("exchange %zu opened a connection although idle ones stood", i);
	assert_int_equal(rig_stats(&rig).connections_opened, peer_connections(p));
	assert_int_equal(rig_stats(&rig).transfers, 320);
	rig_close(&rig);
	peer_stop(p);
}

struct crowd { /* answers when `wanted` requests are in at once */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned in, wanted;
};

static void serve_crowd(struct peer_connection *c, unsigned number, void *user)
{
	struct crowd *crowd = user;

	(void)number;
	while (peer_read(c)) {
		pthread_mutex_lock(&crowd->lock);
		crowd->in++;
		pthread_cond_broadcast(&crowd->changed);
		while (crowd->in < crowd->wanted)
			pthread_cond_wait(&crowd->changed, &crowd->lock);
		pthread_mutex_unlock(&crowd->lock);
		peer_reply(c, "ok");
	}
}

static void test_as_many_at_once_as_started(void **state)
{
	struct crowd crowd = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .wanted = 300 };
	struct peer *p = peer_start(serve_crowd, &crowd);
	struct rig rig;

	(void)state;
	rig_open(&rig, NULL);
	start_many(&rig, 300, "127.0.0.1", peer_port(p));
	assert_int_equal(rig_stats(&rig).in_flight, 300);
	wait_many(300, HTTP_COMPLETE); /* hangs if fewer go at once */
	assert_int_equal(rig_stats(&rig).connections_opened, 300);
	assert_int_equal(rig_stats(&rig).shards, 2);
	rig_close(&rig);
	peer_stop(p);
}

/* More URLs than the transport keeps parsed, of one origin: they share its connection. */
static void test_many_urls_of_one_origin(void **state)
{
	struct peer *p = peer_start(peer_serve_replies, NULL);
	struct rig rig;
	struct exchange x;

	(void)state;
	rig_open(&rig, NULL);
	for (int i = 0; i < 60; i++) {
		exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
		snprintf(x.url, sizeof(x.url), "http://127.0.0.1:%u/stream/%d", peer_port(p), i % 30);
		x.request.url = str_from(x.url);
		exchange_expect(&x, HTTP_COMPLETE, NULL);
		assert_int_equal(x.result.reused, i > 0);
		exchange_release(&x);
	}
	assert_int_equal(peer_connections(p), 1);
	rig_close(&rig);
	peer_stop(p);
}

static void test_fresh_connect(void **state)
{
	struct peer *p = peer_start(peer_serve_replies, NULL);
	struct rig rig;
	struct exchange x;

	(void)state;
	rig_open(&rig, NULL);
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	x.request.fresh_connect = true;
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_false(x.result.reused);
	x.request.fresh_connect = false;
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_true(x.result.reused);
	assert_int_equal(peer_connections(p), 2);
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(p);
}

/* A minute later by the clock the function is given: the connections of an origin without work are closed, those of one that works are not. */
static void test_idle_origins_are_closed(void **state)
{
	struct peer *p = peer_start(peer_serve_replies, NULL), *busy = peer_start(peer_serve_nothing, NULL);
	struct rig rig;
	struct exchange x, waiting;
	struct http_curl *t;

	(void)state;
	rig_open(&rig, NULL);
	t = CONTAINER_OF(rig.transport, struct http_curl, base);
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	exchange_init(&waiting, &rig, "http", "127.0.0.1", peer_port(busy));
	exchange_start(&waiting);
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	origins_close_idle(t, loop_now_us(rig.loop) + ORIGIN_IDLE_US / 2);
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_true(x.result.reused);
	origins_close_idle(t, loop_now_us(rig.loop) + ORIGIN_IDLE_US * 2);
	assert_int_equal(rig_stats(&rig).shards, 1); /* the busy one's */
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_false(x.result.reused);
	exchange_cancel(&waiting);
	exchange_wait(&waiting);
	exchange_release(&x);
	exchange_release(&waiting);
	rig_close(&rig);
	peer_stop(p);
	peer_stop(busy);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, reset_resolver)
	const struct CMUnitTest tests[] = {
		CASE(test_one_name_is_resolved_once),
		CASE(test_unknown_name_fails_all_that_waited),
		CASE(test_hanging_resolver_is_left_alone),
		CASE(test_cancel_while_resolving),
		CASE(test_origin_recovers),
		CASE(test_shards_fill_in_order_and_connections_are_reused),
		CASE(test_as_many_at_once_as_started),
		CASE(test_many_urls_of_one_origin),
		CASE(test_fresh_connect),
		CASE(test_idle_origins_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
