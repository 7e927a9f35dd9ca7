/* test_http_curl.c: what goes over the wire and what comes back, when all goes well; configuration; proxies; strangers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "exchange.h"
#include "net/url.h"
#include "peer.h"

/* A server that keeps what it read for the test's thread; the exchange is over when the test looks, so there is no race. */
struct seen {
	char head[8192], body[8192];
	bool bare; /* nothing of libcurl's own was in it */
};

static void serve_and_keep(struct peer_connection *c, unsigned number, void *user)
{
	struct seen *seen = user;

	(void)number;
	while (peer_read(c)) {
		snprintf(seen->head, sizeof(seen->head), "%s", peer_head(c));
		snprintf(seen->body, sizeof(seen->body), "%s", peer_body(c));
		seen->bare = !peer_has_header(c, "Expect") && !peer_has_header(c, "User-Agent");
		if (strncmp(seen->head, "HEAD ", 5) == 0) /* a body would be taken for the next reply */
			peer_send(c, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n");
		else
			peer_reply(c, "{\"ok\":true}");
	}
}

static void expect_line(const struct seen *seen, const char *line)
{
	char text[512];

	snprintf(text, sizeof(text), "%s\r\n", line);
	if (!strstr(seen->head, text))
		fail_msg("expected the line \"%s\" in:\n%s", line, seen->head);
}

static void test_post(void **state)
{
	struct seen seen;
	struct peer *p = peer_start(serve_and_keep, &seen);
	struct rig rig;
	struct exchange x;
	char host[64];

	(void)state;
	rig_open(&rig, NULL);
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_int_equal(x.status, 200);
	assert_int_equal(x.result.status, 200);
	assert_true(str_eq(buf_str(&x.body), STR("{\"ok\":true}")));
	assert_true(str_eq(buf_str(&x.headers), STR("Content-Type=application/json\nContent-Length=11\n")));
	assert_int_equal(x.result.body_bytes, 11);
	assert_int_equal(x.result.http_version, 11);
	assert_false(x.result.reused);
	assert_false(x.result.resent);
	assert_true(x.result.stamps.start > 0);
	assert_true(x.result.stamps.connected >= x.result.stamps.start);
	assert_true(x.result.stamps.first_byte >= x.result.stamps.connected);
	assert_true(x.result.stamps.last_byte >= x.result.stamps.first_byte);
	expect_line(&seen, "POST /path HTTP/1.1");
	snprintf(host, sizeof(host), "Host: 127.0.0.1:%u", peer_port(p));
	expect_line(&seen, host);
	expect_line(&seen, "Content-Type: application/json");
	expect_line(&seen, "Content-Length: 2");
	assert_true(seen.bare);
	assert_null(strstr(seen.head, "Accept: "));
	assert_non_null(strstr(seen.head, "Accept-Encoding: "));
	assert_string_equal(seen.body, "{}");
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(p);
}

static void test_methods_and_headers_on_one_handle(void **state)
{
	static const struct pair headers[] = { { { "X-Empty", 7 }, { "", 0 } },
		                               { { "X-Blank", 7 }, { "  ", 2 } },
		                               { { "accept", 6 }, { "text/x", 6 } },
		                               { { "Host", 4 }, { "other.example", 13 } },
		                               { { "Accept-Encoding", 15 }, { "identity", 8 } } };
	static const struct {
		const char *method, *body, *line, *length;
	} rows[] = {
		{ "GET", "", "GET /path HTTP/1.1", NULL },
		{ "POST", "abc", "POST /path HTTP/1.1", "Content-Length: 3" },
		{ "POST", "", "POST /path HTTP/1.1", "Content-Length: 0" },
		{ "GET", "", "GET /path HTTP/1.1", NULL },
		{ "PUT", "ab", "PUT /path HTTP/1.1", "Content-Length: 2" },
		{ "DELETE", "", "DELETE /path HTTP/1.1", NULL },
		{ "POST", "x", "POST /path HTTP/1.1", "Content-Length: 1" },
		{ "PATCH", "x", "PATCH /path HTTP/1.1", "Content-Length: 1" },
		{ "GET", "", "GET /path HTTP/1.1", NULL },
	};
	struct seen seen;
	struct peer *p = peer_start(serve_and_keep, &seen);
	struct rig rig;
	struct exchange x;

	(void)state;
	rig_open(&rig, NULL);
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	x.request.headers = headers;
	x.request.header_count = ARRAY_SIZE(headers);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		x.request.method = str_from(rows[i].method);
		x.request.body = str_from(rows[i].body);
		exchange_expect(&x, HTTP_COMPLETE, NULL);
		expect_line(&seen, rows[i].line);
		expect_line(&seen, "X-Empty:");
		expect_line(&seen, "X-Blank:");
		expect_line(&seen, "accept: text/x");
		expect_line(&seen, "Host: other.example");
		expect_line(&seen, "Accept-Encoding: identity");
		if (rows[i].length)
			expect_line(&seen, rows[i].length);
		else
			assert_null(strstr(seen.head, "Content-Length"));
		assert_null(strstr(seen.head, "Content-Type"));
		assert_string_equal(seen.body, rows[i].body);
	}
	assert_int_equal(peer_connections(p), 1);
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(p);
}

static void test_head_method(void **state)
{
	struct peer *p;
	struct rig rig;
	struct exchange x;
	struct seen seen;

	(void)state;
	p = peer_start(serve_and_keep, &seen);
	rig_open(&rig, NULL);
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	x.request.method = STR("HEAD");
	x.request.body = STR_NULL;
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	expect_line(&seen, "HEAD /path HTTP/1.1");
	assert_int_equal(x.body.len, 0);
	x.request.method = STR("GET"); /* the handle reads bodies again */
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_int_equal(x.body.len, 11);
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(p);
}

static void test_big_body_up_and_down(void **state)
{
	static char big[600000];
	struct peer *p;
	struct rig rig;
	struct exchange x;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	p = peer_start(peer_serve_replies, big);
	rig_open(&rig, NULL);
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	x.request.body = str_from(big);
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_true(str_eq(buf_str(&x.body), str_from(big)));
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(p);
}

static void serve_oddly(struct peer_connection *c, unsigned number, void *user)
{
	(void)number;
	(void)user;
	while (peer_read(c))
		peer_send(c, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 429 Too Many\r\nX-Fold: a\r\n  "
		             "b\r\nRetry-After:  7 \r\nX-None:\r\n"
		             "Transfer-Encoding: chunked\r\nTrailer: X-Last\r\n\r\n3\r\nabc\r\n0\r\nX-Last: 1\r\n\r\n");
}

static void test_interim_folded_and_trailers(void **state)
{
	struct peer *p = peer_start(serve_oddly, NULL);
	struct rig rig;
	struct exchange x;

	(void)state;
	rig_open(&rig, NULL);
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	for (int i = 0; i < 2; i++) { /* the second on the same connection and handle */
		exchange_expect(&x, HTTP_COMPLETE, NULL);
		assert_int_equal(x.heads, 1);
		assert_int_equal(x.status, 429);
		assert_string_equal(x.headers.ptr,
		                    "X-Fold=a b\nRetry-After=7\nX-None=\nTransfer-Encoding=chunked\nTrailer=X-Last\n");
		assert_true(str_eq(buf_str(&x.body), STR("abc")));
		assert_int_equal(x.result.reused, i);
	}
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(p);
}

static void serve_redirect(struct peer_connection *c, unsigned number, void *user)
{
	(void)number;
	(void)user;
	while (peer_read(c))
		peer_send(c, "HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
}

static void test_redirects_are_replies(void **state)
{
	struct peer *p = peer_start(serve_redirect, NULL);
	struct rig rig;
	struct exchange x;

	(void)state;
	rig_open(&rig, NULL);
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_int_equal(x.status, 307);
	assert_string_equal(x.headers.ptr, "Location=/elsewhere\nContent-Length=0\n");
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(p);
}

static void serve_gzip(struct peer_connection *c, unsigned number, void *user)
{
	static const unsigned char hello[] = { 0x1f, 0x8b, 0x08, 0, 0,    0,    0,    0,    2, 0x03, 0xcb, 0x48, 0xcd,
		                               0xc9, 0xc9, 0x07, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0,    0,    0 };

	(void)number;
	(void)user;
	while (peer_read(c)) {
		peer_send(c, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n");
		peer_write(c, hello, sizeof(hello));
	}
}

static void test_gzip(void **state)
{
	struct peer *p = peer_start(serve_gzip, NULL);
	struct rig rig;
	struct exchange x;

	(void)state;
	rig_open(&rig, NULL);
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_true(str_eq(buf_str(&x.body), STR("hello")));
	assert_int_equal(x.result.body_bytes, 5);
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(p);
}

/* ---- what is refused before anything is sent ---- */

static void test_illegal_requests(void **state)
{
	static const struct pair headers[][1] = { { { { "X", 1 }, { "a\r\nb", 4 } } },
		                                  { { { "X y", 3 }, { "", 0 } } },
		                                  { { { "Expect", 6 }, { "x", 1 } } } };
	static const char *const urls[] = { "", "host", "ftp://host/", "http://", "http://ho st/" };
	struct rig rig;
	struct exchange x;
	struct error err;

	(void)state;
	rig_open(&rig, NULL);
	exchange_init(&x, &rig, "http", "127.0.0.1", 1);
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		x.request.headers = headers[i];
		x.request.header_count = 1;
		assert_int_equal(exchange_try(&x, &err), FF_EUSAGE);
		assert_non_null(strstr(err.text, "The header \""));
	}
	x.request.header_count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		x.request.url = str_from(urls[i]);
		assert_int_equal(exchange_try(&x, &err), FF_EUSAGE);
		assert_non_null(strstr(err.text, "The URL"));
	}
	x.request.url = str_from(x.url);
	x.request.method = STR("GE T");
	assert_int_equal(exchange_try(&x, &err), FF_EUSAGE);
	x.request.method = STR("");
	assert_int_equal(exchange_try(&x, &err), FF_EUSAGE);
	x.request.method = STR("ABCDEFGHIJABCDEFGHIJABCDEFGHIJAB");
	assert_int_equal(exchange_try(&x, &err), FF_EUSAGE);
	assert_int_equal(x.dones, 0);
	assert_int_equal(rig_stats(&rig).transfers, 0);
	exchange_release(&x);
	rig_close(&rig);
}

static void test_bad_configuration(void **state)
{
	static const char *const origins[] = { "https://good.example", "nonsense", NULL };
	struct http_curl_config config = { .cafile = "/nonexistent/ca.pem" };
	struct http_transport *t;
	struct loop *l;
	struct error err;

	(void)state;
	assert_int_equal(loop_new(&l, &err), 0);
	assert_int_equal(http_curl_new(l, &config, &t, &err), FF_EUSAGE);
	assert_non_null(strstr(err.text, "/nonexistent/ca.pem"));
	config.cafile = "/";
	assert_int_equal(http_curl_new(l, &config, &t, &err), FF_EUSAGE);
	config.cafile = "/dev/null";
	assert_int_equal(http_curl_new(l, &config, &t, &err), FF_EUSAGE);
	assert_non_null(strstr(err.text, "no PEM certificate"));
	config.cafile = NULL;
	config.allowed_origins = origins;
	assert_int_equal(http_curl_new(l, &config, &t, &err), FF_EUSAGE);
	http_curl_free(NULL);
	loop_free(l);
}

/* ---- strangers ---- */

static void test_strangers(void **state)
{
	struct peer *p = peer_start(peer_serve_replies, NULL);
	struct http_curl_config config = { .stranger = true };
	char allowed[64];
	const char *origins[] = { allowed, NULL };
	struct pair host = { { "Host", 4 }, { "x", 1 } };
	struct rig rig;
	struct exchange x;
	struct error err;

	(void)state;
	snprintf(allowed, sizeof(allowed), "http://127.0.0.1:%u/ignored", peer_port(p));
	rig_open(&rig, &config);
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	assert_int_equal(exchange_try(&x, &err), FF_EUSAGE);
	assert_non_null(strstr(err.text, "https"));
	exchange_init(&x, &rig, "https", "127.0.0.1", peer_port(p));
	exchange_expect(&x, HTTP_FAILED_ADDRESS, "may not be reached");
	exchange_init(&x, &rig, "https", "localhost", peer_port(p));
	exchange_expect(&x, HTTP_FAILED_ADDRESS, "may not be reached");
	exchange_init(&x, &rig, "https", "[::ffff:127.0.0.1]", peer_port(p));
	exchange_expect(&x, HTTP_FAILED_ADDRESS, "may not be reached");
	x.request.headers = &host;
	assert_int_equal(exchange_try(&x, &err), FF_EUSAGE);
	exchange_init(&x, &rig, "https", "api.example", 443);
	x.request.proxy = STR("http://127.0.0.1:1");
	assert_int_equal(exchange_try(&x, &err), FF_EUSAGE);
	assert_non_null(strstr(err.text, "proxy"));
	rig_close(&rig);
	assert_int_equal(peer_connections(p), 0);

	config.allowed_origins = origins;
	rig_open(&rig, &config);
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(p);
}

/* ---- proxies ---- */

static void test_proxies(void **state)
{
	struct seen seen;
	struct peer *proxy = peer_start(serve_and_keep, &seen), *p = peer_start(peer_serve_replies, NULL);
	struct http_curl_config config = { .proxy_from_env = true };
	char url[64], line[300];
	struct rig rig;
	struct exchange x;

	(void)state;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", peer_port(proxy));
	setenv("http_proxy", url, 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	rig_open(&rig, NULL); /* nobody configured the variable */
	exchange_init(&x, &rig, "http", "127.0.0.1", peer_port(p));
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_int_equal(peer_connections(proxy), 0);
	x.request.proxy = str_from(url); /* but the request did */
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_int_equal(peer_connections(proxy), 1);
	snprintf(line, sizeof(line), "POST %s HTTP/1.1", x.url);
	expect_line(&seen, line);
	rig_close(&rig);

	rig_open(&rig, &config);
	x.request.proxy = STR_NULL;
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_int_equal(peer_connections(proxy), 2);
	rig_close(&rig);

	setenv("NO_PROXY", "127.0.0.1", 1);
	rig_open(&rig, &config);
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_int_equal(peer_connections(proxy), 2);
	rig_close(&rig);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	unsetenv("NO_PROXY");
	exchange_release(&x);
	peer_stop(p);
	peer_stop(proxy);
}

static void test_broken_proxy_keeps_its_password(void **state)
{
	static const char *const proxies[] = { "nonsense://user:secret-pw@host", "http://user:secret-pw@127.0.0.1:1",
		                               "http://user:secret-pw@:x" };
	struct rig rig;
	struct exchange x;

	(void)state;
	rig_open(&rig, NULL);
	exchange_init(&x, &rig, "https", "api.example", 443);
	for (size_t i = 0; i < ARRAY_SIZE(proxies); i++) {
		x.request.proxy = str_from(proxies[i]);
		exchange_run(&x);
		if (x.result.failure != HTTP_FAILED_CONNECT)
			fail_msg("%s: expected connect, it is %s: %s", proxies[i], http_failure_name(x.result.failure),
			         x.result.text);
		assert_non_null(strstr(x.result.text, "proxy"));
		if (strstr(x.result.text, "secret-pw"))
			fail_msg("the password of the proxy is in \"%s\"", x.result.text);
	}
	exchange_release(&x);
	rig_close(&rig);
}

static void test_version(void **state)
{
	(void)state;
	assert_non_null(strstr(http_curl_version(), "libcurl/"));
	assert_non_null(strstr(http_curl_version(), "OpenSSL/"));
	assert_non_null(strstr(http_curl_version(), "libuv/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_post),
		cmocka_unit_test(test_methods_and_headers_on_one_handle),
		cmocka_unit_test(test_head_method),
		cmocka_unit_test(test_big_body_up_and_down),
		cmocka_unit_test(test_interim_folded_and_trailers),
		cmocka_unit_test(test_redirects_are_replies),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_illegal_requests),
		cmocka_unit_test(test_bad_configuration),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_proxies),
		cmocka_unit_test(test_broken_proxy_keeps_its_password),
		cmocka_unit_test(test_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
