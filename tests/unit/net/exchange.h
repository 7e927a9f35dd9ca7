/*
 * exchange.h: what the tests of the transport share: a loop with a transport, exchanges that remember what was called, and a wait that ends.
 */
#ifndef FF_TESTS_NET_EXCHANGE_H
#define FF_TESTS_NET_EXCHANGE_H

#include "base/buf.h"
#include "net/http_curl.h"

struct rig {
	struct loop *loop;
	struct http_transport *transport;
};

struct exchange {
	struct rig *rig;
	struct http_request request;
	struct http_transfer *transfer; /* NULL after on_done */
	char url[256];
	int heads, dones;
	int status;
	struct buf headers; /* "name=value\n" of each pair */
	struct buf body;
	struct http_result result;
	bool inside_start; /* while http_start or http_cancel runs: no callback may come */
	/* What the callbacks do, besides remembering. */
	void (*then)(struct exchange *x); /* in on_done */
	bool refuse_body, cancel_in_head, cancel_in_body;
	struct exchange *start_in_body; /* started by the first byte of the body */
};

void rig_open(struct rig *rig, const struct http_curl_config *config); /* config NULL: the defaults */
void rig_close(struct rig *rig);
struct http_curl_stats rig_stats(const struct rig *rig);

/* A POST to http://127.0.0.1:PORT/path with the body {}. */
void exchange_init(struct exchange *x, struct rig *rig, const char *scheme, const char *host, uint16_t port);
void exchange_release(struct exchange *x);
int exchange_try(struct exchange *x, struct error *err); /* http_start's code */
void exchange_start(struct exchange *x);                 /* asserts that it starts */
void exchange_cancel(struct exchange *x);
void exchange_wait(struct exchange *x); /* until on_done */
void exchange_run(struct exchange *x);  /* both */
/* Starts, waits, and asserts how it ended; text must occur in the result's (NULL: the result's must be empty). */
void exchange_expect(struct exchange *x, enum http_failure failure, const char *text);

#endif
