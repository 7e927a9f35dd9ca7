/*
 * worker_line.c: lines to a worker, and which message a line from a worker is. What a reply means for its turn stands in worker_reply.c.
 *
 * Members come in the order of docs/worker-protocol.md, with type and id first, so that a shell script can find them with sed. Keys are
 * written as they stand here and only values are quoted: a turn costs a few hundred nanoseconds.
 */
#include "engine/worker_line.h"

#include <stdio.h>

#include "base/secret.h"

#define QUOTED_BYTES ((size_t)100) /* of a line that breaks the protocol */

/* ---- writing ---- */

static void put_text(struct buf *out, struct str key, struct str value)
{
	json_append_behind(out, key, value);
}

static void put_digits(struct buf *out, uint64_t value)
{
	size_t count = 1;
	char *to = buf_reserve(out, 20);

	if (!to)
		return;
	for (uint64_t rest = value; rest >= 10; rest /= 10)
		count++;
	for (size_t i = count; i-- > 0; value /= 10)
		to[i] = (char)('0' + value % 10);
	buf_commit(out, count);
}

static inline void put_int(struct buf *out, struct str key, uint64_t value)
{
	buf_append_str(out, key);
	put_digits(out, value);
}

static void put_value(struct buf *out, struct str key, const struct json *value)
{
	json_append_value_behind(out, key, value);
}

static void put_timeout(struct buf *out, int64_t timeout_ms)
{
	if (timeout_ms < 0)
		buf_append_str(out, STR(",\"timeout_ms\":null"));
	else
		put_int(out, STR(",\"timeout_ms\":"), (uint64_t)timeout_ms);
}

static void end(struct buf *out)
{
	buf_append_str(out, STR("}\n"));
}

void worker_write_hello(struct buf *out, const struct worker_hello *h)
{
	put_int(out, STR("{\"type\":\"hello\",\"protocol\":"), WORKER_PROTOCOL);
	put_text(out, STR(",\"fairforge\":"), STR(FF_VERSION));
	put_int(out, STR(",\"worker\":"), h->worker);
	put_int(out, STR(",\"workers\":"), h->workers);
	put_int(out, STR(",\"start\":"), h->start);
	put_int(out, STR(",\"concurrency\":"), h->concurrency);
	buf_append_str(out, STR(",\"args\":"));
	buf_append_str(out, h->args.len ? h->args : STR("{}"));
	end(out);
}

static void put_session(struct buf *out, const struct dataset *d)
{
	put_text(out, STR(",\"session_id\":"), d->session_id);
	put_text(out, STR(",\"assistant_id\":"), d->assistant_id);
	put_value(out, STR(",\"language\":"), &d->language);
	put_text(out, STR(",\"context\":"), d->context);
}

static void put_batch(struct buf *out, const struct batch *b, struct str prompt)
{
	put_text(out, STR(",\"qa_id\":"), b->qa_id);
	put_text(out, STR(",\"query\":"), b->query);
	put_text(out, STR(",\"prompt\":"), prompt);
	put_text(out, STR(",\"assistant\":"), b->assistant);
	put_text(out, STR(",\"ground_truth_assistant\":"), b->ground_truth_assistant);
	put_value(out, STR(",\"observation\":"), &b->observation);
	put_value(out, STR(",\"logprobs\":"), &b->logprobs);
	put_value(out, STR(",\"agentic\":"), &b->agentic);
	put_value(out, STR(",\"ground_truth_agentic\":"), &b->ground_truth_agentic);
	put_value(out, STR(",\"weight\":"), &b->weight);
}

void worker_write_turn(struct buf *out, const struct worker_turn *t, int64_t timeout_ms)
{
	const struct dataset *d = t->dataset;

	put_int(out, STR("{\"type\":\"turn\",\"id\":"), t->id);
	put_int(out, STR(",\"attempt\":"), t->attempt);
	put_timeout(out, timeout_ms);
	put_int(out, STR(",\"session\":"), d->index);
	put_int(out, STR(",\"batch\":"), t->batch);
	put_int(out, STR(",\"batches\":"), d->batch_count);
	put_session(out, d);
	put_batch(out, &d->batches[t->batch], t->prompt);
	end(out);
}

void worker_open_dataset(struct buf *out, uint64_t id, const struct dataset *d, int64_t timeout_ms)
{
	put_int(out, STR("{\"type\":\"dataset\",\"dataset\":"), id);
	put_timeout(out, timeout_ms);
	put_int(out, STR(",\"session\":"), d->index);
	put_int(out, STR(",\"batches\":"), d->batch_count);
	put_session(out, d);
	buf_append_str(out, STR(",\"conversation\":["));
}

void worker_dataset_batch(struct buf *out, const struct worker_turn *t)
{
	bool first = out->len && out->ptr[out->len - 1] == '[';

	put_int(out, first ? STR("{\"id\":") : STR(",{\"id\":"), t->id);
	put_int(out, STR(",\"attempt\":"), t->attempt);
	put_int(out, STR(",\"batch\":"), t->batch);
	put_batch(out, &t->dataset->batches[t->batch], t->prompt);
	buf_append_char(out, '}');
}

void worker_close_dataset(struct buf *out)
{
	buf_append_char(out, ']');
	end(out);
}

void worker_write_cancel(struct buf *out, uint64_t id, bool dataset)
{
	put_int(out, dataset ? STR("{\"type\":\"cancel\",\"dataset\":") : STR("{\"type\":\"cancel\",\"id\":"), id);
	end(out);
}

void worker_write_session_end(struct buf *out, const struct dataset *d)
{
	put_int(out, STR("{\"type\":\"session_end\",\"session\":"), d->index);
	end(out);
}

void worker_write_bye(struct buf *out)
{
	buf_append_str(out, STR("{\"type\":\"bye\""));
	end(out);
}

/* ---- reading ---- */

void worker_line_quote(struct str line, char *out, size_t size)
{
	struct str shown = str_sub(line, 0, utf8_cut(line, QUOTED_BYTES));
	struct buf safe;

	buf_init(&safe, 8 * QUOTED_BYTES);
	if (escape_append(&safe, shown, false))
		buf_clear(&safe);
	(void)snprintf(out, size, "\"%.*s%s\"", STR_ARG(buf_str(&safe)), shown.len < line.len ? "..." : "");
	buf_release(&safe);
}

static int broken(struct str line, const char *what, struct error *err)
{
	char quoted[9 * QUOTED_BYTES];

	worker_line_quote(line, quoted, sizeof(quoted));
	return error_set(err, FF_EDATA, "", "wrote a line %s: %s", what, quoted);
}

/* An integer from `least` to `most`; absent or null: *value stays. */
static bool read_int(const struct json *object, struct str key, int64_t least, int64_t most, int64_t *value)
{
	const struct json *v = json_get(object, key);

	if (!v || v->type == JSON_NULL)
		return true;
	return v->type == JSON_NUMBER && json_to_i64(v, value) && *value >= least && *value <= most;
}

static bool read_bool(const struct json *object, struct str key, bool *value)
{
	const struct json *v = json_get(object, key);

	if (!v || v->type == JSON_NULL)
		return true;
	*value = v->type == JSON_TRUE;
	return json_is_bool(v);
}

static bool read_text(const struct json *object, struct str key, struct str *value)
{
	const struct json *v = json_get(object, key);

	if (!v || v->type == JSON_NULL)
		return true;
	*value = v->type == JSON_STRING ? v->text : STR_NULL;
	return v->type == JSON_STRING;
}

/* One of two words. */
static bool read_choice(const struct json *object, struct str key, struct str usual, struct str other, bool *is_other)
{
	struct str word = usual;

	if (!read_text(object, key, &word))
		return false;
	*is_other = str_eq(word, other);
	return *is_other || str_eq(word, usual);
}

static const char *wrong_capability(const struct json *o, struct worker_message *m)
{
	struct worker_capabilities *c = &m->capabilities;
	int64_t concurrency = 1;

	if (!read_int(o, STR("concurrency"), 1, WORKER_CONCURRENCY_MOST, &concurrency))
		return "a concurrency that is no integer from 1 to 100000";
	c->concurrency = (uint32_t)concurrency;
	if (!read_bool(o, STR("ordered"), &c->ordered))
		return "an ordered that is neither true nor false";
	if (!read_bool(o, STR("cancel"), &c->cancel))
		return "a cancel that is neither true nor false";
	if (!read_choice(o, STR("session"), STR("any"), STR("sticky"), &c->sticky))
		return "a session that is neither \"any\" nor \"sticky\"";
	if (!read_choice(o, STR("unit"), STR("turn"), STR("dataset"), &c->datasets))
		return "a unit that is neither \"turn\" nor \"dataset\"";
	if (!read_text(o, STR("name"), &m->name))
		return "a name that is no string";
	return NULL;
}

static int read_welcome(struct worker_message *m, struct error *err)
{
	int64_t protocol = 0;
	const char *wrong;

	if (!read_int(&m->json, STR("protocol"), 1, WORKER_ID_MOST, &protocol) || !protocol)
		return error_set(err, FF_EDATA, "", "sent a welcome without a protocol: \"protocol\":1 is missing in it");
	if (protocol != WORKER_PROTOCOL)
		return error_set(err, FF_EDATA, "", "speaks protocol %lld, and this version of fairforge speaks protocol %d",
		                 (long long)protocol, WORKER_PROTOCOL);
	if (!read_text(&m->json, STR("error"), &m->refusal))
		return error_set(err, FF_EDATA, "", "sent a welcome with an error that is no string");
	wrong = wrong_capability(&m->json, m);
	if (wrong)
		return error_set(err, FF_EDATA, "", "sent a welcome with %s", wrong);
	m->name.len = utf8_cut(m->name, WORKER_NAME_MAX_BYTES);
	return 0;
}

static int read_id(struct str line, struct worker_message *m, struct str key, struct error *err)
{
	int64_t id = 0;

	if (!read_int(&m->json, key, 1, WORKER_ID_MOST, &id) || !id)
		return broken(line, m->kind == WORKER_REPLY ? "without the id of a turn" : "without the number of a dataset", err);
	m->id = (uint64_t)id;
	return 0;
}

static int read_kind(struct str line, struct worker_message *m, struct error *err)
{
	struct str type = STR("reply");

	if (!read_text(&m->json, STR("type"), &type))
		return broken(line, "whose type is no string", err);
	if (str_eq(type, STR("reply"))) {
		m->kind = WORKER_REPLY;
		return read_id(line, m, STR("id"), err);
	}
	if (str_eq(type, STR("dataset_end"))) {
		m->kind = WORKER_DATASET_END;
		return read_id(line, m, STR("dataset"), err);
	}
	m->kind = WORKER_WELCOME;
	return str_eq(type, STR("welcome")) ? read_welcome(m, err) : broken(line, "of a type that the protocol does not have", err);
}

int worker_line_parse(struct str line, struct arena *arena, struct worker_message *ret, struct error *err)
{
	struct json_limits limits = { .max_bytes = WORKER_LINE_MAX_BYTES };
	struct worker_message m = { .kind = WORKER_REPLY };
	struct json_error why;
	int r = json_parse(arena, line, &limits, &m.json, NULL, &why);

	if (r == FF_ENOMEM)
		return error_nomem(err);
	if (r || m.json.type != JSON_OBJECT)
		return broken(line,
		              "that is not a JSON object (standard output is for the protocol, the rest belongs on standard error)",
		              err);
	r = read_kind(line, &m, err);
	if (r == 0)
		*ret = m;
	return r;
}
