/*
 * child.c: the pipes and the end of a process.
 *
 *   running ──exits──────────────────────────────> exited ──dismissed──> released
 *      └─dismissed─> leaving ─(SIGTERM, SIGKILL)─> exited ─────────────> released
 *
 * The order at the end matters. The pidfd tells that the process is dead while it is still a zombie, so its number cannot have been given to somebody
 * else: first the rest of its group is killed, then what it wrote is read to the end, then it is reaped. A process that closes a standard stream
 * has usually just died: the owner is told of the stream only when the process still lives EXIT_GRACE_US later.
 *
 * Bytes to the child leave from the loop alone (a deferred call, or when the pipe has room), where SIGPIPE is blocked. An event reads a few chunks
 * at most, so that a child that floods us cannot hold the loop. The memory of a child is freed when libuv has let go of its handles.
 */
#include "net/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "net/child_spawn.h"
#include "net/sigpipe.h"

#define CHUNK_BYTES   65536u
#define EVENT_CHUNKS  4                 /* read from one stream in one go */
#define EXIT_CHUNKS   256               /* after the exit: what still stands in the pipes */
#define EXIT_GRACE_US UINT64_C(200000)  /* between the end of a stream and the exit of its process */
#define WAIT_MOST     256               /* children looked at in one poll */
#define CONSUME_BYTES ((size_t)1 << 20) /* sent bytes are dropped from the buffer in pieces */

enum stream_name { STREAM_IN, STREAM_OUT, STREAM_ERR, STREAM_LIFE, STREAMS };

struct stream {
	uv_poll_t poll;
	struct child *child;
	int fd; /* -1: closed */
};

struct child {
	struct list link; /* of the keeper */
	struct child_keeper *keeper;
	const struct child_callbacks *callbacks; /* NULL: dismissed */
	void *user;
	pid_t pid;
	struct stream streams[STREAMS];
	unsigned handles; /* that libuv still knows */
	struct buf unsent;
	size_t sent; /* bytes of `unsent` that are gone */
	struct buf line;
	struct deferred flush;
	struct timer timer;              /* dismissed: the next signal; else: the news of a closed stream */
	bool input_waits;                /* the pipe is full: poll says when it has room */
	bool input_closed, output_ended; /* by the child */
	bool end_input;                  /* as soon as all is sent */
	bool termed, exited, released;
	struct child_end end;
	char chunk[CHUNK_BYTES];
};

struct child_keeper {
	struct loop *loop;
	struct list children;
};

/* ---- streams ---- */

static void handle_closed(uv_handle_t *handle)
{
	struct child *c = handle->data;

	if (--c->handles == 0 && c->released)
		mem_free(c);
}

static void stream_close(struct stream *s)
{
	if (s->fd < 0)
		return;
	uv_close((uv_handle_t *)&s->poll, handle_closed);
	close(s->fd);
	s->fd = -1;
}

/* Frees it as soon as libuv lets go. */
static void release(struct child *c)
{
	struct timers *timers = loop_timers(c->keeper->loop);

	if (c->released)
		return;
	c->released = true;
	for (size_t i = 0; i < STREAMS; i++)
		stream_close(&c->streams[i]);
	timer_disarm(timers, &c->timer);
	timers_unreserve(timers, 1);
	deferred_cancel(&c->flush);
	list_remove(&c->link);
	buf_release(&c->unsent);
	buf_release(&c->line);
	if (c->handles == 0)
		mem_free(c);
}

static void signal_group(const struct child *c, int number)
{
	if (!c->exited)
		kill(-c->pid, number);
}

/* ---- what it writes ---- */

static void give_line(struct child *c)
{
	struct str line = buf_str(&c->line);

	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	if (c->callbacks && line.len)
		c->callbacks->on_error_line(c->user, line);
	buf_clear(&c->line);
}

/* A piece of a line; what is beyond the cap is dropped. */
static void keep_piece(struct child *c, struct str piece)
{
	size_t room = CHILD_LINE_MAX_BYTES - MIN(c->line.len, CHILD_LINE_MAX_BYTES);

	(void)buf_append(&c->line, piece.ptr, MIN(piece.len, room)); /* lack of memory loses a line of a log */
}

static void take_error_output(struct child *c, struct str bytes)
{
	size_t end;

	while (bytes.len && (end = str_find(bytes, STR("\n"), 0)) != SIZE_MAX) {
		keep_piece(c, str_sub(bytes, 0, end));
		give_line(c);
		bytes = str_sub(bytes, end + 1, bytes.len);
	}
	if (bytes.len)
		keep_piece(c, bytes);
}

static void take_bytes(struct child *c, const struct stream *s, size_t len)
{
	if (s == &c->streams[STREAM_ERR])
		take_error_output(c, str_of(c->chunk, len));
	else if (c->callbacks)
		c->callbacks->on_output(c->user, c->chunk, len);
}

static void note_closed(struct child *c)
{
	struct loop *l = c->keeper->loop;

	if (c->callbacks && !c->exited && !heap_node_armed(&c->timer.node))
		timer_arm(loop_timers(l), &c->timer, loop_now_us(l) + EXIT_GRACE_US);
}

static void stream_ended(struct child *c, struct stream *s)
{
	stream_close(s);
	if (s == &c->streams[STREAM_ERR]) {
		give_line(c);
		return;
	}
	c->output_ended = true;
	note_closed(c);
}

static void read_stream(struct child *c, struct stream *s, unsigned chunks)
{
	while (chunks-- && s->fd >= 0) {
		ssize_t n = read(s->fd, c->chunk, sizeof(c->chunk));

		if (n > 0)
			take_bytes(c, s, (size_t)n);
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 && errno == EAGAIN)
			return;
		else
			stream_ended(c, s);
		if (n > 0 && (size_t)n < sizeof(c->chunk))
			return; /* that was all: another read would only say so */
	}
}

/* ---- what it is sent ---- */

static void input_ready(uv_poll_t *poll, int status, int events);

static void wait_for_room(struct child *c)
{
	if (c->input_waits)
		return;
	c->input_waits = true;
	uv_poll_start(&c->streams[STREAM_IN].poll, UV_WRITABLE, input_ready);
	loop_touch(c->keeper->loop);
}

static void all_sent(struct child *c)
{
	buf_clear(&c->unsent);
	buf_shrink(&c->unsent, CONSUME_BYTES);
	c->sent = 0;
	if (c->input_waits && c->streams[STREAM_IN].fd >= 0)
		uv_poll_stop(&c->streams[STREAM_IN].poll);
	c->input_waits = false;
	if (c->end_input)
		stream_close(&c->streams[STREAM_IN]);
}

static void input_broke(struct child *c)
{
	stream_close(&c->streams[STREAM_IN]);
	c->input_waits = false;
	c->input_closed = true;
	note_closed(c);
}

static void drop_sent(struct child *c)
{
	if (c->sent < CONSUME_BYTES)
		return;
	buf_consume(&c->unsent, c->sent);
	c->sent = 0;
}

static void flush(struct child *c)
{
	while (c->streams[STREAM_IN].fd >= 0 && c->sent < c->unsent.len) {
		ssize_t n = write(c->streams[STREAM_IN].fd, c->unsent.ptr + c->sent, c->unsent.len - c->sent);

		if (n >= 0) {
			c->sent += (size_t)n;
		} else if (errno == EAGAIN) {
			drop_sent(c);
			wait_for_room(c);
			return;
		} else if (errno != EINTR) {
			input_broke(c);
		}
	}
	all_sent(c);
}

static void flush_called(struct deferred *d)
{
	flush(CONTAINER_OF(d, struct child, flush));
}

int child_send(struct child *c, struct str bytes)
{
	int r;

	if (c->streams[STREAM_IN].fd < 0)
		return 0; /* its end is on the way */
	r = buf_append_str(&c->unsent, bytes);
	if (r) {
		c->unsent.failed = 0; /* nothing was appended: what stood there is still good */
		return r;
	}
	loop_defer(c->keeper->loop, &c->flush);
	return 0;
}

size_t child_unsent(const struct child *c)
{
	return c->unsent.len - c->sent;
}

/* ---- its end ---- */

static void reap(struct child *c)
{
	siginfo_t info = { 0 };
	int r;

	do
		r = waitid(P_PID, (id_t)c->pid, &info, WEXITED);
	while (r < 0 && errno == EINTR);
	/* A host program that ignores SIGCHLD has its children reaped by the kernel. */
	c->end = r < 0 ? (struct child_end){ false, -1 } : (struct child_end){ info.si_code != CLD_EXITED, info.si_status };
}

static void take_exit(struct child *c)
{
	const struct child_callbacks *callbacks;

	kill(-c->pid, SIGKILL);
	read_stream(c, &c->streams[STREAM_OUT], EXIT_CHUNKS);
	read_stream(c, &c->streams[STREAM_ERR], EXIT_CHUNKS);
	give_line(c);
	reap(c);
	c->exited = true;
	callbacks = c->callbacks;
	for (size_t i = 0; i < STREAMS; i++)
		stream_close(&c->streams[i]);
	timer_disarm(loop_timers(c->keeper->loop), &c->timer);
	if (callbacks)
		callbacks->on_exit(c->user, &c->end);
	else
		release(c);
}

/* The next thing that is due for a child that was dismissed. */
static void press(struct child *c, uint64_t now_us)
{
	signal_group(c, c->termed ? SIGKILL : SIGTERM);
	if (!c->termed)
		timer_arm(loop_timers(c->keeper->loop), &c->timer, now_us + CHILD_TERM_US);
	c->termed = true;
}

static void timer_fired(struct timer *timer, uint64_t now_us)
{
	struct child *c = CONTAINER_OF(timer, struct child, timer);

	if (!c->callbacks)
		press(c, now_us);
	else if (c->output_ended)
		c->callbacks->on_output_end(c->user);
	else if (c->input_closed)
		c->callbacks->on_input_closed(c->user);
}

void child_dismiss(struct child *c, bool polite)
{
	struct loop *l;

	if (!c)
		return;
	l = c->keeper->loop;
	c->callbacks = NULL;
	if (c->exited) {
		release(c);
		return;
	}
	c->end_input = true;
	timer_disarm(loop_timers(l), &c->timer);
	if (polite) {
		loop_defer(l, &c->flush);
		timer_arm(loop_timers(l), &c->timer, loop_now_us(l) + CHILD_POLITE_US);
		return;
	}
	deferred_cancel(&c->flush);
	stream_close(&c->streams[STREAM_IN]);
	press(c, loop_now_us(l));
}

void child_end_format(const struct child_end *end, char *out, size_t size)
{
	if (end->signalled)
		snprintf(out, size, "signal %d (%s)", end->number, strsignal(end->number));
	else if (end->number < 0)
		snprintf(out, size, "a status that somebody else took");
	else
		snprintf(out, size, "exit status %d", end->number);
}

int child_pid(const struct child *c)
{
	return c->pid;
}

/* ---- events ---- */

static void stream_event(struct child *c, size_t name)
{
	if (c->streams[name].fd < 0)
		return;
	if (name == STREAM_IN)
		flush(c);
	else if (name == STREAM_LIFE)
		take_exit(c);
	else
		read_stream(c, &c->streams[name], EVENT_CHUNKS);
}

static void ready(uv_poll_t *poll, int status, int events)
{
	struct stream *s = CONTAINER_OF(poll, struct stream, poll);
	struct child *c = s->child;
	struct loop *l = c->keeper->loop;

	(void)status, (void)events; /* an error shows at the read */
	stream_event(c, (size_t)(s - c->streams));
	loop_breathe(l);
}

static void input_ready(uv_poll_t *poll, int status, int events)
{
	ready(poll, status, events);
}

static int watch(struct child *c, size_t name, int fd)
{
	struct stream *s = &c->streams[name];

	if (uv_poll_init(loop_uv(c->keeper->loop), &s->poll, fd)) {
		close(fd);
		return FF_ENOMEM;
	}
	s->fd = fd;
	s->poll.data = c;
	c->handles++;
	if (name != STREAM_IN)
		uv_poll_start(&s->poll, UV_READABLE, ready);
	return 0;
}

/* ---- life ---- */

static struct child *child_alloc(struct child_keeper *k, const struct child_config *config)
{
	struct child *c = NEW(struct child);

	if (!c || timers_reserve(loop_timers(k->loop), 1)) {
		mem_free(c);
		return NULL;
	}
	c->keeper = k;
	c->callbacks = config->callbacks;
	c->user = config->user;
	for (size_t i = 0; i < STREAMS; i++) {
		c->streams[i].child = c;
		c->streams[i].fd = -1;
	}
	buf_init(&c->unsent, CHILD_INPUT_MAX_BYTES);
	buf_init(&c->line, CHILD_LINE_MAX_BYTES);
	deferred_init(&c->flush, flush_called);
	timer_init(&c->timer, timer_fired);
	list_push_back(&k->children, &c->link);
	return c;
}

static int watch_all(struct child *c, const struct spawned *s)
{
	const int fds[STREAMS] = { [STREAM_IN] = s->in, [STREAM_OUT] = s->out, [STREAM_ERR] = s->err, [STREAM_LIFE] = s->pidfd };
	int r = 0;

	c->pid = s->pid;
	for (size_t i = 0; i < STREAMS; i++)
		r = watch(c, i, fds[i]) ? FF_ENOMEM : r;
	loop_touch(c->keeper->loop);
	return r;
}

int child_start(struct child_keeper *k, const struct child_config *config, struct child **ret, struct error *err)
{
	struct child *c = child_alloc(k, config);
	struct spawned spawned;
	int r;

	if (!c)
		return error_nomem(err);
	r = child_spawn(config->argv, config->envp, &spawned, err);
	if (r) {
		release(c);
		return r;
	}
	if (watch_all(c, &spawned)) {
		signal_group(c, SIGKILL);
		reap(c);
		c->exited = true;
		release(c);
		return error_nomem(err);
	}
	*ret = c;
	return 0;
}

/* ---- without the loop ---- */

static size_t add_polls(struct child *c, struct pollfd *fds)
{
	for (size_t i = 0; i < STREAMS; i++)
		fds[i] = (struct pollfd){ .fd = c->streams[i].fd, .events = i == STREAM_IN ? POLLOUT : POLLIN };
	if (child_unsent(c) == 0)
		fds[STREAM_IN].fd = -1;
	return STREAMS;
}

void child_wait(struct child *const *children, size_t count, int timeout_ms)
{
	struct pollfd fds[WAIT_MOST * STREAMS];
	struct sigpipe_guard guard;

	count = MIN(count, (size_t)WAIT_MOST);
	sigpipe_block(&guard);
	for (size_t i = 0; i < count; i++)
		flush(children[i]);
	for (size_t i = 0; i < count; i++)
		add_polls(children[i], &fds[i * STREAMS]);
	if (poll(fds, count * STREAMS, timeout_ms) > 0)
		for (size_t i = 0; i < count * STREAMS; i++)
			if (fds[i].revents && !children[i / STREAMS]->released)
				stream_event(children[i / STREAMS], i % STREAMS);
	sigpipe_restore(&guard);
}

/* ---- the keeper ---- */

int child_keeper_new(struct loop *l, struct child_keeper **ret)
{
	struct child_keeper *k = NEW(struct child_keeper);

	if (!k)
		return FF_ENOMEM;
	k->loop = l;
	list_init(&k->children);
	*ret = k;
	return 0;
}

/* Milliseconds until the first child is due for a signal, at least 1; those that are due get it. */
static int press_due(struct child_keeper *k)
{
	uint64_t now_us = clock_monotonic_us(), next_us = CLOCK_NEVER;

	LIST_FOR_EACH (it, tmp, &k->children) {
		struct child *c = LIST_ENTRY(it, struct child, link);

		if (heap_node_armed(&c->timer.node) && c->timer.node.deadline_us <= now_us) {
			timer_disarm(loop_timers(k->loop), &c->timer);
			press(c, now_us);
		}
		if (heap_node_armed(&c->timer.node))
			next_us = MIN(next_us, c->timer.node.deadline_us);
	}
	return next_us == CLOCK_NEVER ? 1000 : (int)((next_us - now_us) / 1000) + 1;
}

void child_keeper_free(struct child_keeper *k)
{
	if (!k)
		return;
	while (!list_empty(&k->children)) {
		struct child *some[WAIT_MOST];
		size_t count = 0;
		int timeout_ms = press_due(k);

		LIST_FOR_EACH (it, tmp, &k->children) {
			assert(!LIST_ENTRY(it, struct child, link)->callbacks);
			if (count < WAIT_MOST)
				some[count++] = LIST_ENTRY(it, struct child, link);
		}
		child_wait(some, count, timeout_ms);
	}
	mem_free(k);
}
