/*
 * account.c: see account.h. What an account follows from holds keys, as the account itself does; both are wiped with it.
 *
 * Invariant: an account is in the engine's map exactly while it has a connector of its own.
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
	if (a->connector)
		map_remove(&a->engine->accounts, a->asked_for);
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
	struct account *a = map_get(&engine->accounts, asked_for);

	if (a)
		a->references++;
	return a;
}

int account_share(struct account *a, struct connector *connector)
{
	int r = map_put(&a->engine->accounts, a->asked_for, a, NULL);

	if (!r)
		a->connector = connector_again(connector);
	return r;
}
