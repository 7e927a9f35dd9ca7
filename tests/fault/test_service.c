/*
 * test_service.c: allocation 1, 2, 3, … fails in `fairforge serve` while it starts, answers and drains, until nothing fails any more.
 *
 * The service is a child process, so that its signals are its own; its socket is handed over, so that a client never comes too early. Whatever fails, it
 * ends by itself or when it is told to, with a status that lack of memory explains; the sanitizer build looks for leaks. A signal that comes before there
 * is a handler is lost: it is sent again until the child has ended.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../unit/lib/run_kit.h"
#include "../unit/lib/server.h"
#include "base/alloc.h"
#include "front/server/serve.h"

/* 127.0.0.2: a request that comes after its service has ended must not reach another test's server that has the port by then. */
#define ADDRESS      0x7f000002u
#define ROUNDS_MOST  20000u
#define SOCKET_GIVEN 3 /* of the protocol of LISTEN_FDS */
#define PATIENCE_MS  30000
#define MOMENT_MS    100
#define AGAIN_MS     5000

static struct server target;
static char run_request[4096];

struct outcome {
	int status;
	uint64_t hits;
	unsigned ok; /* answers with 200 */
};

/* ---- the service ---- */

/*
 * Never returns. The number of failed allocations goes through the pipe. It ends with the test at the latest and holds none of its outputs: whoever waits
 * for their end, as meson does, would wait for a service that hangs.
 */
static void be_the_service(int listener, int report, uint64_t n, bool forever)
{
	char name[] = "serve", runs[] = "--max-runs=2", pid[24];
	char *argv[] = { name, runs, NULL };
	uint64_t hits;
	int status;

	signal(SIGTERM, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr) || dup2(listener, SOCKET_GIVEN) < 0)
		_exit(99);
	close(listener);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	mem_fault_arm(n, forever);
	status = serve_main(2, argv);
	hits = mem_fault_hits();
	mem_fault_arm(0, false);
	if (write(report, &hits, sizeof(hits)) != (ssize_t)sizeof(hits))
		_exit(98);
	exit(status);
}

static int open_listener(uint16_t *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(ADDRESS) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, 16) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

/* ---- the client ---- */

/* True when the answer is 200. Whatever else comes, also nothing, is an answer, too; only silence is not. */
static bool ask(uint16_t port, const char *request)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ADDRESS) };
	static char answer[1 << 16];
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n = -1;

	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		n = send(fd, request, strlen(request), MSG_NOSIGNAL);
	while (n > 0 && len < sizeof(answer) - 1) {
		if (poll(&p, 1, PATIENCE_MS) != 1)
			fail_msg("the service should answer or close, it is silent: %.60s", request);
		n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);
		len += n > 0 ? (size_t)n : 0;
	}
	answer[len] = '\0';
	close(fd);
	return strncmp(answer, "HTTP/1.1 200", 12) == 0;
}

static unsigned ask_everything(uint16_t port)
{
	static const char *const requests[] = {
		"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		"GET /openapi.json HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
		"POST /run HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
	};
	unsigned ok = 0;

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		ok += ask(port, requests[i]);
	return ok + ask(port, run_request);
}

/*
 * The child's wait status. A service that answered nothing may be ending by itself, and gets a moment for it; then it is told to end, again and again.
 */
static int end_child(pid_t pid, bool answered)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), status, waited = 0;
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	assert_true(pidfd >= 0);
	if (answered || poll(&p, 1, MOMENT_MS) == 0)
		kill(pid, SIGTERM);
	while (poll(&p, 1, AGAIN_MS) != 1) {
		kill(pid, (waited += AGAIN_MS) > PATIENCE_MS ? SIGKILL : SIGTERM);
		if (waited > PATIENCE_MS)
			fail_msg("the service should end when it is told to");
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pidfd);
	return status;
}

static struct outcome one_service(uint64_t n, bool forever)
{
	struct outcome o = { 0 };
	int ends[2], listener, status;
	uint16_t port;
	pid_t pid;

	listener = open_listener(&port);
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		close(ends[0]);
		be_the_service(listener, ends[1], n, forever);
	}
	close(ends[1]);
	close(listener);
	o.ok = ask_everything(port);
	status = end_child(pid, o.ok > 0);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM &&
	    !o.ok) /* told in its last moment, when libuv had given the default back */
		o.hits = 1;
	else if (read(ends[0], &o.hits, sizeof(o.hits)) != (ssize_t)sizeof(o.hits) || !WIFEXITED(status))
		fail_msg("allocation %ju: the service died (wait status 0x%x)", (uintmax_t)n, (unsigned)status);
	close(ends[0]);
	o.status = WEXITSTATUS(status);
	return o;
}

/* ---- the loop ---- */

static void fault_loop(bool forever)
{
	for (uint64_t n = 1; n < ROUNDS_MOST; n++) {
		struct outcome o = one_service(n, forever);

		if (o.status != 0 && (o.status != 70 || !o.hits))
			fail_msg("allocation %ju: status %d is not an end that lack of memory explains", (uintmax_t)n, o.status);
		if (o.hits)
			continue;
		assert_int_equal(o.ok, 5);
		print_message("%ju allocations\n", (uintmax_t)(n - 1));
		return;
	}
	fail_msg("still failing allocations after %u rounds", ROUNDS_MOST);
}

static void test_single_failures(void **state)
{
	(void)state;
	fault_loop(false);
}

static void test_lasting_failures(void **state)
{
	(void)state;
	fault_loop(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single_failures),
		cmocka_unit_test(test_lasting_failures),
	};
	char body[2048], origin[64];
	int failed;

	server_start(&target, SERVER_ANSWERS);
	snprintf(origin, sizeof(origin), "%.*s", (int)(strlen(target.base_url) - strlen("/v1")), target.base_url);
	setenv("FAIRFORGE_ALLOWED_ORIGINS", origin, 1);
	snprintf(body, sizeof(body),
	         "{\"connector\": {\"class_path\": \"langchain_openai.chat_models.ChatOpenAI\", \"params\": {\"model\": \"m\", "
	         "\"max_retries\": 0, \"api_key\": \"" KIT_KEY "\", \"base_url\": \"%s\"}}, \"datasets\": [" KIT_DATASET "]}",
	         target.base_url);
	snprintf(run_request, sizeof(run_request),
	         "POST /run HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	server_stop(&target);
	return failed;
}
