/* test_server_routes.c: paths and methods of the service, and the statuses that its table knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "front/server/routes.h"

static void find(const char *method, const char *path, enum serve_found found, enum serve_route route, const char *allow)
{
	struct serve_match m = serve_route_find(str_from(method), str_from(path));

	if (m.found != found || m.route != route || !allow != !m.allow || (allow && strcmp(m.allow, allow) != 0))
		fail_msg("%s %s: expected %d, route %d, Allow %s; got %d, %d, %s", method, path, found, route,
		         allow ? allow : "none", m.found, m.route, m.allow ? m.allow : "none");
	assert_int_equal(m.head, !strcmp(method, "HEAD"));
	assert_int_equal(m.options, !strcmp(method, "OPTIONS"));
}

#define POST_ALLOW "POST, OPTIONS"
#define GET_ALLOW  "GET, HEAD, OPTIONS"

static void test_found(void **state)
{
	(void)state;
	find("POST", "/run", SERVE_FOUND, SERVE_RUN, POST_ALLOW);
	find("GET", "/healthz", SERVE_FOUND, SERVE_HEALTHZ, GET_ALLOW);
	find("HEAD", "/readyz", SERVE_FOUND, SERVE_READYZ, GET_ALLOW);
	find("GET", "/metrics", SERVE_FOUND, SERVE_METRICS, GET_ALLOW);
	find("GET", "/openapi.json", SERVE_FOUND, SERVE_OPENAPI, GET_ALLOW);
}

static void test_wrong_methods(void **state)
{
	static const char *const methods[] = {
		"PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "OPTIONS", "post", "get", "", "POSTS"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		find(methods[i], "/run", SERVE_WRONG_METHOD, SERVE_RUN, POST_ALLOW);
		find(methods[i], "/metrics", SERVE_WRONG_METHOD, SERVE_METRICS, GET_ALLOW);
	}
	find("GET", "/run", SERVE_WRONG_METHOD, SERVE_RUN, POST_ALLOW);
	find("HEAD", "/run", SERVE_WRONG_METHOD, SERVE_RUN, POST_ALLOW);
	find("POST", "/healthz", SERVE_WRONG_METHOD, SERVE_HEALTHZ, GET_ALLOW);
}

static void test_no_paths(void **state)
{
	static const char *const paths[] = { "",         "/",     "/run/",  "//run",       "/RUN",
		                             "/ru",      "/run ", "/%72un", "/run/../run", "/run;x",
		                             "/run?x=1", "run",   "*",      "/metricsx",   "/openapi.json/" };

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		find("POST", paths[i], SERVE_NO_PATH, SERVE_OTHER, NULL);
		find("OPTIONS", paths[i], SERVE_NO_PATH, SERVE_OTHER, NULL);
	}
}

static void test_statuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < SERVE_ROUTE_COUNT; i++) {
		enum serve_route route = (enum serve_route)i;
		const struct serve_route_info *r = serve_route_info(route);

		assert_non_null(r->name);
		for (const struct serve_status *s = r->statuses; s->status; s++) {
			assert_true(s->meaning && s->meaning[0]);
			assert_true(serve_status_is_known(route, s->status));
			for (const struct serve_status *t = r->statuses; t < s; t++)
				if (t->status >= s->status)
					fail_msg("%s: status %d stands before %d", r->name, t->status, s->status);
		}
		assert_true(serve_status_is_known(route, 404));
		assert_false(serve_status_is_known(route, 418));
		assert_int_equal(serve_status_is_known(route, 401), r->needs_token);
	}
	assert_true(serve_status_is_known(SERVE_RUN, 429));
	assert_false(serve_status_is_known(SERVE_HEALTHZ, 429));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_wrong_methods),
		cmocka_unit_test(test_no_paths),
		cmocka_unit_test(test_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
