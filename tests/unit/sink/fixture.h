/* fixture.h: datasets made of literals, a record, and an output that keeps what it is given. Included once by each sink test. */
#ifndef FF_TESTS_SINK_FIXTURE_H
#define FF_TESTS_SINK_FIXTURE_H

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "sink/sink.h"

/* What was written. From write number `fail_at` (counted from 1; 0: never) on, every write fails with ENOSPC. Its memory is the test's, not fairforge's:
 * faults do not reach it. */
struct memory_output {
	char *text;
	size_t len, room, writes, fail_at;
};

static int memory_write(void *user, const char *data, size_t len)
{
	struct memory_output *m = user;
	char *text;

	m->writes++;
	if (m->fail_at && m->writes >= m->fail_at) {
		errno = ENOSPC;
		return -1;
	}
	if (m->len + len >= m->room) {
		m->room = 2 * (m->len + len + 1);
		text = test_realloc(m->text, m->room);
		m->text = text;
	}
	text = m->text;
	memcpy(text + m->len, data, len);
	m->len += len;
	text[m->len] = '\0';
	return 0;
}

static inline struct sink_output memory_sink_output(struct memory_output *m)
{
	return (struct sink_output){ memory_write, m };
}

static inline void memory_release(struct memory_output *m)
{
	test_free(m->text);
	*m = (struct memory_output){ 0 };
}

static inline void expect_text(const struct memory_output *m, const char *expected)
{
	const char *got = m->text ? m->text : "";

	if (strcmp(got, expected) != 0)
		fail_msg("wrote\n%s\nexpected\n%s", got, expected);
}

static inline struct json json_text_of(enum json_type type, struct str text)
{
	return (struct json){ .type = type, .text = text };
}

/* A batch with the defaults of the schema. */
static inline struct batch plain_batch(struct str qa_id, struct str query)
{
	return (struct batch){ .ground_truth_assistant = STR("gt"),
		               .logprobs = { .type = JSON_OBJECT },
		               .observation = { .type = JSON_NULL },
		               .assistant = STR("as it came"),
		               .query = query,
		               .agentic = { .type = JSON_OBJECT },
		               .ground_truth_agentic = { .type = JSON_OBJECT },
		               .qa_id = qa_id,
		               .weight = { .type = JSON_NULL } };
}

static inline struct dataset plain_dataset(size_t index, struct str session_id, struct batch *batches, size_t count)
{
	return (struct dataset){ .session_id = session_id,
		                 .assistant_id = STR("target"),
		                 .language = json_text_of(JSON_STRING, STR("english")),
		                 .context = STR(""),
		                 .batches = batches,
		                 .batch_count = count,
		                 .index = index };
}

/* A record that remembers its done. */
struct test_record {
	struct record record;
	unsigned done;
	int code;
};

static void test_record_done(struct record *r, int code)
{
	struct test_record *t = CONTAINER_OF(r, struct test_record, record);

	t->done++;
	t->code = code;
}

static inline struct test_record make_record(const struct dataset *d, size_t batch, enum outcome outcome, struct str answer)
{
	return (struct test_record){ .record = { .result = { .dataset = d, .batch = batch, .outcome = outcome, .answer = answer },
		                                 .done = test_record_done } };
}

/* Records and returns the code given to done, which must have been called exactly once (these sinks are synchronous). */
static inline int record_result(struct sink *s, const struct turn_result *result)
{
	struct test_record t = { .record = { .result = *result, .done = test_record_done } };

	s->ops->record(s, &t.record);
	if (t.done != 1)
		fail_msg("done was called %u times; expected once", t.done);
	return t.code;
}

static inline int record_turn(struct sink *s, const struct dataset *d, size_t batch, enum outcome outcome, const char *answer)
{
	struct test_record t = make_record(d, batch, outcome, str_from(answer));

	return record_result(s, &t.record.result);
}

static inline int end_dataset(struct sink *s, const struct dataset *d, size_t successes, double total_ms, struct error *err)
{
	struct dataset_summary summary = { .dataset = d,
		                           .successes = successes,
		                           .failures = d->batch_count - successes,
		                           .total_execution_time_ms = total_ms,
		                           .avg_batch_time_ms = d->batch_count ? total_ms / (double)d->batch_count : 0 };

	return s->ops->dataset_end(s, &summary, err);
}

#endif
