/* terminal.h: what standard streams are: terminals with a width and colours, pipes, or closed. */
#ifndef FF_FRONT_COMMON_TERMINAL_H
#define FF_FRONT_COMMON_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/*
 * Fills descriptors 0, 1 and 2 where they are closed, so that no socket or file gets their number: reading 0 and writing 1 or 2 still fails.
 * *ret_stdout_closed: 1 was closed.
 */
void terminal_fill_standard_streams(bool *ret_stdout_closed);
/*
 * Takes standard output from code that is not ours, so that nothing gets between the bytes of a document: what is printed from now on goes to standard
 * error. Returns the descriptor that writes where standard output did; when none is left, standard output itself.
 */
int terminal_take_stdout(void);
/* Gives it back: what was printed meanwhile goes to standard error, `fd` is closed. */
void terminal_return_stdout(int fd);
/* Raises the soft limit on open files to the hard one. */
void terminal_raise_open_files(void);
/* A terminal that understands cursor movement (TERM is neither empty nor "dumb"). */
bool terminal_is_smart(int fd);
/* terminal_is_smart and NO_COLOR (no-color.org) is unset or empty. */
bool terminal_has_colour(int fd);
/* Columns: of the terminal, else COLUMNS, else 80. */
unsigned terminal_width(int fd);
/* Columns that well-formed text takes: wide East Asian characters and emoji take two, combining marks none. */
size_t terminal_columns(struct str text);
/* The longest prefix of at most so many columns, in bytes. */
size_t terminal_fit(struct str text, size_t columns);

#endif
