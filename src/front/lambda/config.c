/*
 * config.c: see config.h.
 */
#include "front/lambda/config.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "front/common/args.h"
#include "net/url.h"

#define MARGIN_LEAST_MS 50
#define MARGIN_MOST_MS  840000

static const char *const own_names[] = {
	"FAIRFORGE_CONNECTOR",  "FAIRFORGE_ALLOWED_ORIGINS", "FAIRFORGE_CORS_ORIGIN", "FAIRFORGE_DEADLINE_MARGIN_MS",
	"FAIRFORGE_RESULT_URI", "FAIRFORGE_DISCARD_RESULTS", "FAIRFORGE_LOG_LEVEL",   "FAIRFORGE_ALLOW_HTTP",
};

/* ---- one value ---- */

/* NULL: unset or empty. */
static const char *value_of(environment_fn env, void *env_user, const char *name)
{
	const char *value = env(env_user, name);

	return value && *value ? value : NULL;
}

/* As a browser writes it, letter by letter: lower case, without the scheme's own port. It compares no other way. */
static bool is_origin(const char *text)
{
	struct url_parts parts;
	const char *host = strstr(text, "://");
	char expected[320];
	int len;

	if (!host || !host[3] || strpbrk(host + 3, "/?#@, \t\r\n\\") || url_parse(str_from(text), &parts, NULL))
		return false;
	len = (int)strlen(parts.origin);
	if (parts.port == (strcmp(parts.scheme, "https") ? 80 : 443))
		len -= (int)strlen(strrchr(parts.origin, ':'));
	snprintf(expected, sizeof(expected), "%.*s", len, parts.origin);
	url_parts_release(&parts);
	return !strcmp(text, expected);
}

static int read_cors(const char *text, struct config *c, struct error *err)
{
	c->cors_origin = "*";
	if (!text || !strcmp(text, "*"))
		return 0;
	if (!strcmp(text, "none")) {
		c->cors_origin = NULL;
		return 0;
	}
	if (!is_origin(text))
		return error_set(err, FF_EUSAGE, "FAIRFORGE_CORS_ORIGIN",
		                 "FAIRFORGE_CORS_ORIGIN must be *, none, or one origin as browsers write it, such as "
		                 "https://example.com: in lower case, without the scheme's own port.");
	c->cors_origin = text;
	return 0;
}

static int read_margin(const char *text, struct config *c, struct error *err)
{
	if (!text || arg_u64(text, MARGIN_LEAST_MS, MARGIN_MOST_MS, &c->margin_ms))
		return 0;
	return error_set(err, FF_EUSAGE, "FAIRFORGE_DEADLINE_MARGIN_MS",
	                 "FAIRFORGE_DEADLINE_MARGIN_MS must be a number of milliseconds from %d to %d.", MARGIN_LEAST_MS,
	                 MARGIN_MOST_MS);
}

static int read_discard(const char *text, struct config *c, struct error *err)
{
	if (!text || str_to_bool(str_from(text), &c->discard_results))
		return 0;
	return error_set(err, FF_EUSAGE, "FAIRFORGE_DISCARD_RESULTS",
	                 "FAIRFORGE_DISCARD_RESULTS must be 1 (nobody needs the answers to SQS and EventBridge) or 0.");
}

static int read_level(const char *text, struct config *c, struct error *err)
{
	static const char *const words[] = {
		[FF_LOG_ERROR] = "error", [FF_LOG_WARNING] = "warning", [FF_LOG_INFO] = "info", [FF_LOG_DEBUG] = "debug"
	};

	c->log_level = FF_LOG_INFO;
	if (!text)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (str_eq_nocase(str_from(text), str_from(words[i]))) {
			c->log_level = (enum ff_log_level)i;
			return 0;
		}
	return error_set(err, FF_EUSAGE, "FAIRFORGE_LOG_LEVEL", "FAIRFORGE_LOG_LEVEL must be error, warning, info or debug.");
}

int config_read(environment_fn env, void *env_user, struct config *ret, struct error *err)
{
	struct config c = { 0 };
	uint64_t number;
	int r = read_cors(value_of(env, env_user, "FAIRFORGE_CORS_ORIGIN"), &c, err);

	if (!r)
		r = read_margin(value_of(env, env_user, "FAIRFORGE_DEADLINE_MARGIN_MS"), &c, err);
	if (!r)
		r = read_discard(value_of(env, env_user, "FAIRFORGE_DISCARD_RESULTS"), &c, err);
	if (!r)
		r = read_level(value_of(env, env_user, "FAIRFORGE_LOG_LEVEL"), &c, err);
	if (r)
		return r;
	/* The platform's own variables: what is odd there counts as unknown. */
	if (arg_u64(value_of(env, env_user, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 1, (uint64_t)1 << 20, &number))
		c.memory_bytes = (size_t)number << 20;
	c.one_at_a_time = !arg_u64(value_of(env, env_user, "AWS_LAMBDA_MAX_CONCURRENCY"), 2, UINT32_MAX, &number);
	*ret = c;
	return 0;
}

void config_unknown(char *const *environment, void (*found)(void *user, const char *name, const char *meant), void *user)
{
	environment_unknown(environment, own_names, ARRAY_SIZE(own_names), found, user);
}
