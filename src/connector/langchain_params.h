/*
 * langchain_params.h: the fields that every LangChain chat model has and never sends: name, tags, metadata and so on. They are known (no warning),
 * checked as pydantic checks them, and have no effect here.
 */
#ifndef FF_CONNECTOR_LANGCHAIN_PARAMS_H
#define FF_CONNECTOR_LANGCHAIN_PARAMS_H

#include <stdbool.h>

#include "base/problem.h"
#include "connector/params.h"

/* Enumerators of a class's row enum, in the order of LANGCHAIN_ROWS. */
#define LANGCHAIN_FIELDS(prefix)                                                                                                   \
	prefix##_NAME, prefix##_CACHE, prefix##_VERBOSE, prefix##_CALLBACKS, prefix##_TAGS, prefix##_METADATA, prefix##_TOKEN_IDS, \
	        prefix##_RATE_LIMITER, prefix##_DISABLE_STREAMING, prefix##_OUTPUT_VERSION, prefix##_PROFILE

#define LANGCHAIN_ROW(field, type)                                                           \
	{                                                                                    \
		field, NULL, NULL, type, true, false, NULL, "none", "not sent", PARAM_ANYONE \
	}
/* The rows; they must stand in a row table at the place of their enumerators. */
#define LANGCHAIN_ROWS                                                                                                 \
	LANGCHAIN_ROW("name", PARAM_STRING), LANGCHAIN_ROW("cache", PARAM_BOOL), LANGCHAIN_ROW("verbose", PARAM_BOOL), \
	        LANGCHAIN_ROW("callbacks", PARAM_LIST), LANGCHAIN_ROW("tags", PARAM_STRING_LIST),                      \
	        LANGCHAIN_ROW("metadata", PARAM_OBJECT), LANGCHAIN_ROW("custom_get_token_ids", PARAM_ANY),             \
	        LANGCHAIN_ROW("rate_limiter", PARAM_ANY), LANGCHAIN_ROW("disable_streaming", PARAM_ANY),               \
	        LANGCHAIN_ROW("output_version", PARAM_STRING), LANGCHAIN_ROW("profile", PARAM_OBJECT)

/*
 * Judges the values of LANGCHAIN_ROWS (`values` points at the first). *ret_disable_streaming: disable_streaming is true. 0 or FF_EUSAGE.
 */
int langchain_params_check(const struct param_value *values, const char *pointer, struct problems *problems,
                           bool *ret_disable_streaming) WARN_UNUSED;

#endif
