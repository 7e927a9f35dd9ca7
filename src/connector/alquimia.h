/* alquimia.h: what alquimia.c (configuration, class) and alquimia_turn.c (attempts) share. */
#ifndef FF_CONNECTOR_ALQUIMIA_H
#define FF_CONNECTOR_ALQUIMIA_H

#include "connector/connector.h"

/* Everything that does not change between turns is rendered once. */
struct alquimia {
	struct connector base;    /* first */
	struct str infer_url;     /* {base}/event/infer/{channel}/{agent} */
	struct str default_query; /* ?chat_history=50&agentspace=_default: where a batch overrides neither */
	struct str stream_prefix; /* {base}/event/stream/ */
	const struct pair *infer_headers, *stream_headers;
	size_t infer_header_count, stream_header_count;
};

#define ALQUIMIA_CHAT_HISTORY "50"
#define ALQUIMIA_AGENTSPACE   "_default"

/* `text` as a piece of a URL's path, as the client's HTTP library writes it: what no URL may have is percent-encoded, %XX and slashes stay. Unlike it, '?' and
 * '#' are encoded too: they would cut the rest off. NULL: out of memory. */
char *alquimia_path_piece(struct arena *a, struct str text);

struct connector_turn *alquimia_begin(const struct connector *c, struct connector_session *s, const struct turn_input *in,
                                      struct arena *arena);
int alquimia_encode(struct connector_turn *t, struct exchange *ret, struct error *err);
void alquimia_head(struct connector_turn *t, int status, const struct pair *headers, size_t header_count);
int alquimia_feed(struct connector_turn *t, const char *data, size_t len, bool *ret_content);
void alquimia_finish(struct connector_turn *t, struct verdict *ret);
void alquimia_end(struct connector_turn *t);

extern const struct connector_class alquimia_class;

#endif
