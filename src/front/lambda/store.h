/*
 * store.h: results that go to S3 (FAIRFORGE_RESULT_URI): one PUT of one object, signed, retried, waited for.
 *
 *   FAIRFORGE_RESULT_URI=s3://bucket/prefix   the object of request ID is prefix/ID.json
 *   AWS_REGION (AWS_DEFAULT_REGION), AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN: as Lambda sets them
 *   AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL     another endpoint (path style); else https://BUCKET.s3.REGION.amazonaws.com, path style when the bucket has dots
 *
 * The client lives in a loop of its own (struct courier), so that nothing of a payload's transport rules holds here.
 */
#ifndef FF_FRONT_LAMBDA_STORE_H
#define FF_FRONT_LAMBDA_STORE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "front/common/environment.h"
#include "front/lambda/courier.h"

struct store; /* NULL: none is configured */

/* *ret is NULL when FAIRFORGE_RESULT_URI is unset or empty. 0; FF_EUSAGE: what is wrong with the configuration; FF_ENOMEM. */
int store_new(environment_fn env, void *env_user, struct courier *courier, struct store **ret, struct error *err) WARN_UNUSED;
void store_free(struct store *s); /* NULL is fine */
/* Appends "s3://bucket/prefix/ID.json"; `id` is cut to [A-Za-z0-9._-]. 0 or FF_ENOMEM. */
int store_uri(const struct store *s, struct str id, struct buf *out) WARN_UNUSED;
/*
 * Writes the object, within `timeout_ms`: up to 4 attempts (transport errors, 500, 503 and 429 again, with growing waits; a refusal at once).
 * 0; FF_EUNREACHABLE, FF_EREFUSED (the status and S3's code and message), FF_ELIMIT (no time left).
 */
int store_put(struct store *s, struct str id, struct str json, uint64_t timeout_ms, struct error *err) WARN_UNUSED;

#endif
