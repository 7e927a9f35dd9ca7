/*
 * fuzz_json.c: any bytes through the JSON reader and writer. What is accepted must survive writing and reading again, compact and indented; what is
 * refused must say where; and any bytes as a string must become one valid JSON string.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "model/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void write_value(const struct json *v, unsigned indent, struct buf *b)
{
	struct json_writer w;
	buf_init(b, SIZE_MAX / 2);
	json_writer_init(&w, b, indent);
	json_value(&w, v);
	require(buf_failed(b) == 0);
	require(utf8_is_valid(buf_str(b)));
}

static void read_back(const struct json *v, unsigned indent)
{
	struct arena arena = ARENA_INIT;
	struct buf first, second;
	struct json again;
	struct json_notes notes;
	write_value(v, indent, &first);
	require(json_parse(&arena, buf_str(&first), NULL, &again, &notes, NULL) == 0);
	require(notes.duplicates == 0 && notes.lone_surrogates == 0);
	write_value(&again, indent, &second);
	require(str_eq(buf_str(&first), buf_str(&second)));
	arena_release(&arena);
	buf_release(&first);
	buf_release(&second);
}

static void walk(const struct json *v)
{
	int64_t integer;
	(void)json_truthy(v);
	if (v->type == JSON_NUMBER && json_to_i64(v, &integer) && integer > -(INT64_C(1) << 53) && integer < INT64_C(1) << 53)
		require(json_to_double(v) == (double)integer);
	for (uint32_t i = 0; v->type == JSON_ARRAY && i < v->count; i++)
		walk(&v->items[i]);
	for (uint32_t i = 0; v->type == JSON_OBJECT && i < v->count; i++)
		walk(&v->members[i].value);
}

static void refused(struct str text, const struct json_error *e)
{
	char sentence[400];
	require(e->offset <= text.len && e->line >= 1 && e->column >= 1);
	require(e->code == FF_EDATA || e->code == FF_ETOOBIG);
	json_error_format(e, sentence, sizeof(sentence));
	require(sentence[0] != '\0');
}

static void quote(struct str text)
{
	struct arena arena = ARENA_INIT;
	struct json v;
	struct buf b;
	buf_init(&b, SIZE_MAX / 2);
	json_append_quoted(&b, text);
	require(json_parse(&arena, buf_str(&b), NULL, &v, NULL, NULL) == 0 && v.type == JSON_STRING);
	require(!utf8_is_valid(text) || str_eq(v.text, text));
	arena_release(&arena);
	buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = ARENA_INIT;
	struct str text = str_of((const char *)data, size);
	struct json_notes notes;
	struct json_error e;
	struct json v;
	if (json_parse(&arena, text, NULL, &v, &notes, &e)) {
		refused(text, &e);
	} else {
		walk(&v);
		require(json_equal(&v, &v));
		read_back(&v, 0);
		read_back(&v, 3);
	}
	arena_release(&arena);
	quote(text);
	return 0;
}
