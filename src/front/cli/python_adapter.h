/*
 * python_adapter.h: --python-runner and --python-llm: a Python class as a worker, behind the adapter that is shipped with fairforge
 * (python/fairforge_worker, docs/python-runner.md).
 */
#ifndef FF_FRONT_CLI_PYTHON_ADAPTER_H
#define FF_FRONT_CLI_PYTHON_ADAPTER_H

#include "base/arena.h"
#include "base/buf.h"
#include "fairforge/fairforge.h"

struct python_adapter {
	const char *runner;  /* MODULE:CLASS; NULL */
	const char *llm;     /* class path; NULL. One of the two at most */
	const char *python;  /* the interpreter; NULL: python3 of PATH */
	const char *batches; /* each, whole or parallel; NULL: each */
	const char *command; /* of the worker, by python_adapter_prepare */
};

/* Whether the word may follow --batches. */
bool python_adapter_knows_batches(const char *word);
/* What contradicts itself, as a sentence; NULL: nothing. */
const char *python_adapter_contradiction(const struct python_adapter *p);
/* Finds the adapter and sets `command`, in the arena. 0, or -1: `why` holds one full sentence, or is empty: out of memory. */
int python_adapter_prepare(struct python_adapter *p, struct arena *arena, struct buf *why) WARN_UNUSED;

#endif
