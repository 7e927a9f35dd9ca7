/*
 * setting.c: name=value as the user typed it → JSON values.
 *
 * `env:NAME` and `file:PATH` keep secrets out of the process list; only an operator's engine resolves them, because a stranger must not read the
 * process's environment or files by naming them.
 */
#include "lib/setting.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "lib/internal.h"
#include "model/payload.h"

static void make_string(struct str text, struct json *ret)
{
	*ret = (struct json){ .type = JSON_STRING, .text = text };
}

int setting_parse(struct arena *a, struct str text, struct json *ret)
{
	struct str copy;
	int r;

	if (arena_str(a, text, &copy))
		return FF_ENOMEM;
	r = json_parse(a, copy, &(struct json_limits){ 0 }, ret, NULL, NULL);
	if (r == FF_ENOMEM)
		return r;
	if (r)
		make_string(copy, ret);
	return 0;
}

static bool is_text_row(const struct param_row *row)
{
	return row &&
	       (row->type == PARAM_STRING || row->type == PARAM_SECRET || row->type == PARAM_LITERAL || row->type == PARAM_TEXT);
}

/* A text parameter takes a JSON string, or null where null is allowed; everything else is the text as typed ("123", "true"). */
static int parse_for_row(struct arena *a, struct str text, const struct param_row *row, struct json *ret)
{
	int r = setting_parse(a, text, ret);

	if (r || !is_text_row(row) || ret->type == JSON_STRING || (ret->type == JSON_NULL && row->nullable))
		return r;
	if (arena_str(a, text, &text))
		return FF_ENOMEM;
	make_string(text, ret);
	return 0;
}

/*
 * A name that may be repeated: capitals, digits and underscores, as variables are called. What else stands behind env: may be the key itself, put
 * there by a slip, and must not get into a sentence.
 */
static bool is_variable_name(const char *name)
{
	return *name && strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(name);
}

static int from_environment(struct ff_engine *engine, const char *where, const char *name, struct problems *problems,
                            struct str *ret)
{
	const char *value = lib_getenv(engine, name);

	if (!value) {
		if (is_variable_name(name))
			problem_error(problems, where, "The environment variable %s is not set.", name);
		else
			problem_error(
			        problems, where,
			        "There is no such environment variable: after env: stands the name of a variable, not the value.");
		return FF_EUSAGE;
	}
	*ret = str_from(value);
	return 0;
}

/* The whole file without the line end that editors add. */
static int from_file(struct arena *a, const char *where, const char *path, struct problems *problems, struct str *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct buf text;
	struct error err = { 0 };
	int r;

	if (fd < 0) {
		problem_error(problems, where, "The file %s cannot be read: %s.", path, strerror(errno));
		return FF_EUSAGE;
	}
	buf_init(&text, SETTING_FILE_MAX_BYTES);
	r = input_read_fd(fd, path, SETTING_FILE_MAX_BYTES, &text, &err);
	close(fd);
	if (r == 0 && text.len && text.ptr[text.len - 1] == '\n')
		text.len--;
	if (r == 0 && text.len && text.ptr[text.len - 1] == '\r')
		text.len--;
	if (r == 0 && arena_str(a, buf_str(&text), ret))
		r = FF_ENOMEM;
	if (text.ptr)
		explicit_bzero(text.ptr, text.room);
	buf_release(&text);
	if (r && r != FF_ENOMEM) {
		problem_error(problems, where, "The file %s cannot be read: %s", path, err.text);
		r = FF_EUSAGE;
	}
	return r;
}

int setting_text(struct ff_engine *engine, struct arena *a, const struct ff_setting *setting, const char *kind,
                 struct problems *problems, struct str *ret, bool *ret_secret)
{
	const char *value = setting->value ? setting->value : "";
	const char *where = arena_printf(a, "%s %s", kind, setting->name);
	bool from_env = strncmp(value, "env:", 4) == 0, reference = from_env || strncmp(value, "file:", 5) == 0;

	if (!where)
		return FF_ENOMEM;
	*ret_secret = reference;
	if (reference && engine->role != FF_ROLE_OPERATOR) {
		problem_error(problems, where, "Only an operator may name a file or an environment variable.");
		return FF_EUSAGE;
	}
	if (from_env)
		return from_environment(engine, where, value + 4, problems, ret);
	if (reference)
		return from_file(a, where, value + 5, problems, ret);
	*ret = str_from(value);
	return 0;
}

int setting_param(struct ff_engine *engine, struct arena *a, const struct ff_setting *setting, const char *kind,
                  const struct param_row *row, struct problems *problems, struct json *ret, bool *ret_secret)
{
	struct str text;
	int r = setting_text(engine, a, setting, kind, problems, &text, ret_secret);

	*ret_secret |= row && row->type == PARAM_SECRET;
	return r ? r : parse_for_row(a, text, row, ret);
}
