/* test_lambda_log_line.c: a line of the log is one JSON object whatever other people's text holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "front/lambda/log_line.h"

struct sink {
	int fds[2];
	char text[8192];
};

static void sink_open(struct sink *s)
{
	assert_int_equal(pipe(s->fds), 0);
}

/* What was written, to its end. */
static const char *sink_read(struct sink *s)
{
	ssize_t len;

	close(s->fds[1]);
	len = read(s->fds[0], s->text, sizeof(s->text) - 1);
	close(s->fds[0]);
	assert_true(len >= 0);
	s->text[len] = '\0';
	return s->text;
}

static void test_a_line_is_json(void **state)
{
	struct sink s;
	struct log_output to;
	struct log_line line;
	struct ff_json_doc *doc;
	struct ff_error err;
	const struct ff_json *root;
	size_t len;
	const char *text;

	(void)state;
	sink_open(&s);
	to = (struct log_output){ s.fds[1], FF_LOG_INFO };
	log_line_open(&line, &to, FF_LOG_WARNING, "test");
	log_line_text(&line, "odd", STR("a\"b\\c\n\x1b[2J\x7f\xff\xe2\x80\xae end"));
	log_line_text(&line, "empty", STR_NULL);
	log_line_number(&line, "n", -5);
	log_line_close(&line);
	text = sink_read(&s);
	len = strlen(text);
	assert_true(len > 0 && text[len - 1] == '\n' && strchr(text, '\n') == text + len - 1);
	for (size_t i = 0; i + 1 < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			fail_msg("a control character stands in %s", text);
	assert_null(strstr(text, "\xe2\x80\xae")); /* it would turn a terminal's text around */
	assert_int_equal(ff_json_parse(text, len, 0, 0, &doc, &err), 0);
	root = ff_json_root(doc);
	assert_int_equal(ff_json_count(root), 5);
	assert_memory_equal(ff_json_text(ff_json_get(root, "level"), &len), "WARN", 4);
	assert_true(ff_json_double(ff_json_get(root, "n")) == -5);
	assert_memory_equal(ff_json_text(ff_json_get(root, "odd"), &len), "a\"b\\c\n\x1b[2J\x7f", 11);
	ff_json_free(doc);
}

static void test_levels(void **state)
{
	struct sink s;
	struct log_output to;

	(void)state;
	sink_open(&s);
	to = (struct log_output){ s.fds[1], FF_LOG_WARNING };
	log_sentence(&to, FF_LOG_INFO, "quiet", NULL, "No.");
	log_sentence(&to, FF_LOG_ERROR, "loud", "id-1", "Yes.");
	sink_read(&s);
	assert_null(strstr(s.text, "quiet"));
	assert_non_null(strstr(s.text, "\"event\": \"loud\", \"requestId\": \"id-1\", \"message\": \"Yes.\"}\n"));
}

static void test_a_line_that_is_too_long_is_lost(void **state)
{
	char *long_text = calloc(1, 64 << 10);
	struct sink s;
	struct log_output to;

	(void)state;
	memset(long_text, 'x', (64 << 10) - 1);
	sink_open(&s);
	to = (struct log_output){ s.fds[1], FF_LOG_INFO };
	log_sentence(&to, FF_LOG_ERROR, "long", NULL, long_text);
	log_sentence(&to, FF_LOG_ERROR, "short", NULL, "Yes.");
	sink_read(&s);
	assert_null(strstr(s.text, "long"));
	assert_non_null(strstr(s.text, "short"));
	free(long_text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_line_is_json),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_a_line_that_is_too_long_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
