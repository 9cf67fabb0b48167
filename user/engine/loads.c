/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/loads.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/transitions.h"

#define PARTS 20 /* of the flow table, counted in turn: all of it once a second */
/* What a flow weighs at weight 1: any weight divides it well. */
#define LOAD_UNIT 1000000u
#define NOTHING UINT64_MAX
/* Of what is unseen this part is taken to be seen each time: with it a flow counts as 0.9 to 1.2 of one
 * until it has certainly been found. */
#define UNSEEN_LASTS 12

struct loads {
	struct event *timer;
	uint32_t rows; /* of the arrays */
	uint32_t *counted; /* [PARTS * rows] by part */
	uint32_t *total; /* [rows]: sum of the parts */
	uint16_t *timeout; /* [rows]: of the row's service; 0: not to be counted */
	/* [rows]: sixteenths of flows that have been given away and are not counted yet, by estimate */
	uint32_t *unseen;
	uint64_t *published; /* [rows]; NOTHING: not yet */
	uint32_t part;
	uint32_t passes; /* parts counted since the start, up to PARTS */
};

static bool is_counted(const struct service *s)
{
	return s->conf && s->flags & SHUNT_SVC_FLOWS && (s->flags & SHUNT_SVC_LOADS || s->drains);
}

static void clear(struct loads *l)
{
	free(l->counted);
	free(l->total);
	free(l->timeout);
	free(l->unseen);
	free(l->published);
	*l = (struct loads){.timer = l->timer};
}

static int make_room(struct loads *l, uint32_t rows)
{
	if (l->rows == rows)
		return 0;
	clear(l);
	l->counted = calloc((size_t)PARTS * rows, sizeof(*l->counted));
	l->total = calloc(rows, sizeof(*l->total));
	l->timeout = calloc(rows, sizeof(*l->timeout));
	l->unseen = calloc(rows, sizeof(*l->unseen));
	l->published = calloc(rows, sizeof(*l->published));
	if (l->counted && l->total && l->timeout && l->unseen && l->published) {
		l->rows = rows;
		return 0;
	}
	clear(l);
	return -ENOMEM;
}

/* ---- counting -----------------------------------------------------------------------------------*/

/* True when any row is to be counted. */
static bool choose_rows(const struct engine *e, struct loads *l)
{
	bool any = false;
	size_t i, k;

	for (i = 0; i < e->n_services; i++) {
		const struct service *s = e->services[i];
		uint16_t timeout = is_counted(s) ? flow_ticks(conf_flow_timeout_ms(s->conf)) : 0;

		any |= timeout != 0;
		for (k = 0; k < s->n_backends; k++) {
			const uint32_t row = s->row + s->backends[k]->number;

			if (!l->timeout[row])
				l->published[row] = NOTHING;
			l->timeout[row] = timeout;
		}
	}
	return any;
}

static void on_flow(void *arg, uint32_t row, uint16_t age)
{
	struct loads *l = arg;

	if (row < l->rows && l->timeout[row] && age <= l->timeout[row])
		l->counted[(size_t)l->part * l->rows + row]++;
}

static void count_part(struct engine *e, struct loads *l)
{
	uint32_t *part = &l->counted[(size_t)l->part * l->rows], row;

	for (row = 0; row < l->rows; row++) {
		l->total[row] -= part[row];
		part[row] = 0;
	}
	dp_flows_each(e->dp, l->part, PARTS, on_flow, l);
	for (row = 0; row < l->rows; row++)
		l->total[row] += part[row];
	l->part = (l->part + 1) % PARTS;
	l->passes += l->passes < PARTS;
}

/* ---- publishing ---------------------------------------------------------------------------------*/

static uint64_t step_of(const struct service *s, const struct backend *b)
{
	return s->conf->scheduler == SHUNT_WLC && b->weight ? LOAD_UNIT / b->weight : LOAD_UNIT;
}

/* What the packet path has added since the last time is in what it has now; what it adds meanwhile stays. */
static void publish(struct engine *e, struct loads *l, const struct service *s,
		    const struct backend *b)
{
	const uint32_t row = s->row + b->number;
	const uint64_t step = step_of(s, b), there = dp_load_read(e->dp, row);
	uint64_t load, given = 0;

	if (l->published[row] != NOTHING && there > l->published[row])
		given = (there - l->published[row]) / step;
	l->unseen[row] -= l->unseen[row] / UNSEEN_LASTS;
	l->unseen[row] += (uint32_t)(given < UINT16_MAX ? given : UINT16_MAX) * 16;
	load = (l->total[row] + l->unseen[row] / 16) * step;
	dp_load_write(e->dp, row, load - there, step);
	l->published[row] = load;
}

static void publish_all(struct engine *e, struct loads *l)
{
	size_t i, k;

	for (i = 0; i < e->n_services; i++)
		for (k = 0;
		     e->services[i]->flags & SHUNT_SVC_LOADS && k < e->services[i]->n_backends; k++)
			publish(e, l, e->services[i], e->services[i]->backends[k]);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = {.tv_usec = LOADS_EVERY_MS * 1000};
	struct engine *e = arg;
	struct loads *l = e->loads;

	(void)fd;
	(void)what;
	if (make_room(l, dp_sizes(e->dp)->rows) || !choose_rows(e, l)) {
		clear(l);
		return; /* until loads_start() */
	}
	count_part(e, l);
	publish_all(e, l);
	event_add(l->timer, &again);
}

void loads_start(struct engine *e)
{
	static const struct timeval now;
	size_t i;

	for (i = 0; i < e->n_services; i++)
		if (is_counted(e->services[i]) && !event_pending(e->loads->timer, EV_TIMEOUT, NULL))
			event_add(e->loads->timer, &now);
}

bool loads_flows(const struct engine *e, const struct backend *b, uint64_t *flows)
{
	const struct loads *l = e->loads;
	const uint32_t row = b->service->row + b->number;

	if (l->passes < PARTS || row >= l->rows || !l->timeout[row])
		return false;
	*flows = l->total[row];
	return true;
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
