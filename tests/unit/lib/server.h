/*
 * server.h: a tiny HTTP server in a thread, for tests of whole runs: it answers OpenAI's chat completions in one of a few ways.
 *
 * It knows no fairforge and allocates nothing through base/alloc.h, so that fault injection never hits it. 127.0.0.1, a free port.
 */
#ifndef FF_TESTS_UNIT_LIB_SERVER_H
#define FF_TESTS_UNIT_LIB_SERVER_H

#include <stdint.h>

enum server_mode {
	SERVER_ANSWERS, /* 200 and "pong" */
	SERVER_REFUSES, /* 401 */
	SERVER_FAILS,   /* 500 and a retry hint of 1 ms */
	SERVER_HOLDS    /* reads and never answers */
};

struct server {
	int listener, stop[2];
	uint16_t port;
	enum server_mode mode;
	unsigned long thread; /* pthread_t */
	char base_url[64];    /* "http://127.0.0.1:PORT/v1" */
};

void server_start(struct server *s, enum server_mode mode); /* aborts the test program when it cannot */
void server_stop(struct server *s);
unsigned server_requests(const struct server *s); /* requests read in full */

#endif
