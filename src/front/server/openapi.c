/*
 * openapi.c: the frame of the document: what it is, the paths with their answers, who must bring a token. See openapi.h; the schemas are openapi_schema.c's.
 */
#include "front/server/openapi.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "fairforge/fairforge.h"
#include "front/server/json_out.h"
#include "front/server/openapi_schema.h"
#include "front/server/routes.h"

static void write_ref(struct json_out *j, const char *key, const char *ref)
{
	json_out_object(j, key);
	json_out_text(j, "$ref", ref);
	json_out_end_object(j);
}

/* ---- answers ---- */

/* The schema of an answer's body; NULL: it has none, or none that we write (libmicrohttpd's own answers to what is no HTTP). */
static const char *body_schema(enum serve_route route, int status)
{
	if (status == 204 || status == 414 || status == 431 || status == 505)
		return NULL;
	if (route == SERVE_RUN && status == 200)
		return "{\"anyOf\":[{\"$ref\":\"#/components/schemas/Response\"},{\"$ref\":\"#/components/schemas/Refusal\"}]}";
	if (route == SERVE_HEALTHZ || route == SERVE_READYZ)
		return status == 200 || status == 503 ? "{\"$ref\":\"#/components/schemas/State\"}"
		                                      : "{\"$ref\":\"#/components/schemas/Error\"}";
	if (route == SERVE_METRICS && status == 200)
		return "{\"type\":\"string\"}";
	if (status == 200)
		return "{\"type\":\"object\"}";
	return "{\"$ref\":\"#/components/schemas/Error\"}";
}

static void write_headers(struct json_out *j, int status)
{
	json_out_object(j, "headers");
	write_ref(j, "X-Request-Id", "#/components/headers/RequestId");
	if (status == 429 || status == 503)
		write_ref(j, "Retry-After", "#/components/headers/RetryAfter");
	if (status == 401)
		write_ref(j, "WWW-Authenticate", "#/components/headers/Challenge");
	if (status == 204 || status == 405)
		write_ref(j, "Allow", "#/components/headers/Allow");
	json_out_end_object(j);
}

static void write_answer(struct json_out *j, enum serve_route route, const struct serve_status *s)
{
	const char *schema = body_schema(route, s->status);
	char key[12];

	snprintf(key, sizeof(key), "%d", s->status);
	json_out_object(j, key);
	json_out_text(j, "description", s->meaning);
	if (schema) {
		write_headers(j, s->status);
		json_out_object(j, "content");
		json_out_object(j, s->status == 200 ? serve_route_info(route)->content_type : "application/json");
		json_out_raw(j, "schema", schema);
		json_out_end_object(j);
		json_out_end_object(j);
	} else if (s->status == 204) {
		write_headers(j, s->status);
	}
	json_out_end_object(j);
}

static bool is_in(const struct serve_status *list, int status)
{
	for (; list->status; list++)
		if (list->status == status)
			return true;
	return false;
}

/* The route's own statuses, then those that any request may meet and that the route does not explain itself. */
static void write_answers(struct json_out *j, enum serve_route route, bool tokens)
{
	const struct serve_status *own = serve_route_info(route)->statuses;

	json_out_object(j, "responses");
	for (const struct serve_status *s = own; s->status; s++)
		if (s->status != 401 || tokens)
			write_answer(j, route, s);
	for (const struct serve_status *s = serve_common_statuses(); s->status; s++)
		if (s->status != 204 && !is_in(own, s->status))
			write_answer(j, route, s);
	json_out_end_object(j);
}

/* ---- operations ---- */

static const char example[] =
        "{\"one question\":{\"summary\":\"One question to a model; its key is the operator's\",\"value\":{"
        "\"connector\":{\"class_path\":\"langchain_openai.chat_models.ChatOpenAI\",\"params\":{\"model\":\"gpt-4o-mini\"}},"
        "\"datasets\":[{\"session_id\":\"geography\",\"assistant_id\":\"target\",\"language\":\"english\",\"context\":\"\","
        "\"conversation\":[{\"qa_id\":\"1\",\"query\":\"What is the capital of France?\",\"assistant\":\"\","
        "\"ground_truth_assistant\":\"Paris\"}]}],\"options\":{\"deadline_ms\":60000}}}}";

static void write_request_body(struct json_out *j, const struct openapi_options *o)
{
	char text[400];
	int n = snprintf(text, sizeof(text), "A payload, whatever its Content-Type. Nothing, or null, counts as {}.");

	if (o->max_body_bytes && n > 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " At most %zu bytes.", o->max_body_bytes);
	if (o->max_datasets && n > 0)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " At most %zu datasets.", o->max_datasets);
	if (o->max_batches && n > 0)
		snprintf(text + n, sizeof(text) - (size_t)n, " At most %zu batches.", o->max_batches);
	json_out_object(j, "requestBody");
	json_out_text(j, "description", text);
	json_out_bool(j, "required", false);
	json_out_object(j, "content");
	json_out_object(j, "application/json");
	write_ref(j, "schema", "#/components/schemas/Payload");
	json_out_raw(j, "examples", example);
	json_out_end_object(j);
	json_out_end_object(j);
	json_out_end_object(j);
}

static void write_operation(struct json_out *j, enum serve_route route, const struct openapi_options *o)
{
	const struct serve_route_info *r = serve_route_info(route);
	char method[8] = "";

	for (size_t i = 0; r->method[i] && i + 1 < sizeof(method); i++)
		method[i] = (char)(r->method[i] | 0x20);
	json_out_object(j, method);
	json_out_text(j, "operationId", r->name);
	json_out_text(j, "summary", r->summary);
	if (o->tokens && r->needs_token)
		json_out_raw(j, "security", "[{\"token\":[]}]");
	if (route == SERVE_RUN)
		write_request_body(j, o);
	write_answers(j, route, o->tokens);
	json_out_end_object(j);
}

static void write_options_operation(struct json_out *j, enum serve_route route)
{
	char id[64];

	snprintf(id, sizeof(id), "%s_options", serve_route_info(route)->name);
	json_out_object(j, "options");
	json_out_text(j, "operationId", id);
	json_out_text(j, "summary", "What the path takes; the answer to a browser's preflight.");
	json_out_object(j, "responses");
	write_answer(j, route, serve_common_statuses()); /* its first is 204 */
	json_out_end_object(j);
	json_out_end_object(j);
}

static void write_paths(struct json_out *j, const struct openapi_options *o)
{
	json_out_object(j, "paths");
	for (size_t i = 0; i < SERVE_OTHER; i++) {
		json_out_object(j, serve_route_info((enum serve_route)i)->path);
		json_out_raw(j, "parameters", "[{\"$ref\":\"#/components/parameters/RequestId\"}]");
		write_operation(j, (enum serve_route)i, o);
		write_options_operation(j, (enum serve_route)i);
		json_out_end_object(j);
	}
	json_out_end_object(j);
}

static int write_components(struct json_out *j, bool tokens)
{
	char unknown[128];
	int r;

	json_out_object(j, "components");
	json_out_object(j, "schemas");
	r = openapi_write_schemas(j, unknown);
	json_out_end_object(j);
	json_out_raw(j, "parameters",
	             "{\"RequestId\":{\"name\":\"X-Request-Id\",\"in\":\"header\",\"required\":false,\"description\":\"Comes back "
	             "in the answer and stands in the "
	             "access log; anything else than 1 to 128 of A-Z a-z 0-9 . _ : = + / @ - is "
	             "replaced.\",\"schema\":{\"type\":\"string\"}}}");
	json_out_raw(j, "headers",
	             "{\"RequestId\":{\"description\":\"The request's own, or one of ours.\",\"schema\":{\"type\":\"string\"}},"
	             "\"RetryAfter\":{\"description\":\"Seconds.\",\"schema\":{\"type\":\"integer\",\"minimum\":1}},"
	             "\"Challenge\":{\"schema\":{\"type\":\"string\"}},"
	             "\"Allow\":{\"description\":\"The methods that the path takes.\",\"schema\":{\"type\":\"string\"}}}");
	if (tokens)
		json_out_raw(j, "securitySchemes",
		             "{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"A token of the operator's "
		             "--token-file.\"}}");
	json_out_end_object(j);
	return r;
}

int openapi_write(const struct openapi_options *options, struct buf *out)
{
	struct json_out j;
	int r;

	json_out_init(&j, out);
	json_out_object(&j, NULL);
	json_out_text(&j, "openapi", "3.1.0");
	json_out_object(&j, "info");
	json_out_text(&j, "title", "fairforge");
	json_out_text(&j, "version", ff_version());
	json_out_text(&j, "description", "Runs test conversations against AI systems and collects the answers.");
	json_out_raw(&j, "license", "{\"name\":\"MIT\",\"identifier\":\"MIT\"}");
	json_out_end_object(&j);
	json_out_raw(&j, "servers", "[{\"url\":\"/\"}]");
	write_paths(&j, options);
	r = write_components(&j, options->tokens);
	json_out_end_object(&j);
	return r ? r : json_out_failed(&j);
}
