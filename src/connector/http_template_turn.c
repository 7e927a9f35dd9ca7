/*
 * http_template_turn.c: one attempt of HttpTemplate.
 *
 * Stages of an attempt:
 *   LOGIN  the login exchange, when the session has one and is not logged in; → ASK (ANOTHER), RETRY or FATAL
 *   ASK    the question; a status of `login.renew` sends the session through LOGIN once more
 *
 * A reply is a row of records: the one JSON value, each event, each line. In every record the error pointer, the captures and the answer are looked
 * at, in this order; the first error decides, and what follows it is not read. What was captured waits in `pending` and is kept in the session only
 * when the exchange has succeeded, so that a failed attempt leaves nothing behind. A record lives in a scratch arena that the next one reuses.
 */
#include "connector/http_template.h"

#include <assert.h>

#include "base/alloc.h"
#include "connector/ndjson.h"
#include "connector/sse.h"

#define QUOTED_MAX   200                /* bytes of a broken record that a sentence repeats */
#define NO_EVENT_MAX ((size_t)64 << 10) /* of a body without events, for the sentence */
#define VALUE_MAX    REPLY_MAX_BYTES    /* JSON text of one value */

struct connector_turn {
	const struct http_template *h;
	struct connector_session *session; /* NULL when there is nothing to keep */
	const struct turn_input *in;
	struct arena *arena;
	enum { STAGE_LOGIN, STAGE_ASK } stage;
	bool logged_in_now; /* this attempt made a login */
	struct reply reply;
	struct sse sse;
	struct ndjson lines;
	struct arena scratch; /* of the record being read */
	struct gather answer;
	struct template_captured *pending; /* by slot, in the arena */
	bool any_record, any_piece;        /* something came; it came at the answer's place */
	bool content;                      /* answer text came in this feed */
	bool ended;                        /* the end mark of the stream came */
	bool failed;                       /* `failure` holds the verdict */
	struct verdict failure;
};

static const struct template_exchange *exchange_of(const struct connector_turn *t)
{
	return t->stage == STAGE_LOGIN ? &t->h->login : &t->h->ask;
}

/* ---- life ---- */

struct connector_turn *http_template_begin(const struct connector *c, struct connector_session *s, const struct turn_input *in,
                                           struct arena *arena)
{
	struct connector_turn *t = ARENA_NEW(arena, struct connector_turn);

	assert(s || !c->ordered);
	if (!t)
		return NULL;
	t->h = (const struct http_template *)(const void *)c;
	t->session = s;
	t->in = in;
	t->arena = arena;
	t->stage = t->h->has_login && !s->logged_in ? STAGE_LOGIN : STAGE_ASK;
	t->pending = arena_calloc(arena, t->h->slot_count + 1, sizeof *t->pending);
	arena_init(&t->scratch);
	reply_init(&t->reply, c->class, arena, in->now_wall_ms);
	return t->pending ? t : NULL;
}

void http_template_end(struct connector_turn *t)
{
	if (t)
		arena_release(&t->scratch);
}

int http_template_encode(struct connector_turn *t, struct exchange *ret, struct error *err)
{
	struct template_values values = { .in = t->in, .captured = t->session ? t->session->captured : NULL };

	if (t->stage == STAGE_LOGIN && t->session && t->session->refused)
		return error_set(err, FF_EDATA, "", "%s", t->session->refused);
	return template_request_render(&exchange_of(t)->request, &values, t->arena, ret, err);
}

/* ---- failures ---- */

static void fail_nomem(struct connector_turn *t)
{
	verdict_nomem(&t->reply, &t->failure);
	t->failed = true;
}

static void fail_bad(struct connector_turn *t, const char *what, struct str quoted)
{
	struct str shown = provider_excerpt(t->arena, quoted, QUOTED_MAX);

	if (shown.len)
		reply_bad_verdict(&t->reply, &t->failure, "%s: %.*s", what, STR_ARG(shown));
	else
		reply_bad_verdict(&t->reply, &t->failure, "%s", what);
	t->failed = true;
}

/* ---- values out of records ---- */

/* The value as text: a string is its text, all else its JSON text. In `a` or a slice of the value. */
static int value_text(struct arena *a, const struct json *v, struct str *ret)
{
	struct buf out CLEANUP(buf_release);
	struct json_writer w;

	buf_init(&out, VALUE_MAX);
	if (v->type == JSON_STRING || v->type == JSON_NUMBER) {
		*ret = v->text;
		return 0;
	}
	json_writer_init(&w, &out, 0);
	json_value(&w, v);
	return buf_failed(&out) ? buf_failed(&out) : arena_str(a, buf_str(&out), ret);
}

static int set_pending(struct connector_turn *t, size_t slot, struct str text, bool is_string)
{
	struct template_captured *p = &t->pending[slot];

	if (p->set && p->is_string == is_string && str_eq(p->text, text))
		return 0;
	if (arena_str(t->arena, text, &p->text))
		return FF_ENOMEM;
	p->set = true;
	p->is_string = is_string;
	return 0;
}

/* Of several records the last that has a value counts; null is none. */
static int capture_record(struct connector_turn *t, const struct json *record)
{
	const struct capture_list *list = &exchange_of(t)->capture;
	struct str text;
	int r = 0;

	for (size_t i = 0; i < list->count && r == 0; i++) {
		const struct capture_rule *rule = &list->rules[i];
		const struct json *v = rule->from == CAPTURE_POINTER ? json_at(record, rule->key) : NULL;

		if (!v || v->type == JSON_NULL)
			continue;
		r = value_text(&t->scratch, v, &text);
		if (r == 0)
			r = set_pending(t, rule->slot, text, v->type == JSON_STRING);
	}
	return r;
}

static int add_piece(struct connector_turn *t, struct str text)
{
	t->any_piece = true;
	t->content |= text.len > 0;
	if (t->h->answer.last)
		t->answer.len = 0;
	return gather_append(&t->answer, text.ptr, text.len);
}

static int answer_record(struct connector_turn *t, const struct json *record)
{
	const struct json *v = json_at(record, t->h->answer.pointer);
	struct str text;
	int r;

	if (!v)
		return 0;
	t->any_piece = true;
	if (v->type == JSON_NULL)
		return 0;
	r = value_text(&t->scratch, v, &text);
	return r ? r : add_piece(t, text);
}

static int take_record(struct connector_turn *t, const struct json *record, bool answers)
{
	const struct template_exchange *x = exchange_of(t);
	const struct json *error = x->has_error ? json_at(record, x->error) : NULL;
	int r;

	t->any_record = true;
	if (json_truthy(error)) {
		reply_error_verdict(&t->reply, error, &t->failure);
		t->failed = true;
		return 0;
	}
	r = capture_record(t, record);
	return r == 0 && answers ? answer_record(t, record) : r;
}

/* ---- streams ---- */

/* A piece of a stream that is a record of its own. `answers` false: an event of another type, which may be anything. */
static int take_text(struct connector_turn *t, struct str text, bool answers, const char *not_json)
{
	struct json record;
	int r;

	arena_reset(&t->scratch);
	r = reply_parse(&t->scratch, text, &record, NULL);
	if (r == FF_ENOMEM)
		return r;
	if (r == 0)
		return take_record(t, &record, answers);
	if (answers)
		fail_bad(t, not_json, text);
	return 0;
}

/* An event without a name is a "message". */
static bool is_wanted(const struct answer_rule *rule, struct str type)
{
	return !rule->event.len || str_eq(rule->event, type) || (!type.len && str_eq(rule->event, STR("message")));
}

static int on_event(void *user, struct str type, struct str data)
{
	struct connector_turn *t = user;
	const struct answer_rule *rule = &t->h->answer;
	bool wanted = is_wanted(rule, type);

	if (!t->any_record)
		t->reply.body.len = 0; /* it is a stream: nothing of it is quoted as a body */
	t->any_record = true;
	if (t->failed || t->ended)
		return 0;
	if (rule->end.len && str_eq(data, rule->end)) {
		t->ended = true;
		return 0;
	}
	if (wanted && rule->data_is_text)
		return add_piece(t, data);
	return take_text(t, data, wanted, "an event of the stream is not JSON");
}

static int feed_sse(struct connector_turn *t, const char *data, size_t len)
{
	size_t room = NO_EVENT_MAX - MIN(t->reply.body.len, NO_EVENT_MAX);
	int r = t->any_record ? 0 : reply_feed(&t->reply, data, MIN(len, room));

	return r ? r : sse_feed(&t->sse, data, len);
}

static int feed_lines(struct connector_turn *t, const char *data, size_t len)
{
	struct str input = { data, len }, line;
	int r = 0;

	while (!t->failed && (r = ndjson_next(&t->lines, &input, &line)) > 0) {
		r = take_text(t, line, true, "a line of the reply is not JSON");
		if (r)
			return r;
	}
	return t->failed ? 0 : r;
}

/* ---- reply ---- */

static bool is_success(const struct connector_turn *t)
{
	return status_set_has(&exchange_of(t)->success, t->reply.status);
}

/* "session=abc; Path=/": the value when the cookie has the name. */
static bool cookie_value(struct str header, struct str name, struct str *ret)
{
	struct str value = str_split(&header, ';'), key = str_split(&value, '=');

	if (!value.ptr || !str_eq(str_trim(key), name))
		return false;
	*ret = str_trim(value);
	return true;
}

static void capture_header(struct connector_turn *t, const struct capture_rule *rule, const struct pair *header)
{
	struct str value = header->value;

	if (rule->from == CAPTURE_HEADER
	            ? !str_eq_nocase(header->name, rule->key)
	            : !str_eq_nocase(header->name, STR("set-cookie")) || !cookie_value(value, rule->key, &value))
		return;
	if (utf8_is_valid(value) && set_pending(t, rule->slot, str_trim(value), true))
		t->reply.nomem = true;
}

static void capture_headers(struct connector_turn *t, const struct pair *headers, size_t count)
{
	const struct capture_list *list = &exchange_of(t)->capture;

	for (size_t i = 0; i < list->count; i++)
		for (size_t j = 0; j < count && list->rules[i].from != CAPTURE_POINTER; j++)
			capture_header(t, &list->rules[i], &headers[j]);
}

void http_template_head(struct connector_turn *t, int status, const struct pair *headers, size_t header_count)
{
	reply_head(&t->reply, status, headers, header_count);
	sse_init(&t->sse, t->arena, on_event, t);
	ndjson_init(&t->lines, t->arena, NDJSON_MAX_LINE_BYTES);
	gather_init(&t->answer, t->arena, REPLY_MAX_BYTES);
	memset(t->pending, 0, t->h->slot_count * sizeof *t->pending);
	t->any_record = t->any_piece = t->ended = t->failed = false;
	if (is_success(t))
		capture_headers(t, headers, header_count);
}

int http_template_feed(struct connector_turn *t, const char *data, size_t len, bool *ret_content)
{
	int r;

	t->content = false;
	if (t->stage == STAGE_LOGIN || !is_success(t) || t->h->answer.kind == ANSWER_JSON)
		return reply_feed(&t->reply, data, len);
	switch (t->h->answer.kind) {
	case ANSWER_SSE: r = feed_sse(t, data, len); break;
	case ANSWER_NDJSON: r = feed_lines(t, data, len); break;
	default: r = reply_feed(&t->reply, data, len); t->content = len > 0;
	}
	*ret_content |= t->content;
	return r;
}

/* ---- refusals ---- */

/* The sentence quotes what stands at the error pointer, when something does. */
static void quote_error(struct connector_turn *t, struct verdict *ret)
{
	const struct template_exchange *x = exchange_of(t);
	struct reply quoted = t->reply;
	const struct json *error;
	struct verdict other;
	struct json body;
	struct buf text CLEANUP(buf_release);
	struct json_writer w;

	buf_init(&text, VALUE_MAX);
	if (!x->has_error || reply_json(&t->reply, &body, NULL))
		return;
	error = json_at(&body, x->error);
	if (!json_truthy(error))
		return;
	json_writer_init(&w, &text, 0);
	json_value(&w, error);
	if (buf_failed(&text))
		return;
	quoted.body.ptr = text.ptr;
	quoted.body.len = text.len;
	reply_http_verdict(&quoted, &other);
	ret->error = other.error;
}

static void refuse(struct connector_turn *t, struct verdict *ret)
{
	if (reply_is_success(&t->reply)) {
		reply_bad_verdict(&t->reply, ret, "the status is none that success lists");
		if (reply_is_retryable(&t->reply))
			ret->kind = VERDICT_RETRY;
		return;
	}
	reply_http_verdict(&t->reply, ret);
	if (t->reply.status >= 400)
		quote_error(t, ret);
}

/* ---- captures at the end of an exchange ---- */

static void check_captures(struct connector_turn *t)
{
	const struct capture_list *list = &exchange_of(t)->capture;

	for (size_t i = 0; i < list->count && !t->failed; i++) {
		const struct capture_rule *rule = &list->rules[i];
		struct str name = t->h->slots[rule->slot].name;

		if (rule->optional || t->pending[rule->slot].set || (t->stage == STAGE_ASK && t->session->captured[rule->slot].set))
			continue;
		reply_bad_verdict(&t->reply, &t->failure, "the reply has nothing at '%.*s' to capture as '%.*s'",
		                  STR_ARG(rule->key), STR_ARG(name));
		t->failed = true;
	}
}

static void keep_captures(struct connector_turn *t)
{
	for (size_t i = 0; i < t->h->slot_count && !t->failed; i++)
		if (t->pending[i].set && http_template_session_keep(t->session, i, &t->pending[i]))
			fail_nomem(t);
}

/* ---- the end of a question ---- */

/* Bytes as UTF-8: ISO 8859-1 when the Content-Type says so, else ill-formed sequences become U+FFFD. */
static int decode_text(struct connector_turn *t, struct str body, struct str *ret)
{
	bool latin1 = str_contains_nocase(t->reply.content_type, STR("charset=iso-8859-1")) ||
	              str_contains_nocase(t->reply.content_type, STR("charset=latin1"));
	struct gather out;
	char bytes[4];
	int r = 0;

	*ret = body;
	if (!latin1 && utf8_is_valid(body))
		return 0;
	gather_init(&out, t->arena, (size_t)REPLY_MAX_BYTES * 3);
	for (size_t i = 0; i < body.len && r == 0;) {
		size_t n = latin1 ? 0 : utf8_sequence_length(body.ptr + i, body.len - i);

		if (n) {
			r = gather_append(&out, body.ptr + i, n);
		} else {
			uint32_t c = latin1 ? (unsigned char)body.ptr[i] : 0xFFFDu;

			r = gather_append(&out, bytes, utf8_encode(c, bytes));
		}
		i += n ? n : 1;
	}
	*ret = gather_str(&out);
	return r;
}

static void answer_done(struct connector_turn *t, struct str text, struct verdict *ret)
{
	verdict_init(ret, &t->reply);
	ret->kind = VERDICT_DONE;
	ret->outcome = text.len ? OUTCOME_OK : OUTCOME_EMPTY;
	ret->answer = text;
}

/* A body without a single event: an error in JSON, a page, or nothing. */
static void no_event(struct connector_turn *t)
{
	struct json body;

	if (t->reply.body.len && reply_json(&t->reply, &body, NULL) == 0 && take_record(t, &body, false))
		fail_nomem(t);
	if (!t->failed)
		fail_bad(t, "no event came in the stream", STR_NULL);
}

/* Reads what is left of the reply into answer, captures or failure. 0 or FF_ENOMEM, FF_ETOOBIG. */
static int read_rest(struct connector_turn *t)
{
	struct json body;
	struct str line;
	int r = 0;

	switch (t->h->answer.kind) {
	case ANSWER_TEXT: break;
	case ANSWER_JSON:
		r = reply_json(&t->reply, &body, NULL);
		if (r == 0)
			r = take_record(t, &body, true);
		else if (r != FF_ENOMEM)
			fail_bad(t, "the reply is not JSON", STR_NULL);
		else
			return r;
		return t->failed ? 0 : r;
	case ANSWER_SSE:
		r = sse_end(&t->sse);
		if (r == 0 && !t->failed && !t->any_record)
			no_event(t);
		break;
	case ANSWER_NDJSON:
		if (!t->failed && ndjson_last(&t->lines, &line))
			r = take_text(t, line, true, "a line of the reply is not JSON");
		if (r == 0 && !t->failed && !t->any_record)
			fail_bad(t, "no line came in the reply", STR_NULL);
		break;
	}
	return r;
}

static void check_answer(struct connector_turn *t)
{
	const struct answer_rule *rule = &t->h->answer;

	if (t->failed || t->any_piece || rule->kind == ANSWER_TEXT)
		return;
	if (rule->data_is_text)
		reply_bad_verdict(&t->reply, &t->failure, "no event of the stream has an answer");
	else
		reply_bad_verdict(&t->reply, &t->failure, "%s at '%.*s', where the answer should be",
		                  rule->kind == ANSWER_JSON ? "the reply has nothing" : "no record of the stream has anything",
		                  STR_ARG(rule->pointer));
	t->failed = true;
}

static void finish_question(struct connector_turn *t, struct verdict *ret)
{
	struct str text = STR_NULL;
	bool is_text = t->h->answer.kind == ANSWER_TEXT;

	if (read_rest(t) && !t->failed)
		fail_nomem(t);
	check_answer(t);
	if (!t->failed)
		check_captures(t);
	if (!t->failed && decode_text(t, gather_str(is_text ? &t->reply.body : &t->answer), &text))
		fail_nomem(t);
	if (!t->failed)
		keep_captures(t);
	if (t->failed)
		*ret = t->failure;
	else
		answer_done(t, text, ret);
}

/* ---- the login ---- */

/* "HTTP template: login: the key was refused (401, …)." */
static void name_login(struct connector_turn *t, struct verdict *v)
{
	struct str label = str_from(t->h->base.class->label), rest = v->error;
	char *text;

	if (!str_starts_with(rest, label))
		return;
	rest = str_sub(rest, label.len, rest.len);
	text = arena_printf(t->arena, "%.*s: login%.*s", STR_ARG(label), STR_ARG(rest));
	if (text)
		v->error = str_from(text);
}

static int read_login(struct connector_turn *t)
{
	const struct template_exchange *x = &t->h->login;
	struct json body;
	int r = 0;

	if (!x->capture.pointers && !x->has_error)
		return 0;
	r = reply_json(&t->reply, &body, NULL);
	if (r == FF_ENOMEM)
		return r;
	if (r == 0)
		return take_record(t, &body, false);
	if (x->capture.pointers)
		fail_bad(t, "the reply is not JSON", STR_NULL);
	return 0;
}

static void login_done(struct connector_turn *t, struct verdict *ret)
{
	t->session->logged_in = true;
	t->logged_in_now = true;
	t->stage = STAGE_ASK;
	verdict_init(ret, &t->reply);
	ret->kind = VERDICT_ANOTHER;
}

static void finish_login(struct connector_turn *t, struct verdict *ret)
{
	if (!is_success(t)) {
		refuse(t, &t->failure);
		t->failed = true;
	} else if (read_login(t)) {
		fail_nomem(t);
	}
	if (!t->failed)
		check_captures(t);
	if (!t->failed)
		keep_captures(t);
	if (!t->failed) {
		login_done(t, ret);
		return;
	}
	*ret = t->failure;
	name_login(t, ret);
}

/* The service said no, not the weather: other turns of the session would be told the same. */
static void remember_refusal(struct connector_turn *t, const struct verdict *v)
{
	bool final = v->kind == VERDICT_FATAL && (v->outcome == OUTCOME_HTTP_4XX || v->outcome == OUTCOME_BAD_REPLY);

	if (final && str_starts_with(v->error, str_from(t->h->base.class->label)))
		t->session->refused = mem_strndup(v->error.ptr, v->error.len); /* NULL: the next turn asks again */
}

/* ---- finish ---- */

/* Tokens of the session in what the service says about a failure. */
static void scrub(struct connector_turn *t, struct verdict *v)
{
	struct buf out CLEANUP(buf_release);
	struct str copy;

	buf_init(&out, VALUE_MAX);
	if (!t->session || !t->session->scrubber.count || !v->error.len)
		return;
	if (scrub_append(&t->session->scrubber, &out, v->error) || arena_str(t->arena, buf_str(&out), &copy))
		copy = STR("HTTP template: out of memory while a message was read.");
	v->error = copy;
}

static void log_in_again(struct connector_turn *t, struct verdict *ret)
{
	t->session->logged_in = false;
	t->stage = STAGE_LOGIN;
	verdict_init(ret, &t->reply);
	ret->kind = VERDICT_ANOTHER;
}

void http_template_finish(struct connector_turn *t, struct verdict *ret)
{
	bool login = t->stage == STAGE_LOGIN;

	if (t->reply.nomem)
		verdict_nomem(&t->reply, ret);
	else if (login)
		finish_login(t, ret);
	else if (is_success(t))
		finish_question(t, ret);
	else if (t->h->has_login && !t->logged_in_now && status_set_has(&t->h->renew, t->reply.status))
		log_in_again(t, ret);
	else
		refuse(t, ret);
	scrub(t, ret);
	if (login)
		remember_refusal(t, ret);
}
