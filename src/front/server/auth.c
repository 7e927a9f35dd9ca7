/*
 * auth.c: the table of tokens. See auth.h.
 *
 * Each token lies in a slot of AUTH_TOKEN_MAX bytes, zero-filled, and so does the one presented: all slots are compared whole, a word at a time, and the
 * results are combined without a branch. With 1,000 tokens a check reads 256 KiB, some 20 µs; with a few it is nothing.
 */
#include "front/server/auth.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"

#define SLOT_WORDS (AUTH_TOKEN_MAX / sizeof(uint64_t))
#define CHALLENGE  "Bearer realm=\"fairforge\""

struct entry {
	uint64_t slot[SLOT_WORDS]; /* the token, zero-filled: no token holds a zero byte */
	char name[AUTH_NAME_MAX + 1];
};

struct auth {
	struct entry *entries; /* AUTH_TOKENS_MAX at most */
	size_t count, room;
	char warning[512]; /* "": none */
};

/* ---- what a line may hold ---- */

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) && s.ptr[i] != '.' && s.ptr[i] != '_' && s.ptr[i] != '-')
			return false;
	return s.len >= 1 && s.len <= AUTH_NAME_MAX;
}

/* b64token of RFC 6750 section 2.1: what a client can send. */
static bool is_token_text(struct str s)
{
	while (s.len && s.ptr[s.len - 1] == '=')
		s.len--;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) && !memchr("-._~+/", s.ptr[i], 6))
			return false;
	return s.len > 0;
}

/* What is wrong with the line, or NULL. Sentences never quote it: it may hold a token. */
static const char *line_problem(struct str name, struct str token, bool has_colon)
{
	if (!has_colon)
		return "A line must be NAME:TOKEN; this one has no colon.";
	if (!is_name(name))
		return "The name before the colon must be 1 to 64 characters out of A-Z, a-z, 0-9, '.', '_' and '-'.";
	if (token.len < AUTH_TOKEN_MIN)
		return "The token is shorter than 16 characters: make a long random one, for example with `openssl rand -hex 32`.";
	if (token.len > AUTH_TOKEN_MAX)
		return "The token is longer than 256 characters.";
	if (!is_token_text(token))
		return "The token holds a character that clients cannot send: use A-Z, a-z, 0-9, '-', '.', '_', '~', '+', '/' and "
		       "trailing '='.";
	return NULL;
}

/* ---- the table ---- */

static void fill_slot(uint64_t slot[SLOT_WORDS], struct str token)
{
	memset(slot, 0, SLOT_WORDS * sizeof(slot[0]));
	memcpy(slot, token.ptr, token.len);
}

/* 1 when they are equal, else 0; takes the same time for all. */
static uint64_t slots_equal(const uint64_t a[SLOT_WORDS], const uint64_t b[SLOT_WORDS])
{
	uint64_t difference = 0;

	for (size_t i = 0; i < SLOT_WORDS; i++)
		difference |= a[i] ^ b[i];
	/* The highest bit of (d | -d) is set for every d but 0. */
	return ((difference | (0 - difference)) >> 63) ^ 1u;
}

/* The index of the token, or SIZE_MAX. Every entry is looked at, and none is left by a branch that depends on a token. */
static size_t find_slot(const struct auth *a, const uint64_t slot[SLOT_WORDS])
{
	volatile uint64_t found = 0; /* index + 1; volatile: the compiler must not end the loop early */

	for (size_t i = 0; i < a->count; i++)
		found |= (0 - slots_equal(a->entries[i].slot, slot)) & (i + 1);
	return (size_t)(found - 1);
}

static int grow(struct auth *a)
{
	size_t room = a->room ? 2 * a->room : 4;
	struct entry *entries;

	if (a->count < a->room)
		return 0;
	/* Not realloc: what it leaves behind would hold tokens. */
	entries = mem_calloc(room, sizeof(*entries));
	if (!entries)
		return FF_ENOMEM;
	if (a->count)
		memcpy(entries, a->entries, a->count * sizeof(*entries));
	if (a->entries)
		explicit_bzero(a->entries, a->room * sizeof(*entries));
	mem_free(a->entries);
	a->entries = entries;
	a->room = room;
	return 0;
}

static bool has_name(const struct auth *a, struct str name)
{
	for (size_t i = 0; i < a->count; i++)
		if (str_eq(str_from(a->entries[i].name), name))
			return true;
	return false;
}

/* NULL, or what is wrong; *ret_code is set then. */
static const char *add(struct auth *a, struct str name, struct str token, int *ret_code)
{
	struct entry *e;

	*ret_code = FF_EUSAGE;
	if (a->count == AUTH_TOKENS_MAX)
		return "The file holds more than 1024 tokens.";
	if (has_name(a, name))
		return "This name stands in the file before: every token needs a name of its own.";
	if (grow(a)) {
		*ret_code = FF_ENOMEM;
		return "out of memory";
	}
	assert(a->entries && a->count < a->room);
	e = &a->entries[a->count];
	fill_slot(e->slot, token);
	if (find_slot(a, e->slot) != SIZE_MAX) {
		explicit_bzero(e->slot, sizeof(e->slot));
		return "This token stands in the file before, under another name.";
	}
	memcpy(e->name, name.ptr, name.len);
	e->name[name.len] = '\0';
	a->count++;
	return NULL;
}

static int read_line(struct auth *a, struct str line, const char *name, size_t number, struct error *err)
{
	struct str token = str_trim(line), who;
	char where[200];
	const char *problem;
	bool colon;
	int code = FF_EUSAGE;

	if (!token.len || token.ptr[0] == '#')
		return 0;
	colon = memchr(token.ptr, ':', token.len) != NULL;
	who = str_trim(str_split(&token, ':'));
	token = str_trim(token);
	problem = line_problem(who, token, colon);
	if (!problem)
		problem = add(a, who, token, &code);
	if (!problem)
		return 0;
	if (code == FF_ENOMEM)
		return error_nomem(err);
	snprintf(where, sizeof(where), "%.180s:%zu", name, number);
	return error_set(err, code, where, "%s", problem);
}

static int read_lines(struct auth *a, struct str text, const char *name, struct error *err)
{
	size_t number = 0;

	if (str_starts_with(text, STR("\xef\xbb\xbf")))
		text = str_sub(text, 3, text.len);
	while (text.ptr) {
		int r = read_line(a, str_split(&text, '\n'), name, ++number, err);

		if (r)
			return r;
	}
	if (!a->count)
		return error_set(err, FF_EUSAGE, name,
		                 "The file holds no token, so nobody could use the service: add a line NAME:TOKEN.");
	return 0;
}

int auth_parse(struct str text, const char *name, struct auth **ret, struct error *err)
{
	struct auth *a = NEW(struct auth);
	int r;

	if (!a)
		return error_nomem(err);
	r = read_lines(a, text.ptr ? text : STR(""), name, err);
	if (r) {
		auth_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	if (a->entries)
		explicit_bzero(a->entries, a->room * sizeof(*a->entries));
	mem_free(a->entries);
	mem_free(a);
}

size_t auth_count(const struct auth *a)
{
	return a ? a->count : 0;
}

const char *auth_warning(const struct auth *a)
{
	return a->warning[0] ? a->warning : NULL;
}

/* ---- the file ---- */

/*
 * The group's bits are those of the mask when the file has an access control list (systemd's credentials do): they then say nothing about the group.
 */
static void look_who_reads(int fd, const char *path, struct auth *a)
{
	struct stat st;
	bool group, others;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return;
	others = st.st_mode & S_IROTH;
	group = (st.st_mode & S_IRGRP) && fgetxattr(fd, "system.posix_acl_access", NULL, 0) < 0;
	if (group || others)
		snprintf(a->warning, sizeof(a->warning),
		         "%.300s can be read by %s (mode %04o): whoever reads it may use the service; `chmod 600` it.", path,
		         others ? "everybody on this machine" : "its group", (unsigned)st.st_mode & 07777u);
}

/* Reads to the end into memory of a fixed size, which is wiped later: a growing buffer would leave tokens behind. */
static int read_all(int fd, const char *path, char *room, size_t *ret_len, struct error *err)
{
	size_t len = 0;

	for (;;) {
		ssize_t n = read(fd, room + len, AUTH_FILE_MAX + 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, FF_EUSAGE, path, "The token file cannot be read: %s.", strerror(errno));
		len += (size_t)n;
		if (len > AUTH_FILE_MAX)
			return error_set(err, FF_EUSAGE, path, "The token file is larger than 1 MiB.");
		if (!n)
			break;
	}
	*ret_len = len;
	return 0;
}

static int load(int fd, const char *path, struct auth **ret, struct error *err)
{
	char *room = mem_alloc(AUTH_FILE_MAX + 1);
	size_t len = 0;
	int r;

	if (!room)
		return error_nomem(err);
	r = read_all(fd, path, room, &len, err);
	if (!r)
		r = auth_parse(str_of(room, len), path, ret, err);
	if (!r)
		look_who_reads(fd, path, *ret);
	explicit_bzero(room, AUTH_FILE_MAX + 1);
	mem_free(room);
	return r;
}

int auth_load(const char *path, struct auth **ret, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	if (fd < 0)
		return error_set(err, FF_EUSAGE, path, "The token file cannot be opened: %s.", strerror(errno));
	r = load(fd, path, ret, err);
	close(fd);
	return r;
}

/* ---- the check ---- */

/* `Bearer TOKEN` (the scheme in any case) → TOKEN; empty when it is something else. */
static struct str bearer(struct str value)
{
	struct str scheme;

	value = str_trim(value);
	scheme = str_split(&value, ' ');
	return str_eq_nocase(scheme, STR("Bearer")) ? str_trim(value) : STR_NULL;
}

const char *auth_check(const struct auth *a, struct str authorization, const char **ret_challenge)
{
	struct str token = bearer(authorization);
	uint64_t slot[SLOT_WORDS];
	size_t found;

	if (!a)
		return "";
	*ret_challenge = authorization.ptr ? CHALLENGE ", error=\"invalid_token\"" : CHALLENGE;
	if (token.len < AUTH_TOKEN_MIN || token.len > AUTH_TOKEN_MAX || !is_token_text(token))
		return NULL;
	fill_slot(slot, token);
	found = find_slot(a, slot);
	explicit_bzero(slot, sizeof(slot));
	return found == SIZE_MAX ? NULL : a->entries[found].name;
}
