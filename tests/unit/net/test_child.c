/*
 * test_child.c: real processes (/bin/sh and small tools) on a real loop: what they write, what they are sent, how they end, and that nothing of them is left.
 * Every wait is for an event; a child that did not behave would hang the test, whose runner has a limit.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "net/child.h"

struct seen {
	struct loop *loop;
	struct child_keeper *keeper;
	struct child *child;
	char out[1 << 17], err[4096];
	size_t out_len;
	unsigned lines, output_ends, input_closes, exits;
	struct child_end end;
	bool dismiss_on_output;
};

static void on_output(void *user, const char *data, size_t len)
{
	struct seen *s = user;
	size_t room = sizeof(s->out) - 1 - s->out_len;
	memcpy(s->out + s->out_len, data, len < room ? len : room);
	s->out_len += len < room ? len : room;
	if (s->dismiss_on_output) {
		child_dismiss(s->child, false);
		s->child = NULL;
	}
}

static void on_error_line(void *user, struct str line)
{
	struct seen *s = user;
	s->lines++;
	snprintf(s->err, sizeof(s->err), "%.*s", STR_ARG(line));
}

static void on_output_end(void *user)
{
	((struct seen *)user)->output_ends++;
}

static void on_input_closed(void *user)
{
	((struct seen *)user)->input_closes++;
}

static void on_exit_seen(void *user, const struct child_end *end)
{
	struct seen *s = user;
	s->exits++;
	s->end = *end;
}

static const struct child_callbacks callbacks = { on_output, on_output_end, on_error_line, on_input_closed, on_exit_seen };
static const char *const environment[] = { "PATH=/usr/bin:/bin", "GREETING=hello", NULL };

static int setup(void **state)
{
	struct seen *s = calloc(1, sizeof *s);
	assert_int_equal(loop_new(&s->loop, NULL), 0);
	assert_int_equal(child_keeper_new(s->loop, &s->keeper), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct seen *s = *state;
	child_dismiss(s->child, false);
	child_keeper_free(s->keeper);
	loop_free(s->loop);
	free(s);
	return 0;
}

static int start(struct seen *s, const char *const *argv, struct error *err)
{
	struct child_config config = { .argv = argv, .envp = environment, .callbacks = &callbacks, .user = s };
	return child_start(s->keeper, &config, &s->child, err);
}

static void start_sh(struct seen *s, const char *script)
{
	struct error err = { 0 };
	if (start(s, (const char *const[]){ "sh", "-c", script, NULL }, &err))
		fail_msg("%s", err.text);
}

static void wait_for_exit(struct seen *s)
{
	while (!s->exits)
		loop_wait(s->loop, 1000);
}

static void test_output_and_exit_status(void **state)
{
	struct seen *s = *state;
	start_sh(s, "echo $GREETING; printf 'one\\ntwo\\r\\nthree' >&2; exit 3");
	wait_for_exit(s);
	assert_string_equal(s->out, "hello\n");
	assert_int_equal(s->lines, 3);
	assert_string_equal(s->err, "three");
	assert_false(s->end.signalled);
	assert_int_equal(s->end.number, 3);
	char text[80];
	child_end_format(&s->end, text, sizeof text);
	assert_string_equal(text, "exit status 3");
}

static void test_signal(void **state)
{
	struct seen *s = *state;
	start_sh(s, "kill -SEGV $$");
	wait_for_exit(s);
	assert_true(s->end.signalled);
	assert_int_equal(s->end.number, SIGSEGV);
	char text[80];
	child_end_format(&s->end, text, sizeof text);
	assert_string_equal(text, "signal 11 (Segmentation fault)");
}

static void test_input_comes_back(void **state)
{
	struct seen *s = *state;
	start_sh(s, "exec cat");
	assert_int_equal(child_send(s->child, STR("ab")), 0);
	assert_int_equal(child_send(s->child, STR("c\n")), 0);
	assert_int_equal(child_unsent(s->child), 4);
	while (s->out_len < 4)
		loop_wait(s->loop, 1000);
	assert_string_equal(s->out, "abc\n");
	assert_int_equal(child_unsent(s->child), 0);
}

static void test_a_full_pipe_waits(void **state)
{
	struct seen *s = *state;
	static char block[100000];
	memset(block, 'x', sizeof block);
	start_sh(s, "read -r word; exec cat >/dev/null");
	for (int i = 0; i < 20; i++)
		assert_int_equal(child_send(s->child, str_of(block, sizeof block)), 0);
	loop_wait(s->loop, 0);
	assert_true(child_unsent(s->child) > 0);
	assert_int_equal(child_send(s->child, STR("\n")), 0);
	while (child_unsent(s->child))
		loop_wait(s->loop, 1000);
}

static void test_environment_is_only_what_was_given(void **state)
{
	struct seen *s = *state;
	setenv("OURS", "secret", 1);
	struct error err = { 0 };
	assert_int_equal(start(s, (const char *const[]){ "env", NULL }, &err), 0);
	wait_for_exit(s);
	assert_null(strstr(s->out, "OURS"));
	assert_non_null(strstr(s->out, "GREETING=hello"));
}

static void test_descriptors_signals_and_group(void **state)
{
	struct seen *s = *state;
	int leak = dup(STDIN_FILENO);
	sigset_t set;
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	start_sh(s, "ls /proc/$$/fd | tr '\\n' ' '; grep SigBlk /proc/self/status; ps -o pgid= -p $$ 2>/dev/null || cut -d' ' -f5 "
	            "/proc/$$/stat");
	wait_for_exit(s);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	close(leak);
	char list[] = "0 1 2 ", want[32];
	assert_memory_equal(s->out, list, sizeof(list) - 1);
	assert_non_null(strstr(s->out, "SigBlk:\t0000000000000000"));
	snprintf(want, sizeof want, "%d\n", child_pid(s->child));
	assert_non_null(strstr(s->out, want));
}

static void test_what_cannot_start(void **state)
{
	struct seen *s = *state;
	char script[] = "/tmp/fairforge-test-XXXXXX";
	const char *const cases[][2] = {
		{ "no-such-program-anywhere", "was not found in PATH" },
		{ "/no/such/file", "does not exist" },
		{ "/etc/passwd", "(chmod +x)" },
		{ "/", "is a folder" },
		{ "", "was not found" },
		{ script, "its interpreter" },
	};
	int fd = mkstemp(script);
	assert_true(fd >= 0);
	assert_int_equal(dprintf(fd, "#!/etc/passwd\n"), 14);
	assert_int_equal(fchmod(fd, 0755), 0);
	close(fd);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = { 0 };
		assert_int_equal(start(s, (const char *const[]){ cases[i][0], NULL }, &err), FF_EUSAGE);
		if (!strstr(err.text, cases[i][1]))
			fail_msg("%s: expected \"%s\", got: %s", cases[i][0], cases[i][1], err.text);
	}
	unlink(script);
}

static bool is_gone(int pid)
{
	char path[64], line[512] = "";
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return true;
	if (!fgets(line, sizeof line, f))
		line[0] = '\0';
	fclose(f);
	const char *end = strrchr(line, ')');
	return !end || end[2] == 'Z'; /* a zombie waits for whoever adopted it */
}

static void test_group_ends_with_its_leader(void **state)
{
	struct seen *s = *state;
	start_sh(s, "sleep 1000 & echo $!; exit 0");
	wait_for_exit(s);
	int pid = (int)strtol(s->out, NULL, 10);
	assert_true(pid > 1);
	while (!is_gone(pid))
		;
}

static void test_dismissed_child_is_ended_and_silent(void **state)
{
	struct seen *s = *state;
	start_sh(s, "trap '' TERM; echo $$; sleep 1000; sleep 1000");
	s->dismiss_on_output = true;
	while (s->child)
		loop_wait(s->loop, 1000);
	int pid = (int)strtol(s->out, NULL, 10); /* NOLINT(cert-err34-c) */
	child_keeper_free(s->keeper);            /* SIGKILL, because SIGTERM is ignored */
	s->keeper = NULL;
	assert_true(is_gone(pid));
	assert_int_equal(s->exits, 0);
}

static void test_polite_end_lets_it_finish(void **state)
{
	struct seen *s = *state;
	char path[] = "/tmp/ff-child-XXXXXX", script[128], text[16] = "";
	int fd = mkstemp(path);
	snprintf(script, sizeof script, "read -r word; cat >/dev/null; echo $word >%s", path);
	start_sh(s, script);
	assert_int_equal(child_send(s->child, STR("bye\n")), 0);
	child_dismiss(s->child, true);
	s->child = NULL;
	child_keeper_free(s->keeper);
	s->keeper = NULL;
	assert_true(read(fd, text, sizeof text - 1) == 4);
	assert_string_equal(text, "bye\n");
	close(fd);
	unlink(path);
}

static void test_closed_streams_are_told(void **state)
{
	struct seen *s = *state;
	start_sh(s, "exec >&-; exec sleep 1000");
	while (!s->output_ends)
		loop_wait(s->loop, 1000);
	assert_int_equal(s->exits, 0);
	child_dismiss(s->child, false);
	start_sh(s, "exec <&-; echo; exec sleep 1000");
	while (!s->out_len)
		loop_wait(s->loop, 1000);
	assert_int_equal(child_send(s->child, STR("x")), 0);
	while (!s->input_closes)
		loop_wait(s->loop, 1000);
	assert_int_equal(s->exits, 0);
}

static void test_waiting_without_the_loop(void **state)
{
	struct seen *s = *state;
	start_sh(s, "read -r word; echo got $word; exit 5");
	assert_int_equal(child_send(s->child, STR("it\n")), 0);
	while (!s->exits)
		child_wait(&s->child, 1, 1000);
	assert_string_equal(s->out, "got it\n");
	assert_int_equal(s->end.number, 5);
}

static void test_long_lines_of_standard_error_are_cut(void **state)
{
	struct seen *s = *state;
	start_sh(s, "head -c 20000 /dev/zero | tr '\\0' x >&2; echo >&2; echo end >&2");
	wait_for_exit(s);
	assert_int_equal(s->lines, 2);
	assert_string_equal(s->err, "end");
}

static void test_no_memory(void **state)
{
	struct seen *s = *state;
	for (uint64_t n = 1;; n++) {
		struct error err = { 0 };
		mem_fault_arm(n, true);
		int r = start(s, (const char *const[]){ "sh", "-c", "exit 0", NULL }, &err);
		uint64_t hits = mem_fault_hits();
		mem_fault_arm(0, false);
		if (r == 0) {
			assert_int_equal(hits, 0);
			break;
		}
		assert_int_equal(r, FF_ENOMEM);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_output_and_exit_status),
		TEST(test_signal),
		TEST(test_input_comes_back),
		TEST(test_a_full_pipe_waits),
		TEST(test_environment_is_only_what_was_given),
		TEST(test_descriptors_signals_and_group),
		TEST(test_what_cannot_start),
		TEST(test_group_ends_with_its_leader),
		TEST(test_dismissed_child_is_ended_and_silent),
		TEST(test_polite_end_lets_it_finish),
		TEST(test_closed_streams_are_told),
		TEST(test_waiting_without_the_loop),
		TEST(test_long_lines_of_standard_error_are_cut),
		TEST(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
