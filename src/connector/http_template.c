/*
 * http_template.c: HttpTemplate: the table of its parameters, and the connector that comes of them. Not: the language (template.h), requests
 * (template_request.h), attempts (http_template_turn.c).
 *
 * Everything that can be wrong with a template is found here, with a pointer to it: a name that nothing defines, braces that are never closed, a
 * pointer that is none, a host that is not fixed. Names of captured values are collected first, because templates may use what any reply leaves.
 */
#include "connector/http_template.h"

#include <stdio.h>

#include "connector/base_url.h"
#include "connector/setup.h"

enum {
	P_URL,
	P_METHOD,
	P_HEADERS,
	P_BODY,
	P_ANSWER,
	P_CAPTURE,
	P_LOGIN,
	P_SUCCESS,
	P_ERROR,
	P_MODEL,
	P_TIMEOUT,
	P_MAX_RETRIES,
	P_RETRY_STATUSES,
	P_COUNT
};

#define METHODS "POST|GET|PUT|PATCH|DELETE"
#define ROW(name, type, nullable, required, choices, default_text, wire)                              \
	{                                                                                             \
		name, NULL, NULL, type, nullable, required, choices, default_text, wire, PARAM_ANYONE \
	}

static const struct param_row rows[P_COUNT] = {
	ROW("url", PARAM_STRING, false, true, NULL, "required", "URL; scheme, host and port are fixed"),
	ROW("method", PARAM_LITERAL, true, false, METHODS, "POST; GET without body", "method"),
	ROW("headers", PARAM_OBJECT, true, false, NULL, "{}", "headers; values are templates"),
	ROW("body", PARAM_ANY, true, false, NULL, "none", "body: a JSON value, or a text; strings are templates"),
	ROW("answer", PARAM_ANY, false, true, NULL, "required",
	    "reply: \"/pointer\", \"text\", {\"sse\": ...} or {\"ndjson\": ...}"),
	ROW("capture", PARAM_OBJECT, true, false, NULL, "{}", "reply: {NAME: \"/pointer\"}, kept for the session"),
	ROW("login", PARAM_OBJECT, true, false, NULL, "none", "an exchange a session: url, method, headers, body, capture, ..."),
	ROW("success", PARAM_ANY, true, false, NULL, "2xx", "statuses of an answer: 200, \"2xx\" or a list"),
	ROW("error", PARAM_STRING, true, false, NULL, "none", "reply: pointer to an error message"),
	ROW("model", PARAM_STRING, true, false, NULL, "none", "{{model}}"),
	ROW("timeout", PARAM_TIMEOUT, true, false, NULL, "none", "not sent: seconds between two bytes"),
	ROW("max_retries", PARAM_INT, true, false, NULL, "2", "not sent"),
	ROW("retry_statuses", PARAM_ANY, true, false, NULL, "[408, 429, \"5xx\"]", "not sent"),
};

enum { L_URL, L_METHOD, L_HEADERS, L_BODY, L_CAPTURE, L_SUCCESS, L_ERROR, L_RENEW, L_COUNT };

static const struct param_row login_rows[L_COUNT] = {
	ROW("url", PARAM_STRING, false, true, NULL, "", ""),     ROW("method", PARAM_LITERAL, true, false, METHODS, "", ""),
	ROW("headers", PARAM_OBJECT, true, false, NULL, "", ""), ROW("body", PARAM_ANY, true, false, NULL, "", ""),
	ROW("capture", PARAM_OBJECT, true, false, NULL, "", ""), ROW("success", PARAM_ANY, true, false, NULL, "", ""),
	ROW("error", PARAM_STRING, true, false, NULL, "", ""),   ROW("renew", PARAM_ANY, true, false, NULL, "", ""),
};

enum { A_SSE, A_NDJSON, A_TAKE, A_EVENT, A_END, A_COUNT };

static const struct param_row answer_rows[A_COUNT] = {
	ROW("sse", PARAM_STRING, false, false, NULL, "", ""),         ROW("ndjson", PARAM_STRING, false, false, NULL, "", ""),
	ROW("take", PARAM_LITERAL, false, false, "all|last", "", ""), ROW("event", PARAM_STRING, true, false, NULL, "", ""),
	ROW("end", PARAM_STRING, true, false, NULL, "", ""),
};

enum { C_POINTER, C_HEADER, C_COOKIE, C_OPTIONAL, C_COUNT };

static const struct param_row capture_rows[C_COUNT] = {
	ROW("pointer", PARAM_STRING, false, false, NULL, "", ""),
	ROW("header", PARAM_STRING, false, false, NULL, "", ""),
	ROW("cookie", PARAM_STRING, false, false, NULL, "", ""),
	ROW("optional", PARAM_BOOL, false, false, NULL, "", ""),
};

struct setup {
	const struct connector_setup *in;
	struct http_template *h;
	struct template_scope scope;
	struct header_list secrets; /* its headers are not used */
	struct param_value values[P_COUNT], login[L_COUNT];
	char login_at[SETUP_POINTER_MAX];
};

#define WRONG(s, pointer, ...) ((s)->scope.errors++, problem_error((s)->scope.problems, (pointer), __VA_ARGS__))

static struct arena *arena_of(struct setup *s)
{
	return &s->h->base.arena;
}

static const struct json *given(const struct param_value *v)
{
	return v->given ? &v->value : NULL;
}

/* ---- objects by a table ---- */

/* Members that no row knows are mistakes: a template would do something else than its writer thinks. */
static void read_object(struct setup *s, const struct param_row *table, size_t count, const struct json *object, const char *at,
                        struct param_value *values)
{
	const struct json_member *unknown;
	size_t unknown_count;
	int r = params_read(arena_of(s), table, count, object, at, s->in->stranger, values, &unknown, &unknown_count,
	                    s->scope.problems);

	s->scope.nomem |= r == FF_ENOMEM;
	s->scope.errors += r == FF_EUSAGE;
	for (size_t i = 0; r != FF_ENOMEM && i < unknown_count; i++) {
		struct str shown = str_sub(unknown[i].key, 0, utf8_cut(unknown[i].key, 64));
		char pointer[SETUP_POINTER_MAX];

		snprintf(pointer, sizeof pointer, "%s", at);
		json_pointer_push(pointer, sizeof pointer, unknown[i].key);
		WRONG(s, pointer,
		      "There is no member '%.*s' here: `fairforge connectors http` and docs/custom-systems.md list them.",
		      STR_ARG(shown));
	}
}

/* ---- JSON pointers ---- */

static bool is_pointer(struct str text)
{
	if (text.len && text.ptr[0] != '/')
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == '~' && (i + 1 == text.len || (text.ptr[i + 1] != '0' && text.ptr[i + 1] != '1')))
			return false;
	return true;
}

static void read_pointer(struct setup *s, struct str text, const char *at, struct str *ret)
{
	struct str shown = str_sub(text, 0, utf8_cut(text, 64));

	if (!is_pointer(text))
		WRONG(s, at, "'%.*s' is no JSON pointer: write it like /choices/0/text (\"\" is the whole value).", STR_ARG(shown));
	s->scope.nomem |= arena_str(arena_of(s), text, ret) != 0;
}

/* ---- statuses ---- */

static void add_statuses(struct status_set *set, int from, int to)
{
	for (int status = from; status <= to; status++)
		set->bits[status / 8] = (unsigned char)(set->bits[status / 8] | 1u << (status % 8));
}

static bool add_status(struct status_set *set, const struct json *v)
{
	int64_t n;
	int first;

	if (v->type == JSON_NUMBER && json_to_i64(v, &n) && n >= 100 && n <= 599) {
		add_statuses(set, (int)n, (int)n);
		return true;
	}
	if (v->type != JSON_STRING || v->text.len != 3 || v->text.ptr[0] < '1' || v->text.ptr[0] > '5' ||
	    !str_eq_nocase(str_sub(v->text, 1, 3), STR("xx")))
		return false;
	first = (v->text.ptr[0] - '0') * 100;
	add_statuses(set, first, first + 99);
	return true;
}

static void read_statuses(struct setup *s, const struct param_value *v, const char *at, struct status_set *ret)
{
	bool good = true;

	if (!v->given)
		return;
	*ret = (struct status_set){ { 0 } };
	if (v->value.type != JSON_ARRAY)
		good = add_status(ret, &v->value);
	for (uint32_t i = 0; v->value.type == JSON_ARRAY && i < v->value.count; i++)
		good &= add_status(ret, &v->value.items[i]);
	if (!good)
		WRONG(s, at, "Statuses are numbers from 100 to 599, or \"2xx\" for all of a kind, or a list of them.");
}

/* Of answers: with none at all every turn would fail. */
static void read_success(struct setup *s, const struct param_value *v, const char *at, struct status_set *ret)
{
	read_statuses(s, v, at, ret);
	if (v->given && v->value.type == JSON_ARRAY && v->value.count == 0)
		WRONG(s, at, "The list of statuses that hold an answer is empty: name one, or leave success out for \"2xx\".");
}

/* The class's row as the user wants it: every other part of the engine asks the class. */
static void set_retry_statuses(struct setup *s)
{
	struct status_set set = { { 0 } };
	bool all_5xx = true;
	char at[SETUP_POINTER_MAX];
	int *list, n = 0;

	setup_pointer(s->in->pointer, "retry_statuses", at);
	read_statuses(s, &s->values[P_RETRY_STATUSES], at, &set);
	if (!s->values[P_RETRY_STATUSES].given)
		return;
	list = arena_calloc(arena_of(s), 502, sizeof *list);
	if (!list) {
		s->scope.nomem = true;
		return;
	}
	for (int status = 500; status <= 599; status++)
		all_5xx &= status_set_has(&set, status);
	for (int status = 100; status <= (all_5xx ? 499 : 598); status++)
		if (status_set_has(&set, status))
			list[n++] = status;
	if (all_5xx)
		list[n] = 599; /* stands for all of them */
	s->h->own_class.retry.statuses = list;
}

/* ---- capture ---- */

static bool is_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
			return false;
	}
	return name.len > 0;
}

/* The slot of a name: an earlier one, when login and question capture the same. */
static size_t slot_of(struct setup *s, struct str name)
{
	struct http_template *h = s->h;

	for (size_t i = 0; i < h->slot_count; i++)
		if (str_eq(h->slots[i].name, name))
			return i;
	s->scope.nomem |= arena_str(arena_of(s), name, &h->slots[h->slot_count].name) != 0;
	return h->slot_count++;
}

static void read_capture_object(struct setup *s, const struct json *v, const char *at, struct capture_rule *rule)
{
	struct param_value values[C_COUNT];
	size_t count = 0;

	read_object(s, capture_rows, C_COUNT, v, at, values);
	for (int i = C_POINTER; i <= C_COOKIE; i++) {
		if (!values[i].given)
			continue;
		count++;
		rule->from = i == C_HEADER ? CAPTURE_HEADER : i == C_COOKIE ? CAPTURE_COOKIE : CAPTURE_POINTER;
		if (i == C_POINTER)
			read_pointer(s, values[i].value.text, at, &rule->key);
		else
			s->scope.nomem |= arena_str(arena_of(s), values[i].value.text, &rule->key) != 0;
	}
	if (count != 1)
		WRONG(s, at, "Say where the value comes from: exactly one of pointer, header and cookie.");
	rule->optional = values[C_OPTIONAL].given && values[C_OPTIONAL].value.type == JSON_TRUE;
}

static void read_capture(struct setup *s, const struct json *object, const char *pointer, struct capture_list *ret)
{
	char at[SETUP_POINTER_MAX];

	if (!object || s->scope.nomem)
		return;
	ret->rules = arena_calloc(arena_of(s), object->count + 1u, sizeof *ret->rules);
	if (!ret->rules) {
		s->scope.nomem = true;
		return;
	}
	for (uint32_t i = 0; i < object->count; i++) {
		const struct json_member *m = &object->members[i];
		struct capture_rule *rule = &ret->rules[ret->count++];

		snprintf(at, sizeof at, "%s", pointer);
		json_pointer_push(at, sizeof at, m->key);
		if (!is_name(m->key))
			WRONG(s, at, "The name of a captured value has letters, digits, '_' and '-' only.");
		rule->slot = slot_of(s, m->key);
		if (m->value.type == JSON_STRING)
			read_pointer(s, m->value.text, at, &rule->key);
		else if (m->value.type == JSON_OBJECT)
			read_capture_object(s, &m->value, at, rule);
		else
			WRONG(s, at, "Say where the value comes from: \"/pointer\", {\"header\": NAME} or {\"cookie\": NAME}.");
		ret->pointers |= rule->from == CAPTURE_POINTER;
	}
}

/* Both lists, before any template is read. What the login leaves is a token. */
static void read_captures(struct setup *s)
{
	const struct json *asked = given(&s->values[P_CAPTURE]), *login = given(&s->login[L_CAPTURE]);
	char at[SETUP_POINTER_MAX];

	s->h->slots =
	        arena_calloc(arena_of(s), (asked ? asked->count : 0u) + (login ? login->count : 0u) + 1u, sizeof *s->h->slots);
	if (!s->h->slots) {
		s->scope.nomem = true;
		return;
	}
	setup_pointer(s->login_at, "capture", at);
	read_capture(s, login, at, &s->h->login.capture);
	for (size_t i = 0; i < s->h->slot_count; i++)
		s->h->slots[i].secret = true;
	setup_pointer(s->in->pointer, "capture", at);
	read_capture(s, asked, at, &s->h->ask.capture);
	s->scope.slots = s->h->slots;
	s->scope.slot_count = s->h->slot_count;
}

static void warn_unused(struct setup *s)
{
	char at[SETUP_POINTER_MAX];

	for (size_t i = 0; i < s->h->slot_count; i++) {
		struct str name = s->h->slots[i].name;

		if (s->h->slots[i].used)
			continue;
		snprintf(at, sizeof at, "%s", s->in->pointer);
		problem_warning(s->scope.problems, at, "Nothing uses {{captured.%.*s}}.", STR_ARG(name));
	}
}

/* ---- answer ---- */

static void read_stream(struct setup *s, const struct json *v, const char *at, struct answer_rule *ret)
{
	struct param_value values[A_COUNT];
	const struct param_value *place;

	read_object(s, answer_rows, A_COUNT, v, at, values);
	place = &values[values[A_SSE].given ? A_SSE : A_NDJSON];
	if (values[A_SSE].given == values[A_NDJSON].given) {
		WRONG(s, at, "Say how the answer comes: exactly one of sse and ndjson, each with a JSON pointer.");
		return;
	}
	ret->kind = values[A_SSE].given ? ANSWER_SSE : ANSWER_NDJSON;
	ret->data_is_text = ret->kind == ANSWER_SSE && str_eq(place->value.text, STR("text"));
	if (!ret->data_is_text)
		read_pointer(s, place->value.text, at, &ret->pointer);
	ret->last = values[A_TAKE].given && str_eq(values[A_TAKE].value.text, STR("last"));
	if (ret->kind == ANSWER_NDJSON && (values[A_EVENT].given || values[A_END].given))
		WRONG(s, at, "Lines have no events and no end mark: event and end belong to sse.");
	if (values[A_EVENT].given)
		s->scope.nomem |= arena_str(arena_of(s), values[A_EVENT].value.text, &ret->event) != 0;
	ret->end = STR("[DONE]");
	if (values[A_END].given)
		s->scope.nomem |= arena_str(arena_of(s), values[A_END].value.text, &ret->end) != 0;
}

static void check_text_capture(struct setup *s, const char *at)
{
	const struct answer_rule *rule = &s->h->answer;
	bool text = rule->kind == ANSWER_TEXT || (rule->data_is_text && !rule->event.len);

	if (text && s->h->ask.capture.pointers)
		WRONG(s, at,
		      "The answer is text, so that no pointer can capture from it: use {\"header\": NAME} or {\"cookie\": NAME}.");
	if (text && s->h->ask.has_error)
		WRONG(s, at, "The answer is text, so that error can point to nothing in it: leave error out.");
}

static void read_answer(struct setup *s)
{
	const struct json *v = given(&s->values[P_ANSWER]);
	char at[SETUP_POINTER_MAX];

	setup_pointer(s->in->pointer, "answer", at);
	if (!v)
		return; /* told by the table: it is required */
	if (v->type == JSON_OBJECT) {
		read_stream(s, v, at, &s->h->answer);
	} else if (v->type != JSON_STRING) {
		WRONG(s, at, "The answer is a JSON pointer, \"text\", {\"sse\": POINTER} or {\"ndjson\": POINTER}.");
	} else if (str_eq(v->text, STR("text"))) {
		s->h->answer.kind = ANSWER_TEXT;
	} else {
		s->h->answer.kind = ANSWER_JSON;
		read_pointer(s, v->text, at, &s->h->answer.pointer);
	}
	check_text_capture(s, at);
	s->h->base.streaming = s->h->answer.kind == ANSWER_SSE || s->h->answer.kind == ANSWER_NDJSON;
	if (s->in->stream && !s->h->base.streaming)
		problem_warning(
		        s->scope.problems, at,
		        "The option stream changes nothing here: ask for a stream in body, and read it with {\"sse\": ...}.");
}

static const char *accept_of(const struct answer_rule *rule)
{
	switch (rule->kind) {
	case ANSWER_TEXT: return "text/plain, */*";
	case ANSWER_SSE: return "text/event-stream";
	case ANSWER_NDJSON: return "application/x-ndjson";
	case ANSWER_JSON: break;
	}
	return "application/json";
}

/* ---- the two exchanges ---- */

static void read_error(struct setup *s, const struct param_value *v, const char *pointer, struct template_exchange *ret)
{
	char at[SETUP_POINTER_MAX];

	setup_pointer(pointer, "error", at);
	ret->has_error = v->given;
	if (v->given)
		read_pointer(s, v->value.text, at, &ret->error);
}

static void read_exchange(struct setup *s, const struct param_value *values, const int place[4], const char *pointer,
                          const char *accept, struct template_exchange *ret)
{
	struct template_request_source source = {
		.url = given(&values[place[0]]),
		.method = given(&values[place[1]]),
		.headers = given(&values[place[2]]),
		.body = given(&values[place[3]]),
		.pointer = pointer,
		.accept = accept,
	};

	template_request_read(&s->scope, &source, &ret->request);
}

static void read_ask(struct setup *s)
{
	static const int place[] = { P_URL, P_METHOD, P_HEADERS, P_BODY };
	char at[SETUP_POINTER_MAX];

	setup_pointer(s->in->pointer, "success", at);
	add_statuses(&s->h->ask.success, 200, 299);
	read_success(s, &s->values[P_SUCCESS], at, &s->h->ask.success);
	read_exchange(s, s->values, place, s->in->pointer, accept_of(&s->h->answer), &s->h->ask);
}

/* A stranger's login stays at the origin that was judged; an operator's other origin is judged like the first. */
static void check_login_origin(struct setup *s)
{
	struct str login = s->h->login.request.origin, ask = s->h->ask.request.origin;
	char at[SETUP_POINTER_MAX];

	setup_pointer(s->login_at, "url", at);
	if (!login.len || str_eq_nocase(login, ask))
		return;
	s->h->base.login_origin = login;
	if (s->in->stranger)
		WRONG(s, at, "The login must go to the same scheme, host and port as url, which is %.*s.", STR_ARG(ask));
}

static void read_login(struct setup *s)
{
	static const int place[] = { L_URL, L_METHOD, L_HEADERS, L_BODY };
	char at[SETUP_POINTER_MAX];

	if (!s->h->has_login)
		return;
	setup_pointer(s->login_at, "success", at);
	add_statuses(&s->h->login.success, 200, 299);
	read_success(s, &s->login[L_SUCCESS], at, &s->h->login.success);
	setup_pointer(s->login_at, "renew", at);
	read_statuses(s, &s->login[L_RENEW], at, &s->h->renew);
	read_error(s, &s->login[L_ERROR], s->login_at, &s->h->login);
	s->scope.login = true;
	read_exchange(s, s->login, place, s->login_at, "application/json", &s->h->login);
	s->scope.login = false;
	check_login_origin(s);
}

/* ---- configure ---- */

static void set_base(struct setup *s)
{
	struct connector *c = &s->h->base;

	c->base_url = s->h->ask.request.origin;
	c->base_from_env = !s->in->stranger; /* whoever writes the template chooses the address */
	c->url_param = "url";
	c->secrets = s->secrets.secrets;
	c->secret_count = s->secrets.secret_count;
	c->env_secrets = s->scope.env_used;
	c->key_source = s->scope.env_used ? KEY_FROM_ENV : KEY_NONE;
	c->ordered = s->h->has_login || s->h->slot_count;
}

static int build(struct setup *s)
{
	struct connector *c = &s->h->base;

	read_object(s, rows, P_COUNT, s->in->params, s->in->pointer, s->values);
	if (s->scope.nomem)
		return FF_ENOMEM;
	s->h->has_login = s->values[P_LOGIN].given;
	if (s->h->has_login)
		read_object(s, login_rows, L_COUNT, &s->values[P_LOGIN].value, s->login_at, s->login);
	if (s->values[P_MODEL].given)
		s->scope.nomem |= arena_str(&c->arena, s->values[P_MODEL].value.text, &c->model) != 0;
	s->scope.model = c->model;
	setup_timeout(c, &s->values[P_TIMEOUT]);
	s->scope.errors += !setup_max_retries(c, &s->values[P_MAX_RETRIES], s->in->pointer, s->scope.problems);
	set_retry_statuses(s);
	read_captures(s);
	read_error(s, &s->values[P_ERROR], s->in->pointer, &s->h->ask);
	read_answer(s);
	read_ask(s);
	read_login(s);
	set_base(s);
	if (!s->scope.errors)
		warn_unused(s);
	if (s->scope.nomem || s->secrets.nomem || s->scope.problems->nomem)
		return FF_ENOMEM;
	return s->scope.errors ? FF_EUSAGE : 0;
}

static int configure(const struct connector_class *class, const struct connector_setup *in, struct problems *problems,
                     struct connector **ret)
{
	struct setup s = { .in = in };
	int r;

	s.h = (struct http_template *)(void *)setup_new(class, sizeof *s.h);
	if (!s.h)
		return FF_ENOMEM;
	s.h->own_class = *class;
	s.h->base.class = &s.h->own_class;
	header_list_init(&s.secrets, &s.h->base.arena);
	setup_pointer(in->pointer, "login", s.login_at);
	s.scope = (struct template_scope){ .arena = &s.h->base.arena, .problems = problems, .setup = in, .secrets = &s.secrets };
	r = build(&s);
	if (r) {
		connector_free(&s.h->base);
		return r;
	}
	*ret = &s.h->base;
	return 0;
}

static const char *const class_paths[] = { "fairforge.http", NULL };

static const int retry_statuses[] = { 408, 429, 599, 0 };

const struct connector_class http_template_class = {
	.name = "HttpTemplate",
	.short_name = "http",
	.label = "HTTP template",
	.class_paths = class_paths,
	.summary = "a service of your own: the request is a template, the answer a place in the reply (docs/custom-systems.md)",
	.params = rows,
	.param_count = P_COUNT,
	.retry = { .statuses = retry_statuses,
	           .transport = true,
	           .timeouts = true,
	           .hints = true,
	           .default_max_retries = 2,
	           .backoff_first_s = 0.5,
	           .backoff_cap_s = 8.0 },
	.configure = configure,
	.session_new = http_template_session_new,
	.session_free = http_template_session_free,
	.begin = http_template_begin,
	.encode = http_template_encode,
	.head = http_template_head,
	.feed = http_template_feed,
	.finish = http_template_finish,
	.end = http_template_end,
};
