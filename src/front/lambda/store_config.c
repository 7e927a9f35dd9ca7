/*
 * store_config.c: FAIRFORGE_RESULT_URI and AWS's own variables, judged before the first event. See store.h for the table.
 *
 * Credentials come from the environment alone, where Lambda puts them; the other places that AWS's SDKs look into (containers, instances, web
 * identity) are not asked. What could be read differently by the two who look at a path (we sign it, libcurl sends it) is refused: dot segments.
 */
#include "front/lambda/store_config.h"

#include <stdio.h>

#include "net/url.h"

#define MAX_BUCKET 63u
#define MAX_PREFIX 700u /* S3 takes keys of 1,024 bytes */

struct reader {
	environment_fn env;
	void *user;
	struct arena *arena;
	struct error *err;
};

static struct str get(const struct reader *r, const char *name)
{
	return str_from(r->env(r->user, name));
}

/* The value of the first of the two that is set; empty: none is. */
static struct str first_of(const struct reader *r, const char *name, const char *other)
{
	struct str value = get(r, name);

	return value.len || !other ? value : get(r, other);
}

static int copy(const struct reader *r, struct str text, struct str *ret)
{
	return arena_str(r->arena, text, ret) ? error_nomem(r->err) : 0;
}

/* ---- s3://bucket/prefix ---- */

static int bad_uri(const struct reader *r, const char *why)
{
	return error_set(r->err, FF_EUSAGE, "FAIRFORGE_RESULT_URI", "FAIRFORGE_RESULT_URI must be s3://bucket/prefix: %s.", why);
}

static bool is_bucket_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

static bool is_bucket(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!is_bucket_char(name.ptr[i]))
			return false;
	return name.len >= 3 && name.len <= MAX_BUCKET && !str_contains(name, STR("..")) && !strchr(".-", name.ptr[0]) &&
	       !strchr(".-", name.ptr[name.len - 1]);
}

static const char *prefix_problem(struct str prefix)
{
	struct str rest = prefix;

	if (prefix.len > MAX_PREFIX)
		return "the prefix is too long";
	if (!utf8_is_valid(prefix))
		return "the prefix is not UTF-8";
	for (size_t i = 0; i < prefix.len; i++)
		if ((unsigned char)prefix.ptr[i] < ' ' || prefix.ptr[i] == 0x7f)
			return "the prefix holds a control character";
	while (rest.ptr && rest.len) {
		struct str part = str_split(&rest, '/');

		if (!part.len)
			return "the prefix has an empty part (//)";
		if (str_eq(part, STR(".")) || str_eq(part, STR("..")))
			return "the prefix has a part that is . or ..";
	}
	return NULL;
}

static int read_uri(const struct reader *r, struct str uri, struct store_config *c)
{
	struct str rest, bucket, prefix;
	const char *problem;

	if (!str_starts_with(uri, STR("s3://")))
		return bad_uri(r, "it does not begin with s3://");
	rest = str_sub(uri, 5, uri.len);
	bucket = str_split(&rest, '/');
	prefix = rest.ptr ? rest : STR_NULL;
	if (!is_bucket(bucket))
		return bad_uri(r, "a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens");
	if (prefix.len > 1 && str_ends_with(prefix, STR("/")))
		prefix.len--;
	problem = prefix_problem(prefix);
	if (problem)
		return bad_uri(r, problem);
	c->prefix = STR_NULL;
	if (prefix.len) {
		const char *text = arena_printf(r->arena, "%.*s/", STR_ARG(prefix));

		if (!text)
			return error_nomem(r->err);
		c->prefix = str_from(text);
	}
	return copy(r, bucket, &c->bucket);
}

/* ---- key and region ---- */

static int read_required(const struct reader *r, const char *name, const char *other, struct str *ret)
{
	struct str value = str_trim(first_of(r, name, other));

	if (!value.len)
		return error_set(r->err, FF_EUSAGE, name,
		                 "FAIRFORGE_RESULT_URI is set, but %s is not: AWS Lambda sets it by itself.", name);
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.ptr[i] <= ' ' || (unsigned char)value.ptr[i] >= 0x7f)
			return error_set(r->err, FF_EUSAGE, name, "%s holds a character that cannot be in it.", name);
	return copy(r, value, ret);
}

static bool is_region(struct str region)
{
	for (size_t i = 0; i < region.len; i++)
		if (!is_bucket_char(region.ptr[i]) || region.ptr[i] == '.')
			return false;
	return region.len <= MAX_BUCKET;
}

static int read_key(const struct reader *r, struct store_config *c)
{
	int code = read_required(r, "AWS_REGION", "AWS_DEFAULT_REGION", &c->region);

	if (!code && !is_region(c->region))
		code = error_set(r->err, FF_EUSAGE, "AWS_REGION", "AWS_REGION is not the name of a region, such as eu-west-1.");
	if (!code)
		code = read_required(r, "AWS_ACCESS_KEY_ID", NULL, &c->access_key);
	if (!code)
		code = read_required(r, "AWS_SECRET_ACCESS_KEY", NULL, &c->secret_key);
	c->session_token = STR_NULL;
	if (!code && get(r, "AWS_SESSION_TOKEN").len)
		code = read_required(r, "AWS_SESSION_TOKEN", NULL, &c->session_token);
	return code;
}

/* ---- where to ---- */

static int set_place(const struct reader *r, struct store_config *c, const char *scheme, const char *host, bool path_style)
{
	const char *url = arena_printf(r->arena, "%s://%s", scheme, host);
	const char *root = path_style ? arena_printf(r->arena, "/%.*s/", STR_ARG(c->bucket)) : "/";

	if (!url || !root)
		return error_nomem(r->err);
	c->base_url = str_from(url);
	c->host = str_sub(c->base_url, strlen(scheme) + 3, c->base_url.len);
	c->root = str_from(root);
	return 0;
}

static int place_on_aws(const struct reader *r, struct store_config *c)
{
	bool path_style = str_contains(c->bucket, STR(".")); /* a wildcard certificate covers no dots */
	const char *suffix = str_starts_with(c->region, STR("cn-")) ? "amazonaws.com.cn" : "amazonaws.com";
	const char *host = path_style ? arena_printf(r->arena, "s3.%.*s.%s", STR_ARG(c->region), suffix)
	                              : arena_printf(r->arena, "%.*s.s3.%.*s.%s", STR_ARG(c->bucket), STR_ARG(c->region), suffix);

	return host ? set_place(r, c, "https", host, path_style) : error_nomem(r->err);
}

static bool clear_text_is_fine(const struct reader *r)
{
	bool yes = false;

	return str_to_bool(get(r, "FAIRFORGE_ALLOW_HTTP"), &yes) && yes;
}

static int place_at_endpoint(const struct reader *r, struct store_config *c, struct str endpoint)
{
	static const char where[] = "AWS_ENDPOINT_URL_S3";
	struct url_parts p;
	struct error why = { 0 };
	const char *host;
	bool https;
	int code = url_parse(endpoint, &p, &why);

	if (code == FF_ENOMEM)
		return error_nomem(r->err);
	if (code || !url_is_bare_origin(endpoint)) {
		if (!code)
			url_parts_release(&p);
		return error_set(r->err, FF_EUSAGE, where,
		                 "AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL must be https://host:port, without a path.");
	}
	https = strcmp(p.scheme, "https") == 0;
	host = strchr(p.host, ':') ? arena_printf(r->arena, "[%s]", p.host) : arena_printf(r->arena, "%s", p.host);
	if (host && p.port != (https ? 443 : 80)) /* Host: leaves the scheme's own port out, and Host: is signed */
		host = arena_printf(r->arena, "%s:%u", host, (unsigned)p.port);
	if (!https && !url_host_is_local(p.host) && !clear_text_is_fine(r))
		code = error_set(r->err, FF_EUSAGE, where,
		                 "Results would go to %s in clear text: use https, or set FAIRFORGE_ALLOW_HTTP=1.", p.origin);
	else
		code = host ? set_place(r, c, p.scheme, host, true) : error_nomem(r->err);
	url_parts_release(&p);
	return code;
}

int store_config_read(environment_fn env, void *env_user, struct arena *arena, struct store_config *ret, bool *ret_found,
                      struct error *err)
{
	struct reader r = { env, env_user, arena, err };
	struct str uri = str_trim(get(&r, "FAIRFORGE_RESULT_URI")), endpoint;
	int code;

	*ret_found = false;
	if (!uri.len)
		return 0;
	code = read_uri(&r, uri, ret);
	if (!code)
		code = read_key(&r, ret);
	if (code)
		return code;
	endpoint = str_trim(first_of(&r, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"));
	code = endpoint.len ? place_at_endpoint(&r, ret, endpoint) : place_on_aws(&r, ret);
	*ret_found = !code;
	return code;
}
