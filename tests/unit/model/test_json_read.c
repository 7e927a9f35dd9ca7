/* test_json_read.c: what the reader makes of well-formed text: faithful text, order, duplicates, surrogates, size, and memory that runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../base/fault_loop.h"
#include "model/json.h"

struct fixture {
	struct arena arena;
	struct json value;
	struct json_notes notes;
	struct json_error err;
};

static void parse(struct fixture *f, struct str text)
{
	f->arena = ARENA_INIT;
	if (json_parse(&f->arena, text, NULL, &f->value, &f->notes, &f->err))
		fail_msg("%.*s: refused at line %zu, column %zu: %s", (int)MIN(text.len, (size_t)200), text.ptr, f->err.line,
		         f->err.column, f->err.what);
}

static void assert_text(const struct json *v, enum json_type type, struct str expected)
{
	assert_non_null(v);
	assert_int_equal(v->type, type);
	if (!str_eq(v->text, expected))
		fail_msg("expected \"%.*s\", got \"%.*s\"", STR_ARG(expected), STR_ARG(v->text));
}

static void number_text_survives(void **state)
{
	static const char *const texts[] = { "0",
		                             "-0",
		                             "-0.0",
		                             "0.10",
		                             "1E5",
		                             "1e+22",
		                             "1e-400",
		                             "1E400",
		                             "18446744073709551616",
		                             "-9223372036854775809",
		                             "123456789012345678901234567890.098765432109876543210",
		                             "0e0",
		                             "10.00e-07" };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct fixture f;
		char in_array[160];
		parse(&f, str_from(texts[i]));
		assert_text(&f.value, JSON_NUMBER, str_from(texts[i]));
		arena_release(&f.arena);
		int length = (int)strlen(texts[i]);
		(void)snprintf(in_array, sizeof(in_array), "[%.*s,%.*s ]", length, texts[i], length, texts[i]);
		parse(&f, str_from(in_array));
		assert_int_equal(f.value.count, 2);
		assert_text(&f.value.items[1], JSON_NUMBER, str_from(texts[i]));
		arena_release(&f.arena);
	}
}

static void strings_are_decoded(void **state)
{
	static const struct {
		struct str text, decoded;
	} cases[] = {
		{ { "\"\"", 2 }, { "", 0 } },
		{ { "\"plain\"", 7 }, { "plain", 5 } },
		{ { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", 18 }, { "\"\\/\b\f\n\r\t", 8 } },
		{ { "\"\\u0000\"", 8 }, { "\0", 1 } },
		{ { "\"a\\u0000b\"", 10 }, { "a\0b", 3 } },
		{ { "\"\\u007f\\u0080\\u07FF\\u0800\\uffff\"", 32 }, { "\x7f\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF", 11 } },
		{ { "\"\\u2028\xE2\x80\xA8\"", 11 }, { "\xE2\x80\xA8\xE2\x80\xA8", 6 } },
		{ { "\"\\ud83d\\ude00\xF0\x9F\x98\x80\"", 18 }, { "\xF0\x9F\x98\x80\xF0\x9F\x98\x80", 8 } },
		{ { "\"\\ud800\\udc00\\udbff\\udfff\"", 26 }, { "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8 } },
		{ { "\"\x7f\"", 3 }, { "\x7f", 1 } },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f;
		parse(&f, cases[i].text);
		assert_text(&f.value, JSON_STRING, cases[i].decoded);
		assert_int_equal(f.notes.lone_surrogates, 0);
		arena_release(&f.arena);
	}
}

static void plain_strings_and_numbers_are_slices_of_the_input(void **state)
{
	static const char text[] = "{\"key\": [\"plain \xC3\xA9\", 12.50]}";
	struct fixture f;
	const struct json *items;
	(void)state;
	parse(&f, str_from(text));
	assert_ptr_equal(f.value.members[0].key.ptr, text + 2);
	items = f.value.members[0].value.items;
	assert_ptr_equal(items[0].text.ptr, text + 10);
	assert_ptr_equal(items[1].text.ptr, text + 21);
	arena_release(&f.arena);
}

static void lone_surrogates_become_replacement_characters(void **state)
{
	static const struct {
		const char *text;
		struct str decoded;
		size_t count;
	} cases[] = {
		{ "\"\\ud800\"", { "\xEF\xBF\xBD", 3 }, 1 },
		{ "\"\\udfff\"", { "\xEF\xBF\xBD", 3 }, 1 },
		{ "\"\\udc00\\ud800\"", { "\xEF\xBF\xBD\xEF\xBF\xBD", 6 }, 2 },
		{ "\"\\ud800\\ud800\\udc00\"", { "\xEF\xBF\xBD\xF0\x90\x80\x80", 7 }, 1 },
		{ "\"\\ud83dx\\ude00\"", { "\xEF\xBF\xBDx\xEF\xBF\xBD", 7 }, 2 },
		{ "\"\\ud83d\\n\"", { "\xEF\xBF\xBD\n", 4 }, 1 },
		{ "\"\\ud83d\\u0041\"",
		  { "\xEF\xBF\xBD"
		    "A",
		    4 },
		  1 },
	};
	struct fixture f;
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		parse(&f, str_from(cases[i].text));
		assert_text(&f.value, JSON_STRING, cases[i].decoded);
		assert_int_equal(f.notes.lone_surrogates, cases[i].count);
		arena_release(&f.arena);
	}
	parse(&f, STR("{\"a\": [0, {\"b\": \"\\ud800\"}], \"c\": \"\\ud800\"}"));
	assert_int_equal(f.notes.lone_surrogates, 2);
	assert_string_equal(f.notes.first_surrogate, "/a/1/b");
	arena_release(&f.arena);
}

/* Each special byte at each place of a string of each length, at each alignment: the scanner of eight bytes must find it. */
static void the_scanner_finds_every_byte_at_every_place(void **state)
{
	static const struct {
		struct str unit, decoded;
	} units[] = { { { "\\n", 2 }, { "\n", 1 } },
		      { { "\\\"", 2 }, { "\"", 1 } },
		      { { "\xC3\xA9", 2 }, { "\xC3\xA9", 2 } },
		      { { "\x7f", 1 }, { "\x7f", 1 } },
		      { { " ", 1 }, { " ", 1 } } };
	(void)state;
	for (size_t u = 0; u < ARRAY_SIZE(units); u++) {
		for (size_t len = 0; len < 34; len++) {
			for (size_t at = 0; at <= len; at++) {
				char text[96], expected[96];
				size_t shift = (len + at) % 8, n = shift, m = 0;
				struct fixture f;
				memset(text, ' ', shift);
				text[n++] = '"';
				for (size_t i = 0; i <= len; i++) {
					if (i == at) {
						memcpy(text + n, units[u].unit.ptr, units[u].unit.len);
						n += units[u].unit.len;
						memcpy(expected + m, units[u].decoded.ptr, units[u].decoded.len);
						m += units[u].decoded.len;
					} else {
						text[n++] = expected[m++] = (char)('!' + 2 + i);
						if (text[n - 1] == '\\')
							text[n - 1] = expected[m - 1] = '_';
					}
				}
				text[n++] = '"';
				parse(&f, str_of(text, n));
				assert_text(&f.value, JSON_STRING, str_of(expected, m));
				arena_release(&f.arena);
			}
		}
	}
}

static void every_control_character_is_found_at_every_place(void **state)
{
	(void)state;
	for (int c = 0; c < 0x20; c++) {
		for (size_t at = 0; at < 24; at++) {
			char text[26];
			struct arena arena = ARENA_INIT;
			struct json value;
			struct json_error err;
			memset(text, 'x', sizeof(text));
			text[0] = text[25] = '"';
			text[1 + at] = (char)c;
			assert_int_equal(json_parse(&arena, str_of(text, 26), NULL, &value, NULL, &err), FF_EDATA);
			assert_int_equal(err.offset, 1 + at);
			arena_release(&arena);
		}
	}
}

static void members_keep_their_order(void **state)
{
	struct fixture f;
	(void)state;
	parse(&f, STR(" { \"z\" : 1 , \"a\" : [ ] , \"m\" : { } , \"\" : null } "));
	assert_int_equal(f.value.count, 4);
	assert_true(str_eq(f.value.members[0].key, STR("z")));
	assert_true(str_eq(f.value.members[1].key, STR("a")));
	assert_int_equal(f.value.members[1].value.type, JSON_ARRAY);
	assert_int_equal(f.value.members[1].value.count, 0);
	assert_int_equal(f.value.members[2].value.type, JSON_OBJECT);
	assert_int_equal(f.value.members[3].value.type, JSON_NULL);
	assert_int_equal(f.value.members[3].key.len, 0);
	arena_release(&f.arena);
}

/* Plain members are read in a loop of their own: every kind of member stands before, between and behind every other, with every spacing. */
static void members_of_all_kinds_stand_side_by_side(void **state)
{
	static const struct {
		const char *name, *value; /* as they are written */
		const char *key, *text;   /* as they are read; the text of what has none is empty */
	} kinds[] = {
		{ "\"plain\"", "\"text\"", "plain", "text" },
		{ "\"\"", "\"\"", "", "" },
		{ "\"a name of more than sixteen bytes\"", "\"a text of more than sixteen bytes\"",
		  "a name of more than sixteen bytes", "a text of more than sixteen bytes" },
		{ "\"escaped \\u0041\"", "\"\\\"quoted\\\"\"", "escaped A", "\"quoted\"" },
		{ "\"Zürich\"", "\"東京\"", "Zürich", "東京" },
		{ "\"number\"", "-1.50e3", "number", "-1.50e3" },
		{ "\"null\"", "null", "null", "" },
		{ "\"array\"", "[\"x\",{}]", "array", NULL },
		{ "\"object\"", "{\"x\":\"y\"}", "object", NULL },
	};
	static const char *const spaces[] = { "", " ", "  ", "\n\t" };
	const size_t count = ARRAY_SIZE(kinds);
	(void)state;
	for (size_t n = 0; n < count * count * count * ARRAY_SIZE(spaces); n++) {
		size_t order[3] = { n % count, n / count % count, n / count / count % count };
		const char *space = spaces[n / (count * count * count)];
		struct fixture f;
		struct buf text;
		buf_init(&text, SIZE_MAX);
		for (size_t i = 0; i < 3; i++) /* a prefix keeps equal names apart */
			(void)buf_printf(&text, "%s%s\"%zu%s%s:%s%s%s", i ? "," : "{", space, i, kinds[order[i]].name + 1, space,
			                 space, kinds[order[i]].value, space);
		(void)buf_append_char(&text, '}');
		parse(&f, buf_str(&text));
		assert_int_equal(f.value.count, 3);
		for (size_t i = 0; i < 3; i++) {
			const struct json_member *m = &f.value.members[i];
			char key[64];
			(void)snprintf(key, sizeof(key), "%zu%s", i, kinds[order[i]].key);
			assert_true(str_eq(m->key, str_from(key)));
			if (kinds[order[i]].text)
				assert_true(str_eq(m->value.text, str_from(kinds[order[i]].text)));
			else
				assert_true(m->value.type == JSON_ARRAY ? m->value.count == 2 : m->value.count == 1);
		}
		arena_release(&f.arena);
		buf_release(&text);
	}
}

static void a_duplicate_key_keeps_its_place_and_gets_the_last_value(void **state)
{
	struct fixture f;
	(void)state;
	parse(&f, STR("{\"x\": {\"a\": 1, \"b\": 2, \"\\u0061\": 3, \"a\": 4}, \"b\": 0, \"b\": 5}"));
	assert_int_equal(f.value.count, 2);
	assert_int_equal(f.value.members[0].value.count, 2);
	assert_text(&f.value.members[0].value.members[0].value, JSON_NUMBER, STR("4"));
	assert_text(&f.value.members[0].value.members[1].value, JSON_NUMBER, STR("2"));
	assert_text(&f.value.members[1].value, JSON_NUMBER, STR("5"));
	assert_int_equal(f.notes.duplicates, 3);
	assert_string_equal(f.notes.first_duplicate, "/x/a");
	arena_release(&f.arena);
}

/* Around the size at which members are no longer compared pairwise, and far beyond it. */
static void duplicates_are_found_in_objects_of_any_size(void **state)
{
	static const unsigned sizes[] = { 1, 2, 15, 16, 17, 18, 63, 64, 65, 1000 };
	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		struct fixture f;
		struct buf text;
		buf_init(&text, 1 << 20);
		(void)buf_append_str(&text, STR("[{}, {\"k\": {"));
		for (unsigned i = 0; i < sizes[s]; i++)
			(void)buf_printf(&text, "%s\"key %u\": %u", i ? ", " : "", i, i);
		for (unsigned i = 0; i < sizes[s]; i += 2)
			(void)buf_printf(&text, ", \"key %u\": \"again\"", i);
		(void)buf_append_str(&text, STR("}}]"));
		parse(&f, buf_str(&text));
		const struct json *v = json_get_lit(&f.value.items[1], "k");
		assert_int_equal(v->count, sizes[s]);
		assert_int_equal(f.notes.duplicates, (sizes[s] + 1) / 2);
		assert_string_equal(f.notes.first_duplicate, "/1/k/key 0");
		for (unsigned i = 0; i < sizes[s]; i++) {
			char key[24];
			(void)snprintf(key, sizeof(key), "key %u", i);
			assert_true(str_eq(v->members[i].key, str_from(key)));
			assert_int_equal(v->members[i].value.type, i % 2 ? JSON_NUMBER : JSON_STRING);
		}
		arena_release(&f.arena);
		buf_release(&text);
	}
}

static void a_hundred_thousand_keys_are_read(void **state)
{
	struct fixture f;
	struct buf text;
	(void)state;
	buf_init(&text, 16 << 20);
	(void)buf_append_char(&text, '{');
	for (unsigned i = 0; i < 100000; i++)
		(void)buf_printf(&text, "%s\"%u\":%u", i ? "," : "", i, i);
	(void)buf_append_char(&text, '}');
	assert_int_equal(buf_failed(&text), 0);
	parse(&f, buf_str(&text));
	assert_int_equal(f.value.count, 100000);
	assert_text(&f.value.members[99999].value, JSON_NUMBER, STR("99999"));
	arena_release(&f.arena);
	buf_release(&text);
}

static void a_string_of_ten_megabytes_is_read_without_a_copy(void **state)
{
	size_t len = 10 << 20;
	char *text = test_malloc(len + 2);
	struct fixture f;
	(void)state;
	memset(text, 'x', len + 2);
	text[0] = text[len + 1] = '"';
	parse(&f, str_of(text, len + 2));
	assert_int_equal(f.value.text.len, len);
	assert_int_equal(f.arena.used, 0);
	arena_release(&f.arena);
	test_free(text);
}

static void a_bom_is_skipped_once(void **state)
{
	struct fixture f;
	(void)state;
	parse(&f, STR("\xEF\xBB\xBF [\"\xEF\xBB\xBF\"]"));
	assert_text(&f.value.items[0], JSON_STRING, STR("\xEF\xBB\xBF"));
	arena_release(&f.arena);
	assert_int_equal(json_parse(&f.arena, STR("\xEF\xBB\xBF\xEF\xBB\xBF[]"), NULL, &f.value, NULL, NULL), FF_EDATA);
	arena_release(&f.arena);
}

static void runs_of_white_space_of_any_length_are_skipped(void **state)
{
	(void)state;
	for (size_t n = 0; n < 40; n++) {
		char text[64];
		struct fixture f;
		text[0] = '[';
		memset(text + 1, ' ', n);
		text[1 + n] = '1';
		text[2 + n] = ']';
		parse(&f, str_of(text, n + 3));
		assert_text(&f.value.items[0], JSON_NUMBER, STR("1"));
		arena_release(&f.arena);
		memcpy(text + 1, "\n\r\t", MIN(n, (size_t)3));
		parse(&f, str_of(text, n + 3));
		assert_text(&f.value.items[0], JSON_NUMBER, STR("1"));
		arena_release(&f.arena);
	}
}

static void a_copy_does_not_need_its_input(void **state)
{
	char text[] = "{\"a\": \"text\"}";
	struct arena arena = ARENA_INIT;
	struct json value;
	(void)state;
	assert_int_equal(json_parse_copy(&arena, str_from(text), NULL, &value, NULL, NULL), 0);
	memset(text, '!', sizeof(text) - 1);
	assert_text(json_get_lit(&value, "a"), JSON_STRING, STR("text"));
	arena_release(&arena);
}

static void the_notes_start_empty(void **state)
{
	struct fixture f;
	(void)state;
	memset(&f.notes, 0x55, sizeof(f.notes));
	parse(&f, STR("{}"));
	assert_int_equal(f.notes.duplicates, 0);
	assert_int_equal(f.notes.lone_surrogates, 0);
	assert_string_equal(f.notes.first_duplicate, "");
	assert_string_equal(f.notes.first_surrogate, "");
	arena_release(&f.arena);
}

/* Deep, wide, escaped, with many members: everything that allocates. */
static int parse_everything(void)
{
	struct buf text;
	struct arena arena = ARENA_INIT;
	struct json value;
	struct json_error err;
	int code;
	buf_init(&text, 1 << 20);
	for (int i = 0; i < 100; i++)
		(void)buf_append_str(&text, STR("[{\"k\\n\":"));
	(void)buf_append_str(&text, STR("{\"a\":0"));
	for (int i = 0; i < 200; i++)
		(void)buf_printf(&text, ",\"%d\":[%d,\"\\u00e9\"]", i, i);
	(void)buf_append_char(&text, '}');
	for (int i = 0; i < 100; i++)
		(void)buf_append_str(&text, STR("}]"));
	code = buf_failed(&text);
	if (!code)
		code = json_parse_copy(&arena, buf_str(&text), &(struct json_limits){ 0, 500 }, &value, NULL, &err);
	arena_release(&arena);
	buf_release(&text);
	return code;
}

static void memory_that_runs_out_is_an_error(void **state)
{
	(void)state;
	assert_true(fault_loop(parse_everything) > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(number_text_survives),
		cmocka_unit_test(strings_are_decoded),
		cmocka_unit_test(plain_strings_and_numbers_are_slices_of_the_input),
		cmocka_unit_test(lone_surrogates_become_replacement_characters),
		cmocka_unit_test(the_scanner_finds_every_byte_at_every_place),
		cmocka_unit_test(every_control_character_is_found_at_every_place),
		cmocka_unit_test(members_keep_their_order),
		cmocka_unit_test(members_of_all_kinds_stand_side_by_side),
		cmocka_unit_test(a_duplicate_key_keeps_its_place_and_gets_the_last_value),
		cmocka_unit_test(duplicates_are_found_in_objects_of_any_size),
		cmocka_unit_test(a_hundred_thousand_keys_are_read),
		cmocka_unit_test(a_string_of_ten_megabytes_is_read_without_a_copy),
		cmocka_unit_test(a_bom_is_skipped_once),
		cmocka_unit_test(runs_of_white_space_of_any_length_are_skipped),
		cmocka_unit_test(a_copy_does_not_need_its_input),
		cmocka_unit_test(the_notes_start_empty),
		cmocka_unit_test(memory_that_runs_out_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
