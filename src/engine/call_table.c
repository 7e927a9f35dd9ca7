/*
 * call_table.c: ids of calls: the only part of the executor that other threads touch. What it is not: it takes no decision about a turn; it moves a ticket
 * from the table to the inbox, once, and wakes the loop.
 *
 * An id is the number of the executor (never used twice in a process) and a sequence within it. One lock guards the list of executors, their tables and
 * their inboxes. It is held for a lookup and never while anything is called but `wake`, which does not block: so a runner may complete from
 * anywhere, also inside run, cancel and close. Executors are few, so they are found by walking the list.
 */
#include <pthread.h>

#include "base/alloc.h"
#include "engine/call_internal.h"

#define SEQUENCE_BITS 40

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list executors = { &executors, &executors };
/* Calls that no runner completed although its executor has gone: reachable, and never freed. */
static struct list abandoned = { &abandoned, &abandoned };
static uint64_t last_number;

static struct str key_of(const uint64_t *id)
{
	return str_of((const char *)id, sizeof *id);
}

void call_table_register(struct call_executor *x)
{
	pthread_mutex_lock(&lock);
	x->number = ++last_number;
	list_push_back(&executors, &x->registry);
	pthread_mutex_unlock(&lock);
}

static struct call_executor *find(uint64_t number)
{
	LIST_FOR_EACH (it, next, &executors) {
		struct call_executor *x = LIST_ENTRY(it, struct call_executor, registry);
		if (x->number == number)
			return x;
	}
	return NULL;
}

/* With the lock. */
static void free_returned(struct list *inbox)
{
	for (struct list *node; (node = list_pop_front(inbox));)
		call_return(LIST_ENTRY(node, struct call_ticket, link)->call);
}

void call_table_unregister(struct call_executor *x)
{
	pthread_mutex_lock(&lock);
	list_remove(&x->registry);
	free_returned(&x->inbox);
	while (!list_empty(&x->calls))
		list_push_back(&abandoned, list_pop_front(&x->calls));
	map_release(&x->tickets);
	pthread_mutex_unlock(&lock);
}

static void drop(struct call_ticket *t)
{
	map_remove(&t->call->x->tickets, key_of(&t->id));
	t->held = false;
}

int call_table_issue(struct call *c)
{
	struct call_executor *x = c->x;
	int rc = 0;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < c->ticket_count && rc == 0; i++) {
		struct call_ticket *t = &c->tickets[i];
		t->id = x->number << SEQUENCE_BITS | ++x->sequence;
		rc = map_put(&x->tickets, key_of(&t->id), t, NULL);
		t->held = rc == 0;
	}
	for (size_t i = 0; rc != 0 && i < c->ticket_count; i++) {
		if (c->tickets[i].held)
			drop(&c->tickets[i]);
	}
	pthread_mutex_unlock(&lock);
	return rc;
}

bool call_table_retire(struct call_ticket *t)
{
	pthread_mutex_lock(&lock);
	bool held = t->held;
	if (held)
		drop(t);
	pthread_mutex_unlock(&lock);
	return held;
}

bool call_table_is_held(const struct call_ticket *t)
{
	pthread_mutex_lock(&lock);
	bool held = t->held;
	pthread_mutex_unlock(&lock);
	return held;
}

uint64_t call_table_collect(struct call_executor *x, struct list *ret_tickets)
{
	pthread_mutex_lock(&lock);
	uint64_t ignored = x->ignored;
	list_move(&x->inbox, ret_tickets);
	x->ignored = 0;
	x->woken = false;
	pthread_mutex_unlock(&lock);
	return ignored;
}

/* ---- any thread ---- */

static void texts_of(struct call_answer *a, struct str *ret[6])
{
	struct str *const all[] = { &a->answer, &a->error, &a->finish_reason, &a->model, &a->request_id, &a->changes };
	memcpy(ret, all, sizeof all);
}

/* NULL: out of memory. */
static struct call_reply *copy_answer(const struct call_answer *answer)
{
	struct call_answer copy = *answer;
	struct str *texts[6];
	size_t len = 0;
	texts_of(&copy, texts);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		len += texts[i]->len;
	struct call_reply *reply = mem_alloc(sizeof *reply + len);
	if (!reply)
		return NULL;
	char *at = reply->text;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (texts[i]->len)
			memcpy(at, texts[i]->ptr, texts[i]->len);
		texts[i]->ptr = at;
		at += texts[i]->len;
	}
	reply->answer = copy;
	return reply;
}

static void wake(struct call_executor *x)
{
	if (x->woken)
		return;
	x->woken = true;
	x->config.wake(x->config.user);
}

void call_complete(uint64_t id, const struct call_answer *answer)
{
	struct call_reply *reply = answer ? copy_answer(answer) : NULL;
	pthread_mutex_lock(&lock);
	struct call_executor *x = find(id >> SEQUENCE_BITS);
	struct call_ticket *t = x ? map_get(&x->tickets, key_of(&id)) : NULL;
	if (t) {
		drop(t);
		t->reply = reply;
		t->lost = answer && !reply;
		list_push_back(&x->inbox, &t->link);
		reply = NULL;
	} else if (x) {
		x->ignored++;
	}
	if (x)
		wake(x);
	pthread_mutex_unlock(&lock);
	mem_free(reply);
}
