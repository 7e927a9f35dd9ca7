/*
 * deliver.c: the next step of a delivery. See deliver.h.
 *
 * An endless stream repeats one of its pieces (a delta) from there on; an endless plain body never gets its last brace but blanks, which JSON allows
 * there. Pauses stand between bytes, never before the first and never after the last.
 */
#include "front/mock/deliver.h"

static const char blanks[64] = { [0 ... 63] = ' ' };

void delivery_init(struct delivery *d, const struct mock_reply *reply, const struct fault *fault)
{
	static const struct fault none = { 0 };

	*d = (struct delivery){ .reply = reply, .fault = fault ? fault : &none };
}

bool delivery_is_plain(const struct delivery *d)
{
	const struct fault *f = d->fault;

	return !d->reply->streamed && !f->trickle_bytes && !f->truncated && !f->endless;
}

bool delivery_has_length(const struct delivery *d)
{
	return !d->reply->streamed && !d->fault->endless;
}

/* Where an endless plain body stops being the answer: before its last brace. */
static size_t last_brace(const struct mock_reply *r)
{
	size_t at = r->body.len;

	while (at > 0 && r->body.ptr[at - 1] != '}')
		at--;
	return at ? at - 1 : r->body.len;
}

/* The end of the piece that holds offset `at`. */
static size_t piece_end(const struct mock_reply *r, size_t at)
{
	for (size_t i = 0; i < r->piece_count; i++) {
		if (at < r->ends[i])
			return r->ends[i];
	}
	return r->body.len;
}

/* What can be sent from here on in one go, before trickle and truncation; len 0 at the end. */
static struct str available(struct delivery *d)
{
	const struct mock_reply *r = d->reply;
	struct str body = buf_str(&r->body);

	if (!d->fault->endless)
		return str_sub(body, d->at, r->streamed ? piece_end(r, d->at) : body.len);
	if (!r->streamed || !r->piece_count) {
		size_t end = last_brace(r);
		return d->at < end ? str_sub(body, d->at, end) : str_of(blanks, sizeof(blanks));
	}
	if (d->at >= r->ends[r->repeat])
		d->at = r->repeat ? r->ends[r->repeat - 1] : 0;
	return str_sub(body, d->at, piece_end(r, d->at));
}

/* The pause that is due before the next bytes. */
static uint64_t pause_us(const struct delivery *d)
{
	const struct mock_reply *r = d->reply;
	bool repeats = d->fault->endless && (r->streamed && r->piece_count ? d->at >= r->ends[r->repeat] : d->at >= last_brace(r));

	if (!d->sent || d->paused)
		return 0;
	if (d->fault->trickle_bytes)
		return d->fault->trickle_us;
	return repeats ? d->fault->endless_us : 0;
}

struct deliver_step delivery_next(struct delivery *d, size_t most)
{
	const struct fault *f = d->fault;
	uint64_t pause = pause_us(d);
	bool done = !f->endless && d->at >= d->reply->body.len;
	struct str bytes;

	if (f->truncated && !done && d->sent >= f->truncate)
		return (struct deliver_step){ .kind = f->end == FAULT_RESET ? DELIVER_RESET : DELIVER_CUT };
	if (done)
		return (struct deliver_step){ .kind = DELIVER_END };
	if (pause) {
		d->paused = true;
		return (struct deliver_step){ .kind = DELIVER_PAUSE, .pause_us = pause };
	}
	d->paused = false;
	bytes = available(d);
	if (f->trickle_bytes)
		most = MIN(most, f->trickle_bytes);
	if (f->truncated)
		most = MIN(most, f->truncate - d->sent);
	bytes.len = MIN(bytes.len, most);
	d->at += bytes.len;
	d->sent += bytes.len;
	return (struct deliver_step){ .kind = DELIVER_BYTES, .ptr = bytes.ptr, .len = bytes.len };
}
