/* test_http_curl_transfer.c: cancelling at every moment, starting from callbacks, requests that libcurl sent twice, handles over a long life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>

#include "exchange.h"
#include "peer.h"

static struct rig rig;
static struct peer *p;
static struct exchange x;

static void open_with(peer_serve_fn *serve)
{
	p = peer_start(serve, NULL);
	rig_open(&rig, NULL);
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
}

static int tear_down(void **state)
{
	(void)state;
	exchange_release(&x);
	assert_int_equal(rig_stats(&rig).in_flight, 0);
	rig_close(&rig);
	peer_stop(p);
	return 0;
}

static void expect_cancelled(void)
{
	exchange_wait(&x);
	assert_int_equal(x.result.failure, HTTP_CANCELLED);
	assert_string_equal(x.result.text, "cancelled");
	loop_process(rig.loop);
	assert_int_equal(x.dones, 1);
}

static void test_cancel_before_the_loop_turned(void **state)
{
	(void)state;
	open_with(peer_serve_replies);
	exchange_start(&x);
	exchange_cancel(&x);
	exchange_cancel(&x); /* twice is once */
	expect_cancelled();
	exchange_expect(&x, HTTP_COMPLETE, NULL);
}

static void test_cancel_while_waiting_for_the_first(void **state)
{
	struct exchange first;

	(void)state;
	open_with(peer_serve_replies);
	exchange_init(&first, &rig, "http", "127.0.0.1", peer_port(p));
	exchange_start(&first);
	exchange_start(&x);
	exchange_cancel(&x);
	expect_cancelled();
	exchange_wait(&first);
	assert_int_equal(first.result.failure, HTTP_COMPLETE);
	exchange_release(&first);
}

static void test_cancel_after_it_was_sent(void **state)
{
	(void)state;
	open_with(peer_serve_nothing);
	exchange_start(&x);
	for (int i = 0; i < 20; i++)
		loop_wait(rig.loop, 2);
	exchange_cancel(&x);
	expect_cancelled();
	assert_true(x.result.stamps.connected > 0);
	assert_int_equal(x.result.stamps.first_byte, 0);
}

static void test_cancel_in_callbacks(void **state)
{
	(void)state;
	open_with(peer_serve_replies);
	x.cancel_in_head = true;
	exchange_start(&x);
	expect_cancelled();
	assert_int_equal(x.heads, 1);
	assert_int_equal(x.body.len, 0);
	x.cancel_in_head = false;
	x.cancel_in_body = true;
	exchange_start(&x);
	expect_cancelled();
	assert_int_equal(x.status, 200);
}

static struct exchange chain[2];
static int left;

static void start_again(struct exchange *e)
{
	if (left-- > 0)
		exchange_start(e);
}

static void test_start_in_done(void **state)
{
	(void)state;
	open_with(peer_serve_replies);
	left = 50;
	x.then = start_again;
	exchange_start(&x);
	while (left >= 0)
		loop_wait(rig.loop, -1);
	assert_int_equal(rig_stats(&rig).transfers, 51);
	assert_int_equal(rig_stats(&rig).connections_opened, 1);
	x.then = NULL;
}

static void cancel_the_other(struct exchange *e)
{
	struct exchange *other = e == &chain[0] ? &chain[1] : &chain[0];

	if (other->transfer)
		exchange_cancel(other);
}

static void test_cancel_another_in_done(void **state)
{
	(void)state;
	open_with(peer_serve_replies);
	for (int i = 0; i < 2; i++) {
		exchange_init(&chain[i], &rig, "http", "127.0.0.1", peer_port(p));
		chain[i].then = cancel_the_other;
		exchange_start(&chain[i]);
	}
	exchange_wait(&chain[0]);
	exchange_wait(&chain[1]);
	assert_int_equal(chain[0].dones + chain[1].dones, 2);
	assert_true(chain[0].result.failure == HTTP_COMPLETE || chain[1].result.failure == HTTP_COMPLETE);
	exchange_release(&chain[0]);
	exchange_release(&chain[1]);
}

static void test_start_in_body(void **state)
{
	(void)state;
	open_with(peer_serve_replies);
	exchange_init(&chain[0], &rig, "http", "127.0.0.1", peer_port(p));
	exchange_init(&chain[1], &rig, "http", "127.0.0.1", peer_port(p));
	x.start_in_body = &chain[0];
	chain[0].start_in_body = &chain[1];
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	exchange_wait(&chain[0]);
	exchange_wait(&chain[1]);
	assert_int_equal(chain[1].result.failure, HTTP_COMPLETE);
	exchange_release(&chain[0]);
	exchange_release(&chain[1]);
}

static void start_refused(struct exchange *e)
{
	if (left-- > 0)
		exchange_start(e);
}

/* A whole crowd behind the gate that starts again from its failure: each round must end. */
static void test_restart_from_a_shared_failure(void **state)
{
	struct exchange crowd[10];
	struct peer *gone = peer_start(peer_serve_replies, NULL);
	uint16_t port = peer_port(gone);

	(void)state;
	peer_stop(gone);
	open_with(peer_serve_replies);
	left = 30;
	for (int i = 0; i < 10; i++) {
		exchange_init(&crowd[i], &rig, "http", "127.0.0.1", port);
		crowd[i].then = start_refused;
		exchange_start(&crowd[i]);
	}
	while (rig_stats(&rig).in_flight)
		loop_wait(rig.loop, -1);
	assert_int_equal(rig_stats(&rig).transfers, 40);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(crowd[i].dones, 1);
		assert_int_equal(crowd[i].result.failure, HTTP_FAILED_CONNECT);
		exchange_release(&crowd[i]);
	}
}

/* Every second request of a connection is read and not answered: libcurl sends it again on a new connection. */
static void serve_one_and_drop(struct peer_connection *c, unsigned number, void *user)
{
	(void)number;
	(void)user;
	if (peer_read(c))
		peer_reply(c, "ok");
	peer_read(c);
}

static void test_resent_requests_are_counted(void **state)
{
	uint64_t resent = 0;

	(void)state;
	open_with(serve_one_and_drop);
	for (int i = 0; i < 24; i++) { /* libcurl gives up after five on one easy handle, unless it is replaced */
		exchange_expect(&x, HTTP_COMPLETE, NULL);
		resent += x.result.resent;
		assert_int_equal(x.result.resent, i > 0);
		assert_false(x.result.reused);
	}
	assert_int_equal(rig_stats(&rig).resent, resent);
	assert_int_equal(rig_stats(&rig).connections_opened, 24);
	assert_int_equal(peer_connections(p), 24);
	x.request.fresh_connect = true; /* what our own retries use */
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_false(x.result.resent);
}

static void test_what_may_be_sent_once_is_not_sent_again(void **state)
{
	(void)state;
	open_with(serve_one_and_drop);
	x.request.once = true;
	for (int i = 0; i < 12; i++) { /* more often than libcurl bears on one easy handle */
		exchange_expect(&x, HTTP_COMPLETE, NULL);
		exchange_expect(&x, HTTP_FAILED_SEND, "was closed before any reply");
		assert_false(x.result.resent);
		assert_int_equal(x.status, 0);
	}
	assert_int_equal(rig_stats(&rig).resent, 0);
	assert_int_equal(rig_stats(&rig).in_flight, 0);
	x.request.once = false;
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_true(x.result.resent);
}

static void test_foreign_loop(void **state)
{
	struct pollfd watch;

	(void)state;
	open_with(peer_serve_replies);
	watch = (struct pollfd){ .fd = loop_fd(rig.loop), .events = POLLIN };
	for (int i = 0; i < 5; i++) {
		exchange_start(&x);
		loop_process(rig.loop);
		while (!x.dones) { /* hangs if a socket is not in the descriptor when the loop says it may sleep */
			poll(&watch, 1, loop_timeout_ms(rig.loop));
			loop_process(rig.loop);
		}
		assert_int_equal(x.result.failure, HTTP_COMPLETE);
		x.request.fresh_connect = i % 2;
	}
}

static void test_two_transports_on_two_loops(void **state)
{
	struct rig other;
	struct exchange y;

	(void)state;
	open_with(peer_serve_replies);
	rig_open(&other, NULL);
	exchange_init(&y, &other, "http", "127.0.0.1", peer_port(p));
	exchange_start(&y);
	exchange_start(&x);
	exchange_wait(&x);
	exchange_wait(&y);
	assert_int_equal(x.result.failure, HTTP_COMPLETE);
	assert_int_equal(y.result.failure, HTTP_COMPLETE);
	exchange_release(&y);
	rig_close(&other);
}

/* Peers of every kind and owners who change their mind, by a fixed sequence: each exchange ends exactly once, and nothing is left. */
static void serve_anything(struct peer_connection *c, unsigned number, void *user)
{
	static const char *const replies[] = { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		                               "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
		                               "",
		                               "garbage\r\n\r\n",
		                               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
		                               "HTTP/1.1 200 OK\r\nContent-" };

	(void)user;
	for (unsigned i = 0; peer_read(c); i++) {
		unsigned kind = (number * 7 + i * 3) % 16;
		if (kind < 9) {
			peer_send(c, replies[0]);
			continue;
		}
		if (kind == 15) {
			peer_wait_closed(c);
			return;
		}
		peer_send(c, replies[kind % ARRAY_SIZE(replies)]);
		if (kind & 1)
			peer_reset(c);
		return;
	}
}

#define CROWD 40
static struct exchange crowd[CROWD];

static void test_hostile_peers(void **state)
{
	unsigned started = 0, failures[HTTP_FAILED_LOCAL + 1] = { 0 };
	struct peer *gone = peer_start(peer_serve_replies, NULL);
	uint16_t gone_port = peer_port(gone);

	(void)state;
	peer_stop(gone);
	open_with(serve_anything);
	while (started < 1200 || rig_stats(&rig).in_flight) {
		for (unsigned i = 0; i < CROWD; i++) {
			struct exchange *e = &crowd[i];
			if (e->dones) {
				failures[e->result.failure]++;
				exchange_release(e);
				e->dones = 0;
				e->rig = NULL;
			}
			if (!e->rig && started < 1200) {
				started++;
				exchange_init(e, &rig, "http", started % 3 ? "127.0.0.1" : "localhost",
				              started % 50 == 49 ? gone_port : peer_port(p));
				e->request.idle_timeout_ms = 250; /* far above what a busy machine needs to answer */
				e->request.fresh_connect = started % 5 == 0;
				exchange_start(e);
			} else if (e->transfer && (started + i) % 97 == 0) {
				exchange_cancel(e);
			}
		}
		loop_wait(rig.loop, 5);
	}
	for (unsigned i = 0; i < CROWD; i++) {
		failures[crowd[i].result.failure] += crowd[i].dones > 0;
		exchange_release(&crowd[i]);
	}
	assert_int_equal(rig_stats(&rig).transfers, 1200);
	assert_true(failures[HTTP_COMPLETE] > 0);
	assert_true(failures[HTTP_FAILED_CUT] && failures[HTTP_FAILED_GARBAGE] && failures[HTTP_TIMED_OUT_IDLE] &&
	            failures[HTTP_FAILED_CONNECT]);
	assert_int_equal(failures[HTTP_FAILED_LOCAL], 0);
}

static void test_idle_loop_sleeps(void **state)
{
	(void)state;
	open_with(peer_serve_replies);
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	for (int i = 0; i < 10 && loop_timeout_ms(rig.loop) == 0; i++)
		loop_process(rig.loop);
	/* Nothing waits but the end of the idle origin. */
	assert_true(loop_timeout_ms(rig.loop) > 30000);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_cancel_before_the_loop_turned),
		CASE(test_cancel_while_waiting_for_the_first),
		CASE(test_cancel_after_it_was_sent),
		CASE(test_cancel_in_callbacks),
		CASE(test_start_in_done),
		CASE(test_cancel_another_in_done),
		CASE(test_start_in_body),
		CASE(test_restart_from_a_shared_failure),
		CASE(test_resent_requests_are_counted),
		CASE(test_what_may_be_sent_once_is_not_sent_again),
		CASE(test_foreign_loop),
		CASE(test_two_transports_on_two_loops),
		CASE(test_hostile_peers),
		CASE(test_idle_loop_sleeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
