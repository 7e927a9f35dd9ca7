/*
 * post_load.c: clients that keep their connection and send the same POST again and again, each when its answer is there. Raw sockets and one epoll set, so
 * that the load costs little beside the server that it measures.
 *
 * Usage: post_load -n REQUESTS -c CLIENTS -p PORT -f BODYFILE       POST /run on 127.0.0.1
 *
 * "@@@@" in the body becomes the client's number, in four digits.
 *
 * Exit status 0 when every answer was 200 and held `"successes":1` or the -w WORDS given.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 1000
#define ANSWER_MAX  16384
#define REQUEST_MAX 8192

struct client {
	int fd;
	size_t len;
	char answer[ANSWER_MAX];
	char request[REQUEST_MAX]; /* with its head, in one packet */
	size_t request_len;
};

struct load {
	int epoll;
	long wanted, started, finished;
	char body[REQUEST_MAX / 2];
	size_t body_len;
	const char *words;
	struct client *clients;
};

static void die(const char *what)
{
	fprintf(stderr, "post_load: %s: %s\n", what, strerror(errno));
	exit(70);
}

static void read_body(struct load *l, const char *path)
{
	FILE *file = fopen(path, "rbe");

	if (!file)
		die(path);
	l->body_len = fread(l->body, 1, sizeof(l->body) - 1, file);
	fclose(file);
}

static void make_request(const struct load *l, struct client *c, int number)
{
	char digits[16], *mark;

	c->request_len = (size_t)snprintf(
	        c->request, sizeof(c->request),
	        "POST /run HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	        l->body_len, l->body);
	snprintf(digits, sizeof(digits), "%04d", number);
	while ((mark = strstr(c->request, "@@@@")))
		memcpy(mark, digits, 4);
}

static void ask(struct load *l, struct client *c)
{
	l->started++;
	c->len = 0;
	if (send(c->fd, c->request, c->request_len, MSG_NOSIGNAL) != (ssize_t)c->request_len)
		die("send");
}

static void join(struct load *l, struct client *c, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons((unsigned short)port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) || epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &event))
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* The answer is whole. */
static bool is_whole(const struct client *c)
{
	const char *end = strstr(c->answer, "\r\n\r\n"), *length = strcasestr(c->answer, "content-length:");

	return end && length && length < end && c->len >= (size_t)(end + 4 - c->answer) + strtoul(length + 15, NULL, 10);
}

static void take(struct load *l, struct client *c)
{
	ssize_t n = recv(c->fd, c->answer + c->len, ANSWER_MAX - 1 - c->len, 0);

	if (n <= 0)
		die("recv");
	c->len += (size_t)n;
	c->answer[c->len] = '\0';
	if (!is_whole(c))
		return;
	if (strncmp(c->answer, "HTTP/1.1 200 ", 13) != 0 || !strstr(c->answer, l->words)) {
		fprintf(stderr, "post_load: another answer than expected: %s\n", c->answer);
		exit(1);
	}
	l->finished++;
	if (l->started < l->wanted)
		ask(l, c);
}

int main(int argc, char **argv)
{
	static struct load l = { .words = "\"successes\":1" };
	struct epoll_event events[64];
	const char *body = NULL;
	int clients = 1, port = 0;

	for (int option; (option = getopt(argc, argv, "n:c:p:f:w:")) != -1;) {
		switch (option) {
		case 'n': l.wanted = strtol(optarg, NULL, 10); break;
		case 'c': clients = (int)strtol(optarg, NULL, 10); break;
		case 'p': port = (int)strtol(optarg, NULL, 10); break;
		case 'f': body = optarg; break;
		case 'w': l.words = optarg; break;
		default: return 64;
		}
	}
	if (!body || port < 1 || clients < 1 || clients > CLIENTS_MAX || l.wanted < clients)
		return 64;
	read_body(&l, body);
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	l.clients = calloc((size_t)clients, sizeof(*l.clients));
	if (l.epoll < 0 || !l.clients)
		die("set-up");
	for (int i = 0; i < clients; i++) {
		make_request(&l, &l.clients[i], i);
		join(&l, &l.clients[i], port);
	}
	for (int i = 0; i < clients; i++)
		ask(&l, &l.clients[i]);
	while (l.finished < l.wanted) {
		int count = epoll_wait(l.epoll, events, 64, 30000);

		if (count == 0 || (count < 0 && errno != EINTR))
			die("no answer for 30 s");
		for (int i = 0; i < count; i++)
			take(&l, events[i].data.ptr);
	}
	return 0;
}
