/* result.h: what is known about a finished turn. Filled by the engine, read by sinks. */
#ifndef FF_MODEL_RESULT_H
#define FF_MODEL_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "model/dataset.h"
#include "model/outcome.h"

/* Stands before the sentence of a failed turn where its answer would be. */
#define RESULT_ERROR_PREFIX "[ERROR] "

/* Tokens as measured by the provider; -1 when it did not say (never 0 for unknown). */
struct usage {
	int64_t input_tokens;
	int64_t output_tokens;
	int64_t total_tokens;
};
#define USAGE_UNKNOWN ((struct usage){ -1, -1, -1 })

/* Monotonic microseconds at the socket; 0 where the moment did not come. All of the last attempt but planned, queued and first_sent. */
struct stamps {
	uint64_t planned;       /* the run knew the turn */
	uint64_t queued;        /* it could have started: it waited for a slot from here */
	uint64_t first_sent;    /* the first attempt was handed to the transport */
	uint64_t sent;          /* the last attempt was handed to the transport */
	uint64_t connected;     /* name, TCP and TLS done (equal to sent on a reused connection) */
	uint64_t first_byte;    /* of the reply */
	uint64_t first_content; /* first byte of answer text (time to first token when streaming) */
	uint64_t last_byte;
	uint64_t
	        other_waits_us; /* between first_sent and last_byte, waited for other turns' refusals: not part of the execution time */
};

struct turn_result {
	const struct dataset *dataset; /* alive until the sink's done */
	size_t batch;                  /* index in the dataset */
	enum outcome outcome;
	struct str answer;        /* on success: the text, unaltered; else the sentence without "[ERROR] " (scrubbed) */
	struct str finish_reason; /* as the provider words it; empty when unknown */
	struct str model;         /* as the provider says it served; empty when unknown */
	struct str request_id;    /* the provider's, for support; empty when unknown */
	struct usage usage;
	struct stamps stamps;
	uint32_t attempts;   /* 0 when never sent */
	int http_status;     /* of the last exchange; 0 when no reply came */
	bool resent;         /* libcurl sent the request again on a new connection */
	bool key_in_answer;  /* a live key stands in the answer */
	double execution_ms; /* first send to last byte with its own retry waits; >= 0 */
	double service_ms;   /* the last attempt alone */
	const struct batch
	        *replacement; /* a runner may return a changed batch (observation, ...); NULL: the input's with the answer */
};

/* execution_ms and service_ms from the stamps. */
void turn_result_times(struct turn_result *r);

#endif
