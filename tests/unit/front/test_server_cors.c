/* test_server_cors.c: which origins a list may name, who is let through, and which headers an answer gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/alloc.h"
#include "front/server/cors.h"

static struct cors listed(const char *list)
{
	struct cors c;
	struct error err = { 0 };

	cors_init(&c);
	if (cors_add(&c, list, &err))
		fail_msg("\"%s\": expected to be taken, but: %s", list, err.text);
	return c;
}

static void refused(const char *list, const char *part)
{
	struct cors c;
	struct error err = { 0 };
	int r;

	cors_init(&c);
	r = cors_add(&c, list, &err);
	if (r != FF_EUSAGE || !strstr(err.text, part))
		fail_msg("\"%s\": expected FF_EUSAGE with \"%s\", got %d: %s", list, part, r, err.text);
	cors_release(&c);
}

static void test_lists(void **state)
{
	struct cors c = listed(" https://a.example,http://localhost:3000 ,, https://a.example, http://[::1]:8080");
	struct error err = { 0 };

	(void)state;
	assert_int_equal(c.count, 3);
	assert_int_equal(cors_add(&c, "https://b.example", &err), 0);
	assert_int_equal(cors_check(&c, STR("https://a.example")), CORS_ALLOWED);
	assert_int_equal(cors_check(&c, STR("https://b.example")), CORS_ALLOWED);
	assert_int_equal(cors_check(&c, STR("http://[::1]:8080")), CORS_ALLOWED);
	cors_release(&c);
}

static void test_refused_lists(void **state)
{
	(void)state;
	refused("", "empty");
	refused(" , ", "empty");
	refused("null", "must begin with");
	refused("a.example", "must begin with");
	refused("ftp://a.example", "must begin with");
	refused("HTTPS://a.example", "must begin with");
	refused("https://A.example", "lower case");
	refused("https://a.example/", "no slash at the end");
	refused("https://a.example/app", "no path");
	refused("https://user@a.example", "lower case");
	refused("https://*.example", "lower case");
	refused("https://a.example:443", "default port");
	refused("http://a.example:80", "default port");
	refused("https://a.example:0", "1 to 65535");
	refused("https://a.example:65536", "1 to 65535");
	refused("https://a.example:", "1 to 65535");
	refused("https://a.example:080", "1 to 65535");
	refused("https://", "no host");
	refused("https://:8443", "no host");
	refused("https://[::1", "closing bracket");
	refused("*, https://a.example", "stand alone");
	refused("https://a.example\r\nX: y", "lower case");
}

static void verdict(const struct cors *c, const char *origin, enum cors_verdict expected)
{
	enum cors_verdict got = cors_check(c, str_from(origin));

	if (got != expected)
		fail_msg("%s: expected verdict %d, got %d", origin ? origin : "(none)", expected, got);
}

static void test_verdicts(void **state)
{
	struct cors none, some = listed("https://a.example"), any = listed("*");

	(void)state;
	cors_init(&none);
	verdict(&none, NULL, CORS_NONE);
	verdict(&none, "https://a.example", CORS_REFUSED);
	verdict(&none, "", CORS_REFUSED);
	verdict(&some, NULL, CORS_NONE);
	verdict(&some, "https://a.example", CORS_ALLOWED);
	verdict(&some, "https://a.example:443", CORS_REFUSED);
	verdict(&some, "https://A.example", CORS_REFUSED);
	verdict(&some, "https://a.example.evil.example", CORS_REFUSED);
	verdict(&some, "https://evil-a.example", CORS_REFUSED);
	verdict(&some, "http://a.example", CORS_REFUSED);
	verdict(&some, "null", CORS_REFUSED);
	verdict(&any, "null", CORS_ALLOWED);
	verdict(&any, "https://b.example", CORS_ALLOWED);
	cors_release(&some);
	cors_release(&any);
}

/* "Name: value" lines of what cors_headers gives. */
static void headers(const struct cors *c, const char *origin, bool preflight, const char *expected)
{
	struct cors_headers h;
	char got[1024] = "";
	size_t len = 0;

	cors_headers(c, origin, preflight, "POST, OPTIONS", &h);
	for (size_t i = 0; i < h.count; i++)
		len += (size_t)snprintf(got + len, sizeof(got) - len, "%s: %s\n", h.list[i].name, h.list[i].value);
	assert_string_equal(got, expected);
}

static void test_headers(void **state)
{
	struct cors none, some = listed("https://a.example"), any = listed("*");

	(void)state;
	cors_init(&none);
	headers(&none, "https://a.example", false, "");
	headers(&none, "https://a.example", true, "");
	headers(&some, NULL, false, "Vary: Origin\n");
	headers(&some, "https://b.example", false, "Vary: Origin\n");
	headers(&some, "https://a.example", false,
	        "Vary: Origin\nAccess-Control-Allow-Origin: https://a.example\nAccess-Control-Expose-Headers: Retry-After, "
	        "X-Request-Id\n");
	headers(&some, "https://b.example", true, "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\n");
	headers(&some, "https://a.example", true,
	        "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\n"
	        "Access-Control-Allow-Origin: https://a.example\nAccess-Control-Allow-Methods: POST, OPTIONS\n"
	        "Access-Control-Allow-Headers: authorization, content-type, x-request-id\nAccess-Control-Max-Age: 600\n");
	headers(&any, NULL, false, "");
	headers(&any, "https://b.example", false,
	        "Access-Control-Allow-Origin: *\nAccess-Control-Expose-Headers: Retry-After, X-Request-Id\n");
	cors_release(&some);
	cors_release(&any);
}

static void test_out_of_memory(void **state)
{
	(void)state;
	for (unsigned n = 1;; n++) {
		struct cors c;
		struct error err = { 0 };
		int r;

		cors_init(&c);
		mem_fault_arm(n, false);
		r = cors_add(&c, "https://a.example,https://b.example", &err);
		cors_release(&c);
		if (!mem_fault_hits()) {
			mem_fault_arm(0, false);
			assert_int_equal(r, 0);
			assert_true(n > 4);
			return;
		}
		mem_fault_arm(0, false);
		assert_int_equal(r, FF_ENOMEM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),   cmocka_unit_test(test_refused_lists), cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_headers), cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
