/* script.c: which rule a request meets. Reading the document is script_parse.c. */
#include "front/mock/script.h"

#include "base/rand.h"

#define MINUTE_US 60000000u

void script_init(struct script *s)
{
	*s = (struct script){ .seed = 1, .window_us = MINUTE_US, .kind = RATE_WINDOW };
	arena_init(&s->arena);
}

void script_release(struct script *s)
{
	arena_release(&s->arena);
}

static bool in_numbers(const struct rule *rule, uint64_t number)
{
	for (size_t i = 0; i < rule->number_count; i++) {
		if (number >= rule->numbers[i].first && number <= rule->numbers[i].last)
			return true;
	}
	return rule->number_count == 0;
}

/* A generator of its own for each rule and request: what comes before or beside it changes nothing. */
static bool in_share(const struct script *s, size_t index, uint64_t number)
{
	struct rand r;

	if (s->rules[index].share >= 1)
		return true;
	rand_init(&r, s->seed * 0x9e3779b97f4a7c15u + (index + 1) * 0xbf58476d1ce4e5b9u + number * 0x94d049bb133111ebu);
	rand_u32(&r);
	return rand_unit(&r) < s->rules[index].share;
}

static bool fits(const struct script *s, size_t index, const struct script_request *r)
{
	const struct rule *rule = &s->rules[index];

	if (rule->times && rule->fired >= rule->times)
		return false;
	if (!in_numbers(rule, r->number))
		return false;
	if (rule->match.len && !str_contains(r->text, rule->match) && !str_contains(r->session, rule->match))
		return false;
	if (rule->path.len && !str_contains(r->path, rule->path))
		return false;
	return in_share(s, index, r->number);
}

const struct fault *script_match(struct script *s, const struct script_request *r)
{
	for (size_t i = 0; i < s->count; i++) {
		if (!fits(s, i, r))
			continue;
		s->rules[i].fired++;
		return &s->rules[i].fault;
	}
	return NULL;
}
