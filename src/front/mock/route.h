/*
 * route.h: which protocol and which endpoint a request is for. Pure; one table (route.c) says which paths exist.
 */
#ifndef FF_FRONT_MOCK_ROUTE_H
#define FF_FRONT_MOCK_ROUTE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

enum proto { PROTO_OPENAI, PROTO_GROQ, PROTO_GEMINI, PROTO_OLLAMA, PROTO_ALQUIMIA };

enum endpoint {
	EP_NONE,         /* no such path: 404 in the shape of `proto` */
	EP_WRONG,        /* the path exists for another method: 405 */
	EP_CHAT,         /* OpenAI, Groq: chat completions */
	EP_RESPONSES,    /* OpenAI: the Responses API */
	EP_GENERATE,     /* Gemini: generateContent */
	EP_GENERATE_SSE, /* Gemini: streamGenerateContent, as SSE or as an array */
	EP_OLLAMA_CHAT,  /* Ollama: /api/chat */
	EP_INFER,        /* Alquimia: takes the query, gives a stream id */
	EP_EVENTS,       /* Alquimia: the events of a stream id */
	EP_MODELS,       /* a list of models */
	EP_MODEL,        /* one model, id in `id` */
	EP_TAGS,         /* Ollama: /api/tags */
	EP_SHOW,         /* Ollama: /api/show */
	EP_VERSION,      /* Ollama: /api/version */
	EP_ROOT          /* Ollama: / */
};

struct route {
	enum proto proto;
	enum endpoint endpoint;
	struct str id;     /* what the last wildcard of the path took, percent-encoded as it came: a model, a stream id */
	const char *allow; /* EP_WRONG: the value of the Allow header */
};

/* `path` is percent-encoded, without query. `google`: the request carries a mark of Google's SDK, which decides what /v1/models means. */
struct route route_find(struct str method, struct str path, bool google);

/* True when the endpoint answers prompts: such requests are numbered and meet faults, limits and latency. */
bool route_answers(enum endpoint endpoint);

/* Appends the text with %XX decoded; a broken escape stays as it is. */
void route_decode(struct str encoded, struct buf *out);

#endif
