/* gemini.h: what gemini.c (class, addresses, headers), gemini_params.c (table and body) and gemini_turn.c (attempts) share. */
#ifndef FF_CONNECTOR_GEMINI_H
#define FF_CONNECTOR_GEMINI_H

#include "connector/connector.h"
#include "connector/langchain_params.h"

/* Rows of gemini_rows. */
enum {
	G_MODEL,
	G_TEMPERATURE,
	G_TOP_P,
	G_TOP_K,
	G_MAX_TOKENS,
	G_N,
	G_STOP,
	G_PRESENCE,
	G_FREQUENCY,
	G_SEED,
	G_MIME,
	G_SCHEMA,
	G_MODALITIES,
	G_THINKING_BUDGET,
	G_INCLUDE_THOUGHTS,
	G_EFFORT,
	G_THINKING_CONFIG,
	G_IMAGE_CONFIG,
	G_SAFETY,
	G_LABELS,
	G_CACHED_CONTENT,
	G_MEDIA_RESOLUTION,
	G_KEY,
	G_BASE_URL,
	G_CLIENT_OPTIONS,
	G_API_VERSION,
	G_HEADERS,
	G_CLIENT_ARGS,
	G_TIMEOUT,
	G_RETRIES,
	G_STREAMING,
	G_MODEL_KWARGS,
	G_CONVERT_SYSTEM,
	G_CLIENT,
	G_METADATA_INPUT,
	G_CREDENTIALS,
	G_VERTEXAI,
	G_PROJECT,
	G_LOCATION,
	LANGCHAIN_FIELDS(G),
	G_COUNT
};

extern const struct param_row gemini_rows[G_COUNT];

/* Everything that does not change between turns is rendered once; a turn's body is {"contents":[messages] + suffix. */
struct gemini {
	struct connector base; /* first */
	struct str url;        /* with the query */
	const struct pair *headers;
	size_t header_count;
	struct str suffix;  /* ,"safetySettings":[…],"generationConfig":{…}} */
	bool keep_newlines; /* params.streaming: line feeds at the end of the answer stay, as in the reference */
};

/* While it is configured. */
struct gemini_setup {
	const struct connector_setup *in;
	struct problems *problems;
	struct gemini *g;
	struct param_value values[G_COUNT];
	bool disable_streaming;
	bool failed, nomem;
};

/* An error at params/NAME. */
void gemini_wrong(struct gemini_setup *s, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);
/* Reads the params, moves the known members of model_kwargs up, warns of unknown names, checks ranges. 0 or FF_ENOMEM; s->failed. */
int gemini_read_params(struct gemini_setup *s, bool *ret_key_from_env) WARN_UNUSED;
void gemini_render_body(struct gemini_setup *s);

struct connector_turn *gemini_begin(const struct connector *c, struct connector_session *s, const struct turn_input *in,
                                    struct arena *arena);
int gemini_encode(struct connector_turn *t, struct exchange *ret, struct error *err);
void gemini_head(struct connector_turn *t, int status, const struct pair *headers, size_t header_count);
int gemini_feed(struct connector_turn *t, const char *data, size_t len, bool *ret_content);
void gemini_finish(struct connector_turn *t, struct verdict *ret);
void gemini_end(struct connector_turn *t);

extern const struct connector_class gemini_class;

#endif
