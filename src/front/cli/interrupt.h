/*
 * interrupt.h: HUP, INT and TERM. Only the tool handles signals; the library never does.
 *
 * Before there are workers or a run a signal ends the process at once (after removing the files that are being written aside). From then on it only
 * becomes readable at interrupt_fd; when INTERRUPT_UNREAD of them were not taken, the loop hangs (in a plugin), and the next one ends the process after
 * all. What was ignored when the process started (nohup, background jobs) stays ignored.
 */
#ifndef FF_FRONT_CLI_INTERRUPT_H
#define FF_FRONT_CLI_INTERRUPT_H

#include <stddef.h>

#include "base/macros.h"

#define INTERRUPT_FILES  64 /* files written aside that a signal can remove */
#define INTERRUPT_UNREAD 5

/* 0, or -1 with errno. */
int interrupt_open(void) WARN_UNUSED;
/* A file to remove when a signal ends the process; the path stays valid until interrupt_forget_files. */
void interrupt_remove_file(const char *path);
/* Removes them: the process ends at once. */
void interrupt_unlink_files(void);
/* They take their place now, and are nobody's to remove any more. */
void interrupt_forget_files(void);
/* From here on signals wait to be taken. */
void interrupt_defer(void);
int interrupt_fd(void);
/* For ff_engine_options.interrupted_fn: from here on signals wait to be taken; the number of the first one, or 0. `number` is an int that keeps it. */
int interrupt_came(void *number);
/* The next signal's number, or 0. */
int interrupt_take(void);
void interrupt_close(void);

#endif
