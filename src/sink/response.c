/*
 * response.c: the reference's answer as one document: success, datasets, summaries, total_datasets. `success` says that the run could be made; what
 * became of its turns is in the summaries, as in the reference. A run that could not be made has sink_write_failure instead.
 */
#include "sink/ordered.h"

#include "base/error.h"

static void open_document(struct json_writer *w)
{
	json_begin_object(w);
	json_key_lit(w, "success");
	json_bool(w, true);
	json_key_lit(w, "datasets");
	json_begin_array(w);
}

static void write_summary(struct json_writer *w, const struct summary_line *line)
{
	const char *at = line->text;

	json_begin_object(w);
	json_key_lit(w, "session_id");
	json_string(w, str_of(at, line->id_len));
	at += line->id_len;
	json_key_lit(w, "total_batches");
	json_int(w, line->batches);
	json_key_lit(w, "successes");
	json_int(w, line->successes);
	json_key_lit(w, "failures");
	json_int(w, line->failures);
	json_key_lit(w, "total_execution_time_ms");
	json_number_text(w, str_of(at, line->total_len));
	at += line->total_len;
	json_key_lit(w, "avg_batch_time_ms");
	json_number_text(w, str_of(at, line->average_len));
	json_end_object(w);
}

static int close_document(struct ordered *o)
{
	struct json_writer w = o->at_dataset;
	int code = 0;

	w.first = o->written == 0;
	json_end_array(&w);
	json_key_lit(&w, "summaries");
	json_begin_array(&w);
	for (const struct summary_line *line = o->first_summary; line && !code; line = line->next) {
		write_summary(&w, line);
		code = buf_failed(&o->out.buf) ? buf_failed(&o->out.buf) : out_flush_full(&o->out);
	}
	json_end_array(&w);
	json_key_lit(&w, "total_datasets");
	json_int(&w, (int64_t)o->written);
	json_end_object(&w);
	buf_append_char(&o->out.buf, '\n');
	return code ? code : buf_failed(&o->out.buf);
}

int sink_response_new(const struct sink_output *out, unsigned indent, struct sink **ret)
{
	static const struct ordered_format response = { .summaries = true, .open = open_document, .close = close_document };

	return ordered_new(&response, out, indent, ret);
}
