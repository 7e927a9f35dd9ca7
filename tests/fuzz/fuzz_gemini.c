/* fuzz_gemini.c: ChatGoogleGenerativeAI's set-up and decoders; see fuzz_turn.h. */
#include "fuzz_turn.h"

#include "connector/gemini.h"

#define KEYED "{\"model\":\"gemini-2.5-flash\",\"api_key\":\"key-12345678\""

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_turn(&gemini_class, KEYED "}", KEYED ",\"streaming\":true}", data, size);
}
