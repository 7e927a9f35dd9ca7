/*
 * decide.c: what a request gets. See decide.h for the order.
 *
 * The streams of Alquimia are a ring: the lower half of a stream's id is the number of its request, which is also its place, so that finding one
 * costs nothing and the oldest gives way. A stream may be asked for again as long as it is remembered.
 */
#include "front/mock/decide.h"

#include <stdio.h>

#include "base/alloc.h"
#include "front/mock/gzip.h"
#include "front/mock/write.h"

#define MESSAGE_MAX ((size_t)64 << 20)

/* One request on its way through. */
struct work {
	struct mock *mock;
	const struct incoming *in;
	struct mock_reply *reply;
	struct decision *decision;
	struct route route;
	struct ask ask;
	struct buf answer; /* the default answer, when it was made here */
	uint64_t id, number, now_us;
	int64_t wall_ms;
};

void mock_init(struct mock *m, uint64_t seed)
{
	*m = (struct mock){ .nonce = seed & 0x7fffffff };
	answers_init(&m->answers);
	script_init(&m->script);
	rate_init(&m->rate, RATE_WINDOW, m->script.window_us, 0, 0);
	rand_init(&m->rand, seed);
}

static void forget_stream(struct mock_stream *s)
{
	mem_free(s->text);
	mem_free(s->session);
	*s = (struct mock_stream){ 0 };
}

void mock_release(struct mock *m)
{
	for (size_t i = 0; m->streams && i < MOCK_STREAMS; i++)
		forget_stream(&m->streams[i]);
	mem_free(m->streams);
	m->streams = NULL;
	answers_release(&m->answers);
	script_release(&m->script);
}

/* ---- refusals before there is an answer ---- */

static void refuse(struct work *w, unsigned status, const char *code, const char *format, ...) PRINTF_LIKE(4, 5);

static void refuse(struct work *w, unsigned status, const char *code, const char *format, ...)
{
	struct api_error e = { .status = status, .code = code };
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	e.message = message;
	mock_reply_error(w->reply, w->route.proto, &e);
}

static void refuse_path(struct work *w)
{
	struct str method = w->in->method, path = str_sub(w->in->path, 0, 300);
	bool groq = w->route.proto == PROTO_GROQ;

	if (w->route.endpoint == EP_WRONG) {
		refuse(w, 405, NULL, "Method not allowed: %.*s %.*s. Allowed: %s.", STR_ARG(method), STR_ARG(path), w->route.allow);
		mock_reply_header(w->reply, STR("Allow"), str_from(w->route.allow));
	} else {
		refuse(w, 404, groq ? "unknown_url" : NULL, "%s: %.*s %.*s.", groq ? "Unknown request URL" : "Invalid URL",
		       STR_ARG(method), STR_ARG(path));
	}
}

/* The key a request carries: a bearer token; for Gemini also its header or the query. */
static struct str key_of(const struct work *w)
{
	struct str bearer = STR("Bearer "), authorization = w->in->authorization;

	if (w->route.proto == PROTO_GEMINI && w->in->goog_api_key.len)
		return w->in->goog_api_key;
	if (authorization.len >= bearer.len && str_eq_nocase(str_sub(authorization, 0, bearer.len), bearer))
		return str_trim(str_sub(authorization, bearer.len, authorization.len));
	return w->route.proto == PROTO_GEMINI ? w->in->query_key : STR_NULL;
}

static bool key_fits(struct work *w)
{
	static const char *const messages[] = {
		[PROTO_OPENAI] =
		        "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.",
		[PROTO_GROQ] = "Invalid API Key",
		[PROTO_GEMINI] = "API key not valid. Please pass a valid API key.",
		[PROTO_OLLAMA] = "unauthorized",
		[PROTO_ALQUIMIA] = "Invalid API key",
	};

	if (!w->mock->require_key.len || str_eq(key_of(w), w->mock->require_key))
		return true;
	refuse(w, 401, w->route.proto == PROTO_GEMINI ? "API_KEY_INVALID" : "invalid_api_key", "%s", messages[w->route.proto]);
	if (w->route.proto != PROTO_GEMINI)
		mock_reply_header_lit(w->reply, "WWW-Authenticate", "Bearer");
	return false;
}

/* ---- streams ---- */

static struct mock_stream *stream_slot(struct mock *m, uint64_t id)
{
	return &m->streams[(id & 0xffffffff) % MOCK_STREAMS];
}

static int remember_stream(struct work *w)
{
	struct mock *m = w->mock;
	struct mock_stream *s;

	if (!m->streams)
		m->streams = mem_calloc(MOCK_STREAMS, sizeof(*m->streams));
	if (!m->streams)
		return FF_ENOMEM;
	s = stream_slot(m, w->id);
	forget_stream(s);
	s->text_len = w->ask.text.len;
	s->session_len = w->ask.session.len;
	s->text = mem_strndup(s->text_len ? w->ask.text.ptr : "", s->text_len);
	s->session = mem_strndup(s->session_len ? w->ask.session.ptr : "", s->session_len);
	if (!s->text || !s->session) {
		forget_stream(s);
		return FF_ENOMEM;
	}
	s->id = w->id;
	return 0;
}

/* Makes the stream's query the question of this request. false: there is no such stream. */
static bool recall_stream(struct work *w)
{
	uint64_t id = write_stream_id_parse(w->route.id);
	struct mock_stream *s = id && w->mock->streams ? stream_slot(w->mock, id) : NULL;

	if (!s || s->id != id)
		return false;
	buf_append(&w->ask.text, s->text, s->text_len);
	buf_append(&w->ask.session, s->session, s->session_len);
	return true;
}

/* ---- the answer ---- */

/* Reads what is asked. false: the reply says what is wrong; *ret_code is FF_ENOMEM when it could not even say that. */
static bool read_ask(struct work *w, int *ret_code)
{
	struct ask_problem problem;

	w->ask.endpoint = w->route.endpoint;
	w->ask.proto = w->route.proto;
	if (w->route.endpoint == EP_EVENTS) {
		if (recall_stream(w))
			return true;
		refuse(w, 404, NULL, "Stream not found: there is no stream of this id.");
		return false;
	}
	*ret_code = ask_read(&w->ask, &w->route, w->in->body, &problem);
	if (*ret_code == FF_EDATA) {
		struct api_error e = {
			.status = problem.status, .message = problem.error.text, .param = problem.param, .code = problem.code
		};
		mock_reply_error(w->reply, w->route.proto, &e);
		*ret_code = 0;
		return false;
	}
	w->ask.sse = str_eq(w->in->query_alt, STR("sse"));
	return *ret_code == 0;
}

static struct str answer_text(struct work *w)
{
	const struct answer *found;

	if (w->ask.load)
		return STR_NULL;
	found = answers_find(&w->mock->answers, buf_str(&w->ask.session), buf_str(&w->ask.text));
	if (found)
		return found->text;
	text_default_answer(buf_str(&w->ask.text), &w->answer);
	return buf_str(&w->answer);
}

static void write_answer(struct work *w, const struct made *made)
{
	switch (w->route.endpoint) {
	case EP_CHAT: write_chat(&w->ask, made, w->reply); break;
	case EP_RESPONSES: write_responses(&w->ask, made, w->reply); break;
	case EP_OLLAMA_CHAT: write_ollama(&w->ask, made, w->reply); break;
	case EP_INFER: write_infer(made, w->reply); break;
	case EP_EVENTS: write_events(made, str_eq(w->in->query_response_only, STR("true")), w->reply); break;
	default: write_gemini(&w->ask, made, w->reply); break;
	}
}

/* The headers that say who served a request and how long it took. */
static void put_service_headers(struct work *w, uint64_t spent_us)
{
	char id[32];

	if (w->route.proto != PROTO_OPENAI && w->route.proto != PROTO_GROQ)
		return;
	snprintf(id, sizeof(id), "req_%016llx", (unsigned long long)w->id);
	mock_reply_header(w->reply, STR("x-request-id"), str_from(id));
	if (w->route.proto == PROTO_OPENAI)
		mock_reply_header_u64(w->reply, "openai-processing-ms", spent_us / 1000);
	else
		mock_reply_header_lit(w->reply, "x-groq-region", "mock");
}

/* ---- latency, faults ---- */

/* latency, give or take jitter; an infer only promises a stream and does not wait. */
static uint64_t latency_us(struct work *w)
{
	const struct mock *m = w->mock;
	double jitter = (double)m->jitter_us * (2 * rand_unit(&w->mock->rand) - 1);
	double latency = (double)m->latency_us + jitter;

	return w->route.endpoint == EP_INFER || latency <= 0 ? 0 : (uint64_t)latency;
}

static const struct fault *find_fault(struct work *w)
{
	struct script_request r = { w->number, buf_str(&w->ask.text), buf_str(&w->ask.session), w->in->path };

	return w->mock->script.count ? script_match(&w->mock->script, &r) : NULL;
}

/* Breaks the JSON of [from, to): the last closing brace becomes a blank. Offsets stay. */
static void break_json(struct mock_reply *r, size_t from, size_t to)
{
	for (size_t i = to; i > from; i--) {
		if (r->body.ptr[i - 1] == '}') {
			r->body.ptr[i - 1] = ' ';
			return;
		}
	}
}

static void apply_bad_json(struct mock_reply *r)
{
	size_t piece = r->piece_count / 2;

	if (!r->streamed || !r->piece_count)
		break_json(r, 0, r->body.len);
	else
		break_json(r, piece ? r->ends[piece - 1] : 0, r->ends[piece]);
}

/* Wraps the body; a piece of a stream stays a piece. */
static void apply_gzip(struct mock_reply *r)
{
	struct buf out;
	struct gzip z;
	size_t from = 0;

	buf_init(&out, r->body.cap);
	gzip_begin(&z, &out);
	for (size_t i = 0; i < r->piece_count; i++) {
		gzip_add(&z, str_sub(buf_str(&r->body), from, r->ends[i]));
		from = r->ends[i];
		r->ends[i] = out.len;
	}
	gzip_add(&z, str_sub(buf_str(&r->body), from, r->body.len));
	gzip_end(&z);
	if (r->piece_count)
		r->ends[r->piece_count - 1] = out.len;
	buf_release(&r->body);
	r->body = out;
	mock_reply_header_lit(r, "Content-Encoding", "gzip");
}

static bool looks_like_json(struct str body)
{
	body = str_trim(body);
	return body.len && (body.ptr[0] == '{' || body.ptr[0] == '[');
}

static void apply_body(struct work *w, const struct fault *f)
{
	struct mock_reply *r = w->reply;

	if (f->has_body) {
		buf_clear(&r->body);
		buf_append_str(&r->body, f->body);
		r->piece_count = 0;
		mock_reply_end_piece(r);
		if (f->status >= 300)
			mock_reply_header(r, STR("Content-Type"),
			                  looks_like_json(f->body) ? STR("application/json") : STR("text/plain; charset=utf-8"));
	} else if (f->status >= 400) {
		refuse(w, f->status, "simulated_fault", "Simulated fault: status %u.", f->status);
	} else if (f->status == 204 || f->status == 205 || f->status == 304) {
		mock_reply_clear(r);
	}
	if (f->status)
		r->status = f->status;
	if (f->status >= 300)
		r->streamed = false;
}

static void apply_fault(struct work *w, const struct fault *f)
{
	apply_body(w, f);
	for (size_t i = 0; i < f->header_count; i++)
		mock_reply_header(w->reply, f->headers[i].name, f->headers[i].value);
	if (f->bad_json)
		apply_bad_json(w->reply);
	if (f->gzip)
		apply_gzip(w->reply);
}

/* ---- the way through ---- */

/* The limits: true when the request may pass (and was charged). */
static bool within_limits(struct work *w, const struct made *made)
{
	struct rate_verdict v;

	if (!rate_active(&w->mock->rate) || w->route.endpoint == EP_EVENTS)
		return true;
	v = rate_take(&w->mock->rate, w->ask.prompt_tokens + made->tokens * w->ask.choices, w->now_us);
	if (!v.admitted)
		rate_refusal(&w->mock->rate, &v, w->route.proto, buf_str(&w->ask.model), w->now_us, w->reply);
	return v.admitted;
}

static int answer(struct work *w)
{
	const struct fault *f = find_fault(w);
	uint64_t delay_us = latency_us(w) + (f ? f->delay_us : 0);
	bool spared = f && (f->status || (f->end != FAULT_REPLY && !f->truncated)); /* nothing was done that could be charged */
	struct made made;

	made_init(&made, answer_text(w), w->id, w->wall_ms, delay_us);
	if (!spared && !within_limits(w, &made))
		return 0;
	w->decision->fault = f;
	w->decision->delay_us = delay_us;
	if (w->route.endpoint == EP_INFER && !(f && f->end != FAULT_REPLY) && remember_stream(w))
		return FF_ENOMEM;
	write_answer(w, &made);
	if (f)
		apply_fault(w, f);
	put_service_headers(w, delay_us);
	if (!spared && w->route.endpoint != EP_EVENTS)
		rate_headers(&w->mock->rate, w->route.proto, w->now_us, w->reply);
	return 0;
}

static int catalogue(struct work *w)
{
	struct buf model;
	int code = 0;

	if (w->route.endpoint == EP_SHOW && !read_ask(w, &code))
		return code;
	buf_init(&model, MESSAGE_MAX);
	route_decode(w->route.id, &model);
	write_catalogue(w->route.proto, w->route.endpoint, buf_str(&model), w->wall_ms, w->reply);
	code = buf_failed(&model);
	buf_release(&model);
	return code ? FF_ENOMEM : 0;
}

static int decide(struct work *w)
{
	int code = 0;

	if (w->route.endpoint == EP_NONE || w->route.endpoint == EP_WRONG) {
		refuse_path(w);
		return 0;
	}
	if (route_answers(w->route.endpoint))
		w->number = ++w->mock->requests;
	w->id = w->mock->nonce << 32 | (w->mock->requests & 0xffffffff);
	if (w->in->body_too_big) {
		refuse(w, 413, NULL, "The body of the request is larger than 64 MiB.");
		return 0;
	}
	if (w->route.endpoint != EP_ROOT && !key_fits(w))
		return 0;
	if (!route_answers(w->route.endpoint))
		return catalogue(w);
	return read_ask(w, &code) ? answer(w) : code;
}

int mock_decide(struct mock *m, const struct incoming *in, uint64_t now_us, int64_t wall_ms, struct mock_reply *reply,
                struct decision *ret)
{
	struct work w = { .mock = m, .in = in, .reply = reply, .decision = ret, .now_us = now_us, .wall_ms = wall_ms };
	int code;

	*ret = (struct decision){ 0 };
	w.route = route_find(in->method, in->path, in->google);
	ask_init(&w.ask);
	buf_init(&w.answer, MESSAGE_MAX);
	code = decide(&w);
	if (!code && buf_failed(&w.answer))
		code = FF_ENOMEM;
	buf_release(&w.answer);
	ask_release(&w.ask);
	return code ? code : mock_reply_failed(reply);
}
