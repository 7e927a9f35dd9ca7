/*
 * write.h: the writers: an answer in the words of a protocol, plain or as a stream. Pure: what was asked and what is answered in, a reply out.
 * One file a protocol. To add one: a row in route.c, a shape in ask.c, a writer here, an error shape in reply.c.
 */
#ifndef FF_FRONT_MOCK_WRITE_H
#define FF_FRONT_MOCK_WRITE_H

#include "front/mock/ask.h"
#include "front/mock/reply.h"
#include "front/mock/text.h"

/* What is answered. */
struct made {
	struct str text;
	uint64_t tokens;         /* of the text: one choice's */
	size_t ends[DELTAS_MAX]; /* the deltas of the text */
	size_t deltas;
	uint64_t id;       /* unlike any other of this process */
	int64_t wall_ms;   /* when */
	uint64_t spent_us; /* the time it is said to have taken */
};

void made_init(struct made *m, struct str text, uint64_t id, int64_t wall_ms, uint64_t spent_us);
struct str made_delta(const struct made *m, size_t index);

void write_chat(const struct ask *a, const struct made *m, struct mock_reply *r);      /* OpenAI, Groq */
void write_responses(const struct ask *a, const struct made *m, struct mock_reply *r); /* OpenAI */
void write_gemini(const struct ask *a, const struct made *m, struct mock_reply *r);
void write_ollama(const struct ask *a, const struct made *m, struct mock_reply *r);
void write_infer(const struct made *m, struct mock_reply *r);                      /* Alquimia: the stream id is made->id */
void write_events(const struct made *m, bool response_only, struct mock_reply *r); /* Alquimia: the stream */
uint64_t write_stream_id_parse(struct str text); /* the id of a stream, 0 when it is none of ours */

/* Lists of models, one model, Ollama's /api/show, /api/version and /. `model` is decoded. */
void write_catalogue(enum proto proto, enum endpoint endpoint, struct str model, int64_t wall_ms, struct mock_reply *r);

#endif
