/* fuzz_sse.c: an event stream gives the same events whatever the pieces it comes in. Byte 0: the size of the pieces, minus one. */
#include <stdint.h>
#include <stdlib.h>

#include "connector/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_REQUIRE(condition)           \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

/* Writes down an event so that two lists are equal only when the events are. */
static int note(void *user, struct str type, struct str data)
{
	struct gather *seen = user;
	uint32_t lengths[2] = { (uint32_t)type.len, (uint32_t)data.len };

	FUZZ_REQUIRE(data.len > 0 && type.len <= 64);
	FUZZ_REQUIRE(!memchr(data.ptr, '\r', data.len));
	FUZZ_REQUIRE(gather_append(seen, (const char *)lengths, sizeof lengths) == 0);
	FUZZ_REQUIRE(gather_append(seen, type.ptr, type.len) == 0);
	return gather_append(seen, data.ptr, data.len);
}

static void run(struct arena *a, struct str stream, size_t step, struct gather *ret_seen)
{
	struct sse sse;

	gather_init(ret_seen, a, (size_t)64 << 20);
	sse_init(&sse, a, note, ret_seen);
	for (size_t i = 0; i < stream.len; i += step) {
		struct str piece = str_sub(stream, i, i + step);
		char *copy = malloc(piece.len); /* its own memory: reading past a piece is seen */

		FUZZ_REQUIRE(copy);
		memcpy(copy, piece.ptr, piece.len);
		FUZZ_REQUIRE(sse_feed(&sse, copy, piece.len) == 0);
		free(copy);
	}
	FUZZ_REQUIRE(sse_end(&sse) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gather whole, pieces;
	struct arena a;
	struct str stream;

	if (!size)
		return 0;
	stream = str_of((const char *)data + 1, size - 1);
	arena_init(&a);
	run(&a, stream, MAX(stream.len, 1u), &whole);
	run(&a, stream, (size_t)data[0] + 1, &pieces);
	FUZZ_REQUIRE(str_eq(gather_str(&whole), gather_str(&pieces)));
	arena_release(&a);
	return 0;
}
