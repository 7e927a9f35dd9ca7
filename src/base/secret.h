/*
 * secret.h: the scrubber. It knows every live key and guards our own text: error sentences, provider messages, headers, logs,
 * stderr, the run object. The answer of a successful turn is never altered.
 *
 * Reference-counted keys: the same key added twice must be removed twice. Keys under 8 bytes ("EMPTY", "ollama") are not
 * scrubbed: replacing them would destroy ordinary text. Not thread-safe.
 */
#ifndef FF_BASE_SECRET_H
#define FF_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/str.h"

#define SECRET_MIN_BYTES      8  /* shorter keys are not scrubbed */
#define SECRET_FLAG_MIN_BYTES 16 /* a key at least this long in an answer is flagged */
#define SECRET_MASK           "[REDACTED]"
#define SECRET_CUT            "..." /* stands where a text was cut before it was scrubbed: a key may have been cut there, too */

struct scrubber {
	struct secret *list; /* live keys and forms of them, longest first */
	struct map keys;     /* the keys alone; empty while there are few */
	size_t count;        /* keys */
};

void scrubber_init(struct scrubber *s);
void scrubber_release(struct scrubber *s);                        /* wipes the copies (explicit_bzero) */
int scrubber_add(struct scrubber *s, struct str key) WARN_UNUSED; /* 0 or FF_ENOMEM; short keys are accepted and ignored */
void scrubber_remove(struct scrubber *s, struct str key);
/*
 * Replaces every live key, and what is left of one (at least SECRET_MIN_BYTES) before a SECRET_CUT, also in its JSON-escaped, percent-encoded and
 * Base64 forms, by SECRET_MASK: in place, in the NUL-terminated text[size], which is cut at a character boundary when masks make it too long.
 */
void scrub_text(const struct scrubber *s, char *text, size_t size);
/* Appends `in` with every live key masked. 0 or the failure of out. */
int scrub_append(const struct scrubber *s, struct buf *out, struct str in) WARN_UNUSED;
/* True when a key of at least SECRET_FLAG_MIN_BYTES stands in text: in any dress in up to 4 KiB, plainly in the first MiB of a longer one. */
bool scrub_finds(const struct scrubber *s, struct str text);

/* Appends other people's text made safe for a terminal or a log line: C0, C1, DEL, ESC, bidi controls, U+2028/9 and bytes that are not
 * UTF-8 become \xNN or \u{NNNN}. keep_newlines leaves \n and \t. */
int escape_append(struct buf *out, struct str in, bool keep_newlines) WARN_UNUSED;
/* The same for a JSON document: its strings hold no raw C0, and what else is hidden becomes \uNNNN, which is the same document. */
int escape_append_json(struct buf *out, struct str in) WARN_UNUSED;

#endif
