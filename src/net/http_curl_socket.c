/*
 * http_curl_socket.c: libcurl's sockets on libuv's poll set, with as few system calls as can be.
 *
 * libcurl asks for a socket at the start of every transfer and lets go of it at the end; obeying would cost two epoll_ctl calls or more a request. So
 *   - what libcurl lets go of stays in the poll set, for reading;
 *   - interest is handed to the kernel only when it widens, or when it drops writability (which would fire for ever);
 *   - an event on a socket that nobody wants (a FIN on an idle connection) takes it out of the set, else it would fire for ever;
 *   - the handle is found by descriptor and kept for the next socket of that number: opening one costs libuv two epoll_ctl calls and an ioctl.
 * Between transfers a steady load makes no epoll_ctl call at all.
 *
 * Invariant: only a socket whose close goes through us (`kept`) may stay in the set unasked, because only then can it be taken out before the number
 * means something else; libuv aborts when it is handed a closed descriptor. libcurl closes two kinds behind our back, and those obey at once: its resolver's,
 * and sockets that did not connect (the slower of two addresses, a cancelled attempt). A socket is kept from when it is first read from: one that is
 * still connecting is only asked for writability.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/http_curl_internal.h"

static void poll_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

static int grow(struct sockets *table, size_t fd)
{
	size_t room = MAX(table->room * 2, fd + 64);
	struct socket **by_fd = mem_realloc(table->by_fd, room * sizeof(struct socket *));

	if (!by_fd)
		return FF_ENOMEM;
	memset(by_fd + table->room, 0, (room - table->room) * sizeof(struct socket *));
	table->by_fd = by_fd;
	table->room = room;
	return 0;
}

static struct socket *socket_of(struct http_curl *t, int fd)
{
	return fd >= 0 && (size_t)fd < t->sockets.room ? t->sockets.by_fd[fd] : NULL;
}

/* The socket of a descriptor, made if it is new. NULL when memory is short (or the kernel cannot poll the descriptor). */
static struct socket *socket_make(struct http_curl *t, int fd)
{
	struct socket *s = socket_of(t, fd);

	if (s || fd < 0)
		return s;
	if ((size_t)fd >= t->sockets.room && grow(&t->sockets, (size_t)fd))
		return NULL;
	s = NEW(struct socket);
	if (!s)
		return NULL;
	s->t = t;
	s->fd = fd;
	if (uv_poll_init(loop_uv(t->loop), &s->poll, fd)) {
		mem_free(s);
		return NULL;
	}
	uv_unref((uv_handle_t *)&s->poll); /* what keeps the loop busy are transfers, not idle connections */
	s->poll.data = s;
	t->sockets.by_fd[fd] = s;
	return s;
}

static void socket_ready(uv_poll_t *poll, int status, int events);

static void watch(struct socket *s, int events)
{
	if (events == s->watched)
		return;
	if (events == 0) {
		uv_poll_stop(&s->poll);
		s->watched = 0;
		return;
	}
	if (uv_poll_start(&s->poll, events, socket_ready) == 0) {
		s->watched = events;
		loop_touch(s->t->loop);
	}
}

static int as_action(int events)
{
	return (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
}

/* libuv stops the poll by itself when it reports an error; libcurl is told that what it waits for is there, and finds the reason itself. */
static void socket_ready(uv_poll_t *poll, int status, int events)
{
	struct socket *s = poll->data;
	int fd = s->fd;

	if (status < 0) {
		s->watched = 0;
		events = s->wanted;
	}
	if (events & ~s->wanted)
		watch(s, s->wanted);
	events &= s->wanted;
	if (!events)
		return;
	shard_socket_action(s->shard, fd, as_action(events));
	if (s->wanted && !s->watched)
		watch(s, s->wanted); /* libcurl still waits on a descriptor that libuv gave up */
	loop_breathe(s->t->loop);
}

int sockets_on_interest(CURL *easy UNUSED, curl_socket_t fd, int what, void *shard, void *unused UNUSED)
{
	struct shard *owner = shard;
	struct socket *s = what == CURL_POLL_REMOVE ? socket_of(owner->t, fd) : socket_make(owner->t, fd);

	if (!s) /* out of memory for a resolver's descriptor (ours have theirs since they were opened): libcurl also looks on a timer */
		return 0;
	if (what == CURL_POLL_REMOVE) {
		s->wanted = 0;
		if (!s->kept)
			watch(s, 0);
		return 0;
	}
	s->shard = owner;
	s->kept = s->kept || (s->opened && (what & CURL_POLL_IN));
	s->wanted = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
	if (s->wanted & ~s->watched || (s->watched & ~s->wanted & UV_WRITABLE))
		watch(s, s->wanted);
	return 0;
}

curl_socket_t sockets_on_open(void *transfer, curlsocktype purpose UNUSED, struct curl_sockaddr *address)
{
	struct http_transfer *x = transfer;
	const struct origin *origin = x->route->origin;
	struct socket *s;
	int fd;

	if (x->t->stranger && !origin->exempt && address_is_special(&address->addr)) {
		x->address_forbidden = true;
		return CURL_SOCKET_BAD;
	}
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
	if (fd < 0) {
		x->local_errno = errno;
		return CURL_SOCKET_BAD;
	}
	s = socket_make(x->t, fd);
	if (!s) {
		x->local_errno = ENOMEM;
		close(fd);
		return CURL_SOCKET_BAD;
	}
	/* If libcurl closed the number's last socket without a word and opens this one in the same breath, it takes its interest to be known. */
	watch(s, 0);
	watch(s, s->wanted);
	s->opened = true;
	s->kept = false;
	return fd;
}

int sockets_on_close(void *http_curl, curl_socket_t fd)
{
	struct socket *s = socket_of(http_curl, fd);

	if (s) {
		watch(s, 0);
		s->wanted = 0;
		s->opened = s->kept = false;
	}
	return close(fd);
}

void sockets_release(struct http_curl *t)
{
	for (size_t fd = 0; fd < t->sockets.room; fd++)
		if (t->sockets.by_fd[fd])
			uv_close((uv_handle_t *)&t->sockets.by_fd[fd]->poll, poll_closed);
	mem_free(t->sockets.by_fd);
	t->sockets = (struct sockets){ .by_fd = NULL };
}
