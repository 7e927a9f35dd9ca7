/* out.c: gathers bytes for a sink_output. After the first failed write everything is dropped: a document with a hole is worse than a cut one. */
#include "sink/out.h"

#include <errno.h>
#include <string.h>

void out_init(struct out *o, const struct sink_output *to)
{
	*o = (struct out){ .to = *to };
	buf_init(&o->buf, SIZE_MAX);
}

void out_release(struct out *o)
{
	buf_release(&o->buf);
}

int out_reserve(struct out *o)
{
	return buf_reserve(&o->buf, OUT_ROOM_BYTES) ? 0 : FF_ENOMEM;
}

static int write_all(struct out *o, const char *data, size_t len)
{
	if (o->failed)
		return o->failed;
	errno = 0;
	if (len == 0 || o->to.write(o->to.user, data, len) >= 0)
		return 0;
	o->error_number = errno ? errno : EIO;
	o->failed = FF_EOUTPUT;
	return o->failed;
}

int out_flush(struct out *o)
{
	int code = write_all(o, o->buf.ptr, o->buf.len);

	buf_clear(&o->buf);
	if (o->buf.room > 8 * OUT_ROOM_BYTES) /* one huge dataset must not stay resident */
		buf_shrink(&o->buf, OUT_ROOM_BYTES + 1);
	return code;
}

int out_flush_full(struct out *o)
{
	return o->buf.len >= OUT_PIECE_BYTES ? out_flush(o) : o->failed;
}

int out_write(struct out *o, struct str text)
{
	int code = out_flush(o);

	return code ? code : write_all(o, text.ptr, text.len);
}

int out_error(const struct out *o, struct error *err)
{
	return error_set(err, FF_EOUTPUT, "", "The output cannot be written: %s.", strerror(o->error_number));
}
