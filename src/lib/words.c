/*
 * words.c: quoting as in POSIX 2.2, without expansions. Words are never longer than the text, so one copy of it holds them all.
 */
#include "lib/words.h"

#include <string.h>

struct splitter {
	const char *at; /* the next character */
	char *out;      /* where the next one of a word goes */
	struct error *err;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

static int refuse(struct splitter *s, char c)
{
	return error_set(s->err, FF_EUSAGE, "",
	                 "has %c outside of single quotes, and no shell runs it: quote it, or name a shell (sh -c '...')", c);
}

static int take_single(struct splitter *s)
{
	const char *end = strchr(s->at, '\'');

	if (!end)
		return error_set(s->err, FF_EUSAGE, "", "has a single quote (') that is not closed");
	s->out = mempcpy(s->out, s->at, (size_t)(end - s->at));
	s->at = end + 1;
	return 0;
}

static int take_double(struct splitter *s)
{
	while (*s->at && *s->at != '"') {
		if (*s->at == '$' || *s->at == '`')
			return refuse(s, *s->at);
		if (*s->at == '\\' && s->at[1] == '\n') {
			s->at += 2;
			continue;
		}
		if (*s->at == '\\' && s->at[1] && strchr("\"\\$`", s->at[1]))
			s->at++;
		*s->out++ = *s->at++;
	}
	if (!*s->at)
		return error_set(s->err, FF_EUSAGE, "", "has a double quote (\") that is not closed");
	s->at++;
	return 0;
}

static int take_escaped(struct splitter *s)
{
	if (!*s->at)
		return error_set(s->err, FF_EUSAGE, "", "ends with a backslash");
	if (*s->at != '\n')
		*s->out++ = *s->at;
	s->at++;
	return 0;
}

/* One word; at a character of it. */
static int take_word(struct splitter *s)
{
	int r = 0;

	while (*s->at && !is_blank(*s->at) && !r) {
		char c = *s->at++;

		if (c == '\'')
			r = take_single(s);
		else if (c == '"')
			r = take_double(s);
		else if (c == '\\')
			r = take_escaped(s);
		else if (strchr("|&;<>()$`", c))
			r = refuse(s, c);
		else
			*s->out++ = c;
	}
	*s->out++ = '\0';
	return r;
}

int words_split(struct arena *a, const char *command, const char *const **ret, struct error *err)
{
	size_t len = strlen(command), count = 0;
	struct splitter s = { command, arena_alloc(a, 2 * len + 2), err };
	const char **words = arena_calloc(a, len / 2 + 2, sizeof(*words));

	if (!s.out || !words)
		return error_nomem(err);
	for (;;) {
		int r;

		while (is_blank(*s.at))
			s.at++;
		if (!*s.at)
			break;
		words[count++] = s.out;
		r = take_word(&s);
		if (r)
			return r;
	}
	if (count == 0 || !*words[0])
		return error_set(err, FF_EUSAGE, "", "names no program");
	*ret = words;
	return 0;
}
