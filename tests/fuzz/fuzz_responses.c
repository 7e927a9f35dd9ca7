/* fuzz_responses.c: ChatOpenAI's Responses API: its set-up and its decoder; see fuzz_turn.h. */
#include "fuzz_turn.h"

#include "connector/openai.h"

#define KEYED "{\"model\":\"m\",\"api_key\":\"key-12345678\",\"use_responses_api\":true"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_turn(&openai_class, KEYED "}", KEYED ",\"streaming\":true}", data, size);
}
