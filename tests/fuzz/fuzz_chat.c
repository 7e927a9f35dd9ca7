/* fuzz_chat.c: the set-up of ChatOpenAI and ChatGroq and the chat completions decoder; see fuzz_turn.h. */
#include "fuzz_turn.h"

#include "connector/groq.h"
#include "connector/openai.h"

#define KEYED "{\"model\":\"m\",\"api_key\":\"key-12345678\""

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size && data[0] & 0x80)
		fuzz_params(&groq_class, str_of((const char *)data + 1, size - 1));
	return fuzz_turn(&openai_class, KEYED "}", KEYED ",\"streaming\":true}", data, size);
}
