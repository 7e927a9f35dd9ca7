/*
 * output_file.h: a document on its way to a descriptor or a file. A file appears whole or not at all: it is written aside, in its own folder, and
 * takes its place by rename. What is no regular file (a pipe, a device) is written directly.
 */
#ifndef FF_FRONT_COMMON_OUTPUT_FILE_H
#define FF_FRONT_COMMON_OUTPUT_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

struct output_file {
	const char *name; /* for messages: the path as given, "standard output"; not owned */
	char *target;     /* the path to replace, symbolic links resolved; NULL: a descriptor, or written directly */
	char *aside;      /* the file being written; NULL: none */
	int fd;           /* -1: closed */
	bool owned;       /* fd is ours to close */
	int error_number; /* of the first failure; 0 */
};

/* A descriptor of somebody else, e.g. standard output. */
void output_file_from_fd(struct output_file *f, const char *name, int fd);
/* Opens for replacing `path`. 0, or -1 with f->error_number. Release it in both cases. */
int output_file_open(struct output_file *f, const char *path) WARN_UNUSED;
/* Writes all of it, waiting where a pipe is full. 0, or -1 with f->error_number and errno. */
int output_file_write(struct output_file *f, const char *data, size_t len) WARN_UNUSED;
/* The document is whole: makes it durable and puts it in its place. 0, or -1 with f->error_number. */
int output_file_commit(struct output_file *f) WARN_UNUSED;
/* Closes and removes what was not committed. */
void output_file_release(struct output_file *f);

#endif
