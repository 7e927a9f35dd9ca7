/*
 * plugin.c: a shared library that exports one data symbol, FF_PLUGIN_SYMBOL, of type struct ff_runner_type.
 *
 * RTLD_NOW: what it misses is found here and not in the middle of a run. RTLD_LOCAL: its names and ours stay apart. A data symbol and not a function, so
 * that nothing of a library that does not fit is called (its constructors have run, which nobody can prevent); its type and size in the symbol
 * table are looked at before a byte of it is read.
 */
#include "front/cli/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/macros.h"

#define PATH_MAX_BYTES ((size_t)4096)

static int refuse(struct buf *why, const char *path, const char *clause)
{
	buf_printf(why, "The plugin %s cannot be used: %s", path, clause);
	return -1;
}

/* The loader's words without the path, which the sentence has already. */
static int refuse_load(struct buf *why, const char *path, const char *file)
{
	const char *words = dlerror();
	size_t len = strlen(file);

	if (!words)
		words = "the loader does not say why";
	if (!strncmp(words, file, len) && !strncmp(words + len, ": ", 2))
		words += len + 2;
	buf_printf(why, "The plugin %s cannot be loaded: %s.", path, words);
	return -1;
}

/* A path without a slash would be looked up in the system's folders. */
static int open_library(const char *path, void **ret, struct buf *why)
{
	char file[PATH_MAX_BYTES + 3];
	struct stat status;

	if (strlen(path) > PATH_MAX_BYTES)
		return refuse(why, path, "its path is too long.");
	(void)snprintf(file, sizeof(file), "%s%s", strchr(path, '/') ? "" : "./", path);
	if (stat(file, &status)) {
		buf_printf(why, "The plugin %s cannot be loaded: %s.", path, strerror(errno));
		return -1;
	}
	if (!S_ISREG(status.st_mode))
		return refuse(why, path, "it is not a file.");
	*ret = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	return *ret ? 0 : refuse_load(why, path, file);
}

/* Whether the symbol table says that so much data lies at the symbol. Loaders that keep no such thing are believed. */
static bool is_data(const void *symbol, size_t bytes)
{
#ifdef __GLIBC__
	const ElfW(Sym) *entry = NULL;
	Dl_info info;

	if (!dladdr1(symbol, &info, (void **)&entry, RTLD_DL_SYMENT) || !entry)
		return true;
	return ELF64_ST_TYPE(entry->st_info) == STT_OBJECT && entry->st_size >= bytes;
#else
	(void)symbol, (void)bytes;
	return true;
#endif
}

static int find_runner(void *library, const char *path, const struct ff_runner_type **ret, struct buf *why)
{
	const struct ff_runner_type *type = dlsym(library, FF_PLUGIN_SYMBOL);
	struct ff_error err = { 0 };

	if (!type)
		return refuse(why, path, "it exports no " FF_PLUGIN_SYMBOL ", the struct ff_runner_type of a plugin.");
	if (!is_data(type, offsetof(struct ff_runner_type, flags)))
		return refuse(why, path, "its " FF_PLUGIN_SYMBOL " is no struct ff_runner_type.");
	if (type->abi == FF_RUNNER_ABI && !is_data(type, type->size))
		return refuse(why, path, "its struct ff_runner_type is smaller than its size says.");
	if (ff_runner_check(type, &err)) {
		buf_printf(why, "The plugin %s does not fit. %s", path, err.text);
		return -1;
	}
	*ret = type;
	return 0;
}

int plugin_load(const char *path, const struct ff_runner_type **ret, struct buf *why)
{
	void *library;

	if (open_library(path, &library, why))
		return -1;
	if (find_runner(library, path, ret, why) == 0)
		return 0;
	dlclose(library);
	return -1;
}
