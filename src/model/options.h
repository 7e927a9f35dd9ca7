/*
 * options.h: the options of a run (DESIGN section 3): one table with key, type, default, range, who may set it. A payload's `options`,
 * the flags of the command line and FAIRFORGE_* variables all end here.
 */
#ifndef FF_MODEL_OPTIONS_H
#define FF_MODEL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/problem.h"
#include "model/json.h"

enum run_order { ORDER_LONGEST_FIRST, ORDER_INPUT };
enum http_version { HTTP_VERSION_AUTO, HTTP_VERSION_1_1 };

/* Milliseconds; 0 in a timeout or deadline means none. */
struct options {
	uint32_t concurrency;        /* turns in flight to the target, 1..100000; default 16 */
	bool adaptive;               /* adapt within it; default true */
	uint64_t connect_timeout_ms; /* name, TCP and TLS; default 10 s */
	uint64_t
	        idle_timeout_ms; /* first byte and silence between bytes; default 600 s; a connector's params.timeout sets it unless an option did */
	bool idle_timeout_set;    /* an option named idle_timeout_ms */
	uint64_t turn_timeout_ms; /* one turn with its retries; default 900 s */
	uint64_t deadline_ms;     /* the run; default none */
	int32_t max_retries;      /* extra attempts per turn; -1: the class's own */
	enum run_order order;
	bool stream; /* ask the provider to stream */
	enum http_version http_version;
};

enum option_source { OPTION_FROM_ENVIRONMENT, OPTION_FROM_PAYLOAD, OPTION_FROM_FLAG };

/* A row of the table, for help and docs. */
struct option_row {
	const char *key;          /* "concurrency" */
	const char *type;         /* "integer 1..100000 or {\"max\", \"adaptive\"}" */
	const char *default_text; /* "16, adaptive" */
	const char *meaning;      /* one line */
	bool stranger_lowers;     /* a stranger may set it within the operator's value */
};

void options_init(struct options *o); /* the defaults */
/* Sets one option from a JSON value; null leaves it as it is, and so does a value that is wrong. Unknown key, wrong type or range: a problem at
 * `pointer`, below it for a member. Precedence is the caller's: environment, then payload, then flags. 0, FF_EDATA or FF_ENOMEM. */
int options_set(struct options *o, struct str key, const struct json *value, const char *pointer,
                struct problems *problems) WARN_UNUSED;
/* Every member of the object, with all its problems; null means an empty object. */
int options_from_json(struct options *o, const struct json *object, const char *pointer, struct problems *problems) WARN_UNUSED;
/* A stranger's options within the operator's: what is above a limit is lowered to it, with a warning at `pointer` (0, which is no limit at all, is
 * above every other timeout; max_retries is limited to OPTIONS_STRANGER_RETRIES where the operator set none). */
void options_limit(struct options *o, const struct options *operator_value, const char *pointer, struct problems *problems);
#define OPTIONS_STRANGER_RETRIES 2
const struct option_row *options_table(size_t *ret_count);
/* Writes the options as used, as an object (section 7). */
void options_write(const struct options *o, struct json_writer *w);

#endif
