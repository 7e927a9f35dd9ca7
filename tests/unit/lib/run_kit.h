/*
 * run_kit.h: what tests of requests and runs share: an environment of their own, requests in a line, outputs and events that are kept.
 */
#ifndef FF_TESTS_UNIT_LIB_RUN_KIT_H
#define FF_TESTS_UNIT_LIB_RUN_KIT_H

#include <stdio.h>
#include <string.h>

#include "fairforge/fairforge.h"

/* ---- environment: "NAME=value" texts, NULL-terminated ---- */

static const char *kit_getenv(void *user, const char *name)
{
	size_t len = strlen(name);

	for (const char *const *entry = user; entry && *entry; entry++)
		if (!strncmp(*entry, name, len) && (*entry)[len] == '=')
			return *entry + len + 1;
	return NULL;
}

static inline struct ff_engine_options kit_engine_options(const char *const *env)
{
	struct ff_engine_options eo = FF_INIT(struct ff_engine_options);

	eo.getenv_fn = kit_getenv;
	eo.getenv_user = (void *)env;
	eo.seed = 1;
	return eo;
}

/* ---- requests ---- */

#define KIT_KEY "sk-unit-0123456789abcdef"

/* One request: the parts that tests vary; everything else has a default. */
struct kit_request {
	const char *text; /* the document */
	int as_datasets;
	const char *connector, *model;
	struct ff_setting params[8], options[8];
	struct ff_input input;
};

static inline size_t kit_count(const struct ff_setting *list)
{
	size_t count = 0;

	while (count < 8 && list[count].name)
		count++;
	return count;
}

static inline struct ff_run_options kit_run_options(struct kit_request *k)
{
	struct ff_run_options ro = FF_INIT(struct ff_run_options);

	k->input = (struct ff_input){ "input", k->text, strlen(k->text), -1, k->as_datasets };
	ro.inputs = &k->input;
	ro.input_count = 1;
	ro.connector = k->connector;
	ro.model = k->model;
	ro.params = k->params;
	ro.param_count = kit_count(k->params);
	ro.options = k->options;
	ro.option_count = kit_count(k->options);
	return ro;
}

#define KIT_BATCH   "{\"qa_id\": \"q\", \"query\": \"ping\", \"assistant\": \"\", \"ground_truth_assistant\": \"pong\"}"
#define KIT_DATASET "{\"session_id\": \"s\", \"assistant_id\": \"a\", \"context\": \"\", \"conversation\": [" KIT_BATCH "]}"

/* ---- outputs ---- */

struct kit_output {
	char text[262144];
	size_t len;
	int done, complete; /* how often done_fn was called, and with what */
	size_t fail_at;     /* 0: never; else writes fail once so many bytes came */
};

static inline int kit_write(void *user, const char *data, size_t len)
{
	struct kit_output *o = user;

	if (o->fail_at && o->len + len >= o->fail_at)
		return -1;
	if (o->len + len >= sizeof(o->text))
		return -1;
	if (len)
		memcpy(o->text + o->len, data, len);
	o->len += len;
	o->text[o->len] = '\0';
	return 0;
}

static inline void kit_done(void *user, int complete)
{
	struct kit_output *o = user;

	o->done++;
	o->complete = complete;
}

static inline struct ff_output kit_output(struct kit_output *o, enum ff_output_format format)
{
	memset(o, 0, sizeof(*o));
	return (struct ff_output){ .format = format, .write_fn = kit_write, .done_fn = kit_done, .user = o };
}

#endif
