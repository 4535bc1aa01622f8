/* SPDX-License-Identifier: BSD-3-Clause */

/* Knows what a thread is doing, so that a callback at the wrong time is noticed.  Checks errors of
 * calls.  Chooses the next operation. */

#include <stdarg.h>
#include <string.h>

#include "anything.h"

enum { DEEPEST = 7 };	/* callbacks nested deeper perform no operations */

/* --- Giving up -------------------------------------------------------------------- */

__attribute__((no_sanitize("thread"))) static void
print_request(const struct request *r)
{
	static const char *const state[] = { "new", "waits", "holds", "ended" };

	fprintf(stderr, "#   request %u of kind %d, mode %u, %s%s%s%s%s%s%s\n", r->number,
	    (int)r->thing->kind, r->mode, state[r->state], r->is_given ? ", given" : "",
	    r->is_told ? ", told" : "", r->is_cut ? ", cut" : "", r->converter ? ", converting" : "",
	    r->owner ? ", owned" : "", r->is_doomed ? ", doomed" : "");
}

__attribute__((no_sanitize("thread"))) static void
print_thread(const struct thread *t)
{
	unsigned i;

	fprintf(stderr, "# thread %u, %ld operations left%s:", t->number, t->n_left,
	    t->is_ending ? ", ending" : "");
	for (i = 0; i < t->depth && i < DEPTH; i++)
		fprintf(stderr, " %s", t->context[i].text);
	fputc('\n', stderr);
	for (i = 0; i < t->n_live && i < REQUESTS; i++)
		print_request(t->live[i]);
}

/* The other threads continue meanwhile, so what is printed about them is only a hint. */
__attribute__((no_sanitize("thread"))) void
give_up(const char *file, int line, const char *what)
{
	unsigned i;

	fprintf(stderr, "# %s:%d: failed: %s (errno %d)\n", file, line, what, errno);
	for (i = 0; i < plan.n_threads; i++)
		print_thread(&thread[i]);
	abort();
}

void
trace(struct thread *t, const char *format, ...)
{
	va_list args;

	if (!plan.is_traced)
		return;
	va_start(args, format);
	fprintf(stderr, "#%*s%u: ", (int)t->depth, "", t->number);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

/* --- Drawing ---------------------------------------------------------------------- */

unsigned
draw(struct thread *t, unsigned n)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return (unsigned)((t->random * 0x9E3779B97F4A7C15u >> 33) % n);
}

int
chance(struct thread *t, unsigned one_in)
{
	return draw(t, one_in) == 0;
}

/* --- What a thread is doing ------------------------------------------------------- */

static void
push(struct thread *t, enum doing doing, const void *with, const char *text)
{
	struct context *c = &t->context[t->depth++];

	MUST(t->depth <= DEPTH);
	c->doing = doing;
	c->with = with;
	c->text = text;
}

static struct context *
innermost(struct thread *t)
{
	return t->depth ? &t->context[t->depth - 1] : NULL;
}

/* Draws which allocation fails in a call. */
static long
draw_failure(struct thread *t)
{
	if (!plan.has_failures || t->is_ending || !chance(t, 12))
		return 0;
	return chance(t, 3) ? -1 : 1 + (long)draw(t, 4);
}

void
begin_call(struct thread *t, const char *text)
{
	trace(t, "%s", text);
	push(t, CALLING, NULL, text);
	innermost(t)->outer = fail_from_now(draw_failure(t));
	errno = 0;
}

void
end_call(struct thread *t)
{
	int error = errno;
	struct context *c = innermost(t);

	MUST(c->doing == CALLING);
	t->depth--;
	c->outer = fail_as_before(c->outer);	/* may_fail() looks at it */
	errno = error;
}

void
begin_free(struct thread *t, const struct object *o)
{
	trace(t, "free object %u of kind %d", o->number, (int)o->kind);
	push(t, FREEING, o, "free");
	innermost(t)->outer = fail_from_now(draw_failure(t));
}

void
end_free(struct thread *t)
{
	MUST(innermost(t)->doing == FREEING);
	fail_as_before(t->context[--t->depth].outer);
}

void
may_fail(struct thread *t, ...)
{
	int error = errno, allowed;
	va_list list;

	trace(t, "  errno %d", error);
	if (error == ENOMEM && t->context[t->depth].outer.n)
		return;
	va_start(list, t);
	do
		allowed = va_arg(list, int);
	while (allowed && allowed != error);
	va_end(list);
	errno = error;
	MUST(allowed && "an errno that this call may give");
}

/* --- Loops ------------------------------------------------------------------------ */

int
is_looping(const struct thread *t, unsigned base)
{
	unsigned i;

	for (i = 0; i < t->depth; i++)
		if (t->context[i].doing == LOOPING && t->context[i].with == t->base[base])
			return 1;
	return 0;
}

int
loop(struct thread *t, unsigned base, int flags)
{
	int was_looping = is_looping(t, base), result;
	struct failing before;

	trace(t, "loop %u", base);
	push(t, LOOPING, t->base[base], "event_base_loop");
	before = fail_from_now(draw_failure(t));
	result = event_base_loop(t->base[base], flags);
	fail_as_before(before);
	t->depth--;
	MUST(result == -1 ? was_looping : !was_looping);
	if (!was_looping)
		t->is_broken[base] = 0;
	return result;
}

static void
begin_any(struct thread *t, const char *text)
{
	MUST(pthread_equal(pthread_self(), t->id));
	push(t, CALLED_BACK, NULL, text);
	innermost(t)->outer = fail_from_now(0);
}

void
begin_event(struct thread *t, unsigned base)
{
	struct context *c = innermost(t);

	MUST(c && c->doing == LOOPING && c->with == t->base[base]);
	begin_any(t, "event");
}

/* Begins a callback of a request that was made through `o`. */
void
begin_callback(struct thread *t, const struct object *o, int error)
{
	struct context *c = innermost(t);

	MUST(c && (c->doing == LOOPING || c->doing == FREEING));
	if (c->doing == FREEING)
		MUST(c->with == o);
	else
		MUST(c->with == t->base[o->base] && !t->is_broken[o->base]);
	t->sum = t->sum * 31 + (uint64_t)error + 1;
	begin_any(t, "callback");
	trace(t, "callback of kind %d, error %d", (int)o->kind, error);
}

void
end_callback(struct thread *t)
{
	MUST(innermost(t)->doing == CALLED_BACK);
	fail_as_before(t->context[--t->depth].outer);
}

/* --- Operations ------------------------------------------------------------------- */

static const struct operation *const tables[] = { asking, ending, making, freeing, looking,
    looping, passing };

static int
is_named(const struct operation *o, const char *names)
{
	const char *at = names ? strstr(names, o->name) : NULL;
	size_t n = strlen(o->name);

	return at && (at == names || at[-1] == ',') && (at[n] == ',' || !at[n]);
}

static unsigned
weight(const struct operation *o)
{
	if (plan.only ? !is_named(o, plan.only) : is_named(o, plan.without))
		return 0;
	return o->weight;
}

/* Returns the operation at `at` among all weights added up, or NULL and their sum if `at` is too
 * large. */
static const struct operation *
operation_at(unsigned at, unsigned *sum)
{
	const struct operation *o;
	unsigned i;

	*sum = 0;
	for (i = 0; i < sizeof tables / sizeof *tables; i++)
		for (o = tables[i]; o->name; o++)
			if ((*sum += weight(o)) > at)
				return o;
	return NULL;
}

static unsigned
all_weights(void)
{
	static unsigned sum;	/* relaxed: the same for all threads */
	unsigned all = READ(sum);

	if (all)
		return all;
	operation_at((unsigned)-1, &all);
	WRITE(sum, all);
	return all;
}

void
operate(struct thread *t)
{
	unsigned unused;
	const struct operation *o = operation_at(draw(t, all_weights()), &unused);

	t->n_left--;
	trace(t, "%s:", o->name);
	t->sum = t->sum * 31 + o->weight;
	o->perform(t);
}

void
operate_in_callback(struct thread *t)
{
	unsigned n = draw(t, 4);

	while (n-- && t->n_left > 0 && t->depth < DEEPEST && !t->is_ending && !t->is_resting)
		operate(t);
}
