/*
 * echo_worker.c: a worker as fast as one can be: it finds the id of a turn by its place in the line and answers with the same text every time.
 *
 * Usage: echo_worker [CONCURRENCY]
 *
 * It writes every reply by itself, as a worker does that flushes after each line.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM        (1u << 20)
#define REPLY_BYTES 128u

static char in[ROOM], out[REPLY_BYTES];
static size_t out_len;

static void flush(void)
{
	size_t at = 0;

	while (at < out_len) {
		ssize_t n = write(STDOUT_FILENO, out + at, out_len - at);

		if (n < 0 && errno != EINTR)
			exit(1);
		at += n > 0 ? (size_t)n : 0;
	}
	out_len = 0;
}

/* Returns 0 when the worker is to end. */
static int answer(const char *line, size_t len, const char *concurrency)
{
	static const char turn[] = "{\"type\":\"turn\",\"id\":", hello[] = "{\"type\":\"hello\"", bye[] = "{\"type\":\"bye\"";

	if (len > sizeof(turn) && !memcmp(line, turn, sizeof(turn) - 1))
		out_len += (size_t)snprintf(out + out_len, REPLY_BYTES,
		                            "{\"id\":%llu,\"answer\":\"The capital of France is Paris.\"}\n",
		                            strtoull(line + sizeof(turn) - 1, NULL, 10));
	else if (len >= sizeof(hello) - 1 && !memcmp(line, hello, sizeof(hello) - 1))
		out_len += (size_t)snprintf(out + out_len, REPLY_BYTES,
		                            "{\"type\":\"welcome\",\"protocol\":1,\"name\":\"echo\",\"concurrency\":%s}\n",
		                            concurrency);
	else if (len >= sizeof(bye) - 1 && !memcmp(line, bye, sizeof(bye) - 1))
		return 0;
	flush();
	return 1;
}

int main(int argc, char **argv)
{
	const char *concurrency = argc > 1 ? argv[1] : "1";
	size_t len = 0;

	for (;;) {
		ssize_t n = read(STDIN_FILENO, in + len, sizeof(in) - len);
		char *line = in, *end;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		while ((end = memchr(line, '\n', len - (size_t)(line - in)))) {
			if (!answer(line, (size_t)(end - line), concurrency))
				return 0;
			line = end + 1;
		}
		len -= (size_t)(line - in);
		memmove(in, line, len);
		if (len == sizeof(in))
			return 1; /* a line that is too long for a bench */
	}
	return 0;
}
