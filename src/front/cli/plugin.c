/*
 * plugin.c: a shared library that exports one data symbol, FF_PLUGIN_SYMBOL, of type struct ff_runner_type.
 *
 * RTLD_NOW: what it misses is found here and not in the middle of a run. RTLD_LOCAL: its names and ours stay apart. A data symbol and not a function, so
 * that nothing of a library that does not fit is called (its constructors have run, which nobody can prevent); its type and size in the symbol
 * table are looked at before a byte of it is read. A file that was copied in part only would crash the loader: its segments are measured first.
 */
#include "front/cli/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "front/cli/interrupt.h"

#define PATH_MAX_BYTES ((size_t)4096)
#define SEGMENTS_MOST  64u

/* ---- exit ---- */

static const char *guarded; /* path of the plugin; file-scope because an exit handler has no argument */
static const struct report *guard_report;

static void refuse_exit(void)
{
	if (!guarded)
		return;
	report_text(guard_report, FF_LOG_ERROR, "The plugin %s ended the process by exit, and with it the run.", guarded);
	interrupt_unlink_files();
	_exit(ff_code_exit_status(FF_R_INTERNAL));
}

void plugin_guard_exit(const char *path, const struct report *report)
{
	static bool registered;

	guard_report = report;
	guarded = path;
	if (!registered)
		registered = atexit(refuse_exit) == 0;
}

void plugin_release_exit(void)
{
	guarded = NULL;
}

/* ---- loading ---- */

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

/* Whether all that the loader would map is there. What is no library of this machine's kind is left to the loader and its sentence. */
static bool is_whole(int fd, uint64_t file_bytes)
{
	ElfW(Ehdr) head;
	ElfW(Phdr) segments[SEGMENTS_MOST];
	size_t bytes;

	if (pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
		return true;
	if (head.e_phentsize != sizeof(*segments) || head.e_phnum > SEGMENTS_MOST)
		return true;
	bytes = head.e_phnum * sizeof(*segments);
	if (pread(fd, segments, bytes, (off_t)head.e_phoff) != (ssize_t)bytes)
		return false;
	for (size_t i = 0; i < head.e_phnum; i++) {
		uint64_t end = (uint64_t)segments[i].p_offset + segments[i].p_filesz;

		if (segments[i].p_type == PT_LOAD && end > file_bytes)
			return false;
	}
	return true;
}

/* Of a file that can be read; whether it can is the loader's to say. */
static bool is_cut_off(const char *file, const struct stat *status)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	bool whole = fd < 0 || is_whole(fd, (uint64_t)status->st_size);

	if (fd >= 0)
		close(fd);
	return !whole;
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
	if (is_cut_off(file, &status))
		return refuse(why, path, "the file is cut off.");
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
