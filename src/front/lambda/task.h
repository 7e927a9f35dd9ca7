/* task.h: an invocation while it is worked on; what invoke.c, messages.c and answer.c share. */
#ifndef FF_FRONT_LAMBDA_TASK_H
#define FF_FRONT_LAMBDA_TASK_H

#include "front/common/door.h"
#include "front/lambda/budget.h"
#include "front/lambda/event.h"
#include "front/lambda/invoke.h"

#define TASK_OUTCOMES 32 /* more than there are */

struct task {
	const struct invoker *in;
	const struct invocation *invocation;
	struct event event;
	bool decoded;
	struct budget budget;

	/* For the log line at the end. */
	uint64_t started_us;
	size_t outcomes[TASK_OUTCOMES]; /* turns, by ff_outcome_at's index */
	int status;                     /* as HTTP counts, also for other kinds; 0: a function error */
	const char *error_type;         /* of a function error; NULL */
	size_t answer_bytes;
	bool delivered; /* the platform took the answer */
	size_t stored, failed_messages;
};

/* ---- invoke.c ---- */

/* A run of this payload in the invocation: its limits and its events. 0 or FF_ENOMEM. */
int task_door(struct task *t, struct str payload, size_t runs, struct door_run **ret) WARN_UNUSED;
/* Fixes how long runs may take, from now. puts: results to be stored afterwards. */
void task_set_budget(struct task *t, bool gateway, size_t puts);
/* Starts it with what is left of that. */
void task_start(const struct task *t, struct door_run *d);

/* ---- answer.c: 0, or negative: the process must end ---- */

/* The document in the form that the invoker expects. One that is too large goes to the store, or is refused. */
int answer_document(struct task *t, int status, struct str json) WARN_UNUSED;
/* {"error": sentence} with that status. */
int answer_problem(struct task *t, int status, const char *sentence) WARN_UNUSED;
int answer_preflight(struct task *t) WARN_UNUSED;
int answer_method(struct task *t) WARN_UNUSED; /* 405 */
/* {"success": true, "id": ..., "result": "s3://..."} */
int answer_stored(struct task *t, int status) WARN_UNUSED;
int answer_function_error(struct task *t, const char *type, struct str sentence) WARN_UNUSED;
int answer_messages(struct task *t, const bool *failed) WARN_UNUSED;
/* Puts a result into the store under `id`. False when it is not there afterwards; the log says why. */
bool answer_store(struct task *t, struct str id, struct str json);
/* The sentence of {"error": ...} or {"success": false, "error": ...} appended to `out`; nothing when there is none. */
void answer_sentence(struct str json, struct buf *out);

/* ---- messages.c ---- */

int messages_run(struct task *t) WARN_UNUSED; /* SQS: runs, stores and answers */

#endif
