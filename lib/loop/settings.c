/* SPDX-License-Identifier: BSD-3-Clause */

/* The settings of event_bases; see settings.h. */

#include <pthread.h>

#include "base/list.h"
#include "base/mem.h"
#include "loop/settings.h"

static struct {
	pthread_mutex_t mutex;
	struct evl_link list;
} all = { PTHREAD_MUTEX_INITIALIZER, { &all.list, &all.list } };

struct settings {
	struct evl_link link;
	struct event_base *base;
	int priority;
};

#define SETTINGS(l) EVL_CONTAINER(l, struct settings, link)

/* Called with the mutex held. */
static struct settings *
find(const struct event_base *base)
{
	struct evl_link *link;

	EVL_LIST_EACH(link, &all.list)
		if (SETTINGS(link)->base == base)
			return SETTINGS(link);
	return NULL;
}

/* The same, but makes the settings if there are none.  Returns NULL with errno ENOMEM. */
static struct settings *
need(struct event_base *base)
{
	struct settings *s = find(base);

	if (s || !(s = evl_mem_new(sizeof *s)))
		return s;
	s->base = base;
	s->priority = -1;
	evl_list_push(&all.list, &s->link);
	return s;
}

int
evl_settings_priority(struct event_base *base)
{
	const struct settings *s;
	int priority;

	pthread_mutex_lock(&all.mutex);
	s = find(base);
	priority = s ? s->priority : -1;
	pthread_mutex_unlock(&all.mutex);
	return priority;
}

int
evl_settings_set_priority(struct event_base *base, int priority)
{
	struct settings *s;

	pthread_mutex_lock(&all.mutex);
	s = need(base);
	if (s)
		s->priority = priority;
	pthread_mutex_unlock(&all.mutex);
	return s ? 0 : -1;
}

void
evl_settings_forget(const struct event_base *base)
{
	struct settings *s;

	pthread_mutex_lock(&all.mutex);
	s = find(base);
	if (s)
		evl_list_remove(&s->link);
	pthread_mutex_unlock(&all.mutex);
	evl_mem_free(s);
}

void
evl_settings_hold(void)
{
	pthread_mutex_lock(&all.mutex);
}

void
evl_settings_let_go(void)
{
	pthread_mutex_unlock(&all.mutex);
}
