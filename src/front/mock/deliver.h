/*
 * deliver.h: how the body of a reply goes out: whole, piece by piece, dripping, cut, without end. Pure: says what to do next, does nothing.
 */
#ifndef FF_FRONT_MOCK_DELIVER_H
#define FF_FRONT_MOCK_DELIVER_H

#include "front/mock/reply.h"
#include "front/mock/script.h"

enum deliver_kind {
	DELIVER_BYTES, /* send ptr[0..len), then ask again */
	DELIVER_PAUSE, /* wait pause_us, then ask again */
	DELIVER_END,   /* all was sent */
	DELIVER_CUT,   /* close the connection here */
	DELIVER_RESET  /* reset the connection here */
};

struct deliver_step {
	enum deliver_kind kind;
	const char *ptr;
	size_t len;
	uint64_t pause_us;
};

struct delivery {
	const struct mock_reply *reply;
	const struct fault *fault; /* never NULL: a zeroed one for none */
	size_t at;                 /* offset in the body */
	size_t sent;               /* bytes of body, padding and repeats counted */
	bool paused;               /* the pause before the next bytes is over */
};

void delivery_init(struct delivery *d, const struct mock_reply *reply, const struct fault *fault);
/* True when the body is simply its bytes, with nothing to decide on the way. */
bool delivery_is_plain(const struct delivery *d);
/* True when the length of the body is known and announced. */
bool delivery_has_length(const struct delivery *d);
struct deliver_step delivery_next(struct delivery *d, size_t most);

#endif
