/* fuzz_ollama.c: ChatOllama's set-up and decoders; see fuzz_turn.h. It streams in any case: both connectors are the same. */
#include "fuzz_turn.h"

#include "connector/ollama.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_turn(&ollama_class, "{\"model\":\"m\"}", "{\"model\":\"m\"}", data, size);
}
