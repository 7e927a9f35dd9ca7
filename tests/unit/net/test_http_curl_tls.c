/* test_http_curl_tls.c: what is trusted, what is not, and that the CA file is read once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "exchange.h"
#include "peer.h"

static const struct peer_tls good = { "127.0.0.1", -1, 30, false };

/* A copy of the authority's certificate that a test may delete. */
static void copy_cafile(char *path, size_t size)
{
	char line[256];
	FILE *from = fopen(peer_cafile(), "r"), *to;
	int fd;

	snprintf(path, size, "/tmp/ff-test-copy-XXXXXX");
	fd = mkstemp(path);
	to = fdopen(fd, "w");
	while (fgets(line, sizeof(line), from))
		fputs(line, to);
	fclose(from);
	fclose(to);
}

static void expect_of(const struct peer_tls *tls, bool insecure, enum http_failure failure, const char *clause)
{
	struct http_curl_config config = { .cafile = peer_cafile() };
	struct peer *p = peer_start_tls(peer_serve_replies, NULL, tls);
	struct rig rig;
	struct exchange x;

	rig_open(&rig, &config);
	exchange_init(&x, &rig, "https", "127.0.0.1", peer_port(p));
	x.request.insecure_tls = insecure;
	exchange_expect(&x, failure, clause);
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(p);
}

static void test_trusted(void **state)
{
	(void)state;
	expect_of(&good, false, HTTP_COMPLETE, NULL);
}

static void test_not_trusted(void **state)
{
	static const struct peer_tls wrong_name = { "other.example", -1, 30, false }, expired = { "127.0.0.1", -30, -1, false },
	                             early = { "127.0.0.1", 1, 30, false }, self_signed = { "127.0.0.1", -1, 30, true };

	(void)state;
	expect_of(&wrong_name, false, HTTP_FAILED_TLS, "is for another host name");
	expect_of(&expired, false, HTTP_FAILED_TLS, "certificate has expired");
	expect_of(&early, false, HTTP_FAILED_TLS, "not yet valid");
	expect_of(&self_signed, false, HTTP_FAILED_TLS, "self-signed");
	expect_of(&wrong_name, true, HTTP_COMPLETE, NULL);
	expect_of(&expired, true, HTTP_COMPLETE, NULL);
	expect_of(&self_signed, true, HTTP_COMPLETE, NULL);
}

static void test_authority_unknown_to_the_system(void **state)
{
	struct peer *p = peer_start_tls(peer_serve_replies, NULL, &good);
	struct rig rig;
	struct exchange x;
	struct error err;

	(void)state;
	rig_open(&rig, NULL);
	exchange_init(&x, &rig, "https", "127.0.0.1", peer_port(p));
	if (exchange_try(&x, &err)) { /* a machine without a CA bundle says so */
		assert_non_null(strstr(err.text, "CA bundle"));
	} else {
		exchange_wait(&x);
		assert_int_equal(x.result.failure, HTTP_FAILED_TLS);
		assert_non_null(strstr(x.result.text, "not trusted"));
	}
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(p);
}

static void test_not_tls(void **state)
{
	struct peer *p = peer_start(peer_serve_replies, NULL);
	struct http_curl_config config = { .cafile = peer_cafile() };
	struct rig rig;
	struct exchange x;

	(void)state;
	rig_open(&rig, &config);
	exchange_init(&x, &rig, "https", "127.0.0.1", peer_port(p));
	x.request.connect_timeout_ms = 200; /* the peer waits for a line that a ClientHello may never hold */
	exchange_run(&x);
	if (x.result.failure != HTTP_TIMED_OUT_CONNECT && x.result.failure != HTTP_FAILED_TLS)
		fail_msg("expected a TLS failure or a time-out, it is %s: %s", http_failure_name(x.result.failure), x.result.text);
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(p);
}

static void serve_text(struct peer_connection *c, unsigned number, void *user)
{
	(void)number;
	(void)user;
	peer_send(c, "HTTP/1.1 400 Bad Request\r\n\r\n");
	peer_wait_closed(c);
}

static void test_plain_http_behind_https(void **state)
{
	struct peer *p = peer_start(serve_text, NULL);
	struct http_curl_config config = { .cafile = peer_cafile() };
	struct rig rig;
	struct exchange x;

	(void)state;
	rig_open(&rig, &config);
	exchange_init(&x, &rig, "https", "127.0.0.1", peer_port(p));
	exchange_expect(&x, HTTP_FAILED_TLS, "wrong version number");
	assert_null(strstr(x.result.text, "error:"));
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(p);
}

/* libcurl by itself would read the file for every new connection. */
static void test_cafile_is_read_once(void **state)
{
	struct peer *p = peer_start_tls(peer_serve_replies, NULL, &good);
	struct http_curl_config config;
	struct rig rig;
	struct exchange x;
	char path[64];

	(void)state;
	copy_cafile(path, sizeof(path));
	config = (struct http_curl_config){ .cafile = path };
	rig_open(&rig, &config);
	unlink(path);
	exchange_init(&x, &rig, "https", "127.0.0.1", peer_port(p));
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	x.request.fresh_connect = true;
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	exchange_expect(&x, HTTP_COMPLETE, NULL);
	assert_int_equal(rig_stats(&rig).connections_opened, 3);
	exchange_release(&x);
	rig_close(&rig);
	peer_stop(p);
}

/* A connection that was verified by one bundle must not serve a request that trusts another, nor a session be resumed across. */
static void test_trusts_do_not_mix(void **state)
{
	struct peer *p = peer_start_tls(peer_serve_replies, NULL, &good);
	struct rig rig;
	struct exchange insecure, own, strict;
	struct error err;

	(void)state;
	rig_open(&rig, NULL);
	exchange_init(&insecure, &rig, "https", "127.0.0.1", peer_port(p));
	insecure.request.insecure_tls = true;
	exchange_expect(&insecure, HTTP_COMPLETE, NULL);
	exchange_init(&own, &rig, "https", "127.0.0.1", peer_port(p));
	own.request.cafile = str_from(peer_cafile());
	exchange_expect(&own, HTTP_COMPLETE, NULL);
	assert_false(own.result.reused);
	exchange_init(&strict, &rig, "https", "127.0.0.1", peer_port(p));
	if (!exchange_try(&strict, &err)) {
		exchange_wait(&strict);
		assert_int_equal(strict.result.failure, HTTP_FAILED_TLS);
	}
	exchange_expect(&own, HTTP_COMPLETE, NULL);
	assert_true(own.result.reused);
	own.request.cafile = STR("/nonexistent");
	assert_int_equal(exchange_try(&own, &err), FF_EUSAGE);
	assert_non_null(strstr(err.text, "/nonexistent"));
	exchange_release(&insecure);
	exchange_release(&own);
	exchange_release(&strict);
	rig_close(&rig);
	peer_stop(p);
}

static void test_malformed_bundle(void **state)
{
	struct http_curl_config config;
	struct rig rig;
	struct exchange x;
	struct error err;
	char path[] = "/tmp/ff-test-bad-XXXXXX";
	int fd = mkstemp(path);
	static const char text[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

	(void)state;
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	config = (struct http_curl_config){ .cafile = path };
	rig_open(&rig, &config); /* decoding is put off to the first https exchange */
	exchange_init(&x, &rig, "https", "127.0.0.1", 1);
	assert_int_equal(exchange_try(&x, &err), FF_EUSAGE);
	assert_non_null(strstr(err.text, "malformed"));
	exchange_release(&x);
	rig_close(&rig);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trusted),
		cmocka_unit_test(test_not_trusted),
		cmocka_unit_test(test_authority_unknown_to_the_system),
		cmocka_unit_test(test_not_tls),
		cmocka_unit_test(test_plain_http_behind_https),
		cmocka_unit_test(test_cafile_is_read_once),
		cmocka_unit_test(test_trusts_do_not_mix),
		cmocka_unit_test(test_malformed_bundle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
