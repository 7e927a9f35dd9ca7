/*
 * child_spawn.c: posix_spawn with everything that must not be inherited taken away.
 *
 * posix_spawn and not fork: the engine may hold a gigabyte, and uv_spawn would install a SIGCHLD handler in the host program. glibc reports the
 * error of exec itself, so that a program that cannot be executed is told here and not by an exit status of 127.
 */
#include "net/child_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"

#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"

/* ---- the program ---- */

static struct str path_of(const char *const *envp)
{
	for (; *envp; envp++)
		if (strncmp(*envp, "PATH=", 5) == 0)
			return str_from(*envp + 5);
	return STR(PATH_DEFAULT);
}

static bool is_program(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* The path of `name` into `out`. 0, FF_EUSAGE or FF_ENOMEM. */
static int find_program(const char *name, const char *const *envp, struct buf *out, struct error *err)
{
	struct str rest = path_of(envp);

	if (strchr(name, '/'))
		return buf_append(out, name, strlen(name) + 1);
	while (*name && rest.ptr) {
		struct str folder = str_split(&rest, ':');

		buf_clear(out);
		buf_append_str(out, folder.len ? folder : STR("."));
		buf_append_char(out, '/');
		if (buf_append(out, name, strlen(name) + 1))
			return FF_ENOMEM;
		if (is_program(out->ptr))
			return 0;
	}
	return error_set(err, FF_EUSAGE, name, "The program \"%s\" was not found in PATH.", name);
}

/* ---- pipes ---- */

struct pipes {
	int fds[6]; /* in: read, write; out: read, write; err: read, write */
};

static void close_pipes(const struct pipes *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(p->fds); i++)
		if (p->fds[i] >= 0)
			close(p->fds[i]);
}

/* Above the standard streams, so that putting one in place never overwrites another. */
static int lift(int *fd)
{
	int higher;

	if (*fd > STDERR_FILENO)
		return 0;
	higher = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (higher < 0)
		return -1;
	close(*fd);
	*fd = higher;
	return 0;
}

static int open_pipes(struct pipes *p)
{
	memset(p->fds, -1, sizeof(p->fds));
	for (size_t i = 0; i < ARRAY_SIZE(p->fds); i += 2)
		if (pipe2(&p->fds[i], O_CLOEXEC))
			return -1;
	for (size_t i = 0; i < ARRAY_SIZE(p->fds); i++)
		if (lift(&p->fds[i]))
			return -1;
	return 0;
}

/* ---- the process ---- */

static int set_actions(posix_spawn_file_actions_t *actions, const struct pipes *p)
{
	int r = posix_spawn_file_actions_adddup2(actions, p->fds[0], STDIN_FILENO);

	r = r ? r : posix_spawn_file_actions_adddup2(actions, p->fds[3], STDOUT_FILENO);
	r = r ? r : posix_spawn_file_actions_adddup2(actions, p->fds[5], STDERR_FILENO);
	return r ? r : posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
}

static int set_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	r = posix_spawnattr_setpgroup(attr, 0);
	r = r ? r : posix_spawnattr_setsigmask(attr, &none);
	r = r ? r : posix_spawnattr_setsigdefault(attr, &all);
	return r ? r : posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/* An errno, or 0. */
static int spawn(const char *path, const char *const *argv, const char *const *envp, const struct pipes *p, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return r;
	r = posix_spawnattr_init(&attr);
	if (r) {
		posix_spawn_file_actions_destroy(&actions);
		return r;
	}
	r = set_actions(&actions, p);
	r = r ? r : set_attributes(&attr);
	r = r ? r : posix_spawn(ret, path, &actions, &attr, (char *const *)argv, (char *const *)envp);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* EACCES: the right may be missing on the file, on its interpreter, or by the file system (noexec). */
static int may_not_execute(const char *path, const char *name, struct error *err)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return error_set(err, FF_EUSAGE, name, "\"%s\" is a folder, not a program.", name);
	if (access(path, X_OK) == 0)
		return error_set(err, FF_EUSAGE, name,
		                 "\"%s\" may not be executed: its interpreter (#!) or its file system (noexec) does not allow it.",
		                 name);
	return error_set(err, FF_EUSAGE, name, "\"%s\" may not be executed: give it the right to (chmod +x).", name);
}

static int spawn_failed(int number, const char *path, const char *name, struct error *err)
{
	if (number == ENOMEM)
		return error_nomem(err);
	if (number == ENOENT && access(path, F_OK) == 0)
		return error_set(err, FF_EUSAGE, name,
		                 "\"%s\" cannot be started: the interpreter of its first line (#!) does not exist.", name);
	if (number == ENOENT)
		return error_set(err, FF_EUSAGE, name, "The program \"%s\" does not exist.", name);
	if (number == ENOEXEC)
		return error_set(err, FF_EUSAGE, name, "\"%s\" is neither a program nor a script whose first line begins with #!.",
		                 name);
	if (number == EACCES)
		return may_not_execute(path, name, err);
	return error_set(err, FF_EUSAGE, name, "\"%s\" cannot be started: %s.", name, strerror(number));
}

static int open_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* It runs, but cannot be watched. */
static int give_up(pid_t pid, struct error *err)
{
	int number = errno;

	kill(-pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return error_set(err, FF_EUSAGE, "",
	                 "A process cannot be watched (pidfd_open: %s); this needs Linux 5.3 and free descriptors.",
	                 strerror(number));
}

static int start(const char *path, const char *const *argv, const char *const *envp, struct pipes *p, struct spawned *ret,
                 struct error *err)
{
	int number = open_pipes(p) ? errno : spawn(path, argv, envp, p, &ret->pid);

	if (number)
		return spawn_failed(number, path, argv[0], err);
	ret->pidfd = open_pidfd(ret->pid);
	if (ret->pidfd < 0)
		return give_up(ret->pid, err);
	ret->in = p->fds[1];
	ret->out = p->fds[2];
	ret->err = p->fds[4];
	p->fds[1] = p->fds[2] = p->fds[4] = -1;
	return 0;
}

int child_spawn(const char *const *argv, const char *const *envp, struct spawned *ret, struct error *err)
{
	struct pipes pipes = { { -1, -1, -1, -1, -1, -1 } };
	struct buf path;
	int r;

	buf_init(&path, (size_t)64 << 10);
	r = find_program(argv[0], envp, &path, err);
	if (r && r != FF_EUSAGE)
		r = error_nomem(err);
	if (!r) {
		r = start(path.ptr, argv, envp, &pipes, ret, err);
		close_pipes(&pipes);
	}
	buf_release(&path);
	return r;
}
