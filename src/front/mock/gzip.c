/* gzip.c: header, stored blocks of at most 65,535 bytes, an empty last block, CRC-32 and length. See gzip.h. */
#include "front/mock/gzip.h"

#include "base/macros.h"

#define STORED_MAX 65535u

/* CRC-32 of RFC 1952, four bits at a time: a table of 16 instead of 256, fast enough for a simulator. */
static uint32_t crc_add(uint32_t crc, struct str data)
{
	static const uint32_t table[16] = { 0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		                            0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		                            0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c };

	crc = ~crc;
	for (size_t i = 0; i < data.len; i++) {
		crc ^= (unsigned char)data.ptr[i];
		crc = table[crc & 15] ^ (crc >> 4);
		crc = table[crc & 15] ^ (crc >> 4);
	}
	return ~crc;
}

static void put_block(struct buf *out, struct str data, bool last)
{
	unsigned n = (unsigned)data.len;
	const unsigned char head[5] = { last, (unsigned char)(n & 255), (unsigned char)(n >> 8), (unsigned char)(~n & 255),
		                        (unsigned char)((~n >> 8) & 255) };

	buf_append(out, head, sizeof(head));
	buf_append_str(out, data);
}

static void put_u32(struct buf *out, uint32_t value)
{
	const unsigned char bytes[4] = { (unsigned char)value, (unsigned char)(value >> 8), (unsigned char)(value >> 16),
		                         (unsigned char)(value >> 24) };

	buf_append(out, bytes, sizeof(bytes));
}

void gzip_begin(struct gzip *z, struct buf *out)
{
	static const unsigned char head[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255 };

	*z = (struct gzip){ .out = out };
	buf_append(out, head, sizeof(head));
}

void gzip_add(struct gzip *z, struct str data)
{
	z->crc = crc_add(z->crc, data);
	z->length += (uint32_t)data.len;
	while (data.len) {
		struct str part = str_sub(data, 0, STORED_MAX);
		put_block(z->out, part, false);
		data = str_sub(data, part.len, data.len);
	}
}

void gzip_end(struct gzip *z)
{
	put_block(z->out, STR_NULL, true);
	put_u32(z->out, z->crc);
	put_u32(z->out, z->length);
}
