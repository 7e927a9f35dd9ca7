/*
 * gemini.c: ChatGoogleGenerativeAI over REST: where requests go, with which headers, and the class. Not: its parameters and body (gemini_params.c),
 * nor attempts (gemini_turn.c).
 *
 * POST {base}/{version}/models/{model}:generateContent, or :streamGenerateContent?alt=sse. The base is base_url, client_options.api_endpoint,
 * GOOGLE_GEMINI_BASE_URL or the provider's; a base that ends in the version already is not doubled. Vertex AI is not spoken, and said so.
 */
#include "connector/gemini.h"

#include <math.h>

#include "connector/base_url.h"
#include "connector/header_list.h"
#include "connector/httpx_args.h"
#include "connector/setup.h"

#define DEFAULT_BASE    "https://generativelanguage.googleapis.com"
#define DEFAULT_VERSION "v1beta"
#define MODEL_SHOWN_MAX 64

/* Where the parts of a configuration meet: read in this order, rendered at the end. */
struct routing {
	struct base_url url;
	struct httpx_args args;
	struct header_list headers;
};

/* ---- model ---- */

static void check_model(struct gemini_setup *s)
{
	struct str model = s->values[G_MODEL].value.text;

	if (!s->values[G_MODEL].given)
		return;
	if (!model.len)
		gemini_wrong(s, "model", "model is empty: name a model such as \"gemini-2.5-flash\".");
	else if (str_contains(model, STR("..")) || str_contains(model, STR("?")) || str_contains(model, STR("&")))
		gemini_wrong(s, "model", "model '%.*s' cannot be part of a URL: it has '..', '?' or '&'.",
		             (int)utf8_cut(model, MODEL_SHOWN_MAX), model.ptr);
	s->nomem |= arena_str(&s->g->base.arena, model, &s->g->base.model) != 0;
}

/* "models/x" for x; "models/…" and "tunedModels/…" as they are; percent-encoded, a '%' kept for names that are encoded already. */
static const char *model_path(struct gemini_setup *s)
{
	struct str model = s->g->base.model;
	bool has_prefix = str_starts_with(model, STR("models/")) || str_starts_with(model, STR("tunedModels/"));
	const char *prefix = has_prefix ? "" : "models/", *keep = "/:%@+,;=!$'()*";
	size_t len = strlen(prefix);
	char *out = arena_alloc(&s->g->base.arena, len + percent_encode(NULL, model, keep) + 1);

	if (!out)
		return NULL;
	memcpy(out, prefix, len);
	len += percent_encode(out + len, model, keep);
	out[len] = '\0';
	return out;
}

/* ---- key ---- */

static void use_key(struct gemini_setup *s, struct str key, enum key_source source)
{
	s->g->base.key_source = source;
	s->nomem |= arena_str(&s->g->base.arena, key, &s->g->base.key) != 0;
}

static void choose_key(struct gemini_setup *s, bool llm_key)
{
	struct connector *c = &s->g->base;
	struct str given = s->values[G_KEY].given ? s->values[G_KEY].value.text : STR_NULL;
	struct str google = setup_env(s->in, "GOOGLE_API_KEY"), gemini = setup_env(s->in, "GEMINI_API_KEY");
	const char *what;

	if (given.len)
		use_key(s, given, llm_key ? KEY_FROM_ENV : KEY_FROM_PARAMS);
	else if (google.len || gemini.len)
		use_key(s, google.len ? google : gemini, KEY_FROM_ENV);
	else if (s->values[G_KEY].raw && !s->values[G_KEY].given && !s->values[G_KEY].null)
		return; /* its type is wrong, which was said */
	else
		gemini_wrong(s, "api_key", "An API key is required: give api_key, or set GOOGLE_API_KEY or GEMINI_API_KEY.");
	c->env_secrets = c->key_source == KEY_FROM_ENV;
	what = key_problem(c->key);
	if (what)
		gemini_wrong(s, "api_key", "The API key cannot be sent: %s.", what);
	else if (str_starts_with(c->key, STR("auth_tokens/")))
		gemini_wrong(s, "api_key", "The API key is an ephemeral token, which only the live API takes: use an API key.");
}

/* ---- base ---- */

/* A string, or {"api_endpoint": string} with nothing else. STR_NULL: not given. */
static struct str given_base(struct gemini_setup *s, int row)
{
	const struct json *v = s->values[row].given ? &s->values[row].value : NULL;
	const struct json *endpoint = v && v->type == JSON_OBJECT && v->count == 1 ? json_get_lit(v, "api_endpoint") : NULL;

	if (!v)
		return STR_NULL;
	if (v->type == JSON_STRING)
		return v->text;
	if (endpoint && endpoint->type == JSON_STRING)
		return endpoint->text;
	gemini_wrong(s, gemini_rows[row].name, "%s must be a string, or an object with the member api_endpoint alone.",
	             gemini_rows[row].name);
	return STR_NULL;
}

static void choose_base(struct gemini_setup *s, struct base_url *ret)
{
	struct str base = given_base(s, G_BASE_URL), options = given_base(s, G_CLIENT_OPTIONS);
	const char *name = base.len ? "base_url" : "client_options", *what;

	if (!base.len)
		base = options;
	if (!base.len) {
		base = setup_env(s->in, "GOOGLE_GEMINI_BASE_URL");
		s->g->base.base_from_env = base.len != 0;
		name = "base_url";
	}
	if (!base.len)
		base = STR(DEFAULT_BASE);
	*ret = (struct base_url){ 0 };
	what = base_url_parse(base, ret);
	if (!what && !ret->scheme.len)
		what = "it begins with neither http:// nor https://";
	s->g->base.base_is_default = !what && base_url_same_origin(ret, STR(DEFAULT_BASE));
	if (what)
		gemini_wrong(s, name, "%s is no usable address: %s. Write it like " DEFAULT_BASE ".",
		             s->g->base.base_from_env ? "GOOGLE_GEMINI_BASE_URL" : name, what);
}

static struct str api_version(struct gemini_setup *s)
{
	struct str version = s->values[G_API_VERSION].given ? s->values[G_API_VERSION].value.text : STR(DEFAULT_VERSION);

	while (version.len && version.ptr[0] == '/')
		version = str_sub(version, 1, version.len);
	while (version.len && version.ptr[version.len - 1] == '/')
		version.len--;
	for (size_t i = 0; i < version.len; i++) {
		if ((unsigned char)version.ptr[i] <= ' ' || strchr("?#&%\\\"<>", version.ptr[i]) ||
		    str_contains(version, STR(".."))) {
			gemini_wrong(s, "api_version", "api_version must be a version such as \"v1beta\" or \"v1\".");
			break;
		}
	}
	return version;
}

static void render_url(struct gemini_setup *s, struct routing *to, struct str version)
{
	struct arena *a = &s->g->base.arena;
	struct base_url *u = &to->url;
	const char *slash = version.len ? "/" : "", *version_path = arena_printf(a, "%s%.*s", slash, STR_ARG(version));
	const char *model = model_path(s), *base, *url, *call = s->g->base.streaming ? "streamGenerateContent" : "generateContent";

	if (!version_path || !model) {
		s->nomem = true;
		return;
	}
	if (version.len && str_ends_with(u->path, STR("/models")))
		base_url_drop_suffix(u, str_from(arena_printf(a, "%s/models", version_path)));
	base_url_drop_suffix(u, str_from(version_path));
	base = arena_printf(a, "%.*s://%.*s%s%.*s%.*s", STR_ARG(u->scheme), STR_ARG(u->host), u->port.len ? ":" : "",
	                    STR_ARG(u->port), STR_ARG(u->path));
	url = base ? arena_printf(a, "%s%s/%s:%s%s%.*s%s%.*s%s%s", base, version_path, model, call,
	                          u->query.len || to->args.query.len || s->g->base.streaming ? "?" : "", STR_ARG(u->query),
	                          u->query.len && to->args.query.len ? "&" : "", STR_ARG(to->args.query),
	                          s->g->base.streaming && (u->query.len || to->args.query.len) ? "&" : "",
	                          s->g->base.streaming ? "alt=sse" : "")
	           : NULL;
	s->nomem |= !url;
	s->g->base.base_url = str_from(base);
	s->g->url = str_from(url);
}

/* ---- headers, limits ---- */

static void read_client_args(struct gemini_setup *s, struct httpx_args *ret)
{
	const struct json *object = s->values[G_CLIENT_ARGS].given ? &s->values[G_CLIENT_ARGS].value : NULL;
	char at[SETUP_POINTER_MAX];
	int r;

	setup_pointer(s->in->pointer, "client_args", at);
	r = httpx_args_read(&s->g->base.arena, object, at, s->in->stranger, false, s->problems, ret);
	s->nomem |= r == FF_ENOMEM;
	s->failed |= r != 0;
	s->g->base.insecure_tls = ret->insecure;
	s->g->base.cafile = ret->cafile;
	s->g->base.proxy = ret->proxy;
	if (ret->timeout_given) {
		s->g->base.timeout_set = true;
		s->g->base.timeout_ms = setup_ms(ret->timeout_s);
	}
}

/* Whole milliseconds, cut as the SDK cuts them; 0 is no timeout. The server is told in seconds, rounded up. */
static void read_timeout(struct gemini_setup *s, struct header_list *headers)
{
	const struct param_value *v = &s->values[G_TIMEOUT];
	double ms = v->given ? floor(MIN(json_to_double(&v->value), 1e9) * 1000) : 0;
	const char *seconds;

	if (ms < 1)
		return;
	s->g->base.timeout_set = true;
	s->g->base.timeout_ms = (uint64_t)ms;
	seconds = arena_printf(&s->g->base.arena, "%.0f", ceil(ms / 1000));
	s->nomem |= !seconds;
	header_list_set(headers, STR("X-Server-Timeout"), str_from(seconds));
}

/* max_retries counts attempts: 0, 1 and less are one request. */
static void read_retries(struct gemini_setup *s)
{
	static const int most = 1000;
	const struct param_value *v = &s->values[G_RETRIES];
	double attempts = v->given ? json_to_double(&v->value) : 0;

	s->g->base.max_retries = gemini_class.retry.default_max_retries;
	if (!v->given)
		return;
	if (attempts > most)
		gemini_wrong(s, "max_retries", "max_retries must be at most %d attempts.", most);
	else
		s->g->base.max_retries = (int32_t)MAX(attempts - 1, 0);
}

static void add_given_headers(struct gemini_setup *s, struct routing *to)
{
	char at[SETUP_POINTER_MAX];

	setup_pointer(s->in->pointer, "client_args", at);
	json_pointer_push(at, sizeof at, STR("headers"));
	s->failed |= header_list_set_given(&to->headers, &to->args.headers, at, s->in->stranger, s->problems) != 0;
	if (to->args.cookies.len) {
		header_list_set(&to->headers, STR("cookie"), to->args.cookies);
		header_list_secret(&to->headers, to->args.cookies);
	}
	setup_pointer(s->in->pointer, "additional_headers", at);
	if (s->values[G_HEADERS].given)
		s->failed |=
		        header_list_set_given(&to->headers, &s->values[G_HEADERS].value, at, s->in->stranger, s->problems) != 0;
}

/* Ours first: what the payload gives replaces them, even the key. */
static void build_headers(struct gemini_setup *s, struct routing *to)
{
	struct gemini *g = s->g;

	header_list_init(&to->headers, &g->base.arena);
	header_list_url_secrets(&to->headers, to->args.proxy);
	header_list_set(&to->headers, STR("content-type"), STR("application/json"));
	header_list_set(&to->headers, STR("accept"), STR("*/*"));
	header_list_set(&to->headers, STR("user-agent"), STR(SETUP_USER_AGENT));
	header_list_set(&to->headers, STR("x-goog-api-key"), g->base.key);
	header_list_secret(&to->headers, g->base.key);
	read_timeout(s, &to->headers);
	if (to->url.has_userinfo)
		header_list_set_userinfo(&to->headers, to->url.userinfo);
	add_given_headers(s, to);
	s->nomem |= to->headers.nomem;
	g->headers = to->headers.items;
	g->header_count = to->headers.count;
	g->base.secrets = to->headers.secrets;
	g->base.secret_count = to->headers.secret_count;
}

static void choose_streaming(struct gemini_setup *s)
{
	bool asked = s->values[G_STREAMING].given && s->values[G_STREAMING].value.type == JSON_TRUE;

	s->g->base.streaming = !s->disable_streaming && (asked || s->in->stream);
	s->g->keep_newlines = !s->disable_streaming && asked;
}

/* ---- configure ---- */

static int build(struct gemini_setup *s)
{
	struct routing to = { 0 };
	struct str version;
	bool llm_key;
	int r = gemini_read_params(s, &llm_key);

	if (r)
		return r;
	check_model(s);
	choose_key(s, llm_key);
	choose_base(s, &to.url);
	choose_streaming(s);
	read_client_args(s, &to.args);
	read_retries(s);
	version = api_version(s);
	build_headers(s, &to);
	gemini_render_body(s);
	if (s->nomem || s->problems->nomem)
		return FF_ENOMEM;
	if (s->failed)
		return FF_EUSAGE;
	render_url(s, &to, version);
	return s->nomem ? FF_ENOMEM : 0;
}

static int configure(const struct connector_class *class, const struct connector_setup *in, struct problems *problems,
                     struct connector **ret)
{
	struct gemini_setup s = { .in = in, .problems = problems };
	int r;

	s.g = (struct gemini *)(void *)setup_new(class, sizeof *s.g);
	if (!s.g)
		return FF_ENOMEM;
	r = build(&s);
	if (r) {
		connector_free(&s.g->base);
		return r;
	}
	*ret = &s.g->base;
	return 0;
}

static const char *const class_paths[] = { "langchain_google_genai.chat_models.ChatGoogleGenerativeAI",
	                                   "langchain_google_genai.ChatGoogleGenerativeAI", NULL };

static const int retry_statuses[] = { 408, 429, 500, 502, 503, 504, 0 };

const struct connector_class gemini_class = {
	.name = "ChatGoogleGenerativeAI",
	.short_name = "gemini",
	.label = "Gemini",
	.class_paths = class_paths,
	.summary = "Gemini API over REST: POST {base_url}/v1beta/models/{model}:generateContent; max_retries counts attempts",
	.params = gemini_rows,
	.param_count = G_COUNT,
	.retry = { .statuses = retry_statuses,
	           .transport = true,
	           .before_reply_only = true,
	           .timeouts = true,
	           .hints = true,
	           .default_max_retries = 5,
	           .backoff_first_s = 1,
	           .backoff_cap_s = 60 },
	.configure = configure,
	.begin = gemini_begin,
	.encode = gemini_encode,
	.head = gemini_head,
	.feed = gemini_feed,
	.finish = gemini_finish,
	.end = gemini_end,
};
