/*
 * alquimia.c: AlquimiaRunner's connection to an Alquimia agent: the table of its parameters and the connector that comes of them. Not: attempts
 * (alquimia_turn.c), nor how a dataset is run with it (engine/alquimia_runner.c).
 *
 * The parameters are those of the reference's constructor; as `config` of a payload they mean the same. Where requests go is
 * urljoin(base_url, api_version), as the client has it: "v1" takes the place of what stands behind base_url's last slash. What that address misses or
 * cannot be is said before the first turn; the reference finds it once a batch.
 */
#include "connector/alquimia.h"

#include <stdarg.h>
#include <stdio.h>

#include "connector/base_url.h"
#include "connector/header_list.h"
#include "connector/setup.h"

enum { P_BASE_URL, P_API_KEY, P_AGENT_ID, P_CHANNEL_ID, P_API_VERSION, P_COUNT };

#define ROW(name, type, nullable, default_text, wire)                                           \
	{                                                                                       \
		name, NULL, NULL, type, nullable, false, NULL, default_text, wire, PARAM_ANYONE \
	}

/* None is marked as required: what is missing is told in the reference's words (needed[]), and two of them may come from the environment. */
static const struct param_row rows[P_COUNT] = {
	ROW("base_url", PARAM_STRING, true, "required", "URL; else ALQUIMIA_BASE_URL; user:password@ becomes Basic"),
	ROW("api_key", PARAM_SECRET, true, "required", "header Authorization: Bearer; else ALQUIMIA_API_KEY"),
	ROW("agent_id", PARAM_TEXT, true, "required", "path event/infer/{channel_id}/{agent_id}"),
	ROW("channel_id", PARAM_TEXT, true, "required", "path event/infer/{channel_id}/{agent_id}"),
	ROW("api_version", PARAM_TEXT, true, "none", "path: joined to base_url as a relative link, such as \"v1\""),
};

static const struct {
	int row;
	const char *env;
} needed[] = {
	{ P_BASE_URL, "ALQUIMIA_BASE_URL" }, { P_API_KEY, "ALQUIMIA_API_KEY" }, { P_AGENT_ID, NULL }, { P_CHANNEL_ID, NULL }
};

struct setup {
	const struct connector_setup *in;
	struct problems *problems;
	struct alquimia *q;
	struct param_value values[P_COUNT];
	struct str texts[P_COUNT]; /* what counts: the parameter's text, else the environment's; empty: none */
	struct base_url url;
	struct header_list headers;
	bool failed, nomem;
};

/* ---- what is there ---- */

static void wrong(struct setup *s, int row, const char *format, ...) PRINTF_LIKE(3, 4);

static void wrong(struct setup *s, int row, const char *format, ...)
{
	char at[SETUP_POINTER_MAX], text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	setup_pointer(s->in->pointer, rows[row].name, at);
	problem_error(s->problems, at, "%s", text);
	s->failed = true;
}

/* In the reference's order and words; what Python calls false counts as missing. */
static void find_missing(struct setup *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		const struct json *v = s->in->params ? json_get(s->in->params, str_from(rows[needed[i].row].name)) : NULL;

		if (!json_truthy(v) && !(needed[i].env && setup_env(s->in, needed[i].env).len))
			wrong(s, needed[i].row, "No %s provided", rows[needed[i].row].name);
	}
}

static void refuse_unknown(struct setup *s, const struct json_member *unknown, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct str shown = str_sub(unknown[i].key, 0, utf8_cut(unknown[i].key, 64));
		char at[SETUP_POINTER_MAX];

		snprintf(at, sizeof at, "%s", s->in->pointer);
		json_pointer_push(at, sizeof at, unknown[i].key);
		problem_error(s->problems, at, "AlquimiaRunner has no parameter '%.*s'.", STR_ARG(shown));
		s->failed = true;
	}
}

/* What a parameter misses, its variable may have. */
static void choose_texts(struct setup *s)
{
	for (int i = 0; i < P_COUNT; i++)
		if (s->values[i].given)
			s->texts[i] = s->values[i].value.text;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		struct str *text = &s->texts[needed[i].row];
		bool from_env = !text->len && needed[i].env;

		if (!from_env)
			continue;
		*text = setup_env(s->in, needed[i].env);
		if (needed[i].row == P_BASE_URL)
			s->q->base.base_from_env = text->len > 0;
		else if (text->len)
			s->q->base.key_source = KEY_FROM_ENV;
	}
	s->q->base.env_secrets = s->q->base.key_source == KEY_FROM_ENV;
	if (s->texts[P_API_KEY].len && !s->q->base.env_secrets)
		s->q->base.key_source = KEY_FROM_PARAMS;
}

/* ---- where it goes ---- */

static bool is_escape(struct str text, size_t i)
{
	static const char digits[] = "0123456789abcdefABCDEF";

	return text.ptr[i] == '%' && i + 2 < text.len && text.ptr[i + 1] && strchr(digits, text.ptr[i + 1]) && text.ptr[i + 2] &&
	       strchr(digits, text.ptr[i + 2]);
}

static size_t write_piece(char *out, struct str text)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		char *at = out ? out + len : NULL;

		if (is_escape(text, i)) {
			if (at)
				*at = '%';
			len++;
		} else {
			len += percent_encode(at, str_of(text.ptr + i, 1), "/!$&'()*+,:;=@");
		}
	}
	return len;
}

char *alquimia_path_piece(struct arena *a, struct str text)
{
	size_t len = write_piece(NULL, text);
	char *out = arena_alloc(a, len + 1);

	if (!out)
		return NULL;
	write_piece(out, text);
	out[len] = '\0';
	return out;
}

/* Whether base_url's path ends in a slash: base_url_parse drops it, and a relative link hangs on it. */
static bool is_folder(struct setup *s)
{
	struct str path = s->url.path, text = s->texts[P_BASE_URL];

	return path.ptr && path.ptr + path.len < text.ptr + text.len && path.ptr[path.len] == '/';
}

/* One more segment behind out[len]; "..": one less. The new length. */
static size_t push_segment(char *out, size_t len, struct str segment)
{
	if (!segment.len || str_eq(segment, STR(".")))
		return len;
	if (str_eq(segment, STR(".."))) {
		while (len && out[--len] != '/')
			;
		return len;
	}
	out[len++] = '/';
	memcpy(out + len, segment.ptr, segment.len);
	return len + segment.len;
}

/* The path of urljoin(base_url, version), without a slash at its end. */
static struct str join_version(struct setup *s, struct str version)
{
	struct str base = s->url.path, rest = version;
	char *out = arena_alloc(&s->q->base.arena, base.len + version.len + 3);
	size_t len = 0;

	if (!out) {
		s->nomem = true;
		return STR_NULL;
	}
	if (version.ptr[0] == '/')
		base.len = 0;
	while (base.len && !is_folder(s) && base.ptr[base.len - 1] != '/')
		base.len--;
	for (struct str left = base; left.ptr && left.len;)
		len = push_segment(out, len, str_split(&left, '/'));
	while (rest.ptr)
		len = push_segment(out, len, str_split(&rest, '/'));
	return str_of(out, len);
}

static void check_version(struct setup *s)
{
	struct str version = s->texts[P_API_VERSION];

	if (str_starts_with(version, STR("//")) || str_contains(version, STR("://")))
		wrong(s, P_API_VERSION, "api_version must be a path such as v1, and no address: the key would go there.");
	else if (str_find(version, STR("?"), 0) != SIZE_MAX || str_find(version, STR("#"), 0) != SIZE_MAX)
		wrong(s, P_API_VERSION, "api_version must be a path such as v1: it has a '?' or a '#'.");
}

/* With the operator's address or key a stranger asks the operator's agents, and nothing else that stands at that address. */
static void check_stranger_paths(struct setup *s)
{
	static const int paths[] = { P_API_VERSION, P_AGENT_ID, P_CHANNEL_ID };

	if (!s->in->stranger || !(s->q->base.base_from_env || s->q->base.env_secrets))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (path_has_dots(s->texts[paths[i]]))
			wrong(s, paths[i], "%s has a segment of dots, which would lead to another address of the service.",
			      rows[paths[i]].name);
	if (str_starts_with(s->texts[P_API_VERSION], STR("/")))
		wrong(s, P_API_VERSION, "api_version must not begin with '/', which would lead to another address of the service.");
}

static void parse_base(struct setup *s)
{
	struct str text = s->texts[P_BASE_URL];
	const char *name = s->q->base.base_from_env ? "ALQUIMIA_BASE_URL" : "base_url", *what;

	if (!text.len)
		return; /* told already */
	what = base_url_parse(text, &s->url);
	if (!what && !s->url.scheme.len)
		what = "it begins with neither http:// nor https://";
	if (what)
		wrong(s, P_BASE_URL, "%s is no usable address: %s. Write it like https://api.example.com.", name, what);
	else if (s->url.query.len)
		problem_warning(s->problems, s->in->pointer, "The query of %s is not sent.", name);
}

/* "https://host:port/path": the API's own path, when it was pasted along, is not doubled. */
static void render_urls(struct setup *s)
{
	struct alquimia *q = s->q;
	struct arena *a = &q->base.arena;
	struct base_url u = s->url;
	const char *path, *channel = alquimia_path_piece(a, s->texts[P_CHANNEL_ID]);
	const char *agent = alquimia_path_piece(a, s->texts[P_AGENT_ID]), *base = NULL, *infer = NULL, *stream = NULL;

	if (s->texts[P_API_VERSION].len)
		u.path = join_version(s, s->texts[P_API_VERSION]);
	base_url_drop_suffix(&u, STR("/event/infer"));
	base_url_drop_suffix(&u, STR("/event/stream"));
	base_url_drop_suffix(&u, STR("/event"));
	path = alquimia_path_piece(a, u.path);
	if (path && channel && agent)
		base = arena_printf(a, "%.*s://%.*s%s%.*s%s", STR_ARG(u.scheme), STR_ARG(u.host), u.port.len ? ":" : "",
		                    STR_ARG(u.port), path);
	if (base) {
		infer = arena_printf(a, "%s/event/infer/%s/%s", base, channel, agent);
		stream = arena_printf(a, "%s/event/stream/", base);
	}
	s->nomem |= !infer || !stream;
	q->base.base_url = str_from(base);
	q->base.base_is_required = true;
	q->infer_url = str_from(infer);
	q->stream_prefix = str_from(stream);
	q->default_query = STR("?chat_history=" ALQUIMIA_CHAT_HISTORY "&agentspace=" ALQUIMIA_AGENTSPACE);
}

/* ---- headers ---- */

static bool is_ascii(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] >= 0x80)
			return false;
	return true;
}

static void check_key(struct setup *s)
{
	struct str key = s->texts[P_API_KEY];
	const char *what = key_problem(key);
	const char *name = s->q->base.env_secrets ? "ALQUIMIA_API_KEY" : "api_key";

	if (!what && !is_ascii(key))
		what = "it has a character outside of ASCII";
	if (what)
		wrong(s, P_API_KEY, "%s cannot be sent as a header: %s.", name, what);
	header_list_secret(&s->headers, key);
	s->nomem |= arena_str(&s->q->base.arena, key, &s->q->base.key) != 0;
}

/* A list of its own with the same secrets behind it. */
static void copy_headers(struct setup *s, const struct pair **ret, size_t *ret_count)
{
	struct pair *copy = arena_calloc(&s->q->base.arena, s->headers.count + 1, sizeof *copy);

	if (!copy) {
		s->nomem = true;
		return;
	}
	memcpy(copy, s->headers.items, s->headers.count * sizeof *copy);
	*ret = copy;
	*ret_count = s->headers.count;
}

/* User and password in base_url take the key's place, as in the client. */
static void build_headers(struct setup *s)
{
	const char *bearer = arena_printf(&s->q->base.arena, "Bearer %.*s", STR_ARG(s->texts[P_API_KEY]));

	s->nomem |= !bearer;
	header_list_set(&s->headers, STR("authorization"), str_from(bearer));
	header_list_set(&s->headers, STR("user-agent"), STR(SETUP_USER_AGENT));
	if (s->url.has_userinfo)
		header_list_set_userinfo(&s->headers, s->url.userinfo);
	header_list_set(&s->headers, STR("accept"), STR("text/event-stream"));
	copy_headers(s, &s->q->stream_headers, &s->q->stream_header_count);
	header_list_set(&s->headers, STR("accept"), STR("*/*"));
	header_list_set(&s->headers, STR("content-type"), STR("application/json"));
	copy_headers(s, &s->q->infer_headers, &s->q->infer_header_count);
	s->nomem |= s->headers.nomem;
	s->q->base.secrets = s->headers.secrets;
	s->q->base.secret_count = s->headers.secret_count;
}

/* ---- configure ---- */

static int build(struct setup *s)
{
	const struct json_member *unknown;
	size_t unknown_count;
	int r;

	find_missing(s);
	r = params_read(&s->q->base.arena, rows, P_COUNT, s->in->params, s->in->pointer, s->in->stranger, s->values, &unknown,
	                &unknown_count, s->problems);
	if (r == FF_ENOMEM)
		return r;
	s->failed |= r != 0;
	refuse_unknown(s, unknown, unknown_count);
	choose_texts(s);
	header_list_init(&s->headers, &s->q->base.arena);
	parse_base(s);
	check_key(s);
	check_version(s);
	check_stranger_paths(s);
	if (s->nomem || s->headers.nomem || s->problems->nomem)
		return FF_ENOMEM;
	if (s->failed)
		return FF_EUSAGE;
	render_urls(s);
	build_headers(s);
	s->q->base.streaming = true;
	return s->nomem ? FF_ENOMEM : 0;
}

static int configure(const struct connector_class *class, const struct connector_setup *in, struct problems *problems,
                     struct connector **ret)
{
	struct setup s = { .in = in, .problems = problems };
	int r;

	s.q = (struct alquimia *)(void *)setup_new(class, sizeof *s.q);
	if (!s.q)
		return FF_ENOMEM;
	r = build(&s);
	if (r) {
		connector_free(&s.q->base);
		return r;
	}
	*ret = &s.q->base;
	return 0;
}

static const char *const class_paths[] = { "fair_forge.runners.AlquimiaRunner", "fair_forge.runners.alquimia_runner.AlquimiaRunner",
	                                   NULL };

/* Tried again only when the user asks for it (option max_retries): the client never does, and a question that is asked twice may stand twice
 * in the agent's memory. */
static const int retry_statuses[] = { 408, 429, 599, 0 };

const struct connector_class alquimia_class = {
	.name = "AlquimiaRunner",
	.short_name = "alquimia",
	.label = "Alquimia",
	.class_paths = class_paths,
	.summary = "Alquimia agents: POST event/infer, then the events of event/stream; the payload's `config` means this one; no "
	           "retries",
	.params = rows,
	.param_count = P_COUNT,
	.retry = { .statuses = retry_statuses,
	           .transport = true,
	           .timeouts = true,
	           .hints = true,
	           .default_max_retries = 0,
	           .backoff_first_s = 0.5,
	           .backoff_cap_s = 8.0 },
	.ordered = true,
	.runner = CONNECTOR_ALQUIMIA_RUNNER,
	.configure = configure,
	.begin = alquimia_begin,
	.encode = alquimia_encode,
	.head = alquimia_head,
	.feed = alquimia_feed,
	.finish = alquimia_finish,
	.end = alquimia_end,
};
