/* log_line.c: see log_line.h. The levels have the names that Lambda's log filter knows. */
#include "front/lambda/log_line.h"

#include <unistd.h>

#include "base/clock.h"
#include "front/common/quoted.h"

#define LINE_MAX_BYTES ((size_t)32 << 10)

void log_line_open(struct log_line *l, const struct log_output *to, enum ff_log_level level, const char *event)
{
	static const char *const names[] = {
		[FF_LOG_ERROR] = "ERROR", [FF_LOG_WARNING] = "WARN", [FF_LOG_INFO] = "INFO", [FF_LOG_DEBUG] = "DEBUG"
	};
	char now[25];

	buf_init(&l->text, LINE_MAX_BYTES);
	l->fd = level <= to->level ? to->fd : -1;
	if (l->fd < 0)
		return;
	clock_format_wall(clock_wall_ms(), now);
	buf_printf(&l->text, "{\"timestamp\": \"%s\", \"level\": \"%s\", \"event\": \"%s\"", now, names[level], event);
}

void log_line_text(struct log_line *l, const char *key, struct str value)
{
	if (l->fd < 0 || !value.len)
		return;
	buf_printf(&l->text, ", \"%s\": ", key);
	quoted_append(&l->text, value);
}

void log_line_number(struct log_line *l, const char *key, int64_t value)
{
	if (l->fd >= 0)
		buf_printf(&l->text, ", \"%s\": %lld", key, (long long)value);
}

void log_line_close(struct log_line *l)
{
	if (l->fd >= 0) {
		buf_append_str(&l->text, STR("}\n"));
		if (!buf_failed(&l->text) && write(l->fd, l->text.ptr, l->text.len) < 0)
			l->fd = -1; /* there is nowhere else to say it */
	}
	buf_release(&l->text);
}

void log_sentence(const struct log_output *to, enum ff_log_level level, const char *event, const char *request_id,
                  const char *sentence)
{
	struct log_line line;

	log_line_open(&line, to, level, event);
	log_line_text(&line, "requestId", str_from(request_id));
	log_line_text(&line, "message", str_from(sentence));
	log_line_close(&line);
}
