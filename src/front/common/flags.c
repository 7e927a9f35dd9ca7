/*
 * flags.c: getopt_long driven by a table. Not reentrant: getopt keeps its place in globals, so one thread parses, once at a time.
 */
#include "front/common/flags.h"

#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "front/common/args.h"

#define LONG_BASE 256 /* value of the long option of row 0: beyond every letter */
#define HELP_AT   28  /* column of the help text */

struct tables {
	struct option *longs;
	char *shorts; /* ":o:..." */
};

static void tables_release(struct tables *t)
{
	mem_free(t->longs);
	mem_free(t->shorts);
}

static bool tables_build(struct tables *t, const struct flag *flags, size_t count)
{
	char *p;

	t->longs = mem_calloc(count + 1, sizeof(*t->longs));
	t->shorts = mem_calloc(count + 1, 2);
	if (!t->longs || !t->shorts)
		return false;
	p = t->shorts;
	*p++ = ':';
	for (size_t i = 0; i < count; i++) {
		t->longs[i] = (struct option){ flags[i].name, flags[i].metavar ? required_argument : no_argument, NULL,
			                       LONG_BASE + (int)i };
		if (!flags[i].letter)
			continue;
		*p++ = flags[i].letter;
		if (flags[i].metavar)
			*p++ = ':';
	}
	return true;
}

/* The row of getopt's value; `count` when there is none. */
static size_t find(const struct flag *flags, size_t count, int value)
{
	size_t i = 0;

	if (value >= LONG_BASE)
		return MIN((size_t)(value - LONG_BASE), count);
	while (i < count && (!value || flags[i].letter != value))
		i++;
	return i;
}

static const char *flag_name(const void *flags, size_t index)
{
	return ((const struct flag *)flags)[index].name;
}

static bool is_ambiguous(const struct flag *flags, size_t count, struct str typed)
{
	size_t matches = 0;

	for (size_t i = 0; i < count; i++)
		matches += str_starts_with(str_from(flags[i].name), typed);
	return typed.len && matches > 1;
}

/* "Unknown option --concurency: did you mean --concurrency?" */
static void explain_unknown(const struct flag *flags, size_t count, const char *arg, int letter, struct buf *why)
{
	struct str name = str_from(arg);
	char typed[64];
	size_t near;

	if (letter) {
		buf_printf(why, "Unknown option -%c.", letter);
		return;
	}
	while (name.len && *name.ptr == '-')
		name = str_sub(name, 1, name.len);
	name = str_split(&name, '=');
	snprintf(typed, sizeof(typed), "%.*s", STR_ARG(name));
	if (is_ambiguous(flags, count, name)) {
		buf_printf(why, "Option --%s is ambiguous: write it out.", typed);
		return;
	}
	near = arg_nearest(typed, flag_name, flags, count);
	buf_printf(why, "Unknown option --%s", typed);
	if (near == SIZE_MAX)
		buf_append_str(why, STR("."));
	else
		buf_printf(why, ": did you mean --%s?", flags[near].name);
}

static void explain(const struct flag *flags, size_t count, int c, char **argv, struct buf *why)
{
	size_t row = find(flags, count, optopt);

	if (row < count && c == ':')
		buf_printf(why, "Option --%s needs a value: %s.", flags[row].name, flags[row].metavar);
	else if (row < count)
		buf_printf(why, "Option --%s takes no value.", flags[row].name);
	else
		explain_unknown(flags, count, argv[optind - 1], optopt < LONG_BASE ? optopt : 0, why);
}

static int take(const struct flag *f, void *state, struct buf *why)
{
	struct buf clause;
	int r;

	buf_init(&clause, (size_t)64 << 10);
	r = f->set(state, f, optarg ? optarg : "", &clause);
	if (r)
		buf_printf(why, "Option --%s %.*s.", f->name, STR_ARG(buf_str(&clause)));
	buf_release(&clause);
	return r;
}

int flags_parse(const struct flag *flags, size_t count, void *state, int argc, char **argv, int *ret_first, struct buf *why)
{
	struct tables t = { 0 };
	int c, r = 0;

	if (!tables_build(&t, flags, count)) {
		tables_release(&t);
		buf_append_str(why, STR("Out of memory."));
		return -1;
	}
	optind = 0; /* GNU: forgets everything of an earlier use */
	opterr = 0;
	while (r == 0 && (c = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1) {
		size_t row = find(flags, count, c);

		if (row < count) {
			r = take(&flags[row], state, why);
		} else {
			explain(flags, count, c, argv, why);
			r = -1;
		}
	}
	*ret_first = optind;
	tables_release(&t);
	return r;
}

/* "-o, --output FILE" */
static int print_flag(FILE *out, const struct flag *f, bool first)
{
	int n = fprintf(out, "%s", first ? "  " : ", ");

	if (f->letter)
		n += fprintf(out, "-%c, ", f->letter);
	n += fprintf(out, "--%s", f->name);
	if (f->metavar)
		n += fprintf(out, " %s", f->metavar);
	return n;
}

void flags_print_help(FILE *out, const struct flag *flags, size_t count)
{
	int at = 0;

	for (size_t i = 0; i < count; i++) {
		at += print_flag(out, &flags[i], at == 0);
		if (!flags[i].help)
			continue;
		fprintf(out, "%*s%s\n", at < HELP_AT ? HELP_AT - at : 1, "", flags[i].help);
		at = 0;
	}
}
