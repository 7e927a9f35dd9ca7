/* list.h: intrusive doubly linked list with a sentinel. A node that is in no list points to itself after list_node_init. */
#ifndef FF_BASE_LIST_H
#define FF_BASE_LIST_H

#include <stdbool.h>

#include "base/macros.h"

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}
static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}
static inline void list_push_back(struct list *l, struct list *node)
{
	node->prev = l->prev;
	node->next = l;
	l->prev->next = node;
	l->prev = node;
}
static inline void list_push_front(struct list *l, struct list *node)
{
	list_push_back(l->next, node);
}
static inline void list_remove(struct list *node) /* safe on a node that is in no list */
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->prev = node->next = node;
}
static inline struct list *list_pop_front(struct list *l) /* NULL when empty */
{
	struct list *node = l->next;
	if (node == l)
		return NULL;
	list_remove(node);
	return node;
}
/* Moves all nodes of `from` to `to`, which need not be initialised; from is empty then. */
static inline void list_move(struct list *from, struct list *to)
{
	list_init(to);
	if (list_empty(from))
		return;
	*to = *from;
	to->next->prev = to->prev->next = to;
	list_init(from);
}
#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)
/* `it` may be removed from the list in the body. NOLINTBEGIN(bugprone-macro-parentheses): it and tmp are declared here. */
#define LIST_FOR_EACH(it, tmp, l) \
	for (struct list *it = (l)->next, *tmp = (it)->next; (it) != (l); (it) = (tmp), (tmp) = (it)->next)
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
