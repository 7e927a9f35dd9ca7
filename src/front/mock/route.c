/*
 * route.c: one table of paths. A `*` takes one segment that is not empty (up to the literal that follows it in the pattern), `**` takes the rest
 * of the path. The first row that fits wins; a path that fits only rows of another method is EP_WRONG.
 */
#include "front/mock/route.h"

#include "base/macros.h"

enum google_rule { ANY_CLIENT, GOOGLE_ONLY, NOT_GOOGLE };

static const struct row {
	const char *method, *pattern;
	enum proto proto;
	enum endpoint endpoint;
	enum google_rule google;
} rows[] = {
	{ "POST", "/v1/chat/completions", PROTO_OPENAI, EP_CHAT, ANY_CLIENT },
	{ "POST", "/chat/completions", PROTO_OPENAI, EP_CHAT, ANY_CLIENT },
	{ "POST", "/v1/responses", PROTO_OPENAI, EP_RESPONSES, ANY_CLIENT },
	{ "POST", "/responses", PROTO_OPENAI, EP_RESPONSES, ANY_CLIENT },
	{ "GET", "/v1/models", PROTO_OPENAI, EP_MODELS, NOT_GOOGLE },
	{ "GET", "/v1/models/**", PROTO_OPENAI, EP_MODEL, NOT_GOOGLE },
	{ "GET", "/models", PROTO_OPENAI, EP_MODELS, ANY_CLIENT },
	{ "GET", "/models/**", PROTO_OPENAI, EP_MODEL, ANY_CLIENT },
	{ "POST", "/openai/v1/chat/completions", PROTO_GROQ, EP_CHAT, ANY_CLIENT },
	{ "GET", "/openai/v1/models", PROTO_GROQ, EP_MODELS, ANY_CLIENT },
	{ "GET", "/openai/v1/models/**", PROTO_GROQ, EP_MODEL, ANY_CLIENT },
	{ "POST", "/v1beta/models/*:generateContent", PROTO_GEMINI, EP_GENERATE, ANY_CLIENT },
	{ "POST", "/v1beta/models/*:streamGenerateContent", PROTO_GEMINI, EP_GENERATE_SSE, ANY_CLIENT },
	{ "POST", "/v1beta/tunedModels/*:generateContent", PROTO_GEMINI, EP_GENERATE, ANY_CLIENT },
	{ "POST", "/v1beta/tunedModels/*:streamGenerateContent", PROTO_GEMINI, EP_GENERATE_SSE, ANY_CLIENT },
	{ "GET", "/v1beta/models", PROTO_GEMINI, EP_MODELS, ANY_CLIENT },
	{ "GET", "/v1beta/models/*", PROTO_GEMINI, EP_MODEL, ANY_CLIENT },
	{ "POST", "/v1/models/*:generateContent", PROTO_GEMINI, EP_GENERATE, ANY_CLIENT },
	{ "POST", "/v1/models/*:streamGenerateContent", PROTO_GEMINI, EP_GENERATE_SSE, ANY_CLIENT },
	{ "POST", "/v1/tunedModels/*:generateContent", PROTO_GEMINI, EP_GENERATE, ANY_CLIENT },
	{ "POST", "/v1/tunedModels/*:streamGenerateContent", PROTO_GEMINI, EP_GENERATE_SSE, ANY_CLIENT },
	{ "GET", "/v1/models", PROTO_GEMINI, EP_MODELS, GOOGLE_ONLY },
	{ "GET", "/v1/models/*", PROTO_GEMINI, EP_MODEL, GOOGLE_ONLY },
	{ "POST", "/api/chat", PROTO_OLLAMA, EP_OLLAMA_CHAT, ANY_CLIENT },
	{ "GET", "/api/tags", PROTO_OLLAMA, EP_TAGS, ANY_CLIENT },
	{ "GET", "/api/version", PROTO_OLLAMA, EP_VERSION, ANY_CLIENT },
	{ "POST", "/api/show", PROTO_OLLAMA, EP_SHOW, ANY_CLIENT },
	{ "GET", "/", PROTO_OLLAMA, EP_ROOT, ANY_CLIENT },
	{ "POST", "/event/infer/*/*", PROTO_ALQUIMIA, EP_INFER, ANY_CLIENT },
	{ "POST", "/*/event/infer/*/*", PROTO_ALQUIMIA, EP_INFER, ANY_CLIENT },
	{ "GET", "/event/stream/*", PROTO_ALQUIMIA, EP_EVENTS, ANY_CLIENT },
	{ "GET", "/*/event/stream/*", PROTO_ALQUIMIA, EP_EVENTS, ANY_CLIENT },
};

/* Whose shape a 404 has. The first part that the path contains decides; OpenAI's is the most widely understood. */
static const struct {
	const char *part;
	enum proto proto;
} shapes[] = {
	{ "/event/", PROTO_ALQUIMIA },
	{ "/openai/", PROTO_GROQ },
	{ "/v1beta", PROTO_GEMINI },
	{ ":generateContent", PROTO_GEMINI },
	{ ":streamGenerateContent", PROTO_GEMINI },
	{ "/api/", PROTO_OLLAMA },
};

/* What a wildcard takes from the path: up to the next slash, or all; without the literal that follows in the pattern's segment. */
static bool take_wildcard(struct str pattern, struct str path, size_t *ret_pattern, size_t *ret_taken)
{
	bool rest = str_starts_with(pattern, STR("**"));
	size_t stars = rest ? 2 : 1, suffix_end = str_find(pattern, STR("/"), stars), end = str_find(path, STR("/"), 0);
	struct str suffix = str_sub(pattern, stars, MIN(suffix_end, pattern.len));
	struct str segment = str_sub(path, 0, rest ? path.len : MIN(end, path.len));

	if (!str_ends_with(segment, suffix) || segment.len <= suffix.len)
		return false;
	*ret_pattern = stars + suffix.len;
	*ret_taken = segment.len - suffix.len;
	return true;
}

static bool fits(struct str pattern, struct str path, struct str *ret_id)
{
	*ret_id = STR_NULL;
	while (pattern.len) {
		size_t skip = 1, taken = 0;
		if (pattern.ptr[0] == '*') {
			if (!take_wildcard(pattern, path, &skip, &taken))
				return false;
			*ret_id = str_sub(path, 0, taken);
			taken += skip - (str_starts_with(pattern, STR("**")) ? 2 : 1);
		} else {
			if (!path.len || path.ptr[0] != pattern.ptr[0])
				return false;
			taken = 1;
		}
		pattern = str_sub(pattern, skip, pattern.len);
		path = str_sub(path, taken, path.len);
	}
	return path.len == 0;
}

static enum proto shape_of(struct str path, bool google)
{
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		if (str_contains(path, str_from(shapes[i].part)))
			return shapes[i].proto;
	}
	return google ? PROTO_GEMINI : PROTO_OPENAI;
}

/* /v1/models/NAME:generateContent is no model's name, though the wildcard of a row for models would take it. */
static bool names_a_method(const struct row *row, struct str path)
{
	return row->endpoint == EP_MODEL &&
	       (str_ends_with(path, STR(":generateContent")) || str_ends_with(path, STR(":streamGenerateContent")));
}

struct route route_find(struct str method, struct str path, bool google)
{
	struct route wrong = { shape_of(path, google), EP_NONE, STR_NULL, NULL };

	if (str_eq(method, STR("HEAD")))
		method = STR("GET");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct str id;
		if ((rows[i].google == GOOGLE_ONLY && !google) || (rows[i].google == NOT_GOOGLE && google))
			continue;
		if (!fits(str_from(rows[i].pattern), path, &id) || names_a_method(&rows[i], path))
			continue;
		if (str_eq(method, str_from(rows[i].method)))
			return (struct route){ rows[i].proto, rows[i].endpoint, id, NULL };
		if (wrong.endpoint == EP_NONE)
			wrong = (struct route){ rows[i].proto, EP_WRONG, id,
				                str_eq(str_from(rows[i].method), STR("GET")) ? "GET, HEAD" : "POST" };
	}
	return wrong;
}

bool route_answers(enum endpoint endpoint)
{
	return endpoint >= EP_CHAT && endpoint <= EP_EVENTS;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void route_decode(struct str encoded, struct buf *out)
{
	for (size_t i = 0; i < encoded.len; i++) {
		int high = i + 2 < encoded.len && encoded.ptr[i] == '%' ? hex_value(encoded.ptr[i + 1]) : -1;
		int low = high >= 0 ? hex_value(encoded.ptr[i + 2]) : -1;
		if (low >= 0) {
			buf_append_char(out, (char)(high * 16 + low));
			i += 2;
		} else {
			buf_append_char(out, encoded.ptr[i]);
		}
	}
}
