/* sink.c: what all sinks share with their callers: how they end, and the document of a run that could not be made. */
#include "sink/sink.h"

#include "model/json.h"

void sink_free(struct sink *s)
{
	if (s)
		s->ops->free(s);
}

int sink_write_failure(const struct sink_output *out, unsigned indent, struct str text)
{
	CLEANUP(buf_release) struct buf b;
	struct json_writer w;

	buf_init(&b, SIZE_MAX);
	json_writer_init(&w, &b, indent);
	json_begin_object(&w);
	json_key_lit(&w, "success");
	json_bool(&w, false);
	json_key_lit(&w, "error");
	json_string(&w, text);
	json_end_object(&w);
	buf_append_char(&b, '\n');
	if (buf_failed(&b))
		return buf_failed(&b);
	return out->write(out->user, b.ptr, b.len) < 0 ? FF_EOUTPUT : 0;
}
