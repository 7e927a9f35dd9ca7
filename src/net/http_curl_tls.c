/*
 * http_curl_tls.c: the CA store, read once, and the caches that connections share.
 *
 * libcurl reads its CA bundle anew for each connection (Debian's build sets a CA path, which rules its own cache out): 20 to 50 ms on the loop each
 * time. So libcurl is given no bundle at all; the file is read here once (one that was named when the transport is made, so that a wrong name is told at
 * once), its certificates are decoded at the first https exchange (about 16 ms for the system's 140) and put into every SSL_CTX by reference.
 *
 * A trust is a CA file or its absence, or none at all (insecure). It owns the share of DNS and TLS sessions, because a session that was resumed is
 * not verified again: it must not cross from one trust to another. Trusts live as long as the transport.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "net/http_curl_internal.h"

#define PEM_MAX_BYTES ((size_t)16 << 20)
#define READ_BYTES    ((size_t)32 << 10)

/* Where systems keep their bundle, when libcurl's own default does not exist here (the executable may have been built elsewhere). */
static const char *const known_bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

static bool is_readable_file(const char *path)
{
	struct stat st;
	FILE *file = path ? fopen(path, "re") : NULL;

	if (!file)
		return false;
	fclose(file);
	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The system's bundle: libcurl's (copied to path) or one of the known places; NULL when there is none. */
static const char *system_bundle(char *path, size_t size)
{
	CURL *easy = curl_easy_init();
	char *built_in = NULL;
	bool found = false;

	if (easy) {
		found = curl_easy_getinfo(easy, CURLINFO_CAINFO, &built_in) == CURLE_OK && is_readable_file(built_in) &&
		        strlen(built_in) < size;
		if (found)
			memcpy(path, built_in, strlen(built_in) + 1);
		curl_easy_cleanup(easy);
	}
	if (found)
		return path;
	for (size_t i = 0; i < ARRAY_SIZE(known_bundles); i++)
		if (is_readable_file(known_bundles[i]))
			return known_bundles[i];
	return NULL;
}

static int unusable(const char *path, const char *why, struct error *err)
{
	return error_set(err, FF_EUSAGE, path, "The CA bundle %s cannot be used: %s.", path, why);
}

static int read_stream(struct buf *pem, FILE *file, const char *path, struct error *err)
{
	char *room;
	size_t len;

	do {
		room = buf_reserve(pem, READ_BYTES);
		if (!room)
			return pem->failed == FF_ETOOBIG ? unusable(path, "it is larger than 16 MiB", err) : error_nomem(err);
		len = fread(room, 1, READ_BYTES, file);
		buf_commit(pem, len);
	} while (len);
	if (ferror(file))
		return unusable(path, strerror(errno), err);
	if (!str_contains(buf_str(pem), STR("-----BEGIN ")))
		return unusable(path, "it holds no PEM certificate", err);
	return 0;
}

int trust_read(struct trust *trust, struct error *err)
{
	char room[512];
	const char *path = trust->cafile ? trust->cafile : system_bundle(room, sizeof(room));
	FILE *file = path ? fopen(path, "re") : NULL;
	int code;

	if (!path)
		return error_set(err, FF_EUSAGE, "",
		                 "No CA bundle was found on this system; install ca-certificates or name one with --cacert or "
		                 "SSL_CERT_FILE.");
	if (!file)
		return unusable(path, strerror(errno), err);
	code = read_stream(&trust->pem, file, path, err);
	fclose(file);
	if (code)
		buf_release(&trust->pem);
	return code;
}

/* Every certificate of the text. 0, FF_ENOMEM, FF_EUSAGE. */
static int fill_store(X509_STORE *store, BIO *pem, const char *path, struct error *err)
{
	size_t count = 0;
	unsigned long why;
	X509 *certificate;

	ERR_clear_error();
	while ((certificate = PEM_read_bio_X509_AUX(pem, NULL, NULL, NULL))) {
		int added = X509_STORE_add_cert(store, certificate);
		X509_free(certificate);
		if (!added)
			return error_nomem(err);
		count++;
	}
	why = ERR_peek_last_error();
	ERR_clear_error();
	if (ERR_GET_LIB(why) != ERR_LIB_PEM || ERR_GET_REASON(why) != PEM_R_NO_START_LINE)
		return unusable(path, "a certificate in it is malformed", err);
	return count ? 0 : unusable(path, "it holds no PEM certificate", err);
}

/* libcurl sets the same flags on the stores it makes itself: chains are built from what we trust first, and may end at an intermediate we trust. */
static int make_store(const struct trust *trust, X509_STORE **ret, struct error *err)
{
	X509_STORE *store = X509_STORE_new();
	BIO *pem = BIO_new_mem_buf(trust->pem.ptr, (int)trust->pem.len);
	int code = store && pem ? fill_store(store, pem, trust->cafile ? trust->cafile : "of the system", err) : error_nomem(err);

	BIO_free(pem);
	if (code) {
		X509_STORE_free(store);
		return code;
	}
	X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
	*ret = store;
	return 0;
}

int trust_load(struct trust *trust, struct error *err)
{
	int code = 0;

	if (trust->store || trust->insecure)
		return 0;
	if (!trust->pem.len)
		code = trust_read(trust, err);
	if (!code)
		code = make_store(trust, &trust->store, err);
	buf_release(&trust->pem);
	return code;
}

/* Runs for each new TLS connection, a proxy's included. */
CURLcode trust_on_ssl_ctx(CURL *easy UNUSED, void *ssl_ctx, void *transfer)
{
	const struct http_transfer *x = transfer;
	const struct trust *trust = x->route->origin->trust;

	if (trust->store)
		SSL_CTX_set1_cert_store(ssl_ctx, trust->store);
	return CURLE_OK;
}

static void trust_free(struct trust *trust)
{
	list_remove(&trust->link);
	if (trust->share)
		curl_share_cleanup(trust->share);
	X509_STORE_free(trust->store);
	buf_release(&trust->pem);
	mem_free(trust->cafile);
	mem_free(trust);
}

static struct trust *trust_new(struct str cafile, bool insecure)
{
	struct trust *trust = NEW(struct trust);

	if (!trust)
		return NULL;
	list_init(&trust->link);
	buf_init(&trust->pem, PEM_MAX_BYTES);
	trust->insecure = insecure;
	trust->cafile = cafile.len ? mem_strndup(cafile.ptr, cafile.len) : NULL;
	trust->share = curl_share_init();
	if ((cafile.len && !trust->cafile) || !trust->share ||
	    curl_share_setopt(trust->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) ||
	    curl_share_setopt(trust->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION)) {
		trust_free(trust);
		return NULL;
	}
	return trust;
}

int trust_get(struct http_curl *t, struct str cafile, bool insecure, struct trust **ret, struct error *err)
{
	struct str wanted = cafile.len ? cafile : str_from(t->cafile);
	struct trust *trust;

	if (insecure)
		wanted = STR_NULL;
	LIST_FOR_EACH (node, next, &t->trusts) {
		trust = LIST_ENTRY(node, struct trust, link);
		if (trust->insecure == insecure && str_eq(str_from(trust->cafile), wanted)) {
			*ret = trust;
			return 0;
		}
	}
	trust = trust_new(wanted, insecure);
	if (!trust)
		return error_nomem(err);
	list_push_back(&t->trusts, &trust->link);
	*ret = trust;
	return 0;
}

void trusts_release(struct http_curl *t)
{
	LIST_FOR_EACH (node, next, &t->trusts)
		trust_free(LIST_ENTRY(node, struct trust, link));
}
