/*
 * invoke.h: one invocation from its event to its posted answer: what is to be run for each kind of event, how long it may take, where the answer goes.
 *
 *   kind                    what is run                                          answer
 *   HTTP, OPTIONS           nothing                                              204, what browsers ask before a POST
 *   HTTP, GET or HEAD of    nothing                                              200 {"status": "ok"}: for the health checks of a load balancer
 *     .../healthz
 *   HTTP, not POST and      nothing                                              405
 *     without a body
 *   HTTP else, map, direct  the payload                                          the response; of a direct one, 400, 413 and 500 are function errors
 *     `async` true          the payload, after the answer                        202 {"success": true, "id", "result"}; the response goes to the store
 *   EventBridge             the payload                                          the response goes to the store; what was not run is a function error
 *   SQS                     each record, side by side; FIFO: one by one, until   the responses go to the store; batchItemFailures
 *                           the first failure
 *
 * An answer that is too large for its reader (6 MiB; 250,000 bytes for Step Functions) goes to the store, where there is one, and the answer says where it is:
 * 200 {"success": true, "id", "result"}.
 *
 * Nothing outlives an invocation but what speeds up the next one and was learnt from providers, not from payloads: connections, the CA store, and of an
 * origin with its key how many turns it bears and how long it asked to be left alone (at most two minutes).
 */
#ifndef FF_FRONT_LAMBDA_INVOKE_H
#define FF_FRONT_LAMBDA_INVOKE_H

#include "fairforge/fairforge.h"
#include "front/lambda/config.h"
#include "front/lambda/log_line.h"
#include "front/lambda/runtime.h"
#include "front/lambda/store.h"

struct invoker {
	const struct config *config;
	const struct log_output *log;
	struct ff_engine *engine; /* FF_ROLE_STRANGER */
	struct runtime *runtime;
	struct store *store; /* NULL: none */
};

/* Runs and answers; says in the log how it went. 0: ask for the next event; negative: the process must end (the log says why). */
int invoke(const struct invoker *in, const struct invocation *invocation) WARN_UNUSED;

#endif
