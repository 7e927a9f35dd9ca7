/*
 * script.h: faults to order. A JSON document of rules; each names requests (by number, by text, by path, by share) and says what goes wrong with
 * them. The format is described in docs/mock.md and checked against one table in script_parse.c. Pure.
 */
#ifndef FF_FRONT_MOCK_SCRIPT_H
#define FF_FRONT_MOCK_SCRIPT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/problem.h"
#include "base/str.h"
#include "front/mock/rate.h"

/* What happens instead of a reply. */
enum fault_end {
	FAULT_REPLY,   /* nothing: there is a reply */
	FAULT_RESET,   /* the connection is reset (RST), after `truncate` bytes of body when that is given */
	FAULT_GARBAGE, /* bytes that are no HTTP, then close */
	FAULT_NEVER,   /* silence until the client goes */
	FAULT_CLOSE    /* closed without a byte */
};

struct fault {
	enum fault_end end;
	unsigned status; /* 0: what it would be */
	bool has_body;   /* body replaces what it would be */
	struct str body; /* bytes to send */
	const struct pair *headers;
	size_t header_count;
	uint64_t delay_us;    /* before the first byte, on top of the latency */
	size_t trickle_bytes; /* 0: none; else so many bytes of body at a time ... */
	uint64_t trickle_us;  /* ... with this pause between them */
	bool truncated;
	size_t truncate; /* bytes of body before the close */
	bool endless;
	uint64_t endless_us; /* pause between the pieces of an endless stream */
	bool bad_json, gzip;
	struct str garbage;
};

struct span {
	uint64_t first, last; /* request numbers, both included */
};

struct rule {
	const struct span *numbers; /* any of them; none: every request */
	size_t number_count;
	struct str match; /* part of the last user message or of the session id; empty: any */
	struct str path;  /* part of the path; empty: any */
	double share;     /* 1: all */
	uint64_t times;   /* how often at most; 0: always */
	uint64_t fired;
	struct fault fault;
};

struct script {
	struct arena arena;
	struct rule *rules;
	size_t count;
	uint64_t seed;
	uint64_t window_us; /* of the limits of --rpm and --tpm: a minute unless the script says otherwise */
	enum rate_kind kind;
};

struct script_request {
	uint64_t number; /* from 1 */
	struct str text, session, path;
};

void script_init(struct script *s);
void script_release(struct script *s);
/* 0 or FF_EDATA (everything that is wrong is in `problems`, with pointers), FF_ENOMEM. */
int script_parse(struct script *s, struct str text, struct problems *problems) WARN_UNUSED;
/* The fault of the first rule that fits, counted, or NULL. Shares depend on seed, rule and request number alone. */
const struct fault *script_match(struct script *s, const struct script_request *r);

#endif
