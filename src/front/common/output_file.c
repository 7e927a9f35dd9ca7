/*
 * output_file.c: a document on its way to a descriptor or a file that appears whole or not at all.
 *
 * States: open (fd, aside) → committed (target replaced, aside NULL) → released; releasing an open one removes the file aside. The new file has
 * the mode of the one it replaces, else what the umask leaves of 0666. A symbolic link stays a link: its target is replaced.
 */
#include "front/common/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

#define PATH_MAX_BYTES ((size_t)64 << 10)

static int fail(struct output_file *f, int number)
{
	if (!f->error_number)
		f->error_number = number ? number : EIO;
	errno = f->error_number;
	return -1;
}

void output_file_from_fd(struct output_file *f, const char *name, int fd)
{
	*f = (struct output_file){ .name = name, .fd = fd };
}

/* The path that a rename must hit: links followed where the file exists. NULL: out of memory or a path that leads nowhere (errno). */
static char *resolve(const char *path)
{
	char *real = realpath(path, NULL), *copy;

	if (!real && errno != ENOENT)
		return NULL;
	copy = mem_strdup(real ? real : path);
	free(real); /* realpath's memory is libc's, not ours */
	if (!copy)
		errno = ENOMEM;
	return copy;
}

/* "dir/.name.XXXXXX" beside the target. */
static char *aside_template(const char *target)
{
	const char *slash = strrchr(target, '/');
	int dir = slash ? (int)(slash - target) + 1 : 0;
	struct buf b;

	buf_init(&b, PATH_MAX_BYTES);
	buf_printf(&b, "%.*s.%.200s.XXXXXX", dir, target, slash ? slash + 1 : target);
	if (buf_failed(&b)) {
		errno = buf_failed(&b) == FF_ENOMEM ? ENOMEM : ENAMETOOLONG;
		buf_release(&b);
		return NULL;
	}
	return b.ptr;
}

static mode_t wanted_mode(const struct stat *old)
{
	mode_t mask;

	if (old)
		return old->st_mode & 0777;
	mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

static int open_aside(struct output_file *f, const struct stat *old)
{
	f->aside = aside_template(f->target);
	if (!f->aside)
		return fail(f, errno);
	f->fd = mkostemp(f->aside, O_CLOEXEC);
	if (f->fd < 0) {
		int number = errno;

		mem_free(f->aside);
		f->aside = NULL;
		return fail(f, number);
	}
	if (fchmod(f->fd, wanted_mode(old)))
		return fail(f, errno);
	return 0;
}

int output_file_open(struct output_file *f, const char *path)
{
	struct stat old;
	bool exists = stat(path, &old) == 0;

	*f = (struct output_file){ .name = path, .fd = -1, .owned = true };
	if (exists && S_ISDIR(old.st_mode))
		return fail(f, EISDIR);
	if (exists && !S_ISREG(old.st_mode)) {
		f->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return f->fd < 0 ? fail(f, errno) : 0;
	}
	if (exists && access(path, W_OK))
		return fail(f, errno);
	f->target = resolve(path);
	if (!f->target)
		return fail(f, errno);
	return open_aside(f, exists ? &old : NULL);
}

int output_file_write(struct output_file *f, const char *data, size_t len)
{
	if (f->error_number)
		return fail(f, f->error_number);
	while (len) {
		ssize_t n = write(f->fd, data, len);

		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			(void)poll(&(struct pollfd){ .fd = f->fd, .events = POLLOUT }, 1, -1);
		} else if (errno != EINTR) {
			return fail(f, errno);
		}
	}
	return 0;
}

int output_file_commit(struct output_file *f)
{
	if (f->error_number)
		return fail(f, f->error_number);
	if (!f->owned)
		return 0;
	/* A pipe or device has nothing to make durable; on a file a failure to flush is a failure to keep the answers. */
	if (f->aside && fsync(f->fd) && errno != EINVAL && errno != EROFS)
		return fail(f, errno);
	if (close(f->fd)) {
		f->fd = -1;
		return fail(f, errno);
	}
	f->fd = -1;
	if (!f->aside)
		return 0;
	if (rename(f->aside, f->target))
		return fail(f, errno);
	mem_free(f->aside);
	f->aside = NULL;
	return 0;
}

void output_file_release(struct output_file *f)
{
	if (f->owned && f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	if (f->aside)
		unlink(f->aside);
	mem_free(f->aside);
	mem_free(f->target);
	f->aside = f->target = NULL;
}
