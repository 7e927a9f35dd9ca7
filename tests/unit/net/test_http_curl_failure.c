/* test_http_curl_failure.c: every way an exchange fails, each with its failure and a clause that names the peer; time-outs and caps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <time.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exchange.h"
#include "peer.h"

static struct rig rig;
static struct exchange x;

static int set_up(void **state)
{
	(void)state;
	rig_open(&rig, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	exchange_release(&x);
	rig_close(&rig);
	return 0;
}

/* One exchange with a peer that serves by fn. */
static void expect_of(peer_serve_fn *fn, const char *text, enum http_failure failure, const char *clause)
{
	struct peer *p = peer_start(fn, (void *)(uintptr_t)text);
	char peer[32];

	exchange_release(&x);
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	exchange_expect(&x, failure, clause);
	snprintf(peer, sizeof(peer), "127.0.0.1:%u", peer_port(p));
	if (!strstr(x.result.text, peer))
		fail_msg("expected \"%s\" in \"%s\"", peer, x.result.text);
	peer_stop(p);
}

/* A port where nobody listens. */
static uint16_t closed_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static void test_refused(void **state)
{
	char clause[64];

	(void)state;
	exchange_init(&x, &rig, "http", "127.0.0.1", closed_port());
	snprintf(clause, sizeof(clause), "connection refused by %s", strstr(x.url, "127"));
	*strrchr(clause, '/') = '\0';
	exchange_expect(&x, HTTP_FAILED_CONNECT, clause);
	assert_int_equal(x.result.stamps.connected, 0);
	assert_int_equal(x.result.status, 0);
}

static void test_unresolvable(void **state)
{
	(void)state;
	exchange_init(&x, &rig, "http", "nosuch.test", 80);
	exchange_expect(&x, HTTP_FAILED_RESOLVE, "host name nosuch.test cannot be resolved");
}

/* ---- replies that break ---- */

static void serve_text(struct peer_connection *c, unsigned number, void *user)
{
	(void)number;
	if (peer_read(c))
		peer_send(c, user);
}

static void serve_reset(struct peer_connection *c, unsigned number, void *user)
{
	serve_text(c, number, user);
	peer_reset(c);
}

static void test_no_reply(void **state)
{
	(void)state;
	expect_of(serve_text, "", HTTP_FAILED_SEND, "was closed before any reply");
	expect_of(serve_reset, "", HTTP_FAILED_SEND, "was reset before any reply");
	assert_int_equal(x.heads, 0);
}

static void test_cut_replies(void **state)
{
	(void)state;
	expect_of(serve_text, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", HTTP_FAILED_CUT, "after 3 bytes");
	assert_int_equal(x.heads, 1);
	assert_int_equal(x.result.status, 200);
	assert_true(x.result.stamps.last_byte >= x.result.stamps.first_byte && x.result.stamps.first_byte > 0);
	expect_of(serve_text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", HTTP_FAILED_CUT,
	          "bytes of the reply");
	expect_of(serve_text, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n", HTTP_FAILED_CUT, "inside the headers");
	expect_of(serve_text, "HTTP/1.1 200 OK\r\nContent-", HTTP_FAILED_CUT, "inside the headers");
	assert_int_equal(x.heads, 0);
}

static void test_reply_until_close_is_complete(void **state)
{
	struct peer *p = peer_start(serve_text, (void *)(uintptr_t) "HTTP/1.0 200 OK\r\n\r\nall of it");

	(void)state;
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_true(str_eq(buf_str(&x.body), STR("all of it")));
	assert_int_equal(x.result.http_version, 10);
	peer_stop(p);
}

static void test_garbage(void **state)
{
	(void)state;
	expect_of(serve_text, "220 mail.example ESMTP\r\n", HTTP_FAILED_GARBAGE, "is not HTTP");
	expect_of(serve_text, "<html>hello</html>\n\n", HTTP_FAILED_GARBAGE, "is not HTTP");
	expect_of(serve_text, "HTTP/9.9 abc\r\n\r\n", HTTP_FAILED_GARBAGE, "is not HTTP");
	expect_of(serve_text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", HTTP_FAILED_GARBAGE, "chunks");
}

static void serve_bad_gzip(struct peer_connection *c, unsigned number, void *user)
{
	(void)number;
	(void)user;
	if (peer_read(c))
		peer_send(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\nnot gzip, no");
}

static void serve_unknown_encoding(struct peer_connection *c, unsigned number, void *user)
{
	(void)number;
	(void)user;
	if (peer_read(c))
		peer_send(c, "HTTP/1.1 200 OK\r\nContent-Encoding: nonsense\r\nContent-Length: 3\r\n\r\nabc");
}

static void test_encoding(void **state)
{
	(void)state;
	expect_of(serve_bad_gzip, NULL, HTTP_FAILED_ENCODING, "does not decode");
	expect_of(serve_unknown_encoding, NULL, HTTP_FAILED_ENCODING, "does not decode");
}

/* ---- caps ---- */

static void serve_many_headers(struct peer_connection *c, unsigned number, void *user)
{
	char line[1100];

	(void)number;
	(void)user;
	if (!peer_read(c))
		return;
	peer_send(c, "HTTP/1.1 200 OK\r\n");
	memset(line, 'x', sizeof(line));
	memcpy(line, "X-Filler: ", 10);
	memcpy(line + 1000, "\r\n", 3);
	for (int i = 0; i < 400; i++)
		peer_send(c, line);
}

static void serve_long_header(struct peer_connection *c, unsigned number, void *user)
{
	static char line[400000];

	(void)number;
	(void)user;
	if (!peer_read(c))
		return;
	memset(line, 'x', sizeof(line) - 1);
	peer_send(c, "HTTP/1.1 200 OK\r\nX: ");
	peer_send(c, line);
	peer_wait_closed(c);
}

static void serve_tiny_headers(struct peer_connection *c, unsigned number, void *user)
{
	(void)number;
	(void)user;
	if (!peer_read(c))
		return;
	peer_send(c, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 5000; i++)
		peer_send(c, "a:\r\n");
	peer_wait_closed(c);
}

static void test_header_caps(void **state)
{
	(void)state;
	expect_of(serve_many_headers, NULL, HTTP_FAILED_TOO_BIG, "exceed 256 KiB");
	expect_of(serve_tiny_headers, NULL, HTTP_FAILED_TOO_BIG, "exceed");
	expect_of(serve_long_header, NULL, HTTP_FAILED_TOO_BIG, "header line");
	assert_int_equal(x.heads, 0);
}

static void test_body_caps(void **state)
{
	struct peer *p = peer_start(peer_serve_replies, (void *)(uintptr_t) "0123456789");

	(void)state;
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	x.request.max_body_bytes = 9;
	exchange_expect(&x, HTTP_FAILED_TOO_BIG, "exceeds 9 bytes");
	x.request.max_body_bytes = 10;
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	x.refuse_body = true;
	exchange_expect(&x, HTTP_FAILED_TOO_BIG, "refused by its reader");
	peer_stop(p);
}

/* ---- time ---- */

static void test_idle_timeout(void **state)
{
	struct peer *p = peer_start(peer_serve_nothing, NULL);

	(void)state;
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	x.request.idle_timeout_ms = 30;
	exchange_expect(&x, HTTP_TIMED_OUT_IDLE, "sent nothing for 30 ms");
	assert_true(x.result.stamps.connected > 0);
	x.request.idle_timeout_ms = 0;
	x.request.total_timeout_ms = 30;
	exchange_expect(&x, HTTP_TIMED_OUT_TOTAL, "within 30 ms");
	peer_stop(p);
}

static void serve_drip(struct peer_connection *c, unsigned number, void *user)
{
	struct timespec pause = { 0, 20000000 }; /* the server's pace, not the test's */

	(void)number;
	(void)user;
	if (!peer_read(c))
		return;
	peer_send(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
	for (int i = 0; i < 10; i++) {
		nanosleep(&pause, NULL);
		peer_send(c, "x");
	}
	peer_wait_closed(c);
}

static void test_bytes_put_off_the_idle_timeout(void **state)
{
	struct peer *p = peer_start(serve_drip, NULL);

	(void)state;
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	x.request.idle_timeout_ms = 5000; /* far more than a pause */
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	x.request.idle_timeout_ms = 0;
	x.request.total_timeout_ms = 60; /* bytes do not put this one off */
	exchange_expect(&x, HTTP_TIMED_OUT_TOTAL, "within 60 ms");
	assert_true(x.result.body_bytes < 10);
	peer_stop(p);
}

/* A listener whose queue is full lets no handshake through. */
static void test_connect_timeout(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0), fillers[8];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fillers); i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fillers[i], (struct sockaddr *)&address, len);
	}
	exchange_init(&x, &rig, "http", "127.0.0.1", ntohs(address.sin_port));
	x.request.connect_timeout_ms = 40;
	exchange_expect(&x, HTTP_TIMED_OUT_CONNECT, "within 40 ms");
	assert_int_equal(x.result.stamps.connected, 0);
	for (size_t i = 0; i < ARRAY_SIZE(fillers); i++)
		close(fillers[i]);
	close(fd);
}

/* ---- our own shortage ---- */

static void test_no_descriptors(void **state)
{
	struct peer *p = peer_start(peer_serve_replies, NULL);
	struct exchange other;
	struct rlimit limit, low;
	int spare = open("/dev/null", O_RDONLY);

	(void)state;
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	exchange_init(&other, &rig, "http", "name.test", peer_port(p));
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	x.request.fresh_connect = true;
	getrlimit(RLIMIT_NOFILE, &limit);
	low = limit;
	low.rlim_cur = (rlim_t)spare; /* every number below is taken or was when it was opened */
	for (int fd = 0; fd < spare; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			assert_int_equal(dup2(spare, fd), fd);
	setrlimit(RLIMIT_NOFILE, &low);
	exchange_run(&x);
	exchange_run(&other);
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_int_equal(x.result.failure, HTTP_FAILED_LOCAL);
	assert_non_null(strstr(x.result.text, "no file descriptor is left"));
	assert_non_null(strstr(x.result.text, "ulimit -n"));
	assert_int_equal(other.result.failure, HTTP_FAILED_LOCAL);
	close(spare);
	exchange_release(&other);
	x.request.fresh_connect = false;
	exchange_expect(&x, HTTP_COMPLETE, NULL); /* the connection from before still serves */
	peer_stop(p);
}

/* Stands in for the C library's: names under .test but the one below are unknown. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                                                       struct addrinfo **ret)
{
	(void)node;
	(void)service;
	(void)hints;
	(void)ret;
	return EAI_NONAME;
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(test_refused),
		CASE(test_unresolvable),
		CASE(test_no_reply),
		CASE(test_cut_replies),
		CASE(test_garbage),
		CASE(test_encoding),
		CASE(test_header_caps),
		CASE(test_body_caps),
		CASE(test_idle_timeout),
		CASE(test_connect_timeout),
		CASE(test_no_descriptors),
		CASE(test_reply_until_close_is_complete),
		CASE(test_bytes_put_off_the_idle_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
