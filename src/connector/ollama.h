/* ollama.h: what ollama.c (configuration, class) and ollama_turn.c (attempts) share. */
#ifndef FF_CONNECTOR_OLLAMA_H
#define FF_CONNECTOR_OLLAMA_H

#include "connector/connector.h"

/* validate_model_on_init: asked once a connector, by the first attempts; owned by the connector, written by its attempts (one thread). */
struct ollama_check {
	enum { OLLAMA_UNCHECKED, OLLAMA_PRESENT, OLLAMA_ABSENT } state;
	struct str sentence; /* OLLAMA_ABSENT: why, in the connector's arena */
};

/* Everything that does not change between turns is rendered once; a turn's body is prefix + messages + suffix. */
struct ollama {
	struct connector base; /* first */
	struct str chat_url, tags_url;
	const struct pair *headers;
	size_t header_count;
	struct str prefix;          /* {"model":…,"messages": */
	struct str suffix;          /* ,"tools":[]…} */
	struct ollama_check *check; /* NULL: validate_model_on_init is false */
	struct arena *check_arena;  /* where check->sentence is kept */
};

struct connector_turn *ollama_begin(const struct connector *c, struct connector_session *s, const struct turn_input *in,
                                    struct arena *arena);
int ollama_encode(struct connector_turn *t, struct exchange *ret, struct error *err);
void ollama_head(struct connector_turn *t, int status, const struct pair *headers, size_t header_count);
int ollama_feed(struct connector_turn *t, const char *data, size_t len, bool *ret_content);
void ollama_finish(struct connector_turn *t, struct verdict *ret);
void ollama_end(struct connector_turn *t);

extern const struct connector_class ollama_class;

#endif
