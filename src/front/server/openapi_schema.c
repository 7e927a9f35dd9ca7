/*
 * openapi_schema.c: the schemas of the document. Those of options and connectors follow the tables of the library: their types, as `fairforge help options` and
 * `fairforge connectors` print them, are read here and become JSON Schema. The forms of datasets and answers are the reference's and stand here as text; a
 * test holds them against what the library takes and gives.
 *
 * A type of an option is one or more alternatives, joined by ", or " or " or ":
 *
 *     integer 0..1000          "word"          boolean          {"member": type, ...}
 */
#include "front/server/openapi_schema.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "fairforge/fairforge.h"

/* ---- forms that are the reference's ---- */

static const char batch_schema[] =
        "{\"type\":\"object\",\"description\":\"One test case. Other members are ignored.\","
        "\"required\":[\"query\",\"assistant\",\"ground_truth_assistant\",\"qa_id\"],\"properties\":{"
        "\"qa_id\":{\"type\":\"string\"},"
        "\"query\":{\"type\":\"string\",\"description\":\"What is asked.\"},"
        "\"assistant\":{\"type\":\"string\",\"description\":\"Filled in by the run; \\\"[ERROR] ...\\\" when the turn failed.\"},"
        "\"ground_truth_assistant\":{\"type\":\"string\",\"description\":\"The expected answer.\"},"
        "\"observation\":{\"type\":[\"string\",\"null\"]},"
        "\"logprobs\":{\"type\":[\"object\",\"null\"]},"
        "\"agentic\":{\"type\":[\"object\",\"null\"]},"
        "\"ground_truth_agentic\":{\"type\":[\"object\",\"null\"]},"
        "\"weight\":{\"type\":[\"number\",\"null\"]}}}";

static const char dataset_schema[] =
        "{\"type\":\"object\",\"description\":\"One test session. Other members are ignored.\","
        "\"required\":[\"session_id\",\"assistant_id\",\"context\",\"conversation\"],\"properties\":{"
        "\"session_id\":{\"type\":\"string\"},"
        "\"assistant_id\":{\"type\":\"string\"},"
        "\"language\":{\"type\":[\"string\",\"null\"],\"default\":\"english\"},"
        "\"context\":{\"type\":\"string\",\"description\":\"Put before each query when it is not empty.\"},"
        "\"conversation\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Batch\"}}}}";

/* A member `true` beside others would be a schema that nothing fulfils: what is not needed is left out. */
static const char payload_schema[] =
        "{\"type\":\"object\",\"description\":\"What to run. A connector wins over a config; with neither, the operator's default "
        "connector is asked. The members "
        "are optional for the parser: what cannot be run is answered with status 200 and a refusal.\",\"properties\":{"
        "\"datasets\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Dataset\"}},"
        "\"connector\":{\"$ref\":\"#/components/schemas/Connector\"},"
        "\"config\":{\"$ref\":\"#/components/schemas/Config\"},"
        "\"options\":{\"$ref\":\"#/components/schemas/Options\"}}}";

static const char summary_schema[] =
        "{\"type\":\"object\",\"required\":[\"session_id\",\"total_batches\",\"successes\",\"failures\",\"total_execution_time_"
        "ms\","
        "\"avg_batch_time_ms\"],\"properties\":{\"session_id\":{\"type\":\"string\"},\"total_batches\":{\"type\":\"integer\","
        "\"minimum\":0},"
        "\"successes\":{\"type\":\"integer\",\"minimum\":0},\"failures\":{\"type\":\"integer\",\"minimum\":0},"
        "\"total_execution_time_ms\":{\"type\":\"number\",\"minimum\":0},\"avg_batch_time_ms\":{\"type\":\"number\",\"minimum\":0}}"
        "}";

static const char response_schema[] =
        "{\"type\":\"object\",\"required\":[\"success\",\"datasets\",\"summaries\",\"total_datasets\"],\"additionalProperties\":"
        "false,\"properties\":{"
        "\"success\":{\"const\":true},\"datasets\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Dataset\"}},"
        "\"summaries\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Summary\"}},"
        "\"total_datasets\":{\"type\":\"integer\",\"minimum\":0}}}";

static const char refusal_schema[] =
        "{\"type\":\"object\",\"description\":\"The payload asks for what cannot be run. Nothing was sent to a target.\","
        "\"required\":[\"success\",\"error\"],\"additionalProperties\":false,"
        "\"properties\":{\"success\":{\"const\":false},\"error\":{\"type\":\"string\"}}}";

static const char error_schema[] = "{\"type\":\"object\",\"required\":[\"error\"],\"additionalProperties\":false,"
                                   "\"properties\":{\"error\":{\"type\":\"string\",\"description\":\"One sentence.\"}}}";

static const char state_schema[] =
        "{\"type\":\"object\",\"required\":[\"status\"],\"properties\":{\"status\":{\"type\":\"string\"}}}";

/* ---- types ---- */

static bool cut_prefix(struct str *s, const char *prefix)
{
	struct str p = str_from(prefix);

	if (!str_starts_with(*s, p))
		return false;
	*s = str_sub(*s, p.len, s->len);
	return true;
}

/* integer, integer A..B */
static bool write_integer(struct json_out *j, struct str s)
{
	size_t dots;
	uint64_t low, high;

	json_out_text(j, "type", "integer");
	s = str_trim(s);
	if (!s.len)
		return true;
	dots = str_find(s, STR(".."), 0);
	if (dots == SIZE_MAX || !str_to_u64(str_sub(s, 0, dots), &low) || !str_to_u64(str_sub(s, dots + 2, s.len), &high))
		return false;
	json_out_u64(j, "minimum", low);
	json_out_u64(j, "maximum", high);
	return true;
}

static bool write_alternative(struct json_out *j, struct str s);

/* {"member": type, ...}, whose types hold no comma and no bracket */
static bool write_members(struct json_out *j, struct str s)
{
	bool known = true;

	json_out_text(j, "type", "object");
	json_out_bool(j, "additionalProperties", false);
	json_out_object(j, "properties");
	while (s.ptr && known) {
		struct str type = str_trim(str_split(&s, ',')), name = str_trim(str_split(&type, ':'));
		char key[64];

		if (name.len < 3 || name.len > sizeof(key) || name.ptr[0] != '"' || name.ptr[name.len - 1] != '"')
			return false;
		snprintf(key, sizeof(key), "%.*s", (int)name.len - 2, name.ptr + 1);
		json_out_object(j, key);
		known = write_alternative(j, str_trim(type));
		json_out_end_object(j);
	}
	json_out_end_object(j);
	return known;
}

/* Members of an open schema object. */
static bool write_alternative(struct json_out *j, struct str s)
{
	if (cut_prefix(&s, "integer"))
		return write_integer(j, s);
	if (str_eq(s, STR("boolean"))) {
		json_out_text(j, "type", "boolean");
		return true;
	}
	if (s.len > 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"') {
		json_out_str(j, "const", str_sub(s, 1, s.len - 1));
		return true;
	}
	if (s.len > 2 && s.ptr[0] == '{' && s.ptr[s.len - 1] == '}')
		return write_members(j, str_sub(s, 1, s.len - 1));
	return false;
}

/* The part of *rest before the next " or " or ", or ", which are dropped. */
static struct str next_alternative(struct str *rest)
{
	struct str all = *rest, part;
	size_t at = str_find(all, STR(" or "), 0);

	if (at == SIZE_MAX) {
		*rest = STR_NULL;
		return str_trim(all);
	}
	*rest = str_sub(all, at + 4, all.len);
	part = str_trim(str_sub(all, 0, at));
	if (part.len && part.ptr[part.len - 1] == ',')
		part.len--;
	return part;
}

static bool write_type(struct json_out *j, const char *type)
{
	struct str rest = str_from(type), first = next_alternative(&rest);
	bool known = true;

	if (!rest.ptr)
		return write_alternative(j, first);
	json_out_array(j, "anyOf");
	for (struct str part = first;; part = next_alternative(&rest)) {
		json_out_object(j, NULL);
		known = write_alternative(j, part) && known;
		json_out_end_object(j);
		if (!rest.ptr)
			break;
	}
	json_out_end_array(j);
	return known;
}

/* "none" and sentences stay in the description; a default of the type itself is one. */
static void write_default(struct json_out *j, const char *type, const char *text)
{
	char quoted[64];
	uint64_t number;

	snprintf(quoted, sizeof(quoted), "\"%s\"", text);
	if (!strncmp(type, "integer", 7) && str_to_u64(str_from(text), &number))
		json_out_u64(j, "default", number);
	else if (!strcmp(type, "boolean") && (!strcmp(text, "true") || !strcmp(text, "false")))
		json_out_raw(j, "default", text);
	else if (strstr(type, quoted))
		json_out_text(j, "default", text);
}

/* ---- options ---- */

static bool write_option(struct json_out *j, const struct ff_option_info *o)
{
	char description[600];
	bool known;

	json_out_object(j, o->key);
	snprintf(description, sizeof(description), "%s. Default: %s.%s", o->meaning, o->default_text,
	         o->stranger_lowers ? " A request stays within what the operator has set." : "");
	json_out_text(j, "description", description);
	known = write_type(j, o->type);
	write_default(j, o->type, o->default_text);
	json_out_end_object(j);
	return known;
}

static int write_options(struct json_out *j, char unknown[128])
{
	struct ff_option_info o;
	bool known = true;

	json_out_object(j, "Options");
	json_out_text(j, "type", "object");
	json_out_text(j, "description", "Options of the run.");
	json_out_bool(j, "additionalProperties", false);
	json_out_object(j, "properties");
	for (size_t i = 0; i < ff_option_count() && known; i++) {
		if (ff_option_at(i, &o))
			return FF_EINTERNAL;
		known = write_option(j, &o);
		if (!known)
			snprintf(unknown, 128, "%s", o.key);
	}
	json_out_end_object(j);
	json_out_end_object(j);
	return known ? 0 : FF_EINTERNAL;
}

/* ---- connectors ---- */

/* The words of `fairforge connectors`, and the schema of each. A list of choices, "a|b|c", is none of them. */
static const struct {
	const char *word, *schema;
} param_types[] = {
	{ "string", "\"type\":\"string\"" },
	{ "secret", "\"type\":\"string\",\"format\":\"password\",\"writeOnly\":true" },
	{ "integer", "\"type\":\"integer\"" },
	{ "number", "\"type\":\"number\"" },
	{ "boolean", "\"type\":\"boolean\"" },
	{ "list of strings", "\"type\":\"array\",\"items\":{\"type\":\"string\"}" },
	{ "string or list", "\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]" },
	{ "list", "\"type\":\"array\"" },
	{ "object", "\"type\":\"object\"" },
	{ "object of strings", "\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}" },
	{ "object of integers", "\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}" },
	{ "seconds", "\"type\":\"number\",\"minimum\":0" },
	{ "text", "\"type\":[\"string\",\"number\"]" },
	{ "any", "" },
};

static bool write_choices(struct json_out *j, const char *type)
{
	struct str rest = str_from(type);

	if (!strchr(type, '|'))
		return false;
	json_out_array(j, "enum");
	while (rest.ptr)
		json_out_str(j, NULL, str_split(&rest, '|'));
	json_out_end_array(j);
	return true;
}

static bool write_param_type(struct json_out *j, const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(param_types); i++) {
		if (strcmp(param_types[i].word, type) != 0)
			continue;
		if (param_types[i].schema[0]) {
			buf_append_char(j->out, ',');
			buf_append_str(j->out, str_from(param_types[i].schema));
		}
		return true;
	}
	return write_choices(j, type);
}

static bool write_param(struct json_out *j, const char *name, const struct ff_param_info *p)
{
	char description[700];
	bool known;

	json_out_object(j, name);
	snprintf(description, sizeof(description), "On the wire: %s. Default: %s.%s%s", p->wire,
	         p->default_text[0] ? p->default_text : "none", strcmp(name, p->name) != 0 ? " The same as " : "",
	         strcmp(name, p->name) != 0 ? p->name : "");
	json_out_text(j, "description", description);
	known = write_param_type(j, p->type);
	json_out_end_object(j);
	return known;
}

/* The parameter under each of its names. */
static bool write_names(struct json_out *j, const struct ff_param_info *p)
{
	struct str rest = str_from(p->aliases);
	bool known = write_param(j, p->name, p);

	while (rest.ptr && known) {
		struct str alias = str_trim(str_split(&rest, ','));
		char name[96];

		if (!alias.len)
			continue;
		snprintf(name, sizeof(name), "%.*s", STR_ARG(alias));
		known = write_param(j, name, p);
	}
	return known;
}

/* Properties of a connector's parameters; what only the operator may set is left out. */
static int write_params(struct json_out *j, size_t connector, size_t count, char unknown[128])
{
	struct ff_param_info p;

	json_out_object(j, "properties");
	for (size_t i = 0; i < count; i++) {
		if (ff_connector_param(connector, i, &p))
			return FF_EINTERNAL;
		if (strcmp(p.setter, "operator") != 0 && !write_names(j, &p)) {
			snprintf(unknown, 128, "%s", p.name);
			return FF_EINTERNAL;
		}
	}
	json_out_end_object(j);
	return 0;
}

static int write_connector(struct json_out *j, size_t index, const struct ff_connector_info *c, char unknown[128])
{
	int r;

	json_out_object(j, c->name);
	json_out_text(j, "type", "object");
	json_out_text(j, "title", c->name);
	json_out_text(j, "description", c->summary);
	json_out_raw(j, "required", "[\"class_path\"]");
	json_out_object(j, "properties");
	json_out_object(j, "class_path");
	json_out_array(j, "enum");
	for (size_t i = 0; c->class_paths[i]; i++)
		json_out_text(j, NULL, c->class_paths[i]);
	json_out_end_array(j);
	json_out_end_object(j);
	json_out_object(j, "params");
	json_out_text(j, "type", "object");
	r = write_params(j, index, c->param_count, unknown);
	json_out_end_object(j);
	json_out_end_object(j);
	json_out_end_object(j);
	return r;
}

/* The payload's `config`: the parameters of the one class that it means. */
static int write_config(struct json_out *j, char unknown[128])
{
	struct ff_connector_info c;
	size_t index;
	int r;

	if (ff_connector_find("alquimia", &index) || ff_connector_at(index, &c))
		return FF_EINTERNAL;
	json_out_object(j, "Config");
	json_out_text(j, "type", "object");
	json_out_text(j, "description", c.summary);
	r = write_params(j, index, c.param_count, unknown);
	json_out_end_object(j);
	return r;
}

static int write_connectors(struct json_out *j, char unknown[128])
{
	struct ff_connector_info c;
	char ref[128];
	int r = 0;

	for (size_t i = 0; i < ff_connector_count() && !r; i++)
		r = ff_connector_at(i, &c) ? FF_EINTERNAL : write_connector(j, i, &c, unknown);
	if (r)
		return r;
	json_out_object(j, "Connector");
	json_out_text(j, "description", "Whom to ask, and how.");
	json_out_array(j, "anyOf");
	for (size_t i = 0; i < ff_connector_count(); i++) {
		if (ff_connector_at(i, &c))
			return FF_EINTERNAL;
		snprintf(ref, sizeof(ref), "#/components/schemas/%s", c.name);
		json_out_object(j, NULL);
		json_out_text(j, "$ref", ref);
		json_out_end_object(j);
	}
	json_out_end_array(j);
	json_out_end_object(j);
	return 0;
}

int openapi_write_schemas(struct json_out *j, char ret_unknown[128])
{
	int r;

	ret_unknown[0] = '\0';
	json_out_raw(j, "Payload", payload_schema);
	json_out_raw(j, "Dataset", dataset_schema);
	json_out_raw(j, "Batch", batch_schema);
	r = write_options(j, ret_unknown);
	if (!r)
		r = write_connectors(j, ret_unknown);
	if (!r)
		r = write_config(j, ret_unknown);
	json_out_raw(j, "Response", response_schema);
	json_out_raw(j, "Summary", summary_schema);
	json_out_raw(j, "Refusal", refusal_schema);
	json_out_raw(j, "Error", error_schema);
	json_out_raw(j, "State", state_schema);
	return r ? r : json_out_failed(j);
}
