/* quoted.c: see quoted.h. Two passes: JSON's own escapes, then those for a terminal, which the literal's pure ASCII escapes pass untouched. */
#include "front/common/quoted.h"

#include "base/secret.h"
#include "fairforge/fairforge.h"

void quoted_append(struct buf *out, struct str text)
{
	char *literal = ff_json_quote(text.ptr, text.len);

	if (literal)
		(void)!escape_append_json(out, str_from(literal)); /* sticky in the buffer */
	else
		buf_append_str(out, STR("null"));
	ff_free(literal);
}
