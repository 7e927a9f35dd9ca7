/*
 * python_adapter.c: the command of the Python adapter.
 *
 * The adapter is a folder of Python files. It is looked for beside the executable (a build folder), in ../share/fairforge from there (any installed
 * prefix, also one that was moved), and where this build would install it. What is in the command can be seen in the process list: the
 * name of a class, never its arguments, which go into the worker's hello.
 */
#include "front/cli/python_adapter.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"

#define FOLDER "fairforge_worker"

static const char *const batches_words[] = { "each", "whole", "parallel" };

bool python_adapter_knows_batches(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(batches_words); i++)
		if (!strcmp(batches_words[i], word))
			return true;
	return false;
}

const char *python_adapter_contradiction(const struct python_adapter *p)
{
	if (p->runner && p->llm)
		return "--python-runner and --python-llm exclude each other.";
	if (p->batches && !p->runner)
		return "--batches needs a --python-runner.";
	if (p->python && !p->runner && !p->llm)
		return "--python needs a --python-runner or --python-llm.";
	return NULL;
}

/* ---- where the adapter is ---- */

/* The folder of the executable; "" when it is unknown. */
static void executable_folder(char *out, size_t size)
{
	ssize_t len = readlink("/proc/self/exe", out, size - 1);
	char *slash;

	out[len > 0 ? len : 0] = '\0';
	slash = strrchr(out, '/');
	out[slash ? slash - out : 0] = '\0';
}

static bool is_adapter(struct arena *arena, const char *folder)
{
	const char *entry = arena_printf(arena, "%s/__main__.py", folder);

	return entry && access(entry, R_OK) == 0;
}

static const char *find_adapter(struct arena *arena, struct buf *why)
{
	char executable[PATH_MAX];
	const char *places[3];

	executable_folder(executable, sizeof(executable));
	places[0] = arena_printf(arena, "%s/python/" FOLDER, executable);
	places[1] = arena_printf(arena, "%s/../share/fairforge/python/" FOLDER, executable);
	places[2] = FF_DATA_FOLDER "/python/" FOLDER;
	for (size_t i = *executable ? 0 : 2; i < ARRAY_SIZE(places); i++) {
		if (!places[i])
			return NULL;
		if (is_adapter(arena, places[i]))
			return places[i];
	}
	buf_printf(why, "The Python adapter is not installed: it is neither in %s, nor in %s, nor in %s.", places[0], places[1],
	           places[2]);
	return NULL;
}

/* ---- the command, as words for the splitting of a worker's command ---- */

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_-./:@%+,=", c));
}

static void append_word(struct buf *out, const char *word)
{
	size_t plain = 0;

	if (out->len)
		buf_append_char(out, ' ');
	while (is_plain(word[plain]))
		plain++;
	if (plain && !word[plain]) {
		buf_append_str(out, str_from(word));
		return;
	}
	buf_append_char(out, '\'');
	for (; *word; word++)
		if (*word == '\'')
			buf_append_str(out, STR("'\\''"));
		else
			buf_append_char(out, *word);
	buf_append_char(out, '\'');
}

int python_adapter_prepare(struct python_adapter *p, struct arena *arena, struct buf *why)
{
	const char *folder = find_adapter(arena, why);
	struct buf command;

	if (!folder)
		return -1;
	buf_init(&command, (size_t)1 << 20);
	append_word(&command, p->python ? p->python : "python3");
	append_word(&command, folder);
	append_word(&command, p->runner ? "runner" : "llm");
	append_word(&command, p->runner ? p->runner : p->llm);
	if (p->batches) {
		append_word(&command, "--batches");
		append_word(&command, p->batches);
	}
	p->command = buf_failed(&command) ? NULL : arena_memdup(arena, command.ptr, command.len);
	buf_release(&command);
	return p->command ? 0 : -1;
}
