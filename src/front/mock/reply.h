/*
 * reply.h: an HTTP reply as data: status, headers, body, and where a streamed body falls into pieces. Writers of the protocols fill it, delivery
 * (deliver.h) sends it. Pure.
 */
#ifndef FF_FRONT_MOCK_REPLY_H
#define FF_FRONT_MOCK_REPLY_H

#include "base/buf.h"
#include "base/str.h"
#include "front/mock/route.h"

#define REPLY_HEADERS 32
#define REPLY_PIECES  64

struct mock_header {
	char *name, *value; /* owned */
};

struct mock_reply {
	unsigned status;
	struct buf body;
	struct mock_header headers[REPLY_HEADERS];
	size_t header_count;
	bool streamed;             /* chunked, a chunk a piece; else with a length */
	size_t ends[REPLY_PIECES]; /* streamed: the end offset of each piece */
	size_t piece_count;
	size_t repeat; /* streamed: the piece an endless stream repeats; plain bodies are padded with spaces */
	int failed;    /* FF_ENOMEM: what is in it is not whole */
};

void mock_reply_init(struct mock_reply *r);
void mock_reply_release(struct mock_reply *r);
/* Forgets everything but keeps the body's memory. */
void mock_reply_clear(struct mock_reply *r);
/* Sets a header; one of that name is replaced. */
void mock_reply_header(struct mock_reply *r, struct str name, struct str value);
#define mock_reply_header_lit(r, name, value) mock_reply_header((r), STR(name), STR(value))
void mock_reply_header_u64(struct mock_reply *r, const char *name, uint64_t value);
/* Ends a piece of a streamed body here. */
void mock_reply_end_piece(struct mock_reply *r);
/* 0, or FF_ENOMEM when anything was lost. */
int mock_reply_failed(const struct mock_reply *r);

/* ---- errors, in the shape of the protocol ---- */

struct api_error {
	unsigned status;
	const char *message;
	const char *type;  /* OpenAI's type, or NULL: the usual one of the status */
	const char *param; /* or NULL */
	const char *code;  /* OpenAI's code, Gemini's ErrorInfo reason; or NULL */
	uint64_t retry_us; /* 429, 503: 0 when there is no hint */
	const char *quota; /* Gemini, 429: the name of the quota, or NULL */
};

/* Replaces the reply by the error as the protocol writes it, with its retry headers. */
void mock_reply_error(struct mock_reply *r, enum proto proto, const struct api_error *e);
#endif
