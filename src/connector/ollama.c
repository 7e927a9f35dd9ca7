/*
 * ollama.c: ChatOllama: the table of its parameters and the connector that comes of them. Not: attempts (ollama_turn.c).
 *
 * The request is always POST {base}/api/chat with streaming on. All of it but the messages is rendered here, once.
 * Where the request goes: base_url, else OLLAMA_HOST, else http://127.0.0.1:11434. The reference falls back to that default in silence when
 * base_url does not parse; here a base_url that is wrong is an error, because the answers would come from another server.
 */
#include "connector/ollama.h"

#include <stdio.h>

#include "connector/base_url.h"
#include "connector/coerce.h"
#include "connector/httpx_args.h"
#include "connector/langchain_params.h"
#include "connector/setup.h"

#define DEFAULT_BASE     "http://127.0.0.1:11434"
#define DEFAULT_PORT     "11434" /* of an address without a scheme */
#define RENDER_MAX_BYTES ((size_t)64 << 20)

/* The options of the body stand first and in the order in which the reference sends them. */
enum {
	P_MIROSTAT,
	P_MIROSTAT_ETA,
	P_MIROSTAT_TAU,
	P_NUM_CTX,
	P_NUM_GPU,
	P_NUM_THREAD,
	P_NUM_PREDICT,
	P_REPEAT_LAST_N,
	P_REPEAT_PENALTY,
	P_TEMPERATURE,
	P_SEED,
	P_STOP,
	P_TFS_Z,
	P_TOP_K,
	P_TOP_P,
	P_OPTIONS_END,
	P_MODEL = P_OPTIONS_END,
	P_FORMAT,
	P_KEEP_ALIVE,
	P_REASONING,
	P_LOGPROBS,
	P_TOP_LOGPROBS,
	P_VALIDATE,
	P_BASE_URL,
	P_CLIENT_KWARGS,
	P_ASYNC_KWARGS,
	P_SYNC_KWARGS,
	LANGCHAIN_FIELDS(P),
	P_COUNT
};

#define OPTION(name, type)                                                                            \
	{                                                                                             \
		name, NULL, NULL, type, true, false, NULL, "none", "body options." name, PARAM_ANYONE \
	}
#define ROW(name, type, nullable, required, default_text, wire)                                    \
	{                                                                                          \
		name, NULL, NULL, type, nullable, required, NULL, default_text, wire, PARAM_ANYONE \
	}

static const struct param_row rows[P_COUNT] = {
	OPTION("mirostat", PARAM_INT),
	OPTION("mirostat_eta", PARAM_FLOAT),
	OPTION("mirostat_tau", PARAM_FLOAT),
	OPTION("num_ctx", PARAM_INT),
	OPTION("num_gpu", PARAM_INT),
	OPTION("num_thread", PARAM_INT),
	OPTION("num_predict", PARAM_INT),
	OPTION("repeat_last_n", PARAM_INT),
	OPTION("repeat_penalty", PARAM_FLOAT),
	OPTION("temperature", PARAM_FLOAT),
	OPTION("seed", PARAM_INT),
	OPTION("stop", PARAM_STRING_LIST),
	OPTION("tfs_z", PARAM_FLOAT),
	OPTION("top_k", PARAM_INT),
	OPTION("top_p", PARAM_FLOAT),
	ROW("model", PARAM_STRING, false, true, "required", "body model"),
	ROW("format", PARAM_ANY, true, false, "none", "body format: \"\", \"json\" or a JSON schema"),
	ROW("keep_alive", PARAM_ANY, true, false, "none", "body keep_alive: seconds, or text such as \"5m\""),
	ROW("reasoning", PARAM_ANY, true, false, "none", "body think: true, false or a level"),
	ROW("logprobs", PARAM_BOOL, true, false, "none", "body logprobs"),
	ROW("top_logprobs", PARAM_INT, true, false, "none", "body top_logprobs; switches logprobs on"),
	ROW("validate_model_on_init", PARAM_BOOL, false, false, "false", "GET /api/tags before the first turn"),
	ROW("base_url", PARAM_STRING, true, false, DEFAULT_BASE, "URL; else OLLAMA_HOST; user:password@ becomes Basic"),
	ROW("client_kwargs", PARAM_OBJECT, true, false, "{}", "headers, timeout, verify, proxy, params, cookies"),
	ROW("async_client_kwargs", PARAM_OBJECT, true, false, "{}", "merged over client_kwargs"),
	ROW("sync_client_kwargs", PARAM_OBJECT, true, false, "{}", "not sent"),
	LANGCHAIN_ROWS,
};

struct setup {
	const struct connector_setup *in;
	struct problems *problems;
	struct ollama *o;
	struct param_value values[P_COUNT];
	struct httpx_args args;
	struct header_list headers;
	struct base_url url;
	struct str url_text; /* what url was parsed from */
	bool failed, nomem;
};

/* ---- small helpers ---- */

static void wrong(struct setup *s, const char *name, const char *sentence)
{
	char at[SETUP_POINTER_MAX];

	setup_pointer(s->in->pointer, name, at);
	problem_error(s->problems, at, "%s", sentence);
	s->failed = true;
}

/* ---- values that have more than one type ---- */

static void check_format(struct setup *s)
{
	const struct json *v = &s->values[P_FORMAT].value;

	if (!s->values[P_FORMAT].given || v->type == JSON_OBJECT)
		return;
	if (v->type != JSON_STRING || (v->text.len && !str_eq(v->text, STR("json"))))
		wrong(s, "format", "format must be \"\", \"json\" or a JSON schema object.");
}

/* A whole number of seconds leaves as a float, as the reference's client sends it; text goes as it is. */
static void read_keep_alive(struct setup *s)
{
	struct param_value *v = &s->values[P_KEEP_ALIVE];
	struct json whole, number;
	enum coerce_result r;

	if (!v->given || v->value.type == JSON_STRING)
		return;
	r = coerce_int(&s->o->base.arena, &v->value, &whole);
	if (r == COERCE_OK)
		r = coerce_float(&s->o->base.arena, &whole, &number);
	s->nomem |= r == COERCE_NOMEM;
	if (r == COERCE_OK)
		v->value = number;
	else
		wrong(s, "keep_alive", "keep_alive must be a whole number of seconds or a text such as \"5m\".");
}

static void read_reasoning(struct setup *s)
{
	struct param_value *v = &s->values[P_REASONING];
	struct json truth;

	if (!v->given || v->value.type == JSON_STRING)
		return;
	if (coerce_bool(&v->value, &truth) == COERCE_OK)
		v->value = truth;
	else
		wrong(s, "reasoning", "reasoning must be true, false or a level such as \"low\".");
}

static void check_logprobs(struct setup *s)
{
	struct param_value *on = &s->values[P_LOGPROBS];

	if (!s->values[P_TOP_LOGPROBS].given)
		return;
	if (json_to_double(&s->values[P_TOP_LOGPROBS].value) < 1)
		wrong(s, "top_logprobs", "top_logprobs must be a positive integer.");
	if (on->given && on->value.type == JSON_FALSE)
		wrong(s, "top_logprobs", "top_logprobs needs logprobs, which is false: set it to true or remove top_logprobs.");
	on->given = true;
	on->value.type = JSON_TRUE;
}

static void check_model(struct setup *s)
{
	if (!s->values[P_MODEL].given)
		return;
	if (!s->values[P_MODEL].value.text.len)
		wrong(s, "model", "model is empty: name a model such as \"llama3.2\".");
	s->nomem |= arena_str(&s->o->base.arena, s->values[P_MODEL].value.text, &s->o->base.model) != 0;
}

static void warn_unknown(struct setup *s, const struct json_member *unknown, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct str shown = str_sub(unknown[i].key, 0, utf8_cut(unknown[i].key, 64));
		char at[SETUP_POINTER_MAX];

		snprintf(at, sizeof at, "%s", s->in->pointer);
		json_pointer_push(at, sizeof at, unknown[i].key);
		problem_warning(s->problems, at, "ChatOllama has no parameter '%.*s': it is not sent.", STR_ARG(shown));
	}
}

/* ---- the HTTP client's arguments ---- */

/* {**client_kwargs, **async_client_kwargs} */
static const struct json *merge_kwargs(struct setup *s, struct json *ret)
{
	const struct param_value *shared = &s->values[P_CLIENT_KWARGS], *own = &s->values[P_ASYNC_KWARGS];
	struct json_member *members;
	uint32_t n = 0;

	if (!own->given)
		return shared->given ? &shared->value : NULL;
	if (!shared->given)
		return &own->value;
	members = arena_calloc(&s->o->base.arena, (size_t)shared->value.count + own->value.count + 1, sizeof *members);
	if (!members) {
		s->nomem = true;
		return NULL;
	}
	for (uint32_t i = 0; i < shared->value.count; i++)
		if (!json_get(&own->value, shared->value.members[i].key))
			members[n++] = shared->value.members[i];
	for (uint32_t i = 0; i < own->value.count; i++)
		members[n++] = own->value.members[i];
	*ret = (struct json){ .type = JSON_OBJECT, .count = n, .members = members };
	return ret;
}

static void check_kwargs(struct setup *s, int row, const struct json *object, struct httpx_args *ret)
{
	char at[SETUP_POINTER_MAX];
	int r;

	setup_pointer(s->in->pointer, rows[row].name, at);
	r = httpx_args_read(&s->o->base.arena, object, at, s->in->stranger, true, s->problems, ret);
	s->nomem |= r == FF_ENOMEM;
	s->failed |= r != 0;
}

static void read_kwargs(struct setup *s)
{
	struct httpx_args unused;
	struct json merged;
	const struct json *object = merge_kwargs(s, &merged);

	check_kwargs(s, s->values[P_CLIENT_KWARGS].given ? P_CLIENT_KWARGS : P_ASYNC_KWARGS, object, &s->args);
	if (s->values[P_SYNC_KWARGS].given)
		check_kwargs(s, P_SYNC_KWARGS, &s->values[P_SYNC_KWARGS].value, &unused);
	s->o->base.insecure_tls = s->args.insecure;
	s->o->base.cafile = s->args.cafile;
	s->o->base.proxy = s->args.proxy;
	s->o->base.timeout_set = s->args.timeout_given;
	s->o->base.timeout_ms = setup_ms(s->args.timeout_s);
}

/* ---- where it goes ---- */

static void parse_base(struct setup *s, struct str text, const char *name, const char *pointer)
{
	const char *what = base_url_parse(text, &s->url);

	s->url_text = text;
	if (!what)
		return;
	problem_error(s->problems, pointer, "%s is no usable address: %s. Write it like http://localhost:11434.", name, what);
	s->failed = true;
}

static void choose_base(struct setup *s)
{
	const struct param_value *given = &s->values[P_BASE_URL];
	struct str host = setup_env(s->in, "OLLAMA_HOST");
	char at[SETUP_POINTER_MAX];

	setup_pointer(s->in->pointer, "base_url", at);
	if (given->given && given->value.text.len) {
		parse_base(s, given->value.text, "base_url", at);
	} else if (host.len) {
		s->o->base.base_from_env = true;
		parse_base(s, host, "OLLAMA_HOST", s->in->pointer);
		if (s->url.has_userinfo)
			problem_warning(
			        s->problems, s->in->pointer,
			        "The user name in OLLAMA_HOST is not sent: put it into base_url, or the key into OLLAMA_API_KEY.");
		s->url.has_userinfo = false;
	} else {
		s->o->base.base_is_default = true;
		parse_base(s, STR(DEFAULT_BASE), "base_url", at);
	}
	if (s->url.query.len)
		problem_warning(s->problems, at, "The query of the address is not sent.");
	base_url_drop_suffix(&s->url, STR("/api/chat"));
	base_url_drop_suffix(&s->url, STR("/api"));
}

/* "http://host:port/path": no scheme means http and Ollama's own port; http:// and https:// without a port mean 80 and 443. */
static void render_urls(struct setup *s)
{
	struct connector *c = &s->o->base;
	const struct base_url *u = &s->url;
	struct str scheme = u->scheme.len ? u->scheme : STR("http"), host = u->host.len ? u->host : STR("127.0.0.1");
	struct str port = u->port.len || u->scheme.len ? u->port : STR(DEFAULT_PORT);
	const char *base = arena_printf(&c->arena, "%.*s://%.*s%s%.*s%.*s", STR_ARG(scheme), STR_ARG(host), port.len ? ":" : "",
	                                STR_ARG(port), STR_ARG(u->path));
	const char *query = s->args.query.len ? "?" : "";
	const char *chat, *tags;

	chat = base ? arena_printf(&c->arena, "%s/api/chat%s%.*s", base, query, STR_ARG(s->args.query)) : NULL;
	tags = base ? arena_printf(&c->arena, "%s/api/tags%s%.*s", base, query, STR_ARG(s->args.query)) : NULL;
	s->nomem |= !chat || !tags;
	c->base_url = str_from(base);
	s->o->chat_url = str_from(chat);
	s->o->tags_url = str_from(tags);
}

/* ---- headers ---- */

static bool has_header(const struct header_list *l, const char *name)
{
	for (size_t i = 0; i < l->count; i++)
		if (str_eq_nocase(l->items[i].name, str_from(name)) && l->items[i].value.len)
			return true;
	return false;
}

/* OLLAMA_API_KEY, unless an Authorization header is set. */
static void add_environment_key(struct setup *s)
{
	struct connector *c = &s->o->base;
	struct str key = setup_env(s->in, "OLLAMA_API_KEY");
	const char *what = key_problem(key);
	const char *bearer;

	if (!key.len || has_header(&s->headers, "authorization"))
		return;
	if (what) {
		problem_error(s->problems, s->in->pointer, "The key in OLLAMA_API_KEY cannot be sent: %s.", what);
		s->failed = true;
		return;
	}
	bearer = arena_printf(&c->arena, "Bearer %.*s", STR_ARG(key));
	s->nomem |= !bearer || arena_str(&c->arena, key, &c->key) != 0;
	header_list_set(&s->headers, STR("authorization"), str_from(bearer));
	header_list_secret(&s->headers, key);
	c->key_source = KEY_FROM_ENV;
	c->env_secrets = true;
}

/* The three at the end cannot be overridden, as in the reference. */
static void build_headers(struct setup *s)
{
	char at[SETUP_POINTER_MAX];

	header_list_init(&s->headers, &s->o->base.arena);
	header_list_url_secrets(&s->headers, s->args.proxy);
	setup_pointer(s->in->pointer, "client_kwargs", at);
	json_pointer_push(at, sizeof at, STR("headers"));
	s->failed |= header_list_set_given(&s->headers, &s->args.headers, at, s->in->stranger, s->problems) != 0;
	if (s->args.cookies.len) {
		header_list_set(&s->headers, STR("cookie"), s->args.cookies);
		header_list_secret(&s->headers, s->args.cookies);
	}
	if (s->url.has_userinfo)
		header_list_set_userinfo(&s->headers, s->url.userinfo);
	add_environment_key(s);
	header_list_set(&s->headers, STR("content-type"), STR("application/json"));
	header_list_set(&s->headers, STR("accept"), STR("application/json"));
	header_list_set(&s->headers, STR("user-agent"), STR(SETUP_USER_AGENT));
	s->nomem |= s->headers.nomem;
	s->o->headers = s->headers.items;
	s->o->header_count = s->headers.count;
	s->o->base.secrets = s->headers.secrets;
	s->o->base.secret_count = s->headers.secret_count;
}

/* ---- body ---- */

static void write_member(struct json_writer *w, const char *key, const struct param_value *v)
{
	if (!v->given)
		return;
	json_key(w, str_from(key));
	json_value(w, &v->value);
}

static void write_head(struct setup *s, struct json_writer *w)
{
	json_begin_object(w);
	json_key_lit(w, "model");
	json_string(w, s->o->base.model);
	json_key_lit(w, "stream");
	json_bool(w, true);
	json_key_lit(w, "options");
	json_begin_object(w);
	for (int i = 0; i < P_OPTIONS_END; i++)
		write_member(w, rows[i].name, &s->values[i]);
	json_end_object(w);
	write_member(w, "format", &s->values[P_FORMAT]);
	write_member(w, "keep_alive", &s->values[P_KEEP_ALIVE]);
	json_key_lit(w, "messages");
}

static void write_tail(struct setup *s, struct json_writer *w)
{
	json_key_lit(w, "tools");
	json_begin_array(w);
	json_end_array(w);
	write_member(w, "think", &s->values[P_REASONING]);
	write_member(w, "logprobs", &s->values[P_LOGPROBS]);
	write_member(w, "top_logprobs", &s->values[P_TOP_LOGPROBS]);
	json_end_object(w);
}

/* Writes the whole body around a placeholder and cuts it in two there: the writer keeps commas and nesting right. */
static void render_body(struct setup *s)
{
	struct buf b CLEANUP(buf_release);
	struct json_writer w;
	size_t cut;

	buf_init(&b, RENDER_MAX_BYTES);
	json_writer_init(&w, &b, 0);
	write_head(s, &w);
	json_null(&w);
	cut = b.len;
	write_tail(s, &w);
	if (buf_failed(&b) || arena_str(&s->o->base.arena, str_of(b.ptr, cut - 4), &s->o->prefix) ||
	    arena_str(&s->o->base.arena, str_of(b.ptr + cut, b.len - cut), &s->o->suffix))
		s->nomem = true;
}

/* ---- configure ---- */

static void prepare_check(struct setup *s)
{
	if (!s->values[P_VALIDATE].given || s->values[P_VALIDATE].value.type != JSON_TRUE)
		return;
	s->o->check_arena = &s->o->base.arena;
	s->o->check = ARENA_NEW(&s->o->base.arena, struct ollama_check);
	s->nomem |= !s->o->check;
}

static int read_params(struct setup *s)
{
	const struct json_member *unknown;
	size_t unknown_count;
	bool disable_streaming; /* known and without effect: the reference streams in any case */
	int r = params_read(&s->o->base.arena, rows, P_COUNT, s->in->params, s->in->pointer, s->in->stranger, s->values, &unknown,
	                    &unknown_count, s->problems);

	if (r == FF_ENOMEM)
		return r;
	s->failed = r != 0;
	s->failed |= langchain_params_check(&s->values[P_NAME], s->in->pointer, s->problems, &disable_streaming) != 0;
	warn_unknown(s, unknown, unknown_count);
	check_model(s);
	check_format(s);
	read_keep_alive(s);
	read_reasoning(s);
	check_logprobs(s);
	return 0;
}

static int build(struct setup *s)
{
	int r = read_params(s);

	if (r)
		return r;
	read_kwargs(s);
	choose_base(s);
	build_headers(s);
	if (s->nomem || s->problems->nomem)
		return FF_ENOMEM;
	if (s->failed)
		return FF_EUSAGE;
	render_urls(s);
	render_body(s);
	prepare_check(s);
	s->o->base.streaming = true;
	return s->nomem || s->problems->nomem ? FF_ENOMEM : 0;
}

static int configure(const struct connector_class *class, const struct connector_setup *in, struct problems *problems,
                     struct connector **ret)
{
	struct setup s = { .in = in, .problems = problems };
	int r;

	s.o = (struct ollama *)(void *)setup_new(class, sizeof *s.o);
	if (!s.o)
		return FF_ENOMEM;
	r = build(&s);
	if (r) {
		connector_free(&s.o->base);
		return r;
	}
	*ret = &s.o->base;
	return 0;
}

static const char *const class_paths[] = { "langchain_ollama.chat_models.ChatOllama", "langchain_ollama.ChatOllama", NULL };

/* Tried again only when the user asks for it (option max_retries): the class itself never does. */
static const int retry_statuses[] = { 408, 429, 599, 0 };

const struct connector_class ollama_class = {
	.name = "ChatOllama",
	.short_name = "ollama",
	.label = "Ollama",
	.class_paths = class_paths,
	.summary = "Ollama's own API: POST {base_url}/api/chat, NDJSON stream; no retries and no timeout of its own",
	.params = rows,
	.param_count = P_COUNT,
	.retry = { .statuses = retry_statuses,
	           .transport = true,
	           .timeouts = true,
	           .hints = true,
	           .default_max_retries = 0,
	           .backoff_first_s = 0.5,
	           .backoff_cap_s = 8.0 },
	.configure = configure,
	.begin = ollama_begin,
	.encode = ollama_encode,
	.head = ollama_head,
	.feed = ollama_feed,
	.finish = ollama_finish,
	.end = ollama_end,
};
