/*
 * json_out.c: JSON text piece by piece. See json_out.h.
 */
#include "front/server/json_out.h"

#include "base/error.h"
#include "fairforge/fairforge.h"

void json_out_init(struct json_out *j, struct buf *out)
{
	*j = (struct json_out){ .out = out };
}

static void quote(struct json_out *j, struct str value)
{
	char *literal = ff_json_quote(value.ptr, value.len);

	if (!literal) {
		j->failed = true;
		return;
	}
	buf_append_str(j->out, str_from(literal));
	ff_free(literal);
}

static void begin(struct json_out *j, const char *key)
{
	if (j->comma)
		buf_append_char(j->out, ',');
	j->comma = true;
	if (key) {
		quote(j, str_from(key));
		buf_append_char(j->out, ':');
	}
}

static void open_with(struct json_out *j, const char *key, char bracket)
{
	begin(j, key);
	buf_append_char(j->out, bracket);
	j->comma = false;
}

static void close_with(struct json_out *j, char bracket)
{
	buf_append_char(j->out, bracket);
	j->comma = true;
}

void json_out_object(struct json_out *j, const char *key)
{
	open_with(j, key, '{');
}

void json_out_array(struct json_out *j, const char *key)
{
	open_with(j, key, '[');
}

void json_out_end_object(struct json_out *j)
{
	close_with(j, '}');
}

void json_out_end_array(struct json_out *j)
{
	close_with(j, ']');
}

void json_out_text(struct json_out *j, const char *key, const char *value)
{
	json_out_str(j, key, str_from(value));
}

void json_out_str(struct json_out *j, const char *key, struct str value)
{
	begin(j, key);
	quote(j, value);
}

void json_out_u64(struct json_out *j, const char *key, uint64_t value)
{
	begin(j, key);
	buf_printf(j->out, "%llu", (unsigned long long)value);
}

void json_out_bool(struct json_out *j, const char *key, bool value)
{
	json_out_raw(j, key, value ? "true" : "false");
}

void json_out_raw(struct json_out *j, const char *key, const char *json)
{
	begin(j, key);
	buf_append_str(j->out, str_from(json));
}

int json_out_failed(const struct json_out *j)
{
	return j->failed ? FF_ENOMEM : buf_failed(j->out);
}
