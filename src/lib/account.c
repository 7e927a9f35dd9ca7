/*
 * account.c: see account.h. What an account follows from holds keys, as the account itself does; both are wiped with it.
 *
 * Cost: finding one compares its bytes with those of every shared account, most of which differ in length or early. There are not more of them than runs.
 */
#include "lib/account.h"

#include "base/alloc.h"
#include "lib/internal.h"

struct guard { /* in the account's arena */
	struct str secret;
	struct guard *next;
};

struct account *account_new(struct ff_engine *engine)
{
	struct account *a = NEW(struct account);

	if (!a)
		return NULL;
	a->engine = engine;
	a->references = 1;
	list_init(&a->link);
	arena_init(&a->arena);
	scrubber_init(&a->scrubber);
	return a;
}

static void wipe(struct str secret)
{
	if (secret.len)
		explicit_bzero((char *)(uintptr_t)secret.ptr, secret.len);
}

void account_release(struct account *a)
{
	if (!a || --a->references)
		return;
	list_remove(&a->link);
	connector_free(a->connector);
	if (a->has_target)
		url_parts_release(&a->target);
	for (struct guard *g = a->guards; g; g = g->next) {
		scrubber_remove(&a->engine->scrubber, g->secret);
		wipe(g->secret);
	}
	scrubber_release(&a->scrubber);
	wipe(a->asked_for);
	arena_release(&a->arena);
	mem_free(a);
}

int account_guard(struct account *a, struct str secret)
{
	struct guard *g = ARENA_NEW(&a->arena, struct guard);

	if (!g || arena_str(&a->arena, secret, &g->secret) || scrubber_add(&a->scrubber, g->secret) ||
	    scrubber_add(&a->engine->scrubber, g->secret))
		return FF_ENOMEM;
	g->next = a->guards;
	a->guards = g;
	return 0;
}

size_t account_guards(const struct account *a)
{
	size_t count = 0;

	for (const struct guard *g = a->guards; g; g = g->next)
		count++;
	return count;
}

struct account *account_find(struct ff_engine *engine, struct str asked_for)
{
	for (struct list *it = engine->accounts.next; it != &engine->accounts; it = it->next) {
		struct account *a = LIST_ENTRY(it, struct account, link);

		if (str_eq(a->asked_for, asked_for)) {
			a->references++;
			return a;
		}
	}
	return NULL;
}

void account_share(struct account *a, struct connector *connector)
{
	a->connector = connector;
	list_push_back(&a->engine->accounts, &a->link);
}
