/* test_url.c: URLs taken apart, which hosts are local, and which addresses strangers may not reach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "net/url.h"
#include "net/url_curl.h"

static void test_parts(void **state)
{
	static const struct {
		const char *url, *scheme, *host, *origin;
		uint16_t port;
	} rows[] = {
		{ "https://api.openai.com/v1", "https", "api.openai.com", "https://api.openai.com:443", 443 },
		{ "HTTPS://API.OpenAI.com/v1", "https", "api.openai.com", "https://api.openai.com:443", 443 },
		{ "http://localhost", "http", "localhost", "http://localhost:80", 80 },
		{ "http://127.0.0.1:8080/x?y=z#f", "http", "127.0.0.1", "http://127.0.0.1:8080", 8080 },
		{ "http://user:pass@host.example:81/", "http", "host.example", "http://host.example:81", 81 },
		{ "https://[::1]:8443/", "https", "::1", "https://[::1]:8443", 8443 },
		{ "https://[2001:DB8::1]/", "https", "2001:db8::1", "https://[2001:db8::1]:443", 443 },
		{ "http://0x7f.1/", "http", "127.0.0.1", "http://127.0.0.1:80", 80 },
		{ "http://2130706433/", "http", "127.0.0.1", "http://127.0.0.1:80", 80 },
		{ "http://host.example:080/", "http", "host.example", "http://host.example:80", 80 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct url_parts parts;
		struct error err;

		if (url_parse(str_from(rows[i].url), &parts, &err))
			fail_msg("%s is refused: %s", rows[i].url, err.text);
		assert_string_equal(parts.scheme, rows[i].scheme);
		assert_string_equal(parts.host, rows[i].host);
		assert_string_equal(parts.origin, rows[i].origin);
		assert_int_equal(parts.port, rows[i].port);
		url_parts_release(&parts);
		assert_null(parts.origin);
	}
}

static void test_what_connects_is_what_was_checked(void **state)
{
	/* Forms on which two parsers are known to disagree: the host is the one libcurl would connect to, or the URL is refused. */
	static const char *const urls[] = { "http://good.example\\@evil.example/", "http://good.example#@evil.example/",
		                            "http://evil.example?@good.example/", "http://good.example@evil.example/" };
	static const char *const hosts[] = { "evil.example", "good.example", "evil.example", "evil.example" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		struct url_parts parts;
		int code = url_parse(str_from(urls[i]), &parts, NULL);

		if (code == 0)
			assert_string_equal(parts.host, hosts[i]);
		if (code == 0)
			url_parts_release(&parts);
		else
			assert_int_equal(code, FF_EUSAGE);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *url, *reason;
	} rows[] = {
		{ "", "empty" },
		{ "api.openai.com", "begin with http" },
		{ "/v1/chat", "begin with http" },
		{ "ftp://host/", "begin with http" },
		{ "file:///etc/passwd", "begin with http" },
		{ "gopher://host/", "begin with http" },
		{ "javascript:alert(1)", "http" },
		{ "http://", "host" },
		{ "http://host:99999/", "port" },
		{ "http://host:0/", "port" },
		{ "http://host:http/", "port" },
		{ "http://a b/", "http" },
		{ "http://host/a b", "http" },
		{ "http://host/\r\nX: y", "http" },
		{ "http://[::1/", "http" },
		{ "http://[::zz]/", "http" },
		{ "http://b\xc3\xbc"
		  "cher.example/",
		  "xn--" }, /* the tests run in the C locale, where no international name converts */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct url_parts parts;
		struct error err = { .code = 0 };

		if (url_parse(str_from(rows[i].url), &parts, &err) != FF_EUSAGE)
			fail_msg("\"%s\" should be refused", rows[i].url);
		assert_int_equal(err.code, FF_EUSAGE);
		if (!strstr(err.text, rows[i].reason))
			fail_msg("\"%s\": expected \"%s\" in \"%s\"", rows[i].url, rows[i].reason, err.text);
	}
	assert_int_equal(url_parse(str_of("http://a\0b/", 11), &(struct url_parts){ 0 }, NULL), FF_EUSAGE);
}

static void test_too_long(void **state)
{
	static char url[70000];
	struct error err;

	(void)state;
	memset(url, 'a', sizeof(url) - 1);
	memcpy(url, "http://h/", 9);
	assert_int_equal(url_parse(str_from(url), &(struct url_parts){ 0 }, &err), FF_EUSAGE);
	assert_non_null(strstr(err.text, "64 KiB"));
}

static void test_local_hosts(void **state)
{
	static const char *const local[] = { "localhost",  "LOCALHOST",      "localhost.",  "a.localhost",
		                             "127.0.0.1",  "127.255.0.9",    "::1",         "10.0.0.1",
		                             "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1",
		                             "fdff::1",    "fe80::1",        "0.0.0.0",     "::" };
	static const char *const remote[] = {
		"api.openai.com", "localhost.example", "notlocalhost",      ".localhost",      "172.32.0.1",
		"172.15.0.1",     "11.0.0.1",          "8.8.8.8",           "2001:4860::8888", "::2",
		"0.0.0.1",        "169.254.169.254",   "127.0.0.1.example", "192.169.0.1",     ""
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(local); i++)
		if (!url_host_is_local(local[i]))
			fail_msg("%s should be local", local[i]);
	for (size_t i = 0; i < ARRAY_SIZE(remote); i++)
		if (url_host_is_local(remote[i]))
			fail_msg("%s should not be local", remote[i]);
}

static bool special(const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return address_is_special((struct sockaddr *)&in);
	if (inet_pton(AF_INET6, text, &in6.sin6_addr) != 1)
		fail_msg("%s is no address", text);
	return address_is_special((struct sockaddr *)&in6);
}

static void test_special_addresses(void **state)
{
	static const char *const yes[] = {
		"0.0.0.0",
		"0.1.2.3",
		"10.0.0.1",
		"10.255.255.255",
		"100.64.0.1",
		"100.127.255.255",
		"127.0.0.1",
		"127.1.2.3",
		"169.254.169.254",
		"172.16.0.1",
		"172.31.255.255",
		"192.0.0.1",
		"192.0.2.1",
		"192.88.99.1",
		"192.168.0.1",
		"198.18.0.1",
		"198.19.255.255",
		"198.51.100.1",
		"203.0.113.9",
		"224.0.0.1",
		"239.255.255.255",
		"240.0.0.1",
		"255.255.255.255",
		"::",
		"::1",
		"::7f00:1",
		"::127.0.0.1",
		"::8.8.8.8",
		"::ffff:127.0.0.1",
		"::ffff:10.0.0.1",
		"::ffff:169.254.169.254",
		"64:ff9b::127.0.0.1",
		"64:ff9b::8.8.8.8",
		"64:ff9b:1::1",
		"::ffff:0:127.0.0.1",
		"64:ff9c::1",
		"4000::1",
		"fe00::1",
		"::1:0:0:1",
		"100::1",
		"2001::1",
		"2001:db8::1",
		"2002:7f00:1::",
		"2002:808:808::",
		"3fff::1",
		"5f00::1",
		"fc00::1",
		"fd12:3456::1",
		"fe80::1",
		"febf::1",
		"fec0::1",
		"ff02::1",
	};
	static const char *const no[] = { "1.1.1.1",         "8.8.8.8",        "9.255.255.255",        "11.0.0.0",
		                          "100.63.255.255",  "100.128.0.0",    "126.255.255.255",      "128.0.0.1",
		                          "169.253.0.1",     "172.15.255.255", "172.32.0.0",           "192.0.1.1",
		                          "192.167.255.255", "192.169.0.0",    "198.17.255.255",       "198.20.0.0",
		                          "223.255.255.255", "::ffff:8.8.8.8", "2001:4860:4860::8888", "2606:4700::1111",
		                          "2a00:1450::1",    "2003::1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		if (!special(yes[i]))
			fail_msg("%s should be special", yes[i]);
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		if (special(no[i]))
			fail_msg("%s should not be special", no[i]);
}

static void test_unknown_family_is_special(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	(void)state;
	assert_true(address_is_special((struct sockaddr *)&un));
}

/* Whether `other` certainly leads to where `url` does. */
static bool leads_to(const char *url, const char *other)
{
	struct url_parts parts;
	struct error err;
	CURLU *u;
	bool yes;

	assert_int_equal(url_parse(str_from(url), &parts, &err), 0);
	assert_int_equal(url_curl_parse(str_from(other), &u, &err), 0);
	yes = url_curl_leads_to(u, &parts);
	curl_url_cleanup(u);
	url_parts_release(&parts);
	return yes;
}

static void test_same_origin(void **state)
{
	static const char *const same[][2] = {
		{ "http://a.example/x", "http://a.example/y?z" },
		{ "http://a.example/x", "http://a.example:80/" },
		{ "https://a.example:443", "HTTPS://A.Example/event/stream/1" },
		{ "http://127.0.0.1:8080/", "http://127.0.0.1:8080/x" },
	};
	static const char *const other[][2] = {
		{ "http://a.example/", "http://b.example/" },           { "http://a.example/", "http://a.example:8080/" },
		{ "http://a.example/", "https://a.example:80/" },       { "http://a.example/", "http://a.example.b.example/" },
		{ "http://a.example/", "http://a.example@b.example/" }, { "http://a.example/", "http://b.example/a.example" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		if (!leads_to(same[i][0], same[i][1]))
			fail_msg("%s should lead to where %s does", same[i][1], same[i][0]);
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		if (leads_to(other[i][0], other[i][1]))
			fail_msg("%s must not be taken to lead to where %s does", other[i][1], other[i][0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),       cmocka_unit_test(test_what_connects_is_what_was_checked),
		cmocka_unit_test(test_refused),     cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_local_hosts), cmocka_unit_test(test_special_addresses),
		cmocka_unit_test(test_same_origin), cmocka_unit_test(test_unknown_family_is_special),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
