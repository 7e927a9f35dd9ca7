/*
 * terminal.c: what standard streams are: terminals with a width and colours, pipes, or closed.
 */
#include "front/common/terminal.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/macros.h"

void terminal_fill_standard_streams(bool *ret_stdout_closed)
{
	*ret_stdout_closed = fcntl(STDOUT_FILENO, F_GETFD) < 0;
	for (int fd = 0; fd <= 2; fd++) {
		int opened;

		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The lowest free number is fd itself: all below it are open. The wrong direction keeps the stream unusable. */
		opened = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
		if (opened >= 0 && opened != fd)
			close(opened);
	}
}

int terminal_take_stdout(void)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (fd < 0)
		return STDOUT_FILENO;
	(void)dup2(STDERR_FILENO, STDOUT_FILENO);
	(void)fflush(stdout);
	return fd;
}

void terminal_return_stdout(int fd)
{
	if (fd == STDOUT_FILENO)
		return;
	(void)fflush(stdout);
	(void)dup2(fd, STDOUT_FILENO);
	close(fd);
}

void terminal_raise_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* staying below is no failure: the library says when it is too little */
}

bool terminal_is_smart(int fd)
{
	const char *term = getenv("TERM");

	return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

bool terminal_has_colour(int fd)
{
	const char *no = getenv("NO_COLOR");

	return terminal_is_smart(fd) && !(no && *no);
}

unsigned terminal_width(int fd)
{
	struct winsize size;
	const char *columns = getenv("COLUMNS");
	uint64_t value;

	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col)
		return size.ws_col;
	if (columns && str_to_u64(str_from(columns), &value) && value > 0 && value < 10000)
		return (unsigned)value;
	return 80;
}

struct range {
	uint32_t from, to;
};

static bool in_ranges(uint32_t c, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (c >= ranges[i].from && c <= ranges[i].to)
			return true;
	return false;
}

/* Enough of Unicode's tables for a progress line and a table of answers: what is missing costs a column, nothing else. */
static unsigned char_columns(uint32_t c)
{
	static const struct range none[] = { { 0x0300, 0x036f },  { 0x0591, 0x05bd }, { 0x0610, 0x061a }, { 0x064b, 0x065f },
		                             { 0x0e31, 0x0e31 },  { 0x0e34, 0x0e3a }, { 0x0e47, 0x0e4e }, { 0x1ab0, 0x1aff },
		                             { 0x200b, 0x200f },  { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
		                             { 0x1f3fb, 0x1f3ff } };
	static const struct range wide[] = { { 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0xa4cf },   { 0xa960, 0xa97c },
		                             { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },
		                             { 0xffe0, 0xffe6 },   { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff },
		                             { 0x1fa70, 0x1faff }, { 0x20000, 0x3fffd } };

	if (in_ranges(c, none, ARRAY_SIZE(none)))
		return 0;
	return in_ranges(c, wide, ARRAY_SIZE(wide)) ? 2 : 1;
}

size_t terminal_fit(struct str text, size_t columns)
{
	size_t at = 0, used = 0;

	while (at < text.len) {
		size_t length = utf8_sequence_length(text.ptr + at, text.len - at);
		size_t width = length ? char_columns(utf8_decode(text.ptr + at, length)) : 1;

		if (used + width > columns)
			break;
		used += width;
		at += length ? length : 1;
	}
	return at;
}

size_t terminal_columns(struct str text)
{
	size_t used = 0;

	for (size_t at = 0; at < text.len;) {
		size_t length = utf8_sequence_length(text.ptr + at, text.len - at);

		used += length ? char_columns(utf8_decode(text.ptr + at, length)) : 1;
		at += length ? length : 1;
	}
	return used;
}
