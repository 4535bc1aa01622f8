/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_LIST_H_INCLUDED_
#define EVL_LIST_H_INCLUDED_

/* Circular doubly linked lists, whose links are members of the listed structures.  The
 * list itself is one more link, which points at itself when the list is empty.  Called
 * from everywhere; the owner of a list says which mutex protects it. */

#include <stddef.h>

/** Keeps a function that is seldom called from being inlined into one that is called often. */
#if defined(__GNUC__)
#define EVL_NOINLINE __attribute__((noinline))
#else
#define EVL_NOINLINE
#endif

/** Inlines a function into each of its callers, which are called often. */
#if defined(__GNUC__)
#define EVL_INLINE inline __attribute__((always_inline))
#else
#define EVL_INLINE inline
#endif

struct evl_link {
	struct evl_link *next, *prev;
};

/** Returns the structure of type `type` whose member `member` is at `ptr`. */
#define EVL_CONTAINER(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define EVL_LIST_EACH(link, list) \
	for ((link) = (list)->next; (link) != (list); (link) = (link)->next)

/** As EVL_LIST_EACH, and the body may remove `link`. */
#define EVL_LIST_EACH_SAFE(link, after, list) \
	for ((link) = (list)->next; (after) = (link)->next, (link) != (list); (link) = (after))

static inline void
evl_list_init(struct evl_link *list)
{
	list->next = list->prev = list;
}

static inline int
evl_list_is_empty(const struct evl_link *list)
{
	return list->next == list;
}

static inline void
evl_list_insert_after(struct evl_link *place, struct evl_link *link)
{
	link->prev = place;
	link->next = place->next;
	place->next->prev = link;
	place->next = link;
}

/** Puts `link` at the end.  The two stores to `link` are kept apart, because GCC would merge
 * them into one vector store, which is slower. */
static inline void
evl_list_push(struct evl_link *list, struct evl_link *link)
{
	struct evl_link *last = list->prev;

	link->next = list;
	last->next = link;
	link->prev = last;
	list->prev = link;
}

static inline void
evl_list_remove(struct evl_link *link)
{
	link->next->prev = link->prev;
	link->prev->next = link->next;
}

/** Moves all links of `list`, which must not be empty, to the end of `to`. */
static inline void
evl_list_move(struct evl_link *list, struct evl_link *to)
{
	struct evl_link *first = list->next, *last = list->prev, *before = to->prev;

	evl_list_init(list);
	first->prev = before;
	before->next = first;
	last->next = to;
	to->prev = last;
}

/** Removes the first link and returns it, or returns NULL if the list is empty. */
static inline struct evl_link *
evl_list_pop(struct evl_link *list)
{
	struct evl_link *first = list->next;

	if (first == list)
		return NULL;
	evl_list_remove(first);
	return first;
}

#endif
