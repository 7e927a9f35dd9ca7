/*
 * fuzz_serve.c: what reaches the service before a run does, through each of its readers. Byte 0 picks the reader, the rest is its text.
 *
 *   0  a token file: what is taken lets exactly its own tokens in
 *   1  an Authorization header against a table
 *   2  a list of origins: what is taken lets itself through, and stays out of the headers' syntax
 *   3  X-Request-Id, method and path: the log line is one line of JSON within its limit, the id is sane
 *   4  an address to listen on: what is taken is read the same again
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "fairforge/fairforge.h"
#include "front/server/access_log.h"
#include "front/server/auth.h"
#include "front/server/cors.h"
#include "front/server/listen.h"
#include "front/server/routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_REQUIRE(condition)           \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

static const char table[] = "ci:0123456789abcdef\nops:fedcba9876543210\n";

static bool is_visible(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || (unsigned char)*text > '~')
			return false;
	return true;
}

/* ---- tokens ---- */

/* Every line NAME:TOKEN of a file that was taken lets NAME in. */
static void each_line_gets_in(const struct auth *a, struct str text)
{
	size_t found = 0;

	if (str_starts_with(text, STR("\xef\xbb\xbf")))
		text = str_sub(text, 3, text.len);
	while (text.ptr) {
		struct str token = str_trim(str_split(&text, '\n')), name;
		char header[AUTH_TOKEN_MAX + 16];
		const char *challenge, *got;

		if (!token.len || token.ptr[0] == '#')
			continue;
		name = str_trim(str_split(&token, ':'));
		snprintf(header, sizeof(header), "Bearer %.*s", STR_ARG(str_trim(token)));
		got = auth_check(a, str_from(header), &challenge);
		FUZZ_REQUIRE(got && str_eq(str_from(got), name));
		found++;
	}
	FUZZ_REQUIRE(found == auth_count(a) && found > 0);
}

static void fuzz_file(struct str text)
{
	struct auth *a = NULL;
	struct error err = { 0 };
	int r = auth_parse(text, "tokens", &a, &err);

	FUZZ_REQUIRE(r == 0 ? a != NULL : r == FF_EUSAGE && err.text[0]);
	if (r == 0)
		each_line_gets_in(a, text);
	auth_free(a);
}

static void fuzz_header(struct str text)
{
	struct auth *a = NULL;
	struct error err;
	const char *challenge = NULL, *name;

	FUZZ_REQUIRE(auth_parse(STR(table), "tokens", &a, &err) == 0);
	name = auth_check(a, text, &challenge);
	if (name)
		FUZZ_REQUIRE(str_contains(text, STR("0123456789abcdef")) || str_contains(text, STR("fedcba9876543210")));
	else
		FUZZ_REQUIRE(challenge && !strncmp(challenge, "Bearer ", 7));
	auth_free(a);
}

/* ---- origins ---- */

static void fuzz_origins(const char *text)
{
	struct cors c;
	struct error err = { 0 };
	int r;

	cors_init(&c);
	r = cors_add(&c, text, &err);
	FUZZ_REQUIRE(r == 0 ? c.any || c.count : r == FF_EUSAGE && err.text[0]);
	for (size_t i = 0; r == 0 && i < c.count; i++) {
		struct cors_headers h;

		FUZZ_REQUIRE(is_visible(c.origins[i]));
		FUZZ_REQUIRE(cors_check(&c, str_from(c.origins[i])) == CORS_ALLOWED);
		cors_headers(&c, c.origins[i], true, "POST", &h);
		FUZZ_REQUIRE(h.count > 1 && h.count <= ARRAY_SIZE(h.list));
	}
	/* The same text as the header of a request. */
	FUZZ_REQUIRE(cors_check(&c, str_from(text)) != CORS_NONE);
	cors_release(&c);
}

/* ---- a request ---- */

static void check_line(const struct buf *line)
{
	struct ff_json_doc *doc;
	struct ff_error err;

	FUZZ_REQUIRE(line->len > 2 && line->len <= ACCESS_LOG_LINE_MAX && line->ptr[line->len - 1] == '\n');
	for (size_t i = 0; i + 1 < line->len; i++)
		FUZZ_REQUIRE((unsigned char)line->ptr[i] >= ' ' && line->ptr[i] != 0x7f);
	FUZZ_REQUIRE(ff_json_parse(line->ptr, line->len, 0, 0, &doc, &err) == 0);
	ff_json_free(doc);
}

static void fuzz_request(struct str text)
{
	struct str path = text, method = str_split(&path, ' ');
	char id[REQUEST_ID_MAX + 1];
	struct access_entry e = { .method = method, .path = path, .request_id = id };
	struct serve_match m = serve_route_find(method, path);
	struct rand ids = { 42, 7 };
	struct buf line;

	FUZZ_REQUIRE((m.route == SERVE_OTHER) == (m.found == SERVE_NO_PATH) && (m.allow != NULL) == (m.route != SERVE_OTHER));
	if (m.route != SERVE_OTHER)
		FUZZ_REQUIRE(str_eq(path, str_from(serve_route_info(m.route)->path)));
	request_id_choose(text, &ids, id);
	FUZZ_REQUIRE(id[0] && strlen(id) <= REQUEST_ID_MAX && is_visible(id) && !strchr(id, '"') && !strchr(id, '\\'));
	buf_init(&line, ACCESS_LOG_LINE_MAX);
	FUZZ_REQUIRE(access_log_format(&e, &line) == 0);
	check_line(&line);
	buf_release(&line);
}

/* ---- addresses ---- */

static void fuzz_listen(const char *text)
{
	struct listen_address a = { 0 }, again = { 0 };
	struct error err = { 0 };
	char url[LISTEN_ADDRESS_MAX + 16];
	int r = listen_parse(text, &a, &err);

	FUZZ_REQUIRE(r == 0 || (r == FF_EUSAGE && err.text[0]));
	if (r)
		return;
	FUZZ_REQUIRE(a.address[0] && is_visible(a.address));
	snprintf(url, sizeof(url), strchr(a.address, ':') ? "[%s]:%u" : "%s:%u", a.address, a.port);
	FUZZ_REQUIRE(listen_parse(url, &again, &err) == 0);
	FUZZ_REQUIRE(!strcmp(a.address, again.address) && a.port == again.port && a.loopback == again.loopback);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	text = mem_strndup((const char *)data + 1, size - 1); /* its own memory: reading past the end is seen */
	FUZZ_REQUIRE(text);
	switch (data[0] % 5) {
	case 0: fuzz_file(str_of(text, size - 1)); break;
	case 1: fuzz_header(str_of(text, size - 1)); break;
	case 2: fuzz_origins(text); break;
	case 3: fuzz_request(str_of(text, size - 1)); break;
	default: fuzz_listen(text); break;
	}
	mem_free(text);
	return 0;
}
