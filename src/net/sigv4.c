/*
 * sigv4.c: AWS Signature Version 4 by hand. See sigv4.h.
 *
 * libcurl can sign, but Debian 12's cannot do it right for S3 without many precautions (a blank header is signed and not sent, the content hash is left
 * out), and cannot be checked without a server. The signature is five lines of text and six digests; SHA-256 and HMAC are OpenSSL's.
 *
 *   canonical request = METHOD \n path \n query \n "name:value\n" of each signed header, sorted \n names \n hash of the body
 *   text to sign      = "AWS4-HMAC-SHA256" \n date-time \n scope \n hash of the canonical request
 *   key               = HMAC(HMAC(HMAC(HMAC("AWS4" + secret, date), region), service), "aws4_request")
 */
#include "net/sigv4.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"

#define DIGEST_BYTES  ((size_t)32)
#define MAX_KEY       128u /* of an access key, a region, a service; AWS's own are far shorter */
#define MAX_SECRET    1024u
#define MAX_CANONICAL ((size_t)64 << 10)
#define MAX_SIGNED    32u /* headers */

typedef unsigned char digest[DIGEST_BYTES];

static void to_hex(const digest bytes, char out[2 * DIGEST_BYTES + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * DIGEST_BYTES] = '\0';
}

static int hash_hex(struct str data, char out[2 * DIGEST_BYTES + 1])
{
	digest bytes;

	if (!EVP_Digest(data.ptr ? data.ptr : "", data.len, bytes, NULL, EVP_sha256(), NULL))
		return FF_EINTERNAL;
	to_hex(bytes, out);
	return 0;
}

static int hmac(const void *key, size_t key_len, struct str data, digest ret)
{
	unsigned len = 0;

	if (!HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)data.ptr, data.len, ret, &len) || len != DIGEST_BYTES)
		return FF_EINTERNAL;
	return 0;
}

/* ---- the canonical request ---- */

struct signed_headers {
	struct pair rows[MAX_SIGNED]; /* names in lower case, sorted */
	size_t count;
};

static void insert(struct signed_headers *h, struct str name, struct str value)
{
	size_t at = h->count++;

	for (; at && str_cmp(name, h->rows[at - 1].name) < 0; at--)
		h->rows[at] = h->rows[at - 1];
	h->rows[at] = (struct pair){ name, value };
}

/* Appends the value without white space at its ends, runs of spaces as one. */
static void append_value(struct buf *b, struct str value)
{
	bool space = false;

	value = str_trim(value);
	for (size_t i = 0; i < value.len; i++) {
		if (!space || value.ptr[i] != ' ')
			buf_append_char(b, value.ptr[i]);
		space = value.ptr[i] == ' ';
	}
}

static void append_names(struct buf *b, const struct signed_headers *h)
{
	for (size_t i = 0; i < h->count; i++) {
		if (i)
			buf_append_char(b, ';');
		buf_append_str(b, h->rows[i].name);
	}
}

/* Names in lower case live in `names`, which must have room for all of them. */
static void gather(const struct sigv4_request *r, const struct sigv4_headers *own, char *names, struct signed_headers *h)
{
	insert(h, STR("host"), r->host);
	insert(h, STR("x-amz-content-sha256"), str_from(own->content_sha256));
	insert(h, STR("x-amz-date"), str_from(own->date));
	if (r->session_token.len)
		insert(h, STR("x-amz-security-token"), r->session_token);
	for (size_t i = 0; i < r->header_count; i++) {
		struct str name = r->headers[i].name;

		for (size_t j = 0; j < name.len; j++)
			names[j] = (char)tolower((unsigned char)name.ptr[j]);
		insert(h, str_of(names, name.len), r->headers[i].value);
		names += name.len;
	}
}

static void append_canonical(struct buf *b, const struct sigv4_request *r, const struct sigv4_headers *own,
                             const struct signed_headers *h)
{
	buf_append_str(b, r->method);
	buf_append_char(b, '\n');
	buf_append_str(b, r->path);
	buf_append_char(b, '\n');
	buf_append_str(b, r->query);
	buf_append_char(b, '\n');
	for (size_t i = 0; i < h->count; i++) {
		buf_append_str(b, h->rows[i].name);
		buf_append_char(b, ':');
		append_value(b, h->rows[i].value);
		buf_append_char(b, '\n');
	}
	buf_append_char(b, '\n');
	append_names(b, h);
	buf_append_char(b, '\n');
	buf_append_str(b, str_from(own->content_sha256));
}

/* ---- the signature ---- */

/* AWS4's derived key signs `text`; the secret is wiped from what held it. */
static int sign_text(const struct sigv4_request *r, const char *date, struct str text, digest ret)
{
	char secret[4 + MAX_SECRET] = "AWS4";
	digest key;
	int failed;

	memcpy(secret + 4, r->secret_key.ptr, r->secret_key.len);
	failed = hmac(secret, 4 + r->secret_key.len, str_of(date, 8), key) || hmac(key, sizeof(key), r->region, key) ||
	         hmac(key, sizeof(key), r->service, key) || hmac(key, sizeof(key), STR("aws4_request"), key) ||
	         hmac(key, sizeof(key), text, ret);
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(key, sizeof(key));
	return failed ? FF_EINTERNAL : 0;
}

static int write_authorization(const struct sigv4_request *r, const struct signed_headers *h, struct buf *canonical,
                               struct sigv4_headers *ret)
{
	char scope[2 * MAX_KEY + 32], hash[2 * DIGEST_BYTES + 1], text[sizeof(scope) + 128], signature[2 * DIGEST_BYTES + 1];
	digest bytes;
	struct buf names;
	int n, failed;

	if (hash_hex(buf_str(canonical), hash))
		return FF_EINTERNAL;
	snprintf(scope, sizeof(scope), "%.8s/%.*s/%.*s/aws4_request", ret->date, STR_ARG(r->region), STR_ARG(r->service));
	snprintf(text, sizeof(text), "AWS4-HMAC-SHA256\n%s\n%s\n%s", ret->date, scope, hash);
	if (sign_text(r, ret->date, str_from(text), bytes))
		return FF_EINTERNAL;
	to_hex(bytes, signature);
	buf_init(&names, sizeof(ret->authorization));
	append_names(&names, h);
	n = snprintf(ret->authorization, sizeof(ret->authorization),
	             "AWS4-HMAC-SHA256 Credential=%.*s/%s,SignedHeaders=%.*s,Signature=%s", STR_ARG(r->access_key), scope,
	             STR_ARG(buf_str(&names)), signature);
	failed = buf_failed(&names);
	buf_release(&names);
	if (failed)
		return failed;
	return n < 0 || (size_t)n >= sizeof(ret->authorization) ? FF_EUSAGE : 0;
}

static bool is_plain(struct str s, size_t max)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] <= ' ' || (unsigned char)s.ptr[i] >= 0x7f)
			return false;
	return s.len > 0 && s.len <= max;
}

static int format_date(int64_t wall_ms, char out[17])
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;

	return gmtime_r(&seconds, &tm) && strftime(out, 17, "%Y%m%dT%H%M%SZ", &tm) == 16 ? 0 : FF_EUSAGE;
}

int sigv4_sign(const struct sigv4_request *r, struct sigv4_headers *ret)
{
	struct signed_headers h = { .count = 0 };
	size_t names_len = 0;
	struct buf canonical;
	char *names;
	int result;

	if (!is_plain(r->access_key, MAX_KEY) || !is_plain(r->region, MAX_KEY) || !is_plain(r->service, MAX_KEY) ||
	    !r->secret_key.len || r->secret_key.len > MAX_SECRET || r->header_count > MAX_SIGNED - 4 ||
	    format_date(r->wall_ms, ret->date))
		return FF_EUSAGE;
	if (hash_hex(r->body, ret->content_sha256))
		return FF_EINTERNAL;
	for (size_t i = 0; i < r->header_count; i++)
		names_len += r->headers[i].name.len;
	names = mem_alloc(names_len + 1);
	if (!names)
		return FF_ENOMEM;
	buf_init(&canonical, MAX_CANONICAL);
	gather(r, ret, names, &h);
	append_canonical(&canonical, r, ret, &h);
	result = buf_failed(&canonical) ? buf_failed(&canonical) : write_authorization(r, &h, &canonical, ret);
	buf_release(&canonical);
	mem_free(names);
	return result == FF_ETOOBIG ? FF_EUSAGE : result;
}

int sigv4_encode_path(struct str path, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < path.len; i++) {
		unsigned char c = (unsigned char)path.ptr[i];

		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._~/", c))) {
			buf_append_char(out, (char)c);
		} else {
			buf_append_char(out, '%');
			buf_append_char(out, digits[c >> 4]);
			buf_append_char(out, digits[c & 15]);
		}
	}
	return buf_failed(out);
}
