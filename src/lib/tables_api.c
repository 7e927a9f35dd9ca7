/*
 * tables_api.c: connectors with their parameters, options and outcomes, as tables for help and documentation.
 *
 * The rows are the ones the program runs by (connector classes, model/options.h, model/outcome.h); nothing is told twice.
 */
#include <stdio.h>

#include "connector/connector.h"
#include "lib/internal.h"
#include "model/options.h"
#include "model/outcome.h"

static const struct connector_class *class_at(size_t index)
{
	size_t count;
	const struct connector_class *const *classes = connector_classes(&count);

	return index < count ? classes[index] : NULL;
}

size_t ff_connector_count(void)
{
	size_t count;

	connector_classes(&count);
	return count;
}

/* "408, 409, 429, >= 500, transport errors, timeouts" */
static void append(char *out, size_t size, const char *piece)
{
	size_t len = strlen(out);

	snprintf(out + len, size - len, "%s%s", len ? ", " : "", piece);
}

static void describe_retries(const struct retry_rules *rules, char *out, size_t size)
{
	out[0] = '\0';
	for (const int *status = rules->statuses; status && *status; status++) {
		char number[16];

		snprintf(number, sizeof(number), *status == 599 ? ">= 500" : "%d", *status);
		append(out, size, number);
	}
	if (rules->transport)
		append(out, size,
		       rules->connect_only        ? "connect errors"
		       : rules->before_reply_only ? "transport errors before a reply"
		                                  : "transport errors");
	if (rules->timeouts)
		append(out, size, "timeouts");
	if (rules->should_retry_header)
		append(out, size, "x-should-retry");
	if (!out[0])
		append(out, size, "nothing");
}

int ff_connector_at(size_t index, struct ff_connector_info *ret)
{
	const struct connector_class *c = class_at(index);

	if (!c || !ret)
		return FF_EINVAL;
	*ret = (struct ff_connector_info){
		.name = c->name,
		.short_name = c->short_name,
		.summary = c->summary,
		.class_paths = c->class_paths,
		.default_max_retries = c->retry.default_max_retries,
		.param_count = c->param_count,
	};
	describe_retries(&c->retry, ret->retried, sizeof(ret->retried));
	return 0;
}

int ff_connector_find(const char *name, size_t *ret_index)
{
	const struct connector_class *found = name ? connector_class_find(str_from(name)) : NULL;

	if (!found || !ret_index)
		return FF_EINVAL;
	for (size_t i = 0; class_at(i); i++)
		if (class_at(i) == found) {
			*ret_index = i;
			return 0;
		}
	return FF_EINVAL;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

int ff_connector_param(size_t connector, size_t index, struct ff_param_info *ret)
{
	const struct connector_class *c = class_at(connector);
	const struct param_row *row;

	if (!c || !ret || index >= c->param_count)
		return FF_EINVAL;
	row = &c->params[index];
	*ret = (struct ff_param_info){
		.name = row->name,
		.type = row->type == PARAM_LITERAL && row->choices ? row->choices : param_type_name(row->type),
		.default_text = or_empty(row->default_text),
		.wire = or_empty(row->wire),
		.setter = row->setter == PARAM_OPERATOR ? "operator" : "anyone",
		.required = row->required,
	};
	if (row->alias)
		append(ret->aliases, sizeof(ret->aliases), row->alias);
	if (row->alias2)
		append(ret->aliases, sizeof(ret->aliases), row->alias2);
	return 0;
}

size_t ff_option_count(void)
{
	size_t count;

	options_table(&count);
	return count;
}

int ff_option_at(size_t index, struct ff_option_info *ret)
{
	size_t count;
	const struct option_row *rows = options_table(&count);

	if (!ret || index >= count)
		return FF_EINVAL;
	*ret = (struct ff_option_info){
		.key = rows[index].key,
		.type = rows[index].type,
		.default_text = rows[index].default_text,
		.meaning = rows[index].meaning,
		.stranger_lowers = rows[index].stranger_lowers,
	};
	lib_variable_name(ret->key, ret->variable);
	return 0;
}

size_t ff_outcome_count(void)
{
	return OUTCOME_COUNT;
}

int ff_outcome_at(size_t index, struct ff_outcome_info *ret)
{
	enum outcome o = (enum outcome)index;

	if (!ret || index >= OUTCOME_COUNT)
		return FF_EINVAL;
	*ret = (struct ff_outcome_info){ .word = outcome_word(o), .text = outcome_text(o), .success = outcome_is_success(o) };
	return 0;
}
