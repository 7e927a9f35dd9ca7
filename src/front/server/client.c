/*
 * client.c: deadlines of connections. See client.h.
 *
 * A connection is ended from outside by shutting its socket down: libmicrohttpd has no call for that, but sees the hang-up. Bytes that the peer does
 * not take would stay in the kernel for many minutes after the close; such a connection is reset instead.
 *
 * Invariant: a client that is not being ended is in `waiting` exactly while its phase is CLIENT_HEAD or CLIENT_IDLE, and in `holding` exactly while it is
 * CLIENT_BODY or CLIENT_REPLY.
 */
#include "front/server/client.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "front/common/web.h"
#include "front/server/tcp_progress.h"

#define SPARE_LEAST 2u /* connections kept free for the next ones */
#define SPARE_PART  32u
#define LOOKS       4u       /* at a slow reader, within the timeout */
#define PRESS_US    2000000u /* at those who hold memory that is short */
#define GONE_US     1000000u /* for what a client sent before it closed its side */

/* ---- arithmetic ---- */

uint64_t client_deadline(enum client_phase phase, uint64_t since_us, uint64_t timeout_us)
{
	return phase == CLIENT_WORK ? CLOCK_NEVER : since_us + timeout_us;
}

uint64_t client_extended(uint64_t deadline_us, uint64_t now_us, uint64_t timeout_us, uint64_t bytes)
{
	uint64_t more = bytes / CLIENT_BYTES_PER_S * 1000000 + bytes % CLIENT_BYTES_PER_S * 1000000 / CLIENT_BYTES_PER_S;

	return MIN(deadline_us + more, now_us + timeout_us);
}

size_t client_high_water(size_t most)
{
	size_t spare = MAX(most / SPARE_PART, (size_t)SPARE_LEAST);

	return most > spare ? most - spare : 1;
}

/* ---- the socket ---- */

/* Bytes that the peer has not acknowledged yet. */
static int unsent(int fd)
{
	int bytes = 0;

	return ioctl(fd, SIOCOUTQ, &bytes) ? 0 : bytes;
}

void client_break(struct client *c)
{
	static const struct linger none = { .l_onoff = 1, .l_linger = 0 };

	list_remove(&c->link);
	if (unsent(c->fd))
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	shutdown(c->fd, SHUT_RDWR);
}

void client_limit_pause(struct client *c, bool limited)
{
	MHD_set_connection_option(c->connection, MHD_CONNECTION_OPTION_TIMEOUT, limited ? 1u : 0u);
}

const char *client_address(struct MHD_Connection *connection, char *out, size_t size)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *a = info ? info->client_addr : NULL;

	out[0] = '\0';
	if (a && a->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr, out, (socklen_t)size);
	else if (a && a->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)a)->sin6_addr, out, (socklen_t)size);
	return out;
}

/* ---- phases ---- */

static uint64_t look_us(const struct client *c)
{
	return MAX(c->all->timeout_us / LOOKS, 1000u);
}

static bool waits(enum client_phase phase)
{
	return phase == CLIENT_HEAD || phase == CLIENT_IDLE;
}

/* libmicrohttpd misses the end of a stream that comes together with data. */
static bool is_to_be_left(const struct client *c)
{
	return c->gone && c->phase != CLIENT_WORK && c->phase != CLIENT_REPLY;
}

static void look(struct client *c, uint64_t window_us)
{
	c->looked_at = true;
	c->window_us = window_us;
	c->moved = c->phase == CLIENT_BODY ? c->received : tcp_acknowledged(c->fd);
}

/*
 * Whether the peer takes what is sent to it, or sends its body, fast enough since the last look. The first look only notes where it is: most answers are
 * taken long before, and cost no look at all.
 */
static bool goes_on(struct client *c)
{
	uint64_t before = c->moved, needed = c->window_us * CLIENT_BYTES_PER_S / 1000000;
	bool first = !c->looked_at;

	look(c, look_us(c));
	return first || c->moved - before >= MAX(needed, 1u);
}

/* When it is looked at again; 0: its time is over. */
static uint64_t next_look(struct client *c, uint64_t now_us)
{
	bool pressed = c->pressed;

	c->pressed = false;
	if (is_to_be_left(c) || (c->phase == CLIENT_IDLE && !unsent(c->fd)))
		return 0;
	if (c->phase == CLIENT_REPLY || c->phase == CLIENT_IDLE)
		return goes_on(c) ? now_us + look_us(c) : 0;
	if (pressed && !goes_on(c))
		return 0;
	return c->deadline_us > now_us ? c->deadline_us : 0;
}

static void on_due(struct timer *t, uint64_t now_us)
{
	struct client *c = CONTAINER_OF(t, struct client, timer);
	uint64_t next = next_look(c, now_us);

	if (next) {
		timer_arm(web_timers(c->all->web), t, next);
		return;
	}
	client_break(c);
	client_limit_pause(c, true); /* libmicrohttpd does not look at every socket */
}

static void arm(struct client *c)
{
	uint64_t deadline = c->deadline_us;

	if (is_to_be_left(c))
		deadline = MIN(deadline, web_now_us(c->all->web) + GONE_US);
	timer_arm(web_timers(c->all->web), &c->timer, deadline);
}

void client_gone(struct client *c)
{
	c->gone = true;
	c->pressed = false;
	arm(c);
}

void client_enter(struct client *c, enum client_phase phase)
{
	c->phase = phase;
	c->deadline_us = client_deadline(phase, web_now_us(c->all->web), c->all->timeout_us);
	c->looked_at = c->pressed = false;
	list_remove(&c->link);
	if (waits(phase))
		list_push_back(&c->all->waiting, &c->link);
	else if (phase != CLIENT_WORK)
		list_push_back(&c->all->holding, &c->link);
	arm(c);
}

void client_received(struct client *c, uint64_t bytes)
{
	c->received += bytes;
	c->deadline_us = client_extended(c->deadline_us, web_now_us(c->all->web), c->all->timeout_us, bytes);
}

static void press(struct client *c, uint64_t now_us)
{
	uint64_t window_us = MIN((uint64_t)PRESS_US, c->all->timeout_us);

	if (c->pressed || is_to_be_left(c))
		return;
	c->pressed = true;
	look(c, window_us);
	timer_arm(web_timers(c->all->web), &c->timer, now_us + window_us);
}

void clients_press(struct clients *all)
{
	uint64_t now_us = web_now_us(all->web);

	if (now_us < all->press_us)
		return;
	all->press_us = now_us + PRESS_US / LOOKS;
	LIST_FOR_EACH (it, next, &all->holding)
		press(LIST_ENTRY(it, struct client, link), now_us);
}

/* ---- life ---- */

void clients_init(struct clients *all, struct web *web, uint64_t timeout_ms, size_t most)
{
	*all = (struct clients){ .web = web, .timeout_us = timeout_ms * 1000, .most = most };
	list_init(&all->waiting);
	list_init(&all->holding);
}

static void make_room(struct clients *all)
{
	struct list *oldest = all->waiting.next;

	if (all->count > client_high_water(all->most) && oldest != &all->waiting)
		client_break(LIST_ENTRY(oldest, struct client, link));
}

struct client *client_new(struct clients *all, struct MHD_Connection *connection)
{
	struct client *c = NEW(struct client);
	int fd = web_descriptor(connection);

	if (!c || timers_reserve(web_timers(all->web), 1)) {
		mem_free(c);
		shutdown(fd, SHUT_RDWR);
		return NULL;
	}
	c->all = all;
	c->connection = connection;
	c->fd = fd;
	list_init(&c->link);
	timer_init(&c->timer, on_due);
	all->count++;
	make_room(all);
	client_enter(c, CLIENT_HEAD);
	if (!web_watch(all->web, fd, c))
		client_break(c);
	return c;
}

void client_free(struct client *c)
{
	struct timers *timers;

	if (!c)
		return;
	timers = web_timers(c->all->web);
	timer_disarm(timers, &c->timer);
	timers_unreserve(timers, 1);
	list_remove(&c->link);
	c->all->count--;
	mem_free(c);
}

struct client *client_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}
