/*
 * httpx_args.h: keyword arguments of Python's httpx client, which ChatOllama takes as client_kwargs and async_client_kwargs and
 * ChatGoogleGenerativeAI as client_args: what each becomes here, and which are refused, in one table.
 */
#ifndef FF_CONNECTOR_HTTPX_ARGS_H
#define FF_CONNECTOR_HTTPX_ARGS_H

#include "connector/header_list.h"
#include "connector/params.h"

struct httpx_args {
	bool timeout_given;  /* a number; null is httpx's "no timeout" and counts as not given */
	double timeout_s;    /* per read; 0 fails at once */
	bool insecure;       /* verify: false */
	struct str cafile;   /* verify: a path; empty: none */
	struct str proxy;    /* empty: none */
	struct str query;    /* "a=1&b=2", percent-encoded; empty: none */
	struct json headers; /* JSON_OBJECT, or JSON_NULL when not given */
	struct str cookies;  /* value of a Cookie header; empty: none */
};

/*
 * Reads the object (NULL: nothing given). `unknown_is_error`: what httpx.Client does not know is refused, else warned about. Text is in `a`, but for
 * headers, which are the object's. 0, FF_EUSAGE (problems has errors), FF_ENOMEM.
 */
int httpx_args_read(struct arena *a, const struct json *object, const char *pointer, bool stranger, bool unknown_is_error,
                    struct problems *problems, struct httpx_args *ret) WARN_UNUSED;

#endif
