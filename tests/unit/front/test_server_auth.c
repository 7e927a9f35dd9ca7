/* test_server_auth.c: what a token file may hold, who gets in, and what the sentences never say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "front/server/auth.h"

#define TOKEN   "0123456789abcdef"
#define TOKEN_2 "fedcba9876543210-._~+/=="

static struct auth *parsed(const char *text)
{
	struct auth *a = NULL;
	struct error err = { 0 };

	if (auth_parse(str_from(text), "tokens", &a, &err))
		fail_msg("expected to be taken, but: %s %s\n%s", err.where, err.text, text);
	return a;
}

static void refused(const char *text, const char *where, const char *part)
{
	struct auth *a = NULL;
	struct error err = { 0 };
	int r = auth_parse(str_from(text), "tokens", &a, &err);

	if (r != FF_EUSAGE || strcmp(err.where, where) != 0 || !strstr(err.text, part))
		fail_msg("expected FF_EUSAGE at \"%s\" with \"%s\", got %d at \"%s\": %s", where, part, r, err.where, err.text);
	if (strstr(err.text, "secretsecret"))
		fail_msg("the sentence quotes the file: %s", err.text);
}

static void may(const struct auth *a, const char *header, const char *name)
{
	const char *challenge = NULL;
	const char *got = auth_check(a, str_from(header), &challenge);

	if (!name ? got != NULL : !got || strcmp(got, name) != 0)
		fail_msg("\"%s\": expected %s, got %s", header ? header : "(no header)", name ? name : "nobody",
		         got ? got : "nobody");
	if (!got && (!challenge || strncmp(challenge, "Bearer", 6) != 0))
		fail_msg("\"%s\": no challenge", header ? header : "(no header)");
}

static void test_lines(void **state)
{
	struct auth *a = parsed("\xef\xbb\xbf# comment\n\n  ci : " TOKEN " \r\n\t# other\r\nlaptop-2:" TOKEN_2);

	(void)state;
	assert_int_equal(auth_count(a), 2);
	assert_null(auth_warning(a));
	may(a, "Bearer " TOKEN, "ci");
	may(a, "bearer   " TOKEN, "ci");
	may(a, "BEARER " TOKEN_2 " ", "laptop-2");
	auth_free(a);
}

static void test_who_does_not_get_in(void **state)
{
	struct auth *a = parsed("ci:" TOKEN "\n");
	char longer[AUTH_TOKEN_MAX + 64];

	(void)state;
	may(a, NULL, NULL);
	may(a, "", NULL);
	may(a, "Bearer", NULL);
	may(a, "Bearer ", NULL);
	may(a, TOKEN, NULL);
	may(a, "Basic " TOKEN, NULL);
	may(a, "Bearer " TOKEN "0", NULL);
	may(a, "Bearer 0123456789abcde", NULL);
	may(a, "Bearer 0123456789abcdeF", NULL);
	may(a, "Bearer ci:" TOKEN, NULL);
	may(a, "Bearer " TOKEN " " TOKEN, NULL);
	may(a, "Bearer,Bearer " TOKEN, NULL);
	snprintf(longer, sizeof(longer), "Bearer %0*d", (int)AUTH_TOKEN_MAX + 1, 0);
	may(a, longer, NULL);
	auth_free(a);
}

static void test_a_nul_is_no_padding(void **state)
{
	static const char header[] = "Bearer " TOKEN "\0\0";
	struct auth *a = parsed("ci:" TOKEN "\n");
	const char *challenge;

	(void)state;
	assert_null(auth_check(a, str_of(header, sizeof(header) - 1), &challenge));
	auth_free(a);
}

static void test_challenges(void **state)
{
	struct auth *a = parsed("ci:" TOKEN "\n");
	const char *challenge;

	(void)state;
	assert_null(auth_check(a, STR_NULL, &challenge));
	assert_string_equal(challenge, "Bearer realm=\"fairforge\"");
	assert_null(auth_check(a, STR("Bearer wrong-wrong-wrong"), &challenge));
	assert_string_equal(challenge, "Bearer realm=\"fairforge\", error=\"invalid_token\"");
	assert_string_equal(auth_check(NULL, STR_NULL, &challenge), "");
	auth_free(a);
}

static void test_refused_files(void **state)
{
	(void)state;
	refused("", "tokens", "no token");
	refused("# only\n\n", "tokens", "no token");
	refused("ci:secretsecret\n", "tokens:1", "shorter than 16");
	refused("\n#\nsecretsecretsecret\n", "tokens:3", "no colon");
	refused(":secretsecretsecret\n", "tokens:1", "The name");
	refused("a b:secretsecretsecret\n", "tokens:1", "The name");
	refused("ci:secret secretsecret\n", "tokens:1", "cannot send");
	refused("ci:secretsecret\xc3\xa4-secret\n", "tokens:1", "cannot send");
	refused("ci:================\n", "tokens:1", "cannot send");
	refused("ci:secretsecret=secret\n", "tokens:1", "cannot send");
	refused("ci:secretsecretsecret\nci:another-token-here\n", "tokens:2", "every token needs a name");
	refused("ci:secretsecretsecret\ncd:secretsecretsecret\n", "tokens:2", "under another name");
}

static void test_sizes(void **state)
{
	char text[512], header[512];
	struct auth *a;

	(void)state;
	snprintf(text, sizeof(text), "ci:%0*d\n", (int)AUTH_TOKEN_MAX, 7);
	snprintf(header, sizeof(header), "Bearer %0*d", (int)AUTH_TOKEN_MAX, 7);
	a = parsed(text);
	may(a, header, "ci");
	auth_free(a);
	snprintf(text, sizeof(text), "ci:%0*d\n", (int)AUTH_TOKEN_MAX + 1, 7);
	refused(text, "tokens:1", "longer than 256");
	snprintf(text, sizeof(text), "%0*d:" TOKEN "\n", (int)AUTH_NAME_MAX + 1, 7);
	refused(text, "tokens:1", "The name");
}

/* All 1,024 get in, each by its own name, and not one more fits. */
static void test_many(void **state)
{
	char *text = mem_alloc(AUTH_FILE_MAX);
	size_t len = 0;
	struct auth *a;
	char header[64], name[16];

	(void)state;
	assert_non_null(text);
	for (unsigned i = 0; i < AUTH_TOKENS_MAX; i++)
		len += (size_t)snprintf(text + len, AUTH_FILE_MAX - len, "n%u:token-token-%08x\n", i, i);
	a = parsed(text);
	for (unsigned i = 0; i < AUTH_TOKENS_MAX; i += 93) {
		snprintf(header, sizeof(header), "Bearer token-token-%08x", i);
		snprintf(name, sizeof(name), "n%u", i);
		may(a, header, name);
	}
	may(a, "Bearer token-token-ffffffff", NULL);
	auth_free(a);
	snprintf(text + len, AUTH_FILE_MAX - len, "more:token-token-more\n");
	refused(text, "tokens:1025", "more than 1024");
	mem_free(text);
}

static void test_out_of_memory(void **state)
{
	(void)state;
	for (unsigned n = 1;; n++) {
		struct auth *a = NULL;
		struct error err = { 0 };
		int r;

		mem_fault_arm(n, false);
		r = auth_parse(STR("a:" TOKEN "\nb:" TOKEN "1\nc:" TOKEN "2\nd:" TOKEN "3\ne:" TOKEN "4\n"), "tokens", &a, &err);
		if (!mem_fault_hits()) {
			mem_fault_arm(0, false);
			assert_int_equal(r, 0);
			auth_free(a);
			assert_true(n > 2);
			return;
		}
		mem_fault_arm(0, false);
		assert_int_equal(r, FF_ENOMEM);
	}
}

/* ---- files ---- */

static void write_file(const char *path, mode_t mode, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void warns(const char *path, mode_t mode, const char *part)
{
	struct error err = { 0 };
	struct auth *a = NULL;
	const char *warning;

	write_file(path, mode, "ci:" TOKEN "\n");
	if (auth_load(path, &a, &err))
		fail_msg("%s", err.text);
	warning = auth_warning(a);
	if (part ? !warning || !strstr(warning, part) : warning != NULL)
		fail_msg("mode %04o: expected %s, got %s", (unsigned)mode, part ? part : "no warning", warning ? warning : "none");
	auth_free(a);
}

static void test_files(void **state)
{
	char folder[] = "/tmp/fairforge-auth-XXXXXX", path[64];
	struct error err = { 0 };
	struct auth *a = NULL;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/tokens", folder);
	assert_int_equal(auth_load(path, &a, &err), FF_EUSAGE);
	assert_string_equal(err.where, path);
	warns(path, 0600, NULL);
	warns(path, 0400, NULL);
	warns(path, 0640, "its group (mode 0640)");
	warns(path, 0644, "everybody on this machine (mode 0644)");
	assert_int_equal(auth_load(folder, &a, &err), FF_EUSAGE);
	unlink(path);
	rmdir(folder);
}

static void test_a_file_without_end(void **state)
{
	struct error err = { 0 };
	struct auth *a = NULL;

	(void)state;
	assert_int_equal(auth_load("/dev/zero", &a, &err), FF_EUSAGE);
	assert_non_null(strstr(err.text, "larger than 1 MiB"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_who_does_not_get_in),
		cmocka_unit_test(test_a_nul_is_no_padding),
		cmocka_unit_test(test_challenges),
		cmocka_unit_test(test_refused_files),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_a_file_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
