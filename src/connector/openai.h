/* openai.h: what the two halves of ChatOpenAI share: its rows, and the Responses API's turn of the body. */
#ifndef FF_CONNECTOR_OPENAI_H
#define FF_CONNECTOR_OPENAI_H

#include "connector/langchain_params.h"
#include "connector/sdk.h"

enum openai_row {
	OPENAI_MODEL,
	OPENAI_TEMPERATURE,
	OPENAI_MAX_TOKENS,
	OPENAI_STOP,
	OPENAI_N,
	OPENAI_TOP_P,
	OPENAI_PRESENCE_PENALTY,
	OPENAI_FREQUENCY_PENALTY,
	OPENAI_SEED,
	OPENAI_LOGPROBS,
	OPENAI_TOP_LOGPROBS,
	OPENAI_LOGIT_BIAS,
	OPENAI_STREAMING,
	OPENAI_STREAM_USAGE,
	OPENAI_STREAM_CHUNK_TIMEOUT,
	OPENAI_REASONING_EFFORT,
	OPENAI_REASONING,
	OPENAI_VERBOSITY,
	OPENAI_SERVICE_TIER,
	OPENAI_STORE,
	OPENAI_TRUNCATION,
	OPENAI_INCLUDE,
	OPENAI_CONTEXT_MANAGEMENT,
	OPENAI_PROMPT_CACHE_OPTIONS,
	OPENAI_USE_RESPONSES_API,
	OPENAI_USE_PREVIOUS_RESPONSE_ID,
	OPENAI_API_KEY,
	OPENAI_API_BASE,
	OPENAI_ORGANIZATION,
	OPENAI_PROXY,
	OPENAI_TIMEOUT,
	OPENAI_MAX_RETRIES,
	OPENAI_DEFAULT_HEADERS,
	OPENAI_DEFAULT_QUERY,
	OPENAI_EXTRA_BODY,
	OPENAI_MODEL_KWARGS,
	OPENAI_DISABLED_PARAMS,
	OPENAI_INCLUDE_RESPONSE_HEADERS,
	OPENAI_TIKTOKEN_MODEL_NAME,
	OPENAI_HTTP_SOCKET_OPTIONS,
	OPENAI_HTTP_CLIENT,
	OPENAI_HTTP_ASYNC_CLIENT,
	OPENAI_CLIENT,
	OPENAI_ASYNC_CLIENT,
	OPENAI_ROOT_CLIENT,
	OPENAI_ROOT_ASYNC_CLIENT,
	LANGCHAIN_FIELDS(OPENAI_LC),
	OPENAI_ROW_COUNT
};

extern const struct connector_class openai_class;

/* Whether these parameters make the class talk to the Responses API. */
bool openai_wants_responses(const struct sdk_setup *s, struct str model);
/* Turns the chat completions body (fields and extras set, extra_body not yet) into the Responses API's. */
void openai_responses_body(struct sdk_setup *s, struct str model);
/* gpt-5 models other than gpt-5-chat take no temperature unless they do not reason. */
bool openai_is_gpt5(struct str model);

#endif
