/* trace.c: see trace.h. */
#include "front/lambda/trace.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "front/lambda/invocation.h"

#define NAME "_X_AMZN_TRACE_ID="

static char variable[sizeof(NAME) + INVOCATION_TRACE_MAX] = NAME;
static bool opened;

void trace_open(void)
{
	opened = putenv(variable) == 0; /* the environment now points at our bytes */
}

void trace_set(const char *id)
{
	if (opened)
		snprintf(variable + sizeof(NAME) - 1, INVOCATION_TRACE_MAX + 1, "%s", id);
}
