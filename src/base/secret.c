/*
 * secret.c: finds live keys in text, in whatever dress they come.
 *
 * A key in somebody's error message may be plain, JSON-escaped (\/, \", \u002b, surrogate pairs) or percent-encoded (upper or lower hex, + for a
 * blank), and each library escapes another set of characters. So forms are not listed: a matcher walks key and text together and takes, for each byte of
 * the key, the byte itself or any escape of it. In Base64 a key has three spellings, by where it begins in a group of three bytes: these are forms of
 * it, looked for beside it.
 *
 * Cost: the product of the text's length and a key's at worst, which is why the texts that others write are cut before (at SECRET_CUT) and long answers are
 * searched for plain keys alone. Text without a key and without '\' and '%' costs four memmem a key. Where only escapes make it doubtful, the keys are
 * tried at the bytes before each escape that can begin one; where a key stands plainly, at all such bytes.
 */
#include "base/secret.h"

#include <assert.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/error.h"

struct secret {
	struct secret *next; /* not longer than this one */
	struct secret *prev;
	struct secret *shorter;     /* of the first one of each length: the first of the next. Lengths are few, keys may be many */
	struct secret *forms;       /* of a key, through their own `forms` */
	const struct secret *owner; /* NULL: a key; else this is a form of that key */
	size_t references;
	size_t len;
	char key[]; /* wiped before it is freed */
};

#define MAPPED_FROM      8                 /* so many keys are found by a map; fewer by looking at each of that length */
#define BACKSLASHES_MOST 64                /* a run of them that one escape can begin with: JSON in JSON, six times */
#define DRESSED_MOST     ((size_t)4 << 10) /* longer answers are looked through for plain keys alone */
#define ANSWER_MOST      ((size_t)1 << 20) /* and no further than this */

struct match {
	size_t from, to; /* bytes of the text */
};

void scrubber_init(struct scrubber *s)
{
	*s = (struct scrubber){ .list = NULL };
	map_init(&s->keys);
}

static void secret_free(struct secret *one)
{
	explicit_bzero(one->key, one->len);
	mem_free(one);
}

void scrubber_release(struct scrubber *s)
{
	while (s->list) {
		struct secret *next = s->list->next;
		secret_free(s->list);
		s->list = next;
	}
	map_release(&s->keys);
	s->count = 0;
}

static struct str secret_str(const struct secret *one)
{
	return str_of(one->key, one->len);
}

/* ---- the list, longest first ---- */

/* The link that points to the first one of that length, or to where it belongs. */
static struct secret **find_length(struct scrubber *s, size_t len)
{
	struct secret **link = &s->list;

	while (*link && (*link)->len > len)
		link = &(*link)->shorter;
	return link;
}

static struct secret *last_one(const struct scrubber *s)
{
	struct secret *one = s->list;

	while (one && one->shorter)
		one = one->shorter;
	while (one && one->next)
		one = one->next;
	return one;
}

/* Before the others of its length. */
static void insert(struct scrubber *s, struct secret *one)
{
	struct secret **link = find_length(s, one->len), *first = *link;

	one->shorter = first && first->len == one->len ? first->shorter : first;
	one->next = first;
	one->prev = first ? first->prev : last_one(s);
	if (one->next)
		one->next->prev = one;
	if (one->prev)
		one->prev->next = one;
	*link = one;
}

static void unlink_and_free(struct scrubber *s, struct secret *one)
{
	struct secret **link = find_length(s, one->len), *next = one->next;

	if (next)
		next->prev = one->prev;
	if (one->prev)
		one->prev->next = next;
	if (*link == one) {
		if (next && next->len == one->len)
			next->shorter = one->shorter;
		*link = next;
	}
	secret_free(one);
}

/* ---- finding a key ---- */

static struct secret *find_key(struct scrubber *s, struct str key)
{
	if (s->keys.count)
		return map_get(&s->keys, key);
	for (struct secret *one = *find_length(s, key.len); one && one->len == key.len; one = one->next)
		if (!one->owner && memcmp(one->key, key.ptr, key.len) == 0)
			return one;
	return NULL;
}

/* Without memory for the map, each is looked at. */
static void map_keys(struct scrubber *s, struct secret *newest)
{
	int r = 0;

	if (s->keys.count)
		r = map_put(&s->keys, secret_str(newest), newest, NULL);
	for (struct secret *one = s->keys.count || s->count < MAPPED_FROM ? NULL : s->list; one && !r; one = one->next)
		if (!one->owner)
			r = map_put(&s->keys, secret_str(one), one, NULL);
	if (r) {
		map_release(&s->keys);
		map_init(&s->keys);
	}
}

/* ---- Base64 ---- */

/*
 * What is certain of a key in Base64: its sextets when `before` bytes of other text (0, 1 or 2) stand before it in its group of three. The characters at
 * the two ends hold bits of the neighbours and are left out.
 */
static struct secret *base64_form(struct str key, size_t before, const char *last_two)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	size_t first = (before * 8 + 5) / 6, end = (before + key.len) * 8 / 6;
	struct secret *form = mem_alloc(sizeof *form + end - first);

	if (!form)
		return NULL;
	form->len = end - first;
	for (size_t i = first; i < end; i++) {
		size_t bit = i * 6 - before * 8, byte = bit / 8;
		unsigned pair = (unsigned)(unsigned char)key.ptr[byte] << 8;

		pair |= byte + 1 < key.len ? (unsigned char)key.ptr[byte + 1] : 0u;
		pair = pair >> (10 - bit % 8) & 63;
		form->key[i - first] = pair < 62 ? digits[pair] : last_two[pair - 62];
	}
	return form;
}

/* Both alphabets, the second one only where it differs. */
static int add_forms(struct scrubber *s, struct secret *owner)
{
	static const char *const alphabets[] = { "+/", "-_" };

	for (unsigned i = 0; i < 6; i++) {
		const struct secret *first = i % 2 ? owner->forms : NULL;
		struct secret *form;

		if (first && !memchr(first->key, '+', first->len) && !memchr(first->key, '/', first->len))
			continue;
		form = base64_form(secret_str(owner), i / 2, alphabets[i % 2]);
		if (!form)
			return FF_ENOMEM;
		form->owner = owner;
		form->references = 1;
		insert(s, form);
		form->forms = owner->forms;
		owner->forms = form;
	}
	return 0;
}

/* ---- adding and removing ---- */

/* With its forms. */
static void drop(struct scrubber *s, struct secret *one)
{
	while (one->forms) {
		struct secret *form = one->forms;
		one->forms = form->forms;
		unlink_and_free(s, form);
	}
	unlink_and_free(s, one);
}

int scrubber_add(struct scrubber *s, struct str key)
{
	struct secret *one;

	if (key.len < SECRET_MIN_BYTES)
		return 0;
	one = find_key(s, key);
	if (one) {
		one->references++;
		return 0;
	}
	one = mem_alloc(sizeof *one + key.len);
	if (!one)
		return FF_ENOMEM;
	*one = (struct secret){ .references = 1, .len = key.len };
	memcpy(one->key, key.ptr, key.len);
	insert(s, one);
	if (add_forms(s, one)) {
		drop(s, one);
		return FF_ENOMEM;
	}
	s->count++;
	map_keys(s, one);
	return 0;
}

void scrubber_remove(struct scrubber *s, struct str key)
{
	struct secret *one = key.len < SECRET_MIN_BYTES ? NULL : find_key(s, key);

	if (!one || --one->references > 0)
		return;
	if (s->keys.count)
		map_remove(&s->keys, key);
	s->count--;
	drop(s, one);
}

/* ---- the matcher ---- */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* `digits` hex digits at text[at..], or -1. */
static int32_t hex_number(struct str text, size_t at, size_t digits)
{
	int32_t value = 0;

	if (digits > text.len - at)
		return -1;
	for (size_t i = 0; i < digits; i++) {
		int digit = hex_value(text.ptr[at + i]);
		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/* A \uXXXX escape, or a surrogate pair of them, whose 'u' is at text[at]: its UTF-8 in out, the index behind it in *ret_next; 0 when it is none. */
static size_t unicode_escape(struct str text, size_t at, char out[4], size_t *ret_next)
{
	int32_t high = hex_number(text, at + 1, 4), low;

	if (high < 0)
		return 0;
	*ret_next = at + 5;
	if (high >= 0xD800 && high <= 0xDBFF && text.len - at >= 11 && text.ptr[at + 5] == '\\' && text.ptr[at + 6] == 'u') {
		low = hex_number(text, at + 7, 4);
		if (low >= 0xDC00 && low <= 0xDFFF) {
			*ret_next = at + 11;
			return utf8_encode(0x10000u + ((uint32_t)(high - 0xD800) << 10) + (uint32_t)(low - 0xDC00), out);
		}
	}
	return utf8_encode((uint32_t)high, out);
}

/* What a one-letter JSON escape stands for; 0 when it is none. */
static char letter_escape(char c)
{
	switch (c) {
	case 'b': return '\b';
	case 'f': return '\f';
	case 'n': return '\n';
	case 'r': return '\r';
	case 't': return '\t';
	case '"':
	case '\\':
	case '/': return c;
	default: return 0;
	}
}

/*
 * Reads the escape at text[at] and compares it with the key from *key_at. Returns the index behind the escape and moves *key_at, or 0 when there
 * is none or it stands for something else. JSON inside JSON doubles the backslashes: a run of them counts as one.
 */
static size_t escaped_match(struct str text, size_t at, struct str key, size_t *key_at)
{
	char decoded[4];
	size_t count = 1, next = at + 2;

	if (text.ptr[at] == '%') {
		int32_t byte = hex_number(text, at + 1, 2);
		if (byte < 0)
			return 0;
		decoded[0] = (char)byte;
		next = at + 3;
	} else if (text.ptr[at] == '+') {
		decoded[0] = ' ';
		next = at + 1;
	} else if (text.ptr[at] == '\\') {
		for (size_t most = at + BACKSLASHES_MOST; key.ptr[*key_at] != '\\' && at + 1 < MIN(text.len, most); at++)
			if (text.ptr[at + 1] != '\\')
				break;
		if (at + 1 >= text.len)
			return 0;
		next = at + 2;
		decoded[0] = letter_escape(text.ptr[at + 1]);
		if (text.ptr[at + 1] == 'u')
			count = unicode_escape(text, at + 1, decoded, &next);
	} else {
		return 0;
	}
	if (count == 0 || count > key.len - *key_at || memcmp(decoded, key.ptr + *key_at, count) != 0)
		return 0;
	*key_at += count;
	return next;
}

/*
 * Walks text from `from` and the key together. Returns the bytes of the key that were matched before they parted, or before the text ended; the index in the
 * text in *ret_to.
 */
static size_t match_length(struct str text, size_t from, struct str key, size_t *ret_to)
{
	size_t at = from, k = 0;

	while (k < key.len && at < text.len) {
		char c = text.ptr[at];
		/* An escape first: a key with a '%' may stand there as %25, or as it is. */
		size_t next = c == '\\' || c == '%' ? escaped_match(text, at, key, &k) : 0;

		if (next == 0 && c == key.ptr[k]) {
			next = at + 1;
			k++;
		} else if (next == 0) {
			next = c == '+' ? escaped_match(text, at, key, &k) : 0;
		}
		if (next == 0)
			break;
		at = next;
	}
	*ret_to = at;
	return k;
}

/* ---- where a key can begin ---- */

/* The first byte of what the escape at text[at] stands for; -1: there is none. */
static int escaped_byte(struct str text, size_t at)
{
	char decoded[4];
	size_t next;

	if (text.ptr[at] == '+')
		return ' ';
	if (text.ptr[at] == '%')
		return hex_number(text, at + 1, 2);
	if (text.ptr[at] != '\\')
		return -1;
	for (size_t most = at + BACKSLASHES_MOST; at + 1 < MIN(text.len, most) && text.ptr[at + 1] == '\\';)
		at++;
	if (at + 1 >= text.len)
		return -1;
	if (text.ptr[at + 1] == 'u')
		return unicode_escape(text, at + 1, decoded, &next) ? (unsigned char)decoded[0] : -1;
	return letter_escape(text.ptr[at + 1]) ? (unsigned char)letter_escape(text.ptr[at + 1]) : -1;
}

static void note_starts(const struct scrubber *s, bool starts[256])
{
	memset(starts, 0, 256 * sizeof *starts);
	for (const struct secret *one = s->list; one; one = one->next)
		starts[(unsigned char)one->key[0]] = true;
}

/* Whether a key can begin at text[at], as it stands or as the escape there. A key that begins with a backslash may have one of its own before it. */
static bool can_begin(const bool starts[256], struct str text, size_t at, int *ret_escaped)
{
	*ret_escaped = escaped_byte(text, at);
	return starts[(unsigned char)text.ptr[at]] || (*ret_escaped >= 0 && starts[*ret_escaped]);
}

/* ---- searching ---- */

/* How a text is searched: by which bytes a key, plain or escaped, can begin with, and where it can begin at all. */
struct search {
	bool starts[256];
	bool escaped_only; /* no key stands there plainly: a match has an escape in it */
	size_t min_len;    /* shorter keys are not looked for */
	size_t longest;
	size_t slash, percent; /* the next one of each at or after where the search is */
};

static size_t next_byte(struct str text, size_t from, char c)
{
	const char *found = from < text.len ? memchr(text.ptr + from, c, text.len - from) : NULL;

	return found ? (size_t)(found - text.ptr) : text.len;
}

/* The first '\\' or '%' at or after from, or text.len. Each of the two is looked for once: texts of others may be full of the other one. */
static size_t next_escape(struct search *search, struct str text, size_t from)
{
	if (search->slash < from)
		search->slash = next_byte(text, from, '\\');
	if (search->percent < from)
		search->percent = next_byte(text, from, '%');
	return MIN(search->slash, search->percent);
}

static bool stands_plainly(const struct scrubber *s, struct str text, size_t min_len)
{
	for (const struct secret *one = s->list; one && one->len >= min_len; one = one->next)
		if (str_contains(text, secret_str(one)))
			return true;
	return false;
}

/* False: the text certainly holds no key of at least min_len bytes (a + for a blank is looked for only beside other escapes). */
static bool search_init(struct search *search, const struct scrubber *s, struct str text, size_t min_len)
{
	if (!s || !s->count || text.len < min_len)
		return false;
	search->escaped_only = !stands_plainly(s, text, min_len);
	search->slash = next_byte(text, 0, '\\');
	search->percent = next_byte(text, 0, '%');
	if (search->escaped_only && MIN(search->slash, search->percent) == text.len)
		return false;
	search->min_len = min_len;
	search->longest = s->list->len;
	note_starts(s, search->starts);
	return true;
}

/* The longest key that begins at text[at], up to *ret_to. */
static bool match_at(const struct scrubber *s, const struct search *search, struct str text, size_t at, size_t *ret_to)
{
	int escaped;

	if (!can_begin(search->starts, text, at, &escaped))
		return false;
	for (const struct secret *one = s->list; one && one->len >= search->min_len; one = one->next)
		if ((one->key[0] == text.ptr[at] || (unsigned char)one->key[0] == escaped) &&
		    match_length(text, at, secret_str(one), ret_to) == one->len)
			return true;
	return false;
}

/* The first match at or after `from`. */
static bool find_match(const struct scrubber *s, struct search *search, struct str text, size_t from, struct match *ret_match)
{
	size_t escape = from, to;

	for (size_t i = from; i < text.len; i++) {
		if (search->escaped_only && i >= escape) {
			/* The bytes of a match before its first escape are bytes of the key. */
			escape = next_escape(search, text, i);
			if (escape == text.len)
				return false;
			i = escape - i >= search->longest ? escape - search->longest + 1 : i;
		}
		if (match_at(s, search, text, i, &to)) {
			*ret_match = (struct match){ i, to };
			return true;
		}
		if (search->escaped_only && i == escape)
			escape = i + 1;
	}
	return false;
}

/*
 * A text that was cut may end inside a key. Where the end of text[0..end) is the beginning of a key, of at least SECRET_MIN_BYTES bytes, it is a match too.
 */
static bool find_cut_key(const struct scrubber *s, struct str text, struct match *ret_match)
{
	size_t longest = s->list->len;
	bool starts[256];
	int escaped;
	size_t reach = longest > SIZE_MAX / 12 ? text.len : longest * 12; /* the longest escape of a byte: two \uXXXX */

	note_starts(s, starts);
	for (size_t i = text.len > reach ? text.len - reach : 0; i < text.len; i++) {
		bool possible = can_begin(starts, text, i, &escaped);

		for (const struct secret *one = s->list; one && possible; one = one->next) {
			size_t to, len = match_length(text, i, secret_str(one), &to);

			/* What is left may be an escape that was itself cut. */
			if (len >= SECRET_MIN_BYTES && text.len - to < 12 && (to == text.len || strchr("\\%", text.ptr[to]))) {
				*ret_match = (struct match){ i, text.len };
				return true;
			}
		}
	}
	return false;
}

/* The last SECRET_CUT before `end`, which is the first of its dots; SIZE_MAX: none. */
static size_t last_cut(struct str text, size_t end)
{
	const size_t len = sizeof SECRET_CUT - 1;

	for (size_t i = MIN(end, text.len); i-- > 0;)
		if (text.len - i >= len && !memcmp(text.ptr + i, SECRET_CUT, len) && (i == 0 || text.ptr[i - 1] != SECRET_CUT[0]))
			return i;
	return SIZE_MAX;
}

/* The keys that were cut, from the last to the first. Other people write dots as well: ours are the last ones, so that a few are looked at. */
struct cut_search {
	size_t at;
	unsigned left;
};

static bool next_cut(const struct scrubber *s, struct str text, struct cut_search *search, struct match *ret_match)
{
	while (search->left-- > 0) {
		search->at = last_cut(text, search->at);
		if (search->at == SIZE_MAX)
			break;
		if (find_cut_key(s, str_of(text.ptr, search->at), ret_match)) {
			search->at = ret_match->from;
			return true;
		}
	}
	search->left = 0;
	return false;
}

#define CUTS_LOOKED_AT 4

/* Puts the mask in place of the match; what does not fit is cut. Returns the new length. */
static size_t mask_in_place(char *text, size_t len, size_t size, struct match m, size_t *ret_after)
{
	const size_t mask = sizeof SECRET_MASK - 1;
	size_t tail = len - m.to, room = size - 1 - m.from;

	if (room < mask) {
		memcpy(text + m.from, SECRET_MASK, room);
		*ret_after = size - 1;
		return size - 1;
	}
	tail = utf8_cut(str_of(text + m.to, tail), room - mask);
	memmove(text + m.from + mask, text + m.to, tail);
	memcpy(text + m.from, SECRET_MASK, mask);
	*ret_after = m.from + mask;
	return m.from + mask + tail;
}

void scrub_text(const struct scrubber *s, char *text, size_t size)
{
	size_t len = size ? strnlen(text, size - 1) : 0, from = 0;
	bool full = len + 4 >= size; /* so it was probably cut, by up to three bytes more than it had to */
	struct search search;
	struct match m;

	if (len == 0 || !s || !s->count)
		return;
	if (search_init(&search, s, str_of(text, len), SECRET_MIN_BYTES))
		while (find_match(s, &search, str_of(text, len), from, &m)) {
			len = mask_in_place(text, len, size, m, &from);
			search.slash = search.percent = 0; /* what stands behind the mask has moved */
		}
	if (full && find_cut_key(s, str_of(text, len), &m))
		len = mask_in_place(text, len, size, m, &from);
	for (struct cut_search cuts = { len, CUTS_LOOKED_AT }; next_cut(s, str_of(text, len), &cuts, &m);)
		len = mask_in_place(text, len, size, m, &from);
	text[len] = '\0';
}

/* Masks the keys that were cut in what stands behind out[start]. */
static void mask_cut_keys(const struct scrubber *s, struct buf *out, size_t start)
{
	struct cut_search cuts = { out->len - start, CUTS_LOOKED_AT };
	struct match m;

	while (!buf_failed(out) && next_cut(s, str_of(out->ptr + start, out->len - start), &cuts, &m)) {
		const size_t mask = sizeof SECRET_MASK - 1;
		char *text;

		if (!buf_reserve(out, mask)) /* more than it can grow by */
			return;
		text = out->ptr + start;
		memmove(text + m.from + mask, text + m.to, out->len - start - m.to);
		memcpy(text + m.from, SECRET_MASK, mask);
		out->len = out->len - (m.to - m.from) + mask;
		text[out->len - start] = '\0';
	}
}

int scrub_append(const struct scrubber *s, struct buf *out, struct str in)
{
	struct search search;
	struct match m;
	size_t from = 0, start = out->len;

	if (!s || !s->count || in.len < SECRET_MIN_BYTES)
		return buf_append_str(out, in);
	if (search_init(&search, s, in, SECRET_MIN_BYTES)) {
		while (find_match(s, &search, in, from, &m)) {
			buf_append(out, in.ptr + from, m.from - from);
			buf_append_str(out, STR(SECRET_MASK));
			from = m.to;
		}
	}
	buf_append(out, in.ptr + from, in.len - from);
	mask_cut_keys(s, out, start);
	return buf_failed(out);
}

bool scrub_finds(const struct scrubber *s, struct str text)
{
	struct search search;
	struct match m;

	if (text.len > DRESSED_MOST)
		return s && stands_plainly(s, str_sub(text, 0, ANSWER_MOST), SECRET_FLAG_MIN_BYTES);
	return search_init(&search, s, text, SECRET_FLAG_MIN_BYTES) && find_match(s, &search, text, 0, &m);
}
