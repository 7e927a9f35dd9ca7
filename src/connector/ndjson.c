/*
 * ndjson.c: cuts a stream of bytes into lines. A line that lies whole in the input is handed out as a slice of it, without a copy; only a line that
 * is spread over several reads is gathered. State: what has come of the line that is not finished. Cost: one memchr over the input.
 */
#include "connector/ndjson.h"

void ndjson_init(struct ndjson *n, struct arena *arena, size_t max_line_bytes)
{
	gather_init(&n->partial, arena, max_line_bytes);
	n->handed_out = false;
}

static bool is_blank(struct str line)
{
	return str_trim(line).len == 0;
}

static struct str without_cr(struct str line)
{
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* Takes the piece up to the newline (or all) and says whether the line is complete. */
static bool take_piece(struct str *input, struct str *ret_piece)
{
	const char *newline = memchr(input->ptr, '\n', input->len);
	size_t len = newline ? (size_t)(newline - input->ptr) : input->len;

	*ret_piece = str_sub(*input, 0, len);
	*input = str_sub(*input, newline ? len + 1 : len, input->len);
	return newline != NULL;
}

int ndjson_next(struct ndjson *n, struct str *input, struct str *ret_line)
{
	if (n->handed_out) {
		n->partial.len = 0;
		n->handed_out = false;
	}
	while (input->len) {
		struct str piece;
		bool complete = take_piece(input, &piece);
		int r;

		if (complete && !n->partial.len && piece.len <= n->partial.cap) {
			*ret_line = without_cr(piece);
		} else {
			r = gather_append(&n->partial, piece.ptr, piece.len);
			if (r)
				return r;
			if (!complete)
				return 0;
			*ret_line = without_cr(gather_str(&n->partial));
			n->handed_out = true;
		}
		if (!is_blank(*ret_line))
			return 1;
		n->partial.len = 0;
		n->handed_out = false;
	}
	return 0;
}

bool ndjson_last(struct ndjson *n, struct str *ret_line)
{
	struct str line = without_cr(gather_str(&n->partial));

	if (n->handed_out || is_blank(line))
		return false;
	*ret_line = line;
	n->handed_out = true;
	return true;
}
