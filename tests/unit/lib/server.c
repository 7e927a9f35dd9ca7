/*
 * server.c: the thread of server.h: poll over a listener and a few connections, a fixed reply to every complete request.
 */
#include "server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS   64
#define REQUEST_BYTES 65536

struct connection {
	int fd; /* -1: free */
	size_t len;
	char bytes[REQUEST_BYTES];
};

static struct connection connections[4][CONNECTIONS]; /* of at most four servers at once */
static unsigned request_counts[65536];                /* by port */
static int next_slot;

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static const char *reply_of(enum server_mode mode)
{
	static const char *const replies[] = {
		[SERVER_ANSWERS] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 131\r\n\r\n"
		                   "{\"choices\": [{\"index\": 0, \"finish_reason\": \"stop\", \"message\": {\"role\": "
		                   "\"assistant\", \"content\": "
		                   "\"pong\"}}], \"model\": \"test-model-1\"} ",
		[SERVER_REFUSES] = "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: 37\r\n\r\n"
		                   "{\"error\": {\"message\": \"wrong key!!\"}}",
		[SERVER_FAILS] = "HTTP/1.1 500 Internal Server Error\r\nretry-after-ms: 1\r\nContent-Length: 33\r\n\r\n"
		                 "{\"error\": {\"message\": \"broken!\"}}",
		[SERVER_HOLDS] = "",
	};

	return replies[mode];
}

/* Whether a whole request is there: head, and as many bytes as Content-Length says. */
static int is_complete(const struct connection *c)
{
	const char *end = memmem(c->bytes, c->len, "\r\n\r\n", 4);
	const char *length = end ? memmem(c->bytes, (size_t)(end - c->bytes), "Content-Length: ", 16) : NULL;
	size_t body = length ? strtoul(length + 16, NULL, 10) : 0;

	return end && (size_t)(end - c->bytes) + 4 + body <= c->len;
}

static void serve(struct server *s, struct connection *c)
{
	ssize_t n = read(c->fd, c->bytes + c->len, sizeof(c->bytes) - c->len);
	const char *reply = reply_of(s->mode);

	if (n <= 0) {
		close(c->fd);
		c->fd = -1;
		return;
	}
	c->len += (size_t)n;
	if (!is_complete(c))
		return;
	c->len = 0;
	__atomic_add_fetch(&request_counts[s->port], 1, __ATOMIC_SEQ_CST);
	if (*reply && send(c->fd, reply, strlen(reply), MSG_NOSIGNAL) < 0) {
		close(c->fd);
		c->fd = -1;
	}
}

static void take(struct connection *list, int listener)
{
	int fd = accept(listener, NULL, NULL);

	for (size_t i = 0; i < CONNECTIONS && fd >= 0; i++)
		if (list[i].fd < 0) {
			list[i].fd = fd;
			list[i].len = 0;
			return;
		}
	if (fd >= 0)
		close(fd);
}

struct start {
	struct server *server;
	sem_t done;
};

static void *serve_all(void *user)
{
	struct start *start = user;
	struct server *s = start->server;
	struct connection *list = connections[__atomic_fetch_add(&next_slot, 1, __ATOMIC_SEQ_CST) % 4];

	sem_post(&start->done); /* start is gone from here on */
	for (size_t i = 0; i < CONNECTIONS; i++)
		list[i].fd = -1;
	for (;;) {
		struct pollfd fds[CONNECTIONS + 2] = { { s->stop[0], POLLIN, 0 }, { s->listener, POLLIN, 0 } };

		for (size_t i = 0; i < CONNECTIONS; i++)
			fds[i + 2] = (struct pollfd){ list[i].fd, POLLIN, 0 };
		if (poll(fds, CONNECTIONS + 2, -1) < 0)
			continue;
		for (size_t i = 0; i < CONNECTIONS; i++)
			if (fds[i + 2].revents && list[i].fd >= 0)
				serve(s, &list[i]);
		if (fds[1].revents)
			take(list, s->listener);
		if (fds[0].revents)
			break;
	}
	for (size_t i = 0; i < CONNECTIONS; i++)
		if (list[i].fd >= 0)
			close(list[i].fd);
	return NULL;
}

/* Returns when the thread runs: while it starts it may hold a lock of the sanitizer's allocator, which a fork would then copy as held for ever. */
static void start_thread(struct server *s)
{
	struct start start = { .server = s };
	pthread_t thread;

	must(sem_init(&start.done, 0, 0) == 0, "sem_init");
	must(pthread_create(&thread, NULL, serve_all, &start) == 0, "pthread_create");
	while (sem_wait(&start.done) < 0)
		;
	sem_destroy(&start.done);
	s->thread = thread;
}

void server_start(struct server *s, enum server_mode mode)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);

	memset(s, 0, sizeof(*s));
	s->mode = mode;
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(s->listener >= 0 && bind(s->listener, (struct sockaddr *)&address, size) == 0, "bind");
	must(listen(s->listener, CONNECTIONS) == 0 && getsockname(s->listener, (struct sockaddr *)&address, &size) == 0, "listen");
	s->port = ntohs(address.sin_port);
	request_counts[s->port] = 0;
	snprintf(s->base_url, sizeof(s->base_url), "http://127.0.0.1:%u/v1", s->port);
	must(pipe(s->stop) == 0, "pipe");
	start_thread(s);
}

void server_stop(struct server *s)
{
	must(write(s->stop[1], "", 1) == 1, "write");
	pthread_join(s->thread, NULL);
	close(s->listener);
	close(s->stop[0]);
	close(s->stop[1]);
}

unsigned server_requests(const struct server *s)
{
	return __atomic_load_n(&request_counts[s->port], __ATOMIC_SEQ_CST);
}
