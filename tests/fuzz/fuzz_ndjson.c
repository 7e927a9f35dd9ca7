/*
 * fuzz_ndjson.c: the line splitter. Byte 0 is the size of the pieces minus one, byte 1 the cap on a line. The lines must be those of a splitter that
 * sees the whole input at once, and none may pass the cap, be blank or hold a line feed.
 */
#include <stdint.h>
#include <stdlib.h>

#include "connector/ndjson.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

/* The lines joined by line feeds, in out; the result of the splitter. */
static int split(struct str all, size_t step, size_t cap, struct gather *out, struct arena *arena)
{
	struct ndjson n;
	struct str line;
	int r = 0;

	ndjson_init(&n, arena, cap);
	for (size_t i = 0; i < all.len && r >= 0; i += step) {
		struct str piece = str_sub(all, i, i + step);
		char *copy = malloc(piece.len);
		struct str in = { copy, piece.len };

		REQUIRE(copy);
		memcpy(copy, piece.ptr, piece.len);
		while ((r = ndjson_next(&n, &in, &line)) > 0) {
			REQUIRE(line.len && line.len <= cap && str_trim(line).len && !memchr(line.ptr, '\n', line.len));
			REQUIRE(!gather_append(out, line.ptr, line.len) && !gather_append(out, "\n", 1));
		}
		REQUIRE(r < 0 || !in.len);
		free(copy);
	}
	if (r >= 0 && ndjson_last(&n, &line))
		REQUIRE(!gather_append(out, line.ptr, line.len));
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	struct gather whole, pieces;
	struct str all;
	size_t cap;
	int a, b;

	if (size < 2)
		return 0;
	all = str_of((const char *)data + 2, size - 2);
	cap = data[1] == 255 ? NDJSON_MAX_LINE_BYTES : (size_t)data[1] + 1;
	arena_init(&arena);
	gather_init(&whole, &arena, SIZE_MAX);
	gather_init(&pieces, &arena, SIZE_MAX);
	a = split(all, MAX(all.len, 1u), cap, &whole, &arena);
	b = split(all, (size_t)data[0] + 1, cap, &pieces, &arena);
	REQUIRE(a == b);
	REQUIRE(a < 0 || str_eq(gather_str(&whole), gather_str(&pieces)));
	arena_release(&arena);
	return 0;
}
