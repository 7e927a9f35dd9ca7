/*
 * store_probe.c: puts what it reads on stdin into the store that the environment names, for test_store.py and tests/clients/test_s3.py.
 *
 *   store_probe ID TIMEOUT_MS [COUNT]     COUNT: so many times over the same courier (1)
 *
 * Prints "CODE SENTENCE" for each (0 and the object's URI when it was stored). Exit status 2: the store cannot be set up, with CODE and SENTENCE.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "front/lambda/store.h"

static const char *look_up(void *user, const char *name)
{
	(void)user;
	return getenv(name);
}

static int read_all(struct buf *out)
{
	for (;;) {
		char *p = buf_reserve(out, 65536);
		ssize_t n = p ? read(STDIN_FILENO, p, 65536) : -1;

		if (n <= 0)
			return n ? -1 : 0;
		buf_commit(out, (size_t)n);
	}
}

static void put(struct store *s, const char *id, struct str json, uint64_t timeout_ms)
{
	struct error err = { 0 };
	struct buf uri;
	int r = store_put(s, str_from(id), json, timeout_ms, &err);

	buf_init(&uri, 4096);
	if (store_uri(s, str_from(id), &uri))
		exit(3);
	printf("%d %s\n", r, r ? err.text : uri.ptr);
	buf_release(&uri);
}

int main(int argc, char **argv)
{
	struct courier *courier = NULL;
	struct store *s = NULL;
	struct error err = { 0 };
	struct buf json;
	int r;

	if (argc < 3)
		return 64;
	buf_init(&json, (size_t)256 << 20);
	r = read_all(&json) ? FF_EIO : courier_new(getenv("SSL_CERT_FILE"), &courier, &err);
	if (!r)
		r = store_new(look_up, NULL, courier, &s, &err);
	if (r || !s)
		printf("%d %s\n", r, err.text);
	for (long i = 0; s && i < (argc > 3 ? strtol(argv[3], NULL, 10) : 1); i++)
		put(s, argv[1], buf_str(&json), strtoull(argv[2], NULL, 10));
	store_free(s);
	courier_free(courier);
	buf_release(&json);
	return r || !s ? 2 : 0;
}
