/* test_quote.c: JSON string literals are exactly as long as promised, and read back as they were. */
#include "turn_kit.h"

#include "connector/quote.h"

static void expect(struct str in, const char *want)
{
	char out[256];
	char *end = quote_write(out, in);

	assert_true(quote_length(in) <= sizeof out);
	assert_int_equal((size_t)(end - out), quote_length(in));
	kit_expect_str(str_of(out, (size_t)(end - out)), want);
}

static void literals(void **state)
{
	(void)state;
	expect(STR_NULL, "\"\"");
	expect(STR("plain /text"), "\"plain /text\"");
	expect(STR("\"\\"), "\"\\\"\\\\\"");
	expect(STR("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"");
	expect(STR("\x01\x0b\x1f\x7f"), "\"\\u0001\\u000b\\u001f\x7f\"");
	expect(str_of("a\0b", 3), "\"a\\u0000b\"");
	expect(STR("\xE2\x80\xA8\xC3\xA9\xF0\x9F\x98\x80"), "\"\xE2\x80\xA8\xC3\xA9\xF0\x9F\x98\x80\"");
}

static void ill_formed_bytes_become_the_replacement_character(void **state)
{
	(void)state;
	expect(STR("a\xFFz"), "\"a\xEF\xBF\xBDz\"");
	expect(STR("\xC3"), "\"\xEF\xBF\xBD\"");
	expect(STR("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void every_byte_reads_back(void **state)
{
	char text[128], out[1024];
	struct json v;
	struct arena a;

	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)i;
	arena_init(&a);
	assert_int_equal(
	        json_parse(&a, str_of(out, (size_t)(quote_write(out, str_of(text, sizeof text)) - out)), NULL, &v, NULL, NULL), 0);
	assert_int_equal(v.text.len, sizeof text);
	assert_memory_equal(v.text.ptr, text, sizeof text);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals),
		cmocka_unit_test(ill_formed_bytes_become_the_replacement_character),
		cmocka_unit_test(every_byte_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
