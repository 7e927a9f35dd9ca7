/* store_config.h: where the objects of store.h go and with which key, read from the environment. */
#ifndef FF_FRONT_LAMBDA_STORE_CONFIG_H
#define FF_FRONT_LAMBDA_STORE_CONFIG_H

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "front/lambda/store.h"

struct store_config {        /* all in the arena */
	struct str bucket;   /* "my-bucket" */
	struct str prefix;   /* "runs/", or empty */
	struct str base_url; /* "https://my-bucket.s3.eu-west-1.amazonaws.com" */
	struct str host;     /* as it stands in Host: */
	struct str root;     /* path before the key: "/", or "/my-bucket/" (path style) */
	struct str region, access_key, secret_key, session_token;
};

/* 0 (*ret_found false: FAIRFORGE_RESULT_URI is unset or empty); FF_EUSAGE: a sentence that names the variable; FF_ENOMEM. */
int store_config_read(environment_fn env, void *env_user, struct arena *arena, struct store_config *ret, bool *ret_found,
                      struct error *err) WARN_UNUSED;

#endif
