/*
 * account.h: where a request goes and with what: its connector, the address, and the secrets that nothing may say aloud.
 *
 * Runs that are there at the same time and name the same connector share one account: a service whose clients all ask the same model configures
 * it once, and not with every request. Nothing is kept for later: an account ends with the last request that holds it, and so do its keys.
 */
#ifndef FF_LIB_ACCOUNT_H
#define FF_LIB_ACCOUNT_H

#include "base/secret.h"
#include "connector/connector.h"
#include "net/url.h"

struct ff_engine;

struct account {
	struct ff_engine *engine;
	unsigned references;
	struct arena arena;
	struct str asked_for;        /* all that the account follows from, with its keys; empty: never shared */
	struct connector *connector; /* once others may share it; else the request alone has it */
	struct url_parts target;
	bool has_target;
	const char *notice;   /* where the key goes, when that is not the provider's own address; NULL */
	struct guard *guards; /* secrets that the engine's scrubber knows because of this account */
	struct scrubber
	        scrubber; /* the same secrets: what a request and its run say is scrubbed of its own, not of other people's */
};

struct account *account_new(struct ff_engine *engine) WARN_UNUSED; /* NULL: out of memory */
void account_release(struct account *a);                           /* NULL is fine; the last one wipes the secrets */
/* Lets both scrubbers know a secret as long as the account lives. 0 or FF_ENOMEM. */
int account_guard(struct account *a, struct str secret) WARN_UNUSED;
size_t account_guards(const struct account *a);
/* The account that follows from the same bytes, with a reference of its own; NULL: nobody has it now. */
struct account *account_find(struct ff_engine *engine, struct str asked_for);
/* From now on others may find it, with the connector, which gets one more owner. 0 or FF_ENOMEM. */
int account_share(struct account *a, struct connector *connector) WARN_UNUSED;

#endif
