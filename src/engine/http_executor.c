/*
 * http_executor.c: an attempt over HTTP: one connector's exchanges, one after the other, over a transport.
 *
 *   start ─begin─> encode ─> http_start ─head, body…─> done ─finish─> DONE, RETRY, FATAL ─end─> a->done
 *             ^                                           └─ANOTHER─┐
 *             └─────────────────────────────────────────────────────┘
 *
 * What it is not: it never tries again (retry.c), holds no slot (target.c), knows no wire format (connector) and no socket (transport).
 *
 * The state of an attempt lives in the attempt's arena, which the engine empties before each attempt: nothing is allocated per event. An attempt
 * that cannot be sent ends through `done` like every other, from the timers, never inside start: such attempts wait in a chain that runs
 * through their executor_state, because the reason may be that there is no memory for anything else.
 *
 * Everything that other people or we ourselves say about a failure passes the scrubber here, the edge at which it enters the engine.
 */
#include "engine/http_executor.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/timers.h"
#include "net/url.h"

#define SENTENCE_MOST  (4u << 10) /* bytes of a provider's message that are kept */
#define DATE_CACHED_MS 1000       /* the date is worked out once a second */

struct http_executor {
	struct executor base;
	struct http_executor_config config; /* options points to `options` */
	struct options options;
	struct url_parts own_url; /* when config.url was not given */
	struct buf scratch;       /* scrubbed text on its way into an arena */
	uint64_t connect_timeout_ms, idle_timeout_ms;
	int64_t date_ms;
	char date[11];
	struct timer timer;                   /* ends what could not be sent */
	struct attempt *unsent, *unsent_last; /* chain through executor_state, in order */
};

/* An attempt on its way; in the attempt's arena. */
struct http_attempt {
	struct http_executor *x;
	struct attempt *a;
	struct turn_input input;
	struct connector_turn *turn;
	struct exchange exchange;
	struct http_transfer *transfer; /* NULL between exchanges */
	bool cancelled;
	int feed_code; /* what stopped the transfer from our side */
};

static void send_exchange(struct http_attempt *h);
static void end_attempt(struct http_attempt *h);

/* ---- sentences ---- */

static const char *label(const struct http_executor *x)
{
	return x->config.connector->class->label;
}

/* The text, which is in the attempt's arena, without keys. Copies only when there was one. */
static struct str scrubbed(struct http_executor *x, struct arena *arena, struct str text)
{
	const struct scrubber *scrubber = x->config.scrubber;
	struct str whole = text;
	text.len = utf8_cut(text, SENTENCE_MOST);
	if (!scrubber || scrubber->count == 0 || text.len == 0)
		return text;
	if (text.len < whole.len) { /* a key may have been cut */
		const char *cut = arena_printf(arena, "%.*s" SECRET_CUT, STR_ARG(text));
		if (!cut)
			return STR("out of memory while a message was read");
		text = str_from(cut);
	}
	struct str copy;
	buf_clear(&x->scratch);
	if (scrub_append(scrubber, &x->scratch, text) != 0)
		return STR("out of memory while a message was read");
	if (str_eq(buf_str(&x->scratch), text))
		return text;
	if (arena_str(arena, buf_str(&x->scratch), &copy) != 0)
		return STR("out of memory while a message was read");
	return copy;
}

/* "Label: clause.", scrubbed, in the arena. A clause that is a sentence with its label already stays as it is. */
static struct str sentence(struct http_executor *x, struct arena *arena, const char *clause)
{
	const char *name = label(x);
	size_t len = strlen(clause);
	bool labelled = strncmp(clause, name, strlen(name)) == 0 && clause[strlen(name)] == ':';
	const char *stop = len && clause[len - 1] == '.' ? "" : ".";
	const char *text =
	        labelled ? arena_printf(arena, "%s%s", clause, stop) : arena_printf(arena, "%s: %s%s", name, clause, stop);
	return text ? scrubbed(x, arena, str_from(text)) : STR("out of memory");
}

/* ---- attempts that cannot be sent: done comes from the timers ---- */

static void end_unsent(struct timer *timer, uint64_t now_us)
{
	struct http_executor *x = CONTAINER_OF(timer, struct http_executor, timer);
	struct attempt *a = x->unsent;
	(void)now_us;
	x->unsent = x->unsent_last = NULL;
	while (a) {
		struct attempt *next = a->executor_state;
		a->executor_state = NULL;
		a->done(a);
		a = next;
	}
}

static bool is_unsent(const struct http_executor *x, const struct attempt *a)
{
	for (const struct attempt *it = x->unsent; it; it = it->executor_state) {
		if (it == a)
			return true;
	}
	return false;
}

static void defer_end(struct http_executor *x, struct attempt *a)
{
	a->executor_state = NULL;
	if (x->unsent)
		x->unsent_last->executor_state = a;
	else
		x->unsent = a;
	x->unsent_last = a;
	timer_arm(x->config.timers, &x->timer, x->config.now_us(x->config.clock_user));
}

static void end_deferred(struct http_attempt *h)
{
	struct connector *c = h->x->config.connector;
	if (h->turn && c->class->end)
		c->class->end(h->turn);
	h->turn = NULL;
	defer_end(h->x, h->a);
}

static void fail_unsent(struct http_executor *x, struct attempt *a, enum outcome outcome, bool retryable, const char *clause)
{
	a->result.outcome = outcome;
	a->result.retryable = retryable;
	a->result.error = sentence(x, a->arena, clause);
}

/* ---- how a transfer's failure is told ---- */

enum retry_rule { NEVER_RETRIED, RETRIED_AS_CONNECT, RETRIED_AS_SEND, RETRIED_AS_REPLY, RETRIED_AS_TIMEOUT };

static const struct {
	enum outcome outcome;
	enum retry_rule rule;
	const char *clause; /* when the transport says nothing itself */
} failures[] = {
	[HTTP_FAILED_RESOLVE] = { OUTCOME_TRANSPORT, RETRIED_AS_CONNECT, "the host name has no address" },
	[HTTP_FAILED_CONNECT] = { OUTCOME_TRANSPORT, RETRIED_AS_CONNECT, "no connection could be made" },
	[HTTP_FAILED_TLS] = { OUTCOME_TRANSPORT, RETRIED_AS_SEND, "the TLS handshake failed" },
	[HTTP_FAILED_SEND] = { OUTCOME_TRANSPORT, RETRIED_AS_SEND, "the connection broke before a reply came" },
	[HTTP_FAILED_CUT] = { OUTCOME_TRANSPORT, RETRIED_AS_REPLY, "the connection broke inside the reply" },
	[HTTP_FAILED_GARBAGE] = { OUTCOME_TRANSPORT, RETRIED_AS_REPLY, "what came back is not HTTP" },
	[HTTP_FAILED_TOO_BIG] = { OUTCOME_BAD_REPLY, NEVER_RETRIED, "the reply is larger than the cap on replies" },
	[HTTP_FAILED_ENCODING] = { OUTCOME_BAD_REPLY, NEVER_RETRIED, "the compressed reply cannot be decoded" },
	[HTTP_FAILED_ADDRESS] = { OUTCOME_TRANSPORT, NEVER_RETRIED, "the address of the host is not allowed" },
	[HTTP_TIMED_OUT_CONNECT] = { OUTCOME_TIMEOUT, RETRIED_AS_TIMEOUT, "no connection stood in time" },
	[HTTP_TIMED_OUT_IDLE] = { OUTCOME_TIMEOUT, RETRIED_AS_TIMEOUT, "the connection was silent for too long" },
	[HTTP_TIMED_OUT_TOTAL] = { OUTCOME_TIMEOUT, NEVER_RETRIED,
	                           "the time for the turn was over before the answer was complete" },
	[HTTP_CANCELLED] = { OUTCOME_CANCELLED, NEVER_RETRIED, "cancelled before the answer was complete" },
	[HTTP_FAILED_LOCAL] = { OUTCOME_TRANSPORT, NEVER_RETRIED, "the request could not be sent" },
};

static bool rule_allows(const struct retry_rules *rules, enum retry_rule rule)
{
	switch (rule) {
	case RETRIED_AS_CONNECT: return rules->transport || rules->connect_only;
	case RETRIED_AS_SEND: return rules->transport && !rules->connect_only;
	case RETRIED_AS_REPLY: return rules->transport && !rules->connect_only && !rules->before_reply_only;
	case RETRIED_AS_TIMEOUT: return rules->timeouts;
	case NEVER_RETRIED: break;
	}
	return false;
}

static bool deadline_passed(const struct http_attempt *h)
{
	return h->x->config.now_us(h->x->config.clock_user) >= h->a->deadline_us;
}

static enum http_failure failure_of(const struct http_attempt *h, const struct http_result *result)
{
	if (result->failure == HTTP_CANCELLED && deadline_passed(h))
		return HTTP_TIMED_OUT_TOTAL;
	return result->failure;
}

static void take_failure(struct http_attempt *h, const struct http_result *result)
{
	struct http_executor *x = h->x;
	struct attempt_result *r = &h->a->result;
	enum http_failure failure = failure_of(h, result);
	bool own_words = failure == result->failure && result->text[0] && failure != HTTP_CANCELLED;
	const char *clause = own_words ? result->text : failures[failure].clause;
	r->outcome = failures[failure].outcome;
	r->retryable = rule_allows(&x->config.connector->class->retry, failures[failure].rule);
	if (failure == HTTP_FAILED_TOO_BIG && h->feed_code == FF_ENOMEM) {
		r->outcome = OUTCOME_TRANSPORT;
		clause = "out of memory while the reply was read";
	} else if (failure == HTTP_FAILED_TOO_BIG && h->feed_code) {
		clause = failures[failure].clause;
	}
	r->error = sentence(x, h->a->arena, clause);
}

/* ---- what the connector says about a whole reply ---- */

static void take_verdict(struct http_attempt *h, const struct verdict *v)
{
	struct http_executor *x = h->x;
	struct attempt_result *r = &h->a->result;
	r->outcome = v->outcome;
	r->finish_reason = scrubbed(x, h->a->arena, v->finish_reason);
	r->model = scrubbed(x, h->a->arena, v->model);
	r->request_id = scrubbed(x, h->a->arena, v->request_id);
	r->usage = v->usage;
	r->hint_ms = -1;
	r->daily_quota = v->daily_quota;
	r->setup_error = v->setup_error;
	if (v->kind == VERDICT_DONE) {
		r->answer = v->answer;
		r->key_in_answer = x->config.scrubber && scrub_finds(x->config.scrubber, v->answer);
		return;
	}
	r->retryable = v->kind == VERDICT_RETRY;
	r->hint_ms = v->kind == VERDICT_RETRY ? v->hint_ms : -1;
	r->error = scrubbed(x, h->a->arena, v->error);
}

/* ---- the transport's callbacks ---- */

static void on_head(void *user, int status, const struct pair *headers, size_t header_count)
{
	struct http_attempt *h = user;
	h->a->result.http_status = status;
	h->x->config.connector->class->head(h->turn, status, headers, header_count);
}

static int on_body(void *user, const char *data, size_t len)
{
	struct http_attempt *h = user;
	bool content = false;
	int rc = h->x->config.connector->class->feed(h->turn, data, len, &content);
	if (content && !h->a->result.first_content_us)
		h->a->result.first_content_us = h->x->config.now_us(h->x->config.clock_user);
	h->feed_code = rc;
	return rc;
}

/*
 * Of several exchanges: sent and connected are the first one's, the reply's moments the last one's. A reply that broke off has no last byte: the
 * turn lasted until it was given up, not until the byte after which nothing came.
 */
static void take_stamps(struct attempt_result *r, const struct http_result *result)
{
	const struct http_stamps *s = &result->stamps;
	if (!r->sent_us)
		r->sent_us = s->start;
	if (!r->connected_us)
		r->connected_us = s->connected ? s->connected : (result->reused ? s->start : 0);
	r->first_byte_us = s->first_byte;
	r->last_byte_us = result->failure == HTTP_COMPLETE ? s->last_byte : 0;
	r->resent |= result->resent;
	if (result->status)
		r->http_status = result->status;
	r->unreachable = r->http_status == 0;
}

static void on_done(void *user, const struct http_result *result)
{
	struct http_attempt *h = user;
	h->transfer = NULL;
	take_stamps(&h->a->result, result);
	if (result->failure != HTTP_COMPLETE) {
		take_failure(h, result);
		end_attempt(h);
		return;
	}
	struct verdict verdict = { .outcome = OUTCOME_BAD_REPLY, .usage = USAGE_UNKNOWN, .hint_ms = -1 };
	h->x->config.connector->class->finish(h->turn, &verdict);
	if (verdict.kind == VERDICT_ANOTHER) {
		send_exchange(h);
		return;
	}
	take_verdict(h, &verdict);
	end_attempt(h);
}

static const struct http_callbacks callbacks = { .on_head = on_head, .on_body = on_body, .on_done = on_done };

/* From the loop: the attempt is over. */
static void end_attempt(struct http_attempt *h)
{
	struct attempt *a = h->a;
	const struct connector_class *class = h->x->config.connector->class;
	if (h->turn && class->end)
		class->end(h->turn);
	a->executor_state = NULL;
	a->done(a);
}

/* ---- sending ---- */

/* Milliseconds until the deadline, rounded up; 0: none. */
static uint64_t remaining_ms(const struct http_attempt *h)
{
	if (h->a->deadline_us == CLOCK_NEVER)
		return 0;
	uint64_t now_us = h->x->config.now_us(h->x->config.clock_user);
	return h->a->deadline_us > now_us ? (h->a->deadline_us - now_us + 999) / 1000 : 1;
}

static struct http_request make_request(const struct http_attempt *h)
{
	const struct http_executor *x = h->x;
	const struct connector *c = x->config.connector;
	const struct exchange *e = &h->exchange;
	return (struct http_request){
		.method = e->method,
		.url = e->url,
		.headers = e->headers,
		.header_count = e->header_count,
		.body = e->body,
		.proxy = c->proxy,
		.connect_timeout_ms = x->connect_timeout_ms,
		.idle_timeout_ms = e->idle_timeout_ms && !x->options.idle_timeout_set ? e->idle_timeout_ms : x->idle_timeout_ms,
		.total_timeout_ms = remaining_ms(h),
		.max_body_bytes = x->config.max_reply_bytes,
		.http11 = x->options.http_version == HTTP_VERSION_1_1,
		.fresh_connect = h->a->fresh_connect,
		.once = e->once,
		.insecure_tls = c->insecure_tls,
		.cafile = c->cafile,
	};
}

/* params.timeout is 0 and no option says otherwise: httpx fails such a request at once. */
static bool has_no_time(const struct http_executor *x)
{
	const struct connector *c = x->config.connector;
	return c->timeout_set && c->timeout_ms == 0 && !x->options.idle_timeout_set;
}

static int try_exchange(struct http_attempt *h, struct error *err)
{
	const struct http_executor *x = h->x;
	h->exchange = (struct exchange){ 0 };
	int rc = x->config.connector->class->encode(h->turn, &h->exchange, err);
	if (rc != 0)
		return rc;
	struct http_request request = make_request(h);
	return http_start(x->config.transport, &request, &callbacks, h, &h->transfer, err);
}

/* The next exchange, or an end that comes later: this runs inside start and inside on_done. */
static void send_exchange(struct http_attempt *h)
{
	struct http_executor *x = h->x;
	struct error err = { 0 };
	if (h->cancelled) {
		fail_unsent(x, h->a, OUTCOME_CANCELLED, false, failures[HTTP_CANCELLED].clause);
		end_deferred(h);
		return;
	}
	if (has_no_time(x)) {
		fail_unsent(x, h->a, OUTCOME_TIMEOUT, rule_allows(&x->config.connector->class->retry, RETRIED_AS_TIMEOUT),
		            "the timeout of 0 s passed at once; give params.timeout a time, or null for none");
		h->a->result.unreachable = true;
		end_deferred(h);
		return;
	}
	int rc = try_exchange(h, &err);
	if (rc == 0)
		return;
	fail_unsent(x, h->a, OUTCOME_NOT_RUN, false,
	            rc == FF_ENOMEM || !err.text[0] ? "the request could not be sent: out of memory" : err.text);
	end_deferred(h);
}

static const char *current_date(struct http_executor *x, int64_t wall_ms)
{
	if (wall_ms - x->date_ms >= DATE_CACHED_MS || wall_ms < x->date_ms) {
		clock_format_date(wall_ms, x->date);
		x->date_ms = wall_ms;
	}
	return x->date;
}

static struct http_attempt *begin_attempt(struct http_executor *x, struct attempt *a)
{
	struct connector *c = x->config.connector;
	struct http_attempt *h = ARENA_NEW(a->arena, struct http_attempt);
	if (!h)
		return NULL;
	int64_t wall_ms = x->config.wall_ms(x->config.clock_user);
	*h = (struct http_attempt){
		.x = x,
		.a = a,
		.input = { .dataset = a->dataset,
		           .batch = &a->dataset->batches[a->batch],
		           .messages = a->messages,
		           .message_count = a->message_count,
		           .attempt = a->index,
		           .now_wall_ms = wall_ms,
		           .date = current_date(x, wall_ms) },
	};
	h->turn = c->class->begin(c, a->session, &h->input, a->arena);
	return h->turn ? h : NULL;
}

static void http_executor_start(struct executor *base, struct attempt *a)
{
	struct http_executor *x = CONTAINER_OF(base, struct http_executor, base);
	struct http_attempt *h = begin_attempt(x, a);
	if (!h) {
		fail_unsent(x, a, OUTCOME_NOT_RUN, false, "the request could not be sent: out of memory");
		defer_end(x, a);
		return;
	}
	a->executor_state = h;
	send_exchange(h);
}

static void http_executor_cancel(struct executor *base, struct attempt *a)
{
	struct http_executor *x = CONTAINER_OF(base, struct http_executor, base);
	if (is_unsent(x, a))
		return; /* its end is on the way */
	struct http_attempt *h = a->executor_state;
	if (!h || h->cancelled)
		return;
	h->cancelled = true;
	if (h->transfer)
		http_cancel(x->config.transport, h->transfer);
}

/* ---- life ---- */

static int http_session_new(struct executor *base, const struct dataset *d, void **ret_session)
{
	const struct connector *c = CONTAINER_OF(base, struct http_executor, base)->config.connector;
	struct connector_session *session = NULL;
	if (!c->class->session_new)
		return 0;
	int rc = c->class->session_new(c, d, &session);
	if (rc == 0)
		*ret_session = session;
	return rc;
}

static void http_session_free(struct executor *base, void *session)
{
	const struct connector *c = CONTAINER_OF(base, struct http_executor, base)->config.connector;
	if (c->class->session_free)
		c->class->session_free(session);
}

static void http_executor_free(struct executor *base)
{
	struct http_executor *x = CONTAINER_OF(base, struct http_executor, base);
	assert(!x->unsent);
	timer_disarm(x->config.timers, &x->timer);
	timers_unreserve(x->config.timers, 1);
	connector_free(x->config.connector);
	url_parts_release(&x->own_url);
	buf_release(&x->scratch);
	mem_free(x);
}

static const struct executor_ops http_executor_ops = {
	.start = http_executor_start,
	.cancel = http_executor_cancel,
	.session_new = http_session_new,
	.session_free = http_session_free,
	.free = http_executor_free,
};

/* params.timeout is httpx's: per read and for the connect; the options' own numbers are the outer bounds unless one was set. */
static void set_timeouts(struct http_executor *x)
{
	const struct connector *c = x->config.connector;
	x->connect_timeout_ms = x->options.connect_timeout_ms;
	x->idle_timeout_ms = x->options.idle_timeout_ms;
	if (!c->timeout_set || x->options.idle_timeout_set)
		return;
	x->idle_timeout_ms = c->timeout_ms;
	if (!x->connect_timeout_ms || c->timeout_ms < x->connect_timeout_ms)
		x->connect_timeout_ms = c->timeout_ms;
}

/*
 * Whose limits these are. A key, or what else shows an account: an Authorization header, a login. What hangs on a key of the environment is one account,
 * whatever headers a payload adds to it.
 */
static uint64_t account_hash(const struct connector *c)
{
	uint64_t hash = map_hash(c->key);
	for (size_t i = 0; !c->env_secrets && i < c->secret_count; i++)
		hash = (hash << 7 | hash >> 57) ^ map_hash(c->secrets[i]);
	return hash;
}

static void set_base(struct http_executor *x)
{
	const struct connector *c = x->config.connector;
	x->base = (struct executor){
		.ops = &http_executor_ops,
		.ordered = c->class->ordered || c->ordered,
		.label = c->class->label,
		.target_origin = x->config.url->origin,
		.target_key_hash = account_hash(c),
		.default_max_retries = c->max_retries,
		.backoff_first_s = c->class->retry.backoff_first_s,
		.backoff_cap_s = c->class->retry.backoff_cap_s,
	};
}

int http_executor_new(const struct http_executor_config *config, struct executor **ret, struct error *err)
{
	assert(config->transport && config->connector && config->options && config->timers && config->now_us && config->wall_ms);
	struct http_executor *x = NEW(struct http_executor);
	if (!x)
		return error_nomem(err);
	int rc = config->url ? 0 : url_parse(config->connector->base_url, &x->own_url, err);
	if (rc == 0 && timers_reserve(config->timers, 1) != 0) {
		url_parts_release(&x->own_url);
		rc = error_nomem(err);
	}
	if (rc != 0) {
		mem_free(x);
		return rc;
	}
	x->config = *config;
	x->options = *config->options;
	x->config.options = &x->options;
	x->config.url = config->url ? config->url : &x->own_url;
	x->date_ms = INT64_MIN / 2;
	buf_init(&x->scratch, (size_t)SENTENCE_MOST * 4);
	timer_init(&x->timer, end_unsent);
	set_timeouts(x);
	set_base(x);
	*ret = &x->base;
	return 0;
}
