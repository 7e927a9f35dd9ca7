/*
 * request.c: requests. See request.h.
 *
 * What is wrong with a request is found at its header where that is possible, but answered when its body has been read and dropped: an answer before that
 * would be lost for many clients, which see only that their sending failed. A client that asks first (Expect: 100-continue) is answered at once. What
 * is dropped is bounded in bytes and, as every body, in time.
 *
 * A run is stopped when its client goes: libmicrohttpd does not look at a suspended connection, web_watch does.
 */
#include "front/server/request.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "front/common/web.h"
#include "front/server/answer.h"

#define DISCARD_MAX ((uint64_t)64 << 20)
#define RETRY_FULL  2u /* seconds */
#define RETRY_HELD  1u
#define RETRY_DRAIN 5u

/* ---- life ---- */

static void suspend(struct request *r)
{
	if (r->suspended)
		return;
	r->suspended = true;
	MHD_suspend_connection(r->connection);
}

static void resume(struct request *r)
{
	if (!r->suspended)
		return;
	r->suspended = false;
	MHD_resume_connection(r->connection);
}

struct str request_header(const struct request *r, const char *name)
{
	const char *value = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);

	return value ? str_from(value) : STR_NULL;
}

static void drop_body(struct request *r)
{
	admission_let_go(&r->server->admission, r->body.len);
	buf_release(&r->body);
	buf_init(&r->body, r->server->options->max_body);
}

static void request_free(struct request *r)
{
	job_release(r->job);
	drop_body(r);
	buf_release(&r->text);
	list_remove(&r->link);
	mem_free(r->path);
	mem_free(r);
}

void *request_on_line(void *user, const char *url, struct MHD_Connection *connection)
{
	struct server *s = user;
	struct client *client = client_of(connection);
	struct request *r = client ? NEW(struct request) : NULL;

	if (!r)
		return NULL;
	r->server = s;
	r->client = client;
	r->connection = connection;
	r->started_us = web_now_us(s->web);
	r->wall_ms = clock_wall_ms();
	list_init(&r->link);
	buf_init(&r->body, s->options->max_body);
	buf_init(&r->text, 0);
	r->path = mem_strndup(url, strcspn(url, "?"));
	if (!r->path) {
		request_free(r);
		return NULL;
	}
	r->match = (struct serve_match){ .found = SERVE_NO_PATH, .route = SERVE_OTHER };
	client->request = r;
	client_enter(client, CLIENT_HEAD);
	return r;
}

/* ---- judging the header ---- */

static void refuse(struct request *r, int status, const char *sentence, unsigned retry_after_s)
{
	if (!r->refusal.status)
		r->refusal = (struct refusal){ status, sentence, retry_after_s };
}

struct counted {
	struct str name;
	unsigned count;
};

static enum MHD_Result count_header(void *user, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct counted *c = user;

	(void)kind;
	(void)value;
	c->count += str_eq_nocase(str_from(name), c->name);
	return MHD_YES;
}

static unsigned header_count(const struct request *r, const char *name)
{
	struct counted c = { str_from(name), 0 };

	MHD_get_connection_values(r->connection, MHD_HEADER_KIND, count_header, &c);
	return c.count;
}

/* Two Authorization headers say nothing certain. */
static void check_token(struct request *r)
{
	struct str value = request_header(r, MHD_HTTP_HEADER_AUTHORIZATION);
	const char *name;

	if (header_count(r, MHD_HTTP_HEADER_AUTHORIZATION) > 1)
		value = STR("");
	name = auth_check(r->server->auth, value, &r->challenge);
	if (name) {
		r->challenge = NULL;
		snprintf(r->token_name, sizeof(r->token_name), "%s", name);
		return;
	}
	metrics_turned_away(r->server->metrics, METRICS_TOKEN);
	refuse(r, MHD_HTTP_UNAUTHORIZED,
	       "This path needs a token: send \"Authorization: Bearer TOKEN\" with one that the service knows.", 0);
}

static void check_origin(struct request *r)
{
	if (cors_check(&r->server->options->cors, request_header(r, MHD_HTTP_HEADER_ORIGIN)) != CORS_REFUSED)
		return;
	metrics_turned_away(r->server->metrics, METRICS_ORIGIN);
	refuse(r, MHD_HTTP_FORBIDDEN, "Pages of this origin may not use the service: --cors-origin lists those that may.", 0);
}

static void check_encoding(struct request *r)
{
	struct str encoding = request_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING);

	if (encoding.len && !str_eq_nocase(encoding, STR("identity")))
		refuse(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "The body must be sent as it is, without a Content-Encoding.", 0);
}

/* Runs and bytes as they are at this moment: who would be turned away at the end of the body is told before. */
static void check_room(struct request *r, uint64_t announced)
{
	struct server *s = r->server;

	if (announced > s->options->max_body)
		refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "The body is larger than the service takes (--max-body).", 0);
	if (s->state != SERVER_TAKING) {
		metrics_turned_away(s->metrics, METRICS_DRAINING);
		refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "The service is ending and takes no more runs.", RETRY_DRAIN);
	} else if (admission_is_full(&s->admission)) {
		metrics_turned_away(s->metrics, METRICS_FULL);
		refuse(r, MHD_HTTP_TOO_MANY_REQUESTS, "As many runs as the service takes (--max-runs) are active.", RETRY_FULL);
	} else if (!admission_has_room(&s->admission, announced)) {
		clients_press(&s->clients);
		refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE, "The service holds as many bodies as it can.", RETRY_HELD);
	}
}

/* The announced length of the body; 0 also when it is chunked. libmicrohttpd has refused what is no number. */
static uint64_t announced_length(const struct request *r)
{
	uint64_t length = 0;

	return str_to_u64(request_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH), &length) ? length : 0;
}

static void judge(struct request *r, uint64_t announced)
{
	const struct serve_route_info *route = serve_route_info(r->match.route);

	if (r->match.found != SERVE_FOUND)
		return;
	if (r->match.route == SERVE_RUN)
		check_origin(r);
	if (route->needs_token && !r->refusal.status)
		check_token(r);
	if (r->match.route != SERVE_RUN || r->refusal.status)
		return;
	check_encoding(r);
	if (!r->refusal.status)
		check_room(r, announced);
}

/* ---- the run ---- */

static void on_job_end(void *user)
{
	resume(user);
}

static enum MHD_Result start_run(struct request *r)
{
	struct server *s = r->server;

	if (r->client->gone)
		return MHD_NO;
	check_room(r, 0); /* others may have come meanwhile */
	if (r->refusal.status) {
		drop_body(r);
		return answer_refusal(r);
	}
	(void)admission_begin_run(&s->admission);
	r->job = job_start(&s->jobs, &r->body, on_job_end, r);
	if (!r->job) {
		refuse(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "Out of memory.", 0);
		return answer_refusal(r);
	}
	if (r->job->ended)
		return answer_job(r);
	r->state = REQUEST_RUNNING;
	client_enter(r->client, CLIENT_WORK);
	suspend(r);
	return MHD_YES;
}

void request_client_gone(struct request *r)
{
	if (r->state != REQUEST_RUNNING || !r->suspended)
		return;
	r->state = REQUEST_BROKEN;
	job_release(r->job);
	r->job = NULL;
	resume(r);
}

void request_hurry(struct request *r)
{
	if (!r->chunked || r->hurried || (r->state != REQUEST_READING && r->state != REQUEST_DISCARDING))
		return;
	r->hurried = true;
	client_limit_pause(r->client, true);
}

void request_wake(struct request *r)
{
	if (r->state == REQUEST_RUNNING) {
		r->state = REQUEST_BROKEN;
		job_release(r->job);
		r->job = NULL;
	}
	resume(r);
}

/* ---- calls ---- */

/* A request whose length is ambiguous is refused before its body is looked at, and the connection with it. */
static enum MHD_Result refuse_smuggled(struct request *r)
{
	refuse(r, MHD_HTTP_BAD_REQUEST, "The request's length, or one of its headers, can be read in two ways.", 0);
	return answer_refusal(r);
}

/* The header is there. */
static enum MHD_Result begin(struct request *r, const char *method, const char *version)
{
	uint64_t announced = announced_length(r);

	snprintf(r->method, sizeof(r->method), "%s", method);
	request_id_choose(request_header(r, "X-Request-Id"), &r->server->ids, r->id);
	r->chunked = request_header(r, MHD_HTTP_HEADER_TRANSFER_ENCODING).len > 0;
	list_push_back(&r->server->requests, &r->link);
	if (web_is_smuggled(r->connection, version))
		return refuse_smuggled(r);
	r->match = serve_route_find(str_from(method), str_from(r->path));
	judge(r, announced);
	r->state = REQUEST_DISCARDING;
	if (r->match.found == SERVE_FOUND && r->match.route == SERVE_RUN && !r->refusal.status)
		r->state = REQUEST_READING;
	client_enter(r->client, CLIENT_BODY);
	if (r->refusal.status && request_header(r, MHD_HTTP_HEADER_EXPECT).len)
		return answer_refusal(r);
	return MHD_YES;
}

/* From here on the body is dropped. */
static void discard(struct request *r, int status, const char *sentence, unsigned retry_after_s)
{
	refuse(r, status, sentence, retry_after_s);
	drop_body(r);
	r->state = REQUEST_DISCARDING;
}

static enum MHD_Result take_body(struct request *r, const char *data, size_t *len)
{
	size_t n = *len;

	r->bytes_in += n;
	client_received(r->client, n);
	*len = 0;
	if (r->hurried) {
		r->hurried = false;
		client_limit_pause(r->client, false);
	}
	if (r->state == REQUEST_DISCARDING)
		return r->bytes_in > r->server->options->max_body + DISCARD_MAX ? MHD_NO : MHD_YES;
	if (r->body.len + n > r->server->options->max_body) {
		discard(r, MHD_HTTP_CONTENT_TOO_LARGE, "The body is larger than the service takes (--max-body).", 0);
	} else if (!admission_hold(&r->server->admission, n)) {
		clients_press(&r->server->clients);
		discard(r, MHD_HTTP_SERVICE_UNAVAILABLE, "The service holds as many bodies as it can.", RETRY_HELD);
	} else if (buf_append(&r->body, data, n)) {
		admission_let_go(&r->server->admission, n);
		discard(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "Out of memory.", 0);
	}
	return MHD_YES;
}

/* The request is whole. */
static enum MHD_Result act(struct request *r)
{
	if (r->refusal.status)
		return answer_refusal(r);
	if (r->match.found != SERVE_FOUND)
		return answer_unfound(r);
	return r->match.route == SERVE_RUN ? start_run(r) : answer_route(r);
}

enum MHD_Result request_on_call(void *user, struct MHD_Connection *connection, const char *url, const char *method,
                                const char *version, const char *data, size_t *len, void **slot)
{
	struct server *s = user;
	struct request *r = *slot;

	(void)connection;
	(void)url;
	if (!r || s->state == SERVER_STOPPING)
		return MHD_NO;
	switch (r->state) {
	case REQUEST_HEAD: return begin(r, method, version);
	case REQUEST_READING:
	case REQUEST_DISCARDING: return *len ? take_body(r, data, len) : act(r);
	case REQUEST_RUNNING: return r->job->ended ? answer_job(r) : MHD_NO;
	case REQUEST_ANSWERED: return MHD_YES;
	case REQUEST_BROKEN: break;
	}
	return MHD_NO;
}

/* ---- the end ---- */

/* The status of the answer that was queued: ours, or one that libmicrohttpd made of what is no request. 0: none. */
static int final_status(const struct request *r)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_HTTP_STATUS);

	if (r->status)
		return r->status;
	return info ? (int)info->http_status : 0;
}

static void write_down(const struct request *r, int status)
{
	double ms = (double)(clock_monotonic_us() - r->started_us) / 1000;
	char address[64];
	struct access_entry entry = {
		.wall_ms = r->wall_ms,
		.method = str_from(r->method),
		.path = str_from(r->path),
		.status = status,
		.bytes_in = r->bytes_in,
		.bytes_out = r->bytes_out,
		.ms = ms,
		.client = client_address(r->connection, address, sizeof(address)),
		.token_name = r->token_name,
		.request_id = r->id,
	};

	metrics_request(r->server->metrics, r->match.route, status, ms, r->bytes_in, r->bytes_out);
	metrics_log_dropped(r->server->metrics, access_log_add(&r->server->log, &entry));
}

void request_end(struct request *r)
{
	struct server *s = r->server;

	write_down(r, final_status(r));
	r->client->request = NULL;
	client_enter(r->client, CLIENT_IDLE);
	request_free(r);
	server_check_drained(s);
}

void request_on_completed(void *user, struct MHD_Connection *connection, void **slot, enum MHD_RequestTerminationCode why)
{
	struct request *r = *slot;

	(void)user;
	(void)connection;
	(void)why;
	*slot = NULL;
	if (r)
		request_end(r);
}
