/*
 * cli.h: the commands of the command line tool.
 *
 * To add a command:
 *   1. one file cmd_NAME.c with its flags (front/common/flags.h) and `int cmd_NAME(struct cli *cli, int argc, char **argv)`;
 *   2. its declaration below and one row in commands[] of main.c;
 *   3. the file in meson.build, and tests/e2e/test_cli.py.
 * `fairforge help`, `help NAME` and `NAME --help` follow from the row.
 *
 * A command returns the exit status (the table of ff_exit_table). argv[0] is the command's name.
 */
#ifndef FF_FRONT_CLI_CLI_H
#define FF_FRONT_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "fairforge/fairforge.h"
#include "front/common/flags.h"

struct cli {
	bool stdout_closed; /* when the process started */
};

struct command {
	const char *name;
	const char *usage;   /* lines behind "fairforge ", the second and later ones behind spaces: "run [OPTION]... PAYLOAD|-" */
	const char *summary; /* one line for `fairforge help` */
	const char *about;   /* a sentence or two for --help */
	const struct flag *flags;
	const size_t *flag_count;
	const char *example;
	int (*run)(struct cli *cli, int argc, char **argv);
};

extern const struct command commands[];
extern const size_t command_count;
const struct command *command_find(const char *name); /* NULL when unknown */
void command_print_help(FILE *out, const struct command *c);
void cli_print_version(void);

int cmd_run(struct cli *cli, int argc, char **argv);
int cmd_check(struct cli *cli, int argc, char **argv);
int cmd_connectors(struct cli *cli, int argc, char **argv);
int cmd_help(struct cli *cli, int argc, char **argv);

extern const struct flag run_flags[], check_flags[], connectors_flags[], help_flags[];
extern const size_t run_flag_count, check_flag_count, connectors_flag_count, help_flag_count;

/* The short name of the connector that was probably meant, or NULL. */
const char *cli_nearest_connector(const char *typed);
/* Exit status of wrong use. */
int cli_usage_status(void);
/* "fairforge: error: SENTENCE See 'fairforge NAME --help'." on stderr; returns the status of wrong use. */
int cli_wrong_use(const char *command, const char *sentence);
/* Flushes standard output; returns status, or that of output that cannot be written, with a sentence. */
int cli_finish_stdout(const struct cli *cli, int status);

#endif
