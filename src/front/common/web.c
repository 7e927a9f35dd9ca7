/*
 * web.c: libmicrohttpd in a libuv loop. See web.h.
 *
 * libmicrohttpd brings its own epoll descriptor; libuv polls it (and the source's, and that of the watched connections) and one timer, which stands
 * for the earliest of our timers, the source's and libmicrohttpd's. A round is: timers, source, hang-ups, MHD_run, again while one of them has more to
 * do at once, then arm the timer. Cost: two system calls a round besides those of the connections, one for each watched connection.
 *
 * The descriptors stay readable in libuv (level-triggered) while there are events, so no event is lost when a round ends early. What the source or a
 * hang-up resumes is served by the MHD_run behind it, of the same round: libmicrohttpd does not count a resumed connection in its timeout.
 *
 * Watched connections lie edge-triggered in one epoll set from their beginning to their close, which takes them out: a hang-up is told once. Its tag
 * stays valid during the telling, because nobody but MHD_run frees a connection.
 */
#include "front/common/web.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/str.h"
#include "net/lag.h"

#define BACKLOG        4096
#define MEMORY_LIMIT   ((size_t)16 << 10) /* a connection's pool: headers and write buffer */
#define ROUNDS_MAX     64
#define BUSY_US        500000u
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define HANGUPS_MAX    64 /* told in one round */
#define PROBES         3  /* of keepalive, before a silent peer is given up */

struct web {
	struct web_options options;
	struct web_source source;
	char url[80];
	char complaint[200]; /* libmicrohttpd's last one while it starts */
	struct MHD_Daemon *daemon;
	struct timers timers;
	uint64_t now_us, source_due_us;
	uint64_t busy_since_us; /* 0: the last round came to an end */
	struct lag lag;
	int watch_fd; /* epoll set of the watched connections; -1: none */
	uv_loop_t loop;
	uv_poll_t poll, source_poll, watch_poll;
	uv_timer_t timer;
	uv_idle_t again;
	uv_signal_t signals[3];
	bool loop_open, stopping, started, source_ready, hangups;
};

/* ---- the loop ---- */

/* Milliseconds until libmicrohttpd wants to run again; UINT64_MAX: only when there is an event. */
static uint64_t daemon_timeout_ms(struct web *w)
{
	MHD_UNSIGNED_LONG_LONG ms;

	return MHD_get_timeout(w->daemon, &ms) == MHD_YES ? (uint64_t)ms : UINT64_MAX;
}

static void on_timer(uv_timer_t *timer);
static void on_again(uv_idle_t *again);

/* At once is not a timer of 0 ms: libuv runs one that is armed anew in its callback over and over, and looks at no descriptor and signal meanwhile. */
static void arm(struct web *w, uint64_t next_us, uint64_t daemon_ms)
{
	uint64_t ms = UINT64_MAX;

	if (next_us != CLOCK_NEVER)
		ms = next_us > w->now_us ? (next_us - w->now_us + 999) / 1000 : 0;
	ms = MIN(ms, daemon_ms);
	uv_idle_stop(&w->again);
	uv_timer_stop(&w->timer);
	if (ms == 0)
		uv_idle_start(&w->again, on_again);
	if (ms == 0 || ms == UINT64_MAX)
		return;
	uv_update_time(&w->loop);
	uv_timer_start(&w->timer, on_timer, ms, 0);
}

static void run_source(struct web *w)
{
	int ms;

	if (!w->source.process || (!w->source_ready && w->source_due_us > w->now_us))
		return;
	w->source_ready = false;
	w->source.process(w->source.user);
	ms = w->source.timeout_ms(w->source.user);
	w->source_due_us = ms < 0 ? CLOCK_NEVER : w->now_us + (uint64_t)ms * 1000;
}

/* Tells who has gone. What is left in the set keeps its descriptor readable. */
static void tell_hangups(struct web *w)
{
	struct epoll_event events[HANGUPS_MAX];
	int n;

	if (!w->hangups)
		return;
	n = epoll_wait(w->watch_fd, events, HANGUPS_MAX, 0);
	w->hangups = n == HANGUPS_MAX;
	for (int i = 0; i < n; i++)
		w->options.on_gone(w->options.user, events[i].data.ptr);
}

/* A connection that libmicrohttpd cannot go on with keeps it busy for ever. */
static void note_busy(struct web *w, bool busy)
{
	if (!busy)
		w->busy_since_us = 0;
	else if (!w->busy_since_us)
		w->busy_since_us = w->now_us;
	else if (w->options.on_busy && w->now_us - w->busy_since_us >= BUSY_US)
		w->options.on_busy(w->options.user);
}

static void run_round(struct web *w)
{
	uint64_t next_us, daemon_ms = 0;
	int rounds = 0;

	do {
		w->now_us = clock_monotonic_us();
		timers_run(&w->timers, w->now_us);
		run_source(w);
		tell_hangups(w);
		MHD_run(w->daemon);
		daemon_ms = daemon_timeout_ms(w);
		next_us = MIN(timers_next(&w->timers), w->source_ready ? 0 : w->source_due_us);
		lag_note(&w->lag, clock_monotonic_us() - w->now_us);
	} while ((daemon_ms == 0 || next_us <= w->now_us || w->hangups) && ++rounds < ROUNDS_MAX);
	note_busy(w, rounds == ROUNDS_MAX);
	if (w->options.on_round_end)
		w->options.on_round_end(w->options.user);
	arm(w, w->hangups ? 0 : next_us, daemon_ms);
}

static void on_timer(uv_timer_t *timer)
{
	run_round(timer->data);
}

static void on_again(uv_idle_t *again)
{
	run_round(again->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run_round(poll->data);
}

static void on_source(uv_poll_t *poll, int status, int events)
{
	struct web *w = poll->data;

	(void)status;
	(void)events;
	w->source_ready = true;
	run_round(w);
}

static void on_hangup(uv_poll_t *poll, int status, int events)
{
	struct web *w = poll->data;

	(void)status;
	(void)events;
	w->hangups = true;
	run_round(w);
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct web *w = signal->data;

	if (!w->options.on_signal) {
		web_stop(w);
		return;
	}
	w->now_us = clock_monotonic_us();
	w->options.on_signal(w->options.user, number);
	run_round(w);
}

void web_wake(struct web *w)
{
	w->source_ready = true;
}

bool web_watch(struct web *w, int fd, void *tag)
{
	struct epoll_event event = { .events = EPOLLRDHUP | EPOLLET, .data.ptr = tag };

	return epoll_ctl(w->watch_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

void web_quiesce(struct web *w)
{
	int fd = MHD_quiesce_daemon(w->daemon);

	if (fd >= 0)
		close(fd);
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

/* Accepted sockets inherit it: a peer that has vanished without a word is noticed, also while nothing is sent to it. */
static void notice_dead_peers(int fd, unsigned seconds)
{
	int one = 1, probes = PROBES, interval = (int)MAX(seconds / (2 * PROBES), 1u), idle = (int)MAX(seconds / 2, 1u);
	unsigned ms = seconds * 1000;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

/* The url of a socket that listens. False: it has no IP address. */
static bool name_socket(struct web *w, int fd)
{
	const char *scheme = w->options.tls_cert ? "https" : "http";
	char text[INET6_ADDRSTRLEN];
	struct address a;

	memset(&a, 0, sizeof(a));
	a.len = sizeof(a.v6);
	if (getsockname(fd, &a.any, &a.len))
		return false;
	if (a.any.sa_family == AF_INET && inet_ntop(AF_INET, &a.v4.sin_addr, text, sizeof(text)))
		snprintf(w->url, sizeof(w->url), "%s://%s:%u", scheme, text, (unsigned)ntohs(a.v4.sin_port));
	else if (a.any.sa_family == AF_INET6 && inet_ntop(AF_INET6, &a.v6.sin6_addr, text, sizeof(text)))
		snprintf(w->url, sizeof(w->url), "%s://[%s]:%u", scheme, text, (unsigned)ntohs(a.v6.sin6_port));
	return w->url[0] != '\0';
}

static int take_socket(struct web *w, int fd, struct error *err)
{
	int listens = 0, flags = fcntl(fd, F_GETFL);
	socklen_t len = sizeof(listens);

	if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) || !listens || !name_socket(w, fd))
		return error_set(err, FF_EUSAGE, "", "The socket that was handed over is not a TCP socket that listens.");
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
		return error_set(err, FF_EINTERNAL, "", "The socket that was handed over cannot be used: %s.", strerror(errno));
	return 0;
}

/* Binds and listens. */
static int make_socket(struct web *w, int *ret, struct error *err)
{
	const struct web_options *o = &w->options;
	struct address a;
	int one = 1, fd, code = parse_address(o->listen, o->port, &a, err);

	if (code)
		return code;
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) || bind(fd, &a.any, a.len) ||
	    listen(fd, BACKLOG) || !name_socket(w, fd))
		return listen_failed(fd, o->listen, o->port, err);
	*ret = fd;
	return 0;
}

static int open_socket(struct web *w, int *ret, struct error *err)
{
	int code = 0;

	*ret = w->options.listen_fd;
	if (*ret)
		code = take_socket(w, *ret, err);
	else
		code = make_socket(w, ret, err);
	if (!code && w->options.peer_timeout_s)
		notice_dead_peers(*ret, w->options.peer_timeout_s);
	return code;
}

/* Paths and queries stay percent-encoded: a slash within a segment must not become one between two. */
static size_t keep_encoded(void *user, struct MHD_Connection *connection, char *text)
{
	(void)user;
	(void)connection;
	return strlen(text);
}

/* Why it cannot start is the owner's to say; what it says later is about single connections. */
static void PRINTF_LIKE(2, 0) complain(void *user, const char *format, va_list args)
{
	struct web *w = user;
	size_t len;

	if (w->started)
		return;
	vsnprintf(w->complaint, sizeof(w->complaint), format, args); /* NOLINT(clang-analyzer-valist.Uninitialized) */
	len = strlen(w->complaint);
	if (len && w->complaint[len - 1] == '\n')
		w->complaint[len - 1] = '\0';
}

static int daemon_failed(const struct web *w, struct error *err)
{
	if (w->options.tls_cert)
		return error_set(err, FF_EUSAGE, "", "The certificate and its key cannot be used: %s",
		                 w->complaint[0] ? w->complaint : "they are no pair in PEM form.");
	return error_set(err, FF_EINTERNAL, "",
	                 "The HTTP server cannot be started: there may be too few file descriptors or too little memory.");
}

/* With TLS a close is said within TLS, too: without MHD_USE_TURBO. */
static int open_daemon(struct web *w, int socket, struct error *err)
{
	const struct web_options *o = &w->options;
	struct MHD_OptionItem tls[] = { { MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)o->tls_cert },
		                        { MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)o->tls_key },
		                        { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES },
		                        { MHD_OPTION_END, 0, NULL } };
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;

	flags |= o->tls_cert ? (unsigned)MHD_USE_TLS : (unsigned)MHD_USE_TURBO;
	w->daemon = MHD_start_daemon(
	        flags, 0, NULL, NULL, o->handler, o->user, MHD_OPTION_EXTERNAL_LOGGER, complain, w, MHD_OPTION_ARRAY,
	        o->tls_cert ? tls : &tls[ARRAY_SIZE(tls) - 1], MHD_OPTION_URI_LOG_CALLBACK, o->on_request_line, o->user,
	        MHD_OPTION_LISTEN_SOCKET, socket, MHD_OPTION_CONNECTION_LIMIT, o->max_connections,
	        MHD_OPTION_CONNECTION_MEMORY_LIMIT, o->connection_memory ? o->connection_memory : MEMORY_LIMIT,
	        MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_NOTIFY_COMPLETED, o->completed, o->user, MHD_OPTION_NOTIFY_CONNECTION,
	        o->on_connection, o->user, MHD_OPTION_STRICT_FOR_CLIENT, (int)o->strict, MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded,
	        NULL, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
	w->started = w->daemon != NULL;
	if (w->daemon)
		return 0;
	close(socket);
	return daemon_failed(w, err);
}

static int poll_fd(struct web *w, uv_poll_t *poll, int fd, uv_poll_cb callback)
{
	int code = uv_poll_init(&w->loop, poll, fd);

	poll->data = w;
	return code ? code : uv_poll_start(poll, UV_READABLE, callback);
}

static int open_signals(struct web *w)
{
	static const int numbers[3] = { SIGINT, SIGTERM, SIGHUP };
	size_t count = w->options.on_signal ? 3 : 2;
	int code = 0;

	for (size_t i = 0; code == 0 && i < count; i++) {
		code = uv_signal_init(&w->loop, &w->signals[i]);
		w->signals[i].data = w;
		code = code ? code : uv_signal_start(&w->signals[i], on_signal, numbers[i]);
	}
	return code;
}

static int open_watch(struct web *w)
{
	if (!w->options.on_gone)
		return 0;
	w->watch_fd = epoll_create1(EPOLL_CLOEXEC);
	return w->watch_fd < 0 ? uv_translate_sys_error(errno) : poll_fd(w, &w->watch_poll, w->watch_fd, on_hangup);
}

/* Opens loop and handles; from loop_open on, web_free closes them all. */
static int open_loop(struct web *w, struct error *err)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	int code = info ? 0 : UV_EINVAL;

	if (!code)
		code = descriptors_available(DESCRIPTORS_OF_A_LOOP) ? uv_loop_init(&w->loop) : uv_translate_sys_error(errno);
	if (code)
		return error_set(err, FF_EINTERNAL, "", "The event loop cannot be opened: %s.", uv_strerror(code));
	w->loop_open = true;
	code = uv_timer_init(&w->loop, &w->timer);
	w->timer.data = w;
	code = code ? code : uv_idle_init(&w->loop, &w->again);
	w->again.data = w;
	code = code ? code : open_signals(w);
	code = code ? code : poll_fd(w, &w->poll, info->epoll_fd, on_poll);
	if (!code && w->source.process)
		code = poll_fd(w, &w->source_poll, w->source.fd, on_source);
	code = code ? code : open_watch(w);
	return code ? error_set(err, FF_EINTERNAL, "", "The event loop cannot be set up: %s.", uv_strerror(code)) : 0;
}

int web_new(const struct web_options *options, struct web **ret, struct error *err)
{
	struct web *w = NEW(struct web);
	int socket = -1, code;

	if (!w)
		return error_nomem(err);
	w->options = *options;
	w->watch_fd = -1;
	w->source_due_us = CLOCK_NEVER;
	if (options->source) {
		w->source = *options->source;
		w->source_ready = true;
	}
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
	if (w->watch_fd >= 0)
		close(w->watch_fd);
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

const struct lag *web_lag(const struct web *w)
{
	return &w->lag;
}

/* ---- requests ---- */

struct lengths {
	unsigned content_length, transfer_encoding, host;
	bool strange;
};

/* What a reader that is stricter or laxer than libmicrohttpd takes for another header, or for none. */
static bool is_strange_name(struct str name)
{
	return !name.len || memchr(name.ptr, ' ', name.len) || memchr(name.ptr, '\t', name.len);
}

static enum MHD_Result count_lengths(void *user, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct lengths *l = user;
	struct str n = str_from(name);

	(void)kind;
	l->strange |= is_strange_name(n) || (value && strchr(value, '\r'));
	l->host += str_eq_nocase(n, STR("host"));
	l->content_length += str_eq_nocase(n, STR("content-length"));
	if (str_eq_nocase(n, STR("transfer-encoding"))) {
		l->transfer_encoding++;
		l->strange |= !str_eq_nocase(str_from(value), STR("chunked"));
	}
	return MHD_YES;
}

bool web_is_smuggled(struct MHD_Connection *connection, const char *version)
{
	struct lengths l = { 0 };

	MHD_get_connection_values(connection, MHD_HEADER_KIND, count_lengths, &l);
	l.strange |= l.transfer_encoding && !strcmp(version, MHD_HTTP_VERSION_1_0);
	return l.strange || l.content_length + l.transfer_encoding > 1 || l.host > 1;
}

int web_descriptor(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}
