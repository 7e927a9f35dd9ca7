/*
 * trace.h: _X_AMZN_TRACE_ID, the variable from which AWS's libraries learn the trace they belong to. It is state of the process and changes with each
 * invocation, while helper threads (a resolver) may read the environment: so the variable is put there once, and afterwards only its bytes change.
 */
#ifndef FF_FRONT_LAMBDA_TRACE_H
#define FF_FRONT_LAMBDA_TRACE_H

/* Before any thread is started. */
void trace_open(void);
/* "" when there is none; at most INVOCATION_TRACE_MAX bytes. Without trace_open it does nothing. */
void trace_set(const char *id);

#endif
