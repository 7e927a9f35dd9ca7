/*
 * sigv4.h: AWS Signature Version 4 in headers, of a request whose body is in memory. Pure: the time arrives in the input.
 *
 * Source: AWS General Reference, "Create a signed AWS API request"; rules that S3 adds: the path is not encoded twice, x-amz-content-sha256 is required.
 */
#ifndef FF_NET_SIGV4_H
#define FF_NET_SIGV4_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/str.h"

struct sigv4_request {
	struct str method; /* "PUT" */
	struct str host;   /* as it is sent in Host: with the port when it is not the scheme's */
	struct str path;   /* absolute, already percent-encoded by sigv4_encode_path */
	struct str query;  /* already encoded and sorted, "a=1&b="; empty: none */
	const struct pair
	        *headers; /* further headers to sign beside host, x-amz-date, x-amz-content-sha256 and x-amz-security-token */
	size_t header_count;
	struct str body;
	struct str region, service;                       /* "eu-west-1", "s3" */
	struct str access_key, secret_key, session_token; /* session_token: empty: none */
	int64_t wall_ms;                                  /* Unix time */
};

/* What the request must carry. */
struct sigv4_headers {
	char date[17];           /* x-amz-date: 20260102T030405Z */
	char content_sha256[65]; /* x-amz-content-sha256 */
	char authorization[768]; /* Authorization */
};

/* 0, FF_EUSAGE (an access key or region too long or with control characters), FF_EINTERNAL (the digest failed), FF_ENOMEM. */
int sigv4_sign(const struct sigv4_request *request, struct sigv4_headers *ret) WARN_UNUSED;
/* Every byte but A-Z a-z 0-9 - . _ ~ and / as uppercase %XX. 0 or FF_ENOMEM. */
int sigv4_encode_path(struct str path, struct buf *out) WARN_UNUSED;

#endif
