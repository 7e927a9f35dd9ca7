/*
 * base_url.h: takes a base_url apart as text, so that a path can be joined to it and its userinfo becomes a header. It does not decide where a
 * request goes: the finished URL is parsed once more by the transport, with libcurl's parser, and that parse counts. Therefore whatever two
 * parsers could read differently (white space, control characters, backslashes, odd ports) is refused here.
 */
#ifndef FF_CONNECTOR_BASE_URL_H
#define FF_CONNECTOR_BASE_URL_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

/* Slices of the text that was parsed. */
struct base_url {
	struct str scheme;   /* as written; empty: there was none ("localhost:11434") */
	struct str userinfo; /* between "//" and the last '@', without the '@' */
	struct str host;     /* IPv6 in its brackets; may be empty only when the scheme is (":9999") */
	struct str port;     /* digits; empty: none */
	struct str path;     /* "" or "/…" without slashes at its end */
	struct str query;    /* behind '?'; a fragment is dropped */
	bool has_userinfo;
};

/* NULL, or what is wrong as a clause: "its port is not a number from 1 to 65535". Schemes other than http and https are wrong. */
const char *base_url_parse(struct str text, struct base_url *ret) WARN_UNUSED;
/* Whether requests to the URL go where those to `own` go: the same scheme, host and port. */
bool base_url_same_origin(const struct base_url *u, struct str own);
/* Drops `suffix` ("/v1beta") from the end of the path when it stands there as whole segments. */
void base_url_drop_suffix(struct base_url *u, struct str suffix);
/* Whether a segment of the path is "." or "..", also percent-encoded: it would lead elsewhere than it says. */
bool path_has_dots(struct str path);
/* "Basic …" of RFC 7617 for a percent-encoded "user:password" (or "user"). NULL: out of memory. */
char *base_url_basic_auth(struct arena *a, struct str userinfo);
/* `text` with its %XX decoded; a '%' that starts none stays. NULL: out of memory. */
char *percent_decode(struct arena *a, struct str text, size_t *ret_len);
/* Writes `text` percent-encoded, but for unreserved characters and those in `keep`, to out (NULL: only measures); returns the length. */
size_t percent_encode(char *out, struct str text, const char *keep);

#endif
