/*
 * http_curl_failure.c: what libcurl's codes mean to the one who asked: a failure of the closed set and a clause that names host, port and reason.
 *
 * The same code means different things at different moments: before the request was on a connection a reset belongs to connecting, after it to sending,
 * and after the first byte of the reply to a cut. Nothing of the URL but host and port is quoted, since a query may hold a key.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/x509_vfy.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/http_curl_internal.h"

static const char *peer_of(const struct http_transfer *x)
{
	return x->route->origin->peer;
}

/* "the proxy of api.example.com:443" when one is in between. */
static const char *via(const struct http_transfer *x)
{
	return x->route->origin->proxy[0] && !x->route->origin->no_proxy[0] ? "the proxy of " : "";
}

/* libcurl's own sentence, or what the code means when there is none or when it quotes a URL: that of a proxy may hold a password. */
static const char *reason(const struct http_transfer *x, CURLcode code)
{
	bool quotes = strchr(x->error_text, '@') || strstr(x->error_text, "://");

	return x->error_text[0] && !quotes ? x->error_text : curl_easy_strerror(code);
}

/* The last part of OpenSSL's "error:0A00010B:SSL routines::wrong version number". */
static struct str ssl_reason(const struct http_transfer *x, CURLcode code)
{
	struct str text = str_from(reason(x, code));
	size_t at = 0, end;

	if (str_find(text, STR("error:"), 0) == SIZE_MAX)
		return text;
	for (size_t next; (next = str_find(text, STR("::"), at)) != SIZE_MAX;)
		at = next + 2;
	end = str_find(text, STR(", errno"), at);
	return str_sub(text, at, MIN(end, text.len));
}

bool descriptors_spent(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	bool spent = fd < 0 && (errno == EMFILE || errno == ENFILE);

	if (fd >= 0)
		close(fd);
	return spent;
}

static void no_descriptor(struct http_transfer *x)
{
	struct rlimit limit = { 0, 0 };

	getrlimit(RLIMIT_NOFILE, &limit);
	transfer_result(x, HTTP_FAILED_LOCAL,
	                "no file descriptor is left for a connection to %s (the limit is %llu): lower the concurrency or raise it "
	                "with ulimit -n",
	                peer_of(x), (unsigned long long)limit.rlim_cur);
}

static void out_of_memory(struct http_transfer *x)
{
	if (x->sends &&
	    !x->head.done) /* libcurl says so too of a header line over its own cap, which is the likelier reason here */
		transfer_result(x, HTTP_FAILED_TOO_BIG, "a header line of the reply of %s is too long", peer_of(x));
	else
		transfer_result(x, HTTP_FAILED_LOCAL, "out of memory");
}

static void not_resolved(struct http_transfer *x)
{
	if (descriptors_spent())
		no_descriptor(x);
	else
		transfer_result(x, HTTP_FAILED_RESOLVE, "the host name %s cannot be resolved", x->route->origin->parts.host);
}

static void not_connected(struct http_transfer *x, CURLcode code)
{
	long os_errno = 0;

	curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os_errno);
	if (x->address_forbidden)
		transfer_result(x, HTTP_FAILED_ADDRESS, "%s is at an address that may not be reached from here", peer_of(x));
	else if (x->local_errno == EMFILE || x->local_errno == ENFILE)
		no_descriptor(x);
	else if (x->local_errno == ENOMEM || x->local_errno == ENOBUFS)
		transfer_result(x, HTTP_FAILED_LOCAL, "out of memory");
	else if (os_errno == ECONNREFUSED)
		transfer_result(x, HTTP_FAILED_CONNECT, "connection refused by %s%s", via(x), peer_of(x));
	else if (os_errno == EHOSTUNREACH || os_errno == ENETUNREACH)
		transfer_result(x, HTTP_FAILED_CONNECT, "no route to %s%s", via(x), peer_of(x));
	else if (os_errno)
		transfer_result(x, HTTP_FAILED_CONNECT, "no connection to %s%s: %s", via(x), peer_of(x), strerror((int)os_errno));
	else
		transfer_result(x, HTTP_FAILED_CONNECT, "no connection to %s%s: %s", via(x), peer_of(x), reason(x, code));
}

static void connect_timed_out(struct http_transfer *x)
{
	uint64_t ms = x->request.connect_timeout_ms;
	long os_errno = 0;

	curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os_errno);
	if (os_errno == ETIMEDOUT || ms == 0)
		transfer_result(x, HTTP_TIMED_OUT_CONNECT, "no connection to %s%s: it did not answer", via(x), peer_of(x));
	else
		transfer_result(x, HTTP_TIMED_OUT_CONNECT, "no connection to %s%s within %llu ms", via(x), peer_of(x),
		                (unsigned long long)ms);
}

static void not_trusted(struct http_transfer *x, CURLcode code)
{
	long verified = X509_V_OK;

	curl_easy_getinfo(x->easy, CURLINFO_SSL_VERIFYRESULT, &verified);
	if (verified == X509_V_ERR_UNSPECIFIED) /* what libcurl puts there before it has asked */
		verified = X509_V_OK;
	if (code == CURLE_PEER_FAILED_VERIFICATION && verified != X509_V_OK)
		transfer_result(x, HTTP_FAILED_TLS, "the certificate of %s is not trusted: %s", peer_of(x),
		                X509_verify_cert_error_string(verified));
	else if (code == CURLE_PEER_FAILED_VERIFICATION && strstr(x->error_text, "name"))
		transfer_result(x, HTTP_FAILED_TLS, "the certificate of %s is for another host name", peer_of(x));
	else
		transfer_result(x, HTTP_FAILED_TLS, "TLS with %s failed: %.*s", peer_of(x), STR_ARG(ssl_reason(x, code)));
}

/* A malformed proxy URL: libcurl may quote any piece of it. */
static void proxy_failed(struct http_transfer *x, CURLcode code)
{
	transfer_result(x, HTTP_FAILED_CONNECT, "no connection to %s through the proxy: %s", peer_of(x), curl_easy_strerror(code));
}

/* The connection broke, or never came to carry the request. */
static void broken(struct http_transfer *x, CURLcode code)
{
	const char *why = strstr(x->error_text, "reset") || strstr(x->error_text, "eset by peer") ? "was reset" : "was closed";

	if (x->sends == 0)
		transfer_result(x, HTTP_FAILED_CONNECT, "no connection to %s%s: %s", via(x), peer_of(x), reason(x, code));
	else if (!x->result.stamps.first_byte && strstr(x->error_text, " alert "))
		transfer_result(x, HTTP_FAILED_TLS, "TLS with %s failed: %.*s", peer_of(x), STR_ARG(ssl_reason(x, code)));
	else if (!x->result.stamps.first_byte)
		transfer_result(x, HTTP_FAILED_SEND, "the connection to %s %s before any reply", peer_of(x), why);
	else if (strstr(x->error_text, "chunked-encoding"))
		transfer_result(x, HTTP_FAILED_GARBAGE, "the chunks of the reply of %s are malformed", peer_of(x));
	else if (!x->head.done)
		transfer_result(x, HTTP_FAILED_CUT, "the connection to %s %s inside the headers of the reply", peer_of(x), why);
	else
		transfer_result(x, HTTP_FAILED_CUT, "the connection to %s %s after %llu bytes of the reply", peer_of(x), why,
		                (unsigned long long)x->result.body_bytes);
}

static void complete(struct http_transfer *x)
{
	if (x->head.done)
		transfer_result(x, HTTP_COMPLETE, "%s", "");
	else
		broken(x, CURLE_PARTIAL_FILE);
}

static void other(struct http_transfer *x, CURLcode code)
{
	if (x->sends && x->result.stamps.first_byte)
		transfer_result(x, HTTP_FAILED_CUT, "the reply of %s failed: %s", peer_of(x), curl_easy_strerror(code));
	else if (x->sends)
		transfer_result(x, HTTP_FAILED_SEND, "the request to %s failed: %s", peer_of(x), curl_easy_strerror(code));
	else
		transfer_result(x, HTTP_FAILED_LOCAL, "the request to %s could not be made: %s", peer_of(x),
		                curl_easy_strerror(code));
}

static void explain_connecting(struct http_transfer *x, CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST: not_resolved(x); return;
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_PROXY: proxy_failed(x, code); return;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
		if (x->route->origin->proxy[0])
			proxy_failed(x, code);
		else
			other(x, code);
		return;
	case CURLE_COULDNT_CONNECT: not_connected(x, code); return;
	default: other(x, code);
	}
}

void failure_explain(struct http_transfer *x, CURLcode code)
{
	if (x->stopped)
		return;
	switch (code) {
	case CURLE_OK: complete(x); return;
	case CURLE_OPERATION_TIMEDOUT: connect_timed_out(x); return;
	case CURLE_OUT_OF_MEMORY: out_of_memory(x); return;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT: not_trusted(x, code); return;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM: broken(x, code); return;
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_WRITE_ERROR: /* not ours, or x->stopped would be set: a decoder gave up */
		transfer_result(x, HTTP_FAILED_ENCODING, "the compressed reply of %s does not decode", peer_of(x));
		return;
	default: break;
	}
	if (x->sends && (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY))
		transfer_result(x, HTTP_FAILED_GARBAGE, "what came from %s is not HTTP", peer_of(x));
	else
		explain_connecting(x, code);
}
