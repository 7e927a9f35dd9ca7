/* url_curl.h: the parsed URL itself, for the transport: the handle that was checked is the handle that is sent (CURLOPT_CURLU). */
#ifndef FF_NET_URL_CURL_H
#define FF_NET_URL_CURL_H

#include <curl/curl.h>

#include "net/url.h"

/* The URL as a handle of libcurl's (release with curl_url_cleanup). 0, FF_EUSAGE, FF_ENOMEM. */
int url_curl_parse(struct str url, CURLU **ret, struct error *err) WARN_UNUSED;
/* The parts of a parsed URL, as url_parse gives them. */
int url_curl_parts(CURLU *u, struct url_parts *ret, struct error *err) WARN_UNUSED;
/* True when it certainly has these parts. False says nothing: an IPv6 address, an international name, no memory. */
bool url_curl_leads_to(CURLU *u, const struct url_parts *parts);

#endif
