/*
 * http_template.h: what http_template.c (configuration, class), http_template_session.c (state of a session) and http_template_turn.c (attempts)
 * share. HttpTemplate is the connector for a service of the user's own: the request is a template, the answer a place in the reply.
 *
 * It is the project's example of a connector with session state: what replies leave (capture) and whether the session has logged in live in
 * struct connector_session, made by session_new before the first turn of a dataset and freed by session_free behind its last. Such a connector is
 * `ordered`: turns of a session run one after the other, so the session needs no lock and a turn always sees what the one before it left.
 */
#ifndef FF_CONNECTOR_HTTP_TEMPLATE_H
#define FF_CONNECTOR_HTTP_TEMPLATE_H

#include "base/secret.h"
#include "connector/connector.h"
#include "connector/reply.h"
#include "connector/template.h"
#include "connector/template_request.h"

/* A set of HTTP statuses, 100 to 599. */
struct status_set {
	unsigned char bits[75];
};

static inline bool status_set_has(const struct status_set *s, int status)
{
	return status >= 100 && status <= 599 && (s->bits[status / 8] >> (status % 8) & 1);
}

/* One entry of `capture`: from where in a reply to which slot of the session. */
struct capture_rule {
	enum { CAPTURE_POINTER, CAPTURE_HEADER, CAPTURE_COOKIE } from;
	struct str key; /* JSON pointer, header or cookie */
	size_t slot;
	bool optional;
};

struct capture_list {
	struct capture_rule *rules;
	size_t count;
	bool pointers; /* one of them reads the body */
};

struct answer_rule {
	enum { ANSWER_TEXT, ANSWER_JSON, ANSWER_SSE, ANSWER_NDJSON } kind;
	struct str pointer;
	bool data_is_text; /* sse: "text": an event's data is the piece itself */
	bool last;         /* take "last": the last piece is the answer, else all of them joined */
	struct str event;  /* sse: only events of this type count; empty: all */
	struct str end;    /* sse: data that ends the stream */
};

/* One of the two exchanges: the login of a session, or the question of a turn. */
struct template_exchange {
	struct template_request request;
	struct capture_list capture;
	struct status_set success;
	struct str error; /* JSON pointer, when has_error */
	bool has_error;
};

struct http_template {
	struct connector base;            /* first */
	struct connector_class own_class; /* the class with the retry statuses of this connector: base.class points to it */
	struct template_exchange ask, login;
	bool has_login;
	struct status_set renew; /* statuses of the question upon which the session logs in again, once an attempt */
	struct answer_rule answer;
	struct template_slot *slots;
	size_t slot_count;
};

/* ---- http_template_session.c ---- */

struct connector_session {
	const struct http_template *h;
	bool logged_in;
	char *refused;            /* why the login can never succeed: later turns of the session are not sent. NULL: it may */
	struct scrubber scrubber; /* what was captured and is secret */
	struct template_captured captured[]; /* by slot; texts are owned */
};

int http_template_session_new(const struct connector *c, const struct dataset *d, struct connector_session **ret);
void http_template_session_free(struct connector_session *s);
/* Replaces what the slot holds. 0 or FF_ENOMEM (it stays as it was). */
int http_template_session_keep(struct connector_session *s, size_t slot, const struct template_captured *value) WARN_UNUSED;

/* ---- http_template_turn.c ---- */

struct connector_turn *http_template_begin(const struct connector *c, struct connector_session *s, const struct turn_input *in,
                                           struct arena *arena);
int http_template_encode(struct connector_turn *t, struct exchange *ret, struct error *err);
void http_template_head(struct connector_turn *t, int status, const struct pair *headers, size_t header_count);
int http_template_feed(struct connector_turn *t, const char *data, size_t len, bool *ret_content);
void http_template_finish(struct connector_turn *t, struct verdict *ret);
void http_template_end(struct connector_turn *t);

extern const struct connector_class http_template_class;

#endif
