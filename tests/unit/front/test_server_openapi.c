/* test_server_openapi.c: the document says what the code does: routes, statuses, options, connectors, and the fields of a dataset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "fairforge/fairforge.h"
#include "front/server/openapi.h"
#include "front/server/routes.h"

static const struct openapi_options with_tokens = {
	.tokens = true, .max_body_bytes = 8 << 20, .max_datasets = 10, .max_batches = 20, .max_runs = 64
};
static const struct openapi_options without_tokens;

static struct ff_json_doc *document(const struct openapi_options *options)
{
	struct ff_json_doc *doc = NULL;
	struct ff_error err;
	struct buf out;

	buf_init(&out, OPENAPI_MAX_BYTES);
	assert_int_equal(openapi_write(options, &out), 0);
	if (ff_json_parse(out.ptr, out.len, 0, 0, &doc, &err))
		fail_msg("no JSON: %s %s", err.where, err.text);
	buf_release(&out);
	return doc;
}

/* Members by name, one below the other; "~" ends the path. Fails when one is not there. */
static const struct ff_json *at(const struct ff_json *v, const char *path)
{
	struct str rest = str_from(path);

	while (rest.ptr) {
		char key[128];
		struct str part = str_split(&rest, '>');
		const struct ff_json *next;

		snprintf(key, sizeof(key), "%.*s", STR_ARG(part));
		next = ff_json_get(v, key);
		if (!next)
			fail_msg("\"%s\" of %s is not in the document", key, path);
		v = next;
	}
	return v;
}

static bool text_is(const struct ff_json *v, const char *expected)
{
	size_t len;
	const char *text = ff_json_text(v, &len);

	return text && str_eq(str_of(text, len), str_from(expected));
}

static bool lists(const struct ff_json *array, const char *text)
{
	for (size_t i = 0; i < ff_json_count(array); i++)
		if (text_is(ff_json_item(array, i), text))
			return true;
	return false;
}

/* ---- routes and statuses ---- */

/* Every status of the table stands there, and none beside. */
static void check_statuses(const struct ff_json *responses, enum serve_route route, bool tokens)
{
	const char *name = serve_route_info(route)->name;

	for (const struct serve_status *s = serve_route_info(route)->statuses; s->status; s++) {
		char key[12];

		snprintf(key, sizeof(key), "%d", s->status);
		if (!ff_json_get(responses, key) == (s->status != 401 || tokens))
			fail_msg("%s: status %s, tokens %d", name, key, tokens);
	}
	for (size_t i = 0; i < ff_json_count(responses); i++) {
		size_t len;
		const char *key = ff_json_key(responses, i, &len);
		uint64_t status;

		assert_true(str_to_u64(str_of(key, len), &status));
		if (!serve_status_is_known(route, (int)status))
			fail_msg("%s: the document has status %d, the table has not", name, (int)status);
		at(ff_json_item(responses, i), "description");
	}
}

static void check_routes(const struct openapi_options *options)
{
	struct ff_json_doc *doc = document(options);
	const struct ff_json *root = ff_json_root(doc), *paths = at(root, "paths");

	assert_true(text_is(at(root, "openapi"), "3.1.0"));
	assert_true(text_is(at(root, "info>version"), ff_version()));
	assert_int_equal(ff_json_count(paths), SERVE_OTHER);
	assert_int_equal(ff_json_get(at(root, "components"), "securitySchemes") != NULL, options->tokens);
	for (size_t i = 0; i < SERVE_OTHER; i++) {
		const struct serve_route_info *r = serve_route_info((enum serve_route)i);
		const struct ff_json *item = at(paths, r->path), *operation = at(item, r->method[0] == 'P' ? "post" : "get");

		assert_true(text_is(at(operation, "operationId"), r->name));
		assert_int_equal(ff_json_get(operation, "security") != NULL, r->needs_token && options->tokens);
		check_statuses(at(operation, "responses"), (enum serve_route)i, options->tokens);
		if (ff_json_get(at(operation, "responses"), "200"))
			at(at(operation, "responses>200>content"), r->content_type);
		assert_int_equal(ff_json_count(at(item, "options>responses")), 1);
		at(item, "options>responses>204");
	}
	ff_json_free(doc);
}

static void test_routes(void **state)
{
	(void)state;
	check_routes(&with_tokens);
	check_routes(&without_tokens);
}

static void test_limits_are_said(void **state)
{
	struct ff_json_doc *doc = document(&with_tokens);
	size_t len;
	const char *text = ff_json_text(at(ff_json_root(doc), "paths>/run>post>requestBody>description"), &len);
	struct str s = str_of(text, len);

	(void)state;
	assert_true(str_contains(s, STR("8388608 bytes")) && str_contains(s, STR("10 datasets")) &&
	            str_contains(s, STR("20 batches")));
	ff_json_free(doc);
}

/* ---- references ---- */

static void check_refs(const struct ff_json *root, const struct ff_json *v)
{
	const struct ff_json *ref = ff_json_get(v, "$ref");
	size_t len;

	if (ref) {
		const char *text = ff_json_text(ref, &len);
		char path[200];

		assert_non_null(text);
		assert_true(len > 2 && text[0] == '#' && text[1] == '/' && len < sizeof(path));
		snprintf(path, sizeof(path), "%.*s", (int)len - 2, text + 2);
		for (char *c = path; *c; c++)
			if (*c == '/')
				*c = '>';
		at(root, path);
	}
	for (size_t i = 0; i < ff_json_count(v); i++)
		check_refs(root, ff_json_item(v, i));
}

static void test_references(void **state)
{
	struct ff_json_doc *doc = document(&with_tokens);

	(void)state;
	check_refs(ff_json_root(doc), ff_json_root(doc));
	ff_json_free(doc);
}

/* ---- options ---- */

static void test_options(void **state)
{
	struct ff_json_doc *doc = document(&with_tokens);
	const struct ff_json *options = at(ff_json_root(doc), "components>schemas>Options>properties");
	struct ff_option_info o;

	(void)state;
	assert_int_equal(ff_json_count(options), ff_option_count());
	for (size_t i = 0; i < ff_option_count(); i++) {
		assert_int_equal(ff_option_at(i, &o), 0);
		at(options, o.key);
	}
	assert_true(text_is(at(options, "deadline_ms>type"), "integer"));
	assert_true(ff_json_double(at(options, "deadline_ms>maximum")) == 2592000000.0);
	assert_null(ff_json_get(at(options, "deadline_ms"), "default"));
	assert_true(ff_json_double(at(options, "idle_timeout_ms>default")) == 600000.0);
	assert_int_equal(ff_json_type(at(options, "stream>default")), FF_JSON_FALSE);
	assert_true(text_is(at(options, "order>default"), "longest_first"));
	assert_true(text_is(at(ff_json_item(at(options, "order>anyOf"), 1), "const"), "input"));
	assert_int_equal(ff_json_count(at(options, "concurrency>anyOf")), 2);
	assert_true(ff_json_double(at(ff_json_item(at(options, "concurrency>anyOf"), 0), "maximum")) == 100000.0);
	assert_true(text_is(at(ff_json_item(at(options, "concurrency>anyOf"), 1), "properties>adaptive>type"), "boolean"));
	ff_json_free(doc);
}

/* ---- connectors ---- */

static void check_param(const struct ff_json *properties, const struct ff_param_info *p)
{
	struct str rest = str_from(p->aliases);
	bool operators = !strcmp(p->setter, "operator");

	if (!ff_json_get(properties, p->name) != operators)
		fail_msg("%s: set by %s", p->name, p->setter);
	while (rest.ptr && !operators) {
		struct str alias = str_trim(str_split(&rest, ','));
		char name[96];

		snprintf(name, sizeof(name), "%.*s", STR_ARG(alias));
		if (alias.len)
			at(properties, name);
	}
}

static void test_connectors(void **state)
{
	struct ff_json_doc *doc = document(&with_tokens);
	const struct ff_json *schemas = at(ff_json_root(doc), "components>schemas");
	struct ff_connector_info c;
	struct ff_param_info p;

	(void)state;
	assert_int_equal(ff_json_count(at(schemas, "Connector>anyOf")), ff_connector_count());
	for (size_t i = 0; i < ff_connector_count(); i++) {
		const struct ff_json *schema;

		assert_int_equal(ff_connector_at(i, &c), 0);
		schema = at(schemas, c.name);
		for (size_t k = 0; c.class_paths[k]; k++)
			if (!lists(at(schema, "properties>class_path>enum"), c.class_paths[k]))
				fail_msg("%s is not in the document", c.class_paths[k]);
		for (size_t k = 0; k < c.param_count; k++) {
			assert_int_equal(ff_connector_param(i, k, &p), 0);
			check_param(at(schema, "properties>params>properties"), &p);
		}
	}
	assert_true(text_is(at(schemas, "ChatOpenAI>properties>params>properties>temperature>type"), "number"));
	assert_true(text_is(at(schemas, "ChatOpenAI>properties>params>properties>api_key>format"), "password"));
	assert_true(lists(at(schemas, "HttpTemplate>properties>params>properties>method>enum"), "PATCH"));
	assert_null(ff_json_get(at(schemas, "ChatOpenAI>properties>params>properties"), "openai_proxy"));
	at(schemas, "Config>properties>agent_id");
	ff_json_free(doc);
}

/* ---- datasets: what the document requires, the library requires, and nothing more ---- */

static const char batch_text[] =
        "\"query\":\"q\",\"assistant\":\"\",\"ground_truth_assistant\":\"g\",\"qa_id\":\"1\",\"observation\":\"o\","
        "\"logprobs\":{},\"agentic\":{},\"ground_truth_agentic\":{},\"weight\":1.5";
static const char dataset_text[] = "\"session_id\":\"s\",\"assistant_id\":\"a\",\"language\":\"english\",\"context\":\"c\"";

/* Copies `members` without the one named `without`, or with it as `instead`. */
static void edit(const char *members, const char *without, const char *instead, char *out, size_t size)
{
	struct str rest = str_from(members);
	size_t len = 0;

	out[0] = '\0';
	while (rest.ptr) {
		struct str part = str_split(&rest, ','), name = part;
		struct str key = str_split(&name, ':');
		bool it = without && str_eq(str_sub(key, 1, key.len - 1), str_from(without));

		if (it && !instead)
			continue;
		len += (size_t)snprintf(out + len, size - len, "%s%.*s%s", len ? "," : "",
		                        STR_ARG(it ? str_sub(part, 0, key.len + 1) : part), it ? instead : "");
	}
}

static bool is_valid(const char *dataset, const char *batch)
{
	struct ff_engine_options eo = FF_INIT(struct ff_engine_options);
	struct ff_run_options ro = FF_INIT(struct ff_run_options);
	struct ff_input input = { .name = "test", .fd = -1 };
	struct ff_check_result result;
	struct ff_engine *engine;
	struct ff_error err;
	char text[4096];
	int r;

	snprintf(text, sizeof(text),
	         "{\"connector\":{\"class_path\":\"langchain_ollama.ChatOllama\",\"params\":{\"model\":\"m\"}},"
	         "\"datasets\":[{%s,\"conversation\":[{%s}]}]}",
	         dataset, batch);
	input.text = text;
	input.text_len = strlen(text);
	ro.inputs = &input;
	ro.input_count = 1;
	if (ff_engine_new(&eo, &engine, &err))
		fail_msg("%s", err.text);
	r = ff_check(engine, &ro, NULL, NULL, &result);
	ff_engine_free(engine);
	return r == 0;
}

static bool allows(const struct ff_json *type, const char *word)
{
	return text_is(type, word) || lists(type, word);
}

/* Leaves each property out, and makes it null and an array: the library must answer as the schema says. */
static void check_fields(const struct ff_json *schema, const char *members, bool of_batch)
{
	const struct ff_json *properties = at(schema, "properties");
	char edited[2048], name[64];

	for (size_t i = 0; i < ff_json_count(properties); i++) {
		size_t len;
		const char *key = ff_json_key(properties, i, &len);
		const struct ff_json *type = at(ff_json_item(properties, i), "type");
		const char *const values[] = { NULL, "null", "[]" };

		snprintf(name, sizeof(name), "%.*s", (int)len, key);
		if (!strcmp(name, "conversation"))
			continue;
		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			bool expected = !values[v] ? !lists(at(schema, "required"), name)
			                           : allows(type, values[v][0] == '[' ? "array" : "null");

			edit(members, name, values[v], edited, sizeof(edited));
			if (is_valid(of_batch ? dataset_text : edited, of_batch ? edited : batch_text) != expected)
				fail_msg("%s as %s: the schema says %s, the library not", name, values[v] ? values[v] : "absent",
				         expected ? "valid" : "invalid");
		}
	}
}

static void test_datasets(void **state)
{
	struct ff_json_doc *doc = document(&without_tokens);
	const struct ff_json *schemas = at(ff_json_root(doc), "components>schemas");

	(void)state;
	assert_true(is_valid(dataset_text, batch_text));
	check_fields(at(schemas, "Dataset"), dataset_text, false);
	check_fields(at(schemas, "Batch"), batch_text, true);
	ff_json_free(doc);
}

static void test_out_of_memory(void **state)
{
	(void)state;
	for (unsigned n = 1;; n += 1 + n / 16) {
		struct buf out;
		int r;

		buf_init(&out, OPENAPI_MAX_BYTES);
		mem_fault_arm(n, true);
		r = openapi_write(&with_tokens, &out);
		buf_release(&out);
		if (!mem_fault_hits()) {
			mem_fault_arm(0, false);
			assert_int_equal(r, 0);
			return;
		}
		mem_fault_arm(0, false);
		if (r != FF_R_NOMEM)
			fail_msg("allocation %u failed, and the answer was %d", n, r);
	}
}

static void test_cap(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	assert_int_equal(openapi_write(&with_tokens, &out), FF_R_TOOBIG);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),        cmocka_unit_test(test_limits_are_said),
		cmocka_unit_test(test_references),    cmocka_unit_test(test_options),
		cmocka_unit_test(test_connectors),    cmocka_unit_test(test_datasets),
		cmocka_unit_test(test_out_of_memory), cmocka_unit_test(test_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
