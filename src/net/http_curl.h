/* http_curl.h: the libcurl implementation of the transport seam (several multi handles on one libuv loop). */
#ifndef FF_NET_HTTP_CURL_H
#define FF_NET_HTTP_CURL_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "net/http.h"
#include "net/loop.h"

struct http_curl_config {
	const char *cafile;  /* CA bundle; NULL: SSL_CERT_FILE was not set, use the system's */
	bool stranger;       /* address rules and https only apply */
	bool proxy_from_env; /* HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY count (command line only) */
	bool keep_idle;      /* idle connections are kept for ever: the peer is on this machine and does not close them */
	const char *const *allowed_origins; /* exempt from the address rules; NULL-terminated; may be NULL */
	const struct logger *logger;        /* may be NULL */
};

struct http_curl_stats { /* since the start; for tests, benches and metrics */
	uint64_t transfers, connections_opened, resent, in_flight, shards;
};

/* The loop must outlive the transport. 0, FF_ENOMEM, FF_EUSAGE (the CA file cannot be read: err says). */
int http_curl_new(struct loop *loop, const struct http_curl_config *config, struct http_transport **ret,
                  struct error *err) WARN_UNUSED;
void http_curl_free(struct http_transport *t); /* no transfer may be open */
void http_curl_stats(const struct http_transport *t, struct http_curl_stats *ret);
const char *http_curl_version(void); /* "libcurl 7.88.1 OpenSSL/3.0.x zlib/... nghttp2/..., libuv ..." */

#endif
