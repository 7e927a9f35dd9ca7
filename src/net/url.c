/*
 * url.c: a URL taken apart by libcurl, which also sends it: what is checked here is what is connected to.
 *
 * Not a parser: every part comes from curl_url_get. Costs a few microseconds and a dozen small allocations; the transport parses a URL once
 * and keeps it as long as requests go there.
 */
#include <curl/curl.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "net/url.h"
#include "net/url_curl.h"

#define URL_MAX_BYTES (64u << 10)

static void curl_free_p(void *pointer_to_pointer)
{
	curl_free(*(char **)pointer_to_pointer);
}

static void curl_url_p(void *pointer_to_handle)
{
	curl_url_cleanup(*(CURLU **)pointer_to_handle);
}

static void mem_clean_p(char **text)
{
	mem_free(*text);
}

static int bad_url(struct error *err, const char *why)
{
	error_set(err, FF_EUSAGE, "", "The URL is not a usable http or https URL: %s.", why);
	return FF_EUSAGE;
}

static int no_memory(struct error *err)
{
	error_nomem(err);
	return FF_ENOMEM;
}

/* libcurl's words for what users do wrong most often are terse; the others pass as they are. */
static const char *why_refused(CURLUcode code)
{
	switch (code) {
	case CURLUE_BAD_SCHEME:
	case CURLUE_UNSUPPORTED_SCHEME: return "it must begin with http:// or https://";
	case CURLUE_NO_HOST: return "it names no host";
	case CURLUE_BAD_PORT_NUMBER: return "its port is not a number from 0 to 65535";
	case CURLUE_BAD_HOSTNAME: return "its host name has a character that no host name may have";
	case CURLUE_BAD_IPV6: return "its IPv6 address is malformed";
	case CURLUE_MALFORMED_INPUT: return "it is malformed (a space or a control character must be percent-encoded)";
	default: return curl_url_strerror(code);
	}
}

int url_curl_parse(struct str url, CURLU **ret, struct error *err)
{
	CLEANUP(curl_url_p) CURLU *u = NULL;
	CLEANUP(mem_clean_p) char *text = NULL;
	CURLUcode code;

	if (url.len == 0)
		return bad_url(err, "it is empty");
	if (url.len > URL_MAX_BYTES)
		return bad_url(err, "it is longer than 64 KiB");
	if (memchr(url.ptr, '\0', url.len))
		return bad_url(err, "it contains a NUL byte");
	text = mem_strndup(url.ptr, url.len);
	u = curl_url();
	if (!text || !u)
		return no_memory(err);
	code = curl_url_set(u, CURLUPART_URL, text, 0);
	if (code == CURLUE_OUT_OF_MEMORY)
		return no_memory(err);
	if (code)
		return bad_url(err, why_refused(code));
	*ret = u;
	u = NULL;
	return 0;
}

/* One part as our own string, ASCII letters lowered. */
static int part(CURLU *u, CURLUPart what, unsigned flags, char **ret, struct error *err)
{
	CLEANUP(curl_free_p) char *text = NULL;
	CURLUcode code = curl_url_get(u, what, &text, flags);

	if (code == CURLUE_OUT_OF_MEMORY)
		return no_memory(err);
	if (code)
		return bad_url(err, why_refused(code));
	*ret = mem_strdup(text);
	if (!*ret)
		return no_memory(err);
	for (char *c = *ret; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	return 0;
}

static bool is_ascii(const char *text)
{
	while (*text && (unsigned char)*text < 0x80)
		text++;
	return !*text;
}

/*
 * The host in ASCII. libcurl converts an international name by way of the process's locale, and says "out of memory" of one that does not convert;
 * in the C locale none does.
 */
static int ascii_host(CURLU *u, char **ret, struct error *err)
{
	CLEANUP(mem_clean_p) char *plain = NULL;
	CLEANUP(curl_free_p) char *converted = NULL;
	int code = part(u, CURLUPART_HOST, 0, &plain, err);

	if (code)
		return code;
	if (is_ascii(plain)) {
		*ret = plain;
		plain = NULL;
		return 0;
	}
	if (curl_url_get(u, CURLUPART_HOST, &converted, CURLU_PUNYCODE))
		return bad_url(err, "its international host name does not convert to ASCII in this locale: write its xn-- form");
	return part(u, CURLUPART_HOST, CURLU_PUNYCODE, ret, err);
}

static int get_host(CURLU *u, char **ret, struct error *err)
{
	int code = ascii_host(u, ret, err);
	size_t len;

	if (code)
		return code;
	len = strlen(*ret);
	if (len == 0) {
		mem_free(*ret);
		*ret = NULL;
		return bad_url(err, "it names no host");
	}
	if ((*ret)[0] == '[' && (*ret)[len - 1] == ']') {
		memmove(*ret, *ret + 1, len - 2);
		(*ret)[len - 2] = '\0';
	}
	return 0;
}

static int get_port(CURLU *u, uint16_t *ret, struct error *err)
{
	CLEANUP(mem_clean_p) char *text = NULL;
	uint64_t port;
	int code = part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, &text, err);

	if (code)
		return code;
	if (!str_to_u64(str_from(text), &port) || port == 0 || port > UINT16_MAX)
		return bad_url(err, "its port is not a number from 1 to 65535");
	*ret = (uint16_t)port;
	return 0;
}

/* Piece by piece: some servers want another URL for every exchange, and a printf into fresh memory formats twice. */
static int get_origin(struct url_parts *parts, struct error *err)
{
	struct buf origin;
	char port[U64_DIGITS];
	bool ipv6 = strchr(parts->host, ':') != NULL;

	buf_init(&origin, (size_t)URL_MAX_BYTES * 4);
	buf_append_str(&origin, str_from(parts->scheme));
	buf_append_str(&origin, ipv6 ? STR("://[") : STR("://"));
	buf_append_str(&origin, str_from(parts->host));
	buf_append_str(&origin, ipv6 ? STR("]:") : STR(":"));
	buf_append(&origin, port, u64_digits(parts->port, port));
	if (buf_failed(&origin)) {
		buf_release(&origin);
		return no_memory(err);
	}
	parts->origin = origin.ptr; /* the text with its NUL, and its memory */
	return 0;
}

int url_curl_parts(CURLU *u, struct url_parts *ret, struct error *err)
{
	struct url_parts parts = { .scheme = NULL };
	int code = part(u, CURLUPART_SCHEME, 0, &parts.scheme, err);

	if (!code && !str_eq(str_from(parts.scheme), STR("http")) && !str_eq(str_from(parts.scheme), STR("https")))
		code = bad_url(err, why_refused(CURLUE_UNSUPPORTED_SCHEME));
	if (!code)
		code = get_host(u, &parts.host, err);
	if (!code)
		code = get_port(u, &parts.port, err);
	if (!code)
		code = get_origin(&parts, err);
	if (code) {
		url_parts_release(&parts);
		return code;
	}
	*ret = parts;
	return 0;
}

static bool part_is(CURLU *u, CURLUPart what, const char *expected)
{
	CLEANUP(curl_free_p) char *text = NULL;

	return curl_url_get(u, what, &text, what == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0) == CURLUE_OK &&
	       str_eq_nocase(str_from(text), str_from(expected));
}

bool url_curl_leads_to(CURLU *u, const struct url_parts *parts)
{
	char port[8];

	(void)snprintf(port, sizeof(port), "%u", (unsigned)parts->port);
	return part_is(u, CURLUPART_PORT, port) && part_is(u, CURLUPART_SCHEME, parts->scheme) &&
	       part_is(u, CURLUPART_HOST, parts->host);
}

int url_parse(struct str url, struct url_parts *ret, struct error *err)
{
	CLEANUP(curl_url_p) CURLU *u = NULL;
	int code = url_curl_parse(url, &u, err);

	return code ? code : url_curl_parts(u, ret, err);
}

void url_parts_release(struct url_parts *p)
{
	mem_free(p->scheme);
	mem_free(p->host);
	mem_free(p->origin);
	*p = (struct url_parts){ .scheme = NULL };
}

bool url_is_bare_origin(struct str url)
{
	size_t start = str_find(url, STR("://"), 0);
	struct str rest = start == SIZE_MAX ? url : str_sub(url, start + 3, url.len);

	if (str_ends_with(rest, STR("/")))
		rest.len--;
	for (size_t i = 0; i < rest.len; i++)
		if (strchr("/?#@\\", rest.ptr[i]))
			return false;
	return true;
}
