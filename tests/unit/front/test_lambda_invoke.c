/*
 * test_lambda_invoke.c: invocations without memory. A Runtime API in a thread hands out one event after the other; every allocation of the second fails in
 * turn, and the third, with memory again, must be answered as the first was: what failed left nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../lib/run_kit.h"
#include "../lib/server.h"
#include "base/alloc.h"
#include "front/lambda/invoke.h"

/* ---- a Runtime API ---- */

struct api {
	int listener;
	char address[32];
	const char *event;
	pthread_t thread;
	atomic_int posts; /* that were accepted */
	char last[4096];  /* the beginning of the last one */
};

/* One request: its head in `head`, its body read past it. False: the connection ended. */
static bool read_request(int fd, char *head, size_t size)
{
	size_t len = 0, body = 0, end = 0;
	const char *at;

	while (!end || len < end + body) {
		ssize_t n = read(fd, head + len, size - 1 - len);

		if (n <= 0)
			return false;
		len += (size_t)n;
		head[len] = '\0';
		at = strstr(head, "\r\n\r\n");
		if (!end && at) {
			end = (size_t)(at - head) + 4;
			at = strstr(head, "Content-Length: ");
			body = at ? (size_t)strtoul(at + 16, NULL, 10) : 0;
		}
	}
	return true;
}

static void say(int fd, int status, const char *headers, const char *body)
{
	char reply[8192];
	int len = snprintf(reply, sizeof(reply), "HTTP/1.1 %d Status\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers,
	                   strlen(body), body);

	if (write(fd, reply, (size_t)len) != len)
		abort();
}

static void serve(struct api *a, int fd)
{
	char *head = malloc(1 << 20), headers[256];
	static int number;

	while (read_request(fd, head, 1 << 20)) {
		if (!strncmp(head, "GET", 3)) {
			snprintf(headers, sizeof(headers), "Lambda-Runtime-Aws-Request-Id: request-%d\r\n", ++number);
			say(fd, 200, headers, a->event);
			continue;
		}
		snprintf(a->last, sizeof(a->last), "%.2000s", strstr(head, "\r\n\r\n") + 4);
		atomic_fetch_add(&a->posts, 1);
		say(fd, 202, "", "{\"status\":\"OK\"}");
	}
	free(head);
	close(fd);
}

static void *accept_all(void *user)
{
	struct api *a = user;
	int fd;

	while ((fd = accept(a->listener, NULL, NULL)) >= 0)
		serve(a, fd);
	return NULL;
}

static void api_open(struct api *a)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	a->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(a->listener >= 0 && !bind(a->listener, (struct sockaddr *)&at, len) && !listen(a->listener, 8));
	assert_int_equal(getsockname(a->listener, (struct sockaddr *)&at, &len), 0);
	snprintf(a->address, sizeof(a->address), "127.0.0.1:%d", ntohs(at.sin_port));
	assert_int_equal(pthread_create(&a->thread, NULL, accept_all, a), 0);
}

static void api_close(struct api *a)
{
	shutdown(a->listener, SHUT_RDWR);
	pthread_join(a->thread, NULL);
	close(a->listener);
}

/* ---- the world ---- */

struct world {
	struct api api;
	struct server provider;
	char allowed[128], event[4096];
	const char *env[2];
	struct config config;
	struct log_output log;
	struct invoker invoker;
};

static const char *nothing(void *user, const char *name)
{
	(void)user;
	(void)name;
	return NULL;
}

/* event: with ADDRESS where the provider's belongs, or without. */
static void world_open(struct world *w, const char *event)
{
	const char *place = strstr(event, "ADDRESS");
	struct ff_engine_options options;
	struct ff_error why;

	memset(w, 0, sizeof(*w));
	server_start(&w->provider, SERVER_ANSWERS);
	snprintf(w->allowed, sizeof(w->allowed), "FAIRFORGE_ALLOWED_ORIGINS=http://127.0.0.1:%u", w->provider.port);
	w->env[0] = w->allowed;
	snprintf(w->event, sizeof(w->event), "%.*s%s%s", place ? (int)(place - event) : 0, event,
	         place ? w->provider.base_url : event, place ? place + strlen("ADDRESS") : "");
	w->api.event = w->event;
	api_open(&w->api);
	assert_int_equal(config_read(nothing, NULL, &w->config, NULL), 0);
	w->config.discard_results = true;
	w->log = (struct log_output){ STDERR_FILENO, (enum ff_log_level) - 1 };
	options = kit_engine_options(w->env);
	options.role = FF_ROLE_STRANGER;
	w->invoker = (struct invoker){ .config = &w->config, .log = &w->log };
	assert_int_equal(ff_engine_new(&options, &w->invoker.engine, &why), 0);
	assert_int_equal(runtime_new(w->api.address, &w->invoker.runtime, NULL), 0);
}

static void world_close(struct world *w)
{
	ff_engine_free(w->invoker.engine);
	runtime_free(w->invoker.runtime);
	api_close(&w->api);
	server_stop(&w->provider);
}

static void one_invocation(struct world *w, const char *expected)
{
	struct invocation invocation;
	struct error err = { 0 };

	if (runtime_next(w->invoker.runtime, &invocation, &err))
		fail_msg("the next event should come: %s", err.text);
	assert_int_equal(invoke(&w->invoker, &invocation), 0);
	if (!strstr(w->api.last, expected))
		fail_msg("an answer with %s was expected, not %s", expected, w->api.last);
}

/* True when a fault was met. */
static bool one_without_memory(struct world *w, uint64_t countdown)
{
	struct invocation invocation;
	struct error err = { 0 };
	uint64_t hits;
	int before = atomic_load(&w->api.posts), r;

	mem_fault_arm(countdown, true);
	r = runtime_next(w->invoker.runtime, &invocation, &err);
	if (!r)
		r = invoke(&w->invoker, &invocation);
	hits = mem_fault_hits();
	mem_fault_arm(0, false);
	/* Either the platform has an answer, or the process would end and the platform would say so. */
	if (!r && atomic_load(&w->api.posts) != before + 1)
		fail_msg("without allocation %ju the invocation was neither answered nor given up", (uintmax_t)countdown);
	return hits > 0;
}

static void fail_every_allocation(const char *event, const char *expected)
{
	static struct world w;
	uint64_t n = 1;

	world_open(&w, event);
	one_invocation(&w, expected);
	while (one_without_memory(&w, n)) {
		one_invocation(&w, expected);
		n++;
	}
	world_close(&w);
	assert_true(n > 20); /* it was an invocation, and not a refusal at the door */
}

#define CONNECTOR                                                                                                              \
	"\"connector\": {\"class_path\": \"langchain_openai.ChatOpenAI\", \"params\": {\"model\": \"m\", \"max_retries\": 0, " \
	"\"api_key\": \"" KIT_KEY "\", \"base_url\": \"ADDRESS\"}}"

static void test_a_direct_invocation(void **state)
{
	(void)state;
	fail_every_allocation("{" CONNECTOR ", \"datasets\": [" KIT_DATASET "]}", "\"assistant\":\"pong\"");
}

static void test_an_http_event(void **state)
{
	(void)state;
	fail_every_allocation("{\"body\": {" CONNECTOR ", \"datasets\": [" KIT_DATASET "]}}", "\"statusCode\":200");
}

static void test_messages_of_a_queue(void **state)
{
	(void)state;
	fail_every_allocation("{\"Records\": [{\"eventSource\": \"aws:sqs\", \"messageId\": \"m1\", \"body\": {" CONNECTOR
	                      ", \"datasets\": [" KIT_DATASET
	                      "]}}, {\"eventSource\": \"aws:sqs\", \"messageId\": \"m2\", \"body\": \"{\"}]}",
	                      "{\"batchItemFailures\":[{\"itemIdentifier\":\"m2\"}]}");
}

static void test_an_event_that_is_no_json(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, "{");
	one_invocation(&w, "Function.BadPayload");
	one_invocation(&w, "Function.BadPayload");
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_direct_invocation),
		cmocka_unit_test(test_an_http_event),
		cmocka_unit_test(test_messages_of_a_queue),
		cmocka_unit_test(test_an_event_that_is_no_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
