/*
 * url.h: a URL is parsed once, by libcurl (two parsers are how address checks are bypassed), and address rules live in one table.
 */
#ifndef FF_NET_URL_H
#define FF_NET_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

struct url_parts {     /* owned; release with url_parts_release */
	char *scheme;  /* "http" or "https", lower case */
	char *host;    /* lower case, IPv6 without brackets, percent-decoded by libcurl */
	uint16_t port; /* given or the scheme's */
	char *origin;  /* "https://host:port", IPv6 in brackets: what allow-lists and targets compare */
};

/* 0, FF_EUSAGE (not an absolute http(s) URL: err has one sentence), FF_ENOMEM. */
int url_parse(struct str url, struct url_parts *ret, struct error *err) WARN_UNUSED;
void url_parts_release(struct url_parts *p);
/* Nothing in the text but scheme, host and port, and at most a slash: whoever writes more may believe that it counts. */
bool url_is_bare_origin(struct str url);
/*
 * This machine or private by its literal host ("localhost", *.localhost, 127/8, ::1, 0.0.0.0, ::, 10/8, 172.16/12, 192.168/16, fc00::/7,
 * fe80::/10): plain http is fine there.
 */
bool url_host_is_local(const char *host);

struct sockaddr;
/* True when the address is in IANA's special-purpose registries (DESIGN section 9), also through v4-mapped, v4-compatible and NAT64 forms. */
bool address_is_special(const struct sockaddr *address);

#endif
