/*
 * connector.h: a wire format: turns a batch into an exchange and bytes of the reply into an answer.
 * Pure: no sockets, no clock, no log. The date and everything time-like arrive in the input.
 *
 * To add a provider:
 *   1. one file src/connector/NAME.c with a param table (connector/params.h), the functions below and one `const struct connector_class`;
 *   2. one row in registry.c;
 *   3. one folder of golden cases, and a fuzz target's corpus for its decoder (tests/fuzz).
 * docs/ and `fairforge connectors` follow from the tables.
 *
 * Life of an attempt:  begin → encode → head, feed… → finish → (ANOTHER → encode → …) → end
 */
#ifndef FF_CONNECTOR_CONNECTOR_H
#define FF_CONNECTOR_CONNECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/problem.h"
#include "base/str.h"
#include "connector/params.h"
#include "model/dataset.h"
#include "model/outcome.h"
#include "model/result.h"

/* ---- configuration ---- */

struct connector_setup {
	const struct json *params;                        /* object, or NULL for {} */
	const char *pointer;                              /* JSON pointer of params, for problems: "/connector/params" */
	const char *(*env)(void *user, const char *name); /* environment; NULL when unset */
	void *env_user;
	bool stranger; /* the payload is a stranger's: what only an operator may set is an error */
	bool stream;   /* option `stream` */
};

enum key_source { KEY_NONE, KEY_FROM_PARAMS, KEY_FROM_ENV };

/* What every configured connector has; classes embed it as their first member. All memory is in `arena`. */
struct connector {
	const struct connector_class *class;
	unsigned references; /* owners beside the first: it never changes once it is configured, so runs may share it */
	struct arena arena;
	struct str model;
	struct str base_url;   /* absolute http(s) URL prefix that requests go to */
	bool base_is_default;  /* the provider's own: no notice about where the key goes */
	bool base_is_required; /* the class has no address of its own: base_url is always somebody's */
	bool base_from_env;    /* set by the operator's environment */
	struct str key;        /* live secret, empty when none */
	enum key_source key_source;
	const struct str *
	        secrets; /* every secret that may leave (key, Authorization values of default_headers, userinfo, organisation): for the scrubber */
	size_t secret_count;
	bool env_secrets;        /* a secret of the environment is among them: strangers' origin rule applies */
	struct str proxy;        /* openai_proxy; empty: none */
	struct str cafile;       /* client_kwargs.verify as a path; empty: none */
	bool insecure_tls;       /* client_kwargs.verify = false */
	bool timeout_set;        /* params.timeout was given (null counts as not given) */
	uint64_t timeout_ms;     /* per read, as httpx; 0 with timeout_set: fails at once */
	uint64_t silence_ms;     /* params.stream_chunk_timeout: longest silence inside a stream; 0: as the run says */
	int32_t max_retries;     /* extra attempts, by params.max_retries or the class's default; >= 0 */
	bool streaming;          /* the request asks for a stream */
	bool ordered;            /* turns of a session must run in order, by what was configured (class.ordered: in any case) */
	const char *url_param;   /* the parameter that named base_url, when the class has no address of its own; NULL: base_url */
	struct str login_origin; /* another origin that requests go to; empty: none */
};

/* Which failures are worth another attempt: one table per class, printed by `fairforge connectors CLASS`. */
struct retry_rules {
	const int *statuses;         /* 0-terminated; 599 stands for every status >= 500 */
	bool transport;              /* resolve, connect, tls, send, cut, garbage */
	bool connect_only;           /* of those only resolve and connect */
	bool before_reply_only;      /* of those only what breaks before a byte of the reply: not cut, not garbage (Gemini) */
	bool timeouts;               /* connect and idle timeouts */
	bool should_retry_header;    /* x-should-retry overrides the status rule */
	bool hints;                  /* retry-after, retry-after-ms, reset headers, hints in the body */
	int32_t default_max_retries; /* extra attempts */
	double backoff_first_s;      /* wait before retry k (from 0): min(first * 2^k, cap) */
	double backoff_cap_s;
};

/* ---- one attempt ---- */

struct message {
	struct str role; /* "user", "assistant", "system" */
	struct str content;
};

/* What the runner asks; alive until end(). */
struct turn_input {
	const struct dataset *dataset;
	const struct batch *batch;
	const struct message *messages; /* what a chat connector sends, prompt built by the runner; at least one */
	size_t message_count;
	unsigned attempt;    /* from 0 */
	int64_t now_wall_ms; /* for HTTP dates in hints */
	const char *date;    /* "2026-11-22" */
};

/* One HTTP request; memory in the attempt's arena. */
struct exchange {
	struct str method;
	struct str url; /* absolute, percent-encoded where needed */
	const struct pair *headers;
	size_t header_count;
	struct str body;
	bool once;                /* not to be sent again when its connection dies before a byte of the reply */
	uint64_t idle_timeout_ms; /* in place of the run's, unless the user set that one; 0: as the run says */
};

enum verdict_kind {
	VERDICT_DONE,    /* the turn is answered (outcome is a success in the reference's sense) */
	VERDICT_ANOTHER, /* one more exchange: encode again */
	VERDICT_RETRY,   /* failed; the class's rules allow another attempt; `hint_ms` when the provider said when */
	VERDICT_FATAL    /* failed; another attempt would fail too */
};

struct verdict {
	enum verdict_kind kind;
	enum outcome outcome;
	struct str answer; /* DONE: the text, UTF-8, in the attempt's arena */
	struct str error;  /* RETRY, FATAL: "OpenAI: what happened (status, provider's message)"; not scrubbed yet; no "[ERROR] " */
	struct str finish_reason, model, request_id;
	struct usage usage;
	int64_t hint_ms;  /* RETRY: wait asked for by the provider; -1: none */
	bool daily_quota; /* the provider says that a daily (or longer) quota is spent */
	bool setup_error; /* FATAL: the set-up is wrong for every turn (ChatOllama's validate_model_on_init): the sentence is the run's answer */
};

/* Which of the reference's runners executes a dataset over the connector (engine/engine.h: prompt, order, summary); lib has the table. */
enum connector_runner { CONNECTOR_LLM_RUNNER, CONNECTOR_ALQUIMIA_RUNNER };

struct connector_turn;    /* state of one attempt, defined by each class */
struct connector_session; /* state kept over the turns of a dataset, defined by a class that has session_new */

struct connector_class {
	const char *name;               /* "ChatGroq" */
	const char *short_name;         /* "groq" */
	const char *label;              /* "Groq": first word of error sentences */
	const char *const *class_paths; /* NULL-terminated */
	const char *summary;            /* one line for `fairforge connectors` */
	const struct param_row *params;
	size_t param_count;
	struct retry_rules retry;
	bool ordered; /* turns of a session must run in order (the service keeps the conversation) */
	enum connector_runner runner;

	/* Finds every mistake before anything is sent. 0 with *ret (connector_free), FF_EUSAGE (problems has errors) or FF_ENOMEM. */
	int (*configure)(const struct connector_class *class, const struct connector_setup *setup, struct problems *problems,
	                 struct connector **ret);
	/* Optional: state for one session. 0 or FF_ENOMEM. */
	int (*session_new)(const struct connector *c, const struct dataset *d, struct connector_session **ret);
	void (*session_free)(struct connector_session *s);
	/* State of an attempt in `arena` (released by the caller after end). NULL: out of memory. */
	struct connector_turn *(*begin)(const struct connector *c, struct connector_session *s, const struct turn_input *in,
	                                struct arena *arena);
	/* The next request. 0; FF_ENOMEM; FF_EDATA: this turn cannot be sent, err->text says why (outcome not_run). */
	int (*encode)(struct connector_turn *t, struct exchange *ret, struct error *err);
	/* A reply begins: status and headers. */
	void (*head)(struct connector_turn *t, int status, const struct pair *headers, size_t header_count);
	/* Decoded bytes of the body. 0, or FF_ETOOBIG / FF_ENOMEM to stop the transfer. *ret_content is set true when answer text came. */
	int (*feed)(struct connector_turn *t, const char *data, size_t len, bool *ret_content);
	/* The reply is complete. Never fails: lack of memory is a FATAL verdict. Called once for each complete reply. */
	void (*finish)(struct connector_turn *t, struct verdict *ret);
	void (*end)(struct connector_turn *t); /* frees what is not in the arena; NULL: nothing to free */
};

/* ---- registry.c ---- */

const struct connector_class *const *connector_classes(size_t *ret_count);
/* By short name, class name or class path; NULL when unknown. */
const struct connector_class *connector_class_find(struct str name);
/*
 * `connector` member of a payload → a configured connector. Adds problems; the reference's texts where it has one:
 * "connector.class_path is required". 0, FF_EUSAGE, FF_ENOMEM. setup->params is ignored.
 */
int connector_create(const struct json *connector, const struct connector_setup *setup, struct problems *problems,
                     struct connector **ret) WARN_UNUSED;
struct connector *connector_again(struct connector *c); /* for one more owner */
void connector_free(struct connector *c);               /* by each owner; the last one wipes the keys. NULL is fine */

#endif
