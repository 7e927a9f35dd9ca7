/* listen.h: where to listen: the text of --listen, and the sockets that a service manager hands over. Pure. */
#ifndef FF_FRONT_SERVER_LISTEN_H
#define FF_FRONT_SERVER_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/macros.h"

#define LISTEN_ADDRESS_MAX 64u
#define LISTEN_FD_FIRST    3 /* of systemd's protocol */

struct listen_address {
	char address[LISTEN_ADDRESS_MAX]; /* numeric, without brackets */
	uint16_t port;                    /* 0: a free one */
	bool loopback;                    /* nobody beyond this machine reaches it */
};

/* "127.0.0.1:8080", "[::1]:8080", "localhost:8080", "8080" (on 127.0.0.1). 0 or FF_EUSAGE. */
int listen_parse(const char *text, struct listen_address *ret, struct error *err) WARN_UNUSED;
/* The address and port of a url such as web_url gives: "http://[::1]:8080". 0 or FF_EUSAGE. */
int listen_parse_url(const char *url, struct listen_address *ret, struct error *err) WARN_UNUSED;

/*
 * Sockets handed over by the environment LISTEN_PID and LISTEN_FDS (sd_listen_fds(3)). *ret_fd: the socket, or 0 when there is none for this process.
 * FF_EUSAGE: there are several.
 */
int listen_inherited(const char *listen_pid, const char *listen_fds, uint64_t own_pid, int *ret_fd, struct error *err) WARN_UNUSED;

#endif
