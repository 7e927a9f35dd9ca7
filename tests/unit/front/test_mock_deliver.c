/* test_mock_deliver.c: the steps of every kind of delivery, without a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "front/mock/deliver.h"

/* A streamed reply of the pieces, or a plain one of them together. */
static void make_reply(struct mock_reply *r, bool streamed, const char *const *pieces)
{
	mock_reply_init(r);
	r->streamed = streamed;
	for (; *pieces; pieces++) {
		buf_append_str(&r->body, str_from(*pieces));
		if (streamed)
			mock_reply_end_piece(r);
	}
}

/* All steps as text: bytes as they are, "|" between sends, "~us~" for a pause, "." "!" "#" for end, cut, reset; at most `steps`. */
static const char *trace(struct delivery *d, size_t most, int steps)
{
	static char out[4096];
	size_t n = 0;

	while (steps-- > 0 && n < sizeof(out) - 200) {
		struct deliver_step s = delivery_next(d, most);
		static const char *const last[] = { [DELIVER_END] = ".", [DELIVER_CUT] = "!", [DELIVER_RESET] = "#" };
		if (s.kind == DELIVER_BYTES)
			n += (size_t)snprintf(out + n, sizeof(out) - n, "%.*s|", (int)s.len, s.ptr);
		else if (s.kind == DELIVER_PAUSE)
			n += (size_t)snprintf(out + n, sizeof(out) - n, "~%d~", (int)s.pause_us);
		else {
			snprintf(out + n, sizeof(out) - n, "%s", last[s.kind]);
			break;
		}
	}
	return out;
}

static void check(bool streamed, const char *const *pieces, const struct fault *f, size_t most, int steps, const char *expected)
{
	struct mock_reply r;
	struct delivery d;

	make_reply(&r, streamed, pieces);
	r.repeat = 1;
	delivery_init(&d, &r, f);
	assert_string_equal(trace(&d, most, steps), expected);
	mock_reply_release(&r);
}

static const char *const three[] = { "one", "two", "three", NULL };
static const char *const object[] = { "{\"a\":1}\n", NULL };

static void test_whole(void **state)
{
	(void)state;
	check(false, three, NULL, 100, 9, "onetwothree|.");
	check(false, three, NULL, 4, 9, "onet|woth|ree|.");
	check(true, three, NULL, 100, 9, "one|two|three|.");
	check(true, three, NULL, 2, 9, "on|e|tw|o|th|re|e|.");
	check(false, (const char *const[]){ NULL }, NULL, 100, 9, ".");
	check(true, (const char *const[]){ NULL }, NULL, 100, 9, ".");
}

static void test_trickle(void **state)
{
	const struct fault f = { .trickle_bytes = 2, .trickle_us = 7 };

	(void)state;
	check(false, three, &f, 100, 99, "on|~7~et|~7~wo|~7~th|~7~re|~7~e|.");
	check(true, three, &f, 100, 99, "on|~7~e|~7~tw|~7~o|~7~th|~7~re|~7~e|.");
}

static void test_truncate(void **state)
{
	(void)state;
	check(false, three, &(struct fault){ .truncated = true, .truncate = 4 }, 100, 99, "onet|!");
	check(true, three, &(struct fault){ .truncated = true, .truncate = 4 }, 100, 99, "one|t|!");
	check(true, three, &(struct fault){ .truncated = true, .truncate = 4, .end = FAULT_RESET }, 100, 99, "one|t|#");
	check(false, three, &(struct fault){ .truncated = true }, 100, 99, "!");
	check(false, three, &(struct fault){ .truncated = true, .truncate = 11 }, 100, 99,
	      "onetwothree|."); /* all of it is no cut */
	check(false, three, &(struct fault){ .truncated = true, .truncate = 3, .trickle_bytes = 2, .trickle_us = 5 }, 100, 99,
	      "on|~5~e|!");
}

static void test_endless(void **state)
{
	struct fault f = { .endless = true, .endless_us = 9 };

	(void)state;
	check(true, three, &f, 100, 8, "one|two|~9~two|~9~two|~9~two|");
	check(false, object, &f, 100, 3, "{\"a\":1|~9~                                                                |");
	check(false, object, &f, 100, 1, "{\"a\":1|");
	f.truncated = true;
	f.truncate = 8;
	check(true, three, &f, 100, 99, "one|two|~9~tw|!");
	f.endless_us = 0;
	f.truncated = false;
	check(true, three, &f, 100, 5, "one|two|two|two|two|");
}

static void test_framing(void **state)
{
	struct mock_reply r;
	struct delivery d;

	(void)state;
	make_reply(&r, false, three);
	delivery_init(&d, &r, NULL);
	assert_true(delivery_is_plain(&d) && delivery_has_length(&d));
	delivery_init(&d, &r, &(struct fault){ .truncated = true });
	assert_true(!delivery_is_plain(&d) && delivery_has_length(&d)); /* the length is announced, and not kept */
	delivery_init(&d, &r, &(struct fault){ .endless = true });
	assert_true(!delivery_is_plain(&d) && !delivery_has_length(&d));
	r.streamed = true;
	delivery_init(&d, &r, NULL);
	assert_true(!delivery_is_plain(&d) && !delivery_has_length(&d));
	mock_reply_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),   cmocka_unit_test(test_trickle), cmocka_unit_test(test_truncate),
		cmocka_unit_test(test_endless), cmocka_unit_test(test_framing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
