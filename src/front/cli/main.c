/*
 * main.c: the table of commands, and what every process needs before one runs: standard streams, descriptors. See cli.h for adding a command.
 */
#include <errno.h>
#include <locale.h>
#include <string.h>

#include "base/macros.h"
#include "front/cli/cli.h"
#include "front/cli/plugin.h"
#include "front/cli/report.h"
#include "front/common/args.h"
#include "front/common/terminal.h"
#include "front/mock/mock.h"
#include "front/server/serve.h"

static int run_mock(struct cli *cli, int argc, char **argv)
{
	(void)cli;
	return mock_main(argc, argv);
}

static int run_serve(struct cli *cli, int argc, char **argv)
{
	(void)cli;
	return serve_main(argc, argv);
}

const struct command commands[] = {
	{ "run", "run [OPTION]... PAYLOAD|-\n       fairforge run [OPTION]... --dataset FILE --connector NAME",
	  "run a payload or datasets, print the answers", "Sends every query to its provider and prints the response document.",
	  run_flags, &run_flag_count, "fairforge run payload.json -o response.json", cmd_run },
	{ "check", "check [OPTION]... PAYLOAD|-\n       fairforge check [OPTION]... --dataset FILE",
	  "find every problem of a payload, send nothing", "Prints every problem with its file, JSON pointer and a sentence.",
	  check_flags, &check_flag_count, "fairforge check payload.json", cmd_check },
	{ "connectors", "connectors [OPTION]... [NAME]", "list connectors, or the parameters of one",
	  "Lists the connectors, or with NAME what one takes and what it retries.", connectors_flags, &connectors_flag_count,
	  "fairforge connectors openai", cmd_connectors },
	{ "mock", "mock [OPTION]...", "simulate the providers on a local port", NULL, NULL, NULL, NULL, run_mock },
	{ "serve", "serve [OPTION]...", "answer POST /run over HTTP", NULL, NULL, NULL, NULL, run_serve },
	{ "help", "help [COMMAND|exit-codes|options|outcomes]", "help on a command or a table",
	  "Prints help on a command, or one of the tables.", help_flags, &help_flag_count, "fairforge help exit-codes", cmd_help },
};
const size_t command_count = ARRAY_SIZE(commands);

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < command_count; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

void command_print_help(FILE *out, const struct command *c)
{
	fprintf(out, "Usage: fairforge %s\n%s\n", c->usage, c->about);
	flags_print_help(out, c->flags, *c->flag_count);
	fprintf(out, "Example: %s\n", c->example);
}

void cli_print_version(void)
{
	printf("fairforge %s\n%s\n", ff_version(), ff_version_libraries());
}

int cli_usage_status(void)
{
	return ff_code_exit_status(FF_R_USAGE);
}

int cli_wrong_use(const char *command, const char *sentence)
{
	struct report report;

	report_init(&report);
	report_text(&report, FF_LOG_ERROR, "%s See 'fairforge %s%s--help'.", sentence, command, *command ? " " : "");
	return cli_usage_status();
}

int cli_finish_stdout(const struct cli *cli, int status)
{
	struct report report;

	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	report_init(&report);
	report_text(&report, FF_LOG_ERROR, "standard output cannot be written: %s.", strerror(cli->stdout_closed ? EBADF : errno));
	return ff_code_exit_status(FF_R_OUTPUT);
}

static const char *command_name(const void *names, size_t index)
{
	(void)names;
	return commands[index].name;
}

static int unknown_command(const char *name)
{
	size_t near = arg_nearest(name, command_name, NULL, command_count);
	char sentence[400];

	if (near == SIZE_MAX)
		snprintf(sentence, sizeof(sentence), "There is no %s \"%.200s\".", *name == '-' ? "option" : "command", name);
	else
		snprintf(sentence, sizeof(sentence), "There is no command \"%.200s\": did you mean %s?", name, commands[near].name);
	return cli_wrong_use("", sentence);
}

/* What stands before a command: --help and --version. */
static int dispatch(struct cli *cli, int argc, char **argv)
{
	char help[] = "help";
	char *help_argv[] = { help, NULL };
	const struct command *c;

	if (argc < 2)
		return cli_wrong_use("", "Name a command: run, check, connectors, mock, serve or help.");
	if (!strcmp(argv[1], "--version")) {
		cli_print_version();
		return cli_finish_stdout(cli, 0);
	}
	if (!strcmp(argv[1], "--help"))
		return cmd_help(cli, 1, help_argv);
	c = command_find(argv[1]);
	return c ? c->run(cli, argc - 1, argv + 1) : unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
	struct cli cli = { 0 };
	int status;

	(void)setlocale(LC_CTYPE, ""); /* international host names convert by it; nothing else of a locale touches what we write */
	terminal_fill_standard_streams(&cli.stdout_closed);
	terminal_raise_open_files();
	status = dispatch(&cli, argc, argv);
	plugin_release_exit();
	return status;
}
