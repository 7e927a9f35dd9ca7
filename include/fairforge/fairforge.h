/*
 * fairforge.h: run test conversations against AI systems and collect the answers.
 *
 * The whole public API. C99 and C++ clean. The library prints nothing, never exits and installs no signal handler; all state is in an engine,
 * and several engines may live in one process, each used by one thread at a time.
 *
 * Results: 0 or a negative FF_E... code; `err` (may be NULL) is filled on failure with one full sentence.
 * Strings are UTF-8. Options structs begin with `size`: set it to sizeof the struct (FF_INIT does) and zero the rest for the defaults.
 *
 *     struct ff_engine_options eo = FF_INIT(struct ff_engine_options);
 *     struct ff_engine *engine;
 *     struct ff_run *run;
 *     ff_engine_new(&eo, &engine, &err);
 *     struct ff_run_options ro = FF_INIT(struct ff_run_options);
 *     ro.inputs = &input; ro.input_count = 1; ro.outputs = &output; ro.output_count = 1;
 *     ff_run_start(engine, &ro, &run, &err);
 *     while (!ff_run_done(run))
 *         ff_engine_wait(engine, -1);
 *     int status = ff_run_exit_status(run);
 *     ff_run_free(run); ff_engine_free(engine);
 */
#ifndef FAIRFORGE_H
#define FAIRFORGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FF_API __attribute__((visibility("default")))
#else
#define FF_API
#endif

#ifdef __cplusplus
#define FF_INIT(type) ff_init_<type>()
#define FF_ZERO \
	{       \
	}
#else
#define FF_ZERO   \
	{         \
		0 \
	}
#define FF_INIT(type)                \
	{                            \
		.size = sizeof(type) \
	}
#endif

/* ---- errors ---- */

/* Result codes: FF_OK 0, all others negative. ff_code_name and ff_code_text give their names and meanings. */
enum ff_result {
	FF_R_OK = 0,
	FF_R_NOMEM = -1,
	FF_R_TOOBIG = -2,
	FF_R_USAGE = -3,
	FF_R_DATA = -4,
	FF_R_UNREACHABLE = -5,
	FF_R_INTERNAL = -6,
	FF_R_OUTPUT = -7,
	FF_R_LIMIT = -8,
	FF_R_REFUSED = -9,
	FF_R_CANCELED = -10,
	FF_R_IO = -11,
	FF_R_INVAL = -12
};

struct ff_error {
	int code;        /* enum ff_result */
	char where[256]; /* file, JSON pointer or turn; "" when it does not apply */
	char text[1024]; /* one full sentence, without keys */
};

FF_API const char *ff_code_name(int code);
FF_API const char *ff_code_text(int code);
/* The exit status of the command line tool for a code, and the table itself: rows until NULL. */
FF_API int ff_code_exit_status(int code);
struct ff_exit_row {
	int status;
	const char *text;
};
FF_API const struct ff_exit_row *ff_exit_table(size_t *ret_count);

/* ---- version ---- */

FF_API const char *ff_version(void);           /* "0.1.0" */
FF_API const char *ff_version_libraries(void); /* "libcurl/7.88.1 OpenSSL/3.0.17 libuv/1.44.2 ..." */

/* ---- engine ---- */

struct ff_engine;

enum ff_role {
	FF_ROLE_OPERATOR = 0, /* the payload is the user's own (command line, library) */
	FF_ROLE_STRANGER = 1  /* the payload is a stranger's (Lambda, service) */
};

enum ff_log_level { FF_LOG_ERROR = 0, FF_LOG_WARNING = 1, FF_LOG_INFO = 2, FF_LOG_DEBUG = 3 };

struct ff_engine_options {
	size_t size;        /* Required: sizeof(struct ff_engine_options) */
	enum ff_role role;  /* Optional: FF_ROLE_OPERATOR */
	const char *cafile; /* Optional: CA bundle (PEM); NULL: SSL_CERT_FILE of the environment, then the system's */
	int allow_http;     /* Optional: plain http also to hosts that are neither loopback nor private */
	const char *(*getenv_fn)(void *user, const char *name); /* Optional: the environment; NULL: the process's */
	void *getenv_user;
	enum ff_log_level log_level; /* Optional: messages above it are dropped; FF_LOG_ERROR */
	void (*log_fn)(void *user, enum ff_log_level level,
	               const char *message); /* Optional: where messages go, scrubbed and escaped; NULL: nowhere */
	void *log_user;
	uint64_t seed;      /* Optional: jitter; 0: from the OS */
	int proxy_from_env; /* Optional: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY of the process count (operators only) */
	/* Optional: asked before ff_run_start and ff_check start worker processes, and, also after every signal, while they wait for them: not 0 ends
	 * these, and FF_R_CANCELED is returned. */
	int (*interrupted_fn)(void *user);
	void *interrupted_user;
};

FF_API int ff_engine_new(const struct ff_engine_options *options, struct ff_engine **ret, struct ff_error *err);
/* Frees it with its runs (cancelled at once, without events). NULL is fine. Not from inside a callback. Waits for worker processes to end: at most 3 s. */
FF_API void ff_engine_free(struct ff_engine *engine);

/* For a foreign loop: poll fd for reading, at most timeout_ms (-1: no limit), then call process. Call process once after every start or cancel. */
FF_API int ff_engine_fd(const struct ff_engine *engine);
FF_API int ff_engine_timeout_ms(const struct ff_engine *engine);
FF_API int ff_engine_process(struct ff_engine *engine); /* never blocks; all callbacks come from here. 0 or a negative code */
/* Waits until something happened, at most timeout_ms (-1: no limit), and processes it. */
FF_API int ff_engine_wait(struct ff_engine *engine, int timeout_ms);

/* ---- runs ---- */

struct ff_run;

/* A document to read: a payload, a dataset, an array of datasets, or JSONL. Exactly one of text and fd. */
struct ff_input {
	const char *name; /* Required: for messages: a file name, "standard input" */
	const char *text; /* Optional: the document in memory (any bytes), alive until the run is freed */
	size_t text_len;
	int fd;          /* used when text is NULL; borrowed until the run is freed */
	int as_datasets; /* an object is a dataset even if it looks like a payload (--dataset) */
};

enum ff_output_format { FF_OUTPUT_RESPONSE = 0, FF_OUTPUT_JSONL = 1 };

struct ff_output {
	enum ff_output_format format;
	unsigned indent; /* spaces a level for FF_OUTPUT_RESPONSE; 0: compact */
	/* Gets the document piece by piece, in order. 0, or not 0 when it cannot be written (errno says why). */
	int (*write_fn)(void *user, const char *data, size_t len);
	/* Optional: called once, after the last piece. complete: the document is whole; else it is cut and nothing more comes. */
	void (*done_fn)(void *user, int complete);
	void *user;
};

/* name=value as the user typed it. For params: value is JSON if it parses, else text; "env:NAME" and "file:PATH" are resolved (operator only). */
struct ff_setting {
	const char *name;
	const char *value;
};

/* What happened, for progress and logs. Text is valid during the call. With FF_ROLE_STRANGER ids and words of more than 4 KiB are "..." here. */
enum ff_event_type {
	FF_EVENT_WARNING = 0, /* text, pointer */
	FF_EVENT_START =
	        1, /* validated: totals are known; text: one line about the target when the key goes elsewhere than to the provider */
	FF_EVENT_TURN = 2, /* a turn counts */
	FF_EVENT_END = 3   /* the run is done */
};

struct ff_turn {
	const char *session_id; /* NUL-terminated, control characters as they came */
	const char *qa_id;
	const char *outcome; /* "ok", "timeout", ... */
	int success;         /* in the reference's sense */
	const char *answer;  /* the text, or the error sentence; may contain NUL. A live key is masked here, not in the outputs */
	size_t answer_len;
	double execution_ms, service_ms;
	double first_content_ms; /* after the last attempt was sent; -1: unknown */
	double queue_ms;
	uint32_t attempts;
	int http_status;                                   /* 0: no reply */
	const char *finish_reason, *model, *request_id;    /* "" when unknown */
	int64_t input_tokens, output_tokens, total_tokens; /* -1: unknown */
	int resent, key_in_answer;
};

struct ff_event {
	enum ff_event_type type;
	const char *text;           /* WARNING, START (may be NULL), END (the closing error sentence; may be NULL) */
	const char *pointer;        /* WARNING: JSON pointer, "" when none */
	const struct ff_turn *turn; /* TURN */
};

/* done = succeeded + failed + not_run; ok: the succeeded that are whole answers. */
struct ff_counts {
	uint64_t datasets, batches, done, ok, succeeded, failed, not_run;
	uint64_t in_flight, queued, waiting_retry, attempts, retries, resent;
	uint32_t concurrency_now;
	int64_t input_tokens, output_tokens; /* -1: nothing was measured */
};

/* ---- custom runners ---- */

/*
 * A runner answers turns in C: in the program itself (ff_run_options.runner) or in a shared library (`fairforge run --plugin`, docs/plugins.md).
 * It gets the life of a turn for free: the concurrency limit, deadlines, retries, outcomes, progress, summaries.
 *
 *     static void run_batch(void *state, const struct ff_batch *batch, struct ff_completion done)
 *     {
 *             ff_complete_text(done, "Paris");
 *     }
 *     const struct ff_runner_type my_runner = {
 *             .size = sizeof my_runner, .abi = FF_RUNNER_ABI, .name = "my system", .run_batch = run_batch,
 *     };
 *
 * Threads: open, run_batch, run_dataset, cancel and close are called by the thread that drives the engine, one after the other, and everything waits while
 * they run: work that takes time belongs into threads (or processes, or a loop) of the runner. Completions may come from any thread at any time.
 */

/* Version of everything in this section. A struct may grow at its end without a new version: `size` says how far it goes. */
#define FF_RUNNER_ABI 1u

/* Text of the input: UTF-8 and NUL-terminated, but it may contain a NUL. ptr is NULL where the input has null. */
struct ff_text {
	const char *ptr;
	size_t len;
};

/*
 * One batch to answer. It is the call's own copy: readable, from any thread, until its completion was called (of a dataset: until the dataset's
 * was), or until close has returned.
 */
struct ff_batch {
	size_t size;
	uint64_t session;    /* this session's own number in the run (a session_id may stand in a file twice) */
	size_t index;        /* place in the conversation, from 0 */
	size_t count;        /* turns of the conversation */
	unsigned attempt;    /* 0, then 1, ... when the turn is tried again */
	uint64_t timeout_ms; /* what is left of the turn's time; 0: no limit */
	struct ff_text session_id, assistant_id, language, context;
	struct ff_text qa_id, query, assistant, ground_truth_assistant;
	struct ff_text prompt; /* what a language model would be sent: the query, with the context before it when there is one */
	struct ff_text observation, logprobs, agentic, ground_truth_agentic, weight; /* as JSON: "null", "{}", "0.5" */
};

enum ff_retryable { FF_RETRY_DEFAULT = 0, FF_RETRY_YES = 1, FF_RETRY_NO = 2 };

/* How a turn ended. FF_INIT, then `answer` or `error`. Texts are copied before the completion returns. */
struct ff_answer {
	size_t size;        /* Required */
	const char *answer; /* the answer; either this or error */
	size_t answer_len;  /* Optional: 0: strlen(answer) */
	const char *error;  /* one sentence that says what went wrong: becomes "[ERROR] sentence" */
	/* Optional: a word of ff_outcome_at. An answer: ok (default), empty (default for ""), truncated, refused, filtered, tool_only.
	 * An error: http_5xx (default: the system failed), rate_limited, timeout, transport, http_4xx, bad_reply. */
	const char *outcome;
	enum ff_retryable retryable; /* Optional: default: rate_limited, timeout, transport and http_5xx are */
	int64_t retry_after_ms; /* Optional: with an error: nothing is started before that; more than two minutes ends the run. 0: none */
	double elapsed_ms; /* Optional: how long the turn took by the runner's own clock; 0: from the call to the completion */
	int has_usage;     /* Optional: the three counts are set, -1 where one is unknown */
	int64_t input_tokens, output_tokens, total_tokens;
	int http_status;                                /* Optional: 100..999, when the system was reached over HTTP */
	const char *finish_reason, *model, *request_id; /* Optional: for the record */
	const char
	        *batch_json; /* Optional: a JSON object with fields of the batch that changed: {"observation": "from the cache"} */
	size_t batch_json_len; /* Optional: 0: strlen(batch_json) */
};

/*
 * Who waits for an answer: a value, valid for ever. complete may be called from any thread, inside run_batch or later. What comes a second time, after
 * the turn's time was over or after the run has gone is ignored, with a line in the log. A turn whose completion never comes ends by its deadline.
 */
struct ff_completion {
	uint64_t id; /* of the call: never used twice in a process */
	void (*complete)(uint64_t id, const struct ff_answer *answer);
};

/* A dataset to run as a whole. `completions[i]` takes the answer of `batches[i]`, as soon as there is one, in any order. */
struct ff_dataset {
	size_t size;
	uint64_t session;
	struct ff_text session_id, assistant_id, language, context;
	const struct ff_batch *const
	        *batches; /* what is to be run: after a failure that is tried again, not what was answered before */
	const struct ff_completion *completions;
	size_t batch_count;
	uint64_t timeout_ms; /* what is left of the first turn's time; 0: no limit */
};

/* What open gets; valid during the call. */
struct ff_runner_args {
	size_t size;
	const struct ff_setting *args; /* as they were given, with env:NAME and file:PATH resolved */
	size_t arg_count;
	uint32_t concurrency; /* turns (with run_dataset: datasets) that the run has in flight at most */
	void *user;           /* ff_run_options.runner_user; NULL in a plugin */
};

#define FF_RUNNER_ORDERED 1u /* the turns of a session come one after the other, the next only after the answer to the one before */

struct ff_runner_type {
	size_t size;                 /* Required: sizeof(struct ff_runner_type) */
	uint32_t abi;                /* Required: FF_RUNNER_ABI */
	uint32_t flags;              /* Optional: FF_RUNNER_... */
	const char *name;            /* Required: for messages; at most 120 bytes */
	uint32_t max_concurrency;    /* Optional: calls at once at most; 0: what the run's options say */
	int32_t default_max_retries; /* Optional: extra attempts a turn, where no option says */
	/* Optional: takes the arguments. 0 and *ret_state, or not 0 with one sentence in err->text: then the run does not start (exit 64). */
	int (*open)(const struct ff_runner_args *args, void **ret_state, struct ff_error *err);
	/* Required, unless there is run_dataset: answers a turn through `done`. */
	void (*run_batch)(void *state, const struct ff_batch *batch, struct ff_completion done);
	/* Optional, instead of run_batch: executes a whole dataset, answers each batch, then ends it: ff_complete(done, NULL), or with an error, which
	 * the batches without an answer then have. Turns count in the order of the conversation. */
	void (*run_dataset)(void *state, const struct ff_dataset *dataset, struct ff_completion done);
	/* Optional: nobody waits for this call any more (`id` of run_batch's or run_dataset's `done`). Complete it soon, with anything: that says
	 * that the runner is done with the batch. */
	void (*cancel)(void *state, uint64_t id);
	/* Optional: the run is over. When it returns, no thread of the runner may use the state or a batch any more. */
	void (*close)(void *state);
};

/* The data symbol of a plugin: `const struct ff_runner_type fairforge_plugin = { ... };` with default visibility. */
#define FF_PLUGIN_SYMBOL "fairforge_plugin"

/* Whether the struct fits this version: 0, or FF_R_USAGE with one sentence. Reads no further than it says it goes. */
FF_API int ff_runner_check(const struct ff_runner_type *type, struct ff_error *err);

/* Helpers that need no library, so that a plugin links nothing. */
static inline void ff_complete(struct ff_completion done, const struct ff_answer *answer)
{
	done.complete(done.id, answer);
}
static inline void ff_complete_text(struct ff_completion done, const char *text)
{
	struct ff_answer answer = FF_ZERO;
	answer.size = sizeof(answer);
	answer.answer = text ? text : "";
	done.complete(done.id, &answer);
}
static inline void ff_complete_error(struct ff_completion done, const char *sentence)
{
	struct ff_answer answer = FF_ZERO;
	answer.size = sizeof(answer);
	answer.error = sentence ? sentence : "The runner failed without saying why.";
	done.complete(done.id, &answer);
}
/* The value of an argument, or NULL. */
static inline const char *ff_runner_arg(const struct ff_runner_args *args, const char *name)
{
	for (size_t i = args->arg_count; i-- > 0;) { /* the last one counts */
		const char *a = args->args[i].name, *b = name;
		while (*a && *a == *b)
			a++, b++;
		if (*a == *b)
			return args->args[i].value;
	}
	return NULL;
}

struct ff_run_options {
	size_t size;                   /* Required */
	const struct ff_input *inputs; /* Required: one payload, or datasets from one or more documents */
	size_t input_count;
	/* Optional: class path, class or short name; replaces the payload's class_path, and its params when they are another class's. */
	const char *connector;
	const char *model;               /* Optional: params.model */
	const struct ff_setting *params; /* Optional: connector parameters, over the payload's */
	size_t param_count;
	/* Optional: options of the run (value is JSON if it parses, else text), over the payload's; with FF_ROLE_STRANGER limits that the payload's own
	 * can only lower. */
	const struct ff_setting *options;
	size_t option_count;
	size_t max_input_bytes;          /* Optional: 0: 64 MiB (a document; a line of JSONL) */
	unsigned max_depth;              /* Optional: 0: 128 */
	const struct ff_output *outputs; /* Optional */
	size_t output_count;
	void (*on_event)(void *user, const struct ff_event *event); /* Optional; from ff_engine_process */
	void *user;

	/* Optional: a custom runner answers the turns, instead of a connector. Alive until the run is freed. */
	const struct ff_runner_type *runner;
	void *runner_user;
	const struct ff_setting *runner_args; /* what its open gets; "env:NAME" and "file:PATH" are resolved (operator only) */
	size_t runner_arg_count;

	/*
	 * Optional: a program that answers the turns, instead of a connector (docs/worker-protocol.md). Split into words as a shell does it; no shell runs
	 * it. ff_run_start and ff_check wait until it has said that it can start: up to a minute, or the option connect_timeout_ms.
	 */
	const char *worker;
	unsigned workers;                    /* Optional: processes, up to 256; 0: 1 */
	const struct ff_setting *worker_env; /* Optional: environment beside the usual; value NULL: copied from ours */
	size_t worker_env_count;
	const struct ff_setting *worker_args; /* Optional: `args` of its hello; value: as for params */
	size_t worker_arg_count;
	const char *worker_label; /* Optional: what messages call it; NULL: its command */

	size_t max_datasets, max_batches; /* Optional: more than that in the inputs is refused (FF_R_TOOBIG); 0: no limit */
	/* Optional: most that the run may take, whatever deadline_ms its options say: the sooner of the two ends it. 0: no limit */
	uint64_t time_ms;
};

/*
 * Reads and validates every input, builds the connector, and starts. What is wrong with the request (no datasets, a connector that cannot be
 * built, ...) is an answer: the outputs get {"success": false, "error": ...} and the return value is the code. On a negative return *ret is not set.
 */
FF_API int ff_run_start(struct ff_engine *engine, const struct ff_run_options *options, struct ff_run **ret, struct ff_error *err);
/* Stops starting turns; those in flight may finish within grace_ms (0: are cancelled); the rest is not_run. Outputs are completed. May be repeated. */
FF_API void ff_run_cancel(struct ff_run *run, uint64_t grace_ms);
FF_API int ff_run_done(const struct ff_run *run); /* 1 after FF_EVENT_END */
FF_API void ff_run_counts(const struct ff_run *run, struct ff_counts *ret);
/* How long the engine's loop worked without looking at what is due, since the engine was made: what a deadline may come late by. The callbacks count. */
struct ff_lag {
	double p99_ms, max_ms;
};
FF_API void ff_run_lag(const struct ff_run *run, struct ff_lag *ret);
FF_API void ff_engine_lag(const struct ff_engine *engine, struct ff_lag *ret);
FF_API const struct ff_error *ff_run_error(const struct ff_run *run); /* code 0: none */
/* After the end: 0, 1, 69, 70, 73, 75, 77 or 130 (cancelled) by the table of ff_exit_table. */
FF_API int ff_run_exit_status(const struct ff_run *run);
/* NULL is fine. A run that is not done is cancelled first: the loop turns until it has ended, so events of other runs may come meanwhile. */
FF_API void ff_run_free(struct ff_run *run);

/* ---- checking ---- */

enum ff_severity { FF_PROBLEM_ERROR = 0, FF_PROBLEM_WARNING = 1 };

struct ff_problem {
	enum ff_severity severity;
	const char *file;    /* name of the input; "" when it does not apply */
	const char *pointer; /* JSON pointer, "" for the whole document */
	const char *text;    /* one sentence */
};

struct ff_check_result {
	size_t datasets, batches, errors, warnings;
	char connector[64]; /* class name, "" when none */
	char origin[256];   /* where requests would go, "" when unknown */
	char model[128];
};

/* Finds every problem without sending anything. 0 when there is no error; else the code of the first kind found (FF_R_DATA, FF_R_USAGE, ...). */
FF_API int ff_check(struct ff_engine *engine, const struct ff_run_options *options,
                    void (*on_problem)(void *user, const struct ff_problem *problem), void *user, struct ff_check_result *ret);

/* ---- tables, for help and documentation ---- */

struct ff_connector_info {
	const char *name, *short_name, *summary;
	const char *const *class_paths; /* NULL-terminated */
	char retried[96];               /* "408, 409, 429, >= 500, transport errors, timeouts" */
	int default_max_retries;
	size_t param_count;
};
struct ff_param_info {
	const char *name, *type, *default_text, *wire, *setter; /* "" where there is none */
	char aliases[96];                                       /* other accepted names, "a, b" */
	int required;
};
struct ff_option_info {
	const char *key, *type, *default_text, *meaning;
	int stranger_lowers;
	char variable[64]; /* of the environment: "FAIRFORGE_IDLE_TIMEOUT_MS" */
};
struct ff_outcome_info {
	const char *word, *text;
	int success;
};
FF_API size_t ff_connector_count(void);
FF_API int ff_connector_at(size_t index, struct ff_connector_info *ret); /* 0 or FF_R_INVAL */
FF_API int ff_connector_find(const char *name, size_t *ret_index);       /* by short name, class or class path */
FF_API int ff_connector_param(size_t connector, size_t index, struct ff_param_info *ret);
FF_API size_t ff_option_count(void);
FF_API int ff_option_at(size_t index, struct ff_option_info *ret);
FF_API size_t ff_outcome_count(void);
FF_API int ff_outcome_at(size_t index, struct ff_outcome_info *ret);

/* ---- JSON ---- */

/* A parsed document: strict RFC 8259, number text and key order as they came. Values belong to their document. */
struct ff_json_doc;
struct ff_json;
enum ff_json_type { FF_JSON_NULL, FF_JSON_FALSE, FF_JSON_TRUE, FF_JSON_NUMBER, FF_JSON_STRING, FF_JSON_ARRAY, FF_JSON_OBJECT };

/* Copies the text. max_bytes and max_depth: 0 for the defaults. err: line, column and pointer. */
FF_API int ff_json_parse(const char *text, size_t len, size_t max_bytes, unsigned max_depth, struct ff_json_doc **ret,
                         struct ff_error *err);
FF_API void ff_json_free(struct ff_json_doc *doc);
FF_API const struct ff_json *ff_json_root(const struct ff_json_doc *doc);
FF_API enum ff_json_type ff_json_type(const struct ff_json *value);
FF_API const struct ff_json *ff_json_get(const struct ff_json *object,
                                         const char *key); /* NULL: not an object, or no such member */
FF_API size_t ff_json_count(const struct ff_json *value);  /* items or members; 0 for scalars */
FF_API const struct ff_json *ff_json_item(const struct ff_json *array_or_object, size_t index);
FF_API const char *ff_json_key(const struct ff_json *object, size_t index, size_t *ret_len); /* not NUL-terminated */
FF_API const char *ff_json_text(const struct ff_json *value,
                                size_t *ret_len);          /* string: decoded; number: its text; else NULL. Not NUL-terminated */
FF_API double ff_json_double(const struct ff_json *value); /* 0 when it is not a number */

/* The value as compact JSON in a new string (free with ff_free), its length in *ret_len (may be NULL); or NULL: out of memory. */
FF_API char *ff_json_write(const struct ff_json *value, size_t *ret_len);
/* Writes one string as a JSON literal with quotes into a new string (free with ff_free), or NULL: out of memory. Ill-formed UTF-8 becomes U+FFFD. */
FF_API char *ff_json_quote(const char *text, size_t len);
/* Other people's text made safe for a terminal: control characters, ESC, bidi controls and ill-formed bytes as \xNN. A new string (ff_free) or NULL. */
FF_API char *ff_escape(const char *text, size_t len);
FF_API void ff_free(void *ptr);

#ifdef __cplusplus
}

template <typename T> inline T ff_init_()
{
	T value = {};
	value.size = sizeof(T);
	return value;
}
#endif

#endif
