/*
 * gzip.h: the gzip format (RFC 1952) with stored blocks: valid for every decoder, without compression and without a library. Each call ends at a
 * byte boundary, so that a streamed body may be cut where its pieces end. Pure.
 */
#ifndef FF_FRONT_MOCK_GZIP_H
#define FF_FRONT_MOCK_GZIP_H

#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct gzip {
	struct buf *out;
	uint32_t crc;
	uint32_t length; /* modulo 2^32, as the format wants it */
};

void gzip_begin(struct gzip *z, struct buf *out);
void gzip_add(struct gzip *z, struct str data);
void gzip_end(struct gzip *z);

#endif
