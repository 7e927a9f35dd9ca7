/*
 * answer.c: responses. See answer.h. Their bodies are not copied: they belong to the request, its job or the server and live until libmicrohttpd says that
 * the request is completed.
 */
#include "front/server/answer.h"

#include <stdio.h>
#include <string.h>

#include "front/common/door.h"

#define TEXT_MAX      ((size_t)2 << 20)
#define RETRY_CROWDED 5u /* seconds */

static bool add(struct MHD_Response *response, const char *name, const char *value)
{
	return MHD_add_response_header(response, name, value) == MHD_YES;
}

/* Headers for pages in browsers; cors_check has refused what must be refused. */
static bool add_cors(const struct request *r, struct MHD_Response *response)
{
	const char *origin = request_header(r, MHD_HTTP_HEADER_ORIGIN).ptr;
	bool preflight = r->match.options && origin && request_header(r, "Access-Control-Request-Method").ptr;
	struct cors_headers headers;
	bool ok = true;

	cors_headers(&r->server->options->cors, origin, preflight, r->match.allow, &headers);
	for (size_t i = 0; ok && i < headers.count; i++)
		ok = add(response, headers.list[i].name, headers.list[i].value);
	return ok;
}

static bool add_headers(const struct request *r, struct MHD_Response *response, const char *content_type)
{
	char seconds[16];
	bool ok = add(response, "X-Request-Id", r->id) && add(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") &&
	          add(response, "X-Content-Type-Options", "nosniff") && add_cors(r, response);

	if (content_type)
		ok = ok && add(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
	if (r->match.found == SERVE_WRONG_METHOD)
		ok = ok && add(response, MHD_HTTP_HEADER_ALLOW, r->match.allow);
	if (r->challenge)
		ok = ok && add(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, r->challenge);
	if (r->refusal.retry_after_s) {
		snprintf(seconds, sizeof(seconds), "%u", r->refusal.retry_after_s);
		ok = ok && add(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
	}
	if (r->server->state != SERVER_TAKING)
		ok = ok && add(response, MHD_HTTP_HEADER_CONNECTION, "close");
	return ok;
}

static enum MHD_Result queue(struct request *r, int status, struct str body, const char *content_type)
{
	static char nothing[1];
	struct MHD_Response *response;
	enum MHD_Result result = MHD_NO;

	response =
	        MHD_create_response_from_buffer(body.len, body.len ? (char *)(uintptr_t)body.ptr : nothing, MHD_RESPMEM_PERSISTENT);
	if (!response)
		return MHD_NO;
	if (add_headers(r, response, content_type)) {
		client_enter(r->client, CLIENT_REPLY);
		if (admission_is_short(&r->server->admission))
			clients_press(&r->server->clients);
		r->state = REQUEST_ANSWERED;
		r->status = status;
		r->bytes_out = r->match.head ? 0 : body.len;
		result = MHD_queue_response(r->connection, (unsigned)status, response);
	}
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result queue_error(struct request *r, int status, const char *sentence)
{
	buf_release(&r->text);
	buf_init(&r->text, TEXT_MAX);
	if (door_error_body(&r->text, str_from(sentence)))
		return MHD_NO;
	return queue(r, status, buf_str(&r->text), "application/json");
}

enum MHD_Result answer_refusal(struct request *r)
{
	return queue_error(r, r->refusal.status, r->refusal.sentence);
}

enum MHD_Result answer_unfound(struct request *r)
{
	if (r->match.found == SERVE_NO_PATH)
		return queue_error(r, MHD_HTTP_NOT_FOUND, "There is no such path.");
	if (r->match.options)
		return queue(r, MHD_HTTP_NO_CONTENT, STR_NULL, NULL);
	return queue_error(r, MHD_HTTP_METHOD_NOT_ALLOWED, "The path does not take this method.");
}

static enum MHD_Result answer_metrics(struct request *r)
{
	buf_release(&r->text);
	buf_init(&r->text, TEXT_MAX);
	if (server_write_metrics(r->server, &r->text))
		return queue_error(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "Out of memory.");
	return queue(r, MHD_HTTP_OK, buf_str(&r->text), METRICS_CONTENT_TYPE);
}

static enum MHD_Result answer_readiness(struct request *r)
{
	const char *type = serve_route_info(SERVE_READYZ)->content_type;

	if (r->server->state != SERVER_TAKING)
		return queue(r, MHD_HTTP_SERVICE_UNAVAILABLE, STR("{\"status\": \"draining\"}"), type);
	if (admission_is_full(&r->server->admission))
		return queue(r, MHD_HTTP_SERVICE_UNAVAILABLE, STR("{\"status\": \"full\"}"), type);
	return queue(r, MHD_HTTP_OK, STR("{\"status\": \"ready\"}"), type);
}

enum MHD_Result answer_route(struct request *r)
{
	const char *type = serve_route_info(r->match.route)->content_type;

	switch (r->match.route) {
	case SERVE_HEALTHZ: return queue(r, MHD_HTTP_OK, STR("{\"status\": \"ok\"}"), type);
	case SERVE_READYZ: return answer_readiness(r);
	case SERVE_METRICS: return answer_metrics(r);
	case SERVE_OPENAPI: return queue(r, MHD_HTTP_OK, buf_str(&r->server->openapi), type);
	case SERVE_RUN:
	case SERVE_OTHER: break;
	}
	return MHD_NO;
}

enum MHD_Result answer_job(struct request *r)
{
	struct str body;
	int status;

	if (job_is_async(r->job))
		return queue_error(r, MHD_HTTP_BAD_REQUEST,
		                   "The service answers when the run has ended: send the payload without \"async\".");
	body = job_answer(r->job, &status);
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		r->refusal.retry_after_s = RETRY_CROWDED;
	return queue(r, status, body, serve_route_info(SERVE_RUN)->content_type);
}
