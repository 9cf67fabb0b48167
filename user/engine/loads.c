/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/loads.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/own.h"
#include "pure/tally.h"

/* The flow table is counted in so many parts at least, each of so many words at most: that bounds what a
 * count takes of a CPU, whatever the table's size; a larger one takes longer to be counted through. */
#define PARTS_MIN 20
#define PART_WORDS 131072u
/* Where no load goes by it, a count may take longer. */
#define SHOWN_EVERY_MS 250

/* A row to which loads are told. */
struct target {
	uint32_t at; /* in the tally */
	uint64_t step;
};

struct loads {
	struct event *timer;
	struct tally tally;
	struct target *targets;
	size_t n_targets;
	bool stale; /* the services have changed */
	uint32_t every_ms;
};

static bool is_counted(const struct service *s)
{
	return s->conf && s->flags & SHUNT_SVC_FLOWS;
}

static void clear(struct loads *l)
{
	tally_fini(&l->tally);
	free(l->targets);
	l->targets = NULL;
	l->n_targets = 0;
}

/* ---- what is counted ------------------------------------------------------------------------------*/

static int by_row(const void *a, const void *b)
{
	const struct tally_row *x = a, *y = b;

	return x->row < y->row ? -1 : x->row > y->row;
}

static uint64_t step_of(const struct service *s, const struct backend *b)
{
	return s->scheme.scheduler == SHUNT_WLC && b->weight ? TALLY_UNIT / b->weight : TALLY_UNIT;
}

static size_t count_backends(const struct engine *e)
{
	size_t n = 0, i;

	for (i = 0; i < e->n_services; i++)
		n += is_counted(e->services[i]) ? e->services[i]->n_backends : 0;
	return n;
}

static uint32_t parts_of(const struct dp_sizes *sizes)
{
	const uint32_t parts = (uint32_t)(2 * sizes->flows / PART_WORDS);

	return parts < PARTS_MIN ? PARTS_MIN : parts;
}

/* *rows, sorted and the caller's, *n of them. */
static int list_rows(const struct engine *e, struct tally_row **rows, size_t *n)
{
	struct tally_row *list = calloc(count_backends(e) + 1, sizeof(*list));
	size_t i, k;

	if (!list)
		return -ENOMEM;
	*n = 0;
	for (i = 0; i < e->n_services; i++) {
		const struct service *s = e->services[i];

		for (k = 0; is_counted(s) && k < s->n_backends; k++)
			list[(*n)++] = (struct tally_row){
				.row = s->row + s->backends[k]->number,
				.timeout = flow_ticks(conf_flow_timeout_ms(s->conf)),
			};
	}
	qsort(list, *n, sizeof(*list), by_row);
	*rows = list;
	return 0;
}

static void add_targets(struct loads *l, const struct service *s)
{
	size_t k;

	for (k = 0; k < s->n_backends; k++)
		l->targets[l->n_targets++] = (struct target){
			.at = l->tally.index[s->row + s->backends[k]->number] - 1,
			.step = step_of(s, s->backends[k]),
		};
}

/* -ENOENT: there is nothing to be counted. */
static int choose(struct engine *e, struct loads *l)
{
	auto_free struct tally_row *rows = NULL;
	struct target *targets = calloc(count_backends(e) + 1, sizeof(*targets));
	size_t n = 0, i;
	int err = targets ? list_rows(e, &rows, &n) : -ENOMEM;

	if (!err && !n)
		err = -ENOENT;
	if (!err)
		err = tally_choose(&l->tally, rows, n, dp_sizes(e->dp)->rows,
				   parts_of(dp_sizes(e->dp)));
	if (err) {
		free(targets);
		return err;
	}
	free(l->targets);
	l->targets = targets;
	l->n_targets = 0;
	l->every_ms = SHOWN_EVERY_MS;
	for (i = 0; i < e->n_services; i++) {
		const struct service *s = e->services[i];

		if (!is_counted(s))
			continue;
		if (s->flags & SHUNT_SVC_LOADS)
			add_targets(l, s);
		if (s->flags & SHUNT_SVC_LOADS || s->drains)
			l->every_ms = LOADS_EVERY_MS;
	}
	l->stale = false;
	return 0;
}

/* ---- counting and telling -------------------------------------------------------------------------*/

static void on_flow(void *arg, uint32_t row, uint16_t age)
{
	tally_flow(arg, row, age);
}

/* What the packet path has added since the last time is in what it has now; what it adds meanwhile stays. */
static void tell(struct engine *e, struct loads *l, const struct target *t)
{
	struct tally_row *r = &l->tally.row[t->at];
	const uint64_t there = dp_load_read(e->dp, r->row);

	dp_load_write(e->dp, r->row, tally_load(&l->tally, r, there, t->step) - there, t->step);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct timeval again = {0};
	struct engine *e = arg;
	struct loads *l = e->loads;
	size_t i;

	(void)fd;
	(void)what;
	if (l->stale && choose(e, l)) {
		clear(l);
		return; /* until loads_start() */
	}
	tally_begin(&l->tally);
	dp_flows_each(e->dp, l->tally.part, l->tally.parts, on_flow, &l->tally);
	tally_end(&l->tally);
	for (i = 0; i < l->n_targets; i++)
		tell(e, l, &l->targets[i]);
	again.tv_usec = l->every_ms * 1000;
	event_add(l->timer, &again);
}

void loads_changed(struct engine *e, const struct service *s)
{
	static const struct timeval now;
	struct loads *l = e->loads;

	if (!l || !is_counted(s))
		return;
	l->stale = true;
	if (!event_pending(l->timer, EV_TIMEOUT, NULL))
		event_add(l->timer, &now);
}

void loads_start(struct engine *e)
{
	size_t i;

	for (i = 0; i < e->n_services; i++)
		loads_changed(e, e->services[i]);
	e->loads->stale = true;
}

bool loads_flows(const struct engine *e, const struct backend *b, uint64_t *flows)
{
	return b->service->flags & SHUNT_SVC_FLOWS &&
	       tally_flows(&e->loads->tally, b->service->row + b->number, flows);
}

int loads_open(struct engine *e, struct engine_error *err)
{
	e->loads = calloc(1, sizeof(*e->loads));
	if (e->loads)
		e->loads->timer = evtimer_new(e->base, on_timer, e);
	if (e->loads && e->loads->timer)
		return 0;
	snprintf(err->text, sizeof(err->text), "no memory");
	return -ENOMEM;
}

void loads_close(struct engine *e)
{
	if (!e->loads)
		return;
	clear(e->loads);
	if (e->loads->timer)
		event_free(e->loads->timer);
	free(e->loads);
}
