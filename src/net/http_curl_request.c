/*
 * http_curl_request.c: a request as options of a pooled easy handle.
 *
 * Three groups of options, by how often they change: once a handle; when the handle moves to another origin; with each request. Each setopt is cheap but
 * many are not, and curl_easy_reset throws all of them away. Header lines are written into one buffer and one array of nodes that the transfer keeps:
 * libcurl only reads them (it copies neither headers nor body).
 *
 * What libcurl would send of its own accord and nobody asked for is taken out: Accept, Expect, the form Content-Type, User-Agent.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "net/http_curl_internal.h"

enum method { METHOD_UNSET, METHOD_GET, METHOD_POST, METHOD_OTHER, METHOD_OTHER_BODY };

/* ---- once a handle ---- */

/* Sets one option unless an earlier one failed. */
#define SET(code, easy, option, value)                                  \
	do {                                                            \
		if (!(code))                                            \
			(code) = curl_easy_setopt(easy, option, value); \
	} while (0)

static CURLcode set_callbacks(struct http_transfer *x)
{
	CURLcode code = transfer_set_callbacks(x);

	SET(code, x->easy, CURLOPT_PRIVATE, x);
	SET(code, x->easy, CURLOPT_ERRORBUFFER, x->error_text);
	SET(code, x->easy, CURLOPT_HEADERFUNCTION, reply_on_header);
	SET(code, x->easy, CURLOPT_HEADERDATA, x);
	SET(code, x->easy, CURLOPT_WRITEFUNCTION, reply_on_body);
	SET(code, x->easy, CURLOPT_WRITEDATA, x);
	SET(code, x->easy, CURLOPT_OPENSOCKETFUNCTION, sockets_on_open);
	SET(code, x->easy, CURLOPT_OPENSOCKETDATA, x);
	SET(code, x->easy, CURLOPT_CLOSESOCKETFUNCTION, sockets_on_close);
	SET(code, x->easy, CURLOPT_CLOSESOCKETDATA, x->t); /* a connection outlives the transfer that opened it */
	SET(code, x->easy, CURLOPT_SSL_CTX_FUNCTION, trust_on_ssl_ctx);
	SET(code, x->easy, CURLOPT_SSL_CTX_DATA, x);
	return code;
}

CURLcode request_set_once(struct http_transfer *x)
{
	CURLcode code = set_callbacks(x);

	SET(code, x->easy, CURLOPT_NOSIGNAL, 1L);
	SET(code, x->easy, CURLOPT_QUICK_EXIT, 1L); /* a hanging resolver thread is left alone, not joined */
	SET(code, x->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(code, x->easy, CURLOPT_FOLLOWLOCATION, 0L);
	SET(code, x->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(code, x->easy, CURLOPT_ACCEPT_ENCODING, ""); /* all that this libcurl decodes */
	SET(code, x->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(code, x->easy, CURLOPT_CAINFO, NULL); /* the store comes from trust_on_ssl_ctx */
	SET(code, x->easy, CURLOPT_CAPATH, NULL);
	SET(code, x->easy, CURLOPT_PROXY_CAINFO, NULL);
	SET(code, x->easy, CURLOPT_PROXY_CAPATH, NULL);
	SET(code, x->easy, CURLOPT_TCP_NODELAY, 1L);
	SET(code, x->easy, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(code, x->easy, CURLOPT_TCP_KEEPIDLE, 60L);
	SET(code, x->easy, CURLOPT_TCP_KEEPINTVL, 15L);
	SET(code, x->easy, CURLOPT_MAXAGE_CONN, x->t->keep_idle ? (long)CONNECTION_KEPT_S : (long)CONNECTION_MAX_AGE_S);
	return code;
}

/* ---- when the origin changes ---- */

static CURLcode set_origin(struct http_transfer *x)
{
	const struct origin *origin = x->route->origin;
	long verify = !origin->trust->insecure;
	CURLcode code = CURLE_OK;

	if (x->set.origin_id == origin->id)
		return CURLE_OK;
	x->set.origin_id = 0;
	SET(code, x->easy, CURLOPT_SHARE, origin->trust->share);
	SET(code, x->easy, CURLOPT_HTTP_VERSION, origin->http11 ? (long)CURL_HTTP_VERSION_1_1 : (long)CURL_HTTP_VERSION_2TLS);
	SET(code, x->easy, CURLOPT_SSL_VERIFYPEER, verify);
	SET(code, x->easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
	SET(code, x->easy, CURLOPT_PROXY_SSL_VERIFYPEER, verify);
	SET(code, x->easy, CURLOPT_PROXY_SSL_VERIFYHOST, verify ? 2L : 0L);
	SET(code, x->easy, CURLOPT_PROXY, origin->proxy);      /* "" rules the environment out */
	SET(code, x->easy, CURLOPT_NOPROXY, origin->no_proxy); /* so does "" here */
	if (!code)
		x->set.origin_id = origin->id;
	return code;
}

static CURLcode set_route(struct http_transfer *x)
{
	CURLcode code;

	if (x->set.route == x->route)
		return CURLE_OK;
	code = curl_easy_setopt(x->easy, CURLOPT_CURLU, x->route->handle);
	x->set.route = code ? NULL : x->route;
	return code;
}

/* ---- each request ---- */

static enum method method_of(const struct http_request *request)
{
	if (str_eq(request->method, STR("POST")))
		return METHOD_POST;
	if (str_eq(request->method, STR("GET")) && request->body.len == 0)
		return METHOD_GET;
	return request->body.len ? METHOD_OTHER_BODY : METHOD_OTHER;
}

static CURLcode set_other_method(struct http_transfer *x, enum method method)
{
	char name[32];
	CURLcode code;

	if (x->request.method.len >= sizeof(name))
		return CURLE_BAD_FUNCTION_ARGUMENT;
	snprintf(name, sizeof(name), "%.*s", STR_ARG(x->request.method));
	code = curl_easy_setopt(x->easy, method == METHOD_OTHER_BODY ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
	SET(code, x->easy, CURLOPT_NOBODY, str_eq(x->request.method, STR("HEAD")) ? 1L : 0L);
	SET(code, x->easy, CURLOPT_CUSTOMREQUEST, name); /* copied */
	return code;
}

static CURLcode set_method(struct http_transfer *x)
{
	enum method method = method_of(&x->request);
	CURLcode code = CURLE_OK;

	if ((enum method)x->set.method == method && method != METHOD_OTHER && method != METHOD_OTHER_BODY)
		return CURLE_OK;
	if (method == METHOD_OTHER || method == METHOD_OTHER_BODY) {
		code = set_other_method(x, method);
	} else {
		SET(code, x->easy, CURLOPT_NOBODY, 0L);
		SET(code, x->easy, CURLOPT_CUSTOMREQUEST, NULL);
		SET(code, x->easy, method == METHOD_POST ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
	}
	x->set.method = code ? METHOD_UNSET : (int)method;
	return code;
}

static CURLcode set_body(struct http_transfer *x)
{
	const struct http_request *request = &x->request;
	CURLcode code = CURLE_OK;

	if (x->set.method != METHOD_POST && x->set.method != METHOD_OTHER_BODY)
		return CURLE_OK;
	SET(code, x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
	SET(code, x->easy, CURLOPT_POSTFIELDS, request->body.len ? request->body.ptr : "");
	return code;
}

static bool names(const struct http_request *request, struct str name)
{
	for (size_t i = 0; i < request->header_count; i++)
		if (str_eq_nocase(request->headers[i].name, name))
			return true;
	return false;
}

/* "Name: value", or "Name;" for an empty value: libcurl reads "Name:" as an order to leave the header out. */
static void append_header(struct buf *text, struct pair header)
{
	bool empty = str_trim(header.value).len == 0;
	size_t len = header.name.len + (empty ? 2 : header.value.len + 3);
	char *p = buf_reserve(text, len);

	if (!p)
		return;
	memcpy(p, header.name.ptr, header.name.len);
	p += header.name.len;
	if (empty) {
		memcpy(p, ";", 2);
	} else {
		memcpy(p, ": ", 2);
		memcpy(p + 2, header.value.ptr, header.value.len);
		p[2 + header.value.len] = '\0';
	}
	buf_commit(text, len);
}

/* Orders to leave out what libcurl adds by itself. */
static void append_removals(struct buf *text, const struct http_request *request, size_t *count)
{
	static const struct str added[] = { { "Expect", 6 }, { "Accept", 6 }, { "Content-Type", 12 } };

	for (size_t i = 0; i < ARRAY_SIZE(added); i++) {
		if (names(request, added[i]))
			continue;
		buf_append_str(text, added[i]);
		buf_append(text, ":", 2); /* with its NUL */
		(*count)++;
	}
}

static int link_nodes(struct http_transfer *x, size_t count)
{
	char *line = x->header_text.ptr;

	if (count > x->header_room) {
		struct curl_slist *nodes = mem_realloc(x->header_nodes, count * sizeof(*nodes));
		if (!nodes)
			return FF_ENOMEM;
		x->header_nodes = nodes;
		x->header_room = count;
	}
	for (size_t i = 0; i < count; i++) {
		x->header_nodes[i].data = line;
		x->header_nodes[i].next = i + 1 < count ? &x->header_nodes[i + 1] : NULL;
		line += strlen(line) + 1;
	}
	return 0;
}

static int set_headers(struct http_transfer *x)
{
	const struct http_request *request = &x->request;
	size_t count = request->header_count;

	buf_clear(&x->header_text);
	for (size_t i = 0; i < request->header_count; i++)
		append_header(&x->header_text, request->headers[i]);
	append_removals(&x->header_text, request, &count);
	if (buf_failed(&x->header_text) || link_nodes(x, count))
		return FF_ENOMEM;
	return curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->header_nodes) ? FF_ENOMEM : 0;
}

static CURLcode set_long(struct http_transfer *x, CURLoption option, long value, long *known)
{
	CURLcode code;

	if (*known == value)
		return CURLE_OK;
	code = curl_easy_setopt(x->easy, option, value);
	if (!code)
		*known = value;
	return code;
}

/* libcurl spreads its connect timeout over the addresses of a name, and starts it when it begins to connect; 0 would mean five minutes. */
static long connect_timeout_ms(const struct http_request *request)
{
	uint64_t ms = request->connect_timeout_ms;

	return ms == 0 || ms > INT32_MAX ? INT32_MAX : (long)ms;
}

int request_set(struct http_transfer *x, struct error *err)
{
	CURLcode code = set_origin(x);

	if (!code)
		code = set_route(x);
	if (!code)
		code = set_method(x);
	if (!code)
		code = set_body(x);
	if (!code)
		code = set_long(x, CURLOPT_FRESH_CONNECT, x->request.fresh_connect, &x->set.fresh);
	if (!code)
		code = set_long(x, CURLOPT_CONNECTTIMEOUT_MS, connect_timeout_ms(&x->request), &x->set.connect_timeout_ms);
	if (code == CURLE_BAD_FUNCTION_ARGUMENT)
		return error_set(err, FF_EUSAGE, "", "The HTTP method is longer than 31 characters.");
	if (code || set_headers(x))
		return error_nomem(err);
	return 0;
}

CURLcode request_set_launch(struct http_transfer *x, long pipewait, long dns_timeout)
{
	CURLcode code = set_long(x, CURLOPT_PIPEWAIT, pipewait, &x->set.pipewait);

	return code ? code : set_long(x, CURLOPT_DNS_CACHE_TIMEOUT, dns_timeout, &x->set.dns_timeout);
}

int request_check_headers(const struct http_curl *t, const struct http_request *request, struct error *err)
{
	const char *problem = http_header_problem(request->method, STR_NULL, false); /* a method is a token as a name is */

	if (problem)
		return error_set(err, FF_EUSAGE, "", "The HTTP method is not a token.");
	for (size_t i = 0; i < request->header_count; i++) {
		struct str name = request->headers[i].name;

		problem = http_header_problem(name, request->headers[i].value, t->stranger);
		if (problem)
			return error_set(err, FF_EUSAGE, "", "The header \"%.*s\" %s.", (int)MIN(name.len, 100),
			                 name.ptr ? name.ptr : "", problem);
	}
	return 0;
}
