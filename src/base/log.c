/*
 * log.c: formats, scrubs, escapes, hands over. A message longer than MESSAGE_MOST bytes is cut. Logging cannot fail: when there is no memory for
 * the escaped text, the message goes out with every byte that would need an escape replaced by '?'.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_MOST 2048

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x7F;
}

static bool all_plain(const char *text)
{
	while (is_plain(*text))
		text++;
	return *text == '\0';
}

/* Without allocating: ASCII that can be printed stays. */
static void flatten(char *text)
{
	for (; *text; text++)
		if (!is_plain(*text))
			*text = '?';
}

void log_write(const struct logger *l, enum log_level level, const char *format, ...)
{
	char text[MESSAGE_MOST + 4];
	struct buf escaped;
	va_list args;

	if (!l || !l->write || level > l->level)
		return;
	va_start(args, format);
	if (vsnprintf(text, sizeof text, format, args) < 0)
		text[0] = '\0';
	va_end(args);
	text[utf8_cut(str_of(text, strlen(text)), MESSAGE_MOST)] = '\0';
	scrub_text(l->scrubber, text, MESSAGE_MOST + 1);
	if (all_plain(text)) {
		l->write(l->user, level, text);
		return;
	}
	buf_init(&escaped, 10 * sizeof text);
	if (escape_append(&escaped, str_from(text), false) == 0) {
		l->write(l->user, level, escaped.ptr);
	} else {
		flatten(text);
		l->write(l->user, level, text);
	}
	buf_release(&escaped);
}

const char *log_level_name(enum log_level level)
{
	static const char *const names[] = {
		[LOG_ERROR] = "error", [LOG_WARNING] = "warning", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"
	};

	return (unsigned)level < ARRAY_SIZE(names) ? names[level] : "unknown";
}
