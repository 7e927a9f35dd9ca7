/* Where to listen: addresses as people write them, and sockets that are handed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "front/server/listen.h"

static void test_addresses(void **state)
{
	static const struct {
		const char *text, *address;
		uint16_t port;
		bool loopback;
	} rows[] = {
		{ "127.0.0.1:8080", "127.0.0.1", 8080, true },
		{ "127.9.9.9:1", "127.9.9.9", 1, true },
		{ "[::1]:8080", "::1", 8080, true },
		{ "[::ffff:127.0.0.1]:8080", "::ffff:127.0.0.1", 8080, true },
		{ "localhost:0", "127.0.0.1", 0, true },
		{ "65535", "127.0.0.1", 65535, true },
		{ "0.0.0.0:80", "0.0.0.0", 80, false },
		{ "[::]:80", "::", 80, false },
		{ "192.168.1.2:80", "192.168.1.2", 80, false },
		{ "128.0.0.1:80", "128.0.0.1", 80, false },
		{ "[::ffff:10.0.0.1]:80", "::ffff:10.0.0.1", 80, false },
		{ "[fe80::1]:80", "fe80::1", 80, false },
	};
	struct listen_address a;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (listen_parse(rows[i].text, &a, NULL))
			fail_msg("\"%s\" should be an address", rows[i].text);
		assert_string_equal(a.address, rows[i].address);
		assert_int_equal(a.port, rows[i].port);
		if (a.loopback != rows[i].loopback)
			fail_msg("\"%s\" should %sbe loopback", rows[i].text, rows[i].loopback ? "" : "not ");
	}
}

static void test_what_is_no_address(void **state)
{
	static const char *const rows[] = {
		"",
		":",
		":8080",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:65536",
		"127.0.0.1:-1",
		"127.0.0.1:x",
		"127.0.0.1:80 ",
		"example.org:80",
		"::1:8080",
		"[::1]",
		"[::1]8080",
		"[::1:8080",
		"[127.0.0.1]:80",
		"[]:80",
		"127.1:80",
		"0x7f000001:80",
		"[fe80::1%lo]:80",
		"*:80",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222:3333:4444:5555:6666:7777:80",
	};
	struct listen_address a;
	struct error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		error_clear(&err);
		if (listen_parse(rows[i], &a, &err) != FF_EUSAGE)
			fail_msg("\"%s\" should be no address", rows[i]);
		assert_non_null(strstr(err.text, "ADDRESS:PORT"));
	}
}

static void test_urls(void **state)
{
	struct listen_address a;

	(void)state;
	assert_int_equal(listen_parse_url("http://[::1]:8080", &a, NULL), 0);
	assert_true(a.loopback && a.port == 8080);
	assert_int_equal(listen_parse_url("https://0.0.0.0:443", &a, NULL), 0);
	assert_true(!a.loopback && a.port == 443);
	assert_int_equal(listen_parse_url("127.0.0.1:80", &a, NULL), FF_EUSAGE);
}

static void test_handed_over(void **state)
{
	static const struct {
		const char *pid, *fds;
		int code, fd;
	} rows[] = {
		{ NULL, NULL, 0, 0 }, { "77", "1", 0, LISTEN_FD_FIRST },
		{ "78", "1", 0, 0 },  { "77", NULL, 0, 0 },
		{ "77", "0", 0, 0 },  { "77", "x", 0, 0 },
		{ "", "1", 0, 0 },    { NULL, "1", 0, 0 },
		{ "78", "2", 0, 0 },  { "77", "2", FF_EUSAGE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int fd = -1;

		assert_int_equal(listen_inherited(rows[i].pid, rows[i].fds, 77, &fd, NULL), rows[i].code);
		assert_int_equal(fd, rows[i].fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_what_is_no_address),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_handed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
