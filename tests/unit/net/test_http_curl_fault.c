/* test_http_curl_fault.c: every allocation of ours fails in turn, through a transport's whole life: a documented error, on_done exactly once, no leak. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/alloc.h"
#include "net/http_curl.h"
#include "net/url.h"
#include "peer.h"

#include "../base/fault_loop.h"

static struct peer *p;
static char url[64];

struct outcome {
	int dones;
	enum http_failure failure;
};

static int on_body(void *user, const char *data, size_t len)
{
	(void)user;
	(void)data;
	(void)len;
	return 0;
}

static void on_done(void *user, const struct http_result *result)
{
	struct outcome *o = user;

	o->dones++;
	o->failure = result->failure;
}

/* Two exchanges, the second behind the first. 0 or FF_ENOMEM. */
static int exchange_both(struct loop *l, struct http_transport *t)
{
	static const struct http_callbacks callbacks = { NULL, on_body, on_done };
	static const struct pair headers[] = { { { "Content-Type", 12 }, { "application/json", 16 } } };
	struct http_request request = { .method = STR("POST"),
		                        .url = str_from(url),
		                        .headers = headers,
		                        .header_count = 1,
		                        .body = STR("{}"),
		                        .total_timeout_ms = 60000 };
	struct outcome outcomes[2] = { { .dones = 0 } };
	struct http_transfer *transfer;
	int code = 0, started = 0;

	for (; started < 2 && !code; started += !code)
		code = http_start(t, &request, &callbacks, &outcomes[started], &transfer, NULL);
	for (int i = 0; i < started; i++) {
		while (!outcomes[i].dones)
			loop_wait(l, -1);
		assert_int_equal(outcomes[i].dones, 1);
		if (outcomes[i].failure == HTTP_FAILED_LOCAL)
			code = FF_ENOMEM;
		else
			assert_int_equal(outcomes[i].failure, HTTP_COMPLETE);
	}
	return code;
}

static int live(void)
{
	static const char *const allowed[] = { "https://a.example", NULL };
	struct http_curl_config config = { .cafile = peer_cafile(), .allowed_origins = allowed };
	struct http_transport *t = NULL;
	struct loop *l = NULL;
	int code = loop_new(&l, NULL);

	if (!code)
		code = http_curl_new(l, &config, &t, NULL);
	if (!code)
		code = exchange_both(l, t);
	http_curl_free(t);
	loop_free(l);
	return code;
}

static int parse(void)
{
	struct url_parts parts;
	int code = url_parse(STR("https://[::1]:8443/x"), &parts, NULL);

	if (!code)
		url_parts_release(&parts);
	return code;
}

static void test_transport(void **state)
{
	(void)state;
	p = peer_start(peer_serve_replies, NULL);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", peer_port(p));
	assert_true(fault_loop(live) > 10);
	peer_stop(p);
}

static void test_transport_over_tls(void **state)
{
	static const struct peer_tls tls = { "127.0.0.1", -1, 30, false };

	(void)state;
	p = peer_start_tls(peer_serve_replies, NULL, &tls);
	snprintf(url, sizeof(url), "https://127.0.0.1:%u/", peer_port(p));
	assert_true(fault_loop(live) > 10);
	peer_stop(p);
}

static void test_url(void **state)
{
	(void)state;
	assert_true(fault_loop(parse) > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url),
		cmocka_unit_test(test_transport),
		cmocka_unit_test(test_transport_over_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
