/*
 * tee.c: one record to many sinks.
 *
 * Each sink gets a record of its own (its `done` is its own), made of the engine's; the engine's is done when all have answered, with the first failure.
 * A failed sink does not stop the others: they get every call, and every document that can be completed is.
 *
 * Invariant: a fan is in use from `record` until the last sink has said done, then it goes back to the spare list; so there are as many as records were
 * ever open at once.
 */
#include <string.h>

#include "base/alloc.h"
#include "sink/sink.h"

struct tee;

/* One sink's copy of the record. */
struct fan_record {
	struct record record;
	struct fan *fan;
};

/* A record on its way to all sinks. */
struct fan {
	struct tee *tee;
	struct fan *next_spare;
	struct record *original;
	size_t open; /* sinks that have not said done, and one for the loop that hands out */
	int code;    /* the first failure */
	struct fan_record copies[];
};

struct tee {
	struct sink base;
	struct fan *spare;
	size_t count;
	struct sink *sinks[];
};

#define SINK_BYTES sizeof(struct sink *) /* NOLINT(bugprone-sizeof-expression): the array is one of pointers */

static struct tee *tee_of(struct sink *s)
{
	return CONTAINER_OF(s, struct tee, base);
}

static void answer(struct fan *f, int code)
{
	struct tee *t = f->tee;
	struct record *original = f->original;

	if (code && !f->code)
		f->code = code;
	if (--f->open > 0)
		return;
	code = f->code;
	f->next_spare = t->spare;
	t->spare = f;
	original->done(original, code);
}

static void copy_done(struct record *r, int code)
{
	answer(CONTAINER_OF(r, struct fan_record, record)->fan, code);
}

static struct fan *fan_get(struct tee *t)
{
	struct fan *f = t->spare;

	if (f) {
		t->spare = f->next_spare;
		return f;
	}
	f = mem_calloc(1, sizeof *f + t->count * sizeof f->copies[0]);
	if (!f)
		return NULL;
	f->tee = t;
	for (size_t i = 0; i < t->count; i++)
		f->copies[i].fan = f;
	return f;
}

static void tee_record(struct sink *s, struct record *r)
{
	struct tee *t = tee_of(s);
	struct fan *f = fan_get(t);

	if (!f) {
		r->done(r, FF_ENOMEM);
		return;
	}
	f->original = r;
	f->code = 0;
	f->open = t->count + 1;
	for (size_t i = 0; i < t->count; i++) {
		f->copies[i].record = (struct record){ .result = r->result, .done = copy_done };
		t->sinks[i]->ops->record(t->sinks[i], &f->copies[i].record);
	}
	answer(f, 0);
}

/* Keeps the first failure of several calls: its code, and in err its sentence. */
static int first_failure(int before, int code, struct error *err, const struct error *sentence)
{
	if (before || !code)
		return before;
	if (err)
		*err = *sentence;
	return code;
}

static int tee_begin(struct sink *s, struct error *err)
{
	struct tee *t = tee_of(s);
	int first = 0;

	for (size_t i = 0; i < t->count; i++) {
		struct error sentence = { 0 };
		int code = t->sinks[i]->ops->begin ? t->sinks[i]->ops->begin(t->sinks[i], &sentence) : 0;

		first = first_failure(first, code, err, &sentence);
	}
	return first;
}

static int tee_dataset_end(struct sink *s, const struct dataset_summary *summary, struct error *err)
{
	struct tee *t = tee_of(s);
	int first = 0;

	for (size_t i = 0; i < t->count; i++) {
		struct error sentence = { 0 };
		int code = t->sinks[i]->ops->dataset_end ? t->sinks[i]->ops->dataset_end(t->sinks[i], summary, &sentence) : 0;

		first = first_failure(first, code, err, &sentence);
	}
	return first;
}

static int tee_end(struct sink *s, struct error *err)
{
	struct tee *t = tee_of(s);
	int first = 0;

	for (size_t i = 0; i < t->count; i++) {
		struct error sentence = { 0 };
		int code = t->sinks[i]->ops->end ? t->sinks[i]->ops->end(t->sinks[i], &sentence) : 0;

		first = first_failure(first, code, err, &sentence);
	}
	return first;
}

/* Those of the slowest: a record is open until all have it. */
static size_t tee_credits(const struct sink *s)
{
	const struct tee *t = CONTAINER_OF(s, struct tee, base);
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < t->count; i++)
		least = MIN(least, sink_credits(t->sinks[i]));
	return least;
}

static void tee_free(struct sink *s)
{
	struct tee *t = tee_of(s);

	while (t->spare) {
		struct fan *next = t->spare->next_spare;
		mem_free(t->spare);
		t->spare = next;
	}
	for (size_t i = 0; i < t->count; i++)
		sink_free(t->sinks[i]);
	mem_free(t);
}

int sink_tee_new(struct sink **sinks, size_t count, struct sink **ret)
{
	static const struct sink_ops ops = {
		.begin = tee_begin,
		.record = tee_record,
		.dataset_end = tee_dataset_end,
		.end = tee_end,
		.free = tee_free,
		.credits = tee_credits,
	};
	struct tee *t;

	if (count == 1) {
		*ret = sinks[0];
		return 0;
	}
	t = mem_calloc(1, sizeof *t + count * SINK_BYTES);
	if (!t) {
		for (size_t i = 0; i < count; i++)
			sink_free(sinks[i]);
		return FF_ENOMEM;
	}
	t->base = (struct sink){ .ops = &ops, .credits = SIZE_MAX };
	t->count = count;
	if (count)
		memcpy(t->sinks, sinks, count * SINK_BYTES);
	*ret = &t->base;
	return 0;
}
