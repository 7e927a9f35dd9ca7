/*
 * http_template_session.c: what HttpTemplate keeps over the turns of a session: captured values and the login. One turn of a session runs at a
 * time, so nothing here is shared. Texts are on the heap, one a slot, so that a long session does not grow; they are wiped, for some are tokens.
 */
#include "connector/http_template.h"

#include "base/alloc.h"

int http_template_session_new(const struct connector *c, const struct dataset *d, struct connector_session **ret)
{
	const struct http_template *h = (const struct http_template *)(const void *)c;
	struct connector_session *s;

	(void)d;
	*ret = NULL;
	if (!c->ordered)
		return 0;
	s = mem_calloc(1, sizeof *s + h->slot_count * sizeof s->captured[0]);
	if (!s)
		return FF_ENOMEM;
	s->h = h;
	scrubber_init(&s->scrubber);
	*ret = s;
	return 0;
}

static void drop(struct template_captured *value)
{
	char *text = (char *)(uintptr_t)value->text.ptr;

	if (text)
		explicit_bzero(text, value->text.len);
	mem_free(text);
	*value = (struct template_captured){ 0 };
}

void http_template_session_free(struct connector_session *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->h->slot_count; i++)
		drop(&s->captured[i]);
	scrubber_release(&s->scrubber);
	mem_free(s->refused);
	mem_free(s);
}

int http_template_session_keep(struct connector_session *s, size_t slot, const struct template_captured *value)
{
	struct template_captured *old = &s->captured[slot];
	bool secret = s->h->slots[slot].secret;
	struct template_captured copy = *value;
	char *text;

	if (old->set && str_eq(old->text, value->text) && old->is_string == value->is_string)
		return 0;
	text = mem_alloc(value->text.len + 1);
	if (!text)
		return FF_ENOMEM;
	if (secret && scrubber_add(&s->scrubber, value->text)) {
		mem_free(text);
		return FF_ENOMEM;
	}
	if (value->text.len)
		memcpy(text, value->text.ptr, value->text.len);
	copy.text = str_of(text, value->text.len);
	copy.set = true;
	if (old->set && secret)
		scrubber_remove(&s->scrubber, old->text);
	drop(old);
	*old = copy;
	return 0;
}
