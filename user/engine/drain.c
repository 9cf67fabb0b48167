/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/drain.h"
#include "engine/loads.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pure/backend_row.h"

#define LOOK_MS 250 /* how often drains are looked at */

static bool is_due(mono_t deadline, mono_t now)
{
	return !mono_is_never(deadline) && mono_diff_us(deadline, now) >= 0;
}

/* ---- beginning and end --------------------------------------------------------------------------*/

static uint64_t packets_of(const struct engine *e, const struct backend *b)
{
	struct dp_counter now;

	dp_counter_read(e->dp, b->service->row + b->number, &now);
	return now.packets;
}

static void look_again(struct engine *e)
{
	const struct timeval soon = {.tv_usec = LOOK_MS * 1000};

	if (!event_pending(e->drains, EV_TIMEOUT, NULL))
		event_add(e->drains, &soon);
}

bool drain_by_slots(const struct service *s)
{
	return !(s->flags & (SHUNT_SVC_FLOWS | SHUNT_SVC_NAT));
}

/* No later than slots settle, where it is slots that keep the flows. */
static mono_t deadline_of(const struct service *s, int64_t by, int64_t most_s)
{
	const int64_t left_s = by - time(NULL), settle_s = s->conf->settle_within_ms / 1000;
	int64_t s_from_now = left_s < 0 ? 0 : left_s > most_s ? most_s : left_s;

	if (drain_by_slots(s) && (!by || settle_s < s_from_now))
		s_from_now = settle_s;
	else if (!by)
		return mono_never();
	return mono_add_us(mono_now(), s_from_now * 1000000);
}

void drain_begin(struct engine *e, struct backend *b, int64_t by, int64_t most_s)
{
	struct drain *d = &b->drain;

	if (d->state == VIEW_DRAIN_NONE)
		*d = (struct drain){.state = VIEW_DRAIN_GOING,
				    .began = mono_now(),
				    .active = mono_now(),
				    .slots = b->slots};
	else if (d->by == by)
		return;
	if (d->state == VIEW_DRAIN_EXPIRED)
		d->state = VIEW_DRAIN_GOING;
	d->by = by;
	d->deadline = deadline_of(b->service, by, most_s);
	b->service->drains = true;
	look_again(e);
	loads_changed(e, b->service);
}

void drain_end(struct backend *b)
{
	b->drain = (struct drain){0};
}

/* ---- leaving ------------------------------------------------------------------------------------*/

bool drain_leaves(const struct conf_service *conf, const struct backend *b)
{
	return conf->remove == CONF_REMOVE_DRAIN && b->usable &&
	       b->drain.state != VIEW_DRAIN_EXPIRED && b->drain.state != VIEW_DRAIN_DONE;
}

struct conf_backend *drain_keep(const struct backend *b)
{
	struct conf_backend *kept = calloc(1, sizeof(*kept));
	struct backend_row_spec spec;

	if (!kept)
		return NULL;
	if (b->conf) {
		*kept = *b->conf;
		kept->pos = (struct conf_pos){0};
		return kept;
	}
	/* What an earlier daemon has left says no more than this. */
	memcpy(kept->name, b->name, sizeof(kept->name));
	kept->addr = b->addr;
	backend_row_read(&b->row, &spec);
	kept->forward = spec.method;
	kept->port = spec.port;
	return kept;
}

int64_t drain_left_s(const struct drain *d)
{
	int64_t us = mono_diff_us(mono_now(), d->deadline);

	if (mono_is_never(d->deadline))
		return -1;
	return us > 0 ? (us + 999999) / 1000000 : 0;
}

static const char *deadline_words(const struct drain *d, char out[static 48])
{
	snprintf(out, 48, "for %lld s at most", (long long)drain_left_s(d));
	return out;
}

void drain_leave(struct engine *e, struct backend *b, struct conf_backend *kept)
{
	const int64_t most_s = b->service->conf->drain_deadline_ms / 1000;
	const int64_t latest = time(NULL) + most_s;
	const bool is_new = !b->leaving;
	char words[48];

	if (!kept->port)
		kept->port = b->service->conf->port;
	b->conf = kept;
	free(b->kept);
	b->kept = kept;
	b->leaving = true;
	/* An earlier deadline holds: of a drain, or of an earlier daemon. */
	drain_begin(e, b, b->drain.by && b->drain.by < latest ? b->drain.by : latest, most_s);
	if (is_new)
		engine_tell(e, SHUNT_EVENT_DRAIN, b->service, b,
			    "backend %s/%s: no longer configured: it gets no new flows, and leaves "
			    "when those that it has have ended, %s",
			    b->service->name, b->name, deadline_words(&b->drain, words));
}

void drain_come_back(struct engine *e, struct backend *b)
{
	if (!b->leaving)
		return;
	b->leaving = false;
	drain_end(b);
	engine_tell(e, SHUNT_EVENT_DRAIN, b->service, b, "backend %s/%s: configured again",
		    b->service->name, b->name);
}

static void let_go(struct engine *e, struct backend *b)
{
	const struct shunt_backend no_backend = {0};
	const struct shunt_owner nobody = {0};
	struct service *s = b->service;
	size_t i = 0;

	checks_stop(e, b);
	nexthops_unwatch(e, b);
	while (s->backends[i] != b)
		i++;
	memmove(&s->backends[i], &s->backends[i + 1],
		(s->n_backends - i - 1) * sizeof(struct backend *));
	s->n_backends--;
	service_rebuild(e, s); /* slots in transition name it no longer, before its row is empty */
	dp_backend_write(e->dp, s->row + b->number, &no_backend);
	dp_owner_write(e->dp, s->row + b->number, &nobody);
	e->generation++;
	backend_free(b);
}

/* ---- progress -----------------------------------------------------------------------------------*/

static uint32_t nat_timeout_ms(const struct conf *conf, const struct conf_service *s)
{
	return conf->nat_timeout_ms[s->protocol == IPPROTO_TCP ? SHUNT_NAT_T_ESTABLISHED
							       : SHUNT_NAT_T_UDP];
}

uint64_t drain_quiet_ms(const struct engine *e, const struct backend *b)
{
	if (conf_translates(b->conf->forward))
		return nat_timeout_ms(e->conf, b->service->conf);
	return conf_flow_timeout_ms(b->service->conf);
}

/* Whether its flows have ended; one that never had a packet has none. */
static bool has_ended(const struct engine *e, struct backend *b, mono_t now)
{
	uint64_t packets = packets_of(e, b);

	if (packets != b->drain.packets) {
		b->drain.packets = packets;
		b->drain.active = now;
	}
	return packets == 0 ||
	       mono_diff_us(b->drain.active, now) >= (int64_t)drain_quiet_ms(e, b) * 1000;
}

static void conclude(struct engine *e, struct backend *b, enum view_drain state)
{
	b->drain.state = state;
	engine_tell(e, SHUNT_EVENT_DRAIN, b->service, b, "backend %s/%s: %s: %s", b->service->name,
		    b->name, b->leaving ? "leaves" : "drained",
		    state == VIEW_DRAIN_DONE
			    ? "its flows have ended"
			    : "the deadline has come, and flows that are left move");
}

static void look_at(struct engine *e, struct backend *b, mono_t now)
{
	if (b->drain.state != VIEW_DRAIN_GOING)
		return;
	if (has_ended(e, b, now))
		conclude(e, b, VIEW_DRAIN_DONE);
	else if (is_due(b->drain.deadline, now))
		conclude(e, b, VIEW_DRAIN_EXPIRED);
	if (b->drain.state == VIEW_DRAIN_EXPIRED)
		service_rebuild(e, b->service);
}

/* Looks at all of @s, and lets those go that leave and have nothing left; from the end, where they
 * stand. */
static void look_through(struct engine *e, struct service *s, mono_t now)
{
	size_t i;

	s->drains = false;
	loads_changed(e, s);
	for (i = s->n_backends; i-- > 0;) {
		struct backend *b = s->backends[i];

		look_at(e, b, now);
		if (b->leaving && (!b->usable || b->drain.state != VIEW_DRAIN_GOING))
			let_go(e, b);
		else if (b->drain.state == VIEW_DRAIN_GOING)
			s->drains = true;
	}
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	const mono_t now = mono_now();
	bool more = false;
	size_t i;

	(void)fd;
	(void)what;
	for (i = 0; i < e->n_services; i++) {
		if (e->services[i]->drains)
			look_through(e, e->services[i], now);
		more |= e->services[i]->drains;
	}
	if (more)
		look_again(e);
}

int drain_open(struct engine *e, struct engine_error *err)
{
	e->drains = evtimer_new(e->base, on_look, e);
	if (e->drains)
		return 0;
	snprintf(err->text, sizeof(err->text), "no memory");
	return -ENOMEM;
}
