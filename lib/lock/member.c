/* SPDX-License-Identifier: BSD-3-Clause */

/* The members of sets, as the members see it; see member.h. */

#include "lock/member.h"
#include "loop/letters.h"

struct evl_ties *
evl_member_part_held(const struct evl_member *m, struct evl_group *group)
{
	struct evl_ties *ties = &group->part[m - evl_member_set(m)->member].ties;

	return ties->seat && evl_ties_hold(ties) ? ties : NULL;
}

/* The groups that hold member `m` go to `holders`. */
static void
gather_holders(const struct evl_member *m, struct evl_link *holders)
{
	struct evl_link *link, *after;

	EVL_LIST_EACH_SAFE(link, after, &evl_member_set(m)->groups) {
		if (!evl_member_part_held(m, EVL_GROUP(link)))
			continue;
		evl_list_remove(link);
		evl_list_push(holders, link);
	}
}

void
evl_member_each_holder(struct evl_step *step, const struct evl_body *body,
    void (*end)(struct evl_step *, struct evl_request *))
{
	struct evl_link *link, *group, holders;

	evl_list_init(&holders);
	EVL_LIST_EACH(link, &body->sets) {
		const struct evl_member *m = EVL_MEMBER_LINK(link);

		if (!evl_member_is_there(m))
			continue;
		gather_holders(m, &holders);
		while ((group = evl_list_pop(&holders))) {
			evl_list_push(&evl_member_set(m)->groups, group);
			end(step, EVL_GROUP(group)->request);
		}
	}
}

/* A request for the set may be the first waiter of this member now, so that the set's other members
 * may be asked for. */
static int
look_at_members(struct evl_step *step, const struct evl_set *set)
{
	const struct evl_member *m;
	int has_looked = 0;

	EVL_MEMBERS_EACH(m, set)
		if (evl_member_is_there(m) && m->lock->body->kind->look) {
			m->lock->body->kind->look(step, m->lock->body);
			has_looked = 1;
		}
	return has_looked;
}

int
evl_member_look(struct evl_step *step, const struct evl_body *body)
{
	const struct evl_link *link;
	int has_looked = 0;

	EVL_LIST_EACH(link, &body->sets)
		if (EVL_MEMBER_LINK(link)->body->core.n_waiting)
			has_looked |= look_at_members(step, evl_member_set(EVL_MEMBER_LINK(link)));
	return has_looked;
}

/* Has a set that the lock is a member of an object on another port? */
static int
has_set_elsewhere(const struct evl_body *body, const struct evl_port *port)
{
	const struct evl_link *link, *object;

	EVL_LIST_EACH(link, &body->sets)
		EVL_LIST_EACH(object, &EVL_MEMBER_LINK(link)->body->objects)
			if (EVL_OBJECT(object)->port != port)
				return 1;
	return 0;
}

/* May the requests in the lock's queue have been made on several bases? */
static int
has_several_ports(const struct evl_body *body)
{
	return body->n_ports > 1 || (body->n_ports &&
	    has_set_elsewhere(body, EVL_OBJECT(body->objects.next)->port));
}

void
evl_member_update_far(struct evl_body *body)
{
	uint8_t is_far = has_several_ports(body) || (body->kind->is_far && body->kind->is_far(body));
	struct evl_link *link;

	if (is_far == body->is_far)
		return;
	body->is_far = is_far;
	EVL_LIST_EACH(link, &body->objects) {
		struct evlock *lock = EVL_OBJECT(link);

		if (!lock->n_queued)
			continue;
		evl_letters_await(lock->port, is_far ? lock->n_queued : -lock->n_queued);
		evl_letters_poke(lock->port);
	}
	EVL_LIST_EACH(link, &body->sets)
		evl_member_update_far(EVL_MEMBER_LINK(link)->body);
}
