/*
 * fuzz_event.c: whatever invokes the function. An event is refused with a sentence or has items that are each a payload text or a problem; every
 * answer to it is JSON, and the failures of SQS name its own messages.
 */
#include <stdint.h>

#include "base/alloc.h"
#include "fairforge/fairforge.h"
#include "front/lambda/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

static void check_items(const struct event *e, struct str text)
{
	REQUIRE(e->item_count >= 1 && (e->item_count == 1 || e->kind == EVENT_SQS));
	for (size_t i = 0; i < e->item_count; i++) {
		const struct event_item *item = &e->items[i];

		REQUIRE(!item->body.ptr == (item->problem != NULL));
		/* A payload is no longer than what it stood in, but for escapes, "{}" and the name of its datasets. */
		REQUIRE(item->body.len <= 6 * text.len + sizeof("{\"datasets\":[]}"));
		REQUIRE(!item->id.len || e->kind == EVENT_SQS);
	}
	REQUIRE(event_is_http(e) || (!e->method.len && !e->path.len && !e->multi_value_headers && !event_is_gateway(e)));
	REQUIRE(!(event_is_http(e) && event_has_no_reader(e)));
}

/* The answer is one JSON object; its member `body` reads as it was written. */
static void check_json(const struct buf *out, const char *member)
{
	struct ff_json_doc *doc;

	REQUIRE(!ff_json_parse(out->ptr, out->len, 0, 0, &doc, NULL));
	REQUIRE(ff_json_get(ff_json_root(doc), member));
	ff_json_free(doc);
}

static void check_answers(const struct event *e)
{
	static const struct event_headers headers = { "https://app.example", "1", "POST, OPTIONS" };
	bool *failed = mem_calloc(e->item_count, sizeof(*failed));
	struct buf out;

	buf_init(&out, (size_t)64 << 20);
	REQUIRE(!event_write_http(e, 200, e->items->body, &headers, &out));
	check_json(&out, "statusCode");
	buf_clear(&out);
	REQUIRE(!event_write_preflight(e, &headers, &out));
	check_json(&out, e->multi_value_headers ? "multiValueHeaders" : "headers");
	for (size_t i = 0; failed && i < e->item_count; i++)
		failed[i] = i % 3 != 1;
	buf_clear(&out);
	if (failed && e->kind == EVENT_SQS) {
		REQUIRE(!event_write_sqs(e, failed, &out));
		check_json(&out, "batchItemFailures");
	}
	buf_release(&out);
	mem_free(failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_of((const char *)data, size);
	struct error err = { 0 };
	struct event e;
	int r = event_decode(text, &e, &err);

	if (r) {
		REQUIRE((r == FF_EDATA || r == FF_ETOOBIG) && err.code == r && err.text[0]);
		return 0;
	}
	check_items(&e, text);
	check_answers(&e);
	event_release(&e);
	return 0;
}
