/*
 * test_http_curl_socket.c: sockets in the poll set between transfers: what they must not cost (a FIN on an idle one), what they must not break (a
 * descriptor number that comes back as another socket), and what they save (epoll_ctl calls).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "exchange.h"
#include "peer.h"

static atomic_uint epoll_changes;

/* Counts libuv's calls. libuv makes them through the C library's function. */
__attribute__((visibility("default"))) int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	int (*real)(int, int, int, struct epoll_event *);

	*(void **)&real = dlsym(RTLD_NEXT, "epoll_ctl");
	atomic_fetch_add(&epoll_changes, 1);
	return real(epoll, operation, fd, event);
}

/* Answers once; closes when told (by closing its end of the pipe in user), while the client's side is idle. */
static void serve_then_close(struct peer_connection *c, unsigned number, void *user)
{
	char byte;

	(void)number;
	if (!peer_read(c))
		return;
	peer_reply(c, "ok");
	if (read(*(int *)user, &byte, 1) < 0)
		return;
}

struct alarm {
	struct timer timer;
	bool rang;
};

static void ring(struct timer *timer, uint64_t now_us)
{
	(void)now_us;
	CONTAINER_OF(timer, struct alarm, timer)->rang = true;
}

/* How often loop_wait returns until a timer of 60 ms fires. */
static unsigned passes_of_an_idle_loop(struct loop *l)
{
	struct alarm alarm = { .rang = false };
	unsigned passes = 0;

	timer_init(&alarm.timer, ring);
	assert_int_equal(timers_reserve(loop_timers(l), 1), 0);
	timer_arm(loop_timers(l), &alarm.timer, loop_now_us(l) + 60000);
	while (!alarm.rang) {
		loop_wait(l, -1);
		passes++;
	}
	timers_unreserve(loop_timers(l), 1);
	return passes;
}

static void test_fin_on_idle_connections_does_not_spin(void **state)
{
	enum { COUNT = 8 };
	struct exchange x[COUNT];
	struct peer *p;
	struct rig rig;
	int fds[2];
	unsigned passes;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	p = peer_start(serve_then_close, &fds[0]);
	rig_open(&rig, NULL);
	for (int i = 0; i < COUNT; i++) {
		exchange_init(&x[i], &rig, "http", "127.0.0.1", peer_port(p));
		x[i].request.fresh_connect = true;
		exchange_expect(&x[i], HTTP_COMPLETE, NULL);
	}
	close(fds[1]); /* all of them get their FIN */
	passes = passes_of_an_idle_loop(rig.loop);
	if (passes > COUNT + 12)
		fail_msg("the loop turned %u times while %d idle connections were closed by their peer", passes, COUNT);
	passes = passes_of_an_idle_loop(rig.loop);
	if (passes > 4)
		fail_msg("the loop turned %u times although nothing happened", passes);
	x[0].request.fresh_connect = false; /* finds the dead ones and opens another */
	exchange_expect(&x[0], HTTP_COMPLETE, NULL);
	assert_false(x[0].result.reused);
	assert_false(x[0].result.resent);
	for (int i = 0; i < COUNT; i++)
		exchange_release(&x[i]);
	rig_close(&rig);
	peer_stop(p);
	close(fds[0]);
}

static void serve_and_close(struct peer_connection *c, unsigned number, void *user)
{
	(void)number;
	(void)user;
	if (peer_read(c))
		peer_send(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
}

/* Each exchange gets the descriptor number of the one before; a registration that outlived its socket would let it hang. */
static void test_descriptor_numbers_come_back(void **state)
{
	struct peer *closing = peer_start(serve_and_close, NULL), *keeping = peer_start(peer_serve_replies, NULL);
	struct rig rig;
	struct exchange x;

	(void)state;
	rig_open(&rig, NULL);
	for (int i = 0; i < 40; i++) {
		exchange_init(&x, &rig, "http", i % 3 == 2 ? "localhost" : "127.0.0.1", peer_port(i % 4 == 3 ? keeping : closing));
		x.request.fresh_connect = i % 8 == 7;
		x.request.idle_timeout_ms = 5000;
		exchange_expect(&x, HTTP_COMPLETE, NULL);
		exchange_release(&x);
	}
	rig_close(&rig);
	peer_stop(closing);
	peer_stop(keeping);
}

/* The number comes back to somebody else's descriptor while the transport knows it. */
static void test_descriptor_numbers_go_to_others(void **state)
{
	struct peer *closing = peer_start(serve_and_close, NULL);
	struct rig rig;
	struct exchange x;
	int fds[2];

	(void)state;
	rig_open(&rig, NULL);
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(closing));
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1); /* readable: a stale registration would report it */
	assert_true(passes_of_an_idle_loop(rig.loop) <= 4);
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	close(fds[0]);
	close(fds[1]);
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(closing);
}

static void test_steady_load_changes_no_interest(void **state)
{
	struct peer *p = peer_start(peer_serve_replies, NULL);
	struct rig rig;
	struct exchange x;
	unsigned before;

	(void)state;
	rig_open(&rig, NULL);
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	before = atomic_load(&epoll_changes);
	assert_true(before > 0); /* the counter counts */
	for (int i = 0; i < 100; i++)
		exchange_expect(&x, HTTP_COMPLETE, NULL);
	if (atomic_load(&epoll_changes) != before)
		fail_msg("100 requests on a standing connection made %u epoll_ctl calls", atomic_load(&epoll_changes) - before);
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(p);
}

/* A body that does not fit the socket's buffers makes libcurl wait for writability; interest must narrow again afterwards. */
static void test_writability_is_dropped(void **state)
{
	static char big[4 << 20];
	struct peer *p;
	struct rig rig;
	struct exchange x;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	p = peer_start(peer_serve_nothing, NULL);
	rig_open(&rig, NULL);
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	x.request.body = str_of(big, 900000); /* peer_read takes a megabyte */
	exchange_start(&x);
	while (!x.dones && passes_of_an_idle_loop(rig.loop) > 4)
		; /* until the request is up and the loop is quiet */
	assert_int_equal(x.dones, 0);
	exchange_cancel(&x);
	exchange_wait(&x);
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fin_on_idle_connections_does_not_spin),
		cmocka_unit_test(test_descriptor_numbers_come_back),
		cmocka_unit_test(test_descriptor_numbers_go_to_others),
		cmocka_unit_test(test_steady_load_changes_no_interest),
		cmocka_unit_test(test_writability_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
