/*
 * web.c: libmicrohttpd in a libuv loop. See web.h.
 *
 * libmicrohttpd brings its own epoll descriptor; libuv polls that one descriptor and one timer, which stands for the earliest of our timers and of
 * libmicrohttpd's. A round is: timers, MHD_run, again while libmicrohttpd has more to do at once, then arm the timer. Cost: two system calls a
 * round besides those of the connections.
 *
 * The descriptor stays readable in libuv (level-triggered) while libmicrohttpd has events, so no event is lost when a round ends early.
 */
#include "front/common/web.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/str.h"

#define BACKLOG      4096
#define MEMORY_LIMIT ((size_t)16 << 10) /* a connection's pool: headers and write buffer */
#define ROUNDS_MAX   64

struct web {
	struct web_options options;
	char url[80];
	struct MHD_Daemon *daemon;
	struct timers timers;
	uint64_t now_us;
	uv_loop_t loop;
	uv_poll_t poll;
	uv_timer_t timer;
	uv_signal_t signals[2];
	bool loop_open, stopping;
};

/* ---- the loop ---- */

/* Milliseconds until libmicrohttpd wants to run again; UINT64_MAX: only when there is an event. */
static uint64_t daemon_timeout_ms(struct web *w)
{
	MHD_UNSIGNED_LONG_LONG ms;

	return MHD_get_timeout(w->daemon, &ms) == MHD_YES ? (uint64_t)ms : UINT64_MAX;
}

static void on_timer(uv_timer_t *timer);

static void arm(struct web *w, uint64_t next_us, uint64_t daemon_ms)
{
	uint64_t ms = UINT64_MAX;

	if (next_us != CLOCK_NEVER)
		ms = next_us > w->now_us ? (next_us - w->now_us + 999) / 1000 : 0;
	ms = MIN(ms, daemon_ms);
	if (ms == UINT64_MAX) {
		uv_timer_stop(&w->timer);
		return;
	}
	uv_update_time(&w->loop);
	uv_timer_start(&w->timer, on_timer, ms, 0);
}

static void run_round(struct web *w)
{
	uint64_t next_us, daemon_ms = 0;
	int rounds = 0;

	do {
		w->now_us = clock_monotonic_us();
		timers_run(&w->timers, w->now_us);
		MHD_run(w->daemon);
		daemon_ms = daemon_timeout_ms(w);
		next_us = timers_next(&w->timers);
	} while ((daemon_ms == 0 || next_us <= w->now_us) && ++rounds < ROUNDS_MAX);
	arm(w, next_us, daemon_ms);
}

static void on_timer(uv_timer_t *timer)
{
	run_round(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run_round(poll->data);
}

static void on_signal(uv_signal_t *signal, int number)
{
	(void)number;
	web_stop(signal->data);
}

void web_stop(struct web *w)
{
	w->stopping = true;
	uv_stop(&w->loop);
}

void web_run(struct web *w)
{
	run_round(w);
	while (!w->stopping)
		uv_run(&w->loop, UV_RUN_DEFAULT);
	if (w->options.on_stop)
		w->options.on_stop(w->options.user);
	run_round(w);
}

/* ---- opening ---- */

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t len;
};

static int parse_address(const char *text, uint16_t port, struct address *ret, struct error *err)
{
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(port);
		ret->len = sizeof(ret->v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(port);
		ret->len = sizeof(ret->v6);
		return 0;
	}
	return error_set(err, FF_EUSAGE, "", "The address to listen on must be numeric, such as 127.0.0.1 or ::1; \"%s\" is not.",
	                 text);
}

static int listen_failed(int descriptor, const char *text, uint16_t port, struct error *err)
{
	int number = errno;

	if (descriptor >= 0)
		close(descriptor);
	if (number == EADDRINUSE)
		return error_set(err, FF_EOUTPUT, "", "Port %u of %s is taken; choose another, or 0 for a free one.",
		                 (unsigned)port, text);
	return error_set(err, FF_EOUTPUT, "", "Cannot listen on port %u of %s: %s.", (unsigned)port, text, strerror(number));
}

/* Binds and listens; fills the url with the port that it got. */
static int open_socket(struct web *w, int *ret, struct error *err)
{
	const struct web_options *o = &w->options;
	struct address a;
	int one = 1, fd, code = parse_address(o->listen, o->port, &a, err);

	if (code)
		return code;
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) || bind(fd, &a.any, a.len) ||
	    listen(fd, BACKLOG) || getsockname(fd, &a.any, &a.len))
		return listen_failed(fd, o->listen, o->port, err);
	snprintf(w->url, sizeof(w->url), a.any.sa_family == AF_INET6 ? "http://[%s]:%u" : "http://%s:%u", o->listen,
	         (unsigned)ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port));
	*ret = fd;
	return 0;
}

/* Paths and queries stay percent-encoded: a slash within a segment must not become one between two. */
static size_t keep_encoded(void *user, struct MHD_Connection *connection, char *text)
{
	(void)user;
	(void)connection;
	return strlen(text);
}

static int open_daemon(struct web *w, int socket, struct error *err)
{
	w->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO, 0, NULL, NULL, w->options.handler,
	                             w->options.user, MHD_OPTION_LISTEN_SOCKET, socket, MHD_OPTION_CONNECTION_LIMIT,
	                             w->options.max_connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_LIMIT,
	                             MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_NOTIFY_COMPLETED, w->options.completed,
	                             w->options.user, MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL,
	                             MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
	if (w->daemon)
		return 0;
	close(socket);
	return error_set(err, FF_EINTERNAL, "",
	                 "The HTTP server cannot be started: there may be too few file descriptors or too little memory.");
}

/* Opens loop and handles; from loop_open on, web_free closes them all. */
static int open_loop(struct web *w, struct error *err)
{
	static const int numbers[2] = { SIGINT, SIGTERM };
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	int code = info ? 0 : UV_EINVAL;

	if (!code)
		code = descriptors_available(DESCRIPTORS_OF_A_LOOP) ? uv_loop_init(&w->loop) : uv_translate_sys_error(errno);
	if (code)
		return error_set(err, FF_EINTERNAL, "", "The event loop cannot be opened: %s.", uv_strerror(code));
	w->loop_open = true;
	code = uv_timer_init(&w->loop, &w->timer);
	w->timer.data = w;
	for (size_t i = 0; code == 0 && i < ARRAY_SIZE(numbers); i++) {
		code = uv_signal_init(&w->loop, &w->signals[i]);
		w->signals[i].data = w;
		code = code ? code : uv_signal_start(&w->signals[i], on_signal, numbers[i]);
	}
	code = code ? code : uv_poll_init(&w->loop, &w->poll, info->epoll_fd);
	w->poll.data = w;
	code = code ? code : uv_poll_start(&w->poll, UV_READABLE, on_poll);
	return code ? error_set(err, FF_EINTERNAL, "", "The event loop cannot be set up: %s.", uv_strerror(code)) : 0;
}

int web_new(const struct web_options *options, struct web **ret, struct error *err)
{
	struct web *w = NEW(struct web);
	int socket = -1, code;

	if (!w)
		return error_nomem(err);
	w->options = *options;
	w->now_us = clock_monotonic_us();
	timers_init(&w->timers);
	code = open_socket(w, &socket, err);
	code = code ? code : open_daemon(w, socket, err);
	code = code ? code : open_loop(w, err);
	if (code) {
		web_free(w);
		return code;
	}
	*ret = w;
	return 0;
}

static void close_handle(uv_handle_t *handle, void *user)
{
	(void)user;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void web_free(struct web *w)
{
	if (!w)
		return;
	if (w->loop_open) {
		uv_walk(&w->loop, close_handle, NULL);
		while (uv_run(&w->loop, UV_RUN_DEFAULT))
			;
		uv_loop_close(&w->loop);
	}
	if (w->daemon)
		MHD_stop_daemon(w->daemon);
	timers_release(&w->timers);
	mem_free(w);
}

const char *web_url(const struct web *w)
{
	return w->url;
}

struct timers *web_timers(struct web *w)
{
	return &w->timers;
}

uint64_t web_now_us(const struct web *w)
{
	return w->now_us;
}

/* ---- requests ---- */

struct lengths {
	unsigned content_length, transfer_encoding;
};

static enum MHD_Result count_lengths(void *user, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct lengths *l = user;

	(void)kind;
	(void)value;
	l->content_length += str_eq_nocase(str_from(name), STR("content-length"));
	l->transfer_encoding += str_eq_nocase(str_from(name), STR("transfer-encoding"));
	return MHD_YES;
}

bool web_is_smuggled(struct MHD_Connection *connection)
{
	struct lengths l = { 0, 0 };

	MHD_get_connection_values(connection, MHD_HEADER_KIND, count_lengths, &l);
	return l.content_length + l.transfer_encoding > 1;
}

int web_descriptor(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}
