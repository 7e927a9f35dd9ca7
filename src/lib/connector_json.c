/*
 * connector_json.c: the connector object of a request: the payload's, or the operator's default (FAIRFORGE_CONNECTOR), with the flags over it.
 * A payload's config is a connector too: that of AlquimiaRunner.
 *
 * A parameter may have several names in its class (field, alias). A flag replaces all of them, else an alias that stands in the payload would win
 * over the flag. Secrets that come by flag, environment or file are made known to the scrubber before anything can quote them.
 */
#include "base/alloc.h"
#include "connector/alquimia.h"
#include "lib/internal.h"
#include "lib/request.h"
#include "lib/setting.h"

static bool names(const struct param_row *row, struct str key)
{
	return str_eq(str_from(row->name), key) || (row->alias && str_eq(str_from(row->alias), key)) ||
	       (row->alias2 && str_eq(str_from(row->alias2), key));
}

static const struct param_row *find_row(const struct connector_class *class, struct str key)
{
	for (size_t i = 0; class && i < class->param_count; i++)
		if (names(&class->params[i], key))
			return &class->params[i];
	return NULL;
}

/* Members under construction; room for all that can come. */
struct members {
	struct json_member *list;
	uint32_t count;
};

static void drop(struct members *m, const struct param_row *row, struct str key)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < m->count; i++)
		if (!(row ? names(row, m->list[i].key) : str_eq(m->list[i].key, key)))
			m->list[kept++] = m->list[i];
	m->count = kept;
}

static void put(struct members *m, const struct param_row *row, struct str key, struct json value)
{
	drop(m, row, key);
	m->list[m->count++] = (struct json_member){ key, value };
}

static int guard_value(struct request *req, const struct json *value)
{
	return value->type == JSON_STRING && value->text.len ? request_guard(req, value->text) : 0;
}

/* Secrets of the document itself: known before the class looks at them, so that no complaint can quote one. */
static int guard_members(struct request *req, const struct connector_class *class, const struct members *m)
{
	for (uint32_t i = 0; i < m->count; i++) {
		const struct param_row *row = find_row(class, m->list[i].key);

		if (row && row->type == PARAM_SECRET && guard_value(req, &m->list[i].value))
			return FF_ENOMEM;
	}
	return 0;
}

static int put_flag(struct request *req, const struct connector_class *class, const struct ff_setting *s, struct members *m,
                    struct problems *problems)
{
	struct str key;
	const struct param_row *row = find_row(class, str_from(s->name));
	struct json value;
	bool secret;
	int r = setting_param(req->engine, &req->arena, s, "param", row, problems, &value, &secret);

	if (r)
		return r == FF_ENOMEM ? r : 0;
	if (arena_str(&req->arena, str_from(s->name), &key) || (secret && guard_value(req, &value)))
		return FF_ENOMEM;
	req->secret_flags |= secret || value.type == JSON_OBJECT; /* headers are an object */
	put(m, row, key, value);
	return 0;
}

/* The document's params with --model and --param over them. */
static int build_params(struct request *req, const struct connector_class *class, const struct json *base, struct json *ret,
                        struct problems *problems)
{
	size_t old = base && base->type == JSON_OBJECT ? base->count : 0;
	struct members m = { arena_calloc(&req->arena, old + req->ro.param_count + 1, sizeof(struct json_member)), 0 };
	int r = 0;

	if (!m.list)
		return FF_ENOMEM;
	for (; m.count < old; m.count++)
		m.list[m.count] = base->members[m.count];
	if (guard_members(req, class, &m))
		return FF_ENOMEM;
	if (req->ro.model) {
		struct json model = { .type = JSON_STRING };

		if (arena_str(&req->arena, str_from(req->ro.model), &model.text))
			return FF_ENOMEM;
		put(&m, find_row(class, STR("model")), STR("model"), model);
	}
	for (size_t i = 0; i < req->ro.param_count && !r; i++)
		r = put_flag(req, class, &req->ro.params[i], &m, problems);
	*ret = (struct json){ .type = JSON_OBJECT, .count = m.count, .members = m.list };
	return r;
}

/* The document's params, unless they are another class's than --connector names: a key goes to the provider it was written for only. */
static const struct json *params_for(const struct connector_class *flag, const struct json *class_path, const struct json *params,
                                     struct problems *problems)
{
	const struct connector_class *document =
	        class_path && class_path->type == JSON_STRING ? connector_class_find(class_path->text) : NULL;

	if (!flag || !document || document == flag || !json_truthy(params))
		return params;
	problem_warning(problems, "/connector/params", "These are parameters of %s: with --connector %s they are not used.",
	                document->name, flag->short_name);
	return NULL;
}

/* The flags over the document's object; a params member that is no object stays, for its class to refuse. */
static int apply_flags(struct request *req, const struct json *base, struct json *ret, struct problems *problems)
{
	const struct json *path = json_get_lit(base, "class_path"), *params = json_get_lit(base, "params");
	struct json class_path = path ? *path : (struct json){ .type = JSON_NULL }, built;
	const struct connector_class *class = req->ro.connector ? connector_class_find(str_from(req->ro.connector)) : NULL;
	struct members m = { arena_calloc(&req->arena, base->count + 2, sizeof(struct json_member)), 0 };
	int r = 0;

	if (!m.list)
		return FF_ENOMEM;
	if (req->ro.connector) {
		/* Short names are for people who type; a payload has class paths only. */
		class_path = (struct json){ .type = JSON_STRING };
		if (arena_str(&req->arena, str_from(class ? class->class_paths[0] : req->ro.connector), &class_path.text))
			return FF_ENOMEM;
		params = params_for(class, path, params, problems);
	} else if (class_path.type == JSON_STRING) {
		class = connector_class_find(class_path.text);
	}
	for (; m.count < base->count; m.count++)
		m.list[m.count] = base->members[m.count];
	if (path || req->ro.connector)
		put(&m, NULL, STR("class_path"), class_path);
	if (!params || params->type == JSON_OBJECT) {
		r = build_params(req, class, params, &built, problems);
		put(&m, NULL, STR("params"), built);
	}
	*ret = (struct json){ .type = JSON_OBJECT, .count = m.count, .members = m.list };
	return r;
}

/* FAIRFORGE_CONNECTOR: 1 when it is set and not empty, 0 when not, or a negative code. */
static int from_environment(struct request *req, struct json *ret)
{
	const char *text = lib_getenv(req->engine, "FAIRFORGE_CONNECTOR");
	struct json_error why;
	struct str copy;
	char sentence[512];
	int r;

	if (!text || !*text)
		return 0;
	if (arena_str(&req->arena, str_from(text), &copy))
		return FF_ENOMEM;
	r = json_parse(&req->arena, copy, &(struct json_limits){ 0 }, ret, NULL, &why);
	if (r == 0)
		return json_truthy(ret);
	if (r == FF_ENOMEM)
		return r;
	json_error_format(&why, sentence, sizeof(sentence));
	return request_fail(req, STEP_CONNECTOR, FF_EUSAGE, "", "FAIRFORGE_CONNECTOR", "The default connector is not JSON: %s.",
	                    sentence);
}

/* ---- config: AlquimiaRunner ---- */

/* Whether the payload's config, and no connector, says what is asked. */
static bool config_counts(const struct request *req)
{
	const struct payload *p = req->payload;

	if (!p || !json_truthy(p->config))
		return false;
	return !req->ro.connector || connector_class_find(str_from(req->ro.connector)) == &alquimia_class;
}

/* The reference looks for its own members in a config and sees no others. */
static int known_members(struct request *req, const struct json *config, struct json *ret, struct problems *problems)
{
	struct members m = { arena_calloc(&req->arena, (size_t)config->count + 1, sizeof(struct json_member)), 0 };

	if (!m.list)
		return FF_ENOMEM;
	for (uint32_t i = 0; i < config->count; i++) {
		char at[256] = "/config";

		if (find_row(&alquimia_class, config->members[i].key)) {
			m.list[m.count++] = config->members[i];
			continue;
		}
		json_pointer_push(at, sizeof(at), config->members[i].key);
		problem_warning(problems, at, "A config has no such member: it is ignored.");
	}
	*ret = (struct json){ .type = JSON_OBJECT, .count = m.count, .members = m.list };
	return problems->nomem ? FF_ENOMEM : 0;
}

/* {"class_path": AlquimiaRunner, "params": config}. NULL: an empty config. */
static int config_base(struct request *req, const struct json *config, struct json *ret)
{
	struct json_member *members = arena_calloc(&req->arena, 2, sizeof(*members));
	struct json params = { .type = JSON_OBJECT };
	struct problems problems;
	int r = 0;

	if (!members)
		return FF_ENOMEM;
	req->params_at = "/config";
	if (config && config->type != JSON_OBJECT)
		return request_fail(req, STEP_CONFIG, FF_EUSAGE, "", "/config", "The config must be an object, not %s %s.",
		                    config->type == JSON_ARRAY ? "an" : "a", json_type_name(config->type));
	problems_init(&problems);
	if (config)
		r = known_members(req, config, &params, &problems);
	if (!r)
		r = request_take(req, STEP_CONFIG, "", &problems, FF_EUSAGE);
	problems_release(&problems);
	members[0] =
	        (struct json_member){ STR("class_path"), { .type = JSON_STRING, .text = str_from(alquimia_class.class_paths[0]) } };
	members[1] = (struct json_member){ STR("params"), params };
	*ret = (struct json){ .type = JSON_OBJECT, .count = 2, .members = members };
	return r;
}

/* ---- what it is ---- */

/*
 * In this order: the payload's connector; its config; the environment's connector; an empty one that --connector fills; for a payload without a word about
 * it an empty config, as in the reference. 1, 0 (none) or negative.
 */
static int choose_base(struct request *req, struct json *ret)
{
	const struct payload *p = req->payload;
	bool has_config = config_counts(req);
	int r;

	*ret = (struct json){ .type = JSON_OBJECT };
	req->operators_own = !has_config && !(p && json_truthy(p->connector));
	if (p && json_truthy(p->connector)) {
		*ret = *p->connector;
		return 1;
	}
	if (has_config)
		return (r = config_base(req, p->config, ret)) ? r : 1;
	r = from_environment(req, ret);
	if (r)
		return r;
	*ret = (struct json){ .type = JSON_OBJECT };
	if (req->ro.connector)
		return 1;
	if (!p || req->ro.model || req->ro.param_count)
		return 0;
	return (r = config_base(req, NULL, ret)) ? r : 1;
}

int request_connector_base(struct request *req, struct json *ret, bool *ret_found)
{
	int r;

	req->params_at = "/connector/params";
	r = choose_base(req, ret);
	*ret_found = r > 0;
	return MIN(r, 0);
}

int request_connector_json(struct request *req, const struct json *base, struct json *ret)
{
	struct problems problems;
	int r;

	if (base->type != JSON_OBJECT) {
		*ret = *base;
		return 0;
	}
	if ((r = request_limit_size(req, base)))
		return r;
	problems_init(&problems);
	r = apply_flags(req, base, ret, &problems);
	if (!r)
		r = request_take(req, STEP_CONNECTOR, "", &problems, FF_EUSAGE);
	problems_release(&problems);
	return r;
}
