/* test_output_file.c: a file appears whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "front/common/output_file.h"

static char folder[32];

static const char *in_folder(const char *name)
{
	static char path[2][512];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
	return path[turn];
}

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/fairforge-unit-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

/* Files in the folder; they are removed. */
static int empty_folder(void)
{
	DIR *d = opendir(folder);
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(d)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
			count++;
			unlink(in_folder(entry->d_name));
		}
	closedir(d);
	return count;
}

static int remove_folder(void **state)
{
	(void)state;
	empty_folder();
	return rmdir(folder);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void expect(const char *path, const char *text)
{
	char got[64] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	got[fread(got, 1, sizeof(got) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(got, text);
}

static void test_commit_replaces(void **state)
{
	struct output_file f;
	struct stat status;

	(void)state;
	put(in_folder("out"), "old");
	chmod(in_folder("out"), 0640);
	assert_int_equal(output_file_open(&f, in_folder("out")), 0);
	assert_int_equal(output_file_write(&f, "new", 3), 0);
	expect(in_folder("out"), "old");
	assert_int_equal(output_file_commit(&f), 0);
	output_file_release(&f);
	expect(in_folder("out"), "new");
	assert_int_equal(stat(in_folder("out"), &status), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
	assert_int_equal(empty_folder(), 1);
}

static void test_release_without_commit_leaves_nothing(void **state)
{
	struct output_file f;

	(void)state;
	put(in_folder("out"), "old");
	assert_int_equal(output_file_open(&f, in_folder("out")), 0);
	assert_int_equal(output_file_write(&f, "new", 3), 0);
	output_file_release(&f);
	expect(in_folder("out"), "old");
	assert_int_equal(output_file_open(&f, in_folder("other")), 0);
	output_file_release(&f);
	assert_int_equal(empty_folder(), 1);
}

static void test_a_new_file_follows_the_umask(void **state)
{
	mode_t old = umask(027);
	struct output_file f;
	struct stat status;

	(void)state;
	assert_int_equal(output_file_open(&f, in_folder("out")), 0);
	assert_int_equal(output_file_commit(&f), 0);
	output_file_release(&f);
	umask(old);
	assert_int_equal(stat(in_folder("out"), &status), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
	assert_int_equal(empty_folder(), 1);
}

static void test_a_link_stays_a_link(void **state)
{
	struct output_file f;
	struct stat status;

	(void)state;
	put(in_folder("target"), "old");
	assert_int_equal(symlink("target", in_folder("link")), 0);
	assert_int_equal(output_file_open(&f, in_folder("link")), 0);
	assert_int_equal(output_file_write(&f, "new", 3), 0);
	assert_int_equal(output_file_commit(&f), 0);
	output_file_release(&f);
	expect(in_folder("target"), "new");
	assert_int_equal(lstat(in_folder("link"), &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_int_equal(empty_folder(), 2);
}

static void test_what_cannot_be_opened(void **state)
{
	struct output_file f;

	(void)state;
	assert_int_equal(output_file_open(&f, folder), -1);
	assert_int_equal(f.error_number, EISDIR);
	output_file_release(&f);
	assert_int_equal(output_file_open(&f, in_folder("no/such/out")), -1);
	assert_int_equal(f.error_number, ENOENT);
	output_file_release(&f);
	assert_int_equal(empty_folder(), 0);
}

static void test_failures_stick(void **state)
{
	struct output_file f;
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	output_file_from_fd(&f, "a stream", fd);
	assert_int_equal(output_file_write(&f, "x", 1), -1);
	assert_int_equal(f.error_number, EBADF);
	errno = 0;
	assert_int_equal(output_file_write(&f, "x", 1), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(output_file_commit(&f), -1);
	output_file_release(&f);
	assert_true(fcntl(fd, F_GETFD) >= 0); /* a descriptor of somebody else stays open */
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commit_replaces),
		cmocka_unit_test(test_release_without_commit_leaves_nothing),
		cmocka_unit_test(test_a_new_file_follows_the_umask),
		cmocka_unit_test(test_a_link_stays_a_link),
		cmocka_unit_test(test_what_cannot_be_opened),
		cmocka_unit_test(test_failures_stick),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
