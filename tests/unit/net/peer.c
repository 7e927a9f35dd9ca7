/* peer.c: see peer.h. A thread accepts, a thread a connection serves. */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

#define CONNECTIONS_MAX 4096
#define REQUEST_MAX     (1u << 20)

struct peer_connection {
	struct peer *peer;
	int fd;
	SSL *ssl;
	unsigned number;
	pthread_t thread;
	char *data; /* bytes read and not consumed, NUL-terminated */
	size_t len;
	char *head, *body; /* of the last request */
};

struct peer {
	int fd;
	uint16_t port;
	peer_serve_fn *serve;
	void *user;
	SSL_CTX *tls;
	pthread_t thread;
	pthread_mutex_t lock;
	struct peer_connection *connections[CONNECTIONS_MAX];
	unsigned count;
	bool stopping;
};

static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "peer: out of memory\n");
		abort();
	}
	return p;
}

/* ---- certificates ---- */

static EVP_PKEY *authority_key;
static X509 *authority;
static char ca_path[] = "/tmp/ff-test-ca-XXXXXX";

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
	extension = must(X509V3_EXT_conf_nid(NULL, &context, nid, value));
	X509_add_ext(x, extension, -1);
	X509_EXTENSION_free(extension);
}

static X509 *make_certificate(EVP_PKEY *key, const char *name, int from_days, int to_days, X509 *issuer, EVP_PKEY *issuer_key,
                              bool is_ca)
{
	static long serial = 1;
	char alt[300];
	X509 *x = must(X509_new());

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(x), (long)from_days * 86400);
	X509_gmtime_adj(X509_getm_notAfter(x), (long)to_days * 86400);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
	add_extension(x, issuer ? issuer : x, NID_basic_constraints, is_ca ? "critical,CA:TRUE" : "CA:FALSE");
	if (!is_ca) {
		snprintf(alt, sizeof(alt), "%s:%s", strspn(name, "0123456789.") == strlen(name) ? "IP" : "DNS", name);
		add_extension(x, issuer ? issuer : x, NID_subject_alt_name, alt);
	}
	X509_sign(x, issuer_key ? issuer_key : key, EVP_sha256());
	return x;
}

static void remove_authority(void)
{
	unlink(ca_path);
	X509_free(authority);
	EVP_PKEY_free(authority_key);
}

const char *peer_cafile(void)
{
	FILE *file;
	int fd;

	if (authority)
		return ca_path;
	authority_key = must(EVP_EC_gen("P-256"));
	authority = make_certificate(authority_key, "test authority", -2, 30, NULL, NULL, true);
	fd = mkstemp(ca_path);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	must(file);
	PEM_write_X509(file, authority);
	fclose(file);
	atexit(remove_authority);
	return ca_path;
}

static SSL_CTX *make_context(const struct peer_tls *tls)
{
	SSL_CTX *context = must(SSL_CTX_new(TLS_server_method()));
	EVP_PKEY *key = must(EVP_EC_gen("P-256"));
	X509 *certificate;

	peer_cafile();
	certificate = make_certificate(key, tls->name, tls->from_days, tls->to_days, tls->self_signed ? NULL : authority,
	                               tls->self_signed ? NULL : authority_key, false);
	SSL_CTX_use_certificate(context, certificate);
	SSL_CTX_use_PrivateKey(context, key);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return context;
}

/* ---- connections ---- */

static void *serve_connection(void *connection)
{
	struct peer_connection *c = connection;

	if (c->peer->tls) {
		c->ssl = must(SSL_new(c->peer->tls));
		SSL_set_fd(c->ssl, c->fd);
	}
	if (!c->ssl || SSL_accept(c->ssl) == 1)
		c->peer->serve(c, c->number, c->peer->user);
	if (c->ssl) {
		SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
	}
	pthread_mutex_lock(&c->peer->lock);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	pthread_mutex_unlock(&c->peer->lock);
	return NULL;
}

static void accept_one(struct peer *p, int fd)
{
	struct peer_connection *c = must(calloc(1, sizeof(*c)));

	c->peer = p;
	c->fd = fd;
	c->data = must(calloc(1, REQUEST_MAX));
	pthread_mutex_lock(&p->lock);
	assert(p->count < CONNECTIONS_MAX);
	c->number = p->count;
	p->connections[p->count++] = c;
	pthread_mutex_unlock(&p->lock);
	if (pthread_create(&c->thread, NULL, serve_connection, c))
		abort();
}

static void *accept_all(void *peer)
{
	struct peer *p = peer;
	int fd;

	while ((fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		accept_one(p, fd);
	return NULL;
}

struct peer *peer_start_tls(peer_serve_fn *serve, void *user, const struct peer_tls *tls)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	struct peer *p = must(calloc(1, sizeof(*p)));
	sigset_t all, before;

	p->serve = serve;
	p->user = user;
	p->tls = tls ? make_context(tls) : NULL;
	pthread_mutex_init(&p->lock, NULL);
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(p->fd, (struct sockaddr *)&address, len) || listen(p->fd, 1024) ||
	    getsockname(p->fd, (struct sockaddr *)&address, &len))
		abort();
	p->port = ntohs(address.sin_port);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* SSL_write has no MSG_NOSIGNAL; signals are the test's thread's */
	if (pthread_create(&p->thread, NULL, accept_all, p))
		abort();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return p;
}

struct peer *peer_start(peer_serve_fn *serve, void *user)
{
	return peer_start_tls(serve, user, NULL);
}

void peer_stop(struct peer *p)
{
	shutdown(p->fd, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	close(p->fd);
	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < p->count; i++)
		if (p->connections[i]->fd >= 0)
			shutdown(p->connections[i]->fd, SHUT_RDWR);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->count; i++) {
		struct peer_connection *c = p->connections[i];
		pthread_join(c->thread, NULL);
		free(c->data);
		free(c->head);
		free(c->body);
		free(c);
	}
	SSL_CTX_free(p->tls);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

uint16_t peer_port(const struct peer *p)
{
	return p->port;
}

unsigned peer_connections(struct peer *p)
{
	unsigned count;

	pthread_mutex_lock(&p->lock);
	count = p->count;
	pthread_mutex_unlock(&p->lock);
	return count;
}

/* ---- requests and replies ---- */

static bool read_more(struct peer_connection *c)
{
	size_t room = REQUEST_MAX - 1 - c->len;
	ssize_t n = c->ssl ? SSL_read(c->ssl, c->data + c->len, (int)room) : recv(c->fd, c->data + c->len, room, 0);

	if (n <= 0)
		return false;
	c->len += (size_t)n;
	c->data[c->len] = '\0';
	return true;
}

static size_t content_length(const char *head)
{
	const char *at = strcasestr(head, "\r\ncontent-length:");

	return at ? strtoul(at + 17, NULL, 10) : 0;
}

bool peer_read(struct peer_connection *c)
{
	char *end;
	size_t head_len, body_len;

	while (!(end = strstr(c->data, "\r\n\r\n")))
		if (!read_more(c))
			return false;
	head_len = (size_t)(end - c->data) + 2;
	free(c->head);
	c->head = must(strndup(c->data, head_len));
	body_len = content_length(c->head);
	while (c->len < head_len + 2 + body_len)
		if (!read_more(c))
			return false;
	free(c->body);
	c->body = must(strndup(c->data + head_len + 2, body_len));
	c->len -= head_len + 2 + body_len;
	memmove(c->data, c->data + head_len + 2 + body_len, c->len + 1);
	return true;
}

const char *peer_head(const struct peer_connection *c)
{
	return c->head;
}

const char *peer_body(const struct peer_connection *c)
{
	return c->body;
}

bool peer_has_line(const struct peer_connection *c, const char *line)
{
	char text[1024];

	snprintf(text, sizeof(text), "\r\n%s\r\n", line);
	return strstr(c->head, text) != NULL;
}

bool peer_has_header(const struct peer_connection *c, const char *name)
{
	char text[256];

	snprintf(text, sizeof(text), "\r\n%s:", name);
	return strcasestr(c->head, text) != NULL;
}

void peer_write(struct peer_connection *c, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = c->ssl ? SSL_write(c->ssl, at, (int)len) : send(c->fd, at, len, MSG_NOSIGNAL);
		if (n <= 0)
			return;
		at += n;
		len -= (size_t)n;
	}
}

void peer_send(struct peer_connection *c, const char *text)
{
	peer_write(c, text, strlen(text));
}

void peer_reply(struct peer_connection *c, const char *body)
{
	char head[200];

	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
	         strlen(body));
	peer_send(c, head);
	peer_send(c, body);
}

void peer_reset(struct peer_connection *c)
{
	struct linger now = { 1, 0 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void peer_wait_closed(struct peer_connection *c)
{
	c->len = 0;
	while (read_more(c))
		c->len = 0;
}

void peer_serve_replies(struct peer_connection *c, unsigned number, void *user)
{
	(void)number;
	while (peer_read(c))
		peer_reply(c, user ? user : "ok");
}

void peer_serve_nothing(struct peer_connection *c, unsigned number, void *user)
{
	(void)number;
	(void)user;
	if (peer_read(c))
		peer_wait_closed(c);
}
