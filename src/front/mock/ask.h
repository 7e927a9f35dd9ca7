/*
 * ask.h: what a request asks, the same for all protocols: model, last user message, how it wants the answer. Pure: body in, struct out.
 */
#ifndef FF_FRONT_MOCK_ASK_H
#define FF_FRONT_MOCK_ASK_H

#include "base/buf.h"
#include "base/error.h"
#include "front/mock/route.h"

#define ASK_MAX_CHOICES 16u

struct ff_json_doc;

struct ask {
	enum proto proto;
	enum endpoint endpoint;
	struct buf model;       /* as the client named it */
	struct buf text;        /* the last user message, its text parts joined by nothing */
	struct buf session;     /* Alquimia's session_id, else empty */
	uint64_t prompt_tokens; /* of all messages */
	unsigned choices;       /* answers wanted: n, candidateCount */
	bool stream;            /* deltas wanted */
	bool sse;               /* Gemini: alt=sse, else an array */
	bool usage_chunk;       /* OpenAI: stream_options.include_usage */
	bool load;              /* Ollama: no messages, which only loads the model */
};

/* What is wrong with a body, in the terms of an API error. */
struct ask_problem {
	unsigned status;   /* 400 */
	const char *param; /* the member, or NULL */
	const char *code;  /* OpenAI's code, or NULL */
	struct error error;
};

void ask_init(struct ask *a);
void ask_release(struct ask *a);

/*
 * Reads the body of a request for an endpoint that answers (not EP_EVENTS). The model of Gemini's endpoints is in route.id.
 * 0, FF_EDATA (the client's mistake, described in ret_problem) or FF_ENOMEM.
 */
int ask_read(struct ask *a, const struct route *route, struct str body, struct ask_problem *ret_problem) WARN_UNUSED;

#endif
