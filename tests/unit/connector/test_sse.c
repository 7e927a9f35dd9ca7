/* test_sse.c: an event stream gives the same events however its bytes are cut, and tolerates what servers really send. */
#include "turn_kit.h"

#include "connector/sse.h"

struct seen {
	struct buf out; /* "type|data;" per event */
	int stop_at;    /* the event that returns -99; 0: none */
	int count;
};

static int on_event(void *user, struct str type, struct str data)
{
	struct seen *s = user;

	assert_int_equal(buf_append_str(&s->out, type), 0);
	assert_int_equal(buf_append_char(&s->out, '|'), 0);
	assert_int_equal(buf_append_str(&s->out, data), 0);
	assert_int_equal(buf_append_char(&s->out, ';'), 0);
	return ++s->count == s->stop_at ? -99 : 0;
}

static int run(struct seen *s, struct str stream, size_t step)
{
	struct sse sse;
	struct arena a;
	int r = 0;

	buf_clear(&s->out);
	s->count = 0;
	arena_init(&a);
	sse_init(&sse, &a, on_event, s);
	for (size_t i = 0; i < stream.len && r == 0; i += step)
		r = sse_feed(&sse, stream.ptr + i, MIN(step, stream.len - i));
	if (r == 0)
		r = sse_end(&sse);
	arena_release(&a);
	return r;
}

static void expect(struct str stream, const char *want)
{
	struct seen s = { 0 };

	buf_init(&s.out, 1 << 20);
	for (size_t step = 1; step <= stream.len; step++) {
		assert_int_equal(run(&s, stream, step), 0);
		if (!str_eq(buf_str(&s.out), str_from(want)))
			fail_msg("in pieces of %zu: expected '%s', got '%.*s'", step, want, STR_ARG(buf_str(&s.out)));
	}
	buf_release(&s.out);
}

static void line_ends(void **state)
{
	(void)state;
	expect(STR("data: a\n\ndata: b\n\n"), "|a;|b;");
	expect(STR("data: a\r\n\r\ndata: b\r\n\r\n"), "|a;|b;");
	expect(STR("data: a\r\rdata: b\r\r"), "|a;|b;");
	expect(STR("data: a\r\n\ndata: b\n\r\ndata: c\r\n\r"), "|a;|b;|c;");
	expect(STR("\n\r\n\rdata: a\n\n"), "|a;");
}

static void fields(void **state)
{
	(void)state;
	expect(STR("event: ping\nid: 5\nretry: 10\nfoo: bar\ndata:x\n\n"), "ping|x;");
	expect(STR("data: a\ndata:b\ndata:  c\n\n"), "|a\nb\n c;");
	expect(STR(": comment\n\n:\ndata: a: b\n\n"), "|a: b;");
	expect(STR("event: one\n\ndata: a\n\n"), "|a;"); /* an event without data is none, and its type is gone */
	expect(STR("data\n\ndata:\n\ndata: a\n\n"), "|a;");
	expect(STR("data: \ndata: a\n\n"), "|\na;");
	expect(STR("Data: a\n data: b\ndata : c\ndata: d\n\n"), "|d;");
}

static void odd_characters_end_no_line(void **state)
{
	(void)state;
	expect(STR("data: a\xE2\x80\xA8\x62\xC2\x85\x63\x0b\x0c"
	           "d\n\n"),
	       "|a\xE2\x80\xA8\x62\xC2\x85\x63\x0b\x0c"
	       "d;");
	expect(STR("\xEF\xBB\xBF"
	           "data: a\n\n"),
	       "|a;");
	expect(STR("data: a\n\n\xEF\xBB\xBF"
	           "data: b\n\n"),
	       "|a;");
}

static void the_end_delivers_what_is_pending(void **state)
{
	(void)state;
	expect(STR("data: a\n\ndata: b"), "|a;|b;");
	expect(STR("data: a\n\ndata: b\n"), "|a;|b;");
	expect(STR("data: a\n\ndata: b\r"), "|a;|b;");
	expect(STR("\xEF\xBB\xBF"
	           "data: b"),
	       "|b;");
	expect(STR("da"), "");
}

static void a_handler_can_stop(void **state)
{
	struct seen s = { .stop_at = 2 };

	(void)state;
	buf_init(&s.out, 1 << 20);
	assert_int_equal(run(&s, STR("data: a\n\ndata: b\n\ndata: c\n\n"), 100), -99);
	kit_expect_str(buf_str(&s.out), "|a;|b;");
	buf_release(&s.out);
}

static void long_types_are_cut(void **state)
{
	char stream[256];
	struct seen s = { 0 };

	(void)state;
	buf_init(&s.out, 1 << 20);
	memset(stream, 'x', sizeof stream);
	memcpy(stream, "event:", 6);
	memcpy(stream + sizeof stream - 10, "\ndata: a\n\n", 10);
	assert_int_equal(run(&s, str_of(stream, sizeof stream), 7), 0);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.out.len, 64 + 3);
	buf_release(&s.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(line_ends),
		cmocka_unit_test(fields),
		cmocka_unit_test(odd_characters_end_no_line),
		cmocka_unit_test(the_end_delivers_what_is_pending),
		cmocka_unit_test(a_handler_can_stop),
		cmocka_unit_test(long_types_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
