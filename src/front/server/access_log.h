/*
 * access_log.h: one JSON line for each request. Never a body, a query string, a header's value (but for a sane X-Request-Id) or a token: its name.
 *
 *     {"time":"2026-11-22T14:18:29.123Z","event":"request","method":"POST","path":"/run","status":200,"bytes_in":512,"bytes_out":830,"ms":12.345,
 *      "client":"127.0.0.1","token":"ci","request_id":"6f1c..."}
 *
 * `status` is null when the connection broke before an answer was sent; `token` is null without one. No more than ACCESS_LOG_LINE_MAX bytes are
 * written at once, so that lines stay whole beside those of other processes; long methods and paths are cut.
 */
#ifndef FF_FRONT_SERVER_ACCESS_LOG_H
#define FF_FRONT_SERVER_ACCESS_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/rand.h"
#include "base/str.h"

#define ACCESS_LOG_LINE_MAX 4096u /* PIPE_BUF of Linux */
#define REQUEST_ID_MAX      128u

struct access_entry {
	int64_t wall_ms;              /* when the request's header was read */
	struct str method, path;      /* as they came; the path without query */
	int status;                   /* 0: no answer was sent */
	uint64_t bytes_in, bytes_out; /* bodies */
	double ms;
	const char *client;     /* numeric address; NULL: unknown */
	const char *token_name; /* NULL or "": none */
	const char *request_id;
};
/* Appends the line with its newline. 0 or the failure of `out`. */
int access_log_format(const struct access_entry *e, struct buf *out) WARN_UNUSED;

/* Lines on their way to a descriptor: those of one round of the loop are written together. */
struct access_log {
	int fd;
	struct buf line;  /* the one that is being made */
	struct buf lines; /* whole ones that wait; at most ACCESS_LOG_LINE_MAX bytes */
	uint64_t waiting; /* how many lines that is */
};
void access_log_init(struct access_log *l, int fd); /* fd stays the caller's */
void access_log_release(struct access_log *l);      /* what still waits is dropped */
/*
 * Adds the line; writes what waits, when there is no more room. Writes what waits, if fd takes it now: a log that nobody reads must not stop the service.
 * Both return how many lines were dropped (count them: metrics_log_dropped).
 */
uint64_t access_log_add(struct access_log *l, const struct access_entry *e);
uint64_t access_log_flush(struct access_log *l);

/*
 * The id of a request: the client's own X-Request-Id when it is sane (1..128 of A-Z a-z 0-9 . _ : = + / @ -), else one of ours (32 hexadecimal digits out of
 * `ids`). Answer it as X-Request-Id. header.ptr NULL: there is none.
 */
void request_id_choose(struct str header, struct rand *ids, char ret[REQUEST_ID_MAX + 1]);

#endif
