/*
 * textbook.c: the libcurl loop of the textbook, as in curl's own examples for epoll: one multi handle, one epoll set, one timerfd; what the others are
 * measured against. It reads each reply into memory, counts it and starts the next request. No tricks, and no handicaps either: easy handles are reused.
 *
 * Usage: textbook -n REQUESTS -c IN_FLIGHT -u URL [-k CAFILE] [-2] [-v]
 *
 *   -k  verify https against this bundle (http and system bundle otherwise)
 *   -2  ask for HTTP/2 (over TLS); the default is HTTP/1.1
 *   -v  print the figures: requests/s, microseconds of CPU a request, connections opened, failures
 *
 * Exit status 0 when every request was answered with 200.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const char body[] = "{\"model\":\"m\",\"stream\":false,\"messages\":[{\"content\":\"What is the capital of France? Answer "
                           "in one sentence.\",\"role\":\"user\"}]}";

struct reply {
	char *data;
	size_t len;
};

struct bench {
	CURLM *multi;
	int epoll, timer;
	long wanted, started, finished, failed, connections;
	const char *url, *cafile;
	bool h2;
	struct curl_slist *headers;
};

static void die(const char *what)
{
	fprintf(stderr, "textbook: %s: %s\n", what, strerror(errno));
	exit(70);
}

static int on_timer_change(CURLM *multi, long timeout_ms, void *user)
{
	struct bench *b = user;
	struct itimerspec at = { { 0, 0 }, { 0, 0 } };

	(void)multi;
	if (timeout_ms > 0) {
		at.it_value.tv_sec = timeout_ms / 1000;
		at.it_value.tv_nsec = timeout_ms % 1000 * 1000000;
	} else if (timeout_ms == 0) {
		at.it_value.tv_nsec = 1; /* libcurl wants to be called at once, but not from here */
	}
	return timerfd_settime(b->timer, 0, &at, NULL);
}

static int on_socket_change(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
	struct bench *b = user;
	struct epoll_event event = { .data.fd = fd };

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(b->epoll, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	event.events = (what & CURL_POLL_IN ? (unsigned)EPOLLIN : 0) | (what & CURL_POLL_OUT ? (unsigned)EPOLLOUT : 0);
	if (epoll_ctl(b->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl");
	curl_multi_assign(b->multi, fd, b);
	return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
	struct reply *reply = user;
	char *grown = realloc(reply->data, reply->len + count + 1);

	(void)size;
	if (!grown)
		return 0;
	memcpy(grown + reply->len, data, count);
	reply->data = grown;
	reply->len += count;
	grown[reply->len] = '\0';
	return count;
}

static CURL *new_request(struct bench *b)
{
	CURL *easy = curl_easy_init();
	struct reply *reply = calloc(1, sizeof(*reply));

	if (!easy || !reply)
		die("curl_easy_init");
	curl_easy_setopt(easy, CURLOPT_URL, b->url);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, b->headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, reply);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, reply);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, b->h2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, b->h2 ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	if (b->cafile)
		curl_easy_setopt(easy, CURLOPT_CAINFO, b->cafile);
	return easy;
}

static void start(struct bench *b, CURL *easy)
{
	b->started++;
	if (curl_multi_add_handle(b->multi, easy))
		die("curl_multi_add_handle");
}

static void finish(struct bench *b, CURL *easy, CURLcode code)
{
	struct reply *reply = NULL;
	long status = 0, opened = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &opened);
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &reply);
	b->connections += opened;
	b->finished++;
	if (code != CURLE_OK || status != 200 || reply->len == 0)
		b->failed++;
	reply->len = 0;
	curl_multi_remove_handle(b->multi, easy);
	if (b->started < b->wanted) {
		start(b, easy);
		return;
	}
	free(reply->data);
	free(reply);
	curl_easy_cleanup(easy);
}

static void read_messages(struct bench *b)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(b->multi, &left)))
		if (message->msg == CURLMSG_DONE)
			finish(b, message->easy_handle, message->data.result);
}

static void run(struct bench *b)
{
	struct epoll_event events[64];
	int running;

	while (b->finished < b->wanted) {
		int count = epoll_wait(b->epoll, events, 64, 10000);

		if (count < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == b->timer) {
				uint64_t times;
				if (read(b->timer, &times, sizeof(times)) < 0 && errno != EAGAIN)
					die("read");
				curl_multi_socket_action(b->multi, CURL_SOCKET_TIMEOUT, 0, &running);
			} else {
				int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
				           (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
				           (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
				curl_multi_socket_action(b->multi, events[i].data.fd, what, &running);
			}
			read_messages(b);
		}
	}
}

static void set_up(struct bench *b)
{
	struct epoll_event event = { .events = EPOLLIN };

	curl_global_init(CURL_GLOBAL_DEFAULT);
	b->multi = curl_multi_init();
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	b->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	event.data.fd = b->timer;
	if (!b->multi || b->epoll < 0 || b->timer < 0 || epoll_ctl(b->epoll, EPOLL_CTL_ADD, b->timer, &event))
		die("set-up");
	curl_multi_setopt(b->multi, CURLMOPT_SOCKETFUNCTION, on_socket_change);
	curl_multi_setopt(b->multi, CURLMOPT_SOCKETDATA, b);
	curl_multi_setopt(b->multi, CURLMOPT_TIMERFUNCTION, on_timer_change);
	curl_multi_setopt(b->multi, CURLMOPT_TIMERDATA, b);
	b->headers = curl_slist_append(NULL, "Content-Type: application/json");
	b->headers = curl_slist_append(b->headers, "Authorization: Bearer sk-bench-0123456789");
	b->headers = curl_slist_append(b->headers, "Accept: application/json");
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void report(const struct bench *b, double wall)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	printf("textbook %ld requests %.0f/s cpu %.1f us (user %.1f sys %.1f) connections %ld failed %ld peak %ld KiB\n",
	       b->finished, (double)b->finished / wall,
	       (seconds(used.ru_utime) + seconds(used.ru_stime)) * 1e6 / (double)b->finished,
	       seconds(used.ru_utime) * 1e6 / (double)b->finished, seconds(used.ru_stime) * 1e6 / (double)b->finished,
	       b->connections, b->failed, used.ru_maxrss);
}

static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	struct bench b = { .wanted = 10000 };
	struct timespec from, to;
	long flight = 64;
	bool verbose = false;

	for (int option; (option = getopt(argc, argv, "n:c:u:k:2v")) != -1;) {
		switch (option) {
		case 'n': b.wanted = strtol(optarg, NULL, 10); break;
		case 'c': flight = strtol(optarg, NULL, 10); break;
		case 'u': b.url = optarg; break;
		case 'k': b.cafile = optarg; break;
		case '2': b.h2 = true; break;
		case 'v': verbose = true; break;
		default: return 64;
		}
	}
	if (!b.url || b.wanted < 1 || flight < 1)
		return 64;
	raise_descriptors();
	set_up(&b);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (long i = 0; i < flight && i < b.wanted; i++)
		start(&b, new_request(&b));
	run(&b);
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (verbose)
		report(&b, (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
	if (b.failed)
		fprintf(stderr, "textbook: %ld of %ld requests failed\n", b.failed, b.wanted);
	curl_multi_cleanup(b.multi);
	curl_slist_free_all(b.headers);
	curl_global_cleanup();
	return b.failed ? 1 : 0;
}
