/*
 * server.h: the simulator on a port: decisions (decide.h) delivered (deliver.h) over HTTP (front/common/web.h).
 *
 * A tour of the folder in reading order: main.c reads the flags; server.c takes requests; decide.c says what they get, with route.c (paths), ask.c
 * (bodies), answers.c and text.c (what is answered), script.c (faults), rate.c (limits) and the write_*.c (a protocol each); deliver.c says how the
 * bytes go out.
 */
#ifndef FF_FRONT_MOCK_SERVER_H
#define FF_FRONT_MOCK_SERVER_H

#include "front/mock/decide.h"

struct server_options {
	const char *listen;
	uint16_t port;
	unsigned max_connections;
};

/* Listens, says so on stdout ("listening on http://127.0.0.1:8080", flushed), serves until SIGINT or SIGTERM. 0 or an error code. */
int server_run(struct mock *mock, const struct server_options *options, struct error *err) WARN_UNUSED;

#endif
