/*
 * http.h: the transport seam: one HTTP exchange from start to done. Knows no JSON and no LLM.
 *
 * Rules, for every implementation (libcurl in http_curl.c, the simulator's fake):
 *   - callbacks come from the loop, never from inside http_start or http_cancel;
 *   - on_done comes exactly once for every successful http_start, also for immediate failure and for cancel, and is the last callback;
 *   - the request's memory must stay valid until on_done;
 *   - redirects are never followed (a 3xx is a reply), netrc is never read, a proxy is used only when configured.
 */
#ifndef FF_NET_HTTP_H
#define FF_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

enum http_failure {
	HTTP_COMPLETE,          /* a whole reply came, whatever its status */
	HTTP_FAILED_RESOLVE,    /* the name has no address */
	HTTP_FAILED_CONNECT,    /* refused, unreachable */
	HTTP_FAILED_TLS,        /* certificate or handshake */
	HTTP_FAILED_SEND,       /* the connection broke before a byte of the reply */
	HTTP_FAILED_CUT,        /* the connection broke inside the reply */
	HTTP_FAILED_GARBAGE,    /* what came is not HTTP */
	HTTP_FAILED_TOO_BIG,    /* a cap on headers or body was passed */
	HTTP_FAILED_ENCODING,   /* the compressed reply does not decode */
	HTTP_FAILED_ADDRESS,    /* the address rules forbid the address (strangers) */
	HTTP_TIMED_OUT_CONNECT, /* connect_timeout_ms passed before the connection stood */
	HTTP_TIMED_OUT_IDLE,    /* idle_timeout_ms without a byte */
	HTTP_TIMED_OUT_TOTAL,   /* total_timeout_ms passed */
	HTTP_CANCELLED,
	HTTP_FAILED_LOCAL /* out of memory or descriptors, illegal URL or header: nobody's fault but ours; text says */
};

struct http_stamps { /* monotonic microseconds; 0: did not come */
	uint64_t start, connected, first_byte, last_byte;
};

struct http_result {
	enum http_failure failure;
	int status;     /* HTTP status, 0 when no status line came */
	char text[320]; /* on failure: what happened, one clause without a key, e.g. "connection refused by 127.0.0.1:9" */
	struct http_stamps stamps;
	bool reused;         /* it went over a connection that was open already */
	bool resent;         /* libcurl sent the request again on a new connection */
	int http_version;    /* 10, 11 or 20; 0 unknown */
	uint64_t body_bytes; /* of the decoded reply body */
};

struct http_callbacks {
	/* Status line and headers of the final reply (1xx are skipped); names as sent. The pairs live during the call. */
	void (*on_head)(void *user, int status, const struct pair *headers, size_t header_count);
	/* Decoded body bytes. Not 0 stops the transfer: on_done then has failure HTTP_FAILED_TOO_BIG. */
	int (*on_body)(void *user, const char *data, size_t len);
	void (*on_done)(void *user, const struct http_result *result);
};

struct http_request {
	struct str method;          /* "POST", "GET" */
	struct str url;             /* absolute http or https URL, any legal characters percent-encoded already */
	const struct pair *headers; /* Content-Length, Host and Accept-Encoding are the transport's own unless named here */
	size_t header_count;
	struct str body;             /* empty: no body */
	struct str proxy;            /* proxy URL; empty: as the transport's configuration says */
	uint64_t connect_timeout_ms; /* 0: none */
	uint64_t idle_timeout_ms;    /* 0: none. Time without a byte, from the end of connecting */
	uint64_t total_timeout_ms;   /* 0: none */
	uint64_t max_body_bytes;     /* 0: HTTP_MAX_BODY_BYTES */
	bool http11;                 /* never HTTP/2 */
	bool fresh_connect;          /* do not reuse a connection (our own retries) */
	bool once;                   /* fails when a reused connection dies under it, instead of being sent again */
	bool insecure_tls;           /* Ollama's client_kwargs.verify = false; operators only */
	struct str cafile;           /* a CA bundle of its own; empty: the transport's */
};
#define HTTP_MAX_BODY_BYTES   ((uint64_t)64 << 20)
#define HTTP_MAX_HEADER_BYTES (256u << 10) /* all headers of a reply together */

struct http_transport;
struct http_transfer; /* one exchange; owned by the transport, dead after on_done */

struct http_transport_ops {
	int (*start)(struct http_transport *t, const struct http_request *request, const struct http_callbacks *callbacks,
	             void *user, struct http_transfer **ret, struct error *err);
	void (*cancel)(struct http_transport *t, struct http_transfer *transfer);
};

struct http_transport { /* first member of every implementation */
	const struct http_transport_ops *ops;
};

/* 0, FF_ENOMEM or FF_EUSAGE (illegal URL, header with CR, LF or NUL, header that may not be set: err says which). */
static inline int http_start(struct http_transport *t, const struct http_request *request, const struct http_callbacks *callbacks,
                             void *user, struct http_transfer **ret, struct error *err)
{
	return t->ops->start(t, request, callbacks, user, ret, err);
}
/* Asks for the end; on_done(HTTP_CANCELLED) follows from the loop. */
static inline void http_cancel(struct http_transport *t, struct http_transfer *transfer)
{
	t->ops->cancel(t, transfer);
}

const char *http_failure_name(enum http_failure failure); /* "resolve", "connect", "timed_out_idle", ... */
/* Checks a header: token name (RFC 9110 5.6.2), value without CR, LF, NUL, not one of Content-Length, Transfer-Encoding, Connection, TE, Upgrade,
 * Expect (nor Host for strangers). Returns NULL or what is wrong as a clause. */
const char *http_header_problem(struct str name, struct str value, bool stranger);

#endif
