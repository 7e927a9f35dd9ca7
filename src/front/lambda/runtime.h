/*
 * runtime.h: the Runtime API of AWS Lambda (2018-06-01): the next event, its answer, errors. Plain HTTP/1.1 to AWS_LAMBDA_RUNTIME_API over one
 * connection that is kept.
 *
 *   runtime_new → runtime_init_error → exit
 *               → runtime_next → runtime_respond or runtime_fail → runtime_next → ...
 *
 * Rules, each measured with AWS's emulator, a violation of which spins or hangs:
 *   - /next has no timeout: the process may be frozen while it waits. A transport error is tried again after 10, 50 and 250 ms, then the process must end.
 *     Any status but 200 ends it: a 403 would come again, at once, for ever.
 *   - an event that comes again although it was not answered ends the process. (One that was answered may come again: Lambda retries asynchronous
 *     invocations under the same request id.)
 *   - what is posted is at most RUNTIME_MAX_BYTES: of anything larger the platform would tell the caller in words of its own.
 *   - 202: done. 413, 400 and 403: this invocation is over for us; go on. 500 or no reply: end.
 */
#ifndef FF_FRONT_LAMBDA_RUNTIME_H
#define FF_FRONT_LAMBDA_RUNTIME_H

#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "front/lambda/invocation.h"

#define RUNTIME_MAX_BYTES ((size_t)6291556) /* 6 MiB + 100: accepted; one more is not */

struct runtime;

/* address: "host:port". 0, FF_EUSAGE, FF_ENOMEM, FF_EINTERNAL. */
int runtime_new(const char *address, struct runtime **ret, struct error *err) WARN_UNUSED;
void runtime_free(struct runtime *rt); /* NULL is fine */

/* Waits for the next event; the one before is forgotten (ret->body lives until then). 0, or negative: the process must end, err says why. */
int runtime_next(struct runtime *rt, struct invocation *ret, struct error *err) WARN_UNUSED;

enum runtime_post {
	RUNTIME_ACCEPTED = 0,
	RUNTIME_OVER = 1 /* refused; err says why. The invocation cannot be answered any more */
};
/* Answers the event. enum runtime_post, or negative: the process must end. Longer than RUNTIME_MAX_BYTES is a mistake of the caller's (FF_ETOOBIG). */
int runtime_respond(struct runtime *rt, struct str body, struct error *err) WARN_UNUSED;
/* Ends the event as a function error. type: "Function.BadPayload": (Runtime|Function).[A-Z][A-Za-z]+ only. As runtime_respond. */
int runtime_fail(struct runtime *rt, const char *type, struct str sentence, struct error *err) WARN_UNUSED;
/* Before the first runtime_next; then the process must end. As runtime_respond. */
int runtime_init_error(struct runtime *rt, const char *type, struct str sentence, struct error *err) WARN_UNUSED;

#endif
