/*
 * sdk_setup.c: configuring ChatOpenAI and ChatGroq: how params and model_kwargs fold into fields and extras, the key, the base URL and the headers. The
 * query and the body are in sdk_body.c; what the fields mean is the class's business.
 *
 * Every step notes its problems and goes on; nothing that was noted is undone. Runs once a connector.
 */
#include "connector/sdk.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "connector/langchain_params.h"
#include "connector/setup.h"

const int sdk_retried_statuses[] = { 408, 409, 429, 599, 0 };

#define SENTENCE_MAX 1024

/* ---- problems ---- */

static PRINTF_LIKE(4, 0) void problem(struct sdk_setup *s, enum problem_severity severity, const char *name, const char *format,
                                      va_list args)
{
	char at[SETUP_POINTER_MAX], text[SENTENCE_MAX];

	setup_pointer(s->setup->pointer, name, at);
	vsnprintf(text, sizeof text, format, args);
	problem_add(s->problems, severity, at, "%s", text);
}

void sdk_error(struct sdk_setup *s, const char *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	problem(s, PROBLEM_ERROR, name, format, args);
	va_end(args);
	s->failed = true;
}

void sdk_warning(struct sdk_setup *s, const char *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	problem(s, PROBLEM_WARNING, name, format, args);
	va_end(args);
}

/* ---- begin, end ---- */

int sdk_begin(struct sdk_setup *s, const struct connector_class *class, const struct connector_setup *setup,
              struct problems *problems)
{
	struct connector *c = setup_new(class, sizeof(struct sdk_connector));

	assert(class->param_count <= SDK_ROWS_MAX);
	if (!c)
		return FF_ENOMEM;
	*s = (struct sdk_setup){ .setup = setup, .problems = problems, .class = class, .arena = &c->arena };
	s->c = (struct sdk_connector *)(void *)c;
	s->c->wire = &sdk_wire_chat;
	s->extras.type = s->query.type = s->body.type = JSON_OBJECT;
	header_list_init(&s->headers, s->arena);
	return 0;
}

int sdk_end(struct sdk_setup *s, struct connector **ret)
{
	struct connector *c = &s->c->base;

	if (s->nomem || s->headers.nomem || s->problems->nomem || s->failed) {
		bool nomem = !s->failed || s->problems->nomem;

		connector_free(c);
		return nomem ? FF_ENOMEM : FF_EUSAGE;
	}
	*ret = c;
	return 0;
}

/* ---- params and model_kwargs ---- */

static bool is_row_name(const struct param_row *row, struct str name)
{
	return str_eq(name, str_from(row->name)) || (row->alias && str_eq(name, str_from(row->alias))) ||
	       (row->alias2 && str_eq(name, str_from(row->alias2)));
}

static bool is_class_field(const struct sdk_setup *s, struct str name)
{
	for (size_t i = 0; i < s->class->param_count; i++)
		if (is_row_name(&s->class->params[i], name))
			return true;
	return false;
}

static void append(struct json *object, const struct json_member *m)
{
	object->members[object->count++] = *m;
}

/* One member of model_kwargs: an extra, a field that moves up, or a problem. */
static void fold_kwarg(struct sdk_setup *s, const struct sdk_rows *rows, const struct json_member *m, struct json *params)
{
	char name[256];

	snprintf(name, sizeof name, "%.*s", STR_ARG(m->key));
	if (json_get(params, m->key)) {
		sdk_error(s, "model_kwargs", "%s is given twice, as a parameter and in model_kwargs.", name);
	} else if (!is_class_field(s, m->key)) {
		append(&s->extras, m);
	} else if (!rows->kwargs_may_shadow) {
		sdk_error(s, "model_kwargs", "%s must be given as a parameter of its own, not in model_kwargs.", name);
	} else {
		append(params, m);
		sdk_warning(s, "model_kwargs",
		            "%s is a parameter of its own: it is read from model_kwargs as if it stood beside it.", name);
	}
}

/* Params with the class fields of model_kwargs moved up; the rest of model_kwargs becomes extras. */
static struct json unfold(struct sdk_setup *s, const struct sdk_rows *rows, const struct json *params)
{
	const struct json *kwargs = json_get(params, str_from(s->class->params[rows->model_kwargs].name));
	struct json out = { .type = JSON_OBJECT };
	size_t room;

	if (!kwargs || kwargs->type != JSON_OBJECT)
		kwargs = &out;
	room = (size_t)params->count + kwargs->count;
	out.members = arena_calloc(s->arena, room + 1, sizeof *out.members);
	s->extras.members = arena_calloc(s->arena, room + 1, sizeof *out.members);
	if (!out.members || !s->extras.members) {
		s->nomem = true;
		return *params;
	}
	for (uint32_t i = 0; i < params->count; i++)
		append(&out, &params->members[i]);
	for (uint32_t i = 0, n = kwargs == &out ? 0 : kwargs->count; i < n; i++)
		fold_kwarg(s, rows, &kwargs->members[i], &out);
	s->kwargs_count = s->extras.count;
	return out;
}

void sdk_read(struct sdk_setup *s, const struct sdk_rows *rows)
{
	const struct json_member *unknown;
	struct json params;
	size_t unknown_count;
	int r;

	if (setup_params(s->arena, s->setup, &params, &s->key_from_llm_env) != 0) {
		s->nomem = true;
		return;
	}
	params = unfold(s, rows, &params);
	if (s->nomem)
		return;
	r = params_read(s->arena, s->class->params, s->class->param_count, &params, s->setup->pointer, s->setup->stranger,
	                s->values, &unknown, &unknown_count, s->problems);
	s->failed |= r == FF_EUSAGE;
	s->nomem |= r == FF_ENOMEM;
	for (size_t i = 0; i < unknown_count && !s->nomem; i++)
		append(&s->extras, &unknown[i]);
	if (langchain_params_check(&s->values[rows->langchain], s->setup->pointer, s->problems, &s->disable_streaming) != 0)
		s->failed = true;
}

void sdk_refuse_object(struct sdk_setup *s, size_t row, bool matters)
{
	const char *name = s->class->params[row].name;

	if (!s->values[row].given)
		return;
	if (matters && json_truthy(&s->values[row].value))
		sdk_error(s, name, "%s is a Python object and cannot be given as JSON: remove it.", name);
	else
		sdk_warning(s, name, "%s has no effect here.", name);
}

/* ---- the key ---- */

static const char *sdk_key_problem(struct str key)
{
	const char *wrong = key_problem(key);

	for (size_t i = 0; !wrong && i < key.len; i++)
		if ((unsigned char)key.ptr[i] >= 0x80)
			wrong = "it has a character that is not ASCII";
	return wrong;
}

void sdk_read_key(struct sdk_setup *s, const struct param_value *value, const struct sdk_key_source *source)
{
	struct connector *c = &s->c->base;
	struct str key = value->given && value->value.type == JSON_STRING ? value->value.text : STR_NULL;
	const char *name = s->key_from_llm_env ? "LLM_API_KEY" : source->param, *wrong;

	if (value->raw && !value->given && !value->null)
		return; /* of a wrong type: said already */
	c->key_source = s->key_from_llm_env ? KEY_FROM_ENV : KEY_FROM_PARAMS;
	if (!key.len) {
		key = setup_env(s->setup, source->env);
		name = source->env;
		c->key_source = KEY_FROM_ENV;
	}
	if (!key.len) {
		sdk_error(s, source->param, "%s", source->missing);
		return;
	}
	wrong = sdk_key_problem(key);
	if (wrong)
		sdk_error(s, source->param, "%s%s cannot be sent as a key: %s.",
		          c->key_source == KEY_FROM_ENV ? "The api_key of " : "", name, wrong);
	if (arena_str(s->arena, key, &c->key) != 0)
		s->nomem = true;
	header_list_secret(&s->headers, key);
	c->env_secrets |= c->key_source == KEY_FROM_ENV;
}

/* ---- the URL ---- */

/* Characters that stand for themselves in a path and in a query. */
#define PATH_KEEP  "/%!$&'()*+,;=:@"
#define QUERY_KEEP "/%!$&'()*+,;=:@?[]"

/* scheme://host[:port], lower-case scheme */
static struct str origin_of(struct sdk_setup *s, const struct base_url *u)
{
	bool tls = str_eq_nocase(u->scheme, STR("https"));
	char *out = arena_printf(s->arena, "%s://%.*s%s%.*s", tls ? "https" : "http", STR_ARG(u->host), u->port.len ? ":" : "",
	                         STR_ARG(u->port));

	s->nomem |= !out;
	return str_from(out);
}

static struct str encoded(struct sdk_setup *s, struct str text, const char *keep)
{
	size_t len = percent_encode(NULL, text, keep);
	char *out = arena_alloc(s->arena, len + 1);

	if (!out) {
		s->nomem = true;
		return STR_NULL;
	}
	percent_encode(out, text, keep);
	out[len] = '\0';
	return str_of(out, len);
}

static void build_url(struct sdk_setup *s, const struct base_url *u, const struct sdk_base *base)
{
	struct str origin = origin_of(s, u), path = encoded(s, u->path, PATH_KEEP), query = encoded(s, u->query, QUERY_KEEP);
	struct str more = sdk_query_text(s, base->lists);
	const char *joint = query.len && more.len ? "&" : "";
	char *prefix, *url;

	if (s->nomem)
		return;
	prefix = arena_printf(s->arena, "%.*s%.*s", STR_ARG(origin), STR_ARG(path));
	url = arena_printf(s->arena, "%s%s%s%.*s%s%.*s", prefix ? prefix : "", s->c->wire->path, query.len || more.len ? "?" : "",
	                   STR_ARG(query), joint, STR_ARG(more));
	s->nomem |= !prefix || !url;
	s->c->base.base_url = str_from(prefix);
	s->c->url = str_from(url);
}

void sdk_set_url(struct sdk_setup *s, const struct sdk_base *base)
{
	struct base_url u;
	struct str text = base->url.ptr ? base->url : str_from(base->fallback);
	const char *wrong = base_url_parse(text, &u);

	if (!wrong && !u.scheme.len)
		wrong = "it begins with neither http:// nor https://";
	if (wrong) {
		sdk_error(s, "base_url", "%s is no URL to send requests to: %s.", base->name, wrong);
		return;
	}
	for (const char *const *path = base->own_paths; *path; path++)
		base_url_drop_suffix(&u, str_from(*path));
	s->c->base.base_from_env = base->from_env && base->url.ptr;
	s->c->base.base_is_default = base_url_same_origin(&u, str_from(base->fallback));
	if (u.has_userinfo)
		header_list_set_userinfo(&s->headers, u.userinfo);
	s->c->base.env_secrets |= u.has_userinfo && base->from_env;
	build_url(s, &u, base);
}

/* ---- headers ---- */

void sdk_common_headers(struct sdk_setup *s)
{
	struct str key = s->c->base.key;
	char *bearer = arena_printf(s->arena, "Bearer %.*s", STR_ARG(key));

	s->nomem |= !bearer;
	header_list_set(&s->headers, STR("Accept"), STR("application/json"));
	header_list_set(&s->headers, STR("Content-Type"), STR("application/json"));
	header_list_set(&s->headers, STR("User-Agent"), STR(SETUP_USER_AGENT));
	header_list_set(&s->headers, STR("Authorization"), str_from(bearer));
	if (bearer)
		explicit_bzero(bearer, strlen(bearer)); /* the list has its copy */
}

void sdk_given_headers(struct sdk_setup *s, const struct json *object, const char *name)
{
	char at[SETUP_POINTER_MAX];

	if (!object || object->type == JSON_NULL)
		return;
	if (object->type != JSON_OBJECT) {
		sdk_error(s, name, "%s must be an object of strings, but it is a JSON %s.", name, json_type_name(object->type));
		return;
	}
	setup_pointer(s->setup->pointer, name, at);
	if (header_list_set_given(&s->headers, object, at, s->setup->stranger, s->problems) > 0)
		s->failed = true;
}

void sdk_user_headers(struct sdk_setup *s, const struct param_value *default_headers)
{
	if (default_headers->given)
		sdk_given_headers(s, &default_headers->value, "default_headers");
	sdk_given_headers(s, json_get_lit(&s->extras, "extra_headers"), "extra_headers");
}

/* The list's secrets and the Authorization header itself, which connector_free wipes with them. */
static void keep_secrets(struct sdk_setup *s)
{
	struct connector *c = &s->c->base;
	struct str *secrets = arena_calloc(s->arena, s->headers.secret_count + 1, sizeof *secrets);

	if (!secrets) {
		s->nomem = true;
		return;
	}
	if (s->headers.secret_count)
		memcpy(secrets, s->headers.secrets, s->headers.secret_count * sizeof *secrets);
	c->secret_count = s->headers.secret_count;
	for (size_t i = 0; i < s->headers.count; i++)
		if (str_eq_nocase(s->headers.items[i].name, STR("authorization")))
			secrets[c->secret_count++] = s->headers.items[i].value;
	c->secrets = secrets;
}

/* Numbers the attempts, as the SDKs do: encode changes the last header. */
void sdk_finish_headers(struct sdk_setup *s)
{
	struct header_list *l = &s->headers;
	struct pair *items;

	for (size_t i = 0; i < l->count; i++) /* ours stands last, whoever gave one */
		if (str_eq_nocase(l->items[i].name, STR("x-stainless-retry-count")))
			l->items[i] = l->items[--l->count];
	items = arena_calloc(s->arena, l->count + 1, sizeof *items);
	if (!items) {
		s->nomem = true;
		return;
	}
	if (l->count)
		memcpy(items, l->items, l->count * sizeof *items);
	items[l->count] = (struct pair){ STR("x-stainless-retry-count"), STR("0") };
	s->c->headers = items;
	s->c->header_count = l->count + 1;
	keep_secrets(s);
}
