/*
 * cmd_help.c: `fairforge help [TOPIC]`: the commands, one command, or a table: exit-codes, options, outcomes.
 */
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "front/cli/cli.h"
#include "front/common/args.h"

static int set_help(void *state, const struct flag *flag, const char *value, struct buf *why)
{
	(void)flag, (void)value, (void)why;
	*(bool *)state = true;
	return 0;
}

const struct flag help_flags[] = {
	{ "help", 0, NULL, "this help", set_help },
};
const size_t help_flag_count = ARRAY_SIZE(help_flags);

static void print_exit_codes(void)
{
	size_t count;
	const struct ff_exit_row *rows = ff_exit_table(&count);

	for (size_t i = 0; i < count; i++)
		printf("%4d  %s\n", rows[i].status, rows[i].text);
}

static void print_options(void)
{
	struct ff_option_info o;

	printf("Options of a run: --option KEY=VALUE, or the payload's member \"options\", or FAIRFORGE_KEY in the environment.\n"
	       "A flag wins over the payload, the payload over the environment.\n\n");
	for (size_t i = 0; ff_option_at(i, &o) == 0; i++)
		printf("%-20s  %s\n%-20s  %s; default %s\n", o.key, o.meaning, "", o.type, o.default_text);
}

static void print_outcomes(void)
{
	struct ff_outcome_info o;

	printf("How a turn ends. A success has an answer; a failure has \"[ERROR] reason\" in its place.\n\n");
	for (size_t i = 0; ff_outcome_at(i, &o) == 0; i++)
		printf("%-13s  %-7s  %s\n", o.word, o.success ? "success" : "failure", o.text);
}

static void print_overview(void)
{
	printf("fairforge runs test conversations against AI systems and collects the answers.\n\n");
	for (size_t i = 0; i < command_count; i++)
		printf("  %-12s%s\n", commands[i].name, commands[i].summary);
	printf("\n  fairforge help COMMAND, or COMMAND --help\n"
	       "  fairforge help exit-codes | options | outcomes\n"
	       "  fairforge --version\n\n"
	       "Example: fairforge run payload.json -o response.json\n");
}

static const struct {
	const char *name;
	void (*print)(void);
} topics[] = {
	{ "exit-codes", print_exit_codes },
	{ "options", print_options },
	{ "outcomes", print_outcomes },
};

static const char *topic_at(const void *names, size_t index)
{
	(void)names;
	return index < command_count ? commands[index].name : topics[index - command_count].name;
}

static int unknown_topic(const char *name)
{
	size_t near = arg_nearest(name, topic_at, NULL, command_count + ARRAY_SIZE(topics));
	char sentence[400];

	if (near == SIZE_MAX)
		snprintf(sentence, sizeof(sentence), "There is no help on \"%.200s\".", name);
	else
		snprintf(sentence, sizeof(sentence), "There is no help on \"%.200s\": did you mean %s?", name,
		         topic_at(NULL, near));
	return cli_wrong_use("help", sentence);
}

/* A command without a flag table prints its own help. */
static int print_command(struct cli *cli, const struct command *c)
{
	char name[32], flag[] = "--help";
	char *args[] = { name, flag, NULL };

	if (c->flags) {
		command_print_help(stdout, c);
		return 0;
	}
	snprintf(name, sizeof(name), "%s", c->name);
	return c->run(cli, 2, args);
}

static int show(struct cli *cli, const char *topic)
{
	const struct command *c = command_find(topic);

	if (c)
		return print_command(cli, c);
	for (size_t i = 0; i < ARRAY_SIZE(topics); i++)
		if (!strcmp(topics[i].name, topic)) {
			topics[i].print();
			return 0;
		}
	return unknown_topic(topic);
}

int cmd_help(struct cli *cli, int argc, char **argv)
{
	bool help = false;
	struct buf why;
	int first, status = 0;

	buf_init(&why, (size_t)4096);
	if (flags_parse(help_flags, help_flag_count, &help, argc, argv, &first, &why))
		status = cli_wrong_use(argv[0], why.ptr ? why.ptr : "Out of memory.");
	else if (argc - first > 1)
		status = cli_wrong_use(argv[0], "Name one command or topic.");
	else if (help)
		command_print_help(stdout, command_find(argv[0]));
	else if (first < argc)
		status = show(cli, argv[first]);
	else
		print_overview();
	buf_release(&why);
	return cli_finish_stdout(cli, status);
}
