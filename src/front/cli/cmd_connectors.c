/*
 * cmd_connectors.c: `fairforge connectors [CLASS]`: the classes, or everything a class takes. Follows the library's tables.
 */
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "front/cli/cli.h"
#include "front/cli/events_json.h"
#include "front/common/args.h"
#include "front/common/quoted.h"

struct connectors_args {
	bool json, help;
};

static int set_json(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag, (void)value, (void)why;
	((struct connectors_args *)state)->json = true;
	return 0;
}

static int set_help(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag, (void)value, (void)why;
	((struct connectors_args *)state)->help = true;
	return 0;
}

const struct flag connectors_flags[] = {
	{ "json", 0, NULL, "the tables as JSON", set_json },
	{ "help", 0, NULL, "this help", set_help },
};
const size_t connectors_flag_count = ARRAY_SIZE(connectors_flags);

/* ---- as text ---- */

/* What answers turns without being a connector: flags of run and check. */
static const char *const instead[][2] = {
	{ "--worker COMMAND", "a program that speaks JSON lines, in any language" },
	{ "--python-runner M:CLASS", "a BaseRunner subclass, unchanged" },
	{ "--python-llm PATH", "a LangChain class, by the rules of LLMRunner" },
	{ "--plugin FILE", "a runner in C in a shared library" },
};

static void list_classes(void)
{
	struct ff_connector_info c;

	for (size_t i = 0; ff_connector_at(i, &c) == 0; i++) {
		printf("%-8s  %-24s  %s\n", c.short_name, c.name, c.summary);
		for (const char *const *path = c.class_paths; *path; path++)
			printf("%-8s    %s\n", "", *path);
	}
	printf("\n");
	for (size_t i = 0; i < ARRAY_SIZE(instead); i++)
		printf("%-24s  %s\n", instead[i][0], instead[i][1]);
	printf("\n'fairforge connectors NAME' lists the parameters of one; docs/custom-systems.md chooses.\n");
}

static void print_params(size_t index, size_t count)
{
	size_t name = 4, type = 4, fallback = 7;
	struct ff_param_info p;

	for (size_t i = 0; i < count && ff_connector_param(index, i, &p) == 0; i++) {
		name = MAX(name, strlen(p.name) + (*p.aliases ? strlen(p.aliases) + 3 : 0) + (p.required ? 1 : 0));
		type = MAX(type, MIN(strlen(p.type), (size_t)28));
		fallback = MAX(fallback, MIN(strlen(p.default_text), (size_t)24));
	}
	printf("%-*s  %-*s  %-*s  %-8s  %s\n", (int)name, "name", (int)type, "type", (int)fallback, "default", "set by",
	       "on the wire");
	for (size_t i = 0; i < count && ff_connector_param(index, i, &p) == 0; i++) {
		char full[200];

		snprintf(full, sizeof(full), "%s%s%s%s%s", p.name, p.required ? "*" : "", *p.aliases ? " (" : "", p.aliases,
		         *p.aliases ? ")" : "");
		printf("%-*s  %-*s  %-*s  %-8s  %s\n", (int)name, full, (int)type, p.type, (int)fallback, p.default_text, p.setter,
		       p.wire);
	}
	printf("\n* required; other accepted names in parentheses. Set them with --param NAME=VALUE or in connector.params.\n");
}

static void show_class(size_t index)
{
	struct ff_connector_info c;

	if (ff_connector_at(index, &c))
		return;
	printf("%s (%s): %s\n", c.name, c.short_name, c.summary);
	for (const char *const *path = c.class_paths; *path; path++)
		printf("  %s\n", *path);
	printf("retried: %s; %d extra attempts by default\n\n", c.retried, c.default_max_retries);
	print_params(index, c.param_count);
}

/* ---- as JSON ---- */

static void member(struct buf *out, const char *before, const char *name, const char *value)
{
	buf_printf(out, "%s\"%s\": ", before, name);
	quoted_append(out, str_from(value));
}

static void append_params(struct buf *out, size_t index, size_t count)
{
	struct ff_param_info p;

	for (size_t i = 0; i < count && ff_connector_param(index, i, &p) == 0; i++) {
		member(out, i ? ",\n      {" : "\n      {", "name", p.name);
		member(out, ", ", "aliases", p.aliases);
		member(out, ", ", "type", p.type);
		member(out, ", ", "default", p.default_text);
		member(out, ", ", "wire", p.wire);
		member(out, ", ", "setter", p.setter);
		buf_printf(out, ", \"required\": %s}", p.required ? "true" : "false");
	}
}

static void append_class(struct buf *out, size_t index, bool first)
{
	struct ff_connector_info c;

	if (ff_connector_at(index, &c))
		return;
	member(out, first ? "\n  {" : ",\n  {", "name", c.name);
	member(out, ", ", "short_name", c.short_name);
	member(out, ", ", "summary", c.summary);
	buf_append_str(out, STR(",\n    \"class_paths\": ["));
	for (size_t i = 0; c.class_paths[i]; i++) {
		buf_append_str(out, i ? STR(", ") : STR(""));
		quoted_append(out, str_from(c.class_paths[i]));
	}
	member(out, "],\n    ", "retried", c.retried);
	buf_printf(out, ", \"default_max_retries\": %d,\n    \"params\": [", c.default_max_retries);
	append_params(out, index, c.param_count);
	buf_append_str(out, STR("]}"));
}

static int print_json(size_t first, size_t end)
{
	struct buf out;
	int failed;

	buf_init(&out, (size_t)16 << 20);
	buf_append_char(&out, '[');
	for (size_t i = first; i < end; i++)
		append_class(&out, i, i == first);
	buf_append_str(&out, STR("\n]\n"));
	failed = buf_failed(&out);
	if (!failed)
		fwrite(out.ptr, 1, out.len, stdout);
	buf_release(&out);
	return ff_code_exit_status(failed);
}

/* ---- the command ---- */

static const char *short_name_at(const void *names, size_t index)
{
	struct ff_connector_info c;

	(void)names;
	return ff_connector_at(index, &c) ? "" : c.short_name;
}

const char *cli_nearest_connector(const char *typed)
{
	size_t near = arg_nearest(typed, short_name_at, NULL, ff_connector_count());

	return near == SIZE_MAX ? NULL : short_name_at(NULL, near);
}

static int unknown_class(const char *name)
{
	const char *near = cli_nearest_connector(name);
	char sentence[400];

	if (!near)
		snprintf(sentence, sizeof(sentence), "There is no connector \"%.200s\": 'fairforge connectors' lists them.", name);
	else
		snprintf(sentence, sizeof(sentence), "There is no connector \"%.200s\": did you mean %s?", name, near);
	return cli_wrong_use("connectors", sentence);
}

static int show(const struct connectors_args *a, const char *name)
{
	size_t index = 0;

	if (name && ff_connector_find(name, &index))
		return unknown_class(name);
	if (a->json)
		return print_json(index, name ? index + 1 : ff_connector_count());
	if (name)
		show_class(index);
	else
		list_classes();
	return 0;
}

int cmd_connectors(struct cli *cli, int argc, char **argv)
{
	struct connectors_args a = { 0 };
	struct buf why;
	int first, status;

	buf_init(&why, (size_t)4096);
	if (flags_parse(connectors_flags, connectors_flag_count, &a, argc, argv, &first, &why))
		status = cli_wrong_use(argv[0], why.ptr ? why.ptr : "Out of memory.");
	else if (argc - first > 1)
		status = cli_wrong_use(argv[0], "Name one connector, or none for all.");
	else if (a.help) {
		command_print_help(stdout, command_find(argv[0]));
		status = 0;
	} else {
		status = show(&a, first < argc ? argv[first] : NULL);
	}
	buf_release(&why);
	return cli_finish_stdout(cli, status);
}
