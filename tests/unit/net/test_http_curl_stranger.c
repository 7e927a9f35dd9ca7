/*
 * test_http_curl_stranger.c: a stranger's transport reaches no special address, however the host is written and whatever its name resolves to; and
 * whoever names many hosts does not fill its memory.
 *
 * getaddrinfo and connect are the test's own. Names ending in .test have the addresses of the list `answers`, one list a call, the last one from then on;
 * every other name is the C library's business, but for numeric hosts, which need no network. connect notes each address that is not this machine's
 * resolver: nothing of a stranger may get there at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <locale.h>
#include <malloc.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exchange.h"
#include "net/http_curl_internal.h"
#include "peer.h"

#define MANY 2000

static struct {
	pthread_mutex_t lock;
	const char *const *const *answers; /* a list of addresses for each call; the last one repeats */
	size_t call;
	unsigned special, public; /* addresses that connect was called with */
} net = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- names ---- */

struct answer {
	struct addrinfo info;
	struct sockaddr_storage address;
};

static void set_address(struct answer *a, const char *text, const char *service)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	uint16_t port = htons((uint16_t)(service ? strtoul(service, NULL, 10) : 0));

	in.sin_port = in6.sin6_port = port;
	a->info.ai_socktype = SOCK_STREAM;
	a->info.ai_addr = (struct sockaddr *)&a->address;
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		a->info.ai_family = AF_INET;
		a->info.ai_addrlen = sizeof(in);
		memcpy(&a->address, &in, sizeof(in));
	} else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
		a->info.ai_family = AF_INET6;
		a->info.ai_addrlen = sizeof(in6);
		memcpy(&a->address, &in6, sizeof(in6));
	} else {
		abort();
	}
}

/* What inet_aton takes: "127.1", "0177.0.0.1", "2130706433"; or an IPv6 address. */
static bool is_numeric(const char *node, char out[64])
{
	struct in_addr in;
	struct in6_addr in6;

	snprintf(out, 64, "%s", node);
	if (inet_pton(AF_INET6, node, &in6) == 1)
		return true;
	return inet_aton(node, &in) && inet_ntop(AF_INET, &in, out, 64);
}

static bool is_test_name(const char *node)
{
	size_t len = strlen(node);

	return len > 5 && strcmp(node + len - 5, ".test") == 0;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                                                       struct addrinfo **ret)
{
	char numeric[64];
	const char *one[2] = { numeric, NULL };
	const char *const *list = one;

	(void)hints;
	*ret = NULL;
	if (is_test_name(node)) {
		pthread_mutex_lock(&net.lock);
		list = net.answers[net.call];
		net.call += net.answers[net.call + 1] != NULL;
		pthread_mutex_unlock(&net.lock);
	} else if (!is_numeric(node, numeric)) {
		return EAI_NONAME;
	}
	for (size_t i = 0; list[i]; i++) {
		struct answer *a = calloc(1, sizeof(*a));

		if (!a)
			return EAI_MEMORY;
		set_address(a, list[i], service);
		for (; *ret; ret = &(*ret)->ai_next)
			;
		*ret = &a->info;
	}
	return 0;
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *info)
{
	while (info) {
		struct addrinfo *next = info->ai_next;

		free(info);
		info = next;
	}
}

/* No packet leaves: what is public refuses, what is special must not come. */
__attribute__((visibility("default"))) int connect(int fd, const struct sockaddr *address, socklen_t len)
{
	if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
		return (int)syscall(SYS_connect, fd, address, len);
	pthread_mutex_lock(&net.lock);
	if (address_is_special(address))
		net.special++;
	else
		net.public ++;
	pthread_mutex_unlock(&net.lock);
	errno = ECONNREFUSED;
	return -1;
}

static void resolve_to(const char *const *const *answers)
{
	pthread_mutex_lock(&net.lock);
	net.answers = answers;
	net.call = 0;
	net.special = net.public = 0;
	pthread_mutex_unlock(&net.lock);
}

#define ADDRESSES(...)            \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}
#define CALLS(...)                   \
	(const char *const *const[]) \
	{                            \
		__VA_ARGS__, NULL    \
	}

/* ---- hosts ---- */

/* The host is refused before it is connected to: as no URL, as an address that may not be reached, or as a name that nobody has. */
static void expect_unreached(struct rig *rig, const char *host)
{
	struct exchange x;
	struct error err;

	exchange_init(&x, rig, "https", host, 443);
	if (exchange_try(&x, &err) == 0) {
		exchange_wait(&x);
		if (x.result.failure != HTTP_FAILED_ADDRESS && x.result.failure != HTTP_FAILED_RESOLVE)
			fail_msg("%s: expected that it is not reached, it ended with %s: %s", host,
			         http_failure_name(x.result.failure), x.result.text);
	}
	if (net.special || net.public)
		fail_msg("%s: something was connected to", host);
	exchange_release(&x);
}

static void test_no_spelling_leads_to_a_special_address(void **state)
{
	static const char *const hosts[] = {
		"127.0.0.1",
		"127.1",
		"127.0.1",
		"0177.0.0.1",
		"0x7f.0.0.1",
		"0x7f000001",
		"2130706433",
		"017700000001",
		"0",
		"0.0.0.0",
		"127.0.0.1.",
		"%31%32%37.0.0.1",
		"127%2e0%2e0%2e1",
		"127.0.0.1%00.example.com",
		"127.0.0.1%20",
		"localhost",
		"LOCALHOST",
		"localhost.",
		"a.localhost",
		"localhost%2e",
		"[::]",
		"[::1]",
		"[0:0:0:0:0:0:0:1]",
		"[::127.0.0.1]",
		"[::ffff:127.0.0.1]",
		"[::ffff:7f00:1]",
		"[::ffff:0:127.0.0.1]",
		"[64:ff9b::127.0.0.1]",
		"[64:ff9b:1::7f00:1]",
		"[2002:7f00:1::]",
		"[fe80::1%25lo]",
		"[fe80::1]",
		"[fd00:ec2::254]",
		"169.254.169.254",
		"169.254.170.2",
		"169.254.170.23",
		"2852039166",
		"0xA9FEA9FE",
		"169.254.43518",
		"10.0.0.1",
		"192.168.1.1",
		"172.16.0.1",
		"100.100.100.200",
		"255.255.255.255",
		"api.openai.com@127.0.0.1",
		"api.openai.com:443@169.254.169.254",
		/* Fullwidth digits, circled digits, ideographic full stops */
		"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1",
		"\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.\xe2\x93\xaa.\xe2\x93\xaa.\xe2\x91\xa0",
		"127\xe3\x80\x82"
		"0\xe3\x80\x82"
		"0\xe3\x80\x82"
		"1",
		"\xe2\x93\x9b\xe2\x93\x9e\xe2\x93\x92\xe2\x93\x90\xe2\x93\x9b\xe2\x93\x97\xe2\x93\x9e\xe2\x93\xa2\xe2\x93\xa3",
	};
	static const char *const locales[] = { "C", "C.UTF-8" };
	struct http_curl_config config = { .stranger = true };
	struct rig rig;

	(void)state;
	resolve_to(CALLS(ADDRESSES("127.0.0.1")));
	for (size_t l = 0; l < ARRAY_SIZE(locales); l++) {
		setlocale(LC_ALL, locales[l]);
		rig_open(&rig, &config);
		for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
			expect_unreached(&rig, hosts[i]);
		rig_close(&rig);
	}
	setlocale(LC_ALL, "C");
}

static void expect_address(struct rig *rig, const char *host, enum http_failure failure)
{
	struct exchange x;

	exchange_init(&x, rig, "https", host, 443);
	exchange_run(&x);
	if (x.result.failure != failure)
		fail_msg("%s: expected %s, it ended with %s: %s", host, http_failure_name(failure),
		         http_failure_name(x.result.failure), x.result.text);
	exchange_release(&x);
}

/* A name that answers differently each time: what counts is what is connected to. */
static void test_a_name_that_is_rebound(void **state)
{
	struct http_curl_config config = { .stranger = true };
	struct rig rig;

	(void)state;
	rig_open(&rig, &config);
	resolve_to(CALLS(ADDRESSES("93.184.216.34"), ADDRESSES("127.0.0.1")));
	expect_address(&rig, "rebound.test", HTTP_FAILED_CONNECT);
	assert_int_equal(net.public, 1);
	rig_close(&rig);
	rig_open(&rig, &config); /* the name is asked for anew */
	expect_address(&rig, "rebound.test", HTTP_FAILED_ADDRESS);
	assert_int_equal(net.public, 1);
	assert_int_equal(net.special, 0);
	rig_close(&rig);
}

/* One answer with several addresses: the next one is tried when the first refuses. */
static void test_a_special_address_behind_a_public_one(void **state)
{
	struct http_curl_config config = { .stranger = true };
	struct rig rig;

	(void)state;
	rig_open(&rig, &config);
	resolve_to(CALLS(ADDRESSES("93.184.216.34", "127.0.0.1", "169.254.169.254"),
	                 ADDRESSES("::1", "::ffff:10.0.0.1", "2606:4700::1"), ADDRESSES("10.1.2.3", "::1")));
	expect_address(&rig, "a.test", HTTP_FAILED_ADDRESS);
	assert_int_equal(net.public, 1);
	expect_address(&rig, "b.test", HTTP_FAILED_ADDRESS);
	expect_address(&rig, "c.test", HTTP_FAILED_ADDRESS);
	assert_int_equal(net.special, 0);
	rig_close(&rig);
}

/* The exemption of an allowed origin is that origin's alone: no other scheme, port or spelling of its host has it. */
static void test_the_exemption_is_the_origins_alone(void **state)
{
	static const char *const origins[] = { "https://inside.test:8443", NULL };
	struct http_curl_config config = { .stranger = true, .allowed_origins = origins };
	struct exchange x;
	struct error err;
	struct rig rig;

	(void)state;
	rig_open(&rig, &config);
	resolve_to(CALLS(ADDRESSES("10.0.0.5")));
	exchange_init(&x, &rig, "https", "inside.test", 8443);
	exchange_expect(&x, HTTP_FAILED_CONNECT, "refused");
	assert_int_equal(net.special, 1); /* it was tried: it is allowed */
	exchange_release(&x);
	expect_address(&rig, "inside.test", HTTP_FAILED_ADDRESS);
	expect_address(&rig, "other.test", HTTP_FAILED_ADDRESS);
	expect_address(&rig, "inside.test@other.test", HTTP_FAILED_ADDRESS);
	expect_address(&rig, "10.0.0.5", HTTP_FAILED_ADDRESS);
	exchange_init(&x, &rig, "http", "inside.test", 8443);
	assert_int_equal(exchange_try(&x, &err), FF_EUSAGE);
	exchange_release(&x);
	assert_int_equal(net.special, 1);
	rig_close(&rig);
}

/* ---- many hosts ---- */

static size_t origins_of(const struct rig *rig)
{
	return CONTAINER_OF(rig->transport, struct http_curl, base)->origins.count;
}

static void visit_many(struct rig *rig, unsigned from, unsigned to)
{
	char host[64];

	for (unsigned i = from; i < to; i++) {
		snprintf(host, sizeof(host), "h%u.test", i);
		expect_address(rig, host, HTTP_FAILED_CONNECT);
		assert_in_range(origins_of(rig), 1, ORIGINS_KEPT + 2);
	}
}

static void test_many_hosts_do_not_fill_memory(void **state)
{
	struct http_curl_config config = { .stranger = true };
	struct rig rig;
	size_t before;

	(void)state;
	rig_open(&rig, &config);
	resolve_to(CALLS(ADDRESSES("93.184.216.34")));
	visit_many(&rig, 0, MANY / 4);
	before = mallinfo2().uordblks;
	visit_many(&rig, MANY / 4, MANY);
	/* What is left is libcurl's names of the last minute: a few hundred bytes each. An origin is 20 KB and more. */
	assert_in_range(mallinfo2().uordblks, 0, before + MANY * 600u);
	assert_int_equal(net.special, 0);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_spelling_leads_to_a_special_address),
		cmocka_unit_test(test_a_name_that_is_rebound),
		cmocka_unit_test(test_a_special_address_behind_a_public_one),
		cmocka_unit_test(test_the_exemption_is_the_origins_alone),
		cmocka_unit_test(test_many_hosts_do_not_fill_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
