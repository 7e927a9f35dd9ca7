/*
 * sdk.h: what ChatOpenAI and ChatGroq share: their vendors' SDKs are one generator's work, so parameters fold, unknown names fail, headers, query and
 * body merge, and attempts live in the same way. A class adds its parameter table, its defaults and its URL; a wire (chat completions or
 * Responses) adds the shape of messages and replies.
 *
 * Configuring:  sdk_begin → sdk_read → (the class: key, base, headers, body) → sdk_render. Every step adds problems and goes on, so that the user sees
 * all of them at once; `failed` and `nomem` are looked at in sdk_end.
 */
#ifndef FF_CONNECTOR_SDK_H
#define FF_CONNECTOR_SDK_H

#include <stdbool.h>
#include <stddef.h>

#include "connector/base_url.h"
#include "connector/connector.h"
#include "connector/header_list.h"
#include "connector/reply.h"
#include "connector/sse.h"

/* ---- the configured connector ---- */

struct sdk_wire;

/* Everything that does not change between turns is rendered here once. */
struct sdk_connector {
	struct connector base;
	const struct sdk_wire *wire;
	struct str url;
	const struct pair *headers; /* the last one is x-stainless-retry-count of the first attempt */
	size_t header_count;
	struct str body_start; /* up to and with the '[' of the messages; the whole body when static_body */
	bool static_body;      /* extra_body brings its own messages: every turn sends the same */
	bool developer_role;   /* system messages leave as developer (o-series models) */
	bool parse_format;     /* response_format: a cut or filtered answer is an error, as in the SDK's parse() */
};

/* What the SDKs try again, and how long they wait: initialises connector_class.retry. */
extern const int sdk_retried_statuses[];
#define SDK_RETRY_RULES                                                                                                            \
	{                                                                                                                          \
		.statuses = sdk_retried_statuses, .transport = true, .timeouts = true, .should_retry_header = true, .hints = true, \
		.default_max_retries = 2, .backoff_first_s = 0.5, .backoff_cap_s = 8.0                                             \
	}

/* ---- one attempt ---- */

/* What is known of the answer so far, and of a stream's text. */
struct answer {
	struct str text; /* whole answer of a plain reply */
	struct str finish_reason, model;
	struct usage usage;
	bool refused;     /* the model gave a refusal */
	bool tools;       /* it called tools */
	bool filtered;    /* a content filter stepped in */
	bool truncated;   /* a length limit cut it */
	bool seen;        /* a stream had an event */
	bool begun;       /* one that belongs to an answer */
	bool done;        /* a stream said that it is over: the rest is drained */
	bool failed;      /* `failure` tells; the rest is drained */
	bool new_content; /* text came since the last look */
	struct gather stream_text;
	struct verdict failure;
};

struct connector_turn {
	const struct sdk_connector *c;
	const struct turn_input *in;
	struct arena *arena;
	struct reply reply;
	struct sse sse;
	struct arena scratch; /* of one event; owned: end() releases it */
	struct answer answer;
};

/* What differs between chat completions and Responses. */
struct sdk_wire {
	const char *messages_key; /* "messages", "input" */
	const char *message_end;  /* behind a message's content: "}" or ",\"type\":\"message\"}" */
	const char *path;         /* behind the base URL */
	bool choices_win;         /* a whole reply with choices is an answer, even if it has an error, too */
	/* A whole reply: fills t->answer, or fails by sdk_fail_*. */
	void (*read_reply)(struct connector_turn *t, const struct json *reply);
	/* One event of a stream, parsed into the scratch arena; `type` is its event: line or "". */
	void (*read_event)(struct connector_turn *t, struct str type, const struct json *event);
};

extern const struct sdk_wire sdk_wire_chat;      /* chat.c */
extern const struct sdk_wire sdk_wire_groq;      /* chat.c: another path */
extern const struct sdk_wire sdk_wire_responses; /* openai_responses.c */

/* The functions of a class (sdk_turn.c). */
struct connector_turn *sdk_turn_begin(const struct connector *c, struct connector_session *s, const struct turn_input *in,
                                      struct arena *arena);
int sdk_turn_encode(struct connector_turn *t, struct exchange *ret, struct error *err);
void sdk_turn_head(struct connector_turn *t, int status, const struct pair *headers, size_t header_count);
int sdk_turn_feed(struct connector_turn *t, const char *data, size_t len, bool *ret_content);
void sdk_turn_finish(struct connector_turn *t, struct verdict *ret);
void sdk_turn_end(struct connector_turn *t);

/* For the wires: */
void sdk_fail_bad(struct connector_turn *t, const char *what_format, ...) PRINTF_LIKE(2, 3);
void sdk_fail_error(struct connector_turn *t, const struct json *error); /* the provider reports an error inside a success */
void sdk_fail_nomem(struct connector_turn *t);
/* Text of a string value, kept beyond the event; for anything else *kept stays. */
void sdk_keep(struct connector_turn *t, const struct json *v, struct str *kept);
void sdk_add_text(struct connector_turn *t, struct str text); /* a delta of the answer */

/* ---- configuring ---- */

/* The longest a table of rows may be. */
#define SDK_ROWS_MAX 80

/* How lists become query parameters. */
enum sdk_query_lists { SDK_LISTS_COMMA /* l=x,y */, SDK_LISTS_BRACKETS /* l[]=x&l[]=y */ };

struct sdk_setup {
	const struct connector_setup *setup;
	struct problems *problems;
	const struct connector_class *class;
	struct sdk_connector *c;
	struct arena *arena; /* c's */
	bool failed, nomem;

	struct param_value values[SDK_ROWS_MAX]; /* of class->params */
	bool key_from_llm_env;
	bool disable_streaming;
	struct json extras;  /* object: names of model_kwargs and of params that are no field of the class, in order */
	size_t kwargs_count; /* how many of them, at the beginning, came from model_kwargs */

	struct header_list headers;
	struct json query; /* object: default_query and extra_query merged */
	size_t query_room;
	struct json body; /* object: members of the request's body but for the messages */
	size_t body_room;
	const struct json *own_messages; /* extra_body.messages; NULL: none */
};

/* A parameter that is a Python object in the reference: truthy ones are refused where they matter there, else they have no effect. */
void sdk_refuse_object(struct sdk_setup *s, size_t row, bool matters);

/* What a class tells sdk_read about its table. */
struct sdk_rows {
	size_t model_kwargs; /* row numbers */
	size_t langchain;    /* the first of LANGCHAIN_ROWS */
	bool kwargs_may_shadow; /* class fields inside model_kwargs move up with a warning (ChatOpenAI), else they are errors (ChatGroq) */
};

/* 0 with *ret ready, or FF_ENOMEM. */
int sdk_begin(struct sdk_setup *s, const struct connector_class *class, const struct connector_setup *setup,
              struct problems *problems) WARN_UNUSED;
/* Reads params and model_kwargs by class->params into values and extras. */
void sdk_read(struct sdk_setup *s, const struct sdk_rows *rows);
/* Frees on failure: 0 with *ret, FF_EUSAGE or FF_ENOMEM. */
int sdk_end(struct sdk_setup *s, struct connector **ret) WARN_UNUSED;

void sdk_error(struct sdk_setup *s, const char *name, const char *format, ...) PRINTF_LIKE(3, 4); /* a problem at params/NAME */
void sdk_warning(struct sdk_setup *s, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

/* Where a key may come from, in order. */
struct sdk_key_source {
	const char *param;   /* "api_key": words the problem */
	const char *env;     /* the provider's own variable */
	const char *missing; /* the sentence when there is none */
};
void sdk_read_key(struct sdk_setup *s, const struct param_value *value, const struct sdk_key_source *source);

/* Sets base_url, userinfo and url: `base` (empty: the default), without any of `own_paths` at its end, then the wire's path and the query. */
struct sdk_base {
	struct str url;   /* what the user or the environment said; empty: the default */
	const char *name; /* "base_url" or the variable, for the problem */
	bool from_env;
	const char *fallback;         /* the provider's own, "https://api.groq.com" */
	const char *const *own_paths; /* NULL-terminated, longest first */
	enum sdk_query_lists lists;
};
void sdk_set_url(struct sdk_setup *s, const struct sdk_base *base);

/* Accept, Content-Type, User-Agent and Authorization; then the class's own; then sdk_user_headers. */
void sdk_common_headers(struct sdk_setup *s);
/* default_headers (may be absent), then extra_headers. Basic credentials of the base URL come last: sdk_set_url. */
void sdk_user_headers(struct sdk_setup *s, const struct param_value *default_headers);
/* default_query (may be absent) and extra_query. */
void sdk_user_query(struct sdk_setup *s, const struct param_value *default_query);
struct str sdk_query_text(struct sdk_setup *s, enum sdk_query_lists lists);               /* percent-encoded, without '?' */
void sdk_given_headers(struct sdk_setup *s, const struct json *object, const char *name); /* object of strings, or NULL */
void sdk_finish_headers(struct sdk_setup *s);

/* The body's members: replaces or appends. The value is not copied. */
void sdk_body_set(struct sdk_setup *s, struct str key, struct json value);
void sdk_body_drop(struct sdk_setup *s, struct str key);
const struct json *sdk_body_get(const struct sdk_setup *s, struct str key); /* NULL: absent */
struct json sdk_text(struct str text);
struct json sdk_bool(bool value);
/* Every given value whose row says "body NAME". */
void sdk_body_from_rows(struct sdk_setup *s);
/* Names of extras that go into the body as they are: those that the SDK's function knows. Others are problems. NULL-terminated. */
void sdk_body_from_extras(struct sdk_setup *s, const char *const *known);
/* extra_body, from the extras or the class's field, over all members. Its messages count, too. */
void sdk_body_merge(struct sdk_setup *s, const struct json *extra_body);
/* Renders the body and closes the headers; the last step, after sdk_set_url. */
void sdk_render(struct sdk_setup *s);

#endif
