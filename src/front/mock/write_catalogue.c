/*
 * write_catalogue.c: what clients ask besides prompts: lists of models, one model, Ollama's show, version and greeting. Any name is a model here,
 * so one model is always there; the lists name a few of each provider.
 */
#include "front/mock/write.h"

#include <inttypes.h>

#include "base/clock.h"

static const char *const openai_models[] = { "gpt-4o-mini", "gpt-4o", "gpt-4.1-mini", "gpt-5-mini", "fairforge-mock" };
static const char *const groq_models[] = { "llama-3.1-8b-instant", "llama-3.3-70b-versatile", "openai/gpt-oss-20b",
	                                   "fairforge-mock" };
static const char *const gemini_models[] = { "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.5-pro", "fairforge-mock" };
static const char *const ollama_models[] = { "llama3.2:latest", "qwen3:latest", "gemma3:latest", "fairforge-mock:latest" };

static void put_openai_model(enum proto proto, struct str name, struct buf *out)
{
	buf_append_str(out, STR("{\"id\":"));
	text_put_json(out, name);
	if (proto == PROTO_GROQ)
		buf_append_str(out, STR(",\"object\":\"model\",\"created\":1730000000,\"owned_by\":\"fairforge\",\"active\":true,"
		                        "\"context_window\":131072,\"public_apps\":null,\"max_completion_tokens\":32768}"));
	else
		buf_append_str(out, STR(",\"object\":\"model\",\"created\":1730000000,\"owned_by\":\"fairforge\"}"));
}

static void put_gemini_model(struct str name, struct buf *out)
{
	struct str prefix = STR("models/");
	struct buf full;

	buf_init(&full, 4096);
	if (!str_starts_with(name, prefix))
		buf_append_str(&full, prefix);
	buf_append_str(&full, name);
	buf_append_str(out, STR("{\"name\":"));
	text_put_json(out, buf_str(&full));
	buf_release(&full);
	buf_append_str(out, STR(",\"version\":\"001\",\"displayName\":"));
	text_put_json(out, name);
	buf_append_str(out, STR(",\"inputTokenLimit\":1048576,\"outputTokenLimit\":65536,\"supportedGenerationMethods\":"
	                        "[\"generateContent\",\"streamGenerateContent\"],\"temperature\":1,\"topP\":0.95,\"topK\":64,"
	                        "\"maxTemperature\":2}"));
}

#define OLLAMA_DETAILS                                                                                                      \
	"{\"parent_model\":\"\",\"format\":\"gguf\",\"family\":\"mock\",\"families\":[\"mock\"],\"parameter_size\":\"1B\"," \
	"\"quantization_level\":\"Q4_0\"}"

static void put_ollama_model(struct str name, const char *when, struct buf *out)
{
	buf_append_str(out, STR("{\"name\":"));
	text_put_json(out, name);
	buf_append_str(out, STR(",\"model\":"));
	text_put_json(out, name);
	buf_printf(out, ",\"modified_at\":\"%s\",\"size\":1000000000,\"digest\":\"%064d\",\"details\":" OLLAMA_DETAILS "}", when,
	           0);
}

static void put_show(const char *when, struct buf *out)
{
	buf_printf(out,
	           "{\"license\":\"\",\"modelfile\":\"FROM mock\",\"parameters\":\"\",\"template\":\"{{ .Prompt "
	           "}}\",\"details\":" OLLAMA_DETAILS
	           ",\"model_info\":{\"general.architecture\":\"mock\",\"general.parameter_count\":1000000000},\"capabilities\":"
	           "[\"completion\",\"tools\"],\"modified_at\":\"%s\"}",
	           when);
}

static void put_list(enum proto proto, const char *when, struct buf *out)
{
	static const struct {
		const char *open, *close;
		const char *const *names;
		size_t count;
	} lists[] = {
		[PROTO_OPENAI] = { "{\"object\":\"list\",\"data\":[", "]}", openai_models, ARRAY_SIZE(openai_models) },
		[PROTO_GROQ] = { "{\"object\":\"list\",\"data\":[", "]}", groq_models, ARRAY_SIZE(groq_models) },
		[PROTO_GEMINI] = { "{\"models\":[", "]}", gemini_models, ARRAY_SIZE(gemini_models) },
		[PROTO_OLLAMA] = { "{\"models\":[", "]}", ollama_models, ARRAY_SIZE(ollama_models) },
	};

	buf_append_str(out, str_from(lists[proto].open));
	for (size_t i = 0; i < lists[proto].count; i++) {
		struct str name = str_from(lists[proto].names[i]);
		if (i)
			buf_append_char(out, ',');
		if (proto == PROTO_GEMINI)
			put_gemini_model(name, out);
		else if (proto == PROTO_OLLAMA)
			put_ollama_model(name, when, out);
		else
			put_openai_model(proto, name, out);
	}
	buf_append_str(out, str_from(lists[proto].close));
}

void write_catalogue(enum proto proto, enum endpoint endpoint, struct str model, int64_t wall_ms, struct mock_reply *r)
{
	char when[25];

	clock_format_wall(wall_ms, when);
	if (endpoint == EP_ROOT) {
		mock_reply_header_lit(r, "Content-Type", "text/plain; charset=utf-8");
		buf_append_str(&r->body, STR("Ollama is running"));
		return;
	}
	mock_reply_header_lit(r, "Content-Type", "application/json");
	switch (endpoint) {
	case EP_VERSION: buf_append_str(&r->body, STR("{\"version\":\"0.12.0\"}")); break;
	case EP_SHOW: put_show(when, &r->body); break;
	case EP_MODEL:
		if (proto == PROTO_GEMINI)
			put_gemini_model(model, &r->body);
		else
			put_openai_model(proto, model, &r->body);
		break;
	default: put_list(proto, when, &r->body); break;
	}
	buf_append_char(&r->body, '\n');
}
