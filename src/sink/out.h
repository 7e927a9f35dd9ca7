/* out.h: bytes on their way to a sink_output, gathered into pieces of about OUT_PIECE_BYTES. Private to src/sink. */
#ifndef FF_SINK_OUT_H
#define FF_SINK_OUT_H

#include "base/buf.h"
#include "sink/sink.h"

#define OUT_PIECE_BYTES ((size_t)64 << 10)
#define OUT_ROOM_BYTES  (2 * OUT_PIECE_BYTES) /* always there: a piece in the making and one more fit without memory */

struct out {
	struct sink_output to;
	struct buf buf;   /* not written yet */
	int failed;       /* FF_EOUTPUT once a write failed: nothing is written after it */
	int error_number; /* why */
};

void out_init(struct out *o, const struct sink_output *to);
void out_release(struct out *o);
/* Allocates OUT_ROOM_BYTES. 0 or FF_ENOMEM. */
int out_reserve(struct out *o) WARN_UNUSED;
/* Writes what was gathered. 0 or FF_EOUTPUT. */
int out_flush(struct out *o) WARN_UNUSED;
/* Flushes when a piece is full. */
int out_flush_full(struct out *o) WARN_UNUSED;
/* Writes text behind what was gathered, without copying it. */
int out_write(struct out *o, struct str text) WARN_UNUSED;
/* The sentence for FF_EOUTPUT; returns it. */
int out_error(const struct out *o, struct error *err);

#endif
