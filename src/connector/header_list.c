/* header_list.c: see header_list.h. Runs once a connector; a linear search is enough for a dozen headers. */
#include "connector/header_list.h"

#include "connector/base_url.h"

#define POINTER_MAX 512

void header_list_init(struct header_list *l, struct arena *arena)
{
	*l = (struct header_list){ .arena = arena };
}

/* Room for one more item of `size`, by doubling; the outgrown array stays in the arena. */
static void *grow(struct header_list *l, void *items, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 8;
	char *bigger;

	if (count < *room)
		return items;
	bigger = arena_calloc(l->arena, wanted, size);
	if (!bigger) {
		l->nomem = true;
		return NULL;
	}
	if (count)
		memcpy(bigger, items, count * size);
	*room = wanted;
	return bigger;
}

void header_list_set(struct header_list *l, struct str name, struct str value)
{
	struct pair copy;
	struct pair *items;

	if (arena_str(l->arena, name, &copy.name) || arena_str(l->arena, value, &copy.value)) {
		l->nomem = true;
		return;
	}
	for (size_t i = 0; i < l->count; i++) {
		if (str_eq_nocase(l->items[i].name, name)) {
			l->items[i] = copy;
			return;
		}
	}
	items = grow(l, l->items, l->count, &l->room, sizeof *items);
	if (!items)
		return;
	l->items = items;
	l->items[l->count++] = copy;
}

void header_list_secret(struct header_list *l, struct str secret)
{
	struct str copy, *secrets;

	if (!secret.len)
		return;
	secrets = grow(l, l->secrets, l->secret_count, &l->secret_room, sizeof *secrets);
	if (!secrets || arena_str(l->arena, secret, &copy)) {
		l->nomem = true;
		return;
	}
	l->secrets = secrets;
	l->secrets[l->secret_count++] = copy;
}

/* The userinfo and its password as they stand, and the password decoded. */
void header_list_userinfo_secrets(struct header_list *l, struct str userinfo)
{
	size_t colon = str_find(userinfo, STR(":"), 0), decoded_len = 0;
	struct str password = colon == SIZE_MAX ? STR_NULL : str_sub(userinfo, colon + 1, userinfo.len);
	char *decoded = percent_decode(l->arena, password, &decoded_len);

	l->nomem |= !decoded;
	header_list_secret(l, userinfo);
	header_list_secret(l, password);
	if (decoded && decoded_len != password.len)
		header_list_secret(l, str_of(decoded, decoded_len));
}

void header_list_set_userinfo(struct header_list *l, struct str userinfo)
{
	char *basic;

	if (!userinfo.len)
		return;
	basic = base_url_basic_auth(l->arena, userinfo);
	if (!basic) {
		l->nomem = true;
		return;
	}
	header_list_set(l, STR("authorization"), str_from(basic));
	header_list_secret(l, str_from(basic + sizeof "Basic " - 1));
	header_list_userinfo_secrets(l, userinfo);
}

void header_list_url_secrets(struct header_list *l, struct str url)
{
	size_t start = str_find(url, STR("://"), 0), at = SIZE_MAX;

	start = start == SIZE_MAX ? 0 : start + 3;
	for (size_t i = start; i < url.len && url.ptr[i] != '/'; i++)
		if (url.ptr[i] == '@')
			at = i;
	if (at != SIZE_MAX)
		header_list_userinfo_secrets(l, str_sub(url, start, at));
}

static bool is_token_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool in_list(struct str name, const char *const *list)
{
	for (; *list; list++)
		if (str_eq_nocase(name, str_from(*list)))
			return true;
	return false;
}

const char *header_problem(struct str name, struct str value, bool stranger)
{
	static const char *const owned[] = { "content-length", "transfer-encoding", "connection", "te", "upgrade", "expect", NULL };

	if (!name.len)
		return "its name is empty";
	for (size_t i = 0; i < name.len; i++)
		if (!is_token_char((unsigned char)name.ptr[i]))
			return "its name has a character that no header name has";
	if (in_list(name, owned))
		return "this header belongs to the transport";
	if (stranger && str_eq_nocase(name, STR("host")))
		return "Host can only be set by the operator of this service";
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.ptr[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return "its value has a line break or another control character";
	}
	return NULL;
}

const char *key_problem(struct str key)
{
	for (size_t i = 0; i < key.len; i++) {
		unsigned char c = (unsigned char)key.ptr[i];

		if (c == '\n' || c == '\r')
			return "it has a line break";
		if (c < 0x20 || c == 0x7f)
			return "it has a control character";
	}
	if (key.len && (key.ptr[0] == ' ' || key.ptr[key.len - 1] == ' '))
		return "it begins or ends with a blank";
	return NULL;
}

bool header_looks_secret(struct str name)
{
	static const char *const words[] = { "authorization", "cookie", "key", "token", "secret", "password", "credential", NULL };

	for (const char *const *word = words; *word; word++)
		if (str_contains_nocase(name, str_from(*word)))
			return true;
	return false;
}

void header_list_secret_value(struct header_list *l, struct str value)
{
	size_t blank = str_find(value, STR(" "), 0);

	header_list_secret(l, value);
	if (blank != SIZE_MAX)
		header_list_secret(l, str_trim(str_sub(value, blank, value.len)));
}

static const char *given_problem(const struct json_member *m, bool stranger)
{
	if (m->value.type != JSON_STRING)
		return "its value must be a string";
	return header_problem(m->key, m->value.text, stranger);
}

size_t header_list_set_given(struct header_list *l, const struct json *object, const char *pointer, bool stranger,
                             struct problems *problems)
{
	size_t errors = 0;

	for (uint32_t i = 0; object->type == JSON_OBJECT && i < object->count; i++) {
		const struct json_member *m = &object->members[i];
		const char *wrong = m->value.type == JSON_NULL ? NULL : given_problem(m, stranger);
		char at[POINTER_MAX];

		if (m->value.type == JSON_NULL)
			continue;
		if (wrong) {
			size_t len = MIN(strlen(pointer), sizeof at - 1);

			memcpy(at, pointer, len);
			at[len] = '\0';
			json_pointer_push(at, sizeof at, m->key);
			problem_error(problems, at, "The header cannot be sent: %s.", wrong);
			errors++;
			continue;
		}
		header_list_set(l, m->key, m->value.text);
		if (header_looks_secret(m->key))
			header_list_secret_value(l, m->value.text);
	}
	return errors;
}
