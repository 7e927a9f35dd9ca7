/* event_log.c: the service's own lines. See event_log.h. */
#include "front/server/event_log.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "front/common/quoted.h"

static void begin(struct buf *b, const char *event)
{
	char time[25];

	buf_init(b, (size_t)64 << 10);
	clock_format_wall(clock_wall_ms(), time);
	buf_printf(b, "{\"time\":\"%s\",\"event\":\"%s\"", time, event);
}

static void add_text(struct buf *b, const char *name, const char *value)
{
	struct str text = str_from(value);

	buf_printf(b, ",\"%s\":", name);
	quoted_append(b, str_sub(text, 0, utf8_cut(text, EVENT_LOG_MAX)));
}

static void end(struct buf *b)
{
	struct pollfd takes = { .fd = STDERR_FILENO, .events = POLLOUT };

	buf_append_str(b, STR("}\n"));
	if (!buf_failed(b) && poll(&takes, 1, 0) == 1)
		(void)!write(STDERR_FILENO, b->ptr, b->len);
	buf_release(b);
}

void event_log_listening(const char *url)
{
	struct buf b;

	begin(&b, "listening");
	add_text(&b, "url", url);
	end(&b);
}

void event_log_runs(const char *event, uint64_t runs)
{
	struct buf b;

	begin(&b, event);
	buf_printf(&b, ",\"runs\":%llu", (unsigned long long)runs);
	end(&b);
}

void event_log_message(enum ff_log_level level, const char *message)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	struct buf b;

	begin(&b, "log");
	add_text(&b, "level", names[level <= FF_LOG_DEBUG ? level : FF_LOG_DEBUG]);
	add_text(&b, "message", message);
	end(&b);
}
