/*
 * options.c: the options of a run. One table has key, type, default, meaning, who may set it, and the function that reads it; what help prints, what
 * a wrong key is answered with and what a payload may say come from there.
 */
#include "model/options.h"

#include <limits.h>
#include <stdio.h>

#define MAX_CONCURRENCY 100000
#define MAX_RETRIES     1000
#define MAX_MS          INT64_C(2592000000) /* 30 days: far beyond any run, and safe to multiply */

/* One option that is being set. */
struct setting {
	struct options *o;
	const char *key;
	const struct json *value;
	const char *pointer;
	struct problems *problems;
};

/* Key, type, default, meaning, a stranger may set it within the operator's value. The function that reads it is set_KEY. */
#define OPTION_ROWS(X)                                                                                                             \
	X(concurrency, "integer 1..100000, or {\"max\": integer, \"adaptive\": boolean}", "16, adaptive",                          \
	  "turns in flight to the target at most; adaptive begins with 4 and follows what the target bears", true)                 \
	X(connect_timeout_ms, "integer 0..2592000000", "10000", "name, TCP and TLS of a connection, in milliseconds; 0: no limit", \
	  true)                                                                                                                    \
	X(idle_timeout_ms, "integer 0..2592000000", "600000",                                                                      \
	  "the first byte of a reply, and silence between bytes, in milliseconds; 0: no limit; a connector's timeout parameter "   \
	  "sets it",                                                                                                               \
	  true)                                                                                                                    \
	X(turn_timeout_ms, "integer 0..2592000000", "900000", "one turn with its retries, in milliseconds; 0: no limit", true)     \
	X(deadline_ms, "integer 0..2592000000", "none",                                                                            \
	  "the whole run, in milliseconds; turns that are left then are not run; 0: no limit", true)                               \
	X(max_retries, "integer 0..1000", "the class's own", "extra attempts of a turn; 0: none", true)                            \
	X(order, "\"longest_first\" or \"input\"", "longest_first",                                                                \
	  "which session starts next; the output is always in input order", true)                                                  \
	X(stream, "boolean", "false", "ask the provider to stream, to measure the time to the first token", true)                  \
	X(http_version, "\"auto\" or \"1.1\"", "auto", "HTTP/2 where the server offers it, or HTTP/1.1 only", true)

void options_init(struct options *o)
{
	*o = (struct options){
		.concurrency = 16,
		.adaptive = true,
		.connect_timeout_ms = 10000,
		.idle_timeout_ms = 600000,
		.turn_timeout_ms = 900000,
		.max_retries = -1,
		.order = ORDER_LONGEST_FIRST,
		.http_version = HTTP_VERSION_AUTO,
	};
}

/* ---- reading values ---- */

/* The value for a sentence: its text when it is a number or a string, else its type. */
static void describe(const struct json *v, char *out, size_t size)
{
	static const char *const words[] = { "null", "false", "true", "", "", "an array", "an object" };
	const char *quote = v->type == JSON_STRING ? "\"" : "";
	if (v->type == JSON_NUMBER || v->type == JSON_STRING) {
		size_t len = utf8_cut(v->text, 40);
		(void)snprintf(out, size, "%s%.*s%s%s", quote, (int)len, len ? v->text.ptr : "", len < v->text.len ? "..." : "",
		               quote);
	} else {
		(void)snprintf(out, size, "%s", words[v->type]);
	}
}

static int refuse(const struct setting *s, const char *expected)
{
	char got[64];
	describe(s->value, got, sizeof(got));
	problem_error(s->problems, s->pointer, "The option \"%s\" must be %s, not %s.", s->key, expected, got);
	return s->problems->nomem ? FF_ENOMEM : FF_EDATA;
}

static int read_integer(const struct setting *s, int64_t low, int64_t high, int64_t *ret)
{
	char expected[80];
	if (s->value->type == JSON_NUMBER && json_to_i64(s->value, ret) && *ret >= low && *ret <= high)
		return 0;
	(void)snprintf(expected, sizeof(expected), "an integer from %lld to %lld", (long long)low, (long long)high);
	return refuse(s, expected);
}

static int read_ms(const struct setting *s, uint64_t *ret)
{
	int64_t value;
	int code = read_integer(s, 0, MAX_MS, &value);
	if (!code)
		*ret = (uint64_t)value;
	return code;
}

/* true and false; 1 and 0 as well, which is what people write into the environment. */
static int read_bool(const struct setting *s, bool *ret)
{
	int64_t number;
	if (json_is_bool(s->value))
		*ret = s->value->type == JSON_TRUE;
	else if (s->value->type == JSON_NUMBER && json_to_i64(s->value, &number) && (number == 0 || number == 1))
		*ret = number == 1;
	else
		return refuse(s, "true or false");
	return 0;
}

/* ---- one function an option ---- */

static int set_limits_of_concurrency(const struct setting *s, int64_t *max, bool *adaptive)
{
	int first = 0;
	for (uint32_t i = 0; i < s->value->count; i++) {
		const struct json_member *m = &s->value->members[i];
		char pointer[512];
		struct setting member = { s->o, s->key, &m->value, pointer, s->problems };
		int code = 0;
		(void)snprintf(pointer, sizeof(pointer), "%s", s->pointer);
		json_pointer_push(pointer, sizeof(pointer), m->key);
		if (str_eq(m->key, STR("max"))) {
			member.key = "concurrency.max";
			code = m->value.type == JSON_NULL ? 0 : read_integer(&member, 1, MAX_CONCURRENCY, max);
		} else if (str_eq(m->key, STR("adaptive"))) {
			member.key = "concurrency.adaptive";
			code = m->value.type == JSON_NULL ? 0 : read_bool(&member, adaptive);
		} else {
			struct str key = str_sub(m->key, 0, utf8_cut(m->key, 60));
			problem_error(s->problems, pointer,
			              "The option \"concurrency\" has no member \"%.*s\": known are max and adaptive.",
			              STR_ARG(key));
			code = s->problems->nomem ? FF_ENOMEM : FF_EDATA;
		}
		if (code && first != FF_ENOMEM)
			first = code;
	}
	return first;
}

static int set_concurrency(const struct setting *s)
{
	int64_t max = s->o->concurrency;
	bool adaptive = s->o->adaptive;
	int code;
	if (s->value->type == JSON_OBJECT)
		code = set_limits_of_concurrency(s, &max, &adaptive);
	else
		code = read_integer(s, 1, MAX_CONCURRENCY, &max);
	if (code)
		return code;
	s->o->concurrency = (uint32_t)max;
	s->o->adaptive = adaptive;
	return 0;
}

static int set_connect_timeout_ms(const struct setting *s)
{
	return read_ms(s, &s->o->connect_timeout_ms);
}

static int set_idle_timeout_ms(const struct setting *s)
{
	int code = read_ms(s, &s->o->idle_timeout_ms);
	if (!code)
		s->o->idle_timeout_set = true;
	return code;
}

static int set_turn_timeout_ms(const struct setting *s)
{
	return read_ms(s, &s->o->turn_timeout_ms);
}

static int set_deadline_ms(const struct setting *s)
{
	return read_ms(s, &s->o->deadline_ms);
}

static int set_max_retries(const struct setting *s)
{
	int64_t value;
	int code = read_integer(s, 0, MAX_RETRIES, &value);
	if (!code)
		s->o->max_retries = (int32_t)value;
	return code;
}

static const char *const order_words[] = { [ORDER_LONGEST_FIRST] = "longest_first", [ORDER_INPUT] = "input" };
static const char *const http_version_words[] = { [HTTP_VERSION_AUTO] = "auto", [HTTP_VERSION_1_1] = "1.1" };

/* The index of the word that the value is, as text or (1.1 on a command line is a number) as number text; `count` when it is none. */
static size_t read_word(const struct json *v, const char *const *words, size_t count)
{
	size_t i = 0;
	if (v->type != JSON_STRING && v->type != JSON_NUMBER)
		return count;
	while (i < count && !str_eq(v->text, str_from(words[i])))
		i++;
	return i;
}

static int set_order(const struct setting *s)
{
	size_t i = read_word(s->value, order_words, ARRAY_SIZE(order_words));
	if (i == ARRAY_SIZE(order_words))
		return refuse(s, "\"longest_first\" or \"input\"");
	s->o->order = (enum run_order)i;
	return 0;
}

static int set_stream(const struct setting *s)
{
	return read_bool(s, &s->o->stream);
}

static int set_http_version(const struct setting *s)
{
	size_t i = read_word(s->value, http_version_words, ARRAY_SIZE(http_version_words));
	if (i == ARRAY_SIZE(http_version_words))
		return refuse(s, "\"auto\" or \"1.1\"");
	s->o->http_version = (enum http_version)i;
	return 0;
}

/* ---- the table ---- */

static const struct option_row rows[] = {
#define X(key, type, default_text, meaning, stranger_lowers) { #key, type, default_text, meaning, stranger_lowers },
	OPTION_ROWS(X)
#undef X
};

static int (*const setters[])(const struct setting *) = {
#define X(key, type, default_text, meaning, stranger_lowers) set_##key,
	OPTION_ROWS(X)
#undef X
};

const struct option_row *options_table(size_t *ret_count)
{
	*ret_count = ARRAY_SIZE(rows);
	return rows;
}

static int unknown(struct str key, const char *pointer, struct problems *problems)
{
	static const char known[] = ""
#define X(key, type, default_text, meaning, stranger_lowers) ", " #key
	        OPTION_ROWS(X)
#undef X
	        ;
	struct str shown = str_sub(key, 0, utf8_cut(key, 60));
	problem_error(problems, pointer, "There is no option \"%.*s%s\": known are %s.", STR_ARG(shown),
	              shown.len < key.len ? "..." : "", known + 2);
	return problems->nomem ? FF_ENOMEM : FF_EDATA;
}

int options_set(struct options *o, struct str key, const struct json *value, const char *pointer, struct problems *problems)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (str_eq(key, str_from(rows[i].key))) {
			struct setting s = { o, rows[i].key, value, pointer, problems };
			return value->type == JSON_NULL ? 0 : setters[i](&s);
		}
	}
	return unknown(key, pointer, problems);
}

int options_from_json(struct options *o, const struct json *object, const char *pointer, struct problems *problems)
{
	int first = 0;
	if (object->type == JSON_NULL)
		return 0;
	if (object->type != JSON_OBJECT) {
		char got[64];
		describe(object, got, sizeof(got));
		problem_error(problems, pointer, "The options must be an object, not %s.", got);
		return problems->nomem ? FF_ENOMEM : FF_EDATA;
	}
	for (uint32_t i = 0; i < object->count && first != FF_ENOMEM; i++) {
		char child[512];
		int code;
		(void)snprintf(child, sizeof(child), "%s", pointer);
		json_pointer_push(child, sizeof(child), object->members[i].key);
		code = options_set(o, object->members[i].key, &object->members[i].value, child, problems);
		if (code && first != FF_ENOMEM)
			first = code;
	}
	return first;
}

/* ---- a stranger's options ---- */

static void lowered(const char *key, const char *pointer, struct problems *problems)
{
	char child[512];
	(void)snprintf(child, sizeof(child), "%s", pointer);
	json_pointer_push(child, sizeof(child), str_from(key));
	problem_warning(problems, child, "The option \"%s\" was lowered to what the operator of this service allows.", key);
}

static void limit_ms(uint64_t *value, uint64_t limit, const char *key, const char *pointer, struct problems *problems)
{
	if (limit == 0 || (*value != 0 && *value <= limit))
		return;
	*value = limit;
	lowered(key, pointer, problems);
}

void options_limit(struct options *o, const struct options *operator_value, const char *pointer, struct problems *problems)
{
	int32_t retries = operator_value->max_retries < 0 ? OPTIONS_STRANGER_RETRIES : operator_value->max_retries;
	limit_ms(&o->connect_timeout_ms, operator_value->connect_timeout_ms, "connect_timeout_ms", pointer, problems);
	limit_ms(&o->idle_timeout_ms, operator_value->idle_timeout_ms, "idle_timeout_ms", pointer, problems);
	limit_ms(&o->turn_timeout_ms, operator_value->turn_timeout_ms, "turn_timeout_ms", pointer, problems);
	limit_ms(&o->deadline_ms, operator_value->deadline_ms, "deadline_ms", pointer, problems);
	if (o->concurrency > operator_value->concurrency || (operator_value->adaptive && !o->adaptive)) {
		o->concurrency = MIN(o->concurrency, operator_value->concurrency);
		o->adaptive |= operator_value->adaptive;
		lowered("concurrency", pointer, problems);
	}
	if (o->max_retries > retries) {
		o->max_retries = retries;
		lowered("max_retries", pointer, problems);
	}
}

/* ---- as used ---- */

static void write_ms(struct json_writer *w, struct str key, uint64_t value)
{
	json_key(w, key);
	if (value)
		json_int(w, (int64_t)value);
	else
		json_null(w);
}

void options_write(const struct options *o, struct json_writer *w)
{
	json_begin_object(w);
	json_key_lit(w, "concurrency");
	json_begin_object(w);
	json_key_lit(w, "max");
	json_int(w, o->concurrency);
	json_key_lit(w, "adaptive");
	json_bool(w, o->adaptive);
	json_end_object(w);
	write_ms(w, STR("connect_timeout_ms"), o->connect_timeout_ms);
	write_ms(w, STR("idle_timeout_ms"), o->idle_timeout_ms);
	write_ms(w, STR("turn_timeout_ms"), o->turn_timeout_ms);
	write_ms(w, STR("deadline_ms"), o->deadline_ms);
	json_key_lit(w, "max_retries");
	if (o->max_retries < 0)
		json_null(w);
	else
		json_int(w, o->max_retries);
	json_key_lit(w, "order");
	json_string(w, str_from(order_words[o->order]));
	json_key_lit(w, "stream");
	json_bool(w, o->stream);
	json_key_lit(w, "http_version");
	json_string(w, str_from(http_version_words[o->http_version]));
	json_end_object(w);
}
