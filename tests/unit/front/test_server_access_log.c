/* test_server_access_log.c: a line a request, one line whatever comes in, never waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "fairforge/fairforge.h"
#include "front/server/access_log.h"

static const struct access_entry plain = {
	.wall_ms = 1795357109123,
	.method = { "POST", 4 },
	.path = { "/run", 4 },
	.status = 200,
	.bytes_in = 512,
	.bytes_out = 830,
	.ms = 12.3456,
	.client = "127.0.0.1",
	.token_name = "ci",
	.request_id = "abc",
};

static void line_of(const struct access_entry *e, char *line, size_t size)
{
	struct buf out;

	buf_init(&out, ACCESS_LOG_LINE_MAX);
	assert_int_equal(access_log_format(e, &out), 0);
	assert_true(out.len < size);
	memcpy(line, out.ptr, out.len + 1);
	buf_release(&out);
}

static void test_line(void **state)
{
	char line[ACCESS_LOG_LINE_MAX + 1];

	(void)state;
	line_of(&plain, line, sizeof(line));
	assert_string_equal(
	        line,
	        "{\"time\":\"2026-11-22T14:18:29.123Z\",\"event\":\"request\",\"method\":\"POST\",\"path\":\"/run\",\"status\":200,"
	        "\"bytes_in\":512,\"bytes_out\":830,\"ms\":12.346,\"client\":\"127.0.0.1\",\"token\":\"ci\",\"request_id\":\"abc\"}"
	        "\n");
}

static void test_unknown_things_are_null(void **state)
{
	struct access_entry e = { .method = STR("GET"), .path = STR("/healthz"), .token_name = "", .ms = -1 };
	char line[ACCESS_LOG_LINE_MAX + 1];

	(void)state;
	line_of(&e, line, sizeof(line));
	assert_string_equal(line,
	                    "{\"time\":\"1970-01-01T00:00:00.000Z\",\"event\":\"request\",\"method\":\"GET\",\"path\":\"/"
	                    "healthz\",\"status\":null,"
	                    "\"bytes_in\":0,\"bytes_out\":0,\"ms\":0.000,\"client\":null,\"token\":null,\"request_id\":null}\n");
}

/* The line is one line, JSON, ASCII control free, and within its limit, with the value readable in it. */
static void holds(const char *path, size_t len)
{
	struct access_entry e = plain;
	char line[ACCESS_LOG_LINE_MAX + 1];
	struct ff_json_doc *doc;
	struct ff_error err;
	size_t n;

	e.path = str_of(path, len);
	e.method = e.path;
	line_of(&e, line, sizeof(line));
	n = strlen(line);
	assert_true(n <= ACCESS_LOG_LINE_MAX && line[n - 1] == '\n');
	for (size_t i = 0; i + 1 < n; i++)
		assert_true((unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
	if (ff_json_parse(line, n, 0, 0, &doc, &err))
		fail_msg("no JSON: %s\n%s", err.text, line);
	assert_int_equal(ff_json_type(ff_json_get(ff_json_root(doc), "path")), FF_JSON_STRING);
	ff_json_free(doc);
}

static void test_hostile_paths(void **state)
{
	static char many[5000];

	(void)state;
	holds("/\n\r\t\x1b[31m\"\\", 11);
	holds("/\x7f\xc2\x9b\xe2\x80\xae\xe2\x81\xa6", 9);
	holds("/\xff\xfe\xc0\x80\xed\xa0\x80", 8);
	holds("a\0b", 3);
	holds("", 0);
	for (int c = 1; c < 256; c++) {
		memset(many, c, sizeof(many));
		holds(many, sizeof(many));
	}
}

/* ---- writing ---- */

/* Lines wait until they are flushed, or until there is no more room. */
static void test_write(void **state)
{
	char got[ACCESS_LOG_LINE_MAX + 1], expected[ACCESS_LOG_LINE_MAX + 1];
	struct access_log log;
	size_t len, lines;
	int ends[2];

	(void)state;
	line_of(&plain, expected, sizeof(expected));
	len = strlen(expected);
	lines = ACCESS_LOG_LINE_MAX / len;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	access_log_init(&log, ends[1]);
	assert_int_equal(access_log_flush(&log), 0);
	for (size_t i = 0; i < lines; i++)
		assert_int_equal(access_log_add(&log, &plain), 0);
	assert_int_equal(read(ends[0], got, sizeof(got)), -1);
	assert_int_equal(access_log_add(&log, &plain), 0);
	assert_int_equal(read(ends[0], got, sizeof(got)), lines * len);
	assert_int_equal(access_log_flush(&log), 0);
	assert_int_equal(read(ends[0], got, sizeof(got)), len);
	assert_memory_equal(got, expected, len);
	assert_int_equal(access_log_flush(&log), 0);
	assert_int_equal(read(ends[0], got, sizeof(got)), -1);
	access_log_release(&log);
	close(ends[0]);
	close(ends[1]);
}

/* A pipe that nobody reads takes what it takes; then lines are dropped and counted, and the call comes back (the pipe blocks). */
static void test_a_full_pipe_is_not_waited_for(void **state)
{
	struct access_log log;
	uint64_t dropped = 0;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	access_log_init(&log, ends[1]);
	for (unsigned added = 0; !dropped; added++) {
		assert_true(added < 1000000);
		dropped = access_log_add(&log, &plain);
	}
	assert_true(dropped > 1); /* all that waited */
	assert_int_equal(access_log_flush(&log), 1);
	assert_int_equal(access_log_flush(&log), 0);
	access_log_release(&log);
	close(ends[0]);
	close(ends[1]);
}

static void test_a_closed_descriptor(void **state)
{
	struct access_log log;

	(void)state;
	access_log_init(&log, -1);
	assert_int_equal(access_log_add(&log, &plain), 0);
	assert_int_equal(access_log_add(&log, &plain), 0);
	assert_int_equal(access_log_flush(&log), 2);
	access_log_release(&log);
}

/* ---- ids ---- */

static struct rand ids = { 42, 7 };

static void kept(const char *header, bool expected)
{
	char id[REQUEST_ID_MAX + 1] = "";

	request_id_choose(str_from(header), &ids, id);
	if (!strcmp(id, header ? header : "?") != expected)
		fail_msg("\"%s\" became \"%s\"", header ? header : "(none)", id);
	if (!expected && (strlen(id) != 32 || strspn(id, "0123456789abcdef") != 32))
		fail_msg("\"%s\" is no id of ours", id);
}

static void test_ids(void **state)
{
	char longest[REQUEST_ID_MAX + 2], one[REQUEST_ID_MAX + 1], two[REQUEST_ID_MAX + 1];

	(void)state;
	kept("abc", true);
	kept("Root=1-5759e988-bd862e3fe1be46a994272793", true);
	kept("a.b_c:d=e+f/g@h-1", true);
	kept(NULL, false);
	kept("", false);
	kept("a b", false);
	kept("a\nb", false);
	kept("a\"b", false);
	kept("a<b>", false);
	kept("\xc3\xa4", false);
	memset(longest, 'x', sizeof(longest));
	longest[REQUEST_ID_MAX] = '\0';
	kept(longest, true);
	longest[REQUEST_ID_MAX] = 'x';
	longest[REQUEST_ID_MAX + 1] = '\0';
	kept(longest, false);
	request_id_choose(STR_NULL, &ids, one);
	request_id_choose(STR_NULL, &ids, two);
	assert_string_not_equal(one, two);
	request_id_choose(str_of("a\0b", 3), &ids, one);
	assert_int_equal(strlen(one), 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_unknown_things_are_null),
		cmocka_unit_test(test_hostile_paths),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_a_full_pipe_is_not_waited_for),
		cmocka_unit_test(test_a_closed_descriptor),
		cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
