/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVL_MEMBER_H_INCLUDED_
#define EVL_MEMBER_H_INCLUDED_

/* A lock as a member of sets.  The sets themselves are made in
 * kinds/set.c.  Called in a step. */

#include "lock/lock.h"

/** One lock of a set. */
struct evl_member {
	struct evlock *lock;		/**< NULL: freed */
	struct evl_body *body;		/**< the set */
	int mode;			/**< to acquire it in, or EVLOCK_SAME_MODE */
	int is_seated;			/**< not a set itself */
	struct evl_link link;		/**< in lock->body->sets */
};

/** The seats of a request in the members, by the members' numbers. */
struct evl_group {
	struct evl_group *next;		/**< among the set's spare ones */
	struct evl_link link;		/**< in set->groups, while used */
	struct evl_request *request;
	struct {
		struct evl_seat seat;
		struct evl_ties ties;
	} part[];
};

/** A set: evl_body.of_kind. */
struct evl_set {
	struct evl_group *spare;
	struct evl_link groups;
	size_t n;
	struct evl_member member[];
};

#define EVL_MEMBER_LINK(l) EVL_CONTAINER(l, struct evl_member, link)
#define EVL_GROUP(l) EVL_CONTAINER(l, struct evl_group, link)

#define EVL_MEMBERS_EACH(m, set) \
	for ((m) = (set)->member; (m) < (set)->member + (set)->n; (m)++)

static inline struct evl_set *
evl_member_set(const struct evl_member *m)
{
	return m->body->of_kind;
}

/** Has the set's requests a seat in this member? */
static inline int
evl_member_is_there(const struct evl_member *m)
{
	return m->lock && m->is_seated;
}

/** The ties of a group's seat in a member, if the seat holds; else NULL. */
struct evl_ties *evl_member_part_held(const struct evl_member *m, struct evl_group *group);

/** Ends each request for a set that holds `body` as a member; `end` ends no other. */
void evl_member_each_holder(struct evl_step *step, const struct evl_body *body,
    void (*end)(struct evl_step *, struct evl_request *));

/** The step has changed `body`: the kinds of the other members of its sets look at that.  Returns
 * whether there was one to look. */
int evl_member_look(struct evl_step *step, const struct evl_body *body);

/** Updates is_far of the lock, and of the sets that have it as a member.  No request of the lock may
 * be in transit. */
void evl_member_update_far(struct evl_body *body);

#endif
