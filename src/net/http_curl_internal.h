/*
 * http_curl_internal.h: the parts of the libcurl transport and how they hang together. For http_curl*.c only.
 *
 *   http_curl ── origins ── shards (a multi handle each) ── transfers (an easy handle each, pooled)
 *        │           └ trust: CA store and caches, shared by origins that trust the same
 *        ├ routes: URLs parsed once, each pointing to its origin
 *        └ sockets: uv_poll handles by descriptor
 *
 * Life of a transfer: http_start takes a spare one and queues it at its origin; origin_admit launches it on a shard (or leaves it waiting behind the
 * origin's first exchange); it ends by libcurl's message, its own timer, a cancel, or the failure of the exchange it waited for. All four meet in
 * transfer_finish, which is only ever called from the loop and never below a call into libcurl.
 */
#ifndef FF_NET_HTTP_CURL_INTERNAL_H
#define FF_NET_HTTP_CURL_INTERNAL_H

#include <curl/curl.h>
#include <openssl/ssl.h>
#include <uv.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/map.h"
#include "net/http_curl.h"
#include "net/url.h"

#define SHARD_TRANSFERS      256 /* a multi handle searches its connections one by one: the next shard opens here */
#define STREAMS_A_CONNECTION 100 /* libcurl's own limit, and what most servers announce */
#define CONNECTION_MAX_AGE_S 50  /* idle connections are retired before common servers (60 s and more) close them under a request */
#define CONNECTION_KEPT_S    1000000000 /* keep_idle; 0 does not mean for ever to every libcurl */
#define DNS_FRESH_US         (60u * UINT64_C(1000000))
#define ORIGIN_IDLE_US       (60u * UINT64_C(1000000)) /* an origin without work for so long is closed */
#define ORIGINS_KEPT         64 /* more are not kept idle: whoever names many hosts must not fill memory and descriptors */
#define WIDEN_AFTER_US       (250u * UINT64_C(1000)) /* how long transfers wait for a stream before another connection is allowed */
#define ROUTES_KEPT          8
#define LAUNCHES_A_ROUND     64 /* more are put off to the next round of the loop: opening a connection takes 50 us and more */

struct http_curl;

/* ---- what is trusted ---- */

struct trust {
	struct list link;  /* in http_curl.trusts */
	char *cafile;      /* NULL: the transport's, or the system's */
	bool insecure;     /* nothing is verified */
	struct buf pem;    /* the file, from trust_read to trust_load */
	X509_STORE *store; /* made at the first https exchange, then never again */
	CURLSH *share;     /* DNS and TLS sessions; a session must not cross to another trust */
};

/* The trust for a CA file (empty: the transport's). 0, FF_ENOMEM. */
int trust_get(struct http_curl *t, struct str cafile, bool insecure, struct trust **ret, struct error *err);
/* Reads the CA file. 0, FF_ENOMEM, FF_EUSAGE with a sentence when it cannot be read or holds no certificate. */
int trust_read(struct trust *trust, struct error *err);
/* Makes the CA store if that has not happened, reading the file if need be. As trust_read. */
int trust_load(struct trust *trust, struct error *err);
void trusts_release(struct http_curl *t);
CURLcode trust_on_ssl_ctx(CURL *easy, void *ssl_ctx, void *transfer);

/* ---- where requests go ---- */

enum origin_state {
	ORIGIN_UNKNOWN, /* no connection stands: the next exchange goes alone, the others wait for it */
	ORIGIN_KNOWN    /* it was reached: name resolved, protocol agreed */
};

struct origin {
	struct list link;      /* in http_curl.origins_list, which of the idle ones has the longest idle first */
	struct list gate_link; /* in http_curl.gates while origin_admit must be called from the loop */
	char *key;             /* origin, proxy, trust and flags: what may share connections */
	struct url_parts parts;
	const char *peer; /* host:port, for sentences; inside parts.origin */
	struct http_curl *t;
	struct trust *trust;
	char *proxy;    /* "" or a URL */
	char *no_proxy; /* "" or a list */
	bool http11, exempt;
	bool tls;      /* to the host or to the proxy: the CA store is needed */
	uint64_t id;   /* never reused, unlike its address: what an easy handle was last set up for */
	size_t routes; /* that point here */

	enum origin_state state;
	struct http_transfer *leader; /* the exchange the others wait for; NULL: none */
	struct list waiting;
	bool h2;              /* ALPN said so on the latest new connection */
	size_t in_flight;     /* in a shard */
	size_t connected;     /* of these, those whose request was sent */
	uint64_t resolved_us; /* when a new connection last stood */
	struct http_transfer
	        *refresher; /* the exchange that may resolve the name anew; the others use the cached address however old */
	size_t users;       /* transfers between http_start and on_done */
	uint64_t used_us;
	struct shard **shards;
	size_t shard_count, shard_room;
};

struct route { /* a URL under the flags that choose its origin */
	size_t refs;
	const char *url;
	size_t url_len;
	const char *proxy, *cafile; /* as asked for; "" none */
	bool http11, insecure;
	CURLU *handle;
	struct origin *origin;
	char texts[]; /* the three, each with its NUL */
};

/* A reference to the route of a request. 0, FF_ENOMEM, FF_EUSAGE. */
int route_get(struct http_curl *t, const struct http_request *request, struct route **ret, struct error *err);
void route_unref(struct route *route);
void origin_admit(struct origin *origin);       /* launches what may go; not from below libcurl */
void origin_admit_later(struct origin *origin); /* the same from the loop; may be called anywhere */
void origin_reached(struct origin *origin, struct http_transfer *x);
/* x leaves its origin with this result; may put the origin back to ORIGIN_UNKNOWN and end those that waited for x. */
void origin_left(struct origin *origin, struct http_transfer *x);
void origins_close_idle(struct http_curl *t, uint64_t now_us);
void origins_release(struct http_curl *t);

/* ---- multi handles ---- */

struct shard {
	struct list dirty_link; /* in http_curl.dirty while messages may wait */
	struct http_curl *t;
	struct origin *origin;
	CURLM *multi;
	struct timer timer;  /* libcurl's timeout, on the loop's heap */
	struct list running; /* its transfers, by http_transfer.link */
	size_t in_flight;
	size_t sent;           /* of these, those whose request is on a connection */
	long host_connections; /* as set; 0 none */
	size_t streams;        /* a connection carries, as far as is known */
	struct timer widen;    /* armed while transfers wait for a stream */
};

/* The first shard of the origin with room, or a new one. NULL when memory is short. */
struct shard *shard_for(struct origin *origin);
/* Adds the transfer's easy handle. 0 or FF_ENOMEM. */
int shard_add(struct shard *s, struct http_transfer *x);
void shard_remove(struct shard *s, struct http_transfer *x);
void shard_sent(struct shard *s, struct http_transfer *x); /* its request is on a connection, for the first time */
void shard_socket_action(struct shard *s, curl_socket_t fd, int events);
void shard_drain(struct shard *s); /* hands finished transfers to transfer_complete */
void shard_free(struct shard *s);

/* ---- sockets ---- */

struct socket { /* one a descriptor number ever used; lives until the transport ends */
	uv_poll_t poll;
	struct http_curl *t;
	struct shard *shard; /* whose multi uses it */
	int fd;
	int wanted;  /* UV_READABLE | UV_WRITABLE as libcurl asked; 0 between transfers */
	int watched; /* as the poll set knows it; may be wider than wanted */
	bool opened; /* by sockets_on_open */
	bool kept;   /* it connected, so its close goes through us: may stay in the poll set between transfers */
};

struct sockets {
	struct socket **by_fd;
	size_t room;
};

int sockets_on_interest(CURL *easy, curl_socket_t fd, int what, void *shard, void *unused);
curl_socket_t sockets_on_open(void *transfer, curlsocktype purpose, struct curl_sockaddr *address);
int sockets_on_close(void *http_curl, curl_socket_t fd);
void sockets_release(struct http_curl *t);

/* ---- one exchange ---- */

enum transfer_state {
	TRANSFER_SPARE,   /* in http_curl.spare */
	TRANSFER_WAITING, /* in origin.waiting */
	TRANSFER_RUNNING, /* its easy handle is in a shard */
};

struct head { /* the header block as it comes; offsets, because the text moves while it grows */
	struct buf text;
	struct head_line {
		size_t name, name_len, value, value_len;
	} * lines;
	struct pair *pairs;
	size_t count, room;
	int status;
	bool done; /* on_head was called: what follows are trailers */
};

struct http_transfer {
	struct list link;     /* in http_curl.spare, origin.waiting or shard.running */
	struct list end_link; /* in http_curl.ending when the result is decided but not told */
	struct http_curl *t;
	CURL *easy;
	enum transfer_state state;
	struct route *route;
	struct shard *shard;
	struct http_request request; /* the caller's memory behind it */
	struct http_callbacks callbacks;
	void *user;

	struct timer timer;
	uint64_t heard_us; /* when a callback last brought something, from the end of connecting */
	uint64_t alive_us; /* when the timer last saw that bytes had moved without one */
	curl_off_t moved;  /* bytes up and down then */

	long connections;       /* opened for it so far */
	unsigned sends;         /* times the request was put on a connection */
	bool new_connection;    /* the latest of them was opened for it */
	bool ending;            /* result.failure and text are decided */
	bool stopped;           /* a callback ended the reply; result.failure and text say why */
	bool address_forbidden; /* the address rules refused an address of the host */
	int local_errno;        /* why no socket could be opened */
	struct http_result result;

	struct curl_slist *header_nodes;
	size_t header_room;
	struct buf header_text;
	struct head head;

	struct { /* what the easy handle was last told */
		uint64_t origin_id;
		const struct route *route;
		int method; /* enum method in http_curl_request.c */
		long fresh, pipewait, dns_timeout, connect_timeout_ms;
	} set;
	char error_text[CURL_ERROR_SIZE];
};

struct http_transfer *transfer_take(struct http_curl *t); /* a spare one or a new one; NULL: out of memory */
void transfer_free(struct http_transfer *x);
void transfer_forget_route(struct http_transfer *x);            /* of a spare one */
int transfer_launch(struct http_transfer *x);                   /* WAITING -> RUNNING. 0 or FF_ENOMEM */
void transfer_complete(struct http_transfer *x, CURLcode code); /* libcurl's message */
/* Decides the result now and tells it from the loop. */
void transfer_end_later(struct http_transfer *x, enum http_failure failure, const char *text);
void transfer_finish(struct http_transfer *x);
void transfer_arm(struct http_transfer *x);
CURLcode transfer_set_callbacks(struct http_transfer *x);
void transfer_result(struct http_transfer *x, enum http_failure failure, const char *format, ...) PRINTF_LIKE(3, 4);

/* http_curl_request.c: a request as options of the easy handle. 0, FF_ENOMEM, FF_EUSAGE (a header). */
int request_check_headers(const struct http_curl *t, const struct http_request *request, struct error *err);
CURLcode request_set_once(struct http_transfer *x);
int request_set(struct http_transfer *x, struct error *err);
CURLcode request_set_launch(struct http_transfer *x, long pipewait, long dns_timeout);

/* http_curl_reply.c: the reply as it comes. */
size_t reply_on_header(char *data, size_t size, size_t count, void *transfer);
size_t reply_on_body(char *data, size_t size, size_t count, void *transfer);
void head_release(struct head *head);
void head_clear(struct head *head);

/* http_curl_failure.c: why it failed. Fills x->result.failure and text. */
void failure_explain(struct http_transfer *x, CURLcode code);
bool descriptors_spent(void);

/* ---- the whole ---- */

struct http_curl {
	struct http_transport base;
	struct loop *loop;
	struct timers *timers;
	const struct logger *logger;
	bool stranger, keep_idle;
	char *cafile;
	char **allowed; /* origins as url_parts.origin */
	size_t allowed_count;
	char *proxy_http, *proxy_https, *no_proxy; /* from the environment; NULL none */

	struct list trusts;
	struct map origins;
	struct list origins_list;
	uint64_t next_origin_id;
	struct route *routes[ROUTES_KEPT]; /* most recently used first */
	struct list spare;
	struct sockets sockets;

	struct deferred work; /* dirty shards, ending transfers, gates */
	struct list dirty, ending, gates;
	struct timer sweep;
	unsigned launches; /* in this round of work */
	bool below_curl;   /* inside a call into libcurl that calls us back */
	struct http_curl_stats stats;
};

void http_curl_work(struct http_curl *t); /* asks for the deferred work */

#endif
