/*
 * output.c: one output of a run: a sink around the sink of its format, that knows whether the document is whole.
 *
 * It forwards every call. What it adds: the first write that fails is remembered with its errno (later pieces are dropped: a document with a hole
 * is worse than a cut one); a document that lacks datasets (the input could not be read again) stays cut, because a whole-looking one would be
 * believed; and the caller's done_fn hears exactly once whether all of the document was given.
 */
#include "lib/output.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"

struct output {
	struct sink base;
	struct ff_output config;
	struct sink *inner;
	int error_number;       /* of the first write that failed; 0 */
	size_t expected, ended; /* datasets */
	bool wrote, failed, told;
};

static struct output *output_of(struct sink *s)
{
	return (struct output *)(void *)s;
}

static int write_piece(void *user, const char *data, size_t len)
{
	struct output *o = user;

	if (o->failed) {
		errno = o->error_number;
		return FF_EOUTPUT;
	}
	o->wrote = o->wrote || len > 0;
	errno = 0;
	if (o->config.write_fn(o->config.user, data, len) == 0)
		return 0;
	o->failed = true;
	o->error_number = errno ? errno : EIO;
	errno = o->error_number;
	return FF_EOUTPUT;
}

static void tell(struct output *o, bool complete)
{
	if (o->told)
		return;
	o->told = true;
	if (o->config.done_fn)
		o->config.done_fn(o->config.user, complete);
}

static int output_begin(struct sink *s, struct error *err)
{
	struct output *o = output_of(s);

	return o->inner->ops->begin(o->inner, err);
}

static void output_record(struct sink *s, struct record *r)
{
	struct output *o = output_of(s);

	o->inner->ops->record(o->inner, r);
}

static int output_dataset_end(struct sink *s, const struct dataset_summary *summary, struct error *err)
{
	struct output *o = output_of(s);

	o->ended++;
	return o->inner->ops->dataset_end(o->inner, summary, err);
}

static int output_end(struct sink *s, struct error *err)
{
	struct output *o = output_of(s);
	int r;

	if (o->ended != o->expected) {
		tell(o, false);
		return error_set(err, FF_EINTERNAL, "", "The document is not whole: it has %zu of %zu datasets.", o->ended,
		                 o->expected);
	}
	r = o->inner->ops->end(o->inner, err);
	if (r == 0 && o->failed)
		r = error_set(err, FF_EOUTPUT, "", "The output cannot be written: %s.", strerror(o->error_number));
	tell(o, r == 0);
	return r;
}

static void output_free(struct sink *s)
{
	struct output *o = output_of(s);

	tell(o, false);
	sink_free(o->inner);
	mem_free(o);
}

static size_t output_credits(const struct sink *s)
{
	return sink_credits(((const struct output *)(const void *)s)->inner);
}

static const struct sink_ops output_ops = {
	.begin = output_begin,
	.record = output_record,
	.dataset_end = output_dataset_end,
	.end = output_end,
	.free = output_free,
	.credits = output_credits,
};

int output_new(const struct ff_output *config, struct sink **ret)
{
	struct output *o = NEW(struct output);
	struct sink_output out = { .write = write_piece, .user = o };
	int r;

	if (!o)
		return FF_ENOMEM;
	o->config = *config;
	r = config->format == FF_OUTPUT_JSONL ? sink_jsonl_new(&out, &o->inner)
	                                      : sink_response_new(&out, config->indent, &o->inner);
	if (r) {
		mem_free(o);
		return r;
	}
	o->base = (struct sink){ .ops = &output_ops };
	*ret = &o->base;
	return 0;
}

void output_expect(struct sink *output, size_t datasets)
{
	output_of(output)->expected = datasets;
}

int output_write_failure(struct sink *output, struct str text, struct error *err)
{
	struct output *o = output_of(output);
	struct sink_output out = { .write = write_piece, .user = o };
	int r;

	if (o->wrote || o->told)
		return 0;
	r = sink_write_failure(&out, o->config.format == FF_OUTPUT_JSONL ? 0 : o->config.indent, text);
	tell(o, r == 0);
	if (o->failed)
		return error_set(err, FF_EOUTPUT, "", "The output cannot be written: %s.", strerror(o->error_number));
	return r == FF_ENOMEM ? error_nomem(err) : r;
}
