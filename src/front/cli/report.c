/*
 * report.c: what the tool says on standard error.
 *
 * A line is put together first and written with one call, so that lines of several processes do not mix. Control characters and bidi controls
 * are escaped here, at the edge; a newline in a message begins a new, indented line.
 */
#include "front/cli/report.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "front/cli/events_json.h"
#include "front/common/terminal.h"

#define LINE_MAX_BYTES ((size_t)8 << 20)

static const struct {
	const char *word, *colour;
} levels[] = {
	[FF_LOG_ERROR] = { "error: ", "\033[31m" },
	[FF_LOG_WARNING] = { "warning: ", "\033[33m" },
	[FF_LOG_INFO] = { "", "" },
	[FF_LOG_DEBUG] = { "debug: ", "" },
};

void report_init(struct report *r)
{
	*r = (struct report){ .colour = terminal_has_colour(STDERR_FILENO) };
}

void report_raw(const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(STDERR_FILENO, data, len);

		if (n < 0 && errno == EAGAIN)
			(void)poll(&(struct pollfd){ .fd = STDERR_FILENO, .events = POLLOUT }, 1, -1);
		else if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
}

void report_line(const struct report *r, struct buf *line)
{
	buf_append_char(line, '\n');
	if (r->around)
		r->around(r->user, true);
	if (line->ptr)
		report_raw(line->ptr, line->len);
	if (r->around)
		r->around(r->user, false);
}

/* Other people's text, line by line. */
static void append_escaped(struct buf *out, struct str text)
{
	bool first = true;

	while (text.ptr) {
		struct str line = str_split(&text, '\n');

		if (!first)
			buf_append_str(out, STR("\n  "));
		first = false;
		if (escape_append(out, line, false))
			return;
	}
}

static void say_text(const struct report *r, enum ff_log_level level, const char *where, struct str text)
{
	bool coloured = r->colour && *levels[level].colour;
	struct buf line;

	buf_init(&line, LINE_MAX_BYTES);
	buf_printf(&line, "fairforge: %s%s%s", coloured ? levels[level].colour : "", levels[level].word, coloured ? "\033[0m" : "");
	if (*where) {
		append_escaped(&line, str_from(where));
		buf_append_str(&line, STR(": "));
	}
	append_escaped(&line, text);
	report_line(r, &line);
	buf_release(&line);
}

static void say_json(const struct report *r, enum ff_log_level level, const char *where, struct str text)
{
	static const char *const events[] = { "error", "warning", "note", "debug" };
	struct buf line;

	buf_init(&line, LINE_MAX_BYTES);
	event_begin(&line, events[level]);
	event_text(&line, "text", text);
	if (*where)
		event_text(&line, "where", str_from(where));
	event_end(&line);
	report_line(r, &line);
	buf_release(&line);
}

static void say(const struct report *r, enum ff_log_level level, const char *where, struct str text)
{
	if (r->quiet && level != FF_LOG_ERROR)
		return;
	if (r->json)
		say_json(r, level, where, text);
	else
		say_text(r, level, where, text);
}

void report_text(const struct report *r, enum ff_log_level level, const char *format, ...)
{
	struct buf text;
	va_list args;

	buf_init(&text, LINE_MAX_BYTES);
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	say(r, level, "", text.ptr ? buf_str(&text) : STR("out of memory"));
	buf_release(&text);
}

void report_at(const struct report *r, enum ff_log_level level, const char *where, const char *text)
{
	say(r, level, where ? where : "", str_from(text ? text : ""));
}

void report_log(void *report, enum ff_log_level level, const char *message)
{
	say(report, level, "", str_from(message));
}
