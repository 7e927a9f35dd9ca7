/*
 * config.h: what the operator said by environment, read and judged once, before the first event is asked for. A wrong value is one sentence.
 *
 *   variable                       default  meaning
 *   FAIRFORGE_CONNECTOR            none     connector object (JSON) for payloads that bring none
 *   FAIRFORGE_ALLOWED_ORIGINS      none     origins that strangers' payloads may reach with the environment's keys, also over plain http
 *   FAIRFORGE_<OPTION>             table    every option of the run; a payload can only lower it
 *   FAIRFORGE_CORS_ORIGIN          *        Access-Control-Allow-Origin of HTTP answers: *, an origin, or none (no such header)
 *   FAIRFORGE_DEADLINE_MARGIN_MS   1000     how long before its deadline an invocation's answer leaves; 500 when 10 s or less were given
 *   FAIRFORGE_RESULT_URI           none     s3://bucket/prefix: where answers go that nobody waits for, or that are too large (store.h)
 *   FAIRFORGE_DISCARD_RESULTS      0        1: nobody needs the answers to SQS and EventBridge
 *   FAIRFORGE_ALLOW_HTTP           0        1: AWS_ENDPOINT_URL_S3 may be plain http beyond this machine (store_config.c)
 *   FAIRFORGE_LOG_LEVEL            info     error, warning, info, debug
 *   SSL_CERT_FILE                  system   CA bundle
 */
#ifndef FF_FRONT_LAMBDA_CONFIG_H
#define FF_FRONT_LAMBDA_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "fairforge/fairforge.h"
#include "front/common/environment.h"

struct config {
	const char *cors_origin; /* in the environment; NULL: no header */
	uint64_t margin_ms;      /* 0: by the time given */
	bool discard_results;
	bool one_at_a_time; /* not several invocations in one sandbox (AWS_LAMBDA_MAX_CONCURRENCY) */
	enum ff_log_level log_level;
	size_t memory_bytes; /* of the function; 0: unknown */
};

/* 0 or FF_EUSAGE: err->where is the variable, the sentence begins with it. */
int config_read(environment_fn env, void *env_user, struct config *ret, struct error *err) WARN_UNUSED;
/* environment_unknown with what stands above. */
void config_unknown(char *const *environment, void (*found)(void *user, const char *name, const char *meant), void *user);

#endif
