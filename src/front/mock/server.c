/*
 * server.c: HTTP requests and what becomes of them. One struct exchange for each, from the first handler call to MHD's completed callback.
 *
 * States, in order (an exchange moves forward only):
 *   EX_READING   the body comes in
 *   EX_WAITING   decided; suspended until the timer fires
 *   EX_SILENT    will never be answered; suspended, and looked at by the sweep until the client goes
 *   EX_SENDING   the response is queued; its body may pause (suspended with the timer armed)
 *   EX_BROKEN    to be closed at the next call
 * Invariant: `suspended` is true exactly while MHD holds the connection suspended; whoever resumes clears it first. A suspended connection is not
 * polled by MHD, which therefore does not see a client go: a delay ends in a failed write, silence is swept once a second.
 */
#include "front/mock/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "front/common/web.h"
#include "front/mock/deliver.h"

#define BODY_MAX ((size_t)64 << 20)
#define SWEEP_US 1000000u

enum state { EX_READING, EX_WAITING, EX_SILENT, EX_SENDING, EX_BROKEN };

struct server {
	struct mock *mock;
	struct web *web;
	struct list exchanges;
	struct timer sweep;
	bool stopping;
};

struct exchange {
	struct server *server;
	struct MHD_Connection *connection;
	struct list link;
	struct timer timer;
	enum state state;
	bool suspended, body_too_big;
	char *method, *path;
	struct buf body;
	struct mock_reply reply;
	struct decision decision;
	struct delivery delivery;
};

/* ---- life ---- */

static void suspend(struct exchange *ex)
{
	if (ex->suspended)
		return;
	ex->suspended = true;
	MHD_suspend_connection(ex->connection);
}

static void resume(struct exchange *ex)
{
	if (!ex->suspended)
		return;
	ex->suspended = false;
	MHD_resume_connection(ex->connection);
}

static void on_due(struct timer *t, uint64_t now_us)
{
	(void)now_us;
	resume(CONTAINER_OF(t, struct exchange, timer));
}

static void exchange_free(struct exchange *ex)
{
	struct timers *timers = web_timers(ex->server->web);

	timer_disarm(timers, &ex->timer);
	timers_unreserve(timers, 1);
	list_remove(&ex->link);
	mock_reply_release(&ex->reply);
	buf_release(&ex->body);
	mem_free(ex->method);
	mem_free(ex->path);
	mem_free(ex);
}

static struct exchange *exchange_new(struct server *s, struct MHD_Connection *connection, const char *method, const char *path)
{
	struct exchange *ex = NEW(struct exchange);

	if (!ex)
		return NULL;
	if (timers_reserve(web_timers(s->web), 1)) {
		mem_free(ex);
		return NULL;
	}
	ex->server = s;
	ex->connection = connection;
	timer_init(&ex->timer, on_due);
	buf_init(&ex->body, BODY_MAX);
	mock_reply_init(&ex->reply);
	list_push_back(&s->exchanges, &ex->link);
	ex->method = mem_strdup(method);
	ex->path = mem_strdup(path);
	if (ex->method && ex->path)
		return ex;
	exchange_free(ex);
	return NULL;
}

static void on_completed(void *user, struct MHD_Connection *connection, void **slot, enum MHD_RequestTerminationCode why)
{
	(void)user;
	(void)connection;
	(void)why;
	if (*slot)
		exchange_free(*slot);
	*slot = NULL;
}

/* ---- breaking ---- */

/* Resets the connection now: dissolving the association makes the kernel send RST, where closing would send FIN after what MHD does first. */
static void reset_connection(struct exchange *ex)
{
	static const struct linger none = { .l_onoff = 1, .l_linger = 0 };
	static const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	int fd = web_descriptor(ex->connection);

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	(void)!connect(fd, &nobody, sizeof(nobody));
}

static void send_garbage(struct exchange *ex)
{
	struct str bytes = ex->decision.fault->garbage;
	int fd = web_descriptor(ex->connection);

	while (bytes.len) {
		ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n <= 0)
			return; /* the buffer of a new connection holds more than a script's garbage; else the client gets less of it */
		bytes = str_sub(bytes, (size_t)n, bytes.len);
	}
}

static bool client_is_gone(const struct exchange *ex)
{
	char byte;
	ssize_t n = recv(web_descriptor(ex->connection), &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static void on_sweep(struct timer *t, uint64_t now_us)
{
	struct server *s = CONTAINER_OF(t, struct server, sweep);
	bool more = false;

	LIST_FOR_EACH (it, next, &s->exchanges) {
		struct exchange *ex = LIST_ENTRY(it, struct exchange, link);
		if (ex->state != EX_SILENT)
			continue;
		if (client_is_gone(ex)) {
			ex->state = EX_BROKEN;
			resume(ex);
		} else {
			more = true;
		}
	}
	timer_arm(web_timers(s->web), t, more ? now_us + SWEEP_US : CLOCK_NEVER);
}

static void keep_silent(struct exchange *ex)
{
	struct server *s = ex->server;

	ex->state = EX_SILENT;
	if (!heap_node_armed(&s->sweep.node))
		timer_arm(web_timers(s->web), &s->sweep, web_now_us(s->web) + SWEEP_US);
	suspend(ex);
}

/* ---- sending ---- */

/* MHD asks for more of the body. Returning 0 is only allowed with the connection suspended. */
static ssize_t on_more(void *user, uint64_t position, char *out, size_t room)
{
	struct exchange *ex = user;
	struct deliver_step step;

	(void)position;
	if (ex->server->stopping)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	step = delivery_next(&ex->delivery, room);
	switch (step.kind) {
	case DELIVER_BYTES: memcpy(out, step.ptr, step.len); return (ssize_t)step.len;
	case DELIVER_PAUSE:
		timer_arm(web_timers(ex->server->web), &ex->timer, web_now_us(ex->server->web) + step.pause_us);
		suspend(ex);
		return 0;
	case DELIVER_END: return MHD_CONTENT_READER_END_OF_STREAM;
	case DELIVER_RESET: reset_connection(ex); return MHD_CONTENT_READER_END_WITH_ERROR;
	case DELIVER_CUT:
		shutdown(web_descriptor(ex->connection), SHUT_RDWR);
		break; /* an event, or MHD would close a chunked reply late */
	}
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *make_response(struct exchange *ex)
{
	struct mock_reply *r = &ex->reply;
	struct MHD_Response *response;

	delivery_init(&ex->delivery, r, ex->decision.fault);
	if (delivery_is_plain(&ex->delivery))
		response = MHD_create_response_from_buffer(r->body.len, r->body.ptr ? r->body.ptr : (char[]){ 0 },
		                                           MHD_RESPMEM_PERSISTENT);
	else
		response = MHD_create_response_from_callback(delivery_has_length(&ex->delivery) ? r->body.len : MHD_SIZE_UNKNOWN,
		                                             (size_t)16 << 10, on_more, ex, NULL);
	for (size_t i = 0; response && i < r->header_count; i++) {
		if (MHD_add_response_header(response, r->headers[i].name, r->headers[i].value) != MHD_YES) {
			MHD_destroy_response(response);
			return NULL;
		}
	}
	return response;
}

/* The body stays in the exchange until the completed callback; the response only points at it. */
static enum MHD_Result send_reply(struct exchange *ex)
{
	struct MHD_Response *response = make_response(ex);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	ex->state = EX_SENDING;
	result = MHD_queue_response(ex->connection, ex->reply.status, response);
	MHD_destroy_response(response);
	return result;
}

/* The wait is over: reply, or what the fault does instead. */
static enum MHD_Result act(struct exchange *ex)
{
	const struct fault *f = ex->decision.fault;

	switch (f ? f->end : FAULT_REPLY) {
	case FAULT_NEVER: keep_silent(ex); return MHD_YES;
	case FAULT_CLOSE: return MHD_NO;
	case FAULT_GARBAGE: send_garbage(ex); return MHD_NO;
	case FAULT_RESET:
		if (f->truncated)
			break;
		reset_connection(ex);
		return MHD_NO;
	case FAULT_REPLY: break;
	}
	return send_reply(ex);
}

/* ---- receiving ---- */

static struct str header(struct MHD_Connection *c, const char *name)
{
	return str_from(MHD_lookup_connection_value(c, MHD_HEADER_KIND, name));
}

static struct str argument(struct MHD_Connection *c, const char *name)
{
	return str_from(MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, name));
}

static struct incoming incoming_of(struct exchange *ex)
{
	struct MHD_Connection *c = ex->connection;
	struct incoming in = {
		.method = str_from(ex->method),
		.path = str_from(ex->path),
		.authorization = header(c, "authorization"),
		.goog_api_key = header(c, "x-goog-api-key"),
		.query_key = argument(c, "key"),
		.query_alt = argument(c, "alt"),
		.query_response_only = argument(c, "response_only"),
		.body = buf_str(&ex->body),
		.body_too_big = ex->body_too_big,
	};

	in.google = in.goog_api_key.len || in.query_key.len || header(c, "x-goog-api-client").len;
	return in;
}

/* The request is whole: decide, and wait if the decision says so. */
static enum MHD_Result decide(struct exchange *ex)
{
	struct server *s = ex->server;
	struct incoming in = incoming_of(ex);
	uint64_t now_us = web_now_us(s->web);

	if (mock_decide(s->mock, &in, now_us, clock_wall_ms(), &ex->reply, &ex->decision))
		return MHD_NO;
	buf_release(&ex->body);
	ex->state = EX_WAITING;
	if (!ex->decision.delay_us)
		return act(ex);
	timer_arm(web_timers(s->web), &ex->timer, now_us + ex->decision.delay_us);
	suspend(ex);
	return MHD_YES;
}

/* A request whose length is ambiguous is refused before its body is looked at, and the connection with it. */
static enum MHD_Result refuse_smuggled(struct MHD_Connection *connection)
{
	static char text[] = "The request has more than one Content-Length, or one beside Transfer-Encoding.\n";
	struct MHD_Response *response = MHD_create_response_from_buffer(sizeof(text) - 1, text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result = MHD_NO;

	if (response && MHD_add_response_header(response, "Connection", "close") == MHD_YES)
		result = MHD_queue_response(connection, MHD_HTTP_BAD_REQUEST, response);
	if (response)
		MHD_destroy_response(response);
	return result;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *data, size_t *len, void **slot)
{
	struct server *s = user;
	struct exchange *ex = *slot;

	if (s->stopping)
		return MHD_NO;
	if (!ex) {
		if (web_is_smuggled(connection, version))
			return refuse_smuggled(connection);
		*slot = exchange_new(s, connection, method, path);
		return *slot ? MHD_YES : MHD_NO;
	}
	switch (ex->state) {
	case EX_READING:
		if (!*len)
			return decide(ex);
		if (buf_append(&ex->body, data, *len) == FF_ENOMEM)
			return MHD_NO;
		ex->body_too_big = buf_failed(&ex->body);
		*len = 0;
		return MHD_YES;
	case EX_WAITING: return act(ex);
	case EX_SILENT:
	case EX_SENDING: return MHD_YES;
	case EX_BROKEN: break;
	}
	return MHD_NO;
}

/* ---- the server ---- */

/* Wakes everybody; on_request and on_more close what they meet from now on. */
static void on_stop(void *user)
{
	struct server *s = user;

	s->stopping = true;
	LIST_FOR_EACH (it, next, &s->exchanges)
		resume(LIST_ENTRY(it, struct exchange, link));
}

int server_run(struct mock *mock, const struct server_options *options, struct error *err)
{
	struct server s = { .mock = mock };
	struct web_options web = { .listen = options->listen,
		                   .port = options->port,
		                   .max_connections = options->max_connections,
		                   .handler = on_request,
		                   .completed = on_completed,
		                   .on_stop = on_stop,
		                   .user = &s };
	int code;

	list_init(&s.exchanges);
	timer_init(&s.sweep, on_sweep);
	code = web_new(&web, &s.web, err);
	if (code)
		return code;
	if (timers_reserve(web_timers(s.web), 1)) {
		web_free(s.web);
		return error_nomem(err);
	}
	printf("listening on %s\n", web_url(s.web));
	if (fflush(stdout) == 0)
		web_run(s.web);
	else
		code = error_set(err, FF_EOUTPUT, "", "The address cannot be written to stdout: %s.", strerror(errno));
	timer_disarm(web_timers(s.web), &s.sweep);
	web_free(s.web);
	return code;
}
