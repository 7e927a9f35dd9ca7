/* jsonl.c: a line for each answered dataset, compact, as an element of the response's `datasets`. Nothing else: what a line needs is in it. */
#include "sink/ordered.h"

int sink_jsonl_new(const struct sink_output *out, struct sink **ret)
{
	static const struct ordered_format jsonl = { .lines = true };

	return ordered_new(&jsonl, out, 0, ret);
}
