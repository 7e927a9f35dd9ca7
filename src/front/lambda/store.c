/*
 * store.c: one object written to S3: signed, sent, tried again where that helps. See store.h.
 *
 * Each attempt is signed anew, because the signature holds the time. A PUT is atomic for its readers and may be repeated: the object of an ID is the
 * same whoever writes it. Redirects (a bucket in another region) are answers, and say where the bucket is.
 */
#include "front/lambda/store.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rand.h"
#include "base/secret.h"
#include "front/lambda/store_config.h"
#include "net/sigv4.h"

#define MAX_ATTEMPTS       4u
#define FIRST_WAIT_MS      100u
#define CONNECT_TIMEOUT_MS 5000u
#define SILENCE_LEAST_MS   UINT64_C(1000)
#define SILENCE_MOST_MS    UINT64_C(10000)
#define MAX_REPLY_BYTES    ((uint64_t)64 << 10)
#define MAX_ID             200u
#define MAX_URL            ((size_t)8 << 10)

struct store {
	struct arena arena;
	struct store_config config;
	struct courier *courier;
	struct rand rand;
};

int store_new(environment_fn env, void *env_user, struct courier *courier, struct store **ret, struct error *err)
{
	struct store *s = NEW(struct store);
	bool found = false;
	int r;

	if (!s)
		return error_nomem(err);
	arena_init(&s->arena);
	s->courier = courier;
	rand_init(&s->rand, rand_seed_from_os());
	r = store_config_read(env, env_user, &s->arena, &s->config, &found, err);
	if (r || !found) {
		store_free(s);
		s = NULL;
	}
	if (!r)
		*ret = s;
	return r;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	arena_release(&s->arena);
	mem_free(s);
}

/* ---- names ---- */

static void append_id(struct buf *out, struct str id)
{
	size_t kept = 0;

	for (size_t i = 0; i < id.len && kept < MAX_ID; i++) {
		unsigned char c = (unsigned char)id.ptr[i];

		if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("._-", c))) {
			buf_append_char(out, (char)c);
			kept++;
		}
	}
	if (!kept)
		buf_append_str(out, STR("unnamed"));
	buf_append_str(out, STR(".json"));
}

int store_uri(const struct store *s, struct str id, struct buf *out)
{
	buf_append_str(out, STR("s3://"));
	buf_append_str(out, s->config.bucket);
	buf_append_char(out, '/');
	buf_append_str(out, s->config.prefix);
	append_id(out, id);
	return buf_failed(out);
}

/* Appends the encoded path of the object. */
static int append_path(const struct store *s, struct str id, struct buf *out)
{
	struct buf key;
	int r;

	buf_init(&key, MAX_URL);
	buf_append_str(&key, s->config.root);
	buf_append_str(&key, s->config.prefix);
	append_id(&key, id);
	r = buf_failed(&key) ? buf_failed(&key) : sigv4_encode_path(buf_str(&key), out);
	buf_release(&key);
	return r;
}

/* ---- one attempt ---- */

enum verdict { STORED, TRY_AGAIN, REFUSED };

/* The text of <name>...</name> in S3's error document, made safe for a log. Empty: there is none. */
static void quote_element(struct str xml, const char *name, char *out, size_t size)
{
	char open[32], close[32];
	size_t from, to;
	struct str text;
	struct buf safe;

	snprintf(open, sizeof(open), "<%s>", name);
	snprintf(close, sizeof(close), "</%s>", name);
	out[0] = '\0';
	from = str_find(xml, str_from(open), 0);
	to = from == SIZE_MAX ? from : str_find(xml, str_from(close), from);
	if (to == SIZE_MAX)
		return;
	text = str_sub(xml, from + strlen(open), to);
	if (str_ends_with(text, STR("."))) /* the sentence around it has one */
		text.len--;
	buf_init(&safe, 4096);
	if (!escape_append(&safe, str_sub(text, 0, 512), false))
		snprintf(out, size, "%.*s", (int)utf8_cut(buf_str(&safe), size - 1), safe.ptr ? safe.ptr : "");
	buf_release(&safe);
}

static bool is_passing_trouble(int status, const char *code)
{
	return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504 ||
	       strcmp(code, "RequestTimeout") == 0; /* a 400: the connection stalled */
}

static enum verdict judge(const struct courier_reply *reply, char *why, size_t size)
{
	char code[64], message[320], region[64] = "";
	struct str elsewhere = courier_header(reply, "x-amz-bucket-region");
	int status = reply->result.status;

	/* An error document that is too long says enough by its status. */
	if (reply->result.failure != HTTP_COMPLETE && reply->result.failure != HTTP_FAILED_TOO_BIG) {
		snprintf(why, size, "%s", reply->result.text);
		return reply->result.failure == HTTP_FAILED_LOCAL ? REFUSED : TRY_AGAIN;
	}
	if (status / 100 == 2)
		return STORED;
	quote_element(reply->body, "Code", code, sizeof(code));
	quote_element(reply->body, "Message", message, sizeof(message));
	if (elsewhere.len && elsewhere.len < 40 && status / 100 == 3)
		snprintf(region, sizeof(region), "; the bucket is in %.*s", STR_ARG(elsewhere));
	snprintf(why, size, "status %d%s%s%s%s%s", status, code[0] ? " " : "", code, message[0] ? ": " : "", message, region);
	return is_passing_trouble(status, code) ? TRY_AGAIN : REFUSED;
}

static int sign(const struct store *s, struct str path, struct str json, struct sigv4_headers *ret)
{
	static const struct pair content_type = { { "content-type", 12 }, { "application/json", 16 } };
	struct sigv4_request r = {
		.method = STR("PUT"),
		.host = s->config.host,
		.path = path,
		.headers = &content_type,
		.header_count = 1,
		.body = json,
		.region = s->config.region,
		.service = STR("s3"),
		.access_key = s->config.access_key,
		.secret_key = s->config.secret_key,
		.session_token = s->config.session_token,
		.wall_ms = clock_wall_ms(),
	};

	return sigv4_sign(&r, ret);
}

/*
 * A connection that died while the process was frozen takes what is sent and says nothing. So silence ends an attempt while there is time for another,
 * but not so soon that S3 could be merely slow.
 */
static uint64_t silence_of(uint64_t left_ms)
{
	return MAX(SILENCE_LEAST_MS, MIN(left_ms / 2, SILENCE_MOST_MS));
}

struct attempt {
	struct str url, path, json;
	uint64_t left_ms;
	bool again;
};

static int exchange(struct store *s, const struct attempt *a, const struct sigv4_headers *h, struct courier_reply *ret,
                    struct error *err)
{
	struct pair headers[] = {
		{ STR("Authorization"), str_from(h->authorization) },         { STR("x-amz-date"), str_from(h->date) },
		{ STR("x-amz-content-sha256"), str_from(h->content_sha256) }, { STR("Content-Type"), STR("application/json") },
		{ STR("x-amz-security-token"), s->config.session_token }, /* the last: it may be absent */
	};
	struct http_request request = {
		.method = STR("PUT"),
		.url = a->url,
		.headers = headers,
		.header_count = ARRAY_SIZE(headers) - !s->config.session_token.len,
		.body = a->json,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.idle_timeout_ms = silence_of(a->left_ms),
		.total_timeout_ms = a->left_ms,
		.max_body_bytes = MAX_REPLY_BYTES,
		.http11 = true,
		.fresh_connect = a->again,
	};

	return courier_exchange(s->courier, &request, ret, err);
}

static int send(struct store *s, const struct attempt *a, struct courier_reply *ret, struct error *err)
{
	struct sigv4_headers h;
	int r = sign(s, a->path, a->json, &h);

	if (r == FF_ENOMEM)
		return error_nomem(err);
	if (r)
		return error_set(err, r, "",
		                 "The request to S3 could not be signed: AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is none.");
	return exchange(s, a, &h, ret, err);
}

/* ---- until it is stored ---- */

static uint64_t wait_before(struct store *s, unsigned attempt)
{
	uint64_t half = (uint64_t)(FIRST_WAIT_MS / 2) << (2 * attempt); /* of 100, 400, 1600 ms; the other half is chance */

	return half + (uint64_t)(rand_unit(&s->rand) * (double)half);
}

static int give_up(int code, const char *why, unsigned attempts, struct error *err)
{
	if (code == FF_ELIMIT)
		return error_set(err, code, "", "The result was not written to S3, because the time was up%s%s.",
		                 why[0] ? "; the last attempt: " : "", why);
	if (attempts > 1)
		return error_set(err, code, "", "The result was not written to S3 after %u attempts: %s.", attempts, why);
	return error_set(err, code, "", "The result was not written to S3: %s.", why);
}

static int put(struct store *s, struct attempt *a, uint64_t until_us, struct error *err)
{
	char why[768] = "";

	for (unsigned n = 1;; n++) {
		struct courier_reply reply = { .header_count = 0 };
		uint64_t now_us = clock_monotonic_us(), wait_ms = wait_before(s, n - 1);
		enum verdict verdict;
		int r;

		if (now_us >= until_us)
			return give_up(FF_ELIMIT, why, n, err);
		a->left_ms = (until_us - now_us + 999) / 1000;
		a->again = n > 1;
		r = send(s, a, &reply, err);
		if (r)
			return r;
		verdict = judge(&reply, why, sizeof(why));
		if (verdict == STORED)
			return 0;
		if (verdict == REFUSED)
			return give_up(FF_EREFUSED, why, n, err);
		if (n == MAX_ATTEMPTS)
			return give_up(reply.result.failure == HTTP_COMPLETE ? FF_EREFUSED : FF_EUNREACHABLE, why, n, err);
		if (clock_monotonic_us() + wait_ms * 1000 >= until_us)
			return give_up(FF_ELIMIT, why, n, err);
		courier_wait(s->courier, wait_ms);
	}
}

int store_put(struct store *s, struct str id, struct str json, uint64_t timeout_ms, struct error *err)
{
	uint64_t until_us = clock_monotonic_us() + timeout_ms * 1000;
	struct attempt a = { .json = json };
	struct buf url;
	int r;

	buf_init(&url, MAX_URL);
	buf_append_str(&url, s->config.base_url);
	r = append_path(s, id, &url);
	if (!r)
		r = buf_failed(&url);
	if (r) {
		buf_release(&url);
		return r == FF_ENOMEM ? error_nomem(err) : error_set(err, FF_EUSAGE, "", "The object's URL is too long.");
	}
	a.url = buf_str(&url);
	a.path = str_sub(a.url, s->config.base_url.len, a.url.len);
	r = put(s, &a, until_us, err);
	buf_release(&url);
	return r;
}
