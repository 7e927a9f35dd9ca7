/*
 * json_echo.c: one JSON document on standard input, read by our reader and written by our writer, for comparison with other readers.
 *
 * Prints "ok" and the document, compact; or "error", line, column, pointer and the sentence. --frames: many documents, each preceded by its
 * length as 4 bytes (little endian); each answer likewise. --double: the input is text of one number a line, echoed as json_format_double has it.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/json.h"

static void answer(struct str text, struct buf *out)
{
	struct arena arena = ARENA_INIT;
	struct json_notes notes;
	struct json_error err;
	struct json value;
	if (json_parse(&arena, text, NULL, &value, &notes, &err)) {
		char sentence[512];
		json_error_format(&err, sentence, sizeof(sentence));
		(void)buf_printf(out, "error\n%zu %zu %zu %s\n%s", err.offset, err.line, err.column, err.pointer, sentence);
	} else {
		struct json_writer w;
		json_writer_init(&w, out, 0);
		(void)buf_printf(out, "ok %zu %zu\n", notes.duplicates, notes.lone_surrogates);
		json_value(&w, &value);
	}
	arena_release(&arena);
}

static int write_all(const struct buf *out)
{
	if (buf_failed(out))
		return 1;
	return fwrite(out->ptr, 1, out->len, stdout) == out->len && fflush(stdout) == 0 ? 0 : 1;
}

static int read_all(struct buf *text)
{
	for (;;) {
		char *room = buf_reserve(text, 65536);
		size_t got = room ? fread(room, 1, 65536, stdin) : 0;
		if (got == 0)
			return room && !ferror(stdin) ? 0 : 1;
		buf_commit(text, got);
	}
}

static int echo_one(void)
{
	struct buf text CLEANUP(buf_release), out CLEANUP(buf_release);
	buf_init(&text, SIZE_MAX / 2);
	buf_init(&out, SIZE_MAX / 2);
	if (read_all(&text))
		return 1;
	answer(buf_str(&text), &out);
	return write_all(&out);
}

static int write_frame(const struct buf *out)
{
	uint8_t head[4];
	for (unsigned i = 0; i < 4; i++)
		head[i] = (uint8_t)(out->len >> (8 * i));
	return fwrite(head, 1, 4, stdout) == 4 ? write_all(out) : 1;
}

/* 1: answered, 0: no more, negative: failed. */
static int echo_frame(void)
{
	struct buf text CLEANUP(buf_release), out CLEANUP(buf_release);
	uint8_t head[4];
	size_t len = 0;
	char *room;
	buf_init(&text, SIZE_MAX / 2);
	buf_init(&out, SIZE_MAX / 2);
	if (fread(head, 1, 4, stdin) != 4)
		return 0;
	for (unsigned i = 0; i < 4; i++)
		len |= (size_t)head[i] << (8 * i);
	room = buf_reserve(&text, len);
	if (!room || fread(room, 1, len, stdin) != len)
		return -1;
	buf_commit(&text, len);
	answer(buf_str(&text), &out);
	return write_frame(&out) ? -1 : 1;
}

static int echo_doubles(void)
{
	char line[512], text[32];
	while (fgets(line, sizeof(line), stdin)) {
		double value;
		if (!str_to_double(str_trim(str_from(line)), &value))
			return 1;
		(void)json_format_double(value, text);
		if (puts(text) < 0)
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int more = 1;
	if (argc == 2 && strcmp(argv[1], "--double") == 0)
		return echo_doubles();
	if (argc == 1)
		return echo_one();
	if (strcmp(argv[1], "--frames") != 0)
		return 64;
	while (more > 0)
		more = echo_frame();
	return more < 0;
}
